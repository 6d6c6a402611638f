# SPDX-License-Identifier: Apache-2.0
"""Trust policies, C2SP tlog-policy: which logs and witnesses are known, and how many cosignatures are enough.

Names are octets without meaning beyond the file; they are kept as text that gives back exactly these octets.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from ..errors import ProofRefused
from ..merkle import Checkpoint, Note, VerifierKey
from ..merkle.keys import COSIGNATURE_ED25519, COSIGNATURE_MLDSA44, ED25519
from .errors import PolicyRefused

LARGEST = 1 << 20
"""Bytes of a policy file."""
_NONE = "none"
_LOG_TYPES = (ED25519, COSIGNATURE_MLDSA44)
_WITNESS_TYPES = (COSIGNATURE_ED25519, COSIGNATURE_MLDSA44)
_THRESHOLD = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_LONGEST_NAME = 255


@dataclass(frozen=True)
class KnownLog:
    """A log by its key; ``url`` may be empty."""

    key: VerifierKey
    url: str


@dataclass(frozen=True)
class KnownWitness:
    """A witness by its name in the policy; ``url`` is its submission prefix, or empty."""

    name: str
    key: VerifierKey
    url: str


@dataclass(frozen=True)
class Group:
    """Witnesses if at least so many of its members do."""

    least: int
    members: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One policy file."""

    logs: tuple[KnownLog, ...]
    witnesses: Mapping[str, KnownWitness]
    groups: Mapping[str, Group]
    # Name of a witness or group; "none" asks for no cosignature.
    quorum: str

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a file.

        Raises:
            PolicyRefused: names the line and what is wrong with it.
        """
        if len(raw) > LARGEST:
            raise PolicyRefused(line=0, why="the file is too long")
        draft = _Draft()
        for number, line in enumerate(raw.split(b"\n"), 1):
            if _FORBIDDEN.search(line):
                raise PolicyRefused(line=number, why="there is a control character")
            words = [word for word in re.split(rb"[ \t]+", line) if word]
            if words and not words[0].startswith(b"#"):
                draft.number = number
                draft.take([word.decode("utf-8", "surrogateescape") for word in words])
        if not draft.quorum:
            raise PolicyRefused(line=0, why="there is no quorum")
        return cls(
            logs=tuple(draft.logs), witnesses=dict(draft.witnesses), groups=dict(draft.groups), quorum=draft.quorum
        )

    def satisfied(self, cosigned: AbstractSet[str]) -> bool:
        """Whether cosignatures of these witnesses are enough."""
        return self.quorum == _NONE or self._witnesses(self.quorum, cosigned)

    def cosigned(self, note: Note) -> dict[str, datetime]:
        """Which witnesses cosigned a checkpoint, and when.

        Raises:
            ProofRefused: a line under a known key does not verify, which spoils the note.
        """
        checkpoint = Checkpoint.unverified(note.text)
        return {
            witness.name: checkpoint.verify_cosignature(note, witness.key)
            for witness in self.witnesses.values()
            if note.known(witness.key)
        }

    def demand(self, raw: bytes, keys: Sequence[VerifierKey]) -> Checkpoint:
        """A checkpoint that the log signed and the quorum cosigned.

        Raises:
            ProofRefused: it is not.
        """
        checkpoint = Checkpoint.verified(raw, keys)
        if not self.satisfied(self.cosigned(Note.parse(raw)).keys()):
            raise ProofRefused(why="too few witnesses cosigned the checkpoint")
        return checkpoint

    def _witnesses(self, name: str, cosigned: AbstractSet[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in cosigned
        return sum(self._witnesses(member, cosigned) for member in group.members) >= group.least


@dataclass
class _Draft:
    """A policy while its lines are read; every rule looks at the line that is being taken."""

    number: int = 0
    logs: list[KnownLog] = field(default_factory=list)
    witnesses: dict[str, KnownWitness] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    quorum: str = ""

    def take(self, words: list[str]) -> None:
        """One line that says something."""
        kinds: dict[str, Callable[[list[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }
        take = kinds.get(words[0])
        if take is None:
            raise self._wrong("it defines nothing that is known")
        take(words[1:])

    def _log(self, words: list[str]) -> None:
        if len(words) not in (1, 2):
            raise self._wrong("a log is a key and perhaps an address")
        known = KnownLog(self._key(words[0], _LOG_TYPES), "".join(words[1:]))
        if any(known.key.public == other.key.public for other in self.logs):
            raise self._wrong("this key is another log's")
        self.logs.append(known)

    def _witness(self, words: list[str]) -> None:
        if len(words) not in (2, 3):
            raise self._wrong("a witness is a name, a key and perhaps an address")
        name = self._new(words[0])
        known = KnownWitness(name, self._key(words[1], _WITNESS_TYPES), "".join(words[2:]))
        if any(known.key.public == other.key.public for other in self.witnesses.values()):
            raise self._wrong("this key is another witness's")
        self.witnesses[name] = known

    def _group(self, words: list[str]) -> None:
        if len(words) < 3:  # noqa: PLR2004 - name, threshold, one member
            raise self._wrong("a group is a name, a threshold and at least one member")
        name, members = self._new(words[0]), words[2:]
        for member in members:
            if member not in self.witnesses and member not in self.groups:
                raise self._wrong("a member is not defined above")
            if member in self.members:
                raise self._wrong("a member is in a group already")
            self.members.add(member)
        self.groups[name] = Group(self._least(words[1], len(members)), tuple(members))

    def _quorum(self, words: list[str]) -> None:
        if self.quorum:
            raise self._wrong("there is a second quorum")
        if len(words) != 1:
            raise self._wrong("a quorum is one name")
        if words[0] != _NONE and words[0] not in self.witnesses and words[0] not in self.groups:
            raise self._wrong("the quorum is not defined above")
        self.quorum = words[0]

    def _least(self, text: str, members: int) -> int:
        named = {"any": 1, "all": members}.get(text)
        least = named if named is not None else int(text) if _THRESHOLD.fullmatch(text) else 0
        if not 1 <= least <= members:
            raise self._wrong("the threshold is neither any, all nor a number of members")
        return least

    def _new(self, name: str) -> str:
        if name == _NONE or name in self.witnesses or name in self.groups:
            raise self._wrong("this name is taken")
        return name

    def _key(self, text: str, types: Sequence[int]) -> VerifierKey:
        try:
            key = VerifierKey.parse(text)
            length = len(key.name.encode())
        except (ProofRefused, UnicodeEncodeError) as error:
            raise self._wrong("the key cannot be read") from error
        if key.type not in types or length > _LONGEST_NAME:
            raise self._wrong("the key is of a type that does not belong here")
        return key

    def _wrong(self, why: str) -> PolicyRefused:
        return PolicyRefused(line=self.number, why=why)
