# SPDX-License-Identifier: Apache-2.0
"""A citizen makes a key in the browser, an officer approves, and the file that comes of it logs the citizen in."""

import base64
import csv
import io
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from playwright.sync_api import BrowserContext, Page, expect

from app.sample.city import build
from tests.flows import invariants
from tests.flows.city import City, until
from tests.flows.people import accessible, heading, log_in, log_in_by_card

Browse = Callable[..., BrowserContext]
SECRET = "a key of my own 密钥"


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


def _watched(city: City, officer: Page) -> None:
    """What was issued stands in the inventory, is counted and was rightly issued; everybody can read the pages."""
    officer.goto(city.url("ca", "/inventory?holder=zhang.min", "management"))
    accessible(officer)
    officer.get_by_role("link", name="张敏").first.click()
    expect(officer.get_by_role("heading", level=1)).to_have_text("张敏")
    accessible(officer)
    officer.goto(city.url("ca", "/overview", "management"))
    expect(officer.get_by_role("img", name="Issued each day").first).to_be_attached()
    accessible(officer)
    assert city.tallygate("ca", "--site", str(city.configuration), "check").stdout.endswith("nothing is wrong\n")


@pytest.mark.timeout(300)
def test_a_citizens_own_key_is_certified_and_logs_in(city: City, browse: Browse, tmp_path: Path) -> None:
    citizen = browse().new_page()
    citizen.goto(city.url("sso", "/account"))
    log_in(citizen, "zhang.min")
    citizen.get_by_role("link", name="Your certificates").click()
    expect(citizen.get_by_role("heading", level=1)).to_have_text("My certificates")
    accessible(citizen)
    citizen.get_by_role("link", name="Ask for a certificate").click()
    accessible(citizen)
    sent: list[str] = []
    citizen.on("request", lambda request: sent.append(request.post_data or ""))
    citizen.get_by_label("Password for your key").fill(SECRET)
    citizen.get_by_label("Once more").fill(SECRET)
    citizen.get_by_role("button", name="Make the key and ask").click()
    expect(citizen.get_by_text("Withdraw this request")).to_be_visible()
    copy = _copied(citizen, tmp_path)
    # The request was sent and nothing else: no private key, no password.
    assert any("BEGIN CERTIFICATE REQUEST" in each for each in sent)
    assert not any("PRIVATE KEY" in each or SECRET in each for each in sent)
    accessible(citizen)

    officer = browse(card=city.folder / "demo" / "sun.li.p12").new_page()
    officer.goto(city.url("ca", "/requests", "management"))
    log_in_by_card(officer)
    officer.get_by_role("link", name="张敏").click()
    accessible(officer)
    assert "张敏" in officer.locator("dl.facts").nth(1).inner_text()
    officer.get_by_role("button", name="Approve this certificate").click()
    expect(officer.get_by_role("heading", level=1)).to_contain_text("Issued")
    _watched(city, officer)

    _without_its_data(citizen, copy)
    citizen.get_by_label("Password for your key").fill("not my password")
    citizen.get_by_role("button", name="Save certificate and key").click()
    expect(citizen.get_by_role("status")).to_contain_text("does not open the key")
    citizen.get_by_label("Password for your key").fill(SECRET)
    with citizen.expect_download() as download:
        citizen.get_by_role("button", name="Save certificate and key").click()
    card = tmp_path / "card.p12"
    download.value.save_as(card)
    card.with_suffix(".password").write_text(SECRET, "utf-8")

    _readable(card)

    holder = browse(card=card).new_page()
    holder.goto(city.url("sso", "/account"))
    log_in_by_card(holder)
    holder.wait_for_load_state()
    assert heading(holder) == "My account"
    assert "Zhang Min" in holder.inner_text("main")

    # What is one's own one ends oneself.
    citizen.get_by_role("link", name="Suspend or revoke it").click()
    accessible(citizen)
    citizen.get_by_label("Reason").select_option("superseded")
    citizen.get_by_role("button", name="Revoke for good").click()
    expect(citizen.get_by_role("heading", level=1)).to_contain_text("Revoked")


def _without_its_data(citizen: Page, copy: Path) -> None:
    """The browser's storage is gone: the copy is all there is."""
    citizen.evaluate("localStorage.clear()")
    citizen.reload()
    accessible(citizen)
    citizen.get_by_label("Copy of the key").set_input_files(copy)


def _copied(citizen: Page, folder: Path) -> Path:
    """Save a copy of the key, which is as encrypted as it lies in the browser; any program opens it by the password."""
    with citizen.expect_download() as saved:
        citizen.get_by_role("button", name="Save a copy of the key").click()
    copy = folder / "key.pem"
    saved.value.save_as(copy)
    assert isinstance(load_pem_private_key(copy.read_bytes(), password=SECRET.encode()), ec.EllipticCurvePrivateKey)
    return copy


def _readable(card: Path) -> None:
    """OpenSSL reads it, with these very algorithms; what imports it for a browser is pk12util."""
    said = subprocess.run(
        ["openssl", "pkcs12", "-in", str(card), "-info", "-nokeys", "-passin", f"pass:{SECRET}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stderr.count("PBES2, PBKDF2, AES-256-CBC, Iteration 210000, PRF hmacWithSHA256") == 2, said.stderr
    assert "MAC: sha256" in said.stderr
    assert said.stdout.count("BEGIN CERTIFICATE") == 2


@pytest.mark.timeout(300)
def test_two_officers_agree_to_an_organisations_seal_and_to_a_table_of_devices(
    city: City, browse: Browse, tmp_path: Path
) -> None:
    """What the sample city has two officers for; and a table that becomes certificates with a report."""
    first = browse(card=city.folder / "demo" / "sun.li.p12").new_page()
    first.goto(city.url("ca", "/issue", "management"))
    log_in_by_card(first)
    first.get_by_label("Kind").select_option("organisation-seal")
    first.get_by_label("Holder").fill("tax-bureau")
    first.get_by_label("Proof of identity").select_option("documents")
    first.get_by_label("Where it is on file").fill("file 12")
    first.get_by_label("Certificate request").fill(_csr())
    first.get_by_role("button", name="Issue").click()
    expect(first.get_by_role("heading", level=1)).to_contain_text("One officer has agreed")
    accessible(first)
    first.get_by_role("button", name="Approve this certificate").click()
    expect(first.get_by_role("alert")).to_contain_text("another officer")
    second = browse(card=city.folder / "demo" / "he.ping.p12").new_page()
    second.goto(first.url.partition("/approve")[0])
    log_in_by_card(second)
    second.get_by_role("button", name="Approve this certificate").click()
    expect(second.get_by_role("heading", level=1)).to_contain_text("Issued")

    devices = [each.id for _, each in build().batch.devices[3:7]]
    lines = [f"{each},{_csr(pem=False)}" for each in devices] + ["=1+2,nonsense"]
    table = tmp_path / "meters.csv"
    table.write_text("\n".join(["device,csr", *lines]), "utf-8")
    second.get_by_role("link", name="Many devices").click()
    accessible(second)
    second.get_by_label("Table").set_input_files(table)
    second.get_by_label("Where it is on file").fill("file 13")
    second.get_by_role("button", name="Look through").click()
    accessible(second)
    second.get_by_role("button", name="Approve these certificates").click()
    page = second.url
    until(lambda: second.goto(page) and "Done" in second.inner_text("h1"), seconds=120, every=1)
    accessible(second)
    with second.expect_download() as told:
        second.get_by_role("link", name="Report (CSV)").click()
    report = tmp_path / "report.csv"
    told.value.save_as(report)
    rows = list(csv.DictReader(io.StringIO(report.read_text("utf-8-sig"))))
    assert [each["result"] for each in rows] == ["issued"] * 4 + ["refused"]
    assert rows[-1]["device"] == "'=1+2"


def _csr(*, pem: bool = True) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    if pem:
        return made.public_bytes(Encoding.PEM).decode()
    return base64.b64encode(made.public_bytes(Encoding.DER)).decode()
