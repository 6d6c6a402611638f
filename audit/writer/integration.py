# SPDX-License-Identifier: Apache-2.0
"""From sequenced to published: one ceremony, which recovery runs again from wherever a crash left it.

Committed means: ``private/committed`` holds the signed checkpoint. Before, nothing was promised about the tree; after,
the tiles will be written, by us or by our successor from the staging file.
"""

from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree

from core.clock import Clock

from ..errors import LogDamaged
from ..merkle import Checkpoint, Edge, LogKey, leaf_hash
from ..merkle.tiles import WIDTH, bundle_path, partials_folder, tile_path, unpack
from ..reader import LogReader
from . import staging
from .disk import Disk


class Integrator:
    """Owns the tree and the checkpoint; used by one thread at a time."""

    def __init__(self, folder: Path, *, key: LogKey, clock: Clock, disk: Disk) -> None:
        self._folder = folder
        self._private = folder / "private"
        self._staged = self._private / "staging"
        self._committed = self._private / "committed"
        self._key = key
        self._clock = clock
        self._disk = disk
        self.reader = LogReader(folder, str(key.vkey))
        self.edge = Edge()
        # The signed note as last published.
        self.note = ""

    def create(self) -> None:
        """Commit and publish the empty tree."""
        note = Checkpoint(self._key.origin, 0, Edge().root()).sign(self._key, self._clock.now())
        self._disk.put(self._committed, note.encode())
        self._disk.put(self._folder / "checkpoint", note.encode())

    def recover(self) -> None:
        """Finish what was committed, drop what was not, and read the tree's edge back from the tiles.

        Raises:
            LogDamaged: what is stored contradicts what was committed.
        """
        self.note = self._committed.read_text("utf-8")
        committed = self.reader.opened(self.note)
        published = self.reader.checkpoint()
        if published.size > committed.size:
            raise LogDamaged(index=committed.size, why="the published checkpoint is ahead of the committed one")
        if self._staged.exists():
            files = staging.read(self._staged, index=published.size)
            if files.pop("checkpoint", b"") == committed.text.encode():
                self._publish(files, committed.size)
            self._staged.unlink()
        elif published != committed:
            raise LogDamaged(index=published.size, why="the committed checkpoint has no staging file")
        self.edge = self.reader.edge(committed.size)
        if self.edge.root() != committed.root:
            raise LogDamaged(index=0, why="the tiles do not lead to the committed root")

    def integrate(self, entries: Sequence[bytes], leaves: Sequence[bytes]) -> Checkpoint:
        """Take sequenced entries into the tree and publish a checkpoint that covers them.

        Raises:
            OSError, LogDamaged: the process must stop; its successor decides from the disk.
        """
        # 1. Compute the files that change.
        edge, files = self.edge.extend(entries)
        checkpoint = Checkpoint(self._key.origin, edge.size, edge.root())
        # 2. Stage them. Dying until the commit costs nothing: the entries are in the write-ahead file.
        staging.write(self._staged, {"checkpoint": checkpoint.text.encode(), **files}, self._disk)
        # 3. Re-read what was stored and recompute, so that a flipped bit is never signed.
        self._compare(staging.read(self._staged, index=self.edge.size), files, leaves, checkpoint)
        # 4. Sign and commit. From here on this checkpoint is the only one of its size.
        note = checkpoint.sign(self._key, self._clock.now())
        self._commit(note)
        # 5. Write the tiles, re-read them, publish.
        self._publish(files, edge.size)
        # 6. The staging file has done its work; a left-over would only be replayed.
        self._staged.unlink()
        self._drop_partials(edge.size)
        self.edge = edge
        return checkpoint

    def _compare(
        self, stored: dict[str, bytes], files: dict[str, bytes], leaves: Sequence[bytes], expected: Checkpoint
    ) -> None:
        again: list[bytes] = []
        for index in range(self.edge.size // WIDTH, -(-expected.size // WIDTH)):
            width = min(WIDTH, expected.size - index * WIDTH)
            again += unpack(stored[bundle_path(index, width)])
        again = again[self.edge.size % WIDTH :]
        for i, (entry, leaf) in enumerate(zip(again, leaves, strict=True)):
            if leaf_hash(entry) != leaf:
                raise LogDamaged(index=self.edge.size + i, why="it was stored differently from what was acknowledged")
        edge, files_again = self.edge.extend(again)
        del stored["checkpoint"]
        if edge.root() != expected.root or files_again != files or stored != files:
            raise LogDamaged(index=self.edge.size, why="the staged tiles are not those of the entries")

    def _commit(self, note: str) -> None:
        """Compare and swap; the lock on the folder makes it atomic."""
        if self._committed.read_text("utf-8") != self.note:
            raise LogDamaged(index=self.edge.size, why="somebody else committed a checkpoint")
        self._disk.put(self._committed, note.encode())
        self.note = note

    def _publish(self, files: dict[str, bytes], size: int) -> None:
        paths = {self._folder / name: content for name, content in files.items()}
        self._disk.put_many(paths)
        for path, content in paths.items():
            if path.read_bytes() != content:
                raise LogDamaged(index=size - 1, why=f"{path.name} was stored differently")
        self._disk.put(self._folder / "checkpoint", self.note.encode())

    def _drop_partials(self, size: int) -> None:
        """Remove the forerunners of tiles that became full; readers fall back to the full tile."""
        for level in range(len(self.edge.hashes)):
            index = self.edge.size // WIDTH ** (level + 1)
            if size // WIDTH ** (level + 1) == index:
                break
            names = [tile_path(level, index)] + ([bundle_path(index)] if level == 0 else [])
            for name in names:
                rmtree(self._folder / partials_folder(name), ignore_errors=True)
