# SPDX-License-Identifier: Apache-2.0
"""The fourth door: a time-stamping unit signs the attributes of a TSTInfo with a key that does nothing else."""

from pathlib import Path

from cryptography.hazmat.primitives import hashes

from ..errors import KeyUnusable
from ..x509 import algorithm_for
from ..x509.stamps import StampAttributes
from .keys import Unit, read_unit
from .raw import signed


class StampSigner:
    """One unit, as a ceremony left it."""

    def __init__(self, unit: Unit) -> None:
        self.certificate = unit.certificate
        self.chain = unit.chain
        self._key = unit.key

    @classmethod
    def load(cls, path: Path) -> "StampSigner":
        """Read a unit's file.

        Raises:
            KeyUnusable: missing, readable by others, or the key belongs to another certificate.
        """
        unit = read_unit(path)
        if unit.key.public_key() != unit.certificate.public_key():
            raise KeyUnusable(path=str(path), why="the key belongs to another certificate")
        return cls(unit)

    @property
    def digest(self) -> hashes.HashAlgorithm:
        """What the message digest and the unit's signature are made with; RFC 9882 for keys that bring their own."""
        return algorithm_for(self._key) or hashes.SHA512()

    def stamp(self, attributes: StampAttributes) -> bytes:
        """The signature."""
        return signed(self._key, attributes.der)
