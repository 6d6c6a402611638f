# SPDX-License-Identifier: Apache-2.0
"""Two administrators at sign-on's desk: a portal asked for, granted and used, a person's session ended, a lock."""

import base64
import hashlib
import re
import secrets
import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from playwright.sync_api import BrowserContext, Page

from tests.flows.city import City, until
from tests.flows.people import accessible, consent_if_asked, fill_in, heading, log_in_by_card

Browse = Callable[..., BrowserContext]
CALLBACK = "https://library.example/callback"


def desk(city: City, browse: Browse, name: str) -> Page:
    page = browse(card=city.folder / "demo" / f"{name}.p12").new_page()
    page.goto(city.url("accounts", "/admin", "management"))
    if heading(page) == "Log in":
        log_in_by_card(page)
    page.wait_for_url(re.compile("/admin$"))
    return page


def _assessed(page: Page, **answers: str) -> None:
    """Fill in the questionnaire of a host of its own; what is not said otherwise is answered "yes"."""
    page.locator("details.answers > summary").click()
    for name, text in (("label", "library"), ("owner", "City Library"), ("by", "Centre"), ("report", "2026-118")):
        page.locator(f"[name={name}]").fill(text)
    for name, value in (("data", "personal"), ("exposure", "external"), ("harmed", "public"), ("degree", "2")):
        page.locator(f"[name={name}]").select_option(value)
    for box in page.locator("details.answers input[value=yes]").all():
        box.check()
    for name, value in answers.items():
        page.locator(f"[name={name}][value={value}]").check()


def _sections(city: City) -> dict[str, Any]:
    """What the operator is told to put into the site's file, by host."""
    said = city.tallygate("sso", "portals", "--site", str(city.configuration)).stdout
    routes: dict[str, Any] = tomllib.loads(said).get("gateway", {}).get("routes", {})
    return routes


def _granted(city: City, tang: Page, request: str, *, assessed: date) -> None:
    """Another administrator reads what was assessed, and grants it."""
    tang.goto(request)
    tang.locator("[name=reason]").fill("Known to the city")
    facts = " ".join(tang.locator("main dl").first.inner_text().split())
    assert "Grade of protection 3 Assessed again after 365 days" in facts
    assert "library" not in _sections(city)
    tang.locator("button[value=grant]").click()
    tang.wait_for_load_state()
    # What the host will be held to by its grade, for the site's file.
    section = _sections(city)["library"]
    assert (section["assurance"], section["zone"], section["assessment"]["grade"]) == (2, "external", 3)
    # The day it was assessed on, which may have ended since.
    assert section["assessment"]["on"] in {assessed.isoformat(), datetime.now(UTC).date().isoformat()}


def logged_in_at(city: City, browse: Browse, client: str, username: str) -> tuple[Page, str, str]:
    """A person walks to a portal that is not there; its code, and the verifier of whoever began."""
    page = browse().new_page()
    page.route(f"{CALLBACK}*", lambda route: route.fulfill(status=200, content_type="text/html", body="<h1>Back</h1>"))
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "client_id": client,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid profile",
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    page.goto(city.url("sso", f"/authorize?{urlencode(asked)}"))
    fill_in(page, username)
    consent_if_asked(page)
    page.wait_for_url(f"{CALLBACK}?*")
    return page, parse_qs(urlsplit(page.url).query)["code"][0], verifier


def redeemed(city: City, client: str, secret: str, code: str, verifier: str) -> requests.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": verifier}
    return city.http().post(city.url("sso", "/token"), data=form, auth=(client, secret))


@pytest.mark.timeout(300)
def test_a_portal_is_asked_for_granted_by_another_used_and_locked(city: City, browse: Browse) -> None:
    qian, tang = desk(city, browse, "qian.jun"), desk(city, browse, "tang.yu")
    qian.goto(city.url("accounts", "/admin/portals/ask", "management"))
    qian.locator("[name=name]").fill("City library")
    qian.locator("[name=contact]").fill("library@city.example")
    qian.locator("#address-0").fill(CALLBACK)
    qian.locator("[name=scope][value=profile]").check()
    qian.locator("[name=method]").select_option("client_secret_basic")
    assessed = datetime.now(UTC).date()
    _assessed(qian, backup="no")
    # Of what its grade demands nothing may be missing; what was typed is still there.
    qian.locator("main form button[type=submit]").click()
    assert "grade 3" in qian.get_by_role("alert").inner_text()
    accessible(qian)
    qian.locator("[name=backup][value=yes]").check()
    qian.locator("main form button[type=submit]").click()
    qian.wait_for_url(re.compile(r"/admin/portals/(?!ask)"))
    # Nobody decides on what they asked for themselves.
    assert qian.locator("button[value=grant]").count() == 0
    _granted(city, tang, qian.url, assessed=assessed)
    qian.reload()
    qian.locator("main form button[type=submit]").click()
    qian.wait_for_url(re.compile("/fetch$"))
    client, secret = qian.locator("dd code").all_inner_texts()[:2]

    _page, code, verifier = logged_in_at(city, browse, client, "chen.wei")
    given = redeemed(city, client, secret, code, verifier)
    assert given.status_code == 200, given.text
    bearer = {"Authorization": f"Bearer {given.json()['access_token']}"}
    assert city.http().get(city.url("sso", "/userinfo"), headers=bearer).status_code == 200

    # An administrator sees the person's session, and where it was used, and ends it: it bites at once.
    tang.goto(city.url("accounts", "/admin/people", "management"))
    tang.locator("[name=username]").fill("chen.wei")
    tang.locator("main form button[type=submit]").first.click()
    tang.wait_for_url(re.compile(r"/admin/people/[0-9a-f-]{36}$"))
    assert "City library" in tang.locator("main").inner_text()
    tang.get_by_role("button", name="End all sessions").click()
    tang.wait_for_load_state()
    until(lambda: city.http().get(city.url("sso", "/userinfo"), headers=bearer).status_code == 401, seconds=20)

    # Locked, the application can do nothing, whoever logs in.
    tang.goto(city.url("accounts", f"/admin/clients/{client}", "management"))
    tang.locator("#why").fill("Its secret was seen")
    tang.locator("form[action$='/lock'] button").click()
    tang.wait_for_load_state()
    assert "Its secret was seen" in tang.locator("main").inner_text()
    assert redeemed(city, client, secret, "x", verifier).json()["error"] == "invalid_client"
    # To unlock it, the one who asks is not the one who confirms.
    tang.locator("[name=reason]").fill("It has a new one")
    tang.locator("form[action$='/unlock'] button").click()
    tang.wait_for_load_state()
    assert tang.locator("button[value=confirm]").count() == 0
    qian.goto(tang.url)
    qian.locator("button[value=confirm]").click()
    qian.wait_for_load_state()
    assert redeemed(city, client, secret, "x", verifier).json()["error"] == "invalid_grant"
