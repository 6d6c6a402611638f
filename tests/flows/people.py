# SPDX-License-Identifier: Apache-2.0
"""What people do with their browsers and programs with their libraries, step by step as the pages show it."""

import base64
import hashlib
import re
import secrets
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from tests.flows.city import PASSWORD, City
from tests.flows.words import ENGLISH, Words

_AXE = Axe()
_CONTRAST = "color-contrast"


def log_in(page: Page, username: str, password: str = PASSWORD) -> None:
    """Fill in the login page that is shown."""
    accessible(page)
    fill_in(page, username, password)


def fill_in(page: Page, username: str, password: str = PASSWORD, *, words: Words = ENGLISH) -> None:
    """User name and password."""
    page.get_by_role("textbox", name=words("User name")).fill(username)
    page.get_by_role("textbox", name=words("Password")).fill(password)
    page.get_by_role("button", name=words("Log in")).click()


def log_in_by_card(page: Page, *, words: Words = ENGLISH) -> None:
    """Choose the card on the login page that is shown."""
    name = words("Log in with your card")
    page.get_by_role("link", name=name).or_(page.get_by_role("button", name=name)).first.click()


def consent_if_asked(page: Page, *, words: Words = ENGLISH) -> None:
    """Agree, if this person has not agreed before."""
    page.wait_for_load_state()
    if words("Share your data?").match(heading(page)):
        agree(page, words=words)


def consent(page: Page) -> None:
    """Agree to share what a portal asks for."""
    expect(page.get_by_role("heading", level=1)).to_have_text("Share your data?")
    accessible(page)
    agree(page)


def agree(page: Page, *, words: Words = ENGLISH) -> None:
    """Say yes on the page that asks."""
    page.get_by_role("button", name=words("Yes, share this")).click()


def accessible(page: Page, *, contrast: bool = True, rest: bool = True) -> None:
    """No finding of axe at WCAG 2.2 AA on the page that is shown; contrast alone takes longer than the rest."""
    # A click leads on before the whole page is there, and half a link has no words.
    page.wait_for_load_state()
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_AXE.axe_script)
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    options: dict[str, Any] = {"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": tags}}
    if not rest:
        options["runOnly"] = {"type": "rule", "values": [_CONTRAST]}
    elif not contrast:
        options["rules"] = {_CONTRAST: {"enabled": False}}
    # What passed is long, and stays in the browser.
    found = page.evaluate("options => axe.run(options).then(found => found.violations)", options)
    assert not found, (page.url, [(v["id"], v["nodes"][0]["html"]) for v in found])


def heading(page: Page) -> str:
    """What the page says first."""
    return page.get_by_role("heading", level=1).first.inner_text()


def as_program(city: City, context: BrowserContext) -> requests.Session:
    """A program with this browser's cookies, for questions that must be timed."""
    session = city.http()
    for cookie in context.cookies():
        session.cookies.set(
            str(cookie["name"]), str(cookie["value"]), domain=str(cookie["domain"]), path=str(cookie["path"])
        )
    session.headers["Accept"] = "text/html"
    return session


def access_token(city: City, context: BrowserContext, client: str) -> dict[str, Any]:
    """What a portal's own OAuth client gets for the person logged in here, who agreed before."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    callback = city.url(client, "/callback")
    asked = as_program(city, context).get(
        city.url("sso", "/authorize"),
        params={
            "response_type": "code",
            "client_id": client,
            "redirect_uri": callback,
            "scope": "openid profile",
            "state": "s" * 32,
            "nonce": "n" * 32,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        },
        allow_redirects=False,
    )
    query = parse_qs(urlsplit(asked.headers["Location"]).query)
    return redeem(city, client, query["code"][0], verifier, callback).json()  # type: ignore[no-any-return]  # JSON


def redeem(city: City, client: str, code: str, verifier: str, callback: str) -> requests.Response:
    """Exchange a code at the token endpoint, as the client's library does."""
    secret = (city.folder / f"portal-{client}" / "oidc.secret").read_text("ascii").strip()
    return city.http().post(
        city.url("sso", "/token"),
        data={"grant_type": "authorization_code", "code": code, "redirect_uri": callback, "code_verifier": verifier},
        auth=(client, secret),
    )


def bearer(city: City, token: str) -> requests.Response:
    """Ask the tax portal's interface with an access token."""
    return city.http().get(city.url("tax", "/api/v1/me"), headers={"Authorization": f"Bearer {token}"})


def serial_of(link: str) -> str:
    """The serial number in the address of a certificate's page."""
    found = re.search(r"/certificates/([0-9a-f]+)", link)
    assert found
    return found.group(1)


def subject_of(city: City, card: str | Path) -> str:
    """The identifier of a person or device, from the certificate on the card: one of the sample's, or at a path."""
    said = subprocess.run(
        ["openssl", "x509", "-in", str(city.folder / "demo" / f"{card}.pem"), "-noout", "-ext", "subjectAltName"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return said.split("urn:uuid:")[1].split()[0].strip(",")
