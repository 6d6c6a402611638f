# SPDX-License-Identifier: Apache-2.0
"""The page "My account" and the way out."""

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import NotFound
from core.web import Guard, form_text, locale
from core.web.inputs import query_text

from ..oauth.rfc6749 import origin_of
from ..service import SignOn
from ..service.account import FULL
from .browser import Browser
from .words import methods_text, moment, name_of, purpose_text, service_text, suspicion_text, title_of, wishes

_LONGEST_HINT = 8000
_PARTS = {"entry": ("json", "application/json"), "proof": ("tlog-proof", "text/plain; charset=utf-8")}


def add(routes: Blueprint, service: SignOn, guard: Guard, browser: Browser, *, certificates: str) -> None:
    """Add the views."""
    authorization, logout, account = service.authorization, service.logout, service.account

    def to_login() -> ResponseReturnValue:
        return browser.lead(authorization.enter(browser=browser.binding()))

    @routes.get("/")
    @guard.public("leads to the account page")
    def home() -> ResponseReturnValue:
        return redirect(url_for("sso.account"), 303)

    @routes.get("/account", endpoint="account")
    @guard.own("the session of this browser; without one it leads to the login")
    def show() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        return render_template(
            "sso/account.html",
            session=session,
            certificates=certificates,
            page=account.page(session, language=locale()),
            whole=FULL,
            title_of=title_of,
            wishes=wishes,
            moment=moment,
            methods_text=methods_text,
            name_of=name_of,
            service_text=service_text,
            browsers=service.browsers.of(session),
            place_of=service.browsers.place,
            questions=service.browsers.open_questions(session),
            recoveries=service.recoveries.under_way(session),
            resets=service.resets.under_way(session.subject),
            suspicion_text=suspicion_text,
            purpose_text=purpose_text,
            undeclared=[(title_of(account.at(host)), path) for host, path in service.undeclared],
            pending=service.factors.page(session).pending,
        )

    @routes.get("/account/record/before/<int:index>", endpoint="older")
    @guard.own("the session of this browser; only what is about its person is told")
    def older(index: int) -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        entries, portals = account.record(session, before=index, language=locale())
        return render_template(
            "sso/record.html",
            entries=entries,
            portals=portals,
            whole=FULL,
            title_of=title_of,
            purpose_text=purpose_text,
        )

    @routes.get("/account/record/<int:index>/<part>")
    @guard.own("the session of this browser; only what is about its person is told")
    def proof(index: int, part: str) -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        if part not in _PARTS:
            raise NotFound
        entry, proved = account.proof(session, index)
        name, kind = _PARTS[part]
        response = Response(entry if part == "entry" else proved, content_type=kind)
        response.headers["Content-Disposition"] = f'attachment; filename="entry-{index}.{name}"'
        return response

    @routes.post("/account/sessions/end")
    @guard.own("the session of this browser")
    def end_session() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        sid = form_text("sid")
        logout.end_other(session, sid)
        if sid == session.sid:
            return browser.logged_out(browser.lead_to(url_for("sso.logged_out")))
        return redirect(url_for("sso.account"), 303)

    @routes.post("/account/sessions/end-all")
    @guard.own("the session of this browser")
    def end_all() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        logout.end_all(session)
        return browser.logged_out(browser.lead_to(url_for("sso.logged_out")))

    @routes.post("/account/consents/withdraw")
    @guard.own("the session of this browser")
    def withdraw() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        account.withdraw(session, form_text("client"))
        return redirect(url_for("sso.account"), 303)

    @routes.get("/logout")
    @guard.own("the session of this browser; ends it only for an ID token of that very session, else asks")
    def leave() -> ResponseReturnValue:
        session = browser.session()
        asked = {name: query_text(name, longest=_LONGEST_HINT) for name in _PARAMETERS}
        wish = logout.wish(
            session,
            hint=asked["id_token_hint"],
            client_id=asked["client_id"],
            afterwards=asked["post_logout_redirect_uri"],
            state=asked["state"],
        )
        if session is None:
            return browser.lead_to(wish.afterwards or url_for("sso.logged_out"))
        if wish.certain:
            logout.end(session)
            return browser.logged_out(browser.lead_to(wish.afterwards or url_for("sso.logged_out")))
        if wish.afterwards:
            g.form_targets = (origin_of(wish.afterwards),)
        portal = title_of(wish.client) if wish.client else ""
        return render_template("sso/logout.html", session=session, portal=portal, asked=asked)

    @routes.post("/logout")
    @guard.own("the session of this browser and its own form")
    def left() -> ResponseReturnValue:
        session = browser.session()
        wish = logout.wish(
            session,
            hint="",
            client_id=form_text("client_id", optional=True),
            afterwards=form_text("post_logout_redirect_uri", longest=_LONGEST_HINT, optional=True),
            state=form_text("state", longest=_LONGEST_HINT, optional=True),
        )
        if session is not None:
            logout.end(session)
        return browser.logged_out(browser.lead_to(wish.afterwards or url_for("sso.logged_out")))

    @routes.get("/logged-out")
    @guard.public("says goodbye")
    def logged_out() -> str:
        return render_template("sso/logged_out.html", still=browser.session() if request.cookies else None)


_PARAMETERS = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")
