# SPDX-License-Identifier: Apache-2.0
"""The index of idempotency keys and the sources' counters; rebuilt from the log whenever it lags, is lost or damaged.

A key is found exactly, however old. Keys are random, so one tree of them would have a page touched for each; here the
newest are in memory and in a journal, which is not synced (what it lost is read from the log again), and the others in
sorted files (``runs``), eight of about the same size being merged into one beside the work. So what a key costs does
not grow with the log but with its logarithm, in looks at filters.

Trusted for receipts of repeated events only: whoever changes it can make the log take an event twice, or answer with
another entry's place, which is found out because the entry itself is compared.
"""

import errno
import hashlib
import json
import math
import os
import struct
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from core.log import logger

from ..blobs import Disk
from . import runs
from .runs import RECORD, Run, RunDamaged

YOUNG = 16_384
"""So many keys in memory become a run."""
TOGETHER = 8
"""So many runs of a size become one."""
_NEARLY = 1e-9
_SUFFIX = ".young"
_MAGIC = b"TGKY"
# Where the index begins, first and following place, keys, bytes of counters; then a hash over these and what follows.
_HEAD = struct.Struct(">4sQQQII")
_CHECK = 16
_log = logger(__name__)


class IndexDamaged(OSError):
    """A file is not what was written; the process ends, and its successor reads the log for what is missing."""


class KeyIndex:
    """Which key has which place, for integrated entries; one thread adds, any may ask."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        # In the log's order, each beginning where the one before it ends.
        self._runs: tuple[Run, ...] = ()
        self._guard = threading.Lock()
        # What came after them: in memory, and in the journal, which is begun with the first of it.
        self._young: dict[bytes, int] = {}
        self._begin = self._size = 0
        self._sources: dict[str, int] = {}
        self._journal = -1
        self._merging: threading.Thread | None = None
        self._stopping = threading.Event()
        self._damaged = False

    @classmethod
    def open(cls, folder: Path, disk: Disk) -> Self:
        """Open or begin the index; of one that is damaged what stands before the damage is kept."""
        disk.make(folder)
        index = cls(folder, disk)
        index._load()
        return index

    def size(self) -> int:
        """How many entries of the log it knows."""
        return self._size

    def sources(self) -> dict[str, int]:
        """The next sequence number of every source."""
        return dict(self._sources)

    def clear(self) -> None:
        """Know nothing; the log is read again from its first entry."""
        self.close()
        self._runs, self._young, self._sources = (), {}, {}
        self._begin = self._size = 0
        for path in self._folder.iterdir():
            path.unlink()

    def places(self, keys: Iterable[str]) -> dict[str, int]:
        """The places of those keys that have one.

        Raises:
            IndexDamaged: a file of it is not what was written.
        """
        self._demand_whole()
        wanted = list(map(bytes.fromhex, keys))
        # In this order: what leaves memory is in a run before.
        young = self._young
        found = {key: young[key] for key in wanted if key in young}
        heads = [(int.from_bytes(key[:4], "big"), key) for key in wanted if key not in found]
        try:
            for run in self._runs:
                for key in run.maybe(heads):
                    if (place := run.place(key)) is not None:
                        found[key] = place
        except RunDamaged as error:
            self._lose(error)
            self._demand_whole()
        return {key.hex(): place for key, place in found.items()}

    def add(self, places: Mapping[str, int], sources: Mapping[str, int], size: int) -> None:
        """Take up integrated entries, the next up to ``size``.

        Raises:
            IndexDamaged: as ``places``.
            OSError: it could not be written.
        """
        self._demand_whole()
        young = {bytes.fromhex(key): place for key, place in places.items()}
        if not self._size:
            # The beginning of a log may be pruned.
            self._begin = self._size = size - len(young)
        self._write(young, sources, size)
        self._young.update(young)
        self._sources.update(sources)
        self._size = size
        if len(self._young) >= YOUNG:
            self._age()
            self._merge_beside()

    def close(self) -> None:
        """End what goes on beside, and let go of the files."""
        self._stopping.set()
        self.settle()
        self._stopping.clear()
        for run in self._runs:
            run.close()
        self._end_journal()

    def settle(self) -> None:
        """Wait for what goes on beside."""
        if self._merging is not None:
            self._merging.join()

    def _load(self) -> None:
        """Runs that follow each other from the first, then their journal; whatever else lies here is of no use."""
        stretches = [stretch for path in self._folder.iterdir() if (stretch := runs.stretch(path)) is not None]
        position = min(stretches, default=(0, 0))[0]
        chain: list[Run] = []
        while (run := self._longest(position, stretches)) is not None and (chain or run.origin == run.first):
            chain.append(run)
            position = run.end
        self._runs = tuple(chain)
        if chain:
            self._begin, self._size, self._sources = chain[0].origin, position, dict(chain[-1].sources)
        journals = sorted(self._folder.glob(f"*{_SUFFIX}"))
        journal = self._folder / f"{position:020}{_SUFFIX}" if chain else next(iter(journals), None)
        kept = {run.path for run in chain} | {journal}
        for path in self._folder.iterdir():
            if path not in kept:
                path.unlink()
        if journal is not None and journal.exists():
            self._replay(journal)

    def _longest(self, position: int, stretches: Iterable[tuple[int, int]]) -> Run | None:
        """The run that begins here and ends last: the others were merged into it."""
        for first, end in sorted(stretches, reverse=True):
            if first == position:
                try:
                    return Run(self._folder / runs.name(first, end))
                except RunDamaged as error:
                    _log.warning("run_of_keys_damaged", first=first, end=end, exc_info=error)
        return None

    def _replay(self, path: Path) -> None:
        """Take up what the journal holds; what was torn is cut off, and read from the log again."""
        self._journal = os.open(path, os.O_RDWR | os.O_APPEND)
        content, position = path.read_bytes(), 0
        while (record := _read(content, position)) is not None:
            origin, first, following, young, sources = record[:5]
            if not self._size and first == origin:
                self._begin = self._size = first
            if (origin, first) != (self._begin, self._size):
                break
            self._young.update(young)
            self._sources.update(sources)
            self._size, position = following, record[5]
        if position < len(content):
            os.ftruncate(self._journal, position)

    def _write(self, young: Mapping[bytes, int], sources: Mapping[str, int], size: int) -> None:
        if self._journal < 0:
            path = self._folder / f"{self._size:020}{_SUFFIX}"
            self._journal = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        counters = json.dumps(dict(sources)).encode()
        head = _HEAD.pack(_MAGIC, self._begin, self._size, size, len(young), len(counters))
        body = b"".join([RECORD.pack(key, place) for key, place in young.items()]) + counters
        self._disk.write_all(self._journal, head + hashlib.sha256(head + body).digest()[:_CHECK] + body)

    def _age(self) -> None:
        """What is in memory becomes a run, and a journal begins with what comes."""
        begin = self._runs[-1].end if self._runs else self._begin
        run = runs.write(self._folder, self._disk, self._young, (self._begin, begin, self._size), self._sources)
        with self._guard:
            self._runs = (*self._runs, run)
        self._young = {}
        self._end_journal()
        for path in self._folder.glob(f"*{_SUFFIX}"):
            path.unlink()

    def _end_journal(self) -> None:
        if self._journal >= 0:
            os.close(self._journal)
            self._journal = -1

    def _merge_beside(self) -> None:
        if (self._merging is None or not self._merging.is_alive()) and self._due() is not None:
            self._merging = threading.Thread(target=self._merge, name="log-keys")
            self._merging.start()

    def _merge(self) -> None:
        while (start := self._due()) is not None:
            old = self._runs[start : start + TOGETHER]
            try:
                run = runs.merged(self._folder, self._disk, old, stopped=self._stopping.is_set)
            except RunDamaged as error:
                self._lose(error)
                return
            except OSError as error:
                # Every key is still found; the next run that comes is the time to try again.
                _log.warning("runs_of_keys_not_merged", exc_info=error)
                return
            if run is None:
                return
            with self._guard:
                self._runs = (*self._runs[:start], run, *self._runs[start + TOGETHER :])
            for each in old:
                each.path.unlink()

    def _lose(self, error: RunDamaged) -> None:
        """Nothing is told any more; the successor goes on from before the damaged run."""
        _log.warning("run_of_keys_damaged", path=str(error), exc_info=error)
        self._damaged = True
        Path(str(error)).unlink(missing_ok=True)

    def _due(self) -> int | None:
        """Where so many runs of about the same size lie beside each other."""
        levels = [int(math.log(max(run.count, YOUNG) / YOUNG, TOGETHER) + _NEARLY) for run in self._runs]
        for start in range(len(levels) - TOGETHER, -1, -1):
            if len(set(levels[start : start + TOGETHER])) == 1:
                return start
        return None

    def _demand_whole(self) -> None:
        if self._damaged:
            raise IndexDamaged(errno.EIO, "the index of keys is damaged; the next start mends it")


def _read(content: bytes, position: int) -> tuple[int, int, int, dict[bytes, int], dict[str, int], int] | None:
    """What one record says, and where the next begins; None if none is whole here."""
    start = position + _HEAD.size + _CHECK
    head = content[position : position + _HEAD.size]
    if len(content) < start or not head.startswith(_MAGIC):
        return None
    _magic, origin, first, following, count, counters = _HEAD.unpack(head)
    end = start + count * RECORD.size
    body = content[start : end + counters]
    if hashlib.sha256(head + body).digest()[:_CHECK] != content[start - _CHECK : start]:
        return None
    young = dict(RECORD.iter_unpack(body[: end - start]))
    return origin, first, following, young, json.loads(body[end - start :]), end + counters
