# SPDX-License-Identifier: Apache-2.0
"""Whatever certificate is shown in TLS, who reads it says no in words, records it where it decides, and goes on."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.flows import hostile, invariants, unchanged
from tests.flows.city import City, until
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
    first, decided = invariants.mark(city), Counter[str]()
    for odd in odd_ones(identity):
        answer = _show(city, door, odd, write(odd, tmp_path, identity))
        sane(door, answer, odd.name.encode())
        assert 400 <= answer.status < 500, (odd.name, answer.status, answer.text()[:500])
        if door.face == "problem" and answer.get("tallygate-request"):
            said = json.loads(answer.body)
            assert said["code"] in {"credential", "too-many"}, (odd.name, said)
            decided[said["code"]] += 1
    last = invariants.mark(city)
    *recorded, _ = until(lambda: _up_to(city, first, last))
    if door.label == "devices":
        # A certificate that nginx itself refuses is shown to nobody; the others are refused on the record.
        assert decided
        assert Counter(entry["told"]["attributes"]["reason"] for entry in recorded) == decided
    assert "success" not in {entry["status_code"] for entry in recorded}


def _up_to(city: City, first: str, last: str) -> list[dict[str, Any]] | None:
    """What was recorded after one decision, up to and with another; nothing before that one is published.

    But for what the record does by itself, such as having its time stamped, whenever that is due.
    """
    entries = [entry for entry in invariants.entries(city) if entry["told"].get("source") != "audit"]
    place = {entry["told"].get("decision"): number for number, entry in enumerate(entries)}
    return entries[place[first] + 1 : place[last] + 1] if last in place else None


def test_the_city_is_as_it_was(city: City, before: unchanged.Before) -> None:
    unchanged.check(city, before)
