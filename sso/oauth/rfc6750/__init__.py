# SPDX-License-Identifier: Apache-2.0
"""Bearer tokens: in the Authorization header only, never in a body or an address (RFC 9700 section 4.3.2)."""

from ...errors import InvalidToken


def bearer(header: str | None) -> str:
    """The token of one request.

    Raises:
        InvalidToken: none, or not a bearer token.
    """
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token or not token.isascii() or " " in token:
        raise InvalidToken
    return token


def challenge(error: str, *, metadata: str) -> str:
    """The WWW-Authenticate header that goes with a refusal (section 3; RFC 9728 section 5.1)."""
    return f'Bearer realm="tallygate", error="{error}", resource_metadata="{metadata}"'
