# SPDX-License-Identifier: Apache-2.0
"""The name that a TLS client asks for in its first message (RFC 8446 section 4.1.2, RFC 6066 section 3).

Only as much is read as says whom a tunnel is for; what does not begin so is not TLS, or says no name.
"""

LONGEST = 24 * 1024
"""Bytes of a first message; with keys of tomorrow it has three thousand."""
_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME = 22, 1, 0


class NoHello(ValueError):
    """What came is not the beginning of TLS, or asks for no name."""


def server_name(content: bytes) -> str | None:
    """The name, in lower case; None while more has to come.

    Raises:
        NoHello: no more will help.
    """
    message = b""
    place = 0
    while True:
        head = content[place : place + 5]
        if (head[:1] and head[0] != _HANDSHAKE) or (len(head) > 1 and head[1] != 3):  # noqa: PLR2004 - TLS of any version
            raise NoHello
        if len(head) < 5:  # noqa: PLR2004 - type, version and length of a record
            break
        length = int.from_bytes(head[3:])
        message += content[place + 5 : place + 5 + length]
        place += 5 + length
        if place >= len(content) or _whole(message):
            break
    if message and message[0] != _CLIENT_HELLO:
        raise NoHello
    if not _whole(message):
        if len(content) > LONGEST:
            raise NoHello
        return None
    return _named(message[4 : 4 + int.from_bytes(message[1:4])])


def _whole(message: bytes) -> bool:
    return len(message) >= 4 and len(message) - 4 >= int.from_bytes(message[1:4])  # noqa: PLR2004 - type and length


def _named(hello: bytes) -> str:
    reader = _Reader(hello)
    reader.take(34)  # version and random
    for size in (1, 2, 1):  # session, suites, compression
        reader.vector(size)
    extensions = _Reader(reader.vector(2))
    found = []
    while extensions.left:
        kind, content = int.from_bytes(extensions.take(2)), extensions.vector(2)
        if kind == _SERVER_NAME:
            found.append(content)
    if len(found) != 1:
        raise NoHello
    names = _Reader(_Reader(found[0]).vector(2))
    if names.take(1) != b"\0":
        raise NoHello
    name = names.vector(2)
    if names.left or not name.isascii():
        raise NoHello
    return name.decode("ascii").lower()


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0

    @property
    def left(self) -> int:
        return len(self._content) - self._place

    def take(self, count: int) -> bytes:
        if self.left < count:
            raise NoHello
        self._place += count
        return self._content[self._place - count : self._place]

    def vector(self, size: int) -> bytes:
        return self.take(int.from_bytes(self.take(size)))
