# SPDX-License-Identifier: Apache-2.0
"""The verbs of cases.

A step is kept, recorded, and only then part of the case. If the log gives no receipt the step waits, unseen; whoever
comes next to the case records it first, under the same key, so that it enters the log once.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from datetime import datetime
from typing import Any

from core.clock import Clock

from ..errors import RecordUnavailable
from ..models import Attribute, Event, Outcome, Reader, Recorder
from .errors import (
    BadStep,
    CaseAboutYou,
    CaseDamaged,
    CaseSettled,
    NoSuchCase,
    OwnCase,
    ReportDue,
    StaleCase,
    StepUnrecorded,
)
from .grading import ReportKind
from .models import FOLLOWS, Case, State, Step, StepKind, Summary
from .sealing import Sealing, digest
from .store import CaseStore, Kept

LONGEST_TITLE, LONGEST_TEXT = 200, 4_000
MOST_ENTRIES = 100
PAGE = 30
_ID, _LONGEST_VERSION = 16, 6


class Cases:
    """Opens, fills, decides and reads cases."""

    def __init__(
        self,
        *,
        store: CaseStore,
        key: bytes,
        recorder: Recorder,
        clock: Clock,
        size: Callable[[], int],
        before: int = 0,
        concerned: Callable[[int], AbstractSet[str]] = lambda _place: frozenset(),
    ) -> None:
        """``size`` says how many places are published, of which ``before`` lie in closed logs.

        ``concerned`` says of whom the entry at a place tells.
        """
        self._concerned = concerned
        self._before = before
        self._store = store
        self._sealing = Sealing(key)
        self._recorder = recorder
        self._clock = clock
        self._size = size

    def open(self, reader: Reader, *, title: str, text: str, entries: Sequence[int] = ()) -> str:
        """Begin a case, with entries of the record in it; its identifier.

        Raises:
            BadStep: a text cannot be read, or an entry is not in the log; no case has begun.
            StepUnrecorded: it is kept, and there as soon as the record takes it.
        """
        case = secrets.token_hex(_ID // 2)
        content = {"title": text_of("title", title, LONGEST_TITLE), "text": text_of("text", text, optional=True)}
        if entries:
            self._demand_recorded(entries)
        self._append(reader, case, 0, StepKind.OPENED, content)
        if entries:
            self.add_entries(reader, case, version=1, entries=entries, why="")
        return case

    def add_entries(self, reader: Reader, case: str, *, version: int, entries: Sequence[int], why: str) -> None:
        """Put entries of the record in; those that are there already are passed over.

        Raises:
            NoSuchCase: there is none.
            StaleCase: somebody added a step since ``version``.
            CaseSettled: it is closed.
            BadStep: no entry, too many, one that is not in the log, or a reason that cannot be read.
            StepUnrecorded: the first ones that are not shown are kept.
        """
        found = self._current(case, version)
        fresh = [entry for entry in dict.fromkeys(entries) if entry not in found.entries]
        self._demand_recorded(entries)
        reason = text_of("why", why, optional=True)
        for number, entry in enumerate(fresh, version):
            self._append(reader, case, number, StepKind.ENTRY, {"entry": entry, "text": reason}, clear={"entry": entry})

    def _demand_recorded(self, entries: Sequence[int]) -> None:
        size = self._size()
        if not 0 < len(entries) <= MOST_ENTRIES or any(not 0 <= entry < size for entry in entries):
            raise BadStep(field="entry")

    def note(self, reader: Reader, case: str, *, version: int, text: str) -> None:
        """Write something down; it cannot be changed afterwards. Raises as ``add_entries``."""
        self._current(case, version)
        self._append(reader, case, version, StepKind.NOTE, {"text": text_of("text", text)})

    def decide(self, reader: Reader, case: str, *, version: int, to: str, text: str) -> None:
        """Move the case on; closing is final, needs a finding, and another officer than the one who opened it.

        Raises:
            OwnCase: this officer opened it; the attempt is recorded.
            CaseAboutYou: it holds entries that tell of this officer; the attempt is recorded.
            CaseSettled: the decision does not follow from where the case stands.
            ReportDue: it is about a security incident, whose closing report is missing.
            NoSuchCase, StaleCase, BadStep, StepUnrecorded: as ``add_entries``.
        """
        found = self._current(case, version)
        if to not in {state.value for state in State}:
            raise BadStep(field="to")
        state = State(to)
        if state not in FOLLOWS[found.state]:
            raise CaseSettled
        if state is State.CLOSED:
            self._demand_another(reader, found)
            if found.incident is not None and not any(kind is ReportKind.CLOSING for kind, _ in found.incident.reports):
                raise ReportDue
        content = {"to": to, "text": text_of("text", text, optional=state is not State.CLOSED)}
        self._append(reader, case, version, StepKind.DECISION, content, clear={"state": to})

    def _demand_another(self, reader: Reader, found: Case) -> None:
        if reader.subject == found.opener:
            error: OwnCase | CaseAboutYou = OwnCase()
        elif any(reader.subject in self._concerned(entry) for entry in found.entries):
            error = CaseAboutYou()
        else:
            return
        self._tell("audit.case.decided", reader, found.id, {"state": State.CLOSED.value}, outcome=Outcome.DENIED)
        raise error

    def read(
        self, reader: Reader, case: str, *, shows: Callable[[Case], Mapping[str, Attribute]] = lambda _case: {}
    ) -> Case:
        """One case, for an officer whose reading is on the record before; ``shows`` says what else is shown with it.

        Raises:
            NoSuchCase: there is none; asking is recorded all the same.
            CaseDamaged: what is stored is not what was sealed.
            RecordUnavailable, StepUnrecorded: nothing was recorded, so nothing is shown.
        """
        try:
            found = self._case(case)
        except NoSuchCase:
            named = case if is_case(case) else ""
            self._tell("audit.case.read", reader, named, {}, outcome=Outcome.FAILURE)
            raise
        self._tell("audit.case.read", reader, case, {"steps": found.version, **shows(found)})
        return found

    def all(self, reader: Reader, *, before: int | None = None) -> tuple[list[Summary], int | None]:
        """The cases that changed last, and where the next page begins.

        Raises:
            RecordUnavailable: nothing was recorded, so nothing is shown.
        """
        for case in self._store.waiting():
            self._case(case)
        found = self._store.changed(before=before, limit=PAGE + 1)
        self._tell("audit.case.read", reader, "", {"view": "cases", "hits": min(len(found), PAGE)})
        summaries = [_summary(self._loaded(case)) for case, _place in found[:PAGE]]
        return summaries, found[PAGE - 1][1] if len(found) > PAGE else None

    def named(self, scope: str) -> str:
        """A case as consents name it, ``<case>.<version>``; without a version, as it stands.

        A version that the case has not reached is none: nobody asks for what others put in later.

        Raises:
            NoSuchCase: there is no such case, or it never stood at this version.
            CaseDamaged: what is stored is not what was sealed.
        """
        case, dot, version = scope.partition(".")
        steps = self._loaded(case).steps if is_case(case) else []
        if not dot and steps:
            return f"{case}.{len(steps)}"
        if not (version.isascii() and version.isdecimal()) or len(version) > _LONGEST_VERSION:
            raise NoSuchCase
        if not 0 < int(version) <= len(steps):
            raise NoSuchCase
        return f"{case}.{int(version)}"

    def entries_at(self, scope: str) -> Sequence[int]:
        """Places of the entries that a case held when it stood at a version; whoever shows them records it.

        A consent names the version that its second officer saw; what is put in later is not covered by it. Raises as
        ``named``.
        """
        case, _, version = self.named(scope).partition(".")
        steps = self._loaded(case).steps[: int(version)]
        return list(dict.fromkeys(step.entry for step in steps if step.entry is not None))

    def _current(self, case: str, version: int) -> Case:
        found = self._case(case)
        if found.state is State.CLOSED:
            raise CaseSettled
        if found.version != version:
            raise StaleCase
        return found

    def _case(self, case: str) -> Case:
        if not is_case(case) or not (steps := self._store.steps(case)):
            raise NoSuchCase
        waiting = [step for step in steps if step.place is None]
        for step in waiting:
            self._record(step)
        return self._loaded(case)

    def _loaded(self, case: str) -> Case:
        """The recorded steps; the others are seen by nobody."""
        kept = self._store.steps(case)
        steps = []
        for number, step in enumerate(kept, 1):
            if step.number != number:
                raise CaseDamaged(case=case, number=number)
            if step.place is None:
                break
            steps.append(self._step(step, step.place))
        if not steps:
            raise NoSuchCase
        return Case(id=case, steps=steps)

    def _step(self, kept: Kept, place: int) -> Step:
        content = self._sealing.open(kept.case, kept.number, kept.sealed)
        said = content["said"]
        return Step(
            number=kept.number,
            kind=StepKind(content["kind"]),
            at=datetime.fromisoformat(content["at"]),
            officer=content["reader"]["subject"],
            title=said.get("title", ""),
            text=said.get("text", ""),
            entry=said.get("entry"),
            to=State(said["to"]) if "to" in said else None,
            place=place,
            digest=digest(kept.sealed),
            said=said,
        )

    def _append(
        self,
        reader: Reader,
        case: str,
        version: int,
        kind: StepKind,
        said: Mapping[str, Any],
        *,
        clear: Mapping[str, Attribute] | None = None,
    ) -> None:
        number = version + 1
        who = {name: value for name, value in asdict(reader).items() if isinstance(value, str)}
        content = {
            "kind": kind.value,
            "at": self._clock.now().isoformat(),
            "key": secrets.token_hex(16),
            "reader": who,
            "said": said,
            "clear": dict(clear or {}),
        }
        sealed = self._sealing.seal(case, number, content)
        if not self._store.add(case, number, sealed):
            raise StaleCase
        self._record(Kept(case, number, sealed, None))

    def _record(self, kept: Kept) -> None:
        content = self._sealing.open(kept.case, kept.number, kept.sealed)
        who = content["reader"]
        event = Event(
            key=content["key"],
            type=f"audit.case.{content['kind']}",
            outcome=Outcome.SUCCESS,
            at=datetime.fromisoformat(content["at"]),
            source="audit",
            subject=who["subject"],
            actor=who["subject"],
            object=kept.case,
            session=who["session"],
            zone=who["zone"],
            decision=who["decision"],
            attributes={"step": kept.number, "digest": digest(kept.sealed), **content["clear"]},
        )
        try:
            receipt = self._recorder.record(event)
        except RecordUnavailable as error:
            raise StepUnrecorded from error
        self._store.recorded(kept.case, kept.number, self._before + receipt.index)

    def _tell(
        self,
        kind: str,
        reader: Reader,
        case: str,
        attributes: Mapping[str, Attribute],
        *,
        outcome: Outcome = Outcome.SUCCESS,
    ) -> None:
        self._recorder.record(
            Event(
                key=secrets.token_hex(16),
                type=kind,
                outcome=outcome,
                at=self._clock.now(),
                source="audit",
                subject=reader.subject,
                actor=reader.subject,
                object=case,
                session=reader.session,
                zone=reader.zone,
                decision=reader.decision,
                attributes=attributes,
            )
        )


def is_case(text: str) -> bool:
    """Whether it is spelt like an identifier of a case."""
    return len(text) == _ID and all(letter in "0123456789abcdef" for letter in text)


def text_of(field: str, text: str, longest: int = LONGEST_TEXT, *, optional: bool = False) -> str:
    """What was typed, with one kind of line end and without space around it.

    Raises:
        BadStep: missing, too long, or with characters that no text has.
    """
    found = text.replace("\r\n", "\n").strip()
    lines = found.split("\n") if longest > LONGEST_TITLE else [found]
    if len(found) > longest or not (found or optional) or not all(line.isprintable() for line in lines):
        raise BadStep(field=field)
    return found


def _summary(case: Case) -> Summary:
    return Summary(
        id=case.id,
        title=case.title,
        state=case.state,
        opener=case.opener,
        opened=case.steps[0].at,
        changed=case.steps[-1].at,
        entries=len(case.entries),
        version=case.version,
        grade=case.incident.grade if case.incident else None,
    )
