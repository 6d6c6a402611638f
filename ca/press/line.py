# SPDX-License-Identifier: Apache-2.0
"""What goes over the socket between the authority and a helper: length and content; first of all a ready byte.

A question is drafts, each after its length; the answer is JSON, for each draft its findings as code and text.
"""

import json
import socket
import struct
from collections.abc import Sequence

from ..x509.lint import Finding

READY = b"\x00"
_LENGTH = struct.Struct(">I")


def send(line: socket.socket, content: bytes) -> None:
    """One message."""
    line.sendall(_LENGTH.pack(len(content)) + content)


def receive(line: socket.socket) -> bytes:
    """One message.

    Raises:
        ConnectionResetError: the line ended before.
    """
    (length,) = _LENGTH.unpack(received(line, _LENGTH.size))
    return received(line, length)


def received(line: socket.socket, size: int) -> bytes:
    """Exactly so many bytes.

    Raises:
        ConnectionResetError: the line ended before.
    """
    content = bytearray(size)
    rest = memoryview(content)
    while rest:
        count = line.recv_into(rest)
        if not count:
            raise ConnectionResetError
        rest = rest[count:]
    return bytes(content)


def asked(drafts: Sequence[bytes]) -> bytes:
    """The question."""
    return b"".join(_LENGTH.pack(len(each)) + each for each in drafts)


def read_asked(question: bytes) -> list[bytes]:
    """The reverse."""
    drafts, position = [], 0
    while position < len(question):
        start = position + _LENGTH.size
        position = start + _LENGTH.unpack_from(question, position)[0]
        drafts.append(question[start:position])
    return drafts


def told(findings: Sequence[Sequence[Finding]]) -> bytes:
    """The answer."""
    return json.dumps(findings).encode()


def read_told(answer: bytes) -> list[list[Finding]]:
    """The reverse."""
    return [[(code, text) for code, text in each] for each in json.loads(answer)]
