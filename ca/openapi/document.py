# SPDX-License-Identifier: Apache-2.0
"""The whole document: public facts, the verbs for other roles, and what the other parts add."""

from typing import Any

from core.openapi import PEER, PERSON, TEXT, document, exact, refusals

from ..models import AUTHORITY_PATTERN, ISSUERS, Reason, Standing, State
from ..x509 import PROFILES
from . import incidents, registration, watching
from .parts import BASE64, LONGEST, MOMENT, as_, by_serial, json_, octets

# On a role's own behalf, or with the gateway's word about the person whose wish it carries.
_CARRIED = [*PEER, {**PEER[0], **PERSON[0]}]


def description() -> dict[str, Any]:
    """The document."""
    return document(
        title="Tallygate certificate authority",
        description="OCSP answers, revocation lists and issuers' certificates for everybody; for roles of the site the "
        "verbs over certificates, each on its own behalf or with the gateway's signed word about a person; for "
        "officers and holders whom the gateway names the verbs of registration.",
        paths={
            "/ocsp/{issuer}": {"post": _ask()},
            "/ocsp/{issuer}/{encoded}": {"get": _ask_by_path()},
            "/crl/{issuer}.crl": {"get": _fact("readList", "The present revocation list", "application/pkix-crl")},
            "/crl/{issuer}/{name}.crl": {
                "get": _fact("readShard", "A list that certificates name, or its delta", "application/pkix-crl", _NAME)
            },
            "/ca/{issuer}.cer": {"get": _fact("readIssuer", "The issuer's certificate", "application/pkix-cert")},
            "/api/v1/certificates": {"post": _issue()},
            "/api/v1/certificates/{serial}": {"get": _read("show", "One certificate", "Certificate")},
            "/api/v1/certificates/{serial}/status": {"get": _read("status", "What it is worth now", "Status")},
            "/api/v1/certificates/{serial}/revoke": {"post": _change("revoke", "End it for good", _CARRIED)},
            "/api/v1/certificates/{serial}/suspend": {
                "post": _change("suspend", "Make it worthless until released", _CARRIED)
            },
            "/api/v1/certificates/{serial}/release": {"post": _change("release", "End a suspension", PEER)},
            "/api/v1/subjects/{subject}/certificates": {"get": _list()},
            "/api/v1/keys/{key}/block": {"post": _block()},
            **watching.paths(),
            **incidents.paths(),
            **registration.paths(),
        },
        schemas={**_schemas(), **watching.schemas(), **incidents.schemas(), **registration.schemas()},
    )


def _ask() -> dict[str, Any]:
    question = {"application/ocsp-request": {"schema": {"type": "string", "format": "binary"}}}
    return {
        "operationId": "askStatus",
        "summary": "OCSP (RFC 6960); what cannot be read is answered “malformed request”",
        "parameters": [_issuer()],
        "requestBody": {"required": True, "content": question},
        "responses": {"200": octets("A signed answer", "application/ocsp-response"), **refusals("404", "413", "503")},
    }


def _ask_by_path() -> dict[str, Any]:
    encoded = {"name": "encoded", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    return {
        "operationId": "askStatusByPath",
        "summary": "The same with the request in base64 in the path (RFC 6960 appendix A.1)",
        "parameters": [_issuer(), encoded],
        "responses": {"200": octets("A signed answer", "application/ocsp-response"), **refusals("404", "503")},
    }


def _fact(name: str, says: str, kind: str, *more: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": says,
        "parameters": [_issuer(), *more],
        "responses": {"200": octets(says, kind), **refusals("404", "503")},
    }


def _issue() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": LONGEST}
    wish = {
        "type": "object",
        "properties": {
            "profile": {"enum": sorted(PROFILES)},
            "csr": {**BASE64, "description": "PKCS #10; only its key and its proof of possession are used"},
            "subject": {**text, "description": "Identifier in the directory; a label for a machine of the site"},
            "actor": _actor(),
            "hosts": {"type": "array", "items": TEXT, "maxItems": 100, "description": "For servers only"},
            "issuer": {"enum": ["", *ISSUERS], "description": "Where a profile has several"},
            "organisation": {**TEXT, "maxLength": LONGEST, "description": "For whom a representative acts"},
            "exception": {**TEXT, "maxLength": LONGEST, "description": "Why the operator does without officers"},
        },
        "required": ["profile", "csr", "subject"],
        "additionalProperties": False,
    }
    return {
        "operationId": "issue",
        "summary": "Have a certificate made; its intent is in the published record before it is signed",
        "security": _CARRIED,
        "requestBody": json_(wish),
        "responses": {
            "201": {"description": "The certificate and its chain without the root, PEM", "content": as_("Issued")},
            **refusals("400", "401", "403", "404", "409", "413", "503"),
        },
    }


def _block() -> dict[str, Any]:
    digits = {"type": "string", "pattern": "^[0-9A-Fa-f]{64}$"}
    key = {"name": "key", "in": "path", "required": True, "schema": digits, "description": "SHA-256 of the public key"}
    wish = {"type": "object", "properties": {"actor": _actor()}, "additionalProperties": False}
    told = {
        "type": "object",
        "properties": {
            "revoked": {"type": "integer", "minimum": 0},
            "certificates": {"type": "array", "items": {"$ref": "#/components/schemas/Certificate"}},
        },
        "required": ["revoked", "certificates"],
    }
    return {
        "operationId": "blockKey",
        "summary": "Never certify a key again, and revoke what was made for it; the newest of that are told",
        "security": PEER,
        "parameters": [key],
        "requestBody": json_(wish),
        "responses": {
            "200": {"description": "What that revoked", "content": {"application/json": {"schema": told}}},
            **refusals("400", "401", "403", "413", "503"),
        },
    }


def _read(name: str, says: str, schema: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": says,
        "security": PEER,
        "parameters": [by_serial()],
        "responses": {
            "200": {"description": says, "content": as_(schema)},
            **refusals("400", "401", "403", "404", "503"),
        },
    }


def _change(name: str, says: str, security: list[dict[str, list[str]]]) -> dict[str, Any]:
    properties: dict[str, Any] = {"actor": _actor()}
    required = []
    if name == "revoke":
        properties["reason"] = {"enum": [reason.value for reason in Reason]}
        required = ["reason"]
    wish = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {
        "operationId": name,
        "summary": says,
        "security": security,
        "parameters": [by_serial()],
        "requestBody": json_(wish),
        "responses": {
            "200": {"description": "What it is worth now", "content": as_("Status")},
            **refusals("400", "401", "403", "404", "409", "413", "503"),
        },
    }


def _list() -> dict[str, Any]:
    subject = {"type": "string", "minLength": 1, "maxLength": LONGEST}
    return {
        "operationId": "list",
        "summary": "The newest certificates of one subject",
        "security": PEER,
        "parameters": [{"name": "subject", "in": "path", "required": True, "schema": subject}],
        "responses": {
            "200": {"description": "Newest first", "content": as_("Certificates")},
            **refusals("400", "401", "403", "404", "503"),
        },
    }


_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[1-9][0-9]{0,3}(-delta)?$"},
}


def _issuer() -> dict[str, Any]:
    schema = {"type": "string", "pattern": f"^({AUTHORITY_PATTERN})$"}
    says = "Name of an authority, with its hierarchy and generation"
    return {"name": "issuer", "in": "path", "required": True, "description": says, "schema": schema}


def _actor() -> dict[str, Any]:
    says = "Whom the role speaks for; itself or nothing, or the person of the header it passes on"
    return {"type": "string", "maxLength": LONGEST, "description": says}


def _schemas() -> dict[str, Any]:
    standing = {"enum": [standing.value for standing in Standing]}
    maybe = {"anyOf": [MOMENT, {"type": "null"}]}
    certificate = {
        **dict.fromkeys(("serial", "issuer", "profile", "subject", "name", "actor"), TEXT),
        "state": {"enum": [state.value for state in State]},
        "standing": standing,
        **dict.fromkeys(("created", "not_before", "not_after"), MOMENT),
        "der": BASE64,
        "changed": maybe,
        "reason": {"enum": [*(reason.value for reason in Reason), None]},
    }
    status = {
        **dict.fromkeys(("serial", "issuer", "profile", "subject"), TEXT),
        "standing": standing,
        "not_after": maybe,
    }
    certificates = {"type": "array", "items": {"$ref": "#/components/schemas/Certificate"}}
    return {
        "Issued": exact(dict.fromkeys(("serial", "certificate", "chain"), TEXT)),
        "Certificate": exact(certificate),
        "Certificates": exact({"certificates": certificates}),
        "Status": exact(status),
    }
