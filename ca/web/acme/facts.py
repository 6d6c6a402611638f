# SPDX-License-Identifier: Apache-2.0
"""What anybody may ask: where everything is, for a nonce, when to renew."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from core.web import Guard

from ...acme import Acme
from ...acme.orders import offered
from ...acme.renewal import ASK_AGAIN
from .documents import url
from .dress import dress


def facts(service: Acme, guard: Guard) -> Blueprint:
    """The open endpoints."""
    blueprint = Blueprint("ca_acme", __name__, url_prefix="/acme")
    dress(blueprint, service)

    @blueprint.get("/directory")
    @guard.public("RFC 8555 section 7.1.1: where everything is", errors="problem")
    def directory() -> Response:
        meta: dict[str, Any] = {"externalAccountRequired": True, "profiles": offered()}
        settings = service.settings
        texts = {"website": settings.website, "termsOfService": settings.terms}
        meta |= {name: text for name, text in texts.items() if text}
        if settings.caa_identities:
            meta["caaIdentities"] = list(settings.caa_identities)
        places = {
            "newNonce": "/new-nonce",
            "newAccount": "/new-account",
            "newOrder": "/new-order",
            "newAuthz": "/new-authz",
            "revokeCert": "/revoke-cert",
            "keyChange": "/key-change",
            "renewalInfo": "/renewal-info",
        }
        return jsonify({**{name: url(path) for name, path in places.items()}, "meta": meta})

    @blueprint.get("/new-nonce")
    @guard.public("RFC 8555 section 7.2: a nonce tells nothing", errors="problem")
    def new_nonce() -> Response:
        return Response(status=200 if request.method == "HEAD" else 204)

    @blueprint.get("/renewal-info/<certificate>")
    @guard.public("RFC 9773 section 4.1: when a certificate should be renewed", errors="problem")
    def renewal_info(certificate: str) -> Response:
        window = service.renewal.window(certificate)
        said: dict[str, Any] = {
            "suggestedWindow": {"start": window.start.isoformat(), "end": window.end.isoformat()},
        }
        if window.explanation:
            said["explanationURL"] = window.explanation
        response = jsonify(said)
        response.headers["Retry-After"] = str(ASK_AGAIN)
        return response

    return blueprint
