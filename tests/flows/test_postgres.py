# SPDX-License-Identifier: Apache-2.0
"""A city on the other programs: PostgreSQL behind every role that keeps tables, and HAProxy before every host.

Each role has a database and a credential of its own; HAProxy does what nginx does elsewhere, by one line of settings.
"""

import json
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random

import pytest
from reportlab.pdfgen.canvas import Canvas

from app.ports import free_ports
from tests.fakes import postgres
from tests.flows import invariants
from tests.flows.at_work import WITHIN
from tests.flows.city import BREAK_GLASS, ROOT, City, started, until
from tests.flows.load import Acknowledged, Surfer, citizen, heading
from tests.flows.people import subject_of

ROLES = ("directory", "ca", "sso", "signatures", "gateway")


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    with postgres.server() as folder:
        yield folder


@pytest.fixture(scope="module")
def credentials(server: Path) -> Iterator[Path]:
    """One file per role that only its user can read, and databases made from them by the sample's own script."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tg-secrets-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        postgres.databases(server, folder, ROLES, script=ROOT / "app" / "sample" / "databases.sh")
        yield folder


@pytest.fixture(scope="module")
def city(credentials: Path) -> Iterator[City]:
    with started(prepare=lambda folder: _prepare(folder, credentials)) as running:
        yield running


def _prepare(folder: Path, credentials: Path) -> None:
    ports = "\n".join(f"{name} = {json.dumps(value)}" for name, value in asdict(free_ports(wishes=())).items())
    files = "\n".join(f'{role} = "{credentials}/{role}-database"' for role in ROLES)
    (folder / "site.toml").write_text(
        f"""[site]
name = "city"
domain = "city.localhost"
title = "Sample City"
title_zh = "示例市"
state = "."

[site.ports]
{ports}

[gateway]
edge = "haproxy"

[directory]
hash_memory_kib = 4096
hash_passes = 1

[databases.url_files]
{files}
""",
        "utf-8",
    )


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


def _tables(server: Path, role: str, schema: str = "public") -> set[str]:
    said = subprocess.run(
        ["psql", "-h", str(server), "-U", "postgres", "-At",
         "-v", f"schema={schema}", "-f", "-", role],
        input="SELECT tablename FROM pg_tables WHERE schemaname = :'schema'", capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    return set(said.split())


def test_every_role_keeps_its_own_tables_there_and_none_in_a_file(city: City, server: Path) -> None:
    for role in ROLES:
        assert {"alembic_version", "outbox"} <= _tables(server, role), role
        assert not list((city.folder / role).glob(f"{role}.db*"))
    assert not list((city.folder / "signatures").glob("*.db*"))
    # The shelf, the archive, what agencies and people asked for: each in a schema of its own.
    for part, table in (
        ("shelf", "shelved"),
        ("archive", "archived"),
        ("archive_shelf", "shelved"),
        ("agencies", "batches"),
        ("remote", "consents"),
    ):
        assert {"alembic_version", table} <= _tables(server, "signatures", part), part


def test_no_role_reaches_anothers_database_or_its_own_without_the_password(credentials: Path, city: City) -> None:
    mine = (credentials / "gateway-database").read_text("utf-8").strip().replace("+psycopg", "")
    assert _connects(mine)
    assert not _connects(mine.replace("/gateway?", "/ca?"))
    assert not _connects(re.sub(r":[A-Za-z0-9_-]+@", "@", mine))


def _connects(url: str) -> bool:
    done = subprocess.run(["psql", "-w", "-At", "-c", "SELECT 1", url], capture_output=True, stdin=subprocess.DEVNULL)
    return done.returncode == 0


def test_a_citizen_logs_in_and_out(city: City) -> None:
    browser = Surfer(city, "chen.wei", Acknowledged())
    assert "Chen Wei" in browser.enter(city.url("tax", "/me")).text
    assert "Chen Wei" in browser.enter(city.url("social", "/me")).text
    left = browser.send(browser.get(city.url("sso", "/logout")), "/logout", {})
    assert heading(left) == "You are logged out"
    # Sign-on ended the session; the gateway hears of it within a second.
    until(lambda: heading(browser.get(city.url("tax", "/me"))) == "Log in", seconds=5)


def test_a_certificate_is_issued_suspended_and_released(city: City, tmp_path: Path) -> None:
    request, out = tmp_path / "request.csr", tmp_path / "out.pem"
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", str(tmp_path / "key.pem"), "-subj", "/CN=x", "-out", str(request)],
        check=True, capture_output=True,
    )  # fmt: skip
    site = ("--site", str(city.configuration))
    device = subject_of(city, "device")
    issued = city.tallygate(
        "ca", *site, "issue", "device-client", device, str(request), "--out", str(out), *BREAK_GLASS
    )
    number = issued.stdout.strip()
    assert " good " in city.tallygate("ca", *site, "show", number).stdout
    city.tallygate("ca", *site, "suspend", number)
    assert "suspended" in city.tallygate("ca", *site, "show", number).stdout
    city.tallygate("ca", *site, "release", number)
    assert " good " in city.tallygate("ca", *site, "show", number).stdout


def test_a_document_is_sealed_and_verified(city: City, tmp_path: Path) -> None:
    plain, out = tmp_path / "plain.pdf", tmp_path / "sealed.pdf"
    canvas = Canvas(str(plain))
    canvas.drawString(72, 700, "Notice of the document office")
    canvas.save()
    city.tallygate(
        "seal", str(plain), "--site", str(city.configuration), "--organisation", "document-office",
        "--actor", subject_of(city, "li.na"), "--out", str(out),
    )  # fmt: skip
    said = city.tallygate("verify", str(out), "--site", str(city.configuration), "--json")
    assert json.loads(said.stdout)["overall"] == "trusted"


# What comes in by HAProxy


class _Steady(Random):
    """Throws the same again and again: nobody presents a code twice, and nobody leaves at the end."""

    def random(self) -> float:
        return 0.9


def test_the_only_proxy_lets_in_whom_the_gateway_permits(city: City) -> None:
    assert city.pid("haproxy")
    with pytest.raises(AssertionError):
        city.pid("nginx")
    memory = Acknowledged()
    # Portals, the sign-on, a token, and a WebSocket that the gateway keeps.
    citizen(city, memory, _Steady(), "zhang.min", "Zhang Min")
    assert (memory.did["page"], memory.did["login"], memory.did["socket"], memory.faults) == (2, 1, 1, [])
    assert memory.decisions


def test_what_only_a_proxy_may_say_is_refused_or_ends_at_the_only_proxy(city: City) -> None:
    http, address = city.http(), city.url("tax", "/me")
    http.headers["Accept"] = "application/json"
    said = http.get(address, headers={"Forwarded": "for=10.0.0.1;host=evil"})
    assert (said.status_code, said.json()["code"]) == (400, "forwarded")
    for name in ("X-Forwarded-For", "X_Forwarded_Uri", "Tallygate-Identity", "Tallygate-Secret", "X-Original-URI"):
        said = http.get(address, headers={name: "forged"})
        assert (said.status_code, said.json()["code"]) == (401, "login"), name
    assert http.get(city.url("verify", "/livez")).status_code == 404
    assert http.get(city.url("pki", "/crl/people.crl", "plain")).status_code == 200
    assert http.get(city.url("pki", "/api/v1/certificates", "plain")).status_code == 404


def test_cards_and_devices_are_known_by_the_handshake_refused_elsewhere_and_end_within_a_second(city: City) -> None:
    device = city.http()
    device.cert = str(city.folder / "demo" / "device.pem")
    assert device.get(city.url("devices", "/api/device/v1/me")).json()["device"] == subject_of(city, "device")
    office, address = Surfer(city, "li.na", Acknowledged(), card=True), city.url("documents", "/me", "internal")
    assert office.enter(address).status_code == 200
    # The same person from another network is refused, and the record knows by which decision.
    denied = office.get(city.url("documents", "/me"))
    assert (denied.status_code, heading(denied)) == (403, "Not from this network")
    [number] = re.findall(r"zone · ([0-9a-f]{32})", denied.text)
    [entry] = until(lambda: [each for each in invariants.entries(city) if each["told"].get("decision") == number])
    assert (entry["status_code"], entry["told"]["object"]) == ("denied", "documents")
    # The officers' own way in, which decides by itself.
    officer = city.http()
    officer.cert = str(city.folder / "demo" / "sun.li.pem")
    assert officer.get(city.url("ca-direct", "/direct/", "management")).status_code == 200
    said = subprocess.run(
        ["openssl", "x509", "-in", str(city.folder / "demo" / "li.na.pem"), "-noout", "-serial"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    site, serial = ("--site", str(city.configuration)), said.strip().split("=")[1].lower().lstrip("0")
    city.tallygate("ca", *site, "suspend", serial)
    since = time.monotonic()
    try:
        until(lambda: office.get(address, allow_redirects=False).status_code != 200, seconds=5)
        assert time.monotonic() - since < WITHIN
    finally:
        city.tallygate("ca", *site, "release", serial)


def test_the_only_proxy_comes_back_when_it_is_killed_and_the_doctor_finds_it_well(city: City) -> None:
    before = city.pid("haproxy")
    city.kill("haproxy", signal.SIGKILL)
    until(lambda: city.ready() and city.pid("haproxy") != before, seconds=30)
    said = city.tallygate("doctor", "--site", str(city.configuration), check=False)
    assert "role nginx" in said.stdout
    assert "is ready" in next(line for line in said.stdout.splitlines() if "role nginx" in line)
