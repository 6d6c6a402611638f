# SPDX-License-Identifier: Apache-2.0
"""Start the processes of a site in order, bring back what dies, and leave nothing behind.

What loads much may start beside its like, as many at once as there are processors; one that dies then, perhaps for
want of another before it, is started once more when all before it are ready.

States of a process: starting (not ready yet), up, waiting (died; comes back after its back-off). Each leads a session
of its own. A process that dies takes its whole session with it before it is started again, because a granian worker
outlives a killed main process and would go on serving on the old socket.

If the supervisor itself is killed, nobody of the site may go on without it, and none may be asked: a process that hangs
or is stopped hears no SIGTERM. So the kernel kills each process by SIGKILL (setpriv --pdeathsig), and the warden kills
what these have made, workers of nginx say (`app.warden`). A process begins its work only when the warden knows it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from types import FrameType

from core.clock import Clock
from core.errors import N_, TallygateError, Unavailable
from core.log import LogSettings, logger

from . import warden
from .logs import Listener, LogFile, OwnLogs
from .processes import CODE, PATH, Process, clean_environment, is_up
from .users import GROUP, Users

START_LIMIT = 60.0
"""Seconds within which the next process must be ready at the first start."""
STOP_LIMIT = 15.0
"""Seconds between SIGTERM and SIGKILL."""
BACK_OFF = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds to wait before the n-th restart in a row; the last one repeats."""
STEADY = 30.0
"""Seconds up after which earlier deaths are forgotten."""
LOGS_EVERY = 1.0
"""Seconds between two looks at the logs."""
_WAITS = ("/bin/sh", "-c", 'read -r go && exec "$@" </dev/null', "sh")
"""Becomes the command when a line comes; if the supervisor dies before that, none comes, and this ends by itself."""

_log = logger(__name__)


class StartFailed(Unavailable):
    """A process was not ready in time."""

    code = "start_failed"
    message = N_("%(process)s did not become ready; see %(log)s")


@dataclass
class _Running:
    process: Process
    file: LogFile
    own_logs: OwnLogs
    handle: subprocess.Popen[bytes]
    listener: Listener
    since: float
    # Started before all before it were ready.
    hurried: bool = False
    deaths: int = 0
    due: float = 0.0

    @property
    def alive(self) -> bool:
        # It is only looked at, not reaped: until it is, nobody else gets its number, and its session can be ended.
        # Popen.poll, send_signal and terminate would reap it.
        look = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return self.handle.returncode is None and os.waitid(os.P_PID, self.handle.pid, look) is None


class Supervisor:
    """Runs until asked to stop; used from the main thread only (the kernel ties --pdeathsig to the thread)."""

    def __init__(
        self, processes: Sequence[Process], *, users: Users, logs: Path, settings: LogSettings, clock: Clock
    ) -> None:
        self._processes = processes
        self._users = users
        self._logs = logs
        self._settings = settings
        self._clock = clock
        self._running: list[_Running] = []
        self._warden = _Warden()
        self._stopping = False

    def start(self) -> None:
        """Start everything in order.

        Raises:
            StartFailed: one was not ready in time; those already started have been stopped.
            TallygateError: what had to be done first for one could not be; as above.
        """
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._warden.start()
        starting: list[_Running] = []
        at_once = len(os.sched_getaffinity(0))
        for process in self._processes:
            self._await(starting, most=at_once - 1 if process.beside else 0)
            if self._stopping:
                return
            running = self._first(process)
            running.hurried = bool(starting)
            self._running.append(running)
            starting.append(running)
            if not process.beside:
                self._await(starting)
        self._await(starting)

    def run(self, tick: Callable[[], None] = lambda: None) -> None:
        """Watch until SIGINT or SIGTERM, then stop everything."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask_to_stop)
        looked = time.monotonic()
        try:
            while not self._stopping:
                self.watch()
                if time.monotonic() - looked > LOGS_EVERY:
                    self.turn_logs()
                    looked = time.monotonic()
                tick()
                time.sleep(0.1)
        finally:
            self.stop()

    def watch(self) -> None:
        """Look once at every process and restart what is due."""
        now = time.monotonic()
        if not self._warden.alive:
            self._warden.start()
            _log.warning("warden_restarted")
        for running in self._running:
            if running.alive:
                if running.deaths and now - running.since > STEADY:
                    running.deaths = 0
            elif not running.due:
                running.due = now + BACK_OFF[min(running.deaths, len(BACK_OFF) - 1)]
                running.deaths += 1
                code = self._end(running)
                _log.warning("process_died", process=running.process.name, code=code)
            elif now >= running.due:
                running.handle, running.listener = self._spawn(running.process, running.file)
                running.since, running.due = now, 0.0
                _log.info("process_restarted", process=running.process.name)

    def turn_logs(self) -> None:
        """Begin a new file where one is full or of yesterday."""
        for running in self._running:
            running.file.turn()
            # What is not ready might not know the signal yet, and die of it; it opens its files when it starts.
            if running.own_logs.due() and running.alive and is_up(running.process):
                try:
                    running.own_logs.put_aside()
                except OSError as error:
                    _log.warning("log_not_put_aside", process=running.process.name, error=str(error))
                os.kill(running.handle.pid, signal.SIGUSR1)

    def stop(self) -> None:
        """End every process in reverse order, roles together; what does not leave in time is killed."""
        self._stopping = True
        leaving = self._running[::-1]
        while leaving:
            together = list(takewhile(lambda running: running.process.beside, leaving)) or leaving[:1]
            del leaving[: len(together)]
            self._part(together)
        self._running.clear()
        self._warden.stop()

    def _part(self, leaving: Sequence[_Running]) -> None:
        for running in leaving:
            if running.alive:
                os.kill(running.handle.pid, signal.SIGTERM)
        limit = time.monotonic() + STOP_LIMIT
        for running in leaving:
            while running.alive and time.monotonic() < limit:
                time.sleep(0.02)
            self._end(running)
            running.listener.last_words()
            running.file.close()

    def pids(self) -> dict[str, int]:
        """Process ids by name, for tests and ``doctor``."""
        return {running.process.name: running.handle.pid for running in self._running}

    def _first(self, process: Process) -> _Running:
        file = LogFile(self._logs / f"{process.name}.log", settings=self._settings, clock=self._clock)
        own = OwnLogs(process.own_logs, settings=self._settings, clock=self._clock)
        try:
            process.first()
        except TallygateError:
            self.stop()
            raise
        handle, listener = self._spawn(process, file)
        return _Running(process, file, own, handle, listener, since=time.monotonic())

    def _spawn(self, process: Process, file: LogFile) -> tuple[subprocess.Popen[bytes], Listener]:
        for path in process.sockets:
            path.unlink(missing_ok=True)
        user = self._users.of(process.holder)
        listener = Listener(file)
        try:
            handle = subprocess.Popen(
                ("setpriv", "--pdeathsig", "KILL", "--", *_WAITS, *process.command),
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=listener.writing,
                stderr=listener.writing,
                env=clean_environment(process),
                cwd="/",
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=[GROUP] if user else None,
                umask=0o007 if user else 0o077,
            )
        finally:
            listener.handed_over()
        self._warden.add(handle.pid)
        _tell(handle, b"\n")
        _close(handle)
        return handle, listener

    def _end(self, running: _Running) -> int:
        """Kill a session, then reap its leader, whose number could be another's after that; returns its exit code."""
        if running.handle.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(running.handle.pid, signal.SIGKILL)
            running.handle.wait()
            self._warden.remove(running.handle.pid)
        return int(running.handle.returncode)

    def _await(self, starting: list[_Running], *, most: int = 0) -> None:
        """Wait until no more than so many are starting; whoever is ready leaves the list."""
        limit = time.monotonic() + START_LIMIT
        while len(starting) > most and not self._stopping:
            still = [running for running in starting if not is_up(running.process)]
            first = next(iter(still), None)
            again = first is not None and first.hurried and not first.alive
            if first is not None and again:
                self._end(first)
                first.handle, first.listener = self._spawn(first.process, first.file)
                first.hurried = False
            if again or len(still) < len(starting):
                limit = time.monotonic() + START_LIMIT
            elif first is not None and (not first.alive or time.monotonic() > limit):
                self.stop()
                raise StartFailed(process=first.process.name, log=str(first.file.path))
            starting[:] = still
            if len(starting) > most:
                time.sleep(0.05)

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True


class _Warden:
    """The supervisor's end of the line to the warden."""

    def __init__(self) -> None:
        self._handle: subprocess.Popen[bytes] | None = None
        self._line: int | None = None
        self._sessions: dict[int, str] = {}

    @property
    def alive(self) -> bool:
        return self._handle is not None and self._handle.poll() is None

    def start(self) -> None:
        """Start one, or another in the place of one that died.

        What it must know lies in its line before it begins, so that there is no moment in which it knows less.
        """
        self.stop()
        reading, self._line = os.pipe()
        try:
            for session, began in self._sessions.items():
                self._say(b"+ %d %s\n" % (session, began.encode()))
            self._handle = subprocess.Popen(
                (sys.executable, "-m", "app.warden"),
                stdin=reading,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": PATH, "LANG": "C.UTF-8", "PYTHONPATH": str(CODE)},
                start_new_session=True,
            )
        finally:
            os.close(reading)

    def stop(self) -> None:
        """Let it end: it finds nobody if every session was ended before."""
        if self._line is not None:
            os.close(self._line)
            self._line = None
        if self._handle is None:
            return
        try:
            self._handle.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            # It was stopped itself, by whoever.
            self._handle.kill()
            self._handle.wait()
        self._handle = None

    def add(self, session: int) -> None:
        """If we die, end this session."""
        self._sessions[session] = warden.beginning(session)
        self._say(b"+ %d %s\n" % (session, self._sessions[session].encode()))

    def remove(self, session: int) -> None:
        """It was ended."""
        self._sessions.pop(session, None)
        self._say(b"- %d\n" % session)

    def _say(self, line: bytes) -> None:
        # One that died is found dead at the next look.
        if self._line is not None:
            with suppress(BrokenPipeError):
                os.write(self._line, line)


def _tell(handle: subprocess.Popen[bytes], line: bytes) -> None:
    assert handle.stdin is not None  # noqa: S101 - every process here was given one
    # One that died is found dead at the next look.
    with suppress(BrokenPipeError):
        handle.stdin.write(line)


def _close(handle: subprocess.Popen[bytes]) -> None:
    assert handle.stdin is not None  # noqa: S101 - as above
    handle.stdin.close()
