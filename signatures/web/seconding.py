# SPDX-License-Identifier: Apache-2.0
"""Orders that wait for a second keeper, and who the keepers are: pages of the host ``sign``."""

import re
from urllib.parse import quote

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import N_, TallygateError
from core.identity import HEADER
from core.web import Guard, _, identity, locale
from core.web.inputs import Malformed, form_text, query_text

from ..keeping import Act, Change, State
from ..models import SealOrder
from ..service import Keepers, Placing, Seconding
from .blueprint import Pages

_CALLER = "sign"
_PAGE = re.compile(r"[0-9]{1,5}")
_ACROSS = 1000
_SHOWN_AGAIN = frozenset({400, 403, 409})
_STATES = {
    State.PENDING: N_("waits for a second keeper"),
    State.CONFIRMED: N_("is being sealed"),
    State.MADE: N_("sealed"),
    State.REFUSED: N_("refused"),
    State.WITHDRAWN: N_("withdrawn"),
    State.EXPIRED: N_("its day is over"),
}
_ACTS = {
    Act.ADD: N_("Let %(name)s keep the seal"),
    Act.REMOVE: N_("Let %(name)s keep the seal no more"),
    Act.TWO: N_("Ask for a second keeper with every seal"),
    Act.ONE: N_("Ask for no second keeper any more"),
}


def seconding(service: Seconding, keepers: Keepers, *, placing: Placing) -> Pages:
    """The pages ``/my/seals`` and below ``/my/orders``."""

    def pages(blue: Blueprint, guard: Guard) -> None:
        def words_of(change: Change) -> str:
            return _(_ACTS[change.act]) % {"name": keepers.name(change.subject, chinese=_chinese())}

        @blue.context_processor
        def reach_seals() -> dict[str, object]:
            return {
                "seals_at": url_for("signatures.seals"),
                "order_words": lambda state: _(_STATES[state]),
                "person_name": lambda each: keepers.name(each, chinese=_chinese()),
                "seal_name": lambda each: placing.name(each, chinese=_chinese()),
                "change_words": words_of,
            }

        def table(error: TallygateError | None = None) -> ResponseReturnValue:
            subject = identity().subject
            orders = service.concerning(subject)
            shown = render_template(
                "signatures/seals.html",
                me=subject,
                waiting=[each for each in orders if each[0].state is State.PENDING and each[0].by != subject],
                others=[each for each in orders if each[0].state is not State.PENDING or each[0].by == subject],
                seals=keepers.concerning(subject),
                error=_(error.message) if error else "",
            )
            return shown, error.kind.status if error else 200

        def one(identifier: str, error: TallygateError | None = None) -> ResponseReturnValue:
            subject = identity().subject
            order, kept = service.one(subject, identifier)
            shown = render_template(
                "signatures/order.html",
                me=subject,
                order=order,
                kept=kept,
                page=min(_page(), kept.facts.pages) if kept else 1,
                error=_(error.message) if error else "",
            )
            return shown, error.kind.status if error else 200

        @blue.get("/my/seals")
        @guard.person(assurance=2)
        def seals() -> ResponseReturnValue:
            return table()

        @blue.post("/my/seals/<organisation>/changes")
        @guard.person(assurance=2)
        def propose_change(organisation: str) -> ResponseReturnValue:
            act = form_text("act", longest=10)
            if act not in set(Act):
                raise Malformed(field="act")
            username = form_text("username", longest=64, optional=True).strip()
            try:
                keepers.propose(identity(), organisation, Act(act), username)
            except TallygateError as error:
                return _again(error, table(error))
            return redirect(url_for("signatures.seals"), code=303)

        @blue.post("/my/seals/changes/<identifier>/<step>")
        @guard.person(assurance=2)
        def step_change(identifier: str, step: str) -> ResponseReturnValue:
            if step not in {"confirm", "withdraw"}:
                raise Malformed(field="step")
            try:
                if step == "confirm":
                    keepers.confirm(identity(), identifier)
                else:
                    keepers.withdraw(identity(), identifier)
            except TallygateError as error:
                return _again(error, table(error))
            return redirect(url_for("signatures.seals"), code=303)

        @blue.get("/my/orders/<identifier>")
        @guard.person(assurance=2)
        def seal_order(identifier: str) -> ResponseReturnValue:
            return one(identifier)

        @blue.get("/my/orders/<identifier>/picture")
        @guard.person(assurance=2)
        def seal_order_picture(identifier: str) -> Response:
            png, _pages = service.look(identity().subject, identifier, page=_page(), across=_ACROSS)
            return Response(png, content_type="image/png", headers={"Cache-Control": "no-store"})

        @blue.get("/my/orders/<identifier>/file")
        @guard.person(assurance=2)
        def seal_order_file(identifier: str) -> Response:
            content, name = service.result(identity().subject, identifier)
            response = Response(content, content_type="application/pdf")
            response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
            response.headers["Cache-Control"] = "no-store"
            return response

        @blue.post("/my/orders/<identifier>/<step>")
        @guard.person(assurance=2)
        def step_order(identifier: str, step: str) -> ResponseReturnValue:
            if step not in {"confirm", "refuse"}:
                raise Malformed(field="step")
            try:
                if step == "confirm":
                    said = SealOrder(
                        document=b"",
                        organisation="",
                        caller=_CALLER,
                        unverified_identity=request.headers.get(HEADER, ""),
                    )
                    service.confirm(identifier, said, sha256=form_text("sha256", longest=64))
                else:
                    service.refuse(identity().subject, identifier)
            except TallygateError as error:
                return _again(error, one(identifier, error))
            return redirect(url_for("signatures.seal_order", identifier=identifier), code=303)

    return pages


def _again(error: TallygateError, shown: ResponseReturnValue) -> ResponseReturnValue:
    """The page with the error on it, where that is where it belongs."""
    if error.kind.status not in _SHOWN_AGAIN or isinstance(error, Malformed):
        raise error
    return shown


def _chinese() -> bool:
    return locale().startswith("zh")


def _page() -> int:
    said = query_text("page", longest=5) or "1"
    if not _PAGE.fullmatch(said):
        raise Malformed(field="page")
    return max(1, int(said))
