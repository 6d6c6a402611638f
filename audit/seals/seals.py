# SPDX-License-Identifier: Apache-2.0
"""AES-256-GCM under the subject's own key; bound to the event's key, type and subject, so no part can be moved."""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import Erased, LogDamaged
from ..models import Entry, Event
from ..models_codec import canonical
from .store import SealKey, SealStore

_ID_SIZE = 8
_NONCE_SIZE = 12


@dataclass(frozen=True)
class Sealing:
    """What one opened entry says about a person, and under which key it lay."""

    key_id: bytes
    facts: Mapping[str, str]


class Seals:
    """Seals events on their way into the log and opens entries for officers."""

    def __init__(self, store: SealStore) -> None:
        self._store = store

    def seal(self, events: Sequence[Event], at: datetime) -> list[str]:
        """The ciphertext of each event's sealed part, empty where there is none; new keys are on disk before."""
        subjects = {event.subject for event in events if event.sealed}
        if not subjects:
            return [""] * len(events)
        keys = self._store.current(subjects)
        if missing := [_new_key(subject) for subject in sorted(subjects - keys.keys())]:
            self._store.add(missing, at)
            keys.update({key.subject: key for key in missing})
        return [_encrypt(event, keys[event.subject]) if event.sealed else "" for event in events]

    def open(self, entry: Entry) -> dict[str, str]:
        """The personal part of an entry; empty if it never had one.

        Raises:
            Erased: its key was destroyed.
            LogDamaged: the ciphertext is not what was sealed.
        """
        return dict(self.opening(entry).facts) if entry.ciphertext else {}

    def opening(self, entry: Entry) -> Sealing:
        """Open and say which key did it."""
        try:
            content = base64.b64decode(entry.ciphertext, validate=True)
        except (ValueError, binascii.Error) as error:
            raise LogDamaged(index=entry.index, why="its sealed part is malformed") from error
        identifier, nonce = content[:_ID_SIZE], content[_ID_SIZE : _ID_SIZE + _NONCE_SIZE]
        key = self._store.find([identifier]).get(identifier)
        if key is None:
            raise LogDamaged(index=entry.index, why="the key of its sealed part is unknown")
        if key.key is None:
            raise Erased
        try:
            clear = AESGCM(key.key).decrypt(nonce, content[_ID_SIZE + _NONCE_SIZE :], _bound(entry.event))
        except (InvalidTag, ValueError) as error:
            raise LogDamaged(index=entry.index, why="its sealed part was changed") from error
        return Sealing(identifier, json.loads(clear))

    def destroy(self, subject: str, at: datetime) -> int:
        """Make everything sealed so far about one subject unreadable; returns how many keys there were.

        A later event about the same subject gets a new key. What was already handed out is not called back.
        """
        return self._store.destroy(subject, at)


def _new_key(subject: str) -> SealKey:
    return SealKey(secrets.token_bytes(_ID_SIZE), subject, secrets.token_bytes(32))


def _encrypt(event: Event, key: SealKey) -> str:
    if key.key is None:
        raise ValueError("a destroyed key seals nothing")
    nonce = secrets.token_bytes(_NONCE_SIZE)
    sealed = AESGCM(key.key).encrypt(nonce, canonical(event.sealed), _bound(event))
    return base64.b64encode(key.id + nonce + sealed).decode()


def _bound(event: Event) -> bytes:
    return f"{event.key}\n{event.type}\n{event.source}\n{event.subject}".encode()
