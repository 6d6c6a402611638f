# SPDX-License-Identifier: Apache-2.0
"""What certificates are worth: suspended, released, revoked; each change commits with its record."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from ..errors import AlreadyRevoked, AlreadySuspended, NoSuchCertificate, NotSuspended
from ..models import Certificate, Reason, Standing, State
from ..x509.lists import Withdrawn
from . import keys
from .rows import lock, one
from .tables import Note, Part, certificates, insert_or, moment, put, revisions, revocations, seconds
from .tables import keys as keys_table


class Standings(Part):
    """The changes of standing."""

    def withdraw(self, serial: str, *, standing: Standing, reason: Reason, at: datetime, note: Note) -> Certificate:
        """Suspend or revoke, with the record of it, and make the issuer's list stale.

        A key that is revoked as compromised is blocked in the same transaction.

        Raises:
            NoSuchCertificate: never used, or nothing can have been signed with it.
            AlreadyRevoked: that is final.
            AlreadySuspended: it is suspended and shall be suspended.
        """
        with self._database.transaction() as connection:
            return withdraw(connection, serial, standing=standing, reason=reason, at=at, note=note)

    def release(self, serial: str, *, note: Note) -> None:
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
            connection.execute(delete(revocations).where(revocations.c.serial == serial))
            _touch(connection, found.issuer)
            put(connection, note)

    def unswept(self, *, limit: int = 256) -> list[str]:
        """Serials whose key is compromised, but which are not yet revoked."""
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
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def withdrawn(self, issuer: str, *, alive_after: datetime) -> tuple[list[Withdrawn], int]:
        """What belongs on the issuer's list, without certificates that expired before; and the list's revision."""
        query = select(revocations).where(
            revocations.c.issuer == issuer, revocations.c.not_after >= seconds(alive_after)
        )
        with self._database.reading() as connection:
            # The revision first: should a change slip between the two, the list is made again, never kept stale.
            revision = revision_of(connection, issuer)
            return [_withdrawn(row) for row in connection.execute(query.order_by(revocations.c.serial))], revision


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
    connection.execute(delete(revocations).where(revocations.c.serial == serial))
    connection.execute(
        insert(revocations).values(
            serial=serial,
            issuer=found.issuer,
            standing=standing,
            reason=reason,
            at=seconds(at),
            not_after=seconds(found.not_after),
        )
    )
    if standing is Standing.REVOKED and reason is Reason.KEY_COMPROMISE:
        keys.block(connection, key_hash, subject=found.subject, at=seconds(at))
    _touch(connection, found.issuer)
    put(connection, note)
    return found


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


def revision_of(connection: Connection, issuer: str) -> int:
    """How often the issuer's list became stale."""
    query = select(func.coalesce(func.max(revisions.c.revision), 0)).where(revisions.c.issuer == issuer)
    return int(connection.execute(query).scalar_one())


def _touch(connection: Connection, issuer: str) -> None:
    stale = insert_or(connection, revisions).values(issuer=issuer, revision=1)
    connection.execute(
        stale.on_conflict_do_update(index_elements=[revisions.c.issuer], set_={"revision": revisions.c.revision + 1})
    )


def _withdrawn(row: Any) -> Withdrawn:
    return Withdrawn(
        serial=int(row.serial, 16), standing=Standing(row.standing), at=moment(row.at), reason=Reason(row.reason)
    )
