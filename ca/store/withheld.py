# SPDX-License-Identifier: Apache-2.0
"""What is suspended only because its holder's account is shut: a row for each, in the transaction that suspends it.

The row goes with the suspension, whoever ends it; what an officer suspends afterwards is the officer's alone.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select

from ..models import Standing, State
from .tables import Part, Together, certificates, insert_or, releases, revocations, seconds, withheld


class Withheld(Part):
    """What comes back with an account."""

    def worth_something(self, subject: str, *, at: datetime, never_released: bool = False) -> list[str]:
        """Serials of whoever it is that are good, or will be when their issuance ends; all of them, however many."""
        query = (
            select(certificates.c.serial)
            .outerjoin(revocations, revocations.c.serial == certificates.c.serial)
            .where(
                certificates.c.subject == subject,
                certificates.c.state.in_([State.INTENDED, State.SIGNED, State.DELIVERED]),
                certificates.c.not_after >= seconds(at),
                revocations.c.serial.is_(None),
            )
            .order_by(certificates.c.position)
        )
        if never_released:
            query = query.where(~select(releases.c.serial).where(releases.c.serial == certificates.c.serial).exists())
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def holders(self, *, after: str, at: datetime, limit: int) -> list[str]:
        """Whoever has something that is good, each once, in order behind one."""
        query = (
            select(certificates.c.subject)
            .outerjoin(revocations, revocations.c.serial == certificates.c.serial)
            .where(
                certificates.c.subject > after,
                certificates.c.state.in_([State.INTENDED, State.SIGNED, State.DELIVERED]),
                certificates.c.not_after >= seconds(at),
                revocations.c.serial.is_(None),
            )
            .distinct()
            .order_by(certificates.c.subject)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def withheld(self, subject: str) -> list[str]:
        """Serials that come back to whoever it is."""
        query = select(withheld.c.serial).where(withheld.c.subject == subject).order_by(withheld.c.serial)
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def keep(self, subject: str) -> None:
        """Let what is suspended stay so: nothing comes back to them by itself any more."""
        with self._database.transaction() as connection:
            connection.execute(delete(withheld).where(withheld.c.subject == subject))

    def take_over(self, subject: str, serials: Sequence[str]) -> None:
        """Write down what an earlier release suspended so; what is not suspended any more is left out."""
        suspended = select(revocations.c.serial).where(
            revocations.c.serial.in_(serials), revocations.c.standing == Standing.SUSPENDED
        )
        with self._database.transaction() as connection:
            for serial in connection.execute(suspended).scalars().all():
                withhold(subject, serial)(connection)


def withhold(subject: str, serial: str) -> Together:
    """The row, for the transaction that suspends."""

    def together(connection: Connection) -> None:
        row = insert_or(connection, withheld).values(serial=serial, subject=subject)
        connection.execute(row.on_conflict_do_nothing(index_elements=[withheld.c.serial]))

    return together
