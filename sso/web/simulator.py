# SPDX-License-Identifier: Apache-2.0
"""The simulator's addresses: a provider of its own for clients that only test, and the page of invented people."""

from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, Response, g, jsonify, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.web import Guard, form_text
from core.web.inputs import query_text

from ..models import Call
from ..oauth.rfc6749 import origin_of
from ..service import SignOn
from ..service.invented import AT_ADDRESS, AT_TOKEN, PEOPLE
from ..service.parking import LONGEST
from .browser import Browser, visitor
from .words import title_of

_LONGEST_CHOICE = 60


def add(routes: Blueprint, service: SignOn, guard: Guard, browser: Browser, *, calls: Callable[[], Call]) -> None:
    """Add the views; ``calls`` reads the request at hand."""
    simulator = service.simulator

    @routes.get("/simulator/.well-known/openid-configuration", endpoint="simulator_configuration")
    @routes.get("/.well-known/oauth-authorization-server/simulator", endpoint="simulator_metadata")
    @guard.public("the description of a provider of invented people", errors="problem")
    def configuration() -> Response:
        return jsonify(simulator.metadata)

    @routes.get("/simulator/jwks", endpoint="simulator_jwks")
    @guard.public("public keys that nothing real is signed with", errors="problem")
    def jwks() -> Response:
        return jsonify(simulator.jwks)

    @routes.get("/simulator/authorize", endpoint="simulator_authorize")
    @guard.own("the request is checked against the registration of a client for tests; its people are invented")
    def authorize() -> ResponseReturnValue:
        onward = simulator.begin(dict(request.args.lists()), browser=browser.binding(), network=visitor().network)
        if isinstance(onward, str):
            chosen_at = url_for("sso.simulator_people", interaction=onward)
            return browser.bound(make_response(redirect(chosen_at, 303)))
        return browser.lead(onward)

    @routes.get("/simulator/people", endpoint="simulator_people")
    @guard.own("a request that was begun in this browser; shows invented people")
    def people() -> str:
        sealed = query_text("interaction", longest=LONGEST)
        interaction, client = simulator.parked(sealed, browser=browser.binding())
        if interaction.request is not None:
            g.form_targets = (origin_of(interaction.request.redirect_uri),)
        return render_template(
            "sso/simulator.html",
            interaction=sealed,
            portal=title_of(client),
            people=PEOPLE.values(),
            errors=AT_ADDRESS,
            token_errors=AT_TOKEN,
        )

    @routes.post("/simulator/people", endpoint="simulator_choose")
    @guard.own("a request that was begun in this browser, and its own form")
    def choose() -> ResponseReturnValue:
        sealed = form_text("interaction", longest=LONGEST)
        interaction, _client = simulator.parked(sealed, browser=browser.binding())
        who = form_text("who", longest=_LONGEST_CHOICE)
        return browser.lead(simulator.answer(interaction, who, network=visitor().network))

    @routes.post("/simulator/token", endpoint="simulator_token")
    @guard.own("client authentication", errors="oauth")
    def token() -> Response:
        call = calls()
        return jsonify(simulator.issue(simulator.clients.authenticate(call), call).document())

    @routes.post("/simulator/par", endpoint="simulator_par")
    @guard.own("client authentication", errors="oauth")
    def par() -> ResponseReturnValue:
        call = calls()
        address, lasts = simulator.requests.push(simulator.clients.authenticate(call), call)
        return jsonify({"request_uri": address, "expires_in": lasts}), HTTPStatus.CREATED

    @routes.route("/simulator/userinfo", methods=["GET", "POST"], endpoint="simulator_userinfo")
    @guard.own("a token of the simulator", errors="oauth")
    def userinfo() -> Response:
        told = simulator.userinfo(calls())
        return Response(told, mimetype="application/jwt") if isinstance(told, str) else jsonify(told)
