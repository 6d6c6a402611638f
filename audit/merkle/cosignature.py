# SPDX-License-Identifier: Apache-2.0
"""What a witness signs with (C2SP tlog-cosignature): Ed25519 always, ML-DSA-44 beside it when there is a second seed.

The Ed25519 message does not name its cosigner, so one key serves one name.
"""

from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from .checkpoint import TIME_SIZE, Checkpoint
from .keys import COSIGNATURE_ED25519, COSIGNATURE_MLDSA44, VerifierKey, is_key_name
from .note import Signature


class CosignerKey:
    """The keys of one cosigner."""

    def __init__(self, name: str, *, seed: bytes, mldsa_seed: bytes | None = None) -> None:
        if not is_key_name(name):
            raise ValueError("a cosigner's name has neither spaces nor plus signs")
        self.name = name
        self._ed25519 = Ed25519PrivateKey.from_private_bytes(seed)
        self._mldsa = MLDSA44PrivateKey.from_seed_bytes(mldsa_seed) if mldsa_seed else None

    @property
    def vkey(self) -> VerifierKey:
        """The key by which others know this witness."""
        return VerifierKey(self.name, COSIGNATURE_ED25519, self._ed25519.public_key().public_bytes_raw())

    @property
    def mldsa_vkey(self) -> VerifierKey | None:
        """The second, quantum-safe key."""
        if self._mldsa is None:
            return None
        return VerifierKey(self.name, COSIGNATURE_MLDSA44, self._mldsa.public_key().public_bytes_raw())

    @property
    def vkeys(self) -> tuple[VerifierKey, ...]:
        """All of them."""
        return tuple(key for key in (self.vkey, self.mldsa_vkey) if key is not None)

    def cosign(self, text: str, at: datetime) -> tuple[Signature, ...]:
        """Say of a checkpoint that it is the largest consistent one seen at this time."""
        checkpoint = Checkpoint.unverified(text)
        stamp = int(at.timestamp()).to_bytes(TIME_SIZE, "big")
        return tuple(
            Signature(self.name, key.id, stamp + self._sign(key, checkpoint.cosigned(key, stamp, text)))
            for key in self.vkeys
        )

    def _sign(self, key: VerifierKey, message: bytes) -> bytes:
        if key.type == COSIGNATURE_MLDSA44 and self._mldsa is not None:
            return self._mldsa.sign(message)
        return self._ed25519.sign(message)
