# SPDX-License-Identifier: Apache-2.0
"""Somebody at work, from whom something is taken away, and the two officers who shut things in an emergency."""

import base64
import hashlib
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import requests

from tests.flows.city import PASSWORD, City
from tests.flows.knocking import person, post
from tests.flows.people import bearer, redeem

WITHIN = 5.0
"""Seconds; what is promised is one, on a machine that has nothing else to do."""
TOOK: list[float] = []
"""How long each end took that was waited for. One may have been held up by others' work; most were not."""


def over(what: str, since: float, works: Callable[[], bool]) -> None:
    """Wait for an end, and print when it was seen."""
    while works():
        assert time.monotonic() - since < WITHIN, f"{what} still works"
    TOOK.append(time.monotonic() - since)
    sys.stdout.write(f"{what}: over after at most {TOOK[-1]:.2f} s\n")


@dataclass
class AtWork:
    """Somebody at a portal, with a program that has tokens of theirs."""

    city: City
    browser: requests.Session
    access: str
    refresh: str
    client: str = "tax"
    listener: str = "external"

    def portal(self) -> bool:
        """Whether the portal's page still opens."""
        page = self.city.url(self.client, "/me", self.listener)
        return self.browser.get(page, allow_redirects=False, timeout=30).status_code == 200

    def token(self) -> bool:
        """Whether the gateway still lets the access token in; the sign-on, where the portal takes none."""
        if self.client == "tax":
            return bearer(self.city, self.access).status_code == 200
        shown = {"Authorization": f"Bearer {self.access}"}
        return self.city.http().get(self.city.url("sso", "/userinfo"), headers=shown).status_code == 200

    def refreshes(self) -> bool:
        """Whether the refresh token is still worth something."""
        secret = (self.city.folder / f"portal-{self.client}" / "oidc.secret").read_text("ascii").strip()
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh}
        return self.city.http().post(self.city.url("sso", "/token"), data=form, auth=(self.client, secret)).ok

    def holds(self) -> bool:
        """Whether everything works."""
        return self.portal() and self.token() and self.refreshes()

    def measure(self, what: str, since: float, *, session: bool = True) -> None:
        """Wait for the end of each, and print when it was seen."""
        ends = {"session at the portal": self.portal} if session else {}
        for name, works in {**ends, "access token": self.token, "refresh token": self.refreshes}.items():
            over(f"{what}: {name}", since, works)
        assert session or self.portal()


def at_work(
    city: City, browser: requests.Session, *, acting: str = "self", client: str = "tax", listener: str = "external"
) -> AtWork:
    """Tokens for whoever is logged in there, who agreed before."""
    verifier = secrets.token_urlsafe(48)
    code = authorized(city, browser, client, acting=acting, listener=listener, verifier=verifier)["code"][0]
    callback = city.url(client, "/callback", listener)
    tokens = redeem(city, client, code, verifier, callback).json()
    made = AtWork(city, browser, tokens["access_token"], tokens["refresh_token"], client, listener)
    assert made.holds()
    return made


def authorized(
    city: City,
    browser: requests.Session,
    client: str,
    *,
    acting: str = "self",
    listener: str = "external",
    verifier: str = "v" * 64,
) -> dict[str, list[str]]:
    """What the sign-on sends a portal's own client back with, for whoever is logged in there."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": city.url(client, "/callback", listener),
        "scope": "openid profile mandate" if client == "tax" else "openid profile",
        "state": "s" * 32,
        "nonce": "n" * 32,
        "acting": acting,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    asked = browser.get(city.url("sso", "/authorize"), params=query, allow_redirects=False, timeout=30)
    return parse_qs(urlsplit(asked.headers.get("Location", "")).query)


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


def switchboard(city: City) -> Switchboard:
    """The two, logged in at the console."""
    console = city.url("audit", "/switches", "management")
    return Switchboard(city, *(person(city, name, console) for name in ("wang.qiang", "lin.hai")))
