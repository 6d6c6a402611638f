# SPDX-License-Identifier: Apache-2.0
"""Notices: what shall be told, in whose hands it is, what became of it.

For each step a mark walks along the ends of certificates, always so many days ahead. It moves in the transaction that
keeps the notices of what it passed, so each certificate is met once for each step, however often this runs.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, and_, func, or_, select, update

from ..models import Standing, State
from ..store.tables import Note, Part, certificates, insert_or, moment, put, revocations, seconds
from .models import Channel, Due, NoticeState

_metadata = MetaData()
notices = Table(
    "notices",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64)),
    Column("serial", String(40)),
    Column("step", Integer),
    Column("channel", String(16)),
    Column("state", String(16)),
    Column("made", BigInteger),
    # When it is tried next; while somebody tries it, until when others leave it alone.
    Column("next", BigInteger),
    Column("tries", Integer),
    Column("why", String(64)),
    Column("done", BigInteger),
    # Address of the page about an incident; empty where a notice is about the end.
    Column("about", String(300)),
)
_marks = Table(
    "watch_marks",
    _metadata,
    Column("name", String(32), primary_key=True),
    Column("position", BigInteger),
    Column("at", BigInteger),
)
LEASE = timedelta(minutes=10)
"""So long a notice is left to whoever tries it; longer than any delivery takes."""
_AT_ONCE = 500
_LAST = (1 << 31) - 1
_DAY = 86_400
_SIGNED = (State.SIGNED, State.DELIVERED)


@dataclass(frozen=True, kw_only=True)
class Told:
    """A notice as a page shows it."""

    serial: str
    step: int
    channel: Channel
    state: NoticeState
    made: datetime
    done: datetime | None
    why: str
    about: str


class Board(Part):
    """The notices of one authority."""

    def plan(
        self,
        steps: Sequence[int],
        channels: Sequence[Channel],
        wanted: Callable[[str], Sequence[int]],
        *,
        site: str,
        at: datetime,
    ) -> int:
        """Keep a notice for whatever comes nearer to its end than a step; returns how many certificates were met.

        ``wanted`` gives the steps of a profile. Of several steps that are due at once only the nearest to the end is
        told: whoever was away for weeks gets one letter.
        """
        met = 0
        for step in sorted(steps):
            while True:
                some = self._plan_some(step, channels, wanted, site, seconds(at))
                met += some
                if some < _AT_ONCE:
                    break
        return met

    def _plan_some(
        self, step: int, channels: Sequence[Channel], wanted: Callable[[str], Sequence[int]], site: str, now: int
    ) -> int:
        name, horizon = f"notice-{step}", now + step * _DAY
        with self._database.transaction() as connection:
            # Of two processes the second waits here.
            first = insert_or(connection, _marks).values(name=name, position=0, at=now).on_conflict_do_nothing()
            connection.execute(first)
            mark = connection.execute(select(_marks).where(_marks.c.name == name).with_for_update()).one()
            table = certificates.c
            begin = max(mark.at, now)
            place = mark.position if begin == mark.at else 0
            later = and_(table.not_after == begin, table.position > place)
            query = (
                select(table.position, table.serial, table.profile, table.not_after)
                .outerjoin(revocations, revocations.c.serial == table.serial)
                .where(
                    or_(table.not_after > begin, later),
                    table.not_after >= begin,
                    table.not_after <= horizon,
                    table.state.in_(_SIGNED),
                    revocations.c.standing.is_(None) | (revocations.c.standing != Standing.REVOKED),
                )
                .order_by(table.not_after, table.position)
                .limit(_AT_ONCE)
            )
            rows = list(connection.execute(query))
            made = [
                {
                    "id": identifier(site, row.serial, step, channel),
                    "serial": row.serial,
                    "step": step,
                    "channel": channel,
                    "state": NoticeState.WAITING,
                    "made": now,
                    "next": now,
                    "tries": 0,
                    "why": "",
                    "done": None,
                    "about": "",
                }
                for row in rows
                if _is_its_turn(step, wanted(row.profile), row.not_after, now)
                for channel in channels
            ]
            if made:
                connection.execute(insert_or(connection, notices).on_conflict_do_nothing(), made)
            last = (rows[-1].not_after, rows[-1].position) if len(rows) == _AT_ONCE else (horizon, _LAST)
            connection.execute(update(_marks).where(_marks.c.name == name).values(at=last[0], position=last[1]))
        return len(rows)

    def tell(
        self,
        serials: Sequence[str],
        channels: Callable[[str], Sequence[Channel]],
        *,
        about: str,
        apart_from: str,
        site: str,
        at: datetime,
    ) -> int:
        """Keep a notice that these are part of an incident, by the channels of each profile; once, however often asked.

        What ``apart_from`` had made is left out: whoever asks by that way hears it there. Returns how many were kept.
        """
        table = certificates.c
        query = select(table.serial, table.profile).where(table.serial.in_(serials), table.actor != apart_from)
        now = seconds(at)
        with self._database.transaction() as connection:
            made = [
                {
                    "id": identifier(site, row.serial, about, channel),
                    "serial": row.serial,
                    "step": 0,
                    "channel": channel,
                    "state": NoticeState.WAITING,
                    "made": now,
                    "next": now,
                    "tries": 0,
                    "why": "",
                    "done": None,
                    "about": about,
                }
                for row in connection.execute(query.where(table.state.in_(_SIGNED)))
                for channel in channels(row.profile)
            ]
            if made:
                connection.execute(insert_or(connection, notices).on_conflict_do_nothing(), made)
        return len(made)

    def take(self, *, at: datetime, limit: int = 20) -> list[Due]:
        """Some notices that are due, each now in our hands alone for a while."""
        now = seconds(at)
        due = notices.c.next <= now
        with self._database.transaction() as connection:
            query = (
                select(notices.c.id)
                .where(notices.c.state == NoticeState.WAITING, due)
                .order_by(notices.c.next, notices.c.position)
                .limit(limit)
            )
            ids = list(connection.execute(query).scalars())
            mine = []
            for each in ids:
                held = update(notices).where(notices.c.id == each, notices.c.state == NoticeState.WAITING, due)
                values = {"next": now + int(LEASE.total_seconds()), "tries": notices.c.tries + 1}
                if connection.execute(held.values(values)).rowcount:
                    mine.append(each)
            rows = connection.execute(_joined().where(notices.c.id.in_(mine)).order_by(notices.c.position))
            return [_due(row) for row in rows]

    def later(self, identifier: str, *, at: datetime, why: str) -> None:
        """It is tried again at that moment."""
        again = update(notices).where(notices.c.id == identifier, notices.c.state == NoticeState.WAITING)
        with self._database.transaction() as connection:
            connection.execute(again.values(next=seconds(at), why=why[:64]))

    def end(
        self, identifier: str, state: NoticeState, *, at: datetime, why: str = "", note: Note | None = None
    ) -> bool:
        """It has come to an end, with the record of that; False if it had before."""
        ended = update(notices).where(notices.c.id == identifier, notices.c.state == NoticeState.WAITING)
        with self._database.transaction() as connection:
            if not connection.execute(ended.values(state=state, done=seconds(at), why=why[:64])).rowcount:
                return False
            if note is not None:
                put(connection, note)
            return True

    def successors(self, due: Due) -> list[bytes]:
        """Newer certificates of the same holder and profile that last longer and are not revoked, DER."""
        table = certificates.c
        query = (
            select(table.der)
            .outerjoin(revocations, revocations.c.serial == table.serial)
            .where(
                table.subject == due.subject,
                table.profile == due.profile,
                table.position > due.position,
                table.not_after > seconds(due.not_after),
                table.state.in_(_SIGNED),
                revocations.c.standing.is_(None) | (revocations.c.standing != Standing.REVOKED),
            )
            .order_by(table.position.desc())
            .limit(100)
        )
        with self._database.reading() as connection:
            return [bytes(each) for each in connection.execute(query).scalars()]

    def numbers(self, *, since: datetime) -> tuple[int, int]:
        """How many wait, and how many failed since then."""
        query = select(notices.c.state, func.count().label("many")).where(
            or_(
                notices.c.state == NoticeState.WAITING,
                and_(notices.c.state == NoticeState.FAILED, notices.c.next >= seconds(since)),
            )
        )
        with self._database.reading() as connection:
            found = {row.state: row.many for row in connection.execute(query.group_by(notices.c.state))}
        return found.get(NoticeState.WAITING, 0), found.get(NoticeState.FAILED, 0)

    def told(self, serial: str) -> list[Told]:
        """Every notice about one certificate, the first one first."""
        query = select(notices).where(notices.c.serial == serial).order_by(notices.c.position)
        with self._database.reading() as connection:
            return [_told(row) for row in connection.execute(query)]

    def newest(self, *, state: NoticeState | None = None, before: int = 0, limit: int = 50) -> tuple[list[Told], int]:
        """A page of notices, the newest first, and where the next one begins (0: no more)."""
        query = select(notices).order_by(notices.c.position.desc()).limit(limit + 1)
        if state is not None:
            query = query.where(notices.c.state == state)
        if before:
            query = query.where(notices.c.position < before)
        with self._database.reading() as connection:
            rows = list(connection.execute(query))
        return [_told(row) for row in rows[:limit]], rows[limit - 1].position if len(rows) > limit else 0


def identifier(site: str, serial: str, what: int | str, channel: Channel) -> str:
    """The name of a notice: the same whoever makes it and however often, and nobody else's."""
    said = "\0".join((site, serial, str(what), channel.value)).encode()
    return hashlib.sha256(said).hexdigest()[:32]


def _is_its_turn(step: int, wanted: Sequence[int], not_after: int, now: int) -> bool:
    nearer = max((each for each in wanted if each < step), default=None)
    return step in wanted and (nearer is None or not_after > now + nearer * _DAY)


def _joined() -> Any:
    table = certificates.c
    return (
        select(
            notices.c.id,
            notices.c.serial,
            notices.c.step,
            notices.c.about,
            notices.c.channel,
            notices.c.tries,
            table.profile,
            table.subject,
            table.name,
            table.not_after,
            table.der,
            table.position,
            revocations.c.standing,
        )
        .join(certificates, table.serial == notices.c.serial)
        .outerjoin(revocations, revocations.c.serial == notices.c.serial)
    )


def _told(row: Any) -> Told:
    return Told(
        serial=row.serial,
        step=row.step,
        channel=Channel(row.channel),
        state=NoticeState(row.state),
        made=moment(row.made),
        done=moment(row.done) if row.done is not None else None,
        why=row.why,
        about=row.about,
    )


def _due(row: Any) -> Due:
    return Due(
        id=row.id,
        serial=row.serial,
        step=row.step,
        about=row.about,
        channel=Channel(row.channel),
        tries=row.tries,
        profile=row.profile,
        subject=row.subject,
        name=row.name,
        not_after=moment(row.not_after),
        good=row.standing != Standing.REVOKED,
        der=bytes(row.der),
        position=row.position,
    )
