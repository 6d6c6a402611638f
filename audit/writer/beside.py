# SPDX-License-Identifier: Apache-2.0
"""A thread that does one thing after the other for an event loop, which goes on meanwhile.

The library's executor does this for any number of threads and callers, by a lock, a condition and two futures for each
thing. Every batch of the log passes here, mostly in a process that has slept, where each such step is paid for in full.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")
_Work = tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]


class Beside:
    """Belongs to the loop in which it is made; to be used as a context, whose end waits for what is being done."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._work.put(None)
        self._thread.join()

    async def do(self, act: Callable[..., T], *arguments: Any) -> T:
        """Have it done; what it returns, or raises."""
        done: asyncio.Future[T] = self._loop.create_future()
        self._work.put((done, act, arguments))
        return await done

    def _run(self) -> None:
        while self._once():
            pass

    def _once(self) -> bool:
        """The next thing, of which nothing is kept; False at the end."""
        work = self._work.get()
        if work is None:
            return False
        done, act, arguments = work
        try:
            result = act(*arguments)
        except BaseException as error:  # noqa: BLE001 - whatever it was, whoever waits is told
            self._tell(done, None, error)
        else:
            self._tell(done, result, None)
        return True

    def _tell(self, done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        try:
            self._loop.call_soon_threadsafe(_set, done, result, error)
        except RuntimeError:
            # The loop was closed; nobody waits any more.
            return


def _set(done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if done.done():
        # Whoever waited was cancelled.
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
