# SPDX-License-Identifier: Apache-2.0
"""What people agreed to."""

from collections.abc import Callable

from sqlalchemy import and_, delete, select

from audit import Event, encode_event
from core.db import Database

from ..models import Consent, Grant
from . import rows, upsert
from .goodbyes import say_goodbye
from .grants import revoke_where
from .tables import CONSENTS, GRANTS, OUTBOX


class ConsentRows:
    """The table ``consents``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, subject: str, client_id: str) -> Consent | None:
        """What one person agreed to for one application."""
        chosen = and_(CONSENTS.c.subject == subject, CONSENTS.c.client_id == client_id)
        with self._database.reading() as connection:
            row = connection.execute(select(CONSENTS).where(chosen)).one_or_none()
        return rows.consent_of(row) if row else None

    def of(self, subject: str) -> list[Consent]:
        """Everything one person agreed to."""
        query = select(CONSENTS).where(CONSENTS.c.subject == subject).order_by(CONSENTS.c.client_id)
        with self._database.reading() as connection:
            return [rows.consent_of(row) for row in connection.execute(query)]

    def put(self, consent: Consent, outcome: Event) -> None:
        """Remember a yes, and that it was recorded."""
        with self._database.transaction() as connection:
            values = {
                "subject": consent.subject,
                "client_id": consent.client_id,
                "scopes": " ".join(sorted(consent.scopes)),
                "refused": " ".join(sorted(consent.refused)),
                "granted_at": consent.granted_at,
                "expires_at": consent.expires_at,
            }
            upsert.put(connection, CONSENTS, values)
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))

    def withdraw(self, subject: str, client_id: str, at: int, record: Event, revoked: Callable[[Grant], Event]) -> bool:
        """Forget a yes and end everything that came of it; False if there was none."""
        chosen = and_(CONSENTS.c.subject == subject, CONSENTS.c.client_id == client_id)
        with self._database.transaction() as connection:
            if connection.execute(delete(CONSENTS).where(chosen)).rowcount != 1:
                return False
            families = and_(GRANTS.c.subject == subject, GRANTS.c.client_id == client_id)
            ended = revoke_where(connection, families, at)
            for sid in sorted({grant.sid for grant in ended if grant.sid}):
                say_goodbye(connection, sid=sid, at=at, client_id=client_id)
            for event in (record, *(revoked(grant) for grant in ended)):
                OUTBOX.put(connection, key=event.key, body=encode_event(event))
        return True
