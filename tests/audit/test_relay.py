# SPDX-License-Identifier: Apache-2.0
"""From an outbox to the log: in order, at least once sent, exactly once recorded, and never stopped by one bad row."""

import fcntl
import json
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, select

from audit import BadEvent, Event, RecordUnavailable, decode_event, encode_event
from audit.models import Outcome, Receipt, Wait
from audit.relay import SET_ASIDE, Relay, commitment
from audit.service import LocalRecorder, local_recorder
from core.clock import SystemClock
from core.db import Aside, Database, Drain, Outbox, OutboxFull, Standing, Waiting
from core.errors import TallygateError
from tests.fakes.clock import ManualClock
from tests.fakes.log_site import LogSite, event, wait_for
from tests.fakes.recorder import ListRecorder


class MemoryOutbox:
    """An outbox whose owner can be killed between two steps."""

    def __init__(self, events: list[Event]) -> None:
        self.rows = [Waiting(i, one.key, encode_event(one)) for i, one in enumerate(events)]
        self.aside: list[tuple[Waiting, Aside]] = []
        self.dies_before_dropping = False

    def head(self) -> list[Waiting]:
        return self.rows[:2]

    def drop(self, positions: list[int]) -> None:
        if self.dies_before_dropping:
            raise KeyboardInterrupt
        self.rows = [row for row in self.rows if row.position not in positions]

    def set_aside(self, row: Waiting, aside: Aside, *, instead: Waiting) -> None:
        self.rows[self.rows.index(row)] = instead
        self.aside.append((row, aside))

    def standing(self) -> Standing:
        return Standing(waiting=len(self.rows), oldest=next(iter(self.rows), None), aside=len(self.aside))


class Tables:
    """A real outbox in SQLite."""

    def __init__(self, folder: Path, *, most_aside: int = 1_000) -> None:
        metadata = MetaData()
        self.database = Database.open(f"sqlite:///{folder}/outbox.db")
        self.outbox = Outbox(metadata, most_aside=most_aside)
        self.drain = Drain(self.database, self.outbox)
        with self.database.transaction() as connection:
            metadata.create_all(connection)

    def put(self, *rows: Event | tuple[str, bytes]) -> None:
        with self.database.transaction() as connection:
            for row in rows:
                key, body = (row.key, encode_event(row)) if isinstance(row, Event) else row
                self.outbox.put(connection, key=key, body=body)

    def aside(self) -> list[Any]:
        with self.database.reading() as connection:
            return list(connection.execute(select(self.outbox.aside)))


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[Tables]:
    made = Tables(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "relay.lock"


@pytest.fixture
def local(tmp_path: Path) -> Iterator[tuple[LogSite, LocalRecorder]]:
    site = LogSite(tmp_path).create()
    with local_recorder(site.folder, key=site.key, seals=site.seals, clock=site.clock) as recorder:
        yield site, recorder
    site.close()


def relay(outbox: Any, recorder: Any, lock: Path, **more: Any) -> Relay:
    return Relay(outbox, recorder, **{"source": "sso", "clock": ManualClock(), "lock": lock, **more})


def test_rows_are_delivered_in_order_and_removed(lock: Path) -> None:
    events = [event() for _ in range(5)]
    outbox, recorder = MemoryOutbox(events), ListRecorder()
    relay(outbox, recorder, lock).drain()
    assert recorder.events == events
    assert outbox.rows == []


def test_a_crash_between_receipt_and_removal_yields_one_entry(lock: Path, local: tuple[LogSite, LocalRecorder]) -> None:
    _, recorder = local
    events = [event(), event()]
    outbox = MemoryOutbox(events)
    outbox.dies_before_dropping = True
    with pytest.raises(KeyboardInterrupt):
        relay(outbox, recorder, lock).drain()
    assert len(outbox.rows) == 2
    outbox.dies_before_dropping = False
    relay(outbox, recorder, lock).drain()
    assert [recorder.record(one).index for one in events] == [1, 2]


def test_what_was_delivered_before_a_failure_is_not_sent_again(lock: Path) -> None:
    class Failing(ListRecorder):
        def record(self, event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
            if len(self.events) == 1:
                raise RecordUnavailable
            return super().record(event, wait=wait)

    events = [event() for _ in range(4)]
    outbox, recorder = MemoryOutbox(events), Failing()
    with pytest.raises(RecordUnavailable):
        relay(outbox, recorder, lock).drain()
    assert recorder.events == events[:1]
    assert [row.position for row in outbox.rows] == [1, 2, 3]


def test_what_the_log_does_not_take_now_stays_in_order(lock: Path) -> None:
    events = [event() for _ in range(3)]
    outbox, recorder = MemoryOutbox(events), ListRecorder()
    recorder.down = True
    draining = relay(outbox, recorder, lock)
    with pytest.raises(RecordUnavailable):
        draining.drain()
    assert len(outbox.rows) == 3
    assert outbox.aside == []
    recorder.down = False
    draining.drain()
    assert recorder.events == events


def _oversized() -> tuple[str, bytes]:
    document = json.loads(encode_event(event(key="cd" * 16)))
    document["unmapped"]["attributes"] = {"text": "x" * 70_000}
    return "cd" * 16, json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


BAD = {
    "no event": ("ab" * 16, b"{}"),
    "not even text": ("ab" * 16, b"\xff\x00"),
    "another row's": ("ab" * 16, encode_event(event())),
    "too long": _oversized(),
    "a type that is gone": ("ab" * 16, encode_event(event(key="ab" * 16)).replace(b"sso.login", b"sso.logon")),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_row_refused_for_good_is_set_aside_and_the_others_go_on_in_order(
    lock: Path, tables: Tables, local: tuple[LogSite, LocalRecorder], bad: tuple[str, bytes]
) -> None:
    site, recorder = local
    events = [event() for _ in range(3)]
    tables.put(events[0], bad, events[1], events[2])
    relay(tables.drain, recorder, lock).drain()
    assert tables.drain.head() == []
    # Where the row stood in the order, the record says so, in its clear header alone.
    recorder.record(event(), wait=Wait.PUBLISHED)
    _, first, said, second, third, _ = site.reader().entries(0, 10)
    assert [first.event.key, second.event.key, third.event.key] == [one.key for one in events]
    assert (said.event.type, said.event.outcome, said.event.source) == (SET_ASIDE, Outcome.FAILURE, "sso")
    assert said.ciphertext == ""
    # Nothing of it is lost, and whoever has the row can prove that it is the one.
    [kept] = tables.aside()
    assert (kept.key, kept.body, kept.reason) == (*bad, "bad_event")
    assert kept.why
    facts = said.event.attributes
    assert (facts["position"], facts["bytes"]) == (kept.position, len(bad[1]))
    assert (facts["reason"], facts["why"]) == (kept.reason, kept.why)
    row = Waiting(kept.position, kept.key, kept.body)
    assert facts["commitment"] == commitment(row, kept.blind).hex()
    assert len(kept.blind) == 32


def test_a_key_that_belongs_to_another_event_is_set_aside(lock: Path, tables: Tables) -> None:
    recorder, used = ListRecorder(), event(key="ef" * 16, subject="other")
    recorder.record(used)
    after = event()
    tables.put(event(key="ef" * 16), after)
    relay(tables.drain, recorder, lock).drain()
    [kept] = tables.aside()
    assert kept.reason == "event_key_reused"
    _, said, last = recorder.events
    assert said.attributes["about"] == "sso.login"
    assert last == after


def test_what_the_record_says_of_a_row_set_aside_holds_nothing_personal(lock: Path, tables: Tables) -> None:
    recorder = ListRecorder()
    personal = encode_event(event(key="ab" * 16, sealed={"name": "李雷"})).replace(b"2026", b"2O26")
    tables.put(("ab" * 16, personal.replace(b'"uid"', b'"uld"')))
    relay(tables.drain, recorder, lock).drain()
    [said] = recorder.events
    assert said.sealed == {}
    assert "李雷" not in encode_event(said).decode()
    assert (said.subject, said.object) == ("", "")


def test_a_death_before_the_word_arrives_repeats_the_same_word(lock: Path, tables: Tables) -> None:
    class Dying(ListRecorder):
        dies = True

        def record(self, event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
            receipt = super().record(event, wait=wait)
            if self.dies and event.type == SET_ASIDE:
                raise KeyboardInterrupt
            return receipt

    recorder = Dying()
    tables.put(BAD["no event"])
    with pytest.raises(KeyboardInterrupt):
        relay(tables.drain, recorder, lock).drain()
    recorder.dies = False
    relay(tables.drain, recorder, lock).drain()
    assert recorder.types() == [SET_ASIDE]
    assert len(tables.aside()) == 1


def test_when_even_the_word_is_refused_nothing_goes_on(lock: Path, tables: Tables) -> None:
    class Deaf(ListRecorder):
        def record(self, event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
            super().record(event, wait=wait)
            raise BadEvent(why="its source is not the caller")

    tables.put(event(), event())
    draining = relay(tables.drain, Deaf(), lock)
    for _ in range(3):
        with pytest.raises(BadEvent):
            draining.drain()
    assert len(tables.aside()) == 1
    assert len(tables.drain.head()) == 2


def test_what_is_set_aside_is_bounded_and_then_the_row_stays(lock: Path, tmp_path: Path) -> None:
    tables, recorder = Tables(tmp_path, most_aside=2), ListRecorder()
    tables.put(*((f"{i:032x}", b"{}") for i in range(3)), event())
    with pytest.raises(OutboxFull):
        relay(tables.drain, recorder, lock).drain()
    assert recorder.types() == [SET_ASIDE, SET_ASIDE]
    assert next(row.body for row in tables.drain.head()) == b"{}"
    assert len(tables.drain.head()) == 2
    tables.database.close()


def test_the_standing_tells_how_long_the_oldest_waits_and_how_many_are_aside(lock: Path, tables: Tables) -> None:
    recorder, clock = ListRecorder(), ManualClock()
    draining = relay(tables.drain, recorder, lock, clock=clock)
    assert draining.standing() == {"outbox_waiting": 0, "outbox_oldest_seconds": 0, "outbox_aside": 0}
    tables.put(event(clock))
    clock.advance(timedelta(seconds=90))
    tables.put(event(clock))
    assert draining.standing() == {"outbox_waiting": 2, "outbox_oldest_seconds": 90, "outbox_aside": 0}
    draining.drain()
    tables.put(BAD["no event"])
    assert draining.standing() == {"outbox_waiting": 1, "outbox_aside": 0}
    draining.drain()
    assert draining.standing() == {"outbox_waiting": 0, "outbox_oldest_seconds": 0, "outbox_aside": 1}


def test_a_nudge_delivers_at_once_and_a_log_that_was_down_is_tried_again(lock: Path) -> None:
    outbox, recorder = MemoryOutbox([]), ListRecorder()
    recorder.down = True
    running = relay(outbox, recorder, lock, clock=SystemClock(), interval=0.02)
    running.start()
    one = event()
    outbox.rows = [Waiting(7, one.key, encode_event(one))]
    running.nudge()
    assert outbox.rows
    recorder.down = False
    wait_for(lambda: not outbox.rows)
    running.stop()
    assert recorder.events == [one]


def test_what_comes_close_behind_goes_together(lock: Path) -> None:
    """Each round is a transaction that whoever writes waits for; the first row of a quiet moment waits for nothing."""

    class Rounds(MemoryOutbox):
        gone: tuple[int, ...] = ()

        def head(self) -> list[Waiting]:
            return list(self.rows)

        def drop(self, positions: list[int]) -> None:
            self.gone = (*self.gone, len(positions))
            super().drop(positions)

    outbox, recorder = Rounds([]), ListRecorder()
    running = relay(outbox, recorder, lock, clock=SystemClock(), interval=0.5)
    running.start()
    events = [event() for _ in range(4)]
    for number, one in enumerate(events):
        outbox.rows = [*outbox.rows, Waiting(number, one.key, encode_event(one))]
        running.nudge()
        if not number:
            wait_for(lambda: outbox.gone == (1,))
    wait_for(lambda: not outbox.rows)
    running.stop()
    assert (outbox.gone, recorder.events) == ((1, 3), events)


def test_what_nobody_foresaw_delays_and_does_not_end_the_relay(lock: Path) -> None:
    class Damaged(MemoryOutbox):
        asked = 0

        def head(self) -> list[Waiting]:
            self.asked += 1
            if self.asked == 1:
                raise RuntimeError("database disk image is malformed")
            return super().head()

    outbox, recorder = Damaged([event()]), ListRecorder()
    running = relay(outbox, recorder, lock, interval=0.01)
    running.start()
    wait_for(lambda: not outbox.rows)
    running.stop()
    assert len(recorder.events) == 1


def test_one_process_at_a_time_drains(lock: Path) -> None:
    outbox, recorder = MemoryOutbox([event()]), ListRecorder()
    with lock.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        thread = threading.Thread(target=relay(outbox, recorder, lock).drain)
        thread.start()
        thread.join(timeout=0.1)
        assert thread.is_alive()
        assert recorder.events == []
    thread.join(timeout=10)
    assert len(recorder.events) == 1


class Pieces(ListRecorder):
    """Takes many at once, and says which; has no receipt for some."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[int] = []
        self.unavailable: set[str] = set()

    def record_all(self, events: Sequence[bytes], *, wait: Wait = Wait.SEQUENCED) -> list[Receipt | TallygateError]:
        self.pieces.append(len(events))
        said = super().record_all(events, wait=wait)
        keys = [decode_event(each).key for each in events]
        return [RecordUnavailable() if key in self.unavailable else one for key, one in zip(keys, said, strict=True)]


def test_many_that_wait_go_as_one_piece_in_their_order(tables: Tables, lock: Path) -> None:
    events, recorder = [event() for _ in range(300)], Pieces()
    tables.put(*events)
    relay(tables.drain, recorder, lock).drain()
    assert recorder.pieces == [256, 44]
    assert recorder.events == events
    assert tables.drain.head() == []


def test_of_a_piece_nothing_is_dropped_from_the_first_without_a_receipt_on(tables: Tables, lock: Path) -> None:
    """Those behind it are sent again, and the log knows them by their keys."""
    events, recorder = [event() for _ in range(40)], Pieces()
    tables.put(*events)
    recorder.unavailable = {events[20].key}
    with pytest.raises(RecordUnavailable):
        relay(tables.drain, recorder, lock).drain()
    assert [row.key for row in tables.drain.head()] == [each.key for each in events[20:]]
    recorder.unavailable = set()
    relay(tables.drain, recorder, lock).drain()
    assert recorder.events == events
    assert tables.drain.head() == []


def test_what_the_log_refuses_in_a_piece_is_set_aside_alone(tables: Tables, lock: Path) -> None:
    events, recorder = [event() for _ in range(40)], Pieces()
    recorder.record(event(key=events[5].key, subject="somebody-else"))
    tables.put(*events[:20], ("ab" * 16, b"no event"), *events[20:])
    relay(tables.drain, recorder, lock).drain()
    assert sorted(row.reason for row in tables.aside()) == ["bad_event", "event_key_reused"]
    assert [each for each in recorder.events if each in events] == events[:5] + events[6:]
    assert recorder.types().count(SET_ASIDE) == 2


def test_a_piece_is_no_larger_than_the_log_keeps_together(
    tables: Tables, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, recorder = [event() for _ in range(64)], Pieces()
    most = 20 * len(encode_event(events[0])) + 10
    monkeypatch.setattr("audit.relay._PIECE", most)
    tables.put(*events)
    relay(tables.drain, recorder, lock).drain()
    assert recorder.events == events
    assert recorder.pieces == [20, 20, 20]
