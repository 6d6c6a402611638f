# SPDX-License-Identifier: Apache-2.0
"""What the interface for agencies' programs takes and gives, as OpenAPI 3.1; the tests hold the interface to it."""

from typing import Any

from core.openapi import TEXT, document, exact, refusals

from .agencies import BatchState, ItemState
from .archive import Keeping
from .keeping import Purpose
from .keeping import State as OrderState
from .models import Profile
from .openapi import NAME, signed
from .papers import Kind, State

_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A string in quotes. For 24 hours the same key and document get the same answer, sealed once.",
    "schema": {"type": "string", "pattern": '^"[A-Za-z0-9_-]{8,64}"$'},
}
_BATCH = {"name": "batch", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"}}
_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,60}[.]pdf$"},
}
_DOCUMENT = {**_BATCH, "name": "document"}
_PAPER = {**_BATCH, "name": "paper"}
_ORDER = {**_BATCH, "name": "order"}
_MADE = ("application/pdf", "application/pkcs7-signature")
_COUNT = {"type": "integer", "minimum": 0}
_DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_REFUSED = ("400", "401", "403", "413", "429", "503")


def description(largest: int) -> dict[str, Any]:
    """The document; ``largest`` is the site's limit in bytes."""
    at = "/agencies/v1"
    found = document(
        title="Tallygate signatures for agencies",
        description="For programs with a token of their own, of the scope documents, bound to a key (DPoP) or a "
        "certificate. Every answer says what is left of the agency's quota.",
        paths={
            f"{at}/verify": {"post": _verify(largest)},
            f"{at}/seal": {"post": _seal(largest)},
            f"{at}/detached": {"post": _detached(largest)},
            f"{at}/batches": {"post": _one("openBatch", "Open a batch", "201", "Batch")},
            f"{at}/batches/{{batch}}": {"get": _one("batch", "How far a batch is", "200", "Batch", _BATCH)},
            f"{at}/batches/{{batch}}/documents": {
                "get": _one("documents", "Every document and what became of it", "200", "Documents", _BATCH)
            },
            f"{at}/batches/{{batch}}/documents/{{name}}": {"put": _add(largest), "get": _result()},
            f"{at}/batches/{{batch}}/start": {"post": _start()},
            f"{at}/orders/{{order}}": {"get": _one("order", "How an order stands", "200", "Order", _ORDER)},
            f"{at}/orders/{{order}}/file": {"get": _file("orderFile", "What was sealed by an order", _ORDER, *_MADE)},
            f"{at}/orders/{{order}}/withdraw": {"post": _withdraw()},
            f"{at}/papers": {"post": _begin(largest)},
            f"{at}/papers/{{paper}}": {"get": _one("paper", "How far a paper is", "200", "Paper", _PAPER)},
            f"{at}/papers/{{paper}}/file": {"get": _file("paperFile", "The present revision of a paper", _PAPER)},
            f"{at}/papers/{{paper}}/{{step}}": {"post": _step()},
            f"{at}/archive": {"post": _deposit(largest)},
            f"{at}/archive/{{document}}": {
                "get": _one("archived", "How a document stands", "200", "Archived", _DOCUMENT)
            },
            f"{at}/archive/{{document}}/file": {
                "get": _file("archivedFile", "A document of the archive with everything that proves it", _DOCUMENT)
            },
            f"{at}/batches/{{batch}}/results.zip": {"get": _zip()},
        },
        schemas=_schemas(),
    )
    # This description stands beside what it describes.
    found["paths"][f"{at}/openapi.json"] = found["paths"].pop("/api/v1/openapi.json")
    return found


def _verify(largest: int) -> dict[str, Any]:
    profile = {"type": "string", "enum": [each.value for each in Profile], "default": "strict"}
    return {
        "operationId": "verifyForAgency",
        "summary": "Can this document be trusted?",
        "parameters": [{"name": "profile", "in": "query", "schema": profile}],
        "requestBody": signed(largest),
        "responses": {"200": _json({"type": "object"}, "The verdict"), **refusals(*_REFUSED)},
    }


def _seal(largest: int) -> dict[str, Any]:
    return {
        "operationId": "sealForAgency",
        "summary": "Put the seal of the program's agency on a PDF",
        "parameters": [_KEY],
        "requestBody": _pdf(largest),
        "responses": {
            "200": {"description": "The sealed document", "content": {"application/pdf": {"schema": {}}}},
            "202": _json(_named("Waiting"), "Keepers of the seal have to confirm it first"),
            **refusals(*_REFUSED, "409", "422"),
        },
    }


def _detached(largest: int) -> dict[str, Any]:
    return {
        "operationId": "detachedForAgency",
        "summary": "Sign any file for the program's agency, the signature beside it (CAdES)",
        "parameters": [_KEY, NAME],
        "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": _bytes(largest)}}},
        "responses": {
            "200": {"description": "The signature, DER", "content": {"application/pkcs7-signature": {"schema": {}}}},
            "202": _json(_named("Waiting"), "Keepers of the seal have to confirm it first"),
            **refusals(*_REFUSED, "409", "422"),
        },
    }


def _add(largest: int) -> dict[str, Any]:
    return {
        "operationId": "addDocument",
        "summary": "Put a PDF into a batch; the very same again changes nothing",
        "parameters": [_BATCH, _NAME],
        "requestBody": _pdf(largest),
        "responses": {
            **{code: _json(exact({"name": TEXT}), "It is in the batch") for code in ("200", "201")},
            **refusals(*_REFUSED, "404", "409"),
        },
    }


def _start() -> dict[str, Any]:
    return {
        "operationId": "startBatch",
        "summary": "Confirm the whole batch and begin",
        "description": "digest: SHA-256 over the lines that sha256sum writes of all documents, sorted by name.",
        "parameters": [_BATCH],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": exact({"count": _COUNT, "digest": _DIGEST})}},
        },
        "responses": {"202": _json(_named("Batch"), "It has begun"), **refusals(*_REFUSED, "404", "409")},
    }


def _result() -> dict[str, Any]:
    return {
        "operationId": "result",
        "summary": "One sealed document",
        "parameters": [_BATCH, _NAME],
        "responses": {
            "200": {"description": "It", "content": {"application/pdf": {"schema": {}}}},
            **refusals(*_REFUSED, "404"),
        },
    }


def _deposit(largest: int) -> dict[str, Any]:
    return {
        "operationId": "deposit",
        "summary": "Have a signed PDF kept provable",
        "requestBody": _pdf(largest),
        "responses": {"201": _json(_named("Archived"), "It is in the archive"), **refusals(*_REFUSED, "409")},
    }


def _begin(largest: int) -> dict[str, Any]:
    texts = {"word": 20, "title": 200}
    kind = {"type": "string", "enum": [each.value for each in Kind]}
    signer = {"type": "string", "minLength": 1, "maxLength": 65}
    return {
        "operationId": "beginPaper",
        "summary": "Send a PDF round to be signed, or begin an official document",
        "description": "signer, once for each who signs, in order: an organisation, or @ and a person's user name.",
        "parameters": [
            {"name": "kind", "in": "query", "required": True, "schema": kind},
            {"name": "signer", "in": "query", "schema": {"type": "array", "maxItems": 8, "items": signer}},
            *({"name": each, "in": "query", "schema": {"type": "string", "maxLength": n}} for each, n in texts.items()),
        ],
        "requestBody": _pdf(largest),
        "responses": {"201": _json(_named("Paper"), "It is on its way"), **refusals(*_REFUSED, "409")},
    }


def _step() -> dict[str, Any]:
    step = {"type": "string", "enum": ["seal", "issue", "withdraw"]}
    return {
        "operationId": "stepPaper",
        "summary": "Set the seal whose turn it is, issue, or withdraw",
        "parameters": [_PAPER, {"name": "step", "in": "path", "required": True, "schema": step}],
        "responses": {
            "200": _json(_named("Paper"), "As it stands now"),
            "202": _json(_named("Waiting"), "Keepers of the seal have to confirm it first"),
            **refusals(*_REFUSED, "404", "409"),
        },
    }


def _withdraw() -> dict[str, Any]:
    return {
        "operationId": "withdrawOrder",
        "summary": "Take an order back that no keeper has confirmed yet",
        "parameters": [_ORDER],
        "responses": {"200": _json(_named("Order"), "As it stands now"), **refusals(*_REFUSED, "404", "409")},
    }


def _file(operation: str, summary: str, parameter: dict[str, Any], *media: str) -> dict[str, Any]:
    return {
        "operationId": operation,
        "summary": summary,
        "parameters": [parameter],
        "responses": {
            "200": {"description": "It", "content": {each: {"schema": {}} for each in media or ("application/pdf",)}},
            **refusals(*_REFUSED, "404"),
        },
    }


def _zip() -> dict[str, Any]:
    return {
        "operationId": "results",
        "summary": "Every sealed document in one file",
        "parameters": [_BATCH],
        "responses": {
            "200": {"description": "They", "content": {"application/zip": {"schema": {}}}},
            **refusals(*_REFUSED, "404"),
        },
    }


def _one(operation: str, summary: str, code: str, schema: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": operation,
        "summary": summary,
        "parameters": list(parameters),
        "responses": {code: _json(_named(schema), summary), **refusals(*_REFUSED, "404")},
    }


def _schemas() -> dict[str, Any]:
    counts = dict.fromkeys(("documents", "waiting", "made", "failed"), _COUNT)
    state = {"type": "string", "enum": [each.value for each in BatchState]}
    order_state = {"type": "string", "enum": [each.value for each in OrderState]}
    order = {
        **dict.fromkeys(("id", "organisation", "name", "until", "address"), TEXT),
        "purpose": {"type": "string", "enum": [each.value for each in Purpose]},
        "sha256": _DIGEST,
        "state": order_state,
        "missing": _COUNT,
    }
    of_batch = exact({"id": TEXT, "state": order_state, "address": TEXT})
    batch = {"id": TEXT, "organisation": TEXT, "state": state, "digest": TEXT, **counts}
    batch["order"] = {"anyOf": [of_batch, {"type": "null"}]}
    ended = {"type": "string", "enum": [each.value for each in ItemState]}
    item = {"name": TEXT, "sha256": _DIGEST, "state": ended, "code": TEXT}
    archived = {
        "id": TEXT,
        "keeping": {"type": "string", "enum": [each.value for each in Keeping]},
        "sha256": _DIGEST,
        "stamps": _COUNT,
        "algorithm": TEXT,
        **{name: {"type": ["string", "null"]} for name in ("stamped_at", "ends_at")},
        "deposited_at": TEXT,
        "trouble": TEXT,
        "beside": {"type": "array", "items": exact({"number": _COUNT, "digest": _DIGEST, "token": TEXT})},
    }
    moment = {"type": ["string", "null"]}
    paper = {
        **dict.fromkeys(("id", "organisation", "title", "number", "made_at"), TEXT),
        "kind": {"type": "string", "enum": [each.value for each in Kind]},
        "state": {"type": "string", "enum": [each.value for each in State]},
        "issued_at": moment,
        "turns": {"type": "array", "items": exact({"organisation": TEXT, "person": TEXT, "done_at": moment})},
    }
    return {
        "Archived": exact(archived),
        "Batch": exact(batch),
        "Order": exact(order),
        "Paper": exact(paper),
        "Waiting": exact(dict.fromkeys(("code", "order", "address"), TEXT)),
        "Documents": exact({"documents": {"type": "array", "items": exact(item)}}),
    }


def _json(schema: dict[str, Any], what: str) -> dict[str, Any]:
    return {"description": what, "content": {"application/json": {"schema": schema}}}


def _named(schema: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _pdf(largest: int) -> dict[str, Any]:
    return {"required": True, "content": {"application/pdf": {"schema": _bytes(largest)}}}


def _bytes(largest: int) -> dict[str, Any]:
    return {"type": "string", "format": "binary", "minLength": 1, "maxLength": largest}
