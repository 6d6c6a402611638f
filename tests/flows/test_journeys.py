# SPDX-License-Identifier: Apache-2.0
"""The journeys of citizens, civil servants and those who look after them, in real browsers."""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.flows import invariants
from tests.flows.at_work import WITHIN
from tests.flows.city import City, until
from tests.flows.people import (
    access_token,
    accessible,
    as_program,
    bearer,
    consent,
    consent_if_asked,
    fill_in,
    heading,
    log_in,
    log_in_by_card,
)

Browse = Callable[..., BrowserContext]


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


def test_a_citizen_logs_in_once_and_out_once(city: City, browse: Browse) -> None:
    context = browse()
    page = context.new_page()
    page.goto(city.url("tax"))
    accessible(page)
    page.get_by_role("link", name="Log in").first.click()
    log_in(page, "chen.wei")
    consent(page)
    expect(page).to_have_url(city.url("tax", "/me"))
    assert "Chen Wei" in page.inner_text("body")
    accessible(page)

    # The second portal asks for consent, not for a login.
    page.goto(city.url("social", "/me"))
    consent(page)
    expect(page).to_have_url(city.url("social", "/me"))
    accessible(page)

    page.goto(city.url("sso", "/account"))
    accessible(page)
    account = page.inner_text("main")
    assert "Tax portal" in account
    assert "Social insurance" in account

    page.goto(city.url("tax", "/me"))
    page.get_by_role("link", name="Log out").or_(page.get_by_role("button", name="Log out")).first.click()
    accessible(page)
    page.get_by_role("button", name="Log out").first.click()
    for portal in ("tax", "social"):
        until(partial(_asks_for_login, page, city.url(portal, "/me")), seconds=WITHIN)


def test_a_passkey_takes_the_place_of_user_name_and_password(city: City, browse: Browse) -> None:
    context = browse()
    page = context.new_page()
    page.goto(city.url("sso", "/account/factors"))
    log_in(page, "song.xiuying")
    page.goto(city.url("sso", "/account/factors"))
    devices = context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    device = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options = {**device, "isUserVerified": True, "automaticPresenceSimulation": True}
    made = devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    page.get_by_label("What you call it").fill("my telephone")
    page.get_by_role("button", name="Set up a passkey").click()
    expect(page.get_by_role("heading", name="my telephone")).to_be_visible()
    accessible(page)
    keys = devices.send("WebAuthn.getCredentials", {"authenticatorId": made["authenticatorId"]})["credentials"]
    assert [(key["isResidentCredential"], key["rpId"]) for key in keys] == [(True, urlsplit(city.url("sso")).hostname)]

    page.goto(city.url("sso", "/logout"))
    page.get_by_role("button", name="Log out").first.click()
    page.goto(city.url("tax", "/me"))
    expect(page.get_by_role("button", name="Log in with a passkey")).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="Log in with a passkey").click()
    # The page's script speaks with the device first: the click itself leads nowhere.
    expect(page.get_by_role("button", name="Log in with a passkey")).to_have_count(0)
    consent_if_asked(page)
    expect(page).to_have_url(city.url("tax", "/me"))
    page.goto(city.url("sso", "/account"))
    assert "passkey" in page.inner_text("#sessions + ul")


def _asks_for_login(page: Page, address: str) -> bool:
    page.goto(address)
    return heading(page) == "Log in"


def _card_login(page: Page, address: str) -> None:
    page.goto(address)
    log_in_by_card(page)


def _arrives_by_card(page: Page, address: str) -> bool:
    page.goto(address)
    if heading(page) == "Log in":
        log_in_by_card(page)
    return page.url == address


def test_the_document_office_opens_by_card_from_inside_only(city: City, browse: Browse) -> None:
    office = browse(card=city.folder / "demo" / "li.na.p12")
    page = office.new_page()
    _card_login(page, city.url("documents", "/me", "internal"))
    consent_if_asked(page)
    expect(page).to_have_url(city.url("documents", "/me", "internal"))
    accessible(page)

    # The same person, the same login, the other network.
    page.goto(city.url("documents", "/me"))
    assert heading(page) == "Not from this network"
    accessible(page)

    citizen = browse().new_page()
    citizen.goto(city.url("documents", "/me", "internal"))
    log_in(citizen, "zhang.min")
    assert heading(citizen) in {"You have no access to this page", "Please log in more surely"}
    assert "What you can do" in citizen.inner_text("main")
    accessible(citizen)


def _until_refused(ask: Callable[[], int], since: float) -> float:
    """Seconds from ``since`` until the answer is no."""
    while ask() == 200:
        assert time.monotonic() - since < 10, "still let in"
    return time.monotonic() - since


def test_a_socket_of_a_page_ends_with_its_session(city: City, browse: Browse) -> None:
    context = browse()
    page = context.new_page()
    page.goto(city.url("tax", "/me"))
    log_in(page, "chen.wei")
    consent_if_asked(page)
    with page.expect_websocket() as opened, page.expect_response("**/queue"):
        page.goto(city.url("tax", "/queue"))
    socket = opened.value
    with socket.expect_event("framereceived") as frame:
        pass
    assert json.loads(frame.value)["serving"] >= 0
    expect(page.locator("#ended")).to_be_hidden()
    accessible(page)

    other = context.new_page()
    other.goto(city.url("tax", "/.tallygate/logout"))
    since = time.monotonic()
    if not socket.is_closed():
        with socket.expect_event("close"):
            other.get_by_role("button", name="Log out").first.click()
            since = time.monotonic()
    assert time.monotonic() - since < WITHIN
    expect(page.locator("#ended")).to_be_visible()
    # Its end is on the record before anybody compares the record with what nginx wrote.
    page.close()
    context.close()


def test_a_suspension_bites_within_a_second_and_ends_with_its_release(city: City, browse: Browse) -> None:
    office = browse(card=city.folder / "demo" / "li.na.p12")
    page = office.new_page()
    address = city.url("documents", "/me", "internal")
    _card_login(page, address)
    consent_if_asked(page)
    program = as_program(city, office)
    assert program.get(address).status_code == 200

    desk = browse(card=city.folder / "demo" / "sun.li.p12").new_page()
    _card_login(desk, city.url("ca", "/?q=li.na", "management"))
    accessible(desk)
    desk.locator("table a[href*='/certificates/']").first.click()
    accessible(desk)
    desk.get_by_role("button", name="Suspend").click()
    since = time.monotonic()
    took = _until_refused(lambda: program.get(address, allow_redirects=False).status_code, since)
    assert took < WITHIN
    page.goto(address)
    log_in_by_card(page)
    assert "suspended" in page.inner_text("main")

    desk.get_by_role("button", name="Release").click()
    expect(desk.get_by_role("button", name="Suspend")).to_be_visible()
    # What is given back is heard a moment later.
    until(partial(_arrives_by_card, page, address), seconds=20)


def test_who_is_let_go_is_out_within_a_second(city: City, browse: Browse) -> None:
    leaver = browse()
    page = leaver.new_page()
    page.goto(city.url("tax", "/me"))
    fill_in(page, "zeng.fang")
    consent_if_asked(page)
    program = as_program(city, leaver)
    tokens = access_token(city, leaver, "tax")
    address = city.url("tax", "/me")
    assert program.get(address).status_code == bearer(city, tokens["access_token"]).status_code == 200

    desk = browse(card=city.folder / "demo" / "zhao.lei.p12").new_page()
    _card_login(desk, city.url("directory", "/?q=zeng.fang", "management"))
    desk.get_by_role("link", name="Zeng Fang").first.click()
    desk.get_by_role("link", name="Move, leave of absence, let go").click()
    accessible(desk)
    form = desk.locator("form").filter(has=desk.get_by_role("button", name="Let go"))
    form.get_by_role("button", name="What would it change?").click()
    expect(desk.get_by_text("What would end:")).to_be_visible()
    form.get_by_label("Reason").fill("Moved abroad")
    form.get_by_role("button", name="Let go").click()
    since = time.monotonic()
    assert _until_refused(lambda: program.get(address, allow_redirects=False).status_code, since) < WITHIN
    # Each worker of the gateway hears of it for itself.
    until(lambda: bearer(city, tokens["access_token"]).status_code == 401, seconds=WITHIN)
    expect(desk.get_by_text("Gone. Everything ends within a second.")).to_be_visible()


def test_disabling_a_person_ends_portal_session_and_token_within_a_second(city: City, browse: Browse) -> None:
    citizen = browse()
    page = citizen.new_page()
    page.goto(city.url("tax", "/me"))
    log_in(page, "zhang.min")
    consent_if_asked(page)
    program = as_program(city, citizen)
    tokens = access_token(city, citizen, "tax")
    assert bearer(city, tokens["access_token"]).status_code == 200
    address = city.url("tax", "/me")
    assert program.get(address).status_code == 200

    desk = browse(card=city.folder / "demo" / "zhao.lei.p12").new_page()
    _card_login(desk, city.url("directory", "/?q=zhang.min", "management"))
    accessible(desk)
    desk.get_by_role("link", name="Zhang Min").first.click()
    accessible(desk)
    desk.get_by_label("Reason").first.fill("Reported stolen papers")
    desk.get_by_role("button", name="Disable").click()
    since = time.monotonic()
    assert _until_refused(lambda: program.get(address, allow_redirects=False).status_code, since) < WITHIN
    # Each worker of the gateway hears of it for itself.
    until(lambda: bearer(city, tokens["access_token"]).status_code == 401, seconds=WITHIN)
    until(partial(_asks_for_login, page, city.url("sso", "/account")), seconds=WITHIN)
    log_in(page, "zhang.min")
    assert heading(page) == "Log in"

    desk.get_by_label("Reason").first.fill("Papers found again")
    desk.get_by_role("button", name="Enable").click()
    expect(desk.get_by_role("button", name="Disable")).to_be_visible()
    page.goto(address)
    log_in(page, "zhang.min")
    expect(page).to_have_url(address)
