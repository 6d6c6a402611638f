# SPDX-License-Identifier: Apache-2.0
"""The page of mandates: for whom one acts, who acts for oneself and one's company; given and ended here."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import Kind, TallygateError
from core.web import Guard, _, form_text, locale

from ..models import Session
from ..service import SignOn
from .browser import Browser
from .words import service_text

_LONGEST_NAME = 100
_LONGEST_CODE = 40
_LONGEST_REASON = 500
_ENTERED = ("username", "organisation", "service", "until", "reason")
_REFUSED = frozenset({Kind.INVALID, Kind.FORBIDDEN, Kind.CONFLICT, Kind.NOT_FOUND, Kind.TOO_MANY})


def add(routes: Blueprint, service: SignOn, guard: Guard, browser: Browser) -> None:
    """Add the views."""
    entrusting = service.entrusting

    def to_login(session: Session | None = None) -> ResponseReturnValue:
        return browser.lead(service.authorization.enter(browser=browser.binding(), session=session, page="mandates"))

    def shown(session: Session, error: str = "", **said: str) -> str:
        entered = {**dict.fromkeys(_ENTERED, ""), **said}
        page = entrusting.page(session)
        titles = {each["name"]: each["title_zh" if locale() == "zh" else "title"] for each in page.services}

        def titled(name: str) -> str:
            known: str = titles.get(name) or service_text(name)
            return known

        def called(of: dict[str, str], who: str) -> str:
            return of[f"{who}_name_zh" if locale() == "zh" and of[f"{who}_name_zh"] else f"{who}_name"]

        return render_template(
            "sso/mandates.html", page=page, titled=titled, called=called, entered=entered, error=error
        )

    @routes.get("/account/mandates", endpoint="mandates")
    @guard.own("the session of this browser; without one it leads to the login")
    def show() -> ResponseReturnValue:
        session = browser.session()
        return to_login() if session is None else shown(session)

    @routes.get("/account/mandates/again")
    @guard.own("leads to the login, from where it goes on as whoever logs in")
    def sure_again() -> ResponseReturnValue:
        return to_login(browser.session())

    @routes.post("/account/mandates/give")
    @guard.own("the session of this browser, of the last minutes")
    def give_mandate() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        entered = {
            "username": form_text("username", longest=_LONGEST_NAME, optional=True),
            "organisation": form_text("organisation", longest=_LONGEST_NAME, optional=True),
            "service": form_text("service", longest=_LONGEST_NAME, optional=True),
            "until": form_text("until", longest=_LONGEST_NAME, optional=True),
            "reason": form_text("reason", longest=_LONGEST_REASON, optional=True),
        }
        try:
            entrusting.give(session, code=form_text("code", longest=_LONGEST_CODE, optional=True), **entered)
        except TallygateError as error:
            if error.kind not in _REFUSED:
                raise
            return shown(session, _(error.message) % error.parameters, **entered), error.kind.status
        return redirect(url_for("sso.mandates"), 303)

    @routes.post("/account/mandates/end")
    @guard.own("the session of this browser; the directory lets end what is theirs")
    def end_mandate() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        names = ("holder", "organisation", "principal", "service")
        given = {name: form_text(name, longest=_LONGEST_NAME, optional=name in request.form) for name in names}
        entrusting.end(session, **given)
        return redirect(url_for("sso.mandates"), 303)
