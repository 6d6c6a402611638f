# SPDX-License-Identifier: Apache-2.0
"""Signed compact JSON, read strictly before any library sees it, and verified by one algorithm that we name.

The algorithm follows from the key, never from the token. Nothing a header brings along (``jwk``, ``jku``, ``x5u``,
``x5c``) is looked at, and ``crit`` asks for extensions that nobody here knows: such a header is refused as a whole.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

LONGEST = 8000
ALGORITHMS = ("ES256", "PS256", "EdDSA")
"""What FAPI 2.0 section 5.4.1 leaves, and we take from clients."""
PublicKey = EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_SMALLEST_RSA = 2048
_LARGEST_RSA = 4096
_DEEPEST = 16


class Unverified(ValueError):
    """Not a signed token, or not signed as it must be; which of these is not said."""


@dataclass(frozen=True, kw_only=True)
class Compact:
    """A token that has exactly one reading; nothing of it is verified."""

    token: str
    unverified_header: Mapping[str, Any]
    unverified_claims: Mapping[str, Any]


def opened(token: str, *, names: frozenset[str]) -> Compact:
    """Read a token whose header has no member but ``names``.

    Raises:
        Unverified: it could be read in two ways, or says more than it may.
    """
    if len(token) > LONGEST or not _COMPACT.fullmatch(token):
        raise Unverified
    parts = [strict_base64url(part) for part in token.split(".")]
    header, claims = strict_object(parts[0]), strict_object(parts[1])
    if not set(header) <= names or not all(isinstance(header.get(each, ""), str) for each in names - {"jwk"}):
        raise Unverified
    return Compact(token=token, unverified_header=header, unverified_claims=claims)


def verified(compact: Compact, key: PublicKey) -> dict[str, Any]:
    """The claims, after the signature; dates and names are the caller's to check.

    Raises:
        Unverified: signed by another key or another algorithm.
    """
    algorithm = algorithm_of(key)
    if compact.unverified_header.get("alg") != algorithm:
        raise Unverified
    try:
        jwt.api_jws.decode(compact.token, key, algorithms=[algorithm])
    except (jwt.InvalidTokenError, ValueError, TypeError) as error:
        raise Unverified from error
    return dict(compact.unverified_claims)


def algorithm_of(key: PublicKey) -> str:
    """The one algorithm a key is used with here."""
    if isinstance(key, EllipticCurvePublicKey):
        return "ES256"
    return "PS256" if isinstance(key, RSAPublicKey) else "EdDSA"


def public_key(jwk: Mapping[str, Any]) -> PublicKey:
    """A public key that may verify signatures (RFC 7517 section 4, RFC 8037).

    Raises:
        Unverified: private, symmetric, weak, for another use, or of a kind nobody here needs.
    """
    if _PRIVATE & set(jwk) or jwk.get("use", "sig") != "sig" or not _verifies(jwk.get("key_ops", ["verify"])):
        raise Unverified
    try:
        key = _read(jwk)
    except (jwt.InvalidKeyError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unverified from error
    if jwk.get("alg", algorithm_of(key)) != algorithm_of(key):
        raise Unverified
    return key


def members(key: PublicKey) -> dict[str, str]:
    """The members of a JWK that make the key (RFC 7638 section 3.2)."""
    if isinstance(key, EllipticCurvePublicKey):
        made: dict[str, Any] = ECAlgorithm.to_jwk(key, as_dict=True)
        return {name: made[name] for name in ("crv", "kty", "x", "y")}
    if isinstance(key, RSAPublicKey):
        made = RSAAlgorithm.to_jwk(key, as_dict=True)
        return {name: made[name] for name in ("e", "kty", "n")}
    made = OKPAlgorithm.to_jwk(key, as_dict=True)
    return {name: made[name] for name in ("crv", "kty", "x")}


def thumbprint(key: PublicKey) -> str:
    """RFC 7638: SHA-256 of the required members in lexical order."""
    canonical = json.dumps(members(key), separators=(",", ":"), sort_keys=True)
    return base64url(hashlib.sha256(canonical.encode()).digest())


def strict_base64url(text: str) -> bytes:
    """Decode; unused bits must be zero (RFC 4648 section 3.5): one value, one spelling.

    Raises:
        Unverified: it is spelt in another way.
    """
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise Unverified from error
    if base64url(content) != text:
        raise Unverified
    return content


def strict_object(content: bytes) -> dict[str, Any]:
    """A JSON object no name of which is given twice, and which is not deep.

    Raises:
        Unverified: it is not.
    """
    if content.count(b"[") + content.count(b"{") > _DEEPEST * _DEEPEST:
        raise Unverified
    try:
        found = json.loads(content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unverified from error
    if not isinstance(found, dict):
        raise Unverified
    return found


def base64url(content: bytes) -> str:
    """As JOSE writes it."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _read(jwk: Mapping[str, Any]) -> PublicKey:
    if jwk.get("kty") == "EC" and jwk.get("crv") == "P-256":
        key: object = ECAlgorithm.from_jwk(dict(jwk))
        if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
            return key
    elif jwk.get("kty") == "RSA":
        key = RSAAlgorithm.from_jwk(dict(jwk))
        if isinstance(key, RSAPublicKey) and _SMALLEST_RSA <= key.key_size <= _LARGEST_RSA:
            return key
    elif jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519":
        key = OKPAlgorithm.from_jwk(dict(jwk))
        if isinstance(key, Ed25519PublicKey):
            return key
    raise Unverified


def _verifies(operations: object) -> bool:
    return isinstance(operations, list) and "verify" in operations


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise Unverified
    return dict(pairs)


def _no_constant(_name: str) -> None:
    raise Unverified
