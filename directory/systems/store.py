# SPDX-License-Identifier: Apache-2.0
"""The table of programs; read anew for each request, so that whoever is ended is out from the commit on."""

from datetime import date
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Row, String, Table, delete, insert, select

from core.db import Database

from .models import Doing, Program

_metadata = MetaData()
_programs = Table(
    "programs",
    _metadata,
    Column("client", String(64), primary_key=True),
    Column("organisations", String(600), nullable=False),
    Column("doings", String(100), nullable=False),
    Column("until", String(10), nullable=False),
    Column("by", String(64), nullable=False),
    Column("reason", String(500), nullable=False),
)
MOST = 200
"""Programs of one site."""


class Roster:
    """Rows in, programs out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Program]:
        """Every program, by its name."""
        with self._database.reading() as connection:
            return [_of(row) for row in connection.execute(select(_programs).order_by(_programs.c.client).limit(MOST))]

    def one(self, client: str) -> Program | None:
        """One program."""
        with self._database.reading() as connection:
            row = connection.execute(select(_programs).where(_programs.c.client == client)).one_or_none()
        return _of(row) if row else None

    def add(self, of: Program) -> None:
        """Write a program down that does not stand there."""
        told = {"client": of.client, "until": of.until.isoformat(), "by": of.by, "reason": of.reason}
        told |= {"organisations": " ".join(of.organisations), "doings": " ".join(sorted(of.doings))}
        with self._database.transaction() as connection:
            connection.execute(insert(_programs).values(**told))

    @staticmethod
    def remove(connection: Connection, client: str) -> bool:
        """Strike a program out, in somebody's transaction; whether it stood there."""
        return bool(connection.execute(delete(_programs).where(_programs.c.client == client)).rowcount)


def _of(row: Row[Any]) -> Program:
    return Program(
        client=row.client, organisations=tuple(row.organisations.split()),
        doings=frozenset(map(Doing, row.doings.split())), until=date.fromisoformat(row.until), by=row.by,
        reason=row.reason,
    )  # fmt: skip
