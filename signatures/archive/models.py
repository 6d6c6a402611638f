# SPDX-License-Identifier: Apache-2.0
"""The nouns: a document in the archive, how it stands, and a second time-stamp beside it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Keeping(StrEnum):
    """How far a document is."""

    # Waits for lists of its issuers that are newer than its signatures.
    WAITING = "waiting"
    # Provable until its newest stamp ends.
    KEPT = "kept"


class Cause(StrEnum):
    """What ends first of that by which a document is proved."""

    # The certificate of the unit that stamped it last.
    CERTIFICATE = "certificate"
    # The time for which the site trusts the stamp's algorithm.
    ALGORITHM = "algorithm"
    # Nobody said how long the stamp's algorithm is trusted.
    UNNAMED = "unnamed"


REFUTED = "refuted"
"""The trouble of a document that its issuers' word, once it came, showed not to be trusted."""


class Risk(StrEnum):
    """What a report says of a document."""

    NONE = "none"
    # Nothing proves yet what its issuers said after it was signed.
    WAITING = "waiting"
    # The newest stamp ends soon and the next one is due.
    DUE = "due"
    # The newest stamp has ended: what it proved, nothing proves any more.
    LOST = "lost"
    # What its issuers said since it came proves that it is not to be trusted; kept all the same, as the proof of that.
    REFUTED = REFUTED


@dataclass(frozen=True, kw_only=True)
class Archived:
    """One document."""

    id: str
    owner: str
    # Where on the archive's shelf its present form lies, and the digest of that.
    shelved: str
    sha256: str
    keeping: Keeping
    deposited_at: datetime
    # Name of the site's authorities whose lists are waited for, separated by blanks.
    authorities: str
    # How often it was stamped, when last, and until when that stamp proves anything.
    stamps: int = 0
    stamped_at: datetime | None = None
    ends_at: datetime | None = None
    # Algorithm of the newest stamp's key.
    algorithm: str = ""
    # Why the last step did not work, or that it is refuted; empty otherwise.
    trouble: str = ""
    # Who answers for it, by directory identifier; empty for what an older release took in.
    organisation: str = ""
    # How long it could be proved when it came: B, T, LT or LTA.
    level: str = ""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """How a document stands at a moment, and why."""

    risk: Risk
    # Until when it can be proved, by what that ends, and from when on it is stamped again; nothing while it waits.
    ends_at: datetime | None = None
    cause: Cause | None = None
    due_at: datetime | None = None
    # Issuing authorities of the site whose lists are still older than they must be.
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What the archive holds, in numbers."""

    kept: int
    waiting: int
    # Provable, but for less than half of the time by which it should have been stamped again.
    due: int
    lost: int


@dataclass(frozen=True, kw_only=True)
class Second:
    """A time-stamp by another algorithm over what the stamp in the file is over."""

    archived: str
    number: int
    # SHA-256 of what both are over.
    digest: str
    token: bytes
    at: datetime
