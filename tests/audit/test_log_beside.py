# SPDX-License-Identifier: Apache-2.0
"""The thread beside the log's loop: one thing after the other, told to whoever waits, and nobody is left waiting."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from audit.writer.beside import Beside


def _run(work: Callable[[Beside], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        with Beside("beside") as beside:
            await work(beside)

    asyncio.run(main())


def test_what_is_done_is_done_in_another_thread_and_in_order() -> None:
    done: list[tuple[int, str]] = []

    async def work(beside: Beside) -> None:
        told = await asyncio.gather(*(beside.do(_note, done, number) for number in range(50)))
        assert told == list(range(50))

    _run(work)
    assert done == [(number, "beside") for number in range(50)]


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt(), SystemExit(1)])
def test_what_is_raised_reaches_whoever_waits_and_the_next_is_done(error: BaseException) -> None:
    def fail() -> None:
        raise error

    async def work(beside: Beside) -> None:
        caught: list[BaseException] = []
        try:
            await beside.do(fail)
        except BaseException as found:  # noqa: BLE001 - that it is this one is the question
            caught.append(found)
        assert caught == [error]
        assert await beside.do(int, "7") == 7

    _run(work)


def test_whoever_was_cancelled_is_not_told_and_the_loop_goes_on() -> None:
    held = threading.Event()
    complaints: list[dict[str, Any]] = []

    async def work(beside: Beside) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
        waiting = asyncio.create_task(beside.do(held.wait, 30))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        held.set()
        assert await beside.do(int, "7") == 7

    _run(work)
    assert complaints == []


def test_its_end_waits_for_what_is_being_done() -> None:
    begun, go, done = threading.Event(), threading.Event(), []

    def act() -> None:
        begun.set()
        assert go.wait(30)
        done.append(True)

    async def main() -> None:
        with Beside("beside") as beside:
            waiting = asyncio.create_task(beside.do(act))
            await asyncio.to_thread(begun.wait, 30)
            waiting.cancel()
            threading.Timer(0.05, go.set).start()
        assert done == [True]

    asyncio.run(main())
    assert not [thread for thread in threading.enumerate() if thread.name == "beside"]


def _note(done: list[tuple[int, str]], number: int) -> int:
    done.append((number, threading.current_thread().name))
    return number
