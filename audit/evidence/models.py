# SPDX-License-Identifier: Apache-2.0
"""What is wanted, what it rests on, and what became of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from ..search import Row

MOST = 10_000
"""Entries in one file."""
AT_ONCE = 1_000
"""Entries in a file that an officer's page makes: longer than they take, the gateway does not wait."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """One evidence file, as an officer asks for it."""

    # Of entries in the record, over all its logs; ascending, none twice.
    places: Sequence[int]
    # What it is about, in one line: "entry:5", "subject:...", "case:...".
    about: str
    # For which proceeding; goes into the report, and sealed into the record.
    purpose: str
    # Whether personal parts are opened, each by its own secret.
    opened: bool = False
    # Of which entries they are opened, judged by the entry in the log, under its place in the record.
    covers: Callable[[Row], bool] = lambda _row: True
    # Identifiers of the warrants under which it is made.
    warrants: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Token:
    """A time-stamp over a checkpoint that covers the entries."""

    # The signed checkpoint whose text is stamped.
    note: str
    token: bytes
    at: datetime
    authority: str


class Part(StrEnum):
    """What became of an entry's personal part in the file."""

    NONE = "none"
    CLOSED = "closed"
    OPENED = "opened"
    ERASED = "erased"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One entry, as the report tells it; the row has its index in its own log."""

    # Which of the grounds' logs holds it.
    log: int
    row: Row
    leaf: bytes
    part: Part
    # Empty unless opened.
    facts: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Rest:
    """What the entries of one log rest on, as the report tells it."""

    # By their index there.
    indices: Sequence[int]
    origin: str
    size: int
    root: bytes
    # Fingerprints of the log's keys: name, type and key id.
    keys: Sequence[str]
    # Names of the witnesses that cosigned, with the time; and whether they are enough. None if nobody is asked.
    witnesses: Sequence[str]
    quorum: bool | None
    token: Token | None
    # Asked when the file was made, and without the answer that was needed.
    witnesses_silent: bool = False
    authority_silent: bool = False


@dataclass(frozen=True, kw_only=True)
class Grounds:
    """Everything but the entries that the report tells."""

    wish: Wish
    site: str
    officer: str
    made: datetime
    # Oldest first.
    logs: Sequence[Rest]
    # Whether an organisation's seal is put on the report.
    sealed: bool
    # SHA-256 of the list of all files but the report and the manifest; empty before they are written.
    files: str = ""
    # Where one that bears the seal waits for a second keeper of it; empty if nothing waits.
    waits_at: str = ""


@dataclass(frozen=True)
class Waiting:
    """No seal yet: a second keeper has to confirm it, at this address."""

    address: str


@dataclass(frozen=True, kw_only=True)
class Made:
    """A finished file; whoever sends it deletes it afterwards."""

    path: Path
    size: int
    sha256: str
    # How many entries of each kind.
    entries: int
    opened: int
    erased: int
    sealed: bool


def ranges(indices: Sequence[int]) -> str:
    """``0-4,7`` for 0, 1, 2, 3, 4 and 7."""
    parts: list[list[int]] = []
    for index in indices:
        if parts and index == parts[-1][1] + 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)
