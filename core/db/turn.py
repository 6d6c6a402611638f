# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is to write to one SQLite file: first come, first served, among threads and among processes.

SQLite has one writer, and who waits for it polls with growing pauses and in no order, so that some wait for seconds
while others pass. Here the threads of a process stand in one queue, and processes take turns by two lock files beside
the database:

- ``-turn`` is held by the process that writes;
- ``-gate`` is held by the process that is next. Who has just written must come through the gate again, behind whoever
  already stands in it: nobody is passed twice.

A process keeps its turn for a few of its own waiting threads, and no longer than ``SLICE``. The kernel lets go of both
files when their holder dies, however it dies. What happens in the database needs none of this to be right: it holds
its own lock, and a program that knows no turn is merely rude.
"""

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SLICE = 0.02
"""Seconds a process may pass its turn on within itself while other processes may be waiting."""


class TurnMissed(Exception):
    """The turn did not come in time."""


class Turn:
    """The queue of one process, and its place among others."""

    def __init__(self, database: Path, *, patience: float, slice_: float = SLICE) -> None:
        """``patience`` is how many seconds somebody waits."""
        self._patience = patience
        self._slice = slice_
        self._files = _Files(database)
        self._guard = threading.Lock()
        # Each waits on a lock of its own, which whoever is done before it opens.
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False
        # When this process must give others a chance; None while it holds no file.
        self._until: float | None = None

    @contextmanager
    def mine(self) -> Iterator[None]:
        """Wait for the turn and hold it.

        Raises:
            TurnMissed: it did not come in time.
            OSError: the lock files cannot be opened.
        """
        deadline = time.monotonic() + self._patience
        self._queue(deadline)
        try:
            if self._until is None:
                self._files.take(deadline)
                self._until = time.monotonic() + self._slice
            yield
        finally:
            self._pass_on()

    def close(self) -> None:
        """Close the files; the next turn opens them again."""
        self._files.close()

    def _queue(self, deadline: float) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            place = threading.Lock()
            place.acquire()
            self._waiting.append(place)
        if place.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return
        with self._guard:
            if place in self._waiting:
                self._waiting.remove(place)
                raise TurnMissed
        # It was given in the very moment in which the wait ended: it is ours to pass on.
        self._pass_on()
        raise TurnMissed

    def _pass_on(self) -> None:
        with self._guard:
            over = not self._waiting or self._until is None or time.monotonic() >= self._until
            if over and self._until is not None:
                self._until = None
                self._files.give_back()
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


class _Files:
    """The two lock files of one database. Only whoever has the turn within the process comes here."""

    def __init__(self, database: Path) -> None:
        self._paths = (database.with_name(f"{database.name}-gate"), database.with_name(f"{database.name}-turn"))
        self._open: tuple[int, int] | None = None
        # The kernel's wait has no end of its own. A helper waits in our stead, and we for it as long as we like.
        self._changed = threading.Condition()
        self._helper: threading.Thread | None = None
        self._wanted = False
        self._got = False

    def take(self, deadline: float) -> None:
        """Lock them, in turn with other processes.

        Raises:
            TurnMissed: another process kept its turn for too long.
        """
        gate, turn = self._opened()
        with self._changed:
            # Whoever gave up before left the helper waiting: it now waits for us.
            if self._helper is None:
                if _locked_at_once(gate):
                    at_once = _locked_at_once(turn)
                    fcntl.flock(gate, fcntl.LOCK_UN)
                    if at_once:
                        return
                self._helper = threading.Thread(target=self._wait, args=(gate, turn), name="turn", daemon=True)
                self._helper.start()
            self._wanted = True
            self._changed.wait_for(lambda: self._got, timeout=max(0.0, deadline - time.monotonic()))
            got, self._got, self._wanted = self._got, False, False
        if not got:
            raise TurnMissed

    def give_back(self) -> None:
        """Let the next process write."""
        if self._open is not None:
            fcntl.flock(self._open[1], fcntl.LOCK_UN)

    def close(self) -> None:
        with self._changed:
            if self._helper is None and self._open is not None:
                for file in self._open:
                    os.close(file)
                self._open = None

    def _wait(self, gate: int, turn: int) -> None:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(turn, fcntl.LOCK_EX)
        fcntl.flock(gate, fcntl.LOCK_UN)
        with self._changed:
            self._helper = None
            if self._wanted:
                self._got = True
                self._changed.notify()
            else:
                fcntl.flock(turn, fcntl.LOCK_UN)

    def _opened(self) -> tuple[int, int]:
        if self._open is None:
            # A lock is the opener's, so no other Database of this process shares it. Never a link: root may write in
            # a role's folder.
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            gate, turn = (os.open(path, flags, 0o600) for path in self._paths)
            self._open = (gate, turn)
        return self._open


def _locked_at_once(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
