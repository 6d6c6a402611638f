# SPDX-License-Identifier: Apache-2.0
"""asn1crypto 1.5.1 with one mistake mended, for whoever imports this package.

It takes every length whose last byte is 0x80 for an indefinite one, and encodes the value again when it is asked for
its bytes: one value in 256 that is long enough. What was not written in the one form of DER then comes out as other
bytes, of which no digest is right; a key of a kind that it does not know, as ML-DSA, cannot be encoded at all; and each
level costs twice as much as the one within it, up to minutes for time-stamps within signatures.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from asn1crypto import core

_INDEFINITE, _LONG, _NUMBER = 0x80, 0x80, 0x7F
_LARGE_TAG = 0x1F


def definite(header: bytes) -> bool:
    """Whether all lengths in it are numbers (X.690 8.1.3); an explicit tag stands before another header."""
    at = 0
    while at < len(header):
        large, at = header[at] & _LARGE_TAG == _LARGE_TAG, at + 1
        while large:
            large, at = bool(header[at] & _LONG), at + 1
        length, at = header[at], at + 1
        if length == _INDEFINITE:
            return False
        if length & _LONG:
            at += length & _NUMBER
    return True


def _mended(dump: Callable[..., bytes]) -> Callable[..., bytes]:
    @wraps(dump)
    def mended(self: Any, force: bool = False) -> bytes:  # noqa: FBT001, FBT002 - the library's signature
        header = self._header
        if header is not None and header[-1:] == b"\x80" and definite(header):
            # Without a header the library makes the same again from the contents as they are.
            self._header = None
        return dump(self, force)

    return mended


for _kind in (core.Asn1Value, core.Choice, core.Primitive, core.Sequence, core.SequenceOf):
    _kind.dump = _mended(_kind.dump)
