# SPDX-License-Identifier: Apache-2.0
"""The part about registration: requests, certificates and tables of devices, for officers, holders and the operator."""

from collections.abc import Mapping
from typing import Any

from core.openapi import PEER, PERSON, TEXT, exact, refusals

from ..models import Reason
from ..x509 import PROFILES
from .parts import BASE64, LONGEST, MOMENT, as_, by_serial, json_, octets

STAGES = ("asked", "evidence", "approved-once", "approved", "issued", "denied", "withdrawn", "expired")
EVIDENCE = ("directory", "face-to-face", "documents")
TABLE_STATES = ("waiting", "running", "done", "cancelled")
LINE_STATES = ("ready", "taken", "issued", "refused")
RA = "/api/v1/ra"
MY = "/api/v1/my"
_ASKED = ("400", "401", "403", "404", "503")
_CHANGED = ("400", "401", "403", "404", "409", "413", "503")
_SHORT = {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "\\S"}
_PROFILE = {"enum": sorted(PROFILES)}
_DIGEST = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "\\S"}
_CSR = {**BASE64, "description": "PKCS #10; only its key and its proof of possession are used"}
_TABLE = "CSV in UTF-8 with the columns device and csr (and hosts), or a ZIP with one whose column is file"


def paths() -> dict[str, Any]:
    """The addresses."""
    return {**_requests(), **_certificates(), **_tables(), **_holders()}


def _requests() -> dict[str, Any]:
    stage = _query("stage", {"enum": ["", *STAGES]}, "Only those of one stage; all undecided ones if empty")
    wish = _object(
        {
            "profile": _PROFILE,
            "subject": {**_SHORT, "maxLength": 128, "description": "Identifier in the directory"},
            "organisation": {"type": "string", "maxLength": 64, "description": "For whom a representative acts"},
            "csr": _CSR,
            **_EVIDENCE,
        },
        optional=("organisation",),
    )
    one = f"{RA}/requests/{{identifier}}"
    return {
        f"{RA}/requests": {
            "get": _reads("requests", "Requests, oldest first", "Requests", [stage, _AFTER]),
            "post": _does("ask", "Ask for somebody whose identity one proved; approves it too", wish, made=True),
        },
        one: {"get": _reads("request", "One request, and what would be issued", "RequestDetail", [_id()])},
        f"{one}/evidence": {"post": _verb("prove", "Say by what the holder's identity was proved", _EVIDENCE)},
        f"{one}/approve": {
            "post": _verb("approve", "Agree to exactly this; the last word has it issued", {"digest": _DIGEST})
        },
        f"{one}/deny": {"post": _verb("deny", "End it, with a reason for whoever asked", {"reason": _SHORT})},
        f"{one}/withdraw": {"post": _verb("withdraw", "Take one's own back", {})},
    }


def _certificates() -> dict[str, Any]:
    subject = _query("subject", {"type": "string", "maxLength": 128}, "Of one subject")
    name = _query("name", {"type": "string", "maxLength": LONGEST}, "By the beginning of the common name")
    one = f"{RA}/certificates/{{serial}}"
    serial = [by_serial()]
    return {
        f"{RA}/certificates": {
            "get": _reads("certificates", "Newest first", "CertificatePage", [subject, name, _BEFORE])
        },
        one: {"get": _reads("certificate", "One certificate", "Certificate", serial)},
        f"{one}/chain": {
            "get": _file("chain", "The certificate and its issuer's", "application/x-pem-file", serial, PERSON)
        },
        f"{one}/revoke": {
            "post": _change("end", "End it for good", {"reason": {"enum": [reason.value for reason in Reason]}}, serial)
        },
        f"{one}/suspend": {"post": _change("hold", "Make it worthless until released", {}, serial)},
        f"{one}/release": {"post": _change("unhold", "End a suspension", {}, serial)},
    }


def _tables() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for prefix, suffix, security in ((f"{RA}/bulk", "", PERSON), ("/api/v1/bulk", "AsRole", PEER)):
        one = f"{prefix}/{{identifier}}"
        found |= {
            prefix: {"post": _upload(f"sendTable{suffix}", security)},
            one: {"get": _reads(f"table{suffix}", "One table", "Table", [_id()], security)},
            f"{one}/report": {
                "get": _file(f"report{suffix}", "What became of every line", "text/csv", [_id()], security)
            },
            f"{one}/certificates": {
                "get": _file(
                    f"tableCertificates{suffix}", "All that were issued", "application/x-pem-file", [_id()], security
                )
            },
        }
    one = f"{RA}/bulk/{{identifier}}"
    found[f"{RA}/bulk"]["get"] = _reads("tables", "Tables of devices, newest first", "Tables", [_BEFORE])
    return found | {
        f"{one}/lines": {"get": _reads("lines", "Its lines in their order", "Lines", [_id(), _AFTER])},
        f"{one}/approve": {
            "post": _change(
                "approveTable", "Agree to what the digest stands for", {"digest": _DIGEST}, [_id()], "Table"
            )
        },
        f"{one}/cancel": {"post": _change("cancelTable", "End one that does not run yet", {}, [_id()], "Table")},
    }


def _holders() -> dict[str, Any]:
    one = f"{MY}/requests/{{identifier}}"
    wish = _object({"offer": {**_SHORT, "maxLength": 100}, "csr": _CSR})
    return {
        f"{MY}/offers": {"get": _reads("offers", "What one may ask for", "Offers", [])},
        f"{MY}/requests": {
            "get": _reads("ownRequests", "One's own, newest first", "OwnRequests", []),
            "post": _does("askForOneself", "Ask for one of the offers", wish, made=True, schema="Request"),
        },
        one: {"get": _reads("ownRequest", "One of one's own", "Request", [_id()])},
        f"{one}/withdraw": {"post": _change("withdrawOwn", "Take it back", {}, [_id()], "Request")},
    }


def _verb(name: str, says: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return _change(name, says, fields, [_id()], "RequestDetail")


def _change(
    name: str, says: str, fields: Mapping[str, Any], parameters: list[dict[str, Any]], schema: str = "Status"
) -> dict[str, Any]:
    return {**_does(name, says, _object(fields), schema=schema), "parameters": parameters}


def _does(
    name: str, says: str, body: dict[str, Any], *, made: bool = False, schema: str = "RequestDetail"
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": says,
        "security": PERSON,
        "requestBody": json_(body),
        "responses": {
            "201" if made else "200": {"description": "As it is now", "content": as_(schema)},
            **refusals(*_CHANGED, *(("429",) if made else ())),
        },
    }


def _reads(
    name: str,
    says: str,
    schema: str,
    parameters: list[dict[str, Any]],
    security: list[dict[str, list[str]]] = PERSON,
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": says,
        "security": security,
        "parameters": parameters,
        "responses": {"200": {"description": says, "content": as_(schema)}, **refusals(*_ASKED)},
    }


def _file(
    name: str, says: str, kind: str, parameters: list[dict[str, Any]], security: list[dict[str, list[str]]]
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": says,
        "security": security,
        "parameters": parameters,
        "responses": {"200": octets(says, kind), **refusals(*_ASKED)},
    }


def _upload(name: str, security: list[dict[str, list[str]]]) -> dict[str, Any]:
    content = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
    devices = [each for each, known in sorted(PROFILES.items()) if known.subject == "device"]
    return {
        "operationId": name,
        "summary": "Have a table of devices looked through; officers agree to it afterwards",
        "security": security,
        "parameters": [
            {**_query("profile", {"enum": devices}, "What every device gets"), "required": True},
            {**_query("reference", _SHORT, "Where the papers of these devices are on file"), "required": True},
            _query("name", {"type": "string", "maxLength": LONGEST}, "What the table is called"),
        ],
        "requestBody": {
            "required": True,
            "description": _TABLE,
            "content": {"text/csv": content, "application/zip": content},
        },
        "responses": {
            "201": {"description": "As it was looked through", "content": as_("Table")},
            **refusals("400", "401", "403", "404", "413", "503"),
        },
    }


def _object(fields: Mapping[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(fields),
        "required": [name for name in fields if name not in optional],
        "additionalProperties": False,
    }


def _query(name: str, schema: dict[str, Any], says: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": says, "schema": schema}


def _id() -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": 64}
    return {"name": "identifier", "in": "path", "required": True, "description": "As lists have it", "schema": schema}


_PLACE = {"type": "string", "pattern": "^[0-9]{0,18}$"}
_AFTER = _query("after", _PLACE, "Where the last page said that there is more")
_BEFORE = _query("before", _PLACE, "Where the last page said that there is more")
_EVIDENCE = {
    "evidence": {"enum": [each for each in EVIDENCE if each != "directory"]},
    "reference": {**_SHORT, "description": "Where the registrar's files hold it, never the document itself"},
}


def schemas() -> dict[str, Any]:
    """What the answers are made of."""
    maybe = {"anyOf": [MOMENT, {"type": "null"}]}
    whole = {"type": "integer", "minimum": 0}
    says = dict.fromkeys(("officer", "digest", "zone"), TEXT)
    approval = exact({**says, "at": MOMENT, "assurance": whole, "counts": {"type": "boolean"}})
    approvals = {"approvals_needed": whole, "approvals": {"type": "array", "items": approval}}
    request = {
        **dict.fromkeys(
            (
                *("id", "subject", "organisation", "name", "asker", "key_hash", "reference", "evidence_by"),
                *("closed_by", "reason", "failure", "serial"),
            ),
            TEXT,
        ),
        "stage": {"enum": list(STAGES)},
        "profile": _PROFILE,
        "evidence": {"enum": [*EVIDENCE, None]},
        "at": MOMENT,
        "expires": MOMENT,
        "closed": maybe,
    }
    part = exact({"kind": TEXT, "value": TEXT})
    preview = exact(
        {
            **dict.fromkeys(("profile", "subject", "organisation", "name", "csr_hash", "key_hash", "algorithm"), TEXT),
            "names": {"type": "array", "items": part},
            "alternatives": {"type": "array", "items": part},
            "validity_days": whole,
            "until": TEXT,
            "digest": TEXT,
        }
    )
    table = {
        **dict.fromkeys(("id", "name", "asker", "reference", "digest", "closed_by"), TEXT),
        "state": {"enum": list(TABLE_STATES)},
        "profile": _PROFILE,
        "at": MOMENT,
        "closed": maybe,
        **dict.fromkeys(("lines", *LINE_STATES), whole),
        **approvals,
    }
    line = {
        "line": whole,
        **dict.fromkeys(("device", "name", "key_hash", "serial", "code", "reason"), TEXT),
        "hosts": {"type": "array", "items": TEXT},
        "state": {"enum": list(LINE_STATES)},
    }
    offer = exact(dict.fromkeys(("offer", "profile", "organisation", "name"), TEXT))
    return {
        "Request": exact(request),
        "RequestDetail": exact(
            {**request, "csr": BASE64, "preview": {"anyOf": [preview, {"type": "null"}]}, **approvals}
        ),
        "Requests": _page("requests", "Request"),
        "OwnRequests": exact({"requests": _many("Request")}),
        "CertificatePage": _page("certificates", "Certificate"),
        "Table": exact(table),
        "Tables": _page("tables", "Table"),
        "Line": exact(line),
        "Lines": _page("lines", "Line"),
        "Offers": exact({"offers": {"type": "array", "items": offer}}),
    }


def _many(schema: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{schema}"}}


def _page(name: str, schema: str) -> dict[str, Any]:
    more = {"type": "integer", "minimum": 0, "description": "Where the next page begins; 0 if there is none"}
    return exact({name: _many(schema), "more": more})
