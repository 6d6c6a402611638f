# SPDX-License-Identifier: Apache-2.0
"""What happens to warrants by themselves: they run out, and what a dead process left under way is put back."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from core.clock import Clock

from ..models import Event, Outcome, Reader
from .errors import WarrantSettled
from .models import BEFORE, State, Warrant
from .records import about_person, note, step
from .store import SwitchRows, WarrantStore
from .switching import NAMES, switched

UNDER_WAY = timedelta(minutes=1)
"""No step takes so long: whoever is at it for longer has died, and comes too late if not."""
_NOBODY = Reader()


class Upkeep:
    """One round, again and again.

    ``finish`` finishes erasures that were begun, ``lapse`` opens switches whose time is over.
    """

    def __init__(
        self, *, store: WarrantStore, clock: Clock, finish: Callable[[], None], lapse: Callable[[], None]
    ) -> None:
        self._store = store
        self._rows = SwitchRows(store.database)
        self._clock = clock
        self._finish = finish
        self._lapse = lapse

    def round(self) -> None:
        """Put back, let run out, finish.

        Raises:
            TallygateError: to be tried again; nothing is lost.
        """
        now = self._clock.now()
        for warrant, attempt in self._store.stale(now - UNDER_WAY):
            with suppress(WarrantSettled):
                if warrant.state is State.USING and warrant.kind in NAMES:
                    failed = switched(warrant, _NOBODY, outcome=Outcome.FAILURE, at=now, reason="interrupted")
                    self._rows.undo(warrant, at=now, attempt=attempt, notes=[note(failed)])
                    continue
                self._store.move(
                    warrant.id,
                    (warrant.state,),
                    BEFORE[warrant.state],
                    at=now,
                    attempt=attempt,
                    notes=[note(self._interrupted(warrant))],
                )
        for warrant in self._store.overdue(now):
            done = step("expired", warrant, _NOBODY, outcome=Outcome.SUCCESS, at=now, granted=bool(warrant.decider))
            with suppress(WarrantSettled):
                self._store.move(warrant.id, (warrant.state,), State.EXPIRED, at=now, notes=[note(done)])
        self._finish()
        self._lapse()

    def _interrupted(self, warrant: Warrant) -> Event:
        now, why = self._clock.now(), "interrupted"
        if warrant.state is State.USING:
            subject = warrant.about
            name = "held" if warrant.kind == "hold" else "released"
            return about_person(name, subject, warrant, _NOBODY, outcome=Outcome.FAILURE, at=now, reason=why)
        name = "asked" if warrant.state is State.ASKING else "approved"
        return step(name, warrant, _NOBODY, outcome=Outcome.FAILURE, at=now, reason=why)
