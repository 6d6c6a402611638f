# SPDX-License-Identifier: Apache-2.0
"""Events of a loop go into the log together: each with its own answer, and none without a receipt."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvloop

from audit import BadEvent, RecordUnavailable, Wait, encode_event
from audit.client import Together
from audit.wire import LONGEST_EVENT, Frame, Frames, frame, read_append_many, receipts_frame
from audit.writer import Log as Written
from core.errors import TallygateError
from tests.fakes.begun import Begun
from tests.fakes.log_site import LogSite, event

Told = dict[int, TallygateError | None]


class Log:
    """The other end of every line, in the hands of the test."""

    def __init__(self) -> None:
        self.ends: list[socket.socket] = []
        self.away = False
        self._frames = Frames(2**20)

    def open_line(self) -> socket.socket:
        if self.away:
            raise RecordUnavailable
        ours, theirs = socket.socketpair()
        theirs.settimeout(0)
        self.ends.append(ours)
        return theirs

    async def takes(self) -> tuple[int, list[bytes]]:
        """One request, read from the newest line."""
        await _until(lambda: bool(self.ends))
        while True:
            for kind, content in self._frames.feed(await asyncio.to_thread(self.ends[-1].recv, 2**20)):
                assert kind is Frame.APPEND_MANY
                number, wait, events = read_append_many(content)
                assert wait is Wait.SEQUENCED
                return number, events

    def answers(self, number: int, *answers: TallygateError | None, wait: Wait = Wait.SEQUENCED) -> None:
        told = [each or (i, bytes(32)) for i, each in enumerate(answers)]
        self.ends[-1].sendall(receipts_frame(number, wait, told, ""))

    def breaks(self) -> None:
        self._frames = Frames(2**20)
        self.ends[-1].close()


def _run(log: Any, work: Callable[[Together, Told], Coroutine[Any, Any, None]], **settings: Any) -> Told:
    told: Told = {}

    async def run() -> None:
        together = Together(log, **settings)
        together.start(asyncio.get_running_loop())
        try:
            await asyncio.wait_for(work(together, told), 60)
        finally:
            together.stop()
            for end in getattr(log, "ends", ()):
                end.close()
            # The loop closes its ends in its next rounds.
            for _ in range(3):
                await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    return told


def _submit(together: Together, told: Told, *events: bytes) -> None:
    for each in events:
        place = len(told) + 1000
        told[place] = _PENDING
        together.submit(each, partial(told.__setitem__, place))


_PENDING = BadEvent(why="the test still waits")


def _logins(log: Written) -> int:
    found, start = 0, 0
    while entries := log.read(start, 100):
        found += sum(b'"sso.login"' in each for each in entries)
        start += len(entries)
    return found


async def _until(happened: Callable[[], bool]) -> None:
    while not happened():  # noqa: ASYNC110 - what is waited for happens in several places, none of them the test's
        await asyncio.sleep(0.001)


def _reopened_or_told(log: Log, told: Told, ends: int) -> bool:
    return len(log.ends) > ends or _PENDING not in told.values()


async def _told(told: Told, count: int) -> Sequence[TallygateError | None]:
    await _until(lambda: sum(each is not _PENDING for each in told.values()) >= count)
    return [told[key] for key in sorted(told)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    yield site
    site.close()


def test_a_real_log_takes_them_and_refuses_what_breaks_a_rule(site: LogSite) -> None:
    async def work(together: Together, told: Told) -> None:
        _submit(together, told, *(encode_event(event()) for _ in range(40)), b"no event")
        _submit(together, told, encode_event(event(source="ca")), b"x" * (LONGEST_EVENT + 1))
        answers = await _told(told, 43)
        assert answers[:40] == [None] * 40
        assert all(isinstance(each, BadEvent) for each in answers[40:])

    with site.served() as served:
        _run(site.recorder(), work)
        assert _logins(served.log) == 40


def test_a_log_that_was_killed_is_found_again(site: LogSite) -> None:
    """And what was on its way then is in it once."""
    sent = [encode_event(event()) for _ in range(20)]

    async def work(together: Together, told: Told) -> None:
        _submit(together, told, *sent[:10])
        assert await _told(told, 10) == [None] * 10
        process.kill()
        await asyncio.to_thread(process.wait)
        again.append(await asyncio.to_thread(site.process))
        # The first on the broken line, which is noticed at the latest by that.
        _submit(together, told, *sent)
        assert await _told(told, 30) == [None] * 30

    process = site.process()
    again: list[Begun] = []
    try:
        _run(site.recorder(), work)
    finally:
        for each in [process, *again]:
            each.kill()
            each.wait()
    log = site.open()
    try:
        assert _logins(log) == 20
    finally:
        log.close()


def test_what_comes_while_some_are_under_way_goes_together() -> None:
    log = Log()

    async def work(together: Together, told: Told) -> None:
        _submit(together, told, b"first")
        number, events = await log.takes()
        _submit(together, told, *[b"%d" % i for i in range(40)])
        await asyncio.sleep(0)
        # Nobody is told before the log answered.
        assert all(each is _PENDING for each in told.values())
        log.answers(number, None)
        number, rest = await log.takes()
        assert (len(events), len(rest)) == (1, 40)
        log.answers(number, *[None] * 40)
        assert await _told(told, 41) == [None] * 41

    _run(log, work)


def test_each_has_an_answer_of_its_own() -> None:
    log = Log()

    async def work(together: Together, told: Told) -> None:
        _submit(together, told, b"a", b"b", b"c")
        number, _events = await log.takes()
        log.answers(number, None, BadEvent(why="no"), None)
        assert [type(each) for each in await _told(told, 3)] == [type(None), BadEvent, type(None)]

    _run(log, work)


def test_a_line_that_broke_is_opened_once_more_and_its_events_go_first() -> None:
    log = Log()

    async def work(together: Together, told: Told) -> None:
        _submit(together, told, b"a")
        await log.takes()
        _submit(together, told, b"b")
        log.breaks()
        await _until(lambda: len(log.ends) >= 2)
        number, events = await log.takes()
        assert events == [b"a", b"b"]
        log.breaks()
        await _until(lambda: len(log.ends) >= 3)
        # The first was on its way twice: whether it is recorded nobody knows.
        number, events = await log.takes()
        assert events == [b"b"]
        log.answers(number, None)
        first, second = await _told(told, 2)
        assert isinstance(first, RecordUnavailable)
        assert second is None

    _run(log, work)


def test_without_a_log_everybody_is_told_so_and_the_next_is_tried_again() -> None:
    log = Log()

    async def work(together: Together, told: Told) -> None:
        log.away = True
        _submit(together, told, b"a", b"b")
        assert all(isinstance(each, RecordUnavailable) for each in await _told(told, 2))
        log.away = False
        _submit(together, told, b"c")
        number, _events = await log.takes()
        log.answers(number, None)
        assert (await _told(told, 3))[2] is None

    _run(log, work)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda number: receipts_frame(number, Wait.PUBLISHED, [(0, bytes(32))] * 2, ""),
        lambda number: receipts_frame(number, Wait.SEQUENCED, [(0, bytes(32))], ""),
        lambda number: receipts_frame(number, Wait.SEQUENCED, [(2**64 - 1, bytes(32))] * 2, ""),
        lambda number: receipts_frame(number, Wait.SEQUENCED, [(0, bytes(32))] * 2, "")[:-1] + b"]",
        lambda _: frame(Frame.RECEIPT, bytes(45)),
    ],
)
def test_an_answer_that_says_something_else_records_nothing(wrong: Callable[[int], bytes]) -> None:
    log = Log()

    async def work(together: Together, told: Told) -> None:
        _submit(together, told, b"a", b"b")
        for _ in range(2):
            number, _events = await log.takes()
            log.ends[-1].sendall(wrong(number))
            await _until(partial(_reopened_or_told, log, told, len(log.ends)))
            if _PENDING not in told.values():
                break
        assert all(isinstance(each, RecordUnavailable) for each in await _told(told, 2))

    _run(log, work)


def test_an_answer_nobody_asked_for_changes_nothing() -> None:
    log = Log()

    async def work(together: Together, told: Told) -> None:
        _submit(together, told, b"a")
        number, _events = await log.takes()
        log.answers(number + 1, BadEvent(why="of another"))
        log.answers(number, None)
        assert await _told(told, 1) == [None]

    _run(log, work)


def test_what_nobody_could_send_in_time_is_not_sent_late() -> None:
    log, now = Log(), [0.0]

    async def work(together: Together, told: Told) -> None:
        _submit(together, told, b"a")
        number, _events = await log.takes()
        _submit(together, told, b"late")
        now[0] = 6.0
        log.answers(number, None)
        first, second = await _told(told, 2)
        assert first is None
        assert isinstance(second, RecordUnavailable)

    _run(log, work, monotonic=lambda: now[0])


def test_a_log_that_does_not_answer_is_not_waited_for_and_heard_no_more() -> None:
    log = Log()

    async def work(together: Together, told: Told) -> None:
        _submit(together, told, b"a")
        number, _events = await log.takes()
        assert isinstance((await _told(told, 1))[0], RecordUnavailable)
        log.answers(number, None)
        _submit(together, told, b"b")
        later, events = await log.takes()
        assert (events, later != number) == ([b"b"], True)
        log.answers(later, None)
        assert [type(each) for each in await _told(told, 2)] == [RecordUnavailable, type(None)]

    _run(log, work, patience=2.0)


def test_somebody_whose_answer_breaks_keeps_it_from_nobody_else() -> None:
    log = Log()

    def breaks(_: TallygateError | None) -> None:
        raise ValueError

    async def work(together: Together, told: Told) -> None:
        together.submit(b"a", breaks)
        _submit(together, told, b"b")
        number, _events = await log.takes()
        log.answers(number, None, None)
        assert await _told(told, 1) == [None]

    _run(log, work)


def test_after_the_end_nothing_is_recorded() -> None:
    log = Log()

    async def work(together: Together, told: Told) -> None:
        _submit(together, told, b"a")
        await log.takes()
        _submit(together, told, b"b")
        together.stop()
        _submit(together, told, b"c")
        assert all(isinstance(each, RecordUnavailable) for each in await _told(told, 3))

    _run(log, work)
