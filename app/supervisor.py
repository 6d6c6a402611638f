# SPDX-License-Identifier: Apache-2.0
"""Start the processes of a site in order, bring back what dies, and leave nothing behind.

Each process leads a session of its own and gets SIGTERM from the kernel if the supervisor itself is killed (setpriv
--pdeathsig). States of a process: starting (not ready yet), up, waiting (died; comes back after its back-off).
A process that dies takes its whole session with it before it is started again, because a granian worker outlives a
killed main process and would go on serving on the old socket.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from core.errors import N_, Unavailable
from core.log import logger

from .processes import Process, clean_environment, is_up
from .users import GROUP, Users

START_LIMIT = 60.0
"""Seconds a process may take until it is ready at the first start."""
STOP_LIMIT = 15.0
"""Seconds between SIGTERM and SIGKILL."""
BACK_OFF = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds to wait before the n-th restart in a row; the last one repeats."""
STEADY = 30.0
"""Seconds up after which earlier deaths are forgotten."""

_log = logger(__name__)


class StartFailed(Unavailable):
    """A process was not ready in time."""

    code = "start_failed"
    message = N_("%(process)s did not become ready; see %(log)s")


@dataclass
class _Running:
    process: Process
    handle: subprocess.Popen[bytes]
    since: float
    deaths: int = 0
    due: float = 0.0

    @property
    def alive(self) -> bool:
        return self.handle.poll() is None


class Supervisor:
    """Runs until asked to stop; used from the main thread only (the kernel ties --pdeathsig to the thread)."""

    def __init__(self, processes: Sequence[Process], *, users: Users, logs: Path) -> None:
        self._processes = processes
        self._users = users
        self._logs = logs
        self._running: list[_Running] = []
        self._stopping = False

    def start(self) -> None:
        """Start everything in order.

        Raises:
            StartFailed: one was not ready in time; those already started have been stopped.
        """
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        for process in self._processes:
            running = self._spawn(process)
            self._running.append(running)
            if not self._wait(running):
                self.stop()
                raise StartFailed(process=process.name, log=str(self._log_of(process)))
            if self._stopping:
                return

    def run(self, tick: Callable[[], None] = lambda: None) -> None:
        """Watch until SIGINT or SIGTERM, then stop everything."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask_to_stop)
        try:
            while not self._stopping:
                self.watch()
                tick()
                time.sleep(0.1)
        finally:
            self.stop()

    def watch(self) -> None:
        """Look once at every process and restart what is due."""
        now = time.monotonic()
        for running in self._running:
            if running.alive:
                if running.deaths and now - running.since > STEADY:
                    running.deaths = 0
            elif not running.due:
                running.due = now + BACK_OFF[min(running.deaths, len(BACK_OFF) - 1)]
                running.deaths += 1
                _end_session(running.handle.pid, signal.SIGKILL)
                _log.warning("process_died", process=running.process.name, code=running.handle.returncode)
            elif now >= running.due:
                fresh = self._spawn(running.process)
                running.handle, running.since, running.due = fresh.handle, now, 0.0
                _log.info("process_restarted", process=running.process.name)

    def stop(self) -> None:
        """End every process in reverse order; what does not leave in time is killed."""
        self._stopping = True
        for running in reversed(self._running):
            if running.alive:
                running.handle.terminate()
            limit = time.monotonic() + STOP_LIMIT
            while running.alive and time.monotonic() < limit:
                time.sleep(0.02)
            _end_session(running.handle.pid, signal.SIGKILL)
            running.handle.wait()
        self._running.clear()

    def pids(self) -> dict[str, int]:
        """Process ids by name, for tests and ``doctor``."""
        return {running.process.name: running.handle.pid for running in self._running}

    def _spawn(self, process: Process) -> _Running:
        for path in process.sockets:
            path.unlink(missing_ok=True)
        user = self._users.of(process.holder)
        log = self._log_of(process).open("ab")
        try:
            handle = subprocess.Popen(
                ("setpriv", "--pdeathsig", "TERM", "--", *process.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment(process),
                cwd="/",
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=[GROUP] if user else None,
                umask=0o007 if user else 0o077,
            )
        finally:
            log.close()
        return _Running(process, handle, since=time.monotonic())

    def _wait(self, running: _Running) -> bool:
        limit = time.monotonic() + START_LIMIT
        while time.monotonic() < limit and not self._stopping:
            if is_up(running.process):
                return True
            if not running.alive:
                return False
            time.sleep(0.05)
        return self._stopping

    def _log_of(self, process: Process) -> Path:
        return self._logs / f"{process.name}.log"

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True


def _end_session(leader: int, number: signal.Signals) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return
