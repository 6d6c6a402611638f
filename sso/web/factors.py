# SPDX-License-Identifier: Apache-2.0
"""Pages about what one logs in with beside a password. Secrets are shown once and stand in no address."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from core.web import Guard, _, form_text

from ..errors import CodeWrong
from ..models import Session
from ..service import SignOn
from .browser import Browser
from .words import moment

_LONGEST_SETUP = 1000
_LONGEST_CODE = 40


def add(routes: Blueprint, service: SignOn, guard: Guard, browser: Browser) -> None:
    """Add the views."""
    factors = service.factors

    def to_login(session: Session | None = None, page: str = "") -> ResponseReturnValue:
        return browser.lead(service.authorization.enter(browser=browser.binding(), session=session, page=page))

    @routes.get("/account/factors", endpoint="factors")
    @guard.own("the session of this browser; without one it leads to the login")
    def show() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        return render_template("sso/factors.html", page=factors.page(session), moment=moment)

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
