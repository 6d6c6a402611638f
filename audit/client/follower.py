# SPDX-License-Identifier: Apache-2.0
"""A thread that keeps following the log, and knows whether what it has heard is fresh.

Fresh means: within ``silence`` seconds a verified heartbeat came after everything before it was heard. Entries alone
prove nothing about how many more there are.
"""

import threading
from collections.abc import Callable, Sequence

from core.clock import Clock
from core.log import logger

from ..errors import FeedStale
from ..models import Entry, Feed

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.25
PATIENCE = 2.0
"""Seconds a question waits for a heartbeat that is late, as it is when a busy machine gave somebody else the processor:
nothing is granted meanwhile, and a person need not come again for it."""


class Follower:
    """Hears every entry in order, some perhaps twice; an empty sequence is a heartbeat."""

    def __init__(
        self,
        feed: Feed,
        *,
        start: int | Callable[[], int],
        hear: Callable[[Sequence[Entry]], None],
        clock: Clock,
        silence: float = 1.0,
        patience: float = 0.0,
    ) -> None:
        self._feed = feed
        self._start = start
        self._hear = hear
        self._clock = clock
        self._silence = silence
        self._patience = patience
        self._heartbeat = threading.Condition()
        self._position: int | None = None
        self._fresh_at: float | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Follow in the background."""
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Demand that nothing can have been missed.

        Raises:
            FeedStale: silent for too long and for ``patience`` seconds more, or not caught up yet.
        """
        if self.fresh():
            return
        late = self._late()
        # Where the log has long been away nobody waits for it: there would be more and more of them.
        if late is None or late > self._patience:
            raise FeedStale
        with self._heartbeat:
            if not self._heartbeat.wait_for(self.fresh, timeout=self._patience - late):
                raise FeedStale

    def fresh(self) -> bool:
        """Whether ``check`` would say so without waiting."""
        late = self._late()
        return late is not None and late <= 0

    def lost(self) -> bool:
        """Whether ``check`` would refuse without waiting: for what goes on meanwhile, and must end then."""
        late = self._late()
        return late is None or late > self._patience

    def _late(self) -> float | None:
        """Seconds since what was heard last is too old; negative while it is fresh, None before anything was heard."""
        fresh_at = self._fresh_at
        return None if fresh_at is None else self._clock.monotonic() - fresh_at - self._silence

    def stop(self) -> None:
        """End the thread; what was not heard is heard after the next start."""
        self._stopping.set()
        close = getattr(self._feed, "close", None)
        if close is not None:
            close()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            before = self._fresh_at
            try:
                self._feed.follow(self._from(), self._take)
            except _Stopped:
                return
            except Exception:  # noqa: BLE001 - whatever the hearer raised, the thread must live and hear it again
                logger(__name__).exception("follower_failed")
            # Back off while nothing is heard; after a good session come back at once.
            pause = _FIRST_PAUSE if self._fresh_at != before else min(pause * 2, _LONGEST_PAUSE)
            self._stopping.wait(pause)

    def _from(self) -> int:
        if not isinstance(self._start, int):
            return self._start()
        return self._start if self._position is None else self._position

    def _take(self, entries: Sequence[Entry]) -> None:
        if self._stopping.is_set():
            raise _Stopped
        self._hear(entries)
        if entries:
            self._position = entries[-1].index + 1
        else:
            with self._heartbeat:
                self._fresh_at = self._clock.monotonic()
                self._heartbeat.notify_all()


class _Stopped(Exception):
    """Ends a session because the follower ends."""
