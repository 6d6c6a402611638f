# SPDX-License-Identifier: Apache-2.0
"""What this site has cosigned for logs of others: trusted, for whoever rolls it back gets a second history cosigned.

A log is never removed: taken up again from nothing, it could show another past.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, Text, func, select, update
from sqlalchemy.dialects.sqlite import insert

from core.db import Database, migrate

_METADATA = MetaData()
_WITNESSED = Table(
    "witnessed",
    _METADATA,
    Column("origin", String(255), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", Text, nullable=False),
    # Epoch seconds of the cosignature.
    Column("at", BigInteger, nullable=False),
)
_CONTRADICTIONS = Table(
    "contradictions",
    _METADATA,
    Column("origin", String(255), primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary(32), primary_key=True),
    Column("note", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
_MIGRATIONS = Path(__file__).parent / "migrations"
MOST_CONTRADICTIONS = 10
"""Kept for each log: one is proof enough, and a log that signs at random must not fill our disk."""


@dataclass(frozen=True)
class Cosigned:
    """The newest checkpoint that was cosigned for one log, with our lines on it."""

    origin: str
    size: int
    root: bytes
    note: str
    at: int


class WitnessStore:
    """The tables and their verbs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """The tables in one SQLite file, brought up to date."""
        database = Database.open(f"sqlite:///{path}", connections=8)
        migrate(database, _MIGRATIONS)
        path.chmod(0o600)
        return cls(database)

    def last(self, origin: str) -> Cosigned | None:
        """What was cosigned last; None if nothing ever was."""
        with self._database.reading() as connection:
            row = connection.execute(select(_WITNESSED).where(_WITNESSED.c.origin == origin)).one_or_none()
        return None if row is None else Cosigned(row.origin, row.size, row.root, row.note, row.at)

    def replace(self, last: Cosigned | None, new: Cosigned) -> bool:
        """Keep ``new`` if ``last`` is still what was cosigned last; on disk when this says True."""
        values = {"size": new.size, "root": new.root, "note": new.note, "at": new.at}
        with self._database.transaction() as connection:
            if last is None:
                first = insert(_WITNESSED).values(origin=new.origin, **values).on_conflict_do_nothing()
                return connection.execute(first).rowcount == 1
            same = (
                _WITNESSED.c.origin == last.origin,
                _WITNESSED.c.size == last.size,
                _WITNESSED.c.root == last.root,
                _WITNESSED.c.at == last.at,
            )
            return connection.execute(update(_WITNESSED).where(*same).values(**values)).rowcount == 1

    def keep_contradiction(self, found: Cosigned) -> bool:
        """Keep a checkpoint that a log signed beside the one we cosigned; False if it is kept or there are enough."""
        own = _CONTRADICTIONS.c.origin == found.origin
        values = {"origin": found.origin, "size": found.size, "root": found.root, "note": found.note, "at": found.at}
        with self._database.transaction() as connection:
            count = connection.execute(select(func.count()).select_from(_CONTRADICTIONS).where(own)).scalar_one()
            if count >= MOST_CONTRADICTIONS:
                return False
            return connection.execute(insert(_CONTRADICTIONS).values(**values).on_conflict_do_nothing()).rowcount == 1

    def contradictions(self) -> list[Cosigned]:
        """Everything that logs of others signed against themselves."""
        query = select(_CONTRADICTIONS).order_by(_CONTRADICTIONS.c.at, _CONTRADICTIONS.c.origin)
        with self._database.reading() as connection:
            return [Cosigned(row.origin, row.size, row.root, row.note, row.at) for row in connection.execute(query)]

    def everything(self) -> list[Cosigned]:
        """The last of every log."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_WITNESSED).order_by(_WITNESSED.c.origin))
            return [Cosigned(row.origin, row.size, row.root, row.note, row.at) for row in rows]

    def close(self) -> None:
        """Return the connections."""
        self._database.close()
