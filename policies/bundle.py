# SPDX-License-Identifier: Apache-2.0
"""Signed bundles: a folder per version, and one file that says which is in force and proves it.

``current`` has two lines: the canonical manifest (JSON, sorted, no spaces) with the SHA-256 of every file, and the
base64 of its Ed25519 signature. It is replaced in one step after the version's folder is complete, so a crash leaves
the old release or the new one. What it held before goes into its own version's folder, so that an earlier version can
be proved and released again: as a newer one, for whoever saw a newer release refuses an older. The folder itself is
not trusted: whoever changes it gains nothing but a refusal.

The journal lies where the release key does. It holds the manifest of a release under way and why it was not tried,
from before its intent until after its outcome, so that one that was cut off gets its outcome too.
"""

import base64
import binascii
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit import Event, Outcome, Recorder, Wait

from .approval import PREFIX, Approval, Trial, approving, demand, read_approval
from .errors import BundleRefused, NeverTried, NothingToRelease, PoliciesUnusable, TriedTooShort
from .release import Release

CURRENT = "current"
SHADOW = "shadow"
"""What is tried on live questions and decides nothing, beside what is in force."""
JOURNAL = "release.journal"
"""Name of the journal, in the private folder of the release key."""
_SIGNED = ".manifest"
"""Name of that copy; no file of a release begins with a dot."""
_TRIAL = ".tried"
"""Name of the proof that a version was tried in shadow."""
_OVER = ".tried-until"
"""Name of the proof of when that trial ended."""
_FORMAT = "tallygate-policies/1"
# Nothing else this key could ever sign begins like this.
_CONTEXT = b"tallygate policy bundle\n"
# So that a bundle in shadow cannot be moved into force.
_TRIED = b"tallygate policy bundle in shadow\n"
_ENDED = b"tallygate policy trial ended\n"
_LONGEST = 1 << 20
# The operator's own commands release, whoever types them (the actor).
_SOURCE = "app"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What was released, as signed."""

    format: str
    # Rises by one with each release; an older one is refused by whoever saw a newer.
    sequence: int
    version: str
    released_at: str
    released_by: str
    # File name to SHA-256 in hex.
    files: dict[str, str]
    # Administrators who signed, with their signatures, and the number they signed it for.
    approvals: dict[str, str] = field(default_factory=dict)
    approved_as: int = 0
    # What they signed of a trial in shadow, as ``Trial.said``.
    trial: str = ""

    def canonical(self) -> bytes:
        """The bytes that are signed."""
        said = asdict(self)
        if not self.trial:
            # As before there was anything to say of it.
            del said["trial"]
        return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def read_source(folder: Path) -> dict[str, bytes]:
    """The files of a release from a folder somebody edited."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))
    return {path.name: path.read_bytes() for path in files}


def read_current(
    folder: Path, key: Ed25519PublicKey, *, administrators: Mapping[str, str] | None = None
) -> tuple[Manifest, dict[str, bytes]]:
    """Verify what is in force and return it.

    Raises:
        BundleRefused: unsigned, signed by another key or by too few administrators, or any file differs from its
            manifest.
    """
    manifest = read_manifest(folder, key)
    demand(
        manifest.files,
        manifest.approvals,
        sequence=manifest.approved_as,
        administrators=administrators or {},
        trial=manifest.trial,
    )
    return manifest, _content(folder, manifest)


def read_shadow(folder: Path, key: Ed25519PublicKey) -> Manifest | None:
    """Verify the signature of what is tried in shadow and return its manifest; None if nothing is tried.

    Raises:
        BundleRefused: as in ``read_manifest``.
    """
    return _verified(folder / SHADOW, key, context=_TRIED) if (folder / SHADOW).exists() else None


def read_files(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """The files of a verified manifest.

    Raises:
        BundleRefused: one is missing or differs.
    """
    return _content(folder, manifest)


def read_approvals(folder: Path) -> tuple[Approval, ...]:
    """The approvals that lie in a source folder; nothing is verified.

    Raises:
        BundleRefused: one cannot be read.
    """
    return tuple(read_approval(path.read_bytes()) for path in sorted(folder.glob(f"{PREFIX}*")))


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Names and SHA-256, as manifests and approvals have them."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


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
    _proved(source)
    with _alone(journal):
        made = _manifest_of(digests(source), sequence=0, at=at, actor=actor)
        if (folder / SHADOW).exists():
            # What was tried before this one keeps its proof.
            with suppress(BundleRefused):
                _keep_trial(folder, _verified(folder / SHADOW, key.public_key(), context=_TRIED), key=key, at=at)
        for name, body in source.items():
            _publish(folder / made.version / name, body)
        recorder.record(_tried(made, outcome=Outcome.INTENDED), wait=Wait.PUBLISHED)
        signature = base64.b64encode(key.sign(_TRIED + made.canonical()))
        _publish(folder / SHADOW, made.canonical() + b"\n" + signature + b"\n")
        recorder.record(_tried(made, outcome=Outcome.SUCCESS))
    return made


def end_shadow(
    folder: Path, *, key: Ed25519PrivateKey, journal: Path, recorder: Recorder, at: datetime, actor: str
) -> str:
    """Try nothing any more, and return the version that was tried; empty if none was.

    It never decided anything, so the end is recorded after it: every gateway drops the candidate when it hears that.
    What was tried keeps its proof and how long it lasted, by which a release can be told from one that nobody tried.
    """
    with _alone(journal):
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
                    source=_SOURCE,
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
            tried = _verified(path, key, context=_TRIED)
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
    _publish(folder / tried.version / _OVER, said + b"\n" + signature + b"\n")
    _publish(folder / tried.version / _TRIAL, (folder / SHADOW).read_bytes())


def read_manifest(folder: Path, key: Ed25519PublicKey) -> Manifest:
    """Verify the signature and return the manifest, without reading the files.

    Raises:
        BundleRefused: unsigned, signed by another key, or not a manifest.
    """
    return _verified(folder / CURRENT, key)


def read_version(folder: Path, version: str, key: Ed25519PublicKey) -> dict[str, bytes]:
    """Verify one version that is or was in force and return its files.

    Raises:
        BundleRefused: there is none of that name, or as in ``read_current``.
    """
    for manifest in history(folder, key):
        if manifest.version == version:
            return _content(folder, manifest)
    raise BundleRefused(why=f"{version} was never in force here")


def history(folder: Path, key: Ed25519PublicKey) -> list[Manifest]:
    """Every version that is or was in force, as far as its proof is there, newest first.

    Raises:
        BundleRefused: what is in force cannot be read.
    """
    found = [read_manifest(folder, key)]
    for path in folder.glob(f"*/{_SIGNED}"):
        try:
            manifest = _verified(path, key)
        except BundleRefused:
            continue
        if manifest.version == path.parent.name and manifest.version != found[0].version:
            found.append(manifest)
    return sorted(found, key=lambda each: -each.sequence)


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
    _proved(source)
    with _alone(journal):
        # 2. What was begun and cut off gets its outcome first; then the version follows from what is in force.
        _end_unfinished(folder, journal, key=key.public_key(), recorder=recorder)
        before = read_manifest(folder, key.public_key()) if (folder / CURRENT).exists() else None
        sequence = before.sequence + 1 if before else 1
        signed, number, trial = _approved(named, approvals, sequence=sequence, administrators=administrators or {})
        # The same files may be released again to get their administrators' signatures.
        if before is not None and before.files == named and before.approvals == signed:
            raise NothingToRelease(version=before.version)
        if administrators:
            demand_shadow(folder, source, key.public_key(), at=at, trial=trial)
            without_shadow = Trial.read(trial).without
        manifest = _manifest_of(named, sequence=sequence, at=at, actor=actor)
        manifest = replace(manifest, approvals=signed, approved_as=number, trial=trial)
        # 3. The intent is in the log before anything is signed. A death from here on is ended by replay().
        _write(journal, manifest.canonical() + b"\n" + without_shadow.encode(), mode=0o600)
        recorder.record(_event(manifest, Outcome.INTENDED, without_shadow), wait=Wait.PUBLISHED)
        # 4. The files first; nobody reads them before the manifest names them.
        for name, body in source.items():
            _publish(folder / manifest.version / name, body)
        # 5. What was in force keeps its proof; in force from the second rename on.
        signature = base64.b64encode(key.sign(_CONTEXT + manifest.canonical()))
        if before is not None:
            _publish(folder / before.version / _SIGNED, (folder / CURRENT).read_bytes())
        _publish(folder / CURRENT, manifest.canonical() + b"\n" + signature + b"\n")
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
    with _alone(journal):
        return _end_unfinished(folder, journal, key=key, recorder=recorder)


def _end_unfinished(folder: Path, journal: Path, *, key: Ed25519PublicKey, recorder: Recorder) -> str:
    if not journal.exists():
        return ""
    # What is said again has to be said with the same words, or the log refuses it under the same key.
    written, _, without_shadow = journal.read_bytes().partition(b"\n")
    manifest = _manifest(written)
    in_force = (folder / CURRENT).exists() and read_manifest(folder, key) == manifest
    # Whether the intent arrived may be unknown. Entries have keys that follow from the manifest, so what is there
    # already is not recorded twice.
    recorder.record(_event(manifest, Outcome.INTENDED, without_shadow.decode()))
    recorder.record(_event(manifest, Outcome.SUCCESS if in_force else Outcome.FAILURE))
    journal.unlink()
    return manifest.version


def _proved(source: Mapping[str, bytes]) -> None:
    unexplained = Release.proved(source, version="candidate").unexplained()
    if unexplained:
        raise PoliciesUnusable(why="; ".join(unexplained[:5]))


def _approved(
    named: Mapping[str, str], approvals: Sequence[Approval], *, sequence: int, administrators: Mapping[str, str]
) -> tuple[dict[str, str], int, str]:
    """The signatures that count, their number (an earlier one where we go back) and what they say of a trial."""
    if not administrators:
        return {}, 0, ""
    best: tuple[dict[str, str], int, str] = ({}, sequence, "")
    for number, trial in sorted({(each.sequence, each.trial) for each in approvals if each.sequence <= sequence}):
        mine = [each for each in approvals if (each.sequence, each.trial) == (number, trial)]
        given = {each.administrator: each.signature for each in mine}
        signed = approving(named, given, sequence=number, administrators=administrators, trial=trial)
        if len(signed) >= len(best[0]):
            best = {name: given[name] for name in sorted(signed)}, number, trial
    demand(named, best[0], sequence=best[1], administrators=administrators, trial=best[2])
    return best


def _manifest_of(named: dict[str, str], *, sequence: int, at: datetime, actor: str) -> Manifest:
    # The time is part of the name: an attempt that was cut off and the next one are two.
    content = hashlib.sha256(json.dumps([named, at.isoformat()], sort_keys=True).encode()).hexdigest()
    return Manifest(
        format=_FORMAT,
        sequence=sequence,
        version=f"{sequence}-{content[:12]}",
        released_at=at.isoformat(),
        released_by=actor,
        files=named,
    )


def _verified(path: Path, key: Ed25519PublicKey, *, context: bytes = _CONTEXT) -> Manifest:
    try:
        with path.open("rb") as file:
            signed, _, signature = file.read(_LONGEST).partition(b"\n")
        key.verify(base64.b64decode(signature.strip(), validate=True), context + signed)
    except OSError as error:
        raise BundleRefused(why="there is none") from error
    except (InvalidSignature, binascii.Error) as error:
        raise BundleRefused(why="its signature is not by the policy key") from error
    return _manifest(signed)


def _content(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for name, digest in manifest.files.items():
        try:
            content = (folder / manifest.version / name).read_bytes()
        except OSError as error:
            raise BundleRefused(why=f"{name} cannot be read") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise BundleRefused(why=f"{name} was changed after it was signed")
        files[name] = content
    return files


def _manifest(verified: bytes) -> Manifest:
    try:
        manifest = Manifest(**json.loads(verified))
        names = [Path(name) for name in (manifest.version, *manifest.files)]
    except (TypeError, ValueError) as error:
        raise BundleRefused(why="its manifest cannot be read") from error
    if manifest.format != _FORMAT or type(manifest.sequence) is not int:
        raise BundleRefused(why="its format is unknown")
    if any(len(name.parts) != 1 or name.name == ".." for name in names):
        raise BundleRefused(why="a name leads out of its folder")
    return manifest


def _event(manifest: Manifest, outcome: Outcome, without_shadow: str = "") -> Event:
    # The key follows from what happened: a release cut off midway is recorded once, however often it is retried.
    digest = hashlib.sha256(b"policy.released/2\n" + outcome.encode() + b"\n" + manifest.canonical()).hexdigest()
    return Event(
        key=digest[:32],
        type="policy.released",
        outcome=outcome,
        at=datetime.fromisoformat(manifest.released_at),
        source=_SOURCE,
        actor=manifest.released_by,
        object=manifest.version,
        policy=manifest.version,
        attributes={
            "sequence": manifest.sequence,
            "files": len(manifest.files),
            "content": _content_digest(manifest),
            **({"without_shadow": without_shadow} if without_shadow else {}),
            **({"trial": manifest.trial} if manifest.trial else {}),
        },
    )


def _tried(manifest: Manifest, *, outcome: Outcome) -> Event:
    digest = hashlib.sha256(b"policy.tried/1\n" + outcome.encode() + b"\n" + manifest.canonical()).hexdigest()
    return Event(
        key=digest[:32],
        type="policy.tried",
        outcome=outcome,
        at=datetime.fromisoformat(manifest.released_at),
        source=_SOURCE,
        actor=manifest.released_by,
        object=manifest.version,
        attributes={"files": len(manifest.files), "content": _content_digest(manifest)},
    )


def _content_digest(manifest: Manifest) -> str:
    """The same for the same files, whatever the release is called: a return to older policies can be seen."""
    return hashlib.sha256(json.dumps(manifest.files, sort_keys=True).encode()).hexdigest()[:32]


def _publish(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Every role reads the bundle as its own user.
    path.parent.chmod(0o755)
    _write(path, content, mode=0o644)


def _write(path: Path, content: bytes, *, mode: int) -> None:
    draft = path.with_name(f".{path.name}.new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(mode)
    draft.replace(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _alone(journal: Path) -> Iterator[None]:
    """One release at a time; the death of its process lets go of the lock."""
    with journal.with_name(f"{journal.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
