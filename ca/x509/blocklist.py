# SPDX-License-Identifier: Apache-2.0
"""Lists of keys whose private half somebody else has: stolen, published, or made by a broken generator.

A line is one key; blank lines and those that begin with ``#`` say nothing:

| digits | what                                                                                               |
| ------ | -------------------------------------------------------------------------------------------------- |
| 64     | SHA-256 of the subjectPublicKeyInfo                                                                |
| 20     | the lower 80 bits of SHA-1 over ``Modulus=HEX`` and a line feed, as Debian's openssl-blacklist has |
|        | them for the keys of 2008 (CVE-2008-0166): ``openssl rsa -modulus``, ``sha1sum``, last 20 digits   |
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa

from core.config import ConfigurationError

_DIGITS = frozenset("0123456789abcdef")
_WHOLE, _SHORT = 64, 20


@dataclass(frozen=True)
class Blocklist:
    """Everything that the lists of a site name; compact, since a list may have a million lines."""

    keys: frozenset[bytes] = frozenset()
    moduli: frozenset[bytes] = frozenset()

    def __or__(self, other: "Blocklist") -> "Blocklist":
        return Blocklist(self.keys | other.keys, self.moduli | other.moduli)

    def knows(self, key: object, key_hash: str) -> bool:
        """Whether a key is on a list, by the hash of its subjectPublicKeyInfo or by its modulus."""
        if bytes.fromhex(key_hash) in self.keys:
            return True
        return bool(self.moduli) and isinstance(key, rsa.RSAPublicKey) and modulus_print(key) in self.moduli


def modulus_print(key: rsa.RSAPublicKey) -> bytes:
    """The ten bytes by which openssl-blacklist names a modulus."""
    said = f"Modulus={key.public_numbers().n:X}\n"
    return hashlib.sha1(said.encode(), usedforsecurity=False).digest()[10:]


def read_blocklist(lines: Iterable[str], *, name: str) -> Blocklist:
    """One list.

    Raises:
        ConfigurationError: a line is neither; half a list would let through what the other half names.
    """
    keys: set[bytes] = set()
    moduli: set[bytes] = set()
    for number, line in enumerate(lines, 1):
        said = line.strip().lower()
        if not said or said.startswith("#"):
            continue
        if not set(said) <= _DIGITS or len(said) not in (_WHOLE, _SHORT):
            raise ConfigurationError(where=f"{name}:{number}", why="is no key's hash of 64 or 20 hexadecimal digits")
        (keys if len(said) == _WHOLE else moduli).add(bytes.fromhex(said))
    return Blocklist(frozenset(keys), frozenset(moduli))
