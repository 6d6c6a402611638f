# SPDX-License-Identifier: Apache-2.0
"""To the other provider and back, for a login or for a link; and its word that somebody logged out there."""

from flask import Blueprint, Response, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from core.web import Guard, form_text
from core.web.inputs import query_text

from ..errors import BadTokenRequest, StepUpNeeded, UpstreamRefused, UpstreamUnknown
from ..service import SignOn
from ..service.parking import LONGEST
from ..service.upstream import Answer, Asked
from .browser import UPSTREAM_COOKIE, Browser, visitor
from .login import LoginPage

_LONGEST_COOKIE = 4000
_LONGEST_CODE = 2000
_LONGEST_TOKEN = 8000


def add(routes: Blueprint, service: SignOn, guard: Guard, browser: Browser, *, login_page: LoginPage) -> None:
    """Add the views."""
    authorization, upstream = service.authorization, service.upstream

    def away(asked: Asked) -> Response:
        response: Response = make_response(redirect(asked.address, 303))
        return browser.upstream(response, asked.cookie)

    @routes.post("/login/upstream")
    @guard.own("the parked request of this browser")
    def to_upstream() -> ResponseReturnValue:
        interaction, _client = browser.parked(form_text("interaction", longest=LONGEST))
        try:
            return away(upstream.begin(interaction))
        except UpstreamRefused as error:
            return login_page(interaction, error), error.kind.status

    @routes.get("/login/upstream")
    @guard.own("the other provider's answer, in the browser that asked, once")
    def from_upstream() -> ResponseReturnValue:
        cookie = _cookie()
        interaction = upstream.parked(cookie, browser=browser.binding())
        interaction, _client = browser.parked(authorization.sealed(interaction))
        answer = Answer(
            state=query_text("state"),
            code=query_text("code", longest=_LONGEST_CODE),
            issuer=query_text("iss"),
            error=query_text("error"),
        )
        try:
            if upstream.links(cookie):
                return browser.upstream(_linked(answer, cookie), "")
            opened = service.upstream.log_in(
                cookie,
                answer,
                interaction=interaction,
                visitor=visitor(),
                session=browser.session_cookie,
                known=browser.known_cookie,
            )
        except (UpstreamRefused, UpstreamUnknown, StepUpNeeded) as error:
            return login_page(interaction, error), error.kind.status
        onward = authorization.proceed(interaction, session=opened.session, decided=True)
        return browser.upstream(browser.logged_in(browser.lead(onward), opened), "")

    def _linked(answer: Answer, cookie: str) -> Response:
        session = browser.session()
        if session is None:
            raise UpstreamRefused
        upstream.link(cookie, answer, session=session)
        return browser.lead_to(url_for("sso.factors"))

    @routes.post("/account/factors/upstream")
    @guard.own("the session of this browser, of the last minutes")
    def link_upstream() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return browser.lead(authorization.enter(browser=browser.binding()))
        interaction = authorization.account(browser=browser.binding(), session=session)
        return away(upstream.begin(interaction, linking=session))

    @routes.post("/account/factors/upstream/remove")
    @guard.own("the session of this browser, of the last minutes")
    def unlink_upstream() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return browser.lead(authorization.enter(browser=browser.binding()))
        upstream.unlink(session)
        return redirect(url_for("sso.factors"), 303)

    @routes.post("/login/upstream/ended")
    @guard.own("a logout token that the other provider signed, once", errors="oauth")
    def upstream_ended() -> ResponseReturnValue:
        try:
            upstream.logged_out(form_text("logout_token", longest=_LONGEST_TOKEN))
        except UpstreamRefused as error:
            raise BadTokenRequest(field="logout_token") from error
        response = make_response("")
        response.headers["Cache-Control"] = "no-store"
        return response


def _cookie() -> str:
    value = request.cookies.get(UPSTREAM_COOKIE, "")
    if not value or len(value) > _LONGEST_COOKIE or not value.isascii():
        raise UpstreamRefused
    return value
