# SPDX-License-Identifier: Apache-2.0
"""What holders' programs ask: the verbs of "my certificates" with JSON, at the same host, about oneself alone."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue

from core.web import Guard

from ..registration import Asked, Registration
from .documents import asked_for, octets, request_document, text

_WHY = "the gateway's signed identity for this very host"
_LONGEST_OFFER = 100


def own_requests(blueprint: Blueprint, registration: Registration, guard: Guard, *, subject: Callable[[], str]) -> None:
    """Add the verbs to the holders' blueprint, which says whose they are."""

    def mine(identifier: str) -> Asked:
        return registration.own(identifier, subject())

    @blueprint.get("/api/v1/my/offers")
    @guard.own(_WHY, errors="problem")
    def api_offers() -> Response:
        found = registration.offers(subject())
        offers = [
            {"offer": each.key, "profile": each.profile, "organisation": each.organisation, "name": each.name}
            for each in found
        ]
        return jsonify({"offers": offers})

    @blueprint.get("/api/v1/my/requests")
    @guard.own(_WHY, errors="problem")
    def api_requests() -> Response:
        return jsonify({"requests": [request_document(each) for each in registration.asked_by(subject())]})

    @blueprint.post("/api/v1/my/requests")
    @guard.own(_WHY, errors="problem")
    def api_ask() -> ResponseReturnValue:
        document = asked_for("offer", "csr")
        offer = text(document, "offer", longest=_LONGEST_OFFER)
        asked = registration.ask(asker=subject(), offer=offer, csr=octets(document, "csr"))
        return jsonify(request_document(asked)), 201

    @blueprint.get("/api/v1/my/requests/<identifier>")
    @guard.own(_WHY, errors="problem")
    def api_request(identifier: str) -> Response:
        return jsonify(request_document(mine(identifier)))

    @blueprint.post("/api/v1/my/requests/<identifier>/withdraw")
    @guard.own(_WHY, errors="problem")
    def api_withdraw(identifier: str) -> Response:
        asked_for()
        registration.withdraw(identifier, subject())
        return jsonify(request_document(mine(identifier)))
