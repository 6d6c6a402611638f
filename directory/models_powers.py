# SPDX-License-Identifier: Apache-2.0
"""The nouns of what somebody may do, and why: departments, posts, roles with entitlements, grants, representatives.

Identifiers are random and permanent, but for roles and offers, which have short names. A day named as the last one
counts whole, in UTC.
"""

import datetime as dt
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from .errors import BadName
from .models import IDENTIFIER, LONGEST_NAME

LONGEST_TEXT = 120
LONGEST_REASON = 500
CONTRACTOR = "contractor-"
"""How the name of a role begins that binds an outside worker's account to the one portal it names."""
USUAL_DAYS = 365
"""For how long a grant holds when nobody says otherwise."""
_ENTITLEMENT = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*\Z")


class Capacity(StrEnum):
    """As what somebody represents a company."""

    LEGAL = "legal"
    MANAGER = "manager"
    AGENT = "agent"


@dataclass(frozen=True, order=True)
class Entitlement:
    """One thing that a portal lets those do who have it."""

    portal: str
    name: str

    def __str__(self) -> str:
        return f"{self.portal}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``portal/name``.

        Raises:
            BadName: it is no such pair.
        """
        portal, slash, name = text.partition("/")
        if not (slash and IDENTIFIER.match(portal) and _ENTITLEMENT.match(name)) or len(text) > LONGEST_NAME:
            raise BadName
        return cls(portal, name)


@dataclass(frozen=True, kw_only=True)
class Department:
    """A part of an agency."""

    id: str
    name: str
    name_zh: str = ""
    # The agency, and the department that it is a part of, if any.
    organisation: str
    parent: str = ""
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class Post:
    """A place in an agency that somebody holds; what it carries comes and goes with it."""

    id: str
    name: str
    name_zh: str = ""
    organisation: str
    department: str = ""
    roles: frozenset[str] = frozenset()
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role and what it lets those do who hold it."""

    name: str
    title: str = ""
    title_zh: str = ""
    entitlements: frozenset[Entitlement] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A service that an agency offers, for which mandates are given."""

    name: str
    title: str
    title_zh: str = ""
    organisation: str = ""
    portal: str = ""


@dataclass(frozen=True, kw_only=True)
class Holding:
    """That somebody holds a post."""

    id: str
    holder: str
    post: str
    since: dt.date
    # Last day; of some posts nobody knows it yet.
    until: dt.date | None = None
    by: str = ""
    reason: str = ""
    waiting: bool = False
    number: int = 0

    def holds(self, day: dt.date) -> bool:
        """Whether it counts on this day."""
        return self.since <= day and not self.is_over(day)

    def is_over(self, day: dt.date) -> bool:
        """Whether the last day has passed."""
        return self.until is not None and self.until < day


@dataclass(frozen=True, kw_only=True)
class Grant:
    """A role or an entitlement given to one person, for a time and a reason."""

    id: str
    holder: str
    # One of the two.
    role: str = ""
    entitlement: Entitlement | None = None
    since: dt.date
    until: dt.date
    by: str = ""
    reason: str = ""
    waiting: bool = False
    number: int = 0

    @property
    def what(self) -> str:
        """The role, or the entitlement as text."""
        return self.role or str(self.entitlement)

    def holds(self, day: dt.date) -> bool:
        """Whether it counts on this day."""
        return self.since <= day and not self.is_over(day)

    def is_over(self, day: dt.date) -> bool:
        """Whether the last day has passed."""
        return self.until < day


@dataclass(frozen=True, kw_only=True)
class Representation:
    """That somebody represents a company."""

    id: str
    holder: str
    organisation: str
    capacity: Capacity
    since: dt.date
    until: dt.date | None = None
    by: str = ""
    reason: str = ""


def last_days_text(last: dict[str, dt.date | None]) -> str:
    """When each role ends that does end, as one value that stands beside the memberships."""
    return " ".join(f"{role}:{day:%Y%m%d}" for role, day in sorted(last.items()) if day is not None)


def last_days(text: str) -> dict[str, dt.date]:
    """From that value. What cannot be read ended long ago: nobody keeps a role by a broken note."""
    found: dict[str, dt.date] = {}
    for part in text.split():
        role, _, day = part.partition(":")
        try:
            found[role] = dt.datetime.strptime(day, "%Y%m%d").replace(tzinfo=dt.UTC).date()
        except ValueError:
            found[role] = dt.date.min
    return found


_NATIONAL = re.compile(r"\d{17}[\dX]\Z", re.ASCII)
_WEIGHTS = tuple(pow(2, 17 - place, 11) for place in range(17))


def national_number_check(body: str) -> str:
    """The check character of a citizen's number, from its first 17 digits (GB 11643-1999, ISO 7064 MOD 11-2)."""
    total = sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True))
    return "10X98765432"[total % 11]


def national_number_is_right(number: str, today: dt.date) -> bool:
    """Whether all 18 characters fit: a day of birth that was, and a last one that checks the others."""
    if not _NATIONAL.match(number) or national_number_check(number[:17]) != number[17]:
        return False
    try:
        born = dt.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return dt.date(1880, 1, 1) <= born <= today
