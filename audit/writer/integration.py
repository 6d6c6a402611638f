# SPDX-License-Identifier: Apache-2.0
"""From sequenced to published: one ceremony, which recovery runs again from wherever a crash left it.

Committed means: ``private/committed`` holds the signed checkpoint. Before, nothing was promised about the tree; after,
the tiles will be written, by us or by our successor from the staging file. Both lie on the writer's own disk; where
the tiles go is of no account, and may be out of reach for a while.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.clock import Clock
from core.log import logger

from ..blobs import BlobDiffers, BlobStore, Disk
from ..errors import LogDamaged, TilesUnavailable
from ..merkle import Checkpoint, Edge, LogKey, leaf_hash
from ..merkle.note import Note
from ..merkle.tiles import WIDTH, bundle_path, is_partial, levels, partials_folder, tile_path, unpack
from ..reader import LogReader
from . import staging
from .time import BEGINNING

_log = logger(__name__)


@dataclass(frozen=True)
class _Committed:
    """An integration beyond its commit: what is still to be written, and where the tree stands after it."""

    files: Mapping[str, bytes]
    edge: Edge
    checkpoint: Checkpoint


class Integrator:
    """Owns the tree and the checkpoint; used by one thread at a time."""

    def __init__(self, folder: Path, *, key: LogKey, clock: Clock, disk: Disk, blobs: BlobStore) -> None:
        private = folder / "private"
        self._staged = private / "staging"
        self._committed = private / "committed"
        self._key = key
        self._clock = clock
        self._disk = disk
        self._blobs = blobs
        self.reader = LogReader(blobs, str(key.vkey))
        self.edge = Edge()
        # The signed note as last published.
        self.note = ""
        # The signed note as last committed; another one while something is under way.
        self._note = ""
        self._under_way: _Committed | None = None
        # The time of the last checkpoint; the next one is never earlier, whatever the clock says.
        self.signed_at = BEGINNING
        # Folders of partial tiles that could not be removed when their time had come.
        self._litter: set[str] = set()

    def create(self) -> None:
        """Commit and publish the empty tree."""
        note = self._sign(Checkpoint(self._key.origin, 0, Edge().root()))
        self._disk.put(self._committed, note.encode())
        self._blobs.replace("checkpoint", note.encode())

    def recover(self) -> None:
        """Finish what was committed, drop what was not, and read the tree's edge back from the tiles.

        Raises:
            LogDamaged: what is stored contradicts what was committed.
            TilesUnavailable: the store of tiles does not answer.
        """
        self._note = self._committed.read_text("utf-8")
        committed = self.reader.opened(self._note)
        if self._key.mldsa_vkey is not None:
            note = Note.parse(self._note.encode())
            self.signed_at = committed.verify_cosignature(note, self._key.mldsa_vkey)
        if committed.size == 0 and self._blobs.get("checkpoint") is None:
            # The birth died between its two steps.
            self._blobs.replace("checkpoint", self._note.encode())
        published = self.reader.checkpoint()
        if published.size > committed.size:
            raise LogDamaged(index=committed.size, why="the published checkpoint is ahead of the committed one")
        if published.size == committed.size and published.root != committed.root:
            raise LogDamaged(index=0, why="the published checkpoint is not the committed one")
        if self._staged.exists():
            files = staging.read(self._staged, index=published.size)
            if files.pop("checkpoint", b"") == committed.text.encode():
                self._publish(files, committed.size)
            self._staged.unlink()
        self.edge = self._edge(committed)
        if published != committed:
            # Replayed just now; or the tiles are there, and we were shown an old checkpoint or somebody put it back.
            self._blobs.replace("checkpoint", self._note.encode())
        self.note = self._note
        self._sweep()

    def _sign(self, checkpoint: Checkpoint) -> str:
        self.signed_at = max(self.signed_at, self._clock.now())
        return checkpoint.sign(self._key, self.signed_at)

    @property
    def under_way(self) -> int:
        """How many entries are committed and not published; ``integrate`` must be given exactly these."""
        return self._under_way.edge.size - self.edge.size if self._under_way else 0

    def integrate(self, entries: Sequence[bytes], leaves: Sequence[bytes]) -> Checkpoint:
        """Take sequenced entries into the tree and publish a checkpoint that covers them.

        Raises:
            TilesUnavailable: nothing was promised, or it was and the tiles are still to be written; calling again
                goes on from there. Who waits for a checkpoint waits longer, nothing else is lost.
            OSError, LogDamaged: the process must stop; its successor decides from the disk.
        """
        if self._under_way is None:
            self._under_way = self._prepare(entries, leaves)
        files, edge, checkpoint = self._under_way.files, self._under_way.edge, self._under_way.checkpoint
        # 5. Write the tiles, re-read them, publish. Repeated as a whole where the store gave no answer.
        self._publish(files, edge.size)
        # 6. The staging file has done its work; a left-over would only be replayed.
        self._staged.unlink()
        self.edge, self.note, self._under_way = edge, self._note, None
        return checkpoint

    def _prepare(self, entries: Sequence[bytes], leaves: Sequence[bytes]) -> _Committed:
        # 0. See that the store answers, and that nobody else writes there; nothing is committed on its word.
        self._look()
        # 1. Compute the files that change.
        edge, files = self.edge.extend(entries, leaves)
        checkpoint = Checkpoint(self._key.origin, edge.size, edge.root())
        # 2. Stage them. Dying until the commit costs nothing: the entries are in the write-ahead file.
        staging.write(self._staged, {"checkpoint": checkpoint.text.encode(), **files}, self._disk)
        # 3. Re-read what was stored and recompute, so that a flipped bit is never signed.
        self._compare(staging.read(self._staged, index=self.edge.size), files, leaves, checkpoint)
        # 4. Sign and commit. From here on this checkpoint is the only one of its size.
        self._commit(self._sign(checkpoint))
        return _Committed(files, edge, checkpoint)

    def _look(self) -> None:
        published = self.reader.checkpoint()
        # An older one is an answer from a cache, or was put back; ours replaces it in a moment.
        if published.size > self.edge.size or (published.size == self.edge.size and published.root != self.edge.root()):
            raise LogDamaged(index=self.edge.size, why="somebody else published a checkpoint")

    def _edge(self, committed: Checkpoint) -> Edge:
        edge = self.reader.edge(committed.size)
        if edge.root() != committed.root:
            raise LogDamaged(index=0, why="the tiles do not lead to the committed root")
        return edge

    def _compare(
        self, stored: dict[str, bytes], files: dict[str, bytes], leaves: Sequence[bytes], expected: Checkpoint
    ) -> None:
        again: list[bytes] = []
        for index in range(self.edge.size // WIDTH, -(-expected.size // WIDTH)):
            width = min(WIDTH, expected.size - index * WIDTH)
            again += unpack(stored[bundle_path(index, width)])
        again = again[self.edge.size % WIDTH :]
        hashed = list(map(leaf_hash, again))
        if hashed != list(leaves):
            i = next((i for i, (one, other) in enumerate(zip(hashed, leaves, strict=False)) if one != other), 0)
            raise LogDamaged(index=self.edge.size + i, why="it was stored differently from what was acknowledged")
        edge, files_again = self.edge.extend(again, hashed)
        del stored["checkpoint"]
        if edge.root() != expected.root or files_again != files or stored != files:
            raise LogDamaged(index=self.edge.size, why="the staged tiles are not those of the entries")

    def _commit(self, note: str) -> None:
        """Compare and swap; the lock on the folder makes it atomic."""
        if self._committed.read_text("utf-8") != self._note:
            raise LogDamaged(index=self.edge.size, why="somebody else committed a checkpoint")
        self._disk.put(self._committed, note.encode())
        self._note = note

    def _publish(self, files: Mapping[str, bytes], size: int) -> None:
        """Write the tiles of a commit, then its checkpoint; the partial tiles that it ended go last.

        All before the staging file goes, so that recovery drops them too.
        """
        try:
            self._blobs.create(files)
        except BlobDiffers as error:
            raise LogDamaged(index=size - 1, why=f"{error.path} was stored differently") from error
        self._blobs.replace("checkpoint", self._note.encode())
        self._drop({partials_folder(name) for name in files if not is_partial(name)})

    def _sweep(self) -> None:
        """Partial tiles of the last full tile on each level: a predecessor may not have been able to remove them."""
        last = [(level, self.edge.size // WIDTH ** (level + 1) - 1) for level in range(levels(self.edge.size))]
        names = [tile_path(level, index) for level, index in last if index >= 0]
        names += [bundle_path(index) for level, index in last if level == 0 and index >= 0]
        self._drop({partials_folder(name) for name in names})

    def _drop(self, folders: set[str]) -> None:
        """Remove the forerunners of tiles that became full; readers fall back to the full tile."""
        self._litter |= folders
        for folder in sorted(self._litter):
            try:
                self._blobs.drop(folder)
            except TilesUnavailable as error:
                # They only take room; the next round tries again.
                _log.warning("partials_not_dropped", folder=folder, exc_info=error)
                return
            self._litter.discard(folder)
