# SPDX-License-Identifier: Apache-2.0
"""The pair of keys a site's backups are sealed to: the public one stays on the site, the private one does not.

HPKE (RFC 9180) over ML-KEM-768 with X25519, because a copy that is carried away today is still worth reading in twenty
years. Each backup has a key of its own, sealed to the public one.
"""

import base64
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey, Suite

from ..errors import BadBackupKey, WrongBackupKey

_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_INFO = b"tallygate directory backup 1"
_PRIVATE, _PUBLIC = "tallygate-backup-private-1", "tallygate-backup-public-1"
_SEED, _SHORT, _LONG = 64, 32, 1184
"""Bytes: the seed of ML-KEM-768, a key of X25519, a public key of ML-KEM-768."""


def make_keys() -> tuple[str, str]:
    """A fresh pair as two lines of text: the private one, the public one."""
    long, short = MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()
    public = long.public_key().public_bytes_raw() + short.public_key().public_bytes_raw()
    return _line(_PRIVATE, long.private_bytes_raw() + short.private_bytes_raw()), _line(_PUBLIC, public)


def read_private(text: str) -> MLKEM768X25519PrivateKey:
    """The private key from its line.

    Raises:
        BadBackupKey: it is none.
    """
    data = _bytes(_PRIVATE, text, _SEED + _SHORT)
    long, short = MLKEM768PrivateKey.from_seed_bytes(data[:_SEED]), X25519PrivateKey.from_private_bytes(data[_SEED:])
    return MLKEM768X25519PrivateKey(long, short)


def read_public(text: str) -> MLKEM768X25519PublicKey:
    """The public key from its line.

    Raises:
        BadBackupKey: it is none.
    """
    data = _bytes(_PUBLIC, text, _LONG + _SHORT)
    try:
        long = MLKEM768PublicKey.from_public_bytes(data[:_LONG])
    except ValueError as error:
        raise BadBackupKey from error
    return MLKEM768X25519PublicKey(long, X25519PublicKey.from_public_bytes(data[_LONG:]))


def fingerprint(text: str) -> str:
    """By this people tell public keys apart."""
    return hashlib.sha256(_bytes(_PUBLIC, text, _LONG + _SHORT)).hexdigest()[:32]


def sealed(secret: bytes, public: MLKEM768X25519PublicKey) -> bytes:
    """What only the private key opens."""
    return _SUITE.encrypt(secret, public, _INFO)


def unsealed(data: bytes, private: MLKEM768X25519PrivateKey) -> bytes:
    """The secret again.

    Raises:
        WrongBackupKey: it was sealed to another key, or is not what was sealed.
    """
    try:
        return _SUITE.decrypt(data, private, _INFO)
    except (InvalidTag, ValueError) as error:
        raise WrongBackupKey from error


def _line(kind: str, data: bytes) -> str:
    return f"{kind} {base64.b64encode(data).decode('ascii')}\n"


def _bytes(kind: str, text: str, length: int) -> bytes:
    found, _, rest = text.strip().partition(" ")
    try:
        data = base64.b64decode(rest, validate=True)
    except ValueError as error:
        raise BadBackupKey from error
    if found != kind or len(data) != length:
        raise BadBackupKey
    return data
