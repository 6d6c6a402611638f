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
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import BadPatch, BadPath, ReadOnly
from .filters import CORE, ENTERPRISE, OWN

MUTABLE = ("active", "name", "name.formatted", "emails", "emails.value", f"{OWN}namezh")
_TOLD = frozenset({
    "id", "externalid", "meta", "schemas", "username", "usertype", "displayname", "groups", "roles", "entitlements",
    "password", "verified", "acr", f"{OWN}clearance", f"{OWN}proofinglevel", f"{ENTERPRISE}organization",
})  # fmt: skip
_MOST_OPERATIONS = 100
_LONGEST = 120
_MEMBER = re.compile(r'members\[value eq "([^"]{1,64})"\]\Z', re.IGNORECASE)
_SELECTED = re.compile(r'emails\[(?:type eq "work"|primary eq true)\](\.value)?\Z', re.IGNORECASE)


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
    username, name = _text(said.get("username"), "userName"), wanted.name or ""
    if not username or not name:
        raise BadPatch(field="userName" if not username else "name.formatted")
    return NewUser(
        username=username,
        kind=_text(said.get("usertype", "civil-servant"), "userType"),
        name=name,
        name_zh=_text(own.get("namezh", ""), "nameZh"),
        mail=wanted.mail or "",
        organisation=_text(enterprise.get("organization", ""), "organization"),
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


def patched(document: Mapping[str, Any]) -> Wanted:
    """From the operations of RFC 7644 section 3.5.2.

    Raises:
        BadPath: no such attribute.
        ReadOnly: one that is not the client's to change.
        BadPatch: a value that cannot be, or no such operation.
    """
    wanted = Wanted()
    for verb, path, value in _operations(document):
        if path:
            wanted = _apply(wanted, verb, path, value)
            continue
        for name, each in _lowered(value).items():
            if name == OWN[:-1]:
                for inner, own in _lowered(each).items():
                    wanted = _apply(wanted, verb, f"{OWN}{inner}", own)
            elif name not in ("schemas", "id"):
                wanted = _apply(wanted, verb, name, each)
    return wanted


def group_members(document: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Who joins and who leaves a group.

    Raises:
        BadPath, ReadOnly, BadPatch: as ``patched``; a list of members is not replaced as a whole.
    """
    joins: list[str] = []
    leaves: list[str] = []
    for verb, path, value in _operations(document):
        found = _MEMBER.match(path)
        if found and verb == "remove":
            leaves.append(found[1])
        elif path.lower() == "members" and verb in ("add", "remove"):
            (joins if verb == "add" else leaves).extend(_members(value))
        elif not path and verb == "add" and set(_lowered(value)) == {"members"}:
            joins.extend(_members(_lowered(value)["members"]))
        elif path.lower() in ("displayname", "id", "meta", "members"):
            raise ReadOnly(field=path)
        else:
            raise BadPath(field=path[:64])
    return joins, leaves


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
    selected = _SELECTED.match(name)
    if selected:
        name = "emails.value" if selected[1] else "emails"
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
    if not isinstance(value, list) or not value:
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
