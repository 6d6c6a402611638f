# SPDX-License-Identifier: Apache-2.0
"""The fifth door: the EST server signs the package of a key that it made for a device."""

from pathlib import Path

from ..errors import KeyUnusable
from ..x509.deliveries import DeliveryAttributes
from .keys import Unit, read_unit
from .raw import signed


class DeliverySigner:
    """The server's own key, which does nothing else."""

    def __init__(self, unit: Unit) -> None:
        self.certificate = unit.certificate
        self.chain = unit.chain
        self._key = unit.key

    @classmethod
    def load(cls, path: Path) -> "DeliverySigner":
        """Read its file.

        Raises:
            KeyUnusable: missing, readable by others, or the key belongs to another certificate.
        """
        unit = read_unit(path)
        if unit.key.public_key() != unit.certificate.public_key():
            raise KeyUnusable(path=str(path), why="the key belongs to another certificate")
        return cls(unit)

    def deliver(self, attributes: DeliveryAttributes) -> bytes:
        """The signature."""
        return signed(self._key, attributes.der)
