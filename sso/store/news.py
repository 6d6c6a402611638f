# SPDX-License-Identifier: Apache-2.0
"""What the log told: who and what is barred, and how far we have listened. Hearing twice changes nothing."""

from sqlalchemy import Connection, and_, delete, or_, select, update

from core.db import Database

from .tables import BARRED, HEARD
from .upsert import ensure


class NewsRows:
    """The tables ``barred`` and ``heard``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def position(self) -> int:
        """The first entry not heard yet."""
        with self._database.reading() as connection:
            return connection.execute(select(HEARD.c.position)).scalar() or 0

    def advance(self, position: int) -> None:
        """Everything before ``position`` was heard; never goes back."""
        with self._database.transaction() as connection:
            ensure(connection, HEARD, {"id": 1, "position": position})
            behind = and_(HEARD.c.id == 1, HEARD.c.position < position)
            connection.execute(update(HEARD).where(behind).values(position=position))

    def bar(self, kind: str, name: str, position: int) -> None:
        """A person or certificate counts no more."""
        with self._database.transaction() as connection:
            _forget(connection, kind, name, position)
            ensure(connection, BARRED, {"kind": kind, "id": name, "position": position})

    def unbar(self, kind: str, name: str, position: int) -> None:
        """It counts again, unless it was barred anew by a later entry."""
        with self._database.transaction() as connection:
            _forget(connection, kind, name, position)

    def barred(self, *, subject: str, certificate: str) -> bool:
        """Whether a person or the certificate used is barred."""
        with self._database.reading() as connection:
            return is_barred(connection, subject=subject, certificate=certificate)


def is_barred(connection: Connection, *, subject: str, certificate: str) -> bool:
    """The same, inside a transaction."""
    person = and_(BARRED.c.kind == "person", BARRED.c.id == subject)
    card = and_(BARRED.c.kind == "certificate", BARRED.c.id == certificate)
    return connection.execute(select(BARRED.c.id).where(or_(person, card)).limit(1)).first() is not None


def _forget(connection: Connection, kind: str, name: str, position: int) -> None:
    chosen = and_(BARRED.c.kind == kind, BARRED.c.id == name, BARRED.c.position <= position)
    connection.execute(delete(BARRED).where(chosen))
