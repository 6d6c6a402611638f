# SPDX-License-Identifier: Apache-2.0
"""With sign-on out of order an officer reaches the authority's desk by the card alone; nobody else does."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.flows import invariants
from tests.flows.city import BREAK_GLASS, City, until
from tests.flows.load import Acknowledged, Refused, Surfer, heading
from tests.flows.people import subject_of

OFFICER = "sun.li"


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


@pytest.fixture
def _sign_on_halted(city: City) -> Iterator[None]:
    with _halted(city, "sso"):
        yield


@contextmanager
def _halted(city: City, name: str) -> Iterator[None]:
    """The supervisor brings back what dies, so the role's processes are halted where they stand."""
    main = city.pid(name)
    workers = subprocess.run(["pgrep", "-P", str(main)], capture_output=True, text=True, check=True).stdout.split()
    pids = [main, *map(int, workers)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
    until(city.ready, seconds=60)


def _desk(city: City, path: str = "/direct/") -> str:
    return city.url("ca-direct", path, "management")


def _serial(city: City, card: str) -> str:
    said = subprocess.run(
        ["openssl", "x509", "-in", str(city.folder / "demo" / f"{card}.pem"), "-noout", "-serial"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return said.strip().split("=")[1].lower().lstrip("0")


def _decisions(city: City) -> list[dict[str, Any]]:
    """What the record says about this door: outcome and attributes of each decision."""
    return [
        {"outcome": entry["status_code"], **entry["told"]["attributes"]}
        for entry in invariants.entries(city)
        if entry["told"]["type"] == "gateway.decision" and "side_door" in entry["told"]["attributes"]
    ]


def _so_far(city: City) -> int:
    """How many there were, those included that are still on their way to the published log."""
    invariants.published(city)
    return len(_decisions(city))


@pytest.mark.usefixtures("_sign_on_halted")
def test_an_officer_suspends_and_releases_while_sign_on_is_out_of_order(city: City) -> None:
    serial = _serial(city, "qian.jun")
    with pytest.raises((requests.Timeout, Refused)):
        Surfer(city, OFFICER, Acknowledged(), card=True).enter(city.url("ca", "/", "management"))

    door = Surfer(city, OFFICER, Acknowledged(), card=True)
    page = door.get(_desk(city, f"/direct/certificates/{serial}"))
    assert page.status_code == 200, page.text
    for verb, standing in (("suspend", "suspended"), ("release", "good")):
        page = door.send(page, f"/{verb}", {})
        assert page.status_code == 200, page.text
        shown = city.tallygate("ca", "--site", str(city.configuration), "show", serial).stdout
        assert f" {standing} " in shown
    until(lambda: len([one for one in _decisions(city) if one.get("method") == "POST"]) >= 2)


def test_curl_with_the_officers_card_reads_the_desk(city: City) -> None:
    card = city.folder / "demo" / f"{OFFICER}.pem"
    said = subprocess.run(
        ["curl", "-sS", "--fail", "--cacert", str(city.root), "--cert", str(card), _desk(city)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "<h1" in said


def test_the_door_stays_shut_without_a_card_and_with_a_foreign_one(city: City, tmp_path: Path) -> None:
    foreign, key = tmp_path / "foreign.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", str(key), "-out", str(foreign), "-days", "9", "-subj", "/CN=Sun Li",
         "-addext", f"subjectAltName=URI:urn:uuid:{subject_of(city, OFFICER)}",
         "-addext", "extendedKeyUsage=clientAuth"],
        check=True, capture_output=True,
    )  # fmt: skip
    before = _so_far(city)
    for given in (None, (str(foreign), str(key)), str(city.folder / "demo" / "device.pem")):
        with city.http() as program:
            program.cert = given
            answer = program.get(_desk(city))
        assert answer.status_code == 401, (given, answer.text)
    denied = until(lambda: _decisions(city)[before:] if len(_decisions(city)) >= before + 3 else None)
    assert {entry["outcome"] for entry in denied} == {"denied"}
    assert {entry["reason"] for entry in denied} == {"credential"}


def test_a_card_without_the_role_is_refused_by_name(city: City) -> None:
    before = _so_far(city)
    page = Surfer(city, "li.na", Acknowledged(), card=True).get(_desk(city))
    assert page.status_code == 403
    assert heading(page) != ""
    (denied,) = until(lambda: _decisions(city)[before:])
    assert (denied["outcome"], denied["reason"]) == ("denied", "role")


def _registered(city: City, table: str, username: str) -> str:
    """Have the directory's desk enter a table and make one person of it an officer; their identifier."""
    desk = Surfer(city, "zhao.lei", Acknowledged(), card=True)
    address = city.url("directory", "/import", "management")
    page = desk.enter(address)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token is not None
    entered = desk.http.post(
        address,
        data={"csrf_token": token.group(1)},
        files={"file": ("officers.csv", table.encode())},
        headers={"Referer": address},
        timeout=30,
    )
    assert entered.status_code == 200, entered.text
    found = re.search(r"/people/([0-9a-f-]{36})", desk.get(city.url("directory", f"/?q={username}", "management")).text)
    assert found is not None
    page = desk.get(city.url("directory", f"/people/{found.group(1)}", "management"))
    assert desk.send(page, "/roles/grant", {"role": "ra-officer", "reason": "x"}).status_code == 200
    return found.group(1)


def _card(city: City, subject: str, folder: Path) -> tuple[str, str]:
    certificate, key, wish = folder / "card.pem", folder / "key.pem", folder / "card.csr"
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", str(key), "-subj", "/CN=x", "-out", str(wish)],
        check=True, capture_output=True,
    )  # fmt: skip
    site = ("--site", str(city.configuration))
    asked = ("issue", "civil-servant", subject, str(wish), "--out", str(certificate), *BREAK_GLASS)
    city.tallygate("ca", *site, *asked)
    return str(certificate), str(key)


def test_a_good_card_of_an_officer_who_was_poorly_proofed_opens_nothing(city: City, tmp_path: Path) -> None:
    # Entered by letter, level 1: the card proves the key, nobody ever proved the person.
    table = (
        "kind,username,name,name_zh,organisation,proofing_level,proofing_date\n"
        "civil-servant,lu.ping,Lu Ping,陆平,data-bureau,1,2026-01-05\n"
    )
    card = _card(city, _registered(city, table, "lu.ping"), tmp_path)
    before = _so_far(city)
    with city.http() as program:
        program.cert = card
        answer = program.get(_desk(city), headers={"Accept": "text/html"})
    assert answer.status_code == 403
    assert "has not been proved surely enough" in answer.text
    (denied,) = until(lambda: _decisions(city)[before:])
    assert (denied["outcome"], denied["reason"], denied["assurance"]) == ("denied", "assurance", 1)
    assert denied["policies"]


def test_a_suspended_officer_stays_outside(city: City) -> None:
    site, serial = ("--site", str(city.configuration)), _serial(city, OFFICER)
    city.tallygate("ca", *site, "suspend", serial)
    try:
        answer = Surfer(city, OFFICER, Acknowledged(), card=True).get(_desk(city))
        assert answer.status_code == 401
    finally:
        city.tallygate("ca", *site, "release", serial)
    assert Surfer(city, OFFICER, Acknowledged(), card=True).get(_desk(city)).status_code == 200


def test_the_door_is_in_the_management_network_and_leads_nowhere_else(city: City) -> None:
    card = str(city.folder / "demo" / f"{OFFICER}.pem")
    with city.http() as program:
        program.cert = card
        for listener in ("external", "internal"):
            with pytest.raises(requests.exceptions.SSLError):
                program.get(city.url("ca-direct", "/direct/", listener))
        for path in ("/", "/certificates/1", "/api/v1/certificates", "/ocsp/people"):
            assert program.get(_desk(city, path), allow_redirects=False).status_code == 404, path
        # The desk behind the gateway has no such door.
        assert program.get(city.url("ca", "/direct/", "management"), allow_redirects=False).status_code != 200
        forged = {"Tallygate-Client-Certificate": "x", "Tallygate-Caller": "nginx"}
        program.cert = None
        assert program.get(_desk(city), headers=forged).status_code == 401
