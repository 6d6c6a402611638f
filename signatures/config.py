# SPDX-License-Identifier: Apache-2.0
"""The ``[signatures]`` section."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class FetchedList:
    """A trust list of others that is fetched again and again."""

    # Where it lies (https).
    url: str
    # "tallygate": another site's; "etsi": a state's (ETSI TS 119 612); "etsi-lists": a list of such lists, each of
    # which is followed too.
    kind: str
    # PEM of the only ones who may have signed it: a public key for "tallygate", certificates for the others.
    signer: Path
    # How often it is asked for.
    every: timedelta = timedelta(hours=6)

    def __post_init__(self) -> None:
        if not self.url.startswith("https://"):
            raise ValueError("a trust list is fetched over https")
        if self.kind not in {"tallygate", "etsi", "etsi-lists"}:
            raise ValueError("kind must be tallygate, etsi or etsi-lists")
        if self.every < timedelta(minutes=5):
            raise ValueError("a list is not asked for more often than every five minutes")


@dataclass(frozen=True, kw_only=True)
class FetchSettings:
    """What is fetched from others: nothing, unless it is named here."""

    # Trust lists, by name: small letters, digits, dashes.
    lists: dict[str, FetchedList] = field(default_factory=dict)
    # Hosts, as they stand in certificates, that may be asked whether a certificate of a foreign issuer is revoked.
    hosts: tuple[str, ...] = ()
    # Roots of the servers that are fetched from over https, PEM; the machine's own if left out.
    authorities: Path | None = None
    # Whether they may lie at addresses that are not public.
    private: bool = False
    # How long one answer may take, and its bytes.
    within: timedelta = timedelta(seconds=20)
    largest: int = 20 * 1024 * 1024
    # The same where somebody waits for a verdict.
    status_within: timedelta = timedelta(seconds=5)
    status_largest: int = 4 * 1024 * 1024

    def __post_init__(self) -> None:
        for name in self.lists:
            if not name.isascii() or not name.replace("-", "").isalnum() or name != name.lower():
                raise ValueError("names of lists are small letters, digits and dashes")
        if min(self.within, self.status_within) <= timedelta() or min(self.largest, self.status_largest) < 1:
            raise ValueError("times and sizes must be positive")
        if any(host != host.lower() or "/" in host or "*" in host for host in self.hosts):
            raise ValueError("hosts are named in small letters, without scheme, path or star")


@dataclass(frozen=True, kw_only=True)
class SignatureSettings:
    """Everything has a default that suits one machine."""

    # Font whose outlines draw the seals; Debian's fonts-noto-cjk. Official seals are written in a Song typeface.
    font: Path = Path("/usr/share/fonts/opentype/noto/NotoSerifCJK-Bold.ttc")
    # Which face of the collection: 2 is Simplified Chinese.
    font_face: int = 2
    # Font of the reports on paper, and which face of a collection; Debian's fonts-noto-cjk.
    report_font: Path = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
    report_font_face: int = 2
    # Largest document taken, in bytes.
    largest: int = 20 * 1024 * 1024
    # Reading processes per web process.
    readers: int = 2
    # Address space of one reading process, in bytes: it never holds more. One that keeps most of it is replaced.
    reader_memory: int = 284 * 1024 * 1024
    # Processor time one document may cost.
    reader_processor: timedelta = timedelta(seconds=8)
    # Wall time one document may cost.
    reader_wall: timedelta = timedelta(seconds=9)
    # Wall time in which a reading process must be locked in and ready.
    reader_start: timedelta = timedelta(seconds=40)
    # How long a document waits for a free reading process before the caller is told to come back.
    reader_wait: timedelta = timedelta(seconds=5)
    # Documents one reading process takes before it is replaced.
    reader_documents: int = 2000
    # How long seals can be proved: B alone, T with a time-stamp, LT with what the issuers say, LTA for the archive.
    level: str = "B"
    # Unit of the site's time-stamping authority that stamps them; needed from T on.
    unit: str = ""
    # How long documents that people bring to sign are kept, and how many of one person, in bytes together.
    kept_for: timedelta = timedelta(days=7)
    kept_most: int = 20
    kept_bytes: int = 200 * 1024 * 1024
    # Bytes of everything that is kept.
    kept_bytes_of_all: int = 20 * 1024 * 1024 * 1024
    # Unit that stamps documents of the archive, without which none is kept; and one of another algorithm for beside.
    archive_unit: str = ""
    archive_second: str = ""
    # A document of the archive waits for lists of its issuers that were made so long after it came.
    archive_grace: timedelta = timedelta(hours=1)
    # The next stamp is made so long before the newest one ends.
    archive_ahead: timedelta = timedelta(days=180)
    # Bytes of everything in the archive.
    archive_bytes: int = 200 * 1024 * 1024 * 1024
    # Last day on which an algorithm of stamps is trusted; one that is not named proves nothing.
    archive_ends: dict[str, str] = field(
        default_factory=lambda: {
            "P-256": "2035-12-31",
            "P-384": "2035-12-31",
            "RSA-3072": "2030-12-31",
            "RSA-4096": "2030-12-31",
            "ML-DSA-65": "2060-12-31",
        }
    )
    # Documents of one batch.
    batch_most: int = 20_000
    # Where people's signing keys are kept: "file", encrypted under the role's own key, or "token", a PKCS #11 token.
    keys: str = "file"
    # Kind of new keys of people: P-256, RSA-3072, or ML-DSA-65, which needs the parallel hierarchy and keys in files.
    key_kind: str = "P-256"
    # The token: its library, its label, and a file that holds its PIN and nothing else.
    token_module: Path | None = None
    token_label: str = ""
    token_pin: Path | None = None
    # How long a person may take to confirm what they sign.
    confirm_within: timedelta = timedelta(minutes=10)
    # What is fetched from others.
    fetching: FetchSettings = field(default_factory=FetchSettings)
    # In which zone the time beside a signature is shown.
    time_zone: str = "Asia/Shanghai"
    # Mandate scope in the directory that lets a person use an organisation's seal.
    mandate: str = "seal"

    def __post_init__(self) -> None:
        if self.largest < 1 or self.readers < 1 or self.reader_documents < 1:
            raise ValueError("largest, readers and reader_documents must be positive")
        if self.kept_most < 1 or self.kept_bytes < self.largest or self.kept_bytes_of_all < self.kept_bytes:
            raise ValueError("kept_most, kept_bytes and kept_bytes_of_all must have room for one document")
        for last in self.archive_ends.values():
            date.fromisoformat(last)
        if self.batch_most < 1:
            raise ValueError("batch_most must be positive")
        if self.kept_for <= timedelta():
            raise ValueError("kept_for must be positive")
        if self.keys not in {"file", "token"} or self.key_kind not in {"P-256", "RSA-3072", "ML-DSA-65"}:
            raise ValueError("keys must be file or token, and key_kind P-256, RSA-3072 or ML-DSA-65")
        if self.keys == "token" and self.key_kind == "ML-DSA-65":
            raise ValueError("a token keeps no keys of the kind ML-DSA-65: keep them in files")
        if self.keys == "token" and not (self.token_module and self.token_label and self.token_pin):
            raise ValueError("a token needs token_module, token_label and token_pin")
        if self.confirm_within <= timedelta():
            raise ValueError("confirm_within must be positive")
        if self.level not in {"B", "T", "LT", "LTA"}:
            raise ValueError("level must be B, T, LT or LTA")
        if self.level != "B" and not self.unit:
            raise ValueError("a level above B needs a time-stamping unit")
        if self.reader_memory < 256 * 1024 * 1024:
            raise ValueError("reader_memory below 256 MiB reads no document")
