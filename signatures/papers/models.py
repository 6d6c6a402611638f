# SPDX-License-Identifier: Apache-2.0
"""A paper, whose turn it is, and how far it came."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What becomes of it."""

    # Several sign it, one after the other.
    ROUND = "round"
    # An official document of an organisation: countersigned, numbered, sealed, issued.
    OFFICIAL = "official"


class State(StrEnum):
    """How far it came."""

    DRAFT = "draft"
    # Everybody who countersigns has; only official documents.
    COUNTERSIGNED = "countersigned"
    # It bears its number and the seal of its organisation; only official documents.
    SEALED = "sealed"
    # It stands in the register as issued; only official documents.
    ISSUED = "issued"
    # Everybody signed; only rounds.
    COMPLETE = "complete"
    # Its number, if it had one, stays with it.
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One who signs."""

    # Counted from 1.
    position: int
    # Identifier of an organisation whose seal it is; empty where a person signs.
    organisation: str
    # Subject of the person who signs with the key that is kept for them; empty where an organisation seals.
    person: str = ""
    done_at: datetime | None = None
    # Who set the seal.
    actor: str = ""


@dataclass(frozen=True, kw_only=True)
class Paper:
    """One document on its way."""

    id: str
    kind: Kind
    # Whose document it is.
    organisation: str
    # Its word in the number, such as 江税.
    word: str
    title: str
    creator: str
    # Of the present revision on the shelf.
    document: str
    state: State
    turns: tuple[Turn, ...]
    made_at: datetime
    # Both 0 until it is sealed.
    year: int = 0
    number: int = 0
    issued_at: datetime | None = None

    @property
    def label(self) -> str:
        """The number as it stands on the document (GB/T 9704, 7.2.5); empty until there is one."""
        return f"{self.word}\u3014{self.year}\u3015{self.number}号" if self.number else ""

    @property
    def turn(self) -> Turn | None:
        """Whose turn it is; None where nobody's."""
        if self.state in {State.WITHDRAWN, State.ISSUED}:
            return None
        return next((each for each in self.turns if each.done_at is None), None)

    @property
    def last(self) -> bool:
        """Whether the present turn is the last one."""
        return self.turn is not None and self.turn.position == len(self.turns)

    def after_turn(self) -> State:
        """The state once the present turn is done."""
        left = sum(each.done_at is None for each in self.turns) - 1
        if self.kind is Kind.ROUND:
            return State.DRAFT if left else State.COMPLETE
        return {0: State.SEALED, 1: State.COUNTERSIGNED}.get(left, State.DRAFT)
