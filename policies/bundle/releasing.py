# SPDX-License-Identifier: Apache-2.0
"""Putting a release in force, and giving one that was cut off its outcome."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit import Event, Outcome, Recorder, Wait

from ..approval import Approval, Trial, approving, demand
from ..errors import BundleRefused, NothingToRelease
from . import files, proving
from .files import alone, publish
from .manifest import (
    CONTEXT,
    CURRENT,
    SIGNED,
    SOURCE,
    Manifest,
    content_digest,
    digests,
    history,
    manifest_of,
    parsed,
    read_manifest,
)
from .trial import demand_shadow


def release(
    folder: Path,
    source: Mapping[str, bytes],
    *,
    key: Ed25519PrivateKey,
    journal: Path,
    recorder: Recorder,
    at: datetime,
    actor: str,
    approvals: Sequence[Approval] = (),
    administrators: Mapping[str, str] | None = None,
    without_shadow: str = "",
) -> Manifest:
    """Prove, record, sign and put in force; one release at a time.

    Where the site names administrators, what they signed says whether it was to be tried in shadow first, and how
    long. Elsewhere ``without_shadow`` is recorded: why it was not, where whoever calls allows that (``demand_shadow``).

    Raises:
        PoliciesUnusable: they do not build or a case fails; nothing was recorded.
        BundleRefused: the site names administrators and fewer than two of them signed; nothing was recorded.
        NothingToRelease: the same files are in force already.
        NeverTried: nor did the administrators sign that it need not be tried; nothing was recorded.
        TriedTooShort: they signed that it is to be tried for longer.
        RecordUnavailable: no record, no release.
    """
    # 1. Only what passes its own tests can be released.
    named = digests(source)
    proving.demand(source)
    with alone(journal):
        # 2. What was begun and cut off gets its outcome first; then the version follows from what is in force.
        _end_unfinished(folder, journal, key=key.public_key(), recorder=recorder)
        before = read_manifest(folder, key.public_key()) if (folder / CURRENT).exists() else None
        sequence = before.sequence + 1 if before else 1
        released = history(folder, key.public_key()) if before else []
        earlier = {each.approved_as for each in released if each.files == named}
        signed, number, trial = _approved(
            named, approvals, sequence=sequence, earlier=earlier, administrators=administrators or {}
        )
        # The same files may be released again to get their administrators' signatures.
        if before is not None and before.files == named and before.approvals == signed:
            raise NothingToRelease(version=before.version)
        if administrators:
            demand_shadow(folder, source, key.public_key(), at=at, trial=trial)
            without_shadow = Trial.read(trial).without
        manifest = manifest_of(named, sequence=sequence, at=at, actor=actor)
        manifest = replace(manifest, approvals=signed, approved_as=number, trial=trial)
        # 3. The intent is in the log before anything is signed. A death from here on is ended by replay().
        files.write(journal, manifest.canonical() + b"\n" + without_shadow.encode(), mode=0o600)
        recorder.record(_event(manifest, Outcome.INTENDED, without_shadow), wait=Wait.PUBLISHED)
        # 4. The files first; nobody reads them before the manifest names them.
        for name, body in source.items():
            publish(folder / manifest.version / name, body)
        # 5. What was in force keeps its proof; in force from the second rename on.
        signature = base64.b64encode(key.sign(CONTEXT + manifest.canonical()))
        if before is not None:
            publish(folder / before.version / SIGNED, (folder / CURRENT).read_bytes())
        publish(folder / CURRENT, manifest.canonical() + b"\n" + signature + b"\n")
        # 6. Followers load it when they hear this.
        recorder.record(_event(manifest, Outcome.SUCCESS))
        journal.unlink()
    return manifest


def replay(folder: Path, *, key: Ed25519PublicKey, journal: Path, recorder: Recorder) -> str:
    """Give a release that was cut off its outcome, and return its version; empty if there is none.

    Raises:
        BundleRefused: what is in force cannot be read.
        RecordUnavailable: it stays unfinished.
    """
    with alone(journal):
        return _end_unfinished(folder, journal, key=key, recorder=recorder)


def _end_unfinished(folder: Path, journal: Path, *, key: Ed25519PublicKey, recorder: Recorder) -> str:
    if not journal.exists():
        return ""
    # What is said again has to be said with the same words, or the log refuses it under the same key.
    written, _, without_shadow = journal.read_bytes().partition(b"\n")
    manifest = parsed(written)
    in_force = (folder / CURRENT).exists() and read_manifest(folder, key) == manifest
    # Whether the intent arrived may be unknown. Entries have keys that follow from the manifest, so what is there
    # already is not recorded twice.
    recorder.record(_event(manifest, Outcome.INTENDED, without_shadow.decode()))
    recorder.record(_event(manifest, Outcome.SUCCESS if in_force else Outcome.FAILURE))
    journal.unlink()
    return manifest.version


def _approved(
    named: Mapping[str, str],
    approvals: Sequence[Approval],
    *,
    sequence: int,
    earlier: set[int],
    administrators: Mapping[str, str],
) -> tuple[dict[str, str], int, str]:
    """The signatures that count, their number (an earlier one where we go back) and what they say of a trial.

    What was signed for an ``earlier`` number counts if these files were in force by it. Signed and never released, it
    was withdrawn, or overtaken by a release that whoever signed did not know and that would be undone unseen.
    """
    if not administrators:
        return {}, 0, ""
    said = {each.sequence for each in approvals}
    if said and max(said) < sequence and not said & earlier:
        raise BundleRefused(why=f"it was signed as release {max(said)}, and {sequence - 1} is in force: sign it again")
    best: tuple[dict[str, str], int, str] = ({}, sequence, "")
    counting = earlier | {sequence}
    for number, trial in sorted({(each.sequence, each.trial) for each in approvals if each.sequence in counting}):
        mine = [each for each in approvals if (each.sequence, each.trial) == (number, trial)]
        given = {each.administrator: each.signature for each in mine}
        signed = approving(named, given, sequence=number, administrators=administrators, trial=trial)
        if len(signed) >= len(best[0]):
            best = {name: given[name] for name in sorted(signed)}, number, trial
    demand(named, best[0], sequence=best[1], administrators=administrators, trial=best[2])
    return best


def _event(manifest: Manifest, outcome: Outcome, without_shadow: str = "") -> Event:
    # The key follows from what happened: a release cut off midway is recorded once, however often it is retried.
    digest = hashlib.sha256(b"policy.released/2\n" + outcome.encode() + b"\n" + manifest.canonical()).hexdigest()
    return Event(
        key=digest[:32],
        type="policy.released",
        outcome=outcome,
        at=datetime.fromisoformat(manifest.released_at),
        source=SOURCE,
        actor=manifest.released_by,
        object=manifest.version,
        policy=manifest.version,
        attributes={
            "sequence": manifest.sequence,
            "files": len(manifest.files),
            "content": content_digest(manifest),
            **({"without_shadow": without_shadow} if without_shadow else {}),
            **({"trial": manifest.trial} if manifest.trial else {}),
        },
    )
