# SPDX-License-Identifier: Apache-2.0
"""What lies in the bundles' folder and in drafts, built and checked; what was built last is kept."""

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ..bundle import Manifest, digests, history, read_current, read_shadow, read_version
from ..errors import BundleRefused, NoSuchDraft, PoliciesUnusable
from ..models import Past
from ..release import Release
from ..replay import rows_used
from .models import Checked, Draft, FileDiff, RowLine

_KEPT = 4
"""Releases in memory: what is in force, and what is being written. Building takes a tenth of a second and more."""


class Builds:
    """Reads and builds; decides nothing and changes nothing."""

    def __init__(self, *, folder: Path, key: Ed25519PublicKey) -> None:
        self.folder = folder
        self.key = key
        # By the digest of the files.
        self._kept: dict[str, tuple[Release, Checked]] = {}

    def check(self, files: Mapping[str, bytes]) -> tuple[Release | None, Checked]:
        """Build these files and run their cases; None if they do not build."""
        name = digest(digests(files))
        found = self._kept.get(name)
        if found is not None:
            return found
        try:
            made = Release(files, version="candidate")
        except PoliciesUnusable as error:
            return None, Checked(broken=str(error.parameters.get("why", error.detail)))
        checked = Checked(
            broken="",
            wrong=(*made.unexplained(), *made.failures()),
            needless=made.needless(),
            cases=made.number_of_cases,
            policies=len(made.policies),
        )
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[name] = made, checked
        return made, checked

    def in_force(self) -> tuple[Manifest, Release, Checked]:
        """What decides now.

        Raises:
            BundleRefused: it cannot be read or built.
        """
        manifest, files = read_current(self.folder, self.key)
        made, checked = self.check(files)
        if made is None:
            raise BundleRefused(why=checked.broken)
        return manifest, made, checked

    def version(self, version: str) -> dict[str, bytes]:
        """The files of what is or was in force.

        Raises:
            NoSuchDraft: there is no such version.
        """
        for manifest in history(self.folder, self.key):
            if manifest.version == version:
                return read_version(self.folder, version, self.key)
        raise NoSuchDraft

    def shadow(self) -> Manifest | None:
        """What is tried in shadow; None also where what lies there is not by the policy key."""
        try:
            return read_shadow(self.folder, self.key)
        except BundleRefused:
            return None


def rows(made: Release, past: Sequence[Past]) -> tuple[RowLine, ...]:
    """The rows of the zone matrix, the least met first."""
    known = {row.id: row for row in made.rows()}
    remarked: dict[str, list[str]] = {}
    for remark in made.rows_remarked():
        remarked.setdefault(remark.row, []).append(remark.told)
    return tuple(
        RowLine(
            id=use.name,
            origin=known[use.name].origin,
            destination=known[use.name].destination,
            hits=use.hits,
            refused=use.alone,
            remarks=tuple(remarked.get(use.name, ())),
        )
        for use in rows_used(past, known, made.row)
    )


def differences(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> tuple[FileDiff, ...]:
    """Every file that is not the same, with three lines around each change."""
    found = []
    for name in sorted({*before, *after}):
        one, other = (files.get(name, b"").decode("utf-8", "replace").splitlines() for files in (before, after))
        lines = tuple(islice(difflib.unified_diff(one, other, lineterm="", n=3), 2, None))
        if lines:
            found.append(FileDiff(name=name, lines=lines))
    return tuple(found)


def content(draft: Draft) -> str:
    """The name under which the record knows these files, whatever they are released as."""
    return digest(digests(draft.content))


def digest(named: Mapping[str, str]) -> str:
    """One short name for names and digests."""
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:32]
