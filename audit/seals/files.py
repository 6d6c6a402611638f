# SPDX-License-Identifier: Apache-2.0
"""The partitions' files: made whole, opened when needed, overwritten and unlinked as a whole.

A file's shape never changes; another shape would begin with new partitions. Overwriting reaches the blocks that the
file system still calls the file's; on copy-on-write file systems, on flash, and in backups older ones may live on:
there the disk has to be encrypted, and backups kept no longer than the class.
"""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from core.db import Database

from .partitions import Partition

_CHUNK = 1024 * 1024
_DROPPING = ".dropping-"
_BESIDE = ("", "-wal", "-shm", "-turn", "-gate")


class PartitionFiles:
    """One folder of partitions; several processes may have it open, of which only the log's writer makes files."""

    def __init__(self, folder: Path, *, shape: Callable[[Database], None]) -> None:
        """``shape`` makes the tables of a new one."""
        self._folder = folder
        self._shape = shape
        self._guard = threading.Lock()
        self._opened: dict[Partition, tuple[str, Database]] = {}

    def path(self, partition: Partition) -> Path:
        """Where a partition lies."""
        return self._folder / f"{partition.name}.db"

    def all(self) -> list[Partition]:
        """Every partition there is, the oldest first."""
        if not self._folder.is_dir():
            return []
        names = (path.stem for path in self._folder.glob("*.db") if not path.name.startswith("."))
        return sorted(found for name in names if (found := Partition.named(name)))

    def find(self, partition: Partition) -> Database | None:
        """One that exists; whoever had a dropped one open lets go of it here."""
        known = self._opened.get(partition)
        # Every batch of the log looks whether its partition is still there.
        path = known[0] if known is not None else str(self.path(partition))
        if _exists(path):
            return known[1] if known is not None else self._open(partition, path)
        self._let_go(partition)
        return None

    def _open(self, partition: Partition, path: str) -> Database:
        with self._guard:
            if partition not in self._opened:
                self._opened[partition] = path, Database.open(f"sqlite:///{path}", connections=4)
            return self._opened[partition][1]

    def _let_go(self, partition: Partition) -> None:
        with self._guard:
            opened = self._opened.pop(partition, None)
        if opened is not None:
            opened[1].close()

    def make(self, partition: Partition) -> Database:
        """One that exists afterwards: it appears whole or not at all."""
        found = self.find(partition)
        if found is not None:
            return found
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".new-{partition.name}.db"
        _unlink(draft)
        database = Database.open(f"sqlite:///{draft}", connections=1)
        self._shape(database)
        database.close()
        draft.chmod(0o600)
        draft.rename(self.path(partition))
        _sync(self._folder)
        _unlink(draft)
        made = self.find(partition)
        if made is None:
            raise FileNotFoundError(self.path(partition))
        return made

    def drop(self, partition: Partition) -> None:
        """Overwrite and unlink one; from the first moment on nobody finds it."""
        path = self.path(partition)
        self._let_go(partition)
        # The database itself first: nobody may open it without what lies beside it.
        found = [each for beside in _BESIDE if (each := path.with_name(path.name + beside)).exists()]
        for each in found:
            each.rename(self._folder / f"{_DROPPING}{each.name}")
        if found:
            _sync(self._folder)
        self.finish()

    def finish(self) -> None:
        """Overwrite and unlink what a drop that was cut off left behind."""
        left = sorted(self._folder.glob(f"{_DROPPING}*")) if self._folder.is_dir() else []
        for path in left:
            _overwrite(path)
            path.unlink()
        if left:
            _sync(self._folder)

    def bytes(self, partition: Partition) -> int:
        """How much a partition takes on the disk."""
        path = self.path(partition)
        return sum(found.stat().st_size for beside in _BESIDE if (found := path.with_name(path.name + beside)).exists())

    def close(self) -> None:
        """Return every connection."""
        with self._guard:
            opened, self._opened = list(self._opened.values()), {}
        for _path, database in opened:
            database.close()


def _exists(path: str) -> bool:
    """Whether it is there; a disk that does not say so is no no."""
    try:
        os.stat(path)  # noqa: PTH116 - a path is made of it once
    except FileNotFoundError:
        return False
    return True


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        for chunk in _zeros(path.stat().st_size):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _zeros(size: int) -> Iterator[bytes]:
    while size > 0:
        yield bytes(min(size, _CHUNK))
        size -= _CHUNK


def _unlink(path: Path) -> None:
    for beside in _BESIDE:
        path.with_name(path.name + beside).unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
