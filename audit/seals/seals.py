# SPDX-License-Identifier: Apache-2.0
"""AES-256-GCM under a key of each entry's own, derived from the subject's; bound to the event, so no part can be moved.

The subject's key opens what one class and quarter hold about the subject, and never leaves the audit role. What a
court is given is one entry's secret: it opens that entry's sealed part and tells nothing about any other, nor about
the subject's key.

A sealed part is, in base64: version 1 (one byte), identifier of the subject's key (8), salt (12), commitment (32),
ciphertext with its tag. With ``bound`` = event key, type, source and subject, joined by newlines:

    secret     = HKDF-SHA-256(subject's key, salt=salt, info="tallygate entry secret v1" + newline + bound)
    commitment = HKDF-SHA-256(secret, no salt, info="tallygate entry commitment v1")
    key        = HKDF-SHA-256(secret, no salt, info="tallygate entry key v1")
    ciphertext = AES-256-GCM(key, nonce=salt, canonical JSON of the facts, additional data=bound)

The commitment is why an opening proves something: AES-GCM alone lets whoever seals prepare one ciphertext that opens
to two different texts under two keys.
"""

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..errors import Erased, LogDamaged
from ..events import KINDS, Retention
from ..models import Entry, Event
from ..models_codec import canonical
from .partitions import ID_SIZE, Partition
from .store import SealKey, SealStore

_VERSION = b"\x01"
_SALT_SIZE = 12
_SECRET_SIZE = 32


@dataclass(frozen=True)
class Sealing:
    """What one opened entry says about a person, and under which of the person's keys it lay."""

    key_id: bytes
    facts: Mapping[str, str]
    # Opens this entry and no other.
    secret: bytes


@dataclass(frozen=True)
class _Part:
    """A sealed part, taken apart."""

    key_id: bytes
    salt: bytes
    commitment: bytes
    ciphertext: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        content = base64.b64decode(text, validate=True)
        salt, commitment = 1 + ID_SIZE, 1 + ID_SIZE + _SALT_SIZE
        body = commitment + _SECRET_SIZE
        if content[:1] != _VERSION or len(content) <= body:
            raise ValueError("not a sealed part of a known version")
        return cls(content[1:salt], content[salt:commitment], content[commitment:body], content[body:])

    def __str__(self) -> str:
        content = _VERSION + self.key_id + self.salt + self.commitment + self.ciphertext
        return base64.b64encode(content).decode()


class Seals:
    """Seals events on their way into the log and opens entries for officers."""

    def __init__(self, store: SealStore) -> None:
        self._store = store

    def seal(self, events: Sequence[Event], at: datetime) -> list[str]:
        """The ciphertext of each event's sealed part, empty where there is none; new keys are on disk before."""
        subjects: dict[Retention, set[str]] = {}
        for event in events:
            if event.sealed:
                subjects.setdefault(KINDS[event.type].retention, set()).add(event.subject)
        if not subjects:
            return [""] * len(events)
        with self._store.lock.using():
            keys = {retention: self._keys(retention, wanted, at) for retention, wanted in subjects.items()}
            return [
                _encrypt(event, keys[KINDS[event.type].retention][event.subject]) if event.sealed else ""
                for event in events
            ]

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
        part, key = self._found(entry)
        if key.key is None:
            raise Erased
        secret = _secret(key.key, part.salt, entry.event)
        try:
            clear = AESGCM(_derived(secret, "key")).decrypt(part.salt, part.ciphertext, _bound(entry.event))
        except (InvalidTag, ValueError) as error:
            raise LogDamaged(index=entry.index, why="its sealed part was changed") from error
        if not hmac.compare_digest(part.commitment, _derived(secret, "commitment")):
            raise LogDamaged(index=entry.index, why="its sealed part was changed")
        return Sealing(part.key_id, json.loads(clear), secret)

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

    def _found(self, entry: Entry) -> tuple[_Part, SealKey]:
        try:
            part = _Part.parse(entry.ciphertext)
        except (ValueError, binascii.Error) as error:
            raise LogDamaged(index=entry.index, why="its sealed part is malformed") from error
        key = self._store.find([part.key_id]).get(part.key_id)
        if key is None:
            raise LogDamaged(index=entry.index, why="the key of its sealed part is unknown")
        return part, key

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


def _encrypt(event: Event, key: SealKey) -> str:
    if key.key is None:
        raise ValueError("a destroyed key seals nothing")
    salt = secrets.token_bytes(_SALT_SIZE)
    secret = _secret(key.key, salt, event)
    sealed = AESGCM(_derived(secret, "key")).encrypt(salt, canonical(event.sealed), _bound(event))
    return str(_Part(key.id, salt, _derived(secret, "commitment"), sealed))


def _secret(key: bytes, salt: bytes, event: Event) -> bytes:
    info = b"tallygate entry secret v1\n" + _bound(event)
    return HKDF(algorithm=SHA256(), length=_SECRET_SIZE, salt=salt, info=info).derive(key)


def _derived(secret: bytes, what: str) -> bytes:
    info = f"tallygate entry {what} v1".encode()
    return HKDF(algorithm=SHA256(), length=_SECRET_SIZE, salt=None, info=info).derive(secret)


def _bound(event: Event) -> bytes:
    return f"{event.key}\n{event.type}\n{event.source}\n{event.subject}".encode()
