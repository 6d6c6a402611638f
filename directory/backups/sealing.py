# SPDX-License-Identifier: Apache-2.0
"""A stream of bytes sealed piece by piece (AES-256-GCM), so that no piece can be moved, left out or cut off unseen.

Each piece has its number and whether it is the last one in its nonce; each part of a backup has a key of its own.
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..errors import BrokenBackup

PIECE = 1 << 16
_TAG = 16


def derived(key: bytes, purpose: str) -> bytes:
    """The key of one part."""
    return HKDF(SHA256(), 32, salt=None, info=f"tallygate directory backup {purpose}".encode()).derive(key)


def seal(data: Iterable[bytes], file: BinaryIO, *, key: bytes, part: str) -> None:
    """Write everything, sealed."""
    cipher, number, waiting = AESGCM(derived(key, part)), 0, b""
    for some in data:
        waiting += some
        # One piece always waits, for only the end tells which is the last.
        while len(waiting) > PIECE:
            file.write(cipher.encrypt(_nonce(number, last=False), waiting[:PIECE], None))
            waiting, number = waiting[PIECE:], number + 1
    file.write(cipher.encrypt(_nonce(number, last=True), waiting, None))


def unseal(file: BinaryIO, *, key: bytes, part: str) -> Iterator[bytes]:
    """Everything again, piece by piece; what was given out before an error is to be thrown away.

    Raises:
        BrokenBackup: it is not what was sealed, to the last piece.
    """
    cipher, number = AESGCM(derived(key, part)), 0
    piece = file.read(PIECE + _TAG)
    while True:
        following = file.read(PIECE + _TAG)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), piece, None)
        except (InvalidTag, ValueError) as error:
            raise BrokenBackup(part=part) from error
        if not following:
            return
        piece, number = following, number + 1


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
