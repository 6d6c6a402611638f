# SPDX-License-Identifier: Apache-2.0
"""From a component's outbox to the log: in order, each row until its receipt is there.

A crash between receipt and removal sends a row twice; its key makes that one entry. One process at a time drains.
"""

import fcntl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from core.db import Waiting
from core.errors import TallygateError
from core.log import logger

from .errors import BadEvent
from .models import Recorder
from .models_codec import decode_event

_LONGEST_PAUSE = 1.0


class OutboxStore(Protocol):
    """The two verbs a store offers over its outbox, each in its own transaction."""

    def outbox_head(self) -> list[Waiting]:
        """The oldest rows in order."""
        ...

    def outbox_drop(self, positions: list[int]) -> None:
        """Remove delivered rows."""
        ...


class Relay:
    """Drains one outbox in the background, at once when nudged."""

    def __init__(self, store: OutboxStore, recorder: Recorder, *, lock: Path, interval: float = 0.05) -> None:
        self._store = store
        self._recorder = recorder
        self._lock = lock
        self._interval = interval
        self._nudged = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Drain in the background from now on."""
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    def nudge(self) -> None:
        """Something was committed to the outbox."""
        self._nudged.set()

    def drain(self) -> None:
        """Deliver everything that is waiting now.

        Raises:
            RecordUnavailable: the log gave no receipt; what is left stays, in order.
            BadEvent: a row is not an event; it stays, and stops those behind it.
        """
        with self._alone():
            while rows := self._store.outbox_head():
                self._deliver(rows)

    def stop(self) -> None:
        """End the thread; what waits stays."""
        self._stopping.set()
        self._nudged.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _deliver(self, rows: Sequence[Waiting]) -> None:
        delivered: list[int] = []
        try:
            for row in rows:
                event = decode_event(row.body)
                if event.key != row.key:
                    raise BadEvent(why="its key is not its row's")
                self._recorder.record(event)
                delivered.append(row.position)
        finally:
            # One write for all. Dying before it costs nothing: the log knows their keys when they come again.
            if delivered:
                self._store.outbox_drop(delivered)

    def _run(self) -> None:
        pause = self._interval
        while not self._stopping.is_set():
            self._nudged.clear()
            if self._drained():
                pause = self._interval
                self._nudged.wait(pause)
            else:
                pause = min(pause * 2, _LONGEST_PAUSE)
                self._stopping.wait(pause)

    def _drained(self) -> bool:
        try:
            self.drain()
        except (TallygateError, OSError) as error:
            logger(__name__).warning("outbox_waits", error=str(error))
            return False
        except Exception:  # noqa: BLE001 - the thread must live: without it what was taken away bites nowhere else
            logger(__name__).error("outbox_waits", exc_info=True)
            return False
        return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock file; its owner's death lets go of it."""
        with self._lock.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
