# SPDX-License-Identifier: Apache-2.0
"""The log's socket: who may append what, many at once, what bad input gets, and how it ends."""

import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import BadEvent, Receipt, RecordUnavailable, Wait, encode_event
from audit.blobs import Disk
from audit.client.channel import Channel
from audit.merkle import LogKey
from audit.verify import verify_folder
from audit.wire import Frame, WireBroken, append_frame, document, frame, read_refusal
from tests.fakes.log_site import LogSite, Served, event, wait_for


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    yield site
    site.close()


@pytest.fixture
def served(site: LogSite) -> Iterator[Served]:
    with site.served() as served:
        yield served


def raw(site: LogSite) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(10)
    line.connect(str(site.socket))
    return line


def channel(site: LogSite, caller: str = "sso", feed: int | None = None) -> Channel:
    opened, _ = Channel.open(
        site.socket, caller=caller, secret=site.secrets[caller], key=site.key.vkey, timeout=10, feed=feed
    )
    return opened


def test_a_role_speaks_only_for_itself(site: LogSite, served: Served) -> None:
    client = site.recorder("sso")
    with pytest.raises(BadEvent):
        client.record(event(source="ca"))
    client.close()
    operator = site.recorder("app")
    assert operator.record(event(source="ca")).index > 0
    operator.close()


@pytest.mark.parametrize(
    ("caller", "secret"), [("sso", b"w" * 32), ("nobody", b"s" * 32), ("sso", b""), ("nginx", None)]
)
def test_strangers_append_nothing(site: LogSite, served: Served, caller: str, secret: bytes | None) -> None:
    client = site.recorder(caller, secret=site.secrets[caller] if secret is None else secret)
    with pytest.raises(RecordUnavailable):
        client.record(event())
    client.close()


def test_a_recorder_shows_its_secret_only_to_the_log_it_pinned(site: LogSite, served: Served) -> None:
    other = LogKey(site.key.origin, seed=b"\x01" * 32)
    client = site.recorder(log_key=str(other.vkey))
    with pytest.raises(RecordUnavailable):
        client.record(event())
    client.close()


def test_an_impostor_on_the_socket_learns_no_secret(site: LogSite) -> None:
    heard: list[bytes] = []
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(site.socket))
    listener.listen()

    def impostor() -> None:
        line, _ = listener.accept()
        with line:
            heard.append(line.recv(4096))
            line.sendall(document(Frame.PROOF, {"origin": site.key.origin, "signature": "A" * 88}))
            heard.append(line.recv(4096))

    thread = threading.Thread(target=impostor)
    thread.start()
    with pytest.raises(RecordUnavailable):
        site.recorder().record(event())
    thread.join(timeout=10)
    listener.close()
    assert heard[1] == b""


def test_without_a_log_nothing_is_recorded(site: LogSite) -> None:
    client = site.recorder()
    with pytest.raises(RecordUnavailable):
        client.record(event())


def test_a_recorder_comes_back_when_the_log_does(site: LogSite) -> None:
    client = site.recorder()
    one = event()
    with site.served():
        first = client.record(one)
    with pytest.raises(RecordUnavailable):
        client.record(event())
    with site.served():
        assert client.record(one) == first
        client.close()
        assert client.record(event()).index > first.index
        client.close()


def test_many_threads_share_one_recorder(site: LogSite, served: Served) -> None:
    client = site.recorder()
    receipts: list[tuple[str, Receipt]] = []

    def work() -> None:
        for number in range(20):
            one = event()
            receipts.append((one.key, client.record(one, wait=Wait.PUBLISHED if number == 7 else Wait.SEQUENCED)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    served.stop()
    assert len({receipt.index for _, receipt in receipts}) == 160
    reader = site.reader()
    for key, receipt in receipts:
        assert reader.entry(receipt.index).event.key == key
    assert verify_folder(site.folder, site.vkey).size == 163


def test_stopping_answers_what_was_taken(site: LogSite) -> None:
    receipts: list[Receipt] = []
    with site.served(interval=0.2) as served:
        client = site.recorder()
        client.record(event())
        thread = threading.Thread(target=lambda: receipts.append(client.record(event(), wait=Wait.PUBLISHED)))
        thread.start()
        wait_for(lambda: served.log.size == 4)
        served.stop()
        thread.join(timeout=10)
        client.close()
    assert receipts[0].level is Wait.PUBLISHED


@pytest.mark.parametrize(
    "bad",
    [
        b"\x00\x00\x00\x00",
        b"\xff\xff\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
        frame(Frame.HELLO, b"short"),
        frame(Frame.OPEN, b"{}"),
        frame(Frame.APPEND, b"\x00" * 20),
        frame(Frame.HELLO, b"n" * 32) + frame(Frame.HELLO, b"n" * 32),
        frame(Frame.HELLO, b"n" * 32) + frame(Frame.OPEN, b"[]"),
        frame(Frame.HELLO, b"n" * 32) + frame(Frame.OPEN, b"["),
        frame(Frame.HELLO, b"n" * 32) + frame(Frame.OPEN, b'{"caller":1,"secret":2}'),
        frame(Frame.HELLO, b"n" * 32) + frame(Frame.OPEN, b'{"caller":"sso","secret":"\xff"}'),
        struct.pack(">I", 1) + b"\x63",
    ],
)
def test_what_is_not_of_the_protocol_ends_the_connection_and_nothing_else(
    site: LogSite, served: Served, bad: bytes
) -> None:
    with raw(site) as line:
        line.sendall(bad)
        received = b"."
        try:
            while received:
                received = line.recv(4096)
        except ConnectionResetError:
            pass
    client = site.recorder()
    client.record(event())
    client.close()


@pytest.mark.parametrize("content", [b"", b"\x00\x00\x00\x01\x09", b"\x00\x00"])
def test_a_malformed_request_ends_the_connection(site: LogSite, served: Served, content: bytes) -> None:
    line = channel(site)
    line.send(frame(Frame.APPEND, content))
    with pytest.raises(ConnectionError):
        line.expect(Frame.RECEIPT)
    line.close()


def test_an_event_in_another_spelling_is_refused_by_the_log_itself(site: LogSite, served: Served) -> None:
    line = channel(site)
    for number, bad in enumerate((b"{}", b"\xff", encode_event(event()) + b" ")):
        line.send(append_frame(number, Wait.SEQUENCED, bad))
        request, error = read_refusal(line.expect(Frame.REFUSAL))
        assert request == number
        assert isinstance(error, BadEvent)
    line.close()


def test_frames_may_arrive_in_any_pieces(site: LogSite, served: Served) -> None:
    line = channel(site)
    for byte in append_frame(9, Wait.SEQUENCED, encode_event(event())):
        line.send(bytes([byte]))
    assert line.expect(Frame.RECEIPT)[:4] == b"\x00\x00\x00\x09"
    line.close()


def test_clients_that_vanish_do_not_stall_the_others(site: LogSite, served: Served) -> None:
    for _ in range(10):
        line = channel(site)
        for number in range(50):
            line.send(append_frame(number, Wait.PUBLISHED, encode_event(event())))
        line.close()
    client = site.recorder()
    client.record(event(), wait=Wait.PUBLISHED)
    client.close()
    assert not served.ended()


def test_a_full_queue_refuses_at_once(site: LogSite, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.writer.server._MOST_WAITING", 0)
    client = site.recorder()
    began = time.monotonic()
    with pytest.raises(RecordUnavailable):
        client.record(event())
    assert time.monotonic() - began < 4
    monkeypatch.undo()
    client.record(event())
    client.close()


def test_an_answer_that_never_comes_is_no_receipt(site: LogSite, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    with site.served() as served:
        wait_for(lambda: served.log.published == 2)
        publish = served.log.integrate

        def later() -> None:
            over.wait(20)
            publish()

        monkeypatch.setattr(served.log, "integrate", later)
        client = site.recorder(timeout=0.3)
        with pytest.raises(RecordUnavailable):
            client.record(event(), wait=Wait.PUBLISHED)
        client.close()
        over.set()
    assert served.log.published == served.log.size


class BreakableDisk(Disk):
    """Works until it is told not to."""

    broken = False

    def sync(self, descriptor: int) -> None:
        if self.broken:
            raise OSError(5, "the disk is gone")
        super().sync(descriptor)


@pytest.mark.parametrize("wait", [Wait.SEQUENCED, Wait.PUBLISHED])
def test_a_failed_sync_stops_the_process_and_acknowledges_nothing(site: LogSite, wait: Wait) -> None:
    disk = BreakableDisk()
    with site.served(disk) as served:
        client = site.recorder()
        client.record(event())
        disk.broken = True
        with pytest.raises(RecordUnavailable):
            client.record(event(), wait=wait)
        wait_for(served.ended)
        assert isinstance(served.failure, OSError)
        client.close()
    with site.served():
        client.record(event())
        client.close()


def test_a_second_writer_process_refuses_to_start(site: LogSite, served: Served) -> None:
    program = (
        "import sys, pathlib; from tests.fakes import log_site; log_site.write(*map(pathlib.Path, sys.argv[1:]), ())"
    )
    second = subprocess.run(
        [sys.executable, "-c", program, str(site.folder.parent), str(site.socket) + "2"],
        cwd=Path(__file__).parents[2], capture_output=True, timeout=60,
    )  # fmt: skip
    assert second.returncode != 0
    assert b"LogInUse" in second.stderr


def test_a_wrong_first_frame_from_the_log_is_refused(site: LogSite, served: Served) -> None:
    line = channel(site)
    line.send(append_frame(1, Wait.SEQUENCED, encode_event(event())))
    with pytest.raises(WireBroken):
        line.expect(Frame.PROOF)
    line.close()


def test_the_process_ends_cleanly_when_told_and_has_published_everything(site: LogSite) -> None:
    process = site.process()
    client = site.recorder()
    receipt = client.record(event())
    process.terminate()
    assert process.wait(timeout=30) == 0
    client.close()
    assert verify_folder(site.folder, site.vkey).size > receipt.index


def test_a_killed_process_leaves_a_socket_that_its_successor_replaces(site: LogSite) -> None:
    process = site.process()
    process.kill()
    process.wait()
    assert site.socket.exists()
    with site.served():
        client = site.recorder()
        client.record(event())
        client.close()
