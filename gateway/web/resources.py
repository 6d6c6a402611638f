# SPDX-License-Identifier: Apache-2.0
"""Where a guarded host tells which tokens it takes (RFC 9728), to everybody and without a decision."""

from flask import Blueprint, Response, jsonify

from core.calls import PairSecrets
from core.web import Guard

from ..service.resources import Resources
from .through import host, listener, through_proxy

_WHY = "which tokens a host takes, and whose; clients must know it before they have one"


def told(resources: Resources, guard: Guard, *, proxy: PairSecrets) -> Blueprint:
    """The documents; only a proxy of the site reaches them."""
    facts = Blueprint("gateway_resources", __name__)

    @facts.before_request
    def through_nginx() -> None:
        through_proxy(proxy)

    @facts.get("/.well-known/oauth-protected-resource")
    @guard.public(_WHY, errors="problem")
    def whole() -> Response:
        return _kept(resources.document(host=host(), listener=listener(), path=""))

    @facts.get("/.well-known/oauth-protected-resource/<path:path>")
    @guard.public(_WHY, errors="problem")
    def part(path: str) -> Response:
        return _kept(resources.document(host=host(), listener=listener(), path=f"/{path}"))

    return facts


def _kept(document: object) -> Response:
    response: Response = jsonify(document)
    response.headers["Cache-Control"] = "public, max-age=300"
    return response
