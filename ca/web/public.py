# SPDX-License-Identifier: Apache-2.0
"""What anybody may fetch over plain HTTP: OCSP answers, revocation lists, issuers; and what may be asked here."""

import re
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request

from core.clock import Clock
from core.web import Guard

from ..errors import NoSuchIssuer
from ..openapi import description
from ..service import Answer, CertificateAuthority, Published
from ..x509.answers import LONGEST_REQUEST, read_path
from .caching import answer_headers, marks

_NAME = re.compile(r"([1-9][0-9]{0,3})(-delta)?", re.ASCII)
"""A list below its issuer's name: the number of its shard, and whether it is the delta."""

_DELTA = "-delta"


def public(service: CertificateAuthority, guard: Guard, *, clock: Clock) -> Blueprint:
    """The endpoints named in every certificate of ours."""
    blueprint = Blueprint("ca_public", __name__)

    @blueprint.post("/ocsp/<issuer>")
    @guard.public("RFC 6960: a signed public fact", errors="problem")
    def ask(issuer: str) -> Response:
        # One byte too many makes it malformed; the rest of a huge body is not read for that.
        return _answer(service.ocsp(issuer, request.stream.read(LONGEST_REQUEST + 1)), clock.now())

    # Base64 may hold two slashes in a row.
    @blueprint.get("/ocsp/<issuer>/<path:encoded>", merge_slashes=False)
    @guard.public("RFC 6960 appendix A.1: a signed public fact", errors="problem")
    def ask_by_path(issuer: str, encoded: str) -> Response:
        return _answer(service.ocsp(issuer, read_path(encoded)), clock.now())

    @blueprint.get("/crl/<issuer>.crl")
    @guard.public("RFC 5280 section 5: a signed public fact", errors="problem")
    def revocation_list(issuer: str) -> Response:
        # No issuer is called so: the name of one ends with its generation or with its algorithm.
        whole = issuer.removesuffix(_DELTA)
        return _list(service.crl(whole, delta=whole != issuer))

    @blueprint.get("/crl/<issuer>/<name>.crl")
    @guard.public("RFC 5280 sections 5.2.4 and 5.2.5: a signed public fact", errors="problem")
    def shard(issuer: str, name: str) -> Response:
        found = _NAME.fullmatch(name)
        if found is None:
            raise NoSuchIssuer
        return _list(service.crl(issuer, int(found.group(1)), delta=bool(found.group(2))))

    @blueprint.get("/ca/<issuer>.cer")
    @guard.public("RFC 5280 section 4.2.2.1: a public certificate", errors="problem")
    def authority(issuer: str) -> Response:
        return Response(service.authority(issuer), content_type="application/pkix-cert")

    @blueprint.get("/api/v1/openapi.json")
    @guard.public("the description of an interface; what it leads to is guarded itself", errors="problem")
    def openapi() -> dict[str, Any]:
        return description()

    return blueprint


def _answer(answer: Answer, now: datetime) -> Response:
    response = Response(answer.der, headers=answer_headers(answer, now))
    return response.make_conditional(request)  # type: ignore[return-value]  # the same response, perhaps without its body


def _list(published: Published) -> Response:
    response = Response(published.der, content_type="application/pkix-crl")
    # A list may be replaced at any moment; who holds it asks again by its mark, which costs next to nothing.
    response.headers["Cache-Control"] = "public, no-cache, no-transform"
    response.headers.update(marks(published.der, made=published.made, until=published.until))
    return response.make_conditional(request)  # type: ignore[return-value]  # the same response, perhaps without its body
