# SPDX-License-Identifier: Apache-2.0
"""Erasing a person: intent on the record, keys destroyed, names forgotten, outcome on the record.

Once begun it is finished, by this process or by the next one: each step may be repeated, and the two records are the
same whenever they are sent.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from core.clock import Clock
from core.errors import TallygateError

from ..models import Outcome, Reader, Recorder, Wait
from ..models_codec import new_key
from .errors import UnderHold
from .models import Erasure, State, Warrant
from .records import about_person, erased, note, step
from .service import needed
from .store import WarrantStore


class Erasing:
    """The verb, and what finishes it after a crash."""

    def __init__(
        self,
        *,
        store: WarrantStore,
        recorder: Recorder,
        clock: Clock,
        destroy: Callable[[str, datetime], int],
        forget: Callable[[str], None],
        alone: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """``destroy`` destroys a person's keys, ``forget`` takes their names out of the index; both may be repeated.

        While ``alone`` is held nobody seals under a key.
        """
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._destroy = destroy
        self._forget = forget
        self._alone = alone

    def erase(self, reader: Reader, warrant: Warrant) -> None:
        """Erase the person whom the warrant names.

        Raises:
            WarrantNeeded: it is not an erasure that was granted to this officer.
            UnderHold: a legal hold refuses it; the refusal is recorded, and the warrant stays.
            ErasureUnderWay: the person is being erased already.
            WarrantSettled: the warrant was used, withdrawn or ran out.
            RecordUnavailable: begun and not finished; it is finished as soon as the record is back.
        """
        if warrant.kind != "erase" or warrant.asker != reader.subject or warrant.state is not State.GRANTED:
            raise needed("erase", warrant.scope)
        now = self._clock.now()
        erasure = Erasure(
            warrant=warrant.id,
            subject=warrant.scope.value,
            begun=now.replace(microsecond=0),
            by=reader.subject,
            session=reader.session,
            zone=reader.zone,
            decision=reader.decision,
            intent=new_key(),
            outcome=new_key(),
            done=False,
        )
        used = step("used", warrant, reader, outcome=Outcome.SUCCESS, at=now)
        try:
            self._store.begin(erasure, notes=[note(used)])
        except UnderHold as error:
            self._recorder.record(
                about_person(
                    "erased", erasure.subject, warrant, reader, outcome=Outcome.DENIED, at=now, reason=error.code
                )
            )
            raise
        self._finish(erasure)

    def finish(self) -> None:
        """Finish what was begun and has no outcome.

        Raises:
            TallygateError: the first one that could not be finished; the others were tried.
        """
        failed: TallygateError | None = None
        for erasure in self._store.unfinished():
            try:
                self._finish(erasure)
            except TallygateError as error:
                failed = failed or error
        if failed is not None:
            raise failed

    def _finish(self, erasure: Erasure) -> None:
        self._recorder.record(erased(erasure, Outcome.INTENDED, erasure.begun), wait=Wait.PUBLISHED)
        with self._alone():
            self._destroy(erasure.subject, self._clock.now())
        # Whoever read a name before holds up the forgetting until it is indexed, and is undone by it.
        self._forget(erasure.subject)
        self._recorder.record(erased(erasure, Outcome.SUCCESS, erasure.begun), wait=Wait.PUBLISHED)
        self._store.finish(erasure)
