# SPDX-License-Identifier: Apache-2.0
"""The full check of a log, offline, trusting nothing but its verifier key: every bundle, leaf, tile and signature.

Spot proofs pass by a flipped bit that lies off their path; this does not. The first entry that is not what was
signed is named. Beside the tree it checks that every source's sequence numbers run without a gap, and, given an
older checkpoint, that this log continues it.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import BadEvent, LogDamaged, ProofRefused
from ..lineage import Fetch, demand_link, known_logs
from ..merkle import Checkpoint, Edge, VerifierKey, leaf_hash, root_hash
from ..merkle.hashing import HASH_SIZE
from ..merkle.pruning import PRUNED, Pruning
from ..merkle.tiles import WIDTH, bundle_path, levels, split, tile_path, tiles, unpack, width_at
from ..models import Entry
from ..models_codec import decode_entry
from .claims import Report
from .fetching import in_folder, over_http, pool_of

PRUNES = "audit.retention.intended"
"""Type of the entry that announces what retention is about to remove."""


def verify_folder(folder: Path, vkey: str, *, older: str | None = None) -> Report:
    """Check a log folder.

    Raises:
        LogDamaged: names the first bad entry.
    """
    return verify(in_folder(folder), vkey, older=older)


def verify_url(
    url: str, vkey: str, *, older: str | None = None, authorities: Path | None = None, hashes_only: bool = False
) -> Report:
    """Check a log over HTTP; ``authorities`` is a file of root certificates.

    Raises:
        LogDamaged: names the first bad entry.
        Unavailable: the log could not be read to its end.
    """
    with pool_of(authorities) as pool:
        return verify(over_http(pool, url), vkey, older=older, hashes_only=hashes_only)


def verify_logs(
    where: str, root: bytes, vkey: str, *, authorities: Path | None = None, hashes_only: bool = False
) -> list[Report]:
    """Check every log of a site, and that each continues the one before it; ``where`` is the present log's.

    ``root`` is the site's trust root, which the log of ``vkey`` signed, whichever of them that is.

    Raises:
        LogDamaged: names the first bad entry of the first bad log.
        ProofRefused: the trust root is not one that this log signed.
        Unavailable: a log could not be read to its end.
    """
    known = known_logs(root, VerifierKey.parse(vkey))
    with pool_of(authorities) as pool:
        logs: list[tuple[Fetch, VerifierKey]] = []
        for number, key in enumerate(known, 1):
            name = key.name.rpartition("/")[2]
            if where.startswith(("http://", "https://")):
                fetch = over_http(pool, where if number == len(known) else f"{where.rstrip('/')}/logs/{name}")
            else:
                fetch = in_folder(Path(where) if number == len(known) else _closed(Path(where).parent, name))
            logs.append((fetch, key))
        return verify_chain_of(logs, hashes_only=hashes_only)


def _closed(beside: Path, name: str) -> Path:
    """A closed log's folder: where a site has it, or beside the present one's where a mirror keeps it."""
    found = beside / "logs" / name
    return found if found.is_dir() else beside / name


def verify_chain_of(logs: Sequence[tuple[Fetch, VerifierKey]], *, hashes_only: bool = False) -> list[Report]:
    """Check logs, oldest first, and that each continues the one before it.

    Raises:
        LogDamaged: names the first bad entry of the first bad log.
    """
    reports: list[Report] = []
    last: tuple[Fetch, Checkpoint] | None = None
    for fetch, key in logs:
        try:
            report = verify(fetch, str(key), hashes_only=hashes_only)
            checkpoint = Checkpoint(report.origin, report.size, report.root)
            if last is not None and not hashes_only:
                demand_link(*last, fetch, checkpoint, key, begun=report.begun)
        except LogDamaged as error:
            if len(logs) == 1:
                raise
            raise LogDamaged(index=error.parameters["index"], why=f"{key.name}: {error.parameters['why']}") from error
        last = fetch, checkpoint
        reports.append(report)
    return _told(reports)


def _told(reports: Sequence[Report]) -> list[Report]:
    """What was pruned of a closed log is announced in a later one, by its place."""
    bases = [0]
    for report in reports:
        bases.append(bases[-1] + report.size)
    announced = {
        base + index: below for base, report in zip(bases, reports, strict=False) for index, below in report.announced
    }
    last = len(reports) - 1
    found = []
    for number, (base, report) in enumerate(zip(bases, reports, strict=False)):
        place = report.recorded + (base if number == last else 0)
        said = bool(report.pruned) and announced.get(place, 0) >= base + report.pruned
        found.append(replace(report, said=said))
    return found


def verify(fetch: Fetch, vkey: str, *, older: str | None = None, hashes_only: bool = False) -> Report:
    """Check everything behind ``fetch``.

    Raises:
        LogDamaged: names the first bad entry.
    """
    key = VerifierKey.parse(vkey)
    raw = fetch("checkpoint")
    if raw is None:
        raise LogDamaged(index=0, why="there is no checkpoint")
    checkpoint = _opened(raw, key)
    past = _opened(older.encode(), key) if older is not None else None
    check = _Check(fetch, key, checkpoint, past, hashes_only=hashes_only)
    check.leaves()
    count = check.tiles()
    check.roots()
    return Report(
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root,
        tiles=count,
        bundles=check.bundles,
        pruned=check.pruning.first,
        recorded=check.pruning.recorded,
        said=any(index == check.pruning.recorded and below >= check.pruning.first for index, below in check.announced),
        spared=check.spared,
        begun=not check.pruning.first or check.begun,
        announced=tuple(check.announced),
    )


class _Check:
    """One pass over the log: leaves first, then each level against the level below."""

    def __init__(
        self, fetch: Fetch, key: VerifierKey, checkpoint: Checkpoint, past: Checkpoint | None, *, hashes_only: bool
    ) -> None:
        self._fetch = fetch
        self._checkpoint = checkpoint
        self._past = past
        self._hashes_only = hashes_only
        self._size = checkpoint.size
        self._sources: dict[str, int] = {}
        self.bundles = self.spared = 0
        self.begun = False
        self.announced: list[tuple[int, int]] = []
        self.pruning = _pruning(fetch, key, checkpoint)
        # The hashes of the full tiles of the level that was checked last.
        self._above: list[bytes] = []

    def leaves(self) -> None:
        """Level 0: the tiles' hashes are those of the entries."""
        for index in range(-(-self._size // WIDTH)):
            stored = self._tile(0, index)
            # What is pruned by policy is not missing; should it still be there, it is checked all the same.
            below = (index + 1) * WIDTH <= self.pruning.first
            if not self._hashes_only and not (below and self._fetch(bundle_path(index)) is None):
                self._entries(index, stored)
                self.bundles += 1
                self.spared += below
                self.begun = self.begun or index == 0
            if len(stored) == WIDTH:
                self._above.append(root_hash(stored))

    def tiles(self) -> int:
        """Every tile above holds the hashes of the tiles below; returns how many tiles there are."""
        for level in range(1, levels(self._size)):
            computed = self._above
            for index in range(-(-len(computed) // WIDTH)):
                self._compare(level, index, computed[index * WIDTH : (index + 1) * WIDTH])
            full = len(computed) // WIDTH
            self._above = [root_hash(computed[i * WIDTH : (i + 1) * WIDTH]) for i in range(full)]
        return sum(1 for _ in tiles(self._size))

    def roots(self) -> None:
        """The whole leads to the signed root, and past an older checkpoint's."""
        if self._root(self._size) != self._checkpoint.root:
            raise LogDamaged(index=self._first_difference(), why="the tree does not lead to the signed root")
        if self._past is None:
            return
        if self._past.size > self._size:
            raise LogDamaged(index=self._size, why="the log is shorter than an older checkpoint says")
        if self._root(self._past.size) != self._past.root:
            raise LogDamaged(index=self._past.size - 1, why="the log does not continue the older checkpoint")

    def _compare(self, level: int, index: int, computed: list[bytes]) -> None:
        for i, (stored, expected) in enumerate(zip(self._tile(level, index), computed, strict=True)):
            if stored != expected:
                first = (index * WIDTH + i) * WIDTH**level
                raise LogDamaged(index=first, why=f"the hash above it, at level {level}, is another")

    def _entries(self, index: int, stored: list[bytes]) -> None:
        width = width_at(0, index, self._size)
        first = index * WIDTH
        raw = self._file(bundle_path(index, width), bundle_path(index), first)
        try:
            entries = unpack(raw)
        except ProofRefused as error:
            entries = _readable(raw)
            self._hashes(first, entries, stored)
            raise LogDamaged(index=first + len(entries), why="its bundle is cut off") from error
        self._hashes(first, entries[:width], stored)
        if len(entries) < width:
            raise LogDamaged(index=first + len(entries), why="it is missing")
        for i, entry in enumerate(entries[:width]):
            self._sequence(first + i, entry)

    def _hashes(self, first: int, entries: list[bytes], stored: list[bytes]) -> None:
        for i, (entry, leaf) in enumerate(zip(entries, stored, strict=False)):
            if leaf_hash(entry) != leaf:
                raise LogDamaged(index=first + i, why="its bytes do not hash to its leaf")

    def _sequence(self, index: int, raw: bytes) -> None:
        try:
            entry = decode_entry(index, raw)
        except BadEvent as error:
            raise LogDamaged(index=index, why=str(error.parameters["why"])) from error
        if entry.event.type == PRUNES and (below := _announced(entry)):
            self.announced.append((index, below))
        # A source whose earlier entries were pruned is first heard of in its middle.
        unheard = entry.sequence if self.pruning.first else 0
        if entry.sequence != self._sources.get(entry.event.source, unheard):
            raise LogDamaged(index=index, why="its source's sequence numbers have a gap")
        self._sources[entry.event.source] = entry.sequence + 1

    def _tile(self, level: int, index: int) -> list[bytes]:
        width = width_at(level, index, self._size)
        first = index * WIDTH ** (level + 1)
        raw = self._file(tile_path(level, index, width), tile_path(level, index), first)
        if len(raw) not in (width * HASH_SIZE, WIDTH * HASH_SIZE):
            raise LogDamaged(index=first, why="its tile has the wrong length")
        return split(raw)[:width]

    def _file(self, path: str, whole: str, index: int) -> bytes:
        raw = self._fetch(path)
        if raw is None and path != whole:
            raw = self._fetch(whole)
        if raw is None:
            raise LogDamaged(index=index, why=f"{path} is missing")
        return raw

    def _root(self, size: int) -> bytes:
        """The root over the first ``size`` leaves, from the right edge of tiles that were checked before."""
        hashes = []
        for level in range(levels(size)):
            index, width = divmod(size // WIDTH**level, WIDTH)
            hashes.append(tuple(self._tile(level, index)[:width]) if width else ())
        return Edge(size, tuple(hashes)).root()

    def _first_difference(self) -> int:
        """Where to look when every tile agrees and only the root does not: what no full tile covers."""
        return max(0, self._size - 1) // WIDTH * WIDTH


def _pruning(fetch: Fetch, key: VerifierKey, checkpoint: Checkpoint) -> Pruning:
    raw = fetch(PRUNED)
    if raw is None:
        return Pruning(checkpoint.origin, 0, 0)
    try:
        found = Pruning.read(raw, key)
    except ProofRefused as error:
        raise LogDamaged(index=0, why=f"the note of pruning: {error.parameters['why']}") from error
    if found.first > checkpoint.size:
        raise LogDamaged(index=0, why="the note of pruning speaks of entries that are not there")
    return found


def _announced(entry: Entry) -> int:
    """Below which place an entry says that bundles are removed; 0 if it says nothing of them."""
    pieces = str(entry.event.attributes.get("pieces", "")).split()
    places = [piece.partition(":")[2] for piece in pieces if piece.startswith("bundles:")]
    return max((int(each) for each in places if each.isascii() and each.isdecimal()), default=0)


def _readable(bundle: bytes) -> list[bytes]:
    entries: list[bytes] = []
    position = 0
    while True:
        end = position + 2 + int.from_bytes(bundle[position : position + 2], "big")
        if position + 2 > len(bundle) or end > len(bundle):
            return entries
        entries.append(bundle[position + 2 : end])
        position = end


def _opened(note: bytes, key: VerifierKey) -> Checkpoint:
    try:
        return Checkpoint.verified(note, [key])
    except ProofRefused as error:
        raise LogDamaged(index=0, why=f"the checkpoint: {error.parameters['why']}") from error
