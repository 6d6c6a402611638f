# SPDX-License-Identifier: Apache-2.0
"""A bounded, ordered queue inside the owner's own database: what is put in commits or vanishes with the rest.

A row leaves only after its reader confirmed it, so a crash between delivery and removal delivers twice; the
``key`` of a row lets the receiver tell.
"""

from dataclasses import dataclass

from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, String, Table, func, insert, select

from ..errors import N_, Unavailable


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


class Outbox:
    """The table and its four verbs; every verb works on the caller's transaction."""

    def __init__(self, metadata: MetaData, *, capacity: int = 10_000) -> None:
        self.table = Table(
            "outbox",
            metadata,
            Column("position", Integer, primary_key=True, autoincrement=True),
            Column("key", String(64), nullable=False, unique=True),
            Column("body", LargeBinary, nullable=False),
            sqlite_autoincrement=True,
        )
        self._capacity = capacity

    def put(self, connection: Connection, *, key: str, body: bytes) -> None:
        """Append.

        Raises:
            OutboxFull: ``capacity`` rows are waiting already.
        """
        if self.depth(connection) >= self._capacity:
            raise OutboxFull
        connection.execute(insert(self.table).values(key=key, body=body))

    def head(self, connection: Connection, *, limit: int = 256) -> list[Waiting]:
        """The oldest rows in order."""
        query = select(self.table).order_by(self.table.c.position).limit(limit)
        return [Waiting(row.position, row.key, row.body) for row in connection.execute(query)]

    def drop(self, connection: Connection, positions: list[int]) -> None:
        """Remove delivered rows."""
        connection.execute(self.table.delete().where(self.table.c.position.in_(positions)))

    def depth(self, connection: Connection) -> int:
        """How many wait."""
        return connection.execute(select(func.count()).select_from(self.table)).scalar_one()
