# SPDX-License-Identifier: Apache-2.0
"""The tables of EST, in the authority's own database; its outbox takes the records in the same transactions."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text, and_, delete, func, insert, select
from sqlalchemy import update as change

from core.db import Database

from ..store import Note
from ..store.tables import moment, put, seconds
from .models import Enrolment, EnrolmentState

_metadata = MetaData()
enrolments = Table(
    "est_enrolments",
    _metadata,
    Column("id", String(32), primary_key=True),
    Column("device", String(36)),
    Column("label", String(64)),
    Column("hosts", Text),
    Column("officer", String(128)),
    Column("created", BigInteger),
    Column("expires", BigInteger),
    Column("uses", Integer),
    Column("used", Integer),
    Column("state", String(16)),
    Column("digest", String(64)),
)
strikes = Table(
    "est_strikes",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("bucket", String(100)),
    Column("until", BigInteger),
)


class Store:
    """Enrolments, and what is counted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, enrolment: Enrolment, note: Note) -> None:
        """Keep a new enrolment."""
        row = {
            "id": enrolment.id,
            "device": enrolment.device,
            "label": enrolment.label,
            "hosts": json.dumps(enrolment.hosts),
            "officer": enrolment.officer,
            "created": seconds(enrolment.created),
            "expires": seconds(enrolment.expires),
            "uses": enrolment.uses,
            "used": enrolment.used,
            "state": enrolment.state,
            "digest": enrolment.digest,
        }
        with self._database.transaction() as connection:
            connection.execute(insert(enrolments), row)
            put(connection, note)

    def enrolment(self, identifier: str) -> Enrolment | None:
        """One of them."""
        with self._database.reading() as connection:
            row = connection.execute(select(enrolments).where(enrolments.c.id == identifier)).one_or_none()
        return None if row is None else _enrolment(row)

    def enrolments(self, *, before: str = "", limit: int = 50) -> list[Enrolment]:
        """The newest, from the one after ``before`` on."""
        query = select(enrolments).order_by(enrolments.c.created.desc(), enrolments.c.id.desc())
        with self._database.reading() as connection:
            if before:
                last = connection.execute(select(enrolments).where(enrolments.c.id == before)).one_or_none()
                if last is None:
                    return []
                later = and_(enrolments.c.created == last.created, enrolments.c.id < last.id)
                query = query.where((enrolments.c.created < last.created) | later)
            return [_enrolment(row) for row in connection.execute(query.limit(limit))]

    def allowed_by(self, officer: str) -> dict[str, datetime]:
        """The devices that an officer allowed to enrol, and since when."""
        query = (
            select(enrolments.c.device, func.min(enrolments.c.created))
            .where(enrolments.c.officer == officer)
            .group_by(enrolments.c.device)
        )
        with self._database.reading() as connection:
            return {device: moment(since) for device, since in connection.execute(query)}

    def withdraw(self, identifier: str, note: Note) -> bool:
        """End one; False if it had ended already."""
        with self._database.transaction() as connection:
            done = connection.execute(
                change(enrolments)
                .where(enrolments.c.id == identifier, enrolments.c.state == EnrolmentState.OPEN)
                .values(state=EnrolmentState.WITHDRAWN)
            )
            if done.rowcount:
                put(connection, note)
        return bool(done.rowcount)

    def take(self, identifier: str, *, at: datetime) -> bool:
        """Use it once; False if it is used up, withdrawn or over. On disk when this says True."""
        with self._database.transaction() as connection:
            done = connection.execute(
                change(enrolments)
                .where(
                    enrolments.c.id == identifier,
                    enrolments.c.state == EnrolmentState.OPEN,
                    enrolments.c.used < enrolments.c.uses,
                    enrolments.c.expires > seconds(at),
                )
                .values(used=enrolments.c.used + 1)
            )
        return bool(done.rowcount)

    def give_back(self, identifier: str) -> None:
        """Nothing was issued for the last use."""
        with self._database.transaction() as connection:
            mine = (enrolments.c.id == identifier, enrolments.c.used > 0)
            connection.execute(change(enrolments).where(*mine).values(used=enrolments.c.used - 1))

    def strike(self, bucket: str, *, at: datetime, until: datetime, most: int) -> datetime | None:
        """Count one act; None if it is within the limit, otherwise when the oldest counted one is forgotten."""
        with self._database.transaction() as connection:
            connection.execute(delete(strikes).where(strikes.c.until <= seconds(at)))
            mine = strikes.c.bucket == bucket
            query = select(func.count(), func.min(strikes.c.until)).where(mine)
            many, oldest = connection.execute(query).one()
            if many >= most:
                return moment(oldest)
            connection.execute(insert(strikes), {"bucket": bucket, "until": seconds(until)})
        return None

    def struck(self, bucket: str, *, at: datetime, most: int) -> datetime | None:
        """The same without counting."""
        mine = (strikes.c.bucket == bucket, strikes.c.until > seconds(at))
        with self._database.reading() as connection:
            many, oldest = connection.execute(select(func.count(), func.min(strikes.c.until)).where(*mine)).one()
        return moment(oldest) if many >= most else None


def _enrolment(row: Any) -> Enrolment:
    return Enrolment(
        id=row.id,
        device=row.device,
        label=row.label,
        hosts=tuple(json.loads(row.hosts)),
        officer=row.officer,
        created=moment(row.created),
        expires=moment(row.expires),
        uses=row.uses,
        used=row.used,
        state=EnrolmentState(row.state),
        digest=row.digest,
    )
