# SPDX-License-Identifier: Apache-2.0
"""A registered machine shows its certificate to the interface for devices; once taken away, it opens nothing."""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.flows import invariants
from tests.flows.at_work import WITHIN
from tests.flows.city import City, until
from tests.flows.load import Acknowledged, Surfer
from tests.flows.people import subject_of


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


@dataclass(frozen=True)
class Answer:
    """What curl was told."""

    status: int
    kind: str
    document: dict[str, Any]

    @property
    def refused(self) -> bool:
        """Whether it is a refusal in the form that programs understand."""
        return self.status in {401, 403} and self.kind == "application/problem+json"


def _ask(city: City, certificate: Path | None) -> Answer:
    own = ["--cert", str(certificate)] if certificate else []
    said = subprocess.run(
        ["curl", "-sS", "--cacert", str(city.root), *own, "-w", "\n%{http_code} %{content_type}",
         city.url("devices", "/api/device/v1/me")],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    body, _, last = said.rpartition("\n")
    status, _, kind = last.partition(" ")
    return Answer(int(status), kind.split(";")[0], json.loads(body))


def _device(city: City) -> Path:
    return city.folder / "demo" / "device.pem"


def _serial(certificate: Path) -> str:
    said = subprocess.run(
        ["openssl", "x509", "-in", str(certificate), "-noout", "-serial"], capture_output=True, text=True, check=True
    ).stdout
    return said.strip().split("=")[1].lower().lstrip("0")


def _refused_at_once(city: City) -> Answer:
    since = time.monotonic()
    found: Answer = until(lambda: next((a for a in (_ask(city, _device(city)),) if a.status != 200), None), seconds=20)
    assert time.monotonic() - since < WITHIN
    return found


def test_a_device_is_known_by_its_certificate(city: City) -> None:
    answer = _ask(city, _device(city))
    assert answer.status == 200
    assert answer.document["device"] == subject_of(city, "device")
    assert answer.document["zone"] == "external"
    (entry,) = until(
        lambda: [
            entry for entry in invariants.entries(city) if entry["told"].get("decision") == answer.document["decision"]
        ]
    )
    assert (entry["status_code"], entry["told"]["subject"]) == ("success", answer.document["device"])


def test_nobody_is_no_device(city: City) -> None:
    answer = _ask(city, None)
    assert answer.refused, answer


def test_a_persons_card_is_no_devices_certificate(city: City) -> None:
    for card in ("li.na", "sun.li"):
        answer = _ask(city, city.folder / "demo" / f"{card}.pem")
        assert answer.refused, answer
        assert answer.document["code"] == "credential"


def test_a_foreign_certificate_that_names_the_device_is_worth_nothing(city: City, tmp_path: Path) -> None:
    foreign, key = tmp_path / "foreign.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", str(key), "-out", str(foreign), "-days", "9", "-subj", "/CN=device",
         "-addext", f"subjectAltName=URI:urn:uuid:{subject_of(city, 'device')}",
         "-addext", "extendedKeyUsage=clientAuth"],
        check=True, capture_output=True,
    )  # fmt: skip
    foreign.write_text(key.read_text("ascii") + foreign.read_text("ascii"), "ascii")
    answer = _ask(city, foreign)
    assert answer.refused, answer
    assert answer.document["code"] == "credential"


def test_a_suspended_certificate_opens_nothing_until_it_is_released(city: City) -> None:
    assert _ask(city, _device(city)).status == 200
    site = ("--site", str(city.configuration))
    city.tallygate("ca", *site, "suspend", _serial(_device(city)))
    try:
        answer = _refused_at_once(city)
        assert answer.refused, answer
        assert answer.document["code"] == "disabled"
    finally:
        city.tallygate("ca", *site, "release", _serial(_device(city)))
    until(lambda: _ask(city, _device(city)).status == 200, seconds=20)


def test_a_device_said_to_be_lost_is_refused_within_the_second_and_comes_back_when_found(city: City) -> None:
    assert _ask(city, _device(city)).status == 200
    desk = Surfer(city, "zhao.lei", Acknowledged(), card=True)
    address, name = city.url("directory", "/devices", "management"), subject_of(city, "device")
    page = desk.enter(address)
    assert desk.send(page, f"/{name}/state", {"state": "lost", "reason": "left in a taxi"}).status_code == 200
    try:
        answer = _refused_at_once(city)
        assert answer.refused, answer
        assert answer.document["code"] == "disabled"
    finally:
        found = desk.send(desk.get(address), f"/{name}/state", {"state": "healthy", "reason": "found"})
        assert found.status_code == 200
    until(lambda: _ask(city, _device(city)).status == 200, seconds=20)
    # Back to what it was for whoever comes next.
    desk.send(desk.get(address), f"/{name}/state", {"state": "enrolled", "reason": "as before"})


def test_a_device_disabled_at_the_desk_is_refused_until_it_is_enabled(city: City) -> None:
    assert _ask(city, _device(city)).status == 200
    desk = Surfer(city, "zhao.lei", Acknowledged(), card=True)
    address, name = city.url("directory", "/devices", "management"), subject_of(city, "device")
    page = desk.enter(address)
    assert desk.send(page, f"/{name}/disable", {}).status_code == 200
    try:
        answer = _refused_at_once(city)
        assert answer.refused, answer
        assert answer.document["code"] == "disabled"
    finally:
        assert desk.send(desk.get(address), f"/{name}/enable", {}).status_code == 200
    until(lambda: _ask(city, _device(city)).status == 200, seconds=20)
