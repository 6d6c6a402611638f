# SPDX-License-Identifier: Apache-2.0
"""Passkeys. Removing one ends what was opened with it, in the same transaction."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Row, and_, delete, func, select, update

from audit import Event, encode_event
from core.db import Database

from ..models import Passkey, Session
from . import upsert
from .sessions import end_where
from .tables import OUTBOX, PASSKEYS, SESSIONS, digest


class PasskeyRows:
    """The table ``passkeys``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, subject: str) -> list[Passkey]:
        """One person's, oldest first."""
        query = select(PASSKEYS).where(PASSKEYS.c.subject == subject).order_by(PASSKEYS.c.created_at, PASSKEYS.c.id)
        with self._database.reading() as connection:
            return [_passkey(row) for row in connection.execute(query)]

    def by_credential(self, credential: str) -> Passkey | None:
        """The one that browsers call so."""
        query = select(PASSKEYS).where(PASSKEYS.c.digest == digest(credential))
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return _passkey(row) if row else None

    def add(self, passkey: Passkey, outcome: Event, *, most: int) -> bool:
        """Keep it, and that it was recorded; False if there is no room, or that credential is somebody's already."""
        values = {name: getattr(passkey, name) for name in Passkey.__dataclass_fields__}
        counted = select(func.count(PASSKEYS.c.id)).where(PASSKEYS.c.subject == passkey.subject)
        with self._database.transaction() as connection:
            if connection.execute(counted).scalar_one() >= most:
                return False
            if not upsert.ensure(connection, PASSKEYS, {**values, "digest": digest(passkey.credential)}):
                return False
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))
        return True

    def count_up(self, passkey: Passkey, uses: int, at: int) -> bool:
        """Its device used it once more; exactly one of many callers that saw the same count gets True."""
        as_seen = and_(PASSKEYS.c.id == passkey.id, PASSKEYS.c.uses == passkey.uses)
        with self._database.transaction() as connection:
            return connection.execute(update(PASSKEYS).where(as_seen).values(uses=uses, used_at=at)).rowcount == 1

    def remove(
        self, subject: str, identifier: str, at: int, record: Event, ended: Callable[[Session], Event], *, but: str
    ) -> bool:
        """Take one away; sessions opened with it end, except ``but``. False if the person has no such one."""
        chosen = and_(PASSKEYS.c.id == identifier, PASSKEYS.c.subject == subject)
        with self._database.transaction() as connection:
            if connection.execute(delete(PASSKEYS).where(chosen)).rowcount != 1:
                return False
            OUTBOX.put(connection, key=record.key, body=encode_event(record))
            rested = and_(SESSIONS.c.subject == subject, SESSIONS.c.factor == identifier, SESSIONS.c.sid != but)
            end_where(connection, rested, at, ended)
        return True


def _passkey(row: Row[Any]) -> Passkey:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    del values["digest"]
    return Passkey(**values)
