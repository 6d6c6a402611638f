# SPDX-License-Identifier: Apache-2.0
"""Our own look at the raw bytes, because the library's verdict alone is not safe to show (specs/signatures.md, 1, 4).

A lenient viewer shows what a strict parser does not see: bytes after the last signed one, and signatures that the
newest revision of the file no longer mentions.
"""

import re
from collections.abc import Sequence

_MARK = re.compile(rb"/ByteRange[\s\0]*\[")
_HEX = re.compile(rb"[0-9A-Fa-f\s\0]*")
_PARTS = 4


def looks_like_pdf(document: bytes) -> bool:
    """Whether the header stands where readers look for it: in the first 1024 bytes."""
    return b"%PDF-" in document[:1024]


def marks(document: bytes) -> int:
    """How many places look like a signature, whether or not a parser finds them."""
    return len(_MARK.findall(document))


def covers_whole_file(document: bytes, byte_range: Sequence[int]) -> bool:
    """Whether everything is signed from the first byte to the last, but for one gap that holds only hex digits."""
    if len(byte_range) != _PARTS:
        return False
    start, first, second, rest = byte_range
    if start != 0 or first <= 0 or rest <= 0 or second <= first or second + rest != len(document):
        return False
    gap = document[first:second]
    return gap[:1] == b"<" and gap[-1:] == b">" and _HEX.fullmatch(gap[1:-1]) is not None
