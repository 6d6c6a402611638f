# SPDX-License-Identifier: Apache-2.0
"""Applications that may do nothing. Locking ends what was given to one in the same transaction."""

from collections.abc import Callable, Mapping

from sqlalchemy import ColumnElement, and_, delete, select, update

from audit import Event, encode_event
from core.db import Database

from ..models import ClientLock, Grant
from . import upsert
from .grants import revoke_where
from .tables import CLIENT_LOCKS, CLIENT_USES, GRANTS, OUTBOX


class LockRows:
    """The tables ``client_locks`` and ``client_uses``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, client_id: str) -> ClientLock | None:
        """The lock on one application."""
        with self._database.reading() as connection:
            row = connection.execute(select(CLIENT_LOCKS).where(CLIENT_LOCKS.c.client_id == client_id)).one_or_none()
        return ClientLock(**row._mapping) if row else None  # noqa: SLF001 - SQLAlchemy's public name for it

    def all(self) -> dict[str, ClientLock]:
        """Every lock, by application."""
        with self._database.reading() as connection:
            found = connection.execute(select(CLIENT_LOCKS))
            return {row.client_id: ClientLock(**row._mapping) for row in found}  # noqa: SLF001 - as above

    def lock(self, lock: ClientLock, at: int, record: Event, revoked: Callable[[Grant], Event]) -> bool:
        """Lock one; everything that was given to it ends. False if it is locked already."""
        values = {name: getattr(lock, name) for name in ClientLock.__dataclass_fields__}
        with self._database.transaction() as connection:
            if not upsert.ensure(connection, CLIENT_LOCKS, values):
                return False
            ended = revoke_where(connection, GRANTS.c.client_id == lock.client_id, at)
            for event in (record, *(revoked(grant) for grant in ended)):
                OUTBOX.put(connection, key=event.key, body=encode_event(event))
        return True

    def ask(self, lock: ClientLock, asked: ClientLock, outcome: Event) -> bool:
        """Note who asks to unlock it, or that nobody does any more; False if that changed meanwhile."""
        wanted = {"asked_by": asked.asked_by, "asked_at": asked.asked_at, "asked_reason": asked.asked_reason}
        with self._database.transaction() as connection:
            if connection.execute(update(CLIENT_LOCKS).where(_same(lock)).values(**wanted)).rowcount != 1:
                return False
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))
        return True

    def unlock(self, lock: ClientLock, outcome: Event) -> bool:
        """Take the lock away, as it was confirmed; False if it is another by now."""
        with self._database.transaction() as connection:
            if connection.execute(delete(CLIENT_LOCKS).where(_same(lock))).rowcount != 1:
                return False
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))
        return True

    def used(self, moments: Mapping[str, int]) -> None:
        """Note when applications proved who they are; older news change nothing."""
        with self._database.transaction() as connection:
            for client_id, at in sorted(moments.items()):
                values = {"client_id": client_id, "used_at": at}
                upsert.put(connection, CLIENT_USES, values, where=CLIENT_USES.c.used_at < at)

    def uses(self) -> dict[str, int]:
        """When each was last used."""
        with self._database.reading() as connection:
            return {row.client_id: row.used_at for row in connection.execute(select(CLIENT_USES))}


def _same(lock: ClientLock) -> ColumnElement[bool]:
    return and_(
        CLIENT_LOCKS.c.client_id == lock.client_id,
        CLIENT_LOCKS.c.locked_at == lock.locked_at,
        CLIENT_LOCKS.c.asked_by == lock.asked_by,
        CLIENT_LOCKS.c.asked_at == lock.asked_at,
    )
