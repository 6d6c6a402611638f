# SPDX-License-Identifier: Apache-2.0
"""Steps under AES-256-GCM with a key of the audit role; bound to case and number, so that no step can be moved."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import CaseDamaged

_NONCE = 12


class Sealing:
    """Seals and opens steps."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, case: str, number: int, content: Mapping[str, Any]) -> bytes:
        """The bytes that are kept."""
        nonce = secrets.token_bytes(_NONCE)
        clear = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        return nonce + self._cipher.encrypt(nonce, clear, _bound(case, number))

    def open(self, case: str, number: int, sealed: bytes) -> dict[str, Any]:
        """What was sealed.

        Raises:
            CaseDamaged: the bytes were changed, or belong to another step.
        """
        try:
            clear = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound(case, number))
        except (InvalidTag, ValueError) as error:
            raise CaseDamaged(case=case, number=number) from error
        content: dict[str, Any] = json.loads(clear)
        return content


def digest(sealed: bytes) -> str:
    """What the log holds of a step: says nothing, and binds every bit of it."""
    return hashlib.sha256(sealed).hexdigest()


def _bound(case: str, number: int) -> bytes:
    return f"tallygate case step\n{case}\n{number}".encode()
