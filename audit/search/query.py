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
from .terms import NOWHERE, SHORTEST_BEGINNING, Phrase

LONGEST = 200
LONGEST_TEXT = 400
MOST_PHRASES = 12
"""Words and phrases of one search; each costs the index a look."""
PAGE = 50
LARGEST_PAGE = 500
_LARGEST_INDEX = 2**53
ZONES = ("internet", "external", "internal", "management")
FIELDS = ("organisation", "object", "zone", "to_zone", "outcome", "type", "session", "decision", "source", "reason")
"""Filters that one field of the clear header must equal."""
FILTERS = ("q", "person", *FIELDS, "from", "to")
"""Names of the filters as they stand in an address."""
_PAGING = ("after", "limit")
_IGNORED = ("lang",)


@dataclass(frozen=True, kw_only=True)
class Query:
    """One question; what is empty or None does not narrow it. Times are a half-open span."""

    # As it was typed; what it asks for stands in ``phrases`` and in the other filters.
    text: str = ""
    phrases: tuple[Phrase, ...] = ()
    person: str = ""
    organisation: str = ""
    object: str = ""
    zone: str = ""
    to_zone: str = ""
    outcome: Outcome | None = None
    type: str = ""
    session: str = ""
    decision: str = ""
    source: str = ""
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None
    # Only entries before this index; how the next page is asked for.
    after: int | None = None
    limit: int = PAGE

    def fields(self) -> dict[str, str]:
        """The filters of the clear header that are set."""
        return {name: str(value) for name in FIELDS if (value := getattr(self, name))}


def parse(values: Mapping[str, Sequence[str]]) -> Query:
    """Read the parameters of an address.

    Raises:
        BadFilter: one of them is unknown, given twice, too long, not printable or not what its name says.
    """
    given: dict[str, Any] = {}
    for name, found in values.items():
        if name in _IGNORED:
            continue
        if name not in FILTERS and name not in _PAGING:
            raise BadFilter(field=name[:40] if name.isprintable() else "?")
        text = _one(name, found, longest=LONGEST_TEXT if name == "q" else LONGEST)
        if text and name == "q":
            given["text"] = text
        elif text:
            given[_ATTRIBUTES.get(name, name)] = _READ.get(name, _text)(name, text)
    if "text" in given:
        given["phrases"], named = _typed(given["text"])
        if twice := sorted(set(given) & {_ATTRIBUTES.get(name, name) for name in named}):
            raise BadFilter(field=twice[0])
        given |= {_ATTRIBUTES.get(name, name): _READ.get(name, _text)(name, text) for name, text in named.items()}
    query = Query(**given)
    if query.since and query.until and query.since >= query.until:
        raise BadFilter(field="to")
    return query


def _typed(text: str) -> tuple[tuple[Phrase, ...], dict[str, str]]:
    """Words, phrases in quotes, and ``field:value``, as they stand in the one box."""
    phrases: list[Phrase] = []
    named: dict[str, str] = {}
    place = 0
    while place < len(text):
        match = _TERM.match(text, place)
        if match is None:
            raise BadFilter(field="q")
        place = match.end()
        name, quoted, plain = match["name"], match["quoted"], match["plain"] or ""
        value = (plain if quoted is None else quoted).strip(" ")
        if name is not None:
            if name not in FILTERS or name == "q" or name in named or not value or len(value) > LONGEST:
                raise BadFilter(field=name[:40])
            named[name] = value
        elif any(letter.isalnum() for letter in value):
            phrases.append(_phrase(value, begins=quoted is None and value.endswith("*")))
        else:
            raise BadFilter(field="q")
    if len(phrases) > MOST_PHRASES:
        raise BadFilter(field="q")
    return tuple(dict.fromkeys(phrases)), named


def _phrase(value: str, *, begins: bool) -> Phrase:
    if begins and not (value[:-1].isalnum() and len(value) > SHORTEST_BEGINNING):
        raise BadFilter(field="q")
    return Phrase(value[:-1] if begins else value, begins=begins)


def _one(name: str, found: Sequence[str], *, longest: int) -> str:
    if len(found) != 1 or len(found[0]) > longest:
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


_ATTRIBUTES = {"from": "since", "to": "until"}
_TERM = re.compile(
    r""" *(?:(?P<name>[a-z_]+):)?(?:"(?P<quoted>[^"]*)"|(?P<plain>(?![a-z_]+:)[^ "]+))(?= |$) *""", re.ASCII
)
_READ: dict[str, Callable[[str, str], Any]] = {
    "zone": _known(among=ZONES),
    "to_zone": _known(among=(*ZONES, NOWHERE)),
    "outcome": _outcome,
    "type": _known(among=tuple(KINDS)),
    "from": _moment,
    "to": _moment,
    "after": _number(smallest=0, largest=_LARGEST_INDEX),
    "limit": _number(smallest=1, largest=LARGEST_PAGE),
}
