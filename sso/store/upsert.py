# SPDX-License-Identifier: Apache-2.0
"""Inserting what another worker may be inserting in the same moment, alike on SQLite and PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table
from sqlalchemy.dialects import postgresql, sqlite


def ensure(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless one with its key is there; exactly one of many callers gets True."""
    made = _insert(connection, table).values(**values).on_conflict_do_nothing()
    return _made(connection, table, made)


def put(
    connection: Connection, table: Table, values: Mapping[str, Any], *, where: ColumnElement[bool] | None = None
) -> bool:
    """Insert a row, or give the one with its key these values; with ``where``, which sees the old row, only then."""
    keys = [column.name for column in table.primary_key]
    made = _insert(connection, table).values(**values)
    changed = {name: value for name, value in values.items() if name not in keys}
    return _made(connection, table, made.on_conflict_do_update(index_elements=keys, set_=changed, where=where))


def held(connection: Connection, table: Table, fresh: Sequence[Mapping[str, Any]]) -> Sequence[Row[Any]]:
    """The rows with these keys, new or as they are, which nobody else can change before this transaction ends."""
    keys = [column.name for column in table.primary_key]
    made = _insert(connection, table).values(fresh)
    # Writing the key it has anyway takes the row in the same step in which it is found.
    taken = made.on_conflict_do_update(index_elements=keys, set_={name: made.excluded[name] for name in keys})
    return connection.execute(taken.returning(*table.c)).all()


def _made(connection: Connection, table: Table, insert: postgresql.Insert | sqlite.Insert) -> bool:
    # Not every driver counts the rows of an insert; all return them.
    return connection.execute(insert.returning(*table.primary_key)).first() is not None


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
