# SPDX-License-Identifier: Apache-2.0
"""Client authentication: ``client_secret_basic``, and ``none`` for public clients (RFC 6749 section 2.3).

Exactly one method per request. Strict base64 and UTF-8: a header that two programs could read differently is refused.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import unquote_plus

from ...errors import InvalidClient
from ...models import Client


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Who says it is calling; not verified yet."""

    client_id: str
    unverified_secret: str


def credentials(header: str | None, form_client_id: str, *, form_has_secret: bool) -> Credentials:
    """Read the credentials of one request.

    Raises:
        InvalidClient: none, two at once, or not readable.
    """
    if form_has_secret:
        # client_secret_post is not offered: secrets in bodies end up in logs (RFC 9700 section 2.5).
        raise InvalidClient
    if header is None:
        if not form_client_id:
            raise InvalidClient
        return Credentials(client_id=form_client_id, unverified_secret="")
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient
    try:
        name, colon, secret = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as error:
        raise InvalidClient from error
    # RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
    found = Credentials(client_id=unquote_plus(name), unverified_secret=unquote_plus(secret))
    if not colon or not found.unverified_secret or form_client_id not in ("", found.client_id):
        raise InvalidClient
    return found


def secret_matches(client: Client | None, given: Credentials) -> bool:
    """Whether these are the client's credentials; an unknown client costs the same comparison."""
    digest = hashlib.sha256(given.unverified_secret.encode("utf-8", "replace")).hexdigest()
    if client is not None and client.public:
        return not given.unverified_secret
    known = client.secret_hash if client is not None and client.secret_hash else "-" * 64
    return hmac.compare_digest(digest, known) and client is not None
