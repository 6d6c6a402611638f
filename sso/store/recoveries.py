# SPDX-License-Identifier: Apache-2.0
"""Ways back to an account. Every step is one compare-and-swap: of many callers exactly one makes it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import and_, insert, select, update

from audit import Event, encode_event
from core.db import Database

from ..models import Letter, Recovery, RecoveryState
from .letters import write_down
from .tables import OUTBOX, RECOVERIES

_OVER = ("setting", "done", "stopped")


class RecoveryRows:
    """The table ``recoveries``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, recovery: Recovery) -> None:
        """Somebody asked."""
        with self._database.transaction() as connection:
            connection.execute(insert(RECOVERIES).values(**asdict(recovery)))

    def by_link(self, digest: str, at: int) -> Recovery | None:
        """The one whose unused link this is."""
        return self._one(at, RECOVERIES.c.link == digest) if digest else None

    def by_browser(self, digest: str, at: int) -> Recovery | None:
        """The one that is on its way in a browser."""
        return self._one(at, RECOVERIES.c.browser == digest, RECOVERIES.c.state.not_in(_OVER)) if digest else None

    def find(self, identifier: str, at: int) -> Recovery | None:
        """One by its number."""
        return self._one(at, RECOVERIES.c.id == identifier)

    def waiting_of(self, subject: str, at: int) -> list[Recovery]:
        """Those of a person that still may be stopped, begun last first."""
        query = (
            select(RECOVERIES)
            .where(RECOVERIES.c.subject == subject, RECOVERIES.c.state.not_in(_OVER), RECOVERIES.c.expires_at > at)
            .order_by(RECOVERIES.c.created_at.desc())
        )
        with self._database.reading() as connection:
            return [Recovery(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - SQLAlchemy's name

    def due(self, state: RecoveryState, at: int, *, limit: int) -> list[Recovery]:
        """Those in a state whose time has come."""
        chosen = and_(RECOVERIES.c.state == state, RECOVERIES.c.ready_at <= at, RECOVERIES.c.expires_at > at)
        with self._database.reading() as connection:
            found = connection.execute(select(RECOVERIES).where(chosen).order_by(RECOVERIES.c.ready_at).limit(limit))
            return [Recovery(**row._mapping) for row in found]  # noqa: SLF001 - as above

    def move(
        self,
        recovery: Recovery,
        to: RecoveryState,
        at: int,
        *,
        changed: Mapping[str, Any] | None = None,
        letter: Letter | None = None,
        record: Event | None = None,
    ) -> bool:
        """Make one step, with its letter and its record; False if it is not where it was, or over."""
        here = and_(
            RECOVERIES.c.id == recovery.id,
            RECOVERIES.c.state == recovery.state,
            RECOVERIES.c.link == recovery.link,
            RECOVERIES.c.expires_at > at,
        )
        with self._database.transaction() as connection:
            moved = update(RECOVERIES).where(here).values(state=to, **(changed or {}))
            if connection.execute(moved).rowcount != 1:
                return False
            if letter is not None:
                write_down(connection, letter)
            if record is not None:
                OUTBOX.put(connection, key=record.key, body=encode_event(record))
        return True

    def _one(self, at: int, *chosen: Any) -> Recovery | None:
        query = select(RECOVERIES).where(*chosen, RECOVERIES.c.expires_at > at)
        with self._database.reading() as connection:
            row = connection.execute(query.order_by(RECOVERIES.c.created_at.desc()).limit(1)).one_or_none()
        return Recovery(**row._mapping) if row else None  # noqa: SLF001 - as above
