# SPDX-License-Identifier: Apache-2.0
"""Keys that are blocked though no certificate of theirs was revoked: by a list, or by an officer who knows."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from ..models import Standing, State
from . import keys
from .tables import Note, Part, certificates, put, revocations, seconds
from .tables import keys as keys_table

_AT_ONCE = 500


@dataclass(frozen=True)
class Certified:
    """A certificate that is worth something, with its key."""

    position: int
    key_hash: str
    der: bytes


class Blocking(Part):
    """What is asked about keys."""

    def block_key(self, key_hash: str, *, at: datetime, note: Note) -> bool:
        """Never certify a key again, with the record of it; False if it was blocked before.

        Whatever was made for it is then among ``unswept``.
        """
        with self._database.transaction() as connection:
            if keys.is_blocked(connection, key_hash):
                return False
            keys.block(connection, key_hash, subject="", at=seconds(at))
            put(connection, note)
            return True

    def certified(self, hashes: Collection[str]) -> list[str]:
        """Those of the keys that a certificate was made for and that are not blocked yet."""
        wanted = sorted(hashes)
        found: list[str] = []
        with self._database.reading() as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                some = wanted[start : start + _AT_ONCE]
                query = select(keys_table.c.hash).where(keys_table.c.hash.in_(some), keys_table.c.blocked.is_(None))
                found += connection.execute(query).scalars()
        return found

    def alive(self, *, after: int, at: datetime, limit: int = _AT_ONCE) -> list[Certified]:
        """Certificates that are not over and not revoked, by position, from behind ``after`` on."""
        query = (
            select(certificates.c.position, certificates.c.key_hash, certificates.c.der)
            .outerjoin(revocations, revocations.c.serial == certificates.c.serial)
            .where(
                certificates.c.position > after,
                certificates.c.state.in_([State.SIGNED, State.DELIVERED]),
                certificates.c.not_after >= seconds(at),
                revocations.c.standing.is_(None) | (revocations.c.standing != Standing.REVOKED),
            )
            .order_by(certificates.c.position)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [Certified(row.position, row.key_hash, row.der) for row in connection.execute(query)]
