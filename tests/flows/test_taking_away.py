# SPDX-License-Identifier: Apache-2.0
"""What is taken away ends everywhere: measured at the portal's session, the access token and the refresh token.

Each journey is of people whom no other flow knows; the figures are printed.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from statistics import median
from typing import Any, get_args

import pytest
import requests
from cryptography.x509 import ReasonFlags
from cryptography.x509.ocsp import OCSPCertStatus
from playwright.sync_api import BrowserContext

from tests.flows import invariants
from tests.flows.at_work import TOOK, Switchboard, agreed, at_work, authorized, citizen, over, switchboard
from tests.flows.cards import Card, answered, certified, on_list
from tests.flows.city import PASSWORD, City, until
from tests.flows.knocking import hidden, person, post
from tests.flows.looking import Eyes
from tests.flows.machine import processes
from tests.flows.people import consent_if_asked, fill_in, subject_of
from tests.flows.words import Language

GIVER, HOLDER, READER, CHANGER = "zhu.yiming", "ma.tao2", "deng.junjie", "lin.ming"
WORKER, CONTRACTOR = "pan.yutong", "zheng.lixin"

Browse = Callable[..., BrowserContext]


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


@pytest.fixture(autouse=True, scope="module")
def _most_are_over_within_the_promised_second() -> Iterator[None]:
    TOOK.clear()
    yield
    assert not TOOK or median(TOOK) < 1, TOOK


def test_a_mandate_is_given_used_and_over_everywhere_when_it_is_withdrawn(city: City, browse: Browse) -> None:
    context = browse()
    page = context.new_page()
    page.goto(city.url("tax", "/me"))
    fill_in(page, HOLDER)
    consent_if_asked(page)
    page.wait_for_url(city.url("tax", "/me"))
    assert "For yourself" in page.inner_text("main")
    page.goto(city.url("sso", "/account/mandates"))
    username, code = page.locator("section[aria-labelledby=held] code").all_inner_texts()

    giver = person(city, GIVER, city.url("sso", "/account/mandates"))
    shown = giver.get(city.url("sso", "/account/mandates"))
    latest = re.search(r'type="date" name="until" required max="([0-9-]+)"', shown.text)
    assert latest, shown.text
    whom = {"username": username, "code": code, "organisation": "", "reason": ""}
    confirming = post(giver, shown, "/account/mandates/give", **whom, service="tax", until=latest[1])
    assert "Do you want to let them act?" in confirming.text
    given = giver.post(
        city.url("sso", "/account/mandates/give"),
        data={**hidden(confirming.text, "/account/mandates/give"), "choice": "yes"},
        headers={"Referer": confirming.url},
    )
    assert "Withdraw" in given.text

    # The portal leads to the choice; that page is looked at in both languages, wide and narrow.
    page.goto(city.url("tax", "/me"))
    page.get_by_role("link", name="Change for whom you act").click()
    page.wait_for_url("**/acting?**")
    for language in get_args(Language):
        page.goto(f"{page.url.partition('&lang')[0]}&lang={language}")
        eyes = Eyes("holder", language)
        eyes.look(page)
        assert not eyes.wrong, eyes.wrong
    page.goto(f"{page.url.partition('&lang')[0]}&lang=en")
    key = page.locator("button[name=acting][value^='person:']").get_attribute("value")
    page.locator(f"button[name=acting][value='{key}']").click()
    consent_if_asked(page)
    page.wait_for_url(city.url("tax", "/me"))
    assert "You act for" in page.inner_text("main")
    eyes = Eyes("holder", "en")
    eyes.look(page)
    assert not eyes.wrong, eyes.wrong

    browser = city.http()
    browser.headers["Accept"] = "text/html"
    for cookie in context.cookies():
        browser.cookies.set(
            str(cookie["name"]), str(cookie["value"]), domain=str(cookie["domain"]), path=str(cookie["path"])
        )
    assert key
    work = at_work(city, browser, acting=key)
    withdrawing = giver.get(city.url("sso", "/account/mandates"))
    ended = post(giver, withdrawing, "/account/mandates/end")
    since = time.monotonic()
    assert ended.ok
    work.measure("mandate withdrawn", since)
    # Nobody is made themselves by it: the way back is a login, for oneself.
    page.goto(city.url("tax", "/me"))
    page.wait_for_url(city.url("tax", "/me"))
    assert "You act for" not in page.inner_text("main")


def test_a_consent_withdrawn_ends_the_tokens_and_leaves_the_session(city: City) -> None:
    browser = citizen(city, READER)
    work = at_work(city, browser)
    account = browser.get(city.url("sso", "/account"))
    post(browser, account, "/account/consents/withdraw")
    work.measure("consent withdrawn", time.monotonic(), session=False)


def test_a_new_password_ends_every_login_before_it(city: City) -> None:
    work = at_work(city, citizen(city, CHANGER))
    other = person(city, CHANGER, city.url("sso", "/account/profile"))
    shown = other.get(city.url("sso", "/account/profile"))
    fresh = f"tally-{secrets.token_urlsafe(12)}"
    changed = post(other, shown, "/account/password", current=PASSWORD, password=fresh, again=fresh)
    since = time.monotonic()
    assert changed.url.endswith("/logged-out"), changed.text
    work.measure("password changed", since)


@pytest.fixture(scope="module")
def board(city: City) -> Switchboard:
    return switchboard(city)


def _asked_for(city: City, asks: requests.Session, desk: str) -> str:
    """What an agency's administrator asked for; where it is approved."""
    last = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    form = {"username": CONTRACTOR, "role": "contractor-documents", "until": last, "reason": "contract 7"}
    asked = post(asks, asks.get(desk), "/contractors", **form)
    found = re.search(r"/contractors/([0-9a-f-]{36})/refuse", asked.text)
    assert "done=asked" in asked.url
    assert found, asked.text
    # Nobody approves what they asked for themselves, whatever they send.
    path = f"/contractors/{found[1]}/approve"
    assert path not in asked.text
    form = {"csrf_token": hidden(asked.text, "/contractors")["csrf_token"]}
    alone = asks.post(city.url("directory", path, "management"), data=form, headers={"Referer": asked.url}, timeout=60)
    assert alone.status_code == HTTPStatus.FORBIDDEN
    return path


@pytest.mark.timeout(300)
def test_a_contractor_is_let_in_by_two_to_one_portal_and_is_out_of_it_with_the_contract(
    city: City, board: Switchboard, tmp_path: Path
) -> None:
    desk, page = city.url("directory", "/contractors", "management"), city.url("documents", "/me", "internal")
    asks, boss = (person(city, name, desk) for name in ("zhou.fang", "zhao.lei"))
    before, card = citizen(city, CONTRACTOR), certified(city, CONTRACTOR, tmp_path, profile="citizen")

    def taxes() -> bool:
        return before.get(city.url("tax", "/me"), allow_redirects=False, timeout=30).status_code == HTTPStatus.OK

    assert _good(city, card)
    worker = person(city, CONTRACTOR, city.url("tax", "/me"), card=card.pem)
    assert "code" in authorized(city, worker, "tax")
    path = _asked_for(city, asks, desk)
    assert worker.get(page, timeout=30).status_code == HTTPStatus.FORBIDDEN
    assert taxes()
    approved = post(boss, boss.get(desk), path)
    since = time.monotonic()
    assert "done=approved" in approved.url
    # Bound to the one portal, the account opens no other any more: not those that every citizen has either.
    over("contract begun: another portal", since, lambda: any(taxes() for _ in range(8)))
    shown = agreed(worker.get(page, timeout=30), worker)
    assert (shown.status_code, shown.url) == (HTTPStatus.OK, page), shown.text
    for label in ("tax", "social", "certificates"):
        assert worker.get(city.url(label, "/me"), timeout=30).status_code == HTTPStatus.FORBIDDEN, label
    assert "code" not in authorized(city, worker, "tax")
    work = at_work(city, worker, client="documents", listener="internal")

    # The portal is locked, and opened again.
    since = board.throw("shut", "portal=documents")
    over("portal=documents for its contractor", since, lambda: any(work.portal() for _ in range(8)))
    assert "Shut in an emergency" in worker.get(page, timeout=30).text
    board.throw("reopen", "portal=documents")
    until(work.holds, seconds=20)

    # The contract ends before its last day, by one administrator's word: out everywhere.
    subject = re.search(r"/contractors/people/([0-9a-f-]{36})/end", asks.get(desk).text)
    assert subject
    shown = asks.get(desk)
    ended = post(asks, shown, f"/contractors/people/{subject[1]}/end", reason="The work is done")
    since = time.monotonic()
    assert "done=ended" in ended.url, ended.text
    work.measure("contract ended", since)
    over("contract ended: the card", since, lambda: _good(city, card))
    # While another process makes the next list, the one before is given out.
    over("contract ended: the list", since, lambda: not _held(city, card))
    over("contract ended: the sign-on", since, lambda: "Log in" not in worker.get(city.url("sso", "/account")).text)
    again = city.http()
    again.headers["Accept"], again.cert = "text/html", str(card.pem)
    assert post(again, again.get(page), "/login/card").url != page

    def told() -> list[dict[str, Any]]:
        return [each["told"] for each in invariants.entries(city) if each["told"].get("subject") == subject[1]]

    # The outcome is published a moment after the answer.
    until(lambda: any(each["type"] == "directory.role.withdrawn" for each in told()))
    (given,) = {(each["actor"], each["attributes"]["first"]) for each in told() if "role.granted" in each["type"]}
    assert given == (subject_of(city, "zhao.lei"), subject_of(city, "zhou.fang"))
    kinds = [each["type"] for each in told()]
    assert "directory.contract.asked" in kinds
    assert kinds.index("directory.person.disabled") < kinds.index("directory.role.withdrawn")

    # Let in again, as a citizen, with the card: also where the authority dies over the news.
    city.kill("ca")
    file = city.url("directory", f"/people/{subject[1]}", "management")
    assert post(boss, boss.get(file), f"/people/{subject[1]}/enable", reason="A citizen again").ok
    until(lambda: _good(city, card), seconds=60)
    until(lambda: not on_list(city, card))


def _held(city: City, card: Card) -> bool:
    answer = answered(city, card)
    held = answer is not None and answer.revocation_reason is ReasonFlags.certificate_hold
    return held and on_list(city, card)


def _good(city: City, card: Card) -> bool:
    answer = answered(city, card)
    return answer is not None and answer.certificate_status is OCSPCertStatus.GOOD


def _reached(city: City, label: str, path: str, listener: str = "external", **headers: str) -> bool:
    """Whether a host that identifies its callers itself answers; the gateway's own refusals are no answer of it."""
    found = city.http().get(city.url(label, path, listener), headers=headers, timeout=30)
    assert found.status_code in (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE), found.text
    return found.status_code == HTTPStatus.OK


def test_a_way_between_networks_is_closed_to_hosts_without_login_too(city: City, board: Switchboard) -> None:
    hosts = (("verify", "/"), ("acme", "/acme/directory"), ("est", "/.well-known/est/cacerts"))
    assert all(_reached(city, *host) for host in hosts)
    since = board.throw("shut", "zones=external:external")
    for host in hosts:
        over(f"zones=external:external at {host[0]}", since, lambda: _reached(city, *host))  # noqa: B023 - used at once
    # No word of a visitor's about where they come from counts.
    forged = {"X-Forwarded-For": "10.0.0.1", "X-Client-Address": "10.0.0.1", "Tallygate-Listener": "management"}
    for host in hosts:
        assert not _reached(city, *host, **forged)
        assert city.http().post(city.url(*host), headers=forged, timeout=30).status_code == 503
    assert not _reached(city, "tax", "/")
    # From another network, and where it is taken back, everything is as before; public facts stay public.
    assert _reached(city, "verify", "/", "management")
    assert _reached(city, "sso", "/.well-known/openid-configuration")
    assert _reached(city, "log", "/checkpoint")
    since = board.throw("reopen", "zones=external:external")
    for host in (*hosts, ("tax", "/")):
        over(f"zones=external:external closed at {host[0]}", since, lambda: not _reached(city, *host))  # noqa: B023
    told = [each["told"] for each in invariants.entries(city) if each["told"]["type"] == "gateway.decision"]
    refused = [each for each in told if each.get("object") == "verify" and each["attributes"]["reason"] == "shut"]
    assert refused
    assert {each["zone"] for each in refused[-2:]} == {"external"}


def _replaced(city: City, *roles: str) -> None:
    """Kill them, and wait for those that come in their place: for a moment workers of the dead still answer."""
    before = processes(city)
    for role in roles:
        city.kill(role)
    until(lambda: all(processes(city).get(role) not in {None, before[role]} for role in roles), seconds=200)


def test_emergency_switches_bite_everywhere_outlast_a_kill_and_are_opened_by_two(
    city: City, board: Switchboard
) -> None:
    work = at_work(city, citizen(city, WORKER))

    def verifies() -> bool:
        return city.http().post(city.url("verify", "/"), data={"x": "1"}).status_code != 503

    nothing = post(board.asker, board.asker.get(board.url("/switches"), timeout=60), "/switches",
                   name="portal=taxx", lasts="", purpose="A slip of the pen")  # fmt: skip
    assert nothing.status_code == 404
    assert "portal=taxx" in nothing.text

    # A portal: its page and its tokens end; a visitor is told in words; nothing else ends.
    since = board.throw("shut", "portal=tax")
    over("portal=tax at the gateway", since, work.portal)
    # Each worker of the gateway hears of it for itself.
    over("portal=tax: access token", since, work.token)
    assert work.refreshes()
    over("portal=tax at every worker", since, lambda: any(work.portal() for _ in range(8)))
    denied = work.browser.get(city.url("tax", "/me"), timeout=30)
    assert denied.status_code == 503
    assert "Shut in an emergency" in denied.text
    assert city.tallygate("switches", "--site", str(city.configuration)).stdout.startswith("portal=tax: since ")
    # It outlasts the sudden death of whoever holds it.
    _replaced(city, "gateway", "audit")
    until(board.answers, seconds=200)
    assert not work.portal()
    assert "An exercise" in board.second.get(board.url("/switches"), timeout=60).text
    board.throw("reopen", "portal=tax")
    until(work.portal, seconds=20)

    # A client: the sign-on gives it nothing, and the gateway takes none of its tokens.
    since = board.throw("shut", "client=tax")
    over("client=tax at the gateway", since, work.token)
    over("client=tax at the sign-on", since, work.refreshes)
    _replaced(city, "sso")
    until(city.ready, seconds=240)
    assert not work.refreshes()
    board.throw("reopen", "client=tax")
    until(work.refreshes, seconds=20)

    # All writing, at a host that identifies its callers itself too; reading goes on, and so does the way back.
    def files() -> bool:
        form = work.browser.post(city.url("tax", "/me"), allow_redirects=False, timeout=30)
        return form.status_code != HTTPStatus.SERVICE_UNAVAILABLE

    assert verifies()
    assert files()
    since = board.throw("shut", "writing")
    over("writing at nginx", since, verifies)
    over("writing at the gateway", since, files)
    assert work.portal()
    assert city.http().get(city.url("tax", "/")).status_code == 200
    assert city.http().get(city.url("verify", "/")).status_code == 200
    board.throw("reopen", "writing")
    until(verifies, seconds=20)
    until(files, seconds=20)
    assert "Nothing is shut." in board.asker.get(board.url("/switches"), timeout=60).text
