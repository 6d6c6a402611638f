# SPDX-License-Identifier: Apache-2.0
"""What a request says about its client (RFC 6749 section 2.3): exactly one way of saying it.

Strict base64 and UTF-8: a header that two programs could read differently is refused.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_plus

from ...errors import InvalidClient
from ...models import Call, Client

Way = Literal["basic", "assertion", "named"]


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Who says it is calling, and how; not verified yet."""

    way: Way
    # Empty where the assertion itself has to say.
    client_id: str
    unverified_secret: str = ""
    unverified_assertion: str = ""


def credentials(call: Call, *, assertion_type: str) -> Credentials:
    """Read the credentials of one request.

    Raises:
        InvalidClient: none, two at once, or not readable.
    """
    named = _once(call, "client_id")
    assertion, kind = _once(call, "client_assertion"), _once(call, "client_assertion_type")
    if "client_secret" in call.parameters:
        # client_secret_post is not offered: secrets in bodies end up in logs (RFC 9700 section 2.5).
        raise InvalidClient
    if assertion or kind:
        if call.authorization is not None or kind != assertion_type or not assertion:
            raise InvalidClient
        return Credentials(way="assertion", client_id=named, unverified_assertion=assertion)
    if call.authorization is not None:
        return _basic(call.authorization, named)
    if not named:
        raise InvalidClient
    return Credentials(way="named", client_id=named)


def secret_matches(client: Client | None, given: Credentials) -> bool:
    """Whether this is the client's secret; an unknown client costs the same comparison."""
    digest = hashlib.sha256(given.unverified_secret.encode("utf-8", "replace")).hexdigest()
    known = client.secret_hash if client is not None and client.secret_hash else "-" * 64
    return hmac.compare_digest(digest, known) and client is not None


def _basic(header: str, named: str) -> Credentials:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient
    try:
        name, colon, secret = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as error:
        raise InvalidClient from error
    # RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
    found = Credentials(way="basic", client_id=unquote_plus(name), unverified_secret=unquote_plus(secret))
    if not colon or not found.unverified_secret or named not in ("", found.client_id):
        raise InvalidClient
    return found


def _once(call: Call, name: str) -> str:
    values = call.parameters.get(name, ())
    if len(values) > 1:
        raise InvalidClient
    return next(iter(values), "")
