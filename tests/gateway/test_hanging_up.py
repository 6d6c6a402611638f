# SPDX-License-Identifier: Apache-2.0
"""A visitor who hangs up while the decision is made: nginx's log still names the decision that stands in the record."""

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from audit import Event
from tests.gateway.conftest import City


def _reset(line: ssl.SSLSocket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def _half(line: ssl.SSLSocket) -> None:
    line.shutdown(socket.SHUT_WR)


HANG_UP: dict[str, Callable[[ssl.SSLSocket], None]] = {"close": ssl.SSLSocket.close, "reset": _reset, "half": _half}


@contextmanager
def _slow_record(city: City, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Signs for "the decision is being recorded" and "now it may be"."""
    asked, go_on = threading.Event(), threading.Event()
    record = city.gateway.recorder.record

    def wait(event: Event, **how: Any) -> Any:
        asked.set()
        assert go_on.wait(10)
        return record(event, **how)

    with monkeypatch.context() as patched:
        patched.setattr(city.gateway.recorder, "record", wait)
        yield asked, go_on
        go_on.set()


def _lines(city: City) -> list[dict[str, str]]:
    path = city.folder / "nginx" / "logs" / "decisions.log"
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("how", list(HANG_UP))
@pytest.mark.parametrize("target", ["/", "/nobody-is-logged-in"])
def test_a_decision_whose_visitor_left_is_still_known_to_nginx(
    city: City, monkeypatch: pytest.MonkeyPatch, how: str, target: str
) -> None:
    known = len(_lines(city))
    context = ssl.create_default_context(cafile=str(city.site.public / "root.pem"))
    host = "tax.city.localhost"
    with (
        _slow_record(city, monkeypatch) as (asked, go_on),
        socket.create_connection(("127.0.0.1", city.site.ports.external), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as line,
    ):
        line.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n\r\n".encode())
        assert asked.wait(10)
        HANG_UP[how](line)
        # nginx must have seen it, or nothing is shown.
        _until(lambda: _gone(city), "nginx does not notice")
        go_on.set()
        _until(lambda: len(_lines(city)) > known, "no line")
    (seen,) = _lines(city)[known:]
    (event,) = city.gateway.recorder.events
    assert seen["decision"] == event.decision
    assert seen["request"] == event.attributes["request"]
    assert (event.outcome == "success") == (target == "/")


def _gone(city: City) -> bool:
    """Whether the visitor's end of the connection is closed: FIN_WAIT, or no connection at all."""
    port = f":{city.site.ports.external:04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:  # noqa: PTH123 - a table of the kernel's
        rows = [row.split() for row in table.readlines()[1:]]
    return not [row for row in rows if row[2].endswith(port) and row[3] == "01"]


def _until(condition: Callable[[], bool], otherwise: str) -> None:
    limit = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < limit, otherwise
        time.sleep(0.02)


def test_a_clients_number_for_its_request_is_not_believed(city: City) -> None:
    for number in ("0" * 32, "forged"):
        city.get("/", headers=(("Tallygate-Request", number), ("X-Request-ID", number)))
    numbers = [str(event.attributes["request"]) for event in city.gateway.recorder.events]
    assert len(set(numbers)) == 2
    assert not {"0" * 32, "forged"} & set(numbers)
