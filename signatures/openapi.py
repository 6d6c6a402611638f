# SPDX-License-Identifier: Apache-2.0
"""What the REST interface takes and gives, as OpenAPI 3.1; the tests hold the interface to it."""

from typing import Any

from core.identity import HEADER
from core.openapi import PEER, TEXT, document, exact, refusals

from .looks import Certification, Locking, PageState
from .models import Colour, Format, Indication, Level, Overall, Profile, Revocation, Severity, StampState, Value
from .verdict.words import QUESTIONS

TAKEN = frozenset(
    {
        "application/pdf",
        "application/octet-stream",
        "application/pkcs7-mime",
        "application/pkcs7-signature",
        "application/jose",
        "application/xml",
        "application/zip",
        "application/vnd.etsi.asic-e+zip",
        "application/vnd.etsi.asic-s+zip",
        "application/ofd",
    }
)
"""Media types of files to verify; what a file is, its bytes say."""
_BINARY = {"type": "string", "format": "binary", "minLength": 1}
_BOTH = exact({"en": TEXT, "zh": TEXT})
_IDENTIFIER = "^[A-Za-z0-9_-]{1,64}$"
_PERHAPS = {"type": ["string", "null"], "format": "date-time"}
_MOMENT = {"type": "string", "format": "date-time"}

_WAITS = {
    "description": "The order waits for a second keeper, at this address",
    "content": {"application/json": {"schema": exact({"code": TEXT, "address": TEXT})}},
}


NAME: dict[str, Any] = {
    "name": "name",
    "in": "query",
    "required": False,
    "description": "what the file is called, for a keeper who has to look at it",
    # Letters, digits and signs that can be shown; what cannot is refused.
    "schema": {"type": "string", "pattern": "^[ -~\u00c0-\u024f\u4e00-\u9fa5]{0,200}$"},
}


def description(largest: int) -> dict[str, Any]:
    """The document; ``largest`` is the site's limit in bytes."""
    return document(
        title="Tallygate signatures",
        description="Verify signed documents. Four plain questions, answered yes, no or unknown, "
        "in English and Chinese; nothing of a document is kept.",
        paths={
            "/api/v1/verify": {"post": _verify(largest)},
            "/api/v1/signed-revision": {"post": _signed_revision(largest)},
            "/api/v1/seal": {"post": _seal(largest)},
            "/api/v1/detached": {"post": _detached(largest)},
            "/api/v1/register": {"get": _register()},
            "/api/v1/seals": {"post": _establish()},
            "/api/v1/keepers": {"post": _keepers()},
        },
        schemas=_schemas(),
    )


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
        "requestBody": signed(largest),
        "responses": {
            "200": {
                "description": "The verdict, byte for byte what the page and the offline command say",
                "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Verdict"}},
                    "application/xml": {"schema": {"type": "string", "description": "ETSI TS 119 102-2"}},
                    "application/pdf": {"schema": {"type": "string", "format": "binary"}},
                },
            },
            **refusals("400", "413", "503"),
        },
    }


def _seal(largest: int) -> dict[str, Any]:
    return {
        "operationId": "seal",
        "summary": "Put an organisation's seal on a document; for roles of the site",
        "description": "A role behind the gateway passes on the header with which the gateway let the person through, "
        "and the person is taken from there; the operator names the person.",
        "security": PEER,
        "parameters": [*_who(), *_look()],
        "requestBody": _pdf(largest),
        "responses": {
            "200": {"description": "The sealed document", "content": {"application/pdf": {"schema": {}}}},
            "202": _WAITS,
            **refusals("400", "401", "403", "404", "409", "413", "503"),
        },
    }


def _detached(largest: int) -> dict[str, Any]:
    return {
        "operationId": "detached",
        "summary": "Sign any file for an organisation, the signature beside it (CAdES); for roles of the site",
        "security": PEER,
        "parameters": [
            *_who(),
            NAME,
        ],
        "requestBody": {
            "required": True,
            "description": f"At most {largest} bytes",
            "content": {"application/octet-stream": {"schema": _BINARY}},
        },
        "responses": {
            "200": {"description": "The signature, DER", "content": {"application/pkcs7-signature": {"schema": {}}}},
            "202": _WAITS,
            **refusals("400", "401", "403", "404", "409", "413", "503"),
        },
    }


def _who() -> list[dict[str, Any]]:
    """Who asks for whom."""

    def text(name: str, **schema: Any) -> dict[str, Any]:
        return {"name": name, "in": "query", "required": name == "organisation", "schema": {"type": "string", **schema}}

    return [
        text("organisation", pattern=_IDENTIFIER),
        text("actor", pattern=_IDENTIFIER),
        text("assurance", enum=["0", "1", "2", "3"]),
        text("zone", enum=["external", "internal", "management"]),
        text("session", pattern="^[A-Za-z0-9._~-]{0,128}$"),
        {"name": HEADER, "in": "header", "required": False, "schema": TEXT},
    ]


def _look() -> list[dict[str, Any]]:
    """Where the picture goes and what the signature permits."""

    def one(name: str, description: str, **schema: Any) -> dict[str, Any]:
        return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}

    axis = "points (1/72 inch) from the lower left corner of the page as a reader sees it; both or neither"
    number = {"type": "string", "pattern": r"^-?[0-9]{1,5}(\.[0-9]{1,3})?$"}
    return [
        one("page", "counted from 1; left out, the last one", type="string", pattern="^[0-9]{1,5}$"),
        one("x", f"left edge of the picture, {axis}", **number),
        one("y", f"lower edge of the picture, {axis}", **number),
        one("field", "an empty signature field instead of a place", type="string", minLength=1, maxLength=200),
        one("certify", "what may happen afterwards; the first signature only", enum=[*map(str, Certification)]),
        one("lock", "form fields nobody may change afterwards", enum=[*map(str, Locking)]),
        one("locked", "fields for lock include or exclude", type="array", items={**TEXT, "maxLength": 200}),
        one("code", "a code beside the seal that leads to the verification page", enum=["yes"]),
        one("further", "others may have signed before", enum=["yes"]),
    ]


def _register() -> dict[str, Any]:
    entry = {"id": TEXT, "number": TEXT, "state": TEXT, "issued_at": _PERHAPS}
    answer = exact(
        {"organisation": TEXT, "year": {"type": "integer"}, "entries": {"type": "array", "items": exact(entry)}}
    )
    return {
        "operationId": "register",
        "summary": "Every number of an organisation's official documents in a year; for roles of the site",
        "security": PEER,
        "parameters": [
            {"name": "organisation", "in": "query", "required": True, "schema": {**TEXT, "pattern": _IDENTIFIER}},
            {"name": "year", "in": "query", "required": False, "schema": {**TEXT, "pattern": "^[0-9]{4}$"}},
        ],
        "responses": {
            "200": {"description": "In order, none missing", "content": {"application/json": {"schema": answer}}},
            **refusals("400", "401", "403", "503"),
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
    made = {"type": "object", "properties": dict.fromkeys(names, TEXT), "required": list(names)}
    return {
        "operationId": "establish",
        "summary": "Give an organisation its seal; for the operator",
        "security": PEER,
        "requestBody": {"required": True, "content": {"application/json": {"schema": wish}}},
        "responses": {
            "200": {"description": "The seal in use", "content": {"application/json": {"schema": made}}},
            **refusals("400", "401", "403", "404", "409", "413", "503"),
        },
    }


def _keepers() -> dict[str, Any]:
    names = {"type": "array", "items": TEXT}
    named = exact({"organisation": TEXT, "keepers": names})
    return {
        "operationId": "name_keepers",
        "summary": "Name the first keepers of a seal, by user name; for the operator",
        "security": PEER,
        "requestBody": {"required": True, "content": {"application/json": {"schema": named}}},
        "responses": {
            "200": {"description": "By subject", "content": {"application/json": {"schema": named}}},
            **refusals("400", "401", "403", "404", "409", "413", "503"),
        },
    }


def _signed_revision(largest: int) -> dict[str, Any]:
    page = exact({"page": {"type": "integer", "minimum": 1}, "state": {"enum": [state.value for state in PageState]}})
    count = {"type": "integer", "minimum": 0}
    pages = {"type": "array", "items": page}
    compared = exact({"pages_then": count, "pages_now": count, "whole": {"type": "boolean"}, "pages": pages})
    return {
        "operationId": "signed_revision",
        "summary": "What was signed, without what came after; or, as JSON, which pages look different now",
        "parameters": [
            {
                "name": "signature",
                "in": "query",
                "description": "Which one, counted as in the verdict",
                "schema": {"type": "string", "pattern": "^[1-9][0-9]?$", "default": "1"},
            }
        ],
        "requestBody": _pdf(largest),
        "responses": {
            "200": {
                "description": "By what is accepted",
                "content": {"application/pdf": {"schema": {}}, "application/json": {"schema": compared}},
            },
            **refusals("400", "409", "413", "503"),
        },
    }


def signed(largest: int) -> dict[str, Any]:
    """A signed file, alone or as part of a form with what belongs to it."""
    parts = {
        "type": "object",
        "properties": {"document": _BINARY, "content": _BINARY, "beside": {"type": "array", "items": _BINARY}},
        "required": ["document"],
        "description": "A detached signature and, as content, the document it is over; or a PDF and, as beside, "
        "the time-stamps (RFC 3161) that an archive made beside it",
    }
    media: dict[str, Any] = {kind: {"schema": _BINARY} for kind in ("application/octet-stream", "application/pdf")}
    return {
        "required": True,
        "description": f"The signed file, 1 to {largest} bytes: PDF, CMS, XAdES, JWS, ASiC, OFD, an evidence file, or "
        "a document of an archive with its proof. "
        f"Taken are {', '.join(sorted(TAKEN))}; what a file is, its bytes say.",
        "content": {**media, "multipart/form-data": {"schema": parts}},
    }


def _pdf(largest: int) -> dict[str, Any]:
    return {
        "required": True,
        "description": f"The document, 1 to {largest} bytes",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary", "minLength": 1}}},
    }


def _schemas() -> dict[str, Any]:
    verdict = {
        "version": {"const": "tallygate-verdict/1"},
        "format": {"enum": [value.value for value in Format]},
        "overall": {"enum": [value.value for value in Overall]},
        "colour": {"enum": [value.value for value in Colour]},
        "problems": {"type": "array", "items": {"$ref": "#/components/schemas/Finding"}},
        "content": {"anyOf": [exact({"sha256": TEXT}), {"type": "null"}]},
        "indication": {"enum": [value.value for value in Indication]},
        "subindication": TEXT,
        "headline": _BOTH,
        "advice": _BOTH,
        "checked_at": _MOMENT,
        "profile": {"enum": [profile.value for profile in Profile]},
        "document": exact({"sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "size": {"type": "integer"}}),
        "signatures": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Signature"}},
    }
    stamp = {
        "at": _PERHAPS,
        "name": TEXT,
        "state": {"enum": [state.value for state in StampState]},
        "archive": {"type": "boolean"},
        "beside": {"type": "boolean"},
        "sha256": TEXT,
        "algorithm": TEXT,
    }
    problem = {
        "signature": {"type": "integer", "minimum": 0},
        "question": {"enum": ["", *QUESTIONS]},
        "severity": {"enum": [severity.value for severity in Severity]},
        "code": TEXT,
        "en": TEXT,
        "zh": TEXT,
    }
    certificate = dict.fromkeys(("serial", "name", "organisation", "subject", "issuer", "sha256"), TEXT)
    status = {
        "status": {"enum": [state.value for state in Revocation]},
        "status_of": TEXT,
        "status_until": TEXT,
        "status_by": {"enum": ["", "asked", "held"]},
    }
    signature = {
        "field": TEXT,
        "overall": {"enum": [value.value for value in Overall]},
        "indication": {"enum": [value.value for value in Indication]},
        "subindication": TEXT,
        "level": {"enum": [*(level.value for level in Level), None]},
        "algorithm": TEXT,
        "claimed_at": _PERHAPS,
        "proven_at": _PERHAPS,
        "stamps": {"type": "array", "items": exact(stamp)},
        "changed_fields": {"type": "array", "items": TEXT},
        "covered": {"type": "array", "items": TEXT},
        "uncovered": {"type": "array", "items": TEXT},
        "certified": {"enum": ["", "nothing", "form", "notes"]},
        "revision": {"type": "integer", "minimum": 0},
        "value": TEXT,
        "answers": exact({name: {"$ref": "#/components/schemas/Answer"} for name in QUESTIONS}),
        "certificate": {
            "anyOf": [
                exact({**certificate, "not_before": _MOMENT, "not_after": _MOMENT, **status}),
                {"type": "null"},
            ]
        },
    }
    answer = {"value": {"enum": [value.value for value in Value]}, "code": TEXT, "en": TEXT, "zh": TEXT}
    return {
        "Verdict": exact(verdict),
        "Signature": exact(signature),
        "Answer": exact(answer),
        "Finding": exact(problem),
    }
