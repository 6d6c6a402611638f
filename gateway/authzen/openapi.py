# SPDX-License-Identifier: Apache-2.0
"""What the decision point takes and gives, as OpenAPI 3.1; the tests hold the interface to it.

The refusals are sentences, as AuthZEN says, and no problem documents.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from core.openapi import ADDRESS, TEXT, document

from .paging import MOST as MOST_RESULTS
from .questions import LONGEST, Semantic, Wanted
from .questions import MOST as MOST_QUESTIONS

AT = "/access/v1"
_NAME = {"type": "string", "minLength": 1, "maxLength": LONGEST}
_PROPERTIES = {"type": "object"}
_LEVEL = {"type": "integer", "minimum": 0, "maximum": 3}
_OF_RESOURCES = {
    "type": "object",
    "description": "What a resource is that is none of the gateway's own routes; of those only the path is heard. Of "
    "what is not said, the strictest holds.",
    "properties": {
        **dict.fromkeys(("zone", "owner", "record_class", "path"), TEXT),
        "classification": {**_LEVEL, "default": 3},
        "required_assurance": {**_LEVEL, "default": 3},
    },
}
_ASKED = {
    "subject": {"$ref": "#/components/schemas/Subject"},
    "action": {"$ref": "#/components/schemas/Action"},
    "resource": {"$ref": "#/components/schemas/Resource"},
}
_CONTEXT = {"context": {"$ref": "#/components/schemas/Context"}}
_SECURITY: list[dict[str, list[str]]] = [{"key": []}, {"certificate": []}]
_SAYS = {
    "400": "It cannot be a question",
    "401": "This is no enforcement point",
    "403": "It asks for a zone that it does not speak for, or came past the gateway's proxy",
    "413": "The body is too large",
    "429": "It asks more than its share",
    "503": "Nothing can be said now, or the question could not be recorded",
}


def description(*, subjects: Iterable[str], classes: Iterable[str], actions: Iterable[str]) -> dict[str, Any]:
    """The document; ``subjects``, ``classes`` and ``actions`` are those that the policies know."""
    found = document(
        title="Tallygate decision point",
        description="OpenID AuthZEN Authorization API 1.0, for programs that enforce what they hear. A denial is an "
        "answer: 200 with the decision false. Every question is on the record before it is answered.",
        paths={
            f"{AT}/evaluation": {"post": _operation("evaluate", "May this be done?", _one(), _ANSWER)},
            f"{AT}/evaluations": {"post": _operation("evaluateAll", "May each of these be done?", _several(), _EITHER)},
            f"{AT}/search/subject": {"post": _search("subject", "Subject", "Who of those present could?")},
            f"{AT}/search/resource": {"post": _search("resource", "Resource", "What could be reached?")},
            f"{AT}/search/action": {"post": _search("action", "Action", "What could be done there?")},
            "/.well-known/authzen-configuration": {"get": _configuration()},
        },
        schemas=_schemas(sorted(subjects), sorted(classes), sorted(actions)),
        security={
            "key": {"type": "http", "scheme": "bearer", "description": "The enforcement point's key"},
            "certificate": {"type": "mutualTLS", "description": "The certificate of its device"},
        },
    )
    # This description stands beside what it describes.
    found["paths"][f"{AT}/openapi.json"] = found["paths"].pop(ADDRESS)
    return found


_ANSWER: dict[str, Any] = {"$ref": "#/components/schemas/Answer"}
_EITHER: dict[str, Any] = {"anyOf": [{"$ref": "#/components/schemas/Answers"}, _ANSWER]}


def _one() -> dict[str, Any]:
    return _object({**_ASKED, **_CONTEXT}, required=tuple(_ASKED))


def _several() -> dict[str, Any]:
    parts = _object({**_ASKED, **_CONTEXT})
    options = _object({"evaluations_semantic": {"enum": [each.value for each in Semantic]}})
    return _object(
        {
            **_ASKED,
            **_CONTEXT,
            "evaluations": {"type": "array", "items": parts, "minItems": 1, "maxItems": MOST_QUESTIONS},
            "options": options,
        },
        required=("evaluations",),
    )


def _search(wanted: Wanted, schema: str, summary: str) -> dict[str, Any]:
    asked: dict[str, Any] = {name: shape for name, shape in _ASKED.items() if name != wanted}
    if wanted != "action":
        # Its name is what is looked for.
        asked[wanted] = {"$ref": f"#/components/schemas/{schema}Wanted"}
    page = _object({"limit": {"type": "integer", "minimum": 1}, "token": {"type": "string", "maxLength": 1000}})
    results = {"type": "array", "items": {"$ref": f"#/components/schemas/{schema}Found"}, "maxItems": MOST_RESULTS}
    told = _object({"results": results, "page": {"$ref": "#/components/schemas/Page"}}, required=("results", "page"))
    return _operation(
        f"search{schema}s", summary, _object({**asked, **_CONTEXT, "page": page}, required=tuple(asked)), told
    )


def _operation(name: str, summary: str, asked: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    refused = {
        status: {"description": text, "content": {"text/plain": {"schema": TEXT}}} for status, text in _SAYS.items()
    }
    return {
        "operationId": name,
        "summary": summary,
        "security": _SECURITY,
        "requestBody": {"required": True, "content": {"application/json": {"schema": dict(asked)}}},
        "responses": {"200": _told("The answer", told), **refused},
    }


def _configuration() -> dict[str, Any]:
    names = ("policy_decision_point", "access_evaluation_endpoint", "access_evaluations_endpoint")
    searches = tuple(f"search_{each}_endpoint" for each in ("subject", "resource", "action"))
    said = _object(dict.fromkeys((*names, *searches, "signed_metadata"), TEXT), required=(*names, *searches))
    return {
        "operationId": "configuration",
        "summary": "Where the operations are",
        "responses": {"200": _told("The metadata", said)},
    }


def _schemas(subjects: list[str], classes: list[str], actions: list[str]) -> dict[str, dict[str, Any]]:
    subject = {"type": {"enum": subjects}, "id": _NAME, "properties": _PROPERTIES}
    resource = {"type": {"enum": classes}, "id": _NAME, "properties": _OF_RESOURCES}
    action = {"name": {"anyOf": [{"enum": actions}, _NAME]}, "properties": _PROPERTIES}
    found = {"type": TEXT, "id": TEXT}
    answer = _object({"decision": {"type": "boolean"}, "context": _answered()}, required=("decision", "context"))
    return {
        "Subject": _object(subject, required=("type", "id")),
        "SubjectWanted": _object(subject, required=("type",)),
        "SubjectFound": _object(found, required=("type", "id")),
        "Resource": _object(resource, required=("type", "id")),
        "ResourceWanted": _object(resource, required=("type",)),
        "ResourceFound": _object(found, required=("type", "id")),
        "Action": _object(action, required=("name",)),
        "ActionFound": _object({"name": {"enum": actions}}, required=("name",)),
        "Context": _object(
            {
                **dict.fromkeys(("zone", "device", "acting_for", "purpose", "method"), TEXT),
                "assurance": _LEVEL,
                "methods": {"type": "array", "items": TEXT},
            }
        ),
        "Answer": answer,
        "Answers": _object({"evaluations": {"type": "array", "items": answer}}, required=("evaluations",)),
        "Page": _object(
            {"next_token": TEXT, "count": {"type": "integer"}, "total": {"type": "integer"}},
            required=("next_token", "count"),
        ),
    }


def _answered() -> dict[str, Any]:
    texts = {"type": "array", "items": TEXT}
    remedy = _object({"kind": TEXT, "value": TEXT}, required=("kind", "value"))
    return _object(
        {
            **dict.fromkeys(("code", "id", "version", "acr_values"), TEXT),
            "policies": texts,
            "amr_values": texts,
            "reason_user": {"type": "object"},
            "reason_admin": {"type": "object"},
            "could": {"type": "array", "items": remedy},
        },
        required=("code",),
    )


def _object(properties: Mapping[str, Any], *, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Others may stand beside: receivers ignore what they do not know."""
    return {"type": "object", "properties": dict(properties), **({"required": list(required)} if required else {})}


def _told(says: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": says, "content": {"application/json": {"schema": dict(schema)}}}
