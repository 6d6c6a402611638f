# SPDX-License-Identifier: Apache-2.0
"""A citizen makes a key in the browser, an officer approves, and the file that comes of it logs the citizen in."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.flows import invariants
from tests.flows.city import City
from tests.flows.people import accessible, heading, log_in, log_in_by_card

Browse = Callable[..., BrowserContext]
SECRET = "a key of my own 密钥"


@pytest.fixture(autouse=True)
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


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

    citizen.reload()
    accessible(citizen)
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


def _readable(card: Path) -> None:
    """OpenSSL reads it, with these very algorithms; what imports it for a browser is pk12util."""
    said = subprocess.run(
        ["openssl", "pkcs12", "-in", str(card), "-info", "-nokeys", "-passin", f"pass:{SECRET}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stderr.count("PBES2, PBKDF2, AES-256-CBC, Iteration 210000, PRF hmacWithSHA256") == 2, said.stderr
    assert "MAC: sha256" in said.stderr
    assert said.stdout.count("BEGIN CERTIFICATE") == 2
