# SPDX-License-Identifier: Apache-2.0
"""The certificates of incidents: fixed once, ticked off one by one; a tick commits with the act it tells of."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from core.db import Database

from ...store import Together
from ...store.tables import certificates, insert_or, moment
from ..models import BEGUN, Chosen, Incident, Item, Notice, Progress
from .candidates import Found
from .incidents import incident_of
from .tables import incidents, items

_PAGE = 2000


class TickedOff(Exception):
    """Somebody else did this one; whatever was to commit with it does not."""


class Items:
    """The verbs over the lists."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, incident: str, found: Sequence[Found]) -> list[str]:
        """Put certificates on the list of a preview; returns those that were not on it."""
        rows = [
            {"incident": incident, "position": each.position, "serial": each.serial, "state": Item.PENDING}
            for each in found
        ]
        with self._database.transaction() as connection:
            added = insert_or(connection, items).on_conflict_do_nothing().returning(items.c.serial)
            return list(connection.execute(added, rows).scalars()) if rows else []

    def serials(self, incident: str) -> Iterator[str]:
        """All of them in the order of issuance."""
        after = 0
        while True:
            query = (
                select(items.c.position, items.c.serial)
                .where(items.c.incident == incident, items.c.position > after)
                .order_by(items.c.position)
                .limit(_PAGE)
            )
            with self._database.reading() as connection:
                rows = connection.execute(query).all()
            for row in rows:
                yield row.serial
            if len(rows) < _PAGE:
                return
            after = rows[-1].position

    def listed(self, incident: str, *, after: int = 0, limit: int = 50) -> tuple[list[Chosen], int]:
        """A page of the list, and where the next one begins (0: no more)."""
        query = (
            select(items.c.position, items.c.serial, items.c.state, *_SHOWN)
            .join(certificates, certificates.c.position == items.c.position)
            .where(items.c.incident == incident, items.c.position > after)
            .order_by(items.c.position)
            .limit(limit + 1)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        more = rows[limit - 1].position if len(rows) > limit else 0
        return [_chosen(row) for row in rows[:limit]], more

    def progress(self, incident: str) -> Progress:
        """How many are in which state."""
        query = select(items.c.state, func.count()).where(items.c.incident == incident).group_by(items.c.state)
        with self._database.reading() as connection:
            counts = {Item(state): int(many) for state, many in connection.execute(query)}
        return Progress(counts=counts, size=sum(counts.values()))

    def waiting(self, incident: str, state: Item, *, limit: int) -> list[Chosen]:
        """The next ones in that state."""
        query = (
            select(items.c.position, items.c.serial, items.c.state, *_SHOWN)
            .join(certificates, certificates.c.position == items.c.position)
            .where(items.c.incident == incident, items.c.state == state)
            .order_by(items.c.position)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [_chosen(row) for row in connection.execute(query)]

    def tick(self, incident: str, chosen: Chosen, became: Item) -> Together:
        """What ticks one off, for whoever commits the act.

        Raises:
            TickedOff: when it is called, and somebody else did that one.
        """

        def ticking(connection: Connection) -> None:
            if not _tick(connection, incident, chosen, became):
                raise TickedOff

        return ticking

    def tick_off(self, incident: str, chosen: Sequence[Chosen], became: Item) -> None:
        """Tick off what needs no act of ours, or one that may be repeated."""
        with self._database.transaction() as connection:
            for each in chosen:
                _tick(connection, incident, each, became)

    def drop(self, incident: str) -> None:
        """Throw away the list of a preview that came to nothing."""
        with self._database.transaction() as connection:
            connection.execute(delete(items).where(items.c.incident == incident))

    def notices(self, serials: Sequence[str]) -> dict[str, Notice]:
        """What holders of these certificates are told: the newest that an officer agreed to."""
        query = (
            select(incidents, items.c.serial)
            .join(incidents, incidents.c.id == items.c.incident)
            .where(items.c.serial.in_(serials), incidents.c.stage.in_(BEGUN))
            .order_by(incidents.c.position)
        )
        found: dict[str, Notice] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query) if serials else ():
                known = incident_of(row)
                found[row.serial] = _notice(known)
        return found


_SHOWN = (
    certificates.c.issuer,
    certificates.c.profile,
    certificates.c.subject,
    certificates.c.name,
    certificates.c.not_after,
)


def _tick(connection: Connection, incident: str, chosen: Chosen, became: Item) -> bool:
    ticked = update(items).where(
        items.c.incident == incident, items.c.position == chosen.position, items.c.state == chosen.state
    )
    return bool(connection.execute(ticked.values(state=became)).rowcount)


def _chosen(row: Any) -> Chosen:
    return Chosen(
        position=row.position,
        serial=row.serial,
        issuer=row.issuer,
        profile=row.profile,
        subject=row.subject,
        name=row.name,
        not_after=moment(row.not_after),
        state=Item(row.state),
    )


def _notice(incident: Incident) -> Notice:
    return Notice(incident=incident.id, act=incident.plan.act, deadline=incident.plan.deadline)
