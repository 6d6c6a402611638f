# SPDX-License-Identifier: Apache-2.0
"""Decide; the engine is loaded from a signed bundle and replaced as a whole when a newer one is released."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from core.log import logger

from .bundle import read_current, read_files, read_manifest, read_shadow
from .cache import DecisionCache, key
from .errors import BundleRefused, PoliciesUnusable
from .models import Code, Decision, DecisionRequest
from .release import Release

_log = logger(__name__)


class PolicyEngine:
    """Answers requests with the policies in force; safe to share between threads."""

    def __init__(
        self,
        *,
        folder: Path,
        key: Ed25519PublicKey,
        administrators: Mapping[str, str] | None = None,
        remembered: int = 0,
    ) -> None:
        self._folder = folder
        self._key = key
        self._loading = threading.Lock()
        self._administrators = dict(administrators or {})
        self._remembered = remembered
        self._sequence = 0
        # One reference, read once for each question: no answer is made of two versions.
        self._force: _Force | None = None
        self._shadow: Release | None = None

    @classmethod
    def load(
        cls,
        folder: Path,
        key: Ed25519PublicKey,
        *,
        at_least: int = 0,
        administrators: Mapping[str, str] | None = None,
        remembered: int = 0,
    ) -> Self:
        """Read, verify and test the bundle in ``folder``; ``at_least`` is the newest sequence the caller knows of.

        Raises:
            BundleRefused: unsigned, tampered with, older or not readable.
            PoliciesUnusable: signed, but broken.
        """
        engine = cls(folder=folder, key=key, administrators=administrators, remembered=remembered)
        engine._sequence = at_least - 1
        engine.reload()
        return engine

    @property
    def version(self) -> str:
        """Version of the policies in force; empty while there are none."""
        return self._force.release.version if self._force else ""

    @property
    def sequence(self) -> int:
        """Number of the release in force; 0 while there is none."""
        return self._sequence if self._force else 0

    @property
    def zones(self) -> frozenset[str]:
        """Zones the policies in force know."""
        return self._force.release.zones if self._force else frozenset()

    @property
    def needless(self) -> tuple[str, ...]:
        """Policies in force that others make superfluous, or that can do nothing, in words."""
        return tuple(each.told for each in self._force.release.needless()) if self._force else ()

    def place(self, *, listener: str, address: str, peer: str = "") -> str:
        """The zone a request comes from, by the policies in force; empty if from nowhere that is allowed."""
        force = self._force
        return force.release.place(listener=listener, address=address, peer=peer) if force else ""

    def speaks(self, peer: str) -> bool:
        """Whether a certificate is one of a proxy that speaks for a zone, by the policies in force."""
        force = self._force
        return force is not None and force.release.speaks(peer)

    def spoken_for(self, listener: str) -> frozenset[str]:
        """Zones that a proxy may speak for at a listener, by the policies in force."""
        force = self._force
        return force.release.spoken_for(listener) if force else frozenset()

    def lasting(self, action: str) -> str:
        """The version by which the same question about this action has the same answer again.

        Empty where each is to be asked: nothing is remembered, the answer may be another one later, or other policies
        are tried beside.
        """
        force = self._force
        if force is None or self._shadow is not None or not force.cache.most or force.release.timed(action):
            return ""
        return force.release.version

    def edge(self, action: str, at: datetime) -> int:
        """Until when an answer about this action holds, in seconds since 1970; 0 if no time ends it."""
        force = self._force
        return force.release.edge(action, at) if force else 0

    def reload(self) -> bool:
        """Build what lies in the folder now beside what is in force, then swap; True if it changed.

        Raises:
            BundleRefused: also when it is older; what was in force stays in force.
            PoliciesUnusable: as in ``load``.
        """
        with self._loading:
            self._load_shadow()
            manifest = read_manifest(self._folder, self._key)
            if self._force is not None and manifest.version == self._force.release.version:
                return False
            if manifest.sequence <= self._sequence:
                raise BundleRefused(why=f"release {manifest.sequence} is not newer than {self._sequence}")
            manifest, files = read_current(self._folder, self._key, administrators=self._administrators)
            made = Release.proved(files, version=manifest.version)
            self._force, self._sequence = _Force(made, DecisionCache(most=self._remembered)), manifest.sequence
            return True

    def decide(self, request: DecisionRequest) -> Decision:
        """Answer; never raises, every failure is a denial with its own code."""
        force = self._force
        if force is None:
            return _failed("", "no-policies")
        try:
            decision = force.decide(request)
        except Exception as error:  # noqa: BLE001 - a request no caller should make must deny, not surface
            _log.error("decision_failed", error=type(error).__name__, version=force.release.version)
            return _failed(force.release.version, "raised")
        return self._compared(request, decision)

    def _compared(self, request: DecisionRequest, decision: Decision) -> Decision:
        shadow = self._shadow
        if shadow is None:
            return decision
        try:
            tried = shadow.decide(request)
        except Exception as error:  # noqa: BLE001 - what is only tried harms nobody
            _log.warning("shadow_failed", error=type(error).__name__, version=shadow.version)
            return replace(decision, shadow=(shadow.version, str(Code.ERROR)))
        if tried.allowed == decision.allowed:
            return decision
        return replace(decision, shadow=(shadow.version, tried.code))

    def _load_shadow(self) -> None:
        try:
            found = read_shadow(self._folder, self._key)
            if found is None:
                self._shadow = None
            elif self._shadow is None or self._shadow.version != found.version:
                self._shadow = Release(read_files(self._folder, found), version=found.version)
        except (BundleRefused, PoliciesUnusable) as error:
            _log.warning("shadow_refused", code=error.code)
            self._shadow = None
        except Exception as error:  # noqa: BLE001 - what is only tried keeps no release from coming into force
            _log.error("shadow_failed", error=type(error).__name__)
            self._shadow = None


class _Force:
    """A release and what it answered before."""

    def __init__(self, release: Release, cache: DecisionCache) -> None:
        self.release = release
        self.cache = cache

    def decide(self, request: DecisionRequest) -> Decision:
        release = self.release
        asked = None if not self.cache.most or release.timed(request.action) else key(release.version, request)
        if asked is None:
            return release.decide(request)
        found = self.cache.get(asked)
        if found is not None:
            return found
        decision = release.decide(request)
        self.cache.keep(asked, decision)
        return decision


def _failed(version: str, why: str) -> Decision:
    return Decision(allowed=False, code=Code.ERROR, reasons=(f"error:{why}",), step_up=None, version=version)
