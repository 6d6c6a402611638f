# SPDX-License-Identifier: Apache-2.0
"""The whole store: lookups, and the verbs of its parts."""

from core.db import Database, Drain

from ..models import Certificate, State
from .blocking import Blocking
from .heard import Hearings
from .issuances import Issuances
from .lists import Lists
from .publications import Publications
from .rows import StoredStanding, certificate, joined, one, standing
from .standings import Standings
from .tables import Note, certificates, outbox, put
from .withheld import Withheld


class Store(Issuances, Standings, Lists, Hearings, Blocking, Publications, Withheld):
    """The authority's own tables."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        # Records on their way to the log.
        self.outbox = Drain(database, outbox)

    def check(self) -> None:
        """Whether the database answers."""
        self._database.check()

    def certificate(self, serial: str) -> Certificate:
        """One serial.

        Raises:
            NoSuchCertificate: never used.
        """
        with self._database.reading() as connection:
            return one(connection, serial)

    def standing(self, serial: str) -> StoredStanding | None:
        """What one serial is worth; None if it was never used."""
        return standing(self._database, serial)

    def certificates(
        self, *, subject: str = "", name: str = "", key_hash: str = "", before: int = 0, limit: int = 50
    ) -> tuple[list[Certificate], int]:
        """The newest certificates of a subject, name (by its beginning) or key; and where the next page begins."""
        query = joined().where(certificates.c.state != State.RESERVED).order_by(certificates.c.position.desc())
        if subject:
            query = query.where(certificates.c.subject == subject)
        if name:
            query = query.where(certificates.c.name.startswith(name, autoescape=True))
        if key_hash:
            query = query.where(certificates.c.key_hash == key_hash)
        if before:
            query = query.where(certificates.c.position < before)
        with self._database.reading() as connection:
            rows = list(connection.execute(query.limit(limit + 1)))
        more = rows[limit - 1].position if len(rows) > limit else 0
        return [certificate(row) for row in rows[:limit]], more

    def outbox_put(self, note: Note) -> None:
        """Queue a record that goes with no other change."""
        with self._database.transaction() as connection:
            put(connection, note)
