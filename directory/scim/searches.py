# SPDX-License-Identifier: Apache-2.0
"""A filter for users as the directory's server is asked it; what cannot be searched for is refused by name."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import BadFilter, BadName
from ..ldap import names
from .filters import ENTERPRISE, OWN, Compared, Filter, Joined, Not, Value, Within, matches, parsed

ANYBODY, NOBODY = "(objectClass=inetOrgPerson)", "(|)"
"""The filters that find everybody, and nobody (RFC 4526)."""

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
_NUMBERS = {f"{OWN}clearance": "tallyClearance", f"{OWN}proofinglevel": "tallyProofingLevel"}
# What every address of ours is.
_OF_EMAILS: Mapping[str, Any] = {"emails.type": "work", "emails.primary": True}

Groups = Callable[[Callable[[Mapping[str, Any]], bool]], Iterable[str]]
"""Distinguished names of the groups whose reference, as users show it, fits."""


def user_filter(text: str, groups: Groups = lambda _fits: ()) -> str:
    """The LDAP filter for users.

    Raises:
        BadFilter: it is none, or asks for what cannot be searched for.
    """
    try:
        return _written(parsed(text), groups)
    except BadName as error:
        raise BadFilter from error


def _written(what: Filter, groups: Groups) -> str:
    match what:
        case Joined(every=every, parts=parts):
            return f"({'&' if every else '|'}{''.join(_written(each, groups) for each in parts)})"
        case Not(inner=inner):
            return f"(!{_written(inner, groups)})"
        case Within(attribute="groups", inner=inner):
            return _member(groups(lambda of: matches(inner, of)))
        case Within(attribute="emails", inner=inner):
            return names.every("(mail=*)", _written(_of_emails(inner), groups))
        case Within():
            raise BadFilter
        case Compared():
            return _compared(what, groups)


def _of_emails(what: Filter) -> Filter:
    """The same about the one address that somebody has."""
    match what:
        case Joined(every=every, parts=parts):
            return Joined(every, tuple(_of_emails(each) for each in parts))
        case Not(inner=inner):
            return Not(_of_emails(inner))
        case Compared(attribute=attribute, operator=operator, value=value) if "." not in attribute:
            return Compared(f"emails.{attribute}", operator, value)
        case _:
            raise BadFilter


def _compared(what: Compared, groups: Groups) -> str:
    attribute, operator, value = what.attribute, what.operator, what.value
    if value is None and operator != "pr":
        there = _compared(Compared(attribute, "pr"), groups)
        return there if operator == "ne" else f"(!{there})"
    if attribute in _OF_EMAILS:
        fits = matches(what, {"emails": [{"type": "work", "primary": True}]})
        return "(mail=*)" if fits else NOBODY
    if attribute in ("groups", "groups.value", "groups.display", "groups.type"):
        inner = Compared(attribute.partition(".")[2] or "value", "eq" if operator == "ne" else operator, value)
        found = _member(groups(lambda of: matches(inner, of)))
        return f"(!{found})" if operator == "ne" else found
    if attribute == "active":
        return _active(operator, value)
    if attribute == "usertype":
        return _kind(operator, value)
    if attribute in _NUMBERS:
        return _number(_NUMBERS[attribute], operator, value)
    columns = _TEXTS.get(attribute)
    if columns is None or not (operator == "pr" or isinstance(value, str)) or operator in ("gt", "ge", "lt", "le"):
        raise BadFilter
    parts = [_text(column, operator, str(value)) for column in columns]
    joined = parts[0] if len(parts) == 1 else f"(|{''.join(parts)})"
    return f"(!{joined})" if operator == "ne" else joined


def _member(groups: Iterable[str]) -> str:
    return names.any_of("memberOf", groups)


def _active(operator: str, value: Value) -> str:
    if operator == "pr":
        return "(tallyEnabled=*)"
    if operator not in ("eq", "ne") or not isinstance(value, bool):
        raise BadFilter
    return f"(tallyEnabled={'TRUE' if value is (operator == 'eq') else 'FALSE'})"


def _kind(operator: str, value: Value) -> str:
    if operator == "pr":
        return ANYBODY
    classes = {"citizen": "tallyCitizen", "civil-servant": "tallyCivilServant"}
    if operator not in ("eq", "ne") or value not in classes:
        raise BadFilter
    found = f"(objectClass={classes[str(value)]})"
    return found if operator == "eq" else f"(!{found})"


def _number(column: str, operator: str, value: Value) -> str:
    if operator == "pr":
        return f"({column}=*)"
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadFilter
    same, least = f"({column}={value})", names.at_least(column, value)
    written = {
        "eq": same, "ne": f"(!{same})", "ge": least, "gt": f"(&{least}(!{same}))", "lt": f"(&({column}=*)(!{least}))",
        "le": f"(&({column}=*)(!{names.at_least(column, value + 1)}))",
    }  # fmt: skip
    if operator not in written:
        raise BadFilter
    return written[operator]


def _text(column: str, operator: str, value: str) -> str:
    if operator == "pr":
        return f"({column}=*)"
    if operator in ("eq", "ne"):
        return names.equal(column, value)
    return names.part(column, value, starts=operator == "sw", ends=operator == "ew")
