# SPDX-License-Identifier: Apache-2.0
"""Clocks go wrong; the order of entries does not. What is wrong with a clock stands on the record, once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit import Receipt
from audit.merkle.note import Note
from audit.models import Entry
from audit.verify import verify_folder
from audit.writer.time import Told, Watching
from tests.fakes.log_site import LogSite, event, wait_for

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class TwoClocks:
    """Civil time that can be set, and a steady clock that cannot."""

    def __init__(self) -> None:
        self.civil = START
        self.steady = 0.0

    def now(self) -> datetime:
        return self.civil

    def monotonic(self) -> float:
        return self.steady

    def pass_(self, span: timedelta, *, civil: timedelta | None = None) -> None:
        """Time passes; the civil clock may be worse than the steady one."""
        self.steady += span.total_seconds()
        self.civil += span if civil is None else civil


@pytest.fixture
def clock() -> TwoClocks:
    return TwoClocks()


def test_a_clock_that_runs_is_no_news(clock: TwoClocks) -> None:
    watching = Watching(clock, signed=lambda: START)
    for span in (timedelta(seconds=1), HOUR, timedelta(days=40)):
        # It is being corrected all the time, as fast as Linux does at most.
        clock.pass_(span, civil=span * 1.0005)
        assert list(watching.look()) == []


@pytest.mark.parametrize("jump", [timedelta(seconds=10), HOUR, -HOUR, timedelta(days=-400)])
def test_a_clock_that_was_set_is_told_once(clock: TwoClocks, jump: timedelta) -> None:
    watching = Watching(clock, signed=lambda: datetime(2020, 1, 1, tzinfo=UTC))
    clock.pass_(HOUR, civil=HOUR + jump)
    assert list(watching.look()) == [Told("log.clock.stepped", int(jump.total_seconds()))]
    clock.pass_(HOUR)
    assert list(watching.look()) == []


def test_a_clock_before_the_last_checkpoint_is_told_until_it_has_caught_up(clock: TwoClocks) -> None:
    watching = Watching(clock, signed=lambda: START + HOUR)
    assert list(watching.look()) == [Told("log.clock.behind", 3600)]
    clock.pass_(HOUR / 2)
    assert list(watching.look()) == []
    clock.pass_(HOUR / 2)
    assert [told.type for told in watching.look()] == ["log.clock.right"]


def test_a_role_whose_clock_is_ahead_is_told_once_and_again_when_it_agrees(clock: TwoClocks) -> None:
    watching = Watching(clock, signed=lambda: START)
    ahead = event(at=START + HOUR, source="ca", sealed={}, type="ca.call.refused")
    right = event(at=START, source="sso")
    assert list(watching.heard([right, ahead])) == [Told("log.clock.disagrees", 3600, "ca")]
    assert list(watching.heard([ahead, right])) == []
    # What waited in an outbox while the log was away is old, and that is right.
    assert list(watching.heard([event(at=START - 30 * HOUR, source="sso")])) == []
    assert [told.type for told in watching.heard([event(at=START, source="ca")])] == ["log.clock.agrees"]


@pytest.fixture
def site(tmp_path: Path, clock: TwoClocks) -> Iterator[LogSite]:
    site = LogSite(tmp_path, clock).create()
    yield site
    site.close()


def _entries(site: LogSite) -> list[Entry]:
    return site.reader().entries(0, site.reader().size())


def _record(site: LogSite, at: datetime) -> Receipt:
    recorder = site.recorder()
    try:
        return recorder.record(event(at=at))
    finally:
        recorder.close()


def _signed_at(site: LogSite) -> datetime:
    assert site.key.mldsa_vkey is not None
    note = Note.parse((site.folder / "checkpoint").read_bytes())
    return site.reader().checkpoint().verify_cosignature(note, site.key.mldsa_vkey)


def test_a_clock_set_back_stops_nothing_and_no_checkpoint_is_older_than_the_one_before(
    site: LogSite, clock: TwoClocks
) -> None:
    with site.served():
        first = _record(site, clock.now())
        wait_for(lambda: site.reader().size() > first.index)
        before = _signed_at(site)
        clock.pass_(timedelta(), civil=-24 * HOUR)
        second = _record(site, clock.now())
        assert second.index > first.index
        wait_for(lambda: {"log.clock.stepped", "log.clock.behind"} <= {e.event.type for e in _entries(site)})
        assert _signed_at(site) >= before
    # Neither does a restart with the wrong clock.
    with site.served():
        third = _record(site, clock.now())
        wait_for(lambda: site.reader().size() > third.index)
        assert _signed_at(site) >= before
    [stepped] = [e.event for e in _entries(site) if e.event.type == "log.clock.stepped"]
    assert stepped.attributes["seconds"] == -24 * 3600
    verify_folder(site.folder, site.vkey)


def test_a_role_that_lives_in_the_future_is_recorded_and_told(site: LogSite, clock: TwoClocks) -> None:
    with site.served():
        for _ in range(3):
            _record(site, clock.now() + HOUR)
        wait_for(lambda: any(e.event.type == "log.clock.disagrees" for e in _entries(site)))
    told = [e.event for e in _entries(site) if e.event.type == "log.clock.disagrees"]
    assert [(each.attributes["clock_of"], each.attributes["seconds"]) for each in told] == [("sso", 3600)]
