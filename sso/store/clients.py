# SPDX-License-Identifier: Apache-2.0
"""Registered applications."""

from sqlalchemy import Connection, and_, bindparam, delete, insert, or_, select, update

from core.db import Database

from ..models import Client
from . import rows
from .news import CLIENT
from .tables import BARRED, CLIENT_LOCKS, CLIENTS

_LOCKED = select(CLIENT_LOCKS.c.client_id).where(CLIENT_LOCKS.c.client_id == CLIENTS.c.id).exists()
# Two officers shut it in an emergency. The gateway's own client is the way to where that is taken back.
_SHUT = (
    select(BARRED.c.id)
    .where(BARRED.c.kind == CLIENT, BARRED.c.id == CLIENTS.c.id, BARRED.c.released_at.is_(None))
    .exists()
)
# Asked at every request: built once.
_FIND = select(CLIENTS).where(CLIENTS.c.id == bindparam("id"), ~_LOCKED, or_(CLIENTS.c.trusted, ~_SHUT))
_MOST = 1000


class ClientRows:
    """The table ``clients``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, client_id: str) -> Client | None:
        """One application; None if there is none, or if it is locked or shut."""
        with self._database.reading() as connection:
            row = connection.execute(_FIND, {"id": client_id}).one_or_none()
        return rows.client_of(row) if row else None

    def all(self, *, agency: str = "") -> list[Client]:
        """Every application, locked or not; of one agency if one is named."""
        query = select(CLIENTS).order_by(CLIENTS.c.id).limit(_MOST)
        if agency:
            query = query.where(CLIENTS.c.agency == agency)
        with self._database.reading() as connection:
            return [rows.client_of(row) for row in connection.execute(query)]

    def named(self, ids: set[str]) -> dict[str, Client]:
        """Several, by identifier."""
        with self._database.reading() as connection:
            found = connection.execute(select(CLIENTS).where(CLIENTS.c.id.in_(ids)))
            return {row.id: rows.client_of(row) for row in found}

    def at_host(self, host: str) -> Client | None:
        """The application whose own address is at a host, whatever the port; first the one that people come back to."""
        origin = f"https://{host}"
        here = or_(CLIENTS.c.audience == origin, CLIENTS.c.audience.startswith(f"{origin}:", autoescape=True))
        query = select(CLIENTS).where(here, CLIENTS.c.trusted.is_(False)).order_by(CLIENTS.c.id)
        with self._database.reading() as connection:
            found = [rows.client_of(row) for row in connection.execute(query)]
        own = (f"{origin}/", f"{origin}:")
        # A machine of another's may be registered for the same place.
        visited = (each for each in found if any(uri.startswith(own) for uri in each.redirect_uris))
        return next(visited, found[0] if found else None)

    def registered(self) -> dict[str, tuple[str, ...]]:
        """Scopes and addresses of every application, in tables of any release."""
        columns = (CLIENTS.c.scopes, CLIENTS.c.redirect_uris, CLIENTS.c.post_logout_uris)
        with self._database.reading() as connection:
            found = connection.execute(select(CLIENTS.c.id, *columns))
            return {row[0]: tuple(word for words in row[1:] for word in words.split()) for row in found}

    def settle(self, client: Client) -> None:
        """The present management token was used: the one before counts no more."""
        same = and_(CLIENTS.c.id == client.id, CLIENTS.c.manage_hash == client.manage_hash)
        with self._database.transaction() as connection:
            connection.execute(update(CLIENTS).where(same).values(manage_before=""))

    def put(self, client: Client) -> None:
        """Register, or replace a registration."""
        with self._database.transaction() as connection:
            connection.execute(delete(CLIENTS).where(CLIENTS.c.id == client.id))
            connection.execute(insert(CLIENTS).values(**rows.client_values(client)))


def replaced(connection: Connection, client: Client, *, was: str) -> bool:
    """Replace the registration of a client that manages itself, if ``was`` still is its management token."""
    same = and_(CLIENTS.c.id == client.id, CLIENTS.c.manage_hash == was)
    return connection.execute(update(CLIENTS).where(same).values(**rows.client_values(client))).rowcount == 1


def is_locked(connection: Connection, client_id: str) -> bool:
    """Whether it is, within something larger."""
    query = select(CLIENT_LOCKS.c.client_id).where(CLIENT_LOCKS.c.client_id == client_id)
    return connection.execute(query).first() is not None
