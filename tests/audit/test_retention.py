# SPDX-License-Identifier: Apache-2.0
"""Retention drops what has run out, whole, recorded first, finished after any death, and never because of a clock."""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.config import RetentionSettings
from audit.errors import Erased, LogDamaged, Pruned, RecordUnavailable
from audit.events import Retention
from audit.merkle import leaf_hash, verify_inclusion
from audit.models import Reader
from audit.retention import (
    BadTerm,
    ClockDoubted,
    Kept,
    NothingToConfirm,
    RetentionStore,
    TooMuchAtOnce,
    Usage,
    forecast,
    plan,
)
from audit.seals import Partition
from audit.verify import verify_folder
from tests.fakes.retention_house import RetentionHouse

OFFICER = Reader(subject="77c9a8b0-1d7e-4b5f-9e0e-2f8f5c1d7003", session="s", zone="management", decision="d")
_TERMS = {Retention.ACCESS: 180, Retention.IDENTITY: 400, Retention.TRUST: 800}
_DAY = timedelta(days=1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[RetentionHouse]:
    made = RetentionHouse(tmp_path)
    made.retaining.round()
    yield made
    made.close()


def test_a_quarter_goes_when_its_class_has_run_out_and_not_a_day_before() -> None:
    quarter = Partition.at(datetime(2026, 11, 20, tzinfo=UTC), Retention.ACCESS)
    trust = Partition.at(datetime(2026, 11, 20, tzinfo=UTC), Retention.TRUST)
    part = Kept(name="0001", until=datetime(2026, 12, 31, tzinfo=UTC))
    end = datetime(2027, 1, 1, tzinfo=UTC)
    for days, pieces in (
        (180 - 1e-5, []),
        (180, ["seals:access-2026Q4"]),
        (799, ["seals:access-2026Q4", "index:0001"]),
    ):
        found = plan(end + timedelta(days=days), _TERMS, seals=[quarter, trust], index=[part])
        assert [str(piece) for piece in found.pieces] == pieces
    everything = plan(
        end + timedelta(days=801), _TERMS, seals=[quarter, trust, quarter.next], index=[part], bundles=256
    )
    assert [str(piece) for piece in everything.pieces][-1] == "bundles:256"
    assert everything.quarters == 2


def test_day_by_day_access_goes_and_the_rest_stays(house: RetentionHouse) -> None:
    house.take()
    house.take(type="directory.person.changed", source="directory")
    login, change = house.site.reader().entries(1, 2)
    # To the end of the quarter and 179 days.
    house.live(42 + 179)
    assert house.site.seals.open(login) == {"name": "李雷"}
    house.live(1)
    with pytest.raises(Erased):
        house.site.seals.open(login)
    assert house.site.seals.open(change) == {"name": "李雷"}
    verify_folder(house.site.folder, house.site.vkey)
    assert house.recorder.types() == ["audit.retention.intended", "audit.retention.done"]
    assert house.recorder.events[0].attributes["pieces"] == "seals:access-2026Q4"
    [run] = house.store.runs(9)
    assert (run.state, run.entry) == ("done", 0)
    view = house.retaining.view()
    assert [each.partitions for each in view.classes] == [0, 1, 0]
    assert len(view.past) == 31


def test_a_survey_says_what_the_next_run_drops_and_what_it_then_left(house: RetentionHouse) -> None:
    house.take()
    house.live(42 + 179)
    found = house.store.survey()
    assert found is not None
    assert [str(piece) for piece in found.pieces] == ["seals:access-2026Q4"]
    assert [(each.name, size > 0) for each, size in found.kept] == [("access-2026Q4", True)]
    assert (found.at, found.run, found.used, found.free) == (int(house.clock.now().timestamp()),) * 2 + (1000, 10_000)
    house.live(1)
    left = house.store.survey()
    assert left is not None
    assert (left.pieces, left.kept) == ((), ())
    assert house.retaining.view().due == house.clock.now() + _DAY


def test_what_cannot_be_recorded_is_not_dropped(house: RetentionHouse) -> None:
    house.take()
    house.live(42 + 179)
    house.recorder.down = True
    house.clock.advance(_DAY)
    with pytest.raises(RecordUnavailable):
        house.retaining.round()
    assert len(house.seals()) == 1
    house.recorder.down = False
    house.retaining.round()
    assert house.seals() == []


@pytest.mark.parametrize("step", ["intended", "drop", "outcome", "done"])
def test_a_run_that_died_is_repeated_with_the_same_records(
    house: RetentionHouse, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    house.take()
    house.live(42 + 179)
    house.clock.advance(_DAY)

    def killed(*_given: object, **_more: object) -> None:
        raise KeyboardInterrupt

    record = house.recorder.record

    def outcome(said: Any, **more: Any) -> Any:
        if said.type == "audit.retention.done":
            raise KeyboardInterrupt
        return record(said, **more)

    with monkeypatch.context() as patched:
        if step == "outcome":
            patched.setattr(house.recorder, "record", outcome)
        elif step == "drop":
            patched.setattr(house, "drop_seals", killed)
        else:
            patched.setattr(house.store, step, killed)
        with pytest.raises(KeyboardInterrupt):
            house.retaining.round()
    house.clock.advance(_DAY)
    house.retaining.round()
    assert house.seals() == []
    assert house.recorder.types() == ["audit.retention.intended", "audit.retention.done"]
    assert house.store.begun() is None


def test_a_hold_keeps_what_would_go_until_it_is_lifted(house: RetentionHouse) -> None:
    house.take(subject="anna")
    house.take(subject="bert")
    anna, bert = house.site.reader().entries(1, 2)
    house.holds = {"anna"}
    house.live(42 + 180)
    assert house.site.seals.open(anna) == {"name": "李雷"}
    with pytest.raises(Erased):
        house.site.seals.open(bert)
    assert house.store.runs(1)[0].kept == 1
    house.holds = set()
    house.live(1)
    with pytest.raises(Erased):
        house.site.seals.open(anna)


@pytest.mark.parametrize("days", [8, 400, 40_000, -1])
def test_a_clock_that_jumps_drops_nothing_until_an_officer_says_so(house: RetentionHouse, days: int) -> None:
    house.take()
    house.live(3)
    house.clock.advance(timedelta(days=days))
    for _ in range(3):
        with pytest.raises(ClockDoubted):
            house.retaining.round()
    assert len(house.seals()) == 1
    assert house.recorder.types() == ["audit.retention.refused"]
    assert house.retaining.view().waits == "retention_clock_doubted"
    # The clock was set back to what it was: it goes on, though the page still shows what happened.
    house.clock.advance(timedelta(days=-days) + timedelta(hours=1))
    house.retaining.round()
    assert len(house.seals()) == 1


def test_a_site_that_was_off_goes_on_when_an_officer_has_looked(house: RetentionHouse) -> None:
    house.take()
    house.clock.advance(timedelta(days=400))
    with pytest.raises(ClockDoubted):
        house.retaining.round()
    house.retaining.confirm(OFFICER)
    house.retaining.round()
    assert house.seals() == []
    assert house.recorder.types() == [
        "audit.retention.refused",
        "audit.retention.confirmed",
        "audit.retention.intended",
        "audit.retention.done",
    ]
    assert house.recorder.events[1].actor == OFFICER.subject
    with pytest.raises(NothingToConfirm):
        house.retaining.confirm(OFFICER)


def test_outsiders_who_say_another_time_stop_it(house: RetentionHouse) -> None:
    house.take()
    house.time = house.clock.now()
    house.live(5)
    house.clock.advance(3 * _DAY)
    with pytest.raises(ClockDoubted):
        house.retaining.round()


def test_more_than_one_quarter_at_once_waits_for_an_officer(house: RetentionHouse) -> None:
    house.take()
    house.clock.advance(timedelta(days=60))
    house.take()
    house.store.see(int(house.clock.now().timestamp()))
    house.clock.advance(timedelta(days=400))
    # Somebody who can write the table moved what was believed with the clock.
    house.store.see(int(house.clock.now().timestamp()))
    with pytest.raises(TooMuchAtOnce):
        house.retaining.round()
    assert len(house.seals()) == 2
    house.retaining.confirm(OFFICER)
    house.retaining.round()
    assert house.seals() == []


def test_the_first_look_drops_nothing(house: RetentionHouse, tmp_path: Path) -> None:
    house.take()
    house.clock.advance(timedelta(days=400))
    # Whoever removes the table gains one day at most, and no drop.
    house.retaining._store = RetentionStore.open(tmp_path / "other.db")
    assert house.retaining.round() is None
    assert len(house.seals()) == 1
    house.retaining._store.close()


def test_terms_never_fall_below_the_settings(house: RetentionHouse) -> None:
    house.retaining.change(OFFICER, Retention.ACCESS, 400, warrant="00ff")
    assert house.retaining.terms()[Retention.ACCESS] == 400
    told = house.recorder.events[-1]
    assert (told.type, told.attributes) == (
        "audit.retention.changed",
        {"class": "access", "before": 180, "after": 400, "warrant": "00ff"},
    )
    house.retaining.change(OFFICER, Retention.ACCESS, 180, warrant="00ff")
    for days in (0, 179, 36_601):
        with pytest.raises(BadTerm):
            house.retaining.change(OFFICER, Retention.ACCESS, days, warrant="00ff")
    house.recorder.down = True
    with pytest.raises(RecordUnavailable):
        house.retaining.change(OFFICER, Retention.ACCESS, 500, warrant="00ff")
    assert house.retaining.terms()[Retention.ACCESS] == 180
    # Somebody writes into the table itself.
    house.store.set_term(Retention.TRUST, 1, warrant="", at=0)
    assert house.retaining.terms()[Retention.TRUST] == 800


def aged(house: RetentionHouse) -> None:
    """Three bundles and a bit, and so many years later."""
    house.take(800)
    house.clock.advance(timedelta(days=900))
    house.store.see(int(house.clock.now().timestamp()))
    house.take()


def test_bundles_go_when_every_class_has_run_out_and_proofs_stay(house: RetentionHouse) -> None:
    house.take(800)
    reader = house.site.reader()
    proof, root, leaf = reader.inclusion_proof(5, 801), reader.root(801), reader.entry_bytes(5)
    old = reader.note()
    house.clock.advance(timedelta(days=900))
    house.store.see(int(house.clock.now().timestamp()))
    house.take()
    house.retaining.round()
    assert reader.first() == 768 - 256
    with pytest.raises(Pruned):
        reader.entry_bytes(5)
    assert len(reader.entries_bytes(512, 400)) == 290
    verify_inclusion(leaf=leaf_hash(leaf), index=5, size=801, root=root, proof=proof)
    assert reader.inclusion_proof(5, 801) == proof
    report = verify_folder(house.site.folder, house.site.vkey, older=old)
    assert (report.pruned, report.recorded, report.size) == (512, 0, 802)
    # The writer goes on, also when its own index was lost.
    shutil.rmtree(house.site.folder / "private" / "keys")
    house.take(300)
    verify_folder(house.site.folder, house.site.vkey)


def test_a_bundle_that_is_missing_without_policy_is_damage(house: RetentionHouse) -> None:
    aged(house)
    house.retaining.round()
    (house.site.folder / "tile" / "entries" / "002").unlink()
    with pytest.raises(LogDamaged, match="missing"):
        verify_folder(house.site.folder, house.site.vkey)
    with pytest.raises(LogDamaged):
        house.site.reader().entry_bytes(600)


def test_a_forged_note_of_pruning_is_damage(house: RetentionHouse) -> None:
    aged(house)
    house.retaining.round()
    note = house.site.folder / "pruned"
    note.write_bytes(note.read_bytes().replace(b"\n512\n", b"\n768\n"))
    with pytest.raises(LogDamaged, match="note of pruning"):
        verify_folder(house.site.folder, house.site.vkey)


def test_a_bundle_with_somebody_on_whom_a_hold_lies_stays(house: RetentionHouse) -> None:
    house.take(300)
    house.take(1, subject="anna")
    house.take(600)
    house.holds = {"anna"}
    house.clock.advance(timedelta(days=900))
    house.store.see(int(house.clock.now().timestamp()))
    house.retaining.round()
    assert house.site.reader().first() == 256


def test_the_defaults_keep_trust_for_fifteen_years(house: RetentionHouse) -> None:
    house.retaining._settings = RetentionSettings()
    house.take(800, type="sso.login")
    house.take(1, type="ca.certificate.issued", source="ca", subject="x", sealed={})
    house.clock.advance(timedelta(days=14 * 365))
    assert house.retaining.plan().pieces[-1].kind.value != "bundles"
    house.clock.advance(timedelta(days=2 * 366))
    assert [str(piece) for piece in house.retaining.plan().pieces][-1] == "bundles:512"


def measures(days: int, grown: list[int]) -> list[Usage]:
    found, used = [], 0
    for number in range(days):
        day = date(2026, 11, 2) + timedelta(days=number)
        used += grown[day.weekday() % len(grown)]
        found.append(Usage(day, used))
    return found


def test_the_forecast_knows_growth_weekdays_and_the_end() -> None:
    assert forecast([], free=1) is None
    assert forecast(measures(1, [10]), free=1) is None
    even = forecast(measures(31, [10]), free=1000)
    assert even is not None
    assert even.growth == 10
    assert even.full == date(2026, 12, 2) + timedelta(days=100)
    # Offices rest at weekends: what grows on five days only is full on a working day.
    week = measures(29, [10, 10, 10, 10, 10, 0, 0])
    working = forecast(week, free=50)
    assert working is not None
    assert working.full is not None
    assert working.full.weekday() < 5
    steps = [after.used - before.used for before, after in zip(working.ahead, working.ahead[1:], strict=False)]
    assert set(steps) <= {0, 10}
    still = forecast(measures(31, [0]), free=1)
    assert still is not None
    assert still.full is None
    # What was dropped is no growth, and a gap in the measures is shared among its days.
    shrunk = forecast([Usage(date(2026, 1, 1), 100), Usage(date(2026, 1, 2), 10), Usage(date(2026, 1, 4), 30)], free=1)
    assert shrunk is not None
    assert shrunk.growth == pytest.approx(20 / 3)
