# SPDX-License-Identifier: Apache-2.0
"""The index of keys can be thrown away: whatever became of it, the log tells the same places."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import RecordUnavailable
from audit.writer import Place
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
    for path in (site.folder / "private").glob("index.db*"):
        path.unlink()
    log = site.open()
    assert log.append([one]) == first
    assert place(log.append([event()])[0]).index == 2
    log.close()
    log = site.open()
    assert site.reader().entry(2).sequence == 1
    log.close()


def _index(site: LogSite) -> Path:
    return site.folder / "private" / "index.db"


def test_an_index_of_keys_that_is_none_is_rebuilt(site: LogSite) -> None:
    log = site.open()
    first = log.append([one := event()])
    log.integrate()
    log.close()
    for rubbish in (b"no database at all" * 400, b"SQLite format 3\0" + b"\xff" * 8176):
        _index(site).write_bytes(rubbish)
        log = site.open()
        assert log.append([one]) == first
        log.close()


def test_an_index_of_keys_that_turns_out_damaged_ends_the_writer_and_the_next_start_rebuilds_it(site: LogSite) -> None:
    log = site.open()
    events = [event() for _ in range(3000)]
    places = log.append(events)
    log.integrate()
    log.close()
    log = site.open()
    whole = _index(site).read_bytes()
    # The head stays whole, every other page is rubbish.
    _index(site).write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(OSError, match="index of keys"):
        log.append(events[:500])
    with pytest.raises(RecordUnavailable):
        log.append([event()])
    log.close()
    log = site.open()
    assert log.append(events) == places
    assert place(log.append([event()])[0]).index == 3001
    log.close()


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
    shutil.copy(_index(site), _index(copy))
    log = copy.open()
    assert log.size == 2
    # What only the other log has is not known here, and gets a place of its own.
    assert place(log.append([ahead])[0]).index == 2
    log.close()
    copy.close()
