# SPDX-License-Identifier: Apache-2.0
"""Time-based one-time passwords (RFC 6238) as every authenticator app makes them: SHA-1, 30 seconds, six digits."""

import base64
import hashlib
import hmac
import struct
from urllib.parse import quote, urlencode

SECRET_BYTES = 20
"""RFC 4226 section 4 recommends 160 bits."""
_STEP = 30
_DIGITS = 6
# RFC 6238 section 5.2: one step either way, for clocks that are a little off and people who type slowly.
_DRIFT = 1


def matching_step(secret: bytes, code: str, *, at: int) -> int | None:
    """The time step a code belongs to; None if it fits no step near ``at``. Every step costs the same."""
    now = at // _STEP
    found = None
    for step in range(max(0, now - _DRIFT), now + _DRIFT + 1):
        if hmac.compare_digest(_code(secret, step).encode(), code.encode("utf-8", "replace")):
            found = step
    return found


def shown_secret(secret: bytes) -> str:
    """For typing into an app: base32 in groups of four."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def setup_uri(secret: bytes, *, site: str, name: str) -> str:
    """For apps on the same device (the "Key Uri Format" all of them read)."""
    label = quote(f"{site}:{name}", safe=":")
    return f"otpauth://totp/{label}?" + urlencode(
        {"secret": base64.b32encode(secret).decode().rstrip("="), "issuer": site}, quote_via=quote
    )


def _code(secret: bytes, step: int) -> str:
    """RFC 4226 section 5.3."""
    # SHA-1 is not asked to withstand collisions here, and apps know no other.
    digest = hmac.new(secret, struct.pack(">Q", step), hashlib.sha1).digest()
    start = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFF_FFFF
    return f"{number % 10**_DIGITS:0{_DIGITS}}"
