# SPDX-License-Identifier: Apache-2.0
"""A disk whose power fails: what was not synced may be lost, torn or kept, as POSIX allows, decided by a seed.

The log works on a real folder, which plays the page cache. Beside it stands what the platters hold: the content of
each file as of its last fsync, and the names of each folder as of that folder's last fsync. When the power fails, the
real folder is made anew from the platters: a name that was never synced is there or not, and content that was never
synced is lost, cut somewhere, or all there. Files whose owner keeps them by itself (SQLite) are left as they are.
"""

import os
import shutil
from pathlib import Path
from random import Random

from audit.blobs import Disk

_OWN = (".db", "-wal", "-shm")


class PowerFailed(BaseException):
    """The machine is off; nothing that runs now may go on."""


class Platters:
    """What one folder holds for good."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # Content at the last fsync, by inode; the descriptors keep the numbers from being used again.
        self._content: dict[int, bytes] = {}
        self._held: dict[int, int] = {}
        # Names at the last fsync of their folder, by folder.
        self._names: dict[Path, dict[str, int]] = {}
        self.everything()

    def everything(self) -> None:
        """All that is there now is on the platters, as after a long time or a clean unmount."""
        self._names.clear()
        for folder in (self.root, *(path for path in self.root.rglob("*") if path.is_dir())):
            self.folder(folder)
        for path in self._files():
            descriptor = os.open(path, os.O_RDONLY)
            self.file(descriptor)
            os.close(descriptor)

    def file(self, descriptor: int) -> None:
        """The file's content was synced."""
        found = os.fstat(descriptor)
        if found.st_ino not in self._held:
            self._held[found.st_ino] = os.dup(descriptor)
        self._content[found.st_ino] = _read(descriptor)

    def folder(self, folder: Path) -> None:
        """The folder's names were synced."""
        self._names[folder] = {entry.name: entry.inode() for entry in os.scandir(folder)}

    def fail(self, dice: Random) -> None:
        """Make the folder what a reader finds after the power came back."""
        after: dict[Path, bytes] = {}
        folders: list[Path] = []
        self._walk(self.root, dice, after, folders)
        kept = {path: path.read_bytes() for path in self._files(own=True)}
        for path in self.root.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for folder in folders:
            folder.mkdir(exist_ok=True)
        for path, content in (*after.items(), *kept.items()):
            if path.parent.is_dir():
                path.write_bytes(content)
                path.chmod(0o600)
        self.close()
        self.everything()

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()
        self._content.clear()

    def _walk(self, folder: Path, dice: Random, after: dict[Path, bytes], folders: list[Path]) -> None:
        now = {entry.name: entry.inode() for entry in os.scandir(folder)} if folder.is_dir() else {}
        synced = self._names.get(folder, {})
        for name in sorted(now.keys() | synced.keys()):
            # A name that changed since the last sync of its folder may be as before or as it was made since.
            choices = [synced.get(name), now.get(name)]
            inode = choices[0] if choices[0] == choices[1] else dice.choice(choices)
            path = folder / name
            if inode is None or path.name.endswith(_OWN):
                continue
            if path.is_dir() or path in self._names:
                folders.append(path)
                self._walk(path, dice, after, folders)
            else:
                after[path] = self._surviving(inode, path, dice)

    def _surviving(self, inode: int, path: Path, dice: Random) -> bytes:
        durable = self._content.get(inode, b"")
        present = durable
        if inode in self._held:
            present = _read(self._held[inode])
        elif path.exists() and path.stat().st_ino == inode:
            present = path.read_bytes()
        if present == durable:
            return durable
        if durable.startswith(present):
            # Cut off and not synced: as before or as cut, but what stands before the cut was synced once.
            return dice.choice([durable, present])
        if present.startswith(durable):
            # Appended and not synced: any part of it may have arrived, and its last page may be torn.
            new = present[len(durable) :]
            cut = dice.randrange(len(new) + 1)
            torn = bytes(dice.randbytes(min(16, len(new) - cut))) if dice.random() < 0.3 else b""
            return durable + new[:cut] + torn
        return dice.choice([durable, present, b""])

    def _files(self, *, own: bool = False) -> list[Path]:
        return [path for path in self.root.rglob("*") if path.is_file() and path.name.endswith(_OWN) is own]


class FailingPower(Disk):
    """A disk that counts its steps and fails at one of them: before, amid or after it. Syncs nothing."""

    def __init__(self, platters: Platters, dice: Random, *, fails_at: int) -> None:
        self._platters = platters
        self._dice = dice
        self._left = fails_at
        self.steps = 0

    def sync(self, descriptor: int) -> None:
        self._step()
        self._platters.file(descriptor)
        self._step()

    def sync_folder(self, folder: Path) -> None:
        self._step()
        self._platters.folder(folder)
        self._step()

    def write_all(self, descriptor: int, content: bytes) -> None:
        # Amid a write: a part of it is in the cache.
        amid = self._dice.randrange(len(content) + 1)
        super().write_all(descriptor, content[:amid])
        self._step()
        super().write_all(descriptor, content[amid:])

    def _step(self) -> None:
        self.steps += 1
        if self._left == 0:
            raise PowerFailed
        self._left -= 1


def _read(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    # One opened for writing only is read through its name in /proc.
    with Path(f"/proc/self/fd/{descriptor}").open("rb") as file:
        return file.read(size)
