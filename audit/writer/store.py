# SPDX-License-Identifier: Apache-2.0
"""The index of idempotency keys and the sources' counters; rebuilt from the log whenever it lags, is lost or damaged.

Trusted for receipts of repeated events only: whoever changes it can make the log take an event twice, or answer with
another entry's place, which is found out because the entry itself is compared.
"""

import errno
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError

from core.db import Database

_METADATA = MetaData()
_KEYS = Table(
    "keys",
    _METADATA,
    Column("key", LargeBinary(16), primary_key=True),
    Column("place", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
_SOURCES = Table(
    "sources",
    _METADATA,
    Column("source", String(64), primary_key=True),
    # The next sequence number.
    Column("following", BigInteger, nullable=False),
)
_SIZE = "(size)"


class IndexDamaged(OSError):
    """The file is no index any more; the process ends, and its successor begins a new one."""


class KeyIndex:
    """Which key has which place, for integrated entries."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database = database
        self._path = path

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or begin the index; one that cannot be read is begun again."""
        try:
            return cls._opened(path)
        except IndexDamaged:
            return cls._opened(path)

    @classmethod
    def _opened(cls, path: Path) -> Self:
        index = cls(Database.open(f"sqlite:///{path}", connections=4), path)
        try:
            with index._whole(), index._database.transaction() as connection:
                _METADATA.create_all(connection)
            index.size()
        except BaseException:
            index.close()
            raise
        return index

    def size(self) -> int:
        """How many entries of the log it knows."""
        return self.sources().get(_SIZE, 0)

    def clear(self) -> None:
        """Know nothing; the log is read again from entry 0."""
        with self._whole(), self._database.transaction() as connection:
            connection.execute(delete(_KEYS))
            connection.execute(delete(_SOURCES))

    def sources(self) -> dict[str, int]:
        """The next sequence number of every source."""
        with self._whole(), self._database.reading() as connection:
            return {row.source: row.following for row in connection.execute(select(_SOURCES))}

    def places(self, keys: Iterable[str]) -> dict[str, int]:
        """The places of those keys that have one."""
        wanted = sorted(map(bytes.fromhex, keys))
        marks = ",".join("?" * len(wanted))
        # Asked for every batch that the log takes; a built statement would cost more than the batch.
        with self._whole():
            rows = self._database.look_up(f"SELECT key, place FROM keys WHERE key IN ({marks})", wanted)  # noqa: S608 - marks only
        return {key.hex(): place for key, place in rows}

    def add(self, places: Mapping[str, int], sources: Mapping[str, int], size: int) -> None:
        """Take up integrated entries; harmless when repeated."""
        # In the order of the tree in which they are kept, so that each of its pages is looked for once.
        rows = sorted((bytes.fromhex(key), place) for key, place in places.items())
        counters = [{"source": source, "following": following} for source, following in sources.items()]
        counters.append({"source": _SIZE, "following": size})
        counter = insert(_SOURCES)
        with self._whole(), self._database.transaction() as connection:
            if rows:
                connection.exec_driver_sql("INSERT OR IGNORE INTO keys (key, place) VALUES (?, ?)", rows)
            connection.execute(
                counter.on_conflict_do_update(
                    index_elements=[_SOURCES.c.source], set_={"following": counter.excluded.following}
                ),
                counters,
            )

    def close(self) -> None:
        """Return the connections."""
        self._database.close()

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Take a damaged file away, so that whoever opens next finds none and reads the log again.

        Raises:
            IndexDamaged: it was; nothing it said may be believed.
        """
        try:
            yield
        except (sqlite3.DatabaseError, DatabaseError) as error:
            cause = error.orig if isinstance(error, DatabaseError) else error
            # Its subclasses are refusals of a whole file; this very class says "malformed" or "not a database".
            if type(cause) is not sqlite3.DatabaseError:
                raise
            for part in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + part).unlink(missing_ok=True)
            raise IndexDamaged(errno.EIO, "the index of keys is damaged; the next start makes a new one") from error
