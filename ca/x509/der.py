# SPDX-License-Identifier: Apache-2.0
"""DER (X.690), written and strictly read: the few types that revocation lists and OCSP answers are made of.

Lists of a hundred thousand entries and thousands of answers a second are joined from bytes encoded once; a general
encoder, which looks at every value again, is too slow for both by an order of magnitude.
"""

from collections.abc import Iterable
from datetime import datetime

_SHORT = 0x80
_LAST_UTC_YEAR = 2049
_LONGEST_LENGTH = 4
NULL = b"\x05\x00"
TRUE = b"\x01\x01\xff"


def tlv(tag: int, content: bytes) -> bytes:
    """Tag, length and content."""
    size = len(content)
    if size < _SHORT:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _SHORT | len(length))) + length + content


def sequence(*parts: bytes) -> bytes:
    """SEQUENCE of what is encoded already."""
    return tlv(0x30, b"".join(parts))


def integer(value: int) -> bytes:
    """INTEGER, not negative."""
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def enumerated(value: int) -> bytes:
    """ENUMERATED, one byte."""
    return bytes((0x0A, 1, value))


def octets(content: bytes) -> bytes:
    """OCTET STRING."""
    return tlv(0x04, content)


def bits(content: bytes) -> bytes:
    """BIT STRING of whole bytes."""
    return tlv(0x03, b"\0" + content)


def explicit(number: int, content: bytes) -> bytes:
    """A constructed context tag around something."""
    return tlv(0xA0 | number, content)


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return tlv(0x06, b"".join(_arc(arc) for arc in (40 * first + second, *rest)))


def time(at: datetime) -> bytes:
    """Time as RFC 5280 section 4.1.2.5 wants it: UTCTime through 2049, GeneralizedTime after."""
    if at.year <= _LAST_UTC_YEAR:
        return tlv(0x17, at.strftime("%y%m%d%H%M%SZ").encode())
    return generalized(at)


def generalized(at: datetime) -> bytes:
    """GeneralizedTime in whole seconds."""
    return tlv(0x18, f"{at.year:04}{at:%m%d%H%M%S}Z".encode())


def extension(dotted: str, value: bytes, *, critical: bool = False) -> bytes:
    """One extension."""
    return sequence(oid(dotted), TRUE if critical else b"", octets(value))


def extensions(each: Iterable[bytes]) -> bytes:
    """SEQUENCE OF; nothing if there are none, since an empty one is forbidden."""
    content = b"".join(each)
    return tlv(0x30, content) if content else b""


def _arc(value: int) -> bytes:
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(0x80 | value & 0x7F)
    return bytes(reversed(found))


class NotDer(ValueError):
    """The bytes are not what was expected, or not encoded in the one way DER allows."""


class Reader:
    """Reads elements one after another; every length is checked against what is there."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    @property
    def more(self) -> bool:
        """Whether something is left."""
        return self._at < len(self._content)

    def next_is(self, tag: int) -> bool:
        """Whether the next element has that tag."""
        return self.more and self._content[self._at] == tag

    def element(self, tag: int) -> tuple[bytes, bytes]:
        """The next element whole, and its content.

        Raises:
            NotDer: it is something else, is cut short, or its length is not written in the shortest way.
        """
        content, at = self._content, self._at
        if len(content) - at < len(b"\x05\x00") or content[at] != tag:
            raise NotDer
        begins, size = at + 2, content[at + 1]
        if size >= _SHORT:
            count = size - _SHORT
            length = content[begins : begins + count]
            if not 1 <= count <= _LONGEST_LENGTH or len(length) != count or length[0] == 0:
                raise NotDer
            begins, size = begins + count, int.from_bytes(length, "big")
            if size < _SHORT:
                raise NotDer
        ends = begins + size
        if ends > len(content):
            raise NotDer
        self._at = ends
        return content[at:ends], content[begins:ends]

    def content(self, tag: int) -> bytes:
        """The content of the next element."""
        return self.element(tag)[1]

    def inside(self, tag: int) -> "Reader":
        """A reader of what the next element holds."""
        return Reader(self.content(tag))

    def identifier(self) -> bytes:
        """An OBJECT IDENTIFIER, whole."""
        found, content = self.element(0x06)
        # Every arc ends, and none begins with a zero digit.
        begins = [0, *(place + 1 for place, byte in enumerate(content) if byte < _SHORT)]
        if begins[-1] != len(content) or not content or any(content[at] == _SHORT for at in begins[:-1]):
            raise NotDer
        return found

    def whole_number(self) -> int:
        """An INTEGER that is not negative."""
        content = self.content(0x02)
        if not content or content[0] >= _SHORT or (len(content) > 1 and content[0] == 0 and content[1] < _SHORT):
            raise NotDer
        return int.from_bytes(content, "big")

    def end(self) -> None:
        """Demand that nothing is left."""
        if self.more:
            raise NotDer
