# SPDX-License-Identifier: Apache-2.0
"""Documents that are kept: secret on the disk, bounded, nobody else's, and gone in time."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from signatures.shelf import Facts, Limits, NoSuchDocument, Shelf, ShelfFull, ShelfUnreadable
from signatures.shelf.store import ShelfStore
from tests.fakes.clock import ManualClock

WANG, LI = "person:wang", "person:li"
DOCUMENT = b"%PDF-1.7 the last will of Wang Xiaoming"
FACTS = Facts(name="last-will.pdf", sha256="a1" * 32, title="My will", pages=2)
LIMITS = Limits(most=3, most_bytes=1000, most_bytes_of_all=2000, lifetime=timedelta(days=7))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shelf(tmp_path: Path, clock: ManualClock) -> Shelf:
    return Shelf(folder=tmp_path / "shelf", store=ShelfStore.open(tmp_path / "shelf.db"), key=b"k" * 32, clock=clock)


def _disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_what_is_kept_is_read_by_its_owner_and_by_nobody_else(shelf: Shelf) -> None:
    kept = shelf.put(WANG, DOCUMENT, facts=FACTS, limits=LIMITS)
    assert shelf.read(WANG, kept.id) == DOCUMENT
    assert shelf.of(WANG) == [kept] == [shelf.one(WANG, kept.id)]
    assert (kept.facts, kept.size) == (FACTS, len(DOCUMENT))
    assert shelf.of(LI) == []
    for act in (shelf.read, shelf.one, shelf.remove):
        with pytest.raises(NoSuchDocument):
            act(LI, kept.id)
    assert shelf.read(WANG, kept.id) == DOCUMENT


def test_neither_document_nor_name_nor_hash_lies_readable_on_the_disk(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(WANG, DOCUMENT, facts=FACTS, limits=LIMITS)
    disk = _disk(tmp_path)
    for secret in (DOCUMENT, b"last-will", b"My will", FACTS.sha256.encode(), bytes.fromhex(FACTS.sha256)):
        assert secret not in disk
    (file,) = (tmp_path / "shelf").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "shelf.db").stat().st_mode & 0o777 == 0o600


def test_a_file_that_was_changed_or_swapped_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    one = shelf.put(WANG, DOCUMENT, facts=FACTS, limits=LIMITS)
    two = shelf.put(WANG, b"another", facts=FACTS, limits=LIMITS)
    here, there = (tmp_path / "shelf" / f"{each.id}.sealed" for each in (one, two))
    whole = here.read_bytes()
    here.write_bytes(there.read_bytes())
    with pytest.raises(ShelfUnreadable):
        shelf.read(WANG, one.id)
    here.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ShelfUnreadable):
        shelf.read(WANG, one.id)
    here.unlink()
    with pytest.raises(ShelfUnreadable):
        shelf.read(WANG, one.id)
    other = Shelf(
        folder=tmp_path / "shelf", store=ShelfStore.open(tmp_path / "shelf.db"), key=b"o" * 32, clock=ManualClock()
    )
    with pytest.raises(ShelfUnreadable):
        other.read(WANG, two.id)


def test_an_owner_and_the_whole_shelf_have_bounds_and_a_refusal_leaves_nothing(shelf: Shelf, tmp_path: Path) -> None:
    for _ in range(3):
        shelf.put(WANG, b"x", facts=FACTS, limits=LIMITS)
    with pytest.raises(ShelfFull):
        shelf.put(WANG, b"x", facts=FACTS, limits=LIMITS)
    with pytest.raises(ShelfFull):
        shelf.put(LI, b"x" * 1001, facts=FACTS, limits=LIMITS)
    shelf.put(LI, b"x" * 1000, facts=FACTS, limits=LIMITS)
    with pytest.raises(ShelfFull):
        shelf.put("agency:tax", b"x" * 998, facts=FACTS, limits=LIMITS)
    shelf.put("agency:tax", b"x" * 997, facts=FACTS, limits=LIMITS)
    assert len(list((tmp_path / "shelf").iterdir())) == 5


def test_what_is_over_is_gone_and_so_is_what_a_death_left(shelf: Shelf, clock: ManualClock, tmp_path: Path) -> None:
    early = shelf.put(WANG, DOCUMENT, facts=FACTS, limits=replace(LIMITS, lifetime=timedelta(hours=2)))
    late = shelf.put(WANG, DOCUMENT, facts=FACTS, limits=LIMITS)
    orphan = tmp_path / "shelf" / f"{'0' * 32}.sealed"
    orphan.write_bytes(b"what a death left")
    clock.advance(timedelta(hours=2))
    assert shelf.of(WANG) == [late]
    with pytest.raises(NoSuchDocument):
        shelf.read(WANG, early.id)
    assert shelf.tidy() == 1
    assert shelf.tidy() == 0
    assert shelf.read(WANG, late.id) == DOCUMENT
    clock.advance(timedelta(days=36500))
    assert shelf.tidy() == 1
    assert list((tmp_path / "shelf").iterdir()) == []


def test_files_without_a_row_are_found_among_more_than_a_database_is_asked_about_at_once(
    shelf: Shelf, tmp_path: Path
) -> None:
    kept = shelf.put(WANG, DOCUMENT, facts=FACTS, limits=LIMITS)
    store = ShelfStore.open(tmp_path / "shelf.db")
    engine = store._database.engine
    engine.dispose()
    # Databases differ: PostgreSQL takes 65,535 values, and this one as many as it is told.
    event.listen(engine, "connect", lambda raw, _: raw.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 10_000))
    names = [f"{number:032x}" for number in range(12_000)]
    assert store.known([*names, kept.id, *names[:5]]) == {kept.id}
    assert store.known([]) == set()
    store.close()


@pytest.mark.parametrize("how", ["removed", "over"])
def test_the_key_of_what_is_forgotten_is_nowhere_on_the_disk(
    shelf: Shelf, clock: ManualClock, tmp_path: Path, how: str
) -> None:
    """Whoever takes the disk and the role's own key finds the file's blocks, and nothing that opens them."""
    lifetime = timedelta(days=1)
    kept = shelf.put(WANG, DOCUMENT, facts=FACTS, limits=replace(LIMITS, lifetime=lifetime))
    with sqlite3.connect(tmp_path / "shelf.db") as database:
        ((key,),) = database.execute("select key from shelved where id = ?", (kept.id,))
    database.close()
    assert key in _disk(tmp_path)
    if how == "removed":
        shelf.remove(WANG, kept.id)
    else:
        clock.advance(lifetime)
    shelf.tidy()
    assert key not in _disk(tmp_path)


def test_a_removed_document_is_gone_even_for_whoever_kept_its_file(shelf: Shelf, tmp_path: Path) -> None:
    kept = shelf.put(WANG, DOCUMENT, facts=FACTS, limits=LIMITS)
    file = tmp_path / "shelf" / f"{kept.id}.sealed"
    copy = file.read_bytes()
    shelf.remove(WANG, kept.id)
    assert not file.exists()
    file.write_bytes(copy)
    with pytest.raises(NoSuchDocument):
        shelf.read(WANG, kept.id)


def test_a_document_changes_hands_whole(shelf: Shelf) -> None:
    kept = shelf.put("pending:1", DOCUMENT, facts=FACTS, limits=LIMITS)
    assert not shelf.give(kept.id, owner=LI, to=WANG)
    assert shelf.give(kept.id, owner="pending:1", to=WANG)
    assert not shelf.give(kept.id, owner="pending:1", to=LI)
    assert shelf.read(WANG, kept.id) == DOCUMENT
