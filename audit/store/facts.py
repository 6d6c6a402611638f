# SPDX-License-Identifier: Apache-2.0
"""Time and codes of each entry of a part, twelve bytes each, in a plain file beside the part's tables.

Ten thousand hits may lie anywhere among a million entries. As rows of a table each would cost a page of its own and a
search through a tree; here it costs one read at a known place, and what is not in memory is asked for ahead. The file
is on the disk before the transaction that names its places commits, so it never holds less than the tables say.
"""

import os
import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import neg
from pathlib import Path
from typing import NamedTuple

from ..search.errors import IndexDamaged

_RECORD = struct.Struct("<QI")
_SIZE = _RECORD.size
KIND_BITS = 20
"""A part has at most so many kinds as it has entries; above them stands the time, which lasts until the year 2527."""
_KIND = (1 << KIND_BITS) - 1
_ABOVE = 32 - KIND_BITS
_LATEST = (1 << 64 - KIND_BITS) - 1
_BLOCK = 16_384
"""Entries that are read at once where hits lie close."""
_CLOSE = 400
"""Where each of so many entries is a hit, or more, reading them at once costs less than reading each alone."""
_AHEAD = 64
"""Hits from which on the kernel is told what will be read."""

# Milliseconds, the code of its kind, the code of its object.
Fact = tuple[int, int, int]


class Columns(NamedTuple):
    """The facts of some places, each sort by itself, in the order of the places."""

    times: Sequence[int]
    kinds: Sequence[int]
    codes: Sequence[int]


class Facts:
    """The file of the part whose first place is ``first``."""

    def __init__(self, path: Path, first: int) -> None:
        self.path = path
        self._first = first

    def write(self, place: int, facts: Sequence[Fact]) -> None:
        """Put consecutive entries' facts where they belong, on the disk."""
        packed = b"".join(_RECORD.pack(min(max(at, 0), _LATEST) << KIND_BITS | kind, code) for at, kind, code in facts)
        with self._opened(os.O_RDWR | os.O_CREAT) as descriptor:
            begin, left = self._offset(place), memoryview(packed)
            while left:
                written = os.pwrite(descriptor, left, begin)
                begin, left = begin + written, left[written:]
            os.fdatasync(descriptor)

    def read(self, places: Sequence[int]) -> list[Fact]:
        """The facts of some places, which descend; raises as ``columns``."""
        return list(zip(*self.columns(places), strict=True))

    def columns(self, places: Sequence[int]) -> Columns:
        """The same by sort.

        Raises:
            IndexDamaged: the file does not hold them.
        """
        if not places:
            return Columns((), (), ())
        try:
            with self._opened(os.O_RDONLY) as descriptor:
                held = self._held(descriptor, places)
        except FileNotFoundError as error:
            raise IndexDamaged(first=self._first) from error
        if len(held) != len(places) * _SIZE:
            raise IndexDamaged(first=self._first)
        # Three words each. Numbers alone: ten thousand tuples would have the collector look at everything there is.
        words = array("I", held)
        if sys.byteorder == "big":
            words.byteswap()
        low, high, codes = words[0::3], words[1::3], words[2::3]
        if isinstance(places, range):
            low, high, codes = low[::-1], high[::-1], codes[::-1]
        kinds = [each & _KIND for each in low]
        if 0 in kinds:
            raise IndexDamaged(first=self._first)
        times = [above << _ABOVE | below >> KIND_BITS for below, above in zip(low, high, strict=True)]
        return Columns(times, kinds, codes)

    def _held(self, descriptor: int, places: Sequence[int]) -> bytes:
        """The records of places one behind the other; of a range in the file's order."""
        lowest, highest = places[-1], places[0]
        begin, length = self._offset(lowest), (highest - lowest + 1) * _SIZE
        if isinstance(places, range):
            return os.pread(descriptor, length, begin)
        if len(places) > _AHEAD:
            os.posix_fadvise(descriptor, begin, length, os.POSIX_FADV_WILLNEED)
        if highest - lowest < _CLOSE * len(places):
            return b"".join(self._by_blocks(descriptor, places))
        return b"".join([os.pread(descriptor, _SIZE, (place - self._first) * _SIZE) for place in places])

    def _by_blocks(self, descriptor: int, places: Sequence[int]) -> list[bytes]:
        found: list[bytes] = []
        done = 0
        while done < len(places):
            lowest = max(places[-1], places[done] - _BLOCK + 1)
            held = os.pread(descriptor, (places[done] - lowest + 1) * _SIZE, self._offset(lowest))
            # They descend, so what belongs to this block ends where a place lies below it.
            end = bisect_left(places, -lowest + 1, lo=done, key=neg)
            found += [held[at : at + _SIZE] for place in places[done:end] for at in ((place - lowest) * _SIZE,)]
            done = end
        return found

    def _offset(self, place: int) -> int:
        return (place - self._first) * _SIZE

    @contextmanager
    def _opened(self, how: int) -> Iterator[int]:
        descriptor = os.open(self.path, how | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
