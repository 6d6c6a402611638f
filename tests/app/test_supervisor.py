# SPDX-License-Identifier: Apache-2.0
"""The supervisor with small real processes: order, readiness, restart, and nobody left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.processes import Process
from app.supervisor import _WAITS, StartFailed, Supervisor
from app.users import Users
from audit import RecordUnavailable
from core.clock import SystemClock
from core.log import LogSettings

ROOT = Path(__file__).parents[2]
SERVER = """
import os, socket, subprocess, sys, time
child = subprocess.Popen(["sleep", "1000"])
open(sys.argv[1] + ".child", "w").write(str(child.pid))
open(sys.argv[1] + ".order", "a").write("started\\n")
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
time.sleep(1000)
"""


def _process(tmp_path: Path, name: str, code: str = SERVER, *, beside: bool = False) -> Process:
    path = tmp_path / name

    def ready() -> None:
        if not path.exists():
            raise FileNotFoundError(path)

    command = (sys.executable, "-c", code, str(path))
    return Process(name=name, holder=name, command=command, ready=ready, sockets=(path,), beside=beside)


def _supervisor(tmp_path: Path, *processes: Process) -> Supervisor:
    return Supervisor(
        processes, users=Users(separate=False), logs=tmp_path / "logs", settings=LogSettings(), clock=SystemClock()
    )


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"


def _until(condition: Callable[[], bool], seconds: float = 10) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_what_must_be_done_first_is_done_when_all_before_it_are_ready_or_nothing_stays(tmp_path: Path) -> None:
    def refused() -> None:
        assert (tmp_path / "a").exists()
        raise RecordUnavailable

    last = replace(_process(tmp_path, "b"), first=refused)
    supervisor = _supervisor(tmp_path, _process(tmp_path, "a"), last)
    with pytest.raises(RecordUnavailable):
        supervisor.start()
    assert not (tmp_path / "b").exists()
    assert not _alive(int((tmp_path / "a.child").read_text()))


def test_stopping_leaves_no_process_behind(tmp_path: Path) -> None:
    supervisor = _supervisor(tmp_path, _process(tmp_path, "a"), _process(tmp_path, "b"))
    supervisor.start()
    pids = [*supervisor.pids().values(), *(int((tmp_path / f"{n}.child").read_text()) for n in "ab")]
    assert all(map(_alive, pids))
    supervisor.stop()
    _until(lambda: not any(map(_alive, pids)))


def test_what_dies_comes_back_without_its_orphans(tmp_path: Path) -> None:
    supervisor = _supervisor(tmp_path, _process(tmp_path, "a"))
    supervisor.start()
    first = supervisor.pids()["a"]
    orphan = int((tmp_path / "a.child").read_text())
    os.kill(first, signal.SIGKILL)

    def replaced() -> bool:
        supervisor.watch()
        return supervisor.pids()["a"] != first

    _until(replaced)
    _until(lambda: not _alive(orphan))
    _until(lambda: (tmp_path / "a.order").read_text() == "started\nstarted\n")
    supervisor.stop()


def test_a_process_that_never_gets_ready_stops_the_start(tmp_path: Path) -> None:
    good = _process(tmp_path, "good")
    supervisor = _supervisor(tmp_path, good, _process(tmp_path, "bad", "raise SystemExit('no key')"))
    with pytest.raises(StartFailed, match="bad"):
        supervisor.start()
    assert "no key" in (tmp_path / "logs" / "bad.log").read_text()
    _until(lambda: not _alive(int((tmp_path / "good.child").read_text())))


TOLD = """
import os, pathlib, signal, sys, time
path = pathlib.Path(sys.argv[1])
def tell(what):
    with open(path.parent / "told", "a") as told:
        told.write(f"{what} {path.name}\\n")
def leave(*_):
    tell("leaves")
    sys.exit()
signal.signal(signal.SIGTERM, leave)
tell("begins")
"""
READY = (
    TOLD
    + """
tell("is ready")
path.touch()
time.sleep(1000)
"""
)
NEEDS_SECOND = (
    TOLD
    + """
if not (path.parent / "second").exists():
    tell("misses")
    sys.exit("second is not there")
tell("is ready")
path.touch()
time.sleep(1000)
"""
)
NEEDS_THIRD = (
    TOLD
    + """
while not (path.parent / "third").exists():
    time.sleep(0.02)
tell("is ready")
path.touch()
time.sleep(1000)
"""
)


def test_roles_start_and_stop_beside_one_another_and_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.supervisor.os.sched_getaffinity", lambda _: {0, 1})
    supervisor = _supervisor(
        tmp_path,
        _process(tmp_path, "first", READY),
        # Ready only beside the third.
        _process(tmp_path, "second", NEEDS_THIRD, beside=True),
        _process(tmp_path, "third", READY, beside=True),
        _process(tmp_path, "last", READY),
    )
    supervisor.start()
    told = (tmp_path / "told").read_text().splitlines()
    assert told[:2] == ["begins first", "is ready first"]
    assert set(told[2:6]) == {"begins second", "begins third", "is ready second", "is ready third"}
    assert told[6:] == ["begins last", "is ready last"]
    supervisor.stop()
    left = (tmp_path / "told").read_text().splitlines()[8:]
    assert (left[0], set(left[1:3]), left[3]) == ("leaves last", {"leaves second", "leaves third"}, "leaves first")


def test_whoever_dies_for_want_of_one_before_it_is_started_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.supervisor.os.sched_getaffinity", lambda _: {0, 1})
    waits = (
        TOLD + "while (path.parent / 'told').read_text().count('misses third') < 1: time.sleep(0.02)\ntime.sleep(0.3)\n"
    )
    second = _process(tmp_path, "second", waits + READY.removeprefix(TOLD), beside=True)
    supervisor = _supervisor(tmp_path, second, _process(tmp_path, "third", NEEDS_SECOND, beside=True))
    supervisor.start()
    told = (tmp_path / "told").read_text().splitlines()
    assert (told.count("begins second"), told.count("begins third"), told[-1]) == (1, 2, "is ready third")
    supervisor.stop()

    never = _process(tmp_path, "never", TOLD + "sys.exit('no key')", beside=True)
    with pytest.raises(StartFailed, match="never"):
        _supervisor(tmp_path, never, _process(tmp_path, "fourth", READY, beside=True)).start()


def test_a_session_is_ended_before_its_number_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = _supervisor(tmp_path, _process(tmp_path, "a"), _process(tmp_path, "b"))
    supervisor.start()
    first = supervisor.pids()
    looked: list[tuple[int, bool]] = []
    killpg = os.killpg

    def watched(group: int, number: int) -> None:
        # A number that was given back names nobody, or a stranger.
        parent = Path(f"/proc/{group}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[1]
        looked.append((group, int(parent) == os.getpid()))
        killpg(group, number)

    monkeypatch.setattr("app.supervisor.os.killpg", watched)
    os.kill(first["a"], signal.SIGKILL)
    _until(lambda: not _alive(first["a"]))

    def replaced() -> bool:
        supervisor.watch()
        return supervisor.pids()["a"] != first["a"]

    _until(replaced)
    second = supervisor.pids()
    supervisor.stop()
    assert looked == [(first["a"], True), (second["b"], True), (second["a"], True)]
    # Given back they are, all of them.
    assert not any(Path(f"/proc/{pid}").exists() for pid in (*first.values(), *second.values()))


MASTER = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
worker = os.fork()
if not worker:
    open(sys.argv[1] + ".worker", "w").write(str(os.getpid()))
    os.rename(sys.argv[1] + ".worker", sys.argv[1])
time.sleep(1000)
"""
"""Like nginx: a worker that does not notice its master's end; and like a process that hangs, deaf to SIGTERM."""
SUPERVISOR = """
import sys, time
from pathlib import Path
from tests.app.test_supervisor import MASTER, _process, _supervisor
supervisor = _supervisor(Path(sys.argv[1]), *(_process(Path(sys.argv[1]), name, MASTER) for name in ("a", "b", "c")))
supervisor.start()
print(*supervisor.pids().values(), supervisor._warden._handle.pid, flush=True)
while True:
    supervisor.watch()
    time.sleep(0.02)
"""


@contextmanager
def _apart(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[int], int]]:
    """A supervisor to be killed, every process it and they have made, and its warden."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        *leaders, warden = map(int, parent.stdout.readline().split())
        workers = [int((tmp_path / name).read_text("ascii")) for name in ("a", "b", "c")]
        yield parent, [*leaders, *workers], warden


def test_a_killed_supervisor_leaves_nobody_not_even_who_hangs(tmp_path: Path) -> None:
    with _apart(tmp_path) as (parent, pids, warden):
        # One stopped with its worker, one stopped alone, one whose worker is stopped.
        for stopped in (pids[0], pids[3], pids[1], pids[5]):
            os.kill(stopped, signal.SIGSTOP)
        assert all(map(_alive, pids))
        parent.kill()
    _until(lambda: not any(map(_alive, [*pids, warden])))


def test_a_killed_warden_is_replaced_and_told_everything(tmp_path: Path) -> None:
    with _apart(tmp_path) as (parent, pids, warden):
        os.kill(warden, signal.SIGKILL)

        def another() -> list[int]:
            listed = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text("ascii").split()
            return [int(pid) for pid in listed if int(pid) not in pids and int(pid) != warden]

        _until(lambda: bool(another()))
        [second] = another()
        # It was told before it began.
        _until(lambda: _alive(second) and b"app.warden" in Path(f"/proc/{second}/cmdline").read_bytes())
        parent.kill()
    _until(lambda: not any(map(_alive, [*pids, second])))


def test_the_warden_spares_a_stranger_who_got_the_number(tmp_path: Path) -> None:
    stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        # The supervisor knew a process of that number which began at another time.
        told = subprocess.run(
            [sys.executable, "-m", "app.warden"], input=f"+ {stranger.pid} 1\n", text=True, cwd=ROOT, timeout=30
        )
        assert told.returncode == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_process_begins_only_when_the_warden_knows_it(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    # The supervisor died before it could give the word.
    subprocess.run([*_WAITS, "touch", str(begun)], stdin=subprocess.DEVNULL)
    assert not begun.exists()
    subprocess.run([*_WAITS, "touch", str(begun)], input=b"\n", check=True)
    assert begun.exists()


def test_processes_inherit_nothing_from_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "secret")
    code = "import os, sys, time; open(sys.argv[1], 'w').write(repr(dict(os.environ))); time.sleep(1000)"
    supervisor = _supervisor(tmp_path, _process(tmp_path, "a", code))
    supervisor.start()
    _until(lambda: bool((tmp_path / "a").read_text()))
    assert "SOME_TOKEN" not in (tmp_path / "a").read_text()
    supervisor.stop()
