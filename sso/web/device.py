# SPDX-License-Identifier: Apache-2.0
"""Devices without a browser: their endpoint, and the page where their person types the short code and decides."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from core.errors import Kind, TallygateError
from core.web import Guard, _, form_text

from ..errors import MandateOver, StepUpNeeded, UserCodeWrong
from ..models import SELF, Call
from ..oauth.rfc9396 import in_words
from ..service import SignOn
from .browser import Browser, visitor
from .words import moment, name_of, service_text, title_of, wishes

_LONGEST_SEALED = 1000
_LONGEST_CODE = 40
_LONGEST_ACTING = 200


def add(routes: Blueprint, service: SignOn, guard: Guard, browser: Browser, *, calls: Callable[[], Call]) -> None:
    """Add the views."""
    devices, authorization = service.devices, service.authorization

    def to_login() -> ResponseReturnValue:
        return browser.lead(authorization.enter(browser=browser.binding(), page="device"))

    @routes.post("/device_authorization")
    @guard.own("client authentication", errors="oauth")
    def device_authorization() -> Response:
        call = calls()
        return jsonify(devices.begin(service.clients.authenticate(call), call, visitor=visitor()))

    @routes.get("/device", endpoint="device")
    @guard.own("the session of this browser; without one it leads to the login")
    def show() -> ResponseReturnValue:
        if browser.session() is None:
            return to_login()
        return render_template("sso/device.html", error="", asking=None, done=None)

    @routes.post("/device")
    @guard.own("the session of this browser, and the short code that a device shows")
    def enter() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        try:
            typed = form_text("user_code", longest=_LONGEST_CODE)
            asking = devices.asking(typed, session=session, visitor=visitor())
        except TallygateError as error:
            if not isinstance(error, UserCodeWrong) and error.kind is not Kind.TOO_MANY:
                raise
            page = render_template("sso/device.html", error=_(error.message), asking=None, done=None)
            return page, error.kind.status
        return render_template(
            "sso/device.html",
            error="",
            asking=asking,
            done=None,
            portal=title_of(asking.client),
            session=session,
            wishes=wishes(asking.device.scopes),
            details=in_words(asking.device.details),
            moment=moment,
            name_of=name_of,
            service_text=service_text,
        )

    @routes.post("/device/decide")
    @guard.own("the session of this browser, to which the device was shown")
    def decide() -> ResponseReturnValue:
        session = browser.session()
        if session is None:
            return to_login()
        allow = form_text("choice") == "allow"
        try:
            client = devices.decide(
                form_text("device", longest=_LONGEST_SEALED),
                session=session,
                allow=allow,
                withheld=frozenset(request.form.getlist("withhold")),
                acting=form_text("acting", longest=_LONGEST_ACTING, optional=True) or SELF,
            )
        except (StepUpNeeded, MandateOver) as error:
            page = render_template("sso/device.html", error=_(error.message), asking=None, done=None)
            return page, error.kind.status
        return render_template(
            "sso/device.html", error="", asking=None, done="allowed" if allow else "refused", portal=title_of(client)
        )
