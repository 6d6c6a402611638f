# SPDX-License-Identifier: Apache-2.0
"""The index in parts: dropped one by one, rebuilt beside the old one, damaged, and asked too much."""

import itertools
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.errors import IndexInUse
from audit.indexer import Indexer
from audit.models import Entry, Outcome
from audit.search import IndexDamaged, Query, SearchTooLong, parse
from audit.store import IndexStore
from audit.store.part import Extent, Part
from audit.store.schema import COUNTED
from tests.fakes.audit_console import LI, WANG, ConsoleFake

ROOT = Path(__file__).parents[2]
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
FAR_AWAY = datetime(9999, 1, 1, tzinfo=UTC)


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    made = ConsoleFake(tmp_path, span=20)
    made.fill()
    made.indexer.catch_up()
    return made


def _all(fake: ConsoleFake, **filters: str) -> list[int]:
    query = parse({"limit": ["500"], **{name: [value] for name, value in filters.items()}})
    return [row.index for row in fake.store.search(query, {query.person})]


class TestParts:
    def test_they_hold_the_log_one_after_the_other(self, fake: ConsoleFake) -> None:
        parts = fake.store.partitions()
        assert len(parts) == 4
        assert [part.first for part in parts] == [0, 20, 40, 60]
        assert [part.end for part in parts] == [20, 40, 60, fake.log.size()]
        assert all(part.size > 0 and part.since and part.until for part in parts)
        assert fake.store.position() == fake.log.size()

    def test_a_new_quarter_begins_a_new_part(self, fake: ConsoleFake) -> None:
        before = fake.store.partitions()
        fake.clock.advance(timedelta(days=92))
        first = fake.add()
        fake.indexer.catch_up()
        after = fake.store.partitions()
        assert len(after) == len(before) + 1
        assert after[-1].first == first == after[-2].end

    def test_an_entry_with_a_late_clock_does_not(self, fake: ConsoleFake) -> None:
        before = len(fake.store.partitions())
        fake.add(at=fake.clock.now() - timedelta(days=200))
        fake.indexer.catch_up()
        assert len(fake.store.partitions()) == before
        day = (fake.clock.now() - timedelta(days=200)).date().isoformat()
        assert _all(fake, **{"from": day, "to": day}) == [fake.log.size() - 1]

    def test_dropping_one_takes_its_entries_and_counters_and_nothing_else(self, fake: ConsoleFake) -> None:
        size = fake.log.size()
        fake.store.drop("0000000000000020")
        assert _all(fake) == [*range(size - 1, 39, -1), *range(19, -1, -1)]
        assert sum(count.times for count in fake.store.hours(LONG_AGO, FAR_AWAY)) == size - 20
        assert fake.store.position() == size
        fake.store.drop("no-such-part")
        newest = fake.store.partitions()[-1].name
        fake.store.drop(newest)
        assert fake.store.partitions()[-1].name == newest

    def test_what_was_dropped_does_not_come_back_with_a_rebuilding(self, fake: ConsoleFake) -> None:
        size = fake.log.size()
        fake.store.drop("0000000000000000")
        fake.store.drop("0000000000000020")
        assert fake.indexer.rebuild() == size - 40
        assert _all(fake) == list(range(size - 1, 39, -1))
        # What was lost without being dropped does.
        _part(fake, fake.store.partitions()[0].name).unlink()
        fake.indexer.rebuild()
        assert _all(fake) == list(range(size - 1, 39, -1))

    def test_what_happened_in_a_session_is_found_across_parts(self, fake: ConsoleFake) -> None:
        li = [i for i, e in enumerate(fake.log.events) if e.session == "s-li"]
        middle = li[len(li) // 2]
        before, after = fake.store.around("s-li", middle, 15)
        assert [row.index for row in before] == [i for i in li if i < middle][-15:]
        assert [row.index for row in after] == [i for i in li if i > middle][:15]
        assert fake.store.around("no-such-session", 5, 3) == ([], [])

    def test_the_view_for_rules_has_these_columns(self, fake: ConsoleFake) -> None:
        """Rules of detection are written against them: they are a promise."""
        connection = sqlite3.connect(_part(fake, "0000000000000000"))
        cursor = connection.execute("SELECT * FROM event ORDER BY place")
        assert [column[0] for column in cursor.description] == [
            "place", "at", "type", "outcome", "source", "zone", "subject", "actor", "object", "organisation",
            "session", "decision", "policy", "reason", "attributes",
        ]  # fmt: skip
        assert len(cursor.fetchall()) == 20
        connection.close()


class TestCounters:
    def test_they_equal_a_count_of_the_entries(self, fake: ConsoleFake) -> None:
        for step, cut in (("hour", "%Y-%m-%d %H"), ("day", "%Y-%m-%d")):
            counts = fake.store.counts(LONG_AGO, FAR_AWAY, by=COUNTED, step=step)  # type: ignore[arg-type]  # both are
            found = {(f"{c.at:{cut}}", *c.values): c.times for c in counts}
            expected: dict[tuple[str, ...], int] = {}
            for e in fake.log.events:
                reason, to_zone = str(e.attributes.get("reason", "")), str(e.attributes.get("to_zone", ""))
                to_zone = to_zone or ("nowhere" if e.type == "gateway.decision" else "")
                key = (f"{e.at:{cut}}", e.type, e.outcome.value, e.zone, to_zone, e.source, reason)
                expected[key] = expected.get(key, 0) + 1
            assert found == expected

    def test_they_narrow(self, fake: ConsoleFake) -> None:
        [denied] = [
            fake.store.counts(LONG_AGO, FAR_AWAY, by=("outcome",), step="day", where={"outcome": "denied"}),
        ]
        assert sum(count.times for count in denied) == 2
        with pytest.raises(ValueError, match="subject"):
            fake.store.counts(LONG_AGO, FAR_AWAY, by=("subject",))

    def test_facets_and_bars_are_those_of_the_hits(self, fake: ConsoleFake) -> None:
        survey = fake.store.survey(parse({"object": ["tax"]}), frozenset())
        events = [e for e in fake.log.events if e.object == "tax"]
        assert (survey.counted, survey.more) == (len(events), False)
        kinds = dict(survey.facets["type"])
        assert kinds == {kind: sum(e.type == kind for e in events) for kind in {e.type for e in events}}
        assert survey.facets["object"] == [("tax", len(events))]
        assert sum(count for _, count in survey.bars) == len(events)
        assert len(survey.bars) <= 61
        empty = fake.store.survey(parse({"object": ["nothing"]}), frozenset())
        assert (empty.counted, empty.bars, empty.facets["type"]) == (0, [], [])


class TestTogether:
    FIELDS = ("type", "outcome", "zone", "to_zone", "object", "organisation", "reason")

    def test_hits_and_what_they_have_in_common_are_the_same_in_one_pass(self, fake: ConsoleFake) -> None:
        entries = list(fake.log.read(0, fake.log.size()))
        middle = entries[len(entries) // 2].event.at
        for limit in ("1", "7", "50"):
            for filters in ({}, {"object": "tax"}, {"outcome": "denied"}, {"object": "nothing"}, {"zone": "external"}):
                for span in ({}, {"from": f"{middle:%Y-%m-%dT%H:%M}"}, {"to": f"{middle:%Y-%m-%dT%H:%M}"}):
                    query = parse({name: [value] for name, value in {**filters, **span, "limit": limit}.items()})
                    both = fake.store.answer(query, frozenset())
                    assert both == (fake.store.search(query, frozenset()), fake.store.survey(query, frozenset()))
                    if len(both[0]) > 1:
                        # The next page, too: what the hits have in common is that of all pages.
                        older = replace(query, after=both[0][-2].index)
                        assert fake.store.answer(older, frozenset()) == (
                            fake.store.search(older, frozenset()), both[1]
                        )  # fmt: skip

    def test_filters_that_have_one_mark_together_find_what_each_finds_alone(self, fake: ConsoleFake) -> None:
        rows = [row for row, _sealed in fake.store.everything()[0]]
        for names in (
            *itertools.combinations(self.FIELDS, 2),
            ("type", "zone", "to_zone"),
            ("object", "outcome", "reason"),
        ):
            told = {tuple(str(getattr(row, name)) for name in names) for row in rows}
            for values in [each for each in sorted(told) if all(each)][:6]:
                found = _all(fake, **dict(zip(names, values, strict=True)))
                wanted = [row.index for row in rows if tuple(str(getattr(row, name)) for name in names) == values]
                assert sorted(found) == wanted, (names, values)


class TestRebuilding:
    def test_the_old_index_answers_until_the_new_one_is_whole(self, fake: ConsoleFake) -> None:
        old, seen = _all(fake), []
        other = IndexStore.open(fake.folder / "index", span=20)
        fake.indexer.rebuild(told=lambda _position, _size: seen.append((_all(fake), len(other.partitions()))))
        assert seen
        assert all(found == (old, 4) for found in seen)
        # Another process sees the new one without being told.
        assert [row.index for row in other.search(Query(limit=500), frozenset())] == old
        assert [folder.name for folder in _generations(fake)] == ["generation-2"]

    def test_entries_that_arrive_meanwhile_are_in_it(self, fake: ConsoleFake) -> None:
        arrived: list[int] = []

        def arrives(_position: int, _size: int) -> None:
            if len(arrived) < 3:
                arrived.append(fake.add())
                fake.indexer.catch_up()

        fake.indexer.rebuild(told=arrives)
        assert len(arrived) == 3
        assert _all(fake) == list(range(fake.log.size()))[::-1]

    def test_killed_midway_the_old_one_stays_and_the_next_run_cleans_up(self, fake: ConsoleFake) -> None:
        old = fake.store.everything()
        child = subprocess.Popen(
            [sys.executable, "-c", _HALF, str(fake.folder / "index")], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout
        assert child.stdout.readline() == "half\n"
        assert len(_generations(fake)) == 2
        with pytest.raises(IndexInUse):
            fake.indexer.rebuild()
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert fake.store.everything() == old
        assert len(_generations(fake)) == 2
        fake.add()
        fake.indexer.rebuild()
        assert len(_generations(fake)) == 1
        assert _all(fake) == list(range(fake.log.size()))[::-1]

    def test_a_failure_midway_leaves_the_old_one(self, fake: ConsoleFake) -> None:
        old = fake.store.everything()

        def fail(_position: int, _size: int) -> None:
            raise InterruptedError

        with pytest.raises(InterruptedError):
            fake.indexer.rebuild(told=fail)
        assert fake.store.everything() == old
        assert len(_generations(fake)) == 1

    def test_whoever_is_forgotten_meanwhile_is_not_in_the_new_one(self, fake: ConsoleFake) -> None:
        def erase(_position: int, _size: int) -> None:
            fake.log.erase(LI)
            fake.store.forget(LI)

        fake.indexer.rebuild(told=erase)
        assert fake.store.subjects(fake.names.token("Li Xiaoming")) == frozenset()
        query = parse({"q": ["xiaoming"]})
        assert fake.console.search(fake.reader, query).total == 0
        assert fake.store.subjects(fake.names.token("王芳")) == {WANG}

    def test_forgetting_waits_for_entries_that_are_open(self, fake: ConsoleFake) -> None:
        """Else words that were opened before the key was destroyed would come in after they were taken out."""
        opened, done = threading.Event(), threading.Event()

        class Slow:
            def unseal_all(self, entries: Sequence[Entry]) -> object:
                found = fake.log.unseal_all(entries)
                opened.set()
                done.wait(0.3)
                return found

            def __getattr__(self, name: str) -> object:
                return getattr(fake.log, name)

        fake.add(subject=LI, sealed={"name": "Li Xiaoming"})
        slow = Indexer(log=Slow(), store=fake.store, names=fake.names)  # type: ignore[arg-type]  # by __getattr__
        reading = threading.Thread(target=slow.catch_up)
        reading.start()
        opened.wait(5)
        fake.log.erase(LI)
        fake.store.forget(LI)
        reading.join()
        assert fake.store.position() == fake.log.size()
        assert fake.store.subjects(fake.names.token("Li Xiaoming")) == frozenset()

    def test_an_index_of_another_version_is_thrown_away(self, fake: ConsoleFake) -> None:
        for path in (fake.folder / "index").rglob("*.db"):
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA user_version=0")
            connection.close()
        again = IndexStore.open(fake.folder / "index", span=20)
        again.prepare()
        assert again.position() == 0


class TestDamage:
    def test_the_page_says_which_entries_are_missing_and_shows_the_others(self, fake: ConsoleFake) -> None:
        _scribble(fake, "0000000000000020")
        page = fake.console.search(fake.reader, Query(limit=500))
        shown = [hit.row.index for hit in page.hits]
        assert not set(shown) & set(range(20, 40))
        assert set(shown) >= {*range(20), *range(40, 60)}
        assert [(part.first, part.end) for part in page.damaged] == [(20, 40)]
        answer = fake.get("/search")
        assert answer.status_code == 200
        assert "20" in answer.text
        assert "audit reindex" in answer.text
        fake.indexer.rebuild()
        assert fake.console.search(fake.reader, Query()).damaged == []

    def test_a_damaged_newest_part_stops_the_indexer_and_is_told(self, fake: ConsoleFake) -> None:
        _scribble(fake, fake.store.partitions()[-1].name)
        fake.add()
        fresh = IndexStore.open(fake.folder / "index", span=20)
        with pytest.raises(IndexDamaged):
            Indexer(log=fake.log, store=fresh, names=fake.names).catch_up()
        page = fake.console.search(fake.reader, Query(limit=500))
        assert page.lag == -1
        assert "cannot be written" in fake.get("/").text
        assert [hit.row.index for hit in page.hits] == list(range(59, -1, -1))
        assert fake.indexer.rebuild() == fake.log.size()

    def test_a_full_check_reads_every_page(self, fake: ConsoleFake) -> None:
        fake.store.verify()
        fake.store.close()
        path = _part(fake, "0000000000000000")
        content = bytearray(path.read_bytes())
        # All but the first page: another one may be free, and says nothing.
        content[4096:] = secrets.token_bytes(len(content) - 4096)
        path.write_bytes(content)
        with pytest.raises(IndexDamaged):
            IndexStore.open(fake.folder / "index", span=20).verify()


class TestPatience:
    def test_a_search_is_cancelled_at_its_deadline_and_the_page_says_so(self, tmp_path: Path) -> None:
        fake = ConsoleFake(tmp_path, span=1000)
        fake.fill()
        fake.indexer.catch_up()
        hasty = IndexStore.open(tmp_path / "index", patience=timedelta(0))
        with pytest.raises(SearchTooLong):
            hasty.search(parse({"object": ["tax"]}), frozenset())
        fake.store._patience = timedelta(0)
        answer = fake.get("/search?object=tax")
        assert answer.status_code == 503
        assert "took too long" in answer.text

    def test_sqlite_itself_is_interrupted(self, fake: ConsoleFake) -> None:
        """Not only between two parts: one part may hold a million entries."""
        [part, *_] = fake.store._generation().parts()
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        with pytest.raises(SearchTooLong), part.reading(deadline=_soon()) as connection:
            connection.execute(endless).fetchall()
        with part.reading() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)

    def test_full_text_drives_every_search_and_nothing_is_sorted(self, fake: ConsoleFake) -> None:
        plans: list[str] = []
        [part, *_] = fake.store._generation().parts()
        with part.reading() as connection:
            statement = (
                "SELECT entry.* FROM word CROSS JOIN entry ON entry.place = word.rowid WHERE word MATCH 'x' "
                "AND word.rowid < 9 ORDER BY word.rowid DESC LIMIT 5"
            )
            plans = [str(row) for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert "VIRTUAL TABLE INDEX" in plans[0]
        assert "INTEGER PRIMARY KEY" in plans[1]
        assert "TEMP B-TREE" not in str(plans)


def test_two_writers_never_put_an_entry_in_twice(tmp_path: Path) -> None:
    fake = ConsoleFake(tmp_path, span=100)
    for number in range(700):
        fake.add(object=f"o{number}", outcome=Outcome.SUCCESS)
    indexers = [
        Indexer(log=fake.log, store=IndexStore.open(tmp_path / "index", span=100), names=fake.names) for _ in range(3)
    ]
    failures: list[BaseException] = []
    threads = [threading.Thread(target=_guarded, args=(indexer.catch_up, failures)) for indexer in indexers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert [row.index for row, _ in fake.store.everything()[0]] == list(range(700))
    assert [part.end - part.first for part in fake.store.partitions()] == [100] * 7


def test_a_part_that_another_writer_fills_meanwhile_is_followed_by_no_second_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = ConsoleFake(tmp_path, span=100)
    for number in range(100):
        fake.add(object=f"o{number}", outcome=Outcome.SUCCESS)
    mine, theirs = (IndexStore.open(tmp_path / "index", span=100) for _ in range(2))
    entries = Indexer(log=fake.log, store=mine, names=fake.names)._indexed(fake.log.read(0, 100))
    assert mine.add(0, entries[:56])
    looked, waiting = Part.extent, [True]

    def look(part: Part) -> Extent:
        found = looked(part)
        if waiting:
            waiting.clear()
            assert theirs.add(56, entries[56:])
        return found

    monkeypatch.setattr(Part, "extent", look)
    assert not mine.add(56, entries[56:])
    assert [(part.first, part.end) for part in mine.partitions()] == [(0, 100)]


def _guarded(act: Callable[[], object], failures: list[BaseException]) -> None:
    try:
        act()
    except BaseException as error:  # noqa: BLE001 - the test fails by it
        failures.append(error)


def _soon() -> float:
    return time.monotonic() + 0.05


def _generations(fake: ConsoleFake) -> list[Path]:
    return sorted((fake.folder / "index").glob("generation-*"))


def _part(fake: ConsoleFake, name: str) -> Path:
    [path] = (fake.folder / "index").rglob(f"{name}.db")
    return path


def _scribble(fake: ConsoleFake, name: str) -> None:
    """What a failing disk may do."""
    path = _part(fake, name)
    fake.store.close()
    for kind in ("-wal", "-shm"):
        path.with_name(path.name + kind).unlink(missing_ok=True)
    path.write_bytes(secrets.token_bytes(path.stat().st_size))


_HALF = """
import sys, time
from pathlib import Path
from audit.store import IndexStore
store = IndexStore.open(Path(sys.argv[1]), span=20)
with store.rebuilding() as new:
    new.add(0, [])
    print("half", flush=True)
    time.sleep(60)
"""
