# SPDX-License-Identifier: Apache-2.0
"""When the log publishes: soon for whoever waits, seldom for nobody."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from audit import Wait
from audit.blobs import Disk
from audit.verify import verify_folder
from tests.fakes.clock import ManualClock
from tests.fakes.log_site import LogSite, event, wait_for

STARTED = 2
"""Entries of a log that has just begun: its birth and its start."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def site(tmp_path: Path, clock: ManualClock) -> Iterator[LogSite]:
    site = LogSite(tmp_path, clock=clock).create()
    yield site
    site.close()


class TimedDisk(Disk):
    """Every sync takes as long as it is told, by the test's own clock."""

    def __init__(self, clock: ManualClock, takes: float = 0.0) -> None:
        self.takes = takes
        self._clock = clock

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        self._clock.advance(timedelta(seconds=self.takes))


def test_what_nobody_waits_for_is_published_seldom_and_at_once_when_somebody_does(
    site: LogSite, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.writer.server._LATEST", 10**9)
    monkeypatch.setattr("audit.writer.server._LONGEST", 10.0**9)
    # Publishing takes an hour, so that a tenth of the time is more than any test has.
    with site.served(TimedDisk(clock, takes=3600.0), interval=0.05) as served:
        wait_for(lambda: served.log.published == STARTED)
        client = site.recorder()
        for _ in range(3):
            client.record(event())
        assert served.log.published == STARTED
        receipt = client.record(event(), wait=Wait.PUBLISHED)
        assert receipt.level is Wait.PUBLISHED
        assert served.log.published > receipt.index
        client.record(event())
        client.close()
    assert verify_folder(site.folder, site.vkey).size == served.log.size


def test_a_log_that_publishes_fast_does_so_every_interval(site: LogSite, clock: ManualClock) -> None:
    with site.served(TimedDisk(clock), interval=0.01) as served:
        client = site.recorder()
        receipt = client.record(event())
        wait_for(lambda: served.log.published > receipt.index)
        client.close()
