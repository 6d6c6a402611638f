# SPDX-License-Identifier: Apache-2.0
"""Orders that wait for a second keeper, and who the keepers are: pages of the host ``sign``."""

import re
from urllib.parse import quote

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import N_, TallygateError
from core.identity import HEADER
from core.web import Guard, _, identity, locale
from core.web.inputs import Malformed, form_text, query_text

from ..keeping import Act, Change, Order, Purpose, State
from ..models import SealOrder
from ..service import Confirming, Keepers, Placing, Seconding
from ..service.batches import SHOWN
from .blueprint import Pages
from .looked import look_at, looked, must_be_looked_at
from .shown import Shown

_CALLER = "sign"
_PAGE = re.compile(r"[0-9]{1,5}")
_LONGEST_NAME = 200
_ACROSS = 1000
_SHOWN_AGAIN = frozenset({400, 403, 409})
_STATES = {
    State.PENDING: N_("waits for a second keeper"),
    State.CONFIRMED: N_("is being sealed"),
    State.MADE: N_("sealed"),
    State.REFUSED: N_("refused"),
    State.WITHDRAWN: N_("withdrawn"),
    State.EXPIRED: N_("its day is over"),
    State.OVERTAKEN: N_("the document went on without it"),
}
_ACTS = {
    Act.ADD: N_("Let %(name)s keep the seal"),
    Act.REMOVE: N_("Let %(name)s keep the seal no more"),
    Act.TWO: N_("Ask for a second keeper with every seal"),
    Act.ONE: N_("Ask for no second keeper any more"),
}


def seconding(
    service: Seconding, keepers: Keepers, confirming: Confirming, shown_: Shown, *, placing: Placing
) -> Pages:
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
                waiting=[each for each in orders if _waits_for(subject, each[0])],
                others=[each for each in orders if not _waits_for(subject, each[0])],
                seals=keepers.concerning(subject),
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

        _add_orders(blue, guard, service, confirming, shown_)

    return pages


def _add_orders(blue: Blueprint, guard: Guard, service: Seconding, confirming: Confirming, shown_: Shown) -> None:
    def one(identifier: str, error: TallygateError | None = None) -> ResponseReturnValue:
        subject = identity().subject
        order, kept = service.one(subject, identifier)
        after = query_text("after", longest=_LONGEST_NAME) or ""
        listed = service.documents(subject, identifier, after=after)
        number = _whole("document") if order.purpose is Purpose.BATCH else 0
        pages = service.pages(subject, identifier, number=number) if kept else 1
        page = max(1, min(_page(), pages))
        if pages and kept and order.purpose is not Purpose.BATCH:
            look_at(order, subject, page=page)
        # The form leads to sign-on, where keepers confirm.
        g.form_targets = (confirming.issuer,)
        shown = render_template(
            "signatures/order.html",
            me=subject,
            order=order,
            kept=kept,
            documents=listed,
            more=listed[-1].name if len(listed) == SHOWN else "",
            missing=service.missing(order),
            number=number,
            page=page,
            pages=pages,
            seen=looked(order, subject, pages=pages),
            error=_(error.message) if error else "",
        )
        return shown, error.kind.status if error else 200

    @blue.get("/my/orders/<identifier>")
    @guard.person(assurance=2)
    def seal_order(identifier: str) -> ResponseReturnValue:
        return one(identifier)

    @blue.get("/my/orders/<identifier>/picture")
    @guard.person(assurance=2)
    def seal_order_picture(identifier: str) -> Response:
        number = _whole("document")
        png, _all = service.look(identity().subject, identifier, page=_page(), across=_ACROSS, number=number)
        return Response(png, content_type="image/png", headers={"Cache-Control": "no-store"})

    @blue.get("/my/orders/<identifier>/file")
    @guard.person(assurance=2)
    def seal_order_file(identifier: str) -> Response:
        order, _kept = service.one(identity().subject, identifier)
        return _file(*service.result(identity().subject, identifier), media=media_of(order))

    @blue.get("/my/orders/<identifier>/document")
    @guard.person(assurance=2)
    def seal_order_document(identifier: str) -> Response:
        subject = identity().subject
        content, name = service.document(subject, identifier)
        look_at(service.one(subject, identifier)[0], subject)
        return _file(content, name, media="application/octet-stream")

    @blue.post("/my/orders/<identifier>/<step>")
    @guard.person(assurance=2)
    def step_order(identifier: str, step: str) -> ResponseReturnValue:
        if step not in {"confirm", "refuse"}:
            raise Malformed(field="step")
        try:
            if step == "confirm":
                order, _kept = service.one(identity().subject, identifier)
                must_be_looked_at(order, identity().subject, pages=service.pages(identity().subject, identifier))
                said = SealOrder(
                    document=b"",
                    organisation="",
                    caller=_CALLER,
                    unverified_identity=request.headers.get(HEADER, ""),
                )
                address = confirming.begin(
                    identity(),
                    identifier,
                    said,
                    sha256=form_text("sha256", longest=64),
                    browser=shown_.browser(),
                    locale=locale(),
                )
                return redirect(address, code=303)
            service.refuse(identity().subject, identifier)
        except TallygateError as error:
            return _again(error, one(identifier, error))
        return redirect(url_for("signatures.seal_order", identifier=identifier), code=303)


def media_of(order: Order) -> str:
    """Of what came of it."""
    return "application/pkcs7-signature" if order.purpose is Purpose.BESIDE else "application/pdf"


def _file(content: bytes, name: str, *, media: str) -> Response:
    response = Response(content, content_type=media)
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    response.headers["Cache-Control"] = "no-store"
    return response


def _again(error: TallygateError, shown: ResponseReturnValue) -> ResponseReturnValue:
    """The page with the error on it, where that is where it belongs."""
    if error.kind.status not in _SHOWN_AGAIN or isinstance(error, Malformed):
        raise error
    return shown


def _chinese() -> bool:
    return locale().startswith("zh")


def _waits_for(subject: str, order: Order) -> bool:
    return order.state is State.PENDING and subject not in {order.by, order.first}


def _page() -> int:
    return max(1, _whole("page"))


def _whole(name: str) -> int:
    said = query_text(name, longest=5) or "0"
    if not _PAGE.fullmatch(said):
        raise Malformed(field=name)
    return int(said)
