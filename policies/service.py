# SPDX-License-Identifier: Apache-2.0
"""Decide; the engine is loaded from a signed bundle and replaced as a whole when a newer one is released."""

from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .errors import BundleRefused
from .models import Decision, DecisionRequest


class PolicyEngine:
    """Answers requests with the policies in force."""

    def __init__(self, *, folder: Path, key: Ed25519PublicKey) -> None:
        self._folder = folder
        self._key = key

    @classmethod
    def load(cls, folder: Path, key: Ed25519PublicKey) -> Self:
        """Read, verify and test the bundle in ``folder``.

        Raises:
            BundleRefused: unsigned, tampered with or not readable.
            PoliciesUnusable: signed, but broken.
        """
        engine = cls(folder=folder, key=key)
        engine.reload()
        return engine

    @property
    def version(self) -> str:
        """Version of the policies in force."""
        raise BundleRefused(why="no bundle")

    def reload(self) -> bool:
        """Build what lies in the folder now beside what is in force, then swap; True if it changed.

        Raises:
            BundleRefused: also when it is older; what was in force stays in force.
            PoliciesUnusable: as in ``load``.
        """
        raise BundleRefused(why="no bundle")

    def decide(self, request: DecisionRequest) -> Decision:
        """Answer; never raises, every failure is a denial with its own code."""
        return Decision(allowed=False, code="policy_error", reasons=(), step_up=None, version="")
