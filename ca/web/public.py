# SPDX-License-Identifier: Apache-2.0
"""What anybody may fetch over plain HTTP: OCSP answers, revocation lists, issuers; and what may be asked here."""

from typing import Any

from flask import Blueprint, Response, request

from core.web import Guard

from ..openapi import description
from ..service import CertificateAuthority
from ..x509.lists import read_path


def public(service: CertificateAuthority, guard: Guard) -> Blueprint:
    """The endpoints named in every certificate of ours."""
    blueprint = Blueprint("ca_public", __name__)

    @blueprint.post("/ocsp/<issuer>")
    @guard.public("RFC 6960: a signed public fact", errors="problem")
    def ask(issuer: str) -> Response:
        return _answer(service.ocsp(issuer, request.get_data(cache=False)))

    # Base64 may hold two slashes in a row.
    @blueprint.get("/ocsp/<issuer>/<path:encoded>", merge_slashes=False)
    @guard.public("RFC 6960 appendix A.1: a signed public fact", errors="problem")
    def ask_by_path(issuer: str, encoded: str) -> Response:
        return _answer(service.ocsp(issuer, read_path(encoded)))

    @blueprint.get("/crl/<issuer>.crl")
    @guard.public("RFC 5280 section 5: a signed public fact", errors="problem")
    def revocation_list(issuer: str) -> Response:
        return Response(service.crl(issuer), content_type="application/pkix-crl")

    @blueprint.get("/ca/<issuer>.cer")
    @guard.public("RFC 5280 section 4.2.2.1: a public certificate", errors="problem")
    def authority(issuer: str) -> Response:
        return Response(service.authority(issuer), content_type="application/pkix-cert")

    @blueprint.get("/api/v1/openapi.json")
    @guard.public("the description of an interface; what it leads to is guarded itself", errors="problem")
    def openapi() -> dict[str, Any]:
        return description()

    return blueprint


def _answer(der: bytes) -> Response:
    return Response(der, content_type="application/ocsp-response")
