# SPDX-License-Identifier: Apache-2.0
"""Browsers that people are known by."""

from dataclasses import asdict

from sqlalchemy import Connection, and_, delete, select

from core.db import Database

from ..models import KnownBrowser
from . import upsert
from .tables import KNOWN_BROWSERS


class BrowserRows:
    """The table ``known_browsers``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, digest: str, at: int) -> KnownBrowser | None:
        """The one of a cookie and user name, if it is not over."""
        query = select(KNOWN_BROWSERS).where(KNOWN_BROWSERS.c.digest == digest, KNOWN_BROWSERS.c.expires_at > at)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return KnownBrowser(**row._mapping) if row else None  # noqa: SLF001 - SQLAlchemy's public name for it

    def of(self, subject: str, at: int) -> list[KnownBrowser]:
        """All of one person, the last used first."""
        query = (
            select(KNOWN_BROWSERS)
            .where(KNOWN_BROWSERS.c.subject == subject, KNOWN_BROWSERS.c.expires_at > at)
            .order_by(KNOWN_BROWSERS.c.seen_at.desc())
        )
        with self._database.reading() as connection:
            return [KnownBrowser(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - as above

    def keep(self, browser: KnownBrowser) -> None:
        """Keep it, or that it was used again."""
        with self._database.transaction() as connection:
            upsert.put(connection, KNOWN_BROWSERS, asdict(browser))

    def forget(self, subject: str, identifier: str) -> bool:
        """Forget one of a person's; another person's is never touched."""
        chosen = and_(KNOWN_BROWSERS.c.subject == subject, KNOWN_BROWSERS.c.id == identifier)
        with self._database.transaction() as connection:
            return connection.execute(delete(KNOWN_BROWSERS).where(chosen)).rowcount == 1

    def forget_all(self, subject: str) -> None:
        """Forget all of a person's."""
        with self._database.transaction() as connection:
            forget_all(connection, subject)


def forget_all(connection: Connection, subject: str) -> None:
    """Forget all of a person's, within something larger."""
    connection.execute(delete(KNOWN_BROWSERS).where(KNOWN_BROWSERS.c.subject == subject))
