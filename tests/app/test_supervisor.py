# SPDX-License-Identifier: Apache-2.0
"""The supervisor with small real processes: order, readiness, restart, and nobody left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.processes import Process
from app.supervisor import StartFailed, Supervisor
from app.users import Users

ROOT = Path(__file__).parents[2]
SERVER = """
import os, socket, subprocess, sys, time
child = subprocess.Popen(["sleep", "1000"])
open(sys.argv[1] + ".child", "w").write(str(child.pid))
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
open(sys.argv[1] + ".order", "a").write("started\\n")
time.sleep(1000)
"""


def _process(tmp_path: Path, name: str, code: str = SERVER) -> Process:
    path = tmp_path / name

    def ready() -> None:
        if not path.exists():
            raise FileNotFoundError(path)

    return Process(
        name=name, holder=name, command=(sys.executable, "-c", code, str(path)), ready=ready, sockets=(path,)
    )


def _supervisor(tmp_path: Path, *processes: Process) -> Supervisor:
    return Supervisor(processes, users=Users(separate=False), logs=tmp_path / "logs")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[0]
    return state != "Z"


def _until(condition: Callable[[], bool], seconds: float = 10) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


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


def test_a_killed_supervisor_takes_its_processes_along(tmp_path: Path) -> None:
    script = (
        "import sys, time\nsys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\nfrom tests.app.test_supervisor import _process, _supervisor\n"
        "tmp = Path(sys.argv[2])\nsupervisor = _supervisor(tmp, _process(tmp, 'a', 'import time, sys; "
        'open(sys.argv[1], "w"); time.sleep(1000)\'))\n'
        "supervisor.start()\nprint(supervisor.pids()['a'], flush=True)\ntime.sleep(1000)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(ROOT), str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    _until(lambda: not _alive(pid))


def test_processes_inherit_nothing_from_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "secret")
    code = "import os, sys, time; open(sys.argv[1], 'w').write(repr(dict(os.environ))); time.sleep(1000)"
    supervisor = _supervisor(tmp_path, _process(tmp_path, "a", code))
    supervisor.start()
    _until(lambda: bool((tmp_path / "a").read_text()))
    assert "SOME_TOKEN" not in (tmp_path / "a").read_text()
    supervisor.stop()
