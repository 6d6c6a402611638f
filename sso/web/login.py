# SPDX-License-Identifier: Apache-2.0
"""The pages between a request and its answer: login, the way to the card, consent. All work without JavaScript."""

from collections.abc import Callable

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from core.errors import TallygateError
from core.web import Guard, _, form_text, locale
from core.web.inputs import query_text

from ..errors import LoginRefused, PasskeyRefused, StepUpNeeded
from ..factors.passkeys import LONGEST as LONGEST_ANSWER
from ..models import Interaction
from ..service import SignOn
from ..service.parking import LONGEST
from .browser import Browser, visitor
from .words import title_of

_LONGEST_PASSWORD = 1024
_LONGEST_CODE = 40
_LONGEST_ASKED = 600
_LONGEST_KEY = 200
_LEVELS = {"2": 2, "3": 3}


LoginPage = Callable[[Interaction, TallygateError | None], str]


def add(
    routes: Blueprint,
    service: SignOn,
    guard: Guard,
    browser: Browser,
    *,
    card_host: str,
    card_login: Callable[[], ResponseReturnValue],
) -> LoginPage:
    """Add the views; returned is the page, for other ways to log in that are shown on it."""
    authorization = service.authorization

    def login_page(interaction: Interaction, error: TallygateError | None = None) -> str:
        session = browser.session()
        level = _level(interaction, error)
        return render_template(
            "sso/login.html",
            sealed=authorization.sealed(interaction),
            hint=interaction.request.hint if interaction.request else "",
            portal=title_of(authorization.destination(interaction)),
            error=_(error.message) if error else "",
            level=level,
            recovery=service.recoveries.possible,
            upstream=service.upstream if service.upstream.possible else None,
            passkey=service.passkeys.asked(interaction),
            known=session if session and level < 2 else None,  # noqa: PLR2004 - a surer login explains itself
        )

    @routes.get("/login")
    @guard.own("shows the form; at the card host, the certificate that nginx vouches for")
    def login() -> ResponseReturnValue:
        if request.host.partition(":")[0].lower() == card_host:
            return card_login()
        sealed = query_text("interaction", longest=LONGEST)
        if not sealed:
            return redirect("/account", 303)
        return login_page(browser.parked(sealed)[0])

    @routes.post("/login")
    @guard.own("user name and password, checked by the directory; a code where one is set up")
    def password() -> ResponseReturnValue:
        interaction, _client = browser.parked(form_text("interaction", longest=LONGEST))
        try:
            opened = service.login.by_password(
                form_text("username", optional=True),
                _password(),
                form_text("code", longest=_LONGEST_CODE, optional=True),
                visitor=visitor(),
                interaction=interaction,
                cookie=browser.session_cookie,
                known=browser.known_cookie,
            )
        except (LoginRefused, StepUpNeeded) as error:
            return login_page(interaction, error), error.kind.status
        onward = authorization.proceed(interaction, session=opened.session, decided=True)
        return browser.logged_in(browser.lead(onward), opened)

    @routes.post("/login/passkey")
    @guard.own("a passkey, whose device signs what this browser's parked request asked")
    def passkey() -> ResponseReturnValue:
        interaction, _client = browser.parked(form_text("interaction", longest=LONGEST))
        try:
            opened = service.login.by_passkey(
                form_text("asked", longest=_LONGEST_ASKED),
                form_text("credential", longest=LONGEST_ANSWER, optional=True),
                visitor=visitor(),
                interaction=interaction,
                cookie=browser.session_cookie,
                known=browser.known_cookie,
            )
        except (PasskeyRefused, StepUpNeeded) as error:
            return login_page(interaction, error), error.kind.status
        onward = authorization.proceed(interaction, session=opened.session, decided=True)
        return browser.logged_in(browser.lead(onward), opened)

    @routes.post("/login/card")
    @guard.own("the parked request of this browser")
    def to_card() -> ResponseReturnValue:
        interaction, _client = browser.parked(form_text("interaction", longest=LONGEST))
        ticket = service.login.card_ticket(interaction)
        return redirect(f"{service.card_origin}/login?ticket={ticket}&lang={locale()}", 303)

    @routes.get("/login/card")
    @guard.own("a one-use token from the card host, in the browser that asked for it")
    def from_card() -> ResponseReturnValue:
        opened, interaction = service.login.by_card(
            query_text("handover"),
            browser=browser.binding(),
            visitor=visitor(),
            cookie=browser.session_cookie,
            known=browser.known_cookie,
        )
        onward = authorization.proceed(interaction, session=opened.session, decided=True)
        return browser.logged_in(browser.lead(onward), opened)

    return login_page


def _level(interaction: Interaction, error: TallygateError | None) -> int:
    """How sure a login has to be here: what the client asked for, or the policies at a step before or just now."""
    asked = interaction.request.assurance if interaction.request else 0
    refused = int(error.parameters.get("level", 0)) if isinstance(error, StepUpNeeded) else 0
    return max(asked, refused, _LEVELS.get(query_text("level"), 0))


def _password() -> str:
    values = request.form.getlist("password")
    # Any character is allowed in a password; one that is too long or given twice is simply wrong.
    return values[0] if len(values) == 1 and len(values[0]) <= _LONGEST_PASSWORD else ""
