# SPDX-License-Identifier: Apache-2.0
"""As whom applications know people: only that way leads back from an identifier of a sector to a person."""

from sqlalchemy import and_, select

from core.db import Database

from . import upsert
from .tables import KNOWN_SUBJECTS


class KnownRows:
    """The table ``known_subjects``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, sector: str, known: str, subject: str) -> None:
        """Remember it once; it never changes."""
        with self._database.transaction() as connection:
            upsert.ensure(connection, KNOWN_SUBJECTS, {"sector": sector, "known": known, "subject": subject})

    def subject(self, sector: str, known: str) -> str:
        """The person of an identifier; empty if nobody was told it there."""
        chosen = and_(KNOWN_SUBJECTS.c.sector == sector, KNOWN_SUBJECTS.c.known == known)
        with self._database.reading() as connection:
            return connection.execute(select(KNOWN_SUBJECTS.c.subject).where(chosen)).scalar() or ""
