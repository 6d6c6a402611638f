# SPDX-License-Identifier: Apache-2.0
"""The index of keys can be thrown away: whatever became of it, the log tells the same places."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from audit import Event, KeyReused, RecordUnavailable
from audit.blobs import Disk
from audit.writer import Log, Place, keys, runs
from audit.writer.keys import IndexDamaged
from core.errors import TallygateError
from tests.fakes.log_site import LogSite, event


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    yield site
    site.close()


def place(found: object) -> Place:
    assert isinstance(found, Place)
    return found


def test_a_lost_index_of_keys_is_rebuilt(site: LogSite) -> None:
    log = site.open()
    one = event()
    first = log.append([one])
    log.integrate()
    log.close()
    shutil.rmtree(_keys(site))
    log = site.open()
    assert log.append([one]) == first
    assert place(log.append([event()])[0]).index == 2
    log.close()
    log = site.open()
    assert site.reader().entry(2).sequence == 1
    log.close()


def _keys(site: LogSite) -> Path:
    return site.folder / "private" / "keys"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a few keys, so that a few hundred make many."""
    monkeypatch.setattr(keys, "YOUNG", 20)
    monkeypatch.setattr(keys, "TOGETHER", 3)


def _grown(site: LogSite, count: int) -> tuple[list[Event], list[Place | TallygateError]]:
    """Events of two sources, integrated a few at a time."""
    log = site.open()
    events = [event(source="ca" if number % 3 else "sso") for number in range(count)]
    places: list[Place | TallygateError] = []
    for start in range(0, count, 7):
        places += log.append(events[start : start + 7])
        log.integrate()
    log.close()
    return events, places


@pytest.mark.usefixtures("small")
def test_a_key_of_any_age_is_found_in_memory_and_in_every_run(site: LogSite) -> None:
    events, places = _grown(site, 250)
    found = [stretch for path in _keys(site).iterdir() if (stretch := runs.stretch(path))]
    # Runs of different sizes follow each other without a gap from the beginning.
    assert len({end - first for first, end in found}) > 1
    assert [first for first, _ in sorted(found)] == [0, *(end for _, end in sorted(found)[:-1])]
    log = site.open()
    assert log.append(events) == places
    assert all(isinstance(each, KeyReused) for each in log.append([replace(each, object="other") for each in events]))
    assert log.size == 251
    log.close()
    assert {entry.sequence for entry in site.reader().entries(0, 251) if entry.event.source == "sso"} == set(range(84))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("place", [0, 1, 4100, -1, -120])
def test_a_damaged_run_is_noticed_and_read_from_the_log_again(site: LogSite, place: int) -> None:
    events, places = _grown(site, 80)
    for path in sorted(_keys(site).glob("*.run")):
        content = bytearray(path.read_bytes())
        content[place] ^= 1
        path.write_bytes(content)
    # A bit of the records is found by whoever looks among them; that ends the writer, and its successor mends it.
    ended = 0
    while (found := _told(site, events)) is None:
        ended += 1
    assert found == places
    assert bool(ended) is (place == 4100)


def _go_on(log: Log) -> None:
    for _ in range(400):
        log.append([event() for _ in range(7)])
        log.integrate()


def _told(site: LogSite, events: list[Event]) -> list[Place | TallygateError] | None:
    log = site.open()
    try:
        return log.append(events)
    except IndexDamaged:
        with pytest.raises(RecordUnavailable):
            log.append(events[:1])
        return None
    finally:
        log.close()


@pytest.mark.usefixtures("small")
def test_a_run_that_is_merged_is_checked(site: LogSite) -> None:
    events, places = _grown(site, 60)
    first = min(_keys(site).glob("*.run"))
    content = bytearray(first.read_bytes())
    content[4100] ^= 1
    first.write_bytes(content)
    log = site.open()
    with pytest.raises(OSError, match="index of keys"):
        _go_on(log)
    log.close()
    assert _told(site, events) == places


@pytest.mark.usefixtures("small")
def test_whatever_is_missing_of_the_index_is_read_from_the_log_again(site: LogSite) -> None:
    events, places = _grown(site, 80)
    for missing in sorted(path.name for path in _keys(site).iterdir()):
        (_keys(site) / missing).unlink(missing_ok=True)
        (_keys(site) / ".00000000000000000000-00000000000000000099.run.new").write_bytes(b"half")
        log = site.open()
        assert log.append(events) == places
        assert log.append([event(source="sso")]) != places[:1]
        log.close()
    assert not list(_keys(site).glob(".*"))
    sequences = [entry.sequence for entry in site.reader().entries(0, 200) if entry.event.source == "sso"]
    assert sorted(sequences) == list(range(len(sequences)))


@pytest.mark.usefixtures("small")
def test_a_torn_journal_is_cut_off(site: LogSite) -> None:
    events, places = _grown(site, 80)
    [journal] = _keys(site).glob("*.young")
    whole = journal.read_bytes()
    for end in range(0, len(whole), 13):
        journal.write_bytes(whole[:end] + b"TGKY" * (end % 2))
        log = site.open()
        assert log.append(events) == places
        log.close()
        [journal] = _keys(site).glob("*.young")


def test_many_keys_that_begin_alike_are_found(tmp_path: Path) -> None:
    places = {bytes([7] * 8) + number.to_bytes(8, "big"): number for number in range(3000)}
    places |= {number.to_bytes(16, "big"): 3000 + number for number in range(700)}
    run = runs.write(tmp_path, Disk(), places, (0, 0, 3700), {"sso": 5})
    assert all(run.place(key) == place for key, place in places.items())
    assert run.place(bytes([7] * 8) + (3000).to_bytes(8, "big")) is None
    assert run.place(bytes(16)[:15] + b"\xff" * 1) == 3255
    assert run.place(b"\xff" * 16) is None
    heads = [(int.from_bytes(key[:4], "big"), key) for key in places]
    assert run.maybe(heads) == list(places)
    strangers = [number.to_bytes(4, "big") * 4 for number in range(1 << 20, 1 << 31, 1 << 18)]
    maybe = run.maybe([(int.from_bytes(key[:4], "big"), key) for key in strangers])
    assert len(maybe) < len(strangers) / 4


def test_runs_merge_into_what_they_hold_together(tmp_path: Path) -> None:
    dice = Random(20261128)  # noqa: S311 - keys that can be repeated
    every: dict[bytes, int] = {}
    made = []
    for number in range(5):
        some = {dice.randbytes(1 if number else 16).ljust(16, bytes([number])): len(every) + i for i in range(700)}
        some = {key: len(every) + i for i, key in enumerate(some)}
        made.append(runs.write(tmp_path, Disk(), some, (0, len(every), len(every) + len(some)), {"sso": number}))
        every |= some
    merged = runs.merged(tmp_path, Disk(), made, stopped=lambda: False)
    assert merged is not None
    assert (merged.first, merged.end, merged.count, merged.sources) == (0, len(every), len(every), {"sso": 4})
    records = merged.records(0, merged.count)
    assert dict(runs.RECORD.iter_unpack(records)) == every
    assert [key for key, _ in runs.RECORD.iter_unpack(records)] == sorted(every)
    assert runs.merged(tmp_path, Disk(), made, stopped=lambda: True) is None


def test_what_an_earlier_version_had_is_removed(site: LogSite) -> None:
    old = site.folder / "private" / "index.db"
    old.write_bytes(b"SQLite format 3")
    site.open().close()
    assert not old.exists()


def test_an_index_of_keys_from_a_longer_log_is_not_believed(site: LogSite) -> None:
    log = site.open()
    log.append([event()])
    log.integrate()
    log.close()
    (site.folder.parent / "copy").mkdir()
    copy = LogSite(site.folder.parent / "copy")
    shutil.copytree(site.folder, copy.folder)
    log = site.open()
    ahead = event()
    log.append([ahead, event()])
    log.integrate()
    log.close()
    shutil.rmtree(_keys(copy))
    shutil.copytree(_keys(site), _keys(copy))
    log = copy.open()
    assert log.size == 2
    # What only the other log has is not known here, and gets a place of its own.
    assert place(log.append([ahead])[0]).index == 2
    log.close()
    copy.close()
