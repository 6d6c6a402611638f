# SPDX-License-Identifier: Apache-2.0
"""Durable writes. After any error here nothing can be believed to be on disk, so the caller must stop."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import rmtree

from .store import BlobDiffers

_FEW = 8
_AT_ONCE = 8


class Disk:
    """The machine's file system; tests replace ``sync`` to make it fail."""

    def sync(self, descriptor: int) -> None:
        """Force one file's content to the disk."""
        os.fdatasync(descriptor)

    def sync_folder(self, folder: Path) -> None:
        """Force a folder's names to the disk."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def write_all(self, descriptor: int, content: bytes) -> None:
        """Write everything, however many calls that takes."""
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def put(self, path: Path, content: bytes, *, mode: int = 0o644) -> None:
        """A file that is there whole or not at all, and stays."""
        self.make(path.parent)
        self._put(path, content, mode)
        self.sync_folder(path.parent)

    def put_many(self, files: dict[Path, bytes]) -> None:
        """Many files, each folder synced once; beyond a few several at once, which share what a sync costs."""
        for folder in {path.parent for path in files}:
            self.make(folder)
        if len(files) <= _FEW:
            for path, content in files.items():
                self._put(path, content, 0o644)
        else:
            with ThreadPoolExecutor(_AT_ONCE, "log-disk") as threads:
                list(threads.map(lambda path: self._put(path, files[path], 0o644), files))
        for folder in {path.parent for path in files}:
            self.sync_folder(folder)

    def make(self, folder: Path) -> None:
        """A folder whose name stays."""
        if not folder.is_dir():
            self.make(folder.parent)
            folder.mkdir(exist_ok=True)
            self.sync_folder(folder.parent)

    def _put(self, path: Path, content: bytes, mode: int) -> None:
        draft = path.with_name(f".{path.name}.new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            self.write_all(descriptor, content)
            self.sync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(path)


class DiskBlobs:
    """A ``BlobStore`` below one folder.

    A file that is there already is written again all the same: after a crash it may be a page of the cache that never
    reached the disk.
    """

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self._folder = folder
        self._disk = disk or Disk()

    def get(self, path: str) -> bytes | None:
        """The bytes at a path."""
        try:
            return (self._folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def create(self, files: Mapping[str, bytes]) -> None:
        """Write, sync, and read back."""
        self._disk.put_many({self._folder / name: content for name, content in files.items()})
        for name, content in files.items():
            if self.get(name) != content:
                raise BlobDiffers(name)

    def replace(self, path: str, content: bytes) -> None:
        """Write, sync, rename, sync."""
        self._disk.put(self._folder / path, content)

    def remove(self, paths: Sequence[str]) -> None:
        """Unlink; the names are gone for good when this returns."""
        for path in paths:
            (self._folder / path).unlink(missing_ok=True)
        for folder in {(self._folder / path).parent for path in paths}:
            if folder.is_dir():
                self._disk.sync_folder(folder)

    def drop(self, folder: str) -> None:
        """Remove; what cannot be removed only takes room."""
        rmtree(self._folder / folder, ignore_errors=True)
