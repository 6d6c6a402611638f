# SPDX-License-Identifier: Apache-2.0
"""The record's own process for what happens again and again beside writing and reading: one thread for each duty.

A duty that fails is tried again after its pause, or after an hour if that is shorter; the others go on. What each did
last is kept in a file, so that a duty of once a day is not done again at each start, and told to whoever connects to
the process's socket.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from core.calls import listening
from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

STATUS = "watch.json"
"""File of what each duty did last, in the audit role's folder."""
_TELL = 5.0
# A duty that comes this often is not worth a file each time; a change of its standing is.
_SELDOM = timedelta(minutes=1)
# A day is too long to wait with what failed once, and a round of checking may read the whole log.
_AGAIN = timedelta(hours=1)
_log = logger(__name__)


class Stopped:
    """Tells a long round that the process ends; a round that hears it returns early and loses nothing."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        """End."""
        self._event.set()

    def wait(self, pause: timedelta) -> bool:
        """Sleep, at most until the end; whether it has come."""
        return self._event.wait(pause.total_seconds())


@dataclass(frozen=True, kw_only=True)
class Duty:
    """One thing done again and again."""

    # Stands in the status, in logs and on pages.
    name: str
    # Pause between the end of one round and the beginning of the next.
    every: timedelta
    # One round. Raises TallygateError or OSError: tried again after ``again``.
    act: Callable[[Stopped], None]
    # By how much its thread stands behind those of the other duties (nice); only where all processors are busy it
    # comes later.
    yields: int = 0

    @property
    def again(self) -> timedelta:
        """Pause after a round that failed."""
        return min(self.every, _AGAIN)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What one duty did last; times are ISO 8601 in UTC, empty for never."""

    begun: str = ""
    done: str = ""
    failed: str = ""
    # Why it failed last, as a code; empty once it was done again.
    why: str = ""
    due: str = ""

    @classmethod
    def read(cls, folder: Path) -> dict[str, Self]:
        """By duty, as the watching process last said; empty before it ever ran."""
        try:
            return cls._parse((folder / STATUS).read_bytes())
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    @classmethod
    def ask(cls, path: Path) -> dict[str, Self]:
        """By duty, as the watching process says now.

        Raises:
            OSError: nobody answers at that socket.
            ValueError: what answered is not ours.
        """
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as line:
            line.settimeout(_TELL)
            line.connect(str(path))
            told = b"".join(iter(lambda: line.recv(65536), b""))
        try:
            return cls._parse(told)
        except (TypeError, AttributeError) as error:
            raise ValueError("these are no standings of duties") from error

    @classmethod
    def _parse(cls, told: bytes) -> dict[str, Self]:
        return {str(name): cls(**standing) for name, standing in json.loads(told).items()}


class Watch:
    """Runs duties until told to stop."""

    def __init__(self, duties: Sequence[Duty], *, folder: Path, clock: Clock) -> None:
        self._duties = duties
        self._folder = folder
        self._clock = clock
        self._guard = threading.Lock()
        kept = Standing.read(folder)
        self._standings = {duty.name: kept.get(duty.name, Standing()) for duty in duties}
        self.stopped = Stopped()

    def run(self, path: Path) -> None:
        """Do every duty, and tell the standings to whoever connects to ``path``, until ``stop``."""
        threads = [
            threading.Thread(target=self._keep, args=(duty,), name=f"duty-{duty.name}", daemon=True)
            for duty in self._duties
        ]
        with closing(listening(path, mode=0o660)) as listener:
            listener.settimeout(0.25)
            for thread in threads:
                thread.start()
            while not self.stopped:
                with suppress(TimeoutError, ConnectionError):
                    self._tell(listener)
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        """Let every duty finish its round, and end."""
        self.stopped.set()

    def _keep(self, duty: Duty) -> None:
        if duty.yields:
            # On Linux a thread has a priority of its own.
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + duty.yields)
        standing = self._standings[duty.name]
        if standing.done and not standing.why:
            last = datetime.fromisoformat(standing.done)
            pause = min(duty.every, max(timedelta(0), last + duty.every - self._clock.now()))
            if self.stopped.wait(pause):
                return
        while not self.stopped:
            if self.stopped.wait(self._once(duty)):
                return

    def _once(self, duty: Duty) -> timedelta:
        """One round; returns the pause after it."""
        before = self._standings[duty.name]
        begun = self._clock.now()
        try:
            duty.act(self.stopped)
        except Exception as error:  # noqa: BLE001 - the thread must live, whatever it was
            why = error.code if isinstance(error, TallygateError) else type(error).__name__
            after = replace(before, begun=begun.isoformat(), failed=self._clock.now().isoformat(), why=why)
            if why != before.why:
                _log.warning("duty_failed", duty=duty.name, code=why, exc_info=error)
        else:
            after = replace(before, begun=begun.isoformat(), done=self._clock.now().isoformat(), why="")
            if before.why:
                _log.info("duty_done_again", duty=duty.name)
        pause = duty.again if after.why else duty.every
        after = replace(after, due=(self._clock.now() + pause).isoformat())
        with self._guard:
            self._standings[duty.name] = after
            if duty.every >= _SELDOM or after.why != before.why or not before.done:
                self._write()
        return pause

    def _write(self) -> None:
        """It may be lost: then a duty is done once too often."""
        draft = self._folder / f".{STATUS}.new"
        try:
            draft.write_bytes(self._told())
            draft.replace(self._folder / STATUS)
        except OSError as error:
            _log.warning("standing_not_kept", exc_info=error)

    def _told(self) -> bytes:
        return json.dumps({name: asdict(standing) for name, standing in self._standings.items()}, indent=1).encode()

    def _tell(self, listener: socket.socket) -> None:
        line, _address = listener.accept()
        with closing(line):
            line.settimeout(_TELL)
            with self._guard:
                told = self._told()
            line.sendall(told)
