# SPDX-License-Identifier: Apache-2.0
"""Attacks on the authorization endpoint: addresses, downgrades, mix-up, foreign browsers."""

import base64
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from sqlalchemy import func, select

from sso.errors import BadClient, InteractionLost
from sso.models import Visitor
from sso.oauth.rfc6749 import check_address
from sso.store.tables import METADATA
from tests.fakes.sso_directory import LI, WANG
from tests.sso.conftest import World, answered, hidden, request

VISITOR = Visitor(address="203.0.113.7", network="203.0.113.0/24", agent="")
GOOD = "https://tax.city.localhost:8443/callback"
_HOST = "tax.city.localhost:8443"
TWISTED = [
    "",
    GOOD + "/",
    GOOD + "?",
    GOOD + "#",
    GOOD + "?x=1",
    GOOD + "#fragment",
    GOOD + "%00",
    GOOD + "%20",
    GOOD + " ",
    " " + GOOD,
    GOOD + "\n",
    GOOD + "\t",
    GOOD + "\\",
    GOOD + "/..",
    GOOD + "/../callback",
    GOOD + "/.",
    GOOD + ";",
    GOOD + "..;/",
    GOOD + "/..;/admin",
    GOOD + "/%2e%2e/",
    GOOD + "/%2E%2E%2F",
    GOOD + "%2f",
    GOOD + "%252f",
    GOOD.replace("/callback", "//callback"),
    GOOD.replace("/callback", "/Callback"),
    GOOD.replace("/callback", "/CALLBACK"),
    GOOD.replace("/callback", "/callbac%6b"),
    GOOD.replace("/callback", "/./callback"),
    GOOD.replace("/callback", "/x/../callback"),
    GOOD.replace("/callback", "\\callback"),
    GOOD.replace("https", "http"),
    GOOD.replace("https", "HTTPS"),
    GOOD.replace("https", "hTTps"),
    GOOD.replace("https://", "https:"),
    GOOD.replace("https://", "https:/"),
    GOOD.replace("https://", "https:///"),
    GOOD.replace("https://", "https:\\\\"),
    GOOD.replace("https://", "//"),
    GOOD.replace("https://", "https://user@"),
    GOOD.replace("https://", "https://user:pass@"),
    GOOD.replace("https://", "https://evil.example@"),
    GOOD.replace("https://", "https://a@b@"),
    GOOD.replace("https://", "https://evil.example\\@"),
    GOOD.replace("https://", "https://evil.example%40"),
    GOOD.replace("https://", "https://evil.example#@"),
    GOOD.replace("https://", "https://evil.example?@"),
    GOOD.replace("https://", "https://evil.example/"),
    GOOD.replace(_HOST, "TAX.city.localhost:8443"),
    GOOD.replace(_HOST, "tax.city.localhost"),
    GOOD.replace(_HOST, "tax.city.localhost:08443"),
    GOOD.replace(_HOST, "tax.city.localhost:8444"),
    GOOD.replace(_HOST, "tax.city.localhost:84430"),
    GOOD.replace(_HOST, "tax.city.localhost:8443:80"),
    GOOD.replace(_HOST, "tax.city.localhost.:8443"),
    GOOD.replace(_HOST, "tax.city.localhost.evil.example:8443"),
    GOOD.replace(_HOST, "evil-tax.city.localhost:8443"),
    GOOD.replace(_HOST, "x.tax.city.localhost:8443"),
    GOOD.replace(_HOST, "tax.city。localhost:8443"),
    GOOD.replace(_HOST, "tax.city.localhost\uff1a8443"),
    GOOD.replace(_HOST, "tаx.city.localhost:8443"),  # noqa: RUF001 - a Cyrillic letter
    GOOD.replace(_HOST, "xn--tx-3ia.city.localhost:8443"),
    GOOD.replace(_HOST, "127.0.0.1:8443"),
    GOOD.replace(_HOST, "[::ffff:127.0.0.1]:8443"),
    GOOD.replace(_HOST, "[::1]:8443"),
    GOOD.replace(_HOST, "2130706433:8443"),
    GOOD.replace(_HOST, "0x7f.1:8443"),
    GOOD.replace(_HOST, "localhost:8443"),
    GOOD.replace(_HOST, "social.city.localhost:8443"),
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "urn:ietf:wg:oauth:2.0:oob",
    "myapp://callback",
    "/callback",
    "callback",
    "https://",
    "https://*.city.localhost:8443/callback",
    "https://tax.city.localhost:8443/*",
    GOOD + "," + GOOD,
    GOOD + " " + GOOD,
    GOOD + "\r\nLocation: https://evil.example",
    GOOD + "\x00",
    GOOD + "\u202e",
    GOOD[:-1],
    GOOD * 100,
]


@pytest.mark.parametrize("mode", ["-", "form_post", "query.jwt", "fragment"])
def test_an_address_that_is_not_registered_to_the_letter_is_never_redirected_to(world: World, mode: str) -> None:
    browser = world.browser()
    for uri in TWISTED:
        answer = browser.authorize("tax", redirect_uri=uri or "-", response_mode=mode)
        assert answer.status_code == 400, uri
        assert "Location" not in answer.headers
        assert "<form" not in answer.text


@pytest.mark.parametrize("uri", [uri for uri in TWISTED if not uri.startswith("https://") or "@" in uri or "#" in uri])
def test_a_dangerous_address_cannot_be_registered(uri: str) -> None:
    with pytest.raises(BadClient):
        check_address(uri)


@pytest.mark.parametrize("client_id", ["-", "", "unknown", "Tax", "tax ", "tax\x00", "machine", "t" * 5000])
def test_an_unknown_client_is_never_redirected(world: World, client_id: str) -> None:
    sent = request(world) | {"client_id": client_id}
    if client_id == "-":
        del sent["client_id"]
    answer = world.browser().get("/authorize", **sent)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_another_clients_address_is_not_this_clients(world: World) -> None:
    answer = world.browser().authorize("tax", redirect_uri=world.callback("social"))
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "-"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "fragment.jwt"}, "invalid_request"),
        ({"scope": "-"}, "invalid_scope"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": "openid roles"}, "invalid_scope"),
        ({"scope": "openid nonsense"}, "invalid_scope"),
        ({"code_challenge": "-"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "v" * 44}, "invalid_request"),
        ({"code_challenge_method": "-"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "dance"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "\u0661"}, "invalid_request"),
        ({"max_age": "9" * 30}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "http://169.254.169.254/"}, "request_uri_not_supported"),
        ({"nonce": "line\nbreak"}, "invalid_request"),
        ({"nonce": "n" * 3000}, "invalid_request"),
        ({"anything": "\x00"}, "invalid_request"),
    ],
)
def test_a_mistake_is_told_to_the_client_with_issuer_and_state(
    world: World, changes: dict[str, str], error: str
) -> None:
    said = answered(world.browser().authorize("tax", **changes))
    assert (said["error"], said["iss"], said["state"]) == (error, world.issuer, "a state")
    assert "code" not in said


@pytest.mark.parametrize("state", ["s" * 3000, "line\nbreak", "\x00"])
def test_a_state_that_cannot_be_echoed_is_not(world: World, state: str) -> None:
    said = answered(world.browser().authorize("tax", state=state))
    assert said["error"] == "invalid_request"
    assert "state" not in said


@pytest.mark.parametrize("name", ["state", "scope", "nonce", "code_challenge", "response_type", "prompt", "foreign"])
def test_a_doubled_parameter_is_refused(world: World, name: str) -> None:
    sent = [*request(world).items(), (name, "openid"), (name, "openid")]
    answer = world.app.test_client().get("/authorize", base_url=world.issuer, query_string=urlencode(sent))
    said = answered(answer)
    assert said["error"] == "invalid_request"


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_a_doubled_client_or_address_is_never_redirected(world: World, name: str) -> None:
    sent = [*request(world).items(), (name, request(world)[name])]
    answer = world.app.test_client().get("/authorize", base_url=world.issuer, query_string=urlencode(sent))
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_a_parked_request_works_only_in_the_browser_that_began_it(world: World) -> None:
    victim, attacker = world.browser(), world.browser()
    theirs = attacker.authorize("tax")
    page = victim.follow(victim.authorize("tax"))
    foreign = parse_qs(urlsplit(theirs.location).query)["interaction"][0]
    stolen = victim.post("/login", page, interaction=foreign, username="li.na", password="correct horse li.na")
    assert stolen.status_code == 400
    assert "interaction_lost" in stolen.text
    assert victim.get("/login", interaction=foreign).status_code == 400
    assert victim.cookie("__Host-sso-session") == ""


def test_a_parked_request_is_answered_once(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    assert "code" in answered(browser.fill_in(page))
    # The form token of before the login is dead, and with a fresh one the request is.
    assert browser.fill_in(page).status_code == 403
    again = browser.post(
        "/login",
        browser.get("/account"),
        interaction=hidden(page.text, "interaction"),
        username="li.na",
        password="correct horse li.na",
    )
    assert again.status_code == 400
    assert "interaction_lost" in again.text


def test_whoever_asks_without_proving_anything_leaves_nothing_behind(world: World) -> None:
    before = _rows(world)
    for _ in range(3):
        browser = world.browser()
        page = browser.follow(browser.authorize("tax", state="s" * 2000, nonce="n" * 2000))
        browser.get("/account")
        # On the way to the card host, and at it without a card.
        assert browser.card(page, None).status_code == 401
    assert _rows(world) == before


def test_a_parked_request_can_be_neither_read_nor_changed(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("tax", state="a-state-of-the-client"))
    sealed = hidden(page.text, "interaction")
    assert "a-state-of-the-client" not in page.text
    assert b"a-state" not in base64.urlsafe_b64decode(sealed)
    for place in range(0, len(sealed), 29):
        changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        assert browser.get("/login", interaction=changed).status_code == 400, place
    for other in ("", "x", "=", "é", sealed[:-1], sealed * 2, "0" * 7500):
        assert browser.get("/login", interaction=other).status_code in (303, 400)


def test_a_ticket_is_no_parked_request_and_a_parked_request_no_ticket(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    sealed = hidden(page.text, "interaction")
    leads = browser.post("/login/card", page, interaction=sealed).location
    ticket = parse_qs(urlsplit(leads).query)["ticket"][0]
    assert browser.get("/login", interaction=ticket).status_code == 400
    with pytest.raises(InteractionLost):
        world.service.login.card_shown(sealed, f"card 1a {WANG}".encode(), visitor=VISITOR)


def test_a_request_that_is_too_long_to_be_carried_about_is_refused(world: World) -> None:
    said = answered(world.browser().authorize("tax", state="\\" * 2000, nonce="\\" * 2000))
    assert said["error"] == "invalid_request"


def test_a_login_counts_for_the_request_it_was_made_in_and_a_yes_for_the_person_who_said_it(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("tax", prompt="login consent"))
    consent = browser.follow(browser.fill_in(page))
    assert "/consent" in consent.request.path
    # Somebody else logs in within the very same request, and is asked in turn.
    browser.post("/consent", consent, interaction=hidden(consent.text, "interaction"), choice="allow")
    second = browser.follow(browser.authorize("tax", prompt="login consent"))
    yes = browser.follow(browser.fill_in(second, "wang.wei"))
    assert "/consent" in yes.request.path


def test_a_parked_request_expires(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    world.clock.advance(timedelta(minutes=15))
    assert browser.fill_in(page).status_code == 400


def test_hostile_state_and_names_stay_text_on_every_page(world: World) -> None:
    browser = world.browser()
    evil = "\"><script>alert(1)</script>'"
    page = browser.follow(browser.authorize("tax", state=evil))
    consent = browser.follow(browser.fill_in(page))
    refused = browser.get("/authorize", client_id=evil, redirect_uri=evil)
    logout = browser.get("/logout", state=evil, client_id=evil, post_logout_redirect_uri=evil)
    for each in (page, consent, refused, logout):
        assert "<script>" not in each.text
        assert "script-src 'self'" in each.headers["Content-Security-Policy"]


def test_the_card_host_serves_nothing_but_the_card_login(world: World) -> None:
    client = world.app.test_client()
    for path in ("/account", "/authorize", "/jwks", "/token", "/.well-known/openid-configuration", "/logout"):
        assert client.get(path, base_url=world.site.origin("card")).status_code in (404, 405), path


def test_policies_may_ask_for_a_card_at_the_second_portal(world: World) -> None:
    browser = world.browser()
    browser.log_in("gateway")
    world.decision = replace(world.decision, allowed=False, step_up=2, reasons=("need-card",))
    answer = browser.authorize("gateway")
    assert answer.location.startswith("/login")
    assert "level=2" in answer.location
    world.decision = replace(world.decision, allowed=False, step_up=None)
    assert answered(browser.authorize("gateway"))["error"] == "access_denied"
    event = world.recorder.events[-1]
    assert (event.type, event.subject, event.attributes["reason"]) == ("sso.token.refused", LI, "need-card")


def _rows(world: World) -> dict[str, int]:
    with world.database.reading() as connection:
        return {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in METADATA.tables.items()
        }
