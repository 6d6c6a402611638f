# SPDX-License-Identifier: Apache-2.0
"""Logout tokens (OpenID Connect Back-Channel Logout 1.0 section 2.4): never an ID token, and for two minutes."""

from typing import Any

LOGOUT_TYP = "logout+jwt"
LIFETIME = 120
"""Seconds."""
_EVENT = "http://schemas.openid.net/event/backchannel-logout"


def logout_claims(*, issuer: str, client_id: str, subject: str, sid: str, jti: str, at: int) -> dict[str, Any]:
    """Whose session ended, for one client; a nonce must not be there."""
    return {
        "iss": issuer,
        "aud": client_id,
        "sub": subject,
        "sid": sid,
        "jti": jti,
        "iat": at,
        "exp": at + LIFETIME,
        "events": {_EVENT: {}},
    }
