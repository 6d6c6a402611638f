# SPDX-License-Identifier: Apache-2.0
"""Orders, authorizations, challenges (RFC 8555 sections 7.4 and 7.5)."""

from flask import Blueprint, Response, jsonify, request

from core.web import Guard

from ...acme import Acme
from ...acme.jws import unb64url
from ...acme.problems import Problem, Type
from .documents import POLL, authorization_document, body, challenge_document, expect_nothing, order_response, url
from .dress import dress


def orders(service: Acme, guard: Guard) -> Blueprint:
    """The endpoints that lead to a certificate."""
    blueprint = Blueprint("ca_acme_orders", __name__, url_prefix="/acme")
    dress(blueprint, service)

    @blueprint.post("/new-order")
    @guard.own("the account key that signs the request", errors="problem")
    def new_order() -> Response:
        found, asked = service.gate.with_account(body(), url=request.url)
        made = service.orders.create(found, asked.document())
        response = order_response(made)
        response.status_code = 201
        return response

    @blueprint.post("/new-authz")
    @guard.own("the account key that signs the request", errors="problem")
    def new_authz() -> Response:
        found, asked = service.gate.with_account(body(), url=request.url)
        made, new = service.orders.authorize(found, asked.document())
        response = jsonify(authorization_document(made))
        response.status_code = 201 if new else 200
        response.headers["Location"] = url(f"/authz/{made.id}")
        return response

    @blueprint.post("/order/<order>")
    @guard.own("the account key that signs the request", errors="problem")
    def show_order(order: str) -> Response:
        found, asked = service.gate.with_account(body(), url=request.url)
        expect_nothing(asked)
        return order_response(service.orders.order(found, order))

    @blueprint.post("/order/<order>/finalize")
    @guard.own("the account key that signs the request", errors="problem")
    def finalize(order: str) -> Response:
        found, asked = service.gate.with_account(body(), url=request.url)
        csr = unb64url(asked.document().get("csr"), "the certificate request")
        service.finalizing.finalize(found, service.orders.order(found, order), csr)
        return order_response(service.orders.order(found, order))

    @blueprint.post("/authz/<authorization>")
    @guard.own("the account key that signs the request", errors="problem")
    def show_authorization(authorization: str) -> Response:
        found, asked = service.gate.with_account(body(), url=request.url)
        if asked.payload:
            if asked.document().get("status") != "deactivated":
                raise Problem(Type.MALFORMED, "an authorization can only be deactivated")
            return jsonify(authorization_document(service.orders.deactivate(found, authorization)))
        shown = service.orders.authorization(found, authorization)
        response = jsonify(authorization_document(shown))
        if any(each.state == "processing" for each in shown.challenges):
            response.headers["Retry-After"] = str(POLL)
        return response

    @blueprint.post("/chall/<challenge>")
    @guard.own("the account key that signs the request", errors="problem")
    def show_challenge(challenge: str) -> Response:
        found, asked = service.gate.with_account(body(), url=request.url)
        if asked.payload:
            asked.document()
            of, shown = service.orders.respond(found, challenge)
        else:
            of, shown = service.orders.challenge(found, challenge)
        response = jsonify(challenge_document(shown))
        response.headers.add("Link", f'<{url(f"/authz/{of.id}")}>;rel="up"')
        if shown.state == "processing":
            response.headers["Retry-After"] = str(POLL)
        return response

    return blueprint
