# SPDX-License-Identifier: Apache-2.0
"""Partial tiles: served for every published size, gone with the full tile; on every level, after a crash too."""

from pathlib import Path

import pytest

from audit.blobs import Disk, DiskBlobs
from audit.errors import TilesUnavailable
from audit.merkle import LogKey, leaf_hash
from audit.merkle.tiles import bundle_path, tile_path, tiles
from audit.reader import LogReader
from audit.writer.integration import Integrator
from core.clock import SystemClock

KEY = LogKey("city.example/log", seed=b"\x07" * 32, mldsa_seed=b"\x08" * 32)


class Keeping(DiskBlobs):
    """Cannot remove anything for a while."""

    unwilling = False
    dies = False

    def drop(self, folder: str) -> None:
        if self.dies:
            raise KeyboardInterrupt
        if self.unwilling:
            raise TilesUnavailable
        super().drop(folder)


@pytest.fixture
def blobs(tmp_path: Path) -> Keeping:
    (tmp_path / "private").mkdir()
    return Keeping(tmp_path)


@pytest.fixture
def writer(tmp_path: Path, blobs: Keeping) -> Integrator:
    opened(tmp_path, blobs).create()
    return recovered(tmp_path, blobs)


def opened(folder: Path, blobs: DiskBlobs) -> Integrator:
    return Integrator(folder, key=KEY, clock=SystemClock(), disk=Disk(), blobs=blobs)


def recovered(folder: Path, blobs: DiskBlobs) -> Integrator:
    integrator = opened(folder, blobs)
    integrator.recover()
    return integrator


def grow(integrator: Integrator, size: int) -> None:
    entries = [str(index).encode() for index in range(integrator.edge.size, size)]
    integrator.integrate(entries, [leaf_hash(entry) for entry in entries])


def partials(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.p/*")}


def served(folder: Path, size: int) -> None:
    """Every file that a checkpoint of this size implies, partial or the full one in its place."""
    reader = LogReader(folder, str(KEY.vkey))
    for level, index, _ in tiles(size):
        reader.tile(level, index, size)
        if level == 0:
            reader.bundle(index, size)
    reader.edge(size)


def test_every_level_loses_its_partials_when_the_tile_is_full(tmp_path: Path, writer: Integrator) -> None:
    sizes = [65_000, 65_100, 65_530, 65_535]
    for size in sizes:
        grow(writer, size)
    # Of each published size, at each level.
    expected = {tile_path(0, 255, size % 256) for size in (65_530, 65_535)}
    expected |= {bundle_path(255, size % 256) for size in (65_530, 65_535)}
    expected |= {tile_path(1, 0, width) for width in (253, 254, 255)}
    assert partials(tmp_path) == expected
    grow(writer, 65_540)
    assert partials(tmp_path) == {
        tile_path(0, 256, 4), bundle_path(256, 4), tile_path(2, 0, 1),
    }  # fmt: skip
    assert (tmp_path / "tile/1/000").stat().st_size == 256 * 32
    for size in (*sizes, 65_540):
        served(tmp_path, size)


def test_dying_before_they_go_leaves_none_behind(tmp_path: Path, writer: Integrator, blobs: Keeping) -> None:
    grow(writer, 250)
    blobs.dies = True
    with pytest.raises(KeyboardInterrupt):
        grow(writer, 260)
    assert tile_path(0, 0, 250) in partials(tmp_path)
    blobs.dies = False
    recovered(tmp_path, blobs)
    assert partials(tmp_path) == {tile_path(0, 1, 4), bundle_path(1, 4), tile_path(1, 0, 1)}


def test_a_store_that_cannot_remove_them_delays_nothing_and_is_asked_again(
    tmp_path: Path, writer: Integrator, blobs: Keeping
) -> None:
    grow(writer, 250)
    blobs.unwilling = True
    grow(writer, 260)
    assert LogReader(tmp_path, str(KEY.vkey)).size() == 260
    assert tile_path(0, 0, 250) in partials(tmp_path)
    blobs.unwilling = False
    grow(writer, 261)
    assert tile_path(0, 0, 250) not in partials(tmp_path)
    # What a predecessor left is swept at the next start.
    (tmp_path / "tile/0/000.p").mkdir()
    (tmp_path / "tile/0/000.p/9").write_bytes(b"x" * 288)
    recovered(tmp_path, blobs)
    assert not (tmp_path / "tile/0/000.p").exists()


def test_no_partial_goes_while_its_tile_is_not_full(tmp_path: Path, writer: Integrator) -> None:
    for size in range(1, 256, 50):
        grow(writer, size)
    assert partials(tmp_path) == {
        path for size in range(1, 256, 50) for path in (tile_path(0, 0, size), bundle_path(0, size))
    }
    for size in range(1, 256, 50):
        served(tmp_path, size)
