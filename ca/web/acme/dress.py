# SPDX-License-Identifier: Apache-2.0
"""What every answer of ACME carries, and how refusals are said."""

from flask import Blueprint, Response, g, jsonify, request

from core.errors import Kind, NotFound, TallygateError
from core.log import logger

from ...acme import Acme
from ...acme.gate import PREFIX
from ...acme.problems import Problem, Type
from .documents import url

_log = logger(__name__)
_BUSY = 2
_TYPES = {
    Kind.INVALID: Type.MALFORMED,
    Kind.UNAUTHENTICATED: Type.UNAUTHORIZED,
    Kind.FORBIDDEN: Type.UNAUTHORIZED,
    Kind.NOT_FOUND: Type.MALFORMED,
    Kind.CONFLICT: Type.MALFORMED,
    Kind.TOO_MANY: Type.RATE_LIMITED,
    Kind.UNAVAILABLE: Type.SERVER_INTERNAL,
    Kind.INTERNAL: Type.SERVER_INTERNAL,
}


def dress(blueprint: Blueprint, service: Acme) -> None:
    """Only at the addresses of ACME, each answer with its nonce and index, each refusal as a problem document."""

    @blueprint.before_request
    def place() -> None:
        g.acme_base = request.host_url.rstrip("/")
        if g.acme_base not in service.origins:
            raise NotFound

    @blueprint.after_request
    def mark(response: Response) -> Response:
        if "acme_base" in g and g.acme_base in service.origins:
            if request.method == "POST" or request.path == f"{PREFIX}/new-nonce":
                response.headers["Replay-Nonce"] = service.nonces.make()
            if request.path != f"{PREFIX}/directory":
                response.headers.add("Link", f'<{url("/directory")}>;rel="index"')
        return response

    @blueprint.errorhandler(Problem)
    def refuse(problem: Problem) -> Response:
        return _refusal(problem)

    @blueprint.errorhandler(TallygateError)
    def translate(error: TallygateError) -> Response:
        return _translated(error)


def _refusal(problem: Problem) -> Response:
    # Type and detail are the protocol's; title and code are what every problem document of the site has.
    response = jsonify({"title": "ACME request refused", "code": problem.type.value, **problem.document()})
    response.status_code = problem.status
    response.content_type = "application/problem+json"
    if problem.retry_after:
        response.headers["Retry-After"] = str(problem.retry_after)
    if problem.location:
        response.headers["Location"] = f"{g.acme_base}{problem.location}"
    return response


def _translated(error: TallygateError) -> Response:
    """What the site's own components refuse, in the words of the protocol; what is our own fault says only that."""
    if error.kind is Kind.INTERNAL:
        _log.error("internal_error", code=error.code, request_id=g.get("request_id"), exc_info=error)
        return _refusal(Problem(Type.SERVER_INTERNAL, TallygateError.message))
    busy = _BUSY if error.kind is Kind.UNAVAILABLE else 0
    return _refusal(Problem(_TYPES[error.kind], error.detail, status=error.kind.status, retry_after=busy))
