# SPDX-License-Identifier: Apache-2.0
"""Our signing keys and the one way a token of ours is made and read: ES256, a known ``kid``, an exact ``typ``.

The algorithm never comes from the token. Before PyJWT is called the header is read strictly: it accepts some
encodings that two programs could read differently.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey

from ...errors import InvalidToken
from ..rfc7515 import base64url, opened
from .clients import ClientKeys as ClientKeys
from .clients import canonical as canonical

ALGORITHM = "ES256"
_COORDINATE = 32
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")
# ``crit`` asks for extensions we do not know (RFC 7515 section 4.1.11); the others bring keys from outside.
_HEADER_NAMES = frozenset({"alg", "kid", "typ"})


class KeyRing:
    """One key that signs and the older ones that still verify."""

    def __init__(self, signing: EllipticCurvePrivateKey, *, retained: Sequence[EllipticCurvePublicKey] = ()) -> None:
        self.become(signing, retained=retained)

    def become(self, signing: EllipticCurvePrivateKey, *, retained: Sequence[EllipticCurvePublicKey]) -> None:
        """Sign with another key and believe others, from the next call on.

        Raises:
            ValueError: not a P-256 key; nothing changed.
        """
        if not isinstance(signing.curve, SECP256R1):
            raise ValueError("a P-256 key signs ES256")  # noqa: TRY004 - the curve, not the type, is wrong
        public = {thumbprint(key): key for key in (*retained, signing.public_key())}
        # In one step: no other thread may sign with one key and name another.
        self._now = (signing, thumbprint(signing.public_key()), public)

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """A compact token."""
        signing, kid, _public = self._now
        return jwt.encode(dict(claims), signing, algorithm=ALGORITHM, headers={"kid": kid, "typ": typ})

    def read(self, token: str, *, typ: str, issuer: str) -> dict[str, Any]:
        """The claims of a token that we signed; dates and audience are the caller's to check.

        Raises:
            InvalidToken: for every reason alike.
        """
        try:
            key = self._now[2][_strict_header(token, typ)["kid"]]
            return jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=issuer,
                options={
                    "require": ["iss", "sub", "aud", "exp", "iat"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "verify_aud": False,
                },
            )
        except (KeyError, TypeError, ValueError, RecursionError, jwt.InvalidTokenError) as error:
            raise InvalidToken from error

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys (RFC 7517 section 5), the signing one first."""
        _signing, own, public = self._now
        ordered = sorted(public, key=lambda kid: (kid != own, kid))
        return {"keys": [{**_members(public[kid]), "kid": kid, "use": "sig", "alg": ALGORITHM} for kid in ordered]}


def thumbprint(key: EllipticCurvePublicKey) -> str:
    """RFC 7638: SHA-256 of the required members in lexical order."""
    canonical = json.dumps(_members(key), separators=(",", ":"), sort_keys=True)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(canonical.encode())
    return base64url(digest.finalize())


def _strict_header(token: str, typ: str) -> dict[str, Any]:
    if not _COMPACT.fullmatch(token):
        raise InvalidToken
    header = dict(opened(token, names=_HEADER_NAMES).unverified_header)
    if set(header) != _HEADER_NAMES or header["alg"] != ALGORITHM or header["typ"] != typ:
        raise InvalidToken
    return header


def _members(key: EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    return {
        "crv": "P-256",
        "kty": "EC",
        "x": base64url(numbers.x.to_bytes(_COORDINATE, "big")),
        "y": base64url(numbers.y.to_bytes(_COORDINATE, "big")),
    }
