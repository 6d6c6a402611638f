# SPDX-License-Identifier: Apache-2.0
"""Settings of the record."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """The ``[audit]`` section."""

    # Last part of the log's name: its origin is "<site.domain>/<log>". A log that replaces another gets a new one;
    # entries never move from log to log.
    log: str = "log"
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

    def __post_init__(self) -> None:
        if not self.log or not all(letter.isalnum() or letter in "-._" for letter in self.log):
            raise ValueError("log must be one part of a path: letters, digits, dash, dot")
        if not timedelta(milliseconds=50) <= self.publish <= timedelta(seconds=1):
            raise ValueError("publish must be between 50 ms and one second")
        if not timedelta(seconds=1) <= self.witness_interval <= timedelta(hours=1):
            raise ValueError("witness_interval must be between one second and one hour")
        if self.officer_assurance not in (1, 2, 3):
            raise ValueError("officer_assurance must be 1, 2 or 3")
