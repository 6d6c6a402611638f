# SPDX-License-Identifier: Apache-2.0
"""A log whose oldest bundles retention has removed: what reads it goes on behind them."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.wiring.outward import make_signed
from app.wiring.retaining import folder_keeper
from audit import Entry
from audit.alerts import AlertStore, Engine, Flattener, Places, load
from audit.alerts.models import Level
from audit.alerts.own import UNSEEN
from audit.blobs import DiskBlobs
from audit.checking import FullCheck
from audit.cli import audit
from audit.client import Follower
from audit.errors import Erased, LogDamaged, Pruned
from audit.exports import (
    ExportBroken,
    ExportDesk,
    ExportStore,
    NoSuchTarget,
    PublishedSource,
    SignedExports,
    verify_chain,
    verify_series,
)
from audit.indexer import Indexer
from audit.lineage import LOGS, Past, trust_root
from audit.merkle.pruning import PRUNED, Pruning
from audit.merkle.tiles import bundle_path
from audit.published import INDEX_KEY, PublishedLog, Reading
from audit.retention import Drop
from audit.search import Query
from audit.store import IndexStore
from audit.verify import PRUNES, claims, verify_folder, verify_logs
from core.clock import SystemClock
from tests.fakes.log_site import wait_for
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


def test_terms_hold_for_closed_logs_too_and_the_end_of_each_stays(house: RetentionHouse) -> None:
    house.take(700)
    house.rotate()
    house.take(600)
    login = house.closed.entry(5)
    assert house.site.seals.open(login) == {"name": "李雷"}
    house.clock.advance(timedelta(days=900))
    house.store.see(int(house.clock.now().timestamp()))
    house.retaining.round()
    # One store of keys serves all logs.
    with pytest.raises(Erased):
        house.site.seals.open(login)
    assert (house.closed.size(), house.closed.first()) == (702, 512)
    assert house.site.reader().first() == 256
    [run] = house.store.runs(1)
    assert [str(piece) for piece in run.pieces][-1] == f"bundles:{702 + 256}"
    # The place of the record, and not its index in the present log.
    assert run.entry == 702
    past = Past([house.closed])
    assert past.first(house.site.reader()) == 702 + 256
    assert PublishedSource(house.site.reader(), past).first() == 702 + 256
    root = trust_root([(house.old, "https://log/logs/log"), (house.site.key, "https://log")])
    old, new = verify_logs(str(house.site.folder), root, house.site.vkey)
    assert (old.pruned, old.recorded, new.pruned, new.recorded) == (512, 702, 256, 0)
    assert not new.begun
    told = claims([old, new])
    # The recorder of this test is not the log: nothing in the record announces what was pruned.
    assert "recorded in entry 702; that entry was not found to say so" in told[2]
    assert told[-1].startswith(f"{new.origin} continues {old.origin} by the last entry of {old.origin} alone")
    assert "each continues the one before it" not in told
    house.retaining.round()
    assert len(house.store.runs(9)) == 1


def test_what_stays_of_a_closed_log_holds_up_its_successor(house: RetentionHouse) -> None:
    house.take(300)
    house.take(1, subject="anna")
    house.take(300)
    house.rotate()
    house.take(600)
    house.holds = {"anna"}
    house.clock.advance(timedelta(days=900))
    house.store.see(int(house.clock.now().timestamp()))
    house.retaining.round()
    assert (house.closed.first(), house.site.reader().first()) == (256, 0)


@pytest.fixture
def parts(house: RetentionHouse) -> IndexStore:
    """Entries of two years in a real index with parts of 100 entries."""
    house.take(250)
    house.clock.advance(timedelta(days=700))
    house.take(250)
    store = IndexStore.open(house.folder / "index", span=100)
    store.prepare()
    read = reading(house)
    Indexer(log=read.log, store=store, names=read.names).catch_up()
    house.retaining._keeper = folder_keeper(
        house.folder,
        seals=house.site.store,
        index=store,
        bundles=house.bundles,
        held=lambda subject: subject in house.holds,
        stamps=None,
    )
    return store


def test_retention_drops_the_parts_of_a_real_index(house: RetentionHouse, parts: IndexStore) -> None:
    assert [(part.first, part.end) for part in parts.partitions()] == [
        (0, 100),
        (100, 200),
        (200, 251),
        (251, 351),
        (351, 451),
        (451, 501),
    ]
    house.clock.advance(timedelta(days=101))
    house.store.see(int(house.clock.now().timestamp()))
    run = house.retaining.round()
    assert run is not None
    index = [str(piece) for piece in run.pieces if piece.kind is Drop.INDEX]
    assert index == [f"index:{part:016}" for part in (0, 100, 200)]
    assert [part.first for part in parts.partitions()] == [251, 351, 451]
    # Nobody searches what is gone, and what comes is taken on.
    assert {row.index for row in parts.search(Query(limit=500), frozenset())} == set(range(251, 501))
    assert parts.position() == 501
    # Twice is no harm.
    house.retaining._keeper.drop_index("0" * 16)
    house.retaining._keeper.drop_index(f"{451:016}")
    assert [part.first for part in parts.partitions()] == [251, 351, 451]
    # However long: the newest part stays.
    house.clock.advance(timedelta(days=1500))
    house.store.see(int(house.clock.now().timestamp()), confirmed=True)
    house.retaining.round()
    assert [part.first for part in parts.partitions()] == [451]


def test_a_damaged_index_holds_up_no_keys(house: RetentionHouse, parts: IndexStore) -> None:
    for path in (house.folder / "index").rglob("*.db"):
        path.write_bytes(b"no index" * 1000)
        for kind in ("-wal", "-shm"):
            path.with_name(f"{path.name}{kind}").unlink(missing_ok=True)
    parts.close()
    house.clock.advance(timedelta(days=101))
    house.store.see(int(house.clock.now().timestamp()))
    run = house.retaining.round()
    assert run is not None
    assert {piece.kind for piece in run.pieces} == {Drop.SEALS}
    assert parts.damaged()


def test_a_closed_logs_rest_is_exported_too_and_the_page_shows_every_series(house: RetentionHouse) -> None:
    stores = [ExportStore.open(house.folder / name) for name in ("exports.db", "exports-2.db")]

    def series(number: int) -> SignedExports:
        reader, key = [(house.closed, house.old), (house.site.reader(), house.site.key)][number]
        return SignedExports(
            house.folder / "exports", reader=reader, key=key, store=stores[number],
            recorder=house.recorder, clock=house.clock,
        )  # fmt: skip

    house.closed = house.site.reader()
    house.take(10)
    series(0).make()
    house.take(20)
    house.rotate()
    house.take(5)
    make_signed([series(0), series(1)])
    desk = ExportDesk(
        {}, store=stores[0], size=lambda: 38, recorder=house.recorder, clock=house.clock,
        series=[(0, stores[0]), (32, stores[1])],
    )  # fmt: skip
    assert [(each.first, each.last) for each in desk.signed()] == [(32, 37), (11, 31), (0, 10)]
    files = [house.folder / "exports" / each.name for each in desk.signed()]
    assert [each.last for each in verify_chain(files[1:], house.old.vkey)] == [10, 31]
    assert [each.last for each in verify_chain(files[:1], house.site.key.vkey)] == [5]
    keys = [house.old.vkey, house.site.key.vkey]
    assert [each.last for each in verify_series(files, keys)] == [10, 31, 5]
    # Of a later log alone nothing is said about the one before; what is left out in the middle is noticed.
    assert [each.last for each in verify_series(files[:1], keys)] == [5]
    with pytest.raises(ExportBroken, match="behind entry 10 is missing"):
        verify_series([files[0], files[2]], keys)
    with pytest.raises(ExportBroken, match="none of these logs"):
        verify_series(files, keys[1:])
    # Older ones are found on their pages and by their places.
    assert [each.first for each in desk.signed(below=32)] == [11, 0]
    assert [each.first for each in desk.signed(limit=1, below=11)] == [0]
    assert desk.signed_at(32).name == files[0].name
    with pytest.raises(NoSuchTarget):
        desk.signed_at(33)
    # Nothing is made twice, and one that fails holds up no other.
    make_signed([series(0), series(1)])
    assert len(desk.signed()) == 3
    house.take(1)
    (house.folder / "logs" / "log" / "checkpoint").write_bytes(b"spoilt")
    with pytest.raises(LogDamaged):
        make_signed([series(0), series(1)])
    assert desk.signed()[0].last == 38
    for store in stores:
        store.close()


def engine(house: RetentionHouse, past: Past | None = None) -> tuple[Engine, AlertStore]:
    store = AlertStore.open(house.folder / "alerts.db")
    made = Engine(
        log=PublishedLog(reader=house.site.reader(), seals=house.site.seals, past=past),
        store=store,
        rules=load(None),
        flattener=Flattener(places=Places.parse(b""), zone=UTC),
        clock=house.clock,
        recorder=house.recorder,
    )
    return made, store


def test_alerting_goes_on_behind_what_is_pruned_and_says_what_it_never_saw(house: RetentionHouse) -> None:
    house.take(800)
    age(house)
    looking, store = engine(house)
    assert looking.advance() == 802 - 512
    assert store.position()[0] == 802
    [alert] = [each for each in store.page(None, limit=9) if each.rule == UNSEEN.id]
    assert (alert.level, dict(alert.group), list(alert.entries)) == (Level.HIGH, {"first": "0", "last": "511"}, [512])
    raised = [each for each in house.recorder.events if each.type == "audit.alert.raised"]
    assert UNSEEN.id in [each.attributes["rule"] for each in raised]
    # Once: from there on nothing is missing.
    house.take(3)
    assert looking.advance() == 3
    assert len([each for each in store.page(None, limit=9) if each.rule == UNSEEN.id]) == 1
    store.close()


def test_alerting_meets_every_entry_that_is_left_of_several_logs(house: RetentionHouse) -> None:
    house.take(700)
    house.rotate()
    house.take(600)
    house.clock.advance(timedelta(days=900))
    house.store.see(int(house.clock.now().timestamp()))
    house.retaining.round()
    past = Past([house.closed])
    looking, store = engine(house, past)
    # The end of the closed log, and the successor behind what is pruned there.
    assert looking.advance() == 702 - 512 + 601 - 256
    gone = [dict(each.group) for each in store.page(None, limit=9) if each.rule == UNSEEN.id]
    assert sorted(gone, key=lambda each: int(each["first"])) == [
        {"first": "0", "last": "511"},
        {"first": "702", "last": "957"},
    ]
    store.close()


def test_a_follower_far_behind_hears_everything_that_is_kept_and_is_fresh(house: RetentionHouse) -> None:
    house.take(700)
    house.rotate()
    house.take(600)
    house.clock.advance(timedelta(days=900))
    house.store.see(int(house.clock.now().timestamp()))
    house.retaining.round()
    house.site.clock = SystemClock()
    past, heard, beats = Past([house.closed]), list[int](), list[bool]()

    def hear(entries: Sequence[Entry]) -> None:
        heard.extend(entry.index for entry in entries)
        beats.append(not entries)

    with house.site.served(past=past) as served:
        for start, first in ((0, 512), (600, 600), (702, 702 + 256)):
            heard.clear()
            beats.clear()
            feed = house.site.feed()
            follower = Follower(feed, start=start, hear=hear, clock=SystemClock())
            follower.start()
            wait_for(follower.fresh)
            follower.check()
            follower.stop()
            expected = [*range(first, 702), *range(702 + 256, heard[-1] + 1)]
            assert heard == expected
        assert served.failure is None
    reader = house.site.reader()
    opened = [e.event.attributes for e in reader.entries(601, 999) if e.event.type == "audit.feed.opened"]
    assert [(each["start"], each.get("asked")) for each in opened][:2] == [(512, 0), (702 + 256, 702)]


def test_verify_says_exactly_what_is_proven_and_what_is_gone(house: RetentionHouse) -> None:
    house.take(800)
    age(house)
    # As the real record has it: the run's intent stands in the log, and the note names it.
    log = house.site.open()
    with closing(log):
        [intent] = [each for each in house.recorder.events if each.type == PRUNES]
        log.append([intent])
        log.integrate()
    note, key = house.site.folder / PRUNED, house.site.key
    note.write_bytes(Pruning(key.origin, 512, 802).sign(key))
    report = verify_folder(house.site.folder, house.site.vkey)
    assert (report.pruned, report.recorded, report.said, report.begun, report.bundles) == (512, 802, True, False, 2)
    arguments = ["verify", str(house.site.folder), "--key", house.site.vkey]
    told = CliRunner().invoke(audit, arguments).output.splitlines()
    gone = "entries 0 to 511 are pruned by policy, as the log's signed note says, recorded in entry 802"
    proven = "of those the hashes are proven: none was changed, added or left out"
    assert told[:5] == [
        "city.example/log: 803 entries, 5 tiles: every hash leads to the signed root",
        "entries 512 to 802, 2 entry bundles: all as signed",
        f"{gone}, which was read and says so",
        f"{proven}; what they said is gone, and whether their sources left one out cannot be checked",
        "entry 0 is among those: this log's own account of its birth is gone",
    ]
    # A note that names another entry is the log's word alone, and that is said.
    note.write_bytes(Pruning(key.origin, 512, 700).sign(key))
    assert "recorded in entry 700; that entry was not found to say so" in CliRunner().invoke(audit, arguments).output
    # What lies below and is still there is checked all the same.
    spare = house.site.folder / bundle_path(1)
    spare.write_bytes(b"\0\1x" * 256)
    assert "BAD: entry 256" in CliRunner().invoke(audit, arguments).output
    spare.unlink()
    check = FullCheck([(DiskBlobs(house.site.folder), house.site.vkey)], recorder=house.recorder, clock=house.clock)
    check.round()
    assert house.recorder.events[-1].attributes == {"size": 803, "tiles": 5, "pruned": 512}
