# SPDX-License-Identifier: Apache-2.0
"""Registered applications."""

from sqlalchemy import delete, insert, select

from core.db import Database

from ..models import Client
from . import rows
from .tables import CLIENTS


class ClientRows:
    """The table ``clients``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, client_id: str) -> Client | None:
        """One application."""
        with self._database.reading() as connection:
            row = connection.execute(select(CLIENTS).where(CLIENTS.c.id == client_id)).one_or_none()
        return rows.client_of(row) if row else None

    def named(self, ids: set[str]) -> dict[str, Client]:
        """Several, by identifier."""
        with self._database.reading() as connection:
            found = connection.execute(select(CLIENTS).where(CLIENTS.c.id.in_(ids)))
            return {row.id: rows.client_of(row) for row in found}

    def put(self, client: Client) -> None:
        """Register, or replace a registration."""
        with self._database.transaction() as connection:
            connection.execute(delete(CLIENTS).where(CLIENTS.c.id == client.id))
            connection.execute(insert(CLIENTS).values(**rows.client_values(client)))
