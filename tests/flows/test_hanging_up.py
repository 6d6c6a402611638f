# SPDX-License-Identifier: Apache-2.0
"""Visitors who hang up in the middle, and a gateway that dies there: the record and nginx still tell the same."""

import contextlib
import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from requests.cookies import get_cookie_header
from requests.models import Request

from app.workers import WORKERS
from tests.flows import hostile, invariants
from tests.flows.city import City, until
from tests.flows.knocking import person
from tests.flows.machine import alive, children, processes

SEED = 20261121
HANGING_UP = 300
"""Visitors; some leave before the decision, most in it, some while they read."""
LONGEST = 0.03
"""Seconds somebody waits before hanging up; a decision takes a few milliseconds."""
DEATHS = 6


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


class Visitors:
    """Who asks at guarded doors, and leaves."""

    def __init__(self, city: City) -> None:
        self._city = city
        citizen = person(city, "zhang.min", city.url("social", "/.tallygate/login?to=/"))
        address = Request("GET", city.url("social", "/me")).prepare()
        cookie = (get_cookie_header(citizen.cookies, address) or "").encode()
        assert b"__Host-tallygate=" in cookie
        # Host, listener, certificate; method, target, headers, body.
        self._doors = (
            (self._way("social", "external"), (b"GET", b"/me", ((b"Cookie", cookie),), None)),
            (self._way("social", "external"), (b"POST", b"/", ((b"Cookie", cookie),), b"x" * 60_000)),
            (self._way("tax", "external"), (b"GET", b"/", (), None)),
            (self._way("audit", "management"), (b"GET", b"/", (), None)),
            (self._way("devices", "external", "device"), (b"GET", b"/api/device/v1/me", (), None)),
            (self._way("ca-direct", "management", "sun.li"), (b"GET", b"/direct/", (), None)),
        )

    def _way(self, label: str, listener: str, card: str = "") -> tuple[str, hostile.Connect]:
        city, host = self._city, f"{label}.city.localhost"
        certificate = city.folder / "demo" / f"{card}.pem" if card else None
        return f"{host}:{city.ports[listener]}", hostile.over_tls(host, city.ports[listener], city.root, certificate)

    def visit(self, seed: int) -> None:
        """Ask, wait a moment, hang up."""
        dice = Random(seed)  # noqa: S311 - moments that can be repeated
        (host, connect), (method, target, headers, body) = dice.choice(self._doors)
        with connect() as line, contextlib.suppress(OSError):
            line.sendall(hostile.request(method, target, host, headers, body))
            time.sleep(dice.uniform(0, LONGEST))
            if dice.random() < 0.5:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _statuses(city: City) -> set[str]:
    return {line["status"] for line in invariants.lines(city)}


def test_whoever_hangs_up_leaves_a_decision_that_nginx_knows(city: City) -> None:
    visitors = Visitors(city)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(visitors.visit, range(SEED, SEED + HANGING_UP)))
    # Or nobody hung up in the middle.
    until(lambda: "499" in _statuses(city), seconds=20)


def test_decisions_the_gateway_could_not_answer_any_more_let_nobody_in(city: City) -> None:
    visitors, dice = Visitors(city), Random(SEED)  # noqa: S311 - moments that can be repeated
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(visitors.visit, seed) for seed in range(SEED, SEED + HANGING_UP)]
        for _ in range(DEATHS):
            time.sleep(dice.uniform(0.05, 0.3))
            worker = dice.choice(until(lambda: children(processes(city).get("gateway", 0)), seconds=60))
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        for visit in waiting:
            visit.result()
    # So many deaths at once may have ended the role as a whole: it then leaves slowly, and another is started. Whoever
    # comes after this test meets one that stays.
    until(lambda: _whole(city), seconds=90, every=0.2)
    until(city.ready, seconds=60)


def _whole(city: City) -> bool:
    """Whether the gateway has all its workers and is not on its way out."""
    told = (city.folder / "logs" / "gateway.log").read_text("utf-8", "replace")
    stays = told.rfind("Starting granian") > told.rfind("crash loop detected")
    workers = [pid for pid in children(processes(city).get("gateway", 0)) if alive(pid)]
    return stays and len(workers) >= WORKERS["gateway"]
