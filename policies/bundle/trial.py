# SPDX-License-Identifier: Apache-2.0
"""Trials in shadow: begun, ended, and proved afterwards by the policy key."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit import Event, Outcome, Recorder, Wait

from ..approval import Trial
from ..errors import BundleRefused, NeverTried, TriedTooShort
from . import proving
from .files import alone, publish
from .manifest import (
    CURRENT,
    SHADOW,
    SOURCE,
    TRIED,
    Manifest,
    content_digest,
    digests,
    history,
    manifest_of,
    read_shadow,
    verified,
)

_TRIAL = ".tried"
"""Name of the proof that a version was tried in shadow."""
_OVER = ".tried-until"
"""Name of the proof of when that trial ended."""
_ENDED = b"tallygate policy trial ended\n"


def put_in_shadow(
    folder: Path,
    source: Mapping[str, bytes],
    *,
    key: Ed25519PrivateKey,
    journal: Path,
    recorder: Recorder,
    at: datetime,
    actor: str,
) -> Manifest:
    """Prove, record and sign a candidate that every gateway asks beside what is in force; it decides nothing.

    Raises:
        PoliciesUnusable: they do not build or a case fails; nothing was recorded.
        RecordUnavailable: no record, no shadow.
    """
    proving.demand(source)
    with alone(journal):
        made = manifest_of(digests(source), sequence=0, at=at, actor=actor)
        if (folder / SHADOW).exists():
            # What was tried before this one keeps its proof.
            with suppress(BundleRefused):
                _keep_trial(folder, verified(folder / SHADOW, key.public_key(), context=TRIED), key=key, at=at)
        for name, body in source.items():
            publish(folder / made.version / name, body)
        recorder.record(_tried(made, outcome=Outcome.INTENDED), wait=Wait.PUBLISHED)
        signature = base64.b64encode(key.sign(TRIED + made.canonical()))
        publish(folder / SHADOW, made.canonical() + b"\n" + signature + b"\n")
        recorder.record(_tried(made, outcome=Outcome.SUCCESS))
    return made


def end_shadow(
    folder: Path, *, key: Ed25519PrivateKey, journal: Path, recorder: Recorder, at: datetime, actor: str
) -> str:
    """Try nothing any more, and return the version that was tried; empty if none was.

    It never decided anything, so the end is recorded after it: every gateway drops the candidate when it hears that.
    What was tried keeps its proof and how long it lasted, by which a release can be told from one that nobody tried.
    """
    with alone(journal):
        try:
            tried = read_shadow(folder, key.public_key())
        except BundleRefused:
            # What was put there by nobody's right is taken away like any other.
            tried = None
        version = tried.version if tried else ""
        if tried:
            _keep_trial(folder, tried, key=key, at=at)
        (folder / SHADOW).unlink(missing_ok=True)
        if version:
            recorder.record(
                Event(
                    key=hashlib.sha256(f"policy.trial.ended/1 {version}".encode()).hexdigest()[:32],
                    type="policy.trial.ended",
                    outcome=Outcome.SUCCESS,
                    at=at,
                    source=SOURCE,
                    actor=actor,
                    object=version,
                )
            )
        return version


def demand_shadow(
    folder: Path, source: Mapping[str, bytes], key: Ed25519PublicKey, *, at: datetime, trial: str = ""
) -> None:
    """Nothing, if these files were tried in shadow as ``trial`` demands, were in force once, or are the first of all.

    Raises:
        NeverTried: they decide for the first time and nobody saw what they would change.
        TriedTooShort: they were tried for less time than was signed.
    """
    said, named = Trial.read(trial), digests(source)
    if not (folder / CURRENT).exists() or said.without:
        return
    if any(manifest.files == named for manifest in history(folder, key)):
        return
    lasted = [seconds for tried, seconds in _trials(folder, key, at) if tried.files == named]
    if not lasted:
        raise NeverTried
    if max(lasted) < said.seconds:
        raise TriedTooShort(seconds=int(max(lasted)), demanded=said.seconds)


def _trials(folder: Path, key: Ed25519PublicKey, at: datetime) -> Iterator[tuple[Manifest, float]]:
    """What was tried and for how long; a trial whose end nobody signed lasted no time."""
    for path in (folder / SHADOW, *folder.glob(f"*/{_TRIAL}")):
        try:
            tried = verified(path, key, context=TRIED)
            ended = at if path.name == SHADOW else _ended(path.with_name(_OVER), tried, key)
        except BundleRefused:
            continue
        begun = datetime.fromisoformat(tried.released_at)
        yield tried, (ended - begun).total_seconds() if ended else 0.0


def _ended(path: Path, tried: Manifest, key: Ed25519PublicKey) -> datetime | None:
    try:
        said, _, signature = path.read_bytes()[:1000].partition(b"\n")
        key.verify(base64.b64decode(signature.strip(), validate=True), _ENDED + said + b"\n" + tried.canonical())
        return datetime.fromisoformat(said.decode("ascii"))
    except (OSError, InvalidSignature, ValueError):
        return None


def _keep_trial(folder: Path, tried: Manifest, *, key: Ed25519PrivateKey, at: datetime) -> None:
    said = at.isoformat().encode()
    signature = base64.b64encode(key.sign(_ENDED + said + b"\n" + tried.canonical()))
    publish(folder / tried.version / _OVER, said + b"\n" + signature + b"\n")
    publish(folder / tried.version / _TRIAL, (folder / SHADOW).read_bytes())


def _tried(manifest: Manifest, *, outcome: Outcome) -> Event:
    digest = hashlib.sha256(b"policy.tried/1\n" + outcome.encode() + b"\n" + manifest.canonical()).hexdigest()
    return Event(
        key=digest[:32],
        type="policy.tried",
        outcome=outcome,
        at=datetime.fromisoformat(manifest.released_at),
        source=SOURCE,
        actor=manifest.released_by,
        object=manifest.version,
        attributes={"files": len(manifest.files), "content": content_digest(manifest)},
    )
