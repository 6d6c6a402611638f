# SPDX-License-Identifier: Apache-2.0
"""What goes over the socket between the log and a helper: length, kind of work, content; first of all a ready byte."""

import socket
import struct

HEAD = struct.Struct(">IB")
READY = b"\x00"


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
