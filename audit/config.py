# SPDX-License-Identifier: Apache-2.0
"""Settings of the record."""

import functools
import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from zoneinfo import available_timezones

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}", flags=re.ASCII)
_KIND = re.compile(r"[a-z][a-z_.]*\*?", flags=re.ASCII)
_SHORTEST = 180
_LONGEST = 36_600
# Looks through a folder of six hundred files; a process reads its settings many times.
_time_zones = functools.cache(available_timezones)


class ExportKind(StrEnum):
    """What a target speaks."""

    # RFC 5424 over TLS (RFC 5425).
    SYSLOG = "syslog"
    # ArcSight's Common Event Format, a line or inside syslog.
    CEF = "cef"
    # One JSON document of OCSF a line.
    OCSF = "ocsf"
    # Batches of JSON over HTTPS, signed as in Standard Webhooks.
    WEBHOOK = "webhook"


class Signing(StrEnum):
    """How a webhook's batches are signed."""

    # HMAC-SHA-256: both sides hold the secret.
    HMAC = "hmac"
    # Ed25519: the receiver holds the public key only, and can prove to others what it was sent.
    ED25519 = "ed25519"


class Personal(StrEnum):
    """What of the sealed parts leaves the house."""

    NONE = "none"
    # In clear, while a standing warrant of two officers allows it.
    OPENED = "opened"


SCHEMES = {
    ExportKind.SYSLOG: ("tls",),
    ExportKind.CEF: ("tls", "tcp", "file", "syslog"),
    ExportKind.OCSF: ("tls", "tcp", "file"),
    ExportKind.WEBHOOK: ("https",),
}
"""How each kind may travel; ``syslog`` is CEF inside syslog over TLS."""


@dataclass(frozen=True, kw_only=True)
class ExportTarget:
    """One table of ``[audit.exports]``: a system that receives entries as they are published."""

    # What it speaks: syslog, cef, ocsf or webhook.
    kind: ExportKind
    # tls://host:port for syslog; tls://, tcp:// or file:///path for cef and ocsf; syslog://host:port for cef inside
    # syslog over TLS; https://host/path for a webhook. What is sent over tcp:// anybody on the way can read.
    address: str
    # Root certificates by which the receiver is known; those of the machine if left out.
    roots: Path | None = None
    # Our certificate and its key, PEM, where the receiver asks for one.
    certificate: Path | None = None
    key: Path | None = None
    # File of exactly 32 bytes that signs a webhook's batches; the receiver's own form of it is "whsec_" and base64.
    secret: Path | None = None
    # How a webhook is signed: hmac or ed25519.
    signature: Signing = Signing.HMAC
    # Event types that go there; a star at the end stands for all that begin so. Empty for all.
    events: tuple[str, ...] = ()
    # Personal parts: none, or opened while a standing warrant of two officers allows it.
    personal: Personal = Personal.NONE
    # Largest file in MiB, after which a new one is begun, and how many old ones are kept; for file:// only.
    file_size: int = 100
    files_kept: int = 50

    def __post_init__(self) -> None:
        scheme, separator, rest = self.address.partition("://")
        if not separator or scheme not in SCHEMES[self.kind] or not rest or not self.address.isprintable():
            known = ", ".join(f"{each}://" for each in SCHEMES[self.kind])
            raise ValueError(f"address of {self.kind.value} must begin with {known}")
        if (self.kind is ExportKind.WEBHOOK) != (self.secret is not None):
            raise ValueError("a webhook, and nothing else, needs a secret")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key come together")
        if scheme == "file" and not rest.startswith("/"):
            raise ValueError("a file's address is file:// and an absolute path")
        if bad := [name for name in self.events if not _KIND.fullmatch(name)]:
            raise ValueError(f"{bad[0]!r} names no event types")
        if self.file_size < 1 or self.files_kept < 1:
            raise ValueError("file_size and files_kept must be at least 1")

    @property
    def scheme(self) -> str:
        """How entries travel."""
        return self.address.partition("://")[0]

    def wants(self, kind: str) -> bool:
        """Whether entries of this type go there."""
        return not self.events or any(
            kind.startswith(name[:-1]) if name.endswith("*") else kind == name for name in self.events
        )


@dataclass(frozen=True, kw_only=True)
class RetentionSettings:
    """The ``[audit.retention]`` section: for how many days each class is kept at least; 180 is the law's floor."""

    # Decisions, logins, sessions, what officers and services read.
    access: int = 366
    # Accounts, roles, mandates, devices, consents.
    identity: int = 6 * 366
    # Certificates, keys, policies, signatures, the life of the log.
    trust: int = 15 * 366

    def __post_init__(self) -> None:
        if min(self.access, self.identity, self.trust) < _SHORTEST:
            raise ValueError("no class is kept for less than 180 days")
        if max(self.access, self.identity, self.trust) > _LONGEST:
            raise ValueError("no class is kept for more than 100 years")


@dataclass(frozen=True, kw_only=True)
class IncidentSettings:
    """The ``[audit.incidents]`` section: how long the reports of a security incident may take, by its grade."""

    # From when it was noticed to the first report: particularly serious, serious, larger, general.
    first_particular: timedelta = timedelta(hours=1)
    first_serious: timedelta = timedelta(hours=1)
    first_larger: timedelta = timedelta(hours=2)
    first_general: timedelta = timedelta(hours=24)
    # From one report to the next while it is being handled; for a general one the second.
    follow_up: timedelta = timedelta(hours=24)
    follow_up_general: timedelta = timedelta(days=7)
    # From the end of handling to the closing report; the law gives 30 days.
    closing: timedelta = timedelta(days=30)

    def __post_init__(self) -> None:
        firsts = (self.first_particular, self.first_serious, self.first_larger, self.first_general)
        if min(*firsts, self.follow_up, self.follow_up_general, self.closing) < timedelta(minutes=1):
            raise ValueError("no report can be asked for in less than a minute")
        if list(firsts) != sorted(firsts) or self.follow_up > self.follow_up_general:
            raise ValueError("a graver incident is not reported later than a lesser one")
        if max(firsts[:3]) > timedelta(hours=4) or self.closing > timedelta(days=30):
            raise ValueError("the law gives 4 hours for the first report from grade “larger” on, 30 days for the last")


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
    # Longest time until a checkpoint covers an entry that somebody waits for. Where nobody waits, and making one takes
    # more than a tenth of this, it may be up to four times as long, but no longer than a second.
    publish: timedelta = timedelta(milliseconds=250)
    # How often every tile and entry is checked, as an outsider would; reads the whole log each time.
    check_every: timedelta = timedelta(days=1)
    # Lowest assurance, 1 to 3, with which a security officer reads the record.
    officer_assurance: int = 1
    # Deadlines of security incidents.
    incidents: IncidentSettings = field(default_factory=IncidentSettings)
    # How long a second officer's consent lasts, from 15 minutes to 30 days.
    warrant_life: timedelta = timedelta(hours=8)
    # A tlog-policy file (C2SP) whose "log" lines name the logs of other sites that this one witnesses.
    witness_for: Path | None = None
    # A tlog-policy file (C2SP) whose witnesses are asked to cosign this log's checkpoints, and whose quorum decides
    # when an entry counts as witnessed; every role must be able to read it. Without it nothing is witnessed.
    witness_policy: Path | None = None
    # How often witnesses are asked while nobody waits for them; who waits is served at once.
    witness_interval: timedelta = timedelta(seconds=10)
    # Root certificates of witnesses' https addresses; those of the machine if left out.
    witness_roots: Path | None = None
    # Mirrors that may read entry bundles, by name, each with a file that holds the secret we share with it: 32 random
    # bytes in base64 (openssl rand -base64 32), readable by the audit role alone.
    mirrors: dict[str, Path] = field(default_factory=dict)
    # Systems outside that receive entries as they are published, by name: small letters, digits, dashes.
    exports: dict[str, ExportTarget] = field(default_factory=dict)
    # Whether a webhook may lie at an address that is not public; every address of an isolated network is such a one.
    export_private: bool = False
    # Our number among IANA's private enterprise numbers, for syslog; 32473 is the one that is kept for examples.
    enterprise_number: int = 32473
    # How often everything new is written to a signed file; never if left out.
    signed_exports: timedelta | None = None
    # Where those files go; the folder "exports" of the audit role if left out.
    signed_export_folder: Path | None = None
    # For how long each class of entries is kept.
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    # A folder of Sigma rules that add to the shipped ones, or replace those of the same id. What cannot be evaluated
    # as it is written is refused: `tallygate audit rules check` says why.
    alert_rules: Path | None = None
    # Identifiers of rules that are switched off.
    alert_rules_off: tuple[str, ...] = ()
    # A TOML file of places, `[[place]]` tables with name, latitude, longitude and networks: for logins from two
    # places too far apart. Networks are at finest of 24 bits, 48 in IPv6.
    alert_places: Path | None = None
    # Time zone of office hours, as the IANA names it.
    time_zone: str = "UTC"

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
    # Organisation in the directory whose seal is put on the reports of evidence files, for officers who may set it.
    # Left out, or where the role signatures does not run, reports say that they are not sealed.
    evidence_seal: str = ""
    # Font of the reports, and which face of a collection; Debian's fonts-noto-cjk. Its used glyphs are embedded.
    evidence_font: Path = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
    evidence_font_face: int = 2

    def __post_init__(self) -> None:
        if self.time_zone not in _time_zones():
            raise ValueError("time_zone is not known here")
        if not self.log or not all(letter.isalnum() or letter in "-._" for letter in self.log):
            raise ValueError("log must be one part of a path: letters, digits, dash, dot")
        if bool(self.tiles) != bool(self.tiles_credentials) or (self.tiles and not self.tiles.startswith("s3://")):
            raise ValueError("tiles must be s3://BUCKET/PREFIX, and tiles_credentials must name a file")
        if not timedelta(milliseconds=50) <= self.publish <= timedelta(seconds=1):
            raise ValueError("publish must be between 50 ms and one second")
        if not timedelta(seconds=1) <= self.witness_interval <= timedelta(hours=1):
            raise ValueError("witness_interval must be between one second and one hour")
        if not timedelta(minutes=1) <= self.check_every <= timedelta(days=31):
            raise ValueError("check_every must be between one minute and 31 days")
        if not timedelta(minutes=15) <= self.warrant_life <= timedelta(days=30):
            raise ValueError("warrant_life must be between 15 minutes and 30 days")
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
        self._check_exports()

    def _check_exports(self) -> None:
        if bad := [name for name in self.exports if not _NAME.fullmatch(name)]:
            raise ValueError(f"{bad[0]!r} is no name of a target: small letters, digits, dashes")
        if self.signed_exports is not None and self.signed_exports < timedelta(minutes=1):
            raise ValueError("signed_exports must be at least one minute")
        if self.enterprise_number < 1:
            raise ValueError("enterprise_number must be a private enterprise number")
