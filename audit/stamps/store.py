# SPDX-License-Identifier: Apache-2.0
"""Tokens by the size of the log they cover; a token is on disk before anybody hears of it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, Text, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from core.db import Database, migrate

from .answer import Stamped

_METADATA = MetaData()
_STAMPS = Table(
    "stamps",
    _METADATA,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    # The whole signed checkpoint of that size.
    Column("note", Text, nullable=False),
    Column("token", LargeBinary, nullable=False),
    # Epoch milliseconds: what the authority says, and when we kept it.
    Column("at", BigInteger, nullable=False),
    # Milliseconds; NULL if the authority states none.
    Column("accuracy", BigInteger),
    Column("kept", BigInteger, nullable=False),
    Column("authority", Text, nullable=False),
    Column("serial", Text, nullable=False),
    Column("policy", Text, nullable=False),
    # Epoch milliseconds: when the signer's certificate ends.
    Column("ends", BigInteger, nullable=False),
    # Place of the entry that says so; NULL until it is in the log.
    Column("entry", BigInteger),
)
_OUTAGE = Table(
    "stamp_outage",
    _METADATA,
    # There is at most one row, number 1.
    Column("one", BigInteger, primary_key=True, autoincrement=False),
    Column("since", BigInteger, nullable=False),
    Column("code", Text, nullable=False),
    Column("why", Text, nullable=False),
    # Idempotency key and place of the entry that says so.
    Column("key", String(32), nullable=False),
    Column("entry", BigInteger),
)
_MIGRATIONS = Path(__file__).parent / "migrations"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """One token and the checkpoint whose text it covers."""

    size: int
    note: str
    token: bytes
    at: datetime
    accuracy: timedelta | None
    kept: datetime
    authority: str
    serial: str
    policy: str
    ends: datetime
    entry: int | None = None


@dataclass(frozen=True, kw_only=True)
class Outage:
    """Since when no stamp can be had, and why."""

    since: datetime
    code: str
    why: str
    key: str
    entry: int | None = None


class StampStore:
    """The tables and their verbs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """The tables in one SQLite file, brought up to date."""
        database = Database.open(f"sqlite:///{path}", connections=2)
        migrate(database, _MIGRATIONS)
        return cls(database)

    def keep(self, size: int, note: str, stamped: Stamped, *, kept: datetime) -> None:
        """Keep a token, and end the outage; on disk when this returns. The first one of a size stays."""
        row = {
            "size": size,
            "note": note,
            "token": stamped.token,
            "at": _number(stamped.at),
            "accuracy": None if stamped.accuracy is None else stamped.accuracy // _MILLISECOND,
            "kept": _number(kept),
            "authority": stamped.authority,
            "serial": stamped.serial,
            "policy": stamped.policy,
            "ends": _number(stamped.ends),
        }
        with self._database.transaction() as connection:
            connection.execute(insert(_STAMPS).values(row).on_conflict_do_nothing())
            connection.execute(delete(_OUTAGE))

    def last(self) -> Stamp | None:
        """The one that covers most."""
        found = self.newest(1)
        return found[0] if found else None

    def newest(self, limit: int, *, below: int | None = None) -> list[Stamp]:
        """The last ones, newest first; with ``below`` only those over a smaller log."""
        query = select(_STAMPS).order_by(_STAMPS.c.size.desc()).limit(limit)
        return self._read(query if below is None else query.where(_STAMPS.c.size < below))

    def covering(self, size: int) -> Stamp | None:
        """The earliest one over a log of at least this size."""
        query = select(_STAMPS).where(_STAMPS.c.size >= size).order_by(_STAMPS.c.size).limit(1)
        found = self._read(query)
        return found[0] if found else None

    def unsaid(self) -> list[Stamp]:
        """Those whose entry is not in the log yet, oldest first."""
        return self._read(select(_STAMPS).where(_STAMPS.c.entry.is_(None)).order_by(_STAMPS.c.size))

    def said(self, size: int, entry: int) -> None:
        """Its entry is in the log."""
        with self._database.transaction() as connection:
            connection.execute(update(_STAMPS).where(_STAMPS.c.size == size).values(entry=entry))

    def outage(self) -> Outage | None:
        """The outage that lasts; None while all is well."""
        with self._database.reading() as connection:
            row = connection.execute(select(_OUTAGE)).first()
        if row is None:
            return None
        return Outage(since=_moment(row.since), code=row.code, why=row.why, key=row.key, entry=row.entry)

    def failed(self, outage: Outage) -> Outage:
        """Begin an outage, unless one lasts: then that one."""
        row = {"one": 1, "since": _number(outage.since), "code": outage.code, "why": outage.why, "key": outage.key}
        with self._database.transaction() as connection:
            connection.execute(insert(_OUTAGE).values(row).on_conflict_do_nothing())
        return self.outage() or outage

    def told(self, entry: int) -> None:
        """The outage's entry is in the log."""
        with self._database.transaction() as connection:
            connection.execute(update(_OUTAGE).values(entry=entry))

    def close(self) -> None:
        """Return the connections."""
        self._database.close()

    def _read(self, query: Any) -> list[Stamp]:
        with self._database.reading() as connection:
            return [
                Stamp(
                    size=row.size,
                    note=row.note,
                    token=row.token,
                    at=_moment(row.at),
                    accuracy=None if row.accuracy is None else row.accuracy * _MILLISECOND,
                    kept=_moment(row.kept),
                    authority=row.authority,
                    serial=row.serial,
                    policy=row.policy,
                    ends=_moment(row.ends),
                    entry=row.entry,
                )
                for row in connection.execute(query)
            ]


def _number(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND


def _moment(number: int) -> datetime:
    return _EPOCH + number * _MILLISECOND
