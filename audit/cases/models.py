# SPDX-License-Identifier: Apache-2.0
"""The nouns of cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.errors import N_

from .grading import Grade, ReportKind


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
    # What makes the case one of a security incident, or grades it anew.
    GRADING = "graded"
    REPORT = "reported"
    # An emergency switch that was thrown because of it, by its consent.
    SWITCH = "switch_linked"
    # Nobody's: a report was not made in time.
    OVERDUE = "overdue"


STEPS: Mapping[StepKind, str] = {
    StepKind.OPENED: N_("opened the case"),
    StepKind.ENTRY: N_("put an entry into the case"),
    StepKind.NOTE: N_("noted"),
    StepKind.DECISION: N_("decided"),
    StepKind.GRADING: N_("classified and graded the security incident"),
    StepKind.REPORT: N_("wrote a report"),
    StepKind.SWITCH: N_("linked an emergency switch"),
    StepKind.OVERDUE: N_("A report was not made in time"),
}


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
    # Of a grading, a report and what is overdue: everything that was said.
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Incident:
    """What a case of a security incident says of it, by its last grading."""

    kind: str
    grade: Grade
    proposed: Grade
    answers: Mapping[str, int]
    noticed: datetime
    # Every report, oldest first, with the number of its step.
    reports: Sequence[tuple[ReportKind, datetime]]
    # Consents under which something was shut because of it.
    switches: Sequence[str]
    # Deadlines that were found missed, as kind and time.
    overdue: frozenset[tuple[str, str]]


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
    def incident(self) -> Incident | None:
        """The security incident that the case is about; None if nobody said that it is one."""
        gradings = [step for step in self.steps if step.kind is StepKind.GRADING]
        if not gradings:
            return None
        said = gradings[-1].said
        return Incident(
            kind=said["class"],
            grade=Grade(said["grade"]),
            proposed=Grade(said["proposed"]),
            answers=said["answers"],
            # When it was noticed is said once: a later grading moves no deadline that has begun.
            noticed=datetime.fromisoformat(gradings[0].said["noticed"]),
            reports=[(ReportKind(step.said["report"]), step.at) for step in self.steps if step.kind is StepKind.REPORT],
            switches=[step.said["warrant"] for step in self.steps if step.kind is StepKind.SWITCH],
            overdue=frozenset(
                (step.said["report"], step.said["due"]) for step in self.steps if step.kind is StepKind.OVERDUE
            ),
        )

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
    # Grade of the security incident; None if it is about none.
    grade: Grade | None
