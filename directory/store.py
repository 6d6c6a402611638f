# SPDX-License-Identifier: Apache-2.0
"""The writer's own tables: the journal of changes under way, the register numbers, the outbox of the record."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

from core.db import Database, Drain, Outbox

from .ldap import changes
from .ldap.changes import Change

_metadata = MetaData()
_journal = Table(
    "journal",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("key", String(32), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("changes", LargeBinary, nullable=False),
    Column("outcomes", LargeBinary, nullable=False),
    Column("failure", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
_register = Table(
    "register",
    _metadata,
    Column("name", String(16), primary_key=True),
    Column("last", BigInteger, nullable=False),
)
_outbox = Outbox(_metadata)


class State(StrEnum):
    """How far a change has got."""

    # The intent is about to be recorded. Found at a start: nobody has a receipt, so it must not happen.
    ANNOUNCED = "announced"
    # The record has it; it must happen, now or after the next start.
    GOING = "going"


@dataclass(frozen=True)
class Note:
    """One event ready for the outbox: its key and its bytes."""

    key: str
    body: bytes


@dataclass(frozen=True)
class Undertaking:
    """One row of the journal."""

    key: str
    state: State
    changes: tuple[Change, ...]
    # Recorded when everything is done.
    outcomes: tuple[Note, ...]
    # Recorded when it is given up; what takes away is never given up and has none.
    failure: Note | None

    @property
    def takes_away(self) -> bool:
        """Its record was committed with it."""
        return self.failure is None


class Store:
    """Rows in, models out; every verb is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Records on their way to the log.
        self.outbox = Drain(database, _outbox)

    def announce(self, undertaking: Undertaking) -> None:
        """Write down a grant before its intent is recorded."""
        with self._database.transaction() as connection:
            _put(connection, undertaking)

    def commit(self, undertaking: Undertaking, record: Note) -> None:
        """Write down something that takes away, with its record."""
        with self._database.transaction() as connection:
            _put(connection, undertaking)
            _outbox.put(connection, key=record.key, body=record.body)

    def going(self, key: str) -> None:
        """The intent has its receipt."""
        with self._database.transaction() as connection:
            connection.execute(update(_journal).where(_journal.c.key == key).values(state=State.GOING))

    def finish(self, undertaking: Undertaking) -> None:
        """Everything is done: the outcomes go to the record."""
        self._close(undertaking, undertaking.outcomes)

    def give_up(self, undertaking: Undertaking) -> None:
        """It will not be done: the failure goes to the record."""
        self._close(undertaking, _optional(undertaking.failure))

    def underway(self) -> list[Undertaking]:
        """Everything unfinished, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_journal).order_by(_journal.c.position)).all()
        return [
            Undertaking(
                row.key,
                State(row.state),
                changes.parse(row.changes),
                _notes(row.outcomes),
                next(iter(_notes(row.failure)), None),
            )
            for row in rows
        ]

    def numbers(self, count: int) -> range:
        """The next register numbers; those of an abandoned entry are never given again."""
        with self._database.transaction() as connection:
            query = select(_register.c.last).where(_register.c.name == "entries")
            last = connection.execute(query).scalar_one_or_none()
            if last is None:
                last = 0
                connection.execute(insert(_register).values(name="entries", last=count))
            else:
                connection.execute(update(_register).where(_register.c.name == "entries").values(last=last + count))
        return range(last + 1, last + 1 + count)

    def check(self) -> None:
        """See that the database answers."""
        self._database.check()

    def _close(self, undertaking: Undertaking, notes: Sequence[Note]) -> None:
        with self._database.transaction() as connection:
            gone = connection.execute(delete(_journal).where(_journal.c.key == undertaking.key))
            if gone.rowcount:
                for note in notes:
                    _outbox.put(connection, key=note.key, body=note.body)


def _put(connection: Connection, undertaking: Undertaking) -> None:
    connection.execute(
        insert(_journal).values(
            key=undertaking.key,
            state=undertaking.state,
            changes=changes.dump(undertaking.changes),
            outcomes=_bytes(undertaking.outcomes),
            failure=_bytes(_optional(undertaking.failure)),
        )
    )


def _optional(note: Note | None) -> tuple[Note, ...]:
    return () if note is None else (note,)


def _bytes(notes: Sequence[Note]) -> bytes:
    return json.dumps([[note.key, note.body.decode("utf-8")] for note in notes]).encode()


def _notes(body: bytes) -> tuple[Note, ...]:
    return tuple(Note(key, text.encode("utf-8")) for key, text in json.loads(body))
