# SPDX-License-Identifier: Apache-2.0
"""The log's helping processes: each takes one piece of work at a time over a socket that only the two of them hold.

A helper has no state, no files and no name; subjects' keys reach it over that socket alone. It ends when the log does.
One that dies is replaced, and its work is done here: it computes, so nothing can be lost with it.
"""

import queue
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

from core.log import logger

from ..errors import BadEvent
from ..models_codec import Draft
from .line import HEAD, READY, received
from .work import Job, Made, Work, asked_to_make, asked_to_read, make, read, told_made, told_read

# Fewer are done sooner than sent.
_FEW = 32
_log = logger(__name__)
_T = TypeVar("_T")
_A = TypeVar("_A")


class Press:
    """Reads and makes; any thread may ask."""

    def __init__(self, helpers: int = 0) -> None:
        """Start so many processes; with none, whoever asks computes."""
        self.helpers = [Helper() for _ in range(helpers)]
        # By place in the list, where a dead one is replaced.
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(helpers):
            self._free.put(number)
        self._threads = ThreadPoolExecutor(self.at_once, "log-press")

    @property
    def at_once(self) -> int:
        """How many pieces of work are done at the same time."""
        return max(1, len(self.helpers))

    def read(self, events: Sequence[bytes]) -> list[Draft | BadEvent]:
        """Check encoded events; the answer to each in their order."""
        return self._asked(
            events, read, lambda helper, part: told_read(part, helper.ask(Work.READ, asked_to_read(part)))
        )

    def make(self, jobs: Sequence[Job]) -> list[Made | None]:
        """Seal, encode and hash, shared among the helpers; None where the entry became too long."""
        if not self._shared(jobs):
            return make(jobs)
        size = -(-len(jobs) // len(self.helpers))
        parts = [jobs[start : start + size] for start in range(0, len(jobs), size)]
        return list(chain.from_iterable(self._threads.map(self._make, parts)))

    def close(self) -> None:
        """End the helpers."""
        self._threads.shutdown()
        for helper in self.helpers:
            helper.close()

    def _make(self, jobs: Sequence[Job]) -> list[Made | None]:
        return self._asked(jobs, make, lambda helper, part: told_made(helper.ask(Work.MAKE, asked_to_make(part))))

    def _shared(self, items: Sequence[object]) -> bool:
        return bool(self.helpers) and len(items) > _FEW

    def _asked(
        self,
        items: Sequence[_T],
        here: Callable[[Sequence[_T]], list[_A]],
        there: Callable[["Helper", Sequence[_T]], list[_A]],
    ) -> list[_A]:
        if not self._shared(items):
            return here(items)
        number = self._free.get()
        helper = self.helpers[number]
        try:
            # One that is still starting would be waited for; nobody has to.
            return there(helper, items) if helper.ready() else here(items)
        except OSError as error:
            _log.warning("log_helper_died", exc_info=error)
            helper.close()
            self.helpers[number] = Helper()
            return here(items)
        finally:
            self._free.put(number)


class Helper:
    """One process."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "audit.press", str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        self._line = ours
        self._ready = False

    @property
    def process(self) -> int:
        """Its process's number."""
        return self._process.pid

    def ready(self) -> bool:
        """Whether it has begun to listen.

        Raises:
            OSError: the process died.
        """
        if not self._ready and select.select([self._line], [], [], 0)[0]:
            received(self._line, len(READY))
            self._ready = True
        return self._ready

    def ask(self, work: Work, question: bytes) -> bytes:
        """Have one piece of work done.

        Raises:
            OSError: the process died.
        """
        self._line.sendall(HEAD.pack(len(question), work) + question)
        length, _work = HEAD.unpack(received(self._line, HEAD.size))
        return received(self._line, length)

    def close(self) -> None:
        """Cut the line, upon which the process ends."""
        self._line.close()
        self._process.wait()
