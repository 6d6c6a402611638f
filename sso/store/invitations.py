# SPDX-License-Identifier: Apache-2.0
"""Initial access tokens: who may register clients, for whom, and how often; each use is one conditional statement."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, and_, delete, insert, select, update

from audit import Event, encode_event
from core.db import Database

from ..models import Client, Grant, Invitation
from . import rows
from .clients import replaced
from .grants import revoke_where
from .tables import CLIENTS, CONSENTS, GRANTS, INITIAL_TOKENS, OUTBOX

_MOST = 500


class InvitationRows:
    """The table ``initial_tokens``, and what comes of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, invitation: Invitation) -> None:
        """Keep one."""
        with self._database.transaction() as connection:
            connection.execute(insert(INITIAL_TOKENS).values(**rows.invitation_values(invitation)))

    def find(self, digest: str, at: int) -> Invitation | None:
        """One that counts."""
        query = select(INITIAL_TOKENS).where(_counts(digest, at))
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return rows.invitation_of(row) if row else None

    def all(self, at: int) -> list[Invitation]:
        """Those that count, the first to end first."""
        counting = and_(INITIAL_TOKENS.c.uses_left > 0, INITIAL_TOKENS.c.expires_at > at)
        query = select(INITIAL_TOKENS).where(counting).order_by(INITIAL_TOKENS.c.expires_at).limit(_MOST)
        with self._database.reading() as connection:
            return [rows.invitation_of(row) for row in connection.execute(query)]

    def end(self, digest: str, at: int, record: Callable[[Invitation], Event]) -> bool:
        """Take one back; False if it counts no more."""
        with self._database.transaction() as connection:
            row = connection.execute(select(INITIAL_TOKENS).where(_counts(digest, at))).one_or_none()
            if row is None or connection.execute(delete(INITIAL_TOKENS).where(_counts(digest, at))).rowcount != 1:
                return False
            event = record(rows.invitation_of(row))
            OUTBOX.put(connection, key=event.key, body=encode_event(event))
        return True

    def register(self, invitation: Invitation, client: Client, *, at: int, outcome: Event) -> bool:
        """Use it once, with the registration that comes of it; False if it was used up meanwhile."""
        used = update(INITIAL_TOKENS).where(_counts(invitation.digest, at))
        used = used.values(uses_left=INITIAL_TOKENS.c.uses_left - 1)
        with self._database.transaction() as connection:
            if connection.execute(used).rowcount != 1:
                return False
            connection.execute(insert(CLIENTS).values(**rows.client_values(client)))
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))
        return True

    def change(self, client: Client, *, was: str, outcome: Event) -> bool:
        """Replace a registration, if ``was`` still is its management token."""
        with self._database.transaction() as connection:
            if not replaced(connection, client, was=was):
                return False
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))
        return True

    def remove(self, client: Client, at: int, record: Event, revoked: Callable[[Grant], Event]) -> bool:
        """Remove a client; everything that was given to it ends with it."""
        chosen = and_(CLIENTS.c.id == client.id, CLIENTS.c.manage_hash == client.manage_hash)
        with self._database.transaction() as connection:
            if connection.execute(delete(CLIENTS).where(chosen)).rowcount != 1:
                return False
            connection.execute(delete(CONSENTS).where(CONSENTS.c.client_id == client.id))
            ended = revoke_where(connection, GRANTS.c.client_id == client.id, at)
            for event in (record, *(revoked(grant) for grant in ended)):
                OUTBOX.put(connection, key=event.key, body=encode_event(event))
        return True


def _counts(digest: str, at: int) -> ColumnElement[bool]:
    return and_(INITIAL_TOKENS.c.digest == digest, INITIAL_TOKENS.c.uses_left > 0, INITIAL_TOKENS.c.expires_at > at)
