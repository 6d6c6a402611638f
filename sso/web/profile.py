# SPDX-License-Identifier: Apache-2.0
"""The page of what the directory holds about a person, with what they change there themselves: address and password."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.web import Guard, _, form_text

from ..errors import PasswordKnown, PasswordsDiffer, PasswordWeak, PasswordWrong, ProfileRefused
from ..models import Session
from ..service import SignOn
from .browser import Browser

_LONGEST = 1024
_LONGEST_MAIL = 254
_LONGEST_PHONE = 30
_REFUSED = (PasswordKnown, PasswordWeak, PasswordWrong, PasswordsDiffer, ProfileRefused)


def add(routes: Blueprint, service: SignOn, guard: Guard, browser: Browser) -> None:
    """Add the views."""
    profile = service.profile

    def to_login(session: Session | None = None) -> ResponseReturnValue:
        onward = service.authorization.enter(browser=browser.binding(), session=session, page="profile")
        return browser.lead(onward)

    def shown(session: Session, error: str = "") -> str:
        return render_template("sso/profile.html", page=profile.page(session), error=error)

    @routes.get("/account/profile", endpoint="profile")
    @guard.own("the session of this browser; without one it leads to the login")
    def show() -> ResponseReturnValue:
        session = browser.session()
        return to_login() if session is None else shown(session)

    @routes.get("/account/password")
    @guard.own("leads to the profile's page, where the form is")
    def password_page() -> ResponseReturnValue:
        return redirect(url_for("sso.profile"), 303)

    @routes.get("/account/profile/again")
    @guard.own("leads to the login, from where it goes on as whoever logs in")
    def profile_again() -> ResponseReturnValue:
        return to_login(browser.session())

    @routes.post("/account/profile")
    @guard.own("the session of this browser, of the last minutes")
    def change_profile() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        try:
            profile.change(
                session,
                mail=form_text("mail", longest=_LONGEST_MAIL, optional=True),
                telephone=form_text("telephone", longest=_LONGEST_PHONE, optional=True),
                language=form_text("language", optional=True),
            )
        except _REFUSED as error:
            return shown(session, _(error.message)), error.kind.status
        return redirect(url_for("sso.profile"), 303)

    @routes.post("/account/password")
    @guard.own("the session of this browser, of the last minutes, and the present password")
    def change_password() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        try:
            profile.change_password(session, password("current"), password("password"), password("again"))
        except _REFUSED as error:
            return shown(session, _(error.message)), error.kind.status
        return browser.logged_out(browser.lead_to(url_for("sso.logged_out")))


def password(name: str) -> str:
    """A password of a form: any character is allowed; one that is too long or given twice is simply wrong."""
    values = request.form.getlist(name)
    return values[0] if len(values) == 1 and len(values[0]) <= _LONGEST else ""
