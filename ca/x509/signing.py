# SPDX-License-Identifier: Apache-2.0
"""What is written as the algorithm of a signature, for each kind of key; and the frame around what was signed."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from . import der

# RFC 5758 section 3.2: ECDSA has no parameters. RFC 4055 section 5: RSA has NULL. RFC 8410 and 9881: none.
_EC = {
    "secp256r1": der.sequence(der.oid("1.2.840.10045.4.3.2")),
    "secp384r1": der.sequence(der.oid("1.2.840.10045.4.3.3")),
}
_RSA = der.sequence(der.oid("1.2.840.113549.1.1.11"), der.NULL)
_ED25519 = der.sequence(der.oid("1.3.101.112"))
_ML_DSA_65 = der.sequence(der.oid("2.16.840.1.101.3.4.3.18"))


def algorithm_identifier(key: PublicKeyTypes | mldsa.MLDSA65PublicKey) -> bytes:
    """AlgorithmIdentifier of what a key of that kind signs, DER.

    Raises:
        UnsupportedAlgorithm: no authority of ours has such a key.
    """
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _EC:
        return _EC[key.curve.name]
    if isinstance(key, rsa.RSAPublicKey):
        return _RSA
    if isinstance(key, ed25519.Ed25519PublicKey):
        return _ED25519
    if isinstance(key, mldsa.MLDSA65PublicKey):
        return _ML_DSA_65
    raise UnsupportedAlgorithm("no authority of ours has such a key")


def framed(tbs: bytes, algorithm: bytes, signature: bytes, *rest: bytes) -> bytes:
    """What was signed, how, and the signature, in the frame that certificates, lists and basic answers share."""
    return der.sequence(tbs, algorithm, der.bits(signature), *rest)
