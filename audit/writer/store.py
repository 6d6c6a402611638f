# SPDX-License-Identifier: Apache-2.0
"""The index of idempotency keys and the sources' counters; rebuilt from the log whenever it lags or is lost.

Trusted for receipts of repeated events only: whoever changes it can make the log take an event twice, or answer with
another entry's place, which is found out because the entry itself is compared.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, select
from sqlalchemy.dialects.sqlite import insert

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


class KeyIndex:
    """Which key has which place, for integrated entries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or begin the index."""
        database = Database.open(f"sqlite:///{path}", connections=4)
        with database.transaction() as connection:
            _METADATA.create_all(connection)
        return cls(database)

    def size(self) -> int:
        """How many entries of the log it knows."""
        return self.sources().get(_SIZE, 0)

    def sources(self) -> dict[str, int]:
        """The next sequence number of every source."""
        with self._database.reading() as connection:
            return {row.source: row.following for row in connection.execute(select(_SOURCES))}

    def places(self, keys: Iterable[str]) -> dict[str, int]:
        """The places of those keys that have one."""
        wanted = [bytes.fromhex(key) for key in keys]
        marks = ",".join("?" * len(wanted))
        # Asked for every batch that the log takes; a built statement would cost more than the batch.
        rows = self._database.look_up(f"SELECT key, place FROM keys WHERE key IN ({marks})", wanted)  # noqa: S608 - marks only
        return {key.hex(): place for key, place in rows}

    def add(self, places: Mapping[str, int], sources: Mapping[str, int], size: int) -> None:
        """Take up integrated entries; harmless when repeated."""
        rows = [{"key": bytes.fromhex(key), "place": place} for key, place in places.items()]
        counters = [{"source": source, "following": following} for source, following in sources.items()]
        counters.append({"source": _SIZE, "following": size})
        counter = insert(_SOURCES)
        with self._database.transaction() as connection:
            if rows:
                connection.execute(insert(_KEYS).on_conflict_do_nothing(), rows)
            connection.execute(
                counter.on_conflict_do_update(
                    index_elements=[_SOURCES.c.source], set_={"following": counter.excluded.following}
                ),
                counters,
            )

    def close(self) -> None:
        """Return the connections."""
        self._database.close()
