# SPDX-License-Identifier: Apache-2.0
"""The table of rules."""

from sqlalchemy import Column, Connection, MetaData, String, Table, delete, insert, select

from core.db import Database

from .models import Rule, pairs

_metadata = MetaData()
_duties = Table(
    "duties",
    _metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(120), nullable=False),
    Column("roles", String(500), nullable=False),
    Column("by", String(36), nullable=False),
    Column("reason", String(500), nullable=False),
)


class Rulebook:
    """Rows in, rules out; read anew for each grant, so that a rule counts for all processes from its commit on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rules(self) -> list[Rule]:
        """Every rule, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_duties).order_by(_duties.c.name, _duties.c.id)).all()
        return [
            Rule(id=row.id, name=row.name, roles=frozenset(row.roles.split()), by=row.by, reason=row.reason)
            for row in rows
        ]

    def apart(self) -> frozenset[frozenset[str]]:
        """Every pair that must be kept apart."""
        return pairs(self.rules())

    def add(self, connection: Connection, rule: Rule) -> bool:
        """Write a rule down, within a transaction that has its record too."""
        told = {"id": rule.id, "name": rule.name, "by": rule.by, "reason": rule.reason}
        connection.execute(insert(_duties).values(**told, roles=" ".join(sorted(rule.roles))))
        return True

    def remove(self, identifier: str) -> bool:
        """Strike a rule out; whether there was one."""
        with self._database.transaction() as connection:
            return bool(connection.execute(delete(_duties).where(_duties.c.id == identifier)).rowcount)
