# SPDX-License-Identifier: Apache-2.0
"""The single mapping of errors to the wire: a page, a problem document (RFC 9457) or an OAuth error (RFC 6749 5.2).

Only here does an error meet HTTP. What is not ours is an internal error: its text never leaves the process.
"""

from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from ..errors import N_, Conflict, Forbidden, Internal, Invalid, Kind, NotFound, TallygateError, TooMany, Unavailable
from ..log import logger
from .guard import face
from .i18n import _

_log = logger(__name__)

_OAUTH = {
    Kind.INVALID: "invalid_request",
    Kind.UNAUTHENTICATED: "invalid_client",
    Kind.FORBIDDEN: "access_denied",
    Kind.NOT_FOUND: "invalid_request",
    Kind.CONFLICT: "invalid_request",
    Kind.TOO_MANY: "temporarily_unavailable",
    Kind.UNAVAILABLE: "temporarily_unavailable",
    Kind.INTERNAL: "server_error",
}

_TITLES = {
    Kind.INVALID: N_("This request cannot be right"),
    Kind.UNAUTHENTICATED: N_("Please log in"),
    Kind.FORBIDDEN: N_("You have no access to this page"),
    Kind.NOT_FOUND: N_("Page not found"),
    Kind.CONFLICT: N_("This is not possible right now"),
    Kind.TOO_MANY: N_("Too many attempts"),
    Kind.UNAVAILABLE: N_("Temporarily unavailable"),
    Kind.INTERNAL: N_("Something went wrong"),
}


class FormExpired(Forbidden):
    """The CSRF token of a form is missing or from another session."""

    code = "form_expired"
    message = N_("This form has expired. Please go back, reload the page and send it again.")


class MethodNotAllowed(Invalid):
    """The address exists, the method does not."""

    code = "method_not_allowed"
    message = N_("This address does not take such a request.")


class TooLarge(Invalid):
    """The body is over the limit."""

    code = "too_large"
    message = N_("What you sent is too large.")


def install(app: Flask) -> None:
    """Register the mapping on an application."""
    app.register_error_handler(TallygateError, respond)
    app.register_error_handler(CSRFError, lambda _error: respond(FormExpired()))
    app.register_error_handler(HTTPException, _foreign_http)
    app.register_error_handler(Exception, _unexpected)


def respond(error: TallygateError) -> ResponseReturnValue:
    """The one place where kinds become statuses."""
    status = _status(error)
    shown = _noted(error, g.get("request_id", ""))
    shape = face()
    if shape == "oauth":
        response = jsonify(_oauth(shown))
    elif shape == "problem" or _wants_json():
        response = _problem(shown, status)
    else:
        response = Response(
            render_template(
                "core/error.html",
                title=_(_TITLES[shown.kind]),
                detail=_(shown.message) % shown.parameters if shown.parameters else _(shown.message),
                code=shown.code,
                status=status,
                leads_to=shown.leads_to,
                leads_says=_(shown.leads_says) if shown.leads_says else "",
            )
        )
    response.status_code = status
    if shown.kind is Kind.UNAVAILABLE:
        response.headers["Retry-After"] = "2"
    response.headers.update(shown.headers)
    response.headers["Cache-Control"] = "no-store"
    return response


def oauth_answer(error: TallygateError, *, request_id: str) -> tuple[int, dict[str, str]]:
    """Status and document of an OAuth error that is answered before Flask sees the request; noted as everywhere."""
    return _status(error), _oauth(_noted(error, request_id))


def _noted(error: TallygateError, request_id: str) -> TallygateError:
    """The error as it is shown; what somebody has to look into is in the log."""
    if error.kind is Kind.INTERNAL:
        _log.error("internal_error", code=error.code, request_id=request_id, exc_info=error)
        return Internal()
    # Whoever is told to come again later was not at fault: somebody has to find out what was.
    if error.__cause__ is not None or error.kind is Kind.UNAVAILABLE:
        cause = type(error.__cause__).__name__ if error.__cause__ is not None else ""
        _log.warning("refused", code=error.code, request_id=request_id, cause=cause)
    return error


def _status(error: TallygateError) -> int:
    if isinstance(error, MethodNotAllowed):
        return 405
    return 413 if isinstance(error, TooLarge) else error.status or error.kind.status


def _problem(error: TallygateError, status: int) -> Response:
    document: dict[str, Any] = {
        "type": f"urn:tallygate:error:{error.code}",
        "title": _TITLES[error.kind],
        "status": status,
        "detail": error.detail,
        "code": error.code,
        "message": error.message,
        "parameters": error.parameters,
        "instance": f"urn:tallygate:request:{g.get('request_id', '')}",
    }
    response = jsonify(document)
    response.content_type = "application/problem+json"
    return response


def _oauth(error: TallygateError) -> dict[str, str]:
    # A class may state its own OAuth code; RFC 6749 section 5.2 allows only some characters in the description.
    code = getattr(error, "oauth_code", None) or _OAUTH[error.kind]
    description = "".join(c for c in error.detail if " " <= c <= "~" and c not in '"\\')
    return {"error": code, "error_description": description}


def _foreign_http(error: HTTPException) -> ResponseReturnValue:
    if error.code is not None and error.code < HTTPStatus.BAD_REQUEST:
        # A redirect that the router raised.
        return error.get_response()
    known: dict[int | None, type[TallygateError]] = {
        403: Forbidden,
        404: NotFound,
        405: MethodNotAllowed,
        409: Conflict,
        413: TooLarge,
        429: TooMany,
        503: Unavailable,
    }
    senders = error.code is not None and error.code < HTTPStatus.INTERNAL_SERVER_ERROR
    mapped = known.get(error.code, Invalid if senders else Internal)()
    mapped.__cause__ = error
    return respond(mapped)


def _unexpected(error: Exception) -> ResponseReturnValue:
    mapped = Internal()
    mapped.__cause__ = error
    return respond(mapped)


def _wants_json() -> bool:
    best = request.accept_mimetypes.best_match(["text/html", "application/json", "application/problem+json"])
    return best is not None and best != "text/html"
