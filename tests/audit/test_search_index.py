# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from audit.errors import LogDamaged, RecordUnavailable
from audit.indexer import BATCH, Indexer
from audit.models import Entry, Outcome
from audit.search import Indexed, Query, Row, parse
from tests.fakes.audit_console import LI, OFFICER, WANG, ConsoleFake


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    made = ConsoleFake(tmp_path)
    made.fill()
    made.indexer.catch_up()
    return made


def _found(fake: ConsoleFake, **filters: str) -> list[int]:
    query = parse({name.rstrip("_"): [value] for name, value in filters.items()})
    persons = fake.store.subjects(fake.names.token(query.person)) | {query.person}
    return [row.index for row in fake.store.search(query, persons)[: query.limit]]


def _indexed(row: Row) -> Indexed:
    return Indexed(row=row, marks="", sealed="", names=frozenset())


def test_each_filter_finds_exactly_what_a_scan_finds(fake: ConsoleFake) -> None:
    events = list(enumerate(fake.log.events))
    newest_first = events[::-1]
    assert _found(fake, outcome="denied") == [i for i, e in newest_first if e.outcome is Outcome.DENIED]
    assert _found(fake, person=WANG) == [i for i, e in newest_first if WANG in (e.subject, e.actor)]
    assert _found(fake, person="王芳") == _found(fake, person=WANG)
    assert _found(fake, person="wang") == _found(fake, person=WANG)
    assert _found(fake, person=OFFICER) == [i for i, e in newest_first if OFFICER in (e.subject, e.actor)]
    assert _found(fake, object="documents") == [i for i, e in newest_first if e.object == "documents"]
    assert _found(fake, zone="management") == [i for i, e in newest_first if e.zone == "management"]
    assert _found(fake, type="sso.login") == [i for i, e in newest_first if e.type == "sso.login"]
    assert _found(fake, organisation="org-tax-bureau") == [
        i for i, e in newest_first if e.organisation == "org-tax-bureau"
    ]
    since, until = fake.clock.now() - timedelta(hours=5), fake.clock.now() - timedelta(hours=3)
    span = {"from": since.isoformat(timespec="minutes"), "to": until.isoformat(timespec="minutes")}
    assert _found(fake, **span) == [i for i, e in newest_first if since <= e.at < until + timedelta(minutes=1)]
    assert _found(fake, person="nobody") == []


def test_pages_by_key_cover_everything_once_while_entries_arrive(fake: ConsoleFake) -> None:
    size = fake.log.size()
    seen: list[int] = []
    after = size
    while True:
        page = _found(fake, after=str(after), limit="7")
        if not page:
            break
        seen += page
        after = page[-1]
        fake.add(object="arrives while paging")
        fake.indexer.catch_up()
    assert seen == list(range(size))[::-1]


def test_nothing_of_a_sealed_part_is_in_the_file(fake: ConsoleFake, tmp_path: Path) -> None:
    content = b"".join(path.read_bytes() for path in (tmp_path / "index").rglob("*") if path.is_file())
    assert b"documents" in content
    for personal in ("Li Xiaoming", "xiaoming", "李晓明", "203.0.113.7", "card reported lost"):
        assert personal.encode() not in content


def test_a_rebuilt_index_equals_the_old(fake: ConsoleFake) -> None:
    old = fake.store.everything()
    assert len(old[0]) == fake.log.size()
    assert old[1]
    assert fake.indexer.rebuild() == fake.log.size()
    assert fake.store.everything() == old


def test_an_erased_person_is_not_found_by_name_and_stays_so_after_a_rebuild(fake: ConsoleFake) -> None:
    assert _found(fake, person="Li Xiaoming")
    fake.log.erase(LI)
    fake.store.forget(LI)
    assert _found(fake, person="Li Xiaoming") == []
    assert _found(fake, person="王芳")
    fake.indexer.rebuild()
    assert _found(fake, person="Li Xiaoming") == []
    # The entries themselves remain, under the identifier.
    assert _found(fake, person=LI)


def test_a_log_longer_than_a_batch_is_read_to_its_end(fake: ConsoleFake) -> None:
    for _ in range(2 * BATCH):
        fake.add()
    assert fake.indexer.catch_up(batches=1) == 2 * BATCH - BATCH
    assert fake.indexer.catch_up() == 0
    assert fake.store.position() == fake.log.size()


def test_two_indexers_over_one_index_never_enter_an_entry_twice(fake: ConsoleFake) -> None:
    rows = [_indexed(row) for row, _ in fake.store.everything()[0] if row.index >= 70]
    assert not fake.store.add(70, rows)
    for _ in range(300):
        fake.add()
    other = Indexer(log=fake.log, store=fake.store, names=fake.names)
    fake.indexer.catch_up(batches=1)
    other.catch_up()
    assert [row.index for row, _ in fake.store.everything()[0]] == list(range(fake.log.size()))


def test_the_position_moves_only_with_the_rows(fake: ConsoleFake) -> None:
    before = fake.store.position()
    [taken, *_] = [row for row, _ in fake.store.everything()[0] if row.index > 50]
    # The second row's place is taken, so the insert fails after the position moved.
    with pytest.raises(Exception, match="UNIQUE"):
        fake.store.add(before, [_indexed(replace(taken, index=before)), _indexed(taken)])
    assert fake.store.position() == before


def test_a_gap_in_what_is_read_stops_the_indexer(fake: ConsoleFake) -> None:
    class Gapped:
        def read(self, start: int, limit: int) -> list[Entry]:
            return list(fake.log.read(start + 1, limit))

        def __getattr__(self, name: str) -> object:
            return getattr(fake.log, name)

    fake.add()
    fake.add()
    broken = Indexer(log=Gapped(), store=fake.store, names=fake.names)  # type: ignore[arg-type]  # by __getattr__
    with pytest.raises(RecordUnavailable):
        broken.catch_up()


def test_one_damaged_sealed_part_hides_no_later_entry(fake: ConsoleFake) -> None:
    class Damaged:
        def unseal_all(self, entries: Sequence[Entry]) -> object:
            return [LogDamaged(index=entry.index, why="key lost") for entry in entries]

        def __getattr__(self, name: str) -> object:
            return getattr(fake.log, name)

    fake.add(subject=LI, sealed={"name": "Li Xiaoming"})
    fake.add()
    damaged = Indexer(log=Damaged(), store=fake.store, names=fake.names)  # type: ignore[arg-type]  # by __getattr__
    assert damaged.catch_up() == 0


def test_who_is_told_to_stop_stops_after_the_batch(fake: ConsoleFake) -> None:
    fake.indexer.catch_up()
    for _ in range(2 * BATCH):
        fake.add()
    asked = iter([False, True])
    assert fake.indexer.catch_up(stopped=lambda: next(asked)) == BATCH


def test_the_shape_of_a_day_adds_up(fake: ConsoleFake) -> None:
    until = fake.clock.now() + timedelta(seconds=1)
    shape = fake.store.shape(until - timedelta(hours=24), until)
    assert shape.total == fake.log.size() == sum(every for _, every, _ in shape.hours)
    assert shape.of(Outcome.DENIED) == 2 == sum(bad for _, _, bad in shape.hours)
    assert {(d.object, d.zone, d.reason, d.times, d.subjects) for d in shape.denials} == {
        ("documents", "external", "zone", 1, 1),
        ("documents", "external", "login", 1, 0),
    }
    # The counters know whole hours.
    assert shape.since == (until - timedelta(hours=24)).replace(minute=0, second=0, microsecond=0)
    empty = fake.store.shape(until + timedelta(hours=1), until + timedelta(hours=2))
    assert (empty.total, list(empty.hours), list(empty.denials)) == (0, [], [])


def test_the_count_stops_counting(fake: ConsoleFake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.store.questions.MOST_COUNTED", 10)
    assert fake.store.count(Query(), frozenset()) == 11
