# SPDX-License-Identifier: Apache-2.0
"""What is taken away ends everywhere: measured at the portal's session, the access token and the refresh token.

Each journey is of people whom no other flow knows; the figures are printed.
"""

import base64
import hashlib
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import get_args
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import BrowserContext

from tests.flows import invariants
from tests.flows.city import PASSWORD, City, until
from tests.flows.knocking import hidden, person, post
from tests.flows.looking import Eyes
from tests.flows.people import bearer, consent_if_asked, fill_in, redeem
from tests.flows.words import Language

WITHIN = 5.0
"""Seconds; what is promised is one, on a machine that has nothing else to do."""
GIVER, HOLDER, READER, CHANGER = "zhu.yiming", "ma.tao2", "deng.junjie", "lin.ming"
WORKER = "pan.yutong"

Browse = Callable[..., BrowserContext]


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


@dataclass
class AtWork:
    """Somebody at the tax portal, with a program that has tokens of theirs."""

    city: City
    browser: requests.Session
    access: str
    refresh: str

    def portal(self) -> bool:
        """Whether the portal's page still opens."""
        answer = self.browser.get(self.city.url("tax", "/me"), allow_redirects=False, timeout=30)
        return answer.status_code == 200

    def token(self) -> bool:
        """Whether the gateway still lets the access token in."""
        return bearer(self.city, self.access).status_code == 200

    def refreshes(self) -> bool:
        """Whether the refresh token is still worth something."""
        secret = (self.city.folder / "portal-tax" / "oidc.secret").read_text("ascii").strip()
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh}
        return self.city.http().post(self.city.url("sso", "/token"), data=form, auth=("tax", secret)).ok

    def holds(self) -> bool:
        """Whether everything works."""
        return self.portal() and self.token() and self.refreshes()

    def measure(self, what: str, since: float, *, session: bool = True) -> None:
        """Wait for the end of each, and print when it was seen."""
        ends = {"session at the portal": self.portal} if session else {}
        for name, works in {**ends, "access token": self.token, "refresh token": self.refreshes}.items():
            while works():
                assert time.monotonic() - since < WITHIN, f"{what}: {name} still works"
            sys.stdout.write(f"{what}: {name} was over after at most {time.monotonic() - since:.2f} s\n")
        assert session or self.portal()


def at_work(city: City, browser: requests.Session, *, acting: str = "self") -> AtWork:
    """Tokens for whoever is logged in there, who agreed before."""
    verifier, callback = secrets.token_urlsafe(48), city.url("tax", "/callback")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": "tax",
        "redirect_uri": callback,
        "scope": "openid profile mandate",
        "state": "s" * 32,
        "nonce": "n" * 32,
        "acting": acting,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    asked = browser.get(city.url("sso", "/authorize"), params=query, allow_redirects=False)
    code = parse_qs(urlsplit(asked.headers["Location"]).query)["code"][0]
    tokens = redeem(city, "tax", code, verifier, callback).json()
    made = AtWork(city, browser, tokens["access_token"], tokens["refresh_token"])
    assert made.holds()
    return made


def agreed(shown: requests.Response, browser: requests.Session) -> requests.Response:
    """Share what the portal asks for."""
    return post(browser, shown, "/consent", choice="allow") if "/consent?" in shown.url else shown


def citizen(city: City, name: str) -> requests.Session:
    """Somebody who logged in at the tax portal and shares with it."""
    browser = city.http()
    browser.headers["Accept"] = "text/html"
    shown = post(browser, browser.get(city.url("tax", "/me")), "/login", username=name, password=PASSWORD)
    shown = agreed(shown, browser)
    assert shown.url == city.url("tax", "/me"), shown.text
    return browser


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


@dataclass
class Switchboard:
    """Two officers at the console; one asks and throws, the other approves."""

    city: City
    asker: requests.Session
    second: requests.Session

    def url(self, path: str) -> str:
        """Of the console."""
        return self.city.url("audit", path, "management")

    def answers(self) -> bool:
        """Whether the console does; the city itself is not ready while a portal is shut."""
        try:
            return self.second.get(self.url("/switches"), timeout=30).status_code == 200
        except requests.RequestException:
            return False

    def consented(self, kind: str, name: str) -> requests.Response:
        """The page of a consent that the second officer gave."""
        if kind == "shut":
            shown = self.asker.get(self.url("/switches"), timeout=60)
            asked = post(self.asker, shown, "/switches", name=name, lasts="1h", purpose="An exercise")
        else:
            shown = self.asker.get(self.url("/warrants/new"), timeout=60)
            asked = post(self.asker, shown, "/warrants", kind=kind, about="switch", which=name, purpose="It is over")
        assert "?done=asked" in asked.url, asked.text
        looked = self.second.get(asked.url, timeout=60)
        at = urlsplit(asked.url).path
        # Whoever asked cannot do it alone.
        assert post(self.asker, looked, f"{at}/approve").status_code == 403
        assert post(self.second, looked, f"{at}/approve").status_code == 200
        return self.asker.get(self.url(at), timeout=60)

    def throw(self, kind: str, name: str) -> float:
        """Shut or open; when the button was pressed."""
        consent = self.consented(kind, name)
        since = time.monotonic()
        answer = post(self.asker, consent, f"{urlsplit(consent.url).path}/act")
        assert answer.status_code == 200, answer.text
        return since


def test_emergency_switches_bite_everywhere_outlast_a_kill_and_are_opened_by_two(city: City) -> None:
    officers = [person(city, name, city.url("audit", "/switches", "management")) for name in ("wang.qiang", "lin.hai")]
    board, work = Switchboard(city, *officers), at_work(city, citizen(city, WORKER))

    def seen(what: str, since: float, open_still: Callable[[], bool]) -> None:
        while open_still():
            assert time.monotonic() - since < WITHIN, f"{what} is still open"
        sys.stdout.write(f"{what}: shut after at most {time.monotonic() - since:.2f} s\n")

    def verifies() -> bool:
        return city.http().post(city.url("verify", "/"), data={"x": "1"}).status_code != 503

    nothing = post(board.asker, board.asker.get(board.url("/switches"), timeout=60), "/switches",
                   name="portal=taxx", lasts="", purpose="A slip of the pen")  # fmt: skip
    assert nothing.status_code == 404
    assert "portal=taxx" in nothing.text

    # A portal: its page and its tokens end; a visitor is told in words; nothing else ends.
    since = board.throw("shut", "portal=tax")
    seen("portal=tax at the gateway", since, work.portal)
    assert not work.token()
    assert work.refreshes()
    denied = work.browser.get(city.url("tax", "/me"), timeout=30)
    assert denied.status_code == 503
    assert "Shut in an emergency" in denied.text
    assert city.tallygate("switches", "--site", str(city.configuration)).stdout.startswith("portal=tax: since ")
    # It outlasts the sudden death of whoever holds it.
    for role in ("gateway", "audit"):
        city.kill(role)
    until(board.answers, seconds=200)
    assert not work.portal()
    assert "An exercise" in board.second.get(board.url("/switches"), timeout=60).text
    board.throw("reopen", "portal=tax")
    until(work.portal, seconds=20)

    # A client: the sign-on gives it nothing, and the gateway takes none of its tokens.
    since = board.throw("shut", "client=tax")
    seen("client=tax at the gateway", since, work.token)
    seen("client=tax at the sign-on", since, work.refreshes)
    city.kill("sso")
    until(city.ready, seconds=240)
    assert not work.refreshes()
    board.throw("reopen", "client=tax")
    until(work.refreshes, seconds=20)

    # All writing, at a host that identifies its callers itself too; reading goes on, and so does the way back.
    assert verifies()
    since = board.throw("shut", "writing")
    seen("writing at nginx", since, verifies)
    assert city.http().get(city.url("tax", "/")).status_code == 200
    assert city.http().get(city.url("verify", "/")).status_code == 200
    board.throw("reopen", "writing")
    until(verifies, seconds=20)
    assert "Nothing is shut." in board.asker.get(board.url("/switches"), timeout=60).text
