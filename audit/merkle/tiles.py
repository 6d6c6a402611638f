# SPDX-License-Identifier: Apache-2.0
"""Tiles and entry bundles of C2SP tlog-tiles v0.1.0: their paths, widths and content.

``Edge`` is the right edge of a tree: all that is needed to append. It turns new entries into the files they change.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..errors import ProofRefused
from .hashing import EMPTY_ROOT, HASH_SIZE, leaf_hash, node_hash, root_hash

WIDTH = 256
# Two length bytes before each entry in a bundle.
MAX_ENTRY = 65_535
_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", flags=re.ASCII)


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """Where a hash tile lies."""
    return _path(str(level), index, width)


def bundle_path(index: int, width: int = WIDTH) -> str:
    """Where an entry bundle lies."""
    return _path("entries", index, width)


def partials_folder(path: str) -> str:
    """The folder of a full tile's partial forerunners."""
    return path + ".p"


def is_partial(path: str) -> bool:
    """Whether this path of a tile or bundle is a partial one's."""
    return ".p/" in path


def is_tile_path(path: str) -> bool:
    """Whether this is a well-formed path of a tile or bundle; what is not must never reach the disk."""
    match = _PATH.fullmatch(path)
    return bool(match) and (match is None or match[3] is None or int(match[3]) < WIDTH)


def width_at(level: int, index: int, size: int) -> int:
    """How many hashes tile ``index`` holds in a log of this size; 0 when it does not exist."""
    hashes: int = size // WIDTH**level
    return max(0, min(WIDTH, hashes - index * WIDTH))


def levels(size: int) -> int:
    """How many levels of tiles a log of this size has."""
    count = 0
    while size >= WIDTH**count:
        count += 1
    return count


def tiles(size: int) -> Iterator[tuple[int, int, int]]:
    """Every tile of a log of this size as level, index and width; level 0 also names the bundles."""
    for level in range(levels(size)):
        hashes = size // WIDTH**level
        for index in range(-(-hashes // WIDTH)):
            yield level, index, width_at(level, index, size)


def pack(entries: Sequence[bytes]) -> bytes:
    """Entries back to back, each behind its length."""
    return b"".join([part for entry in entries for part in (len(entry).to_bytes(2, "big"), entry)])


def unpack(bundle: bytes) -> list[bytes]:
    """The entries of a bundle.

    Raises:
        ProofRefused: it is cut off.
    """
    entries, position = [], 0
    while position < len(bundle):
        start = position + 2
        position = start + int.from_bytes(bundle[position:start], "big")
        if start > len(bundle) or position > len(bundle):
            raise ProofRefused(why="an entry bundle is cut off")
        entries.append(bundle[start:position])
    return entries


def split(tile: bytes) -> list[bytes]:
    """The hashes of a tile.

    Raises:
        ProofRefused: it does not hold whole hashes.
    """
    if len(tile) % HASH_SIZE:
        raise ProofRefused(why="a tile does not hold whole hashes")
    return [tile[i : i + HASH_SIZE] for i in range(0, len(tile), HASH_SIZE)]


@dataclass(frozen=True)
class Edge:
    """The right edge of a tree: the hashes of each level's unfinished tile, and the unfinished bundle."""

    size: int = 0
    hashes: tuple[tuple[bytes, ...], ...] = ()
    bundle: tuple[bytes, ...] = ()

    def root(self) -> bytes:
        """The root of the whole tree, from the perfect subtrees of which the edge consists."""
        perfect: list[bytes] = []
        for level in reversed(self.hashes):
            start = 0
            for bit in range(8, -1, -1):
                if len(level) & (1 << bit):
                    perfect.append(root_hash(level[start : start + (1 << bit)]))
                    start += 1 << bit
        if not perfect:
            return EMPTY_ROOT
        running = perfect.pop()
        while perfect:
            running = node_hash(perfect.pop(), running)
        return running

    def extend(
        self, entries: Sequence[bytes], leaves: Sequence[bytes] | None = None
    ) -> tuple["Edge", dict[str, bytes]]:
        """The edge after these entries, and every file that the new size needs beyond those of the old one.

        ``leaves`` are the entries' hashes, where they are known.
        """
        files: dict[str, bytes] = {}
        bundle = self._bundles(entries, files)
        return self._risen(list(map(leaf_hash, entries) if leaves is None else leaves), bundle, files), files

    def extend_pruned(self, leaves: Sequence[bytes]) -> tuple["Edge", dict[str, bytes]]:
        """As ``extend`` for entries of which only the hashes are left, up to the end of a bundle: no bundle is made."""
        if (self.size + len(leaves)) % WIDTH:
            raise ValueError("entries are pruned by whole bundles")
        files: dict[str, bytes] = {}
        return self._risen(list(leaves), (), files), files

    def _risen(self, rising: list[bytes], bundle: tuple[bytes, ...], files: dict[str, bytes]) -> "Edge":
        hashes: list[tuple[bytes, ...]] = []
        level, size, count = 0, self.size, len(rising)
        while rising or level < len(self.hashes):
            kept = self.hashes[level] if level < len(self.hashes) else ()
            rest, rising = _level(level, size // WIDTH ** (level + 1), kept, rising, files)
            hashes.append(rest)
            level += 1
        return Edge(self.size + count, tuple(hashes), bundle)

    def _bundles(self, entries: Sequence[bytes], files: dict[str, bytes]) -> tuple[bytes, ...]:
        rest, index = [*self.bundle, *entries], self.size // WIDTH
        while len(rest) >= WIDTH:
            files[bundle_path(index)] = pack(rest[:WIDTH])
            rest, index = rest[WIDTH:], index + 1
        if rest and entries:
            files[bundle_path(index, len(rest))] = pack(rest)
        return tuple(rest)


def _level(
    level: int, index: int, kept: tuple[bytes, ...], new: list[bytes], files: dict[str, bytes]
) -> tuple[tuple[bytes, ...], list[bytes]]:
    rest, above = [*kept, *new], []
    while len(rest) >= WIDTH:
        files[tile_path(level, index)] = b"".join(rest[:WIDTH])
        above.append(root_hash(rest[:WIDTH]))
        rest, index = rest[WIDTH:], index + 1
    if rest and new:
        files[tile_path(level, index, len(rest))] = b"".join(rest)
    return tuple(rest), above


def _path(kind: str, index: int, width: int) -> str:
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    path = f"tile/{kind}/" + "/".join(reversed(groups))
    return path if width == WIDTH else f"{path}.p/{width}"
