# SPDX-License-Identifier: Apache-2.0
"""Numbers that name a person or company for the whole country, kept so that they can be found by and not be read.

Beside an entry stand a keyed index (HMAC-SHA-256, RFC 2104) to look up an exact number, and the number itself sealed
(AES-256-GCM, SP 800-38D) for the one who holds the key, which is the directory's writer. What is sealed is bound to its
entry: moved to another one it does not open. Without the key neither can be tried out against all possible numbers.
"""

import base64
import hmac
import secrets
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import NumberSealed

_NONCE = 12


class Numbers:
    """Index and seal; the key is 32 random bytes of the directory's role."""

    def __init__(self, key: bytes) -> None:
        self._index = _derived(key, b"tallygate directory number index")
        self._cipher = AESGCM(_derived(key, b"tallygate directory number seal"))

    def index(self, number: str) -> str:
        """By this an entry is found, if one has the number."""
        return hmac.digest(self._index, number.encode("utf-8"), sha256).hex()

    def seal(self, number: str, *, of: str) -> str:
        """The number, to be read with the key and beside the entry ``of`` only."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._cipher.encrypt(nonce, number.encode("utf-8"), of.encode("utf-8"))
        return base64.b64encode(nonce + sealed).decode("ascii")

    def open(self, sealed: str, *, of: str) -> str:
        """The number again.

        Raises:
            NumberSealed: it is another entry's, was changed, or sealed with another key.
        """
        try:
            raw = base64.b64decode(sealed, validate=True)
            return self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], of.encode("utf-8")).decode("utf-8")
        except (ValueError, InvalidTag) as error:
            raise NumberSealed from error


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key)
