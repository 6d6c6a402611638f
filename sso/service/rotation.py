# SPDX-License-Identifier: Apache-2.0
"""Changing the key that signs tokens: on the record before anybody believes the new key, believed before it signs.

The journal ``rotation.json`` beside the keys says which key takes over from which. It is there from before the intent
until after the outcome, so that a rotation that was cut off gets its outcome too. Takes effect when the role restarts.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit import Event, Outcome, Recorder, RecordUnavailable, Wait
from core.errors import Conflict

from ..oauth.rfc7517 import KeyRing, thumbprint
from .keys import SIGNING, load_keys, load_retained, load_signing, write_key

_FRESH = "signing.new"
_JOURNAL = "rotation.json"


@dataclass(frozen=True, kw_only=True)
class _Rotation:
    """Which key takes over from which; both by thumbprint (RFC 7638)."""

    fresh: str
    old: str
    at: str
    actor: str
    # Whether it takes over by itself once everybody knows it; and whether that is on record, before which nobody does.
    scheduled: bool = False
    recorded: bool = False


def begin_rotation(folder: Path, *, recorder: Recorder, at: datetime, actor: str) -> KeyRing:
    """Make the next key and record that it is to sign; returns what must be published before it does.

    Raises:
        RecordUnavailable: no record, no new key.
    """
    with alone(folder):
        _end_unfinished(folder, recorder, give_up=True)
        old, fresh = load_signing(folder).public_key(), generate_private_key(SECP256R1())
        rotation = _Rotation(fresh=thumbprint(fresh.public_key()), old=thumbprint(old), at=at.isoformat(), actor=actor)
        write_key(folder / _FRESH, fresh)
        put(folder / _JOURNAL, json.dumps(asdict(rotation)).encode())
        # From here on a death, or no receipt, is ended by end_rotation() or by the next rotation.
        recorder.record(_event(rotation, Outcome.INTENDED), wait=Wait.PUBLISHED)
        return KeyRing(fresh, retained=[old, *load_retained(folder)])


def finish_rotation(folder: Path, *, recorder: Recorder) -> KeyRing:
    """Put the new key in the place of the old one, whose public half stays; returns what is in force.

    Raises:
        Conflict: there is none to finish; a start of the role ended it, and the old key signs on.
    """
    with alone(folder):
        if not (folder / _JOURNAL).exists():
            raise Conflict
        take_over(folder, recorder=recorder)
        return load_keys(folder)


def take_over(folder: Path, *, recorder: Recorder) -> None:
    """The same for whoever has the folder's lock, and a key that is there."""
    old = load_signing(folder).public_key()
    # The old key is retained before the new one signs: a crash between leaves the old one signing, and known.
    put(
        folder / f"retained-{thumbprint(old)}.pem",
        old.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )
    (folder / _FRESH).replace(folder / SIGNING)
    # The intent has its receipt; without the log its outcome waits in the journal for the role's next start.
    with suppress(RecordUnavailable):
        _end_unfinished(folder, recorder, give_up=True)


def announce(folder: Path, *, recorder: Recorder, at: datetime) -> None:
    """Make a key that will take over by itself, or go on where that was cut off; for whoever has the folder's lock.

    Raises:
        RecordUnavailable: nobody is told of it yet.
    """
    rotation = _journal(folder)
    if rotation is None or not rotation.scheduled or not (folder / _FRESH).exists():
        _end_unfinished(folder, recorder, give_up=True)
        old, fresh = load_signing(folder).public_key(), generate_private_key(SECP256R1())
        write_key(folder / _FRESH, fresh)
        rotation = _Rotation(
            fresh=thumbprint(fresh.public_key()),
            old=thumbprint(old),
            at=at.isoformat(),
            actor="role:sso",
            scheduled=True,
        )
        put(folder / _JOURNAL, json.dumps(asdict(rotation)).encode())
    if not rotation.recorded:
        recorder.record(_event(rotation, Outcome.INTENDED), wait=Wait.PUBLISHED)
        put(folder / _JOURNAL, json.dumps(asdict(replace(rotation, recorded=True))).encode())


def announced(folder: Path) -> tuple[EllipticCurvePrivateKey, datetime] | None:
    """The key that will take over by itself, and since when everybody may know it; None if there is none."""
    rotation = _journal(folder)
    if rotation is None or not rotation.scheduled or not rotation.recorded:
        return None
    try:
        fresh = load_signing(folder, _FRESH)
    except FileNotFoundError:
        return None
    return fresh, datetime.fromisoformat(rotation.at)


def cut_off(folder: Path) -> bool:
    """Whether a key is on the way to be announced, and nobody was told of it."""
    rotation = _journal(folder)
    return rotation is not None and rotation.scheduled and not rotation.recorded


def end_unfinished(folder: Path, *, recorder: Recorder) -> None:
    """As ``end_rotation``, for whoever has the folder's lock; a key that is announced stays so."""
    _end_unfinished(folder, recorder, give_up=False)


def removal(kid: str, *, since: datetime, at: datetime) -> Event:
    """The record that a retained key is believed no more; the same for every try."""
    return Event(
        key=hashlib.sha256(f"sso.key.removed\n{kid}\n{since.isoformat()}".encode()).hexdigest()[:32],
        type="sso.key.removed",
        outcome=Outcome.SUCCESS,
        at=at,
        source="sso",
        object=kid,
        actor="role:sso",
        attributes={},
    )


def end_rotation(folder: Path, *, recorder: Recorder) -> None:
    """Give a rotation that was cut off its outcome; at every start of the role.

    Raises:
        RecordUnavailable: it stays unfinished.
    """
    with alone(folder):
        _end_unfinished(folder, recorder, give_up=False)


def _journal(folder: Path) -> _Rotation | None:
    try:
        return _Rotation(**json.loads((folder / _JOURNAL).read_bytes()))
    except FileNotFoundError:
        return None


def _end_unfinished(folder: Path, recorder: Recorder, *, give_up: bool) -> None:
    rotation = _journal(folder)
    if rotation is None:
        # Cut off before there was an intent.
        (folder / _FRESH).unlink(missing_ok=True)
        return
    if rotation.scheduled and not give_up and (folder / _FRESH).exists():
        return
    in_force = thumbprint(load_signing(folder).public_key()) == rotation.fresh
    # Whether the intent arrived may be unknown. The entries' keys follow from the rotation, so what is there already is
    # not recorded twice.
    recorder.record(_event(rotation, Outcome.INTENDED))
    recorder.record(_event(rotation, Outcome.SUCCESS if in_force else Outcome.FAILURE))
    (folder / _FRESH).unlink(missing_ok=True)
    (folder / _JOURNAL).unlink()


def _event(rotation: _Rotation, outcome: Outcome) -> Event:
    said = json.dumps(asdict(replace(rotation, recorded=False)), sort_keys=True)
    return Event(
        key=hashlib.sha256(f"sso.key.rotated\n{outcome}\n{said}".encode()).hexdigest()[:32],
        type="sso.key.rotated",
        outcome=outcome,
        at=datetime.fromisoformat(rotation.at),
        source="sso",
        object=rotation.fresh,
        actor=rotation.actor,
        attributes={"retained": rotation.old},
    )


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One at a time, whoever rotates or starts; the death of one lets go."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        os.fsync(handle)
    finally:
        os.close(handle)


def put(path: Path, content: bytes) -> None:
    """Put a file in the place of another, whole and durable."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(draft, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
