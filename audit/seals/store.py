# SPDX-License-Identifier: Apache-2.0
"""The subjects' keys: rows in, bytes out. A destroyed key leaves its row, so that it is never made a second time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, String, Table, insert, select, text, update

from core.db import Database, DatabaseUnavailable, migrate

_METADATA = MetaData()
_KEYS = Table(
    "seal_keys",
    _METADATA,
    Column("id", LargeBinary(8), primary_key=True),
    Column("subject", String(256), nullable=False),
    # NULL once destroyed.
    Column("key", LargeBinary(32)),
    # Epoch seconds.
    Column("made", BigInteger, nullable=False),
    Column("destroyed", BigInteger),
    Index("seal_keys_subject", "subject"),
)
_MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class SealKey:
    """One subject's key; ``key`` is None after its destruction."""

    id: bytes
    subject: str
    key: bytes | None


class SealStore:
    """The table and its verbs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path, *, upgrade: bool = False) -> Self:
        """The keys in one SQLite file; ``upgrade`` brings its schema up to date, which only the log's writer does."""
        database = Database.open(f"sqlite:///{path}", connections=4)
        if upgrade:
            migrate(database, _MIGRATIONS)
            path.chmod(0o600)
        return cls(database)

    def current(self, subjects: Iterable[str]) -> dict[str, SealKey]:
        """The key that seals for each of these subjects, where there is one."""
        wanted = sorted(set(subjects))
        marks = ",".join("?" * len(wanted))
        # Asked for every batch that the log takes, and never kept: a destroyed key must not seal once more.
        rows = self._database.look_up(
            f"SELECT subject, id, key FROM seal_keys WHERE subject IN ({marks}) AND key IS NOT NULL",  # noqa: S608 - marks only
            wanted,
        )
        return {subject: SealKey(identifier, subject, key) for subject, identifier, key in rows}

    def add(self, keys: Iterable[SealKey], at: datetime) -> None:
        """Keep new keys; on disk when this returns."""
        rows = [{"id": key.id, "subject": key.subject, "key": key.key, "made": int(at.timestamp())} for key in keys]
        with self._database.transaction() as connection:
            connection.execute(insert(_KEYS), rows)

    def find(self, identifiers: Iterable[bytes]) -> Mapping[bytes, SealKey]:
        """Keys by identifier, destroyed ones too."""
        query = select(_KEYS.c.id, _KEYS.c.subject, _KEYS.c.key).where(_KEYS.c.id.in_(sorted(set(identifiers))))
        with self._database.reading() as connection:
            return {row.id: SealKey(row.id, row.subject, row.key) for row in connection.execute(query)}

    def destroy(self, subject: str, at: datetime) -> int:
        """Overwrite every key of one subject, in the table and in what the database keeps beside it.

        Raises:
            DatabaseUnavailable: the keys are gone for every reader, but a copy may still lie in the database's
                write-ahead file; calling again finishes the work.
        """
        change = (
            update(_KEYS)
            .where(_KEYS.c.subject == subject, _KEYS.c.key.is_not(None))
            .values(key=None, destroyed=int(at.timestamp()))
        )
        with self._database.transaction() as connection:
            connection.execute(text("PRAGMA secure_delete=ON"))
            count = connection.execute(change).rowcount
        # The write-ahead file would keep the old page until the next checkpoint.
        with self._database.engine.connect() as connection:
            [busy, *_] = connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() or [1]
        if busy:
            raise DatabaseUnavailable
        return count

    def close(self) -> None:
        """Return the connections."""
        self._database.close()
