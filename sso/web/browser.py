# SPDX-License-Identifier: Apache-2.0
"""The browser's two cookies, and answers that lead it on."""

import ipaddress
import secrets

from flask import Response, g, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from core.web import COOKIE

from ..models import Client, Interaction, Redirection, Session, Visitor
from ..oauth.openid import Step
from ..oauth.rfc6749 import origin_of, with_parameters
from ..service import Home, NewSession, Parked, SignOn

# ``__Host-``: only this very host can set them, over TLS, for all its pages.
SESSION_COOKIE = "__Host-sso-session"
BROWSER_COOKIE = "__Host-sso-browser"
# By which a browser is known at its next login; proves nobody.
KNOWN_COOKIE = "__Host-sso-known"
# What was asked of the other provider in this browser, sealed.
UPSTREAM_COOKIE = "__Host-sso-upstream"
# The one browser in which a way back goes on.
RECOVERY_COOKIE = "__Host-sso-recovery"
# Where a login without a request leads; everything else is "My account".
_HOMES = {
    "factors": "sso.factors",
    "mandates": "sso.mandates",
    "profile": "sso.profile",
    "device": "sso.device",
}
_LONGEST_COOKIE = 100
_V4_PREFIX, _V6_PREFIX = 24, 48
_PAGES = {Step.CONSENT: "sso.consent", Step.CHOOSE: "sso.acting", Step.STEP_UP: "sso.more"}
_AGENTS = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


class Browser:
    """Reads and writes what one browser keeps for us."""

    def __init__(self, service: SignOn) -> None:
        self._service = service

    @property
    def session_cookie(self) -> str:
        """The value the browser sent; empty if none or not one of ours."""
        return _cookie(SESSION_COOKIE)

    @property
    def known_cookie(self) -> str:
        """By which this browser is known; empty if it is not."""
        return _cookie(KNOWN_COOKIE)

    @property
    def recovery_cookie(self) -> str:
        """The way back that goes on in this browser; empty if none."""
        return _cookie(RECOVERY_COOKIE)

    def recovering(self, response: Response, cookie: str) -> Response:
        """From here on a way back goes on in this browser."""
        _set(response, RECOVERY_COOKIE, cookie)
        return response

    def upstream(self, response: Response, cookie: str) -> Response:
        """What was asked of the other provider goes on in this browser; empty: it was answered."""
        if cookie:
            _set(response, UPSTREAM_COOKIE, cookie)
            if "sso_browser" in g:
                _set(response, BROWSER_COOKIE, g.sso_browser)
        else:
            response.delete_cookie(UPSTREAM_COOKIE, path="/", secure=True, httponly=True, samesite="Lax")
        return response

    def session(self) -> Session | None:
        """Who is logged in here."""
        return self._service.login.current(self.session_cookie)

    def binding(self) -> str:
        """The value that binds parked requests to this browser; made at first need."""
        known = _cookie(BROWSER_COOKIE) or g.get("sso_browser", "")
        if not known:
            known = g.sso_browser = secrets.token_urlsafe(32)
        return known

    def parked(self, sealed: str) -> tuple[Interaction, Client | None]:
        """A parked request of this browser and who asked; the page may lead where the answer goes.

        Raises:
            InteractionLost: answered, over, or another browser's.
        """
        authorization = self._service.authorization
        interaction = authorization.interaction(sealed, browser=self.binding())
        client = authorization.client(interaction)
        own = (self._service.card_origin, self._service.upstream.origin)
        g.form_targets = (*authorization.form_targets(interaction), *filter(None, own))
        return interaction, client

    def logged_in(self, response: Response, opened: NewSession) -> Response:
        """Hand over the new session; form tokens of the time before are worth nothing any more."""
        session.clear()
        _set(response, SESSION_COOKIE, opened.cookie)
        if opened.known:
            _set(response, KNOWN_COOKIE, opened.known, days=self._service.browser_days)
        return response

    def logged_out(self, response: Response) -> Response:
        """Take the session's cookie away."""
        session.clear()
        response.delete_cookie(SESSION_COOKIE, path="/", secure=True, httponly=True, samesite="Lax")
        return response

    def lead_to(self, address: str) -> Response:
        """Send the browser to an address of ours or a registered one."""
        return _response(redirect(address, 303))

    def lead(self, onward: Redirection | Parked | Home) -> Response:
        """Send the browser where it has to go next."""
        if isinstance(onward, Home):
            page = _HOMES.get(onward.page, "sso.account")
            response = _response(redirect(url_for(page), 303))
        elif isinstance(onward, Parked):
            page = _PAGES.get(onward.step, "sso.login")
            level = onward.level if onward.step is Step.STEP_UP else None
            # What the person chose here before comes first.
            language = None if request.cookies.get(COOKIE) else onward.locale or None
            response = _response(redirect(url_for(page, interaction=onward.sealed, level=level, lang=language), 303))
        elif onward.mode == "form_post":
            g.form_targets = (origin_of(onward.uri),)
            response = _response(
                render_template("sso/form_post.html", address=onward.uri, parameters=onward.parameters)
            )
        else:
            response = _response(redirect(with_parameters(onward.uri, onward.parameters), 303))
        return self.bound(response)

    def bound(self, response: Response) -> Response:
        """Let the browser keep what parked requests are bound to, if that was made just now."""
        if "sso_browser" in g:
            _set(response, BROWSER_COOKIE, g.sso_browser)
        return response


def visitor() -> Visitor:
    """Where this request comes from, as far as we keep it."""
    address = request.remote_addr or ""
    return Visitor(address=address, network=_network(address), agent=_agent(request.user_agent.string))


def _network(address: str) -> str:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    prefix = _V4_PREFIX if known.version == 4 else _V6_PREFIX  # noqa: PLR2004 - the protocol's own number
    return str(ipaddress.ip_network(f"{known}/{prefix}", strict=False))


def _agent(header: str) -> str:
    browser = next((name for mark, name in _AGENTS if mark in header), "")
    system = next((name for mark, name in _SYSTEMS if mark in header), "")
    return " · ".join(part for part in (browser, system) if part)


def _cookie(name: str) -> str:
    value = request.cookies.get(name, "")
    return value if len(value) <= _LONGEST_COOKIE and value.isascii() else ""


def _set(response: Response, name: str, value: str, *, days: int | None = None) -> None:
    lasting = None if days is None else days * 86_400
    response.set_cookie(name, value, max_age=lasting, path="/", secure=True, httponly=True, samesite="Lax")


def _response(content: ResponseReturnValue) -> Response:
    response: Response = make_response(content)
    return response
