# SPDX-License-Identifier: Apache-2.0
"""Counters for each day, so that no view counts certificates: what was issued, what ends, what was revoked and why.

A counter moves once, when what it counts is settled: nothing of a certificate's beginnings changes any more after
``settled``. Counting follows the places of certificates and the moments of revocations, in the order in which they were
taken, and its mark moves in the same transaction as the counters; of two processes that count at once one counts for
nothing. What is newer than the mark is counted when it is looked at, which is a few minutes' worth.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Integer, MetaData, String, Table, func, select, update

from core.clock import Clock
from core.db import Database

from ...models import Standing, State
from ...store.tables import certificates, insert_or, revocations, seconds

_metadata = MetaData()
tallies = Table(
    "tallies",
    _metadata,
    Column("day", Integer, primary_key=True),
    Column("what", String(16), primary_key=True),
    # A profile, or the reason of a revocation.
    Column("which", String(40), primary_key=True),
    Column("number", BigInteger),
)
marks = Table(
    "watch_marks",
    _metadata,
    Column("name", String(32), primary_key=True),
    Column("position", BigInteger),
    Column("at", BigInteger),
)
ISSUED, EXPIRES, REVOKED = "issued", "expires", "revoked"
_DAY = 86_400
_AT_ONCE = 5_000
_MOST_FRESH = 20_000
_SIGNED = (State.SIGNED, State.DELIVERED)
_Key = tuple[int, str, str]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Numbers for a page: by day and by profile or reason; days without any are not there."""

    issued: Mapping[tuple[date, str], int]
    expires: Mapping[tuple[date, str], int]
    revoked: Mapping[tuple[date, str], int]
    # Valid now, suspended ones too, by profile.
    valid: Mapping[str, int]
    # Whether so much is not yet counted that these numbers are too low.
    behind: bool


class Counting:
    """The duty that counts, and what was counted."""

    def __init__(self, database: Database, *, clock: Clock, settled: timedelta) -> None:
        """``settled`` is how long after its beginning an issuance has surely ended."""
        self._database = database
        self._clock = clock
        self._settled = settled

    def round(self) -> int:
        """Count whatever is settled and not yet counted; returns how many rows were looked at.

        Raises:
            DatabaseUnavailable: the rest is counted in the next round.
        """
        horizon = seconds(self._clock.now() - self._settled)
        looked = 0
        while some := self._count_issued(horizon):
            looked += some
        return looked + self._count_revoked(horizon)

    def counts(self, *, past: timedelta, ahead: timedelta) -> Counts:
        """Everything from ``past`` before now to ``ahead`` of now."""
        now = self._clock.now()
        today = seconds(now) // _DAY
        first, last = seconds(now - past) // _DAY, seconds(now + ahead) // _DAY
        number: Counter[_Key] = Counter()
        with self._database.reading() as connection:
            wanted = select(tallies).where(tallies.c.day >= first, tallies.c.day <= last)
            for row in connection.execute(wanted):
                number[row.day, row.what, row.which] += row.number
            later = select(tallies.c.which, func.sum(tallies.c.number)).where(
                tallies.c.what == EXPIRES, tallies.c.day >= today
            )
            valid = Counter({which: int(total) for which, total in connection.execute(later.group_by(tallies.c.which))})
            fresh, behind = self._fresh(connection)
        for (day, what, which), many in fresh.items():
            number[day, what, which] += many
            if what == EXPIRES and day >= today:
                valid[which] += many

        def of(what: str) -> dict[tuple[date, str], int]:
            return {(_date(key[0]), key[2]): many for key, many in number.items() if key[1] == what and many}

        return Counts(issued=of(ISSUED), expires=of(EXPIRES), revoked=of(REVOKED), valid={**+valid}, behind=behind)

    def _count_issued(self, horizon: int) -> int:
        with self._database.reading() as connection:
            mark = _mark(connection, ISSUED)
            rows = _issued_after(connection, mark[0], _AT_ONCE)
        settled = []
        for row in rows:
            if row.created >= horizon:
                break
            settled.append(row)
        if not settled:
            return 0
        self._add(_issued(settled), ISSUED, mark, (settled[-1].position, horizon))
        return len(settled)

    def _count_revoked(self, horizon: int) -> int:
        with self._database.reading() as connection:
            mark = _mark(connection, REVOKED)
            if horizon <= mark[1]:
                return 0
            number = _revoked(connection, mark[1], horizon)
        self._add(number, REVOKED, mark, (0, horizon))
        return sum(many for key, many in number.items() if key[1] == REVOKED)

    def _add(self, number: Counter[_Key], name: str, old: tuple[int, int], new: tuple[int, int]) -> None:
        with self._database.transaction() as connection:
            if not _move(connection, name, old, new):
                # Another process counted these.
                return
            for (day, what, which), many in sorted(number.items()):
                row = insert_or(connection, tallies).values(day=day, what=what, which=which, number=many)
                keys = [tallies.c.day, tallies.c.what, tallies.c.which]
                more = row.on_conflict_do_update(index_elements=keys, set_={"number": tallies.c.number + many})
                connection.execute(more)

    def _fresh(self, connection: Connection) -> tuple[Counter[_Key], bool]:
        rows = _issued_after(connection, _mark(connection, ISSUED)[0], _MOST_FRESH)
        number = _issued(rows)
        number.update(_revoked(connection, _mark(connection, REVOKED)[1], None))
        return number, len(rows) == _MOST_FRESH


def _issued_after(connection: Connection, position: int, limit: int) -> list[Any]:
    table = certificates.c
    wanted = select(table.position, table.created, table.profile, table.state, table.not_after)
    ordered = wanted.where(table.position > position).order_by(table.position).limit(limit)
    return list(connection.execute(ordered))


def _issued(rows: list[Any]) -> Counter[_Key]:
    number: Counter[_Key] = Counter()
    for row in rows:
        if row.state in _SIGNED:
            number[row.created // _DAY, ISSUED, row.profile] += 1
            number[row.not_after // _DAY, EXPIRES, row.profile] += 1
    return number


def _revoked(connection: Connection, since: int, until: int | None) -> Counter[_Key]:
    day = (revocations.c.at // _DAY).label("day")
    ends = (certificates.c.not_after // _DAY).label("ends")
    many = func.count().label("many")
    wanted = (
        select(day, ends, revocations.c.reason, certificates.c.profile, certificates.c.state, many)
        .join(certificates, certificates.c.serial == revocations.c.serial)
        .where(revocations.c.standing == Standing.REVOKED, revocations.c.at >= since)
        .group_by(day, ends, revocations.c.reason, certificates.c.profile, certificates.c.state)
    )
    if until is not None:
        wanted = wanted.where(revocations.c.at < until)
    number: Counter[_Key] = Counter()
    for row in connection.execute(wanted):
        number[int(row.day), REVOKED, row.reason] += row.many
        if row.state in _SIGNED:
            number[int(row.ends), EXPIRES, row.profile] -= row.many
    return number


def _mark(connection: Connection, name: str) -> tuple[int, int]:
    row = connection.execute(select(marks).where(marks.c.name == name)).one_or_none()
    return (row.position, row.at) if row else (0, 0)


def _move(connection: Connection, name: str, old: tuple[int, int], new: tuple[int, int]) -> bool:
    """Move a mark that stands where it stood; False if another process moved it."""
    values = {"position": new[0], "at": new[1]}
    if old == (0, 0):
        first = insert_or(connection, marks).values(name=name, position=0, at=0).on_conflict_do_nothing()
        connection.execute(first)
    stands = (marks.c.name == name, marks.c.position == old[0], marks.c.at == old[1])
    return bool(connection.execute(update(marks).where(*stands).values(values)).rowcount)


def _date(day: int) -> date:
    return datetime.fromtimestamp(day * _DAY, UTC).date()
