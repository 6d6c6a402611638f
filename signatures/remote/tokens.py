# SPDX-License-Identifier: Apache-2.0
"""What sign-on says a person confirmed: verified whole, or refused. Nothing in it counts that was not asked for."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.jose import Unverified, opened, public_key, verified

from .errors import ConsentRefused
from .models import Asked

TYPE = "document_signature"
HASH = "sha-256"
MOST = 8
"""Documents of one confirmation, as sign-on takes them."""
OLDEST = 120
"""Seconds from the confirmation to the signature."""
LEEWAY = 5
_LEVEL = 2
_NAMES = frozenset({"alg", "kid", "typ"})
_TYP = "at+jwt"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a consent must say, to the letter."""

    issuer: str
    audience: str
    client: str
    subject: str
    # Thumbprint of our key.
    jkt: str
    details: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Granted:
    """A consent that fits."""

    jti: str
    # "passkey" or "card".
    by: str


def details(credential: str, documents: Sequence[Asked], *, seal: tuple[str, str] | None = None) -> dict[str, Any]:
    """What is asked for (RFC 9396); ``seal`` names the organisation whose seal it is, in English and Chinese."""
    found = {
        "type": TYPE,
        "credential": credential,
        "hash": HASH,
        "documents": [{"digest": each.digest, "label": each.label} for each in documents],
    }
    return found if seal is None else {**found, "seal": dict(zip(("name", "name_zh"), seal, strict=True))}


def granted(unverified: str, keys: Mapping[str, Any], expected: Expected) -> Granted:
    """Read a token by the sign-on's published keys, a JWK set.

    Raises:
        ConsentRefused: for the first thing that does not fit.
    """
    claims = _claims(unverified, keys)
    for check in CHECKS:
        check(claims, expected)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise ConsentRefused(why="jti")
    return Granted(jti=jti, by=claims["authorization_details"][0]["confirmed"]["by"])


def _claims(unverified: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    try:
        compact = opened(unverified, names=_NAMES)
        kid = compact.unverified_header.get("kid")
        (jwk,) = [each for each in keys["keys"] if kid and each.get("kid") == kid]
        claims = verified(compact, public_key(jwk))
    except (Unverified, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ConsentRefused(why="signature") from error
    if compact.unverified_header.get("typ") != _TYP:
        raise ConsentRefused(why="typ")
    return claims


def check_parties(claims: Mapping[str, Any], expected: Expected) -> None:
    """Of this issuer, for this resource, to this client, about this person."""
    wanted = {
        "iss": expected.issuer,
        "aud": expected.audience,
        "client_id": expected.client,
        "sub": expected.subject,
    }
    for name, value in wanted.items():
        if claims.get(name) != value:
            raise ConsentRefused(why=name)


def check_binding(claims: Mapping[str, Any], expected: Expected) -> None:
    """Bound to our own key (RFC 9449)."""
    if claims.get("cnf") != {"jkt": expected.jkt}:
        raise ConsentRefused(why="cnf")


def check_dates(claims: Mapping[str, Any], expected: Expected) -> None:
    """Issued just now, and not over."""
    issued, expires, at = claims.get("iat"), claims.get("exp"), expected.at.timestamp()
    if type(issued) is not int or type(expires) is not int:
        raise ConsentRefused(why="dates")
    if not at - OLDEST <= issued <= at + LEEWAY or expires <= at:
        raise ConsentRefused(why="dates")


def check_level(claims: Mapping[str, Any], _expected: Expected) -> None:
    """Of a login with two factors, of a person who is known."""
    if claims.get("acr") not in {"2", "3"}:
        raise ConsentRefused(why="acr")


def check_details(claims: Mapping[str, Any], expected: Expected) -> None:
    """Exactly what was asked, confirmed by a card or a passkey, just now."""
    said = claims.get("authorization_details")
    if not isinstance(said, list) or len(said) != 1 or not isinstance(said[0], dict):
        raise ConsentRefused(why="details")
    found = dict(said[0])
    confirmed = found.pop("confirmed", None)
    # Compared as text, so that nothing passes for something else: 1 for true, say.
    if _text(found) != _text(expected.details):
        raise ConsentRefused(why="details")
    if not isinstance(confirmed, dict) or set(confirmed) != {"by", "at"} or confirmed["by"] not in ("passkey", "card"):
        raise ConsentRefused(why="confirmed")
    at = confirmed["at"]
    if type(at) is not int or not expected.at.timestamp() - OLDEST <= at <= expected.at.timestamp() + LEEWAY:
        raise ConsentRefused(why="confirmed")


CHECKS: tuple[Callable[[Mapping[str, Any], Expected], None], ...] = (
    check_parties,
    check_binding,
    check_dates,
    check_level,
    check_details,
)


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)
