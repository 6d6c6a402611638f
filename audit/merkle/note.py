# SPDX-License-Identifier: Apache-2.0
"""Signed notes, C2SP signed-note v1.0.0: a text, an empty line, signature lines."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from ..errors import ProofRefused
from .keys import ED25519, VerifierKey, is_key_name

_DASH = "\u2014 "
_ID_SIZE = 4
# The specification asks for at least 16; Go's package stops at 100 as well.
MAX_SIGNATURES = 100


@dataclass(frozen=True)
class Signature:
    """One signature line: key name, key ID and whatever the key's type puts behind it."""

    name: str
    key_id: bytes
    content: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.content).decode()}\n"


@dataclass(frozen=True)
class Note:
    """A text that ends with a newline, and its signatures, none of them verified yet."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Split a note at its last empty line.

        Raises:
            ProofRefused: malformed.
        """
        try:
            whole = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProofRefused(why="the note is not UTF-8") from error
        if any(letter < " " and letter != "\n" for letter in whole):
            raise ProofRefused(why="the note holds control characters")
        text, separator, lines = whole.rpartition("\n\n")
        if not separator or not lines.endswith("\n"):
            raise ProofRefused(why="the note has no signatures")
        signatures = [_signature(line) for line in lines[:-1].split("\n")]
        if len(signatures) > MAX_SIGNATURES:
            raise ProofRefused(why="the note has too many signatures")
        return cls(text + "\n", tuple(signatures))

    def __str__(self) -> str:
        return self.text + "\n" + "".join(str(signature) for signature in self.signatures)

    def known(self, key: VerifierKey) -> list[Signature]:
        """The lines that claim to be this key's."""
        return [line for line in self.signatures if line.name == key.name and line.key_id == key.id]

    def verify(self, keys: Sequence[VerifierKey]) -> None:
        """Demand one good Ed25519 signature of a known key, and no bad one; unknown lines are ignored.

        Raises:
            ProofRefused: otherwise.
        """
        good = 0
        for key in keys:
            if key.type != ED25519:
                continue
            for line in self.known(key):
                key.verify_bytes(line.content, self.text.encode())
                good += 1
        if not good:
            raise ProofRefused(why="the note is not signed by the log")


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        content = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise ProofRefused(why="a signature line is malformed") from error
    if not line.startswith(_DASH) or not space or not is_key_name(name) or len(content) <= _ID_SIZE:
        raise ProofRefused(why="a signature line is malformed")
    return Signature(name, content[:_ID_SIZE], content[_ID_SIZE:])
