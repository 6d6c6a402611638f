# SPDX-License-Identifier: Apache-2.0
"""Our own look at the raw bytes, because the library's verdict alone is not safe to show (specs/signatures.md, 1, 4).

A lenient viewer shows what a strict parser does not see: bytes after the last signed one, objects that no table
mentions, and signatures that the newest revision of the file no longer mentions.
"""

import binascii
import hmac
import re
from collections.abc import Collection, Sequence

_MARK = re.compile(rb"/ByteRange[\s\0]*\[")
_HEX = re.compile(rb"[0-9A-Fa-f\s\0]*")
_OBJECT = re.compile(rb"(?<![0-9])[0-9]{1,10}[\s\0]+[0-9]{1,5}[\s\0]+obj(?![a-zA-Z])")
_BLANKS = b"\t\n\x0c\r \0"
_PARTS = 4
_LONGEST_RANGE = 200


def looks_like_pdf(document: bytes) -> bool:
    """Whether the header stands where readers look for it: in the first 1024 bytes."""
    return b"%PDF-" in document[:1024]


def marks(document: bytes) -> int:
    """How many places look like a signature, whether or not a parser finds them."""
    # Counted one by one: a file of nothing but marks would fill the memory with a list of them.
    return sum(1 for _ in _MARK.finditer(document))


def unknown_marks(document: bytes, known: Collection[tuple[int, ...]]) -> int:
    """How many of them are of no signature with one of these ranges: a parser that finds another one finds it not."""
    return sum(1 for found in _MARK.finditer(document) if _range(document, found.end()) not in known)


def _range(document: bytes, start: int) -> tuple[int, ...]:
    end = document.find(b"]", start, start + _LONGEST_RANGE)
    try:
        return tuple(map(int, document[start:end].translate(bytes.maketrans(b"\0", b" ")).split()))
    except ValueError:
        return ()


def covers_whole_file(document: bytes, byte_range: Sequence[int]) -> bool:
    """Whether everything is signed from the first byte to the last, but for one gap that holds only hex digits."""
    if len(byte_range) != _PARTS:
        return False
    start, first, second, rest = byte_range
    if start != 0 or first <= 0 or rest <= 0 or second <= first or second + rest != len(document):
        return False
    gap = document[first:second]
    return gap[:1] == b"<" and gap[-1:] == b">" and _HEX.fullmatch(gap[1:-1]) is not None


def leaves_out_itself_alone(document: bytes, byte_range: Sequence[int], contents: bytes) -> bool:
    """Whether what a signature leaves unsigned is nothing but its own ``contents``, in hex digits.

    The library compares lengths. A gap that is wider holds whatever its maker likes: another document, found by a table
    to which the signed tail now points, or, within the gap of a time-stamp, signatures that it never saw.
    """
    if len(byte_range) != _PARTS:
        return False
    start, first, second, rest = byte_range
    if start != 0 or first <= 0 or rest <= 0 or second <= first or second + rest > len(document):
        return False
    gap = document[first:second]
    if gap[:1] != b"<" or gap[-1:] != b">":
        return False
    digits = gap[1:-1].translate(None, _BLANKS)
    try:
        # An odd last digit stands for itself and a zero (ISO 32000-2, 7.3.4.3).
        return hmac.compare_digest(binascii.unhexlify(digits + b"0" * (len(digits) % 2)), contents)
    except binascii.Error:
        return False


def accounted_for(document: bytes, start: int, *, places: Collection[int], revisions: int) -> bool:
    """Whether what stands from ``start`` on is just so many revisions, and every object in it where a table says.

    A viewer that finds a table wanting rebuilds it by scanning, and shows the last objects and trailers it finds.
    """
    rest = document[start:]
    ends, trailers = rest.count(b"startxref"), rest.count(b"trailer")
    return (
        ends == revisions >= trailers
        and rest.rstrip().endswith(b"%%EOF")
        and all(start + found.start() in places for found in _OBJECT.finditer(rest))
    )
