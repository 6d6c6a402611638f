# SPDX-License-Identifier: Apache-2.0
"""Emergency switches: two officers shut a passage, a portal, a client or all writing, and two open it again.

The switch is its entry in the record: every gateway hears it there, and takes away from the intent on. What is shut
stays shut until a second warrant opens it, or until the time is over that the officers gave it: then the record says so
in nobody's name. Where the record cannot say it, it stays shut.

What a process that died left half done is put back by ``Upkeep``: a shutting that has only its intent is said to have
failed and shuts nothing any more; a reopening that has only its intent has opened nothing.
"""

import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from core.clock import Clock
from core.errors import TallygateError

from ..models import Attribute, Event, Outcome, Reader, Recorder
from ..models_codec import new_key
from .errors import NothingToShut, NotShut, ShutAlready
from .models import Shut, Warrant, switch_of
from .records import note, step
from .service import needed
from .store import SwitchRows, WarrantStore

NAMES = {"shut": "shut", "reopen": "reopened"}
"""Kind of warrant to what its event is called."""


class Switching:
    """The one verb of both kinds, and what is shut."""

    def __init__(
        self,
        *,
        store: WarrantStore,
        recorder: Recorder,
        clock: Clock,
        exists: Callable[[str], bool] = lambda _name: True,
    ) -> None:
        """``exists`` says whether the site has what a switch names, and may shut it."""
        self._rows = SwitchRows(store.database)
        self._recorder = recorder
        self._clock = clock
        self._exists = exists

    def standing(self) -> list[Shut]:
        """What is shut now, and what is on its way there or back."""
        return self._rows.all()

    def sensible(self, kind: str, name: str) -> None:
        """Demand that there is something to shut or to open.

        Raises:
            NothingToShut: the site has nothing of this name that could be shut.
            ShutAlready: it is shut, or being changed.
            NotShut: it is open.
        """
        known = {shut.name for shut in self._rows.all()}
        if kind == "reopen":
            if name not in known:
                raise NotShut(name=name)
            return
        if not self._exists(name):
            raise NothingToShut(name=name)
        if name in known:
            raise ShutAlready(name=name)

    def throw(self, reader: Reader, warrant: Warrant) -> Warrant:
        """Shut or reopen what the warrant names.

        Raises:
            WarrantNeeded: it is no switch that was granted to this officer.
            WarrantSettled: the warrant was used, withdrawn or ran out.
            NothingToShut, ShutAlready, NotShut: as ``sensible``.
            RecordUnavailable: nothing was opened; what was to be shut may be, if the intent still arrived.
        """
        if warrant.kind not in NAMES or warrant.asker != reader.subject:
            raise needed(warrant.kind if warrant.kind in NAMES else "shut", warrant.scope)
        (name, lasts), now, attempt = switch_of(warrant.scope), self._clock.now(), secrets.token_hex(16)
        until = None if lasts is None else now + lasts
        more: dict[str, Attribute] = {} if until is None else {"until": until.isoformat()}
        if warrant.kind == "shut":
            if not self._exists(name):
                raise NothingToShut(name=name)
            shut = Shut(
                name=name,
                warrant=warrant.id,
                by=reader.subject,
                decider=warrant.decider,
                place=warrant.place,
                since=now,
                until=until,
                turning=warrant.id,
            )
            self._rows.begin_shut(shut, at=now, attempt=attempt)
        else:
            self._rows.begin_open(name, warrant, at=now, attempt=attempt)
        try:
            self._recorder.record(switched(warrant, reader, outcome=Outcome.INTENDED, at=now, **more))
            done = self._clock.now()
            used = step("used", warrant, reader, outcome=Outcome.SUCCESS, at=done)
            told = switched(warrant, reader, outcome=Outcome.SUCCESS, at=done, **more)
            self._rows.finish(warrant, at=done, attempt=attempt, notes=[note(used), note(told)])
        except TallygateError:
            failed = switched(warrant, reader, outcome=Outcome.FAILURE, at=self._clock.now())
            # If our own tables do not take this, upkeep does it later.
            with suppress(TallygateError):
                self._rows.undo(warrant, at=self._clock.now(), attempt=attempt, notes=[note(failed)])
            raise
        return warrant

    def lapse(self) -> None:
        """Open what has had its time.

        Raises:
            TallygateError: the first that could not be opened; it stays shut and is tried again.
        """
        for shut in self._rows.begin_lapse(now := self._clock.now()):
            self._recorder.record(_lapsed(shut, Outcome.INTENDED, now))
            # Dead after this line, the intent stands alone, and the next round does the same again.
            self._rows.lapsed(shut.name, notes=[note(_lapsed(shut, Outcome.SUCCESS, now))])


def switched(warrant: Warrant, reader: Reader, *, outcome: Outcome, at: datetime, **more: Attribute) -> Event:
    """What is recorded of a switch; ``reader`` is nobody where its act was interrupted."""
    return Event(
        key=new_key(),
        type=f"gateway.switch.{NAMES[warrant.kind]}",
        outcome=outcome,
        at=at,
        source="audit",
        actor=reader.subject,
        object=switch_of(warrant.scope)[0],
        session=reader.session,
        zone=reader.zone,
        decision=reader.decision,
        attributes={"warrant": warrant.id} | more,
    )


def _lapsed(shut: Shut, outcome: Outcome, at: datetime) -> Event:
    return Event(
        key=new_key(),
        type="gateway.switch.reopened",
        outcome=outcome,
        at=at,
        source="audit",
        object=shut.name,
        attributes={"warrant": shut.warrant, "reason": "lapsed"},
    )
