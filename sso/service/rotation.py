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
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
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


def begin_rotation(folder: Path, *, recorder: Recorder, at: datetime, actor: str) -> KeyRing:
    """Make the next key and record that it is to sign; returns what must be published before it does.

    Raises:
        RecordUnavailable: no record, no new key.
    """
    with _alone(folder):
        _end_unfinished(folder, recorder)
        old, fresh = load_signing(folder).public_key(), generate_private_key(SECP256R1())
        rotation = _Rotation(fresh=thumbprint(fresh.public_key()), old=thumbprint(old), at=at.isoformat(), actor=actor)
        write_key(folder / _FRESH, fresh)
        _put(folder / _JOURNAL, json.dumps(asdict(rotation)).encode())
        # From here on a death, or no receipt, is ended by end_rotation() or by the next rotation.
        recorder.record(_event(rotation, Outcome.INTENDED), wait=Wait.PUBLISHED)
        return KeyRing(fresh, retained=[old, *load_retained(folder)])


def finish_rotation(folder: Path, *, recorder: Recorder) -> KeyRing:
    """Put the new key in the place of the old one, whose public half stays; returns what is in force.

    Raises:
        Conflict: there is none to finish; a start of the role ended it, and the old key signs on.
    """
    with _alone(folder):
        if not (folder / _JOURNAL).exists():
            raise Conflict
        old = load_signing(folder).public_key()
        # The old key is retained before the new one signs: a crash between leaves the old one signing, and known.
        _put(
            folder / f"retained-{thumbprint(old)}.pem",
            old.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        )
        (folder / _FRESH).replace(folder / SIGNING)
        # The intent has its receipt; without the log its outcome waits in the journal for the role's next start.
        with suppress(RecordUnavailable):
            _end_unfinished(folder, recorder)
        return load_keys(folder)


def end_rotation(folder: Path, *, recorder: Recorder) -> None:
    """Give a rotation that was cut off its outcome; at every start of the role.

    Raises:
        RecordUnavailable: it stays unfinished.
    """
    with _alone(folder):
        _end_unfinished(folder, recorder)


def _end_unfinished(folder: Path, recorder: Recorder) -> None:
    journal = folder / _JOURNAL
    if not journal.exists():
        # Cut off before there was an intent.
        (folder / _FRESH).unlink(missing_ok=True)
        return
    rotation = _Rotation(**json.loads(journal.read_bytes()))
    in_force = thumbprint(load_signing(folder).public_key()) == rotation.fresh
    # Whether the intent arrived may be unknown. The entries' keys follow from the rotation, so what is there already is
    # not recorded twice.
    recorder.record(_event(rotation, Outcome.INTENDED))
    recorder.record(_event(rotation, Outcome.SUCCESS if in_force else Outcome.FAILURE))
    (folder / _FRESH).unlink(missing_ok=True)
    journal.unlink()


def _event(rotation: _Rotation, outcome: Outcome) -> Event:
    said = json.dumps(asdict(rotation), sort_keys=True)
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
def _alone(folder: Path) -> Iterator[None]:
    """One at a time, whoever rotates or starts; the death of one lets go."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        os.fsync(handle)
    finally:
        os.close(handle)


def _put(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(draft, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
