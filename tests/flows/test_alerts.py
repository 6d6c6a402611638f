# SPDX-License-Identifier: Apache-2.0
"""Somebody guesses a password; within seconds the officer sees it, with proofs that an outsider checks."""

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.flows import invariants
from tests.flows.city import City, until
from tests.flows.people import accessible, as_program, fill_in, log_in_by_card
from tests.flows.test_officer import prove

Browse = Callable[..., BrowserContext]


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


def _guesses(page: Page) -> set[str]:
    """Where the alerts about guessing at one account are; others may have guessed in this city."""
    links = page.get_by_role("link", name="Somebody guesses the password of one account")
    return {str(link.get_attribute("href")) for link in links.all()}


def test_seven_wrong_passwords_are_an_alert_in_seconds(city: City, browse: Browse) -> None:
    officer = browse(card=city.folder / "demo" / "wang.qiang.p12").new_page()
    alerts = city.url("audit", "/alerts", "management")
    officer.goto(alerts)
    log_in_by_card(officer)
    before = _guesses(officer)

    guesser = browse().new_page()
    guesser.goto(city.url("tax", "/me"))
    for number in range(7):
        fill_in(guesser, "cai.fang", f"guess number {number}")
        guesser.wait_for_load_state()
    guessed = time.monotonic()

    def seen() -> bool:
        officer.goto(alerts)
        return bool(_guesses(officer) - before)

    until(seen, seconds=20, every=0.1)
    assert time.monotonic() - guessed < 5
    accessible(officer)
    [alert] = _guesses(officer) - before
    officer.locator(f"a[href='{alert}']").first.click()
    accessible(officer)
    assert "Six or more wrong passwords" in officer.inner_text("main")

    program = as_program(city, officer.context)
    links = officer.locator("a[href$='.tlog-proof']")
    assert links.count() == 6
    for link in links.all():
        path = str(link.get_attribute("href"))
        index = path.rpartition("/")[2].removesuffix(".tlog-proof")
        raw = program.get(city.url("audit", f"/entries/{index}/entry.json", "management")).content
        prove(program.get(city.url("audit", path, "management")).text, raw)

    officer.fill("textarea[name=reason]", "The person was called and had forgotten the password.")
    officer.get_by_role("button", name="Close it").click()
    assert "closed" in officer.inner_text("h1")
    officer.goto(city.url("audit", "/rules", "management"))
    accessible(officer)
