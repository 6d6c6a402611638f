# SPDX-License-Identifier: Apache-2.0
"""The pages of the way back: one page, which shows the step at which this browser stands, and one to stop it."""

import secrets

from flask import Blueprint, Response, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from core.errors import TallygateError
from core.web import Guard, _, form_text
from core.web.inputs import query_text

from ..errors import CodeWrong, PasswordKnown, PasswordsDiffer, PasswordWeak, RecoveryLost
from ..models import Recovery
from ..service import SignOn
from .browser import Browser, visitor
from .profile import password
from .words import moment

_LONGEST_LINK = 100
_LONGEST_STOP = 300
_LONGEST_NAME = 200
_LONGEST_CODE = 40


def add(routes: Blueprint, service: SignOn, guard: Guard, browser: Browser) -> None:
    """Add the views."""
    recoveries = service.recoveries

    def page(
        step: str, *, recovery: Recovery | None = None, error: TallygateError | None = None, link: str = ""
    ) -> str:
        return render_template(
            "sso/recover.html",
            step=step,
            recovery=recovery,
            error=_(error.message) if error else "",
            link=link,
            possible=recoveries.possible,
            code=recovery is not None and recovery.state == "opened" and recoveries.asks_for_code(recovery),
            length=service.profile.length,
            moment=moment,
        )

    def here(error: TallygateError | None = None) -> str:
        recovery = recoveries.here(browser.recovery_cookie)
        return page(recovery.state, recovery=recovery, error=error)

    def lost(error: RecoveryLost) -> tuple[str, int]:
        return page("ask", error=error), error.kind.status

    @routes.get("/recover")
    @guard.public("the form to ask for a link, or the step at which this browser stands; changes nothing")
    def recover() -> ResponseReturnValue:
        if link := query_text("link", longest=_LONGEST_LINK):
            return page("link", link=link)
        if browser.recovery_cookie:
            try:
                return here()
            except RecoveryLost:
                return page("ask")
        return page("ask")

    @routes.post("/recover")
    @guard.public("a user name; answered alike for every one")
    def ask_recovery() -> ResponseReturnValue:
        if recoveries.possible:
            recoveries.ask(form_text("username", longest=_LONGEST_NAME), visitor=visitor())
        return page("sent")

    @routes.post("/recover/open")
    @guard.own("a link that was mailed, once")
    def open_recovery() -> ResponseReturnValue:
        cookie = secrets.token_urlsafe(32)
        try:
            recoveries.open(form_text("link", longest=_LONGEST_LINK), browser=cookie)
        except RecoveryLost as error:
            return lost(error)
        return browser.recovering(_response(redirect(url_for("sso.recover"), 303)), cookie)

    @routes.post("/recover/prove")
    @guard.own("the way back of this browser, and a code where a factor is in force")
    def prove_recovery() -> ResponseReturnValue:
        code = form_text("code", longest=_LONGEST_CODE, optional=True)
        try:
            recoveries.prove(code, browser=browser.recovery_cookie)
        except RecoveryLost as error:
            return lost(error)
        except CodeWrong as error:
            return here(error), error.kind.status
        return redirect(url_for("sso.recover"), 303)

    @routes.post("/recover/lose")
    @guard.own("the way back of this browser; begins the time of waiting")
    def lose_factors() -> ResponseReturnValue:
        try:
            recoveries.lose(browser=browser.recovery_cookie)
        except RecoveryLost as error:
            return lost(error)
        return redirect(url_for("sso.recover"), 303)

    @routes.post("/recover/password")
    @guard.own("the way back of this browser, at its last step")
    def recover_password() -> ResponseReturnValue:
        try:
            recoveries.finish(password("password"), password("again"), browser=browser.recovery_cookie)
        except RecoveryLost as error:
            return lost(error)
        except (PasswordKnown, PasswordWeak, PasswordsDiffer) as error:
            return here(error), error.kind.status
        return page("done")

    @routes.get("/recover/stop")
    @guard.public("the form to stop a way back, from the letter that told of it; changes nothing")
    def stop_recovery_page() -> ResponseReturnValue:
        return page("stop", link=query_text("stop", longest=_LONGEST_STOP))

    @routes.post("/recover/stop")
    @guard.own("the seal of the letter that told of it")
    def stop_recovery() -> ResponseReturnValue:
        sealed = form_text("stop", longest=_LONGEST_STOP)
        try:
            recoveries.stop(sealed)
        except RecoveryLost:
            # A letter about a reset by administrators leads here, too.
            try:
                service.resets.stop_by_letter(sealed)
            except RecoveryLost as error:
                return lost(error)
        return page("stopped")


def _response(content: ResponseReturnValue) -> Response:
    response: Response = make_response(content)
    return response
