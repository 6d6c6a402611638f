# SPDX-License-Identifier: Apache-2.0
"""Certificates with their chains, and their revocation (RFC 8555 sections 7.4.2 and 7.6)."""

from flask import Blueprint, Response, request

from core.web import Guard

from ...acme import Acme
from ...acme.problems import Problem, Type
from .documents import body, expect_nothing, url
from .dress import dress


def certificates(service: Acme, guard: Guard) -> Blueprint:
    """The endpoints that hand out and take away."""
    blueprint = Blueprint("ca_acme_certificates", __name__, url_prefix="/acme")
    dress(blueprint, service)

    @blueprint.post("/cert/<serial>")
    @guard.own("the account key that signs the request", errors="problem")
    def certificate(serial: str) -> Response:
        return _chain(serial, 0)

    @blueprint.post("/cert/<serial>/<int:which>")
    @guard.own("the account key that signs the request", errors="problem")
    def alternate(serial: str, which: int) -> Response:
        return _chain(serial, which)

    @blueprint.post("/revoke-cert")
    @guard.own("the account key, or the certificate's own key, that signs the request", errors="problem")
    def revoke() -> Response:
        asker, asked = service.gate.with_either(body(), url=request.url)
        service.revocation.revoke(asker, asked.document())
        return Response(status=200)

    def _chain(serial: str, which: int) -> Response:
        found, asked = service.gate.with_account(body(), url=request.url)
        expect_nothing(asked)
        chains = service.chains(found, serial)
        if which >= len(chains):
            raise Problem(Type.MALFORMED, "there is no such chain", status=404)
        response = Response(chains[which], content_type="application/pem-certificate-chain")
        for each in range(len(chains)):
            if each != which:
                path = f"/cert/{serial}/{each}" if each else f"/cert/{serial}"
                response.headers.add("Link", f'<{url(path)}>;rel="alternate"')
        return response

    return blueprint
