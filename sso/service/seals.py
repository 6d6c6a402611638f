# SPDX-License-Identifier: Apache-2.0
"""Texts that leave this service, or lie in its tables, unreadable and unchangeable: one key for each purpose."""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.clock import Clock


class Broken(Exception):
    """Changed, cut, made by somebody else or for another purpose."""


class Seal:
    """Fernet (AES-CBC, HMAC-SHA-256) under a key derived for one purpose, so that nothing passes for another."""

    def __init__(self, key: bytes, purpose: str, *, clock: Clock) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"tallygate sso {purpose}".encode()).derive(key)
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))
        self._clock = clock

    def close(self, text: str) -> str:
        """Seal a text; base64url."""
        return self._fernet.encrypt_at_time(text.encode(), int(self._clock.now().timestamp())).decode()

    def open(self, sealed: str) -> str:
        """The text.

        Raises:
            Broken: it was not sealed so.
        """
        try:
            # Read strictly: the library would skip what is no base64url, and stop at the first padding.
            if base64.urlsafe_b64encode(base64.urlsafe_b64decode(sealed)) != sealed.encode():
                raise Broken
            return self._fernet.decrypt(sealed).decode()
        except (InvalidToken, ValueError) as error:
            raise Broken from error
