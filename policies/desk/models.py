# SPDX-License-Identifier: Apache-2.0
"""Drafts, orders, and what the desk shows of both."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ..bundle import Manifest
from ..engine import Needless
from ..replay import Change

LONGEST_FILE = 262_144
LONGEST_TITLE = 200
MOST_FILES = 40
MOST_DRAFTS = 25
"""On one page of the desk."""
MOST_DAYS = 90
MOST_DECISIONS = 20_000
"""Looked at in one replay, the newest."""


class State(StrEnum):
    """Where a draft stands; a proposal's files never change again."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"


class Act(StrEnum):
    """What the operator's clerk is asked to do."""

    TRY = "try"
    END = "end"
    RELEASE = "release"


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One candidate and who stands behind it."""

    id: str
    title: str
    state: State
    # Version it was begun from.
    base: str
    author: str
    created: datetime
    changed: datetime
    # Rises with each change; a form that shows an older one changes nothing.
    version: int
    # Number it is proposed for; 0 while it is a draft.
    sequence: int
    # What is signed of a trial in shadow, as ``Trial.said``.
    trial: str
    files: Mapping[str, str]
    # Administrator to signature.
    signatures: Mapping[str, str]

    @property
    def content(self) -> dict[str, bytes]:
        """The files as a release has them."""
        return {name: text.encode("utf-8") for name, text in self.files.items()}


@dataclass(frozen=True, kw_only=True)
class Order:
    """One act that was ordered; ``told`` is what became of it."""

    id: int
    draft: str
    act: Act
    actor: str
    at: datetime
    # "waiting", "done", "refused" or "withdrawn".
    state: str
    told: str


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a look at a draft found; ``broken`` where it does not even build."""

    broken: str
    wrong: tuple[str, ...] = ()
    needless: tuple[Needless, ...] = ()
    cases: int = 0
    policies: int = 0

    @property
    def sound(self) -> bool:
        """Whether it may be proposed."""
        return not self.broken and not self.wrong


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What a draft would have changed."""

    days: int
    asked: int
    different: int
    # Whether there were more decisions than are looked at.
    cut: bool
    changes: tuple[Change, ...]
    # The same for the questions of both case tables.
    of_cases: tuple[Change, ...]


@dataclass(frozen=True, kw_only=True)
class PolicyLine:
    """One policy as the desk lists it."""

    id: str
    forbids: bool
    owner: str
    reason: str
    hits: int
    alone: int
    needless: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RowLine:
    """One row of the zone matrix as the desk lists it."""

    id: str
    origin: str
    destination: str
    hits: int
    refused: int
    remarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The first page of the desk."""

    manifest: Manifest
    days: int
    asked: int
    cut: bool
    lines: tuple[PolicyLine, ...]
    rows: tuple[RowLine, ...]
    drafts: tuple[Draft, ...]
    # Draft after which the list goes on; empty at its end.
    older: str
    history: tuple[Manifest, ...]
    shadow: Manifest | None
    disagreements: tuple[Change, ...]
    orders: tuple[Order, ...]
    # Identifiers of the administrators whose signatures count.
    administrators: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FileDiff:
    """What one file has gained and lost, line by line with its sign."""

    name: str
    lines: tuple[str, ...]
