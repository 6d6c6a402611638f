# SPDX-License-Identifier: Apache-2.0
"""Redeeming a code or a refresh token: everything it was bound to must match.

RFC 6749 sections 4.1.3 and 6, RFC 7636 section 4.6.
"""

from collections.abc import Callable

from ...models import Code, RefreshToken
from ..rfc7636 import verifier_matches
from .tokens import TokenRequest

# Each returns the reason of a refusal for the record, or nothing; the client is told none of them.
Check = Callable[[Code, TokenRequest, int], str]


def check_client(code: Code, request: TokenRequest, _at: int) -> str:
    """A code works for the client it was issued to."""
    return "" if code.client_id == request.client.id else "another client's"


def check_unused(code: Code, _request: TokenRequest, _at: int) -> str:
    """Once."""
    return "used" if code.used else ""


def check_in_time(code: Code, _request: TokenRequest, at: int) -> str:
    """Soon."""
    return "" if at < code.expires_at else "expired"


def check_address(code: Code, request: TokenRequest, _at: int) -> str:
    """From the address it was sent to."""
    return "" if request.unverified["redirect_uri"] == code.redirect_uri else "redirect_uri"


def check_verifier(code: Code, request: TokenRequest, _at: int) -> str:
    """By whoever began."""
    return "" if verifier_matches(request.unverified["code_verifier"], code.challenge) else "code_verifier"


def check_key(code: Code, request: TokenRequest, _at: int) -> str:
    """With the key it was bound to (RFC 9449 section 10)."""
    return "" if code.jkt in ("", request.confirmation.jkt) else "dpop_jkt"


CHECKS: tuple[Check, ...] = (check_client, check_unused, check_in_time, check_address, check_verifier, check_key)


def check_refresh_client(token: RefreshToken, request: TokenRequest, _at: int) -> str:
    """A refresh token works for the client it was issued to."""
    return "" if token.client_id == request.client.id else "another client's"


def check_refresh_in_time(token: RefreshToken, _request: TokenRequest, at: int) -> str:
    """As long as its session may last."""
    return "" if at < token.expires_at else "expired"


def check_refresh_key(token: RefreshToken, request: TokenRequest, _at: int) -> str:
    """With the key it was bound to (RFC 9449 section 5)."""
    return "" if token.jkt in ("", request.confirmation.jkt) else "key"


REFRESH_CHECKS: tuple[Callable[[RefreshToken, TokenRequest, int], str], ...] = (
    check_refresh_client,
    check_refresh_in_time,
    check_refresh_key,
)
"""Whether it was exchanged already is no reason here: that ends its family."""


def why_refresh_refused(token: RefreshToken | None, request: TokenRequest, *, at: int) -> str:
    """The first reason, for the record only; empty if the token counts so far."""
    if token is None:
        return "unknown"
    return next((reason for check in REFRESH_CHECKS if (reason := check(token, request, at))), "")


def why_refused(code: Code | None, request: TokenRequest, *, at: int) -> str:
    """The first reason, for the record only; empty if the code counts so far."""
    if code is None:
        return "unknown"
    return next((reason for check in CHECKS if (reason := check(code, request, at))), "")
