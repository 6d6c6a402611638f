# SPDX-License-Identifier: Apache-2.0
"""What the REST interface takes and gives, as OpenAPI 3.1; the tests hold the interface to it."""

from typing import Any

from .models import Indication, Overall, Profile, Value
from .verdict.words import QUESTIONS

_TEXT = {"type": "string"}
_BOTH: dict[str, Any] = {
    "type": "object",
    "properties": {"en": _TEXT, "zh": _TEXT},
    "required": ["en", "zh"],
    "additionalProperties": False,
}
_IDENTIFIER = "^[A-Za-z0-9_-]{1,64}$"
_MOMENT = {"type": "string", "format": "date-time"}


def description(largest: int) -> dict[str, Any]:
    """The document; ``largest`` is the site's limit in bytes."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tallygate signatures",
            "version": "1",
            "description": "Verify signed PDF documents. Four plain questions, answered yes, no or unknown, "
            "in English and Chinese; nothing of a document is kept.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/api/v1/verify": {"post": _verify(largest)},
            "/api/v1/seal": {"post": _seal(largest)},
            "/api/v1/seals": {"post": _establish()},
            "/api/v1/openapi.json": {
                "get": {
                    "operationId": "describe",
                    "responses": {
                        "200": {
                            "description": "This document",
                            "content": {"application/json": {"schema": {"type": "object"}}},
                        }
                    },
                }
            },
        },
        "components": {"schemas": _schemas(), "responses": _responses(), "securitySchemes": _security()},
    }


def _verify(largest: int) -> dict[str, Any]:
    return {
        "operationId": "verify",
        "summary": "Can this document be trusted?",
        "description": "Any file gets a verdict: what cannot be read is INDETERMINATE, never unsigned.",
        "parameters": [
            {
                "name": "profile",
                "in": "query",
                "description": "strict: nothing may follow the signature. tolerant: filled-in fields are listed.",
                "schema": {"type": "string", "enum": [profile.value for profile in Profile], "default": "strict"},
            }
        ],
        "requestBody": _pdf(largest),
        "responses": {
            "200": {
                "description": "The verdict",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Verdict"}}},
            },
            **_errors("400", "413", "503"),
        },
    }


def _seal(largest: int) -> dict[str, Any]:
    def text(name: str, **schema: Any) -> dict[str, Any]:
        required = name in {"organisation", "actor"}
        return {"name": name, "in": "query", "required": required, "schema": {"type": "string", **schema}}

    return {
        "operationId": "seal",
        "summary": "Put an organisation's seal on a document; for roles of the site",
        "security": [{"caller": [], "secret": []}],
        "parameters": [
            text("organisation", pattern=_IDENTIFIER),
            text("actor", pattern=_IDENTIFIER),
            text("assurance", enum=["0", "1", "2", "3"]),
            text("zone", enum=["external", "internal", "management"]),
            text("session", pattern="^[A-Za-z0-9._~-]{0,128}$"),
        ],
        "requestBody": _pdf(largest),
        "responses": {
            "200": {"description": "The sealed document", "content": {"application/pdf": {"schema": {}}}},
            **_errors("400", "401", "403", "404", "409", "413", "503"),
        },
    }


def _establish() -> dict[str, Any]:
    wish = {
        "type": "object",
        "properties": {"organisation": {"type": "string", "pattern": _IDENTIFIER}, "renew": {"type": "boolean"}},
        "required": ["organisation"],
        "additionalProperties": False,
    }
    names = ("organisation", "serial", "certificate", "made_at")
    made = {"type": "object", "properties": dict.fromkeys(names, _TEXT), "required": list(names)}
    return {
        "operationId": "establish",
        "summary": "Give an organisation its seal; for the operator",
        "security": [{"caller": [], "secret": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": wish}}},
        "responses": {
            "200": {"description": "The seal in use", "content": {"application/json": {"schema": made}}},
            **_errors("400", "401", "403", "404", "409", "413", "503"),
        },
    }


def _pdf(largest: int) -> dict[str, Any]:
    return {
        "required": True,
        "description": f"The document, 1 to {largest} bytes",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary", "minLength": 1}}},
    }


def _errors(*statuses: str) -> dict[str, Any]:
    return {status: {"$ref": f"#/components/responses/E{status}"} for status in statuses}


def _responses() -> dict[str, Any]:
    says = {
        "400": "The request cannot be right",
        "401": "Nobody has been identified",
        "403": "This caller may not",
        "404": "There is no such thing",
        "409": "Not possible in the present state",
        "413": "The document is too large",
        "503": "Temporary; try again",
    }
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {f"E{status}": {"description": text, "content": problem} for status, text in says.items()}


def _security() -> dict[str, Any]:
    return {
        "caller": {"type": "apiKey", "in": "header", "name": "Tallygate-Caller"},
        "secret": {"type": "apiKey", "in": "header", "name": "Tallygate-Secret"},
    }


def _schemas() -> dict[str, Any]:
    verdict = {
        "overall": {"enum": [value.value for value in Overall]},
        "indication": {"enum": [value.value for value in Indication]},
        "subindication": _TEXT,
        "headline": _BOTH,
        "advice": _BOTH,
        "checked_at": _MOMENT,
        "profile": {"enum": [profile.value for profile in Profile]},
        "document": _exact({"sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "size": {"type": "integer"}}),
        "signatures": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Signature"}},
    }
    certificate = dict.fromkeys(("serial", "name", "organisation", "subject", "issuer"), _TEXT)
    signature = {
        "field": _TEXT,
        "overall": {"enum": [value.value for value in Overall]},
        "indication": {"enum": [value.value for value in Indication]},
        "subindication": _TEXT,
        "claimed_at": {"type": ["string", "null"], "format": "date-time"},
        "changed_fields": {"type": "array", "items": _TEXT},
        "answers": _exact({name: {"$ref": "#/components/schemas/Answer"} for name in QUESTIONS}),
        "certificate": {
            "anyOf": [_exact({**certificate, "not_before": _MOMENT, "not_after": _MOMENT}), {"type": "null"}]
        },
    }
    answer = {"value": {"enum": [value.value for value in Value]}, "code": _TEXT, "en": _TEXT, "zh": _TEXT}
    problem = {**dict.fromkeys(("type", "title", "detail", "code"), _TEXT), "status": {"type": "integer"}}
    return {
        "Verdict": _exact(verdict),
        "Signature": _exact(signature),
        "Answer": _exact(answer),
        "Problem": {"type": "object", "properties": problem, "required": list(problem)},
    }


def _exact(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
