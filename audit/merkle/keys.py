# SPDX-License-Identifier: Apache-2.0
"""Keys of a log and their public text form, the vkey (C2SP signed-note v1.0.0, tlog-cosignature v1.1.0-rc.1)."""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from ..errors import ProofRefused

ED25519 = 0x01
COSIGNATURE_ED25519 = 0x04
COSIGNATURE_MLDSA44 = 0x06
_LENGTHS = {ED25519: 32, COSIGNATURE_ED25519: 32, COSIGNATURE_MLDSA44: 1312}
_ID_SIZE = 4


@dataclass(frozen=True)
class VerifierKey:
    """A public key with the name it signs under."""

    name: str
    type: int
    public: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a vkey: name, key ID and base64 of type byte and key, joined by plus signs.

        Raises:
            ProofRefused: it is not one, or of a type we do not verify.
        """
        parts = text.strip().split("+", 2)
        try:
            name, identifier, encoded = parts
            content = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error) as error:
            raise ProofRefused(why="this is not a verifier key") from error
        if not is_key_name(name) or not content or _LENGTHS.get(content[0]) != len(content) - 1:
            raise ProofRefused(why="this is not a verifier key")
        key = cls(name, content[0], content[1:])
        if key.id.hex() != identifier:
            raise ProofRefused(why="the verifier key contradicts its own identifier")
        return key

    @property
    def id(self) -> bytes:
        """The first four bytes of the hash over name, newline, type and key."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:_ID_SIZE]

    def __str__(self) -> str:
        content = base64.b64encode(bytes([self.type]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{content}"

    def verify_bytes(self, signature: bytes, message: bytes) -> None:
        """Check a raw signature.

        Raises:
            ProofRefused: it is not this key's.
        """
        try:
            if self.type == COSIGNATURE_MLDSA44:
                MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
            else:
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise ProofRefused(why="the signature is not the log's") from error


class LogKey:
    """What a log signs with: Ed25519 always, ML-DSA-44 beside it when there is a second seed."""

    def __init__(self, origin: str, *, seed: bytes, mldsa_seed: bytes | None = None) -> None:
        if not is_key_name(origin):
            raise ValueError("an origin has neither spaces nor plus signs")
        self.origin = origin
        self._ed25519 = Ed25519PrivateKey.from_private_bytes(seed)
        self._mldsa = MLDSA44PrivateKey.from_seed_bytes(mldsa_seed) if mldsa_seed else None

    @property
    def vkey(self) -> VerifierKey:
        """The key by which everybody pins the log."""
        return VerifierKey(self.origin, ED25519, self._ed25519.public_key().public_bytes_raw())

    @property
    def mldsa_vkey(self) -> VerifierKey | None:
        """The second, quantum-safe key."""
        if self._mldsa is None:
            return None
        return VerifierKey(self.origin, COSIGNATURE_MLDSA44, self._mldsa.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """A raw Ed25519 signature."""
        return self._ed25519.sign(message)

    def cosign(self, message: bytes) -> bytes:
        """A raw ML-DSA-44 signature; only where ``mldsa_vkey`` is present."""
        if self._mldsa is None:
            raise ValueError("this log has no second key")
        return self._mldsa.sign(message)


def is_key_name(name: str) -> bool:
    """Whether a name may stand in a signature line."""
    return bool(name) and "+" not in name and not any(letter.isspace() for letter in name) and name.isprintable()
