# SPDX-License-Identifier: Apache-2.0
"""The page that asks whoever is logged in for what is missing, and for nothing else. It works without JavaScript."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from core.errors import TallygateError
from core.web import Guard, _, form_text
from core.web.inputs import query_text

from ..errors import CodeNotEnough, PasskeyRefused, StepUpNeeded
from ..factors.passkeys import LONGEST as LONGEST_ANSWER
from ..models import Interaction, Session
from ..service import NewSession, SignOn
from ..service.parking import LONGEST
from .browser import Browser, visitor
from .words import methods_text, title_of

_LONGEST_CODE = 40
_LONGEST_ASKED = 600
_LEVELS = {"2": 2, "3": 3}


def add(routes: Blueprint, service: SignOn, guard: Guard, browser: Browser) -> None:
    """Add the views."""
    authorization, raising = service.authorization, service.raising

    def page(interaction: Interaction, session: Session, level: int, error: TallygateError | None = None) -> str:
        refused = int(error.parameters.get("level", 0)) if isinstance(error, StepUpNeeded) else 0
        asked = interaction.request.assurance if interaction.request else 0
        return render_template(
            "sso/more.html",
            sealed=authorization.sealed(interaction),
            portal=title_of(authorization.destination(interaction)),
            missing=raising.missing(session, max(level, refused, asked)),
            shown=methods_text(session.methods),
            passkey=service.passkeys.asked(interaction),
            error=_(error.message) if error else "",
        )

    def onward(interaction: Interaction, opened: NewSession) -> ResponseReturnValue:
        next_page = authorization.proceed(interaction, session=opened.session, decided=True)
        return browser.logged_in(browser.lead(next_page), opened)

    @routes.get("/login/more")
    @guard.own("the session of this browser; without one it leads to the login")
    def more() -> ResponseReturnValue:
        interaction, _client = browser.parked(query_text("interaction", longest=LONGEST))
        session = browser.session()
        if session is None:
            return browser.lead(authorization.proceed(interaction, session=None))
        return page(interaction, session, _LEVELS.get(query_text("level"), 0))

    @routes.post("/login/more")
    @guard.own("the session of this browser, and a code of its person")
    def more_by_code() -> ResponseReturnValue:
        interaction, _client = browser.parked(form_text("interaction", longest=LONGEST))
        session = browser.session()
        if session is None:
            return browser.lead(authorization.proceed(interaction, session=None))
        try:
            opened = raising.by_code(
                form_text("code", longest=_LONGEST_CODE, optional=True),
                session=session,
                visitor=visitor(),
                interaction=interaction,
            )
        except (CodeNotEnough, StepUpNeeded) as error:
            return page(interaction, session, _level(), error), error.kind.status
        return onward(interaction, opened)

    @routes.post("/login/more/passkey")
    @guard.own("the session of this browser, and a passkey of its person")
    def more_by_passkey() -> ResponseReturnValue:
        interaction, _client = browser.parked(form_text("interaction", longest=LONGEST))
        session = browser.session()
        if session is None:
            return browser.lead(authorization.proceed(interaction, session=None))
        try:
            opened = raising.by_passkey(
                form_text("asked", longest=_LONGEST_ASKED),
                form_text("credential", longest=LONGEST_ANSWER, optional=True),
                session=session,
                visitor=visitor(),
                interaction=interaction,
            )
        except (PasskeyRefused, StepUpNeeded) as error:
            return page(interaction, session, _level(), error), error.kind.status
        return onward(interaction, opened)

    @routes.post("/login/more/leave")
    @guard.own("the parked request of this browser")
    def more_left() -> ResponseReturnValue:
        interaction, _client = browser.parked(form_text("interaction", longest=LONGEST))
        return browser.lead(authorization.give_up(interaction))


def _level() -> int:
    return _LEVELS.get(form_text("level", optional=True), 0)
