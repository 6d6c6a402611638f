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


class State(StrEnum):
    """How far an order or a change came; only from ``pending`` and ``confirmed`` it goes on."""

    PENDING = "pending"
    # A second person said yes; the seal is being set, and set by the replay if the process died.
    CONFIRMED = "confirmed"
    MADE = "made"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What an organisation's seal asks for."""

    organisation: str
    # By subject; nobody: everybody whom the policies let.
    keepers: frozenset[str] = frozenset()
    second: bool = False


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
    """A seal that one keeper asked for."""

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
    state: State = State.PENDING
    # Who confirmed it, and in which session.
    second: str = ""
    second_session: str = ""
    second_assurance: int = 0
    second_zone: str = ""
    taken_at: datetime | None = None
    # The sealed document, on the shelf.
    result: str = ""
