# SPDX-License-Identifier: Apache-2.0
"""Logins. Ending one ends its families in the same transaction and leaves the record in the outbox."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Column, ColumnElement, Connection, and_, insert, select, update

from audit import Event, encode_event
from core.db import Database

from ..models import Grant, Session
from . import families, rows
from .goodbyes import say_goodbye
from .grants import revoke_where
from .limits import Door, forgive
from .news import bar, may_open
from .tables import GRANTS, OUTBOX, SESSIONS

Record = Callable[[Session], Event]
Barred = Literal["person", "certificate"]
_COLUMNS: dict[Barred, Column[str]] = {"person": SESSIONS.c.subject, "certificate": SESSIONS.c.certificate}


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What opening a session settles with it."""

    # Digest of the cookie the browser came with; empty if none.
    previous: str
    # Doors at which the attempt turns out to be no failure.
    forgiven: Sequence[Door] = ()


class SessionRows:
    """The table ``sessions``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_cookie(self, digest: str, at: int) -> Session | None:
        """The session of a cookie, idle or not."""
        with self._database.reading() as connection:
            row = connection.execute(families.BY_COOKIE, {"digest": digest, "at": at}).one_or_none()
        return rows.session_of(row) if row else None

    def of(self, subject: str, at: int) -> list[Session]:
        """All live sessions of one person, newest first."""
        query = select(SESSIONS).where(SESSIONS.c.subject == subject, _alive(at)).order_by(SESSIONS.c.created_at.desc())
        with self._database.reading() as connection:
            return [rows.session_of(row) for row in connection.execute(query)]

    def open(self, session: Session, opening: Opening, ended: Record) -> bool:
        """Open a session under a new cookie; False if person or certificate was barred meanwhile.

        A session of the same person that the cookie stood for goes on under its old identifier, so that portals stay
        joined after a step-up; a session of somebody else ends.
        """
        at = session.authenticated_at
        with self._database.transaction() as connection:
            if not may_open(connection, subject=session.subject, certificate=session.certificate):
                return False
            continued = and_(SESSIONS.c.sid == session.sid, SESSIONS.c.subject == session.subject, _alive(at))
            values = rows.session_values(session)
            if connection.execute(update(SESSIONS).where(continued).values(**values)).rowcount == 0:
                connection.execute(insert(SESSIONS).values(**values))
            if opening.previous:
                end_where(connection, SESSIONS.c.digest == opening.previous, at, ended)
            forgive(connection, opening.forgiven)
        return True

    def raised(self, session: Session, *, previous: str, forgiven: Sequence[Door], at: int) -> bool:
        """Something more was proved in a session: it goes on under a new cookie, as surely as it says now.

        False if it ended, was raised by another page in this very moment, or person or certificate are barred.
        """
        here = and_(
            SESSIONS.c.sid == session.sid,
            SESSIONS.c.digest == previous,
            SESSIONS.c.subject == session.subject,
            SESSIONS.c.login == session.login,
            _alive(at),
        )
        values = {
            "digest": session.digest,
            "methods": " ".join(session.methods),
            "assurance": session.assurance,
            "factor": session.factor,
            "seen_at": at,
        }
        with self._database.transaction() as connection:
            if not may_open(connection, subject=session.subject, certificate=session.certificate):
                return False
            if connection.execute(update(SESSIONS).where(here).values(**values)).rowcount == 0:
                return False
            forgive(connection, forgiven)
        return True

    def lower(self, subject: str, level: int, at: int, record: Callable[[Grant], Event]) -> int:
        """A person is known less surely: sessions say so, and families that say more end; returns how many those were.

        Families are ended with their sessions held, in the order in which everybody locks them.
        """
        surer = and_(SESSIONS.c.subject == subject, SESSIONS.c.assurance > level, _alive(at))
        with self._database.transaction() as connection:
            connection.execute(update(SESSIONS).where(surer).values(assurance=level))
            families_of = and_(GRANTS.c.subject == subject, GRANTS.c.assurance > level, GRANTS.c.expires_at > at)
            ended = revoke_where(connection, families_of, at)
            for grant in ended:
                event = record(grant)
                OUTBOX.put(connection, key=event.key, body=encode_event(event))
        return len(ended)

    def touch(self, sid: str, at: int) -> None:
        """Somebody used it."""
        with self._database.transaction() as connection:
            connection.execute(update(SESSIONS).where(SESSIONS.c.sid == sid).values(seen_at=at))

    def end(self, sid: str, subject: str, at: int, ended: Record) -> list[Session]:
        """End one session of one person."""
        return self._end(and_(SESSIONS.c.sid == sid, SESSIONS.c.subject == subject), at, ended)

    def end_of_person(self, subject: str, at: int, ended: Record) -> list[Session]:
        """End all sessions of a person."""
        return self._end(SESSIONS.c.subject == subject, at, ended)

    def end_older(self, subject: str, before: int, at: int, ended: Record) -> list[Session]:
        """End the sessions of a person whose last login was not after a moment."""
        return self._end(and_(SESSIONS.c.subject == subject, SESSIONS.c.authenticated_at <= before), at, ended)

    def bar(self, kind: Barred, name: str, position: int, at: int, ended: Record) -> list[Session]:
        """A person or certificate counts no more, and what was opened with it ends; nothing, if that is old news.

        Both in one transaction: between them, newer news could let somebody in whom the older would throw out.
        """
        with self._database.transaction() as connection:
            if not bar(connection, kind, name, position):
                return []
            return end_where(connection, _COLUMNS[kind] == name, at, ended)

    def end_expired(self, at: int, ended: Record, *, limit: int) -> list[Session]:
        """End sessions whose time is over, a few at a time."""
        over = and_(SESSIONS.c.ended_at.is_(None), SESSIONS.c.expires_at <= at)
        with self._database.reading() as connection:
            found = connection.execute(select(SESSIONS.c.sid).where(over).order_by(SESSIONS.c.expires_at).limit(limit))
            sids = list(found.scalars())
        return self._end(SESSIONS.c.sid.in_(sids), at, ended) if sids else []

    def _end(self, chosen: ColumnElement[bool], at: int, ended: Record) -> list[Session]:
        with self._database.transaction() as connection:
            return end_where(connection, chosen, at, ended)


def end_where(connection: Connection, chosen: ColumnElement[bool], at: int, ended: Record) -> list[Session]:
    """End the live sessions of a choice, their families, and leave the records; each by one worker only."""
    live = and_(chosen, SESSIONS.c.ended_at.is_(None))
    query = select(SESSIONS).where(live).order_by(SESSIONS.c.sid).with_for_update()
    found = [rows.session_of(row) for row in connection.execute(query)]
    for session in found:
        connection.execute(update(SESSIONS).where(SESSIONS.c.sid == session.sid).values(ended_at=at))
        revoke_where(connection, GRANTS.c.sid == session.sid, at)
        say_goodbye(connection, sid=session.sid, at=at)
        event = ended(session)
        OUTBOX.put(connection, key=event.key, body=encode_event(event))
    return found


def _alive(at: int) -> ColumnElement[bool]:
    return and_(SESSIONS.c.ended_at.is_(None), SESSIONS.c.expires_at > at)
