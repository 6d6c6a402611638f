# SPDX-License-Identifier: Apache-2.0
"""Facts beside the tables: the same however close the hits lie, and damage is told."""

import os
from pathlib import Path
from random import Random

import pytest

from audit.search import IndexDamaged
from audit.store.facts import Fact, Facts

FIRST = 5_000
ENTRIES = 40_000
LATEST = (1 << 44) - 1


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Facts, list[Fact]]:
    file = Facts(tmp_path_factory.mktemp("facts") / "part.facts", FIRST)
    facts = [(LATEST - place, 1 + place % 0xFFFFF, place * 97 % (1 << 32)) for place in range(ENTRIES)]
    file.write(FIRST, facts[:3])
    file.write(FIRST + 3, facts[3:])
    return file, facts


@pytest.mark.parametrize("every", [1, 3, 90, 399, 401, 5_000])
def test_facts_are_the_same_however_close_the_hits_lie(written: tuple[Facts, list[Fact]], every: int) -> None:
    file, facts = written
    dice = Random(every)  # noqa: S311 - places that can be repeated
    places = sorted(dice.sample(range(FIRST, FIRST + ENTRIES), ENTRIES // every), reverse=True)
    assert file.read(places) == [facts[place - FIRST] for place in places]


def test_a_range_and_no_place_and_the_edges_are_read(written: tuple[Facts, list[Fact]]) -> None:
    file, facts = written
    assert file.read(range(FIRST + 20_000, FIRST + 9, -1)) == facts[10:20_001][::-1]
    assert file.read([]) == []
    assert file.read([FIRST + ENTRIES - 1, FIRST]) == [facts[-1], facts[0]]


@pytest.mark.parametrize("every", [1, 90, 5_000])
def test_a_file_that_was_cut_or_never_written_there_is_damage(
    written: tuple[Facts, list[Fact]], tmp_path: Path, every: int
) -> None:
    file, facts = written
    short = Facts(tmp_path / "part.facts", FIRST)
    short.path.write_bytes(file.path.read_bytes())
    places = range(FIRST + ENTRIES - 1, FIRST - 1, -every)
    assert short.read(list(places)) == [facts[place - FIRST] for place in places]
    os.truncate(short.path, (ENTRIES - 1) * 12)
    for asked in (list(places), range(places[0], places[0] - 50, -1)):
        with pytest.raises(IndexDamaged):
            short.read(asked)
    # Zeros are what a file has where nothing was written.
    os.truncate(short.path, ENTRIES * 12)
    with pytest.raises(IndexDamaged):
        short.read(list(places))
