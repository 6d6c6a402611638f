# SPDX-License-Identifier: Apache-2.0
"""Shares that workers count together: exact among processes, and kept when one dies."""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.service import SharedShares, SharedTable
from gateway.service.shares import SIZE, placed
from tests.fakes.clock import ManualClock


@pytest.fixture
def table(tmp_path: Path) -> Iterator[SharedTable]:
    made = SharedTable(tmp_path / "shares")
    yield made
    made.close()


def _shares(table: SharedTable, clock: ManualClock, *, kind: str = "person", burst: int = 5) -> SharedShares:
    return SharedShares(table, kind=kind, clock=clock, rate=1, burst=burst)


def test_a_share_is_taken_and_comes_back_with_time(table: SharedTable) -> None:
    clock = ManualClock()
    shares = _shares(table, clock)
    assert [shares.take("li") for _ in range(6)] == [True] * 5 + [False]
    assert shares.take("wang"), "another name has its own"
    assert _shares(table, clock, kind="client").take("li"), "and so has a client of the same name"
    clock.advance(timedelta(seconds=2))
    assert [shares.take("li") for _ in range(3)] == [True, True, False]


def test_another_worker_counts_on_and_so_does_one_that_was_restarted(tmp_path: Path) -> None:
    clock = ManualClock()
    one, other = SharedTable(tmp_path / "shares"), SharedTable(tmp_path / "shares")
    assert all(_shares(one, clock).take("li") for _ in range(3))
    one.close()
    assert [_shares(other, clock).take("li") for _ in range(3)] == [True, True, False]
    again = SharedTable(tmp_path / "shares")
    assert not _shares(again, clock).take("li")
    other.close()
    again.close()


def test_processes_and_threads_together_take_exactly_what_there_is(tmp_path: Path) -> None:
    burst, readers = 2000, []
    for _ in range(4):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            taken = _taken(tmp_path / "shares", burst)
            os.write(writing, str(taken).encode())
            os._exit(0)
        os.close(writing)
        readers.append((child, reading))
    counts = []
    for child, reading in readers:
        counts.append(int(os.read(reading, 20)))
        os.close(reading)
        os.waitpid(child, 0)
    assert sum(counts) == burst


def _taken(path: Path, burst: int) -> int:
    """How many a process gets that asks for as many as there are, by two threads."""
    table, counts = SharedTable(path), [0, 0]
    shares = _shares(table, ManualClock(), burst=burst)

    def take(place: int) -> None:
        counts[place] = sum(shares.take("li") for _ in range(burst // 2))

    threads = [threading.Thread(target=take, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def test_a_worker_that_is_killed_while_it_counts_holds_up_nobody(tmp_path: Path, table: SharedTable) -> None:
    number = placed(b"person", "li")[1]
    with table.bucket(number) as start:
        pass
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        mine = SharedTable(tmp_path / "shares")
        held = mine.bucket(number)
        held.__enter__()
        os.write(writing, b"x")
        time.sleep(600)
        os._exit(0)
    assert os.read(reading, 1) == b"x"
    with (tmp_path / "shares").open("r+b") as file, pytest.raises(BlockingIOError):
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, start)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert _shares(table, ManualClock()).take("li")
    os.close(reading)
    os.close(writing)


def test_what_a_death_or_a_stranger_left_counts_against_nobody(tmp_path: Path) -> None:
    (tmp_path / "shares").write_bytes(b"\xff" * SIZE)
    table = SharedTable(tmp_path / "shares")
    shares = _shares(table, ManualClock())
    assert [shares.take("li") for _ in range(6)] == [True] * 5 + [False]
    table.close()


def test_a_full_table_forgets_whoever_has_most_left(table: SharedTable) -> None:
    clock = ManualClock()
    shares = _shares(table, clock)
    while shares.take("li"):
        pass
    bucket = placed(b"person", "li")[1]
    others = [name for number in range(80_000) if placed(b"person", name := f"other-{number}")[1] == bucket]
    assert len(others) > 8
    for name in others:
        shares.take(name)
    assert not shares.take("li")
