# SPDX-License-Identifier: Apache-2.0
"""The table of contracts; each move of a state names the states before it."""

from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy import Column, Index, MetaData, Row, String, Table, insert, select, update

from core.db import Database

from .models import Contract, ContractState

_metadata = MetaData()
_contracts = Table(
    "contracts",
    _metadata,
    Column("id", String(36), primary_key=True),
    Column("subject", String(36), nullable=False),
    Column("role", String(64), nullable=False),
    Column("until", String(10), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("by", String(36), nullable=False),
    Column("second", String(36), nullable=False),
    Column("day", String(10), nullable=False),
    Column("state", String(16), nullable=False),
    Index("contracts_state", "state", "day"),
)
_OPEN = (ContractState.WAITING, ContractState.GRANTING)
MOST = 200
"""In one list."""


class Board:
    """Rows in, models out; every verb is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, of: Contract) -> bool:
        """Write a request down; False, and nothing is written, while one for the same account waits."""
        same = select(_contracts.c.id).where(_contracts.c.subject == of.subject, _contracts.c.state.in_(_OPEN))
        told = {**asdict(of), "until": of.until.isoformat(), "day": of.day.isoformat()}
        with self._database.transaction() as connection:
            if connection.execute(same.limit(1)).one_or_none() is not None:
                return False
            connection.execute(insert(_contracts).values(**told))
            return True

    def contract(self, identifier: str) -> Contract | None:
        """One request."""
        with self._database.reading() as connection:
            row = connection.execute(select(_contracts).where(_contracts.c.id == identifier)).one_or_none()
        return _of(row) if row else None

    def waiting(self) -> list[Contract]:
        """What nobody has decided, oldest first."""
        query = select(_contracts).where(_contracts.c.state.in_(_OPEN)).order_by(_contracts.c.day).limit(MOST)
        with self._database.reading() as connection:
            return [_of(row) for row in connection.execute(query)]

    def move(self, identifier: str, *before: ContractState, to: ContractState, second: str) -> bool:
        """Go on to a state from one of these; whether it stood there."""
        there = update(_contracts).where(_contracts.c.id == identifier, _contracts.c.state.in_(before))
        with self._database.transaction() as connection:
            return bool(connection.execute(there.values(state=to, second=second)).rowcount)


def _of(row: Row[Any]) -> Contract:
    return Contract(
        id=row.id, subject=row.subject, role=row.role, until=date.fromisoformat(row.until), reason=row.reason,
        by=row.by, second=row.second, day=date.fromisoformat(row.day), state=ContractState(row.state),
    )  # fmt: skip
