# SPDX-License-Identifier: Apache-2.0
"""Second factors that administrators take away. Every step is one compare-and-swap; the last one takes them in it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from audit import Event, encode_event
from core.db import Database

from ..models import FactorReset, Letter, ResetState, Session
from .browsers import forget_all
from .factors import drop_all
from .letters import write_down
from .sessions import end_where
from .tables import FACTOR_RESETS, OUTBOX, SESSIONS

_OPEN = ("asked", "cooling")
_MOST = 200


class ResetRows:
    """The table ``factor_resets``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, reset: FactorReset, outcome: Event) -> None:
        """Somebody asks."""
        with self._database.transaction() as connection:
            connection.execute(insert(FACTOR_RESETS).values(**asdict(reset)))
            _record(connection, [outcome])

    def find(self, identifier: str, at: int) -> FactorReset | None:
        """One that is not over."""
        found = self._all(at, FACTOR_RESETS.c.id == identifier)
        return found[0] if found else None

    def open_of(self, subject: str, at: int) -> list[FactorReset]:
        """Those of a person that may still be stopped."""
        return self._all(at, FACTOR_RESETS.c.subject == subject, FACTOR_RESETS.c.state.in_(_OPEN))

    def open(self, at: int) -> list[FactorReset]:
        """Everybody's, the newest first."""
        return self._all(at, FACTOR_RESETS.c.state.in_(_OPEN))

    def due(self, at: int) -> list[FactorReset]:
        """Those whose time of waiting is over."""
        return self._all(at, FACTOR_RESETS.c.state == "cooling", FACTOR_RESETS.c.ready_at <= at)

    def move(
        self,
        reset: FactorReset,
        to: ResetState,
        at: int,
        *,
        changed: Mapping[str, Any] | None = None,
        letter: Letter | None = None,
        record: Event,
    ) -> bool:
        """Make one step, with its letter and its record; False if it is not where it was, or over."""
        with self._database.transaction() as connection:
            if not _moved(connection, reset, to, at, changed or {}):
                return False
            if letter is not None:
                write_down(connection, letter)
            _record(connection, [record])
        return True

    def finish(
        self,
        reset: FactorReset,
        at: int,
        *,
        records: Sequence[Event],
        ended: Callable[[Session], Event],
        letter: Letter | None,
    ) -> bool:
        """The last step: factors, sessions and known browsers go with it, or nothing does."""
        with self._database.transaction() as connection:
            if not _moved(connection, reset, "done", at, {}):
                return False
            drop_all(connection, reset.subject)
            forget_all(connection, reset.subject)
            end_where(connection, SESSIONS.c.subject == reset.subject, at, ended)
            if letter is not None:
                write_down(connection, letter)
            _record(connection, records)
        return True

    def _all(self, at: int, *chosen: Any) -> list[FactorReset]:
        query = select(FACTOR_RESETS).where(*chosen, FACTOR_RESETS.c.expires_at > at)
        query = query.order_by(FACTOR_RESETS.c.asked_at.desc(), FACTOR_RESETS.c.id).limit(_MOST)
        with self._database.reading() as connection:
            return [FactorReset(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - SQLAlchemy's name


def _moved(connection: Connection, reset: FactorReset, to: ResetState, at: int, changed: Mapping[str, Any]) -> bool:
    here = and_(
        FACTOR_RESETS.c.id == reset.id,
        FACTOR_RESETS.c.state == reset.state,
        FACTOR_RESETS.c.expires_at > at,
    )
    return connection.execute(update(FACTOR_RESETS).where(here).values(state=to, **changed)).rowcount == 1


def _record(connection: Connection, records: Sequence[Event]) -> None:
    for each in records:
        OUTBOX.put(connection, key=each.key, body=encode_event(each))
