# SPDX-License-Identifier: Apache-2.0
"""Policies are released again and again while people ask through nginx, which is reloaded too.

No request fails, each is decided by one release alone, and every one of them, allowed, denied or in error, stands in
the record once, under the number that nginx knows.
"""

import json
import os
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import Entry, Event, Outcome
from policies.bundle import read_source, release
from policies.config import SHIPPED
from policies.release import Release
from policies.service import PolicyEngine
from tests.fakes.recorder import ListRecorder
from tests.gateway.conftest import City, Gateway

RELOADS = int(os.environ.get("TALLYGATE_RELOADS", "5"))
"""A hundred in ``scripts/soak``."""
_LAX, _STRICT = b"context.assurance >= 1\n", b"context.assurance >= 2\n"


@cache
def _files() -> dict[bool, dict[str, bytes]]:
    shipped = read_source(SHIPPED)
    assert _LAX in shipped["access.cedar"]
    stricter = shipped["access.cedar"].replace(_LAX, _STRICT)
    return {True: shipped, False: shipped | {"access.cedar": stricter}}


@cache
def _built() -> dict[bool, Release]:
    return {lax: Release(files, version="x") for lax, files in _files().items()}


@dataclass
class House:
    """A city whose gateway decides by the shipped policies and by stricter ones, in turn."""

    folder: Path
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    # By version: whether whoever logged in by password alone is let in.
    lax: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.files = _files()

    def release(self, *, lax: bool, at: Gateway) -> int:
        """Put one of them into the folder; its number."""
        made = release(
            self.folder / "p", self.files[lax], key=self.key, journal=self.folder / "journal",
            recorder=ListRecorder(), at=at.clock.now(), actor="maker",
        )  # fmt: skip
        self.lax[made.version] = lax
        return made.sequence


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Its releases are proved once each, not at every reload: that takes most of the time and is shown elsewhere."""
    made = House(tmp_path)
    built = _built()

    def known(files: dict[str, bytes], *, version: str) -> Release:
        twin = Release.__new__(Release)
        twin.__dict__.update(built[files["access.cedar"] == made.files[True]["access.cedar"]].__dict__, version=version)
        return twin

    monkeypatch.setattr(Release, "proved", staticmethod(known))
    return made


@pytest.fixture
def reloading(house: House, tmp_path: Path) -> Iterator[City]:
    # One address and one person ask for everybody here.
    plenty = dict.fromkeys(("rate", "burst", "person_rate", "person_burst", "connections"), 60_000)
    city = City(tmp_path / "city", **plenty)
    before = city.gateway
    house.release(lax=True, at=before)
    engine = PolicyEngine.load(house.folder / "p", house.key.public_key(), remembered=1000)
    before.database.close()
    city.gateway = Gateway(city.site, settings=before.settings, engine=engine)  # type: ignore[arg-type]  # the real one
    try:
        city.start()
        yield city
    finally:
        city.stop()


def test_no_request_fails_and_none_is_decided_by_a_mixture(house: House, reloading: City) -> None:
    city, unit = reloading, reloading.gateway
    weak = unit.open_session("w" * 43, session="weak", acr=1)
    strong = unit.open_session("s" * 43, session="strong", acr=2)
    asked: dict[str, Counter[int]] = {"weak": Counter(), "strong": Counter(), "": Counter()}
    over, broken = threading.Event(), []

    def ask(who: str, cookie: str) -> None:
        headers = (("Cookie", cookie),) if cookie else ()
        while not over.is_set():
            try:
                asked[who][city.get("/me", headers=(*headers, ("Accept", "application/json"))).status] += 1
            except OSError as error:
                broken.append(error)

    threads = [
        threading.Thread(target=ask, args=each)
        for each in (("weak", weak), ("strong", strong), ("", ""), ("weak", weak))
    ]
    for thread in threads:
        thread.start()
    try:
        for number in range(RELOADS):
            _wait(_more(asked))
            sequence = house.release(lax=bool(number % 2), at=unit)
            unit.news.hear([_released(unit, sequence, number)])
            if number % 2:
                assert city._nginx is not None
                city._nginx.send_signal(signal.SIGHUP)
            _wait(_more(asked))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not broken
    # Whoever is sure enough was never refused, whoever is nobody always was, and the others by the release alone.
    assert set(asked["strong"]) == {200}
    assert set(asked[""]) == {401}
    assert set(asked["weak"]) == {200, 403}
    events = [event for event in unit.recorder.events if event.type == "gateway.decision"]
    for event in events:
        if event.session == "weak":
            assert (event.outcome is Outcome.SUCCESS) is house.lax[event.policy], event
            assert event.attributes["reason"] == ("allowed" if house.lax[event.policy] else "step-up")
    assert {event.policy for event in events if event.session == "weak"} == set(house.lax)
    recorded = Counter((event.session, event.outcome is Outcome.SUCCESS) for event in events)
    told = Counter({(who, status == 200): times for who, each in asked.items() for status, times in each.items()})
    assert recorded == told
    # nginx writes its lines a moment after the answers.
    log = city.site.folder("nginx") / "logs" / "decisions.log"
    _wait(lambda: log.read_bytes().count(b"\n") >= len(events))
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert Counter(line["decision"] for line in lines) == Counter(event.decision for event in events)
    by_decision = {event.decision: event for event in events}
    for line in lines:
        event = by_decision[line["decision"]]
        assert event.attributes["request"] == line["request"]
        assert (line["to"] == "role_portal_tax") is (event.outcome is Outcome.SUCCESS)


def test_whoever_asks_while_a_release_is_loaded_waits_for_it(
    house: House, reloading: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    city, unit = reloading, reloading.gateway
    weak = unit.open_session("w" * 43, session="weak", acr=1)
    sequence = house.release(lax=False, at=unit)
    begun, go_on = threading.Event(), threading.Event()
    load = unit.engine.reload

    def slowly() -> bool:
        begun.set()
        assert go_on.wait(60)
        return load()

    monkeypatch.setattr(unit.engine, "reload", slowly)
    hearing = threading.Thread(target=unit.news.hear, args=([_released(unit, sequence, 0)],))
    hearing.start()
    assert begun.wait(60)
    statuses: list[int] = []
    asking = threading.Thread(target=lambda: statuses.append(city.get("/me", headers=(("Cookie", weak),)).status))
    asking.start()
    # Announced and not loaded: neither the old release nor a refusal answers.
    asking.join(0.2)
    assert not statuses
    go_on.set()
    hearing.join()
    asking.join()
    assert statuses == [403]
    assert [event.policy for event in unit.recorder.events][-1] == max(
        house.lax, key=lambda each: int(each.split("-")[0])
    )


def _released(unit: Gateway, sequence: int, index: int) -> Entry:
    event = Event(
        key=secrets.token_hex(16), type="policy.released", outcome=Outcome.SUCCESS, at=unit.clock.now(), source="app",
        object=str(sequence), attributes={"sequence": sequence},
    )  # fmt: skip
    return Entry(index=index, event=event)


def _more(asked: Mapping[str, Counter[int]]) -> Callable[[], bool]:
    """Whether everybody was answered once more since now."""
    before = {who: each.total() for who, each in asked.items()}
    return lambda: all(asked[who].total() > times for who, times in before.items())


def _wait(done: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not done():
        assert time.monotonic() < limit
        time.sleep(0.005)
