# SPDX-License-Identifier: Apache-2.0
"""The table ``shelved``: whose a document is, until when, and the key to it; nothing else of it is readable."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, delete, func, insert, select, update

from core.db import Database, migrate

from .errors import NoSuchDocument, ShelfFull

_METADATA = MetaData()
_SHELVED = Table(
    "shelved",
    _METADATA,
    Column("id", String(32), primary_key=True),
    Column("owner", String(160)),
    Column("size", Integer),
    Column("key", LargeBinary),
    Column("facts", LargeBinary),
    Column("kept_at", String(40)),
    Column("expires_at", String(40)),
)
_TOGETHER = 10_000
MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One document, as it lies in the table."""

    id: str
    owner: str
    size: int
    # The document's own key under the shelf's.
    key: bytes
    # What is known of it, under its own key.
    facts: bytes
    kept_at: datetime
    expires_at: datetime


class ShelfStore:
    """Rows in and out; every verb in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """The table in one SQLite file, brought up to date."""
        made = cls.over(Database.open(f"sqlite:///{path}", connections=8))
        path.chmod(0o600)
        return made

    @classmethod
    def over(cls, database: Database) -> Self:
        """The tables in a database, brought up to date."""
        migrate(database, MIGRATIONS)
        return cls(database)

    def add(self, row: Row, *, most: int, most_bytes: int, most_bytes_of_all: int) -> None:
        """Keep a row, if its owner and the whole shelf have room.

        Raises:
            ShelfFull: they have not.
        """
        every = select(func.coalesce(func.sum(_SHELVED.c.size), 0))
        own = select(func.count(), func.coalesce(func.sum(_SHELVED.c.size), 0)).where(_SHELVED.c.owner == row.owner)
        with self._database.transaction() as connection:
            count, size = connection.execute(own).one()
            if count >= most or size + row.size > most_bytes:
                raise ShelfFull
            if connection.execute(every).scalar_one() + row.size > most_bytes_of_all:
                raise ShelfFull
            connection.execute(
                insert(_SHELVED).values(
                    id=row.id,
                    owner=row.owner,
                    size=row.size,
                    key=row.key,
                    facts=row.facts,
                    kept_at=_text(row.kept_at),
                    expires_at=_text(row.expires_at),
                )
            )

    def of(self, owner: str, *, at: datetime) -> list[Row]:
        """Everything of one owner that is not over, newest first."""
        query = (
            select(_SHELVED)
            .where(_SHELVED.c.owner == owner, _SHELVED.c.expires_at > _text(at))
            .order_by(_SHELVED.c.kept_at.desc(), _SHELVED.c.id)
        )
        with self._database.reading() as connection:
            return [_row(each) for each in connection.execute(query)]

    def one(self, owner: str, identifier: str, *, at: datetime) -> Row:
        """One of an owner's.

        Raises:
            NoSuchDocument: there is none, or it is over.
        """
        query = select(_SHELVED).where(
            _SHELVED.c.id == identifier, _SHELVED.c.owner == owner, _SHELVED.c.expires_at > _text(at)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NoSuchDocument
        return _row(row)

    def give(self, identifier: str, *, owner: str, to: str) -> bool:
        """Let it be another owner's from now on; says False if it was not this one's."""
        change = update(_SHELVED).where(_SHELVED.c.id == identifier, _SHELVED.c.owner == owner).values(owner=to)
        with self._database.transaction() as connection:
            return connection.execute(change).rowcount == 1

    def remove(self, owner: str, identifier: str) -> bool:
        """Forget one, and with it the key to it; says False if there was none."""
        gone = delete(_SHELVED).where(_SHELVED.c.id == identifier, _SHELVED.c.owner == owner)
        with self._database.transaction() as connection:
            return connection.execute(gone).rowcount == 1

    def expire(self, *, at: datetime) -> list[str]:
        """Forget what is over; which that was."""
        over = _SHELVED.c.expires_at <= _text(at)
        with self._database.transaction() as connection:
            found = list(connection.execute(select(_SHELVED.c.id).where(over)).scalars())
            if found:
                connection.execute(delete(_SHELVED).where(over))
        return found

    def wipe(self) -> None:
        """Leave no key of what was forgotten in the database's files; while somebody reads, the next time."""
        self._database.wipe()

    def known(self, identifiers: Sequence[str]) -> set[str]:
        """Those of these that have a row."""
        found: set[str] = set()
        with self._database.reading() as connection:
            # Databases bound how many values one question may name.
            for start in range(0, len(identifiers), _TOGETHER):
                some = identifiers[start : start + _TOGETHER]
                found.update(connection.execute(select(_SHELVED.c.id).where(_SHELVED.c.id.in_(some))).scalars())
        return found

    def close(self) -> None:
        """Return the connections."""
        self._database.close()


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _row(row: Any) -> Row:
    return Row(
        id=row.id,
        owner=row.owner,
        size=row.size,
        key=row.key,
        facts=row.facts,
        kept_at=datetime.fromisoformat(row.kept_at),
        expires_at=datetime.fromisoformat(row.expires_at),
    )
