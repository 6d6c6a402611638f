# SPDX-License-Identifier: Apache-2.0
"""The full check finds what no proof passes by, says so on the record itself, and goes on telling."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import Outcome, RecordUnavailable
from audit.blobs import DiskBlobs
from audit.checking import FullCheck
from audit.errors import LogDamaged
from tests.fakes.log_site import LogSite, event
from tests.fakes.recorder import ListRecorder


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    log = site.open()
    log.append([event() for _ in range(600)])
    log.integrate()
    log.close()
    yield site
    site.close()


def _check(site: LogSite, recorder: ListRecorder) -> FullCheck:
    return FullCheck([(DiskBlobs(site.folder), site.vkey)], recorder=recorder, clock=site.clock)


def test_a_whole_log_is_said_to_be_whole(site: LogSite) -> None:
    recorder = ListRecorder()
    assert [report.size for report in _check(site, recorder).round()] == [601]
    [told] = recorder.events
    assert (told.type, told.outcome, told.attributes["size"]) == ("audit.check.passed", Outcome.SUCCESS, 601)


@pytest.mark.parametrize("damaged", ["tile/entries/001", "tile/0/001", "checkpoint"])
def test_damage_is_on_the_record_each_time_until_it_is_mended(site: LogSite, damaged: str) -> None:
    path, recorder = site.folder / damaged, ListRecorder()
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    for _ in range(2):
        with pytest.raises(LogDamaged) as found:
            _check(site, recorder).round()
    assert [told.type for told in recorder.events] == ["audit.check.failed"] * 2
    told = recorder.events[-1]
    assert told.attributes["index"] == found.value.parameters["index"]
    path.write_bytes(whole)
    _check(site, recorder).round()
    assert recorder.events[-1].type == "audit.check.passed"


def test_a_check_that_cannot_be_recorded_is_no_check(site: LogSite) -> None:
    recorder = ListRecorder()
    recorder.down = True
    with pytest.raises(RecordUnavailable):
        _check(site, recorder).round()
