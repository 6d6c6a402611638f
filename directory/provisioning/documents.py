# SPDX-License-Identifier: Apache-2.0
"""What leaves for a portal: attribute by attribute, as its settings name them."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..config import PortalAccounts
from ..models import Person

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_PARTS: Mapping[str, Callable[[Person, Iterable[str]], dict[str, Any]]] = {
    "name": lambda of, _: {"name": {"formatted": of.name}},
    "displayName": lambda of, _: {"displayName": of.name_zh or of.name},
    "nameZh": lambda of, _: {"nickName": of.name_zh} if of.name_zh else {},
    "mail": lambda of, _: {"emails": [{"value": of.mail, "type": "work", "primary": True}]} if of.mail else {},
    "userType": lambda of, _: {"userType": of.kind.value},
    "organization": lambda of, _: {ENTERPRISE: {"organization": of.organisation}} if of.organisation else {},
    "entitlements": lambda _, had: {"entitlements": [{"value": each} for each in sorted(had)]},
}


def external(key: bytes, name: str, target: PortalAccounts, subject: str) -> str:
    """By which a portal knows somebody; two portals cannot compare theirs unless they are told the directory's."""
    if target.identifier == "subject":
        return subject
    return hmac.digest(key, f"{name}\n{subject}".encode(), hashlib.sha256).hex()[:32]


def document(of: Person, target: PortalAccounts, *, known_as: str, entitlements: Iterable[str]) -> dict[str, Any]:
    """The account as the portal is to hold it."""
    had = list(entitlements)
    told: dict[str, Any] = {"externalId": known_as, "userName": of.username, "active": True}
    for name in target.attributes:
        told |= _PARTS[name](of, had)
    return {"schemas": [USER, *([ENTERPRISE] if ENTERPRISE in told else [])], **told}


def digest(told: Mapping[str, Any]) -> str:
    """Short for a document."""
    return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
