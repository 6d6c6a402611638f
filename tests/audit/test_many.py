# SPDX-License-Identifier: Apache-2.0
"""Many events in one frame: each for itself, none crowding out others, and nothing malformed taken for one."""

import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from audit import BadEvent, KeyReused, Receipt, RecordUnavailable, Wait, encode_event
from audit.client.channel import Channel
from audit.merkle import Checkpoint
from audit.press.pool import Press
from audit.verify import verify_folder
from audit.wire import (
    LONGEST_EVENT,
    MAX_FRAME,
    MAX_MANY,
    MOST_EVENTS,
    Frame,
    WireBroken,
    append_many_frame,
    frame,
    many,
    read_append_many,
    read_receipts,
    receipts_frame,
)
from audit.writer import Log, Place
from tests.fakes.log_site import LogSite, Served, event


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    yield site
    site.close()


@pytest.fixture
def served(site: LogSite) -> Iterator[Served]:
    with site.served() as served:
        yield served


def _channel(site: LogSite, caller: str = "sso") -> Channel:
    opened, _ = Channel.open(site.socket, caller=caller, secret=site.secrets[caller], key=site.key.vkey, timeout=10)
    return opened


def test_each_event_is_answered_for_itself(site: LogSite, served: Served) -> None:
    one = event()
    foreign, closing_ = event(source="ca"), event(type="log.closed", source="audit", sealed={}, object="x")
    sent = [encode_event(one), b"{}", encode_event(foreign), encode_event(replace(one, zone="internal"))]
    with closing(site.recorder()) as client:
        first = client.record_all([encode_event(closing_)])
        assert [type(each) for each in first] == [BadEvent]
        answers = client.record_all([*sent, encode_event(one)])
        assert [type(each) for each in answers] == [Receipt, BadEvent, BadEvent, KeyReused, Receipt]
        assert answers[0] == answers[4]
        assert client.record_all(sent[:1]) == answers[:1]
        # Read in a thread of their own, because they are many; and once more, when they are known.
        crowd = [encode_event(event(subject=f"p{i}")) for i in range(50)]
        receipts = client.record_all([*crowd, b"[]"], wait=Wait.PUBLISHED)
        assert isinstance(receipts.pop(), BadEvent)
        for each in receipts:
            assert isinstance(each, Receipt)
            assert Checkpoint.verified(each.checkpoint.encode(), [site.key.vkey]).size > each.index
        assert [each.index for each in receipts if isinstance(each, Receipt)] == [
            each.index for each in client.record_all(crowd) if isinstance(each, Receipt)
        ]


def test_one_caller_s_frames_take_only_its_part_of_the_queue(
    site: LogSite, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.writer.server._MOST_WAITING", 40)
    with closing(site.recorder()) as client:
        told = client.record_all([encode_event(event()) for _ in range(21)])
        assert [type(each) for each in told] == [RecordUnavailable] * 21
        # What was refused takes no room, nor does what was read and found wrong, nor what was written.
        for _ in range(3):
            told = client.record_all([*(encode_event(event()) for _ in range(10)), *[b"{}"] * 10])
            assert [type(each) for each in told] == [Receipt] * 10 + [BadEvent] * 10


_ONE = encode_event(event())


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\0" * 6, struct.pack(">IBH", 1, 0, 0), struct.pack(">IBH", 1, 9, 1) + struct.pack(">I", 1) + b"x",
        struct.pack(">IBH", 1, 0, 2) + struct.pack(">I", 1) + b"x",
        struct.pack(">IBH", 1, 0, 1) + struct.pack(">I", 2) + b"x",
        struct.pack(">IBH", 1, 0, 1) + struct.pack(">I", 1) + b"xy",
        struct.pack(">IBH", 1, 0, MOST_EVENTS + 1) + (struct.pack(">I", 1) + b"x") * (MOST_EVENTS + 1),
    ],
)  # fmt: skip
def test_a_malformed_frame_ends_the_line(site: LogSite, served: Served, content: bytes) -> None:
    line = _channel(site)
    line.send(frame(Frame.APPEND_MANY, content))
    with pytest.raises(ConnectionError):
        line.expect(Frame.RECEIPTS)
    line.close()
    with closing(site.recorder()) as client:
        client.record(event())


def test_only_whoever_has_shown_a_secret_may_send_much(site: LogSite, served: Served) -> None:
    with closing(_channel(site)) as line:
        line.send(append_many_frame(7, Wait.SEQUENCED, [_ONE] * (MAX_FRAME // len(_ONE) + 2)))
        number, answers = read_receipts(line.expect(Frame.RECEIPTS), "x")
        assert number == 7
        assert len({each.index for each in answers if isinstance(each, Receipt)}) == 1
        with pytest.raises(ConnectionError):
            _say(line, frame(Frame.APPEND_MANY, bytes(MAX_MANY)))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger:
        stranger.settimeout(10)
        stranger.connect(str(site.socket))
        # What a frame claims of its length is looked at before it is taken in.
        stranger.sendall(struct.pack(">I", MAX_FRAME + 1))
        assert stranger.recv(1) == b""


def _say(line: Channel, content: bytes) -> bytes:
    line.send(content)
    return line.expect(Frame.RECEIPTS)


def test_events_are_cut_into_frames_that_hold_them() -> None:
    for sizes in ([10] * 3000, [LONGEST_EVENT] * 30, [1, LONGEST_EVENT, 2] * 20, []):
        events = [bytes(size) for size in sizes]
        parts = [list(part) for part in many(events)]
        assert [each for part in parts for each in part] == events
        for part in parts:
            sent = append_many_frame(1, Wait.PUBLISHED, part)
            assert len(sent) <= 4 + MAX_MANY
            assert read_append_many(sent[5:]) == (1, Wait.PUBLISHED, part)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\0" * 7, b"\0" * 7 + b"{}", struct.pack(">IBH", 1, 7, 0) + b'{"checkpoint":"","refused":{}}',
        struct.pack(">IBH", 1, 0, 1) + b"\xff" * 40 + b'{"checkpoint":"","refused":{}}',
        struct.pack(">IBH", 1, 0, 1) + b"\xff" * 8 + bytes(32) + b'{"checkpoint":"","refused":{"0":{"code":"odd"}}}',
        struct.pack(">IBH", 1, 0, 2) + bytes(40) + b'{"checkpoint":"","refused":{}}',
    ],
)  # fmt: skip
def test_a_malformed_answer_is_none(content: bytes) -> None:
    with pytest.raises(WireBroken):
        read_receipts(content, "x")


def test_answers_survive_the_wire() -> None:
    sent = receipts_frame(9, Wait.SEQUENCED, [(5, b"l" * 32), BadEvent(why="no")], "")
    number, [receipt, refused] = read_receipts(sent[5:], "city/log")
    assert number == 9
    assert receipt == Receipt(log="city/log", index=5, leaf=b"l" * 32, level=Wait.SEQUENCED)
    assert isinstance(refused, BadEvent)


def test_repeated_events_are_answered_by_the_bundle(site: LogSite) -> None:
    sent = [event(subject=f"p{i % 5}") for i in range(600)]
    with closing(site.open()) as log:
        places = log.append(sent)
        log.integrate()
        site.seals.destroy("p3", site.clock.now())
        assert log.append(sent) == places
        changed = [replace(one, sealed={"name": "somebody else"}) for one in sent]
        told = log.append([*changed, *sent[::-1]])
        # Of an erased person nobody can tell any more.
        assert [isinstance(each, KeyReused) for each in told[:600]] == [i % 5 != 3 for i in range(600)]
        assert told[600:] == places[::-1]
        bundle = site.folder / "tile" / "entries" / "001"
        bundle.write_bytes(bundle.read_bytes()[:-9])
        told = log.append([sent[10], sent[300], sent[599]])
        assert [type(each) for each in told] == [Place, RecordUnavailable, Place]


def test_one_checkpoint_takes_in_so_many_and_the_next_the_rest(site: LogSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.writer.log.MOST_AT_ONCE", 100)
    with closing(site.open()) as log:
        log.append([event(subject="p") for _ in range(350)])
        checkpoint = log.integrate()
        assert checkpoint is not None
        assert checkpoint.size == log.published == log.size == 351
        assert log.integrate() is None
    assert verify_folder(site.folder, site.vkey).size == 351


def test_a_served_log_with_helpers_answers_as_one_without(site: LogSite) -> None:
    with closing(Press(1)) as press:
        log = Log.open(site.folder, key=site.key, seals=site.seals, clock=site.clock, press=press)
        served = Served(site, log, 0.05, None, None)
        try:
            with closing(site.recorder()) as client:
                sent = [event(subject=f"p{i}", key=f"{i:032x}") for i in range(200)]
                answers = client.record_all([*map(encode_event, sent), b"{}"])
        finally:
            served.stop()
            log.close()
    assert isinstance(answers.pop(), BadEvent)
    reader = site.reader()
    for one, answer in zip(sent, answers, strict=True):
        assert isinstance(answer, Receipt)
        entry = reader.entry(answer.index)
        assert entry.event.key == one.key
        assert site.seals.open(entry) == one.sealed
