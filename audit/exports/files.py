# SPDX-License-Identifier: Apache-2.0
"""Lines in a file that others collect: on disk before they count, and rotated by size.

A process that dies in the middle of a line leaves the beginning of one; the next one cuts it off before it goes on.
"""

import os
from pathlib import Path

from .errors import PeerSilent

_TAIL = 1 << 20


class LineFile:
    """One file and its older ones, ``NAME.1`` the newest of them."""

    def __init__(self, path: Path, *, size: int, kept: int) -> None:
        """``size`` in bytes."""
        self._path = path
        self._size = size
        self._kept = kept
        self._descriptor: int | None = None

    def append(self, lines: bytes) -> None:
        """Add whole lines; on disk when this returns.

        Raises:
            PeerSilent: they cannot be written.
        """
        try:
            descriptor = self._opened()
            if os.fstat(descriptor).st_size >= self._size:
                self._rotate()
                descriptor = self._opened()
            written = 0
            while written < len(lines):
                written += os.write(descriptor, lines[written:])
            os.fsync(descriptor)
        except OSError as error:
            # What was written of them is cut off when it is opened again.
            self.close()
            raise PeerSilent(why=error.strerror or "the file cannot be written") from error

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        if self._descriptor is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self._path, flags, 0o640)
            _cut_tail(self._descriptor)
        return self._descriptor

    def _rotate(self) -> None:
        self.close()
        for number in range(self._kept, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            if number == self._kept:
                older.unlink(missing_ok=True)
            newer = self._path.with_name(f"{self._path.name}.{number - 1}") if number > 1 else self._path
            if newer.exists():
                newer.rename(older)


def _cut_tail(descriptor: int) -> None:
    """Remove what stands behind the last line end."""
    size = os.fstat(descriptor).st_size
    start = max(0, size - _TAIL)
    tail = os.pread(descriptor, size - start, start)
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail) and (whole or not start):
        os.ftruncate(descriptor, start + whole)
