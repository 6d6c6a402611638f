# SPDX-License-Identifier: Apache-2.0
"""Each subject's keys at work: found or made for what is to be sealed, and used for what is to be opened.

The subject's key opens what one class and quarter hold about the subject, and never leaves the audit role. What a
court is given is one entry's secret: it opens that entry's sealed part and tells nothing about any other, nor about
the subject's key. The form of a sealed part is told in ``audit.press.sealing``.
"""

import binascii
import hmac
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.errors import TallygateError

from ..errors import Erased, LogDamaged
from ..events import KINDS, Retention
from ..models import Entry, Event
from ..models_codec import Draft
from ..press import Part, bound_to
from ..press.sealing import COMMITMENT_INFO, KEY_INFO, SECRET_INFO, SECRET_SIZE, Derived, derived
from .partitions import Partition
from .store import SealKey, SealStore


@dataclass(frozen=True)
class Sealing:
    """What one opened entry says about a person, and under which of the person's keys it lay."""

    key_id: bytes
    facts: Mapping[str, str]
    # Opens this entry and no other.
    secret: bytes


class Seals:
    """Seals events on their way into the log and opens entries for officers."""

    def __init__(self, store: SealStore) -> None:
        self._store = store

    @contextmanager
    def keys_for(self, drafts: Sequence[Draft], at: datetime) -> Iterator[list[SealKey | None]]:
        """The key for each draft's sealed part, None where there is none; new keys are on disk before.

        To be used inside the context alone: as long as it is entered, nobody destroys one.
        """
        subjects: dict[Retention, set[str]] = {}
        for draft in drafts:
            if draft.sealed:
                subjects.setdefault(KINDS[draft.type].retention, set()).add(draft.subject)
        if not subjects:
            yield [None] * len(drafts)
            return
        with self._store.lock.using():
            keys = {retention: self._keys(retention, wanted, at) for retention, wanted in subjects.items()}
            yield [keys[KINDS[draft.type].retention][draft.subject] if draft.sealed else None for draft in drafts]

    def open(self, entry: Entry) -> dict[str, str]:
        """The personal part of an entry; empty if it never had one.

        Raises:
            Erased: its key was destroyed.
            LogDamaged: the ciphertext is not what was sealed.
        """
        return dict(self.opening(entry).facts) if entry.ciphertext else {}

    def opening(self, entry: Entry) -> Sealing:
        """Open, and say which key did it and which secret opens this entry alone.

        Raises:
            Erased: its key was destroyed.
            LogDamaged: the ciphertext is not what was sealed.
        """
        return _opened(entry, *self._found(entry))

    def open_all(self, entries: Sequence[Entry]) -> list[dict[str, str] | TallygateError]:
        """As ``open`` for many, with one look at the keys; in place of a part, why it cannot be opened."""
        parts: dict[int, Part] = {}
        answers: list[dict[str, str] | TallygateError] = []
        for i, entry in enumerate(entries):
            answers.append({})
            try:
                if entry.ciphertext:
                    parts[i] = _part(entry)
            except LogDamaged as error:
                answers[i] = error
        keys = self._store.find({part.key_id for part in parts.values()})
        for i, part in parts.items():
            try:
                key = _known(entries[i], keys.get(part.key_id))
                bound = _bound(entries[i].event)
                answers[i] = _clear(entries[i], part, bound, _derived_at_once(bound, part, key))
            except (Erased, LogDamaged) as error:
                answers[i] = error
        return answers

    def erased(self, entry: Entry) -> bool:
        """Whether the key of an entry's personal part was destroyed; nothing is opened.

        Raises:
            LogDamaged: the part is malformed, or its key was lost rather than destroyed.
        """
        return bool(entry.ciphertext) and self._found(entry)[1].key is None

    def destroy(self, subject: str, at: datetime) -> int:
        """Make everything sealed so far about one subject unreadable; returns how many keys there were.

        Called while the store's ``lock.alone`` is held.
        A later event about the same subject gets a new key. What was already handed out is not called back.
        """
        return self._store.destroy(subject, at)

    def _found(self, entry: Entry) -> tuple[Part, SealKey]:
        part = _part(entry)
        return part, _known(entry, self._store.find([part.key_id]).get(part.key_id))

    def _keys(self, retention: Retention, subjects: set[str], at: datetime) -> dict[str, SealKey]:
        """One key for each subject, class of retention and quarter, so that class and quarter can be dropped whole."""
        partition = self._store.open_partition(Partition.at(at, retention))
        keys = self._store.current(subjects, partition)
        if missing := [_new_key(subject, partition) for subject in sorted(subjects - keys.keys())]:
            self._store.add(missing, at)
            keys.update({key.subject: key for key in missing})
        return keys


def _new_key(subject: str, partition: Partition) -> SealKey:
    return SealKey(partition.new_id(), subject, secrets.token_bytes(32))


def _part(entry: Entry) -> Part:
    try:
        return Part.parse(entry.ciphertext)
    except (ValueError, binascii.Error) as error:
        raise LogDamaged(index=entry.index, why="its sealed part is malformed") from error


def _known(entry: Entry, key: SealKey | None) -> SealKey:
    if key is None:
        raise LogDamaged(index=entry.index, why="the key of its sealed part is unknown")
    return key


def _opened(entry: Entry, part: Part, key: SealKey) -> Sealing:
    if key.key is None:
        raise Erased
    secret = _secret(key.key, part.salt, entry.event)
    found = Derived(secret, _derived(secret, COMMITMENT_INFO), _derived(secret, KEY_INFO))
    return Sealing(part.key_id, _clear(entry, part, _bound(entry.event), found), secret)


def _derived_at_once(bound: bytes, part: Part, key: SealKey) -> Derived:
    if key.key is None:
        raise Erased
    return derived(key.key, part.salt, bound)


def _clear(entry: Entry, part: Part, bound: bytes, found: Derived) -> dict[str, str]:
    try:
        clear = AESGCM(found.key).decrypt(part.salt, part.ciphertext, bound)
    except (InvalidTag, ValueError) as error:
        raise LogDamaged(index=entry.index, why="its sealed part was changed") from error
    if not hmac.compare_digest(part.commitment, found.commitment):
        raise LogDamaged(index=entry.index, why="its sealed part was changed")
    facts: dict[str, str] = orjson.loads(clear)
    return facts


def _secret(key: bytes, salt: bytes, event: Event) -> bytes:
    info = SECRET_INFO + _bound(event)
    return HKDF(algorithm=SHA256(), length=SECRET_SIZE, salt=salt, info=info).derive(key)


def _derived(secret: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=SECRET_SIZE, salt=None, info=info).derive(secret)


def _bound(event: Event) -> bytes:
    return bound_to(event.key, event.type, event.source, event.subject)
