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


class Risk(StrEnum):
    """What a report says of a document."""

    NONE = "none"
    # Nothing proves yet what its issuers said after it was signed.
    WAITING = "waiting"
    # The newest stamp ends soon and the next one is due.
    DUE = "due"
    # The newest stamp has ended: what it proved, nothing proves any more.
    LOST = "lost"


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
    # Why the last step did not work; empty if it did.
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class Second:
    """A time-stamp by another algorithm over what the stamp in the file is over."""

    archived: str
    number: int
    # SHA-256 of what both are over.
    digest: str
    token: bytes
    at: datetime
