# SPDX-License-Identifier: Apache-2.0
"""Checkpoints, C2SP tlog-checkpoint v1.0.0: origin, size and root, signed with Ed25519 and cosigned with ML-DSA-44."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from ..errors import ProofRefused
from .hashing import HASH_SIZE
from .keys import COSIGNATURE_MLDSA44, LogKey, VerifierKey
from .note import Note, Signature

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", flags=re.ASCII)
_LINES = 3
TIME_SIZE = 8
# The end of the year 9999: what a calendar can hold.
_LATEST = 253_402_300_799


@dataclass(frozen=True)
class Checkpoint:
    """What a log says about itself at one size."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The three lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def sign(self, key: LogKey, at: datetime) -> str:
        """The signed note; ``at`` goes into the cosignature, as its format demands."""
        ed25519 = Signature(self.origin, key.vkey.id, key.sign(self.text.encode()))
        second = key.mldsa_vkey
        if second is None:
            return str(Note(self.text, (ed25519,)))
        stamp = int(at.timestamp()).to_bytes(TIME_SIZE, "big")
        cosignature = Signature(self.origin, second.id, stamp + key.cosign(self.subtree(self.origin, stamp)))
        return str(Note(self.text, (ed25519, cosignature)))

    @classmethod
    def verified(cls, raw: bytes, keys: Sequence[VerifierKey]) -> Self:
        """Read a checkpoint that one of ``keys`` signed under the origin's own name.

        Raises:
            ProofRefused: malformed, not signed, or a known signature is bad.
        """
        note = Note.parse(raw)
        checkpoint = cls.unverified(note.text)
        note.verify([key for key in keys if key.name == checkpoint.origin])
        for key in keys:
            if key.type == COSIGNATURE_MLDSA44:
                checkpoint.verify_cosignature(note, key)
        return checkpoint

    @classmethod
    def unverified(cls, text: str) -> Self:
        """Read the lines of a checkpoint without looking at signatures.

        Raises:
            ProofRefused: malformed.
        """
        lines = text.split("\n")[:-1]
        if len(lines) < _LINES or not all(lines) or not _SIZE.fullmatch(lines[1]):
            raise ProofRefused(why="this is not a checkpoint")
        try:
            root = base64.b64decode(lines[2], validate=True)
        except (ValueError, binascii.Error) as error:
            raise ProofRefused(why="the checkpoint's root is malformed") from error
        if len(root) != HASH_SIZE:
            raise ProofRefused(why="the checkpoint's root is malformed")
        return cls(lines[0], int(lines[1]), root)

    def verify_cosignature(self, note: Note, key: VerifierKey) -> datetime:
        """Check a cosigner's lines, of either type, on the note this was read from, and return the latest time.

        Raises:
            ProofRefused: missing or bad.
        """
        lines = note.known(key)
        if not lines:
            raise ProofRefused(why="the checkpoint lacks the second signature")
        for line in lines:
            stamp = line.content[:TIME_SIZE]
            key.verify_bytes(line.content[TIME_SIZE:], self.cosigned(key, stamp, note.text))
        latest = max(int.from_bytes(line.content[:TIME_SIZE], "big") for line in lines)
        if latest > _LATEST:
            raise ProofRefused(why="a cosignature's time is none")
        return datetime.fromtimestamp(latest, UTC)

    def cosigned(self, key: VerifierKey, stamp: bytes, text: str) -> bytes:
        """The bytes a cosigner signs; of ``text``, the whole of the note, only Ed25519 covers extension lines."""
        if key.type == COSIGNATURE_MLDSA44:
            return self.subtree(key.name, stamp)
        return f"cosignature/v1\ntime {int.from_bytes(stamp, 'big')}\n{text}".encode()

    def subtree(self, cosigner: str, stamp: bytes) -> bytes:
        """The bytes an ML-DSA-44 cosigner signs (tlog-cosignature v1.1.0-rc.1)."""
        return b"".join(
            (
                b"subtree/v1\n\x00",
                _short(cosigner),
                stamp,
                _short(self.origin),
                (0).to_bytes(8, "big"),
                self.size.to_bytes(8, "big"),
                self.root,
            )
        )


def _short(name: str) -> bytes:
    encoded = name.encode()
    return bytes([len(encoded)]) + encoded
