# SPDX-License-Identifier: Apache-2.0
"""Whether a signature verifies with a certificate's key, for every kind of key we know; and what is weak."""

import hashlib
from typing import Any

from asn1crypto import algos, keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.dsa import DSAPublicKey
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko_certvalidator.errors import AlgorithmNotSupported
from pyhanko_certvalidator.sig_validate import (
    DEFAULT_SIGNATURE_VALIDATOR,
    SignatureValidationContext,
)

from . import sm2

SM2_CURVE = "1.2.156.10197.1.301"
SM2_WITH_SM3 = "1.2.156.10197.1.501"
# What the Chinese standards call the key's own algorithm; old software writes it as the signature's.
SM2_NAMES = frozenset({SM2_WITH_SM3, "1.2.156.10197.1.301.1", SM2_CURVE})
_SM3 = "1.2.156.10197.1.401"
_WEAK_DIGESTS = frozenset({"md2", "md5", "sha1"})
_SHORTEST_RSA = 2048
_SHORTEST_CURVE = 224
_DIGESTS = {_SM3: "sm3", "1.2.156.10197.1.401.1": "sm3"}


class Unsupported(ValueError):
    """An algorithm we do not know."""


def verifies(
    signature: bytes, data: bytes, key: keys.PublicKeyInfo, algorithm: algos.SignedDigestAlgorithm, *, digest: str
) -> bool:
    """Whether it does; ``digest`` is the name from around the signature, for algorithms that do not say.

    Raises:
        Unsupported: the algorithm is not known.
    """
    if is_sm2(key):
        if algorithm["algorithm"].dotted not in SM2_NAMES:
            raise Unsupported(algorithm["algorithm"].dotted)
        return sm2.verifies(signature, data, bytes(key["public_key"].native))
    try:
        DEFAULT_SIGNATURE_VALIDATOR.validate_signature(
            signature, data, key, algorithm, SignatureValidationContext(contextual_md_algorithm=digest)
        )
    except InvalidSignature:
        return False
    except (AlgorithmNotSupported, UnsupportedAlgorithm, NotImplementedError) as error:
        raise Unsupported(str(error)) from error
    except (ValueError, TypeError, AssertionError, KeyError):
        # Parameters or sizes that do not fit the key.
        return False
    return True


def is_sm2(key: keys.PublicKeyInfo) -> bool:
    """Whether the key is on the SM2 curve."""
    parameters: Any = key["algorithm"]["parameters"]
    return bool(key.algorithm == "ec" and parameters.name == "named" and parameters.chosen.dotted == SM2_CURVE)


def digest_name(algorithm: algos.DigestAlgorithm) -> str:
    """The usual name of a digest algorithm, or its number."""
    dotted = algorithm["algorithm"].dotted
    return _DIGESTS.get(dotted) or str(algorithm["algorithm"].native)


def hashed(name: str, data: bytes) -> bytes:
    """The digest of that name.

    Raises:
        Unsupported: there is none.
    """
    if name == "sm3":
        return sm2.sm3(data)
    try:
        return hashlib.new(name, data).digest()
    except (ValueError, TypeError) as error:
        # An algorithm without digest, or one whose length must be said.
        raise Unsupported(name) from error


def weak_digest(name: str) -> bool:
    """Whether collisions of this digest can be bought."""
    return name in _WEAK_DIGESTS


def weak_algorithm(algorithm: algos.SignedDigestAlgorithm) -> bool:
    """Whether it names such a digest itself, whatever is said around it."""
    try:
        return weak_digest(str(algorithm.hash_algo))
    except (ValueError, KeyError, TypeError):
        # It names none.
        return False


def weakly_made(found: x509.Certificate | x509.CertificateRevocationList) -> bool:
    """Whether somebody could have made another certificate, or another list, that bears the same signature."""
    try:
        digest = found.signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        # SM2 with SM3, which the library does not know.
        return False
    return digest is not None and weak_digest(digest.name)


def short_key(certificate: x509.Certificate) -> str:
    """Its key as people write it, if that is too short; else empty."""
    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return ""
    if isinstance(key, RSAPublicKey) and key.key_size < _SHORTEST_RSA:
        return f" RSA-{key.key_size}"
    if isinstance(key, DSAPublicKey) and key.key_size < _SHORTEST_RSA:
        return f" DSA-{key.key_size}"
    if isinstance(key, EllipticCurvePublicKey) and key.key_size < _SHORTEST_CURVE:
        return f" EC-{key.key_size}"
    return ""


def key_name(certificate: x509.Certificate) -> str:
    """What kind of key it has, as people write it: "P-256", "RSA-3072", "ML-DSA-65", "SM2"; empty if unknown."""
    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return "SM2" if sm2_point(certificate) is not None else ""
    if isinstance(key, EllipticCurvePublicKey):
        return f"P-{key.key_size}"
    if isinstance(key, RSAPublicKey):
        return f"RSA-{key.key_size}"
    return type(key).__name__.removesuffix("PublicKey").replace("MLDSA", "ML-DSA-")


def made(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether one certificate was made with the key of the other, by its name."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return _made_by_sm2(issuer, certificate.signature, certificate.tbs_certificate_bytes)
    return True


def list_made(issuer: x509.Certificate, found: x509.CertificateRevocationList) -> bool:
    """Whether a list was made with the key of this issuer, by its name, and it may make lists."""
    if found.issuer != issuer.subject or not _may_list(issuer):
        return False
    try:
        return found.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # other kinds raise TypeError
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return _made_by_sm2(issuer, found.signature, found.tbs_certlist_bytes)


def _may_list(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        # Extensions that cannot be read allow nothing.
        return False


def _made_by_sm2(issuer: x509.Certificate, signature: bytes, data: bytes) -> bool:
    point = sm2_point(issuer)
    return point is not None and sm2.verifies(signature, data, point)


def sm2_point(certificate: x509.Certificate) -> bytes | None:
    """The point of an SM2 key; None for all others."""
    from_der = as_asn1(certificate).public_key
    return bytes(from_der["public_key"].native) if is_sm2(from_der) else None


def as_asn1(certificate: x509.Certificate) -> Any:
    """The same certificate for asn1crypto, which knows numbers that ``cryptography`` refuses."""
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
