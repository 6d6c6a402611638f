# SPDX-License-Identifier: Apache-2.0
"""Sorted files of idempotency keys and their places, each written once, merged, and never changed.

A run holds the keys of a stretch of the log, ``first`` to ``end``, and is named by it. Its file: a filter, two bits
for each key (pages of the cache, to the process); the records (key and place, sorted by key); the beginning
of every 256th record and a checksum of as many; the sources' counters at the stretch's end as JSON; a trailer with the
sizes of these and two hashes, one over the records and one over the rest.

The second hash is checked when a run is opened, the first when it is merged, and a checksum with every look: a key is
found, or the run is known to be damaged. A key that is not there costs a look at the filter, and seldom a block.
"""

import hashlib
import json
import mmap
import os
import re
import struct
import weakref
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from zlib import crc32

from ..blobs import Disk

KEY_SIZE = 16
RECORD = struct.Struct(f">{KEY_SIZE}sQ")
SUFFIX = ".run"
_MAGIC = b"TGKR0001"
# Magic; where the index begins, first and following place; records, exponent of the filter's bits, bytes of counters;
# both hashes.
_TRAILER = struct.Struct(">8sQQQQBI32s32s")
_STRIDE = 256
# Bytes that tell of one block: the beginning of its first record and the checksum of all, in the order of this machine.
_EACH = 8 + 4
_BLOCK = _STRIDE * RECORD.size
# At most; a power of two in all.
_BITS_EACH = 16
_LEAST_EXPONENT = 15
_HEADS = struct.Struct(">II")
_HEAD = 32
_STEP = 1024
_NAME = re.compile(r"([0-9]{20})-([0-9]{20})\.run", flags=re.ASCII)


class RunDamaged(OSError):
    """A file, whose path it says, is not what was written."""


class Run:
    """One file, open for as long as somebody may ask."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            RunDamaged: it is not what was written.
            OSError: it cannot be read.
        """
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY)
        # Whoever is asking while it is merged away asks it to the end.
        self.close = weakref.finalize(self, os.close, self._descriptor)
        self._read()

    def _read(self) -> None:
        size = os.fstat(self._descriptor).st_size
        try:
            trailer = _TRAILER.unpack(os.pread(self._descriptor, _TRAILER.size, size - _TRAILER.size))
        except (struct.error, OSError) as error:
            raise RunDamaged(self.path) from error
        magic, self.origin, self.first, self.end, self.count, exponent, counters, self._records, rest = trailer
        if magic != _MAGIC or not _LEAST_EXPONENT <= exponent <= _HEAD:
            raise RunDamaged(self.path)
        filter_ = 1 << exponent >> 3
        self._start = filter_
        after = self._start + self.count * RECORD.size
        blocks = -(-self.count // _STRIDE)
        if size != after + blocks * _EACH + counters + _TRAILER.size or self.path.name != name(self.first, self.end):
            raise RunDamaged(self.path)
        tail = os.pread(self._descriptor, blocks * _EACH + counters, after)
        self._filter = mmap.mmap(self._descriptor, filter_, prot=mmap.PROT_READ)
        if _hashed(self._filter, tail, trailer[1:5]) != rest:
            raise RunDamaged(self.path)
        self._begins, self._sums = array("Q"), array("I")
        self._begins.frombytes(tail[: blocks * 8])
        self._sums.frombytes(tail[blocks * 8 : blocks * _EACH])
        self.sources: dict[str, int] = json.loads(tail[blocks * _EACH :])
        self._shift = _HEAD - exponent

    def maybe(self, heads: Iterable[tuple[int, bytes]]) -> list[bytes]:
        """Those keys, given with their heads, that may be here; most that are not are left out."""
        bits, shift, further = self._filter, self._shift, self._shift + 3
        # The first look is all that most of them need.
        some = [key for head, key in heads if bits[head >> further] >> (head >> shift & 7) & 1]
        return [key for key in some if bits[(head := _second(key)) >> further] >> (head >> shift & 7) & 1]

    def place(self, key: bytes) -> int | None:
        """Where a key's entry stands; None if it is not here.

        Raises:
            RunDamaged: the records among which it would be are not what was written.
        """
        begin = int.from_bytes(key[:8], "big")
        # Keys that begin alike may fill several blocks.
        block = max(0, bisect_left(self._begins, begin) - 1)
        end = max(block + 1, bisect_right(self._begins, begin))
        for number in range(block, end):
            content = self.records(number * _STRIDE, min(self.count, (number + 1) * _STRIDE))
            if crc32(content) != self._sums[number]:
                raise RunDamaged(self.path)
            at = content.find(key)
            while at >= 0 and at % RECORD.size:
                at = content.find(key, at + 1)
            if at >= 0:
                return int.from_bytes(content[at + KEY_SIZE : at + RECORD.size], "big")
        return None

    def records(self, begin: int, end: int) -> bytes:
        """The bytes of some records."""
        return os.pread(self._descriptor, (end - begin) * RECORD.size, self._start + begin * RECORD.size)

    def each(self) -> "_Reading":
        """Its records from the first on, checked at the end."""
        return _Reading(self, self._records)


class _Reading:
    """Where a merging stands in one run."""

    def __init__(self, run: Run, expected: bytes) -> None:
        self._run = run
        self._position = 0
        self._expected = expected
        self._hash = hashlib.sha256()
        self._waiting: list[bytes] = []

    def look(self) -> bytes | None:
        """The last record that is at hand, after more were read if there were none; None at the end.

        Raises:
            RunDamaged: what was read is not what was written.
        """
        if not self._waiting and self._position < self._run.count:
            end = min(self._run.count, self._position + _STEP)
            content = self._run.records(self._position, end)
            self._hash.update(content)
            self._position = end
            self._waiting = [content[at : at + RECORD.size] for at in range(0, len(content), RECORD.size)]
            if end == self._run.count and self._hash.digest() != self._expected:
                raise RunDamaged(self._run.path)
        return self._waiting[-1] if self._waiting else None

    def take(self, until: bytes) -> list[bytes]:
        """What is at hand up to this record."""
        end = bisect_right(self._waiting, until)
        taken, self._waiting = self._waiting[:end], self._waiting[end:]
        return taken


class _Writing:
    """A run on its way to the disk."""

    def __init__(self, path: Path, disk: Disk, count: int) -> None:
        exponent = max(_LEAST_EXPONENT, (count * _BITS_EACH).bit_length() - 1)
        self._exponent = min(exponent, _HEAD)
        self._disk = disk
        self._count = count
        self._seen = 0
        self._filter = bytearray(1 << self._exponent >> 3)
        self._begins, self._sums = array("Q"), array("I")
        # The beginning of a block.
        self._block = b""
        self._hash = hashlib.sha256()
        self._draft = path.with_name(f".{path.name}.new")
        self._path = path
        self._descriptor = os.open(self._draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._disk.write_all(self._descriptor, bytes(self._filter))

    def add(self, records: Sequence[bytes]) -> None:
        """The next records in order."""
        bits, shift, further = self._filter, _HEAD - self._exponent, _HEAD - self._exponent + 3
        for record in records:
            head, other = _HEADS.unpack_from(record)
            bits[head >> further] |= 1 << (head >> shift & 7)
            bits[other >> further] |= 1 << (other >> shift & 7)
        first = -self._seen % _STRIDE
        self._begins.extend(int.from_bytes(record[:8], "big") for record in records[first::_STRIDE])
        self._seen += len(records)
        content = b"".join(records)
        self._hash.update(content)
        self._disk.write_all(self._descriptor, content)
        self._block += content
        whole = len(self._block) - len(self._block) % _BLOCK
        self._sums.extend(crc32(self._block[at : at + _BLOCK]) for at in range(0, whole, _BLOCK))
        self._block = self._block[whole:]

    def finish(self, stretch: tuple[int, int, int], sources: Mapping[str, int]) -> None:
        """Whole and in its place, for good."""
        if self._block:
            self._sums.append(crc32(self._block))
        tail = self._begins.tobytes() + self._sums.tobytes()
        counters = json.dumps(dict(sources)).encode()
        rest = _hashed(self._filter, tail + counters, (*stretch, self._count))
        trailer = _TRAILER.pack(_MAGIC, *stretch, self._count, self._exponent, len(counters), self._hash.digest(), rest)
        self._disk.write_all(self._descriptor, tail + counters + trailer)
        os.pwrite(self._descriptor, self._filter, 0)
        self._disk.sync(self._descriptor)
        self._draft.replace(self._path)
        self._disk.sync_folder(self._path.parent)

    def close(self) -> None:
        os.close(self._descriptor)
        self._draft.unlink(missing_ok=True)


def name(first: int, end: int) -> str:
    """What a run of a stretch is called; the names of runs with the same beginning sort by their ends."""
    return f"{first:020}-{end:020}{SUFFIX}"


def stretch(path: Path) -> tuple[int, int] | None:
    """The stretch that a run's name names; None if it is none."""
    match = _NAME.fullmatch(path.name)
    return (int(match[1]), int(match[2])) if match else None


def write(
    folder: Path, disk: Disk, places: Mapping[bytes, int], of: tuple[int, int, int], sources: Mapping[str, int]
) -> Run:
    """A new run of these keys."""
    path = folder / name(*of[1:])
    writing = _Writing(path, disk, len(places))
    try:
        writing.add([RECORD.pack(key, places[key]) for key in sorted(places)])
        writing.finish(of, sources)
    finally:
        writing.close()
    return Run(path)


def merged(folder: Path, disk: Disk, runs: Sequence[Run], *, stopped: Callable[[], bool]) -> Run | None:
    """One run in place of several that follow each other, which are left where they are; None if it was stopped.

    Raises:
        RunDamaged: one of them is not what was written.
    """
    path = folder / name(runs[0].first, runs[-1].end)
    writing = _Writing(path, disk, sum(run.count for run in runs))
    try:
        for records in _in_order([run.each() for run in runs]):
            if stopped():
                return None
            writing.add(records)
        writing.finish((runs[0].origin, runs[0].first, runs[-1].end), runs[-1].sources)
    finally:
        writing.close()
    return Run(path)


def _in_order(readings: Sequence[_Reading]) -> Iterator[list[bytes]]:
    """All records in order, a few thousand at a time, however unevenly keys are spread."""
    while ends := [end for reading in readings if (end := reading.look()) is not None]:
        until = min(ends)
        yield sorted(record for reading in readings for record in reading.take(until))


def _second(key: bytes) -> int:
    return int.from_bytes(key[4:8], "big")


def _hashed(filter_: bytes | bytearray | mmap.mmap, tail: bytes, numbers: tuple[int, ...]) -> bytes:
    digest = hashlib.sha256(filter_)
    digest.update(tail)
    digest.update(repr(numbers).encode())
    return digest.digest()
