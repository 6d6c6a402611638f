# SPDX-License-Identifier: Apache-2.0
"""The issuer stands in every answer, errors included, so that a client cannot mix up two providers."""

from ...errors import Redirectable
from ...models import AuthorizationRequest, Redirection, ResponseMode


def answered(issuer: str, request: AuthorizationRequest, *, code: str) -> Redirection:
    """The good answer (RFC 6749 section 4.1.2 with RFC 9207 section 2)."""
    return _answer(issuer, request.redirect_uri, request.state, request.mode, {"code": code})


def refused(
    issuer: str, error: Redirectable, *, redirect_uri: str, state: str, mode: ResponseMode = "query"
) -> Redirection:
    """The bad answer (RFC 6749 section 4.1.2.1 with RFC 9207 section 2)."""
    said = {"error": error.oauth_code, "error_description": _description(error)}
    return _answer(issuer, redirect_uri, state, mode, said)


def _answer(issuer: str, uri: str, state: str, mode: ResponseMode, said: dict[str, str]) -> Redirection:
    parameters = {**said, **({"state": state} if state else {}), "iss": issuer}
    return Redirection(uri=uri, parameters=parameters, mode=mode)


def _description(error: Redirectable) -> str:
    # RFC 6749 section 4.1.2.1 allows only these characters.
    return "".join(c for c in error.detail if " " <= c <= "~" and c not in '"\\')
