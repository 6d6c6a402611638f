# SPDX-License-Identifier: Apache-2.0
"""What a client asks a list for (RFC 7644 section 3.4.2, RFC 9865): which, in what order, from where on, how many.

| asked with            | paged by | order                          | ``totalResults``                |
| --------------------- | -------- | ------------------------------ | ------------------------------- |
| neither               | cursor   | register number                | where the list is not too long  |
| ``cursor``            | cursor   | register number                | on the first page, as above     |
| ``startIndex``        | index    | register number                | always; too long a list refused |
| ``sortBy``            | index    | as asked, the rest by number   | always; too long a list refused |

A cursor is of one filter and lives for an hour. It holds no right: whoever brings one sees of the list what they may
see now.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..errors import BadCursor, BadPatch, BadPath, StaleCursor
from ..models import Person
from .filters import CORE, ENTERPRISE, GROUPS, LONGEST, OWN

MOST_IN_LIST = 100
MOST_COUNTED = 10_000
"""Entries that are counted, sorted or told as members of one group."""
CURSOR_SECONDS = 3600
_LONGEST_NUMBER = 10
_LONGEST_CURSOR = 64
_LONGEST_LIST = 1000

Sorting = Callable[[Person], str | int | bool | None]
_SORTED: Mapping[str, Sorting] = {
    "id": lambda of: of.subject,
    "username": lambda of: of.username,
    "name": lambda of: of.name.casefold(),
    "name.formatted": lambda of: of.name.casefold(),
    "displayname": lambda of: (of.name_zh or of.name).casefold(),
    "usertype": lambda of: of.kind.value,
    "active": lambda of: of.enabled,
    "emails": lambda of: of.mail.casefold() or None,
    "emails.value": lambda of: of.mail.casefold() or None,
    f"{ENTERPRISE}organization": lambda of: of.organisation or None,
    f"{OWN}namezh": lambda of: of.name_zh or None,
    f"{OWN}clearance": lambda of: of.clearance,
    f"{OWN}proofinglevel": lambda of: of.proofing.level,
}


@dataclass(frozen=True, kw_only=True)
class Query:
    """One question for a list."""

    where: str = ""
    sort_by: str = ""
    descending: bool = False
    # Counted from 1; 0 where the client did not say.
    start: int = 0
    count: int = MOST_IN_LIST
    cursor: str = ""
    attributes: str = ""
    excluded: str = ""

    @property
    def by_index(self) -> bool:
        """Whether the whole list has to be known."""
        return bool(self.start or self.sort_by)

    def sorting(self) -> Sorting | None:
        """By what people are sorted; None for the order of entry.

        Raises:
            BadPath: nobody is sorted by that.
        """
        if not self.sort_by:
            return None
        found = _SORTED.get(self.sort_by)
        if found is None:
            raise BadPath(field=self.sort_by[:64])
        return found


def query_of(said: Mapping[str, Any]) -> Query:
    """From the parameters of an address or the members of a ``.search`` document, in any case.

    Raises:
        BadPatch: one of them cannot be, or cursor and index come together.
    """
    given = {str(name).lower(): value for name, value in said.items()}
    if len(given) != len(said):
        raise BadPatch(field="query")
    order = _text(given, "sortOrder", longest=10).lower()
    if order not in ("", "ascending", "descending"):
        raise BadPatch(field="sortOrder")
    sort_by = _text(given, "sortBy", longest=128).lower().removeprefix(CORE).removeprefix(GROUPS)
    start, count = _number(given, "startIndex"), _number(given, "count")
    found = Query(
        where=_text(given, "filter", longest=LONGEST),
        sort_by=sort_by,
        descending=order == "descending",
        # RFC 7644 section 3.4.2.4: below 1 counts as 1, and a negative count as none.
        start=0 if start is None else max(start, 1),
        count=MOST_IN_LIST if count is None else min(max(count, 0), MOST_IN_LIST),
        cursor=_text(given, "cursor", longest=_LONGEST_CURSOR),
        attributes=_names(given, "attributes"),
        excluded=_names(given, "excludedAttributes"),
    )
    if found.cursor and found.by_index:
        raise BadPatch(field="startIndex" if found.start else "sortBy")
    return found


def sorted_people(people: list[Person], query: Query) -> list[Person]:
    """In the order that was asked for; those without the value come last, or first if the order is reversed."""
    by = query.sorting()
    if by is None:
        return people
    there = sorted((each for each in people if by(each) is not None), key=lambda each: (by(each), each.number))
    missing = [each for each in people if by(each) is None]
    return [*missing, *reversed(there)] if query.descending else [*there, *missing]


def cursor_of(after: str, query: Query, at: datetime) -> str:
    """What a client brings for the next page; empty at the end."""
    return f"{int(at.timestamp()):x}.{after}.{_filter(query)}" if after else ""


def after_of(query: Query, at: datetime) -> str:
    """From where on a page is wanted.

    Raises:
        BadCursor: it is none, or one of another filter.
        StaleCursor: it is too old.
    """
    if not query.cursor:
        return ""
    issued, dot, rest = query.cursor.partition(".")
    after, second, of = rest.partition(".")
    try:
        age = int(at.timestamp()) - int(issued, 16)
    except ValueError as error:
        raise BadCursor from error
    if not (dot and second) or of != _filter(query) or not (after.isascii() and after.isdigit()) or age < 0:
        raise BadCursor
    if age > CURSOR_SECONDS:
        raise StaleCursor
    return after


def _filter(query: Query) -> str:
    return hashlib.sha256(query.where.encode("utf-8", "replace")).hexdigest()[:12]


def _text(given: Mapping[str, Any], name: str, *, longest: int) -> str:
    value = given.get(name.lower(), "")
    # What cannot be printed, half a character among it, could not be put on record either.
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise BadPatch(field=name)
    return value


def _names(given: Mapping[str, Any], name: str) -> str:
    """Names of attributes: separated by commas in an address, a list in a document."""
    value = given.get(name.lower(), "")
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = ",".join(value)
    if not isinstance(value, str) or len(value) > _LONGEST_LIST:
        raise BadPatch(field=name)
    return value


def _number(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name.lower(), "")
    if isinstance(value, bool):
        raise BadPatch(field=name)
    if isinstance(value, int):
        return max(min(value, 1 << 31), -1)
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        raise BadPatch(field=name)
    if not value:
        return None
    if not (value.isascii() and value.removeprefix("-").isdigit()):
        raise BadPatch(field=name)
    return int(value)
