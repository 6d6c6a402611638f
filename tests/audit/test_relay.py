# SPDX-License-Identifier: Apache-2.0
"""From an outbox to the log: in order, at least once sent, exactly once recorded."""

import fcntl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import BadEvent, Event, RecordUnavailable, encode_event
from audit.relay import Relay
from audit.service import LocalRecorder, local_recorder
from core.db import Waiting
from tests.fakes.log_site import LogSite, event, wait_for
from tests.fakes.recorder import ListRecorder


class MemoryOutbox:
    """An outbox whose owner can be killed between two steps."""

    def __init__(self, events: list[Event]) -> None:
        self.rows = [Waiting(i, one.key, encode_event(one)) for i, one in enumerate(events)]
        self.dies_before_dropping = False

    def outbox_head(self) -> list[Waiting]:
        return self.rows[:2]

    def outbox_drop(self, positions: list[int]) -> None:
        if self.dies_before_dropping:
            raise KeyboardInterrupt
        self.rows = [row for row in self.rows if row.position not in positions]


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "relay.lock"


@pytest.fixture
def local(tmp_path: Path) -> Iterator[tuple[LogSite, LocalRecorder]]:
    site = LogSite(tmp_path).create()
    with local_recorder(site.folder, key=site.key, seals=site.seals, clock=site.clock) as recorder:
        yield site, recorder
    site.close()


def test_rows_are_delivered_in_order_and_removed(lock: Path) -> None:
    events = [event() for _ in range(5)]
    outbox, recorder = MemoryOutbox(events), ListRecorder()
    Relay(outbox, recorder, lock=lock).drain()
    assert recorder.events == events
    assert outbox.rows == []


def test_a_crash_between_receipt_and_removal_yields_one_entry(lock: Path, local: tuple[LogSite, LocalRecorder]) -> None:
    _, recorder = local
    events = [event(), event()]
    outbox = MemoryOutbox(events)
    outbox.dies_before_dropping = True
    with pytest.raises(KeyboardInterrupt):
        Relay(outbox, recorder, lock=lock).drain()
    assert len(outbox.rows) == 2
    outbox.dies_before_dropping = False
    Relay(outbox, recorder, lock=lock).drain()
    assert [recorder.record(one).index for one in events] == [1, 2]


def test_what_was_delivered_before_a_failure_is_not_sent_again(lock: Path) -> None:
    events = [event() for _ in range(4)]
    outbox, recorder = MemoryOutbox(events), ListRecorder()
    outbox.rows[1] = Waiting(1, outbox.rows[1].key, b"{}")
    with pytest.raises(BadEvent):
        Relay(outbox, recorder, lock=lock).drain()
    assert recorder.events == events[:1]
    assert [row.position for row in outbox.rows] == [1, 2, 3]


def test_what_the_log_does_not_take_stays_in_order(lock: Path) -> None:
    events = [event() for _ in range(3)]
    outbox, recorder = MemoryOutbox(events), ListRecorder()
    recorder.down = True
    relay = Relay(outbox, recorder, lock=lock)
    with pytest.raises(RecordUnavailable):
        relay.drain()
    assert len(outbox.rows) == 3
    recorder.down = False
    relay.drain()
    assert recorder.events == events


@pytest.mark.parametrize("row", [Waiting(0, "ab" * 16, b"{}"), Waiting(0, "ab" * 16, encode_event(event()))])
def test_a_row_that_is_no_event_stops_loudly_and_stays(lock: Path, row: Waiting) -> None:
    outbox = MemoryOutbox([])
    outbox.rows = [row]
    with pytest.raises(BadEvent):
        Relay(outbox, ListRecorder(), lock=lock).drain()
    assert outbox.rows == [row]


def test_a_nudge_delivers_at_once_and_a_log_that_was_down_is_tried_again(lock: Path) -> None:
    outbox, recorder = MemoryOutbox([]), ListRecorder()
    recorder.down = True
    relay = Relay(outbox, recorder, lock=lock, interval=0.02)
    relay.start()
    one = event()
    outbox.rows = [Waiting(7, one.key, encode_event(one))]
    relay.nudge()
    assert outbox.rows
    recorder.down = False
    wait_for(lambda: not outbox.rows)
    relay.stop()
    assert recorder.events == [one]


def test_what_nobody_foresaw_delays_and_does_not_end_the_relay(lock: Path) -> None:
    class Damaged(MemoryOutbox):
        asked = 0

        def outbox_head(self) -> list[Waiting]:
            self.asked += 1
            if self.asked == 1:
                raise RuntimeError("database disk image is malformed")
            return super().outbox_head()

    outbox, recorder = Damaged([event()]), ListRecorder()
    relay = Relay(outbox, recorder, lock=lock, interval=0.01)
    relay.start()
    wait_for(lambda: not outbox.rows)
    relay.stop()
    assert len(recorder.events) == 1


def test_one_process_at_a_time_drains(lock: Path) -> None:
    outbox, recorder = MemoryOutbox([event()]), ListRecorder()
    with lock.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        thread = threading.Thread(target=Relay(outbox, recorder, lock=lock).drain)
        thread.start()
        thread.join(timeout=0.1)
        assert thread.is_alive()
        assert recorder.events == []
    thread.join(timeout=10)
    assert len(recorder.events) == 1
