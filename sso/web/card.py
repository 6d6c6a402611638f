# SPDX-License-Identifier: Apache-2.0
"""The card host's one page. The certificate header counts only beside nginx's own secret."""

from collections.abc import Callable
from urllib.parse import quote, unquote

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from core.calls import CALLER_HEADER, SECRET_HEADER, PairSecrets
from core.errors import Forbidden
from core.web import Guard, _
from core.web.inputs import query_text

from ..errors import CardRefused
from ..service import SignOn
from ..service.parking import LONGEST
from .browser import Browser, visitor

CERTIFICATE_HEADER = "Tallygate-Client-Certificate"
_LONGEST_CERTIFICATE = 16_384


def add(
    _routes: Blueprint, service: SignOn, _guard: Guard, _browser: Browser, *, proxy: PairSecrets
) -> Callable[[], ResponseReturnValue]:
    """The view; it shares its address with the login page of the other host."""

    def card_login() -> ResponseReturnValue:
        shown = certificate_shown(proxy)
        try:
            back = service.login.card_shown(query_text("ticket", longest=LONGEST), shown, visitor=visitor())
        except CardRefused as error:
            page = render_template("sso/card.html", error=_(error.message), again=request.full_path)
            return page, error.kind.status
        return redirect(f"{service.issuer}/login/card?handover={quote(back, safe='')}", 303)

    return card_login


def certificate_shown(proxy: PairSecrets) -> bytes | None:
    """The certificate nginx vouches for; None if its caller showed none.

    Raises:
        Forbidden: it is not nginx that speaks.
    """
    if proxy.caller(request.headers.get(CALLER_HEADER), request.headers.get(SECRET_HEADER)) != "nginx":
        raise Forbidden
    values = request.headers.getlist(CERTIFICATE_HEADER)
    if len(values) != 1 or not values[0] or len(values[0]) > _LONGEST_CERTIFICATE:
        return None
    return unquote(values[0]).encode("utf-8", "replace")
