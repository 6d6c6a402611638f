# SPDX-License-Identifier: Apache-2.0
"""Whatever certificate is shown in TLS, who reads it says no in words, records it where it decides, and goes on."""

import json
from pathlib import Path

import pytest

from tests.flows import hostile, invariants, unchanged
from tests.flows.city import City
from tests.flows.doors import Door
from tests.flows.hostile import Wire
from tests.flows.knocking import sane
from tests.flows.odd_certificates import Odd, odd_ones, write
from tests.flows.people import subject_of

DOORS = (
    Door(component="nginx", method="GET", label="devices", rule="/api/device/v1/me", face="problem"),
    Door(component="nginx", method="GET", label="ca-direct", rule="/direct/", listener="management", face="page"),
    Door(component="nginx", method="GET", label="card", rule="/login", face="page"),
)


@pytest.fixture(scope="module")
def before(city: City) -> unchanged.Before:
    return unchanged.look(city)


def _show(city: City, door: Door, odd: Odd, card: Path) -> hostile.Answer:
    host, port = f"{door.label}.city.localhost", city.ports[door.listener]
    wire = Wire(hostile.over_tls(host, port, city.root, card))
    accept = b"application/json" if door.face == "problem" else b"text/html"
    raw = hostile.request(b"GET", door.rule.encode(), f"{host}:{port}", ((b"Accept", accept),))
    try:
        answer = wire.send(raw)
    finally:
        wire.close()
    assert answer is not None, odd.name
    return answer


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.label)
def test_an_odd_certificate_opens_nothing(city: City, before: unchanged.Before, door: Door, tmp_path: Path) -> None:
    identity = f"urn:uuid:{subject_of(city, 'device')}"
    for odd in odd_ones(identity):
        answer = _show(city, door, odd, write(odd, tmp_path, identity))
        sane(door, answer, odd.name.encode())
        assert 400 <= answer.status < 500, (odd.name, answer.status, answer.text()[:500])
        if door.face == "problem" and answer.get("tallygate-request"):
            assert json.loads(answer.body)["code"] in {"credential", "too-many"}, (odd.name, answer.body)


def test_the_city_is_as_it_was(city: City, before: unchanged.Before) -> None:
    unchanged.check(city, before)
    entries = invariants.entries(city)[before.entries :]
    at_devices = [e for e in entries if e["told"].get("object") == "devices"]
    assert at_devices
    assert {entry["status_code"] for entry in at_devices} == {"denied"}
