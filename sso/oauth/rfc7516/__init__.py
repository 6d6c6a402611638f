# SPDX-License-Identifier: Apache-2.0
"""Encrypting to a client what was signed for it: ECDH-ES with A256GCM, to its own key, never compressed.

Nothing encrypted is ever taken from anybody here, so there is nothing to be bombed with.
"""

from collections.abc import Mapping

from joserfc import jwe
from joserfc.jwk import ECKey

from ..rfc7591 import ENCRYPTION

_ALGORITHM, _CONTENT = ENCRYPTION


def encrypted(token: str, key: Mapping[str, str]) -> str:
    """A signed token within an encrypted one (RFC 7519 section 5.2: signed first)."""
    header = {"alg": _ALGORITHM, "enc": _CONTENT, "cty": "JWT", "kid": key["kid"]}
    public = ECKey.import_key({name: key[name] for name in ("kty", "crv", "x", "y")})
    return jwe.encrypt_compact(header, token.encode(), public, algorithms=[*ENCRYPTION])
