# SPDX-License-Identifier: Apache-2.0
"""Client assertions, ``private_key_jwt`` (RFC 7523 section 3, OpenID Connect Core 9, FAPI 2.0 section 5.3.2.1).

The audience is our issuer as one string and nothing else: whoever took the address of an endpoint, or a list, could be
handed an assertion that was meant for somebody else (draft-ietf-oauth-rfc7523bis).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import BadClient, InvalidClient
from ...models import Client
from ..rfc7515 import Unverified, opened
from ..rfc7517 import ClientKeys

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_LIFE = 300
"""Seconds an assertion may still last when it comes; so long its ``jti`` is remembered."""
LEEWAY = 10
_LONGEST_JTI = 256
_TYPES = frozenset({"", "JWT", "client-authentication+jwt"})
_HEADER_NAMES = frozenset({"alg", "kid", "typ"})


@dataclass(frozen=True, kw_only=True)
class Assertion:
    """A client's own word, verified but for one thing: that it comes for the first time."""

    # Of client and ``jti``, for the table of those that came.
    identifier: str
    expires_at: int


def unverified_client(assertion: str) -> str:
    """Whose assertion it claims to be.

    Raises:
        InvalidClient: it does not say.
    """
    try:
        subject = opened(assertion, names=_HEADER_NAMES).unverified_claims.get("sub")
    except Unverified as error:
        raise InvalidClient from error
    if not isinstance(subject, str) or not subject:
        raise InvalidClient
    return subject


def asserted(client: Client, assertion: str, *, issuer: str, at: int) -> Assertion:
    """Verify an assertion by the client's registered keys.

    Raises:
        InvalidClient: for every reason alike.
    """
    try:
        claims = ClientKeys.read(client.jwks).verify(assertion, types=_TYPES)
    except (Unverified, BadClient) as error:
        # Without a key at its address nothing can be verified.
        raise InvalidClient from error
    for check in CHECKS:
        check(claims, client, issuer, at)
    named = hashlib.sha256(f"{client.id}\0{claims['jti']}".encode("utf-8", "replace")).hexdigest()
    return Assertion(identifier=named, expires_at=claims["exp"] + LEEWAY)


def check_parties(claims: Mapping[str, Any], client: Client, _issuer: str, _at: int) -> None:
    """It speaks of itself."""
    if claims.get("iss") != client.id or claims.get("sub") != client.id:
        raise InvalidClient


def check_audience(claims: Mapping[str, Any], _client: Client, issuer: str, _at: int) -> None:
    """To us, in one way of saying so."""
    if not isinstance(claims.get("aud"), str) or claims["aud"] != issuer:
        raise InvalidClient


def check_dates(claims: Mapping[str, Any], _client: Client, _issuer: str, at: int) -> None:
    """Now, and for a short while."""
    expires = claims.get("exp")
    if type(expires) is not int or not at < expires <= at + LONGEST_LIFE:
        raise InvalidClient
    for name in ("iat", "nbf"):
        if name in claims and (type(claims[name]) is not int or claims[name] > at + LEEWAY):
            raise InvalidClient


def check_identifier(claims: Mapping[str, Any], _client: Client, _issuer: str, _at: int) -> None:
    """Once; whether it is the first time only the table can say."""
    if not isinstance(claims.get("jti"), str) or not 0 < len(claims["jti"]) <= _LONGEST_JTI:
        raise InvalidClient


CHECKS: tuple[Callable[[Mapping[str, Any], Client, str, int], None], ...] = (
    check_parties,
    check_audience,
    check_dates,
    check_identifier,
)
