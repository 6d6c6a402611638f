# SPDX-License-Identifier: Apache-2.0
"""The pages after a login: for whom the person acts, and what they share. Both work without JavaScript."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from core.errors import TallygateError
from core.web import Guard, _, form_text
from core.web.inputs import query_text

from ..errors import ConfirmationNeeded, MandateOver, PasskeyRefused
from ..factors.passkeys import LONGEST as LONGEST_ANSWER
from ..models import Interaction, Session
from ..oauth.openid import asked_about, essential
from ..oauth.rfc9396 import in_words, seal_of, signs, to_sign
from ..service import SignOn
from ..service.parking import LONGEST
from .browser import Browser, visitor
from .words import name_of, service_text, title_of, wishes

_LONGEST_KEY = 200
_LONGEST_ASKED = 600


def add(routes: Blueprint, service: SignOn, guard: Guard, browser: Browser) -> None:
    """Add the views."""
    authorization = service.authorization

    @routes.get("/acting")
    @guard.own("the session of this browser")
    def acting() -> ResponseReturnValue:
        interaction, client = browser.parked(query_text("interaction", longest=LONGEST))
        session = browser.session()
        if session is None or client is None:
            return browser.lead(authorization.proceed(interaction, session=session))
        return acting_page(interaction, session)

    def acting_page(interaction: Interaction, session: Session, error: str = "") -> str:
        return render_template(
            "sso/acting.html",
            sealed=authorization.sealed(interaction),
            # Where the gateway asks, it asks for the host that they are on their way to.
            portal=title_of(authorization.destination(interaction)),
            session=session,
            choices=authorization.choices(interaction, session),
            name_of=name_of,
            service_text=service_text,
            error=error,
        )

    @routes.post("/acting")
    @guard.own("the session of this browser")
    def chosen() -> ResponseReturnValue:
        interaction, client = browser.parked(form_text("interaction", longest=LONGEST))
        session = browser.session()
        if session is None or client is None:
            return browser.lead(authorization.proceed(interaction, session=session))
        try:
            onward = authorization.choose(interaction, form_text("acting", longest=_LONGEST_KEY), session=session)
        except MandateOver as error:
            return acting_page(interaction, session, _(error.message)), error.kind.status
        return browser.lead(authorization.proceed(onward, session=session))

    def signature_page(interaction: Interaction, session: Session, error: TallygateError | None = None) -> str:
        request_ = interaction.request
        return render_template(
            "sso/sign.html",
            sealed=authorization.sealed(interaction),
            portal=title_of(authorization.client(interaction)),
            session=session,
            documents=to_sign(request_.details) if request_ else (),
            seal=seal_of(request_.details) if request_ else None,
            card=service.confirming.card_shown(interaction, session),
            passkey=service.passkeys.asked(interaction),
            error=_(error.message) if error else "",
        )

    @routes.get("/consent")
    @guard.own("the session of this browser")
    def consent() -> ResponseReturnValue:
        interaction, client = browser.parked(query_text("interaction", longest=LONGEST))
        session = browser.session()
        if session is None or interaction.request is None or client is None:
            return browser.lead(authorization.proceed(interaction, session=session))
        if signs(interaction.request.details):
            return signature_page(interaction, session)
        return render_template(
            "sso/consent.html",
            sealed=authorization.sealed(interaction),
            portal=title_of(client),
            session=session,
            wishes=wishes(asked_about(interaction.request)),
            needed=essential(interaction.request.claims),
            details=in_words(interaction.request.details),
            acting=authorization.acting_for(interaction, session),
            name_of=name_of,
            service_text=service_text,
        )

    @routes.post("/consent")
    @guard.own("the session of this browser")
    def consented() -> ResponseReturnValue:
        interaction, _client = browser.parked(form_text("interaction", longest=LONGEST))
        session = browser.session()
        if session is None:
            return browser.lead(authorization.proceed(interaction, session=None))
        if form_text("choice") != "allow":
            return browser.lead(authorization.decline(interaction))
        if interaction.request is not None and signs(interaction.request.details):
            try:
                interaction = service.confirming.by_card(interaction, session=session, visitor=visitor())
            except ConfirmationNeeded as error:
                return signature_page(interaction, session, error), error.kind.status
        withheld = frozenset(request.form.getlist("withhold"))
        agreed = authorization.agree(interaction, session=session, withheld=withheld)
        return browser.lead(authorization.proceed(agreed, session=session))

    @routes.post("/consent/passkey")
    @guard.own("the session of this browser, and a passkey of its person")
    def confirmed_by_passkey() -> ResponseReturnValue:
        interaction, client = browser.parked(form_text("interaction", longest=LONGEST))
        session = browser.session()
        asked = interaction.request
        if session is None or client is None or asked is None or not signs(asked.details):
            return browser.lead(authorization.proceed(interaction, session=session))
        try:
            confirmed = service.confirming.by_passkey(
                form_text("asked", longest=_LONGEST_ASKED),
                form_text("credential", longest=LONGEST_ANSWER, optional=True),
                interaction=interaction,
                session=session,
                visitor=visitor(),
            )
        except PasskeyRefused as error:
            return signature_page(interaction, session, error), error.kind.status
        return browser.lead(authorization.proceed(authorization.agree(confirmed, session=session), session=session))
