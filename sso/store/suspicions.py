# SPDX-License-Identifier: Apache-2.0
"""Logins that people are asked about. A letter about one is written down with it."""

from collections.abc import Callable
from dataclasses import asdict

from sqlalchemy import Update, and_, insert, select, update

from audit import Event, encode_event
from core.db import Database

from ..models import Letter, Session, Suspicion
from .browsers import forget_all
from .letters import write_down
from .sessions import end_where
from .tables import OUTBOX, SESSIONS, SUSPICIONS


class SuspicionRows:
    """The table ``suspicions``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, suspicion: Suspicion, letter: Letter, record: Event) -> None:
        """Ask about a login, on the page and by letter, and leave the record."""
        with self._database.transaction() as connection:
            connection.execute(insert(SUSPICIONS).values(**asdict(suspicion)))
            write_down(connection, letter)
            OUTBOX.put(connection, key=record.key, body=encode_event(record))

    def open_of(self, subject: str, at: int) -> list[Suspicion]:
        """What one person has not said anything about yet, newest first."""
        chosen = and_(SUSPICIONS.c.subject == subject, SUSPICIONS.c.answered_at.is_(None), SUSPICIONS.c.expires_at > at)
        query = select(SUSPICIONS).where(chosen).order_by(SUSPICIONS.c.at.desc())
        with self._database.reading() as connection:
            return [Suspicion(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - SQLAlchemy's name

    def own(self, subject: str, identifier: str, at: int) -> bool:
        """It was the person; False if there is nothing of theirs to answer."""
        with self._database.transaction() as connection:
            return connection.execute(self._answer(subject, identifier, at)).rowcount == 1

    def foreign(self, subject: str, identifier: str, at: int, ended: Callable[[Session], Event]) -> bool:
        """It was somebody else: every session of the person ends, and no browser is known any more."""
        with self._database.transaction() as connection:
            if connection.execute(self._answer(subject, identifier, at)).rowcount != 1:
                return False
            end_where(connection, SESSIONS.c.subject == subject, at, ended)
            forget_all(connection, subject)
        return True

    @staticmethod
    def _answer(subject: str, identifier: str, at: int) -> Update:
        chosen = and_(
            SUSPICIONS.c.id == identifier, SUSPICIONS.c.subject == subject, SUSPICIONS.c.answered_at.is_(None)
        )
        return update(SUSPICIONS).where(chosen).values(answered_at=at)
