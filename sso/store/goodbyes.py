# SPDX-License-Identifier: Apache-2.0
"""Clients to be told that a session ended: written down with its end, delivered by whichever worker is free."""

import secrets

from sqlalchemy import Connection, and_, delete, insert, select, update

from core.db import Database

from ..models import Goodbye
from . import rows
from .tables import CLIENTS, GOODBYES, GRANTS

LIFETIME = 3600
"""Seconds for which a client is tried to be told."""


class GoodbyeRows:
    """The table ``goodbyes``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, at: int, *, limit: int) -> list[Goodbye]:
        """Those that wait to be delivered."""
        query = (
            select(GOODBYES)
            .where(GOODBYES.c.due_at <= at, GOODBYES.c.expires_at > at)
            .order_by(GOODBYES.c.due_at)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [rows.goodbye_of(row) for row in connection.execute(query)]

    def take(self, goodbye: Goodbye, *, due_at: int) -> bool:
        """Take one upon oneself, until ``due_at``; exactly one worker does."""
        same = and_(GOODBYES.c.id == goodbye.id, GOODBYES.c.attempts == goodbye.attempts)
        taken = update(GOODBYES).where(same).values(attempts=goodbye.attempts + 1, due_at=due_at)
        with self._database.transaction() as connection:
            return connection.execute(taken).rowcount == 1

    def done(self, goodbye: Goodbye) -> None:
        """It was delivered, or never can be."""
        with self._database.transaction() as connection:
            connection.execute(delete(GOODBYES).where(GOODBYES.c.id == goodbye.id))


def say_goodbye(connection: Connection, *, sid: str, at: int, client_id: str = "") -> None:
    """Write down whom to tell that a session ended, or that one client's part of it did."""
    whose = and_(GRANTS.c.sid == sid, CLIENTS.c.logout_uri != "", *((CLIENTS.c.id == client_id,) if client_id else ()))
    query = select(GRANTS.c.client_id, GRANTS.c.subject).distinct()
    query = query.select_from(GRANTS.join(CLIENTS, CLIENTS.c.id == GRANTS.c.client_id)).where(whose)
    for row in connection.execute(query).all():
        waiting = {"id": secrets.token_hex(16), "client_id": row.client_id, "subject": row.subject, "sid": sid}
        connection.execute(insert(GOODBYES).values(**waiting, attempts=0, due_at=at, expires_at=at + LIFETIME))
