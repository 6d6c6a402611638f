# SPDX-License-Identifier: Apache-2.0
"""Officers and operators see which units stamp, which do not, and why."""

import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from ca.config import TimestampSettings
from ca.models import Reason
from ca.service import Stamping, UnitState, issue_unit, open_stamping, unit_folder
from ca.x509 import Algorithm

from .sites import ORIGIN, Site, open_site
from .world import World


@pytest.fixture
def stamping(world: World) -> Stamping:
    settings = TimestampSettings(units={"one": "P-256", "two": "P-384"}, synchronised=False)
    world.settings = replace(world.settings, timestamps=settings)
    issue_unit(world.open(), unit_folder(world.site) / "one.pem", Algorithm.P256, actor="role:app")
    return opened(world)


def opened(world: World) -> Stamping:
    return open_stamping(
        site=world.site, settings=world.settings, store=world.store, recorder=world.recorder, clock=world.clock
    )


def serial_of(world: World) -> str:
    pem = (unit_folder(world.site) / "one.pem").read_bytes()
    return format(x509.load_pem_x509_certificates(pem)[0].serial_number, "x")


def states(stamping: Stamping) -> dict[str, UnitState]:
    return {each.label: each.state for each in stamping.units()}


def test_every_state_of_a_unit_is_told(world: World, stamping: Stamping) -> None:
    authority, serial = world.open(), serial_of(world)
    assert states(stamping) == {"one": UnitState.STAMPS, "two": UnitState.MISSING}
    authority.suspend(serial, actor="x")
    assert states(stamping)["one"] is UnitState.SUSPENDED
    authority.release(serial, actor="x")
    first = next(each for each in stamping.units() if each.label == "one")
    assert (first.algorithm, first.renewed) == ("P-256", True)
    assert first.ends is not None
    world.clock.advance(first.ends - world.clock.now() + timedelta(seconds=1))
    assert states(stamping)["one"] is UnitState.OVER
    authority.revoke(serial, reason=Reason.SUPERSEDED, actor="x")
    assert states(stamping)["one"] is UnitState.REVOKED
    path = unit_folder(world.site) / "one.pem"
    shutil.copy(path, path.with_name("found.pem"))
    assert states(opened(world))["found"] is UnitState.REVOKED
    path.write_bytes(b"nothing")
    assert states(stamping)["one"] is UnitState.SPOILT


def test_a_probe_tells_the_operator(world: World, stamping: Stamping) -> None:
    told = stamping.told()
    assert (told["units"], told["units_not_stamping"], told["unit_clock_unsound"]) == (2, 1, 0)
    assert 1090 <= told["unit_least_days"] <= 1095
    world.settings = replace(world.settings, timestamps=TimestampSettings(synchronised=False))
    shutil.rmtree(unit_folder(world.site))
    assert opened(world).told() == {}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_units_and_the_clock(world: World, released: Path, stamping: Stamping, language: str) -> None:
    assert stamping.offers
    site = open_site(world, released)
    page = read(site, language)
    assert ("The clock is sound." if language == "en" else "时钟可信。") in page
    assert "http://pki.city.localhost:8080/tsa/one" in page
    assert ("Not made yet" if language == "en" else "尚未建立") in page
    # Only the wall clock moves: somebody set it.
    world.clock._at += timedelta(hours=1)
    page = read(site, language)
    assert ("the clock is in doubt" if language == "en" else "时钟存疑") in page
    assert ("moved by itself" if language == "en" else "发生跳变") in page


def test_others_do_not_see_it(site: Site) -> None:
    headers = site.headers("GET", "/units", frozenset({"citizen"}))
    assert site.client().get("/units", headers=headers, base_url=ORIGIN).status_code == 403
    assert "There is no unit." in read(site, "en")


def read(site: Site, language: str) -> str:
    headers = {**site.headers("GET", "/units"), "Accept-Language": language}
    answer = site.client().get("/units", headers=headers, base_url=ORIGIN)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.get_data(as_text=True))


class _Dying:
    """The store or the record of a process that is killed before its call of this number, of both together."""

    def __init__(self, inner: object, counted: Iterator[int], before: int) -> None:
        self._inner, self._counted, self._before = inner, counted, before

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            if next(self._counted) == self._before:
                os.kill(os.getpid(), signal.SIGKILL)
            return found(*arguments, **named)

        return call


def test_whenever_the_making_of_a_unit_is_killed_there_is_one_of_it_afterwards(world: World) -> None:
    """By SIGKILL, before each step that the tables or the record see, and before the unit's own file counts."""
    number, whole = 0, False
    while not whole:
        number += 1
        label = f"unit-{number}"
        settings = TimestampSettings(units={label: "P-256"}, synchronised=False)
        world.settings = replace(world.settings, timestamps=settings)
        child = os.fork()
        if not child:
            _make_and_die(world, before=number)
        _, status = os.waitpid(child, 0)
        whole = os.WIFEXITED(status)
        assert whole or os.WTERMSIG(status) == signal.SIGKILL
        stamping = opened(world)
        assert states(stamping)[label] is (UnitState.STAMPS if whole else UnitState.MISSING)
        # The next round makes it, and the one after that nothing more.
        authority = world.open()
        authority.reap()
        assert [stamping.renew(authority), stamping.renew(authority)] == [0 if whole else 1, 0]
        assert states(opened(world))[label] is UnitState.STAMPS
        own, *_above = x509.load_pem_x509_certificates((unit_folder(world.site) / f"{label}.pem").read_bytes())
        assert authority.certificate(format(own.serial_number, "x")).subject == f"tsu-{label}"
        assert [path.name for path in unit_folder(world.site).glob(f"{label}*")] == [f"{label}.pem"]
    # Before the intent, its record, the signature's row, the outcome and the file, at the least.
    assert number > 4


def _make_and_die(world: World, *, before: int) -> None:
    counted = count(1)

    def die(event: str, arguments: tuple[object, ...]) -> None:
        if event == "os.rename" and "units" in str(arguments[1]) and next(counted) == before:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(die)
    status = 1
    try:
        store: Any = _Dying(world.store, counted, before)
        recorder: Any = _Dying(world.recorder, counted, before)
        dying = replace(world, store=store, recorder=recorder)
        opened(dying).renew(dying.open())
        status = 0
    finally:
        os._exit(status)
