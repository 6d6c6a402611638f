# SPDX-License-Identifier: Apache-2.0
"""Which file a key lies in: one for each class of retention and quarter of a year, so that it can be dropped whole.

The first two of a key's eight bytes of identifier name its partition; whoever opens an entry need not search.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from ..events import Retention
from ..press.sealing import KEY_ID_SIZE

_CODE_SIZE = 2
_FIRST_YEAR = 2000
_QUARTERS = 4
_MONTHS = 3
# Two bits of the code; the order is part of the format and never changes.
_CLASSES = (Retention.ACCESS, Retention.IDENTITY, Retention.TRUST)


@dataclass(frozen=True, order=True)
class Partition:
    """The keys of one class that were made in one quarter."""

    # Quarters since the beginning of the year 2000.
    quarter: int
    retention: Retention

    @classmethod
    def at(cls, moment: datetime, retention: Retention) -> Self:
        """The one that keys of this moment lie in."""
        utc = moment.astimezone(UTC)
        return cls((utc.year - _FIRST_YEAR) * _QUARTERS + (utc.month - 1) // _MONTHS, retention)

    @classmethod
    def of(cls, identifier: bytes) -> Self | None:
        """The one a key's identifier names; None if it names none."""
        code = int.from_bytes(identifier[:_CODE_SIZE], "big")
        place = code % _QUARTERS
        return cls(code // _QUARTERS, _CLASSES[place]) if place < len(_CLASSES) else None

    @classmethod
    def named(cls, name: str) -> Self | None:
        """The one with this name; None if it is none's."""
        retention, _dash, rest = name.partition("-")
        year, _quarter, number = rest.partition("Q")
        if not (year.isascii() and year.isdecimal() and number in ("1", "2", "3", "4")):
            return None
        if retention not in {each.value for each in _CLASSES} or int(year) < _FIRST_YEAR:
            return None
        found = cls((int(year) - _FIRST_YEAR) * _QUARTERS + int(number) - 1, Retention(retention))
        return found if found.name == name else None

    @property
    def name(self) -> str:
        """Stands in file names, in the record and on pages: ``access-2026Q4``."""
        return f"{self.retention.value}-{self._year}Q{self.quarter % _QUARTERS + 1}"

    @property
    def begins(self) -> datetime:
        """The quarter's first moment."""
        return datetime(self._year, self.quarter % _QUARTERS * _MONTHS + 1, 1, tzinfo=UTC)

    @property
    def ends(self) -> datetime:
        """The first moment that is not in it any more."""
        return self.next.begins

    @property
    def next(self) -> "Partition":
        """The same class, a quarter later."""
        return Partition(self.quarter + 1, self.retention)

    def new_id(self) -> bytes:
        """An identifier for a new key."""
        code = self.quarter * _QUARTERS + _CLASSES.index(self.retention)
        return code.to_bytes(_CODE_SIZE, "big") + secrets.token_bytes(KEY_ID_SIZE - _CODE_SIZE)

    @property
    def _year(self) -> int:
        return _FIRST_YEAR + self.quarter // _QUARTERS
