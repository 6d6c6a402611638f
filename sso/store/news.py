# SPDX-License-Identifier: Apache-2.0
"""What the log told: who and what is barred, and how far we have listened.

Every worker hears everything, some later than others. The newest entry about a person or certificate wins, whoever
hears it first; hearing an older one afterwards changes nothing, and hearing one twice neither.
"""

from zlib import crc32

from sqlalchemy import Connection, and_, or_, select, text

from core.db import Database

from . import upsert
from .tables import BARRED, HEARD

MACHINE = "machine"
"""What certificates are called that machines have: no person logs in with one."""

CLIENT = "client"
"""What applications are called here that two officers shut in an emergency."""


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
            upsert.put(connection, HEARD, {"id": 1, "position": position}, where=HEARD.c.position < position)

    def unbar(self, kind: str, name: str, position: int, at: int) -> None:
        """A person or certificate counts again, unless a later entry said otherwise."""
        with self._database.transaction() as connection:
            _tell(connection, kind, name, position, released_at=at)

    def bar_machine(self, serial: str, position: int) -> None:
        """A machine's certificate counts no more, unless a later entry said otherwise."""
        with self._database.transaction() as connection:
            bar(connection, MACHINE, serial, position)

    def bar_client(self, name: str, position: int) -> None:
        """An application is given nothing any more, unless a later entry said otherwise."""
        with self._database.transaction() as connection:
            bar(connection, CLIENT, name, position)

    def withdrawn(self, serial: str) -> bool:
        """Whether a certificate, a person's or a machine's, counts no more."""
        kinds = BARRED.c.kind.in_(("certificate", MACHINE))
        chosen = and_(kinds, BARRED.c.id == serial, BARRED.c.released_at.is_(None))
        with self._database.reading() as connection:
            return connection.execute(select(BARRED.c.id).where(chosen).limit(1)).first() is not None

    def barred(self, *, subject: str, certificate: str) -> bool:
        """Whether a person or the certificate used is barred."""
        with self._database.reading() as connection:
            return is_barred(connection, subject=subject, certificate=certificate)


def bar(connection: Connection, kind: str, name: str, position: int) -> bool:
    """A person or certificate counts no more; False if a later entry said otherwise."""
    told = _tell(connection, kind, name, position, released_at=None)
    if told:
        # What was opened before this is seen now, and what comes after it sees this.
        _take_turns(connection, kind, name)
    return told


def is_barred(connection: Connection, *, subject: str, certificate: str) -> bool:
    """The same, inside a transaction."""
    person = and_(BARRED.c.kind == "person", BARRED.c.id == subject)
    card = and_(BARRED.c.kind == "certificate", BARRED.c.id == certificate)
    chosen = and_(or_(person, card), BARRED.c.released_at.is_(None))
    return connection.execute(select(BARRED.c.id).where(chosen).limit(1)).first() is not None


def may_open(connection: Connection, *, subject: str, certificate: str) -> bool:
    """Whether neither is barred, nor can be before this transaction ends.

    Beside another worker that bars them neither would see what the other does, and a session would stay open.
    """
    _take_turns(connection, "person", subject)
    if certificate:
        _take_turns(connection, "certificate", certificate)
    return not is_barred(connection, subject=subject, certificate=certificate)


def _take_turns(connection: Connection, kind: str, name: str) -> None:
    """One transaction after the other; SQLite has no other way."""
    if connection.dialect.name == "postgresql":
        turn = crc32(f"{kind} {name}".encode()) - (1 << 31)
        connection.execute(text("SELECT pg_advisory_xact_lock(1, :turn)"), {"turn": turn})


def _tell(connection: Connection, kind: str, name: str, position: int, *, released_at: int | None) -> bool:
    values = {"kind": kind, "id": name, "position": position, "released_at": released_at}
    return upsert.put(connection, BARRED, values, where=BARRED.c.position <= position)
