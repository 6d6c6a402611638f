# SPDX-License-Identifier: Apache-2.0
"""Events of a loop go into the log together: each with its own answer, and none without a receipt."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from audit import BadEvent, Receipt, RecordUnavailable, encode_event
from audit.client import Together
from core.errors import TallygateError
from tests.fakes.log_site import event
from tests.fakes.recorder import ListRecorder


class Slow:
    """Keeps a list, and waits for the test before it answers."""

    def __init__(self) -> None:
        self.pieces: list[int] = []
        self.inner = ListRecorder()
        self.asked, self.go = threading.Event(), threading.Event()
        self.fails = 0

    def record_all(self, events: Sequence[bytes]) -> list[Receipt | TallygateError]:
        self.pieces.append(len(events))
        self.asked.set()
        self.go.wait(timeout=60)
        if self.fails:
            self.fails -= 1
            raise RecordUnavailable
        return self.inner.record_all(events)


def _run(recorder: Slow, work: Callable[[Together], Coroutine[Any, Any, None]], **settings: Any) -> None:
    async def run() -> None:
        together = Together(recorder, **settings)
        together.start(asyncio.get_running_loop())
        try:
            await work(together)
        finally:
            recorder.go.set()
            together.stop()

    asyncio.run(run())


async def _first_on_its_way(recorder: Slow) -> None:
    await asyncio.to_thread(recorder.asked.wait, 60)


def test_what_comes_while_some_are_under_way_goes_together() -> None:
    recorder = Slow()

    async def work(together: Together) -> None:
        first = asyncio.ensure_future(together.record(encode_event(event())))
        await _first_on_its_way(recorder)
        rest = [asyncio.ensure_future(together.record(encode_event(event()))) for _ in range(40)]
        await asyncio.sleep(0)
        # Nobody is told before the log answered.
        assert not first.done()
        assert not any(each.done() for each in rest)
        recorder.go.set()
        receipts = await asyncio.gather(first, *rest)
        assert sorted(each.index for each in receipts) == list(range(41))

    _run(recorder, work)
    assert recorder.pieces == [1, 40]


def test_each_has_an_answer_of_its_own() -> None:
    recorder = Slow()
    recorder.go.set()

    async def work(together: Together) -> None:
        told = await asyncio.gather(
            together.record(encode_event(event())), together.record(b"no event"), return_exceptions=True
        )
        assert isinstance(told[0], Receipt)
        assert isinstance(told[1], BadEvent)

    _run(recorder, work)


@pytest.mark.parametrize(("fails", "recorded"), [(1, True), (2, False)])
def test_a_line_that_broke_is_tried_once_more(fails: int, *, recorded: bool) -> None:
    recorder = Slow()
    recorder.fails = fails
    recorder.go.set()

    async def work(together: Together) -> None:
        [told] = await asyncio.gather(together.record(encode_event(event())), return_exceptions=True)
        assert isinstance(told, Receipt if recorded else RecordUnavailable)
        # And goes on with the next.
        assert (await together.record(encode_event(event()))).leaf

    _run(recorder, work)


def test_what_nobody_could_send_in_time_is_not_sent_late() -> None:
    recorder, now = Slow(), [0.0]

    async def work(together: Together) -> None:
        first = asyncio.ensure_future(together.record(encode_event(event())))
        await _first_on_its_way(recorder)
        late = asyncio.ensure_future(together.record(encode_event(event())))
        await asyncio.sleep(0)
        now[0] = 6.0
        recorder.go.set()
        await first
        with pytest.raises(RecordUnavailable):
            await late

    _run(recorder, work, monotonic=lambda: now[0])
    assert len(recorder.inner.events) == 1


def test_after_the_end_nothing_is_recorded() -> None:
    recorder = Slow()
    recorder.go.set()

    async def work(together: Together) -> None:
        together.stop()
        with pytest.raises(RecordUnavailable):
            await together.record(encode_event(event()))

    _run(recorder, work)
    assert recorder.inner.events == []
