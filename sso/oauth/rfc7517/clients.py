# SPDX-License-Identifier: Apache-2.0
"""The public keys a client is registered with; never taken from what it signed."""

import base64
import functools
import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from ...errors import BadClient
from ..rfc7515 import (
    Compact,
    PublicKey,
    Unverified,
    algorithm_of,
    base64url,
    members,
    opened,
    public_key,
    strict_object,
    verified,
)

_MOST_KEYS = 8
_AGREEMENT = "ECDH-ES"
# Registrations whose keys are kept parsed. What was parsed belongs to the text it was parsed from, so another process
# that replaces a registration is heard at the very next request.
_MOST_PARSED = 1024
_HEADER_NAMES = frozenset({"alg", "kid", "typ"})


class ClientKeys:
    """A JWK set (RFC 7517 section 5)."""

    def __init__(
        self, keys: Mapping[str, PublicKey], certificates: Collection[str], encryption: Mapping[str, str]
    ) -> None:
        self._keys = keys
        # The members of the key that things are encrypted to; empty if there is none.
        self.encryption = encryption
        # Whether anything it signed could be verified.
        self.signs = bool(keys)
        # SHA-256 of the certificates among them, base64url (RFC 8705 section 2.2.2).
        self.certificates = frozenset(certificates)

    @classmethod
    def read(cls, document: str) -> "ClientKeys":
        """As it was registered.

        Raises:
            BadClient: not a set of public signing keys, each with a ``kid`` of its own.
        """
        return _parsed(document)

    def verify(self, token: str, *, types: frozenset[str]) -> dict[str, Any]:
        """The claims of what the client signed; ``types`` are the media types it may bear, empty for none.

        Raises:
            Unverified: signed by nobody we know, in another way, or something else.
        """
        compact = opened(token, names=_HEADER_NAMES)
        if compact.unverified_header.get("typ", "") not in types:
            raise Unverified
        return verified(compact, self._chosen(compact))

    def _chosen(self, compact: Compact) -> PublicKey:
        kid = compact.unverified_header.get("kid", "")
        if kid:
            if kid not in self._keys:
                raise Unverified
            return self._keys[kid]
        fitting = [key for key in self._keys.values() if algorithm_of(key) == compact.unverified_header.get("alg")]
        if len(fitting) != 1:
            raise Unverified
        return fitting[0]


@functools.lru_cache(maxsize=_MOST_PARSED)
def _parsed(document: str) -> ClientKeys:
    try:
        listed = _listed(document)
        signing = [each for each in listed if each.get("use") != "enc"]
        keys = {str(each["kid"]): public_key(each) for each in signing}
        certificates = [digest for each in signing if (digest := _certificate(each))]
        encryption = [_encryption_key(each) for each in listed if each.get("use") == "enc"]
    except (Unverified, KeyError, TypeError, AttributeError) as error:
        raise BadClient(why="its keys are not a set of public signing keys with identifiers") from error
    return ClientKeys(keys, certificates, encryption[0] if encryption else {})


def canonical(document: str) -> str:
    """A set as it is kept; raises as ``ClientKeys.read``."""
    ClientKeys.read(document)
    return json.dumps(json.loads(document), separators=(",", ":"), sort_keys=True)


def _listed(document: str) -> list[dict[str, Any]]:
    listed = strict_object(document.encode())["keys"]
    if not isinstance(listed, list) or not 0 < len(listed) <= _MOST_KEYS:
        raise Unverified
    names = {str(each.get("kid") or "") for each in listed}
    if len(names) != len(listed) or "" in names:
        raise Unverified
    return listed


def _encryption_key(jwk: Mapping[str, Any]) -> Mapping[str, str]:
    """Checked like a key that verifies, but for what it is for: it never becomes one."""
    if jwk.get("alg", _AGREEMENT) != _AGREEMENT or "key_ops" in jwk:
        raise Unverified
    found = public_key({name: value for name, value in jwk.items() if name not in ("use", "alg")})
    if algorithm_of(found) != "ES256":
        raise Unverified
    return {"kid": str(jwk["kid"]), **members(found)}


def _certificate(jwk: Mapping[str, Any]) -> str:
    chain = jwk.get("x5c")
    if chain is None:
        return ""
    try:
        return base64url(hashlib.sha256(base64.b64decode(chain[0], validate=True)).digest())
    except (ValueError, IndexError) as error:
        raise Unverified from error
