# SPDX-License-Identifier: Apache-2.0
"""Access tokens as JWTs, and the checks they pass whenever they come back to us."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import InvalidToken
from ...models import Client, Grant
from ..openid.mandates import on_behalf_of
from ..rfc6749 import scope_text
from ..rfc7800 import NOBODYS, Confirmation, confirmation_of

TYP = "at+jwt"


@dataclass(frozen=True, kw_only=True)
class AccessClaims:
    """An access token whose signature, issuer, type, dates and shape have been verified.

    Whether its grant still stands is another question.
    """

    subject: str
    client_id: str
    audience: str
    sid: str
    scopes: frozenset[str]
    assurance: str
    grant: str
    jti: str
    issued_at: int
    expires_at: int
    # What it works with.
    confirmation: Confirmation = NOBODYS
    # Authorization details, in JSON; empty if none.
    details: str = ""
    # Who acts for the subject, and within it who acted before; empty if nobody does.
    act: Mapping[str, Any] = field(default_factory=dict)
    # For whom the person acts; empty if for themselves.
    on_behalf_of: Mapping[str, Any] = field(default_factory=dict)


def access_claims(
    grant: Grant,
    client: Client,
    *,
    subject: str,
    issuer: str,
    scopes: frozenset[str],
    jti: str,
    at: int,
    lifetime: int,
    confirmation: Confirmation = NOBODYS,
    audience: str = "",
    details: str = "",
    act: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """RFC 9068 section 2.2, with the session and the family; client grants have neither session nor login.

    ``subject`` is the person as the client knows them.
    """
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": subject,
        "aud": audience or client.audience,
        "client_id": client.id,
        "scope": scope_text(scopes),
        "grant": grant.id,
        "jti": jti,
        "iat": at,
        "exp": at + lifetime,
        **confirmation.members(),
        **({"act": act} if act else {}),
        **({"authorization_details": json.loads(details)} if details else {}),
    }
    if grant.sid:
        claims |= {
            "sid": grant.sid,
            "acr": str(grant.assurance),
            "amr": list(grant.methods),
            "auth_time": grant.authenticated_at,
            **on_behalf_of(grant.mandate),
        }
    return claims


def accepted(unverified_dates: Mapping[str, Any], *, at: int) -> AccessClaims:
    """Check what the signature does not: shape and dates.

    Raises:
        InvalidToken: for every reason alike.
    """
    for check in CHECKS:
        check(unverified_dates, at)
    claims = unverified_dates
    return AccessClaims(
        subject=claims["sub"],
        client_id=claims["client_id"],
        audience=claims["aud"],
        sid=claims.get("sid", ""),
        scopes=frozenset(claims["scope"].split()),
        assurance=claims.get("acr", ""),
        grant=claims["grant"],
        jti=claims["jti"],
        issued_at=claims["iat"],
        expires_at=claims["exp"],
        confirmation=confirmation_of(claims),
        act=claims.get("act", {}),
        on_behalf_of=claims.get("on_behalf_of", {}),
        details=json.dumps(claims["authorization_details"]) if "authorization_details" in claims else "",
    )


def check_shape(claims: Mapping[str, Any], _at: int) -> None:
    """Every member we wrote is there, as we write it: ``aud`` is one string, never a list."""
    texts = ("sub", "client_id", "aud", "scope", "grant", "jti")
    if not all(isinstance(claims.get(name), str) for name in texts):
        raise InvalidToken
    if not all(type(claims.get(name)) is int for name in ("iat", "exp")):
        raise InvalidToken


def check_dates(claims: Mapping[str, Any], at: int) -> None:
    """Issued already, and not over: at the last second it is over."""
    if not claims["iat"] <= at < claims["exp"]:
        raise InvalidToken


def check_confirmation(claims: Mapping[str, Any], _at: int) -> None:
    """Bound in a way we bind tokens, or not at all."""
    try:
        confirmation_of(claims)
    except ValueError as error:
        raise InvalidToken from error


CHECKS: tuple[Callable[[Mapping[str, Any], int], None], ...] = (check_shape, check_dates, check_confirmation)
