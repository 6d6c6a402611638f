# SPDX-License-Identifier: Apache-2.0
"""Ready-made views: a named question with its columns and its counts. Who needs another one adds a row."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.clock import Clock
from core.errors import N_

from ..models import Outcome, Reader
from ..search import Query, Row
from ..search.query import ZONES
from ..search.terms import NOWHERE
from ..store import IndexStore
from .asking import asked_of, span_of
from .console import Console
from .errors import NoSuchView
from .gathering import Sees, gather
from .models import Hit
from .picture import DECISION, Count, Counting, Picture, Span, Which, picture

LINES = 50
OUTSIDE, INSIDE = ("internet", "external"), ("internal", "management")
WAY_OUT = "gateway.egress.decided"
_SERVANT = "civil-servant"


@dataclass(frozen=True, kw_only=True)
class View:
    """One view. ``sees`` narrows the rows further than filters can; ``counts`` is what its pictures count."""

    title: str
    explains: str
    queries: Sequence[Query]
    sees: Sees
    counts: Which
    columns: Sequence[str] = ("when", "who", "way", "how", "ended")


def _from_outside() -> Sequence[Query]:
    return [Query(type=DECISION, zone=zone) for zone in OUTSIDE]


def _roles(row: Row) -> Sequence[str]:
    return str(row.attributes.get("roles", "")).split()


def _remote(row: Row) -> bool:
    facts = row.attributes
    return (
        facts.get("to_zone") in INSIDE
        or facts.get("kind") == "device"
        or facts.get("credential") == "certificate"
        or _SERVANT in _roles(row)
    )


def _internet(row: Row) -> bool:
    return row.attributes.get("kind", "anonymous") in {"person", "anonymous"} and _SERVANT not in _roles(row)


VIEWS: Mapping[str, View] = {
    "remote-access": View(
        title=N_("Remote access"),
        explains=N_(
            "Civil servants and devices that come from outside: from the internet or the external network, with a "
            "device certificate, or on their way to something in the internal or management network."
        ),
        queries=_from_outside(),
        sees=_remote,
        counts=lambda count: count.type == DECISION and count.zone in OUTSIDE and count.to_zone in INSIDE,
    ),
    "internet-access": View(
        title=N_("Internet access"),
        explains=N_("People who come from the internet or the external network to what is offered to the public."),
        queries=_from_outside(),
        sees=_internet,
        counts=lambda count: count.type == DECISION and count.zone in OUTSIDE and count.to_zone not in INSIDE,
    ),
    "ways-out": View(
        title=N_("Ways out"),
        explains=N_("What people and devices of the site asked for in other networks, and what of it was refused."),
        queries=[Query(type=WAY_OUT)],
        sees=lambda _row: True,
        counts=lambda count: count.type == WAY_OUT,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Viewed:
    """One page of a view."""

    picture: Picture
    hits: Sequence[Hit]
    # Of the lines shown: who is there most often, with how many were refused.
    people: Sequence[tuple[str, int, int]]
    next: int | None
    lag: int | None


class Views:
    """The verbs of looking through a ready-made question."""

    def __init__(self, console: Console, *, index: IndexStore, counting: Counting, clock: Clock) -> None:
        self._console = console
        self._index = index
        self._counting = counting
        self._clock = clock

    def view(self, reader: Reader, name: str, *, span: Span, query: Query) -> Viewed:
        """One page of a view.

        Raises:
            NoSuchView: nobody defined it.
            RecordUnavailable: the look could not be recorded.
        """
        found = VIEWS.get(name)
        if found is None:
            raise NoSuchView
        label = f"view_{name}"
        return self._look(reader, label, found.queries, found.sees, found.counts, span=span, query=query)

    def crossing(self, reader: Reader, origin: str, destination: str, *, span: Span, query: Query) -> Viewed:
        """The decisions about one pair of networks.

        Raises:
            NoSuchView: there are no such networks.
            RecordUnavailable: the look could not be recorded.
        """
        if origin not in ZONES or destination not in (*ZONES, ""):
            raise NoSuchView

        def counts(count: Count) -> bool:
            return count.type == DECISION and (count.zone, count.to_zone) == (origin, destination)

        def sees(row: Row) -> bool:
            return row.attributes.get("to_zone", "") == destination

        queries = [Query(type=DECISION, zone=origin, to_zone=destination or NOWHERE)]
        label = f"crossing_{origin}_{destination or 'nowhere'}"
        return self._look(reader, label, queries, sees, counts, span=span, query=query)

    def _look(
        self,
        reader: Reader,
        label: str,
        queries: Sequence[Query],
        sees: Callable[[Row], bool],
        counts: Which,
        *,
        span: Span,
        query: Query,
    ) -> Viewed:
        lag = self._console.catch_up()
        drawn = picture(self._counting, span, self._clock.now(), which=counts)
        asked = [_narrowed(each, query) for each in queries]
        page = gather(self._index, asked, sees=sees, after=query.after, limit=LINES)
        openings = self._console.openings(reader)
        hits = [self._console.hit(row, openings) for row in page.rows]
        self._console.record(
            "audit.searched",
            reader,
            attributes={"view": label, "span": span.name} | asked_of(query) | span_of(page.rows) | openings.told(),
        )
        return Viewed(
            picture=drawn,
            hits=hits,
            people=_people(page.rows),
            next=page.next,
            lag=lag,
        )


def _narrowed(query: Query, by: Query) -> Query:
    return Query(type=query.type, zone=query.zone, outcome=by.outcome, since=by.since, until=by.until)


def _people(rows: Sequence[Row]) -> list[tuple[str, int, int]]:
    every, refused = Counter[str](), Counter[str]()
    for row in rows:
        every[row.subject] += 1
        refused[row.subject] += row.outcome is not Outcome.SUCCESS
    return [(subject, times, refused[subject]) for subject, times in every.most_common(8) if subject]
