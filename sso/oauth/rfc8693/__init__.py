# SPDX-License-Identifier: Apache-2.0
"""Token exchange: a service that was called with a token calls the next one for the same person, and says that it does.

Delegation only: ``act`` names who acts, and within it who acted before (section 4.1). Nobody becomes somebody else by
it, and what comes of it ends with the family it came of, at the latest when the token does that was exchanged.
"""

from collections.abc import Callable
from typing import Any

from ...errors import BadTokenRequest, InvalidScope
from ..rfc6749 import TokenRequest
from ..rfc9068 import AccessClaims

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a registered name
DEEPEST = 4
"""Services in one chain; a longer one is a circle."""
_NOT_TAKEN = ("actor_token", "actor_token_type", "audience")


def exchanged_scopes(claims: AccessClaims, request: TokenRequest) -> frozenset[str]:
    """What the new token may open; everything is checked that the request and the token say.

    Raises:
        BadTokenRequest: the token is not the caller's to exchange, or it is asked for something else.
        InvalidScope: more than the token opens, or than the client is registered for.
    """
    for check in CHECKS:
        check(claims, request)
    open_to_both = claims.scopes & request.client.scopes
    scopes = request.scopes or open_to_both
    if not scopes <= open_to_both:
        raise InvalidScope
    return scopes


def chain(claims: AccessClaims, client_id: str) -> dict[str, Any]:
    """Who acts now, and within it who acted before."""
    return {"sub": client_id, **({"act": claims.act} if claims.act else {})}


def check_types(_claims: AccessClaims, request: TokenRequest) -> None:
    """An access token for an access token; the actor is whoever is authenticated, and nobody beside."""
    if request.unverified["subject_token_type"] != ACCESS_TOKEN:
        raise BadTokenRequest(field="subject_token_type")
    if request.unverified.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise BadTokenRequest(field="requested_token_type")
    for name in _NOT_TAKEN:
        if name in request.unverified:
            raise BadTokenRequest(field=name)


def check_recipient(claims: AccessClaims, request: TokenRequest) -> None:
    """Whoever the token was for may exchange it: one that was found elsewhere is of no use."""
    if claims.audience != request.client.audience or not claims.sid:
        raise BadTokenRequest(field="subject_token")


def check_depth(claims: AccessClaims, _request: TokenRequest) -> None:
    """A chain has an end."""
    depth, link = 0, claims.act
    while link:
        depth, link = depth + 1, link.get("act", {})
    if depth >= DEEPEST:
        raise BadTokenRequest(field="subject_token")


CHECKS: tuple[Callable[[AccessClaims, TokenRequest], None], ...] = (check_types, check_recipient, check_depth)
