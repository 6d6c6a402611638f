# SPDX-License-Identifier: Apache-2.0
"""The blueprint: which host answers what, and the headers that go with refusals."""

from http import HTTPStatus

from flask import Blueprint, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from core.calls import PairSecrets
from core.errors import NotFound
from core.web import Guard

from ..oauth.rfc6750 import challenge
from ..oauth.rfc9449 import challenge as proof_challenge
from ..oauth.rfc9728 import address as resource_address
from ..service import SignOn
from . import (
    accesses,
    account,
    card,
    consent,
    device,
    entrusting,
    factors,
    login,
    more,
    profile,
    protocol,
    recovery,
    registration,
    safety,
    simulator,
    upstream,
)
from .browser import Browser
from .calls import on_host, reader
from .quick import BASIC

_CLIENT_ENDPOINTS = frozenset(
    {"sso.token", "sso.par", "sso.device_authorization", "sso.revoke", "sso.introspect", "sso.accesses"}
)
_SIMULATED = frozenset({"sso.simulator_token", "sso.simulator_par"})
_AT_TLS_HOST = _CLIENT_ENDPOINTS | {"sso.userinfo"}
_REGISTRATION = frozenset({"sso.register", "sso.registered", "sso.change_registration", "sso.remove_registration"})
_REFUSALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def blueprint(
    service: SignOn,
    guard: Guard,
    *,
    card_host: str,
    tls_host: str,
    proxy: PairSecrets,
    certificates: str = "",
    desk_host: str = "",
) -> Blueprint:
    """All addresses of sign-on; ``proxy`` knows nginx, the only one whose word about a client certificate counts.

    ``certificates`` is where people ask for certificates and look after their own; "My account" leads there.
    At ``desk_host`` nothing is answered but what leads to the administrators' desk, which is a blueprint of its own.
    """
    routes = Blueprint("sso", __name__, template_folder="../templates")
    browser = Browser(service)
    calls = reader(service, tls_host=tls_host, proxy=proxy)
    protocol.add(routes, service, guard, browser, calls=calls)
    accesses.add(routes, service, guard, calls=calls)
    device.add(routes, service, guard, browser, calls=calls)
    registration.add(routes, service, guard)
    card_login = card.add(routes, service, guard, browser, proxy=proxy)
    login_page = login.add(routes, service, guard, browser, card_host=card_host, card_login=card_login)
    upstream.add(routes, service, guard, browser, login_page=login_page)
    more.add(routes, service, guard, browser)
    consent.add(routes, service, guard, browser)
    account.add(routes, service, guard, browser, certificates=certificates)
    factors.add(routes, service, guard, browser)
    safety.add(routes, service, guard, browser)
    profile.add(routes, service, guard, browser)
    recovery.add(routes, service, guard, browser)
    entrusting.add(routes, service, guard, browser)
    simulator.add(routes, service, guard, browser, calls=calls)

    @routes.before_request
    def keep_hosts_apart() -> ResponseReturnValue | None:
        if on_host(desk_host):
            if request.endpoint == "sso.home":
                return redirect(url_for("sso_admin.front"), 303)
            raise NotFound
        # The card host asks browsers for certificates; nothing else of sign-on may be reached there.
        if on_host(card_host) and request.endpoint != "sso.login":
            raise NotFound
        # So does the host of clients with certificates.
        if on_host(tls_host) and request.endpoint not in _AT_TLS_HOST:
            raise NotFound
        return None

    @routes.after_request
    def name_the_scheme(response: Response) -> Response:
        if request.endpoint in _CLIENT_ENDPOINTS | _SIMULATED and response.status_code == HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = BASIC
        if request.endpoint in _REGISTRATION and response.status_code == HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = challenge("invalid_token", metadata="")
        if request.endpoint in ("sso.userinfo", "sso.simulator_userinfo") and response.status_code in _REFUSALS:
            error = (response.get_json(silent=True) or {}).get("error", "invalid_token")
            response.headers["WWW-Authenticate"] = challenge(error, metadata=resource_address(service.issuer))
            response.headers.add("WWW-Authenticate", proof_challenge(error))
        programs = _AT_TLS_HOST | _SIMULATED | {"sso.simulator_userinfo"}
        if request.endpoint in programs and (request.headers.get("DPoP") or _asks_for_nonce(response)):
            response.headers["DPoP-Nonce"] = service.nonces.current()
        return response

    return routes


def _asks_for_nonce(response: Response) -> bool:
    return response.status_code >= HTTPStatus.BAD_REQUEST and b"use_dpop_nonce" in response.get_data()
