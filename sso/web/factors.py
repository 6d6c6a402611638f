# SPDX-License-Identifier: Apache-2.0
"""Pages about what one logs in with beside a password. Secrets are shown once and stand in no address."""

from pathlib import Path

from flask import Blueprint, Response, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from core.web import Guard, _, form_text

from ..errors import CodeWrong, PasskeyNotMade, TooManyPasskeys
from ..factors.passkeys import LONGEST as LONGEST_ANSWER
from ..models import Session
from ..service import SignOn
from .browser import Browser
from .words import moment

_LONGEST_SETUP = 1000
_LONGEST_CODE = 40
_LONGEST_NAME = 60
_SCRIPT = (Path(__file__).parent.parent / "static" / "passkeys.js").read_text("utf-8")


def add(routes: Blueprint, service: SignOn, guard: Guard, browser: Browser) -> None:
    """Add the views."""
    factors = service.factors

    def to_login(session: Session | None = None, page: str = "") -> ResponseReturnValue:
        return browser.lead(service.authorization.enter(browser=browser.binding(), session=session, page=page))

    def shown(session: Session, error: str = "") -> str:
        page, offer = factors.page(session), service.passkeys.offered(session)
        upstream = service.upstream if service.upstream.possible else None
        if upstream is not None:
            g.form_targets = (upstream.origin,)
        return render_template(
            "sso/factors.html",
            page=page,
            offer=offer,
            moment=moment,
            error=error,
            upstream=upstream,
            link=upstream.of(session) if upstream is not None else None,
        )

    @routes.get("/account/factors", endpoint="factors")
    @guard.own("the session of this browser; without one it leads to the login")
    def show() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        return shown(session)

    @routes.get("/account/factors/again")
    @guard.own("leads to the login, from where it goes on as whoever logs in")
    def again() -> ResponseReturnValue:
        return to_login(browser.session(), "factors")

    @routes.post("/account/factors/codes")
    @guard.own("the session of this browser, of the last minutes")
    def begin_codes() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        return render_template("sso/codes.html", setup=factors.begin_code_app(session), error="")

    @routes.post("/account/factors/codes/confirm")
    @guard.own("the session of this browser, of the last minutes")
    def confirm_codes() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        sealed = form_text("setup", longest=_LONGEST_SETUP)
        try:
            factors.add_code_app(session, sealed, form_text("code", longest=_LONGEST_CODE, optional=True))
        except CodeWrong as error:
            setup = factors.code_app_again(session, sealed)
            return render_template("sso/codes.html", setup=setup, error=_(error.message)), error.kind.status
        return redirect(url_for("sso.factors"), 303)

    @routes.post("/account/factors/codes/remove")
    @guard.own("the session of this browser, of the last minutes")
    def remove_codes() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        factors.remove_code_app(session)
        return redirect(url_for("sso.factors"), 303)

    @routes.post("/account/factors/recovery")
    @guard.own("the session of this browser, of the last minutes")
    def recovery() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        return render_template("sso/recovery.html", codes=factors.new_recovery_codes(session))

    @routes.post("/account/factors/passkeys")
    @guard.own("the session of this browser, of the last minutes")
    def add_passkey() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        try:
            service.passkeys.add(
                session,
                form_text("asked", longest=_LONGEST_SETUP),
                form_text("credential", longest=LONGEST_ANSWER, optional=True),
                name=form_text("name", longest=_LONGEST_NAME, optional=True) or _("Passkey"),
            )
        except (PasskeyNotMade, TooManyPasskeys) as error:
            return shown(session, _(error.message)), error.kind.status
        return redirect(url_for("sso.factors"), 303)

    @routes.post("/account/factors/passkeys/remove")
    @guard.own("the session of this browser, of the last minutes")
    def remove_passkey() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        service.passkeys.remove(session, form_text("passkey"))
        return redirect(url_for("sso.factors"), 303)

    @routes.get("/passkeys.js")
    @guard.public("the script that hands a question to the browser's own dialogue")
    def passkeys_script() -> Response:
        return Response(_SCRIPT, content_type="text/javascript; charset=utf-8")
