# SPDX-License-Identifier: Apache-2.0
"""The file of hashes: built from a corpus, searched by halving."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import UnreadableBreaches
from .shipped import is_common

MAGIC = b"tallygate-known\n"
FILE = "breached.list"
"""In the folder of the directory's role."""
KEPT = 12
_HEADER = 32
_NAMES = {40: "sha1", 64: "sha256"}
_WRITTEN_AT_ONCE = 1 << 20


class KnownPasswords:
    """Whether attackers know a password already; safe to share between threads and processes."""

    def __init__(self, path: Path) -> None:
        """``path`` may be missing: then only what everybody knows is refused."""
        self._path = path

    def holds(self, password: str) -> bool:
        """Whether it is one that everybody tries, or stands in the installed list.

        Raises:
            UnreadableBreaches: there is a list, and it is none.
        """
        if is_common(password):
            return True
        try:
            opened = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise UnreadableBreaches(line=0) from error
        try:
            return _found(opened, password)
        finally:
            os.close(opened)


def build(lines: Iterable[bytes], target: Path) -> int:
    """Build the file from a corpus and put it in place; how many hashes it holds.

    Raises:
        UnreadableBreaches: a line is no hash, of another kind than the first, or out of order; nothing was changed.
    """
    made = target.with_name(f".{target.name}.new")
    try:
        with made.open("wb") as file:
            count = 0
            width, last, waiting = 0, b"", bytearray()
            for count, line in enumerate(lines, 1):
                text = line.partition(b":")[0].strip()
                width = width or len(text)
                if width not in _NAMES or len(text) != width:
                    raise UnreadableBreaches(line=count)
                try:
                    value = bytes.fromhex(text.decode("ascii"))
                except ValueError as error:
                    raise UnreadableBreaches(line=count) from error
                if value <= last:
                    raise UnreadableBreaches(line=count)
                if not last:
                    file.write(_header(_NAMES[width]))
                last = value
                waiting += value[:KEPT]
                if len(waiting) >= _WRITTEN_AT_ONCE:
                    file.write(waiting)
                    waiting.clear()
            if not count:
                raise UnreadableBreaches(line=0)
            file.write(waiting)
            file.flush()
            os.fsync(file.fileno())
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)
    return count


def _header(name: str) -> bytes:
    return MAGIC + name.encode().ljust(8, b"\0") + KEPT.to_bytes(8, "big")


def _found(opened: int, password: str) -> bool:
    header, size = os.pread(opened, _HEADER, 0), os.fstat(opened).st_size - _HEADER
    name = header[16:24].rstrip(b"\0").decode("ascii", "replace")
    kept = int.from_bytes(header[24:32], "big")
    if header[:16] != MAGIC or name not in _NAMES.values() or kept != KEPT or size % kept:
        raise UnreadableBreaches(line=0)
    wanted = hashlib.new(name, password.encode("utf-8", "replace"), usedforsecurity=False).digest()[:kept]
    low, high = 0, size // kept
    while low < high:
        middle = (low + high) // 2
        here = os.pread(opened, kept, _HEADER + middle * kept)
        if here == wanted:
            return True
        low, high = (middle + 1, high) if here < wanted else (low, middle)
    return False
