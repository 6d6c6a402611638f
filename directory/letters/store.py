# SPDX-License-Identifier: Apache-2.0
"""The table of letters; every verb is one transaction."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Row, String, Table, delete, insert, select, update

from core.db import Database

from .models import Letter, Subject

_metadata = MetaData()
_letters = Table(
    "directory_letters",
    _metadata,
    Column("id", String(32), primary_key=True),
    Column("subject", String(36), nullable=False),
    Column("about", String(16), nullable=False),
    Column("facts", String(400), nullable=False),
    Column("attempts", Integer, nullable=False),
    # Epoch seconds; of what was handed over or dropped 0.
    Column("due", BigInteger, nullable=False),
    Column("written", BigInteger, nullable=False),
    Index("directory_letters_due", "due"),
    Index("directory_letters_written", "written"),
)


class Board:
    """Rows in, models out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, identifier: str, subject: str, about: Subject, facts: Mapping[str, str], *, at: int) -> bool:
        """Write one down; whether it was not before."""
        row = {
            "id": identifier, "subject": subject, "about": about.value, "facts": json.dumps(dict(facts)),
            "attempts": 0, "due": at, "written": at,
        }  # fmt: skip
        with self._database.transaction() as connection:
            known = select(_letters.c.id).where(_letters.c.id == identifier)
            if connection.execute(known).one_or_none():
                return False
            connection.execute(insert(_letters).values(**row))
        return True

    def due(self, at: int, *, limit: int) -> list[Letter]:
        """What waits to be handed over, longest first."""
        query = select(_letters).where(_letters.c.due > 0, _letters.c.due <= at).order_by(_letters.c.due).limit(limit)
        with self._database.reading() as connection:
            return [_letter(row) for row in connection.execute(query)]

    def take(self, of: Letter, *, again: int) -> bool:
        """Take one upon oneself, until it is tried again; exactly one of several does."""
        mine = update(_letters).where(_letters.c.id == of.id, _letters.c.attempts == of.attempts, _letters.c.due > 0)
        with self._database.transaction() as connection:
            return bool(connection.execute(mine.values(attempts=of.attempts + 1, due=again)).rowcount)

    def done(self, identifier: str) -> None:
        """It was handed over, or never can be; that it was written is still known."""
        with self._database.transaction() as connection:
            connection.execute(update(_letters).where(_letters.c.id == identifier).values(due=0))

    def forget(self, before: int) -> None:
        """Strike out what was written so long ago that nobody tells it again."""
        with self._database.transaction() as connection:
            connection.execute(delete(_letters).where(_letters.c.written < before))


def _letter(row: Row[Any]) -> Letter:
    return Letter(
        id=row.id, subject=row.subject, about=Subject(row.about), facts=json.loads(row.facts), attempts=row.attempts
    )
