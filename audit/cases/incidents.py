# SPDX-License-Identifier: Apache-2.0
"""The verbs of a case that is about a security incident: grade, report, link a switch, say what is overdue."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..models import Attribute, Reader
from .cases import Cases, is_case, text_of
from .errors import BadStep, CaseSettled, NoIncident, StaleCase
from .grading import CLASSES, DEMANDED, QUESTIONS, Due, Grade, ReportKind, Terms, due, proposed
from .models import Case, Incident, State, StepKind

_EARLIEST = timedelta(days=366)
_MOST_LOOKED_AT = 1_000
"""Cases that changed last, among which those of incidents are sought."""


@dataclass(frozen=True, kw_only=True)
class Graded:
    """What an officer says of a security incident."""

    kind: str
    # Answers to the questions that propose a grade, by name.
    answers: Mapping[str, int]
    grade: Grade
    reason: str
    noticed: datetime


class Incidents(Cases):
    """Cases, of which some are about security incidents."""

    def __init__(self, *, shut_under: Callable[[str], str] = lambda _warrant: "", **more: Any) -> None:
        """``shut_under`` says what was shut under a consent; ``more`` is what every case needs."""
        super().__init__(**more)
        self._shut_under = shut_under

    def grade(self, reader: Reader, case: str, *, version: int, said: Graded) -> None:
        """Say that the case is about a security incident, of which class and grade; again to grade it anew.

        Raises:
            BadStep: a field cannot be what is asked for, or it was noticed in the future.
            NoSuchCase, StaleCase, CaseSettled, StepUnrecorded: as ``add_entries``.
        """
        self._current(case, version)
        now = self._clock.now()
        if said.kind not in CLASSES:
            raise BadStep(field="class")
        for name, answer in said.answers.items():
            if answer not in QUESTIONS[name][1]:
                raise BadStep(field=name)
        if said.noticed > now or said.noticed < now - _EARLIEST:
            raise BadStep(field="noticed")
        suggested = proposed(**said.answers)
        content = {
            "class": said.kind,
            "answers": dict(said.answers),
            "proposed": suggested.value,
            "grade": said.grade.value,
            "noticed": said.noticed.isoformat(),
            "text": text_of("text", said.reason),
        }
        clear: dict[str, Attribute] = {"class": said.kind, "grade": said.grade.value, "proposed": suggested.value}
        self._append(reader, case, version, StepKind.GRADING, content, clear=clear)

    def report(self, reader: Reader, case: str, *, version: int, kind: ReportKind, fields: Mapping[str, str]) -> None:
        """Write a report of the security incident; it cannot be changed afterwards.

        Raises:
            NoIncident: nobody has graded it.
            CaseSettled: such a report does not follow from those that were made.
            BadStep: a field that this kind demands is missing, or one cannot be read.
            NoSuchCase, StaleCase, StepUnrecorded: as ``add_entries``.
        """
        incident = self._incident(case, version)
        made = [each for each, _at in incident.reports]
        if ReportKind.CLOSING in made or not _follows(kind, made):
            raise CaseSettled
        told = {name: text_of(name, text, optional=name not in DEMANDED[kind]) for name, text in fields.items()}
        if missing := [name for name in DEMANDED[kind] if not told.get(name)]:
            raise BadStep(field=missing[0])
        content = {"report": kind.value, "fields": {name: text for name, text in told.items() if text}}
        self._append(reader, case, version, StepKind.REPORT, content, clear={"report": kind.value})

    def link_switch(self, reader: Reader, case: str, *, version: int, warrant: str) -> None:
        """Name the consent under which something was shut because of it.

        Raises:
            NoIncident: nobody has graded it.
            BadStep: no such consent was used to shut anything.
            NoSuchCase, StaleCase, CaseSettled, StepUnrecorded: as ``add_entries``.
        """
        self._incident(case, version)
        if not (name := self._shut_under(warrant) if is_case(warrant) else ""):
            raise BadStep(field="warrant")
        said = {"warrant": warrant, "text": name}
        self._append(reader, case, version, StepKind.SWITCH, said, clear={"warrant": warrant})

    def remind(self, terms: Terms) -> None:
        """Put into every open case of an incident, once for each, that a report was not made in time.

        Raises:
            TallygateError: the first that could not be recorded; it is tried again.
        """
        now = self._clock.now()
        for waiting in self._store.waiting():
            # What the record could not take before is there first, or this would be said over it.
            self._case(waiting)
        for case in self.about_incidents():
            late = awaited(case, terms)
            if late is None or not late.late(now):
                continue
            said = {"report": late.kind.value, "due": late.at.isoformat()}
            if case.incident and (said["report"], said["due"]) in case.incident.overdue:
                continue
            grade = case.incident.grade.value if case.incident else 0
            clear: dict[str, Attribute] = {"report": said["report"], "due": said["due"], "grade": grade}
            with suppress(StaleCase):
                self._append(Reader(), case.id, case.version, StepKind.OVERDUE, said, clear=clear)

    def about_incidents(self) -> list[Case]:
        """Every case of a security incident that is not closed; whoever shows them records it."""
        found = [self._loaded(case) for case, _place in self._store.changed(before=None, limit=_MOST_LOOKED_AT)]
        return [case for case in found if case.incident is not None and case.state is not State.CLOSED]

    def _incident(self, case: str, version: int) -> Incident:
        incident = self._current(case, version).incident
        if incident is None:
            raise NoIncident
        return incident


def awaited(case: Case, terms: Terms) -> Due | None:
    """The report of the security incident that is awaited next."""
    incident = case.incident
    if incident is None:
        return None
    return due(terms, grade=incident.grade, noticed=incident.noticed, reports=incident.reports)


def _follows(kind: ReportKind, made: Sequence[ReportKind]) -> bool:
    """Whether such a report can be made after those: the first one first, the closing one after the end of handling."""
    if kind is ReportKind.FIRST:
        return not made
    if kind is ReportKind.CLOSING:
        return ReportKind.HANDLED in made
    return bool(made) and ReportKind.HANDLED not in made
