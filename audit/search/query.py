# SPDX-License-Identifier: Apache-2.0
"""What an officer asks, read strictly: every filter at most once, bounded, printable, and known."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from ..events import KINDS
from ..models import Outcome
from .errors import BadFilter

LONGEST = 200
PAGE = 50
LARGEST_PAGE = 500
_LARGEST_INDEX = 2**53
ZONES = ("internet", "external", "internal", "management")
FILTERS = ("person", "organisation", "object", "zone", "outcome", "type", "session", "decision", "from", "to")
"""Names of the filters as they stand in an address."""
_PAGING = ("after", "limit")
_IGNORED = ("lang",)


@dataclass(frozen=True, kw_only=True)
class Query:
    """One question; what is empty or None does not narrow it. Times are a half-open span."""

    person: str = ""
    organisation: str = ""
    object: str = ""
    zone: str = ""
    outcome: Outcome | None = None
    type: str = ""
    session: str = ""
    decision: str = ""
    since: datetime | None = None
    until: datetime | None = None
    # Only entries before this index; how the next page is asked for.
    after: int | None = None
    limit: int = PAGE


def parse(values: Mapping[str, Sequence[str]]) -> Query:
    """Read the parameters of an address.

    Raises:
        BadFilter: one of them is unknown, given twice, too long, not printable or not what its name says.
    """
    given = {}
    for name, found in values.items():
        if name in _IGNORED:
            continue
        if name not in FILTERS and name not in _PAGING:
            raise BadFilter(field=name[:40] if name.isprintable() else "?")
        text = _one(name, found)
        if text:
            field = {"from": "since", "to": "until"}.get(name, name)
            given[field] = _READ.get(name, _text)(name, text)
    query = Query(**given)
    if query.since and query.until and query.since >= query.until:
        raise BadFilter(field="to")
    return query


def _one(name: str, found: Sequence[str]) -> str:
    if len(found) != 1 or len(found[0]) > LONGEST:
        raise BadFilter(field=name)
    # The wide space of Chinese keyboards is not printable to Python, and meant as a space.
    text = found[0].replace("\u3000", " ").strip(" ")
    if not text.isprintable():
        raise BadFilter(field=name)
    return text


def _text(_name: str, text: str) -> str:
    return text


def _known(*, among: Sequence[str]) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if text not in among:
            raise BadFilter(field=name)
        return text

    return read


def _outcome(name: str, text: str) -> Outcome:
    try:
        return Outcome(text)
    except ValueError as error:
        raise BadFilter(field=name) from error


def _number(*, smallest: int, largest: int) -> Callable[[str, str], int]:
    def read(name: str, text: str) -> int:
        if not re.fullmatch(r"0|[1-9][0-9]{0,15}", text, re.ASCII) or not smallest <= int(text) <= largest:
            raise BadFilter(field=name)
        return int(text)

    return read


def _moment(name: str, text: str) -> datetime:
    """A date or a date with time; without an offset it is UTC. The last day, minute or second counts in full."""
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            start = datetime.combine(date.fromisoformat(text), time(), UTC)
            return start + timedelta(days=1) if name == "to" else start
        if not re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?", text, re.ASCII):
            raise BadFilter(field=name)
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        to_the_minute = text.count(":") == (2 if re.search(r"[+-]\d\d:\d\d$", text) else 1)
        grain = timedelta(minutes=1) if to_the_minute else timedelta(seconds=1)
        return found + grain if name == "to" else found
    except (ValueError, OverflowError) as error:
        raise BadFilter(field=name) from error


_READ: dict[str, Callable[[str, str], Any]] = {
    "zone": _known(among=ZONES),
    "outcome": _outcome,
    "type": _known(among=tuple(KINDS)),
    "from": _moment,
    "to": _moment,
    "after": _number(smallest=0, largest=_LARGEST_INDEX),
    "limit": _number(smallest=1, largest=LARGEST_PAGE),
}
