# SPDX-License-Identifier: Apache-2.0
"""What has to be done once in a while and may be late: end what is over, remove what nobody can use any more.

A thread of its own, because its writes wait for their turn: news of the record must not wait behind them.
"""

import threading
from collections.abc import Callable, Sequence

from audit import Event
from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from ..models import Session
from ..store import BATCH, Store
from .records import Records

# Seconds between two rounds.
_INTERVAL = 60.0
PAUSE = 0.25
"""Seconds between two batches of one round."""


class Housekeeping:
    """Every worker does it; what one has done the others find done."""

    def __init__(
        self,
        *,
        store: Store,
        records: Records,
        clock: Clock,
        nudge: Callable[[], None],
        chores: Sequence[Callable[[], object]] = (),
        interval: float = _INTERVAL,
    ) -> None:
        self._store = store
        self._records = records
        self._clock = clock
        self._nudge = nudge
        self._chores = list(chores)
        self._interval = interval
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Do it in the background from now on."""
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def also(self, chore: Callable[[], object]) -> None:
        """Do something more at each round; before the thread is started."""
        self._chores.append(chore)

    def round(self) -> bool:
        """Every chore, and a bounded piece of tidying; True if more is waiting. One that fails keeps none from it."""
        for chore in self._chores:
            try:
                chore()
            except TallygateError as error:
                logger(__name__).warning("housekeeping_waits", error=str(error))
            except Exception:  # noqa: BLE001 - one chore that fails must keep none of the others from being done
                logger(__name__).exception("housekeeping_failed")
        return self.batch()

    def batch(self) -> bool:
        """Do a bounded piece of it; True if more is waiting."""
        at = int(self._clock.now().timestamp())
        gone = self._store.purge(at, self._expired)
        if gone:
            self._nudge()
        return gone >= BATCH

    def _run(self) -> None:
        pause = self._interval
        while not self._stopping.wait(pause):
            pause = PAUSE if self._done() else self._interval

    def _done(self) -> bool:
        try:
            return self.round()
        except TallygateError as error:
            logger(__name__).warning("housekeeping_waits", error=str(error))
        except Exception:  # noqa: BLE001 - the thread must live, or the tables grow for ever
            logger(__name__).exception("housekeeping_failed")
        return False

    def _expired(self, session: Session) -> Event:
        return self._records.session_ended(session, reason="expired")
