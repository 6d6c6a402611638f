# SPDX-License-Identifier: Apache-2.0
"""The operational logs of a machine: each is put aside when it is full or its day is over, and no line is lost by that.

What processes say on standard output and error comes through pipes and is written here, so a new file can be begun
between two lines. nginx writes its own files: they are renamed, and nginx is told to open them again; until it has, it
goes on writing to the renamed ones. An old log is named by when it was put aside, ``sso.log.20261120T080000.000000Z``.
None of it is the record: what cannot be written, on a full disk say, is dropped.
"""

import fcntl
import os
import re
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path

from core.clock import Clock
from core.log import LogSettings

_KIB = 1024
_ASIDE = "%Y%m%dT%H%M%S.%fZ"
_NAMED = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
_CHUNK = 1 << 16
_ROOM = 1 << 20
"""Bytes that wait in a pipe before a process must wait for us (the most an ordinary user may ask for, pipe(7)); also
the longest line."""
_LAST_WORDS = 2.0
"""Seconds to wait for the end of a pipe whose process has ended; only what it made and left could hold it open."""


class LogFile:
    """One log that is written here, whole lines at a time."""

    def __init__(self, path: Path, *, settings: LogSettings, clock: Clock) -> None:
        self.path = path
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._file = self._begun()

    def write(self, lines: bytes) -> None:
        """Append, to a new file if it is time for one."""
        with self._lock, suppress(OSError):
            self._turn()
            self._size += os.write(self._file, lines)

    def turn(self) -> None:
        """Begin a new file if it is time, even though nobody writes."""
        with self._lock, suppress(OSError):
            self._turn()

    def close(self) -> None:
        """Write no more."""
        os.close(self._file)

    def _turn(self) -> None:
        if not _is_due(self._size, self._day, self._settings, self._clock):
            return
        # It is gone already if the new one could not be opened last time.
        with suppress(FileNotFoundError), _opened(self.path.parent) as folder:
            _put_aside(folder, self.path.name, at=self._clock.now(), kept=self._settings.kept)
        old, self._file = self._file, self._begun()
        os.close(old)

    def _begun(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(self.path, flags, 0o600)
        found = os.fstat(file)
        self._size = found.st_size
        # Of a file that an earlier run left we know the day of its last line.
        self._day = _day(found) if found.st_size else self._clock.now().date()
        return file


class Listener:
    """Writes down what one process says, until nobody holds the other end of its pipe any more."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._reading, self.writing = os.pipe()
        with suppress(OSError):
            fcntl.fcntl(self._reading, fcntl.F_SETPIPE_SZ, _ROOM)
        self._thread = threading.Thread(target=self._listen, name="log", daemon=True)
        self._thread.start()

    def handed_over(self) -> None:
        """The process has its end of the pipe now; ours would keep it open for ever."""
        os.close(self.writing)

    def last_words(self) -> None:
        """Wait until everything is written that a process said before it ended."""
        self._thread.join(_LAST_WORDS)

    def _listen(self) -> None:
        begun = b""
        while content := os.read(self._reading, _CHUNK):
            lines, newline, rest = (begun + content).rpartition(b"\n")
            if newline:
                self._file.write(lines + newline)
            begun = rest
            if len(begun) > _ROOM:
                self._file.write(begun + b"\n")
                begun = b""
        if begun:
            # It died within a line; its successor's first must not stand behind.
            self._file.write(begun + b"\n")
        os.close(self._reading)


class OwnLogs:
    """The logs that a process writes itself, in a folder of its own, and opens again when told (SIGUSR1)."""

    def __init__(self, paths: Sequence[Path], *, settings: LogSettings, clock: Clock) -> None:
        self._paths = paths
        self._settings = settings
        self._clock = clock
        self._days: dict[Path, date] = {}

    def due(self) -> bool:
        """Whether it is time for a new file."""
        return any(self._is_due(path) for path in self._paths)

    def put_aside(self) -> None:
        """Rename what is full or of an earlier day; the process must be told afterwards.

        Raises:
            OSError: it could not be renamed.
        """
        for path in self._paths:
            if self._is_due(path):
                with _opened(path.parent) as folder:
                    _put_aside(folder, path.name, at=self._clock.now(), kept=self._settings.kept)
                self._days.pop(path)

    def _is_due(self, path: Path) -> bool:
        try:
            with _opened(path.parent) as folder:
                found = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return False
        if not stat.S_ISREG(found.st_mode) or not found.st_size:
            return False
        return _is_due(found.st_size, self._days.setdefault(path, _day(found)), self._settings, self._clock)


def _is_due(size: int, day: date, settings: LogSettings, clock: Clock) -> bool:
    return bool(size) and (size >= settings.largest_kib * _KIB or clock.now().date() > day)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """The folder itself: it may belong to a role, which could put a link in its place between two looks at its path."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _put_aside(folder: int, name: str, *, at: datetime, kept: int) -> None:
    """Rename a log and remove the oldest of its kind, all within one open folder."""
    os.rename(name, f"{name}.{at.strftime(_ASIDE)}", src_dir_fd=folder, dst_dir_fd=folder)
    start = f"{name}."
    old = sorted(each for each in os.listdir(folder) if each.startswith(start) and _NAMED.fullmatch(each[len(start) :]))
    for each in old[:-kept]:
        os.unlink(each, dir_fd=folder)


def _day(found: os.stat_result) -> date:
    return datetime.fromtimestamp(found.st_mtime, UTC).date()
