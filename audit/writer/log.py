# SPDX-License-Identifier: Apache-2.0
"""The log as its one owner sees it: append batches, integrate them, read what is sequenced.

``append`` and ``integrate`` may run in two threads at once, each of them in only one. A failure of either leaves it
unknown what is on disk, so afterwards every call fails and the process has to stop: its successor decides.
"""

import fcntl
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Self

from core.clock import Clock
from core.errors import TallygateError

from ..blobs import BlobStore, Disk, DiskBlobs
from ..errors import (
    BadEvent,
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
from ..models_codec import Draft, draft_of
from ..press import NOTHING, SHAPES, Job
from ..press.pool import Press
from ..reader import LogReader
from ..seals import SealKey, Seals
from . import repeated
from .ahead import WriteAhead
from .integration import Integrator
from .keys import KeyIndex

# Beyond so many entries, or so many bytes of them, that no checkpoint covers, nothing more is taken.
MOST_PENDING = 65_536
MOST_PENDING_BYTES = 32 * 1024 * 1024
# How many entries one checkpoint takes in at most: each is in memory some six times while it is integrated.
MOST_AT_ONCE = 4096
_STEP = 4096
# What earlier versions had in place of the folder of keys; nothing in it was not in the log.
_OLD_INDEX = "index.db*"

Place = repeated.Place


class _Sequenced(NamedTuple):
    """What is kept of an entry until a checkpoint covers it."""

    raw: bytes
    leaf: bytes
    key: str
    source: str
    sequence: int

    @classmethod
    def of(cls, entry: Entry, raw: bytes) -> Self:
        return cls(raw, leaf_hash(raw), entry.event.key, entry.event.source, entry.sequence)


class Log:
    """Opens the folder for itself alone; recovery is part of opening."""

    def __init__(
        self,
        folder: Path,
        *,
        key: LogKey,
        seals: Seals,
        clock: Clock,
        disk: Disk,
        blobs: BlobStore | None,
        press: Press,
    ) -> None:
        self._folder = folder
        self._key = key
        self._seals = seals
        self._clock = clock
        self.press = press
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
        press: Press | None = None,
        even_closed: bool = False,
    ) -> Self:
        """Take the folder, recover, and be ready to append; ``press`` makes entries, without it this process does.

        Raises:
            LogClosed: nothing can be appended; with ``even_closed`` it is opened all the same, to be finished.
            LogInUse: another process has it.
            LogDamaged: what is stored contradicts what was acknowledged.
            TilesUnavailable: the store of its public part does not answer.
        """
        disk = disk or Disk()
        if not (folder / "private" / "committed").exists():
            raise LogDamaged(index=0, why="there is no log here")
        log = cls(folder, key=key, seals=seals, clock=clock, disk=disk, blobs=blobs, press=press or Press())
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
        answers: list[Place | TallygateError | None] = []
        drafts: list[Draft] = []
        for event in events:
            try:
                drafts.append(draft_of(event))
                answers.append(None)
            except BadEvent as error:
                answers.append(error)
        places = iter(self.take(drafts))
        return [next(places) if answer is None else answer for answer in answers]

    def take(self, drafts: Sequence[Draft]) -> list[Place | TallygateError]:
        """The same for events that were checked and encoded."""
        self._demand_whole()
        if len(self._pending) + len(drafts) > MOST_PENDING or self._pending_bytes > MOST_PENDING_BYTES:
            return [RecordUnavailable() for _ in drafts]
        known = self._places([draft.key for draft in drafts])
        fresh: dict[str, Draft] = {}
        for draft in drafts:
            if draft.key not in known:
                fresh.setdefault(draft.key, draft)
        told = self._sequence(list(fresh.values()))
        again = [(draft, known[draft.key]) for draft in drafts if draft.key in known]
        answers = iter(repeated.places_of(again, read=self.read, seals=self._seals) if again else ())
        return [next(answers) if draft.key in known else _told(draft, fresh[draft.key], told) for draft in drafts]

    def integrate(self) -> Checkpoint | None:
        """Publish everything that is sequenced; None if there is nothing new.

        Raises:
            TilesUnavailable: the store does not answer. Entries can be appended until too many wait; calling again
                goes on.
            OSError, LogDamaged: the process must stop.
        """
        self._demand_whole()
        # What was committed before the store fell silent is finished first, and alone.
        under_way = self._integrator.under_way
        end, checkpoint = self._base + under_way if under_way else self.size, None
        while self._base < end:
            with self._guard:
                waiting = self._pending[: under_way or MOST_AT_ONCE]
            try:
                checkpoint = self._integrate(waiting)
            except TilesUnavailable:
                raise
            except BaseException:
                self._broken = True
                raise
        return checkpoint

    @property
    def reader(self) -> LogReader:
        """What is published, as anybody reads it."""
        return self._integrator.reader

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
        for old in private.glob(_OLD_INDEX):
            old.unlink()
        self._index = KeyIndex.open(private / "keys", disk)
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
                entry = SHAPES.entry(index, raw)
                self._remember([_Sequenced.of(entry, raw)])
        # 4. Publish it the normal way.
        self.integrate()
        if self.size:
            [last] = self.read(self.size - 1, 1)
            self.closed = SHAPES.entry(self.size - 1, last).event.type == CLOSED

    def _sequence(self, drafts: list[Draft]) -> dict[str, Place | TallygateError]:
        """Seal, number, write and sync; refused are those that turn out too long, and all when the log is closed."""
        if self.closed:
            return {draft.key: RecordUnavailable() for draft in drafts}
        told: dict[str, Place | TallygateError] = {}
        taken, made = self._made(drafts)
        if len(taken) < len(drafts):
            told = {draft.key: BadEvent(why="it is longer than 65,535 bytes") for draft in drafts}
        if taken:
            self._write([entry.raw for entry in made])
            first = self.size
            self._remember(made)
            told.update((entry.key, Place(first + i, entry.leaf)) for i, entry in enumerate(made))
            # Recorded alone, by the rotation; the server takes it from nobody.
            self.closed = any(draft.type == CLOSED for draft in taken)
        return told

    def _made(self, drafts: list[Draft]) -> tuple[list[Draft], list[_Sequenced]]:
        """The entries of drafts, and which of these are no longer than an entry may be."""
        with self._seals.keys_for(drafts, self._clock.now()) as keys:
            fitting = list(zip(drafts, keys, strict=True))
            while True:
                jobs = self._jobs(fitting)
                made = self.press.make(jobs)
                if None not in made:
                    break
                # Sequence numbers have no gaps, so the rest is numbered again.
                fitting = [one for one, entry in zip(fitting, made, strict=True) if entry is not None]
        drafts = [draft for draft, _key in fitting]
        whole = [each for each in made if each is not None]
        return drafts, [
            _Sequenced(raw, leaf, draft.key, draft.source, job.sequence)
            for draft, job, (raw, leaf) in zip(drafts, jobs, whole, strict=True)
        ]

    def _jobs(self, drafts: list[tuple[Draft, SealKey | None]]) -> list[Job]:
        sources, jobs = dict(self._sources), []
        for draft, key in drafts:
            sequence = sources.get(draft.source, 0)
            sources[draft.source] = sequence + 1
            if key is None:
                identifier, bytes_ = NOTHING
            elif key.key is None:
                raise ValueError("a destroyed key seals nothing")
            else:
                identifier, bytes_ = key.id, key.key
            jobs.append(Job(draft.encoded, sequence, identifier, bytes_, draft.shaped))
        return jobs

    def _write(self, entries: list[bytes]) -> None:
        try:
            self._ahead.append(self.size, entries)
        except BaseException:
            self._broken = True
            raise

    def _remember(self, entries: list[_Sequenced]) -> None:
        with self._guard:
            for index, entry in enumerate(entries, self.size):
                self._keys[entry.key] = index
                self._sources[entry.source] = entry.sequence + 1
            self._pending += entries
            self._pending_bytes += sum(len(entry.raw) for entry in entries)

    def _places(self, keys: Sequence[str]) -> dict[str, int]:
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
        decoded = [(SHAPES.entry(start + i, raw), raw) for i, raw in enumerate(raws)]
        return [_Sequenced.of(entry, raw) for entry, raw in decoded]

    def _demand_open(self, *, even_closed: bool) -> None:
        if self.closed and not even_closed:
            raise LogClosed

    def _demand_whole(self) -> None:
        if self._broken:
            raise RecordUnavailable

    _ahead: WriteAhead
    _index: KeyIndex


def _told(draft: Draft, first: Draft, told: Mapping[str, Place | TallygateError]) -> Place | TallygateError:
    """Of one key's events in a batch the first is taken, and what says the same is the same."""
    return told[draft.key] if first is draft or first.encoded == draft.encoded else KeyReused()


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / "private" / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise LogInUse from error
    return descriptor
