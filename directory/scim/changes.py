# SPDX-License-Identifier: Apache-2.0
"""What a client's document may change, attribute by attribute; the rest is left as it is or refused by name.

| attribute                    | created with | changed later            |
| ---------------------------- | ------------ | ------------------------ |
| ``userName``, ``userType``   | yes          | never                    |
| enterprise ``organization``  | yes          | by moving, at the desk   |
| ``name``, ``emails``         | yes          | yes                      |
| ``active``                   | yes          | yes                      |
| our ``nameZh``               | yes          | yes                      |
| everything else              | no           | never                    |
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import BadFilter, BadPatch, BadPath, NoTarget, ReadOnly
from .filters import CORE, ENTERPRISE, GROUPS, OWN, matches, parsed

MUTABLE = (
    "active",
    "name",
    "name.formatted",
    "emails",
    "emails.value",
    "emails.type",
    "emails.primary",
    f"{OWN}namezh",
)
_TOLD = frozenset({
    "id", "externalid", "meta", "schemas", "username", "usertype", "displayname", "groups", "roles", "entitlements",
    "password", "verified", "acr", f"{OWN}clearance", f"{OWN}proofinglevel", f"{ENTERPRISE}organization",
})  # fmt: skip
_MOST_OPERATIONS = 100
_LONGEST = 120
_MOST_MEMBERS = 10_000
_LONGEST_PATH = 256
_VALUE_PATH = re.compile(r"((?:urn:[A-Za-z0-9:.\-]+:)?[A-Za-z]+)\[(.+)\](?:\.([A-Za-z$]+))?\Z")
# Our one address, as a value path finds it; also where there is none yet.
_WORK = {"type": "work", "primary": True}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How an account should be; what is None stays."""

    active: bool | None = None
    name: str | None = None
    name_zh: str | None = None
    mail: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewUser:
    """An account to be entered."""

    username: str
    kind: str
    name: str
    name_zh: str
    mail: str
    organisation: str
    active: bool


def new_user(document: Mapping[str, Any]) -> NewUser:
    """From a document to create.

    Raises:
        BadPatch: something is missing or cannot be.
    """
    said = _lowered(document)
    wanted = replaced(document)
    enterprise, own = _lowered(said.get(ENTERPRISE[:-1], {})), _lowered(said.get(OWN[:-1], {}))
    organisation = _text(enterprise.get("organization", ""), "organization")
    username, name = _text(said.get("username"), "userName"), wanted.name or ""
    if not username or not name:
        raise BadPatch(field="userName" if not username else "name.formatted")
    return NewUser(
        username=username,
        # Whoever belongs to an agency is its civil servant, unless the client says otherwise.
        kind=_text(said.get("usertype", "civil-servant" if organisation else "citizen"), "userType"),
        name=name,
        name_zh=_text(own.get("namezh", ""), "nameZh"),
        mail=wanted.mail or "",
        organisation=organisation,
        active=wanted.active is not False,
    )


def replaced(document: Mapping[str, Any]) -> Wanted:
    """From a document that shall stand in place of what is there; what may not be changed is passed over.

    Raises:
        BadPatch: something cannot be.
    """
    said, wanted = _lowered(document), Wanted()
    for name in ("active", "name", "emails"):
        if name in said:
            wanted = _set(wanted, name, said[name])
    own = _lowered(said.get(OWN[:-1], {}))
    return _set(wanted, f"{OWN}namezh", own["namezh"]) if "namezh" in own else wanted


def patched(document: Mapping[str, Any], mail: str = "") -> Wanted:
    """From the operations of RFC 7644 section 3.5.2; ``mail`` is the address there is, for paths that look at it.

    Raises:
        BadPath: no such attribute.
        NoTarget: no element fits a path.
        ReadOnly: one that is not the client's to change.
        BadPatch: a value that cannot be, or no such operation.
    """
    wanted = Wanted()
    for verb, path, value in _operations(document):
        if path.lower() == OWN[:-1] and verb != "remove":
            path, value = "", {path: value}  # noqa: PLW2901 - our extension as a whole is a document like another
        if path:
            wanted = _apply(wanted, verb, _plain(path, verb, mail if wanted.mail is None else wanted.mail), value)
            continue
        for name, each in _lowered(value).items():
            if name == OWN[:-1]:
                for inner, own in _lowered(each).items():
                    wanted = _apply(wanted, verb, f"{OWN}{inner}", own)
            elif name not in ("schemas", "id"):
                wanted = _apply(wanted, verb, name, each)
    return wanted


@dataclass(frozen=True, kw_only=True)
class Regrouped:
    """How a group should be: who joins, who leaves, and what it is called if that changes."""

    joins: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    title: str | None = None


Held = Callable[[], Sequence[Mapping[str, Any]]]
"""The members as they are told, all of them."""


def new_group(document: Mapping[str, Any]) -> Regrouped:
    """From a document to create.

    Raises:
        BadPatch: something is missing or cannot be.
    """
    said = _lowered(document)
    title = _text(said.get("displayname"), "displayName")
    if not title:
        raise BadPatch(field="displayName")
    return Regrouped(joins=tuple(dict.fromkeys(_members(said.get("members") or []))), title=title)


def replaced_group(document: Mapping[str, Any], held: Held) -> Regrouped:
    """From a document that shall stand in place of what is there.

    Raises:
        BadPatch: something cannot be.
    """
    wanted = new_group(document)
    return replace(_all_of(wanted.joins, held), title=wanted.title)


def regrouped(document: Mapping[str, Any], held: Held) -> Regrouped:
    """From the operations on a group; ``held`` is asked only where a path or a whole list needs it.

    Raises:
        BadPath, NoTarget, ReadOnly, BadPatch: as ``patched``.
    """
    done = Regrouped()
    for verb, path, value in _operations(document):
        name = path.lower().removeprefix(GROUPS)
        if not path:
            for inner, each in _lowered(value).items():
                if inner not in ("schemas", "id"):
                    done = _regroup(done, verb, inner, each, held)
        else:
            done = _regroup(done, verb, name if "[" not in name else path, value, held)
    return done


def _regroup(done: Regrouped, verb: str, name: str, value: Any, held: Held) -> Regrouped:
    if name == "members":
        if verb == "replace":
            return replace(_all_of(tuple(_members(value)), held), title=done.title)
        if verb == "remove" and value is None:
            return replace(_all_of((), held), title=done.title)
        found = _members(value)
        return _added(done, found) if verb == "add" else _removed(done, found)
    if name == "displayname" and verb != "remove":
        return replace(done, title=_text(value, "displayName"))
    if name in ("displayname", "id", "meta", "schemas", "externalid"):
        raise ReadOnly(field=name)
    path = _VALUE_PATH.match(name) if len(name) <= _LONGEST_PATH else None
    if path is None or path[1].lower() != "members" or verb != "remove" or path[3]:
        raise BadPath(field=name[:64])
    fitting = [str(each["value"]) for each in held() if _fits(path[2], each)]
    if not fitting:
        raise NoTarget(field=name[:64])
    return _removed(done, fitting)


def _added(done: Regrouped, subjects: Sequence[str]) -> Regrouped:
    joins = (*done.joins, *(each for each in subjects if each not in done.joins))
    return replace(done, joins=joins, leaves=tuple(each for each in done.leaves if each not in subjects))


def _removed(done: Regrouped, subjects: Sequence[str]) -> Regrouped:
    leaves = (*done.leaves, *(each for each in subjects if each not in done.leaves))
    return replace(done, leaves=leaves, joins=tuple(each for each in done.joins if each not in subjects))


def _all_of(wanted: Sequence[str], held: Held) -> Regrouped:
    there = {str(each["value"]) for each in held()}
    return Regrouped(
        joins=tuple(each for each in dict.fromkeys(wanted) if each not in there),
        leaves=tuple(sorted(there - set(wanted))),
    )


def _plain(path: str, verb: str, mail: str) -> str:
    """A path without its filter, after that was held against what is there."""
    found = _VALUE_PATH.match(path.removeprefix(CORE)) if "[" in path and len(path) <= _LONGEST_PATH else None
    if found is None:
        return path
    if found[1].lower() != "emails":
        if found[1].lower() in _TOLD:
            raise ReadOnly(field=path[:64])
        raise BadPath(field=path[:64])
    element = {**_WORK, **({"value": mail} if mail else {})}
    if (not mail and verb == "remove") or not _fits(found[2], element):
        raise NoTarget(field=path[:64])
    return f"emails.{found[3]}" if found[3] else "emails"


def _fits(text: str, element: Mapping[str, Any]) -> bool:
    try:
        return matches(parsed(text), element)
    except BadFilter as error:
        raise BadPath(field=text[:64]) from error


def _operations(document: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    said = _lowered(document)
    operations = said.get("operations")
    if not isinstance(operations, list) or not 0 < len(operations) <= _MOST_OPERATIONS:
        raise BadPatch(field="Operations")
    found = []
    for each in operations:
        one = _lowered(each)
        verb, path = one.get("op"), one.get("path", "")
        if not isinstance(verb, str) or verb.lower() not in ("add", "replace", "remove") or not isinstance(path, str):
            raise BadPatch(field="op")
        if verb.lower() == "remove" and not path:
            # RFC 7644 section 3.5.2.2: noTarget.
            raise BadPath(field="")
        found.append((verb.lower(), path, one.get("value")))
    return found


def _apply(wanted: Wanted, verb: str, path: str, value: Any) -> Wanted:
    name = path.lower().removeprefix(CORE)
    if name in _TOLD:
        raise ReadOnly(field=path[:64])
    if name not in MUTABLE:
        raise BadPath(field=path[:64])
    if verb == "remove":
        if name.startswith("emails"):
            return replace(wanted, mail="")
        if name == f"{OWN}namezh":
            return replace(wanted, name_zh="")
        raise ReadOnly(field=path[:64])
    return _set(wanted, name, value)


def _set(wanted: Wanted, name: str, value: Any) -> Wanted:
    if name == "active":
        if not isinstance(value, bool):
            raise BadPatch(field="active")
        return replace(wanted, active=value)
    if name == "name":
        parts = _lowered(value)
        formatted = parts.get("formatted") or " ".join(
            _text(parts[each], each) for each in ("familyname", "givenname") if parts.get(each)
        )
        return _set(wanted, "name.formatted", formatted)
    if name == "name.formatted":
        return replace(wanted, name=_text(value, name))
    if name in ("emails.type", "emails.primary"):
        # Which address it is says nothing of ours: there is one.
        return wanted
    if name == "emails":
        if isinstance(value, Mapping):
            value = [value]
        if not isinstance(value, list) or len(value) > 1:
            # We keep one address; a client must not believe that we kept two.
            raise BadPatch(field="emails")
        return replace(wanted, mail=_text(_lowered(value[0]).get("value"), name) if value else "")
    return (
        replace(wanted, mail=_text(value, name))
        if name == "emails.value"
        else replace(wanted, name_zh=_text(value, name))
    )


def _members(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list) or len(value) > _MOST_MEMBERS:
        raise BadPatch(field="members")
    return [_text(_lowered(each).get("value"), "members") for each in value]


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST or not value.isprintable():
        raise BadPatch(field=field[:64])
    return value.strip()


def _lowered(value: Any) -> dict[str, Any]:
    """Names of attributes count in any case (RFC 7643 section 2.1); one that is said twice is refused."""
    if not isinstance(value, Mapping):
        raise BadPatch(field="value")
    found = {str(name).lower(): each for name, each in value.items()}
    if len(found) != len(value):
        raise BadPatch(field="value")
    return found
