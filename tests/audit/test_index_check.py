# SPDX-License-Identifier: Apache-2.0
"""The search index compared with the log: what somebody changed in it is found, told, and read again from the log."""

import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from audit.checking import IndexCheck
from audit.errors import IndexInUse
from audit.search import parse
from audit.store import IndexChecked, IndexStore
from tests.fakes.audit_console import LI, ConsoleFake

BAD = 25
"""An entry of the second of four parts."""


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    made = ConsoleFake(tmp_path, span=20)
    made.fill()
    made.indexer.catch_up()
    return made


def _check(fake: ConsoleFake) -> IndexCheck:
    return IndexCheck(index=fake.store, indexer=fake.indexer, log=fake.log, folder=fake.folder, clock=fake.clock)


def _path(fake: ConsoleFake, place: int) -> Path:
    found = fake.store.holding(place)
    assert found is not None
    [path] = (fake.folder / "index").rglob(f"{found.name}.db")
    return path


@contextmanager
def _tables(fake: ConsoleFake, place: int) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(_path(fake, place), isolation_level=None)) as connection:
        yield connection


def _header(fake: ConsoleFake) -> None:
    with _tables(fake, BAD) as tables:
        tables.execute("UPDATE entry SET outcome = 'failure', object = 'forged' WHERE place = ?", (BAD,))


def _gone(fake: ConsoleFake) -> None:
    with _tables(fake, BAD) as tables:
        tables.execute("DELETE FROM entry WHERE place = ?", (BAD,))


def _words(fake: ConsoleFake) -> None:
    """Nobody finds it any more; only the full-text index was touched."""
    event, row = fake.log.events[BAD], next(r for r, _ in fake.store.everything()[0] if r.index == BAD)
    marks, sealed = fake.names.words.marks(event, row.reason, fake.log.unseal(fake.log.read(BAD, 1)[0]) or {})
    with _tables(fake, BAD) as tables:
        tables.execute("INSERT INTO word(word, rowid, marks) VALUES ('delete', ?, ?)", (BAD, f"{marks} {sealed}"))


def _facts(fake: ConsoleFake) -> None:
    path = _path(fake, BAD).with_suffix(".facts")
    with path.open("r+b") as file:
        file.seek((BAD - 20) * 12 + 8)
        code = file.read(1)
        file.seek((BAD - 20) * 12 + 8)
        file.write(bytes([code[0] ^ 1]))


def _facts_lost(fake: ConsoleFake) -> None:
    os.truncate(_path(fake, BAD).with_suffix(".facts"), 24)


def _names(fake: ConsoleFake) -> None:
    with _tables(fake, BAD) as tables:
        tables.execute("DELETE FROM namesake")


def _counters(fake: ConsoleFake) -> None:
    with _tables(fake, BAD) as tables:
        tables.execute("UPDATE hour SET times = times + 1")


def _unreadable(fake: ConsoleFake) -> None:
    path = _path(fake, BAD)
    fake.store.close()
    for kind in ("-wal", "-shm"):
        path.with_name(path.name + kind).unlink(missing_ok=True)
    path.write_bytes(secrets.token_bytes(path.stat().st_size))


@pytest.mark.parametrize(
    "harm",
    [_header, _gone, _words, _facts, _facts_lost, _names, _counters, _unreadable],
    ids=lambda harm: harm.__name__,
)
def test_what_was_changed_is_found_told_and_mended(fake: ConsoleFake, harm: Callable[[ConsoleFake], None]) -> None:
    before = fake.store.everything()
    told = _check(fake).round()
    assert (told.found, told.standing()["index_part_bad"], told.whole) == (0, 0, fake.clock.now().isoformat())
    harm(fake)
    told = _check(fake).round()
    assert (told.found, told.mended, told.first, told.end) == (1, True, 20, 40)
    assert told.standing() == {"index_compared_percent": 0, "index_parts_mended": 1, "index_part_bad": 0}
    assert fake.store.everything() == before
    assert fake.store.position() == fake.log.size()
    assert fake.store.damaged() == []
    assert [path.name for path in (fake.folder / "index").glob("generation-*/*20*.db")] == ["0000000000000020-1.db"]
    page = fake.get("/").text
    assert "mended" in page
    assert "Entries 20 to 39 were not what the log says." in page
    assert _check(fake).round().found == 1


def test_a_part_that_cannot_be_mended_now_is_told_until_it_is(fake: ConsoleFake) -> None:
    _header(fake)
    with fake.store.rebuilding(), pytest.raises(IndexInUse):
        _check(fake).round()
    told = IndexChecked.read(fake.folder)
    assert told.standing()["index_part_bad"] == 1
    assert "differs from the log" in fake.get("/").text


def test_a_replaced_part_that_was_left_behind_is_removed_at_the_next_start(fake: ConsoleFake) -> None:
    """Else the words of somebody who is erased later would stay in it."""
    old = _path(fake, BAD)
    for path in (old, old.with_suffix(".facts")):
        shutil.copy(path, path.with_name(f"{old.stem}-1{path.suffix}"))
    before = fake.store.everything()
    IndexStore.open(fake.folder / "index", span=20).prepare()
    assert not old.exists()
    assert not old.with_suffix(".facts").exists()
    assert fake.store.everything() == before


def test_the_newest_part_is_mended_and_goes_on(fake: ConsoleFake) -> None:
    last = fake.log.size() - 1
    with _tables(fake, last) as tables:
        tables.execute("UPDATE entry SET subject = 'nobody' WHERE place = ?", (last,))
    told = _check(fake).round()
    assert (told.found, told.mended) == (1, True)
    place = fake.add(object="afterwards")
    fake.indexer.catch_up()
    assert [row.index for row in fake.store.search(parse({"object": ["afterwards"]}), frozenset())] == [place]


def test_rounds_wander_over_the_whole(fake: ConsoleFake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.checking._LEAST", 30)
    places = []
    for _ in range(4):
        fake.clock.advance(timedelta(minutes=10))
        places.append(_check(fake).round().place)
    assert places[:2] == [30, 60]
    assert 0 in places
    assert IndexChecked.read(fake.folder).whole


def test_somebody_who_is_erased_does_not_come_back(fake: ConsoleFake) -> None:
    """Their words are gone from the index; what is mended afterwards has none either."""
    fake.log.erase(LI)
    fake.store.forget(LI)
    assert _check(fake).round().found == 0
    _header(fake)
    assert _check(fake).round().mended
    assert fake.console.search(fake.reader, parse({"q": ["xiaoming"]})).total == 0
