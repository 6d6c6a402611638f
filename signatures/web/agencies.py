# SPDX-License-Identifier: Apache-2.0
"""What programs of agencies ask, each with a bound token of its own, below ``/agencies/v1`` of the host ``sign``.

An operator's command asks for batches as a peer, in the name of a person, below ``/api/v1``.
"""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from core.web import Guard, identity, json_object
from core.web.inputs import Malformed, query_text

from ..agencies import Batch, Doing, Item, Left, NoSuchBatch, Program
from ..errors import SecondAsked
from ..keeping import Order
from ..models import Profile
from ..openapi_agencies import description
from ..service import Agencies, Batches, Verification
from ..service.verification import Asker
from ..verdict import Catalogue, canonical
from .blueprint import Pages
from .bodies import ANY, body, question

_OPERATOR = "app"
_LONGEST_NAME = 200
_JSON = 4096


def agencies(service: Agencies, batches: Batches, verification: Verification, *, largest: int) -> Pages:
    """Verdicts, seals and batches for programs; and what the operator writes down for them."""
    catalogue = Catalogue()

    def pages(blue: Blueprint, guard: Guard) -> None:
        @blue.get("/agencies/v1/openapi.json")
        @guard.person(errors="problem", programs=True)
        def agencies_openapi() -> Response:
            service.admit(identity(), None, counted=False)
            return jsonify(description(largest))

        @blue.post("/agencies/v1/verify")
        @guard.person(errors="problem", programs=True)
        def agencies_verify() -> Response:
            program, left = service.admit(identity(), Doing.VERIFY)
            wish = query_text("profile") or Profile.STRICT.value
            if wish not in set(Profile):
                raise Malformed(field="profile")
            sent, asker = question(largest), Asker(caller=f"program:{program.client}")
            verdict = verification.verify(
                sent.document, asker=asker, profile=Profile(wish), content=sent.content, beside=sent.beside
            )
            return _told(Response(canonical(verdict, catalogue), content_type="application/json"), left)

        @blue.post("/agencies/v1/seal")
        @guard.person(errors="problem", programs=True)
        def agencies_seal() -> ResponseReturnValue:
            program, left = service.admit(identity(), Doing.SEAL)
            key = request.headers.get("Idempotency-Key", "")
            try:
                sealed = service.seal(program, identity(), body(largest), key=key)
            except SecondAsked as asked:
                return _told(jsonify(waiting(asked)), left), 202
            return _told(Response(sealed, content_type="application/pdf"), left)

        @blue.post("/agencies/v1/detached")
        @guard.person(errors="problem", programs=True)
        def agencies_detached() -> ResponseReturnValue:
            program, left = service.admit(identity(), Doing.SEAL)
            name = query_text("name", longest=_LONGEST_NAME) or "document"
            document, key = body(largest, taken=ANY), request.headers.get("Idempotency-Key", "")
            try:
                signature = service.sign_beside(program, identity(), document, name=name, key=key)
            except SecondAsked as asked:
                return _told(jsonify(waiting(asked)), left), 202
            return _told(Response(signature, content_type="application/pkcs7-signature"), left)

        def mine(batch: str = "", *, counted: bool = True) -> tuple[str, str, Left | None]:
            program, left = service.admit(identity(), Doing.BATCH, counted=counted)
            owner = f"client:{program.client}"
            # What it did for the organisation that it acted for before is not this one's.
            if batch and batches.one(owner, batch).organisation != program.organisation:
                raise NoSuchBatch
            return owner, program.organisation, left

        _add_batches(blue, batches, guard, mine, largest)
        _add_operated(blue, service, batches, guard, largest)

    return pages


def _add_batches(
    blue: Blueprint, batches: Batches, guard: Guard, mine: Callable[..., tuple[str, str, Left | None]], largest: int
) -> None:
    shown = partial(_shown, batches)

    @blue.post("/agencies/v1/batches")
    @guard.person(errors="problem", programs=True)
    def agencies_batch() -> ResponseReturnValue:
        owner, organisation, left = mine()
        made = batches.open(owner, organisation, zone=identity().zone, assurance=identity().assurance)
        return _told(jsonify(shown(made)), left), 201

    @blue.get("/agencies/v1/batches/<batch>")
    @guard.person(errors="problem", programs=True)
    def agencies_progress(batch: str) -> Response:
        owner, _, left = mine(batch, counted=False)
        return _told(jsonify(shown(batches.one(owner, batch))), left)

    @blue.put("/agencies/v1/batches/<batch>/documents/<name>")
    @guard.person(errors="problem", programs=True)
    def agencies_add(batch: str, name: str) -> ResponseReturnValue:
        owner, _, left = mine(batch)
        added = batches.add(owner, batch, _name(name), body(largest))
        return _told(jsonify({"name": name}), left), 201 if added else 200

    @blue.post("/agencies/v1/batches/<batch>/start")
    @guard.person(errors="problem", programs=True)
    def agencies_start(batch: str) -> ResponseReturnValue:
        owner, _, left = mine(batch)
        count, digest = _confirmed()
        return _told(jsonify(shown(batches.start(owner, batch, count=count, digest=digest))), left), 202

    @blue.get("/agencies/v1/batches/<batch>/documents")
    @guard.person(errors="problem", programs=True)
    def agencies_items(batch: str) -> Response:
        owner, _, left = mine(batch, counted=False)
        return _told(jsonify({"documents": [_listed(each) for each in batches.items(owner, batch)]}), left)

    @blue.get("/agencies/v1/batches/<batch>/documents/<name>")
    @guard.person(errors="problem", programs=True)
    def agencies_result(batch: str, name: str) -> Response:
        owner, _, left = mine(batch)
        return _told(_file(name, batches.result(owner, batch, name)), left)

    @blue.get("/agencies/v1/batches/<batch>/results.zip")
    @guard.person(errors="problem", programs=True)
    def agencies_results(batch: str) -> Response:
        owner, _, left = mine(batch)
        return _told(_zip(batches, owner, batch), left)


def _add_operated(blue: Blueprint, service: Agencies, batches: Batches, guard: Guard, largest: int) -> None:
    @blue.post("/api/v1/programs")
    @guard.peer(_OPERATOR)
    def let_program() -> Response:
        return jsonify(_written(service.let(**_wanted())))

    @blue.get("/api/v1/programs")
    @guard.peer(_OPERATOR)
    def programs() -> Response:
        return jsonify({"programs": [_written(each) for each in service.all()]})

    @blue.delete("/api/v1/programs/<client>")
    @guard.peer(_OPERATOR)
    def end_program(client: str) -> ResponseReturnValue:
        service.end(client)
        return "", 204

    shown = partial(_shown, batches)

    def owner() -> str:
        return f"operator:{query_text('actor', optional=False, longest=64)}"

    @blue.post("/api/v1/batches")
    @guard.peer(_OPERATOR)
    def open_batch() -> ResponseReturnValue:
        organisation = query_text("organisation", optional=False, longest=64)
        # The operator on the machine itself answers for knowing the person.
        return jsonify(shown(batches.open(owner(), organisation, assurance=2))), 201

    @blue.get("/api/v1/batches/<batch>")
    @guard.peer(_OPERATOR)
    def progress(batch: str) -> Response:
        return jsonify(shown(batches.one(owner(), batch)))

    @blue.put("/api/v1/batches/<batch>/documents/<name>")
    @guard.peer(_OPERATOR)
    def add_document(batch: str, name: str) -> ResponseReturnValue:
        added = batches.add(owner(), batch, _name(name), body(largest))
        return jsonify({"name": name}), 201 if added else 200

    @blue.post("/api/v1/batches/<batch>/start")
    @guard.peer(_OPERATOR)
    def start_batch(batch: str) -> ResponseReturnValue:
        count, digest = _confirmed()
        return jsonify(shown(batches.start(owner(), batch, count=count, digest=digest))), 202

    @blue.get("/api/v1/batches/<batch>/documents")
    @guard.peer(_OPERATOR)
    def batch_items(batch: str) -> Response:
        return jsonify({"documents": [_listed(each) for each in batches.items(owner(), batch)]})

    @blue.get("/api/v1/batches/<batch>/documents/<name>")
    @guard.peer(_OPERATOR)
    def batch_result(batch: str, name: str) -> Response:
        return _file(name, batches.result(owner(), batch, name))


def _told(response: Response, left: Left | None) -> Response:
    if left is not None:
        response.headers.update(left.headers())
    response.headers["Cache-Control"] = "no-store"
    return response


def _file(name: str, document: bytes) -> Response:
    response = Response(document, content_type="application/pdf")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return response


def _zip(batches: Batches, owner: str, batch: str) -> Response:
    # Whoever may not have it hears so before the first byte.
    batches.one(owner, batch)
    return Response(batches.packed(owner, batch), content_type="application/zip")


def _name(name: str) -> str:
    """A file's name: it becomes one again where the results are unpacked."""
    if not name.isprintable() or not 0 < len(name) <= _LONGEST_NAME or {"/", "\\"} & set(name) or name in {".", ".."}:
        raise Malformed(field="name")
    return name


def _confirmed() -> tuple[int, str]:
    said = json_object(longest=_JSON)
    count, digest = said.get("count"), said.get("digest")
    if set(said) != {"count", "digest"} or type(count) is not int or not isinstance(digest, str):
        raise Malformed(field="count")
    return count, digest


def _wanted() -> dict[str, Any]:
    said = json_object(longest=_JSON)
    texts = {name: said.get(name) for name in ("client", "organisation", "reason", "until")}
    numbers = {name: said.get(name) for name in ("per_minute", "per_day")}
    doings = said.get("doings")
    if not all(isinstance(each, str) for each in texts.values()) or not all(type(n) is int for n in numbers.values()):
        raise Malformed(field="client")
    if not isinstance(doings, list) or not all(isinstance(each, str) for each in doings):
        raise Malformed(field="doings")
    try:
        until = date.fromisoformat(str(texts["until"]))
    except ValueError as error:
        raise Malformed(field="until") from error
    return {**texts, **numbers, "until": until, "doings": frozenset(doings)}


def waiting(asked: SecondAsked) -> dict[str, Any]:
    """What a program is told whose order waits for keepers."""
    return {"code": asked.code, "order": asked.order, "address": asked.address}


def _shown(batches: Batches, batch: Batch) -> dict[str, Any]:
    order = batches.order(batch)
    return {
        "id": batch.id,
        "organisation": batch.organisation,
        "state": batch.state.value,
        "digest": batch.digest,
        "documents": batch.waiting + batch.made + batch.failed,
        "waiting": batch.waiting,
        "made": batch.made,
        "failed": batch.failed,
        "order": None if order is None else _ordered(batches, order),
    }


def _ordered(batches: Batches, order: Order) -> dict[str, Any]:
    return {"id": order.id, "state": order.state.value, "address": batches.address(order)}


def _listed(item: Item) -> dict[str, Any]:
    return {"name": item.name, "sha256": item.sha256, "state": item.state.value, "code": item.code}


def _written(program: Program) -> dict[str, Any]:
    return {
        "client": program.client,
        "organisation": program.organisation,
        "doings": sorted(program.doings),
        "per_minute": program.per_minute,
        "per_day": program.per_day,
        "until": program.until.isoformat(),
        "reason": program.reason,
    }
