# SPDX-License-Identifier: Apache-2.0
"""The nouns of cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.errors import N_


class State(StrEnum):
    """How far a case has got."""

    OPEN = "open"
    IN_REVIEW = "in_review"
    CLOSED = "closed"


STATES: Mapping[State, str] = {
    State.OPEN: N_("open"),
    State.IN_REVIEW: N_("in review"),
    State.CLOSED: N_("closed"),
}
FOLLOWS: Mapping[State, frozenset[State]] = {
    State.OPEN: frozenset({State.IN_REVIEW, State.CLOSED}),
    State.IN_REVIEW: frozenset({State.OPEN, State.CLOSED}),
    State.CLOSED: frozenset(),
}
"""Which decision is taken from which state; closing is final."""


class StepKind(StrEnum):
    """What a step is; each is an event type ``audit.case.<kind>``."""

    OPENED = "opened"
    ENTRY = "entry_added"
    NOTE = "noted"
    DECISION = "decided"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a case; what it says depends on its kind."""

    number: int
    kind: StepKind
    at: datetime
    officer: str
    # Title (of an opening), the text, the reason an entry was added, or the finding.
    title: str = ""
    text: str = ""
    # Entry that was added; None for other kinds.
    entry: int | None = None
    # State that was decided; None for other kinds.
    to: State | None = None
    # Place of its record in the log, and the digest that stands there.
    place: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """One case with all its steps, oldest first; ``version`` is the number of the last one."""

    id: str
    steps: Sequence[Step]

    @property
    def version(self) -> int:
        """What a form carries, so that nothing is decided about what nobody has read."""
        return self.steps[-1].number

    @property
    def title(self) -> str:
        """As it was opened."""
        return self.steps[0].title

    @property
    def opener(self) -> str:
        """Who may not close it."""
        return self.steps[0].officer

    @property
    def state(self) -> State:
        """By the last decision."""
        return next((step.to for step in reversed(self.steps) if step.to), State.OPEN)

    @property
    def entries(self) -> Sequence[int]:
        """Places of the entries that were collected, in the order they were added, each once."""
        return list(dict.fromkeys(step.entry for step in self.steps if step.entry is not None))


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One line of the list of cases."""

    id: str
    title: str
    state: State
    opener: str
    opened: datetime
    changed: datetime
    entries: int
    version: int
