# SPDX-License-Identifier: Apache-2.0
"""Filters of RFC 7644 section 3.4.2.2: the whole grammar of figure 1, read into a small tree, held against documents.

``searches.py`` turns the same tree into what the directory's server is asked; nothing of a client's text is passed on.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import BadFilter

LONGEST = 1000
_DEEPEST = 20
_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([()\[\]])|([A-Za-z0-9$_:.\-+]+))')
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,9})?\Z")
_NAME = re.compile(r"(?:[A-Za-z][A-Za-z0-9:.\-]*:)?[A-Za-z$][A-Za-z0-9$_\-]*(?:\.[A-Za-z$][A-Za-z0-9$_\-]*)?\Z")
_ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": lambda one, other: bool(one > other),
    "ge": lambda one, other: bool(one >= other),
    "lt": lambda one, other: bool(one < other),
    "le": lambda one, other: bool(one <= other),
}
_PARTS: Mapping[str, Callable[[str, str], bool]] = {
    "co": lambda one, other: other in one,
    "sw": lambda one, other: one.startswith(other),
    "ew": lambda one, other: one.endswith(other),
}
OPERATORS = frozenset({"eq", "ne", "pr", *_ORDERED, *_PARTS})
CORE = "urn:ietf:params:scim:schemas:core:2.0:user:"
GROUPS = "urn:ietf:params:scim:schemas:core:2.0:group:"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:"
OWN = "urn:tallygate:scim:schemas:2.0:user:"

Value = str | bool | int | float | None


@dataclass(frozen=True)
class Compared:
    """One attribute held against a value; ``pr`` has none."""

    # In lower case, without the prefix of a core schema.
    attribute: str
    operator: str
    value: Value = None


@dataclass(frozen=True)
class Within:
    """Some element of a list fits: ``attribute[inner]``."""

    attribute: str
    inner: "Filter"


@dataclass(frozen=True)
class Not:
    """The opposite."""

    inner: "Filter"


@dataclass(frozen=True)
class Joined:
    """All of these, or one of these."""

    every: bool
    parts: tuple["Filter", ...]


Filter = Compared | Within | Not | Joined


@dataclass
class _Reader:
    """Tokens with a place in them."""

    tokens: list[tuple[str, str]]
    place: int = 0
    depth: int = 0
    inside: bool = False

    def next(self, wanted: str = "") -> tuple[str, str]:
        if self.place >= len(self.tokens):
            raise BadFilter
        found = self.tokens[self.place]
        if wanted and found[1].lower() != wanted:
            raise BadFilter
        self.place += 1
        return found

    def ahead(self) -> str:
        """The next word in lower case; empty for a text in quotes and at the end."""
        if self.place >= len(self.tokens) or self.tokens[self.place][0] == "text":
            return ""
        return self.tokens[self.place][1].lower()


def parsed(text: str) -> Filter:
    """The tree of a filter.

    Raises:
        BadFilter: it is none.
    """
    if len(text) > LONGEST:
        raise BadFilter
    reader = _Reader(_tokens(text))
    found = _any(reader)
    if reader.place != len(reader.tokens):
        raise BadFilter
    return found


def matches(what: Filter, document: Mapping[str, Any]) -> bool:
    """Whether a document fits; text is compared in any case, but for what begins with ``$``."""
    match what:
        case Joined(every=True, parts=parts):
            return all(matches(each, document) for each in parts)
        case Joined(parts=parts):
            return any(matches(each, document) for each in parts)
        case Not(inner=inner):
            return not matches(inner, document)
        case Within(attribute=attribute, inner=inner):
            return any(isinstance(each, Mapping) and matches(inner, each) for each in values(attribute, document))
        case Compared(attribute=attribute, operator=operator, value=value):
            found = [each for each in values(attribute, document) if each not in (None, "", [])]
            if operator == "pr" or (value is None and operator == "ne"):
                return bool(found)
            if value is None:
                return not found
            found = [each.get("value") if isinstance(each, Mapping) else each for each in found]
            if operator == "ne":
                return not any(_fits("eq", each, value) for each in found)
            return any(_fits(operator, each, value) for each in found)


def values(attribute: str, document: Mapping[str, Any]) -> list[Any]:
    """What a document holds under a name: each element of a list, each part of those."""
    here: list[Any] = [document]
    for step in _steps(attribute):
        found: list[Any] = []
        for each in here:
            if isinstance(each, Mapping):
                found += [value for name, value in each.items() if str(name).lower() == step]
        here = [one for each in found for one in (each if isinstance(each, list) else [each])]
    return here


def _steps(attribute: str) -> Iterator[str]:
    schema, colon, rest = attribute.rpartition(":")
    if colon:
        yield schema
    yield from rest.split(".")


def _fits(operator: str, held: Any, value: Value) -> bool:
    if isinstance(value, bool) or isinstance(held, bool):
        return operator == "eq" and held is value
    if isinstance(value, str) and isinstance(held, str):
        one, other = held.casefold(), value.casefold()
        if operator == "eq":
            return one == other
        return (_PARTS[operator] if operator in _PARTS else _ORDERED[operator])(one, other)
    if isinstance(value, int | float) and isinstance(held, int | float):
        return held == value if operator == "eq" else operator in _ORDERED and _ORDERED[operator](held, value)
    return False


def _tokens(text: str) -> list[tuple[str, str]]:
    found, place = [], 0
    stripped = text.rstrip()
    while place < len(stripped):
        match = _TOKEN.match(stripped, place)
        if match is None:
            raise BadFilter
        quoted, bracket, word = match.groups()
        found.append(("text", quoted) if quoted else ("bracket", bracket) if bracket else ("word", word))
        place = match.end()
    return found


def _any(reader: _Reader) -> Filter:
    return _joined(reader, "or", _all)


def _all(reader: _Reader) -> Filter:
    return _joined(reader, "and", _one)


def _joined(reader: _Reader, word: str, part: Callable[[_Reader], Filter]) -> Filter:
    reader.depth += 1
    if reader.depth > 2 * _DEEPEST:
        raise BadFilter
    parts = [part(reader)]
    while reader.ahead() == word:
        reader.next()
        parts.append(part(reader))
    reader.depth -= 1
    return parts[0] if len(parts) == 1 else Joined(word == "and", tuple(parts))


def _one(reader: _Reader) -> Filter:
    if reader.ahead() == "not":
        reader.next()
        reader.next("(")
        inner = _any(reader)
        reader.next(")")
        return Not(inner)
    if reader.ahead() == "(":
        reader.next()
        inner = _any(reader)
        reader.next(")")
        return inner
    kind, name = reader.next()
    if kind != "word" or not _NAME.match(name):
        raise BadFilter
    attribute = name.lower().removeprefix(CORE).removeprefix(GROUPS)
    if reader.ahead() == "[":
        return _within(reader, attribute)
    operator = reader.next()[1].lower()
    if operator not in OPERATORS:
        raise BadFilter
    return Compared(attribute, operator, None if operator == "pr" else _value(reader, operator))


def _within(reader: _Reader, attribute: str) -> Filter:
    # A list within a list is not part of the grammar.
    if reader.inside:
        raise BadFilter
    reader.next("[")
    reader.inside = True
    inner = _any(reader)
    reader.inside = False
    reader.next("]")
    return Within(attribute, inner)


def _value(reader: _Reader, operator: str) -> Value:
    kind, text = reader.next()
    if kind == "text":
        try:
            return str(json.loads(text))
        except ValueError as error:
            raise BadFilter from error
    if operator in _PARTS:
        raise BadFilter
    word = text.lower()
    if word in ("true", "false", "null") and operator in ("eq", "ne"):
        return {"true": True, "false": False, "null": None}[word]
    if kind != "word" or not _NUMBER.match(text):
        raise BadFilter
    return float(text) if "." in text else int(text)
