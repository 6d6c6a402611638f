# SPDX-License-Identifier: Apache-2.0
"""Searches over the authority's certificates, in pages cut by key.

A search by holder, name, serial or key reads an index. One for what ends between two days follows the index of ends.
Any other walks back over what was issued, in stretches, and answers after ``ROUNDS`` of them at the latest.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from ...errors import NoSuchCertificate, NoSuchPage
from ...models import Standing, State
from ...store.rows import certificate as _model
from ...store.tables import Part, certificates, moment, revocations, seconds
from ..models import Found, Held, Query, Sought

STRETCH = 20_000
"""Places that one look walks over."""
ROUNDS = 5
_PAGE = 500
_BY_PLACE = re.compile(r"p([0-9]{1,18})", re.ASCII)
_BY_END = re.compile(r"e([0-9]{1,18})-([0-9]{1,18})", re.ASCII)
_SIGNED = (State.SIGNED, State.DELIVERED)
_COLUMNS = [
    certificates.c[name]
    for name in (
        "position",
        "serial",
        "issuer",
        "profile",
        "subject",
        "name",
        "actor",
        "key_hash",
        "state",
        "created",
        "not_before",
        "not_after",
        "shard",
    )
]


class Stock(Part):
    """The certificates as the inventory reads them."""

    def search(self, query: Query, *, at: datetime, after: str = "", limit: int = 50) -> Found:
        """One page.

        Raises:
            NoSuchPage: ``after`` is no place of ours, or of another order.
        """
        with self._database.reading() as connection:
            if _by_end(query):
                return _ending(connection, query, at, after, limit)
            if query.holder or query.name or query.serial or query.key:
                return _looked_up(connection, query, at, after, limit)
            return _walked(connection, query, at, after, limit, rounds=ROUNDS)

    def each(self, query: Query, *, at: datetime) -> Iterator[Held]:
        """Everything that is found, page by page, each in a snapshot of its own; memory does not grow."""
        after = ""
        while True:
            found = self.search(query, at=at, after=after, limit=_PAGE)
            yield from found.held
            if not found.more:
                return
            after = found.more

    def one(self, serial: str) -> Held:
        """One certificate.

        Raises:
            NoSuchCertificate: never used.
        """
        with self._database.reading() as connection:
            row = connection.execute(_joined().where(certificates.c.serial == serial)).one_or_none()
        if row is None:
            raise NoSuchCertificate
        return _held(row)

    def newest(self, subjects: list[str], *, each: int = 10) -> dict[str, tuple[Held, ...]]:
        """The newest certificates of some holders, in one reading."""
        found: dict[str, tuple[Held, ...]] = {}
        with self._database.reading() as connection:
            for subject in subjects:
                query = _joined().where(certificates.c.subject == subject, _shown(Query()))
                rows = connection.execute(query.order_by(certificates.c.position.desc()).limit(each))
                found[subject] = tuple(_held(row) for row in rows)
        return found


def _looked_up(connection: Connection, query: Query, at: datetime, after: str, limit: int) -> Found:
    before = _place(after)
    wanted = _joined().where(*_conditions(query, at)).order_by(certificates.c.position.desc()).limit(limit + 1)
    if before:
        wanted = wanted.where(certificates.c.position < before)
    held = [_held(row) for row in connection.execute(wanted)]
    return _page(held, limit)


def _walked(connection: Connection, query: Query, at: datetime, after: str, limit: int, *, rounds: int) -> Found:
    before = _place(after) or _newest_before(connection, query) + 1
    oldest = _oldest(connection, query)
    held: list[Held] = []
    wanted = _joined().where(*_conditions(query, at)).order_by(certificates.c.position.desc())
    for _ in range(rounds):
        if before <= oldest:
            return _page(held, limit)
        start = max(oldest, before - STRETCH)
        places = (certificates.c.position < before, certificates.c.position >= start)
        held += [_held(row) for row in connection.execute(wanted.where(*places).limit(limit + 1 - len(held)))]
        if len(held) > limit:
            return _page(held, limit)
        before = start
    more = f"p{before}" if before > oldest else ""
    return Found(held=tuple(held), more=more, partial=bool(more))


def _ending(connection: Connection, query: Query, at: datetime, after: str, limit: int) -> Found:
    wanted = _joined().where(*_conditions(query, at))
    if after:
        match = _BY_END.fullmatch(after)
        if match is None:
            raise NoSuchPage
        ends, place = int(match.group(1)), int(match.group(2))
        later = and_(certificates.c.not_after == ends, certificates.c.position > place)
        wanted = wanted.where(certificates.c.not_after >= ends, or_(certificates.c.not_after > ends, later))
    ordered = wanted.order_by(certificates.c.not_after, certificates.c.position).limit(limit + 1)
    held = [_held(row) for row in connection.execute(ordered)]
    if len(held) <= limit:
        return Found(held=tuple(held))
    last = held[limit - 1]
    return Found(held=tuple(held[:limit]), more=f"e{seconds(last.not_after)}-{last.position}")


def _page(held: list[Held], limit: int) -> Found:
    more = f"p{held[limit - 1].position}" if len(held) > limit else ""
    return Found(held=tuple(held[:limit]), more=more)


def _by_end(query: Query) -> bool:
    return bool(query.expires_from or query.expires_to) and not (query.holder or query.serial or query.key)


def _place(after: str) -> int:
    if not after:
        return 0
    match = _BY_PLACE.fullmatch(after)
    if match is None:
        raise NoSuchPage
    return int(match.group(1))


def _newest_before(connection: Connection, query: Query) -> int:
    wanted = select(func.coalesce(func.max(certificates.c.position), 0))
    if query.issued_to:
        # Places are taken in the order of time but for what was under way at once.
        limit = _begin(query.issued_to + timedelta(days=1)) + _SLACK
        last = select(certificates.c.position).where(certificates.c.created < limit)
        ordered = last.order_by(certificates.c.created.desc(), certificates.c.position.desc()).limit(1)
        return int(connection.execute(ordered).scalar_one_or_none() or 0)
    return int(connection.execute(wanted).scalar_one())


def _oldest(connection: Connection, query: Query) -> int:
    if not query.issued_from:
        return int(connection.execute(select(func.coalesce(func.min(certificates.c.position), 0))).scalar_one())
    first = select(certificates.c.position).where(certificates.c.created >= _begin(query.issued_from) - _SLACK)
    ordered = first.order_by(certificates.c.created, certificates.c.position).limit(1)
    found = connection.execute(ordered).scalar_one_or_none()
    return int(found) if found is not None else 1 << 60


_SLACK = 600


def _conditions(query: Query, at: datetime) -> list[Any]:
    table = certificates.c
    found: list[Any] = [_shown(query)]
    equal = {"subject": query.holder, "serial": query.serial, "key_hash": query.key, "profile": query.profile}
    found += [table[name] == value for name, value in {**equal, "issuer": query.issuer}.items() if value]
    if query.name:
        found.append(table.name.startswith(query.name, autoescape=True))
    if query.issued_from:
        found.append(table.created >= _begin(query.issued_from))
    if query.issued_to:
        found.append(table.created < _begin(query.issued_to + timedelta(days=1)))
    if query.expires_from:
        found.append(table.not_after >= _begin(query.expires_from))
    if query.expires_to:
        found.append(table.not_after < _begin(query.expires_to + timedelta(days=1)))
    now = seconds(at)
    standing = revocations.c.standing
    if query.state is Sought.GOOD:
        found += [table.state.in_(_SIGNED), standing.is_(None), table.not_after >= now]
    elif query.state is Sought.EXPIRED:
        found += [table.state.in_(_SIGNED), standing.is_(None), table.not_after < now]
    elif query.state is Sought.SUSPENDED:
        found.append(standing == Standing.SUSPENDED)
    elif query.state is Sought.REVOKED:
        found.append(standing == Standing.REVOKED)
    elif query.state is Sought.POSSIBLY_ISSUED:
        found += [table.state == State.INTENDED, standing.is_(None)]
    return found


def _shown(query: Query) -> Any:
    if query.state is Sought.ABANDONED:
        return certificates.c.state == State.ABANDONED
    return certificates.c.state.in_([State.INTENDED, *_SIGNED])


def _joined() -> Select[Any]:
    return select(
        *_COLUMNS,
        revocations.c.standing.label("withdrawn"),
        revocations.c.reason.label("why"),
        revocations.c.at.label("changed"),
    ).outerjoin(revocations, certificates.c.serial == revocations.c.serial)


def _held(row: Any) -> Held:
    found = _model(_Bare(row))
    return Held(
        position=row.position,
        serial=found.serial,
        issuer=found.issuer,
        profile=found.profile,
        subject=found.subject,
        name=found.name,
        actor=found.actor,
        key_hash=row.key_hash,
        state=found.state,
        standing=found.standing,
        created=found.created,
        not_before=found.not_before,
        not_after=moment(row.not_after),
        changed=found.changed,
        reason=found.reason,
    )


class _Bare:
    """A row without the bytes."""

    der = b""

    def __init__(self, row: Any) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)


def _begin(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())
