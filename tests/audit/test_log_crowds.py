# SPDX-License-Identifier: Apache-2.0
"""Nobody can crowd out the others: not by connecting, not by asking, not by going silent on either end."""

import base64
import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import RecordUnavailable, Wait, encode_event
from audit.blobs import Disk
from audit.client.channel import Channel
from audit.wire import Frame, append_frame, document, hello_message, read_receipt, read_refusal
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


class HeldDisk(Disk):
    """Waits at each sync until it is let go."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.reached = threading.Event()

    def sync(self, descriptor: int) -> None:
        if not self.free.is_set():
            self.reached.set()
        assert self.free.wait(20)
        super().sync(descriptor)


def silent(site: LogSite) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(10)
    line.connect(str(site.socket))
    return line


def channel(site: LogSite, caller: str, feed: int | None = None) -> Channel:
    opened, _ = Channel.open(
        site.socket, caller=caller, secret=site.secrets[caller], key=site.key.vkey, timeout=10, feed=feed
    )
    return opened


def over(line: socket.socket) -> bool:
    """Whether the other end has gone, once everything it said is read."""
    try:
        while line.recv(65536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def test_strangers_who_say_nothing_leave_room_for_those_who_do(
    site: LogSite, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.writer.server._MOST_STRANGERS", 5)
    with contextlib.ExitStack() as held:
        lines = [held.enter_context(contextlib.closing(silent(site))) for _ in range(20)]
        client = site.recorder()
        began = time.monotonic()
        client.record(event())
        # Long before the patience with the silent ones ends.
        assert time.monotonic() - began < 4
        client.close()
        # The longest silent ones went, the newest are still listened to.
        assert all(over(line) for line in lines[:14])
        lines[-1].settimeout(0.05)
        assert not over(lines[-1])


def test_one_callers_lines_are_counted(site: LogSite, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.writer.server._MOST_LINES", 3)
    lines = [channel(site, "sso") for _ in range(3)]
    with pytest.raises(ConnectionError):
        channel(site, "sso")
    channel(site, "ca").close()
    # One that goes makes room for the next, and a refused one takes none.
    lines[0].close()

    def again() -> bool:
        try:
            lines[0] = channel(site, "sso")
        except ConnectionError:
            return False
        return True

    wait_for(again)
    for line in lines:
        line.close()


@pytest.mark.parametrize("limit", ["_MOST_WAITING", "_MOST_BYTES"])
def test_one_caller_fills_only_its_part_of_the_queue(
    site: LogSite, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    body = encode_event(event(key="00" * 16))
    monkeypatch.setattr(f"audit.writer.server.{limit}", 8 if limit == "_MOST_WAITING" else 8 * len(body))
    disk = HeldDisk()
    with site.served(disk) as served:
        # What the log has to say itself is on disk.
        wait_for(lambda: served.log.published == 2)
        disk.free.clear()
        greedy, modest = channel(site, "sso"), channel(site, "ca")
        # The first is on its way to the disk; of the others half a queue waits, and the rest hears at once.
        greedy.send(append_frame(0, Wait.SEQUENCED, encode_event(event())))
        assert disk.reached.wait(20)
        for number in range(1, 12):
            greedy.send(append_frame(number, Wait.SEQUENCED, encode_event(event(key=f"{number:032x}"))))
        refused = {read_refusal(greedy.expect(Frame.REFUSAL))[0] for _ in range(7)}
        assert refused == set(range(5, 12))
        modest.send(append_frame(1, Wait.SEQUENCED, encode_event(event(source="ca"))))
        disk.free.set()
        assert read_receipt(modest.expect(Frame.RECEIPT), "x")[0] == 1
        assert {read_receipt(greedy.expect(Frame.RECEIPT), "x")[0] for _ in range(5)} == set(range(5))
        # What has left the queue counts no longer.
        greedy.send(append_frame(99, Wait.SEQUENCED, encode_event(event())))
        assert read_receipt(greedy.expect(Frame.RECEIPT), "x")[0] == 99
        greedy.close()
        modest.close()


def test_a_follower_that_does_not_read_is_cut(site: LogSite, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.writer.connection._STALLED", 0.2)
    client = site.recorder()
    for _ in range(40):
        client.record(event(sealed={"name": "x" * 30_000}))
    line = channel(site, "gateway", feed=0)
    # Its end hangs up without anything having been read.
    hung_up = select.poll()
    hung_up.register(line._connection, 0)
    assert hung_up.poll(20_000)
    line.close()
    client.record(event())
    client.close()


class Mute:
    """A log that proves itself and then says and reads nothing more; or not even that."""

    def __init__(self, site: LogSite, *, proves: bool) -> None:
        self._site = site
        self._proves = proves
        self._lines: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(site.socket))
        self._listener.listen(50)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                self._lines.append(line)
                if self._proves:
                    nonce = line.recv(100)[5:]
                    key = self._site.key
                    proof = base64.b64encode(key.sign(hello_message(key.origin, nonce))).decode()
                    line.sendall(document(Frame.PROOF, {"origin": key.origin, "signature": proof}))
                    line.recv(4096)
                    line.sendall(document(Frame.OPENED, {"size": 0}))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        # One more may have been let in just now, and be waited for.
        while self._thread.is_alive():
            for line in list(self._lines):
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
            self._thread.join(timeout=0.1)
        for line in (*self._lines, self._listener):
            line.close()


@pytest.mark.parametrize("proves", [True, False])
def test_a_log_that_went_silent_is_no_receipt_for_anybody_in_good_time(site: LogSite, *, proves: bool) -> None:
    mute = Mute(site, proves=proves)
    client = site.recorder(timeout=0.5)
    took: list[float] = []

    def work() -> None:
        began = time.monotonic()
        with pytest.raises(RecordUnavailable):
            client.record(event(sealed={"name": "x" * 40_000}))
        took.append(time.monotonic() - began)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert len(took) == 16
    # Nobody waits for the others' patience to end one after the other.
    assert max(took) < 6
    client.close()
    mute.close()
