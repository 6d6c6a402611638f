# SPDX-License-Identifier: Apache-2.0
"""EST over HTTP (RFC 7030 section 3.2, RFC 8951): base64 bodies, plain sentences for what is refused.

Only nginx is listened to: it vouches that a request came over TLS, from which address and with which certificate.
"""

import base64
import secrets
from urllib.parse import unquote_to_bytes

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from core.calls import CALLER_HEADER, SECRET_HEADER, PairSecrets
from core.errors import Forbidden, Kind, TallygateError
from core.log import logger
from core.web import Guard

from ..errors import DeviceUnidentified, EnrolsTooOften
from ..est import Call, Est
from ..est.requests import LONGEST
from ..est.waiting import Later
from .direct import CERTIFICATE_HEADER

_log = logger(__name__)
PREFIX = "/.well-known/est"
CERTS = "application/pkcs7-mime; smime-type=certs-only"
_KEY = "application/pkcs8"
_ENCRYPTED_KEY = "application/pkcs7-mime; smime-type=server-generated-key"
_WHY = "a device's certificate, handed over by nginx, or the secret of an officer's enrolment"
_BUSY = 2
_TOO_LARGE = 413
_ACCEPTED = 202


def est(service: Est, guard: Guard, *, pairs: PairSecrets) -> Blueprint:
    """Every operation, with a label and without."""
    blueprint = Blueprint("ca_est", __name__, url_prefix=PREFIX)
    _dress(blueprint, pairs)

    @blueprint.get("/cacerts")
    @blueprint.get("/<label>/cacerts")
    @guard.public("RFC 7030 section 4.1: whom to trust", errors="problem")
    def cacerts(label: str = "") -> Response:
        return _answer(service.authorities(label), CERTS)

    @blueprint.get("/csrattrs")
    @blueprint.get("/<label>/csrattrs")
    @guard.public("RFC 7030 section 4.5: what a request should hold, the same for every device", errors="problem")
    def csrattrs(label: str = "") -> Response:
        return _answer(service.attributes(label), "application/csrattrs")

    @blueprint.post("/simpleenroll")
    @blueprint.post("/<label>/simpleenroll")
    @guard.own(_WHY, errors="problem")
    def simpleenroll(label: str = "") -> Response:
        found = service.enroll(_call("simpleenroll", label))
        return _later(found) if isinstance(found, Later) else _answer(found, CERTS)

    @blueprint.post("/simplereenroll")
    @blueprint.post("/<label>/simplereenroll")
    @guard.own("the device's certificate, handed over by nginx", errors="problem")
    def simplereenroll(label: str = "") -> Response:
        return _answer(service.reenroll(_call("simplereenroll", label)), CERTS)

    @blueprint.post("/serverkeygen")
    @blueprint.post("/<label>/serverkeygen")
    @guard.own(_WHY, errors="problem")
    def serverkeygen(label: str = "") -> Response:
        made = service.generate(_call("serverkeygen", label))
        boundary = secrets.token_hex(16)
        parts = ((_ENCRYPTED_KEY if made.encrypted else _KEY, made.key), (CERTS, made.certificate))
        body = b"".join(
            f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
            + base64.encodebytes(content)
            + b"\r\n"
            for kind, content in parts
        )
        body += f"--{boundary}--\r\n".encode()
        return Response(body, content_type=f"multipart/mixed; boundary={boundary}", headers=_KEPT_NOWHERE)

    return blueprint


_KEPT_NOWHERE = {"Cache-Control": "no-store"}


def _dress(blueprint: Blueprint, pairs: PairSecrets) -> None:
    @blueprint.before_request
    def check() -> None:
        name = pairs.caller(request.headers.get(CALLER_HEADER), request.headers.get(SECRET_HEADER))
        # A secret that came in the clear is nobody's secret any more.
        if name != "nginx" or not request.is_secure:
            raise Forbidden
        request.max_content_length = LONGEST

    @blueprint.errorhandler(TallygateError)
    def translate(error: TallygateError) -> Response:
        return _refusal(error)

    @blueprint.errorhandler(RequestEntityTooLarge)
    def too_large(_error: RequestEntityTooLarge) -> Response:
        return _said("What you sent is too large.", _TOO_LARGE)


def _refusal(error: TallygateError) -> Response:
    """A sentence for whoever looks after the device (RFC 7030 section 4.2.3)."""
    if error.kind is Kind.INTERNAL:
        _log.error("internal_error", code=error.code, request_id=g.get("request_id"), exc_info=error)
        return _said(TallygateError.message, error.kind.status)
    response = _said(error.detail, error.kind.status)
    if isinstance(error, DeviceUnidentified):
        response.headers["WWW-Authenticate"] = 'Basic realm="EST enrolment", charset="UTF-8"'
    if isinstance(error, EnrolsTooOften):
        response.headers["Retry-After"] = str(error.parameters["seconds"])
    elif error.kind is Kind.UNAVAILABLE:
        response.headers["Retry-After"] = str(_BUSY)
    return response


def _said(text: str, status: int) -> Response:
    return Response(f"{text}\n", status, content_type="text/plain; charset=utf-8", headers=_KEPT_NOWHERE)


def _answer(content: bytes, content_type: str) -> Response:
    return Response(base64.encodebytes(content), content_type=content_type, headers=_KEPT_NOWHERE)


def _later(found: Later) -> Response:
    response = _said("An officer has to approve this request. Ask again with the same one.", _ACCEPTED)
    response.headers["Retry-After"] = str(int(found.pause.total_seconds()))
    return response


def _call(operation: str, label: str) -> Call:
    return Call(
        operation=operation,
        label=label,
        address=request.remote_addr or "",
        unverified_authorization=request.headers.get("Authorization", ""),
        unverified_certificate=unquote_to_bytes(request.headers.get(CERTIFICATE_HEADER, "")),
        content_type=request.headers.get("Content-Type", ""),
        body=request.get_data(cache=False),
    )
