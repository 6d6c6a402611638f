# SPDX-License-Identifier: Apache-2.0
"""The pages after a login: for whom the person acts, and what they share. Both work without JavaScript."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from core.web import Guard, _, form_text
from core.web.inputs import query_text

from ..errors import MandateOver
from ..models import Interaction, Session
from ..oauth.openid import asked_about, essential
from ..oauth.rfc9396 import in_words
from ..service import SignOn
from ..service.parking import LONGEST
from .browser import Browser
from .words import name_of, service_text, title_of, wishes

_LONGEST_KEY = 200


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

    @routes.get("/consent")
    @guard.own("the session of this browser")
    def consent() -> ResponseReturnValue:
        interaction, client = browser.parked(query_text("interaction", longest=LONGEST))
        session = browser.session()
        if session is None or interaction.request is None or client is None:
            return browser.lead(authorization.proceed(interaction, session=session))
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
        withheld = frozenset(request.form.getlist("withhold"))
        agreed = authorization.agree(interaction, session=session, withheld=withheld)
        return browser.lead(authorization.proceed(agreed, session=session))
