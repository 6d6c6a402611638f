# SPDX-License-Identifier: Apache-2.0
"""Moves what lay in a SQLite file into the same tables of another database: all of it or nothing, and once.

A death before the end of the transaction leaves the file and empty tables; one after it leaves tables with rows, and
then only the file is put aside.
"""

from pathlib import Path

from sqlalchemy import Connection, MetaData, Table, func, insert, select

from .database import Database
from .migrate import migrate

_MOVED = ".moved"
_AT_ONCE = 500
_QUEUE, _PLACE = "outbox", "position"


def move_in(file: Path, database: Database, migrations: Path) -> None:
    """Copy every row of a SQLite file into the same tables of a database, and put the file aside."""
    old = Database.open(f"sqlite:///{file}")
    try:
        migrate(old, migrations)
        found = MetaData()
        found.reflect(old.engine)
        tables = [each for each in found.sorted_tables if each.name != "alembic_version"]
        with old.reading() as source, database.transaction() as target:
            if not any(_count(target, each) for each in tables):
                for each in tables:
                    _copy(each, source, target)
    finally:
        old.close()
    file.replace(file.with_name(file.name + _MOVED))
    for left in (f"{file.name}-wal", f"{file.name}-shm"):
        # Empty, since its last connection was closed.
        file.with_name(left).unlink(missing_ok=True)


def _copy(table: Table, source: Connection, target: Connection) -> None:
    query = select(table)
    if table.name == _QUEUE:
        query = query.order_by(table.c[_PLACE])
    for rows in source.execute(query).mappings().partitions(_AT_ONCE):
        # Places in the queue are given anew, in the same order: the next one must come after them.
        left = {_PLACE} if table.name == _QUEUE else set()
        target.execute(insert(table), [{name: row[name] for name in row if name not in left} for row in rows])


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()
