# SPDX-License-Identifier: Apache-2.0
"""The write-ahead file: one record per batch, one sync per record; a receipt is given only after the sync.

Record: magic, first index (8 bytes), body length (4), first 16 bytes of the SHA-256 over these and the body; the body
is packed like an entry bundle. A batch is written only after the batch before it is on disk. So a bad record at the
very end was never acknowledged and is cut off; a bad record with a good one behind it was, and stops the log. The one
case that cannot be told apart: the last record was acknowledged, the machine stopped before its checkpoint, and the
disk then damaged exactly that record.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Self

from ..blobs import Disk
from ..errors import LogDamaged, ProofRefused
from ..merkle.tiles import pack, unpack

_MAGIC = b"TGWA"
_HEAD = 4 + 8 + 4
_CHECK = 16
_SUFFIX = ".ahead"
# A new file is begun beyond this size, so that integrated ones can go.
_LARGEST = 16 * 1024 * 1024


class WriteAhead:
    """The folder of write-ahead files; each is named by the first index it may hold."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        self._descriptor = -1
        self._size = 0

    @classmethod
    def open(cls, folder: Path, disk: Disk) -> tuple[Self, list[tuple[int, bytes]]]:
        """Replay what is there and get ready to append; what is returned is on disk.

        Raises:
            LogDamaged: a record that was acknowledged cannot be read.
        """
        disk.make(folder)
        ahead = cls(folder, disk)
        entries: list[tuple[int, bytes]] = []
        files = ahead._files()
        for path in files:
            good, found = _replay(path, last=path == files[-1])
            # A crash may have left pages in the cache that never reached the disk: force them before believing them.
            descriptor = os.open(path, os.O_RDWR)
            try:
                os.ftruncate(descriptor, good)
                disk.sync(descriptor)
            finally:
                os.close(descriptor)
            entries += found
        if files:
            ahead._append_to(files[-1])
        return ahead, entries

    def append(self, first: int, entries: Sequence[bytes]) -> None:
        """Write one batch and force it to the disk.

        Raises:
            OSError: whether the batch is on disk is unknown; the process must stop.
        """
        if self._descriptor < 0 or self._size > _LARGEST:
            self._begin(first)
        record = _record(first, pack(entries))
        self._disk.write_all(self._descriptor, record)
        self._disk.sync(self._descriptor)
        self._size += len(record)

    def forget(self, size: int) -> None:
        """Remove files that hold only entries below ``size``, which must be in tiles on disk."""
        files = self._files()
        for path, following in pairwise(files):
            if _first(following) <= size:
                path.unlink()

    def close(self) -> None:
        """Close the file; nothing is lost."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _begin(self, first: int) -> None:
        self.close()
        path = self._folder / f"{first:020}{_SUFFIX}"
        path.touch(mode=0o600)
        self._disk.sync_folder(self._folder)
        self._append_to(path)

    def _append_to(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._size = path.stat().st_size

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{_SUFFIX}"))


def _first(path: Path) -> int:
    return int(path.name.removesuffix(_SUFFIX))


def _record(first: int, body: bytes) -> bytes:
    head = _MAGIC + first.to_bytes(8, "big") + len(body).to_bytes(4, "big")
    return head + hashlib.sha256(head + body).digest()[:_CHECK] + body


def _replay(path: Path, *, last: bool) -> tuple[int, list[tuple[int, bytes]]]:
    content = path.read_bytes()
    entries: list[tuple[int, bytes]] = []
    position = 0
    for start, first, body in _records(content):
        entries += [(first + i, entry) for i, entry in enumerate(unpack(body))]
        position = start + _HEAD + _CHECK + len(body)
    if position < len(content) and (not last or _followed(content, position)):
        index = entries[-1][0] + 1 if entries else _first(path)
        raise LogDamaged(index=index, why="an acknowledged record of the write-ahead file cannot be read")
    return position, entries


def _records(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The good records from the start, until the first that is not."""
    position = 0
    while (record := _read(content, position)) is not None:
        yield position, *record
        position += _HEAD + _CHECK + len(record[1])


def _read(content: bytes, position: int) -> tuple[int, bytes] | None:
    head = content[position : position + _HEAD]
    if len(head) < _HEAD or not head.startswith(_MAGIC):
        return None
    start = position + _HEAD + _CHECK
    body = content[start : start + int.from_bytes(head[12:], "big")]
    if hashlib.sha256(head + body).digest()[:_CHECK] != content[position + _HEAD : start]:
        return None
    try:
        unpack(body)
    except ProofRefused:
        return None
    return int.from_bytes(head[4:12], "big"), body


def _followed(content: bytes, position: int) -> bool:
    """Whether any good record lies behind this place: then what stands here was acknowledged before it."""
    position = content.find(_MAGIC, position + 1)
    while position >= 0:
        if _read(content, position) is not None:
            return True
        position = content.find(_MAGIC, position + 1)
    return False
