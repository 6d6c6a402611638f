# SPDX-License-Identifier: Apache-2.0
"""What the index is asked: pages of hits, what they have in common, and counters; nothing here writes.

Parts are asked from the newest on, until there is enough; what is damaged is passed over.
"""

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from core.log import logger

from ..models import Outcome
from ..search import Count, Denials, Entered, EntryKind, IndexDamaged, Query, Row, SearchTooLong, Shape, Survey
from ..search.rows import stamp, unstamp
from ..search.survey import FACETS, MOST_VALUES, step_for
from ..search.terms import filtered, mark, quoted
from . import schema
from .part import Part, Sought
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


class Questions:
    """Over the parts as they are now, oldest first; an answer takes no longer than ``patience``."""

    def __init__(self, parts: Callable[[], Sequence[Part]], patience: timedelta) -> None:
        self._parts = parts
        self._patience = patience

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

    def answer(
        self, query: Query, persons: AbstractSet[str], words: Sequence[str] = ()
    ) -> tuple[list[Row], Survey]:  # fmt: skip
        """``search`` and ``survey``; for the first page the index is asked once for both. Raises as ``search``."""
        if query.after is not None:
            return self.search(query, persons, words), self.survey(query, persons, words)
        rows: list[Row] = []
        return rows, self.survey(query, persons, words, first=rows)

    def survey(
        self, query: Query, persons: AbstractSet[str], words: Sequence[str] = (), *, first: list[Row] | None = None
    ) -> Survey:
        """What the newest ``MOST_COUNTED`` hits of all pages have in common. Raises as ``search``.

        ``first`` is given the rows of the first page, as ``search`` finds them.
        """
        sought = self._sought(query, persons, words, before=None)
        facets: dict[str, Counter[str]] = {name: Counter() for name in FACETS}

        def counted(part: Part, left: int) -> Sequence[int]:
            found = part.facts(sought, left)
            if first is not None and len(first) <= query.limit and found.places:
                first.extend(part.at(found.places[: query.limit + 1 - len(first)], deadline=sought.deadline))
            for code, count in Counter(found.facts.kinds).items():
                for name, value in zip(schema.COUNTED, found.kinds[code], strict=True):
                    facets[name][value] += count
            for code, count in Counter(found.facts.codes).items():
                facets["object"][found.objects[code]] += count
            return found.facts.times

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

    def history(self, entry: Entered, *, after: int | None, limit: int) -> list[Row]:
        """The newest changes of one entry of the directory. Raises as ``search``."""
        sought = Sought(match=entry.match(), before=after, deadline=self._deadline())
        subject = entry.identifier if entry.kind is EntryKind.SUBJECT else ""
        found: list[Row] = []
        while True:
            wanted = limit - len(found)
            rows = self._gathered(
                self._overlapping(sought),
                wanted,
                functools.partial(_searched, sought=sought, subject=subject),
            )
            found += [each for each in rows if entry.holds(each)]
            if len(rows) < wanted or len(found) >= limit:
                return found
            sought = replace(sought, before=rows[-1].index)

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

    def _deadline(self) -> float:
        return time.monotonic() + self._patience.total_seconds()

    def _sought(self, query: Query, persons: AbstractSet[str], words: Sequence[str], *, before: int | None) -> Sought:
        match = " AND ".join([*filtered(query.fields(), persons if query.person else ()), *words])
        since, until = (None if at is None else stamp(at) for at in (query.since, query.until))
        return Sought(match=match, since=since, until=until, before=before, deadline=self._deadline())

    def _overlapping(self, sought: Sought) -> Iterator[Part]:
        """The parts in which there can be hits, newest first; what is damaged is passed over, and ``damaged`` tells."""
        for part in reversed(self._parts()):
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
        for part in self._parts():
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

    def _gathered(
        self, parts: Iterable[Part], wanted: int, ask: Callable[[Part, int], Sequence[Answer]]
    ) -> list[Answer]:
        """What the parts answer in turn, until there is enough."""
        found: list[Answer] = []
        for part in parts:
            left = wanted - len(found)
            found += self._asked(part, functools.partial(_with, ask, left)) or []
            if len(found) >= wanted:
                break
        return found

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


def _searched(part: Part, left: int, *, sought: Sought, subject: str) -> list[Row]:
    return part.search(sought, left, subject=subject)


def _bars(times: Sequence[int]) -> tuple[timedelta, list[tuple[datetime, int]]]:
    if not times:
        return timedelta(minutes=1), []
    oldest, newest = min(times), max(times)
    step = step_for(timedelta(milliseconds=newest - oldest + 1))
    width = step // timedelta(milliseconds=1)
    counted = Counter(at // width for at in times)
    return step, [(unstamp(bar * width), counted[bar]) for bar in range(oldest // width, newest // width + 1)]
