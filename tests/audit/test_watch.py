# SPDX-License-Identifier: Apache-2.0
"""Duties are done again and again, each for itself; their standing outlives the process and is told to who connects."""

import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest

from audit.errors import RecordUnavailable
from audit.watch import Duty, Standing, Stopped, Watch
from core.clock import SystemClock
from tests.fakes.clock import ManualClock

SOON = timedelta(milliseconds=1)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Near the root: the path of a socket is short."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tgw-") as made:
        yield Path(made)


class Running:
    """A watch in a thread."""

    def __init__(self, folder: Path, *duties: Duty, clock: ManualClock | None = None) -> None:
        self.path = folder / "watch"
        self.watch = Watch(duties, folder=folder, clock=clock or SystemClock())
        self.thread = threading.Thread(target=self.watch.run, args=(self.path,))

    def __enter__(self) -> Self:
        self.thread.start()
        _until(self.path.exists)
        return self

    def __exit__(self, *_: object) -> None:
        self.watch.stop()
        self.thread.join(timeout=10)
        assert not self.thread.is_alive()

    def told(self) -> dict[str, dict[str, str]]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.connect(str(self.path))
            told: dict[str, dict[str, str]] = json.loads(b"".join(iter(lambda: line.recv(4096), b"")))
            return told


def _until(met: Callable[[], bool]) -> None:
    limit = time.monotonic() + 10
    while not met():
        assert time.monotonic() < limit
        time.sleep(0.005)


def test_a_duty_that_fails_is_tried_again_and_holds_up_nobody(folder: Path) -> None:
    tried: list[str] = []

    def fails(_stopped: Stopped) -> None:
        tried.append("fails")
        if tried.count("fails") < 3:
            raise RecordUnavailable

    duties = (
        Duty(name="fails", every=SOON, act=fails),
        Duty(name="works", every=SOON, act=lambda _: tried.append("works")),
    )
    with Running(folder, *duties):
        _until(lambda: tried.count("works") > 5 and tried.count("fails") > 5)


def test_a_duty_that_yields_stands_behind_the_others_in_its_thread_alone(folder: Path) -> None:
    seen: dict[str, int] = {}

    def look(name: str) -> Callable[[Stopped], None]:
        def act(_stopped: Stopped) -> None:
            seen[name] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

        return act

    quick = Duty(name="quick", every=SOON, act=look("quick"))
    with Running(folder, quick, Duty(name="slow", every=SOON, act=look("slow"), yields=3)):
        _until(lambda: len(seen) == 2)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert seen == {"quick": own, "slow": min(own + 3, 19)}


def test_a_daily_round_that_failed_is_due_within_the_hour(folder: Path) -> None:
    def fails(_stopped: Stopped) -> None:
        raise OSError

    clock = ManualClock()
    with Running(folder, Duty(name="daily", every=timedelta(days=1), act=fails), clock=clock) as running:
        _until(lambda: bool(running.told()["daily"]["why"]))
        assert running.told()["daily"]["due"] == (clock.now() + timedelta(hours=1)).isoformat()


def test_whoever_connects_hears_what_failed_and_why(folder: Path) -> None:
    def fails(_stopped: Stopped) -> None:
        raise RecordUnavailable

    with Running(folder, Duty(name="fails", every=timedelta(hours=1), act=fails)) as running:
        _until(lambda: running.told()["fails"]["why"] == RecordUnavailable.code)
        told = running.told()["fails"]
        assert told["failed"]
        assert not told["done"]
    # The file says the same, for the console and the doctor.
    assert Standing.read(folder)["fails"].why == RecordUnavailable.code


def test_what_was_done_is_not_done_again_before_it_is_due(folder: Path) -> None:
    clock, days = ManualClock(), list[int]()
    daily = Duty(name="daily", every=timedelta(days=1), act=lambda _: days.append(1))
    with Running(folder, daily, clock=clock):
        _until(lambda: len(days) == 1)
        _until(lambda: bool(Standing.read(folder)))
    with Running(folder, daily, clock=clock):
        time.sleep(0.1)
    assert len(days) == 1
    clock.advance(timedelta(days=1))
    with Running(folder, daily, clock=clock):
        _until(lambda: len(days) == 2)


def test_a_round_that_failed_is_due_at_the_next_start(folder: Path) -> None:
    rounds = list[int]()

    def fails(_stopped: Stopped) -> None:
        rounds.append(1)
        raise OSError

    daily = Duty(name="daily", every=timedelta(days=1), act=fails)
    with Running(folder, daily):
        _until(lambda: bool(Standing.read(folder)))
    with Running(folder, daily):
        _until(lambda: len(rounds) == 2)


def test_a_long_round_hears_that_the_process_ends(folder: Path) -> None:
    begun = threading.Event()

    def long(stopped: Stopped) -> None:
        begun.set()
        stopped.wait(timedelta(minutes=5))

    with Running(folder, Duty(name="long", every=SOON, act=long)):
        assert begun.wait(10)


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": {"unknown": ""}}', "\xff"])
def test_a_damaged_file_of_standings_counts_as_none(folder: Path, content: str) -> None:
    (folder / "watch.json").write_text(content, "latin-1")
    assert Standing.read(folder) == {}
