# SPDX-License-Identifier: Apache-2.0
"""Revocation lists as they were published."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from .standings import revision_of
from .tables import Part, crls, moment, seconds


@dataclass(frozen=True, kw_only=True)
class KeptList:
    """A revocation list as it was published."""

    number: int
    revision: int
    made: datetime
    until: datetime
    der: bytes


class Lists(Part):
    """The newest list of each issuer."""

    def newest_list(self, issuer: str) -> tuple[KeptList | None, int]:
        """The list published last, and the revision a fresh one would have."""
        query = select(crls).where(crls.c.issuer == issuer).order_by(crls.c.number.desc()).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
            kept = row and KeptList(
                number=row.number, revision=row.revision, made=moment(row.made), until=moment(row.until), der=row.der
            )
            return kept or None, revision_of(connection, issuer)

    def keep_list(self, issuer: str, kept: KeptList) -> bool:
        """Publish a list; False if another process published one of that number first."""
        try:
            with self._database.transaction() as connection:
                connection.execute(
                    insert(crls).values(
                        issuer=issuer,
                        number=kept.number,
                        revision=kept.revision,
                        made=seconds(kept.made),
                        until=seconds(kept.until),
                        der=kept.der,
                    )
                )
                connection.execute(delete(crls).where(crls.c.issuer == issuer, crls.c.number < kept.number - 1))
        except IntegrityError:
            return False
        return True
