# SPDX-License-Identifier: Apache-2.0
"""Certificate requests: only the key is taken from them, and only after its owner proved to hold it.

Names, alternative names and extensions a requester writes into PKCS #10 are never read: what a certificate says
comes from the directory and the profile. A request that claims to be an authority is refused all the same, since
whoever sent it expects something we will not give.
"""

import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.errors import N_

from ..errors import KeyRefused, RequestRefused
from .algorithms import PublicKey
from .weakness import check_ed25519, check_rsa

LONGEST = 16 * 1024
"""Bytes; a request with an RSA-8192 key has about 3 KiB."""

_SHORTEST_RSA, _LONGEST_RSA, _RSA_EXPONENT = 3072, 8192, 65537
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384"}
_HASHES = frozenset({"sha256", "sha384", "sha512"})


@dataclass(frozen=True)
class CertificateRequest:
    """A request whose sender holds the private key."""

    key: PublicKey
    # "P-256", "P-384", "RSA", "Ed25519" or "ML-DSA-65".
    algorithm: str
    # SHA-256 of the subjectPublicKeyInfo, hexadecimal.
    key_hash: str


def read_request(unverified: bytes, *, keys: frozenset[str]) -> CertificateRequest:
    """Parse PKCS #10 (DER or PEM), check proof of possession and the key.

    Raises:
        RequestRefused: not a request, or its signature is not made with its key.
        KeyRefused: the key is weak or not among ``keys``.
    """
    if len(unverified) > LONGEST:
        raise RequestRefused(why=N_("it is too long"))
    try:
        pem = unverified.lstrip().startswith(b"-----")
        csr = x509.load_pem_x509_csr(unverified) if pem else x509.load_der_x509_csr(unverified)
        key = csr.public_key()
        checked, algorithm = _check_key(key, keys)
        _check_proof(csr)
        _check_claims(csr)
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        InvalidSignature,
        x509.InvalidVersion,
        x509.ExtensionNotFound,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise RequestRefused(why=N_("it is not a well-formed PKCS #10 request")) from error
    encoded = checked.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return CertificateRequest(checked, algorithm, hashlib.sha256(encoded).hexdigest())


def _check_proof(csr: x509.CertificateSigningRequest) -> None:
    used = csr.signature_hash_algorithm
    if used is not None and used.name not in _HASHES:
        raise RequestRefused(why=N_("its signature uses an old hash function"))
    if not csr.is_signature_valid:
        raise RequestRefused(why=N_("its signature does not prove possession of the key"))


def _check_claims(csr: x509.CertificateSigningRequest) -> None:
    for extension in csr.extensions:
        if isinstance(extension.value, x509.BasicConstraints) and extension.value.ca:
            raise RequestRefused(why=N_("it asks for an authority's certificate"))


def _check_key(key: object, allowed: frozenset[str]) -> tuple[PublicKey, str]:
    if isinstance(key, ec.EllipticCurvePublicKey):
        algorithm = _CURVES.get(key.curve.name, "")
        checked: PublicKey = key
    elif isinstance(key, rsa.RSAPublicKey):
        algorithm, checked = "RSA", key
        _check_rsa(key)
    elif isinstance(key, ed25519.Ed25519PublicKey):
        algorithm, checked = "Ed25519", key
        check_ed25519(key)
    elif isinstance(key, mldsa.MLDSA65PublicKey):
        algorithm, checked = "ML-DSA-65", key
    else:
        raise KeyRefused(why=N_("this kind of key is not accepted"))
    if algorithm not in allowed:
        raise KeyRefused(why=N_("this kind of key is not accepted"))
    return checked, algorithm


def _check_rsa(key: rsa.RSAPublicKey) -> None:
    numbers = key.public_numbers()
    if not _SHORTEST_RSA <= key.key_size <= _LONGEST_RSA:
        raise KeyRefused(why=N_("an RSA key must have 3072 to 8192 bits"))
    if numbers.e != _RSA_EXPONENT:
        raise KeyRefused(why=N_("the RSA exponent must be 65537"))
    check_rsa(key)
