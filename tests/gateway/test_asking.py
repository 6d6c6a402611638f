# SPDX-License-Identifier: Apache-2.0
"""nginx's questions over kept lines: the same answers as over granian, and an end for whatever is no question."""

import asyncio
import base64
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import pytest
import uvloop

from app.workers import WORKERS
from audit import RecordUnavailable, decode_event
from core.calls import PairSecrets
from core.errors import TallygateError
from directory import Person
from gateway.config import ASK
from gateway.web import Asking
from tests.gateway.test_service_decision import hear

from .conftest import SECRET, Gateway, Recorded

NUMBER = "0123456789abcdef" * 2


class Held(Recorded):
    """The way into the record, which the test may hold shut."""

    def __init__(self, unit: Gateway) -> None:
        super().__init__(unit.recorder)
        self.shut = False
        self.held: list[tuple[bytes, Callable[[TallygateError | None], None]]] = []
        self.came = threading.Event()

    def submit(self, event: bytes, told: Callable[[TallygateError | None], None]) -> None:
        if self.shut:
            self.held.append((event, told))
            self.came.set()
        else:
            super().submit(event, told)


class Worker:
    """One worker's loop, in a thread."""

    def __init__(self, unit: Gateway, folder: Path) -> None:
        self.unit, self.held = unit, Held(unit)
        self.loop = uvloop.new_event_loop()
        self._threads = ThreadPoolExecutor(2)
        self.asking = Asking(
            unit.decider,
            PairSecrets({"nginx": SECRET}),
            together=self.held,
            fresh=lambda: not unit.freshness.stale,
            threads=self._threads,
            places=[(folder / name, folder / f"{name}.lock") for name in ASK],
        )
        self.asking.start(self.loop)
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def end(self) -> None:
        asyncio.run_coroutine_threadsafe(self.asking.end(), self.loop).result(timeout=30)

    def stop(self) -> None:
        self.end()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=30)
        self._threads.shutdown()
        self.loop.close()


@pytest.fixture
def folder() -> Path:
    return Path(mkdtemp(dir="/tmp"))


@pytest.fixture
def worker(unit: Gateway, folder: Path) -> Iterator[Worker]:
    worker = Worker(unit, folder)
    yield worker
    worker.stop()


@pytest.fixture
def line(worker: Worker, folder: Path) -> Iterator[socket.socket]:
    assert worker.asking.place == folder / ASK[0]
    with knock(folder / ASK[0]) as line:
        yield line


def knock(path: Path) -> socket.socket:
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(30)
    try:
        line.connect(str(path))
    except OSError:
        line.close()
        raise
    return line


def question(cookie: str = "", *more: str, path: str = "/decide/external", method: str = "GET") -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: tax.city.localhost",
        "Tallygate-Caller: nginx",
        f"Tallygate-Secret: {base64.b64encode(SECRET).decode()}",
        "X-Original-Method: GET",
        "X-Original-Host: tax.city.localhost",
        "X-Client-Address: 203.0.113.7",
        "X-Original-URI: /declaration",
        f"Tallygate-Request: {NUMBER}",
        *([f"Cookie: {cookie}"] if cookie else []),
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def asked(line: socket.socket, content: bytes) -> tuple[int, dict[str, str]]:
    line.sendall(content)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        piece = line.recv(65536)
        assert piece, "the line ended"
        answer += piece
    first, *lines = answer.decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
    return int(first.split()[1]), dict(each.split(": ", 1) for each in lines)


def test_there_is_a_place_for_each_worker() -> None:
    assert len(ASK) == WORKERS["gateway"]


def test_a_line_is_asked_again_and_again_the_long_way_first_and_then_at_once(
    worker: Worker, line: socket.socket
) -> None:
    cookie = worker.unit.open_session()
    for turn in range(4):
        status, headers = asked(line, question(cookie))
        event = worker.unit.recorder.events[-1]
        assert (status, headers["Tallygate-Decision"], event.decision) == (204, event.key, event.key)
        assert headers["Tallygate-Identity"]
        assert "Content-Length" not in headers
        assert event.attributes["request"] == NUMBER
        assert len(worker.unit.recorder.events) == turn + 1
    one, *others = worker.unit.recorder.events
    # However it was decided and written, it says the same.
    assert all(
        (one.attributes, one.sealed, one.policy) == (each.attributes, each.sealed, each.policy) for each in others
    )
    status, headers = asked(line, question())
    assert (status, headers["Content-Length"], headers["Tallygate-Reason"]) == (401, "0", "login")


def test_who_is_not_in_memory_is_read_beside_the_loop_and_recorded_with_all_others(
    worker: Worker, line: socket.socket
) -> None:
    unit, cookie = worker.unit, worker.unit.open_session()
    worker.held.shut = True
    line.sendall(question(cookie))
    assert worker.held.came.wait(30)
    assert unit.directory.asked == 1
    # Nothing went into the record by another way, and nothing is told before it is there.
    assert unit.recorder.events == []
    line.settimeout(0)
    with pytest.raises(BlockingIOError):
        line.recv(1)
    line.settimeout(30)
    [(event, told)] = worker.held.held
    worker.loop.call_soon_threadsafe(told, None)
    answer = line.recv(65536)
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert decode_event(event).key.encode() in answer


def test_whom_the_directory_does_not_know_is_refused_and_recorded_once(worker: Worker, line: socket.socket) -> None:
    unit, cookie = worker.unit, worker.unit.open_session()
    known = dict(unit.directory.people)
    unit.directory.people.clear()
    status, headers = asked(line, question(cookie))
    assert (status, headers["Tallygate-Reason"]) == (403, "disabled")
    assert [event.attributes["reason"] for event in unit.recorder.events] == ["disabled"]
    unit.directory.people.update(known)
    assert asked(line, question(cookie))[0] == 204


def test_what_is_taken_away_while_somebody_is_read_counts(worker: Worker, line: socket.socket) -> None:
    unit, cookie = worker.unit, worker.unit.open_session()
    asks, goes, person = threading.Event(), threading.Event(), unit.directory.person

    def slow(subject: str) -> Person:
        asks.set()
        assert goes.wait(30)
        return person(subject)

    unit.directory.person = slow  # type: ignore[method-assign]  # the same directory, which takes its time
    line.sendall(question(cookie))
    assert asks.wait(30)
    hear(unit, "sso.session.ended", index=9, session="sid-1")
    goes.set()
    answer = line.recv(65536)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"Tallygate-Identity" not in answer
    assert [event.attributes["reason"] for event in unit.recorder.events] == ["login"]


def test_nothing_is_told_before_it_is_recorded_and_nothing_without_a_record(
    worker: Worker, line: socket.socket
) -> None:
    cookie = worker.unit.open_session()
    asked(line, question(cookie))
    worker.held.shut = True
    line.sendall(question(cookie))
    assert worker.held.came.wait(30)
    line.settimeout(0)
    with pytest.raises(BlockingIOError):
        line.recv(1)
    line.settimeout(30)
    worker.held.shut = False
    [(_event, told)] = worker.held.held
    worker.loop.call_soon_threadsafe(told, RecordUnavailable())
    answer = line.recv(65536)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"record-unavailable" in answer
    assert b"Tallygate-Identity" not in answer


@pytest.mark.parametrize(
    "content",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\r\n\r\n",
        question(path="/decide/external x"),
        question().replace(b"HTTP/1.1", b"HTTP/1.0"),
        # A body, however it is announced, would be the beginning of another question.
        question("", "Content-Length: 5"),
        question("", "Transfer-Encoding: chunked"),
        question("", "content-length: 0"),
        # Two questions at once: the second may be somebody else's, smuggled.
        question() * 2,
        question() + b"G",
        question("", "No colon"),
        question("", "Bad name: x"),
        question("", " folded: x"),
        question("", "X_Original_Method: GET"),
        b"x" * 70_000,
    ],
)
def test_what_is_no_question_ends_the_line_and_is_not_decided(
    worker: Worker, line: socket.socket, content: bytes
) -> None:
    line.sendall(content)
    # Whatever was not read by then makes the end a reset.
    with suppress(ConnectionResetError):
        assert line.recv(65536) == b""
    assert worker.unit.recorder.events == []


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("X-Original-Host: office.city.localhost",), "unknown-host"),
        (("Forwarded: host=office",), "forwarded"),
        (("X-Forwarded-Host: office.city.localhost",), "forwarded"),
        (("X-Client-Address: 10.0.0.1",), "forwarded"),
    ],
)
def test_a_second_reading_of_a_header_is_refused(
    worker: Worker, line: socket.socket, more: tuple[str, ...], reason: str
) -> None:
    cookie = worker.unit.open_session()
    asked(line, question(cookie))
    status, headers = asked(line, question(cookie, *more))
    assert (status, headers["Tallygate-Reason"]) == (403, reason)
    assert headers["Tallygate-Decision"] == worker.unit.recorder.events[-1].key
    assert asked(line, question(cookie, f"Cookie: {cookie}"))[1]["Tallygate-Reason"] == "ambiguous-credential"


def test_a_stranger_is_told_nothing_and_nothing_is_recorded(worker: Worker, line: socket.socket) -> None:
    wrong = question().replace(base64.b64encode(SECRET), base64.b64encode(b"x" * 32))
    assert asked(line, wrong) == (
        403,
        {"Content-Length": "0", "Tallygate-Decision": "", "Tallygate-Reason": "unavailable"},
    )
    assert asked(line, question(method="POST"))[0] == 403
    assert worker.unit.recorder.events == []


def test_a_second_worker_has_a_place_of_its_own_and_a_third_waits_for_one(
    unit: Gateway, worker: Worker, folder: Path
) -> None:
    second = Worker(unit, folder)
    third = Worker(unit, folder)
    try:
        for name in ASK:
            with knock(folder / name) as line:
                assert asked(line, question())[0] == 401
        assert third.asking.place is None
        assert {worker.asking.place, second.asking.place} == {folder / name for name in ASK}
    finally:
        third.stop()
        second.stop()


def test_a_worker_that_ends_answers_what_was_asked_and_takes_no_more(
    worker: Worker, line: socket.socket, folder: Path
) -> None:
    cookie = worker.unit.open_session()
    asked(line, question(cookie))
    worker.held.shut = True
    line.sendall(question(cookie))
    assert worker.held.came.wait(30)
    ending = threading.Thread(target=worker.end)
    ending.start()
    [(event, told)] = worker.held.held
    worker.held.shut = False
    worker.loop.call_soon_threadsafe(worker.held.submit, event, told)
    assert line.recv(65536).startswith(b"HTTP/1.1 204 ")
    assert line.recv(1) == b""
    ending.join(timeout=30)
    with pytest.raises(OSError, match="refused"):
        knock(folder / ASK[0])
