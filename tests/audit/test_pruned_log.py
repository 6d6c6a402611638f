# SPDX-License-Identifier: Apache-2.0
"""A log whose oldest bundles retention has removed: what reads it goes on behind them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit.cli import audit
from audit.errors import Pruned
from audit.lineage import LOGS, trust_root
from audit.published import INDEX_KEY, Reading
from tests.fakes.retention_house import RetentionHouse


def age(house: RetentionHouse) -> None:
    """So many years later, in which retention looked every day and an officer agreed."""
    house.clock.advance(timedelta(days=900))
    house.store.see(int(house.clock.now().timestamp()))
    house.take()
    house.retaining.round()


def test_an_index_built_at_the_terminal_holds_the_closed_logs_too(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    (folder / "log").parent.mkdir()
    (folder / INDEX_KEY).write_bytes(b"k" * 32)
    (folder / INDEX_KEY).chmod(0o600)
    house = RetentionHouse(folder)
    house.take(300)
    house.rotate()
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / LOGS).write_bytes(
        trust_root([(house.old, "https://log/logs/log"), (house.site.key, "https://log")])
    )
    told = CliRunner().invoke(audit, ["reindex", str(folder), "--key", house.site.vkey])
    assert told.output == "303 entries indexed\n"
    house.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[RetentionHouse]:
    (tmp_path / INDEX_KEY).write_bytes(b"k" * 32)
    (tmp_path / INDEX_KEY).chmod(0o600)
    made = RetentionHouse(tmp_path)
    made.retaining.round()
    yield made
    made.close()


def reading(house: RetentionHouse) -> Reading:
    return Reading.open(house.folder, log_key=house.site.vkey)


def places(read: Reading) -> list[int]:
    return sorted(row.index for row, _words in read.index.everything()[0])


def test_a_rebuilt_index_begins_behind_what_is_pruned_and_the_terminal_says_so(house: RetentionHouse) -> None:
    house.take(800)
    age(house)
    with pytest.raises(Pruned):
        reading(house).log.read(0, 1)
    told = CliRunner().invoke(audit, ["reindex", str(house.folder), "--key", house.site.vkey])
    assert told.exit_code == 0, told.output
    assert "before place 512 are pruned" in told.output
    assert told.output.endswith("290 entries indexed\n")
    assert places(reading(house)) == list(range(512, 802))


def test_an_index_that_fell_behind_what_is_pruned_is_built_anew(house: RetentionHouse) -> None:
    house.take(300)
    reading(house).indexer.catch_up()
    house.take(500)
    age(house)
    read = reading(house)
    # An officer who searches does not wait for a whole index.
    assert read.indexer.catch_up(batches=2) == 802 - 301
    assert read.indexer.catch_up() == 0
    assert places(read) == list(range(512, 802))
    house.take(3)
    assert read.indexer.catch_up() == 0
    assert places(read)[-1] == 804
