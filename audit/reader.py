# SPDX-License-Identifier: Apache-2.0
"""Reading the published log: the verified checkpoint, entries that were checked against it, and proofs.

Nothing stored is believed: a bundle is hashed and compared with its tile before an entry is handed out, and a proof is
checked against the signed root before it is.
"""

from collections.abc import Callable
from pathlib import Path

from .blobs import Blobs, DiskBlobs
from .errors import BadEvent, LogDamaged, NoSuchEntry, ProofRefused, Pruned, TilesUnavailable
from .merkle import Checkpoint, VerifierKey, leaf_hash, root_hash, verify_consistency, verify_inclusion
from .merkle.hashing import HASH_SIZE
from .merkle.proofs import consistency_proof, inclusion_proof, range_hash
from .merkle.pruning import PRUNED, Pruning
from .merkle.tiles import WIDTH, Edge, bundle_path, is_tile_path, levels, split, tile_path, unpack, width_at
from .models import Entry
from .press import SHAPES

WITNESSED = "witnessed"
"""File of the cosigned checkpoint, beside the published one."""
_LEVEL_BITS = 8
_TILES_KEPT = 256


class LogReader:
    """One log, in a folder or wherever else its public part lies, pinned by the log's verifier key.

    Where the store may be out of reach, every verb may raise ``TilesUnavailable``.
    """

    def __init__(self, where: Blobs | Path, vkey: str) -> None:
        self._blobs = DiskBlobs(where) if isinstance(where, Path) else where
        self._key = VerifierKey.parse(vkey)
        # The note that was checked last, and what it says: whoever follows the log meets the same one many times.
        self._last: tuple[str, Checkpoint] | None = None

    @property
    def origin(self) -> str:
        """The log's origin."""
        return self._key.name

    @property
    def name(self) -> str:
        """The last part of its origin."""
        return self._key.name.rpartition("/")[2]

    def note(self) -> str:
        """The newest published checkpoint, a signed note whose signature was checked."""
        raw = self._read("checkpoint", 0)
        self.opened(raw.decode("utf-8", "replace"))
        return raw.decode()

    def checkpoint(self) -> Checkpoint:
        """The newest published checkpoint.

        Raises:
            LogDamaged: missing, or not signed by the pinned key.
        """
        return self.opened(self._read("checkpoint", 0).decode("utf-8", "replace"))

    def witnessed(self) -> str | None:
        """The largest checkpoint that enough witnesses cosigned, with their lines, of which only the log's is checked.

        None if there is none, or none that fits the published log.
        """
        try:
            raw = self._blobs.get(WITNESSED)
            note = raw.decode() if raw is not None else None
            return note if note is not None and self.opened(note).size <= self.size() else None
        except (OSError, UnicodeDecodeError, LogDamaged, TilesUnavailable):
            # What is cosigned can be asked for again; the log itself is whole without it.
            return None

    def opened(self, note: str) -> Checkpoint:
        """Check the signature of a checkpoint from anywhere.

        Raises:
            LogDamaged: it is not the log's.
        """
        last = self._last
        if last is not None and last[0] == note:
            return last[1]
        try:
            checkpoint = Checkpoint.verified(note.encode(), [self._key])
        except ProofRefused as error:
            raise LogDamaged(index=0, why=f"the checkpoint: {error.parameters['why']}") from error
        self._last = note, checkpoint
        return checkpoint

    def size(self) -> int:
        """How many entries the newest published checkpoint covers."""
        return self.checkpoint().size

    def entry_bytes(self, index: int) -> bytes:
        """The very bytes that were hashed.

        Raises:
            NoSuchEntry: the log is not that long.
            LogDamaged: they do not hash to their leaf.
        """
        size = self.size()
        if not 0 <= index < size:
            raise NoSuchEntry
        return self.bundle(index // WIDTH, size)[index % WIDTH]

    def entry(self, index: int) -> Entry:
        """One entry."""
        return _decode(index, self.entry_bytes(index))

    def entries(self, start: int, count: int) -> list[Entry]:
        """Entries from ``start`` on, none beyond the checkpoint."""
        return [_decode(start + i, raw) for i, raw in enumerate(self.entries_bytes(start, count))]

    def entries_bytes(self, start: int, count: int, *, size: int | None = None) -> list[bytes]:
        """The bytes of entries from ``start`` on, none beyond the checkpoint.

        Who knows the tree's ``size`` from a better place says so: a cache may show an old checkpoint.
        """
        size = self.size() if size is None else size
        end = min(start + count, size)
        found: list[bytes] = []
        while start < end:
            bundle = self.bundle(start // WIDTH, size)
            found += bundle[start % WIDTH : start % WIDTH + end - start]
            start += WIDTH - start % WIDTH
        return found

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """A proof that leads to the root of the log at ``size``, which is at most the published one."""
        return self.inclusion_proofs(size)(index)

    def inclusion_proofs(self, size: int) -> Callable[[int], list[bytes]]:
        """What makes many proofs to one root; what it has read of the tree it keeps, within bounds."""
        self._demand(size)
        node = self._nodes(size)
        root = range_hash(node, 0, size)

        def prove(index: int) -> list[bytes]:
            if not 0 <= index < size:
                raise NoSuchEntry
            proof = inclusion_proof(node, index, size)
            leaf = node(0, index)
            _checked(index, lambda: verify_inclusion(leaf=leaf, index=index, size=size, root=root, proof=proof))
            return proof

        return prove

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        """A proof that the log at ``new`` continues the log at ``old``."""
        self._demand(new)
        node = self._nodes(new)
        proof = consistency_proof(node, old, new)
        roots = range_hash(node, 0, old), range_hash(node, 0, new)
        _checked(old, lambda: verify_consistency(old=old, new=new, old_root=roots[0], new_root=roots[1], proof=proof))
        return proof

    def root(self, size: int) -> bytes:
        """The root of the log at an earlier size, computed from the tiles."""
        self._demand(size)
        return range_hash(self._nodes(size), 0, size)

    def left_of(self, size: int) -> list[bytes]:
        """The hashes of the complete subtrees that make up the tree of the first ``size`` entries, largest first."""
        checkpoint = self.checkpoint()
        self._demand(size)
        node, start, found = self._nodes(checkpoint.size), 0, []
        for level in range(size.bit_length() - 1, -1, -1):
            if size >> level & 1:
                found.append(node(level, start >> level))
                start += 1 << level
        return found

    def first(self) -> int:
        """The first entry that is still kept; 0 unless a policy of retention had bundles pruned.

        Raises:
            LogDamaged: what says so is not signed by the log.
        """
        found = self._pruning()
        return found[1].first if found else 0

    def pruned(self) -> bytes | None:
        """The signed note that says so; None while everything is kept. Raises as ``first``."""
        found = self._pruning()
        return found[0] if found else None

    def _pruning(self) -> tuple[bytes, Pruning] | None:
        raw = self._blobs.get(PRUNED)
        if raw is None:
            return None
        try:
            return raw, Pruning.read(raw, self._key)
        except ProofRefused as error:
            raise LogDamaged(index=0, why=f"the note of pruning: {error.parameters['why']}") from error

    def edge(self, size: int) -> Edge:
        """The right edge at ``size``, from which the writer goes on."""
        hashes = []
        for level in range(levels(size)):
            index = size // WIDTH ** (level + 1)
            hashes.append(tuple(self.tile(level, index, size)) if width_at(level, index, size) else ())
        bundle = self.bundle(size // WIDTH, size) if size % WIDTH else []
        return Edge(size, tuple(hashes), tuple(bundle))

    def tile(self, level: int, index: int, size: int) -> list[bytes]:
        """The hashes of one tile as a log of this size has them."""
        width = width_at(level, index, size)
        first = index * WIDTH ** (level + 1)
        raw = self._stored(tile_path(level, index, width), tile_path(level, index), first)
        if len(raw) < width * HASH_SIZE:
            raise LogDamaged(index=first, why="a tile is too short")
        return split(raw[: width * HASH_SIZE])

    def bundle(self, index: int, size: int) -> list[bytes]:
        """The entries of one bundle, each checked against its leaf hash."""
        width = width_at(0, index, size)
        try:
            raw = self._stored(bundle_path(index, width), bundle_path(index), index * WIDTH)
        except LogDamaged:
            if (index + 1) * WIDTH > (first := self.first()):
                raise
            raise Pruned(first=first) from None
        try:
            entries = unpack(raw)[:width]
        except ProofRefused as error:
            raise LogDamaged(index=index * WIDTH, why="its bundle is cut off") from error
        leaves = self.tile(0, index, size)
        for i, leaf in enumerate(leaves):
            if i >= len(entries) or leaf_hash(entries[i]) != leaf:
                raise LogDamaged(index=index * WIDTH + i, why="its bytes do not hash to its leaf")
        return entries

    def raw_file(self, path: str) -> bytes | None:
        """The stored bytes of one tile or bundle by its path; None if it is not there or no such path."""
        if not is_tile_path(path):
            return None
        return self._blobs.get(path)

    def _stored(self, path: str, whole: str, index: int) -> bytes:
        """The partial tile, or the full one that replaced it."""
        found = self.raw_file(path)
        return found if found is not None else self._read(whole, index)

    def _read(self, path: str, index: int) -> bytes:
        try:
            found = self._blobs.get(path)
        except OSError as error:
            raise LogDamaged(index=index, why=f"{path} cannot be read") from error
        if found is None:
            raise LogDamaged(index=index, why=f"{path} cannot be read")
        return found

    def _nodes(self, size: int) -> Callable[[int, int], bytes]:
        """Hashes of complete subtrees, from the tiles of a log of this size."""
        kept: dict[tuple[int, int], list[bytes]] = {}
        roots: dict[tuple[int, int], bytes] = {}

        def node(level: int, index: int) -> bytes:
            if len(kept) > _TILES_KEPT:
                kept.clear()
                roots.clear()
            if (level, index) not in roots:
                roots[level, index] = computed(level, index)
            return roots[level, index]

        def computed(level: int, index: int) -> bytes:
            high, low = divmod(level, _LEVEL_BITS)
            start = index << low
            place = (high, start // WIDTH)
            if place not in kept:
                kept[place] = self.tile(*place, size)
            return root_hash(kept[place][start % WIDTH : start % WIDTH + (1 << low)])

        return node

    def _demand(self, size: int) -> None:
        checkpoint = self.checkpoint()
        if size > checkpoint.size:
            raise NoSuchEntry
        if range_hash(self._nodes(checkpoint.size), 0, checkpoint.size) != checkpoint.root:
            raise LogDamaged(index=0, why="the tiles do not lead to the signed root")


def _decode(index: int, raw: bytes) -> Entry:
    try:
        return SHAPES.entry(index, raw)
    except BadEvent as error:
        raise LogDamaged(index=index, why=str(error.parameters["why"])) from error


def _checked(index: int, verify: Callable[[], None]) -> None:
    try:
        verify()
    except ProofRefused as error:
        raise LogDamaged(index=index, why=str(error.parameters["why"])) from error
