# SPDX-License-Identifier: Apache-2.0
"""Legal holds: a person's keys stay until every hold on them is released; placed and released by two officers each."""

import secrets
from collections.abc import Callable
from contextlib import suppress

from core.clock import Clock
from core.errors import TallygateError

from ..models import Event, Outcome, Reader, Recorder
from .models import Hold, State, Warrant
from .records import about_person, note, step
from .service import needed
from .store import WarrantStore


class Acting:
    """What every act that uses a warrant up has in common: one intent, one act, one outcome."""

    def __init__(self, *, store: WarrantStore, recorder: Recorder, clock: Clock) -> None:
        self._store = store
        self._recorder = recorder
        self._clock = clock

    def _begin(self, reader: Reader, warrant: Warrant, kind: str) -> str:
        if warrant.kind != kind or warrant.asker != reader.subject:
            raise needed(kind, warrant.scope)
        attempt = secrets.token_hex(16)
        self._store.move(warrant.id, (State.GRANTED,), State.USING, at=self._clock.now(), attempt=attempt)
        return attempt

    def _do(self, warrant: Warrant, attempt: str, told: Callable[[Outcome], Event], act: Callable[[], None]) -> None:
        intent = told(Outcome.INTENDED)
        try:
            self._recorder.record(intent)
            act()
        except TallygateError:
            # If our own tables do not take this, upkeep does it later.
            with suppress(TallygateError):
                self._store.move(
                    warrant.id,
                    (State.USING,),
                    State.GRANTED,
                    at=self._clock.now(),
                    attempt=attempt,
                    notes=[note(told(Outcome.FAILURE))],
                )
            raise


class Holding(Acting):
    """The two verbs; both are recorded before they take effect."""

    def place(self, reader: Reader, warrant: Warrant) -> Hold:
        """Place the hold that the warrant grants.

        Raises:
            WarrantNeeded: it is not a hold that was granted to this officer.
            WarrantSettled: the warrant was used, withdrawn or ran out.
            ErasureUnderWay: too late.
            RecordUnavailable: nothing was done.
        """
        attempt = self._begin(reader, warrant, "hold")
        subject = warrant.scope.value

        def told(outcome: Outcome) -> Event:
            return about_person("held", subject, warrant, reader, outcome=outcome, at=self._clock.now())

        def act() -> None:
            hold = Hold(id=warrant.id, subject=subject, placed=self._clock.now(), by=reader.subject)
            used = step("used", warrant, reader, outcome=Outcome.SUCCESS, at=hold.placed)
            self._store.place(hold, attempt=attempt, notes=[note(used), note(told(Outcome.SUCCESS))])

        self._do(warrant, attempt, told, act)
        return self._store.hold(warrant.id)

    def release(self, reader: Reader, warrant: Warrant) -> Hold:
        """Release the hold that the warrant names; raises as ``place``."""
        attempt = self._begin(reader, warrant, "release")
        hold = self._store.hold(warrant.scope.value)

        def told(outcome: Outcome) -> Event:
            now = self._clock.now()
            return about_person("released", hold.subject, warrant, reader, outcome=outcome, at=now, hold=hold.id)

        def act() -> None:
            now = self._clock.now()
            used = step("used", warrant, reader, outcome=Outcome.SUCCESS, at=now)
            self._store.release(
                hold.id,
                warrant=warrant.id,
                by=reader.subject,
                at=now,
                attempt=attempt,
                notes=[note(used), note(told(Outcome.SUCCESS))],
            )

        self._do(warrant, attempt, told, act)
        return self._store.hold(hold.id)

    def standing(self, subject: str = "") -> list[Hold]:
        """The holds that stand, on one person or on all."""
        return self._store.holds(subject)
