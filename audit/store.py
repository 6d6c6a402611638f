# SPDX-License-Identifier: Apache-2.0
"""The search index's tables: rows in, models out. Not trusted: whatever it answers is proven against the log.

Whoever changes it can hide entries from a search or show wrong ones in a list, until the index is rebuilt; an opened
entry is always read from the log. Lists are paged by place, never by offset.
"""

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from core.db import Database, migrate

from .models import Outcome
from .search import Denials, Query, Row, Shape
from .search.rows import stamp, unstamp

_METADATA = MetaData()
_TEXTS = ("source", "zone", "subject", "actor", "object", "organisation", "session", "decision", "policy", "reason")
_ENTRY = Table(
    "entry",
    _METADATA,
    Column("place", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("type", String, nullable=False),
    Column("outcome", String, nullable=False),
    *(Column(name, String, nullable=False) for name in _TEXTS),
    Column("attributes", Text, nullable=False),
    *(
        Index(f"entry_{name}", name, "place")
        for name in ("subject", "actor", "object", "organisation", "session", "decision", "type")
    ),
    Index("entry_day", "at", "type", "outcome"),
)
_NAME_TOKEN = Table(
    "name_token",
    _METADATA,
    Column("token", LargeBinary, primary_key=True),
    Column("subject", String, primary_key=True),
    Index("name_token_subject", "subject"),
)
_PROGRESS = Table(
    "progress",
    _METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False),
)
_MIGRATIONS = Path(__file__).parent / "migrations"
_HOUR = 3_600_000
_WORST = 10
MOST_COUNTED = 10_000
"""Hits beyond this are counted as “more than”: the exact number would cost a scan."""
MOST_NAMESAKES = 500
"""Persons one name may stand for in one search."""


class IndexStore:
    """The index of one log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prepare(self) -> None:
        """Bring the tables to the newest shape."""
        migrate(self._database, _MIGRATIONS)

    def position(self) -> int:
        """Index of the first entry not yet in the index."""
        with self._database.reading() as connection:
            return int(connection.execute(select(_PROGRESS.c.next)).scalar_one())

    def add(self, start: int, rows: Sequence[Row], tokens: Mapping[str, AbstractSet[bytes]]) -> bool:
        """Put consecutive rows in and move the position with them; False if somebody else was there before."""
        with self._database.transaction() as connection:
            moved = connection.execute(
                update(_PROGRESS).where(_PROGRESS.c.next == start).values(next=start + len(rows))
            ).rowcount
            if not moved:
                return False
            connection.execute(insert(_ENTRY), [_values(row) for row in rows])
            for subject, found in tokens.items():
                query = select(_NAME_TOKEN.c.token).where(_NAME_TOKEN.c.subject == subject)
                new = found - set(connection.execute(query).scalars())
                if new:
                    connection.execute(insert(_NAME_TOKEN), [{"token": t, "subject": subject} for t in new])
        return True

    def clear(self) -> None:
        """Empty the index; it is rebuilt from entry 0."""
        with self._database.transaction() as connection:
            connection.execute(delete(_ENTRY))
            connection.execute(delete(_NAME_TOKEN))
            connection.execute(update(_PROGRESS).values(next=0))

    def forget(self, subject: str) -> None:
        """Nobody finds this person by name any more; part of erasing them."""
        with self._database.transaction() as connection:
            connection.execute(delete(_NAME_TOKEN).where(_NAME_TOKEN.c.subject == subject))

    def subjects(self, token: bytes) -> frozenset[str]:
        """Who is found under a name token."""
        query = select(_NAME_TOKEN.c.subject).where(_NAME_TOKEN.c.token == token).limit(MOST_NAMESAKES)
        with self._database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def search(self, query: Query, persons: AbstractSet[str]) -> list[Row]:
        """The newest rows that match, at most ``query.limit`` and one; ``persons`` are whom ``person`` stands for."""
        statement = select(_ENTRY).where(*_conditions(query, persons)).order_by(_ENTRY.c.place.desc())
        if query.after is not None:
            statement = statement.where(_ENTRY.c.place < query.after)
        with self._database.reading() as connection:
            return [_row(found) for found in connection.execute(statement.limit(query.limit + 1))]

    def count(self, query: Query, persons: AbstractSet[str]) -> int:
        """How many rows match on all pages; one more than ``MOST_COUNTED`` stands for more."""
        hits = select(literal(1)).select_from(_ENTRY).where(*_conditions(query, persons)).limit(MOST_COUNTED + 1)
        with self._database.reading() as connection:
            return connection.execute(select(func.count()).select_from(hits.subquery())).scalar_one()

    def about(self, subject: str, *, after: int | None, limit: int) -> list[Row]:
        """The newest rows about one person, for that person: what happened, without what was only about to."""
        happened = (_ENTRY.c.subject == subject, _ENTRY.c.outcome != Outcome.INTENDED.value)
        statement = select(_ENTRY).where(*happened).order_by(_ENTRY.c.place.desc()).limit(limit)
        if after is not None:
            statement = statement.where(_ENTRY.c.place < after)
        with self._database.reading() as connection:
            return [_row(found) for found in connection.execute(statement)]

    def shape(self, since: datetime, until: datetime) -> Shape:
        """What happened in a half-open span."""
        entry = _ENTRY.c
        span = (entry.at >= stamp(since), entry.at < stamp(until))
        refused = entry.outcome.in_([Outcome.DENIED.value, Outcome.FAILURE.value])
        hour = (entry.at - entry.at % _HOUR).label("hour")
        by_type = select(entry.type, entry.outcome, func.count()).where(*span).group_by(entry.type, entry.outcome)
        by_hour = (
            select(hour, func.count(), func.sum(case((refused, 1), else_=0))).where(*span).group_by(hour).order_by(hour)
        )
        times = func.count().label("times")
        denials = (
            select(entry.object, entry.zone, entry.reason, times, func.count(func.nullif(entry.subject, "").distinct()))
            .where(*span, entry.outcome == Outcome.DENIED.value)
            .group_by(entry.object, entry.zone, entry.reason)
            .order_by(times.desc(), entry.object, entry.zone, entry.reason)
            .limit(_WORST)
        )
        types: dict[str, dict[Outcome, int]] = {}
        with self._database.reading() as connection:
            for kind, outcome, count in connection.execute(by_type):
                types.setdefault(kind, {})[Outcome(outcome)] = count
            hours = [(unstamp(at), every, bad) for at, every, bad in connection.execute(by_hour)]
            worst = [
                Denials(object=what, zone=zone, reason=reason, times=often, subjects=subjects)
                for what, zone, reason, often, subjects in connection.execute(denials)
            ]
        return Shape(since=since, until=until, types=types, hours=hours, denials=worst)

    def everything(self) -> tuple[list[Row], frozenset[tuple[bytes, str]]]:
        """All rows and tokens, for comparing a rebuilt index with the old one."""
        with self._database.reading() as connection:
            rows = [_row(found) for found in connection.execute(select(_ENTRY).order_by(_ENTRY.c.place))]
            tokens = frozenset(
                (t, s) for t, s in connection.execute(select(_NAME_TOKEN.c.token, _NAME_TOKEN.c.subject))
            )
        return rows, tokens

    def check(self) -> None:
        """Answer one trivial query.

        Raises:
            DatabaseUnavailable: it did not.
        """
        self._database.check()


def _conditions(query: Query, persons: AbstractSet[str]) -> list[ColumnElement[bool]]:
    entry = _ENTRY.c
    equal = ("organisation", "object", "zone", "outcome", "type", "session", "decision")
    found = [entry[name] == str(getattr(query, name)) for name in equal if getattr(query, name)]
    if query.person:
        found.append(or_(entry.subject.in_(persons), entry.actor.in_(persons)))
    if query.since:
        found.append(entry.at >= stamp(query.since))
    if query.until:
        found.append(entry.at < stamp(query.until))
    return found


def _values(row: Row) -> dict[str, Any]:
    return {
        "place": row.index,
        "at": stamp(row.at),
        "type": row.type,
        "outcome": row.outcome.value,
        **{name: getattr(row, name) for name in _TEXTS},
        "attributes": json.dumps(dict(row.attributes), ensure_ascii=False, sort_keys=True, separators=(",", ":")),
    }


def _row(found: Any) -> Row:
    texts = {name: getattr(found, name) for name in _TEXTS if name != "reason"}
    return Row(
        index=found.place,
        at=unstamp(found.at),
        type=found.type,
        outcome=Outcome(found.outcome),
        attributes=json.loads(found.attributes),
        **texts,
    )
