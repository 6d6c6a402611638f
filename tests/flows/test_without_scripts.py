# SPDX-License-Identifier: Apache-2.0
"""Everything a person does works with JavaScript switched off, in English and in Chinese."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import get_args

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.flows import invariants
from tests.flows.city import City, until
from tests.flows.paper import sealed
from tests.flows.people import consent_if_asked, fill_in, heading, log_in_by_card
from tests.flows.words import LOCALES, TAGS, Language, Words

Browse = Callable[..., BrowserContext]
NOBODY_ELSES = {"en": "pan.na", "zh": "guo.jiayi"}
"""Citizens who agreed to nothing yet, one for each language."""


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


@dataclass(frozen=True)
class Reader:
    """Somebody who reads one language and lets no script run."""

    language: Language
    words: Words
    browse: Browse

    def page(self, card: Path | None = None) -> Page:
        """A browser of their own."""
        return self.browse(card=card, java_script_enabled=False, locale=LOCALES[self.language]).new_page()

    def sees(self, page: Page, title: str) -> None:
        """The page that is shown bears this title, in this language."""
        expect(page.get_by_role("heading", level=1)).to_have_text(self.words(title))
        expect(page.locator("html")).to_have_attribute("lang", TAGS[self.language])

    def arrive(self, page: Page, address: str) -> None:
        """Open an address; a site that says it is busy for a moment is asked again."""
        response = page.goto(address)
        for _ in range(10):
            if response is None or response.status != HTTPStatus.SERVICE_UNAVAILABLE:
                break
            page.wait_for_timeout(1000)
            response = page.goto(address)
        assert response is not None
        assert response.ok, page.inner_text("body")

    def press(self, page: Page, button: str) -> None:
        """A button of the page."""
        page.get_by_role("button", name=self.words(button)).first.click()

    def follow(self, page: Page, link: str) -> None:
        """A link of the page."""
        page.get_by_role("link", name=self.words(link)).first.click()


@pytest.fixture(params=get_args(Language))
def reader(request: pytest.FixtureRequest, browse: Browse) -> Reader:
    return Reader(request.param, Words(request.param), browse)


def test_no_script_runs_in_this_browser(reader: Reader) -> None:
    page = reader.page()
    page.set_content("<title>x</title><h1>still</h1><script>document.querySelector('h1').textContent = 'x'</script>")
    assert page.inner_text("h1") == "still"


def test_a_citizen_logs_in_consents_looks_around_and_leaves(city: City, reader: Reader) -> None:
    page, words, who = reader.page(), reader.words, NOBODY_ELSES[reader.language]
    reader.arrive(page, city.url("tax"))
    reader.follow(page, "Log in")
    reader.sees(page, "Log in")
    fill_in(page, who, "wrong", words=words)
    reader.sees(page, "Log in")
    expect(page.get_by_role("alert")).to_be_visible()
    fill_in(page, who, words=words)

    # Saying no is possible, and can be thought over.
    reader.sees(page, "Share your data?")
    reader.press(page, "No")
    expect(page.locator("h1")).to_be_visible()
    assert page.url.startswith(city.url("tax"))
    page.goto(city.url("tax", "/me"))
    reader.sees(page, "Share your data?")
    reader.press(page, "Yes, share this")
    expect(page).to_have_url(city.url("tax", "/me"))

    # The other portal, by its link.
    page.locator(f"main a[href='{city.url('social', '/me')}']").click()
    reader.sees(page, "Share your data?")
    reader.press(page, "Yes, share this")
    expect(page).to_have_url(city.url("social", "/me"))

    reader.follow(page, "My account")
    reader.sees(page, "My account")
    assert page.locator("section[aria-labelledby=consents] li").count() == 2

    # A second browser of the same person is ended from here.
    elsewhere = reader.page()
    elsewhere.goto(city.url("social", "/me"))
    fill_in(elsewhere, who, words=words)
    expect(elsewhere).to_have_url(city.url("social", "/me"))
    page.goto(city.url("sso", "/account"))
    cards = page.locator("section[aria-labelledby=sessions] li")
    expect(cards).to_have_count(2)
    other = cards.filter(has_not=page.locator(".tag.good"))
    other.get_by_role("button").click()
    reader.sees(page, "My account")
    expect(page.locator("section[aria-labelledby=sessions] li")).to_have_count(1)
    until(partial(_must_log_in, elsewhere, city.url("social", "/me"), words), seconds=5)

    # And what is shared is taken back.
    withdrawn = page.locator("section[aria-labelledby=consents] li").first
    withdrawn.get_by_role("button").click()
    expect(page.locator("section[aria-labelledby=consents] li")).to_have_count(1)

    page.goto(city.url("tax", "/me"))
    consent_if_asked(page, words=words)
    reader.follow(page, "Log out")
    reader.sees(page, "Do you want to log out?")
    reader.press(page, "Log out")
    for portal in ("tax", "social"):
        until(partial(_must_log_in, page, city.url(portal, "/me"), words), seconds=5)


def _must_log_in(page: Page, address: str, words: Words) -> bool:
    page.goto(address)
    return bool(words("Log in").match(heading(page)))


def test_the_language_changes_by_its_link_and_stays(city: City, reader: Reader) -> None:
    page = reader.page()
    page.goto(city.url("tax"))
    page.locator("nav.tools a[hreflang]").click()
    other: Language = "zh" if reader.language == "en" else "en"
    expect(page.locator("html")).to_have_attribute("lang", TAGS[other])
    page.goto(city.url("tax"))
    expect(page.locator("html")).to_have_attribute("lang", TAGS[other])


def test_a_civil_servant_opens_the_office_by_card_and_fetches_a_document(city: City, reader: Reader) -> None:
    page = reader.page(city.folder / "demo" / "li.na.p12")
    address = city.url("documents", "/me", "internal")
    page.goto(address)
    log_in_by_card(page, words=reader.words)
    consent_if_asked(page, words=reader.words)
    expect(page).to_have_url(address)
    with page.expect_download() as download:
        page.locator("table a[href$='.pdf']").first.click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")

    page.goto(city.url("documents", "/me"))
    reader.sees(page, "Not from this network")


def test_an_officer_searches_the_record_and_opens_an_entry(city: City, reader: Reader) -> None:
    page = reader.page(city.folder / "demo" / "wang.qiang.p12")
    page.goto(city.url("audit", "/", "management"))
    log_in_by_card(page, words=reader.words)
    reader.sees(page, "The last 24 hours")
    reader.follow(page, "Search")
    # What narrows a search is folded, so that hits come first.
    page.locator("main details:has(#outcome) > summary").click()
    page.locator("#outcome").select_option("success")
    page.locator("#type").select_option("gateway.decision")
    reader.press(page, "Search")
    reader.sees(page, "Search the record")
    expect(page).to_have_url(re.compile("type=gateway.decision"))
    rows = page.locator("table tbody tr")
    assert rows.count() > 1
    rows.first.get_by_role("link").first.click()
    expect(page.locator(".notice.good")).to_be_visible()
    page.locator("summary").first.click()
    expect(page.locator("details pre").first).to_be_visible()


def test_anybody_verifies_a_document(city: City, reader: Reader, tmp_path: Path) -> None:
    page = reader.page()
    page.goto(city.url("verify"))
    reader.sees(page, "Verify a document")
    page.locator("#document").set_input_files(str(sealed(city, tmp_path)))
    reader.press(page, "Verify")
    expect(page.locator("html")).to_have_attribute("lang", TAGS[reader.language])
    expect(page.locator(".notice.good")).to_have_count(1)
    page.goto(city.url("verify"))
    page.locator("#document").set_input_files(str(city.root))
    reader.press(page, "Verify")
    expect(page.locator(".notice.good")).to_have_count(0)
    expect(page.locator("h1")).to_be_visible()


def test_an_officer_suspends_and_releases_a_card(city: City, reader: Reader) -> None:
    page = reader.page(city.folder / "demo" / "sun.li.p12")
    page.goto(city.url("ca", "/?q=qian.jun", "management"))
    log_in_by_card(page, words=reader.words)
    page.locator("table a[href*='/certificates/']").first.click()
    reader.press(page, "Suspend this certificate")
    reader.press(page, "Release this certificate")
    expect(page.get_by_role("button", name=reader.words("Suspend this certificate"))).to_be_visible()


def test_an_administrator_disables_and_enables_a_person(city: City, reader: Reader) -> None:
    page = reader.page(city.folder / "demo" / "zhao.lei.p12")
    page.goto(city.url("directory", "/?q=xu.haiyan", "management"))
    log_in_by_card(page, words=reader.words)
    page.locator("table tbody a").first.click()
    for button in ("Disable this person", "Enable this person"):
        page.locator("#reason").fill("?")
        reader.press(page, button)
        expect(page.get_by_role("status")).to_be_visible()
