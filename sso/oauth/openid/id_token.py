# SPDX-License-Identifier: Apache-2.0
"""ID tokens (OpenID Connect Core section 2)."""

from typing import Any

from authlib.oidc.core.util import create_half_hash

from ...models import Grant
from ..rfc7517 import ALGORITHM
from .levels import levels_of
from .mandates import on_behalf_of

ID_TOKEN_TYP = "JWT"  # noqa: S105 - a media type


def id_claims(
    grant: Grant,
    *,
    authenticator: int,
    subject: str,
    issuer: str,
    access_token: str,
    at: int,
    lifetime: int,
    mandate_ends: int = 0,
) -> dict[str, Any]:
    """Who logged in, when and how, for one client and one nonce; ``authenticator`` is the level of the proof alone.

    Whoever keeps a session of it ends that with the mandate, ``mandate_ends``.
    """
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": subject,
        "aud": grant.client_id,
        "iat": at,
        "exp": at + lifetime,
        "auth_time": grant.authenticated_at,
        "acr": str(grant.assurance),
        **levels_of(grant, authenticator=authenticator),
        "amr": list(grant.methods),
        "sid": grant.sid,
        **on_behalf_of(grant.mandate),
        # Core 3.1.3.6; our algorithm is fixed, so the unknown-algorithm case of the helper cannot arise.
        "at_hash": create_half_hash(access_token, ALGORITHM).decode(),
    }
    if mandate_ends:
        claims["mandate_exp"] = mandate_ends
    if grant.nonce:
        claims["nonce"] = grant.nonce
    return claims
