# SPDX-License-Identifier: Apache-2.0
"""Proof of possession by signature, for one request (DPoP, RFC 9449): whoever sends a bound token holds its key.

The key comes in the proof itself and proves nothing alone: what counts is that its thumbprint is the one that the token
names. Whether a proof comes for the first time, and its nonce, are the caller's to check.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .jose import Unverified, base64url, opened, public_key, thumbprint, verified

TYP = "dpop+jwt"
LIFETIME = 60
"""Seconds from ``iat`` in which a proof counts, and its ``jti`` must be remembered."""
LEEWAY = 10
_HEADER_NAMES = frozenset({"alg", "typ", "jwk"})
_LONGEST = 256
_LONGEST_PROOF = 4000


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The request that a proof must speak of."""

    method: str
    # Scheme, host, port and path as the server knows them; without a query.
    url: str
    at: int
    # The token it comes with; empty where one is asked for.
    token: str = ""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A proof that is right in itself."""

    # SHA-256 thumbprint of the key (RFC 7638).
    jkt: str
    # Of key and ``jti``, for the table of those that came.
    identifier: str
    expires_at: int
    # As the server gave it; empty if none.
    nonce: str


def proof_of(unverified: str, asked: Asked) -> Proof:
    """Verify a proof (section 4.3).

    Raises:
        Unverified: for every reason alike.
    """
    if len(unverified) > _LONGEST_PROOF:
        raise Unverified
    compact = opened(unverified, names=_HEADER_NAMES)
    jwk = compact.unverified_header.get("jwk")
    if compact.unverified_header.get("typ") != TYP or not isinstance(jwk, dict):
        raise Unverified
    key = public_key(jwk)
    claims = verified(compact, key)
    for check in CHECKS:
        check(claims, asked)
    jkt = thumbprint(key)
    named = hashlib.sha256(f"{jkt}\0{claims['jti']}".encode("utf-8", "replace")).hexdigest()
    nonce = claims.get("nonce", "")
    return Proof(
        jkt=jkt,
        identifier=named,
        expires_at=claims["iat"] + LIFETIME + LEEWAY,
        nonce=nonce if isinstance(nonce, str) else "",
    )


def check_method(claims: Mapping[str, Any], asked: Asked) -> None:
    """``htm``, to the letter."""
    if claims.get("htm") != asked.method:
        raise Unverified


def check_address(claims: Mapping[str, Any], asked: Asked) -> None:
    """``htu``, to the letter but for a query or fragment."""
    address = claims.get("htu")
    if not isinstance(address, str) or address.partition("#")[0].partition("?")[0] != asked.url:
        raise Unverified


def check_time(claims: Mapping[str, Any], asked: Asked) -> None:
    """``iat``: just now."""
    issued = claims.get("iat")
    if type(issued) is not int or not asked.at - LIFETIME <= issued <= asked.at + LEEWAY:
        raise Unverified


def check_identifier(claims: Mapping[str, Any], _asked: Asked) -> None:
    """``jti``: something to know it again by."""
    if not isinstance(claims.get("jti"), str) or not 0 < len(claims["jti"]) <= _LONGEST:
        raise Unverified


def check_token(claims: Mapping[str, Any], asked: Asked) -> None:
    """``ath``: for this very token, where there is one."""
    if not asked.token:
        return
    digest = base64url(hashlib.sha256(asked.token.encode()).digest())
    said = claims.get("ath")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode("utf-8", "replace"), digest.encode()):
        raise Unverified


CHECKS: tuple[Callable[[Mapping[str, Any], Asked], None], ...] = (
    check_method,
    check_address,
    check_time,
    check_identifier,
    check_token,
)
