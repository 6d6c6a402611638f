# SPDX-License-Identifier: Apache-2.0
"""Settings of the record."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """The ``[audit]`` section."""

    # Last part of the log's name: its origin is "<site.domain>/<log>". A log that replaces another gets a new one;
    # entries never move from log to log.
    log: str = "log"
    # Object storage for the log's public part, tiles, entry bundles and checkpoints: "s3://BUCKET/PREFIX". Left out,
    # they lie in the log's folder. Write-ahead file, lock, staging and commit always stay on the log's own disk. To be
    # set before the birth of the site: nothing is moved.
    tiles: str = ""
    # Address of an S3-compatible server, when it is not Amazon's: "https://objects.example".
    tiles_endpoint: str = ""
    tiles_region: str = "us-east-1"
    # File with the access key as IDENTIFIER:SECRET, readable by the audit role alone.
    tiles_credentials: Path | None = None
    # Root certificates of the server's address; those of the machine if left out.
    tiles_roots: Path | None = None
    # Longest time between a sequenced entry and the checkpoint that covers it.
    publish: timedelta = timedelta(milliseconds=250)
    # Lowest assurance, 1 to 3, with which a security officer reads the record.
    officer_assurance: int = 1
    # A tlog-policy file (C2SP) whose "log" lines name the logs of other sites that this one witnesses.
    witness_for: Path | None = None
    # A tlog-policy file (C2SP) whose witnesses are asked to cosign this log's checkpoints, and whose quorum decides
    # when an entry counts as witnessed; every role must be able to read it. Without it nothing is witnessed.
    witness_policy: Path | None = None
    # How often witnesses are asked while nobody waits for them; who waits is served at once.
    witness_interval: timedelta = timedelta(seconds=10)
    # Root certificates of witnesses' https addresses; those of the machine if left out.
    witness_roots: Path | None = None

    # Address of a time-stamping authority (RFC 3161), http or https, that stamps this log's checkpoints. Without it the
    # record proves order and content, and its times rest on the site's own clock and its witnesses'.
    time_stamp_url: str = ""
    # PEM file of the roots to which the authority's signing certificate must lead; needed with `time_stamp_url`.
    time_stamp_roots: Path | None = None
    # How often checkpoints are stamped while entries arrive.
    time_stamp_interval: timedelta = timedelta(hours=1)
    # Object identifier of the policy under which stamps are asked for; the authority's own choice if left out.
    time_stamp_policy: str = ""
    # Root certificates of the authority's https address; those of the machine if left out.
    time_stamp_tls_roots: Path | None = None

    def __post_init__(self) -> None:
        if not self.log or not all(letter.isalnum() or letter in "-._" for letter in self.log):
            raise ValueError("log must be one part of a path: letters, digits, dash, dot")
        if bool(self.tiles) != bool(self.tiles_credentials) or (self.tiles and not self.tiles.startswith("s3://")):
            raise ValueError("tiles must be s3://BUCKET/PREFIX, and tiles_credentials must name a file")
        if not timedelta(milliseconds=50) <= self.publish <= timedelta(seconds=1):
            raise ValueError("publish must be between 50 ms and one second")
        if not timedelta(seconds=1) <= self.witness_interval <= timedelta(hours=1):
            raise ValueError("witness_interval must be between one second and one hour")
        if self.officer_assurance not in (1, 2, 3):
            raise ValueError("officer_assurance must be 1, 2 or 3")
        if self.time_stamp_url and not self.time_stamp_url.startswith(("http://", "https://")):
            raise ValueError("time_stamp_url must be an http or https address")
        if self.time_stamp_url and self.time_stamp_roots is None:
            raise ValueError("time_stamp_roots must name the roots by which the time-stamping authority is known")
        if not timedelta(minutes=1) <= self.time_stamp_interval <= timedelta(days=7):
            raise ValueError("time_stamp_interval must be between one minute and seven days")
        if self.time_stamp_policy and not _OID.fullmatch(self.time_stamp_policy):
            raise ValueError("time_stamp_policy must be an object identifier such as 1.2.3.4")
