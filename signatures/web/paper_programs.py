# SPDX-License-Identifier: Apache-2.0
"""Papers for programs of agencies, below ``/agencies/v1/papers``, and for the operator in the name of a person."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from core.web import Guard, identity
from core.web.inputs import Malformed, query_text

from ..agencies import Doing
from ..errors import SecondAsked
from ..models import SealOrder
from ..papers import Kind, Paper
from ..service import Agencies, Papers
from ..service.agencies import wish_of
from .agencies import waiting
from .blueprint import Pages
from .bodies import body

_OPERATOR = "app"
_LONGEST_SIGNER = 65


@dataclass(frozen=True)
class _Asking:
    """Who asks, the papers as they see them, and the order for a seal."""

    subject: str
    papers: Papers
    organisation: str
    order: Callable[[bytes, str], SealOrder]


def paper_programs(agencies: Agencies, service: Papers, *, largest: int) -> Pages:
    """Begin, see, fetch, seal, issue, withdraw."""

    def program() -> _Asking:
        found, _ = agencies.admit(identity(), Doing.PAPER)
        wish = replace(wish_of(found, identity()), decision=identity().decision)

        def order(document: bytes, organisation: str) -> SealOrder:
            return SealOrder(document=document, organisation=organisation, caller="program", known=wish)

        subject = found.client
        return _Asking(subject, service.of_program(subject, found.organisation), found.organisation, order)

    def operator() -> _Asking:
        actor = query_text("actor", optional=False, longest=64)

        def order(document: bytes, organisation: str) -> SealOrder:
            # The operator on the machine itself answers for knowing the person.
            return SealOrder(document=document, organisation=organisation, caller=_OPERATOR, actor=actor, assurance=2)

        return _Asking(actor, service, query_text("organisation", longest=64), order)

    def pages(blue: Blueprint, guard: Guard) -> None:
        @blue.post("/agencies/v1/papers")
        @guard.person(errors="problem", programs=True)
        def agencies_begin_paper() -> ResponseReturnValue:
            return _begun(program(), body(largest)), 201

        @blue.get("/agencies/v1/papers/<identifier>")
        @guard.person(errors="problem", programs=True)
        def agencies_paper(identifier: str) -> Response:
            asking = program()
            return jsonify(_shown(asking.papers.one(asking.subject, identifier)))

        @blue.get("/agencies/v1/papers/<identifier>/file")
        @guard.person(errors="problem", programs=True)
        def agencies_paper_file(identifier: str) -> Response:
            return _file(program(), identifier)

        @blue.post("/agencies/v1/papers/<identifier>/<step>")
        @guard.person(errors="problem", programs=True)
        def agencies_step(identifier: str, step: str) -> ResponseReturnValue:
            return _stepped(program(), identifier, step)

        @blue.post("/api/v1/papers")
        @guard.peer(_OPERATOR)
        def operated_begin() -> ResponseReturnValue:
            return _begun(operator(), body(largest)), 201

        @blue.get("/api/v1/papers/<identifier>")
        @guard.peer(_OPERATOR)
        def operated_paper(identifier: str) -> Response:
            asking = operator()
            return jsonify(_shown(asking.papers.one(asking.subject, identifier)))

        @blue.get("/api/v1/papers/<identifier>/file")
        @guard.peer(_OPERATOR)
        def operated_file(identifier: str) -> Response:
            return _file(operator(), identifier)

        @blue.post("/api/v1/papers/<identifier>/<step>")
        @guard.peer(_OPERATOR)
        def operated_step(identifier: str, step: str) -> ResponseReturnValue:
            return _stepped(operator(), identifier, step)

    return pages


def _begun(asking: _Asking, document: bytes) -> Response:
    kind = query_text("kind", optional=False, longest=10)
    if kind not in set(Kind):
        raise Malformed(field="kind")
    signers = request.args.getlist("signer")
    if any(not 0 < len(each) <= _LONGEST_SIGNER or not each.isprintable() for each in signers):
        raise Malformed(field="signer")
    paper = asking.papers.begin_with(
        asking.subject,
        document,
        name="document.pdf",
        kind=Kind(kind),
        organisation=asking.organisation,
        word=query_text("word", longest=20).strip(),
        title=query_text("title", longest=200).strip(),
        signers=signers,
    )
    return jsonify(_shown(paper))


def _file(asking: _Asking, identifier: str) -> Response:
    content, _ = asking.papers.read(asking.subject, identifier)
    response = Response(content, content_type="application/pdf")
    response.headers["Content-Disposition"] = 'attachment; filename="document.pdf"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _stepped(asking: _Asking, identifier: str, step: str) -> ResponseReturnValue:
    papers, subject = asking.papers, asking.subject
    if step == "seal":
        try:
            paper = papers.sign(subject, identifier, asking.order)
        except SecondAsked as asked:
            return jsonify(waiting(asked)), 202
    elif step == "issue":
        paper = papers.issue(subject, identifier)
    elif step == "withdraw":
        paper = papers.withdraw(subject, identifier)
    else:
        raise Malformed(field="step")
    return jsonify(_shown(paper))


def _shown(paper: Paper) -> dict[str, Any]:
    return {
        "id": paper.id,
        "kind": paper.kind.value,
        "organisation": paper.organisation,
        "title": paper.title,
        "state": paper.state.value,
        "number": paper.label,
        "made_at": paper.made_at.isoformat(),
        "issued_at": paper.issued_at.isoformat() if paper.issued_at else None,
        "turns": [
            {
                "organisation": turn.organisation,
                "person": turn.person,
                "done_at": turn.done_at.isoformat() if turn.done_at else None,
            }
            for turn in paper.turns
        ],
    }
