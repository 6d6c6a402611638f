# SPDX-License-Identifier: Apache-2.0
"""A city with PostgreSQL behind every role that keeps tables: one database and one credential for each."""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from app.ports import free_ports
from tests.fakes import postgres
from tests.flows import invariants
from tests.flows.city import BREAK_GLASS, ROOT, City, started, until
from tests.flows.load import Acknowledged, Surfer, heading
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


def _tables(server: Path, role: str) -> set[str]:
    said = subprocess.run(
        ["psql", "-h", str(server), "-U", "postgres", "-At", "-c",
         "SELECT tablename FROM pg_tables WHERE schemaname = 'public'", role],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return set(said.split())


def test_every_role_keeps_its_own_tables_there_and_none_in_a_file(city: City, server: Path) -> None:
    for role in ROLES:
        assert {"alembic_version", "outbox"} <= _tables(server, role), role
        # The shelf, the archive, what agencies and people asked for: files of their own beside the documents.
        assert not list((city.folder / role).glob(f"{role}.db*"))


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
    until(lambda: heading(browser.get(city.url("tax", "/me"))) == "Log in", seconds=1)


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
