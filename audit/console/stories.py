# SPDX-License-Identifier: Apache-2.0
"""The story of one person, device, session or document: what the record holds about it, day by day.

A story is read like a search: it is gathered, its reading is recorded, and only then it is shown. What is personal in
it comes by the same way as in a search.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from ..models import Reader
from ..search import Query, Row
from ..store import IndexStore
from .asking import span_of
from .console import Console
from .errors import NothingTold
from .gathering import gather
from .models import Hit

LINES = 60
SUMMARY = 500
"""Entries that the head of a story is made of: the newest ones."""
QUIET = timedelta(hours=12)
"""A silence as long as this is told."""


class About(StrEnum):
    """What a story is about."""

    PERSON = "person"
    DEVICE = "device"
    SESSION = "session"
    DOCUMENT = "document"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One entry, and how long nothing had happened before it, where that is worth a word."""

    hit: Hit
    quiet: timedelta | None


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Consecutive entries of one session, or without one."""

    session: str
    lines: Sequence[Line]


@dataclass(frozen=True, kw_only=True)
class Day:
    """One day (UTC), newest first."""

    date: date
    stretches: Sequence[Stretch]


@dataclass(frozen=True, kw_only=True)
class Links:
    """What else the entries of a story lead to, with how often; the most frequent first."""

    people: Sequence[tuple[str, int]]
    sessions: Sequence[tuple[str, int]]
    certificates: Sequence[tuple[str, int]]
    documents: Sequence[tuple[str, int]]
    portals: Sequence[tuple[str, int]]


@dataclass(frozen=True, kw_only=True)
class Story:
    """One page of a story, and its head."""

    about: About
    identifier: str
    # Stands for the person while the name is not shown.
    pseudonym: str
    days: Sequence[Day]
    # A device where the address says person, or the other way round.
    kind: About
    # First and last of the entries in the head; ``complete`` if that is all there are.
    first: datetime
    last: datetime
    counted: int
    complete: bool
    summary: Sequence[Row]
    links: Links
    next: int | None
    lag: int | None


class Stories:
    """The verb of telling."""

    def __init__(self, console: Console, *, index: IndexStore) -> None:
        self._console = console
        self._index = index

    def tell(self, reader: Reader, about: About, identifier: str, *, query: Query) -> Story:
        """One page of the story, narrowed by ``query``.

        Raises:
            NothingTold: there is none.
            RecordUnavailable: the reading could not be recorded.
        """
        lag = self._console.catch_up()
        persons = frozenset({identifier}) if about in {About.PERSON, About.DEVICE} else frozenset()
        whole = _whole(about, identifier)
        head = gather(self._index, [whole], persons=persons, limit=SUMMARY)
        asked = replace(
            query, person=whole.person, session=whole.session or query.session, object=whole.object or query.object
        )
        page = gather(self._index, [asked], persons=persons, after=query.after, limit=LINES)
        shown, openings = page.rows, self._console.openings(reader)
        hits = [self._console.hit(row, openings) for row in shown]
        self._console.record(
            "audit.searched",
            reader,
            subject=identifier if persons and head.rows else "",
            what=identifier if not persons else "",
            attributes={"view": f"story_{about.value}", "hits": len(head.rows), **span_of(shown)} | openings.told(),
        )
        if not head.rows:
            raise NothingTold
        return Story(
            about=about,
            identifier=identifier,
            pseudonym=openings.pseudonym_of(identifier) if persons else "",
            kind=_kind(about, identifier, head.rows),
            days=days(hits),
            first=min(row.at for row in head.rows),
            last=max(row.at for row in head.rows),
            counted=len(head.rows),
            complete=head.next is None,
            summary=head.rows,
            links=_links(head.rows, identifier),
            next=page.next,
            lag=lag,
        )


def days(hits: Sequence[Hit]) -> list[Day]:
    """Group a page by day and, within a day, by session; the order stays."""
    found: list[tuple[date, list[tuple[str, list[Line]]]]] = []
    for place, hit in enumerate(hits):
        older = hits[place + 1] if place + 1 < len(hits) else None
        silence = hit.row.at - older.row.at if older else timedelta()
        line = Line(hit=hit, quiet=silence if silence >= QUIET else None)
        if not found or found[-1][0] != hit.row.at.date():
            found.append((hit.row.at.date(), []))
        stretches = found[-1][1]
        if not stretches or stretches[-1][0] != hit.row.session:
            stretches.append((hit.row.session, []))
        stretches[-1][1].append(line)
    return [
        Day(date=on, stretches=[Stretch(session=session, lines=lines) for session, lines in stretches])
        for on, stretches in found
    ]


def _whole(about: About, identifier: str) -> Query:
    if about is About.SESSION:
        return Query(session=identifier)
    return Query(object=identifier) if about is About.DOCUMENT else Query(person=identifier)


def _kind(about: About, identifier: str, rows: Sequence[Row]) -> About:
    """What the record itself calls it: the gateway says of whom it let in whether they are a person or a device."""
    if about not in {About.PERSON, About.DEVICE}:
        return about
    said = {str(row.attributes.get("kind", "")) for row in rows if row.subject == identifier}
    if "device" in said:
        return About.DEVICE
    return About.PERSON if "person" in said else about


def _links(rows: Sequence[Row], identifier: str) -> Links:
    people, sessions, portals = Counter[str](), Counter[str](), Counter[str]()
    certificates, documents = Counter[str](), Counter[str]()
    for row in rows:
        people.update({name for name in (row.subject, row.actor) if name and ":" not in name})
        sessions[row.session] += 1
        if row.type.startswith("ca.certificate."):
            certificates[row.object] += 1
        elif row.type.startswith("signature."):
            documents[row.object] += 1
            certificates[str(row.attributes.get("certificate", ""))] += 1
        elif row.type == "gateway.decision":
            portals[row.object] += 1
        elif row.type == "sso.login":
            certificates[str(row.attributes.get("certificate", ""))] += 1
    return Links(
        people=_most(people, identifier),
        sessions=_most(sessions, identifier),
        certificates=_most(certificates, identifier),
        documents=_most(documents, identifier),
        portals=_most(portals, identifier),
    )


def _most(found: Counter[str], identifier: str) -> list[tuple[str, int]]:
    return [each for each in found.most_common(12) if each[0] and each[0] != identifier][:10]
