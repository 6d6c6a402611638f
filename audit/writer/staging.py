# SPDX-License-Identifier: Apache-2.0
"""The staging file: everything one integration will write, on disk before the commit that makes it true."""

import hashlib
from pathlib import Path

from ..blobs import Disk
from ..errors import LogDamaged

_DIGEST = 32


def write(path: Path, files: dict[str, bytes], disk: Disk) -> None:
    """Store the files of one integration as one."""
    parts = []
    for name, content in files.items():
        encoded = name.encode()
        parts += [len(encoded).to_bytes(2, "big"), encoded, len(content).to_bytes(4, "big"), content]
    body = b"".join(parts)
    disk.put(path, hashlib.sha256(body).digest() + body, mode=0o600)


def read(path: Path, *, index: int) -> dict[str, bytes]:
    """What was staged, as the disk has it.

    Raises:
        LogDamaged: it is not what was written.
    """
    whole = path.read_bytes()
    body = whole[_DIGEST:]
    if hashlib.sha256(body).digest() != whole[:_DIGEST]:
        raise LogDamaged(index=index, why="the staging file was changed")
    files, position = {}, 0
    while position < len(body):
        name, position = _chunk(body, position, 2)
        content, position = _chunk(body, position, 4)
        files[name.decode()] = content
    return files


def _chunk(body: bytes, position: int, width: int) -> tuple[bytes, int]:
    start = position + width
    end = start + int.from_bytes(body[position:start], "big")
    return body[start:end], end
