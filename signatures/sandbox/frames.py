# SPDX-License-Identifier: Apache-2.0
"""The wire between a service and its reading process: a JSON object and a blob of bytes, each with its length."""

import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

_HEAD = struct.Struct("!II")
LARGEST = 64 * 1024 * 1024


class LineBroken(Exception):
    """The other side is gone or speaks nonsense."""


def send(line: socket.socket, header: Mapping[str, Any], body: bytes = b"") -> None:
    """Write one frame.

    Raises:
        LineBroken: the other side is gone.
    """
    encoded = json.dumps(header).encode()
    try:
        line.sendall(_HEAD.pack(len(encoded), len(body)) + encoded)
        if body:
            line.sendall(body)
    except OSError as error:
        raise LineBroken from error


def receive(line: socket.socket) -> tuple[dict[str, Any], bytes]:
    """Read one frame.

    Raises:
        LineBroken: the other side is gone, or the frame is none.
    """
    length, size = _HEAD.unpack(_exactly(line, _HEAD.size))
    if length > LARGEST or size > LARGEST:
        raise LineBroken
    try:
        header = json.loads(_exactly(line, length))
    except ValueError as error:
        raise LineBroken from error
    if not isinstance(header, dict):
        raise LineBroken
    return header, _exactly(line, size)


def _exactly(line: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        try:
            part = line.recv(min(size - len(parts), 1 << 20))
        except OSError as error:
            raise LineBroken from error
        if not part:
            raise LineBroken
        parts += part
    return bytes(parts)
