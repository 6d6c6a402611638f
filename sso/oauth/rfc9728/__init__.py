# SPDX-License-Identifier: Apache-2.0
"""What our own resource, userinfo, tells about itself: who gives tokens for it, and how they are shown."""

from typing import Any

from ..rfc6749 import SCOPES
from ..rfc7515 import ALGORITHMS


def resource_metadata(issuer: str) -> dict[str, Any]:
    """The document for ``/.well-known/oauth-protected-resource`` (section 2)."""
    return {
        "resource": issuer,
        "authorization_servers": [issuer],
        "jwks_uri": f"{issuer}/jwks",
        "scopes_supported": list(SCOPES),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": [*ALGORITHMS],
        "tls_client_certificate_bound_access_tokens": True,
    }


def address(issuer: str) -> str:
    """Where it is; challenges name it (section 5.1)."""
    return f"{issuer}/.well-known/oauth-protected-resource"
