# SPDX-License-Identifier: Apache-2.0
"""What certificates are worth: suspended, released, revoked; each change commits with its record."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from ..errors import AlreadyRevoked, AlreadySuspended, NoSuchCertificate, NotSuspended
from ..models import Certificate, Reason, Standing, State
from ..x509.lists import Withdrawn, entry, removal
from . import keys, publications
from .lists import touch
from .rows import lock, one
from .tables import Note, Part, Together, certificates, put, releases, revocations, seconds, withheld
from .tables import keys as keys_table


class Standings(Part):
    """The changes of standing."""

    def withdraw(
        self,
        serial: str,
        *,
        standing: Standing,
        reason: Reason,
        at: datetime,
        note: Note,
        together: Together | None = None,
    ) -> Certificate:
        """Suspend or revoke, with the record of it, and make its shard's lists stale.

        A key that is revoked as compromised is blocked in the same transaction. ``together`` comes first in it.

        Raises:
            NoSuchCertificate: never used, or nothing can have been signed with it.
            AlreadyRevoked: that is final.
            AlreadySuspended: it is suspended and shall be suspended.
        """
        with self._database.transaction() as connection:
            if together is not None:
                together(connection)
            elif standing is Standing.SUSPENDED and _taken_over(connection, serial):
                put(connection, note)
                return one(connection, serial)
            return withdraw(connection, serial, standing=standing, reason=reason, at=at, note=note)

    def release(self, serial: str, *, at: datetime, note: Note) -> None:
        """End a suspension.

        Raises:
            NoSuchCertificate: never used.
            AlreadyRevoked: that is final.
            NotSuspended: nothing to end.
        """
        with self._database.transaction() as connection:
            lock(connection, serial)
            found = one(connection, serial)
            require_suspended(found)
            for table in (revocations, withheld):
                connection.execute(delete(table).where(table.c.serial == serial))
            connection.execute(
                insert(releases).values(
                    serial=serial,
                    issuer=found.issuer,
                    shard=found.shard,
                    revision=touch(connection, found.issuer, found.shard),
                    at=seconds(at),
                    entry=removal(int(serial, 16), at),
                )
            )
            put(connection, note)
            publications.stale(connection, found.subject, at=at)

    def unswept(self, *, beside: str = "", limit: int = 256) -> list[str]:
        """Serials whose key is compromised, but which are not yet revoked; of one serial's own key only, if named.

        All of them cost as much as there are compromised keys, those of one key as much as it has certificates.
        """
        query = (
            select(certificates.c.serial)
            .join(keys_table, keys_table.c.hash == certificates.c.key_hash)
            .outerjoin(revocations, revocations.c.serial == certificates.c.serial)
            .where(
                keys_table.c.blocked.is_not(None),
                certificates.c.state.in_([State.INTENDED, State.SIGNED, State.DELIVERED]),
                revocations.c.standing.is_(None) | (revocations.c.standing != Standing.REVOKED),
            )
            .limit(limit)
        )
        if beside:
            own = select(certificates.c.key_hash).where(certificates.c.serial == beside).scalar_subquery()
            query = query.where(certificates.c.key_hash == own)
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())


def withdraw(
    connection: Connection, serial: str, *, standing: Standing, reason: Reason, at: datetime, note: Note
) -> Certificate:
    """See ``Standings.withdraw``; in the caller's transaction."""
    key_hash = lock(connection, serial)
    found = one(connection, serial)
    if found.standing is Standing.UNKNOWN:
        raise NoSuchCertificate
    if found.standing is Standing.REVOKED:
        raise AlreadyRevoked
    if found.standing is Standing.SUSPENDED and standing is Standing.SUSPENDED:
        raise AlreadySuspended
    if standing is Standing.REVOKED and reason is Reason.KEY_COMPROMISE:
        # The key before the shard: who waits for both must not wait crosswise.
        keys.block(connection, key_hash, subject=found.subject, at=seconds(at))
    # What is revoked comes back with nothing.
    for table in (revocations, releases, withheld) if standing is Standing.REVOKED else (revocations, releases):
        connection.execute(delete(table).where(table.c.serial == serial))
    connection.execute(
        insert(revocations).values(
            serial=serial,
            issuer=found.issuer,
            standing=standing,
            reason=reason,
            at=seconds(at),
            not_after=seconds(found.not_after),
            shard=found.shard,
            revision=touch(connection, found.issuer, found.shard),
            entry=entry(Withdrawn(serial=int(serial, 16), standing=standing, at=at, reason=reason)),
        )
    )
    put(connection, note)
    publications.stale(connection, found.subject, at=at)
    return found


def _taken_over(connection: Connection, serial: str) -> bool:
    """Whether it was suspended for its holder's sake alone, and is from now on for its own: it comes back no more."""
    return bool(connection.execute(delete(withheld).where(withheld.c.serial == serial)).rowcount)


def require_suspended(found: Certificate) -> None:
    """The rule of release.

    Raises:
        AlreadyRevoked: that is final.
        NotSuspended: nothing to end.
    """
    if found.standing is Standing.REVOKED:
        raise AlreadyRevoked
    if found.standing is not Standing.SUSPENDED:
        raise NotSuspended
