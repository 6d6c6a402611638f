# SPDX-License-Identifier: Apache-2.0
"""The search index: rows in, models out. Not trusted: whatever it answers is proven against the log.

Whoever changes it can hide entries from a search or show wrong ones in a list, until the index is rebuilt; an opened
entry is always read from the log. Lists are paged by place, never by offset. The index lies in parts, each with the
entries of one stretch of the log: a search asks them from the newest on and stops when the page is full, and
retention drops a part whole.
"""

import functools
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, Self, TypeVar

from core.log import logger

from ..models import Outcome
from ..search import Count, Denials, IndexDamaged, Indexed, Query, Row, SearchTooLong, Shape, Stretch, Survey
from ..search.rows import stamp, unstamp
from ..search.survey import FACETS, MOST_VALUES, step_for
from ..search.terms import filtered, mark, quoted
from . import compare, schema
from .generations import Generation, Generations
from .part import Extent, Part, Sought
from .rows import DAY, HOUR

_log = logger(__name__)
Answer = TypeVar("Answer")
Step = Literal["hour", "day"]
_WORST = 10
_MOST_DENIALS = 20_000
"""Refusals of one span that are looked at to find the worst."""
MOST_COUNTED = 10_000
"""Hits beyond this are counted as “more than”: the exact number would cost a scan."""
MOST_NAMESAKES = 500
"""Persons one name may stand for in one search."""
SPAN = 1_000_000
"""Entries of one part, at most; a new quarter of a year begins a new one too."""
PATIENCE = timedelta(seconds=3)


class IndexStore:
    """The index of one log."""

    def __init__(
        self, generations: Generations, *, span: int = SPAN, patience: timedelta = PATIENCE,
        fixed: Generation | None = None,
    ) -> None:  # fmt: skip
        self._generations = generations
        self._span = span
        self._patience = patience
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
            if part is None or part.extent().next != start:
                return False
            extent = part.extent()
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

    def subjects(self, token: bytes) -> frozenset[str]:
        """Who is found under a name token."""
        found: set[str] = set()
        for some in self._each(lambda part: part.namesakes(token, MOST_NAMESAKES)):
            found.update(some)
        return frozenset(sorted(found)[:MOST_NAMESAKES])

    def search(self, query: Query, persons: AbstractSet[str], words: Sequence[str] = ()) -> list[Row]:
        """The newest rows that match, at most ``query.limit`` and one.

        ``persons`` are whom ``query.person`` stands for, ``words`` the questions for ``query.phrases``.

        Raises:
            SearchTooLong: it took longer than patience lasts.
        """
        sought = self._sought(query, persons, words, before=query.after)
        return self._gathered(self._overlapping(sought), query.limit + 1, lambda part, left: part.search(sought, left))

    def count(self, query: Query, persons: AbstractSet[str], words: Sequence[str] = ()) -> int:
        """How many rows match on all pages; one more than ``MOST_COUNTED`` stands for more. Raises as ``search``."""
        survey = self.survey(query, persons, words)
        return survey.counted + 1 if survey.more else survey.counted

    def survey(self, query: Query, persons: AbstractSet[str], words: Sequence[str] = ()) -> Survey:
        """What the newest ``MOST_COUNTED`` hits of all pages have in common. Raises as ``search``."""
        sought = self._sought(query, persons, words, before=None)
        facets: dict[str, Counter[str]] = {name: Counter() for name in FACETS}

        def counted(part: Part, left: int) -> list[int]:
            found = part.facts(sought, left)
            for code, count in Counter(kind for _at, kind, _code in found.facts).items():
                for name, value in zip(schema.COUNTED, found.kinds[code], strict=True):
                    facets[name][value] += count
            for code, count in Counter(code for _at, _kind, code in found.facts).items():
                facets["object"][found.objects[code]] += count
            return [at for at, _kind, _code in found.facts]

        times = self._gathered(self._overlapping(sought), MOST_COUNTED + 1, counted)
        more = len(times) > MOST_COUNTED
        step, bars = _bars(times[:MOST_COUNTED])
        return Survey(
            counted=min(len(times), MOST_COUNTED),
            more=more,
            facets={
                name: [(value, n) for value, n in found.most_common() if value][:MOST_VALUES]
                for name, found in facets.items()
            },
            step=step,
            bars=bars,
        )

    def about(self, subject: str, *, after: int | None, limit: int) -> list[Row]:
        """The newest rows about one person, for that person: what happened, without what was only about to."""
        sought = Sought(match=quoted(mark("person", subject)), before=after, deadline=self._deadline())
        return self._gathered(
            self._overlapping(sought), limit, lambda part, left: part.search(sought, left, subject=subject)
        )

    def around(self, session: str, place: int, count: int) -> tuple[list[Row], list[Row]]:
        """The entries of one session nearest before and after a place, each oldest first."""
        sought = Sought(match=quoted(mark("session", session)), deadline=self._deadline())
        before = self._gathered(
            self._overlapping(replace(sought, before=place)),
            count,
            lambda part, left: part.search(replace(sought, before=place), left),
        )
        oldest_first = reversed([part for part in self._overlapping(sought) if part.extent().next > place + 1])
        after = self._gathered(oldest_first, count, lambda part, left: part.following(sought, place, left))
        return before[::-1], after

    def counts(
        self, since: datetime, until: datetime, *, by: Sequence[str], step: Step = "hour",
        where: Mapping[str, str] | None = None,
    ) -> list[Count]:  # fmt: skip
        """How often what happened, hour by hour or day by day, in whole hours or days of a half-open span.

        ``by`` and ``where`` name fields of ``COUNTED``: type, outcome, zone, to_zone, source, reason. Costs nothing
        worth mentioning however many entries there are: the counters are kept as entries come in.
        """
        named = (*by, *(where or {}))
        if unknown := [name for name in named if name not in schema.COUNTED]:
            raise ValueError(f"not counted: {unknown[0]}")
        grain = HOUR if step == "hour" else DAY
        begin, end = stamp(since) - stamp(since) % grain, stamp(until)
        sums: Counter[tuple[int, tuple[str, ...]]] = Counter()
        for part in self._overlapping(Sought(since=begin, until=end)):
            answer = self._asked(part, lambda part: part.counters(step, begin, end, by, where or {}))
            for at, *values, times in answer or ():
                sums[at, tuple(values)] += times
        return [Count(at=unstamp(at), values=values, times=n) for (at, values), n in sorted(sums.items())]

    def hours(self, since: datetime, until: datetime) -> list[Count]:
        """``counts`` by hour for every field that is counted."""
        return self.counts(since, until, by=schema.COUNTED)

    def shape(self, since: datetime, until: datetime) -> Shape:
        """What happened in a half-open span, which is made longer at its beginning to whole hours."""
        since = unstamp(stamp(since) - stamp(since) % HOUR)
        types: dict[str, dict[Outcome, int]] = {}
        hours: dict[datetime, tuple[int, int]] = {}
        for count in self.counts(since, until, by=("type", "outcome")):
            kind, outcome = count.values[0], Outcome(count.values[1])
            counts = types.setdefault(kind, {})
            counts[outcome] = counts.get(outcome, 0) + count.times
            every, bad = hours.get(count.at, (0, 0))
            refused = count.times if outcome in (Outcome.DENIED, Outcome.FAILURE) else 0
            hours[count.at] = (every + count.times, bad + refused)
        return Shape(
            since=since,
            until=until,
            types=types,
            hours=[(at, *found) for at, found in hours.items()],
            denials=self._denials(since, until),
        )

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

    def _deadline(self) -> float:
        return time.monotonic() + self._patience.total_seconds()

    def _sought(self, query: Query, persons: AbstractSet[str], words: Sequence[str], *, before: int | None) -> Sought:
        match = " AND ".join([*filtered(query.fields(), persons if query.person else ()), *words])
        since, until = (None if at is None else stamp(at) for at in (query.since, query.until))
        return Sought(match=match, since=since, until=until, before=before, deadline=self._deadline())

    def _overlapping(self, sought: Sought) -> Iterator[Part]:
        """The parts in which there can be hits, newest first; what is damaged is passed over, and ``damaged`` tells."""
        for part in reversed(self._generation().parts()):
            extent = self._asked(part, Part.extent)
            if extent is None or extent.since is None or extent.until is None:
                continue
            early = sought.since is not None and extent.until < sought.since - sought.since % HOUR
            late = sought.until is not None and extent.since >= sought.until
            beyond = sought.before is not None and extent.first >= sought.before
            if time.monotonic() > sought.deadline:
                raise SearchTooLong
            if not (early or late or beyond):
                yield part

    def _each(self, ask: Callable[[Part], Answer]) -> Iterator[Answer]:
        for part in self._generation().parts():
            answer = self._asked(part, ask)
            if answer is not None:
                yield answer

    def _asked(self, part: Part, ask: Callable[[Part], Answer]) -> Answer | None:
        try:
            return ask(part)
        except IndexDamaged as error:
            if not part.told_damaged:
                part.told_damaged = True
                _log.error("index_damaged", part=part.path.stem, why=str(error.__cause__))
            return None

    def _gathered(self, parts: Iterable[Part], wanted: int, ask: Callable[[Part, int], list[Answer]]) -> list[Answer]:
        """What the parts answer in turn, until there is enough."""
        found: list[Answer] = []
        for part in parts:
            left = wanted - len(found)
            found += self._asked(part, functools.partial(_with, ask, left)) or []
            if len(found) >= wanted:
                break
        return found

    def _share(self, extent: Extent, entries: Sequence[Indexed]) -> int:
        """How many of these belong into the part: up to its size, and to the end of its quarter."""
        room = self._span - (extent.next - extent.first)
        quarter = _quarter(entries[0].row.at if extent.since is None else unstamp(extent.since))
        for number, entry in enumerate(entries[:room]):
            if _quarter(entry.row.at) > quarter:
                return number
        return min(room, len(entries))

    def _denials(self, since: datetime, until: datetime) -> list[Denials]:
        """The worst among the newest refusals of the span."""
        times: Counter[tuple[str, str, str]] = Counter()
        subjects: dict[tuple[str, str, str], set[str]] = {}
        query = Query(outcome=Outcome.DENIED, since=since, until=until)
        sought = self._sought(query, frozenset(), (), before=None)
        for part in self._overlapping(sought):
            for *what, subject in self._asked(part, lambda part: part.refusals(sought, _MOST_DENIALS)) or ():
                key = (what[0], what[1], what[2])
                times[key] += 1
                subjects.setdefault(key, set()).add(subject)
        worst = sorted(times, key=lambda key: (-times[key], key))[:_WORST]
        return [
            Denials(object=key[0], zone=key[1], reason=key[2], times=times[key], subjects=len(subjects[key] - {""}))
            for key in worst
        ]


def _with(ask: Callable[[Part, int], Answer], left: int, part: Part) -> Answer:
    return ask(part, left)


def _quarter(at: datetime) -> tuple[int, int]:
    return at.year, (at.month - 1) // 3


def _bars(times: Sequence[int]) -> tuple[timedelta, list[tuple[datetime, int]]]:
    if not times:
        return timedelta(minutes=1), []
    oldest, newest = min(times), max(times)
    step = step_for(timedelta(milliseconds=newest - oldest + 1))
    width = step // timedelta(milliseconds=1)
    counted = Counter(at // width for at in times)
    return step, [(unstamp(bar * width), counted[bar]) for bar in range(oldest // width, newest // width + 1)]
