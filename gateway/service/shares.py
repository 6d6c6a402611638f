# SPDX-License-Identifier: Apache-2.0
"""Shares that all workers of the gateway count together: a small table in shared memory, a file beside the socket.

A name has one place among a few (its bucket), whose lock is a lock of the kernel's on that part of the file: the death
of a worker lets go, and what it had counted stays. A full bucket lets go of whoever has most left, for whom forgetting
changes least. The clock is the machine's, the same for every process; the file does not outlive the machine's start.
"""

import fcntl
import hashlib
import mmap
import os
import struct
import threading
from pathlib import Path
from typing import Protocol

from core.clock import Clock

_SLOT = struct.Struct("<Qdd")
"""Name by its hash, what is left, and when that was true."""
_WAYS, _BUCKETS = 8, 4096
_BUCKET = _SLOT.size * _WAYS
SIZE = _BUCKET * _BUCKETS
_THREADS = 64


class Counting(Protocol):
    """What decisions ask."""

    def take(self, name: str) -> bool:
        """Whether there was one left for this name."""
        ...


class SharedTable:
    """The file, opened by one process."""

    def __init__(self, path: Path) -> None:
        """Make it if it is not there.

        Raises:
            OSError: it cannot be made.
        """
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.fstat(self._file).st_size < SIZE:
            os.ftruncate(self._file, SIZE)
        self._memory = mmap.mmap(self._file, SIZE)
        # The kernel's locks are between processes; these are between the threads of this one.
        self._locks = [threading.Lock() for _ in range(_THREADS)]

    def bucket(self, number: int) -> "_Bucket":
        """Its place in memory, held alone."""
        return _Bucket(self._file, number * _BUCKET, self._locks[number % _THREADS])

    @property
    def memory(self) -> mmap.mmap:
        """The table itself."""
        return self._memory

    def close(self) -> None:
        """Let go; what was counted stays for the others."""
        self._memory.close()
        os.close(self._file)


class _Bucket:
    """One bucket for as long as the context lasts; written out, for every decision passes here."""

    __slots__ = ("_file", "_lock", "_start")

    def __init__(self, file: int, start: int, lock: threading.Lock) -> None:
        self._file = file
        self._start = start
        self._lock = lock

    def __enter__(self) -> int:
        self._lock.acquire()
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX, _BUCKET, self._start)
        except BaseException:
            self._lock.release()
            raise
        return self._start

    def __exit__(self, *_: object) -> None:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_UN, _BUCKET, self._start)
        finally:
            self._lock.release()


class SharedShares:
    """What one name may take: so many a second and so many more at once, whichever worker is asked."""

    def __init__(self, table: SharedTable, *, kind: str, clock: Clock, rate: int, burst: int) -> None:
        """``kind`` keeps persons and clients of the same name apart."""
        self._table = table
        self._kind = kind.encode()
        self._clock = clock
        self._rate = rate
        self._burst = float(burst)

    def take(self, name: str) -> bool:
        """Whether there was one left."""
        tag, number = placed(self._kind, name)
        memory = self._table.memory
        with self._table.bucket(number) as start:
            now = self._clock.monotonic()
            place, left = self._find(memory, start, tag, now)
            _SLOT.pack_into(memory, place, tag, max(left - 1, 0.0), now)
        return left >= 1

    def _find(self, memory: mmap.mmap, start: int, tag: int, now: float) -> tuple[int, float]:
        most, chosen = -1.0, start
        for place in range(start, start + _BUCKET, _SLOT.size):
            owner, left, at = _SLOT.unpack_from(memory, place)
            if owner == 0:
                left = float("inf")
            else:
                # What a death left half written is no number that counts against anybody.
                passed = now - at if 0 <= at <= now else 0.0
                left = min(self._burst, left + passed * self._rate) if left >= 0 else self._burst
            if owner == tag:
                return place, left
            if left > most:
                most, chosen = left, place
        return chosen, self._burst


def placed(kind: bytes, name: str) -> tuple[int, int]:
    """What stands for a name, never 0, which is nobody's; and the number of its bucket."""
    digest = hashlib.blake2b(name.encode(), key=kind, digest_size=16).digest()
    return int.from_bytes(digest[:8]) | 1, int.from_bytes(digest[8:]) % _BUCKETS
