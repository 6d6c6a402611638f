# SPDX-License-Identifier: Apache-2.0
"""Clients to be told that a session ended: written down with its end, delivered by whichever worker is free."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, delete, insert, or_, select, update

from audit import Event, encode_event
from core.db import Database

from ..models import BackChannel, Goodbye
from . import rows, upsert
from .tables import BACK_CHANNELS, CLIENTS, GOODBYES, GRANTS, OUTBOX

LIFETIME = 3600
"""Seconds for which a client is tried to be told."""
_HOUR = 3600


class GoodbyeRows:
    """The tables ``goodbyes`` and ``back_channels``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self, at: int, *, limit: int) -> list[str]:
        """Clients that somebody should tell something now, whoever waits longest first."""
        query = select(GOODBYES.c.client_id).where(_due(at)).group_by(GOODBYES.c.client_id).limit(limit)
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def due(self, at: int, *, limit: int, client_id: str = "") -> list[Goodbye]:
        """Those that wait to be delivered, of one client or of all."""
        whose = (GOODBYES.c.client_id == client_id,) if client_id else ()
        query = select(GOODBYES).where(_due(at), *whose).order_by(GOODBYES.c.due_at).limit(limit)
        with self._database.reading() as connection:
            return [rows.goodbye_of(row) for row in connection.execute(query)]

    def take(self, goodbye: Goodbye, *, at: int, due_at: int, hourly: int) -> bool:
        """Take one upon oneself, until ``due_at``; exactly one worker does, and no more than so many in an hour."""
        same = and_(GOODBYES.c.id == goodbye.id, GOODBYES.c.attempts == goodbye.attempts)
        taken = update(GOODBYES).where(same).values(attempts=goodbye.attempts + 1, due_at=due_at)
        with self._database.transaction() as connection:
            # The client's row first: everybody locks in this order.
            if not _room(connection, goodbye.client_id, at, hourly):
                return False
            if connection.execute(taken).rowcount != 1:
                return False
            counted = update(BACK_CHANNELS).where(BACK_CHANNELS.c.client_id == goodbye.client_id)
            connection.execute(counted.values(sent=BACK_CHANNELS.c.sent + 1))
            return True

    def done(self, goodbye: Goodbye, *, reached: bool = True) -> None:
        """It was delivered, or never can be."""
        with self._database.transaction() as connection:
            if reached:
                missed = and_(BACK_CHANNELS.c.client_id == goodbye.client_id, BACK_CHANNELS.c.missed > 0)
                connection.execute(update(BACK_CHANNELS).where(missed).values(missed=0))
            connection.execute(delete(GOODBYES).where(GOODBYES.c.id == goodbye.id))

    def give_up(self, at: int, record: Callable[[Goodbye], Event], *, limit: int) -> int:
        """Record those whose hour is over, and count them for their clients; how many there were."""
        over = select(GOODBYES).where(GOODBYES.c.expires_at <= at).order_by(GOODBYES.c.client_id).limit(limit)
        with self._database.reading() as connection:
            found = [rows.goodbye_of(row) for row in connection.execute(over)]
        given_up = 0
        for goodbye in found:
            with self._database.transaction() as connection:
                upsert.held(connection, BACK_CHANNELS, [_fresh(goodbye.client_id, at)])
                # Of two workers that find it one records it.
                if connection.execute(delete(GOODBYES).where(GOODBYES.c.id == goodbye.id)).rowcount != 1:
                    continue
                counted = update(BACK_CHANNELS).where(BACK_CHANNELS.c.client_id == goodbye.client_id)
                connection.execute(counted.values(missed=BACK_CHANNELS.c.missed + 1, missed_at=at))
                event = record(goodbye)
                OUTBOX.put(connection, key=event.key, body=encode_event(event))
                given_up += 1
        return given_up

    def unreached(self, *, limit: int) -> Sequence[BackChannel]:
        """Clients that were not told of something since they were last reached, the latest first."""
        query = (
            select(BACK_CHANNELS)
            .where(BACK_CHANNELS.c.missed > 0)
            .order_by(BACK_CHANNELS.c.missed_at.desc(), BACK_CHANNELS.c.client_id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [rows.back_channel_of(row) for row in connection.execute(query)]


def say_goodbye(connection: Connection, *, sid: str, at: int, client_id: str = "") -> None:
    """Write down whom to tell that a session ended, or that one client's part of it did."""
    whose = and_(GRANTS.c.sid == sid, CLIENTS.c.logout_uri != "", *((CLIENTS.c.id == client_id,) if client_id else ()))
    query = select(GRANTS.c.client_id, GRANTS.c.subject).distinct()
    query = query.select_from(GRANTS.join(CLIENTS, CLIENTS.c.id == GRANTS.c.client_id)).where(whose)
    for row in connection.execute(query).all():
        waiting = {"id": secrets.token_hex(16), "client_id": row.client_id, "subject": row.subject, "sid": sid}
        connection.execute(insert(GOODBYES).values(**waiting, attempts=0, due_at=at, expires_at=at + LIFETIME))


def _due(at: int) -> ColumnElement[bool]:
    return and_(GOODBYES.c.due_at <= at, GOODBYES.c.expires_at > at)


def _room(connection: Connection, client_id: str, at: int, hourly: int) -> bool:
    """Whether a client may be sent another one in this hour; nobody else counts for it before this transaction ends."""
    hour = at - at % _HOUR
    upsert.held(connection, BACK_CHANNELS, [_fresh(client_id, at)])
    own, newer = BACK_CHANNELS.c.client_id == client_id, BACK_CHANNELS.c.hour < hour
    sent = case((newer, 0), else_=BACK_CHANNELS.c.sent)
    room = update(BACK_CHANNELS).where(own, or_(newer, BACK_CHANNELS.c.sent < hourly)).values(hour=hour, sent=sent)
    return connection.execute(room).rowcount == 1


def _fresh(client_id: str, at: int) -> dict[str, Any]:
    return {"client_id": client_id, "hour": at - at % _HOUR, "sent": 0, "missed": 0, "missed_at": 0}
