# SPDX-License-Identifier: Apache-2.0
"""The table of steps: sealed bytes in, sealed bytes out.

A step is added once and never changed; only its place comes later. Untrusted for what it
says: every step's digest stands in the log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, func, select, update
from sqlalchemy.dialects.sqlite import insert

from core.db import Database, migrate

_METADATA = MetaData()
_STEPS = Table(
    "steps",
    _METADATA,
    Column("case_id", String(16), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
    # Place of the record in the log; NULL while the log has not taken it.
    Column("place", BigInteger),
    Index("steps_place", "place"),
)
_MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class Kept:
    """One step as it lies in the table."""

    case: str
    number: int
    sealed: bytes
    place: int | None


class CaseStore:
    """The table and its verbs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """The table in one SQLite file, brought up to date."""
        database = Database.open(f"sqlite:///{path}", connections=8)
        migrate(database, _MIGRATIONS)
        path.chmod(0o600)
        return cls(database)

    def add(self, case: str, number: int, sealed: bytes) -> bool:
        """Keep the step of this number, unless there is one or the one before is missing or not recorded yet."""
        with self._database.transaction() as connection:
            last, recorded = connection.execute(
                select(func.coalesce(func.max(_STEPS.c.number), 0), func.count(_STEPS.c.place)).where(
                    _STEPS.c.case_id == case
                )
            ).one()
            if not last == recorded == number - 1:
                return False
            added = insert(_STEPS).values(case_id=case, number=number, sealed=sealed, place=None)
            return connection.execute(added.on_conflict_do_nothing()).rowcount == 1

    def recorded(self, case: str, number: int, place: int) -> None:
        """The log has taken it, there."""
        own = (_STEPS.c.case_id == case, _STEPS.c.number == number)
        with self._database.transaction() as connection:
            connection.execute(update(_STEPS).where(*own).values(place=place))

    def steps(self, case: str) -> list[Kept]:
        """All steps of one case, oldest first."""
        query = select(_STEPS).where(_STEPS.c.case_id == case).order_by(_STEPS.c.number)
        with self._database.reading() as connection:
            return [Kept(row.case_id, row.number, row.sealed, row.place) for row in connection.execute(query)]

    def waiting(self) -> list[str]:
        """Cases with a step that the log has not taken."""
        query = select(_STEPS.c.case_id).where(_STEPS.c.place.is_(None)).distinct()
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def changed(self, *, before: int | None, limit: int) -> Sequence[tuple[str, int]]:
        """Cases by their newest step's place in the log, newest first; those without a recorded step are left out."""
        newest = func.max(_STEPS.c.place)
        query = select(_STEPS.c.case_id, newest.label("newest")).group_by(_STEPS.c.case_id).order_by(newest.desc())
        query = query.having(newest < before) if before is not None else query.having(newest.is_not(None))
        with self._database.reading() as connection:
            return [(row.case_id, row.newest) for row in connection.execute(query.limit(limit))]

    def close(self) -> None:
        """Return the connections."""
        self._database.close()
