# SPDX-License-Identifier: Apache-2.0
"""Signed answers (JWT Secured Authorization Response Mode): query and form_post, errors too; never in a fragment."""

from collections.abc import Mapping
from typing import Any

TYP = "oauth-authz-resp+jwt"
LIFETIME = 60
"""Seconds; the client checks it at once (section 2.1: ten minutes at most)."""
MODES = {"jwt": "query.jwt", "query.jwt": "query.jwt", "form_post.jwt": "form_post.jwt"}
"""What a client may ask for, and what it gets."""


def answer_claims(said: Mapping[str, str], *, issuer: str, client_id: str, at: int) -> dict[str, Any]:
    """The answer's parameters, from us to one client, for a minute."""
    return {**said, "iss": issuer, "aud": client_id, "iat": at, "exp": at + LIFETIME}
