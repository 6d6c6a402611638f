# SPDX-License-Identifier: Apache-2.0
"""Filters of RFC 7644 section 3.4.2.2, turned into LDAP filters; nothing is passed through."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import BadFilter, BadName
from ..ldap import names

LONGEST = 1000
_DEEPEST = 20
_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([()\[\]])|([A-Za-z0-9$_:.\-]+))')
_OPERATORS = frozenset({"eq", "ne", "co", "sw", "ew", "pr"})
CORE = "urn:ietf:params:scim:schemas:core:2.0:user:"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:"
OWN = "urn:tallygate:scim:schemas:2.0:user:"

_TEXTS: dict[str, tuple[str, ...]] = {
    "id": ("tallySubject",),
    "username": ("uid",),
    "name.formatted": ("cn",),
    "displayname": ("cn", "tallyNameZh"),
    "emails": ("mail",),
    "emails.value": ("mail",),
    f"{ENTERPRISE}organization": ("tallyOrganisation",),
    f"{OWN}namezh": ("tallyNameZh",),
}


Value = str | bool | None


@dataclass
class _Reader:
    """Tokens with a place in them."""

    tokens: list[tuple[str, str]]
    place: int = 0
    depth: int = 0

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


def user_filter(text: str) -> str:
    """The LDAP filter for users.

    Raises:
        BadFilter: it is none, or asks for what cannot be searched for.
    """
    if len(text) > LONGEST:
        raise BadFilter
    reader = _Reader(_tokens(text))
    found = _any(reader)
    if reader.place != len(reader.tokens):
        raise BadFilter
    return found


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


def _any(reader: _Reader) -> str:
    return _joined(reader, "or", _all, "|")


def _all(reader: _Reader) -> str:
    return _joined(reader, "and", _one, "&")


def _joined(reader: _Reader, word: str, part: Callable[[_Reader], str], sign: str) -> str:
    reader.depth += 1
    if reader.depth > 2 * _DEEPEST:
        raise BadFilter
    parts = [part(reader)]
    while reader.ahead() == word:
        reader.next()
        parts.append(part(reader))
    reader.depth -= 1
    return parts[0] if len(parts) == 1 else f"({sign}{''.join(parts)})"


def _one(reader: _Reader) -> str:
    if reader.ahead() == "not":
        reader.next()
        reader.next("(")
        inner = _any(reader)
        reader.next(")")
        return f"(!{inner})"
    if reader.ahead() == "(":
        reader.next()
        inner = _any(reader)
        reader.next(")")
        return inner
    kind, name = reader.next()
    operator = reader.next()[1].lower()
    if kind != "word" or operator not in _OPERATORS:
        raise BadFilter
    attribute = name.lower().removeprefix(CORE)
    if operator == "pr":
        return _compared(attribute, operator, None)
    return _compared(attribute, operator, _value(reader))


def _value(reader: _Reader) -> str | bool:
    kind, text = reader.next()
    if kind == "text":
        try:
            found = json.loads(text)
        except ValueError as error:
            raise BadFilter from error
        return str(found)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    raise BadFilter


def _compared(attribute: str, operator: str, value: Value) -> str:
    if attribute == "active":
        if operator == "pr":
            return "(tallyEnabled=*)"
        if operator not in ("eq", "ne") or not isinstance(value, bool):
            raise BadFilter
        return f"(tallyEnabled={'TRUE' if value is (operator == 'eq') else 'FALSE'})"
    if attribute == "usertype":
        classes = {"citizen": "tallyCitizen", "civil-servant": "tallyCivilServant"}
        if operator not in ("eq", "ne") or value not in classes:
            raise BadFilter
        found = f"(objectClass={classes[str(value)]})"
        return found if operator == "eq" else f"(!{found})"
    columns = _TEXTS.get(attribute)
    if columns is None or isinstance(value, bool):
        raise BadFilter
    try:
        parts = [_text(column, operator, value or "") for column in columns]
    except BadName as error:
        raise BadFilter from error
    joined = parts[0] if len(parts) == 1 else f"(|{''.join(parts)})"
    return f"(!{joined})" if operator == "ne" else joined


def _text(column: str, operator: str, value: str) -> str:
    if operator == "pr":
        return f"({column}=*)"
    if operator in ("eq", "ne"):
        return names.equal(column, value)
    return names.part(column, value, starts=operator == "sw", ends=operator == "ew")
