# SPDX-License-Identifier: Apache-2.0
"""Nonces for proofs: one for each half minute, the same in all processes, kept nowhere."""

import hashlib
import hmac

from core.clock import Clock
from core.jose import base64url

WINDOW = 30
"""Seconds for which one is given out; it counts for twice as long."""
_LENGTH = 18


class Nonces:
    """Nobody can know one before it is given out, so no proof is made long beforehand (RFC 9449 section 8)."""

    def __init__(self, *, key: bytes, clock: Clock) -> None:
        self._key = hmac.digest(key, b"dpop nonce", hashlib.sha256)
        self._clock = clock

    def current(self) -> str:
        """The one to use now."""
        return self._of(self._window())

    def counts(self, nonce: str) -> bool:
        """Whether it is this one or the one before."""
        now = self._window()
        given = nonce.encode("utf-8", "replace")
        matches = [hmac.compare_digest(given, self._of(window).encode()) for window in (now, now - 1)]
        return any(matches)

    def _window(self) -> int:
        return int(self._clock.now().timestamp()) // WINDOW

    def _of(self, window: int) -> str:
        return base64url(hmac.digest(self._key, str(window).encode(), hashlib.sha256)[:_LENGTH])
