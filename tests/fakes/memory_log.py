# SPDX-License-Identifier: Apache-2.0
"""A published log in memory: a recorder on one side, a ``LogView`` on the other; every entry is published at once."""

import base64
import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence

from audit.errors import LogDamaged, NoSuchEntry, RecordUnavailable
from audit.models import Entry, Event, Receipt, Wait
from audit.models_codec import decode_event
from audit.models_rules import check
from audit.search import Inclusion
from core.errors import TallygateError


class MemoryLog:
    """Keeps entries as JSON; ``erase`` makes one subject's sealed parts unreadable; ``down`` takes nothing more."""

    origin = "log.city.localhost"

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.stored: list[bytes] = []
        self.gone: set[str] = set()
        self.down = False
        self.cosigned: bytes | None = None
        self.pruning: bytes | None = None
        # Names under which the same log can be had as a closed one.
        self.closed: set[str] = set()

    def record(self, event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
        check(event)
        if self.down:
            raise RecordUnavailable
        self.events.append(event)
        self.stored.append(
            json.dumps(
                {"key": event.key, "type": event.type, "at": event.at.isoformat(), "sealed": bool(event.sealed)}
            ).encode()
        )
        index = len(self.events) - 1
        return Receipt(log=self.origin, index=index, leaf=_leaf(self.stored[index]), level=wait)

    def record_all(self, events: Sequence[bytes], *, wait: Wait) -> list[Receipt | TallygateError]:
        answers: list[Receipt | TallygateError] = []
        for encoded in events:
            try:
                answers.append(self.record(decode_event(encoded), wait=wait))
            except TallygateError as error:
                answers.append(error)
        return answers

    def erase(self, subject: str) -> None:
        self.gone.add(subject)

    def types(self) -> list[str]:
        return [event.type for event in self.events]

    def size(self) -> int:
        return len(self.events)

    def first(self) -> int:
        return 0

    def pruned(self, log: str = "") -> bytes | None:
        if log and log not in self.closed:
            raise NoSuchEntry
        return self.pruning

    def kept_from(self, start: int) -> int:
        return start

    def read(self, start: int, limit: int) -> Sequence[Entry]:
        return [
            Entry(index=i, event=dataclasses.replace(event, sealed={}), ciphertext="x" if event.sealed else "")
            for i, event in enumerate(self.events[start : start + limit], start)
        ]

    def unseal(self, entry: Entry) -> Mapping[str, str] | None:
        if entry.ciphertext and entry.event.subject in self.gone:
            return None
        return self.events[entry.index].sealed

    def unseal_all(self, entries: Sequence[Entry]) -> Sequence[Mapping[str, str] | TallygateError]:
        return [{} if (part := self.unseal(entry)) is None else part for entry in entries]

    def erased(self, entry: Entry) -> bool:
        return bool(entry.ciphertext) and entry.event.subject in self.gone

    def raw(self, index: int) -> bytes:
        if not 0 <= index < self.size():
            raise NoSuchEntry
        return self.stored[index]

    def prove(self, index: int) -> Inclusion:
        if not 0 <= index < self.size():
            raise NoSuchEntry
        leaves = [_leaf(raw) for raw in self.stored]
        return Inclusion(index=index, path=tuple(_path(index, leaves)), checkpoint=self.checkpoint().decode())

    def opened_checkpoint(self, text: str) -> tuple[int, bytes]:
        origin, size, root, *_ = text.split("\n")
        if origin != self.origin:
            raise LogDamaged(index=0, why="foreign checkpoint")
        return int(size), base64.b64decode(root)

    def base(self, log: str = "") -> int:
        if log and log not in self.closed:
            raise NoSuchEntry
        return 0

    def tree_size(self, log: str = "") -> int:
        if log and log not in self.closed:
            raise NoSuchEntry
        return self.size()

    def checkpoint(self, log: str = "") -> bytes:
        if log and log not in self.closed:
            raise NoSuchEntry
        root = _root([_leaf(raw) for raw in self.stored])
        text = f"{self.origin}\n{self.size()}\n{base64.b64encode(root).decode()}\n"
        return f"{text}\n— {self.origin} {base64.b64encode(b'k' * 68).decode()}\n".encode()

    def witnessed(self) -> bytes | None:
        return self.cosigned

    def tile(self, level: int, index: int, width: int, log: str = "") -> bytes | None:  # noqa: ARG002 - there is one log
        if level:
            return None
        return b"".join(_leaf(raw) for raw in self.stored[index * 256 : index * 256 + width])

    def bundle(self, index: int, width: int, log: str = "") -> bytes | None:  # noqa: ARG002 - there is one log
        chosen = self.stored[index * 256 : index * 256 + width]
        return b"".join(len(raw).to_bytes(2, "big") + raw for raw in chosen)


def _leaf(raw: bytes) -> bytes:
    return hashlib.sha256(b"\0" + raw).digest()


def _root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    half = _half(len(leaves))
    return hashlib.sha256(b"\1" + _root(leaves[:half]) + _root(leaves[half:])).digest()


def _path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) < 2:
        return []
    half = _half(len(leaves))
    if index < half:
        return [*_path(index, leaves[:half]), _root(leaves[half:])]
    return [*_path(index - half, leaves[half:]), _root(leaves[:half])]


def _half(count: int) -> int:
    return int(1 << (count - 1).bit_length() - 1)
