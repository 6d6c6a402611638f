# SPDX-License-Identifier: Apache-2.0
"""What every OpenAPI 3.1 document of ours has in common: its frame, its refusals, and who may call.

A component describes its own paths; refusals are problem documents (RFC 9457) as ``core.web.errors`` makes them.
"""

from collections.abc import Mapping
from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
ADDRESS = "/api/v1/openapi.json"
"""Where a role serves its document."""
PEER: list[dict[str, list[str]]] = [{"caller": [], "secret": []}]
"""``security`` of an operation for roles of the site: their name and the secret they share with the callee."""
PERSON: list[dict[str, list[str]]] = [{"identity": []}]
"""``security`` of an operation for persons: the gateway's signed word about whom it let in."""
_SAYS = {
    "400": "The request cannot be right",
    "401": "Nobody has been identified",
    "403": "This caller may not",
    "404": "There is no such thing",
    "409": "Not possible in the present state",
    "413": "The body is too large",
    "422": "The same key came with another request",
    "429": "Too many at once; later perhaps",
    "503": "Temporary; try again",
}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def document(
    *,
    title: str,
    description: str,
    paths: Mapping[str, dict[str, Any]],
    schemas: Mapping[str, dict[str, Any]],
    security: Mapping[str, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """The whole document; it describes its own address too. ``security`` are schemes of the component's own."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": "1",
            "description": description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {**paths, ADDRESS: {"get": _describe()}},
        "components": {
            "schemas": {**schemas, "Problem": _problem()},
            "responses": {f"E{status}": {"description": text, "content": _PROBLEM} for status, text in _SAYS.items()},
            "securitySchemes": {**_security(), **(security or {})},
        },
    }


def refusals(*statuses: str, pages: bool = False) -> dict[str, Any]:
    """The answers of an operation that say no; ``pages`` where a browser gets a page instead of a problem document."""
    if not pages:
        return {status: {"$ref": f"#/components/responses/E{status}"} for status in statuses}
    either = {**_PROBLEM, "text/html": {"schema": TEXT}}
    return {status: {"description": _SAYS[status], "content": either} for status in statuses}


def exact(properties: Mapping[str, Any]) -> dict[str, Any]:
    """An object with just these properties, all of them required."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _describe() -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    return {"operationId": "describe", "responses": {"200": {"description": "This document", "content": content}}}


def _problem() -> dict[str, Any]:
    properties = {**dict.fromkeys(("type", "title", "detail", "code"), TEXT), "status": {"type": "integer"}}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _security() -> dict[str, Any]:
    return {
        "caller": {"type": "apiKey", "in": "header", "name": "Tallygate-Caller"},
        "secret": {"type": "apiKey", "in": "header", "name": "Tallygate-Secret"},
        "identity": {
            "type": "apiKey",
            "in": "header",
            "name": "Tallygate-Identity",
            "description": "Added by the gateway for whom it let in; what a client sends under this name is removed.",
        },
    }
