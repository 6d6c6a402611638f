# SPDX-License-Identifier: Apache-2.0
"""Decide; the engine is loaded from a signed bundle and replaced as a whole when a newer one is released."""

import threading
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from core.log import logger

from .bundle import read_current, read_manifest
from .errors import BundleRefused
from .models import Code, Decision, DecisionRequest
from .release import Release

_log = logger(__name__)


class PolicyEngine:
    """Answers requests with the policies in force; safe to share between threads."""

    def __init__(self, *, folder: Path, key: Ed25519PublicKey) -> None:
        self._folder = folder
        self._key = key
        self._loading = threading.Lock()
        self._sequence = 0
        self._release: Release | None = None

    @classmethod
    def load(cls, folder: Path, key: Ed25519PublicKey, *, at_least: int = 0) -> Self:
        """Read, verify and test the bundle in ``folder``; ``at_least`` is the newest sequence the caller knows of.

        Raises:
            BundleRefused: unsigned, tampered with, older or not readable.
            PoliciesUnusable: signed, but broken.
        """
        engine = cls(folder=folder, key=key)
        engine._sequence = at_least - 1
        engine.reload()
        return engine

    @property
    def version(self) -> str:
        """Version of the policies in force; empty while there are none."""
        return self._release.version if self._release else ""

    @property
    def zones(self) -> frozenset[str]:
        """Zones the policies in force know."""
        return self._release.zones if self._release else frozenset()

    def place(self, *, listener: str, address: str, peer: str = "") -> str:
        """The zone a request comes from, by the policies in force; empty if from nowhere that is allowed."""
        release = self._release
        return release.place(listener=listener, address=address, peer=peer) if release else ""

    def reload(self) -> bool:
        """Build what lies in the folder now beside what is in force, then swap; True if it changed.

        Raises:
            BundleRefused: also when it is older; what was in force stays in force.
            PoliciesUnusable: as in ``load``.
        """
        with self._loading:
            manifest = read_manifest(self._folder, self._key)
            if self._release is not None and manifest.version == self._release.version:
                return False
            if manifest.sequence <= self._sequence:
                raise BundleRefused(why=f"release {manifest.sequence} is not newer than {self._sequence}")
            manifest, files = read_current(self._folder, self._key)
            made = Release.proved(files, version=manifest.version)
            self._release, self._sequence = made, manifest.sequence
            return True

    def decide(self, request: DecisionRequest) -> Decision:
        """Answer; never raises, every failure is a denial with its own code."""
        release = self._release
        if release is None:
            return _failed("")
        try:
            return release.decide(request)
        except Exception as error:  # noqa: BLE001 - a request no caller should make must deny, not surface
            _log.error("decision_failed", error=type(error).__name__, version=release.version)
            return _failed(release.version)


def _failed(version: str) -> Decision:
    return Decision(allowed=False, code=Code.ERROR, reasons=(), step_up=None, version=version)
