# SPDX-License-Identifier: Apache-2.0
"""The two kinds of work, and both as bytes for whoever does them in another process.

Reading: events in, drafts or refusals out. Making: drafts with their sequence number and key in, entries with their
leaf hashes out.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

import orjson

from ..errors import BadEvent
from ..merkle import leaf_hash
from ..models_codec import Draft, entry_of, parted, plain
from .sealing import KEY_ID_SIZE, SECRET_SIZE, bound_to, seal
from .shapes import SHAPES, EventShape

_LENGTH = struct.Struct(">I")
# Length of the event, sequence number, identifier and bytes of its subject's key.
_JOB = struct.Struct(f">IQ{KEY_ID_SIZE}s{SECRET_SIZE}s")
_MADE = struct.Struct(">H32s")
# What is told of a draft to another process: all but its bytes, which are there, and by what it was read.
_TOLD = 7


NOTHING = bytes(KEY_ID_SIZE), bytes(SECRET_SIZE)
"""Identifier and key of a job that seals nothing."""


class Job(NamedTuple):
    """One draft to be made an entry; without a key nothing is sealed."""

    encoded: bytes
    sequence: int
    key_id: bytes
    key: bytes
    # Its shape and values, where it was read in this process.
    shaped: tuple[EventShape, tuple[bytes, ...]] | None = None


class Made(NamedTuple):
    """An entry's bytes and their leaf hash."""

    raw: bytes
    leaf: bytes


class Work(IntEnum):
    """What a message asks for."""

    READ = 1
    MAKE = 2

    def ask(self, question: bytes) -> bytes:
        """The message that asks for it."""
        return bytes([self]) + question


def read(events: Sequence[bytes]) -> list[Draft | BadEvent]:
    """Check events; the answer to each in their order."""
    return [_read(event) for event in events]


def make(jobs: Sequence[Job]) -> list[Made | None]:
    """Seal, encode and hash; None where the entry became too long."""
    return [_made(job) for job in jobs]


def asked_to_read(events: Sequence[bytes]) -> bytes:
    """The question."""
    return b"".join(_LENGTH.pack(len(event)) + event for event in events)


def told_read(events: Sequence[bytes], answer: bytes) -> list[Draft | BadEvent]:
    """What came back about these events."""
    said = orjson.loads(answer)
    return [
        Draft(event, *each) if type(each) is list else BadEvent(why=each)
        for event, each in zip(events, said, strict=True)
    ]


def asked_to_make(jobs: Sequence[Job]) -> bytes:
    """The question."""
    parts: list[bytes] = []
    for encoded, sequence, key_id, key, _shaped in jobs:
        parts += (_JOB.pack(len(encoded), sequence, key_id, key), encoded)
    return b"".join(parts)


def told_made(answer: bytes) -> list[Made | None]:
    """What came back."""
    made: list[Made | None] = []
    position, end = 0, len(answer)
    while position < end:
        length, leaf = _MADE.unpack_from(answer, position)
        position += _MADE.size
        made.append(Made(answer[position : position + length], leaf) if length else None)
        position += length
    return made


def done(message: bytes) -> bytes:
    """Do what a message asks for."""
    return _DONE[Work(message[0])](message[1:])


def _read(event: bytes) -> Draft | BadEvent:
    try:
        return SHAPES.read(event)
    except BadEvent as error:
        return error


def _made(job: Job) -> Made | None:
    encoded, sequence, key_id, key, shaped = job
    if (taken := shaped or SHAPES.taken(encoded)) is not None:
        shape, values = taken
        clear = shape.facts(values)
        sealed = seal(clear, bound=shape.bound(values), key_id=key_id, key=key) if clear else b""
        raw = shape.entry(values, sequence, sealed)
        return Made(raw, leaf_hash(raw))
    try:
        document, facts = parted(encoded)
        ciphertext = seal(plain(facts), bound=_bound(encoded), key_id=key_id, key=key).decode() if facts else ""
        raw = entry_of(document, sequence=sequence, ciphertext=ciphertext)
    except BadEvent:
        return None
    return Made(raw, leaf_hash(raw))


def _bound(encoded: bytes) -> bytes:
    draft = SHAPES.read(encoded)
    return bound_to(draft.key, draft.type, draft.source, draft.subject)


def _done_reading(question: bytes) -> bytes:
    events, position = [], 0
    while position < len(question):
        start = position + _LENGTH.size
        position = start + _LENGTH.unpack_from(question, position)[0]
        events.append(question[start:position])
    found = read(events)
    return orjson.dumps([each.parameters["why"] if isinstance(each, BadEvent) else each[1:_TOLD] for each in found])


def _done_making(question: bytes) -> bytes:
    jobs, position = [], 0
    while position < len(question):
        length, sequence, key_id, key = _JOB.unpack_from(question, position)
        start = position + _JOB.size
        position = start + length
        jobs.append(Job(question[start:position], sequence, key_id, key))
    parts: list[bytes] = []
    for each in make(jobs):
        parts += (_MADE.pack(len(each.raw), each.leaf), each.raw) if each else (_MADE.pack(0, bytes(32)),)
    return b"".join(parts)


_DONE: Mapping[Work, Callable[[bytes], bytes]] = {Work.READ: _done_reading, Work.MAKE: _done_making}
