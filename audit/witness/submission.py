# SPDX-License-Identifier: Apache-2.0
"""What is sent to a witness and what it answers (C2SP tlog-witness v1.0.0); both ends speak from here."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from ..errors import ProofRefused
from ..merkle import Checkpoint, Note, Signature
from ..merkle.hashing import HASH_SIZE
from .errors import BadSubmission

LARGEST = 128 * 1024
"""Bytes of a submission or an answer; what witnesses in use take."""
SIZE_TYPE = "text/x.tlog.size"
MOST_PROOF = 63
_LARGEST_SIZE = 2**63 - 1
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


@dataclass(frozen=True)
class Submission:
    """A checkpoint and a proof that it continues the one of ``old`` entries; nothing in it is verified."""

    old: int
    proof: tuple[bytes, ...]
    unverified_note: Note
    unverified_checkpoint: Checkpoint

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a request body.

        Raises:
            BadSubmission: it is none.
        """
        if len(body) > LARGEST:
            raise BadSubmission(why="it is too long")
        head, empty, rest = body.partition(b"\n\n")
        if not empty:
            raise BadSubmission(why="there is no checkpoint")
        try:
            first, *lines = head.decode("ascii").split("\n")
            note = Note.parse(rest)
            checkpoint = Checkpoint.unverified(note.text)
        except UnicodeDecodeError as error:
            raise BadSubmission(why="the proof is not ASCII") from error
        except ProofRefused as error:
            raise BadSubmission(why=str(error.parameters["why"])) from error
        old = _OLD.fullmatch(first)
        if old is None or int(old[1]) > _LARGEST_SIZE or checkpoint.size > _LARGEST_SIZE:
            raise BadSubmission(why="a size is malformed")
        if len(lines) > MOST_PROOF:
            raise BadSubmission(why="the proof has too many hashes")
        return cls(int(old[1]), tuple(_hash(line) for line in lines), note, checkpoint)


def submission(old: int, proof: Sequence[bytes], note: str) -> bytes:
    """A request body."""
    lines = [f"old {old}", *(base64.b64encode(node).decode() for node in proof)]
    return ("\n".join(lines) + "\n\n" + note).encode()


def cosignatures(answer: bytes, note: Note) -> Note:
    """The note with nothing but the lines of a good answer on it, none of them verified.

    Raises:
        ProofRefused: the answer is no signature lines.
    """
    return Note.parse(note.text.encode() + b"\n" + answer)


def answer_lines(signatures: Sequence[Signature]) -> bytes:
    """The body of a good answer."""
    return "".join(str(signature) for signature in signatures).encode()


def stated_size(body: bytes) -> int:
    """The size that a witness answers with when it cosigned another one last.

    Raises:
        ProofRefused: it states none.
    """
    match = _SIZE.fullmatch(body)
    if match is None or int(match[1]) > _LARGEST_SIZE:
        raise ProofRefused(why="a witness states no size")
    return int(match[1])


def _hash(line: str) -> bytes:
    try:
        node = base64.b64decode(line, validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadSubmission(why="a hash of the proof is malformed") from error
    if len(node) != HASH_SIZE:
        raise BadSubmission(why="a hash of the proof is malformed")
    return node
