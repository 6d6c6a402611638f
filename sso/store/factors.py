# SPDX-License-Identifier: Apache-2.0
"""What people log in with beside a password. Taking one away ends what was opened with it, in the same transaction."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from audit import Event, encode_event
from core.db import Database

from ..models import CodeApp, RecoveryCodes, Session
from . import upsert
from .sessions import end_where
from .tables import CODE_APPS, OUTBOX, PASSKEYS, RECOVERY_CODES, SESSIONS

CODES = "codes"
"""What sessions say that were opened with a code, of the app or on paper."""


class FactorRows:
    """The tables ``code_apps`` and ``recovery_codes``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def code_app(self, subject: str) -> CodeApp | None:
        """The app of one person."""
        with self._database.reading() as connection:
            row = connection.execute(select(CODE_APPS).where(CODE_APPS.c.subject == subject)).one_or_none()
        return CodeApp(**row._mapping) if row else None  # noqa: SLF001 - SQLAlchemy's public name for it

    def add_code_app(self, app: CodeApp, outcome: Event) -> bool:
        """Keep it, and that it was recorded; False if there is one already."""
        values = {name: getattr(app, name) for name in CodeApp.__dataclass_fields__}
        with self._database.transaction() as connection:
            if not upsert.ensure(connection, CODE_APPS, values):
                return False
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))
        return True

    def take_step(self, subject: str, step: int, at: int) -> bool:
        """Use a code of one time step; exactly one of many callers gets True, and nobody of an older step."""
        older = and_(CODE_APPS.c.subject == subject, CODE_APPS.c.step < step)
        with self._database.transaction() as connection:
            return connection.execute(update(CODE_APPS).where(older).values(step=step, used_at=at)).rowcount == 1

    def remove_code_app(
        self, subject: str, at: int, record: Event, ended: Callable[[Session], Event], *, but: str
    ) -> bool:
        """Take it away with the codes on paper; sessions opened with either end, except ``but``. False if none."""
        with self._database.transaction() as connection:
            if connection.execute(delete(CODE_APPS).where(CODE_APPS.c.subject == subject)).rowcount != 1:
                return False
            connection.execute(delete(RECOVERY_CODES).where(RECOVERY_CODES.c.subject == subject))
            OUTBOX.put(connection, key=record.key, body=encode_event(record))
            rested = and_(SESSIONS.c.subject == subject, SESSIONS.c.factor == CODES, SESSIONS.c.sid != but)
            end_where(connection, rested, at, ended)
        return True

    def drop_all(self, subject: str, record: Event) -> None:
        """Take everything away, with its record; of sessions nothing is left by then."""
        with self._database.transaction() as connection:
            drop_all(connection, subject)
            OUTBOX.put(connection, key=record.key, body=encode_event(record))

    def recovery_codes(self, subject: str) -> RecoveryCodes | None:
        """How many are left; None if none were ever made."""
        query = select(
            func.count(RECOVERY_CODES.c.digest).filter(RECOVERY_CODES.c.used_at.is_(None)),
            func.max(RECOVERY_CODES.c.created_at),
        ).where(RECOVERY_CODES.c.subject == subject)
        with self._database.reading() as connection:
            left, created_at = connection.execute(query).one()
        return RecoveryCodes(left=left, created_at=created_at) if created_at is not None else None

    def replace_recovery_codes(self, subject: str, digests: Sequence[str], at: int, outcome: Event) -> None:
        """Keep new ones; those before are worth nothing."""
        rows = [{"digest": digest, "subject": subject, "created_at": at} for digest in digests]
        with self._database.transaction() as connection:
            connection.execute(delete(RECOVERY_CODES).where(RECOVERY_CODES.c.subject == subject))
            connection.execute(insert(RECOVERY_CODES), rows)
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))

    def take_recovery_code(self, subject: str, digest: str, at: int) -> bool:
        """Use one up; exactly one of many callers gets True."""
        unused = and_(
            RECOVERY_CODES.c.digest == digest,
            RECOVERY_CODES.c.subject == subject,
            RECOVERY_CODES.c.used_at.is_(None),
        )
        with self._database.transaction() as connection:
            return connection.execute(update(RECOVERY_CODES).where(unused).values(used_at=at)).rowcount == 1


def drop_all(connection: Connection, subject: str) -> None:
    """Take everything of a person away, within something larger."""
    for table in (CODE_APPS, RECOVERY_CODES, PASSKEYS):
        connection.execute(delete(table).where(table.c.subject == subject))
