# SPDX-License-Identifier: Apache-2.0
"""The wire between a service and its reading process: a JSON object and a blob of bytes, each with its length."""

import json
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

_HEAD = struct.Struct("!II")
LARGEST = 64 * 1024 * 1024
_PIECE = 1 << 20


class LineBroken(Exception):
    """The other side is gone or speaks nonsense."""


def send(line: socket.socket, header: Mapping[str, Any], body: bytes = b"", *, deadline: float | None = None) -> None:
    """Write one frame, until a moment of the monotonic clock at most.

    Raises:
        LineBroken: the other side is gone, or too slow.
    """
    encoded = json.dumps(header).encode()
    try:
        _limit(line, deadline)
        line.sendall(_HEAD.pack(len(encoded), len(body)) + encoded)
        if body:
            _limit(line, deadline)
            line.sendall(body)
    except OSError as error:
        raise LineBroken from error


def receive(line: socket.socket, *, deadline: float | None = None) -> tuple[dict[str, Any], bytes]:
    """Read one frame, until a moment of the monotonic clock at most.

    Raises:
        LineBroken: the other side is gone or too slow, or the frame is none.
    """
    length, size = _HEAD.unpack(_exactly(line, _HEAD.size, deadline))
    if length > LARGEST or size > LARGEST:
        raise LineBroken
    try:
        header = json.loads(_exactly(line, length, deadline))
    except ValueError as error:
        raise LineBroken from error
    if not isinstance(header, dict):
        raise LineBroken
    return header, _exactly(line, size, deadline)


def _exactly(line: socket.socket, size: int, deadline: float | None) -> bytes:
    parts: list[bytes] = []
    missing = size
    while missing:
        try:
            _limit(line, deadline)
            # A line that waits for ever waits for all of it: pieces of a document would lie in memory beside the whole.
            part = line.recv(missing if deadline is None else min(missing, _PIECE), socket.MSG_WAITALL)
        except OSError as error:
            raise LineBroken from error
        if not part:
            raise LineBroken
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _limit(line: socket.socket, deadline: float | None) -> None:
    if deadline is None:
        return
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    line.settimeout(left)
