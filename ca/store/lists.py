# SPDX-License-Identifier: Apache-2.0
"""Revocation lists as they were published, what belongs on the next, and who makes it.

An issuer's lists are sharded, and one without a number holds everything. Each shard counts its changes (its revision);
the whole list's is their sum. Full lists and deltas share one sequence of numbers. A shard is leased to whoever makes
its list, so that replicas do not repeat each other's work.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from ..models import Reason, Standing
from ..x509.lists import Withdrawn, entry
from . import publications
from .tables import Part, insert_or, lists, moment, releases, revocations, seconds, shards

LEASE = timedelta(seconds=30)
"""Longer than the largest list takes; whoever died making one holds up the next for so long."""


@dataclass(frozen=True, kw_only=True)
class KeptList:
    """A revocation list as it was published; ``base`` only in a delta."""

    number: int
    revision: int
    made: datetime
    until: datetime
    der: bytes
    base: int | None = None
    # In a whole list: the revision of each shard when it was made.
    parts: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Bases:
    """What the next list of a shard builds on."""

    # The highest number given to any list of the shard.
    number: int
    # The oldest full list that somebody may still hold: its number and revision.
    oldest: tuple[int, int] | None
    # In a whole list: the revision of each of its shards.
    parts: Mapping[int, int] = field(default_factory=dict)


class Lists(Part):
    """The newest lists of each shard."""

    def newest_list(self, issuer: str, shard: int, *, delta: bool = False) -> tuple[KeptList | None, int]:
        """The list published last, and the revision a fresh one would have."""
        kind = lists.c.base.is_not(None) if delta else lists.c.base.is_(None)
        query = select(lists).where(lists.c.issuer == issuer, lists.c.shard == shard, kind, lists.c.made > 0)
        with self._database.reading() as connection:
            revision = revision_of(connection, issuer, shard)
            row = connection.execute(query.order_by(lists.c.number.desc()).limit(1)).one_or_none()
        return (_kept(row) if row else None), revision

    def bases(self, issuer: str, shard: int, *, at: datetime) -> Bases:
        """What the next list continues."""
        mine = (lists.c.issuer == issuer, lists.c.shard == shard)
        highest = select(func.coalesce(func.max(lists.c.number), 0)).where(*mine)
        oldest = select(lists.c.number, lists.c.revision, lists.c.parts).where(
            *mine, lists.c.base.is_(None), lists.c.until > seconds(at)
        )
        with self._database.reading() as connection:
            number = int(connection.execute(highest).scalar_one())
            row = connection.execute(oldest.order_by(lists.c.number).limit(1)).one_or_none()
        if row is None:
            return Bases(number=number, oldest=None)
        return Bases(number=number, oldest=(row.number, row.revision), parts=_parts(row.parts))

    def entries(self, issuer: str, shard: int, *, alive_after: datetime) -> tuple[list[bytes], int]:
        """What belongs on a full list, without certificates that expired before; and the list's revision."""
        query = select(revocations.c.entry).where(*_alive(issuer, shard, alive_after))
        with self._database.reading() as connection:
            # The revision first: should a change slip between the two, the list is made again, never kept stale.
            revision = revision_of(connection, issuer, shard)
            found = list(connection.execute(query).scalars())
            if not all(found):
                query = select(revocations).where(*_alive(issuer, shard, alive_after))
                found = [row.entry or entry(_withdrawn(row)) for row in connection.execute(query)]
        return found, revision

    def revisions(self, issuer: str) -> Mapping[int, int]:
        """How often each shard of an issuer became stale; to be read before what a whole list holds."""
        query = select(shards.c.shard, shards.c.revision).where(shards.c.issuer == issuer, shards.c.revision > 0)
        with self._database.reading() as connection:
            return {row.shard: row.revision for row in connection.execute(query)}

    def changes_in_all(self, issuer: str, *, since: Mapping[int, int]) -> tuple[list[bytes], int]:
        """What belongs on a delta to a whole list made when its shards had these revisions."""
        now = self.revisions(issuer)
        found: list[bytes] = []
        for shard, revision in now.items():
            if revision > since.get(shard, 0):
                found += self.changes(issuer, shard, since=since.get(shard, 0))[0]
        return found, sum(now.values())

    def changes(self, issuer: str, shard: int, *, since: int) -> tuple[list[bytes], int]:
        """What belongs on a delta to a list of that revision: withdrawn since, and released since."""
        with self._database.reading() as connection:
            revision = revision_of(connection, issuer, shard)
            found: list[bytes] = []
            for table in (revocations, releases):
                mine = (table.c.issuer == issuer, table.c.shard == shard, table.c.revision > since)
                found += connection.execute(select(table.c.entry).where(*mine).order_by(table.c.revision)).scalars()
        return found, revision

    def lease(self, issuer: str, shard: int, *, holder: str, at: datetime) -> bool:
        """Take the making of a shard's lists; False while another holds it."""
        now = int(at.timestamp() * 1000)
        row = {"issuer": issuer, "shard": shard, "revision": 0, "holder": "", "held_until": 0}
        taken = update(shards).where(shards.c.issuer == issuer, shards.c.shard == shard, shards.c.held_until <= now)
        until = now + int(LEASE.total_seconds() * 1000)
        with self._database.transaction() as connection:
            connection.execute(insert_or(connection, shards).values(**row).on_conflict_do_nothing())
            return bool(connection.execute(taken.values(holder=holder, held_until=until)).rowcount)

    def give_back(self, issuer: str, shard: int, *, holder: str) -> None:
        """End a lease; whoever lost it meanwhile ends nothing."""
        held = (shards.c.issuer == issuer, shards.c.shard == shard, shards.c.holder == holder)
        with self._database.transaction() as connection:
            connection.execute(update(shards).where(*held).values(holder="", held_until=0))

    def keep_list(self, issuer: str, shard: int, kept: KeptList, *, forget_before: datetime) -> bool:
        """Publish a list; False if another process published one of that number first.

        Of the full lists before it the numbers stay until that moment: deltas continue them. ``der`` of nobody's use is
        dropped.
        """
        mine = (lists.c.issuer == issuer, lists.c.shard == shard)
        row = {
            "issuer": issuer,
            "shard": shard,
            "number": kept.number,
            "revision": kept.revision,
            "base": kept.base,
            "made": seconds(kept.made),
            "until": seconds(kept.until),
            "der": kept.der,
            "parts": json.dumps({str(part): revision for part, revision in kept.parts.items()}),
        }
        try:
            with self._database.transaction() as connection:
                connection.execute(insert(lists).values(**row))
                older = (*mine, lists.c.number < kept.number)
                if kept.base is not None:
                    connection.execute(delete(lists).where(*older, lists.c.base.is_not(None)))
                else:
                    old = (*older, lists.c.base.is_(None))
                    connection.execute(delete(lists).where(*old, lists.c.until <= seconds(forget_before)))
                    connection.execute(update(lists).where(*old, lists.c.der != b"").values(der=b""))
                    released = (releases.c.issuer == issuer, releases.c.shard == shard)
                    connection.execute(delete(releases).where(*released, releases.c.at < seconds(forget_before)))
                if not shard:
                    # The whole list is what the directory shows of an authority.
                    publications.touch(
                        connection, publications.Entry(kind=publications.AUTHORITIES, id=issuer), at=kept.made
                    )
        except IntegrityError:
            return False
        return True

    def widest_shard(self, issuer: str) -> int:
        """The highest shard that ever had a list or a change."""
        query = select(func.coalesce(func.max(shards.c.shard), 0)).where(shards.c.issuer == issuer)
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def changed_since(self, at: datetime) -> Sequence[tuple[str, str, int]]:
        """Serial and issuer of what was withdrawn or released at that moment or later, and when."""
        with self._database.reading() as connection:
            found: list[tuple[str, str, int]] = []
            for table in (revocations, releases):
                query = select(table.c.serial, table.c.issuer, table.c.at).where(table.c.at >= seconds(at))
                found += [(row.serial, row.issuer, row.at) for row in connection.execute(query)]
        return found


def revision_of(connection: Connection, issuer: str, shard: int) -> int:
    """How often the shard's lists became stale; for the whole list, how often any did."""
    query = select(func.coalesce(func.sum(shards.c.revision), 0)).where(shards.c.issuer == issuer)
    return int(connection.execute(query.where(shards.c.shard == shard) if shard else query).scalar_one())


def touch(connection: Connection, issuer: str, shard: int) -> int:
    """Make the shard's lists stale; returns the revision of this change. Others wait until the transaction ends."""
    row = {"issuer": issuer, "shard": shard, "revision": 1, "holder": "", "held_until": 0}
    stale = insert_or(connection, shards).values(**row)
    changed = stale.on_conflict_do_update(
        index_elements=[shards.c.issuer, shards.c.shard], set_={"revision": shards.c.revision + 1}
    )
    return int(connection.execute(changed.returning(shards.c.revision)).scalar_one())


def _alive(issuer: str, shard: int, after: datetime) -> tuple[Any, ...]:
    mine = (revocations.c.issuer == issuer, revocations.c.not_after >= seconds(after))
    return (*mine, revocations.c.shard == shard) if shard else mine


def _kept(row: Any) -> KeptList:
    return KeptList(
        number=row.number,
        revision=row.revision,
        made=moment(row.made),
        until=moment(row.until),
        der=row.der,
        base=row.base,
        parts=_parts(row.parts),
    )


def _parts(text: str) -> Mapping[int, int]:
    return {int(part): revision for part, revision in json.loads(text or "{}").items()}


def _withdrawn(row: Any) -> Withdrawn:
    return Withdrawn(
        serial=int(row.serial, 16), standing=Standing(row.standing), at=moment(row.at), reason=Reason(row.reason)
    )
