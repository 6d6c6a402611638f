# SPDX-License-Identifier: Apache-2.0
"""What programs that officers use may ask about everything that was issued."""

from typing import Any

from core.openapi import PEER, PERSON, TEXT, exact, refusals

from ..models import AUTHORITY_PATTERN, Reason, Standing
from ..x509 import PROFILES

_MOMENT = {"type": "string", "format": "date-time"}
_EMPTY = {"type": "string", "maxLength": 0}
_DAY = {"anyOf": [{"type": "string", "format": "date"}, _EMPTY]}
_LIMIT = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 500}, _EMPTY]}
_STATES = ["", "good", "expired", "suspended", "revoked", "possibly-issued", "abandoned"]
_SERIAL = "^0*[1-9A-Fa-f][0-9A-Fa-f]{0,39}$"
_CURSOR = "^(|p[0-9]{1,18}|e[0-9]{1,18}-[0-9]{1,18})$"


def paths() -> dict[str, dict[str, Any]]:
    """The operations by path."""
    query = _query()
    return {
        "/api/v1/inventory": {
            "get": _read(
                "searchInventory",
                "One page of everything that was ever issued; it is recorded before it is answered",
                "Inventory",
                [
                    *query,
                    _named("limit", _LIMIT),
                    _AFTER,
                ],
            )
        },
        "/api/v1/inventory/{serial}": {
            "get": _read("readHeld", "One certificate", "Held", [_path("serial", _SERIAL)], "404")
        },
        "/api/v1/inventory/export.{form}": {"get": _export(query)},
        "/api/v1/holders/{subject}": {
            "get": _read(
                "readHolder",
                "Who holds what: one holder, with its devices if it is an organisation",
                "Holding",
                [_path("subject", None), _AFTER, _named("devices", {**TEXT, "maxLength": 16})],
                "404",
            )
        },
        "/api/v1/overview": {
            "get": _read("readOverview", "What was issued, ends and was revoked; what waits", "Overview", [])
        },
        "/api/v1/findings": {
            "get": _read("readFindings", "What the checker found, and how it stands", "Findings", [_AFTER_NUMBER])
        },
        "/api/v1/checks": {
            "get": {
                **_read("readCheck", "The same for the operator", "Findings", [_AFTER_NUMBER]),
                "security": PEER,
            },
            "post": _check(),
        },
    }


def schemas() -> dict[str, dict[str, Any]]:
    """What the operations answer."""
    maybe = {"anyOf": [_MOMENT, {"type": "null"}]}
    held = {
        **dict.fromkeys(("serial", "issuer", "profile", "subject", "name", "key_sha256", "actor"), TEXT),
        **dict.fromkeys(("created", "not_before", "not_after"), _MOMENT),
        "standing": {"enum": [each.value for each in Standing]},
        "reason": {"enum": [*(each.value for each in Reason), None]},
        "changed": maybe,
    }
    several = {"type": "array", "items": {"$ref": "#/components/schemas/Held"}}
    page = {"certificates": several, "more": TEXT, "partial": {"type": "boolean"}}
    device = exact({"id": TEXT, "name": TEXT, "certificates": several})
    number = {"type": "integer", "minimum": 0}
    counted = {"type": "array", "items": exact({"day": _DAY, "which": TEXT, "number": {"type": "integer"}})}
    finding = exact({**dict.fromkeys(("code", "about", "detail"), TEXT), **dict.fromkeys(("first", "last"), _MOMENT)})
    return {
        "Overview": exact(
            {
                **dict.fromkeys(("issued", "expires", "revoked"), counted),
                "valid": {"type": "object", "additionalProperties": number},
                "behind": {"type": "boolean"},
                **dict.fromkeys(("queue", "findings", "notices_waiting", "notices_failed"), number),
            }
        ),
        "Findings": exact(
            {
                **dict.fromkeys(("ended", "began"), maybe),
                **dict.fromkeys(("checked", "place", "newest", "open", "more"), number),
                "findings": {"type": "array", "items": finding},
            }
        ),
        "Stretch": exact({"after": number, "checked": number, "ended": {"type": "boolean"}}),
        "Held": exact(held),
        "Inventory": exact(page),
        "Holding": exact(
            {
                **dict.fromkeys(("subject", "kind", "name", "organisation", "organisation_name"), TEXT),
                **page,
                "devices": {"type": "array", "items": device},
                "more_devices": TEXT,
            }
        ),
    }


def _read(name: str, says: str, schema: str, parameters: list[dict[str, Any]], *more: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {
        "operationId": name,
        "summary": says,
        "security": PERSON,
        "parameters": parameters,
        "responses": {
            "200": {"description": says, "content": content},
            **refusals("400", "401", "403", *more, "503"),
        },
    }


def _check() -> dict[str, Any]:
    wish = {
        "type": "object",
        "properties": {"begin": {"type": "boolean", "description": "Begin at the first certificate"}},
        "additionalProperties": False,
    }
    return {
        "operationId": "check",
        "summary": "Check the next stretch of everything that was ever issued",
        "security": PEER,
        "requestBody": {"required": True, "content": {"application/json": {"schema": wish}}},
        "responses": {
            "200": {
                "description": "How far it came",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Stretch"}}},
            },
            **refusals("400", "401", "403", "413", "503"),
        },
    }


def _export(query: list[dict[str, Any]]) -> dict[str, Any]:
    form = {"name": "form", "in": "path", "required": True, "schema": {"enum": ["csv", "jsonl"]}}
    lines = {"schema": {"type": "string"}}
    return {
        "operationId": "exportInventory",
        "summary": "Everything that matches, streamed: CSV that no spreadsheet computes, or a JSON document a line",
        "security": PERSON,
        "parameters": [form, *query],
        "responses": {
            "200": {"description": "The export", "content": {"text/csv": lines, "application/x-ndjson": lines}},
            **refusals("400", "401", "403", "404", "503"),
        },
    }


def _query() -> list[dict[str, Any]]:
    text = {**TEXT, "maxLength": 128}
    return [
        _named("holder", text),
        _named("name", text),
        _named("serial", {"type": "string", "pattern": f"^$|{_SERIAL}"}),
        _named("key", {"type": "string", "pattern": "^([0-9a-f]{64})?$"}),
        _named("profile", {"enum": ["", *sorted(PROFILES)]}),
        _named("issuer", {"type": "string", "pattern": f"^({AUTHORITY_PATTERN})?$"}),
        _named("state", {"enum": _STATES}),
        *(_named(name, _DAY) for name in ("issued_from", "issued_to", "expires_from", "expires_to")),
    ]


def _named(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def _path(name: str, pattern: str | None) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": 128, **({"pattern": pattern} if pattern else {})}
    return {"name": name, "in": "path", "required": True, "schema": schema}


_AFTER = _named("after", {"type": "string", "pattern": _CURSOR})
_AFTER_NUMBER = _named("after", {"type": "string", "pattern": "^[0-9]{0,18}$"})
