# SPDX-License-Identifier: Apache-2.0
"""The log as its one owner sees it: append batches, integrate them, read what is sequenced.

``append`` and ``integrate`` may run in two threads at once, each of them in only one. A failure of either leaves it
unknown what is on disk, so afterwards every call fails and the process has to stop: its successor decides.
"""

import fcntl
import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Self

from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from ..blobs import BlobStore, Disk, DiskBlobs
from ..errors import (
    BadEvent,
    Erased,
    KeyReused,
    LogClosed,
    LogDamaged,
    LogExists,
    LogInUse,
    RecordUnavailable,
    TilesUnavailable,
)
from ..lineage import CLOSED
from ..merkle import Checkpoint, LogKey, leaf_hash
from ..models import Entry, Event
from ..models_codec import decode_entry, encode_entry
from ..seals import Seals
from .ahead import WriteAhead
from .integration import Integrator
from .store import KeyIndex

# Beyond so many entries, or so many bytes of them, that no checkpoint covers, nothing more is taken.
MOST_PENDING = 65_536
MOST_PENDING_BYTES = 32 * 1024 * 1024
_STEP = 4096
_log = logger(__name__)


@dataclass(frozen=True)
class Place:
    """Where an event stands in the log, for good."""

    index: int
    leaf: bytes


@dataclass(frozen=True)
class _Sequenced:
    """What is kept of an entry until a checkpoint covers it."""

    raw: bytes
    leaf: bytes
    key: str
    source: str
    sequence: int

    @classmethod
    def of(cls, event: Event, sequence: int, raw: bytes) -> Self:
        return cls(raw, leaf_hash(raw), event.key, event.source, sequence)


class Log:
    """Opens the folder for itself alone; recovery is part of opening."""

    def __init__(
        self, folder: Path, *, key: LogKey, seals: Seals, clock: Clock, disk: Disk, blobs: BlobStore | None
    ) -> None:
        self._folder = folder
        self._key = key
        self._seals = seals
        self._clock = clock
        self._integrator = Integrator(folder, key=key, clock=clock, disk=disk, blobs=blobs or DiskBlobs(folder, disk))
        self._guard = threading.Lock()
        # Sequenced, not yet published: entries from ``_base`` on, and their keys.
        self._base = 0
        self._pending: list[_Sequenced] = []
        self._pending_bytes = 0
        self._keys: dict[str, int] = {}
        self._sources: dict[str, int] = {}
        self._broken = False
        # Its last entry names a successor.
        self.closed = False
        self._opened = ExitStack()

    @classmethod
    def create(
        cls, folder: Path, *, key: LogKey, clock: Clock, disk: Disk | None = None, blobs: BlobStore | None = None
    ) -> None:
        """Begin an empty log; ``blobs`` is where its public part shall be, by default the folder itself.

        Raises:
            LogExists: there is one.
            TilesUnavailable: the store does not answer.
        """
        disk = disk or Disk()
        blobs = blobs or DiskBlobs(folder, disk)
        disk.make(folder / "private")
        (folder / "private").chmod(0o700)
        lock = _lock(folder)
        try:
            if (folder / "private" / "committed").exists() or blobs.get("checkpoint") is not None:
                raise LogExists
            Integrator(folder, key=key, clock=clock, disk=disk, blobs=blobs).create()
        finally:
            os.close(lock)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        key: LogKey,
        seals: Seals,
        clock: Clock,
        disk: Disk | None = None,
        blobs: BlobStore | None = None,
        even_closed: bool = False,
    ) -> Self:
        """Take the folder, recover, and be ready to append.

        Raises:
            LogClosed: nothing can be appended; with ``even_closed`` it is opened all the same, to be finished.
            LogInUse: another process has it.
            LogDamaged: what is stored contradicts what was acknowledged.
            TilesUnavailable: the store of its public part does not answer.
        """
        disk = disk or Disk()
        if not (folder / "private" / "committed").exists():
            raise LogDamaged(index=0, why="there is no log here")
        log = cls(folder, key=key, seals=seals, clock=clock, disk=disk, blobs=blobs)
        log._opened.callback(os.close, _lock(folder))
        try:
            log._recover(disk)
            log._demand_open(even_closed=even_closed)
        except BaseException:
            log.close()
            raise
        return log

    @property
    def origin(self) -> str:
        """The log's name."""
        return self._key.origin

    @property
    def size(self) -> int:
        """How many entries are sequenced."""
        return self._base + len(self._pending)

    @property
    def published(self) -> int:
        """How many entries the published checkpoint covers."""
        return self._base

    @property
    def signed_at(self) -> datetime:
        """The time of the last checkpoint."""
        return self._integrator.signed_at

    @property
    def note(self) -> str:
        """The published checkpoint, signed."""
        return self._integrator.note

    @property
    def key(self) -> LogKey:
        """What the log signs with."""
        return self._key

    def append(self, events: Sequence[Event]) -> list[Place | TallygateError]:
        """Give each event its place, all with one sync; an event that cannot have one gets its error instead."""
        self._demand_whole()
        if len(self._pending) + len(events) > MOST_PENDING or self._pending_bytes > MOST_PENDING_BYTES:
            return [RecordUnavailable() for _ in events]
        known = self._places({event.key for event in events})
        fresh: dict[str, Event] = {}
        for event in events:
            if event.key not in known:
                fresh.setdefault(event.key, event)
        refused = self._sequence(list(fresh.values()))
        return [refused.get(event.key) or self._told(event, fresh, known) for event in events]

    def integrate(self) -> Checkpoint | None:
        """Publish everything that is sequenced; None if there is nothing new.

        Raises:
            TilesUnavailable: the store does not answer. Entries can be appended until too many wait; calling again
                goes on.
            OSError, LogDamaged: the process must stop.
        """
        self._demand_whole()
        with self._guard:
            # What was committed before the store fell silent is finished first.
            waiting = self._pending[: self._integrator.under_way or None]
        if not waiting:
            return None
        try:
            return self._integrate(waiting)
        except TilesUnavailable:
            raise
        except BaseException:
            self._broken = True
            raise

    def read(self, start: int, limit: int) -> list[bytes]:
        """Sequenced entries' bytes from ``start`` on; fewer than ``limit`` is not the end."""
        with self._guard:
            if start >= self._base:
                return [entry.raw for entry in self._pending[start - self._base : start - self._base + limit]]
            size = self._base
        return self._integrator.reader.entries_bytes(start, limit, size=size)

    def recent(self, start: int, limit: int) -> list[bytes]:
        """The same from memory alone, for those who must not wait for the disk; nothing if it is published."""
        with self._guard:
            first = start - self._base
            return [entry.raw for entry in self._pending[first : first + limit]] if first >= 0 else []

    def close(self) -> None:
        """Let go of the folder."""
        self._opened.close()

    def _recover(self, disk: Disk) -> None:
        private = self._folder / "private"
        # 1. Finish or drop the last integration.
        self._integrator.recover()
        self._base = self._integrator.edge.size
        # 2. Bring the index of keys up to the tree.
        self._index = KeyIndex.open(private / "index.db")
        self._opened.callback(self._index.close)
        if self._index.size() > self._base:
            # It speaks of another history than the tree does.
            self._index.clear()
        # Keys of entries that retention removed are gone with them.
        first = max(self._index.size(), self._integrator.reader.first())
        for start in range(first, self._base, _STEP):
            self._take_up(start, self._reread(start))
        self._sources = self._index.sources()
        # 3. Replay the write-ahead file: what the tree has is passed over, the rest is sequenced again.
        self._ahead, replayed = WriteAhead.open(private / "ahead", disk)
        self._opened.callback(self._ahead.close)
        for index, raw in replayed:
            if index > self.size:
                raise LogDamaged(index=self.size, why="the write-ahead file has a gap")
            if index == self.size:
                entry = decode_entry(index, raw)
                self._remember([_Sequenced.of(entry.event, entry.sequence, raw)])
        # 4. Publish it the normal way.
        self.integrate()
        if self.size:
            [last] = self.read(self.size - 1, 1)
            self.closed = decode_entry(self.size - 1, last).event.type == CLOSED

    def _sequence(self, events: list[Event]) -> dict[str, TallygateError]:
        """Seal, number, write and sync; returns those that turned out too long, and all when the log is closed."""
        if self.closed:
            return {event.key: RecordUnavailable() for event in events}
        refused: dict[str, TallygateError] = {}
        ciphertexts = self._seals.seal(events, self._clock.now())
        sources = dict(self._sources)
        taken: list[_Sequenced] = []
        for event, ciphertext in zip(events, ciphertexts, strict=True):
            sequence = sources.get(event.source, 0)
            try:
                raw = encode_entry(event, sequence=sequence, ciphertext=ciphertext)
            except BadEvent as error:
                refused[event.key] = error
                continue
            sources[event.source] = sequence + 1
            taken.append(_Sequenced.of(event, sequence, raw))
        if taken:
            self._write([entry.raw for entry in taken])
            self._remember(taken)
            # Recorded alone, by the rotation; the server takes it from nobody.
            self.closed = any(event.type == CLOSED for event in events)
        return refused

    def _write(self, entries: list[bytes]) -> None:
        try:
            self._ahead.append(self.size, entries)
        except BaseException:
            self._broken = True
            raise

    def _remember(self, entries: list[_Sequenced]) -> None:
        with self._guard:
            for entry in entries:
                self._keys[entry.key] = self.size
                self._sources[entry.source] = entry.sequence + 1
                self._pending.append(entry)
                self._pending_bytes += len(entry.raw)

    def _told(self, event: Event, fresh: dict[str, Event], known: dict[str, int]) -> Place | TallygateError:
        try:
            return self._answer(event, fresh, known)
        except TallygateError as error:
            # Its entry is on disk and cannot be read now. That concerns this event alone, not the batch around it.
            _log.error("place_not_told", key=event.key, exc_info=error)
            return RecordUnavailable()

    def _answer(self, event: Event, fresh: dict[str, Event], known: dict[str, int]) -> Place | TallygateError:
        if (first := fresh.get(event.key)) is not None:
            if first is not event and _comparable(first) != _comparable(event):
                return KeyReused()
            index = self._places([event.key])[event.key]
            return Place(index, self._leaf(index))
        index = known[event.key]
        raw = self.read(index, 1)[0]
        if not self._same(decode_entry(index, raw), event):
            return KeyReused()
        return Place(index, leaf_hash(raw))

    def _same(self, entry: Entry, event: Event) -> bool:
        if entry.event != replace(_comparable(event), sealed={}) or bool(entry.ciphertext) != bool(event.sealed):
            return False
        try:
            return self._seals.open(entry) == dict(event.sealed)
        except Erased:
            # The header agrees and nobody can tell the rest apart any more.
            return True

    def _leaf(self, index: int) -> bytes:
        with self._guard:
            if index >= self._base:
                return self._pending[index - self._base].leaf
        return leaf_hash(self.read(index, 1)[0])

    def _places(self, keys: Sequence[str] | set[str]) -> dict[str, int]:
        with self._guard:
            found = {key: self._keys[key] for key in keys if key in self._keys}
        if rest := [key for key in keys if key not in found]:
            try:
                found.update(self._index.places(rest))
            except OSError:
                self._broken = True
                raise
        return found

    def _integrate(self, waiting: list[_Sequenced]) -> Checkpoint:
        checkpoint = self._integrator.integrate([entry.raw for entry in waiting], [entry.leaf for entry in waiting])
        self._take_up(self._base, waiting)
        with self._guard:
            self._base += len(waiting)
            del self._pending[: len(waiting)]
            for entry in waiting:
                del self._keys[entry.key]
                self._pending_bytes -= len(entry.raw)
        self._ahead.forget(self._base)
        return checkpoint

    def _take_up(self, start: int, entries: Sequence[_Sequenced]) -> None:
        places = {entry.key: start + i for i, entry in enumerate(entries)}
        sources = {entry.source: entry.sequence + 1 for entry in entries}
        self._index.add(places, sources, start + len(entries))

    def _reread(self, start: int) -> list[_Sequenced]:
        raws = self._integrator.reader.entries_bytes(start, _STEP, size=self._base)
        decoded = [(decode_entry(start + i, raw), raw) for i, raw in enumerate(raws)]
        return [_Sequenced.of(entry.event, entry.sequence, raw) for entry, raw in decoded]

    def _demand_open(self, *, even_closed: bool) -> None:
        if self.closed and not even_closed:
            raise LogClosed

    def _demand_whole(self) -> None:
        if self._broken:
            raise RecordUnavailable

    _ahead: WriteAhead
    _index: KeyIndex


def _comparable(event: Event) -> Event:
    """The event with its time as the log keeps it."""
    return replace(event, at=event.at.replace(microsecond=event.at.microsecond // 1000 * 1000))


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / "private" / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise LogInUse from error
    return descriptor
