# SPDX-License-Identifier: Apache-2.0
"""The table of what is shut: trusted, for it says what two officers have to open again.

A row is there from the moment a process begins to shut until the reopening is done; ``turning`` names the warrant under
which somebody is at it. So of two who come at the same time one is first, and nothing is shut twice or opened twice.
The row and its warrant change in one transaction.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, String, Table, delete, insert, select, update

from core.db import Database

from ..errors import NotShut, ShutAlready
from ..models import Shut, State, Warrant
from ..records import Note
from .warrants import move_in, put_notes

_SWITCHES = Table(
    "switches",
    MetaData(),
    Column("name", String(128), primary_key=True),
    Column("warrant", String(16), nullable=False),
    Column("thrown_by", String(256), nullable=False),
    Column("decider", String(256), nullable=False),
    Column("place", BigInteger),
    # Epoch seconds.
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger),
    Column("turning", String(16), nullable=False),
)
LAPSE = "lapse"
"""What stands for the warrant where the time is over."""


class SwitchRows:
    """The table's verbs; each is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin_shut(self, shut: Shut, *, at: datetime, attempt: str) -> None:
        """Take the warrant into use and write down that it is being shut.

        Raises:
            WarrantSettled: the warrant allows nothing any more.
            ShutAlready: it is shut, or somebody is at it.
        """
        with self._database.transaction() as connection:
            move_in(connection, shut.warrant, (State.GRANTED,), State.USING, at=at, attempt=attempt)
            if connection.execute(select(_SWITCHES.c.name).where(_SWITCHES.c.name == shut.name)).first():
                raise ShutAlready(name=shut.name)
            connection.execute(
                insert(_SWITCHES).values(
                    name=shut.name,
                    warrant=shut.warrant,
                    thrown_by=shut.by,
                    decider=shut.decider,
                    place=shut.place,
                    since=_stamp(shut.since),
                    until=None if shut.until is None else _stamp(shut.until),
                    turning=shut.warrant,
                )
            )

    def begin_open(self, name: str, warrant: Warrant, *, at: datetime, attempt: str) -> None:
        """Take the warrant into use and write down that it is being opened.

        Raises:
            WarrantSettled: the warrant allows nothing any more.
            NotShut: it is open, or somebody is at it.
        """
        with self._database.transaction() as connection:
            move_in(connection, warrant.id, (State.GRANTED,), State.USING, at=at, attempt=attempt)
            if not connection.execute(_turned(name, "", warrant.id)).rowcount:
                raise NotShut(name=name)

    def finish(self, warrant: Warrant, *, at: datetime, attempt: str, notes: Sequence[Note]) -> None:
        """It is done, and the warrant used up.

        Raises:
            WarrantSettled: somebody else put the warrant back meanwhile.
        """
        mine = _SWITCHES.c.turning == warrant.id
        with self._database.transaction() as connection:
            move_in(connection, warrant.id, (State.USING,), State.USED, at=at, attempt=attempt)
            if warrant.kind == "shut":
                connection.execute(update(_SWITCHES).where(mine).values(turning=""))
            else:
                connection.execute(delete(_SWITCHES).where(mine))
            put_notes(connection, notes)

    def undo(self, warrant: Warrant, *, at: datetime, attempt: str, notes: Sequence[Note]) -> None:
        """It was not done: everything is as before, and the warrant can be used again.

        Raises:
            WarrantSettled: somebody else did this already.
        """
        mine = _SWITCHES.c.turning == warrant.id
        with self._database.transaction() as connection:
            move_in(connection, warrant.id, (State.USING,), State.GRANTED, at=at, attempt=attempt)
            connection.execute(delete(_SWITCHES).where(mine, _SWITCHES.c.warrant == warrant.id))
            connection.execute(update(_SWITCHES).where(mine).values(turning=""))
            put_notes(connection, notes)

    def begin_lapse(self, at: datetime) -> list[Shut]:
        """What is over, taken in hand; also what a process that died had in hand."""
        over = (_SWITCHES.c.until <= _stamp(at), _SWITCHES.c.turning == "")
        with self._database.transaction() as connection:
            connection.execute(update(_SWITCHES).where(*over).values(turning=LAPSE))
            found = connection.execute(select(_SWITCHES).where(_SWITCHES.c.turning == LAPSE)).all()
        return [_shut(row) for row in found]

    def lapsed(self, name: str, *, notes: Sequence[Note]) -> None:
        """Its time is over, and the record of that is on its way."""
        with self._database.transaction() as connection:
            connection.execute(delete(_SWITCHES).where(_SWITCHES.c.name == name, _SWITCHES.c.turning == LAPSE))
            put_notes(connection, notes)

    def all(self) -> list[Shut]:
        """Everything that is shut or on its way there or back, oldest first."""
        with self._database.reading() as connection:
            found = connection.execute(select(_SWITCHES).order_by(_SWITCHES.c.since, _SWITCHES.c.name)).all()
        return [_shut(row) for row in found]


def _turned(name: str, source: str, target: str) -> Any:
    return update(_SWITCHES).where(_SWITCHES.c.name == name, _SWITCHES.c.turning == source).values(turning=target)


def _shut(row: Any) -> Shut:
    return Shut(
        name=row.name,
        warrant=row.warrant,
        by=row.thrown_by,
        decider=row.decider,
        place=row.place,
        since=_moment(row.since),
        until=None if row.until is None else _moment(row.until),
        turning=row.turning,
    )


def _stamp(at: datetime) -> int:
    return int(at.timestamp())


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
