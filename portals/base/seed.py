# SPDX-License-Identifier: Apache-2.0
"""Made-up content that stays the same for the same person: the sample city has no tax records of its own."""

import hashlib


class Seed:
    """Numbers that follow from a subject and a topic."""

    def __init__(self, subject: str, topic: str) -> None:
        self._basis = f"{topic}\n{subject}\n".encode()

    def between(self, low: int, high: int, name: str) -> int:
        """One number, both ends included."""
        digest = hashlib.sha256(self._basis + name.encode()).digest()
        return low + int.from_bytes(digest[:8], "big") % (high - low + 1)
