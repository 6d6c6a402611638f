# SPDX-License-Identifier: Apache-2.0
"""A client that costs little: prepared requests over kept connections, one epoll, every answer looked at.

Events are made beforehand, each with a key of its own, for the same event twice is one entry.
"""

import base64
import secrets
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from audit import Event, Outcome, encode_event

from .measure import Samples

PEOPLE = 1000
_END = b"\r\n\r\n"
_READ = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Load:
    """What one client process sends."""

    socket: Path
    caller: str
    secret: bytes
    connections: int
    # Events in one request.
    together: int
    requests: int
    # Requests per second, all connections together; as many as possible if 0.
    pace: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What came of it."""

    samples: Samples
    events: int
    # Seconds of processor time that the client itself took.
    client: float


def made(count: int) -> list[bytes]:
    """Encoded decisions of a gateway about a thousand people, each with its sealed part."""
    whole = encode_event(
        Event(
            key="0123456789abcdef" * 2,
            type="gateway.decision",
            outcome=Outcome.SUCCESS,
            at=datetime.now(UTC),
            source="gateway",
            subject="bench-person-000000",
            object="benchmark",
            session="fedcba9876543210" * 2,
            zone="external",
            decision="00112233445566778899aabbccddeeff",
            policy="1",
            attributes={"method": "GET", "credential": "session", "policies": "permit-portal"},
            sealed={"name": "陈伟", "address": "127.0.0.1", "path": "/me"},
        )
    )
    events = []
    for number in range(count):
        drawn = secrets.token_hex(48).encode()
        events.append(
            whole.replace(b"0123456789abcdef" * 2, drawn[:32])
            .replace(b"fedcba9876543210" * 2, drawn[32:64])
            .replace(b"00112233445566778899aabbccddeeff", drawn[64:])
            .replace(b"bench-person-000000", b"bench-person-%06d" % (number % PEOPLE))
        )
    return events


def sent(load: Load) -> Sent:
    """Send everything; a request of which any event got no receipt is an error."""
    wire = list(_requests(load))
    waiting = iter(enumerate(wire))
    lines = [_Line(load.socket) for _ in range(load.connections)]
    times: list[float] = []
    errors = 0
    spent, begun = time.process_time(), time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line.socket, selectors.EVENT_READ, line)
        free, flying, following = list(lines), 0, next(waiting, None)
        while following is not None or flying:
            now = time.perf_counter()
            while following is not None and free and (due := _due(following[0], load, begun)) <= now:
                free.pop().send(following[1], since=due if load.pace else now)
                flying += 1
                following = next(waiting, None)
                now = time.perf_counter()
            for key, _events in selector.select(_pause(following, load, begun, now) if free else None):
                line = key.data
                if (answer := line.answer()) is None:
                    continue
                flying -= 1
                free.append(line)
                if answer.startswith(b"HTTP/1.1 200") and answer.count(b'"index":') == load.together:
                    times.append(time.perf_counter() - line.since)
                else:
                    errors += 1
                    if errors == 1:
                        print(f"error: {answer[:300]!r} {answer[-200:]!r}", flush=True)
    took = time.perf_counter() - begun
    client = time.process_time() - spent
    for line in lines:
        line.socket.close()
    return Sent(
        samples=Samples(times=times, took=took, errors=errors), events=len(times) * load.together, client=client
    )


def _due(number: int, load: Load, begun: float) -> float:
    return begun + number / load.pace if load.pace else 0.0


def _pause(following: tuple[int, bytes] | None, load: Load, begun: float, now: float) -> float | None:
    return None if following is None else max(0.0, _due(following[0], load, begun) - now)


def _requests(load: Load) -> Iterator[bytes]:
    secret = base64.b64encode(load.secret).decode()
    head = (
        "POST /api/v1/events HTTP/1.1\r\nHost: audit\r\nContent-Type: application/jsonl\r\n"
        f"Tallygate-Caller: {load.caller}\r\nTallygate-Secret: {secret}\r\nContent-Length: "
    ).encode()
    for _ in range(load.requests):
        body = b"\n".join(made(load.together)) + b"\n"
        yield head + str(len(body)).encode() + _END + body


class _Line:
    """One connection, with at most one request on it."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(path))
        self.since = 0.0
        self._got = bytearray()

    def send(self, request: bytes, *, since: float) -> None:
        self.since = since
        self.socket.sendall(request)

    def answer(self) -> bytes | None:
        """The whole answer, once it is there."""
        data = self.socket.recv(_READ)
        if not data:
            raise ConnectionResetError
        self._got += data
        head, end, body = bytes(self._got).partition(_END)
        if not end:
            return None
        [length] = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if len(body) < length:
            return None
        self._got.clear()
        return head + end + body


def of(parts: Sequence[Sent]) -> float:
    """Events per second of clients that ran at the same time."""
    return sum(part.events for part in parts) / max(part.samples.took for part in parts)
