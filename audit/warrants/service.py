# SPDX-License-Identifier: Apache-2.0
"""The verbs of a warrant: asked for, approved or refused by somebody else, demanded at the act, taken back.

Asking and approving grant: each is recorded before it takes effect. Refusing, withdrawing and running out take away:
each commits its record with the change. A process that dies on the way leaves a warrant under way, which ``Upkeep``
puts back to where it was before.
"""

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from core.clock import Clock
from core.errors import TallygateError

from ..models import Outcome, Reader, Recorder, Wait
from .errors import WarrantNeeded, WarrantSettled
from .models import BEFORE, Scope, State, Warrant
from .records import note, step
from .rules import kind_of, may_ask, may_decide, may_withdraw, purpose_of
from .store import WarrantStore

WAITS = timedelta(days=7)
"""A request that nobody decides for so long has lapsed."""
LISTED = 100


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What one officer sees of all warrants."""

    # What waits for this officer's decision, what waits for somebody else's, the officer's own, what is over.
    to_decide: list[Warrant]
    others: list[Warrant]
    own: list[Warrant]
    over: list[Warrant]


class Warrants:
    """Safe to share between threads and processes of the role."""

    def __init__(
        self,
        *,
        store: WarrantStore,
        recorder: Recorder,
        clock: Clock,
        life: timedelta = timedelta(hours=8),
        persons: Callable[[Scope], frozenset[str]] = lambda _scope: frozenset(),
        before: int = 0,
    ) -> None:
        """``persons`` says whom a scope is about, as far as can be told; they decide nothing about it.

        ``before`` is how many places lie in closed logs.
        """
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._life = life
        self._persons = persons
        self._before = before

    def ask(self, reader: Reader, kind: str, scope: Scope, purpose: str, *, words: str = "") -> Warrant:
        """Ask for a warrant; the purpose goes into the sealed part of the record and nowhere else.

        So do ``words``, by which the officer named the scope, where they say more than the scope itself.

        Raises:
            BadScope: this kind cannot be about that.
            BadPurpose: no purpose, or too much of it.
            NotYourPower: none of the officer's roles asks for this.
            AboutYou: nobody asks for this about themselves.
            TooManyWaiting: too many requests of this officer are open.
            RecordUnavailable: nothing was asked.
        """
        means, purpose = kind_of(kind, scope), purpose_of(purpose)
        about = self._about(scope)
        now = self._clock.now()
        warrant = Warrant(
            id=secrets.token_hex(8),
            kind=kind,
            scope=scope,
            about=next(iter(about)) if len(about) == 1 else "",
            state=State.ASKING,
            asker=reader.subject,
            asked=now,
            place=None,
            decider="",
            decided=None,
            until=now + WAITS,
        )
        try:
            may_ask(reader, means, about)
        except TallygateError as error:
            self._refused("asked", warrant, reader, error)
            raise
        self._store.add(warrant)
        why = {"purpose": purpose, "search": words} if words else {"purpose": purpose}
        try:
            intent = step("asked", warrant, reader, outcome=Outcome.INTENDED, at=now, sealed=why)
            place = self._before + self._recorder.record(intent, wait=Wait.PUBLISHED).index
        except TallygateError:
            self._back(warrant, State.ASKING, reader)
            raise
        done = step("asked", warrant, reader, outcome=Outcome.SUCCESS, at=self._clock.now(), entry=place)
        self._move(warrant, (State.ASKING,), State.ASKED, notes=[note(done)], place=place)
        return self._store.find(warrant.id)

    def approve(self, reader: Reader, identifier: str) -> Warrant:
        """Grant what somebody else asked for.

        Raises:
            NoSuchWarrant: there is none.
            WarrantSettled: it does not wait any more.
            OwnWarrant: the officer asked for it; the attempt is recorded.
            NotYourPower: none of the officer's roles decides about this; the attempt is recorded.
            AboutYou: it is about the officer; the attempt is recorded.
            RecordUnavailable: nothing was granted.
        """
        warrant, attempt = self._deciding(reader, identifier, "approved"), secrets.token_hex(16)
        self._move(warrant, (State.ASKED,), State.APPROVING, attempt=attempt)
        try:
            self._recorder.record(step("approved", warrant, reader, outcome=Outcome.INTENDED, at=self._clock.now()))
        except TallygateError:
            self._back(warrant, State.APPROVING, reader, attempt)
            raise
        now = self._clock.now()
        until = now + self._life
        done = step("approved", warrant, reader, outcome=Outcome.SUCCESS, at=now, until=until.isoformat())
        self._move(
            warrant,
            (State.APPROVING,),
            State.GRANTED,
            attempt=attempt,
            notes=[note(done)],
            decider=reader.subject,
            decided=now,
            until=until,
        )
        return self._store.find(identifier)

    def refuse(self, reader: Reader, identifier: str) -> Warrant:
        """Say no to what somebody else asked for; raises as ``approve``, and needs no record first."""
        warrant = self._deciding(reader, identifier, "refused")
        now = self._clock.now()
        done = step("refused", warrant, reader, outcome=Outcome.SUCCESS, at=now)
        self._move(warrant, (State.ASKED,), State.REFUSED, notes=[note(done)], decider=reader.subject, decided=now)
        return self._store.find(identifier)

    def withdraw(self, reader: Reader, identifier: str) -> Warrant:
        """Take back a request or a grant; it ends at once.

        Raises:
            NoSuchWarrant: there is none.
            NotYourPower: neither asked by this officer nor theirs to decide; the attempt is recorded.
            WarrantSettled: there is nothing to take back any more.
        """
        warrant = self._store.find(identifier)
        try:
            may_withdraw(reader, warrant)
        except TallygateError as error:
            self._refused("withdrawn", warrant, reader, error)
            raise
        now = self._clock.now()
        done = step("withdrawn", warrant, reader, outcome=Outcome.SUCCESS, at=now)
        sources = (State.ASKED, State.APPROVING, State.GRANTED)
        self._move(warrant, sources, State.WITHDRAWN, notes=[note(done)])
        return self._store.find(identifier)

    def demand(
        self, reader: Reader, kind: str, scope: Scope, *, covered: Callable[[Scope], bool] | None = None
    ) -> Warrant:
        """The warrant under which this officer may do this now; one for a single act is used up by the answer.

        A warrant fits if its scope is the very same, or if ``covered`` says that its scope holds this one.

        Raises:
            WarrantNeeded: the officer holds none that fits.
        """
        for found in self.held(reader, kind):
            if found.scope != scope and not (covered and covered(found.scope)):
                continue
            if not found.means.once:
                return found
            now = self._clock.now()
            used = step("used", found, reader, outcome=Outcome.SUCCESS, at=now)
            with suppress(WarrantSettled):
                self._move(found, (State.GRANTED,), State.USED, notes=[note(used)])
                return replace(found, state=State.USED)
        raise needed(kind, scope)

    def held(self, reader: Reader, kind: str) -> list[Warrant]:
        """Every warrant of this kind that this officer can use now."""
        return self._store.granted(reader.subject, kind, self._clock.now()) if reader.subject else []

    def find(self, identifier: str) -> Warrant:
        """One warrant.

        Raises:
            NoSuchWarrant: there is none.
        """
        return self._store.find(identifier)

    def decidable(self, reader: Reader, warrant: Warrant) -> bool:
        """Whether this officer could approve or refuse it now."""
        try:
            may_decide(reader, warrant, self._concerned(warrant))
        except TallygateError:
            return False
        return warrant.state is State.ASKED and self._clock.now() < warrant.until

    def desk(self, reader: Reader) -> Desk:
        """What one officer sees of all warrants."""
        waiting = [each for each in self._store.open_requests() if self._clock.now() < each.until]
        to_decide = [each for each in waiting if self.decidable(reader, each)]
        return Desk(
            to_decide=to_decide,
            others=[each for each in waiting if each not in to_decide and each.asker != reader.subject],
            own=self._store.of(reader.subject, limit=LISTED),
            over=self._store.over(limit=LISTED),
        )

    def _deciding(self, reader: Reader, identifier: str, name: str) -> Warrant:
        warrant = self._store.find(identifier)
        try:
            may_decide(reader, warrant, self._concerned(warrant))
        except TallygateError as error:
            self._refused(name, warrant, reader, error)
            raise
        return warrant

    def _concerned(self, warrant: Warrant) -> frozenset[str]:
        return self._about(warrant.scope) | ({warrant.about} if warrant.about else set())

    def _about(self, scope: Scope) -> frozenset[str]:
        found = {scope.value} if scope.kind == "subject" else set()
        if scope.kind == "hold":
            found.add(self._store.hold(scope.value).subject)
        return self._persons(scope) | found

    def _refused(self, name: str, warrant: Warrant, reader: Reader, error: TallygateError) -> None:
        self._recorder.record(
            step(name, warrant, reader, outcome=Outcome.DENIED, at=self._clock.now(), reason=error.code)
        )

    def _back(self, warrant: Warrant, source: State, reader: Reader, attempt: str = "") -> None:
        """The record did not take it. If our own tables do not take that either, upkeep does this later."""
        name = "asked" if source is State.ASKING else "approved"
        failed = step(name, warrant, reader, outcome=Outcome.FAILURE, at=self._clock.now(), reason="unavailable")
        with suppress(TallygateError):
            self._move(warrant, (source,), BEFORE[source], attempt=attempt, notes=[note(failed)])

    def _move(self, warrant: Warrant, sources: tuple[State, ...], target: State, **values: Any) -> None:
        self._store.move(warrant.id, sources, target, at=self._clock.now(), **values)


def needed(kind: str, scope: Scope) -> WarrantNeeded:
    """The error that leads to the form."""
    return WarrantNeeded(kind=kind, scope=str(scope))
