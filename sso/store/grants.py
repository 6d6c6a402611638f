# SPDX-License-Identifier: Apache-2.0
"""Families: what was granted and refused. Ending one ends every code and token in it."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection, and_, insert, select, update

from audit import Event, encode_event
from core.db import Database

from ..models import Code, Grant, Interaction
from . import families, rows, upsert
from .clients import is_locked
from .interactions import spend
from .news import is_barred
from .tables import CLIENTS, CODES, ENDED_TOKENS, GRANTS, OUTBOX, SESSIONS

# Written at every grant: built once, with the values beside them, or each would be put together anew.
_PUT_GRANT = insert(GRANTS)
_PUT_CODE = insert(CODES)


class GrantRows:
    """The table ``grants``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, grant_id: str) -> Grant | None:
        """A family, standing or not."""
        with self._database.reading() as connection:
            row = connection.execute(select(GRANTS).where(GRANTS.c.id == grant_id)).one_or_none()
        return rows.grant_of(row) if row else None

    def standing(self, grant_id: str, at: int) -> bool:
        """Whether family, session, person and certificate all still count."""
        with self._database.reading() as connection:
            return connection.execute(families.STANDING, {"id": grant_id, "at": at}).first() is not None

    def of_token(self, grant_id: str, jti: str, at: int) -> Grant | None:
        """The family of an access token, if both stand."""
        with self._database.reading() as connection:
            row = connection.execute(families.STANDING_TOKEN, {"id": grant_id, "token": jti, "at": at}).first()
        return rows.grant_of(row) if row else None

    def end_token(self, jti: str, *, expires_at: int, record: Event) -> bool:
        """End one access token with its record; its family stands. False if it had ended already."""
        with self._database.transaction() as connection:
            if not upsert.ensure(connection, ENDED_TOKENS, {"id": jti, "expires_at": expires_at}):
                return False
            OUTBOX.put(connection, key=record.key, body=encode_event(record))
        return True

    def issue(
        self,
        grant: Grant,
        code: Code | None,
        *,
        expires_at: int,
        at: int,
        outcome: Event,
        answers: Interaction | None = None,
    ) -> bool:
        """Begin a family, with its code if it has one; False if its session ended or its client was locked meanwhile.

        Raises:
            InteractionLost: the parked request it answers was answered already.
        """
        with self._database.transaction() as connection:
            if not session_held(connection, grant.sid, grant.subject, at) or is_locked(connection, grant.client_id):
                return False
            if answers is not None:
                spend(connection, answers)
            values = {**rows.grant_values(grant), "expires_at": expires_at}
            connection.execute(_PUT_GRANT, values)
            if code is not None:
                connection.execute(_PUT_CODE, rows.code_values(code))
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))
        return True

    def revoke(self, grant_id: str, at: int, record: Callable[[Grant], Event]) -> bool:
        """End a family with its record; False if it had ended already."""
        with self._database.transaction() as connection:
            ended = revoke_where(connection, GRANTS.c.id == grant_id, at)
            for grant in ended:
                event = record(grant)
                OUTBOX.put(connection, key=event.key, body=encode_event(event))
        return bool(ended)

    def end_mandate(self, subject: str, key: str, at: int, record: Callable[[Grant], Event]) -> int:
        """End every family that somebody began under a mandate, with their records; returns how many there were."""
        chosen = and_(GRANTS.c.subject == subject, GRANTS.c.mandate == key)
        with self._database.transaction() as connection:
            ended = revoke_where(connection, chosen, at)
            for grant in ended:
                event = record(grant)
                OUTBOX.put(connection, key=event.key, body=encode_event(event))
        return len(ended)

    def let_in(self, sid: str, place: str, mandate: str) -> bool:
        """Whether the site's own client let a session in at a host, acting under that mandate; empty: under none."""
        query = (
            select(GRANTS.c.id)
            .join(CLIENTS, CLIENTS.c.id == GRANTS.c.client_id)
            .where(GRANTS.c.sid == sid, GRANTS.c.place == place, GRANTS.c.mandate == mandate)
            .where(GRANTS.c.revoked_at.is_(None), CLIENTS.c.trusted.is_(True))
            .limit(1)
        )
        with self._database.reading() as connection:
            return connection.execute(query).first() is not None

    def places_of(self, sids: list[str]) -> dict[str, list[tuple[str, str]]]:
        """Client identifier and host of every standing family, by session."""
        query = (
            select(GRANTS.c.sid, GRANTS.c.client_id, GRANTS.c.place)
            .where(GRANTS.c.sid.in_(sids), GRANTS.c.revoked_at.is_(None))
            .distinct()
            .order_by(GRANTS.c.sid, GRANTS.c.client_id, GRANTS.c.place)
        )
        found: dict[str, list[tuple[str, str]]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                found.setdefault(row.sid, []).append((row.client_id, row.place))
        return found


def revoke_where(connection: Connection, chosen: ColumnElement[bool], at: int) -> list[Grant]:
    """End the standing families of a choice; those that another worker ends in this very moment are its to record."""
    standing = and_(chosen, GRANTS.c.revoked_at.is_(None))
    query = select(GRANTS).where(standing).order_by(GRANTS.c.id).with_for_update()
    found = [rows.grant_of(row) for row in connection.execute(query)]
    connection.execute(update(GRANTS).where(standing).values(revoked_at=at))
    return found


def held(connection: Connection, grant_id: str, at: int) -> bool:
    """Whether a family counts; if so it and its session cannot end before this transaction does.

    Locks are taken in the order in which ``end_where`` takes them: session, then family.
    """
    chosen = and_(GRANTS.c.id == grant_id, GRANTS.c.revoked_at.is_(None), GRANTS.c.expires_at > at)
    query = select(GRANTS.c.sid, GRANTS.c.subject).where(chosen)
    grant = connection.execute(query).one_or_none()
    if grant is None or not session_held(connection, grant.sid, grant.subject, at):
        return False
    return connection.execute(query.with_for_update(read=True)).first() is not None


def session_held(connection: Connection, sid: str, subject: str, at: int) -> bool:
    """Whether a session counts; if so it cannot end before this transaction does."""
    if not sid:
        # A machine's own grant (RFC 6749 section 4.4) hangs on no session.
        return True
    alive = and_(SESSIONS.c.sid == sid, SESSIONS.c.ended_at.is_(None), SESSIONS.c.expires_at > at)
    query = select(SESSIONS.c.certificate).where(alive).with_for_update(read=True)
    session = connection.execute(query).one_or_none()
    return session is not None and not is_barred(connection, subject=subject, certificate=session.certificate)
