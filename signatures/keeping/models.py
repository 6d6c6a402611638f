# SPDX-License-Identifier: Apache-2.0
"""Keepers, changes that two make, and orders that two confirm."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Act(StrEnum):
    """What a change does."""

    ADD = "add"
    REMOVE = "remove"
    # A second person is needed from now on, or no longer.
    TWO = "two"
    ONE = "one"


class Purpose(StrEnum):
    """What an order is for."""

    # One document, which the asker fetches.
    DOCUMENT = "document"
    # A signature that stands beside a file of any kind, which the asker fetches.
    BESIDE = "beside"
    # The turn of a paper.
    PAPER = "paper"
    # A whole batch; the order's document is the list of it.
    BATCH = "batch"


class State(StrEnum):
    """How far an order or a change came; only from ``pending`` and ``confirmed`` it goes on."""

    PENDING = "pending"
    # A second person said yes; the seal is being set, and set by the replay if the process died.
    CONFIRMED = "confirmed"
    MADE = "made"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    # What it was for went on without it.
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What an organisation's seal asks for."""

    organisation: str
    # By subject; nobody: everybody whom the policies let.
    keepers: frozenset[str] = frozenset()
    second: bool = False

    @property
    def takes(self) -> int:
        """How many keepers have to stand behind every seal."""
        return 2 if self.second else int(bool(self.keepers))


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change that somebody proposed."""

    id: str
    organisation: str
    act: Act
    # Whom it is about; empty where it is about nobody.
    subject: str
    by: str
    session: str
    made_at: datetime
    until: datetime
    state: State = State.PENDING


@dataclass(frozen=True, kw_only=True)
class Order:
    """A seal that a keeper or a program asked for."""

    id: str
    organisation: str
    # Who asked, as the gateway or the operator said, and by which of its decisions.
    by: str
    session: str
    assurance: int
    zone: str
    caller: str
    decision: str
    # Where the seal goes and what it permits, as JSON.
    look: str
    # On the shelf, and its SHA-256 and commitment.
    document: str
    sha256: str
    commitment: str
    made_at: datetime
    until: datetime
    purpose: Purpose = Purpose.DOCUMENT
    # Which turn of which paper, or which batch; empty for a document.
    about: str = ""
    # The organisation whose program asked; empty where a person did.
    program_of: str = ""
    state: State = State.PENDING
    # The keeper who stands in for the program where the seal takes two, and in which session.
    first: str = ""
    first_session: str = ""
    first_assurance: int = 0
    first_zone: str = ""
    # Who confirmed it, and in which session.
    second: str = ""
    second_session: str = ""
    second_assurance: int = 0
    second_zone: str = ""
    taken_at: datetime | None = None
    # The sealed document, on the shelf.
    result: str = ""
