# SPDX-License-Identifier: Apache-2.0
"""What of a folder has been answered, kept beside the answers: whoever was killed goes on where the last row is whole.

The journal's first line says under which terms the work began; each further line names a file that was answered, its
exit code and where its row ends. Rows reach the disk before the lines that name them, so a row without a line is cut
off and answered again, and no line names a row that is not there.
"""

import hashlib
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any, Self

_TOGETHER = 64


class OtherTerms(Exception):
    """The journal was begun for another folder, at another trust or in another form."""


class Finished(Exception):
    """The table is there and whole; nothing is left to be done."""


class Journal:
    """The rows of one table, and which files they are about."""

    def __init__(self, out: Path, *, at: datetime, done: dict[str, int], size: int, lines: int) -> None:
        # When it was begun: what is resumed is judged as of the same moment.
        self.at = at
        # Exit codes by name.
        self.done = done
        self._beside = _beside(out)
        self._waiting: list[str] = []
        self._rows = os.open(out, os.O_WRONLY | os.O_CREAT, 0o644)
        os.ftruncate(self._rows, size)
        os.lseek(self._rows, size, os.SEEK_SET)
        self._size = size
        # What was being written when somebody died is cut off, or the next line would be written behind it.
        self._lines = os.open(self._beside, os.O_WRONLY)
        os.ftruncate(self._lines, lines)
        os.lseek(self._lines, lines, os.SEEK_SET)

    @classmethod
    def open(cls, out: Path, *, terms: str, at: datetime, header: str) -> Self:
        """Begin a table with its ``header``, or go on with one.

        Raises:
            OtherTerms: it was begun under other terms.
            Finished: it stands there whole.
        """
        beside, known = _beside(out), hashlib.sha256(terms.encode()).hexdigest()
        if not beside.exists():
            if out.exists():
                raise Finished
            _written(out, header.encode())
            _written(beside, (json.dumps({"terms": known, "at": at.isoformat()}) + "\n").encode())
        found = beside.read_bytes().splitlines(keepends=True)
        first = json.loads(found[0]) if found and found[0].endswith(b"\n") else {}
        if first.get("terms") != known:
            raise OtherTerms
        size, done, kept = len(header.encode()), dict[str, int](), len(found[0])
        there = out.stat().st_size if out.exists() else 0
        for each in found[1:]:
            line: dict[str, Any] = json.loads(each) if each.endswith(b"\n") else {}
            if line.get("end", there + 1) > there:
                break
            size, done[line["file"]] = line["end"], line["exit"]
            kept += len(each)
        return cls(out, at=datetime.fromisoformat(first["at"]), done=done, size=size, lines=kept)

    def add(self, name: str, row: str, code: int) -> None:
        """One file is answered."""
        data = row.encode()
        _all(self._rows, data)
        self._size += len(data)
        self._waiting.append(json.dumps({"file": name, "exit": code, "end": self._size}) + "\n")
        self.done[name] = code
        if len(self._waiting) >= _TOGETHER:
            self.keep()

    def keep(self) -> None:
        """Have what was answered so far on the disk."""
        os.fsync(self._rows)
        _all(self._lines, "".join(self._waiting).encode())
        self._waiting.clear()

    def close(self, *, whole: bool) -> None:
        """End the work; a whole table needs no journal any more."""
        self.keep()
        os.close(self._rows)
        os.close(self._lines)
        if whole:
            self._beside.unlink()


def _beside(out: Path) -> Path:
    return out.with_name(out.name + ".journal")


def _written(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    _all(descriptor, data)
    os.fsync(descriptor)
    os.close(descriptor)


def _all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
