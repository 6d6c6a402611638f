# SPDX-License-Identifier: Apache-2.0
"""WebSockets through the real nginx: opened by a decision, ended with what allowed them, smuggled through by nobody."""

import base64
import hashlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from audit import Entry, Event, Outcome, decode_event
from gateway.config import LIVE
from gateway.web.frames import CLOSED_BY_POLICY, Frames
from tests.gateway.conftest import DEVICE, SUBJECT, City

PATH = "/queue/live"
KEY = base64.b64encode(b"k" * 16).decode()
HELLO = b"\x81\x05hello"
_SIGN = 30.0
_SID = ["sid"]
"""The sign-on session of the test: what one test ended is over for good."""


@pytest.fixture(autouse=True)
def _own_session() -> None:
    _SID[0] = os.urandom(8).hex()


class Host:
    """The host's own side: takes one connection after the other, and remembers what it was sent."""

    def __init__(self, path: Path) -> None:
        self.heads: list[bytes] = []
        self.received = b""
        # What it answers; by default what RFC 6455 asks for.
        self.answer: bytes | None = None
        self.gone = threading.Event()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            head = b""
            while b"\r\n\r\n" not in head:
                head += line.recv(4096)
            self.heads.append(head)
            told = KEY.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accept = base64.b64encode(hashlib.sha1(told, usedforsecurity=False).digest())
            line.sendall(
                self.answer
                or b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: "
                + accept
                + b"\r\nTallygate-Identity: leaked\r\nSet-Cookie: a=b\r\n\r\n"
                + HELLO
            )
            while part := line.recv(4096):
                self.received += part
            self.gone.set()
            line.close()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture
def host(city: City) -> Iterator[Host]:
    path = city.site.socket("portal:tax", "live")
    path.unlink(missing_ok=True)
    made = Host(path)
    yield made
    made.close()
    _until(lambda: not city.gateway.store.open_sockets())


@dataclass
class Line:
    """A client's side."""

    plain: ssl.SSLSocket
    head: bytes
    rest: bytes

    @property
    def status(self) -> int:
        return int(self.head.split(b" ")[1])

    def end(self) -> bytes:
        """Everything until the connection ends."""
        self.plain.settimeout(_SIGN)
        while True:
            try:
                part = self.plain.recv(4096)
            except (ConnectionResetError, ssl.SSLError):
                part = b""
            if not part:
                return self.rest
            self.rest += part


@contextmanager
def _line(
    city: City, *headers: tuple[str, str], path: str = PATH, listener: str = "external", origin: str | None = None,
    drop: str = "", method: str = "GET", more: bytes = b"",
) -> Iterator[Line]:  # fmt: skip
    name = "tax.city.localhost"
    given = {
        "Host": f"{name}:{getattr(city.site.ports, listener)}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        "Origin": city.site.origin("tax", listener) if origin is None else origin,
    }
    given.pop(drop, None)
    told = [f"{key}: {value}" for key, value in (*given.items(), *headers) if value]
    context = ssl.create_default_context(cafile=str(city.site.public / "root.pem"))
    with (
        socket.create_connection(("127.0.0.1", getattr(city.site.ports, listener)), timeout=_SIGN) as plain,
        context.wrap_socket(plain, server_hostname=name) as secured,
    ):
        lines = [f"{method} {path} HTTP/1.1", *told]
        secured.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + more)
        content = b""
        while b"\r\n\r\n" not in content and (part := secured.recv(4096)):
            content += part
        head, _, rest = content.partition(b"\r\n\r\n")
        yield Line(secured, head, rest)


def _until(sign: Callable[[], object]) -> None:
    limit = time.monotonic() + _SIGN
    while not sign():
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.01)


def _cookie(city: City) -> tuple[str, str]:
    return ("Cookie", city.gateway.open_session(session=_SID[0]) + "; other=1")


def _told(city: City, kind: str, **told: object) -> Entry:
    event = Event(
        key=os.urandom(16).hex(), type=kind, outcome=Outcome.SUCCESS, at=city.gateway.clock.now(), source="test"
    )
    index = city.gateway.store.next_entry() + 1
    return Entry(index=index, event=replace(event, **told))  # type: ignore[arg-type]  # by name


def _ends(city: City) -> list[Event]:
    """Of sockets, as they wait for the log."""
    return [
        event
        for note in city.gateway.store.outbox.head()
        if note.body != b"{}" and (event := decode_event(note.body)).type == "gateway.socket.closed"
    ]


def test_a_socket_opens_after_a_decision_and_carries_both_ways(city: City, host: Host) -> None:
    with _line(city, _cookie(city)) as line:
        assert line.status == 101
        assert b"leaked" not in line.head
        assert b"set-cookie" not in line.head.lower()
        line.plain.sendall(b"\x81\x84\x00\x00\x00\x00ping")
        _until(lambda: b"ping" in host.received)
        while HELLO not in line.rest:
            line.rest += line.plain.recv(4096)
    kinds = [event.type for event in city.gateway.recorder.events]
    assert kinds == ["gateway.decision", "gateway.socket.opened"]
    decision, opened = city.gateway.recorder.events
    assert decision.attributes["protocol"] == "websocket"
    assert (opened.decision, opened.subject, opened.object) == (decision.decision, SUBJECT, "tax")
    _until(lambda: not city.gateway.store.open_sockets())
    told = host.heads[0].decode().lower()
    assert "tallygate-identity: ey" in told
    assert "cookie: other=1\r\n" in told
    for secret in ("__host-tallygate", "tallygate-secret", "tallygate-ties", "tallygate-caller"):
        assert secret not in told


ENDS: dict[str, Callable[[City], Entry]] = {
    "sign-on": lambda city: _told(city, "sso.session.ended", session=_SID[0]),
    "here": lambda city: _told(
        city, "gateway.session.ended", session=_SID[0], subject=SUBJECT, attributes={"host": "tax.city.localhost"}
    ),
    "disabled": lambda city: _told(city, "directory.person.disabled", subject=SUBJECT),
    "role": lambda city: _told(city, "directory.person.changed", subject=SUBJECT),
    "policies": lambda city: _told(city, "policy.released"),
    "portal": lambda city: _told(city, "gateway.switch.shut", object="portal=tax"),
    "zones": lambda city: _told(city, "gateway.switch.shut", object="zones=external:external"),
}


@pytest.mark.parametrize("kind", ENDS)
def test_a_socket_ends_within_a_second_of_what_allowed_it(city: City, host: Host, kind: str) -> None:
    with _line(city, _cookie(city)) as line:
        assert line.status == 101
        _until(city.gateway.store.open_sockets)
        while HELLO not in line.rest:
            line.rest += line.plain.recv(4096)
        begun = time.process_time()
        entry = ENDS[kind](city)
        city.gateway.news.hear([entry])
        assert line.end() == HELLO + CLOSED_BY_POLICY
        # In processor time of this process, which is all of it but nginx: the machine may be busy otherwise.
        assert time.process_time() - begun < 1
    _until(host.gone.is_set)
    lifted = replace(entry.event, type="gateway.switch.reopened")
    if kind == "disabled":
        lifted = replace(entry.event, type="directory.person.enabled")
    city.gateway.news.hear([Entry(index=entry.index + 1, event=lifted)])
    _until(lambda: not city.gateway.store.open_sockets())
    city.gateway.store.apply([], next_entry=entry.index + 2)


def test_nothing_ends_a_socket_that_it_does_not_hang_on(city: City, host: Host) -> None:
    with _line(city, _cookie(city)) as line:
        _until(city.gateway.store.open_sockets)
        for kind, told in (
            ("sso.session.ended", {"session": "sid-2"}),
            ("directory.person.disabled", {"subject": DEVICE}),
            ("gateway.switch.shut", {"object": "portal=social"}),
        ):
            city.gateway.news.hear([_told(city, kind, **told)])
        line.plain.sendall(b"\x81\x84\x00\x00\x00\x00more")
        _until(lambda: b"more" in host.received)
    city.gateway.news.hear([_told(city, "directory.person.enabled", subject=DEVICE)])
    city.gateway.news.hear([_told(city, "gateway.switch.reopened", object="portal=social")])


def test_silence_of_the_record_ends_every_socket(city: City, host: Host) -> None:
    with _line(city, _cookie(city)) as line:
        _until(city.gateway.store.open_sockets)
        city.gateway.freshness.stale = True
        assert line.end().endswith(CLOSED_BY_POLICY)
    assert host.heads


def test_a_socket_lives_no_longer_than_the_session_may_lie_idle(city: City, host: Host) -> None:
    with _line(city, _cookie(city)) as line:
        _until(city.gateway.store.open_sockets)
        city.gateway.clock.advance(timedelta(minutes=31))
        assert line.end().endswith(CLOSED_BY_POLICY)
    assert host.heads


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", "https://tax.city.localhost", "http://tax.city.localhost:1"]
)
def test_another_websites_page_opens_none_in_its_visitors_name(city: City, host: Host, origin: str) -> None:
    with _line(city, _cookie(city), origin=origin) as line:
        assert line.status == 403
    assert city.gateway.recorder.events[-1].attributes["reason"] == "origin"
    assert not host.heads


def test_whoever_is_nobody_opens_none(city: City, host: Host) -> None:
    with _line(city) as line:
        assert line.status == 401
    assert not host.heads


@pytest.mark.parametrize(
    "path", ["/", "/declaration", "/queue", "/queue/live/", "/queue/live/more", "/.tallygate/keys"]
)
def test_an_upgrade_where_the_route_has_no_sockets_changes_nothing(city: City, host: Host, path: str) -> None:
    with _line(city, _cookie(city), path=path) as line:
        assert line.status in (400, 404) or (path == "/.tallygate/keys" and line.status == 200)
    assert not host.heads
    assert not [event for event in city.gateway.recorder.events if event.type == "gateway.socket.opened"]


@pytest.mark.parametrize(
    ("drop", "headers"),
    [
        ("Upgrade", ()),
        ("Upgrade", (("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__"))),
        ("Upgrade", (("Upgrade", "websocket, h2c"),)),
        ("Upgrade", (("Upgrade", "TLS/1.0"),)),
        ("Sec-WebSocket-Key", ()),
        ("Sec-WebSocket-Key", (("Sec-WebSocket-Key", "short"),)),
        ("Sec-WebSocket-Version", ()),
        # The smuggling of 2019: a version that the host refuses, which a careless proxy takes for a change.
        ("Sec-WebSocket-Version", (("Sec-WebSocket-Version", "1337"),)),
        ("", (("Content-Length", "5"),)),
        ("", (("Transfer-Encoding", "chunked"),)),
        ("", (("Sec-WebSocket-Protocol", "a\tb"),)),
    ],
)
def test_what_is_no_websocket_reaches_no_host(
    city: City, host: Host, drop: str, headers: tuple[tuple[str, str], ...]
) -> None:
    body = (
        b"hello"
        if ("Content-Length", "5") in headers
        else b"0\r\n\r\n"
        if headers[:1] == (("Transfer-Encoding", "chunked"),)
        else b""
    )
    with _line(city, _cookie(city), *headers, drop=drop, more=body) as line:
        # HAProxy takes no body of no announced length.
        assert line.status in (400, 411)
    assert not host.heads


def test_only_get_opens_one(city: City, host: Host) -> None:
    with _line(city, _cookie(city), method="POST") as line:
        assert line.status == 400
    assert not host.heads


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_a_host_that_did_not_change_leaves_no_way_open(city: City, host: Host, answer: bytes) -> None:
    """A second request behind a refused change would reach the host undecided (WebSocket request smuggling)."""
    host.answer = answer
    with _line(city, _cookie(city)) as line:
        assert line.status == 503
        line.plain.sendall(b"GET /undecided HTTP/1.1\r\nHost: tax.city.localhost\r\nConnection: close\r\n\r\n")
        line.end()
    assert b"undecided" not in host.received
    assert len(host.heads) == 1
    _until(lambda: not city.gateway.store.open_sockets())


def test_without_a_record_no_socket_opens(city: City, host: Host) -> None:
    cookie = _cookie(city)
    city.gateway.recorder.down = True
    with _line(city, cookie) as line:
        assert line.status == 503
    assert not host.heads


def test_the_keeper_takes_nothing_that_nginx_does_not_vouch_for(city: City, host: Host) -> None:
    request = (
        f"GET {PATH} HTTP/1.1\r\nHost: tax\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n"
        "Sec-WebSocket-Version: 13\r\nTallygate-Caller: nginx\r\nTallygate-Secret: AAAA\r\n"
        "Tallygate-Ties: x.y.z\r\n\r\n"
    )
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(_SIGN)
        line.connect(str(city.site.socket("gateway", LIVE)))
        line.sendall(request.encode())
        assert line.recv(100).startswith(b"HTTP/1.1 400")
    assert not host.heads


def test_the_end_of_what_was_open_when_the_keeper_died_is_recorded_by_the_next(city: City, host: Host) -> None:
    gateway = city.gateway
    with _line(city, _cookie(city)) as line:
        _until(gateway.store.open_sockets)
        # As the next keeper does at its start; this one's own end then finds nothing more to say.
        assert gateway.sockets.replay() == 1
        assert line.status == 101
    ended = [one for one in _ends(city) if one.attributes["reason"] == "keeper-ended"]
    assert len(ended) == 1
    assert host.heads


@pytest.mark.parametrize("step", [1, 2, 3, 7, 4096])
def test_frames_are_followed_in_pieces_of_any_size(step: int) -> None:
    whole = HELLO + b"\x82\x7e\x01\x00" + b"x" * 256 + b"\x82\xff" + (300).to_bytes(8, "big") + b"mask" + b"y" * 300
    ends = {7, 7 + 4 + 256, len(whole)}
    frames = Frames()
    for start in range(0, len(whole), step):
        frames.feed(whole[start : start + step])
        done = min(start + step, len(whole))
        if step == 1:
            assert frames.between == (done in ends)
    assert frames.between
