# SPDX-License-Identifier: Apache-2.0
"""Writers take turns: in order, across processes, past dead ones. Two ``Turn`` of one file are as two processes."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from core.db import Database, DatabaseUnavailable
from core.db.turn import Turn, TurnMissed

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
_WRITER = """
import sys, threading
from sqlalchemy import text
from core.db import Database
database = Database.open(sys.argv[1])
def write(number):
    for _ in range(int(sys.argv[2])):
        with database.transaction() as connection:
            seen = connection.execute(text("SELECT n FROM counter")).scalar_one()
            connection.execute(text("UPDATE counter SET n = :n"), {"n": seen + 1})
threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
_HOLDER = """
import sys, time
from core.db import Database
with Database.open(sys.argv[1]).transaction() as connection:
    connection.exec_driver_sql("UPDATE counter SET n = 1000")
    print("held", flush=True)
    time.sleep(600)
"""


def _python(code: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _ended(process: "subprocess.Popen[str]") -> int:
    process.communicate(timeout=120)
    return process.returncode


def _until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.002)


@pytest.fixture
def url(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path}/t.db"
    database = Database.open(address)
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE counter (n INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))
    database.close()
    return address


def _counted(url: str) -> int:
    database = Database.open(url)
    with database.reading() as connection:
        found = int(connection.execute(text("SELECT n FROM counter")).scalar_one())
    database.close()
    return found


def test_many_threads_of_many_processes_lose_nothing_and_none_fails(url: str) -> None:
    writers = [_python(_WRITER, url, "25") for _ in range(3)]
    assert [_ended(writer) for writer in writers] == [0, 0, 0]
    assert _counted(url) == 3 * 4 * 25


def test_a_killed_holder_blocks_nobody_and_leaves_nothing(url: str) -> None:
    holder = _python(_HOLDER, url)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    database, done = Database.open(url), threading.Event()

    def write() -> None:
        with database.transaction() as connection:
            connection.execute(text("UPDATE counter SET n = n + 1"))
        done.set()

    waiting = threading.Thread(target=write)
    waiting.start()
    assert not done.wait(0.2)
    os.kill(holder.pid, signal.SIGKILL)
    waiting.join(timeout=60)
    assert _ended(holder) == -signal.SIGKILL
    database.close()
    assert _counted(url) == 1


def test_threads_are_served_in_the_order_they_came(tmp_path: Path) -> None:
    turn, served = Turn(tmp_path / "t.db", patience=PATIENCE), []

    def serve(number: int) -> None:
        with turn.mine():
            served.append(number)

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(6)]
    with turn.mine():
        for number, thread in enumerate(threads):
            thread.start()
            _until(lambda: len(turn._waiting) > number)  # noqa: B023 - it is called before the loop goes on
    for thread in threads:
        thread.join()
    assert served == [0, 1, 2, 3, 4, 5]


def test_who_has_just_written_does_not_pass_a_process_that_waits(tmp_path: Path) -> None:
    here, there = (Turn(tmp_path / "t.db", patience=PATIENCE, slice_=0.0) for _ in range(2))
    served: list[str] = []

    def serve(name: str, turn: Turn) -> None:
        with turn.mine():
            served.append(name)

    again = threading.Thread(target=serve, args=("here", here))
    other = threading.Thread(target=serve, args=("there", there))
    with here.mine():
        other.start()
        # At the gate, and no further.
        _until(lambda: there._files._wanted)
        _until(lambda: _is_locked(tmp_path / "t.db-gate"))
        again.start()
        _until(lambda: here._waiting)
    again.join()
    other.join()
    assert served == ["there", "here"]


def test_within_its_slice_a_process_serves_its_own_first(tmp_path: Path) -> None:
    here, there = (Turn(tmp_path / "t.db", patience=PATIENCE, slice_=PATIENCE) for _ in range(2))
    served: list[str] = []

    def serve(name: str, turn: Turn) -> None:
        with turn.mine():
            served.append(name)

    again = threading.Thread(target=serve, args=("here", here))
    other = threading.Thread(target=serve, args=("there", there))
    with here.mine():
        other.start()
        _until(lambda: _is_locked(tmp_path / "t.db-gate"))
        again.start()
        _until(lambda: here._waiting)
    again.join()
    other.join()
    assert served == ["here", "there"]


def test_who_waits_for_too_long_gives_up_and_takes_nobodys_place(tmp_path: Path) -> None:
    here, there = Turn(tmp_path / "t.db", patience=PATIENCE), Turn(tmp_path / "t.db", patience=0.05)
    with here.mine():
        with pytest.raises(TurnMissed), there.mine():
            pass
        # The second finds the first one's helper still at the gate.
        with pytest.raises(TurnMissed), there.mine():
            pass
    # Late, the turn came: it is given back, or taken by whoever wants it now.
    late = Turn(tmp_path / "t.db", patience=PATIENCE)
    with late.mine():
        pass
    _until(lambda: there._files._helper is None)
    with there.mine():
        pass
    with here.mine():
        pass


def test_a_thread_that_gives_up_leaves_the_queue_whole(tmp_path: Path) -> None:
    turn = Turn(tmp_path / "t.db", patience=0.05)
    missed = []

    def miss() -> None:
        try:
            with turn.mine():
                pass
        except TurnMissed:
            missed.append(True)

    with turn.mine():
        threads = [threading.Thread(target=miss) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert missed == [True] * 3
    with turn.mine():
        pass


def test_what_happens_within_a_turn_ends_it(tmp_path: Path) -> None:
    turn = Turn(tmp_path / "t.db", patience=1.0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), turn.mine():
            raise ZeroDivisionError
    with Turn(tmp_path / "t.db", patience=1.0).mine():
        pass


def test_a_database_whose_turn_does_not_come_is_unavailable(url: str, tmp_path: Path) -> None:
    database = Database.open(url)
    assert database._turn is not None
    database._turn._patience = 0.05
    with (
        Turn(tmp_path / "t.db", patience=1.0).mine(),
        pytest.raises(DatabaseUnavailable),
        database.transaction(),
    ):
        pass
    database.close()


def test_a_lock_file_is_never_a_link(url: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    for path in tmp_path.glob("*-gate"):
        path.unlink()
    (tmp_path / "t.db-gate").symlink_to(elsewhere)
    database = Database.open(url)
    with pytest.raises(DatabaseUnavailable), database.transaction():
        pass
    database.close()
    assert not elsewhere.exists()


def _is_locked(path: Path) -> bool:
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
