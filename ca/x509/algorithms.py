# SPDX-License-Identifier: Apache-2.0
"""The algorithms an authority's key may have, and how each signs.

| algorithm          | hash    | where from                                                                      |
| ------------------ | ------- | ------------------------------------------------------------------------------- |
| P-256, P-384       | SHA-256, SHA-384 | RFC 5758 section 3.2, FIPS 186-5                                        |
| RSA-3072, RSA-4096 | SHA-256 | RFC 4055 section 5, PKCS #1 v1.5: the one every relying party of a decade reads |
| Ed25519            | its own | RFC 8410                                                                        |
| ML-DSA-65          | its own | RFC 9881: pure, empty context, no parameters; keys that sign and nothing else   |
"""

from enum import StrEnum
from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | mldsa.MLDSA65PrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey | mldsa.MLDSA65PublicKey

_EXPONENT = 65537


class Algorithm(StrEnum):
    """Kinds of keys that authorities of ours have."""

    P256 = "P-256"
    P384 = "P-384"
    RSA3072 = "RSA-3072"
    RSA4096 = "RSA-4096"
    ED25519 = "Ed25519"
    ML_DSA_65 = "ML-DSA-65"


_CURVES: dict[str, Algorithm] = {"secp256r1": Algorithm.P256, "secp384r1": Algorithm.P384}
_SIZES: dict[int, Algorithm] = {3072: Algorithm.RSA3072, 4096: Algorithm.RSA4096}


def generate(algorithm: Algorithm) -> SigningKey:
    """A new key."""
    match algorithm:
        case Algorithm.P256:
            return ec.generate_private_key(ec.SECP256R1())
        case Algorithm.P384:
            return ec.generate_private_key(ec.SECP384R1())
        case Algorithm.RSA3072:
            return rsa.generate_private_key(_EXPONENT, 3072)
        case Algorithm.RSA4096:
            return rsa.generate_private_key(_EXPONENT, 4096)
        case Algorithm.ED25519:
            return ed25519.Ed25519PrivateKey.generate()
        case Algorithm.ML_DSA_65:
            return mldsa.MLDSA65PrivateKey.generate()


def algorithm_of(key: object) -> Algorithm | None:
    """Which of ours a private or public key is of; None for all others."""
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name)
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return _SIZES.get(key.key_size)
    if isinstance(key, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey):
        return Algorithm.ED25519
    if isinstance(key, mldsa.MLDSA65PrivateKey | mldsa.MLDSA65PublicKey):
        return Algorithm.ML_DSA_65
    return None


def algorithm_for(key: SigningKey) -> hashes.SHA256 | hashes.SHA384 | None:
    """The hash to sign with; none where the algorithm brings its own."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return hashes.SHA384() if key.curve.name == "secp384r1" else hashes.SHA256()
    return hashes.SHA256() if isinstance(key, rsa.RSAPrivateKey) else None


@lru_cache(maxsize=len(Algorithm))
def throw_away(algorithm: Algorithm) -> SigningKey:
    """A key that signs drafts and nothing that leaves the process; one for each algorithm, since RSA keys take long."""
    return generate(algorithm)
