# SPDX-License-Identifier: Apache-2.0
"""One round of copying: is the source's checkpoint a continuation of ours, then batch by batch what is new.

A batch is kept only when the tree over it leads to the signed root by a consistency proof; tiles are computed here
from the entries and never taken over. How far it got stands in ``private/progress``; killed anywhere, the next round
goes on from there. The checkpoint is replaced last.

Where the source has pruned entries by its policy, which a note that the log signed must say, the hashes are copied and
the copy goes on from the first entry that is kept there. What the copy has of the rest, it keeps.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from core.clock import Clock
from core.errors import TallygateError, Unavailable
from core.log import logger

from ..blobs import BlobDiffers, Blobs, Disk, DiskBlobs
from ..errors import BadEvent, LogDamaged, LogInUse, ProofRefused
from ..lineage import CLOSED
from ..merkle import Checkpoint, CosignerKey, Edge, Note, VerifierKey, verify_consistency
from ..merkle.pruning import PRUNED, Pruning
from ..merkle.tiles import WIDTH, is_partial, partials_folder
from ..models_codec import decode_entry
from ..reader import LogReader
from .errors import LogForked, LogShrunk

BATCH = 64 * WIDTH
FEW, PATIENCE = 32, timedelta(minutes=1)
"""Growth that is not worth a round yet: reading is recorded at the source, and so makes its log grow."""
_CACHED = 512
_log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Copied:
    """Where the copy stands after a round."""

    size: int
    root: bytes
    # Entries that this round brought.
    new: int
    # Below it the log has pruned entries by its policy; the copy need not have them.
    first: int = 0
    # Origin of the log that continues this one; empty while it goes on.
    successor: str = ""


class Mirror:
    """One folder that copies one log; used by one thread."""

    def __init__(
        self,
        folder: Path,
        source: Blobs,
        key: VerifierKey,
        *,
        clock: Clock,
        cosigner: CosignerKey | None = None,
        disk: Disk | None = None,
    ) -> None:
        self._folder = folder
        self._source = source
        self._key = key
        self._clock = clock
        self._cosigner = cosigner
        self._disk = disk or Disk()
        self._blobs = DiskBlobs(folder, self._disk)
        self._progress = folder / "private" / "progress"
        self._copied_at: datetime | None = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Own the folder.

        Raises:
            LogInUse: another process copies into it.
        """
        with alone(self._folder, self._disk):
            yield

    def advance(self, *, lazy: bool = False, stopped: Callable[[], bool] = lambda: False) -> Copied:
        """Copy what the source has published; a ``lazy`` round leaves a little for later.

        Raises:
            LogForked, LogShrunk: what proves it is kept; nothing else was touched.
            LogDamaged: what the source hands out is not what the log signed; nothing of it was kept.
            Unavailable: the source did not answer to the end; the next round goes on.
            OSError: our own disk.
        """
        kept, note = self._kept(), self._source.get("checkpoint")
        if note is None:
            raise Unavailable
        shown = _opened(note, self._key)
        self._compare(kept, shown, note)
        if shown.size == (kept.size if kept else -1) or (lazy and kept and self._is_little(shown.size - kept.size)):
            return self._told(kept or shown, new=0)
        new = self._copy(_Round(self._source, note), kept, shown, stopped)
        if stopped() and new is None:
            return self._told(kept or Checkpoint(shown.origin, 0, Edge().root()), new=0)
        self._publish(note, shown)
        self._copied_at = self._clock.now()
        return self._told(shown, new=shown.size - (kept.size if kept else 0))

    def _is_little(self, growth: int) -> bool:
        recent = self._copied_at is not None and self._clock.now() - self._copied_at < PATIENCE
        return growth < FEW and recent

    def _kept(self) -> Checkpoint | None:
        raw = self._blobs.get("checkpoint")
        return _opened(raw, self._key) if raw is not None else None

    def _compare(self, kept: Checkpoint | None, shown: Checkpoint, note: bytes) -> None:
        """Demand that both checkpoints can be true, by tiles of the larger one that were verified."""
        if kept is None or kept == shown:
            return
        small, large = (kept, shown) if kept.size <= shown.size else (shown, kept)
        if small.size == large.size:
            raise LogForked(old=kept.size, new=shown.size, evidence=self._evidence(kept, shown, note))
        # Our own tiles where they are the larger tree, else the source's, which must lead to the root it signed.
        tiles = self._reader() if large is kept else LogReader(_Round(self._source, note), str(self._key))
        proof = tiles.consistency_proof(small.size, large.size)
        try:
            verify_consistency(old=small.size, new=large.size, old_root=small.root, new_root=large.root, proof=proof)
        except ProofRefused as error:
            evidence = self._evidence(kept, shown, note)
            raise LogForked(old=kept.size, new=shown.size, evidence=evidence) from error
        if large is kept:
            raise LogShrunk(old=kept.size, new=shown.size, evidence=self._evidence(kept, shown, note))

    def _evidence(self, kept: Checkpoint, shown: Checkpoint, note: bytes) -> str:
        folder = self._folder / "evidence"
        own = self._blobs.get("checkpoint") or b""
        for checkpoint, raw in ((kept, own), (shown, note)):
            self._disk.put(folder / f"{checkpoint.size}-{checkpoint.root.hex()[:16]}.note", raw)
        return str(folder)

    def _copy(
        self, source: "_Round", kept: Checkpoint | None, shown: Checkpoint, stopped: Callable[[], bool]
    ) -> int | None:
        reader = LogReader(source, str(self._key))
        edge, first = self._edge(kept), self._pruned(source, shown)
        while edge.size < shown.size:
            if stopped():
                return None
            end = min(shown.size, (edge.size // BATCH + 1) * BATCH)
            if edge.size < first:
                end = min(end, first)
                edge, files = edge.extend_pruned(self._leaves(reader, edge.size, end, shown.size))
            else:
                edge, files = edge.extend(self._entries(reader, edge.size, end, shown.size))
            self._demand_part(reader, edge, shown)
            try:
                self._blobs.create(files)
            except BlobDiffers as error:
                raise OSError(f"{error.path} was stored differently") from error
            if end < shown.size:
                told = {"size": edge.size, "root": edge.root().hex()}
                self._disk.put(self._progress, json.dumps(told).encode(), mode=0o600)
            self._litter = {partials_folder(name) for name in files if not is_partial(name)}
            if end < shown.size:
                self._sweep()
        return edge.size

    def _pruned(self, source: "_Round", shown: Checkpoint) -> int:
        """From where on the source has entries; its signed note is kept, unless an older one is shown again.

        Raises:
            LogDamaged: the note is not the log's, or speaks of entries beyond the checkpoint.
        """
        raw = source.get(PRUNED)
        if raw is None:
            return 0
        try:
            said = Pruning.read(raw, self._key)
        except ProofRefused as error:
            raise LogDamaged(index=0, why=f"the note of pruning: {error.parameters['why']}") from error
        if said.first > shown.size:
            raise LogDamaged(index=shown.size, why="the note of pruning speaks of entries that are not there")
        if said.first > self._reader().first():
            self._blobs.replace(PRUNED, raw)
        return said.first

    def _leaves(self, reader: LogReader, start: int, end: int, size: int) -> list[bytes]:
        leaves: list[bytes] = []
        for index in range(start // WIDTH, end // WIDTH):
            leaves += reader.tile(0, index, size)[max(0, start - index * WIDTH) :]
        return leaves

    def _entries(self, reader: LogReader, start: int, end: int, size: int) -> list[bytes]:
        entries: list[bytes] = []
        for index in range(start // WIDTH, -(-end // WIDTH)):
            bundle = reader.bundle(index, size)
            entries += bundle[max(0, start - index * WIDTH) : end - index * WIDTH]
        return entries

    def _demand_part(self, reader: LogReader, edge: Edge, shown: Checkpoint) -> None:
        if edge.size == shown.size:
            if edge.root() != shown.root:
                raise LogDamaged(index=edge.size - 1, why="the entries do not lead to the signed root")
            return
        try:
            verify_consistency(
                old=edge.size,
                new=shown.size,
                old_root=edge.root(),
                new_root=shown.root,
                proof=reader.consistency_proof(edge.size, shown.size),
            )
        except ProofRefused as error:
            raise LogDamaged(index=edge.size - 1, why="the entries do not lead to the signed root") from error

    def _edge(self, kept: Checkpoint | None) -> Edge:
        """Where the copy stands: the last progress, if it is beyond the last checkpoint and our disk still has it."""
        size, root = (kept.size, kept.root) if kept else (0, Edge().root())
        try:
            told = json.loads(self._progress.read_bytes())
            if told["size"] > size:
                edge = self._reader().edge(told["size"])
                if edge.root().hex() == told["root"]:
                    return edge
        except (OSError, ValueError, KeyError, TypeError, LogDamaged) as error:
            _log.info("copying_from_the_checkpoint", size=size, why=str(error))
        edge = self._reader().edge(size)
        if edge.root() != root:
            raise LogDamaged(index=0, why="our own copy does not lead to the root of its checkpoint")
        return edge

    def _publish(self, note: bytes, shown: Checkpoint) -> None:
        if self._cosigner is not None:
            parsed = Note.parse(note)
            own = self._cosigner.cosign(parsed.text, self._clock.now())
            note = str(Note(parsed.text, (*parsed.signatures, *own))).encode()
        self._blobs.replace("checkpoint", note)
        self._progress.unlink(missing_ok=True)
        self._sweep()
        _log.info("mirrored", origin=shown.origin, size=shown.size)

    def _sweep(self) -> None:
        for folder in self._litter:
            self._blobs.drop(folder)
        self._litter = set()

    def _told(self, at: Checkpoint, *, new: int) -> Copied:
        successor = self._successor(at.size) if at.size else ""
        return Copied(size=at.size, root=at.root, new=new, first=self._reader().first(), successor=successor)

    def _successor(self, size: int) -> str:
        try:
            [raw] = self._reader().entries_bytes(size - 1, 1)
            last = decode_entry(size - 1, raw).event
        except (BadEvent, ValueError, TallygateError):
            # A log of other software; or nothing was copied yet.
            return ""
        return last.object if last.type == CLOSED else ""

    def _reader(self) -> LogReader:
        return LogReader(self._folder, str(self._key))

    _litter: set[str] = set()  # noqa: RUF012 - replaced, never changed


@contextmanager
def alone(folder: Path, disk: Disk) -> Iterator[None]:
    """Own a folder.

    Raises:
        LogInUse: another process copies into it.
    """
    private = folder / "private"
    disk.make(private)
    private.chmod(0o700)
    lock = os.open(private / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise LogInUse from error
    try:
        yield
    finally:
        os.close(lock)


class _Round:
    """The source as of one checkpoint, with the hash tiles that were asked for lately."""

    def __init__(self, source: Blobs, note: bytes) -> None:
        self._source = source
        self._note = note
        self._tiles: dict[str, bytes] = {}

    def get(self, path: str) -> bytes | None:
        if path == "checkpoint":
            return self._note
        if path in self._tiles:
            return self._tiles[path]
        found = self._source.get(path)
        if found is not None and not path.startswith("tile/entries/"):
            if len(self._tiles) >= _CACHED:
                self._tiles.clear()
            self._tiles[path] = found
        return found


def _opened(note: bytes, key: VerifierKey) -> Checkpoint:
    try:
        return Checkpoint.verified(note, [key])
    except ProofRefused as error:
        raise LogDamaged(index=0, why=f"the checkpoint: {error.parameters['why']}") from error
