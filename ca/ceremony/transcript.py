# SPDX-License-Identifier: Apache-2.0
"""What was done at a ceremony, line by line, with every hash: enough for whoever was there to compare."""

import hashlib

_WIDTH = 22


class Transcript:
    """Grows while the ceremony is held."""

    def __init__(self, heading: str) -> None:
        self._lines = [heading, ""]

    def note(self, label: str, value: object) -> None:
        """One fact."""
        self._lines.append(f"{label:<{_WIDTH}} {value}")

    def artefact(self, name: str, content: bytes) -> str:
        """A file that was made, by its SHA-256, which is returned in hexadecimal."""
        digest = hashlib.sha256(content).hexdigest()
        self.note(name, f"sha256 {digest}")
        return digest

    @property
    def digest(self) -> str:
        """SHA-256 of what stands here so far; the record of the outcome holds it."""
        return hashlib.sha256(str(self).encode()).hexdigest()

    def __str__(self) -> str:
        return "\n".join(self._lines) + "\n"
