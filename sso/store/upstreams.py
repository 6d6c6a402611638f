# SPDX-License-Identifier: Apache-2.0
"""Who is whom at another provider. Removing a link ends what was opened by it, in the same transaction."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, or_, select, update

from audit import Event, encode_event
from core.db import Database

from ..models import Session, UpstreamLink
from . import upsert
from .sessions import end_where
from .tables import OUTBOX, SESSIONS, UPSTREAM_LINKS


class UpstreamRows:
    """The table ``upstream_links``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_key(self, key: str) -> UpstreamLink | None:
        """Whose an identifier of the other provider is; its key says nothing without ours."""
        return self._one(UPSTREAM_LINKS.c.key == key)

    def of(self, subject: str) -> UpstreamLink | None:
        """A person's own."""
        return self._one(UPSTREAM_LINKS.c.subject == subject)

    def add(self, link: UpstreamLink, outcome: Event) -> bool:
        """Keep it, and that it was recorded; False if the identifier or the person is linked already."""
        taken = or_(UPSTREAM_LINKS.c.key == link.key, UPSTREAM_LINKS.c.subject == link.subject)
        with self._database.transaction() as connection:
            if connection.execute(select(UPSTREAM_LINKS.c.id).where(taken)).first() is not None:
                return False
            if not upsert.ensure(connection, UPSTREAM_LINKS, asdict(link)):
                return False
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))
        return True

    def used(self, link: UpstreamLink, named: str, at: int) -> None:
        """Somebody came by it, and is called so there."""
        with self._database.transaction() as connection:
            chosen = update(UPSTREAM_LINKS).where(UPSTREAM_LINKS.c.id == link.id)
            connection.execute(chosen.values(named=named, used_at=at))

    def remove(self, subject: str, at: int, record: Event, ended: Callable[[Session], Event], *, but: str) -> bool:
        """Take a person's away; sessions opened by it end, except ``but``. False if there is none."""
        with self._database.transaction() as connection:
            row = connection.execute(select(UPSTREAM_LINKS).where(UPSTREAM_LINKS.c.subject == subject)).one_or_none()
            chosen = delete(UPSTREAM_LINKS).where(UPSTREAM_LINKS.c.subject == subject)
            if row is None or connection.execute(chosen).rowcount != 1:
                return False
            OUTBOX.put(connection, key=record.key, body=encode_event(record))
            rested = and_(SESSIONS.c.subject == subject, SESSIONS.c.factor == row.id, SESSIONS.c.sid != but)
            end_where(connection, rested, at, ended)
        return True

    def end(self, named: str, at: int, ended: Callable[[Session], Event]) -> int:
        """Whoever is called so there logged out there: what was opened by it ends; returns how many sessions."""
        with self._database.transaction() as connection:
            row = connection.execute(select(UPSTREAM_LINKS).where(UPSTREAM_LINKS.c.named == named)).one_or_none()
            if row is None:
                return 0
            rested = and_(SESSIONS.c.subject == row.subject, SESSIONS.c.factor == row.id)
            return len(end_where(connection, rested, at, ended))

    def _one(self, where: ColumnElement[bool]) -> UpstreamLink | None:
        with self._database.reading() as connection:
            row = connection.execute(select(UPSTREAM_LINKS).where(where)).one_or_none()
        return _link(row) if row else None


def _link(row: Row[Any]) -> UpstreamLink:
    return UpstreamLink(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
