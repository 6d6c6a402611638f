# SPDX-License-Identifier: Apache-2.0
"""What the directory shall show of certificates and lists: one row for each entry that ever had something.

A row says that the entry has to be looked at, not what it shall hold: that is read when it is looked at, so however
often something changed meanwhile, it is said once, whole, and the last word is the newest. The row is touched in the
transaction of the change itself. Nothing is lost by a death; at worst an entry is looked at once more.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from ..models import State
from .tables import Part, certificates, insert_or, moment, publications, revocations, seconds

PEOPLE, ORGANISATIONS, DEVICES, AUTHORITIES = "people", "organisations", "devices", "authorities"
_HOLDERS = (PEOPLE, ORGANISATIONS, DEVICES)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of the directory, by the branch it stands in."""

    kind: str
    id: str


@dataclass(frozen=True, kw_only=True)
class Due:
    """An entry to look at, and how often it had been touched when this was read."""

    entry: Entry
    revision: int


@dataclass(frozen=True, kw_only=True)
class Lag:
    """How far the directory is behind."""

    # Changes that wait, and since when the oldest does.
    waiting: int
    oldest: datetime | None
    # Entries that the directory did not take.
    refused: int


class Publications(Part):
    """Entries to look at."""

    def due(self, at: datetime, *, limit: int) -> list[Due]:
        """What has to be looked at, the longest due first."""
        query = select(publications).where(publications.c.due <= seconds(at)).order_by(publications.c.due)
        with self._database.reading() as connection:
            rows = connection.execute(query.limit(limit)).all()
        return [Due(entry=Entry(kind=row.kind, id=row.id), revision=row.revision) for row in rows]

    def shown(self, due: Due, *, again: datetime) -> None:
        """It shows what it shall; what was touched meanwhile stays due."""
        self._set(due, again, {"waiting": None, "refused": False})

    def refused(self, due: Due, *, again: datetime) -> None:
        """The directory did not take it; a change in it waits on."""
        self._set(due, again, {"refused": True})

    def behind(self) -> Lag:
        """How many changes wait, and since when."""
        waits = publications.c.waiting.is_not(None)
        query = select(func.count(), func.min(publications.c.waiting)).select_from(publications).where(waits)
        refused = select(func.count()).select_from(publications).where(publications.c.refused)
        with self._database.reading() as connection:
            count, oldest = connection.execute(query).one()
            spoilt = connection.execute(refused).scalar_one()
        return Lag(waiting=count, oldest=moment(oldest) if oldest is not None else None, refused=spoilt)

    def touch(self, entry: Entry, *, at: datetime) -> None:
        """Have an entry looked at that nothing else touches."""
        with self._database.transaction() as connection:
            touch(connection, entry, at=at)

    def usable(
        self, subject: str, *, profiles: frozenset[str], at: datetime, limit: int
    ) -> list[tuple[bytes, datetime]]:
        """The newest good certificates of a subject under these profiles, and when each ends."""
        query = (
            select(certificates.c.der, certificates.c.not_after)
            .outerjoin(revocations, revocations.c.serial == certificates.c.serial)
            .where(
                certificates.c.subject == subject,
                certificates.c.profile.in_(profiles),
                certificates.c.state.in_([State.SIGNED, State.DELIVERED]),
                certificates.c.not_after >= seconds(at),
                revocations.c.serial.is_(None),
            )
            .order_by(certificates.c.position.desc())
        )
        with self._database.reading() as connection:
            return [(row.der, moment(row.not_after)) for row in connection.execute(query.limit(limit))]

    def _set(self, due: Due, again: datetime, said: dict[str, object]) -> None:
        mine = (publications.c.kind == due.entry.kind, publications.c.id == due.entry.id)
        untouched = update(publications).where(*mine, publications.c.revision == due.revision)
        with self._database.transaction() as connection:
            connection.execute(untouched.values(due=seconds(again), **said))


def touch(connection: Connection, entry: Entry, *, at: datetime) -> None:
    """Have an entry looked at, now or soon, whatever becomes of this process."""
    now = seconds(at)
    row = {"kind": entry.kind, "id": entry.id, "due": now, "revision": 1, "waiting": now, "refused": False}
    again = {
        "due": now,
        "revision": publications.c.revision + 1,
        "waiting": func.coalesce(publications.c.waiting, now),
    }
    put = insert_or(connection, publications).values(**row)
    connection.execute(put.on_conflict_do_update(index_elements=[publications.c.kind, publications.c.id], set_=again))


def stale(connection: Connection, subject: str, *, at: datetime) -> None:
    """Have a holder's entry looked at if it ever had something to show."""
    now = seconds(at)
    mine = update(publications).where(publications.c.kind.in_(_HOLDERS), publications.c.id == subject)
    connection.execute(
        mine.values(due=now, revision=publications.c.revision + 1, waiting=func.coalesce(publications.c.waiting, now))
    )
