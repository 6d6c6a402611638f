# SPDX-License-Identifier: Apache-2.0
"""The page of mandates: for whom one acts, who acts for oneself and one's company; given and ended here."""

from collections.abc import Callable

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import Kind, TallygateError
from core.web import Guard, _, form_text, locale

from ..models import Session
from ..service import SignOn
from ..service.entrusting import EntrustingPage, Proposal
from .browser import Browser
from .words import service_text

_LONGEST_NAME = 100
_LONGEST_CODE = 40
_LONGEST_REASON = 500
_LONGEST_SEALED = 4000
_ENTERED = ("username", "organisation", "service", "until", "reason")
_REFUSED = frozenset({Kind.INVALID, Kind.FORBIDDEN, Kind.CONFLICT, Kind.NOT_FOUND, Kind.TOO_MANY})


def titles_of(page: EntrustingPage) -> Callable[[str], str]:
    """What services are called, in the reader's language."""
    titles = {each["name"]: str(each["title_zh" if locale() == "zh" else "title"]) for each in page.services}
    return lambda name: titles.get(name) or service_text(name)


def add(routes: Blueprint, service: SignOn, guard: Guard, browser: Browser) -> None:
    """Add the views."""
    entrusting = service.entrusting

    def to_login(session: Session | None = None) -> ResponseReturnValue:
        return browser.lead(service.authorization.enter(browser=browser.binding(), session=session, page="mandates"))

    def shown(session: Session, error: str = "", **said: str) -> str:
        entered = {**dict.fromkeys(_ENTERED, ""), **said}
        page = entrusting.page(session)
        titled = titles_of(page)

        def called(of: dict[str, str], who: str) -> str:
            return of[f"{who}_name_zh" if locale() == "zh" and of[f"{who}_name_zh"] else f"{who}_name"]

        return render_template(
            "sso/mandates.html", page=page, titled=titled, called=called, entered=entered, error=error
        )

    def confirming(session: Session, proposal: Proposal) -> str:
        page = entrusting.page(session)
        names = {
            each["id"]: each["name_zh" if locale() == "zh" and each["name_zh"] else "name"] for each in page.companies
        }
        return render_template(
            "sso/mandate.html",
            proposal=proposal,
            holder=proposal.name_zh if locale() == "zh" and proposal.name_zh else proposal.name,
            company=names.get(proposal.organisation, proposal.organisation),
            what=titles_of(page)(proposal.service),
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
            sealed = form_text("proposal", longest=_LONGEST_SEALED, optional=True)
            if not sealed:
                code = form_text("code", longest=_LONGEST_CODE, optional=True)
                return confirming(session, entrusting.propose(session, code=code, **entered))
            proposal = entrusting.proposed(session, sealed)
            entered = {name: getattr(proposal, name) for name in _ENTERED}
            if form_text("choice") == "yes":
                entrusting.give(session, proposal)
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
