# SPDX-License-Identifier: Apache-2.0
"""Frames on the log's socket: four bytes of length, one byte of kind, content. Both ends speak from here.

The caller sends HELLO with a nonce; the log answers with its origin and a signature over both, so that the caller
knows to whom it shows its secret; the caller sends OPEN; the log says OPENED. Then either requests and answers flow,
many at once, or entries, stretches that are passed over, and heartbeats.
"""

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any

from core.errors import TallygateError

from .errors import BadEvent, KeyReused, RecordUnavailable
from .models import Receipt, Wait

# An event with its sealed part in clear, and some room for the frame around it.
MAX_FRAME = 80_000
# Many of them, from somebody who has shown a secret.
MAX_MANY = 1024 * 1024
MOST_EVENTS = 1024
HELLO_DOMAIN = b"tallygate/log-hello/v1\n"
HEARTBEAT_DOMAIN = b"tallygate/log-heartbeat/v1\n"
NONCE_SIZE = 32
_LENGTH = struct.Struct(">I")
_REQUEST = struct.Struct(">IB")
_RECEIPT = struct.Struct(">IBQ32s")
_STRETCH = struct.Struct(">QQ")
_MANY = struct.Struct(">IBH")
_EVENT = struct.Struct(">I")
_PLACE = struct.Struct(">Q32s")
_NOWHERE = 2**64 - 1
_NO_INDEX = _NOWHERE.to_bytes(8)
_NONE_REFUSED = json.dumps({"checkpoint": "", "refused": {}}).encode()
LONGEST_EVENT = MAX_FRAME - 1 - _REQUEST.size
"""Encoded; a longer one would cut the line, and with it whatever else is on its way."""
_WAITS = (Wait.SEQUENCED, Wait.PUBLISHED, Wait.WITNESSED)
_ERRORS: dict[str, type[TallygateError]] = {error.code: error for error in (BadEvent, KeyReused, RecordUnavailable)}


class WireBroken(Exception):
    """What came is not of this protocol; the connection ends."""


class Frame(IntEnum):
    """The first byte of a frame's content."""

    HELLO = 1
    PROOF = 2
    OPEN = 3
    OPENED = 4
    APPEND = 5
    RECEIPT = 6
    REFUSAL = 7
    ENTRIES = 8
    HEARTBEAT = 9
    PASSED = 10
    APPEND_MANY = 11
    RECEIPTS = 12


class Frames:
    """Cuts a stream into frames."""

    def __init__(self, largest: int = MAX_FRAME) -> None:
        self._buffer = bytearray()
        self._largest = largest

    def allow(self, largest: int) -> None:
        """From now on frames may be so long."""
        self._largest = largest

    @property
    def begun(self) -> bool:
        """Whether a part of a frame is here that is not complete."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[tuple[Frame, bytes]]:
        """Every frame that is complete by now.

        Raises:
            WireBroken: too long, empty or of unknown kind.
        """
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if not 1 <= length <= self._largest:
                raise WireBroken
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            try:
                kind = Frame(self._buffer[_LENGTH.size])
            except ValueError as error:
                raise WireBroken from error
            with memoryview(self._buffer) as view:
                content = bytes(view[_LENGTH.size + 1 : end])
            del self._buffer[:end]
            yield kind, content


def frame(kind: Frame, content: bytes) -> bytes:
    """One frame."""
    return _LENGTH.pack(len(content) + 1) + bytes([kind]) + content


def document(kind: Frame, content: dict[str, Any]) -> bytes:
    """A frame that carries JSON."""
    return frame(kind, json.dumps(content).encode())


def parse(content: bytes) -> dict[str, Any]:
    """The JSON of a frame.

    Raises:
        WireBroken: it is no object.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise WireBroken from error
    if not isinstance(found, dict):
        raise WireBroken
    return found


def hello_message(origin: str, nonce: bytes) -> bytes:
    """What the log signs to prove itself to a caller."""
    return HELLO_DOMAIN + origin.encode() + b"\n" + nonce


def heartbeat_message(origin: str, nonce: bytes, size: int, at: int) -> bytes:
    """What the log signs with each heartbeat; the nonce is the session's, so that none can be replayed into another."""
    return HEARTBEAT_DOMAIN + f"{origin}\n{size}\n{at}\n".encode() + nonce


def append_frame(request: int, wait: Wait, event: bytes) -> bytes:
    """A request to append."""
    return frame(Frame.APPEND, _REQUEST.pack(request, _WAITS.index(wait)) + event)


def read_append(content: bytes) -> tuple[int, Wait, bytes]:
    """Number, wanted level and event of a request.

    Raises:
        WireBroken: malformed.
    """
    try:
        request, wait = _REQUEST.unpack_from(content)
        return request, _WAITS[wait], content[_REQUEST.size :]
    except (struct.error, IndexError) as error:
        raise WireBroken from error


def receipt_frame(request: int, receipt: Receipt) -> bytes:
    """An answer that something is recorded."""
    head = _RECEIPT.pack(request, _WAITS.index(receipt.level), receipt.index, receipt.leaf)
    return frame(Frame.RECEIPT, head + receipt.checkpoint.encode())


def read_receipt(content: bytes, origin: str) -> tuple[int, Receipt]:
    """Number of the request and its receipt.

    Raises:
        WireBroken: malformed.
    """
    try:
        request, level, index, leaf = _RECEIPT.unpack_from(content)
        checkpoint = content[_RECEIPT.size :].decode()
        return request, Receipt(log=origin, index=index, leaf=leaf, level=_WAITS[level], checkpoint=checkpoint)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise WireBroken from error


def append_many_frame(request: int, wait: Wait, events: Sequence[bytes]) -> bytes:
    """A request to append many, each for itself: at most ``MOST_EVENTS``, of ``MAX_MANY`` bytes with their frame."""
    parts = [_MANY.pack(request, _WAITS.index(wait), len(events))]
    for event in events:
        parts += (_EVENT.pack(len(event)), event)
    return frame(Frame.APPEND_MANY, b"".join(parts))


def many(events: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Events in pieces that a frame holds; none of them is longer than ``LONGEST_EVENT``."""
    start, room = 0, MAX_MANY - 1 - _MANY.size
    left = room
    for i, event in enumerate(events):
        needed = _EVENT.size + len(event)
        if needed > left or i - start == MOST_EVENTS:
            yield events[start:i]
            start, left = i, room
        left -= needed
    if start < len(events):
        yield events[start:]


def read_append_many(content: bytes) -> tuple[int, Wait, list[bytes]]:
    """Number, wanted level and events of such a request.

    Raises:
        WireBroken: malformed.
    """
    try:
        request, wait, count = _MANY.unpack_from(content)
        events, position = [], _MANY.size
        for _ in range(count):
            start = position + _EVENT.size
            position = start + _EVENT.unpack_from(content, position)[0]
            events.append(content[start:position])
        level = _WAITS[wait]
    except (struct.error, IndexError) as error:
        raise WireBroken from error
    if position != len(content) or not 1 <= count <= MOST_EVENTS:
        raise WireBroken
    return request, level, events


def receipts_frame(
    request: int, wait: Wait, answers: Sequence[tuple[int, bytes] | TallygateError], checkpoint: str
) -> bytes:
    """The answer to many: where each stands, as index and leaf, or why it is not recorded."""
    parts = [_MANY.pack(request, _WAITS.index(wait), len(answers))]
    refused: dict[str, Any] = {}
    for i, answer in enumerate(answers):
        if isinstance(answer, TallygateError):
            parts.append(_PLACE.pack(_NOWHERE, bytes(32)))
            refused[str(i)] = _refusal(answer)
        else:
            parts.append(_PLACE.pack(*answer))
    said = {"checkpoint": checkpoint, "refused": refused}
    parts.append(json.dumps(said).encode() if refused or checkpoint else _NONE_REFUSED)
    return frame(Frame.RECEIPTS, b"".join(parts))


def read_receipts(content: bytes, origin: str) -> tuple[int, list[Receipt | TallygateError]]:
    """Number of the request, and for each of its events the receipt or the error to raise.

    Raises:
        WireBroken: malformed.
    """
    try:
        request, wait, count = _MANY.unpack_from(content)
        level, end = _WAITS[wait], _MANY.size + count * _PLACE.size
        places = list(_PLACE.iter_unpack(content[_MANY.size : end]))
    except (struct.error, IndexError) as error:
        raise WireBroken from error
    said = parse(content[end:])
    checkpoint, refused = said.get("checkpoint"), said.get("refused")
    if len(places) != count or not isinstance(checkpoint, str) or not isinstance(refused, dict):
        raise WireBroken
    return request, [
        Receipt(log=origin, index=index, leaf=leaf, level=level, checkpoint=checkpoint)
        if index != _NOWHERE
        else _read_refusal(refused.get(str(i)))
        for i, (index, leaf) in enumerate(places)
    ]


def read_refusals(content: bytes) -> tuple[int, Wait, int, Mapping[int, TallygateError]]:
    """Number of the request, the level reached, how many events it had, and which of these are not recorded and why.

    Raises:
        WireBroken: malformed.
    """
    try:
        request, wait, count = _MANY.unpack_from(content)
        level = _WAITS[wait]
    except (struct.error, IndexError) as error:
        raise WireBroken from error
    end = _MANY.size + count * _PLACE.size
    nowhere = [i for i in range(count) if content.startswith(_NO_INDEX, _MANY.size + i * _PLACE.size)]
    if content[end:] == _NONE_REFUSED and not nowhere:
        return request, level, count, {}
    refused = parse(content[end:]).get("refused")
    if len(content) <= end or not isinstance(refused, dict):
        raise WireBroken
    return request, level, count, {i: _read_refusal(refused.get(str(i))) for i in nowhere}


def passed_frame(first: int, following: int) -> bytes:
    """Word that nothing from ``first`` up to ``following`` is what the follower asked for."""
    return frame(Frame.PASSED, _STRETCH.pack(first, following))


def read_passed(content: bytes) -> tuple[int, int]:
    """Both ends of a stretch that was passed over.

    Raises:
        WireBroken: malformed.
    """
    try:
        first, following = _STRETCH.unpack(content)
    except struct.error as error:
        raise WireBroken from error
    return first, following


def refusal_frame(request: int, error: TallygateError) -> bytes:
    """An answer that something is not recorded, and why."""
    return document(Frame.REFUSAL, {"request": request, **_refusal(error)})


def read_refusal(content: bytes) -> tuple[int, TallygateError]:
    """Number of the request and the error to raise.

    Raises:
        WireBroken: malformed.
    """
    found = parse(content)
    if type(found.get("request")) is not int:
        raise WireBroken
    return found["request"], _read_refusal(found)


def _refusal(error: TallygateError) -> dict[str, Any]:
    return {
        "code": error.code if error.code in _ERRORS else RecordUnavailable.code,
        "parameters": error.parameters,
    }


def _read_refusal(said: Any) -> TallygateError:
    if not isinstance(said, dict) or not isinstance(said.get("parameters"), dict):
        raise WireBroken
    kind = _ERRORS.get(str(said.get("code")))
    if kind is None:
        raise WireBroken
    return kind(**said["parameters"])
