# SPDX-License-Identifier: Apache-2.0
"""The minimum index of C2SP tlog-tiles: below it a log answers for hashes and no longer for entries.

A signed note beside the checkpoint says it, so that mirrors and verifiers need not take silence for policy: its lines
are ``tallygate/pruned/v1``, the origin, the first entry that is kept, and the entry in which the pruning is recorded.
"""

import re
from dataclasses import dataclass
from typing import Self

from ..errors import ProofRefused
from .keys import LogKey, VerifierKey
from .note import Note, Signature
from .tiles import WIDTH

PRUNED = "pruned"
"""File of the note, beside the checkpoint."""
_KIND = "tallygate/pruned/v1"
_LINES = 4
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", flags=re.ASCII)


@dataclass(frozen=True)
class Pruning:
    """From which entry on bundles are kept, and where that is recorded."""

    origin: str
    first: int
    recorded: int

    @property
    def text(self) -> str:
        """The signed lines."""
        return f"{_KIND}\n{self.origin}\n{self.first}\n{self.recorded}\n"

    def sign(self, key: LogKey) -> bytes:
        """The note."""
        signature = Signature(key.origin, key.vkey.id, key.sign(self.text.encode()))
        return str(Note(self.text, (signature,))).encode()

    @classmethod
    def read(cls, raw: bytes, key: VerifierKey) -> Self:
        """From a note that the log signed.

        Raises:
            ProofRefused: it is none.
        """
        note = Note.parse(raw)
        note.verify([key])
        lines = note.text.split("\n")[:-1]
        if len(lines) != _LINES or lines[0] != _KIND or lines[1] != key.name:
            raise ProofRefused(why="it is not this log's")
        if not all(_NUMBER.fullmatch(line) for line in lines[2:]) or int(lines[2]) % WIDTH:
            raise ProofRefused(why="it is malformed")
        return cls(lines[1], int(lines[2]), int(lines[3]))
