# SPDX-License-Identifier: Apache-2.0
"""AES-256-GCM under a key of each entry's own, derived from the subject's; bound to the event, so no part can be moved.

A sealed part is, in base64: version 1 (one byte), identifier of the subject's key (8), salt (12), commitment (32),
ciphertext with its tag. With ``bound`` = event key, type, source and subject, joined by newlines:

    secret     = HKDF-SHA-256(subject's key, salt=salt, info="tallygate entry secret v1" + newline + bound)
    commitment = HKDF-SHA-256(secret, no salt, info="tallygate entry commitment v1")
    key        = HKDF-SHA-256(secret, no salt, info="tallygate entry key v1")
    ciphertext = AES-256-GCM(key, nonce=salt, canonical JSON of the facts, additional data=bound)

The commitment is why an opening proves something: AES-GCM alone lets whoever seals prepare one ciphertext that opens
to two different texts under two keys.

Sealing is asked for every event, and opening by whoever indexes them, so HKDF (RFC 5869) is spelled out here in its
HMACs, and these (RFC 2104) in the two hashes that each has: what several share is hashed once, and a hash that is
copied costs a third of one that is begun. Whoever opens a single entry uses the library's, so every such opening
compares both.
"""

import base64
import hashlib
import secrets
from binascii import b2a_base64
from dataclasses import dataclass
from typing import NamedTuple, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_ID_SIZE = 8
SALT_SIZE = 12
SECRET_SIZE = 32
SECRET_INFO = b"tallygate entry secret v1\n"
COMMITMENT_INFO = b"tallygate entry commitment v1"
KEY_INFO = b"tallygate entry key v1"
_VERSION = b"\x01"
_BLOCK = 64
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))
_EMPTY = hashlib.sha256()
# HKDF counts its blocks; one is enough for 32 bytes.
_FIRST = b"\x01"


@dataclass(frozen=True)
class Part:
    """A sealed part, taken apart."""

    key_id: bytes
    salt: bytes
    commitment: bytes
    ciphertext: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one.

        Raises:
            ValueError: malformed, or of a version that nobody knows.
        """
        content = base64.b64decode(text, validate=True)
        salt, commitment = 1 + KEY_ID_SIZE, 1 + KEY_ID_SIZE + SALT_SIZE
        body = commitment + SECRET_SIZE
        if content[:1] != _VERSION or len(content) <= body:
            raise ValueError("not a sealed part of a known version")
        return cls(content[1:salt], content[salt:commitment], content[commitment:body], content[body:])


def bound_to(key: str, kind: str, source: str, subject: str) -> bytes:
    """What a sealed part of an event with this key, type, source and subject is bound to."""
    return f"{key}\n{kind}\n{source}\n{subject}".encode()


def seal(facts: bytes, *, bound: bytes, key_id: bytes, key: bytes) -> bytes:
    """Seal canonical JSON under a subject's key; in base64."""
    salt = secrets.token_bytes(SALT_SIZE)
    found = derived(key, salt, bound)
    sealed = AESGCM(found.key).encrypt(salt, facts, bound)
    return b2a_base64(_VERSION + key_id + salt + found.commitment + sealed, newline=False)


class Derived(NamedTuple):
    """What one entry's sealed part has of its own."""

    secret: bytes
    commitment: bytes
    key: bytes


def derived(key: bytes, salt: bytes, bound: bytes) -> Derived:
    """What a subject's key gives for one entry."""
    # Each two of these are one HMAC: the hash of what is padded within, and of that what is padded without. Calls of
    # our own for each would cost a fifth more.
    fresh = _EMPTY.copy
    padded = salt.ljust(_BLOCK, b"\x00")
    (inner := fresh()).update(padded.translate(_INNER) + key)
    (outer := fresh()).update(padded.translate(_OUTER) + inner.digest())
    padded = outer.digest().ljust(_BLOCK, b"\x00")
    (inner := fresh()).update(padded.translate(_INNER) + SECRET_INFO + bound + _FIRST)
    (outer := fresh()).update(padded.translate(_OUTER) + inner.digest())
    secret = outer.digest()
    (inner := _UNSALTED_INNER.copy()).update(secret)
    (outer := _UNSALTED_OUTER.copy()).update(inner.digest())
    padded = outer.digest().ljust(_BLOCK, b"\x00")
    within, without = padded.translate(_INNER), padded.translate(_OUTER)
    (inner := fresh()).update(within + _FOR_COMMITMENT)
    (outer := fresh()).update(without + inner.digest())
    commitment = outer.digest()
    (inner := fresh()).update(within + _FOR_KEY)
    (outer := fresh()).update(without + inner.digest())
    return Derived(secret, commitment, outer.digest())


_UNSALTED_INNER, _UNSALTED_OUTER = (hashlib.sha256(bytes(_BLOCK).translate(pad)) for pad in (_INNER, _OUTER))
_FOR_KEY, _FOR_COMMITMENT = KEY_INFO + _FIRST, COMMITMENT_INFO + _FIRST
