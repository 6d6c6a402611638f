# SPDX-License-Identifier: Apache-2.0
"""Time and codes of each entry of a part, twelve bytes each, in a plain file beside the part's tables.

Ten thousand hits may lie anywhere among a million entries. As rows of a table each would cost a page of its own and a
search through a tree; here it costs one read at a known place, and what is not in memory is asked for ahead. The file
is on the disk before the transaction that names its places commits, so it never holds less than the tables say.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..search.errors import IndexDamaged

_RECORD = struct.Struct("<QI")
_SIZE = _RECORD.size
KIND_BITS = 20
"""A part has at most so many kinds as it has entries; above them stands the time, which lasts until the year 2527."""
_KIND = (1 << KIND_BITS) - 1
_LATEST = (1 << 64 - KIND_BITS) - 1
_DENSE = 8
"""Where at least each eighth entry is a hit, the stretch is read whole."""
_AHEAD = 64
"""Hits from which on the kernel is told what will be read."""

# Milliseconds, the code of its kind, the code of its object.
Fact = tuple[int, int, int]


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
        """The facts of some places, which descend.

        Raises:
            IndexDamaged: the file does not hold them.
        """
        if not places:
            return []
        try:
            with self._opened(os.O_RDONLY) as descriptor:
                records = self._records(descriptor, places)
        except FileNotFoundError as error:
            raise IndexDamaged(first=self._first) from error
        found = [(both >> KIND_BITS, both & _KIND, code) for both, code in records]
        if any(not kind for _at, kind, _code in found):
            raise IndexDamaged(first=self._first)
        return found

    def _records(self, descriptor: int, places: Sequence[int]) -> list[tuple[int, int]]:
        lowest, highest = places[-1], places[0]
        begin, length = self._offset(lowest), (highest - lowest + 1) * _SIZE
        if highest - lowest < _DENSE * len(places):
            held = os.pread(descriptor, length, begin)
            if len(held) < length:
                raise IndexDamaged(first=self._first)
            return [_RECORD.unpack_from(held, (place - lowest) * _SIZE) for place in places]
        if len(places) > _AHEAD:
            os.posix_fadvise(descriptor, begin, length, os.POSIX_FADV_WILLNEED)
        held = b"".join([os.pread(descriptor, _SIZE, (place - self._first) * _SIZE) for place in places])
        if len(held) < len(places) * _SIZE:
            raise IndexDamaged(first=self._first)
        return list(_RECORD.iter_unpack(held))

    def _offset(self, place: int) -> int:
        return (place - self._first) * _SIZE

    @contextmanager
    def _opened(self, how: int) -> Iterator[int]:
        descriptor = os.open(self.path, how | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
