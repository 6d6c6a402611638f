# SPDX-License-Identifier: Apache-2.0
"""What the operator on the machine and officers' programs may ask about incidents."""

from typing import Any

from core.openapi import PEER, PERSON, TEXT, exact, refusals

from ..models import Reason

_LONGEST = 200
_MOMENT = {"type": "string", "format": "date-time"}
_ACTS = ("revoke", "renew", "renew-then-revoke")
_STAGES = ("preview", "proposed", "running", "paused", "waiting", "done", "stopped", "withdrawn", "expired")
_ITEMS = ("pending", "asked", "revoked", "already-revoked", "renewed", "over")


def paths() -> dict[str, dict[str, Any]]:
    """The operations by path."""
    why = {"why": {"type": "string", "maxLength": _LONGEST}}
    digest = {"digest": {"type": "string", "maxLength": 64, "description": "What the preview was fixed by"}}
    found: dict[str, dict[str, Any]] = {}
    for at, suffix, security in (("/api/v1/incidents", "", PEER), ("/api/v1/ra/incidents", "AsOfficer", PERSON)):
        one = f"{at}/{{incident}}"
        found |= {
            at: {
                "post": {
                    "operationId": f"previewIncident{suffix}",
                    "summary": "Select certificates and fix the list; nothing is done to them",
                    "security": security,
                    "requestBody": _body(_plan()),
                    "responses": {
                        "201": {"description": "The preview", "content": _answer("Incident")},
                        **refusals("400", "401", "403", "409", "413", "503"),
                    },
                },
                "get": _page(f"listIncidents{suffix}", "The newest incidents", "Incidents", "before", security),
            },
            one: {"get": _verb(f"showIncident{suffix}", "One incident", None, security)},
            f"{one}/certificates": {
                "get": _page(
                    f"listIncidentCertificates{suffix}", "The exact list", "Chosen", "after", security, _INCIDENT
                )
            },
            f"{one}/propose": {
                "post": _verb(f"proposeIncident{suffix}", "Put it to another officer", digest, security)
            },
            f"{one}/pause": {"post": _verb(f"pauseIncident{suffix}", "Have it stand still", {}, security)},
            f"{one}/resume": {"post": _verb(f"resumeIncident{suffix}", "Have it go on", {}, security)},
            f"{one}/stop": {"post": _verb(f"stopIncident{suffix}", "End it for good", why, security)},
            f"{one}/withdraw": {
                "post": _verb(f"withdrawIncident{suffix}", "End it before anything is done", why, security)
            },
        }
    agree = _verb("approveIncidentAsOfficer", "Agree to exactly what another one proposed", digest, PERSON)
    return {**found, "/api/v1/ra/incidents/{incident}/approve": {"post": agree}}


def _plan() -> dict[str, Any]:
    moment = {"type": "string", "maxLength": 128, "description": "ISO 8601, UTC; nothing if empty"}
    several = {"type": "array", "items": TEXT, "maxItems": 100}
    said = {"type": "string", "maxLength": 2000}
    identifier = {"type": "string", "maxLength": 128}
    return {
        "type": "object",
        "properties": {
            "profiles": several,
            "issuers": several,
            "keys": {**TEXT, "description": "SHA-256 of subjectPublicKeyInfo, or PEM; several below each other"},
            "holder": identifier,
            "officer": {**identifier, "description": "Who issued, approved, or granted what it came of"},
            "account": {**identifier, "description": "ACME account, or the key identifier of its grant"},
            "since": moment,
            "until": moment,
            "serials": {**TEXT, "description": "One on each line, at most 20,000"},
            "act": {"enum": list(_ACTS)},
            "reason": {"enum": ["", *(reason.value for reason in Reason)]},
            "deadline": moment,
            "whom": {"enum": ["", "everybody", "unrenewed"]},
            "text": {**said, "description": "What holders are told, in English"},
            "text_zh": {**said, "description": "The same in Chinese"},
        },
        "required": ["act"],
        "additionalProperties": False,
    }


_INCIDENT = {"name": "incident", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _verb(
    name: str, says: str, properties: dict[str, Any] | None, security: list[dict[str, list[str]]]
) -> dict[str, Any]:
    wish = {"type": "object", "properties": properties or {}, "additionalProperties": False}
    if properties and "digest" in properties:
        wish["required"] = ["digest"]
    body = {} if properties is None else {"requestBody": _body(wish)}
    return {
        "operationId": name,
        "summary": says,
        "security": security,
        "parameters": [_INCIDENT],
        **body,
        "responses": {
            "200": {"description": "How it stands now", "content": _answer("Incident")},
            **refusals("400", "401", "403", "404", "409", "413", "503"),
        },
    }


def _page(
    name: str, says: str, schema: str, key: str, security: list[dict[str, list[str]]], *more: dict[str, Any]
) -> dict[str, Any]:
    page = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
    return {
        "operationId": name,
        "summary": says,
        "security": security,
        "parameters": [*more, {"name": key, "in": "query", "required": False, "schema": page}],
        "responses": {
            "200": {"description": says, "content": _answer(schema)},
            **refusals("400", "401", "403", "404", "503"),
        },
    }


def schemas() -> dict[str, Any]:
    """What they answer."""
    number, counts = {"type": "integer"}, {"type": "object", "additionalProperties": {"type": "integer"}}
    maybe = {"anyOf": [_MOMENT, {"type": "null"}]}
    incident = {
        **dict.fromkeys(("id", "text", "text_zh", "digest", "opener", "approver", "explanation"), TEXT),
        "stage": {"enum": list(_STAGES)},
        "selector": {"type": "object"},
        "act": {"enum": list(_ACTS)},
        "reason": {"enum": [reason.value for reason in Reason]},
        "whom": {"enum": ["everybody", "unrenewed"]},
        **dict.fromkeys(("deadline", "ended"), maybe),
        **dict.fromkeys(("created", "expires"), _MOMENT),
        **dict.fromkeys(("size", "possibly_issued", "unknown", "left_out"), number),
        **dict.fromkeys(("profiles", "issuers", "kinds", "progress"), counts),
    }
    line = {
        **dict.fromkeys(("serial", "issuer", "profile", "subject"), TEXT),
        "not_after": _MOMENT,
        "state": {"enum": list(_ITEMS)},
    }
    incidents = {"type": "array", "items": {"$ref": "#/components/schemas/Incident"}}
    return {
        "Incident": exact(incident),
        "Incidents": exact({"incidents": incidents, "more": number}),
        "Chosen": exact({"certificates": {"type": "array", "items": exact(line)}, "more": number}),
    }


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _answer(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
