# SPDX-License-Identifier: Apache-2.0
"""What is told: users, groups, and the documents by which a client finds out what can be done."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from ..models import Person
from ..models_powers import Role
from .filters import ENTERPRISE, OWN
from .queries import CURSOR_SECONDS, MOST_COUNTED, MOST_IN_LIST

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
_ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_OWN = "urn:tallygate:scim:schemas:2.0:User"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Schema"
MOST_IN_BULK = 50
LONGEST_BULK = 1 << 18


def user(of: Person, *, at: str) -> dict[str, Any]:
    """One person; ``at`` is the address of the service."""
    found: dict[str, Any] = {
        "schemas": [USER, *([_ENTERPRISE] if of.organisation else []), _OWN],
        "id": of.subject,
        "userName": of.username,
        "name": {"formatted": of.name},
        "displayName": of.name_zh or of.name,
        "userType": of.kind.value,
        "active": of.enabled,
        "groups": [
            {"value": role, "display": role, "type": "direct", "$ref": f"{at}/Groups/{role}"}
            for role in sorted(of.roles - {of.kind.value})
        ],
        _OWN: {"nameZh": of.name_zh, "clearance": of.clearance, "proofingLevel": of.proofing.level},
    }
    if of.mail:
        found["emails"] = [{"value": of.mail, "type": "work", "primary": True}]
    if of.organisation:
        found[_ENTERPRISE] = {"organization": of.organisation}
    return _with_meta(found, "User", f"{at}/Users/{of.subject}")


def group(of: Role, members: Sequence[Person] | None, *, at: str) -> dict[str, Any]:
    """One role with those who hold it, if they are told."""
    found: dict[str, Any] = {
        "schemas": [GROUP],
        "id": of.name,
        "displayName": of.title or of.name,
    }
    if members is not None:
        found["members"] = [
            {"value": each.subject, "display": each.username, "type": "User", "$ref": f"{at}/Users/{each.subject}"}
            for each in members
        ]
    return _with_meta(found, "Group", f"{at}/Groups/{of.name}")


def version(document: dict[str, Any]) -> str:
    """The entity tag of a document."""
    return str(document["meta"]["version"])


def projected(document: dict[str, Any], attributes: str, excluded: str) -> dict[str, Any]:
    """Only the attributes that were asked for (RFC 7644 section 3.9); ``schemas``, ``id`` and ``meta`` always."""
    always = {"schemas", "id", "meta"}
    wanted, without = _names(attributes), _names(excluded)
    if wanted:
        return {name: each for name, each in document.items() if name in always or name.lower() in wanted}
    return {name: each for name, each in document.items() if name in always or name.lower() not in without}


def provider(at: str) -> dict[str, Any]:
    """What can be done here (RFC 7643 section 5, RFC 9865 section 4)."""
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {"supported": True, "maxOperations": MOST_IN_BULK, "maxPayloadSize": LONGEST_BULK},
        "filter": {"supported": True, "maxResults": MOST_COUNTED},
        "changePassword": {"supported": False},
        "sort": {"supported": True},
        "etag": {"supported": True},
        "pagination": {
            "cursor": True,
            "index": True,
            "defaultPaginationMethod": "cursor",
            "defaultPageSize": MOST_IN_LIST,
            "maxPageSize": MOST_IN_LIST,
            "cursorTimeout": CURSOR_SECONDS,
        },
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Gateway",
                "description": "An administrator's session or token at the site's gateway",
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{at}/ServiceProviderConfig"},
    }


RESOURCE_TYPES: dict[str, dict[str, Any]] = {
    "User": {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": "User",
        "name": "User",
        "endpoint": "/Users",
        "schema": USER,
        "schemaExtensions": [{"schema": _ENTERPRISE, "required": False}, {"schema": _OWN, "required": False}],
    },
    "Group": {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": "Group",
        "name": "Group",
        "endpoint": "/Groups",
        "schema": GROUP,
    },
}


def _attribute(
    name: str, kind: str = "string", *, mutability: str = "readOnly", many: bool = False, parts: Iterable[Any] = (),
    unique: str = "none", required: bool = False,
) -> dict[str, Any]:  # fmt: skip
    found: dict[str, Any] = {
        "name": name,
        "type": kind,
        "multiValued": many,
        "required": required,
        "mutability": mutability,
        "returned": "always" if name == "id" else "default",
        "uniqueness": unique,
        "description": name,
    }
    if kind == "string":
        found["caseExact"] = False
    if kind == "reference":
        found |= {"caseExact": True, "referenceTypes": ["User", "Group"]}
    return found | ({"subAttributes": list(parts)} if kind == "complex" else {})


def _schema(identifier: str, name: str, *attributes: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [_SCHEMA], "id": identifier, "name": name, "description": name, "attributes": list(attributes)}


def _listed(name: str, mutability: str) -> dict[str, Any]:
    return _attribute(
        name, "complex", many=True, mutability=mutability,
        parts=[
            _attribute("value", mutability="immutable" if mutability != "readOnly" else mutability),
            _attribute("display"), _attribute("type"), _attribute("$ref", "reference"),
        ],
    )  # fmt: skip


_FREE = "readWrite"
SCHEMAS: dict[str, dict[str, Any]] = {
    each["id"]: each
    for each in (
        _schema(
            USER, "User",
            _attribute("userName", mutability="immutable", unique="server", required=True),
            _attribute("name", "complex", mutability=_FREE, required=True, parts=[
                _attribute("formatted", mutability=_FREE, required=True),
            ]),
            _attribute("displayName"),
            _attribute("userType", mutability="immutable"),
            _attribute("active", "boolean", mutability=_FREE),
            _attribute("emails", "complex", many=True, mutability=_FREE, parts=[
                _attribute("value", mutability=_FREE), _attribute("type"), _attribute("primary", "boolean"),
            ]),
            _listed("groups", "readOnly"),
        ),
        _schema(GROUP, "Group", _attribute("displayName", mutability=_FREE, required=True), _listed("members", _FREE)),
        _schema(_ENTERPRISE, "EnterpriseUser", _attribute("organization", mutability="immutable")),
        _schema(
            _OWN, "TallygateUser", _attribute("nameZh", mutability=_FREE), _attribute("clearance", "integer"),
            _attribute("proofingLevel", "integer"),
        ),
    )
}  # fmt: skip


def _names(text: str) -> set[str]:
    """Top-level names of a comma-separated list; a part of an attribute asks for the whole of it."""
    found = set()
    for each in text.lower().split(","):
        name = each.strip()
        for prefix in (ENTERPRISE, OWN):
            name = prefix[:-1] if name.startswith(prefix[:-1]) else name
        found.add(name if name.startswith("urn:") else name.partition(".")[0])
    return found - {""}


def _with_meta(document: dict[str, Any], kind: str, location: str) -> dict[str, Any]:
    told = json.dumps(document, sort_keys=True, ensure_ascii=False).encode("utf-8")
    tag = f'W/"{hashlib.sha256(told).hexdigest()[:24]}"'
    return {**document, "meta": {"resourceType": kind, "location": location, "version": tag}}
