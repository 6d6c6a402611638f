# SPDX-License-Identifier: Apache-2.0
"""Where people get a certificate, have documents signed, and come back from confirming it at sign-on."""

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import TallygateError
from core.identity import HEADER
from core.web import Guard, identity, locale
from core.web.inputs import Malformed, query_text

from ..remote import NotSeen
from ..remote.tokens import MOST
from ..service import Answer, Confirming, Enrolling, Papers, PersonalSigning, for_an_order
from .blueprint import Pages
from .shown import SHOWN_AGAIN, Shown
from .wishes import placement

_LONGEST_STATE = 100
_LONGEST_CODE = 2000


def signing(
    enrolling: Enrolling,
    personal: PersonalSigning,
    shown: Shown,
    *,
    papers: Papers | None = None,
    confirming: Confirming | None = None,
) -> Pages:
    """What changes something, below ``/my/``; what was signed in its turn goes back to ``papers``.

    Keepers come back from sign-on by the same way, with what they confirmed for ``confirming``.
    """

    def pages(blue: Blueprint, guard: Guard) -> None:
        @blue.post("/my/certificate")
        @guard.person(assurance=2)
        def enrol() -> ResponseReturnValue:
            # Said by the button: a form without it was put together by no page of ours.
            if request.form.getlist("agree") != ["yes"]:
                return shown.table(Malformed(field="agree"))
            try:
                enrolling.enrol(identity(), header=request.headers[HEADER])
            except TallygateError as error:
                if error.kind.status not in SHOWN_AGAIN:
                    raise
                return shown.table(error)
            return redirect(url_for("signatures.mine", done="certified"), code=303)

        @blue.post("/my/certificate/end")
        @guard.person(assurance=2)
        def end() -> ResponseReturnValue:
            try:
                enrolling.end(identity(), header=request.headers[HEADER])
            except TallygateError as error:
                if error.kind.status not in SHOWN_AGAIN:
                    raise
                return shown.table(error)
            return redirect(url_for("signatures.mine", done="ended"), code=303)

        @blue.post("/my/sign")
        @guard.person(assurance=2)
        def sign() -> ResponseReturnValue:
            chosen = request.form.getlist("document")
            if not 0 < len(chosen) <= MOST:
                return shown.table(Malformed(field="document"))
            try:
                if not shown.all_seen(chosen):
                    raise NotSeen
                address = personal.begin(
                    identity().subject,
                    chosen,
                    browser=shown.browser(),
                    locale=locale(),
                    placement=placement(request.form),
                )
            except TallygateError as error:
                if error.kind.status not in SHOWN_AGAIN:
                    raise
                return shown.table(error)
            return redirect(address, code=303)

        @blue.get("/my/callback")
        @guard.person(assurance=2)
        def confirmed() -> ResponseReturnValue:
            answer = Answer(
                state=query_text("state", longest=_LONGEST_STATE),
                code=query_text("code", longest=_LONGEST_CODE),
                issuer=query_text("iss"),
                error=query_text("error"),
            )
            try:
                if confirming is not None and for_an_order(answer.state):
                    order = confirming.finish(identity(), answer, browser=shown.browser())
                    return redirect(url_for("signatures.seal_order", identifier=order.id), code=303)
                signed = personal.finish(identity(), answer, browser=shown.browser())
                paper = papers.hand_in_all(identity().subject, signed) if papers is not None else None
            except TallygateError as error:
                if error.kind.status not in SHOWN_AGAIN:
                    raise
                return shown.table(error)
            if paper is not None:
                return redirect(url_for("signatures.paper", identifier=paper.id), code=303)
            if len(signed) == 1:
                return redirect(url_for("signatures.my_document", identifier=signed[0], done="signed"), code=303)
            return redirect(url_for("signatures.mine", done="signed"), code=303)

    return pages
