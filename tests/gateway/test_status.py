# SPDX-License-Identifier: Apache-2.0
"""Certificates while their authority is away: what it left is read, and nothing means no, for a reason of its own."""

from datetime import datetime, timedelta
from urllib.parse import quote

import pytest

from ca import CAClient, CertificateStatus, Standing, StatusUnknown
from core.calls import Peer
from gateway.errors import Reason
from gateway.models import Answer, Question
from gateway.service import Standings
from tests.fakes.clock import ManualClock
from tests.gateway.conftest import Gateway, certificate


class Authority:
    """Answers, unless it is away."""

    def __init__(self) -> None:
        self.away, self.asked, self.standing = False, 0, Standing.GOOD

    def status(self, serial: str) -> CertificateStatus:
        self.asked += 1
        if self.away:
            raise StatusUnknown
        return CertificateStatus(serial=serial, standing=self.standing)


class Left:
    """What lies in files."""

    def __init__(self) -> None:
        self.standing: Standing | None = None
        self.asked: list[tuple[str, timedelta]] = []

    def status(self, serial: str, *, authority: str, at: datetime, oldest: timedelta) -> CertificateStatus:
        assert at.tzinfo
        self.asked.append((authority, oldest))
        if self.standing is None:
            raise StatusUnknown
        return CertificateStatus(serial=serial, standing=self.standing)


class Rig:
    def __init__(self) -> None:
        self.clock, self.authority, self.left = ManualClock(), Authority(), Left()
        self.standings = Standings(
            authority=self.authority, left=self.left, clock=self.clock, oldest=timedelta(hours=3)
        )

    def good(self, serial: str = "a1") -> bool:
        return self.standings.status(serial, authority="devices").good


def test_the_authority_comes_first_and_its_yes_is_kept() -> None:
    rig = Rig()
    assert rig.good()
    assert rig.good()
    assert (rig.authority.asked, rig.left.asked) == (1, [])


def test_its_no_is_not_kept() -> None:
    rig = Rig()
    rig.authority.standing = Standing.SUSPENDED
    assert not rig.good()
    rig.authority.standing = Standing.GOOD
    assert rig.good()


def test_while_it_is_away_files_are_read_each_time_and_nobody_waits_for_it_in_a_row() -> None:
    rig = Rig()
    rig.authority.away, rig.left.standing = True, Standing.GOOD
    assert rig.good()
    assert rig.good()
    assert rig.authority.asked == 1
    assert rig.left.asked == [("devices", timedelta(hours=3))] * 2
    rig.left.standing = Standing.REVOKED
    assert not rig.good()
    # It is back, and is asked again.
    rig.authority.away = False
    rig.clock.advance(timedelta(seconds=3))
    assert rig.good()
    assert rig.authority.asked == 2


def test_nothing_and_nobody_is_told_apart_from_no() -> None:
    rig = Rig()
    rig.authority.away = True
    with pytest.raises(StatusUnknown):
        rig.good()


def test_a_device_is_refused_for_its_own_reason_when_nobody_knows(unit: Gateway) -> None:
    """The authority's process is down: nobody listens at its socket."""
    peer = Peer(path=unit.site.socket("ca"), caller="gateway", secret=b"s" * 32)
    left = Left()
    standings = Standings(authority=CAClient(peer), left=left, clock=unit.clock, oldest=timedelta(hours=3))
    unit.identification._status = standings
    assert _device(unit).reason is Reason.STATUS
    assert unit.recorder.events[-1].attributes["reason"] == "status"
    left.standing = Standing.REVOKED
    assert _device(unit).reason is Reason.DISABLED
    left.standing = Standing.GOOD
    assert _device(unit).status == 204


def _device(unit: Gateway) -> Answer:
    pem, _ = certificate("gauge")
    return unit.decider.decide(
        Question(
            listener="external",
            unverified_method="POST",
            unverified_host="devices.city.localhost",
            unverified_target="/api/device/readings",
            unverified_cookie="",
            unverified_authorization="",
            unverified_certificate=quote(pem.decode()),
            address="127.0.0.1",
        )
    )
