# SPDX-License-Identifier: Apache-2.0
"""The ledger's tables."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, delete, insert, select, update

from audit import Event
from core.db import Database

from .facts import Gone, Told, told

_metadata = MetaData()
_ledger = Table(
    "ledger",
    _metadata,
    Column("branch", String(16), primary_key=True),
    Column("key", String(300), primary_key=True),
    Column("state", String(16), nullable=False),
    # The comparison that found it in the tree last.
    Column("found", BigInteger, nullable=False),
)
_read = Table(
    "ledger_read",
    _metadata,
    Column("name", String(16), primary_key=True),
    # The next entry of the record, and the day of the last comparison.
    Column("position", BigInteger, nullable=False),
    Column("day", String(10), nullable=False),
)
_BEYOND = "\uffff"


class Ledger:
    """Rows in, facts out."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Whether the record has been heard to its end at least once.
        self.is_current = False

    def heard(self) -> int:
        """From which entry of the record on to listen."""
        with self._database.reading() as connection:
            return connection.execute(select(_read.c.position)).scalar_one_or_none() or 0

    def compared(self) -> str:
        """The day of the last comparison; empty if there was none."""
        with self._database.reading() as connection:
            return connection.execute(select(_read.c.day)).scalar_one_or_none() or ""

    def settle(self, day: str) -> None:
        """The tree has been compared."""
        with self._database.transaction() as connection:
            self._place(connection)
            connection.execute(update(_read).values(day=day))

    def hear(self, entries: Sequence[tuple[int, Event]]) -> None:
        """Take in what some entries say, by their index; none counts twice, whoever else hears the same."""
        with self._database.transaction() as connection:
            self._place(connection)
            # Locks the row, so that of two processes the slower one sees what the other has taken in.
            connection.execute(update(_read).values(day=_read.c.day))
            position = connection.execute(select(_read.c.position)).scalar_one()
            for index, event in entries:
                if index >= position:
                    for each in told(event):
                        _keep(connection, each)
            connection.execute(update(_read).values(position=max(position, *(index + 1 for index, _ in entries))))

    def states(self, branch: str, keys: Sequence[str], *, turn: int) -> dict[str, str]:
        """The state of each of these that the record knows; they count as found in this turn."""
        these = _ledger.c.branch == branch, _ledger.c.key.in_(keys)
        with self._database.transaction() as connection:
            rows = connection.execute(select(_ledger.c.key, _ledger.c.state).where(*these)).all()
            connection.execute(update(_ledger).where(*these).values(found=turn))
        return {row.key: row.state for row in rows}

    def missing(self, *, turn: int, after: tuple[str, str], limit: int) -> list[tuple[str, str]]:
        """The next ones that were not found in this turn; branch and key."""
        branch, key = after
        later = (_ledger.c.branch > branch) | ((_ledger.c.branch == branch) & (_ledger.c.key > key))
        query = select(_ledger.c.branch, _ledger.c.key).where(_ledger.c.found != turn, later)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(_ledger.c.branch, _ledger.c.key).limit(limit)).all()
        return [(row.branch, row.key) for row in rows]

    def turn(self) -> int:
        """The number of the next comparison."""
        query = select(_ledger.c.found).order_by(_ledger.c.found.desc()).limit(1)
        with self._database.reading() as connection:
            return (connection.execute(query).scalar_one_or_none() or 0) + 1

    @staticmethod
    def _place(connection: Connection) -> None:
        if connection.execute(select(_read.c.position)).one_or_none() is None:
            connection.execute(insert(_read).values(name="record", position=0, day=""))


def _keep(connection: Connection, each: Told | Gone) -> None:
    this = _ledger.c.branch == each.branch
    if isinstance(each, Gone):
        of = _ledger.c.key.between(each.key, each.key + _BEYOND) if each.everything else _ledger.c.key == each.key
        connection.execute(delete(_ledger).where(this, of))
        return
    known = update(_ledger).where(this, _ledger.c.key == each.key).values(state=each.state)
    if not connection.execute(known).rowcount:
        row = {"branch": each.branch, "key": each.key, "state": each.state, "found": 0}
        connection.execute(insert(_ledger).values(**row))
