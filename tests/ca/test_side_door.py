# SPDX-License-Identifier: Apache-2.0
"""The side door: an officer's certificate, decided by the policies, recorded before anything is shown."""

import base64
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from audit import Event, Outcome
from ca.models import Issued
from core.calls import CALLER_HEADER, SECRET_HEADER
from directory import DirectoryUnavailable, Person, Proofing
from policies.bundle import read_source
from policies.config import PolicySettings
from policies.release import Release
from tests.fakes.people import CLERK, OFFICER

from .sites import ORIGIN, SECRETS, Site, open_site
from .world import World, ask


def _door(
    certificate: bytes, *, secret: bytes = SECRETS["nginx"], listener: str | None = "management"
) -> dict[str, str]:
    headers = {
        CALLER_HEADER: "nginx",
        SECRET_HEADER: base64.b64encode(secret).decode(),
        "Tallygate-Client-Certificate": quote(certificate.decode()),
    }
    return headers if listener is None else {**headers, "Tallygate-Listener": listener}


@pytest.fixture
def officer(site: Site) -> Issued:
    return site.authority.issue(ask("civil-servant", subject=OFFICER.subject, actor=CLERK.subject))


def _knock(site: Site, headers: dict[str, str], path: str = "/direct/") -> TestResponse:
    return site.client().get(path, headers=headers, base_url=ORIGIN)


def _last(site: Site) -> Event:
    """The last decision; what was then shown is recorded besides."""
    return [each for each in site.world.recorder.events if each.type != "ca.inventory.read"][-1]


def test_an_officers_certificate_opens_the_side_door_and_is_recorded(site: Site, officer: Issued) -> None:
    answer = _knock(site, _door(officer.certificate))
    assert answer.status_code == 200
    entry = _last(site)
    assert (entry.type, entry.outcome, entry.subject) == ("gateway.decision", Outcome.SUCCESS, OFFICER.subject)
    assert entry.decision == answer.headers["Tallygate-Decision"]
    assert (entry.zone, entry.attributes["to_zone"], entry.attributes["assurance"]) == ("management", "management", 3)
    # Which policies allowed it, and of which release.
    assert entry.policy
    assert entry.attributes["policies"] == "console-ca"
    assert (entry.attributes["port"], entry.attributes["protocol"]) == (8445, "https")


def test_a_suspended_certificate_opens_nothing_and_names_nobody(site: Site, officer: Issued) -> None:
    site.authority.suspend(officer.serial, actor="x")
    shut = _knock(site, _door(officer.certificate))
    assert shut.status_code == 401
    denied = _last(site)
    assert (denied.type, denied.outcome, denied.subject) == ("gateway.decision", Outcome.DENIED, "")
    assert denied.decision == shut.headers["Tallygate-Decision"]


@pytest.mark.parametrize("level", [0, 1])
def test_a_good_card_of_somebody_poorly_proofed_is_refused_and_recorded(
    site: Site, officer: Issued, level: int
) -> None:
    site.world.directory.people[OFFICER.subject] = replace(OFFICER, proofing=Proofing(level=level))
    shut = _knock(site, {**_door(officer.certificate), "Accept-Language": "zh"})
    assert shut.status_code == 403
    assert "身份核验等级不足" in shut.get_data(as_text=True)
    denied = _last(site)
    assert (denied.outcome, denied.subject) == (Outcome.DENIED, OFFICER.subject)
    assert (denied.attributes["reason"], denied.attributes["assurance"]) == ("assurance", level)
    assert denied.decision == shut.headers["Tallygate-Decision"]


@pytest.mark.parametrize("listener", ["external", "internal", "moon", "", None])
def test_from_another_network_the_door_is_shut(site: Site, officer: Issued, listener: str | None) -> None:
    assert _knock(site, _door(officer.certificate, listener=listener)).status_code == 403
    denied = _last(site)
    assert (denied.outcome, denied.zone, denied.attributes["reason"]) == (Outcome.DENIED, listener or "", "zone")


def test_where_the_desk_demands_a_device_a_persons_certificate_is_not_enough(world: World, released: Path) -> None:
    files = read_source(PolicySettings().source)
    row = b'classes = ["console", "pki"]\n'
    assert row in files["zones.toml"]
    files["zones.toml"] = files["zones.toml"].replace(row, row + b"device = true\n")
    site = open_site(world, released, decide=Release(files, version="strict").decide)
    card = site.authority.issue(ask("civil-servant", subject=OFFICER.subject, actor=CLERK.subject)).certificate
    assert _knock(site, _door(card)).status_code == 403
    assert (_last(site).attributes["reason"], _last(site).policy) == ("device", "strict")


def test_duties_kept_apart_are_kept_apart_here_too(site: Site, officer: Issued) -> None:
    both = frozenset({"ra-officer", "security-officer"})
    site.world.directory.people[OFFICER.subject] = replace(OFFICER, roles=both)
    assert _knock(site, _door(officer.certificate)).status_code == 403
    assert _last(site).attributes["reason"] == "separation"


def test_an_unreadable_release_shuts_the_door_and_says_so_in_the_record(
    site: Site, officer: Issued, released: Path
) -> None:
    for path in released.rglob("*"):
        if path.is_file():
            path.write_bytes(b"tampered")
    assert _knock(site, _door(officer.certificate)).status_code == 503
    assert (_last(site).outcome, _last(site).attributes["reason"]) == (Outcome.DENIED, "unavailable")


def test_a_directory_that_is_down_shuts_the_door(site: Site, officer: Issued, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(_subject: str) -> Person:
        raise DirectoryUnavailable

    monkeypatch.setattr(site.world.directory, "person", down)
    assert _knock(site, _door(officer.certificate)).status_code == 503
    assert (_last(site).outcome, _last(site).attributes["reason"]) == (Outcome.DENIED, "unavailable")


def test_whoever_left_the_directory_is_refused_by_serial(site: Site, officer: Issued) -> None:
    del site.world.directory.people[OFFICER.subject]
    assert _knock(site, _door(officer.certificate)).status_code == 403
    denied = _last(site)
    assert (denied.subject, denied.attributes["reason"]) == ("", "disabled")
    assert denied.attributes["certificate"] == officer.serial


def test_the_side_door_stays_shut_for_everybody_else(site: Site, officer: Issued) -> None:
    citizen = site.authority.issue(ask()).certificate
    for headers, status in (
        ({}, 401),
        (_door(officer.certificate, secret=b"\1" * 32), 401),
        (_door(citizen), 403),
        (_door(b"nonsense"), 401),
        (_door(b""), 401),
        ({**_door(officer.certificate), CALLER_HEADER: "app"}, 401),
    ):
        assert _knock(site, headers).status_code == status


def test_each_request_is_decided_anew(site: Site, officer: Issued) -> None:
    certificate = site.authority.issue(ask())
    path = f"/direct/certificates/{certificate.serial}"
    client = site.client()
    page = client.get(path, headers=_door(officer.certificate), base_url=ORIGIN)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.get_data(as_text=True))
    assert token is not None
    site.world.directory.people[OFFICER.subject] = replace(OFFICER, proofing=Proofing(level=1))
    refused = client.post(
        f"{path}/suspend",
        data={"csrf_token": token.group(1)},
        headers={**_door(officer.certificate), "Referer": ORIGIN, "X-Forwarded-Proto": "https"},
        base_url=ORIGIN,
    )
    assert refused.status_code == 403
    assert site.authority.status(certificate.serial).good
    assert (_last(site).attributes["method"], _last(site).outcome) == ("POST", Outcome.DENIED)


def test_the_side_door_is_shut_while_the_record_is_down(site: Site, officer: Issued) -> None:
    site.world.recorder.down = True
    assert _knock(site, _door(officer.certificate)).status_code == 503
