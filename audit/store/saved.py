# SPDX-License-Identifier: Apache-2.0
"""Searches that officers keep under a name; they outlive the index.

Name and question may hold the name of a person, so both lie encrypted under a key of the officer's own, made from the
index's key: the file alone says who has how many, and since when. Whoever has both reads them.
"""

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, String, Table, delete, func, insert, select

from core.db import Database, migrate
from core.log import logger

from ..errors import TooManySearches

_METADATA = MetaData()
_SAVED = Table(
    "saved",
    _METADATA,
    Column("id", String(32), primary_key=True),
    Column("officer", String(256), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    # Epoch seconds.
    Column("at", BigInteger, nullable=False),
    Index("saved_officer", "officer", "at"),
)
_MIGRATIONS = Path(__file__).parent / "migrations"
_NONCE = 12
MOST = 50
"""Of one officer."""
_log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Saved:
    """One search."""

    id: str
    name: str
    # The parameters of its address.
    query: str


class SavedStore:
    """The table and its verbs; each is about one officer's own."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database = database
        self._key = key

    @classmethod
    def open(cls, path: Path, *, key: bytes) -> Self:
        """The table in one SQLite file, brought up to date."""
        database = Database.open(f"sqlite:///{path}", connections=4)
        migrate(database, _MIGRATIONS)
        path.chmod(0o600)
        return cls(database, key)

    def all(self, officer: str) -> list[Saved]:
        """One officer's, by name."""
        query = select(_SAVED.c.id, _SAVED.c.sealed).where(_SAVED.c.officer == officer).order_by(_SAVED.c.at)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        found = []
        for row in rows:
            try:
                nonce, sealed = row.sealed[:_NONCE], row.sealed[_NONCE:]
                name, asked = json.loads(self._cipher(officer).decrypt(nonce, sealed, row.id.encode()))
            except (InvalidTag, ValueError) as error:
                # The others are still there; this one was changed, or moved here from another officer.
                _log.error("saved_search_damaged", id=row.id, exc_info=error)
            else:
                found.append(Saved(id=row.id, name=name, query=asked))
        return sorted(found, key=lambda saved: saved.name.casefold())

    def add(self, officer: str, name: str, query: str, at: datetime) -> Saved:
        """Keep one.

        Raises:
            TooManySearches: the officer has ``MOST`` already.
        """
        saved = Saved(id=secrets.token_hex(16), name=name, query=query)
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + self._cipher(officer).encrypt(nonce, json.dumps([name, query]).encode(), saved.id.encode())
        mine = select(func.count()).select_from(_SAVED).where(_SAVED.c.officer == officer)
        with self._database.transaction() as connection:
            if connection.execute(mine).scalar_one() >= MOST:
                raise TooManySearches(most=MOST)
            values = {"id": saved.id, "officer": officer, "sealed": sealed, "at": int(at.timestamp())}
            connection.execute(insert(_SAVED).values(values))
        return saved

    def remove(self, officer: str, identifier: str) -> bool:
        """Forget one; False if the officer has no such one."""
        mine = (_SAVED.c.officer == officer, _SAVED.c.id == identifier)
        with self._database.transaction() as connection:
            return connection.execute(delete(_SAVED).where(*mine)).rowcount > 0

    def forget(self, officer: str) -> None:
        """Forget all of one officer; part of erasing them."""
        with self._database.transaction() as connection:
            connection.execute(delete(_SAVED).where(_SAVED.c.officer == officer))

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    def _cipher(self, officer: str) -> AESGCM:
        return AESGCM(hmac.digest(self._key, b"saved searches\0" + officer.encode(), hashlib.sha256))
