# SPDX-License-Identifier: Apache-2.0
"""Token introspection: one shape for live tokens, one word for all others."""

import json
from typing import Any

from ...models import Client, Grant
from ..rfc6749 import scope_text
from ..rfc9068 import AccessClaims

INACTIVE: dict[str, Any] = {"active": False}


def may_introspect(asker: Client, *, client_id: str, audience: str) -> bool:
    """The site's own clients may ask about every token, others about their own and those meant for them."""
    return asker.trusted or asker.id == client_id or asker.audience == audience


def active_access(claims: AccessClaims, *, subject: str, issuer: str) -> dict[str, Any]:
    """A live access token (section 2.2)."""
    members: dict[str, Any] = {
        "active": True,
        "token_type": claims.confirmation.token_type,
        "iss": issuer,
        "sub": subject,
        "aud": claims.audience,
        "client_id": claims.client_id,
        "scope": scope_text(claims.scopes),
        "jti": claims.jti,
        "iat": claims.issued_at,
        "exp": claims.expires_at,
        "grant": claims.grant,
        **claims.confirmation.members(),
        **({"act": claims.act} if claims.act else {}),
        **({"on_behalf_of": claims.on_behalf_of} if claims.on_behalf_of else {}),
        **({"authorization_details": json.loads(claims.details)} if claims.details else {}),
    }
    if claims.sid:
        members |= {"sid": claims.sid, "acr": claims.assurance}
    return members


def active_refresh(grant: Grant, *, subject: str, issuer: str, expires_at: int) -> dict[str, Any]:
    """A live refresh token."""
    return {
        "active": True,
        "token_type": "refresh_token",
        "iss": issuer,
        "sub": subject,
        "client_id": grant.client_id,
        "scope": scope_text(grant.scopes),
        "exp": expires_at,
        "sid": grant.sid,
        "grant": grant.id,
    }
