# SPDX-License-Identifier: Apache-2.0
"""Introspection answers that are signed, for whoever must show later what we said."""

from collections.abc import Mapping
from typing import Any

TYP = "token-introspection+jwt"
MEDIA_TYPE = "application/token-introspection+jwt"


def introspection_claims(answer: Mapping[str, Any], *, issuer: str, asker: str, at: int) -> dict[str, Any]:
    """The answer, from us to one client (section 5)."""
    return {"iss": issuer, "aud": asker, "iat": at, "token_introspection": dict(answer)}
