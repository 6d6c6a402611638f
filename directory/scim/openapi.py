# SPDX-License-Identifier: Apache-2.0
"""The description of the SCIM service (OpenAPI 3.1), made from the very schemas that the service tells.

The shapes of users and groups follow from ``documents.SCHEMAS``: what is read only there is read only here, so that the
two cannot say different things.
"""

from collections.abc import Mapping
from typing import Any

from .documents import BULK, ERROR, GROUP, LIST, MOST_IN_BULK, SCHEMAS, USER
from .filters import OPERATORS

TYPE = "application/scim+json"
_TEXT: dict[str, Any] = {"type": "string"}
_KINDS = {"string": _TEXT, "boolean": {"type": "boolean"}, "integer": {"type": "integer"}, "reference": _TEXT}
_REFUSED = ("400", "401", "403", "404", "409", "412", "413", "501", "503")
_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_ASKED = {
    "filter": "As RFC 7644 section 3.4.2.2; operators " + ", ".join(sorted(OPERATORS)),
    "sortBy": "Name of an attribute",
    "sortOrder": "ascending or descending",
    "startIndex": "From which one on, beginning with 1",
    "count": "How many at most",
    "cursor": "Where the page before ended (RFC 9865)",
    "attributes": "Only these",
    "excludedAttributes": "All but these",
}


def description(at: str) -> dict[str, Any]:
    """The whole document; ``at`` is the address of the service."""
    things: dict[str, dict[str, Any]] = {}
    for kind, one in (("User", "subject"), ("Group", "name")):
        things[f"/{kind}s"] = {
            "get": _operation(f"list{kind}s", answers={"200": "List"}, asked=_ASKED),
            "post": _operation(f"create{kind}", answers={"201": kind}, body=kind),
        }
        things[f"/{kind}s/.search"] = {"post": _operation(f"search{kind}s", answers={"200": "List"}, body="Search")}
        things[f"/{kind}s/{{{one}}}"] = {
            "get": _operation(f"read{kind}", answers={"200": kind, "304": ""}, one=one, asked=_SHOWN),
            "put": _operation(f"replace{kind}", answers={"200": kind}, body=kind, one=one),
            "patch": _operation(f"change{kind}", answers={"200": kind}, body="Patch", one=one),
            "delete": _operation(f"remove{kind}", answers={"204": ""}, one=one),
        }
    rest: dict[str, dict[str, Any]] = {
        "/.search": {"post": _operation("search", answers={"200": "List"}, body="Search")},
        "/Bulk": {"post": _operation("bulk", answers={"200": "BulkAnswer"}, body="Bulk")},
        "/Me": {
            "get": _operation("readMe", answers={"200": "User", "304": ""}),
            "put": _operation("replaceMe", answers={"200": "User"}, body="User"),
            "patch": _operation("changeMe", answers={"200": "User"}, body="Patch"),
        },
        "/ServiceProviderConfig": {"get": _operation("readProvider", answers={"200": "Document"})},
        "/ResourceTypes": {"get": _operation("listTypes", answers={"200": "List"})},
        "/ResourceTypes/{name}": {"get": _operation("readType", answers={"200": "Document"}, one="name")},
        "/Schemas": {"get": _operation("listSchemas", answers={"200": "List"})},
        "/Schemas/{name}": {"get": _operation("readSchema", answers={"200": "Document"}, one="name")},
        "/openapi.json": {"get": _operation("describe", answers={"200": "Document"}, kind="application/json")},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Directory: SCIM 2.0",
            "version": "2",
            "description": "RFC 7643, RFC 7644 and RFC 9865, within what the caller administers or was let do.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": at}],
        "paths": {**things, **rest},
        "components": {"schemas": _shapes(), "securitySchemes": {"gateway": _gateway()}},
        "security": [{"gateway": []}],
    }


_SHOWN = {name: _ASKED[name] for name in ("attributes", "excludedAttributes")}


def _gateway() -> dict[str, Any]:
    says = "An administrator's session at the gateway, or a program's own token with the scope scim, bound by DPoP"
    return {"type": "http", "scheme": "DPoP", "description": says}


def _operation(
    name: str, *, answers: Mapping[str, str], body: str = "", one: str = "", asked: Mapping[str, str] | None = None,
    kind: str = TYPE,
) -> dict[str, Any]:  # fmt: skip
    parameters = [{"name": one, "in": "path", "required": True, "schema": _TEXT}] if one else []
    parameters += [
        {"name": each, "in": "query", "required": False, "schema": _TEXT, "description": says}
        for each, says in (asked or {}).items()
    ]
    told: dict[str, Any] = {
        status: {"description": f"{shape or 'Nothing'}", **(_content(shape, kind) if shape else {})}
        for status, shape in answers.items()
    }
    told |= {status: {"description": "Refused", **_content("Error", TYPE)} for status in _REFUSED}
    for status in ("401", "403", "503"):
        # The guard of the desk refuses before the service has a say.
        told[status]["content"]["application/problem+json"] = {"schema": {"type": "object"}}
    found: dict[str, Any] = {"operationId": name, "responses": told, "parameters": parameters}
    if body:
        found["requestBody"] = {"required": True, **_content(body, TYPE)}
    return found


def _content(shape: str, kind: str) -> dict[str, Any]:
    return {"content": {kind: {"schema": {"$ref": f"#/components/schemas/{shape}"}}}}


def _shapes() -> dict[str, Any]:
    lists = {"type": "array", "items": {"type": "object"}}
    operation = {
        "type": "object", "required": ["op"],
        "properties": {"op": {"enum": ["add", "replace", "remove"]}, "path": _TEXT, "value": {}},
    }  # fmt: skip
    single = {
        "type": "object", "required": ["method", "path"],
        "properties": {
            "method": {"enum": ["POST", "PUT", "PATCH", "DELETE"]}, "path": _TEXT, "bulkId": _TEXT,
            "data": {"type": "object"}, "version": _TEXT,
        },
    }  # fmt: skip
    return {
        "User": _resource(USER, more=[each for each in SCHEMAS if each not in (USER, GROUP)]),
        "Group": _resource(GROUP, more=[]),
        "List": _shaped(LIST, {"totalResults": {"type": "integer"}, "itemsPerPage": {"type": "integer"},
                               "startIndex": {"type": "integer"}, "nextCursor": _TEXT, "Resources": lists},
                        ["Resources"]),
        "Search": {"type": "object", "properties": {
            **dict.fromkeys(("filter", "sortBy", "sortOrder", "cursor"), _TEXT),
            **{each: {"type": "integer"} for each in ("startIndex", "count")},
            **{each: {"type": "array", "items": _TEXT} for each in ("attributes", "excludedAttributes")},
        }},
        "Patch": _shaped(_PATCH, {"Operations": {"type": "array", "items": operation, "minItems": 1}}, ["Operations"]),
        "Bulk": {"type": "object", "required": ["Operations"], "properties": {
            "failOnErrors": {"type": "integer"},
            "Operations": {"type": "array", "items": single, "minItems": 1, "maxItems": MOST_IN_BULK},
        }},
        "BulkAnswer": _shaped(BULK, {"Operations": lists}, ["Operations"]),
        "Error": _shaped(ERROR, {"status": _TEXT, "detail": _TEXT, "scimType": _TEXT}, ["status"]),
        "Document": {"type": "object"},
    }  # fmt: skip


def _shaped(schema: str, properties: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    schemas = {"type": "array", "items": {"const": schema}}
    return {"type": "object", "required": required, "properties": {"schemas": schemas, **properties}}


def _resource(schema: str, *, more: list[str]) -> dict[str, Any]:
    core = SCHEMAS[schema]
    properties = {each["name"]: _attribute(each) for each in core["attributes"]}
    properties |= {name: _object(SCHEMAS[name]["attributes"]) for name in more}
    properties |= {
        "schemas": {"type": "array", "items": {"enum": [schema, *more]}},
        "id": {**_TEXT, "readOnly": True},
        "meta": {"type": "object", "readOnly": True},
    }
    required = [each["name"] for each in core["attributes"] if each["required"]]
    return {"type": "object", "required": required, "properties": properties}


def _object(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    required = [each["name"] for each in attributes if each["required"]]
    found = {"type": "object", "properties": {each["name"]: _attribute(each) for each in attributes}}
    return {**found, "required": required} if required else found


def _attribute(of: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(_KINDS[of["type"]]) if of["type"] in _KINDS else _object(of["subAttributes"])
    if of["multiValued"]:
        found = {"type": "array", "items": found}
    return {**found, "readOnly": True} if of["mutability"] == "readOnly" else found
