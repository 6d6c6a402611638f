# SPDX-License-Identifier: Apache-2.0
"""Letters to people, written down with what they are about, delivered by whichever worker is free."""

from dataclasses import asdict

from sqlalchemy import Connection, and_, delete, insert, select, update

from core.db import Database

from ..models import Letter
from . import upsert
from .tables import LETTERS, REMINDERS


class LetterRows:
    """The table ``letters``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, letter: Letter) -> None:
        """Write one down."""
        with self._database.transaction() as connection:
            write_down(connection, letter)

    def remind(self, name: str, letter: Letter, *, until: int) -> bool:
        """Write one down unless one of this name was; False if it was. That is remembered until a time."""
        with self._database.transaction() as connection:
            if not upsert.ensure(connection, REMINDERS, {"id": name, "expires_at": until}):
                return False
            write_down(connection, letter)
            return True

    def due(self, at: int, *, limit: int) -> list[Letter]:
        """Those that wait to be delivered."""
        query = (
            select(LETTERS)
            .where(LETTERS.c.due_at <= at, LETTERS.c.expires_at > at)
            .order_by(LETTERS.c.due_at)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [Letter(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - SQLAlchemy's name

    def take(self, letter: Letter, *, due_at: int) -> bool:
        """Take one upon oneself, until ``due_at``; exactly one worker does."""
        same = and_(LETTERS.c.id == letter.id, LETTERS.c.attempts == letter.attempts)
        with self._database.transaction() as connection:
            taken = update(LETTERS).where(same).values(attempts=letter.attempts + 1, due_at=due_at)
            return connection.execute(taken).rowcount == 1

    def done(self, letter: Letter) -> None:
        """It was delivered, or never can be."""
        with self._database.transaction() as connection:
            connection.execute(delete(LETTERS).where(LETTERS.c.id == letter.id))


def write_down(connection: Connection, letter: Letter) -> None:
    """Write one down, within something larger."""
    connection.execute(insert(LETTERS).values(**asdict(letter)))
