# SPDX-License-Identifier: Apache-2.0
"""The security officer finds every access, opens one, and an outsider checks its proof; a flipped bit is named."""

import base64
import contextlib
import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.flows import invariants
from tests.flows.city import City, until
from tests.flows.people import accessible, as_program, heading, log_in, log_in_by_card

Browse = Callable[..., BrowserContext]


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


def _search(city: City, page: Page, **filters: str) -> str:
    page.goto(city.url("audit", f"/search?{urlencode(filters)}", "management"))
    return page.inner_text("main")


def _officer(city: City, browse: Browse) -> Page:
    page = browse(card=city.folder / "demo" / "wang.qiang.p12").new_page()
    page.goto(city.url("audit", "/", "management"))
    log_in_by_card(page)
    accessible(page)
    return page


def test_the_officer_finds_permit_and_deny_and_proves_one(city: City, browse: Browse, tmp_path: Path) -> None:
    citizen = browse().new_page()
    citizen.goto(city.url("documents", "/me", "internal"))
    log_in(citizen, "yuan.jianguo")
    assert heading(citizen) != "Log in"
    citizen.goto(city.url("tax", "/me"))

    page = _officer(city, browse)

    def found() -> bool:
        denied = _search(city, page, person="yuan.jianguo", object="documents", outcome="denied", zone="internal")
        permitted = _search(city, page, person="yuan.jianguo", object="tax", outcome="success")
        return "Access decided" in denied and "Access decided" in permitted

    until(found, seconds=10, every=0.3)
    accessible(page)

    _search(city, page, person="yuan.jianguo", object="documents", outcome="denied", zone="internal")
    page.locator("table a[href^='/entries/']").first.click()
    accessible(page)
    entry = page.inner_text("main")
    # The name is opened by two officers: see test_warrants.
    assert "Yuan Jianguo" not in entry
    for what in ("documents", "Internal network", "Login by password", "role"):
        assert what in entry, (what, entry)
    assert "Proven" in entry

    # What an outsider does with the two downloads: recompute leaf and path by hand.
    program = as_program(city, page.context)
    raw = program.get(page.url + "/entry.json").content
    proof = program.get(page.url + "/entry.tlog-proof").text
    prove(proof, raw)

    # Reading is itself on the record.
    until(lambda: "Officer opened an entry" in _search(city, page, person="wang.qiang"), seconds=10, every=0.3)


def prove(proof: str, raw: bytes) -> None:
    """C2SP tlog-proof: leaf, path and checkpoint must agree (RFC 9162 section 2.1.3.2)."""
    head, _, checkpoint = proof.partition("\n\n")
    lines = head.split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    index = int(next(line for line in lines if line.startswith("index ")).split()[1])
    path = [base64.b64decode(line) for line in lines[lines.index(f"index {index}") + 1 :]]
    size, root = int(checkpoint.split("\n")[1]), base64.b64decode(checkpoint.split("\n")[2])
    node, at, last = hashlib.sha256(b"\0" + raw).digest(), index, size - 1
    for sibling in path:
        assert last > 0
        if at % 2 or at == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while at % 2 == 0:
                at, last = at >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        at, last = at >> 1, last >> 1
    assert (last, node) == (0, root)


def test_a_flipped_byte_is_named(city: City, tmp_path: Path) -> None:
    copy = tmp_path / "log"
    until(lambda: _copied(city, copy))
    key = city.log_key.read_text("utf-8").strip()
    # A full one: of partial ones the checkpoint covers only the newest.
    full = [each for each in (copy / "tile" / "entries").rglob("*") if each.is_file() and each.parent.suffix != ".p"]
    bundle = max(full, key=lambda path: path.stat().st_size)
    content = bytearray(bundle.read_bytes())
    # The second entry of the bundle: behind the first one's two bytes of length and its content, and its own length.
    second = 2 + int.from_bytes(content[:2]) + 2
    content[second + 10] ^= 1
    bundle.write_bytes(content)
    named = city.tallygate("audit", "verify", str(copy), "--key", key, check=False)
    assert named.returncode == 1
    first = 256 * int("".join(part for part in bundle.relative_to(copy).as_posix() if part.isdigit())[:3])
    assert f"BAD: entry {first + 1}:" in named.stderr


def _copied(city: City, copy: Path) -> bool:
    """Whether it was copied as it was at one moment; if the log published meanwhile, the copy may be of two."""
    shutil.rmtree(copy, ignore_errors=True)
    before = invariants.checkpoint(city)
    # A partial tile goes when the whole one is there.
    with contextlib.suppress(shutil.Error, FileNotFoundError):
        shutil.copytree(city.folder / "audit" / "log", copy)
        return invariants.checkpoint(city) == before
    return False


def test_an_outsider_verifies_the_hashes_over_the_wire(city: City) -> None:
    key = city.log_key.read_text("utf-8").strip()
    address = city.url("log", "").rstrip("/")
    seen = city.tallygate(
        "audit", "verify", address, "--key", key, "--ca", str(city.root), "--hashes-only", check=False
    )
    assert seen.returncode == 0, seen.stderr
    bundles = city.http().get(city.url("log", "/tile/entries/000"))
    assert bundles.status_code in {401, 403, 404}


def test_the_operator_makes_a_file_that_proves_itself(city: City, tmp_path: Path) -> None:
    made = tmp_path / "evidence.asice"
    arguments = ("0", "1", "-o", str(made), "--purpose", "A test")
    said = city.tallygate("audit", "evidence", "--site", str(city.configuration), *arguments)
    assert "Check it with verify_evidence.py" in said.stdout
    with zipfile.ZipFile(made) as whole:
        (tmp_path / "verify_evidence.py").write_bytes(whole.read("verify_evidence.py"))
        assert not [name for name in whole.namelist() if "/openings/" in name]
    public = city.log_key.parent
    keys = [word for name in ("log.vkey", "log-mldsa44.vkey") for word in ("--log-key", str(public / name))]
    roots = ("--tsa-roots", str(city.root))
    command = [sys.executable, "-I", str(tmp_path / "verify_evidence.py"), str(made), *keys, *roots]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "entry 0 says" in found.stdout


def test_the_record_is_stamped_by_the_citys_own_unit(city: City, browse: Browse, tmp_path: Path) -> None:
    page = _officer(city, browse)
    page.goto(city.url("audit", "/stamps", "management"))
    until(lambda: page.reload() and page.locator("main a[href$='.tst']").count(), seconds=90, every=0.5)
    first = page.get_attribute("main a[href$='.tst']", "href") or ""
    officer = as_program(city, page.context)
    for name, path in (("token", first), ("text", first.removesuffix(".tst") + ".txt")):
        (tmp_path / name).write_bytes(officer.get(city.url("audit", path, "management")).content)
    command = ["openssl", "ts", "-verify", "-token_in", "-in", "token", "-data", "text", "-CAfile", str(city.root)]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "Verification: OK" in said.stdout, said.stderr
    # The unit's role starts after the process that asks it, which is no outage.
    assert not [each for each in invariants.entries(city) if each["told"]["type"] == "log.stamp.failed"]


def test_nobody_else_opens_the_console(city: City, browse: Browse) -> None:
    page = browse(card=city.folder / "demo" / "li.na.p12").new_page()
    page.goto(city.url("audit", "/", "management"))
    log_in_by_card(page)
    assert heading(page) == "You have no access to this page"
    officer = browse(card=city.folder / "demo" / "wang.qiang.p12").new_page()
    officer.goto(city.url("audit", "/"))
    assert heading(officer) in {"Not from this network", "Log in"}


def test_the_doctor_finds_the_city_well(city: City) -> None:
    said = city.tallygate("doctor", "--site", str(city.configuration), check=False)
    assert said.returncode == 0, said.stdout
    assert "every tile and leaf" in said.stdout
