# SPDX-License-Identifier: Apache-2.0
"""The interface of both makes, and what they share: requests for certificates, whose DER is written here."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

_INTEGER, _BITS, _SEQUENCE, _CONTEXT_0, _LONG_FORM = 0x02, 0x03, 0x30, 0xA0, 0x80


class Algorithm(StrEnum):
    """Kinds of keys."""

    P256 = "P-256"
    RSA = "RSA-3072"
    # In files only.
    ML_DSA_65 = "ML-DSA-65"


# Identifiers of the signature algorithms, DER (RFC 5758 section 3.2, RFC 4055 section 5, RFC 9882 section 4).
_IDENTIFIERS = {
    Algorithm.P256: bytes.fromhex("300a06082a8648ce3d040302"),
    Algorithm.RSA: bytes.fromhex("300d06092a864886f70d01010b0500"),
    Algorithm.ML_DSA_65: bytes.fromhex("300b0609608648016503040312"),
}


@dataclass(frozen=True, kw_only=True)
class HeldKey:
    """A key that is kept."""

    # By which the hold knows it.
    name: str
    algorithm: Algorithm
    # DER of SubjectPublicKeyInfo.
    public: bytes


class KeyHold(Protocol):
    """Makes keys and signs with them."""

    # Which make this is, for the record and the table.
    make_of: str

    def make(self, algorithm: Algorithm) -> HeldKey:
        """A new key; kept for good when this returns.

        Raises:
            HoldUnavailable: none was made, or nobody knows its name.
        """
        ...

    def sign(self, key: HeldKey, data: bytes) -> bytes:
        """A signature over some bytes: ECDSA (DER) or PKCS #1 v1.5 with SHA-256, or ML-DSA.

        Raises:
            KeyGone: there is no such key.
            HoldUnavailable: the keys cannot be reached.
        """
        ...

    def drop(self, key: HeldKey) -> None:
        """Destroy a key; nothing if there is none.

        Raises:
            HoldUnavailable: the keys cannot be reached.
        """
        ...


@dataclass(frozen=True)
class UsedKey:
    """One key of a hold, as whoever forms a signature needs it."""

    hold: KeyHold
    key: HeldKey

    @property
    def public(self) -> bytes:
        """DER of SubjectPublicKeyInfo."""
        return self.key.public

    @property
    def longest(self) -> int:
        """Bytes of its longest signature."""
        # Two numbers of 32 bytes in a sequence (RFC 3279 section 2.2.3); the modulus; FIPS 204 table 2.
        return {Algorithm.P256: 72, Algorithm.RSA: 384, Algorithm.ML_DSA_65: 3309}[self.key.algorithm]

    def sign(self, data: bytes) -> bytes:
        """As ``KeyHold.sign``."""
        return self.hold.sign(self.key, data)


def request(hold: KeyHold, key: HeldKey) -> bytes:
    """A request (PKCS #10, DER) that proves possession and names nobody: the authority knows whom it asks for.

    Raises:
        KeyGone, HoldUnavailable: as ``KeyHold.sign``.
    """
    information = _der(_SEQUENCE, _der(_INTEGER, b"\0"), _der(_SEQUENCE), key.public, _der(_CONTEXT_0))
    signature = _der(_BITS, b"\0", hold.sign(key, information))
    return _der(_SEQUENCE, information, _IDENTIFIERS[key.algorithm], signature)


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < _LONG_FORM:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_FORM | len(length))) + length + content
