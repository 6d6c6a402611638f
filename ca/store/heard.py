# SPDX-License-Identifier: Apache-2.0
"""How far the record was heard, and certificates that only the record knows of."""

from collections.abc import Collection, Sequence

from sqlalchemy import insert, select

from ..models import State
from .issuances import Intent, row_of
from .tables import Part, certificates, heard, insert_or

_ONLY = 1


class Hearings(Part):
    """What reconciliation reads and writes."""

    def heard(self) -> int:
        """Index of the first entry of the record that was not yet compared with these tables."""
        with self._database.reading() as connection:
            return connection.execute(select(heard.c.position)).scalar_one_or_none() or 0

    def hear(self, position: int) -> None:
        """Everything before this index agrees with these tables."""
        with self._database.transaction() as connection:
            kept = insert_or(connection, heard).values(id=_ONLY, position=position)
            connection.execute(kept.on_conflict_do_update(index_elements=[heard.c.id], set_={"position": position}))

    def unknown(self, serials: Collection[str]) -> set[str]:
        """Those that were never used here."""
        query = select(certificates.c.serial).where(certificates.c.serial.in_(serials))
        with self._database.reading() as connection:
            return set(serials) - set(connection.execute(query).scalars())

    def adopt(self, intents: Sequence[Intent], *, state: State) -> None:
        """Keep what the record says was begun. Its bytes and its key are lost, so no key is claimed."""
        with self._database.transaction() as connection:
            rows = [{**row_of(each), "state": state, "reaped": True} for each in intents]
            connection.execute(insert(certificates), rows)
