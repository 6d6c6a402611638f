# SPDX-License-Identifier: Apache-2.0
"""A bounded, ordered queue inside the owner's own database: what is put in commits or vanishes with the rest.

A row leaves only after its reader confirmed it, so a crash between delivery and removal delivers twice; the
``key`` of a row lets the receiver tell. A row that can never be delivered is set aside, whole and with the reason, and
another takes its place in the order; nothing is dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    func,
    insert,
    select,
    update,
)

from ..errors import N_, Unavailable
from .database import Database


class OutboxFull(Unavailable):
    """The record cannot keep up; the verb that needs it is refused rather than left unrecorded."""

    code = "outbox_full"
    message = N_("The record of this act cannot be kept at the moment, so it was not done. Please try again.")


@dataclass(frozen=True)
class Waiting:
    """One row: its place in the order, its idempotency key and its content."""

    position: int
    key: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Aside:
    """Why a row was set aside, and when."""

    # Stable code of the refusal, and its sentence.
    reason: str
    why: str
    # Key of the commitment by which the row that took the place names this one.
    blind: bytes
    # Epoch seconds.
    at: int


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How many rows wait, the oldest of them, and how many were set aside."""

    waiting: int
    oldest: Waiting | None
    aside: int


class Outbox:
    """Two tables and their verbs; every verb works on the caller's transaction."""

    def __init__(self, metadata: MetaData, *, capacity: int = 10_000, most_aside: int = 1_000) -> None:
        self.table = Table(
            "outbox",
            metadata,
            Column("position", Integer, primary_key=True, autoincrement=True),
            Column("key", String(64), nullable=False, unique=True),
            Column("body", LargeBinary, nullable=False),
            sqlite_autoincrement=True,
        )
        self.aside = Table(
            "outbox_aside",
            metadata,
            Column("position", Integer, primary_key=True, autoincrement=False),
            Column("key", String(64), nullable=False),
            Column("body", LargeBinary, nullable=False),
            Column("reason", String(64), nullable=False),
            Column("why", Text, nullable=False),
            Column("blind", LargeBinary(32), nullable=False),
            Column("at", BigInteger, nullable=False),
        )
        self._capacity = capacity
        self._most_aside = most_aside
        # Built once: every act puts a row, and most of the cost would be to build these again.
        self._insert = insert(self.table)
        self._oldest = select(self.table).order_by(self.table.c.position).limit(bindparam("most"))
        self._delivered = self.table.delete().where(self.table.c.position.in_(bindparam("gone", expanding=True)))
        self._counts = {table: select(func.count()).select_from(table) for table in (self.table, self.aside)}

    def put(self, connection: Connection, *, key: str, body: bytes) -> None:
        """Append.

        Raises:
            OutboxFull: ``capacity`` rows are waiting already.
        """
        self.put_all(connection, [(key, body)])

    def put_all(self, connection: Connection, rows: Sequence[tuple[str, bytes]]) -> None:
        """Append many, each key with its body.

        Raises:
            OutboxFull: ``capacity`` rows would be exceeded; none was appended.
        """
        if not rows:
            return
        if self.depth(connection) + len(rows) > self._capacity:
            raise OutboxFull
        connection.execute(self._insert, [{"key": key, "body": body} for key, body in rows])

    def head(self, connection: Connection, *, limit: int = 256) -> list[Waiting]:
        """The oldest rows in order."""
        return [Waiting(row.position, row.key, row.body) for row in connection.execute(self._oldest, {"most": limit})]

    def drop(self, connection: Connection, positions: list[int]) -> None:
        """Remove delivered rows."""
        connection.execute(self._delivered, {"gone": positions})

    def set_aside(self, connection: Connection, row: Waiting, aside: Aside, *, instead: Waiting) -> None:
        """Keep a row where nobody delivers it; ``instead`` takes its place in the order.

        Raises:
            OutboxFull: too many were set aside already; the row stays where it is.
        """
        if self._count(connection, self.aside) >= self._most_aside:
            raise OutboxFull
        place = self.table.c.position == row.position
        changed = connection.execute(update(self.table).where(place).values(key=instead.key, body=instead.body))
        # Nobody else empties this outbox; a row that is gone was delivered after all.
        if changed.rowcount:
            kept = {"position": row.position, "key": row.key, "body": row.body}
            why = {"reason": aside.reason, "why": aside.why, "blind": aside.blind, "at": aside.at}
            connection.execute(insert(self.aside).values(**kept, **why))

    def standing(self, connection: Connection) -> Standing:
        """How the outbox stands."""
        oldest = next(iter(self.head(connection, limit=1)), None)
        return Standing(waiting=self.depth(connection), oldest=oldest, aside=self._count(connection, self.aside))

    def depth(self, connection: Connection) -> int:
        """How many wait."""
        return self._count(connection, self.table)

    def _count(self, connection: Connection, table: Table) -> int:
        return connection.execute(self._counts[table]).scalar_one()


class Drain:
    """Where one outbox is emptied: its verbs, each in a transaction of its own."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox
        self._sqlite = database.engine.dialect.name == "sqlite"
        self._any = f"SELECT 1 FROM {outbox.table.name} LIMIT 1"  # noqa: S608 - our own name

    def head(self) -> list[Waiting]:
        """The oldest rows in order; that there are none, as nearly always, costs one plain look."""
        if self._sqlite and not self._database.look_up(self._any, ()):
            return []
        with self._database.reading() as connection:
            return self._outbox.head(connection)

    def drop(self, positions: list[int]) -> None:
        """Remove delivered rows."""
        with self._database.transaction() as connection:
            self._outbox.drop(connection, positions)

    def set_aside(self, row: Waiting, aside: Aside, *, instead: Waiting) -> None:
        """Keep a row where nobody delivers it; raises as ``Outbox.set_aside``."""
        with self._database.transaction() as connection:
            self._outbox.set_aside(connection, row, aside, instead=instead)

    def standing(self) -> Standing:
        """How the outbox stands."""
        with self._database.reading() as connection:
            return self._outbox.standing(connection)
