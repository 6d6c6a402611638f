# SPDX-License-Identifier: Apache-2.0
"""The search index: rows in, models out. Not trusted: whatever it answers is proven against the log.

Whoever changes it can hide entries from a search or show wrong ones in a list, until the index is rebuilt; an opened
entry is always read from the log. Lists are paged by place, never by offset. The index lies in parts, each with the
entries of one stretch of the log: a search asks them from the newest on and stops when the page is full, and
retention drops a part whole.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from ..search import Count, IndexDamaged, Indexed, Row, Stretch
from ..search.rows import unstamp
from ..search.terms import mark, quoted
from . import compare
from .generations import Generation, Generations
from .part import Extent, Part
from .questions import Questions

SPAN = 1_000_000
"""Entries of one part, at most; a new quarter of a year begins a new one too."""
PATIENCE = timedelta(seconds=3)


class IndexStore(Questions):
    """The index of one log."""

    def __init__(
        self, generations: Generations, *, span: int = SPAN, patience: timedelta = PATIENCE,
        fixed: Generation | None = None,
    ) -> None:  # fmt: skip
        super().__init__(lambda: self._generation().parts(), patience)
        self._generations = generations
        self._span = span
        self._fixed = fixed

    @classmethod
    def open(cls, folder: Path, *, span: int = SPAN, patience: timedelta = PATIENCE) -> Self:
        """The index in one folder."""
        return cls(Generations(folder), span=span, patience=patience)

    def prepare(self) -> None:
        """Make the folder; throw away an index that another version made: it is built again from the log."""
        self._generations.prepare()
        if any(not fits for fits in self._each(Part.fits)):
            with self.rebuilding(self._generation().begin()):
                pass

    def position(self) -> int:
        """Index of the first entry not yet in the index.

        Raises:
            IndexDamaged: the newest part cannot be read.
        """
        generation = self._generation()
        parts = generation.parts()
        return parts[-1].extent().next if parts else generation.begin()

    @contextmanager
    def adding(self) -> Iterator[None]:
        """Held from before an entry's sealed part is opened until its words are in: ``forget`` waits for it."""
        with self._generations.adding():
            yield

    def add(self, start: int, entries: Sequence[Indexed]) -> bool:
        """Put consecutive entries in and move the position with them; False if somebody else was there before."""
        generation = self._generation()
        while entries:
            parts = generation.parts()
            part = parts[-1] if parts else Part.create(generation.folder, generation.begin())
            # Read once: somebody else may fill and close the part between two looks at it.
            extent = part.extent() if part else None
            if part is None or extent is None or extent.next != start:
                return False
            if extent.closed:
                if Part.create(generation.folder, start) is None:
                    return False
                continue
            taken = self._share(extent, entries)
            if not part.add(entries[:taken], close=taken < len(entries) or start + taken - extent.first >= self._span):
                return False
            if part.extent().closed:
                part.settle()
            start, entries = start + taken, entries[taken:]
        return True

    def begin(self) -> int:
        """Place of the first entry that the index shall hold: what lies before was dropped."""
        return self._generation().begin()

    @contextmanager
    def rebuilding(self, begin: int = 0) -> Iterator["IndexStore"]:
        """A new, empty index that takes the place of this one at the end, at once; until then this one answers.

        Raises:
            IndexInUse: somebody else is rebuilding it.
        """
        with self._generations.building(begin) as new:
            yield IndexStore(self._generations, span=self._span, patience=self._patience, fixed=new)

    @contextmanager
    def mending(self, first: int) -> Iterator["IndexStore"]:
        """A new, empty index for the stretch of the part that begins at ``first``, whose place it takes at the end.

        Raises:
            IndexInUse: somebody else is rebuilding the index.
        """
        with self._generations.mending(first) as new:
            mended = IndexStore(self._generations, span=self._span, patience=self._patience, fixed=new)
            yield mended
            for part in new.parts():
                part.settle()

    def holding(self, place: int) -> Stretch | None:
        """The part in which a place lies, damaged or not; None behind the newest."""
        parts = self._generation().parts()
        for part, following in zip(parts, [*parts[1:], None], strict=False):
            extent = self._asked(part, Part.extent)
            end = following.first if following else extent.next if extent else None
            if end is None or part.first <= place < end:
                known = (None, None) if extent is None or extent.since is None else (extent.since, extent.until)
                since, until = (None if at is None else unstamp(at) for at in known)
                return Stretch(
                    name=part.path.stem, first=part.first, end=end or part.first, since=since, until=until,
                    size=part.size(),
                )  # fmt: skip
        return None

    def differs(self, entries: Sequence[Indexed]) -> int | None:
        """The first of consecutive entries of one part that the index does not hold as given; None if it holds all.

        Raises:
            IndexDamaged: the part cannot be read.
        """
        return compare.differs(self._part_of(entries[0].row.index), entries)

    def check_part(self, place: int) -> None:
        """Read every page of the part that holds a place, and count again what its counters say.

        Raises:
            IndexDamaged: something is not as it was written.
        """
        part = self._part_of(place)
        part.check()
        if part.extent().closed and compare.miscounted(part):
            raise IndexDamaged(first=part.first)

    def _part_of(self, place: int) -> Part:
        return [part for part in self._generation().parts() if part.first <= place][-1]

    def partitions(self) -> list[Stretch]:
        """The parts, oldest first; all but the newest may be dropped.

        Raises:
            IndexDamaged: one of them cannot be read.
        """
        found = []
        for part in self._generation().parts():
            extent = part.extent()
            since, until = (None if at is None else unstamp(at) for at in (extent.since, extent.until))
            found.append(
                Stretch(
                    name=part.path.stem, first=extent.first, end=extent.next, since=since, until=until, size=part.size()
                )
            )
        return found

    def drop(self, name: str) -> None:
        """Remove one part with its counters; searches that run see it to their end. The newest is never dropped.

        With the oldest part the index begins later, and a rebuilding brings back nothing from before.
        """
        with self._generations.alone():
            generation = self._generation()
            parts = generation.parts()
            for part, following in itertools.pairwise(parts):
                if part.path.stem == name:
                    if part is parts[0]:
                        generation.begin_at(following.first)
                    part.remove()

    def forget(self, subject: str) -> None:
        """Nobody finds this person by a name or a sealed word any more; part of erasing them, after their key.

        Raises:
            IndexDamaged: a part cannot be read; it must be rebuilt, and holds the words until then.
        """
        with self._generations.alone():
            for generation in self._generations.all():
                for part in generation.parts():
                    part.forget(subject, quoted(mark("person", subject)))
                generation.close()

    def damaged(self) -> list[Stretch]:
        """The parts that cannot be read: their entries are in no answer until the index is rebuilt."""
        found = []
        parts = self._generation().parts()
        for part, following in zip(parts, [*parts[1:], None], strict=False):
            try:
                part.extent()
            except IndexDamaged:
                end = following.first if following else part.first
                size = part.size()
                found.append(Stretch(name=part.path.stem, first=part.first, end=end, since=None, until=None, size=size))
        return found

    def verify(self) -> None:
        """Read every page of every part.

        Raises:
            IndexDamaged: something is not as it was written.
        """
        for part in self._generation().parts():
            part.check()

    def everything(self) -> tuple[list[tuple[Row, str]], frozenset[tuple[bytes, str]], list[Count]]:
        """All rows, tokens and counters, for comparing a rebuilt index with the old one."""
        parts = self._generation().parts()
        rows = [row for part in parts for row in part.everything()]
        tokens = frozenset(name for part in parts for name in part.names())
        return rows, tokens, self.hours(datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))

    def check(self) -> None:
        """Answer one trivial query.

        Raises:
            DatabaseUnavailable: it did not.
            IndexDamaged: the newest part is none.
        """
        self.position()

    def close(self) -> None:
        """Give the connections back."""
        self._generation().close()

    def _generation(self) -> Generation:
        return self._fixed or self._generations.current()

    def _share(self, extent: Extent, entries: Sequence[Indexed]) -> int:
        """How many of these belong into the part: up to its size, and to the end of its quarter."""
        room = self._span - (extent.next - extent.first)
        quarter = _quarter(entries[0].row.at if extent.since is None else unstamp(extent.since))
        for number, entry in enumerate(entries[:room]):
            if _quarter(entry.row.at) > quarter:
                return number
        return min(room, len(entries))


def _quarter(at: datetime) -> tuple[int, int]:
    return at.year, (at.month - 1) // 3
