# SPDX-License-Identifier: Apache-2.0
"""What people say at "My account" about logins that may not be theirs, browsers they are known by, and ways back."""

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from core.web import Guard, form_text

from ..service import SignOn
from .browser import Browser


def add(routes: Blueprint, service: SignOn, guard: Guard, browser: Browser) -> None:
    """Add the views."""

    def to_login() -> ResponseReturnValue:
        return browser.lead(service.authorization.enter(browser=browser.binding()))

    @routes.post("/account/browsers/forget")
    @guard.own("the session of this browser")
    def forget_browser() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        service.browsers.forget(session, form_text("browser"))
        return redirect(url_for("sso.account"), 303)

    @routes.post("/account/logins/answer")
    @guard.own("the session of this browser; says whose a login was")
    def answer_login() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        if form_text("mine") == "yes":
            service.browsers.own(session, form_text("login"))
            return redirect(url_for("sso.account"), 303)
        if not service.browsers.foreign(session, form_text("login")):
            return redirect(url_for("sso.account"), 303)
        return browser.logged_out(browser.lead_to(url_for("sso.logged_out")))

    @routes.post("/account/recovery/stop")
    @guard.own("the session of this browser")
    def stop_recoveries() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        service.recoveries.stop_all(session.subject, why="stopped by its person")
        service.resets.stop_own(session)
        return redirect(url_for("sso.account"), 303)
