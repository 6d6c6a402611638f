# SPDX-License-Identifier: Apache-2.0
"""Documents that several sign in turn, and official documents: the pages of the host ``sign``, and the register."""

import re
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.clock import Clock
from core.errors import N_, TallygateError
from core.identity import HEADER
from core.web import Guard, _, identity, locale
from core.web.inputs import Malformed, form_text, query_text

from ..errors import SecondAsked
from ..models import SealOrder
from ..papers import Kind, Paper, PaperStore, State
from ..service import Desk, Papers, Placing
from .blueprint import Pages

_CALLER = "sign"
_YEAR = re.compile(r"[0-9]{4}")
_SHOWN_AGAIN = frozenset({400, 403, 409})
_STATES = {
    State.DRAFT: N_("is being signed"),
    State.COUNTERSIGNED: N_("countersigned"),
    State.SEALED: N_("sealed"),
    State.ISSUED: N_("issued"),
    State.COMPLETE: N_("signed by all"),
    State.WITHDRAWN: N_("withdrawn"),
}


def papers(service: Papers, *, placing: Placing, desk: Desk, clock: Clock) -> Pages:
    """The pages below ``/my/papers`` and ``/my/register``."""

    def pages(blue: Blueprint, guard: Guard) -> None:
        _add_words(blue, placing)

        def table(error: TallygateError | None = None) -> ResponseReturnValue:
            subject = identity().subject
            shown = render_template(
                "signatures/papers.html",
                papers=[(each, service.mine(subject, each)) for each in service.all_of(subject)],
                documents=desk.all_of(subject),
                organisations=placing.organisations(subject),
                year=clock.now().year,
                error=_(error.message) if error else "",
            )
            return shown, error.kind.status if error else 200

        def one(paper: Paper, error: TallygateError | None = None) -> ResponseReturnValue:
            subject = identity().subject
            shown = render_template(
                "signatures/paper.html",
                paper=paper,
                mine=service.mine(subject, paper),
                order=service.waiting(paper),
                owner=any(paper.organisation == each for each, _name, _zh in placing.organisations(subject)),
                error=_(error.message) if error else "",
            )
            return shown, error.kind.status if error else 200

        @blue.get("/my/papers")
        @guard.person(assurance=2)
        def all_papers() -> ResponseReturnValue:
            return table()

        @blue.post("/my/papers")
        @guard.person(assurance=2)
        def begin_paper() -> ResponseReturnValue:
            kind = form_text("kind", longest=10)
            if kind not in set(Kind):
                raise Malformed(field="kind")
            signers = [each.strip() for each in request.form.getlist("signer") if each.strip()]
            if any(len(each) > 65 or not each.isprintable() for each in signers):  # noqa: PLR2004 - as other identifiers
                raise Malformed(field="signer")
            try:
                paper = service.begin(
                    identity().subject,
                    form_text("document", longest=32),
                    kind=Kind(kind),
                    organisation=form_text("organisation", longest=64),
                    word=form_text("word", longest=20, optional=True).strip(),
                    title=form_text("title", longest=200, optional=True).strip(),
                    signers=signers,
                )
            except TallygateError as error:
                if error.kind.status not in _SHOWN_AGAIN:
                    raise
                return table(error)
            return redirect(url_for("signatures.paper", identifier=paper.id), code=303)

        @blue.get("/my/papers/<identifier>")
        @guard.person(assurance=2)
        def paper(identifier: str) -> ResponseReturnValue:
            return one(service.one(identity().subject, identifier))

        @blue.get("/my/papers/<identifier>/file")
        @guard.person(assurance=2)
        def paper_file(identifier: str) -> Response:
            content, name = service.read(identity().subject, identifier)
            response = Response(content, content_type="application/pdf")
            response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
            response.headers["Cache-Control"] = "no-store"
            return response

        @blue.post("/my/papers/<identifier>/<step>")
        @guard.person(assurance=2)
        def step_paper(identifier: str, step: str) -> ResponseReturnValue:
            subject = identity().subject

            def order(document: bytes, organisation: str) -> SealOrder:
                return SealOrder(
                    document=document,
                    organisation=organisation,
                    caller=_CALLER,
                    unverified_identity=request.headers.get(HEADER, ""),
                    code=form_text("code", longest=3, optional=True) == "yes",
                )

            try:
                if step == "seal":
                    try:
                        service.sign(subject, identifier, order)
                    except SecondAsked as asked:
                        return redirect(asked.address, code=303)
                elif step == "take":
                    return redirect(
                        url_for("signatures.my_document", identifier=service.take(subject, identifier).id), code=303
                    )
                elif step == "hand-in":
                    service.hand_in(subject, identifier)
                elif step == "issue":
                    service.issue(subject, identifier)
                elif step == "withdraw":
                    service.withdraw(subject, identifier)
                else:
                    raise Malformed(field="step")
            except TallygateError as error:
                if error.kind.status not in _SHOWN_AGAIN or isinstance(error, Malformed):
                    raise
                return one(service.one(subject, identifier), error)
            return redirect(url_for("signatures.paper", identifier=identifier), code=303)

        _add_register(blue, guard, service, placing, clock)

    return pages


def _add_register(blue: Blueprint, guard: Guard, service: Papers, placing: Placing, clock: Clock) -> None:
    @blue.get("/my/register")
    @guard.person(assurance=2)
    def register() -> ResponseReturnValue:
        subject = identity().subject
        organisation, year = query_text("organisation", longest=64), _year(clock)
        mine = placing.organisations(subject)
        organisation = organisation or (mine[0][0] if mine else "")
        found = service.register(subject, organisation, year) if organisation else []
        return render_template(
            "signatures/register.html", papers=found, organisations=mine, organisation=organisation, year=year
        )


def _add_words(blue: Blueprint, placing: Placing) -> None:
    @blue.context_processor
    def reach() -> dict[str, object]:
        return {
            "papers_at": url_for("signatures.all_papers"),
            "state_words": lambda state: _(_STATES[state]),
            "organisation_name": lambda each: placing.name(each, chinese=locale().startswith("zh")),
            "signer_name": lambda turn: (
                placing.person_name(turn.person, chinese=locale().startswith("zh"))
                if turn.person
                else placing.name(turn.organisation, chinese=locale().startswith("zh"))
            ),
        }


def registers(store: PaperStore, *, clock: Clock) -> Pages:
    """The register for the site's own roles."""

    def pages(blue: Blueprint, guard: Guard) -> None:
        @blue.get("/api/v1/register")
        @guard.peer("app", "portal:documents")
        def register_as_data() -> Response:
            organisation = query_text("organisation", optional=False, longest=64)
            year = _year(clock)
            found = store.register(organisation, year)
            entries = [
                {
                    "id": each.id,
                    "number": each.label,
                    "state": each.state.value,
                    "issued_at": each.issued_at.isoformat() if each.issued_at else None,
                }
                for each in found
            ]
            return jsonify({"organisation": organisation, "year": year, "entries": entries})

    return pages


def _year(clock: Clock) -> int:
    said = query_text("year", longest=4)
    if said and not _YEAR.fullmatch(said):
        raise Malformed(field="year")
    return int(said) if said else clock.now().year
