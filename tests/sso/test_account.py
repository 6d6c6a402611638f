# SPDX-License-Identifier: Apache-2.0
"""My account, logging out, and what other services take away."""

import base64
import json
import re
import secrets
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from audit import Entry, Event, Outcome
from tests.fakes.sso_directory import LI, WANG
from tests.sso.conftest import World, answered, hidden


def test_the_person_sees_sessions_portals_consents_and_record(world: World) -> None:
    browser, other = world.browser(), world.browser()
    browser.log_in("tax")
    browser.finish(browser.authorize("social"))
    other.log_in("gateway")
    world.entries = [
        {"time": "2026-11-20T08:00:00+00:00", "says": "Login", "where": "", "by": "Sign-on", "outcome_says": "Success"}
    ]
    page = browser.get("/account").text
    assert page.count("End this session</button>") == 2
    assert "Tax portal, Social insurance" in page or "Social insurance, Tax portal" in page
    assert "gateway.city.localhost" in page
    assert "your name and user name" in page
    assert "2026-11-20 08:00:00" in page
    assert WANG not in page
    chinese = browser.get("/account", lang="zh").text
    assert "李娜" in chinese
    assert "税务服务" in chinese


def test_all_that_is_recorded_can_be_read_page_by_page(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    world.entries = [
        {"index": index, "time": "2026-11-20T08:00:00+00:00", "says": f"Visit {index}.", "client": "tax"}
        for index in reversed(range(45))
    ]
    page, seen = browser.get("/account").text, 0
    while (older := re.search(r'href="(/account/record/before/\d+)"', page)) is not None:
        seen += page.count("Visit ")
        page = browser.get(older[1]).text
        assert "Tax portal" in page
    seen += page.count("Visit ")
    assert seen == 45
    assert "Visit 0." in page
    assert "更早的记录" in browser.get("/account", lang="zh").text
    assert browser.get("/account/record/before/0").text.count("Visit ") == 0
    assert browser.get("/account/record/before/-1").status_code == 404
    assert world.browser().get("/account/record/before/9").location.startswith("/login?")
    world.entries = None
    assert "cannot be read at the moment" in browser.get("/account/record/before/9", lang="en").text


def test_a_silent_record_takes_nothing_else_away(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    world.entries = None
    page = browser.get("/account")
    assert page.status_code == 200
    assert "cannot be read at the moment" in page.text


def test_ending_one_session_leaves_the_others(world: World) -> None:
    browser, other = world.browser(), world.browser()
    mine = world.redeem("tax", browser.log_in("tax")["code"]).get_json()
    theirs = world.redeem("tax", other.log_in_again_or_in("tax")["code"]).get_json()
    sids = {each.sid for each in world.store.sessions.of(LI, int(world.clock.now().timestamp()))}
    gone = _sid(theirs["id_token"])
    assert gone in sids
    browser.post("/account/sessions/end", browser.get("/account"), sid=gone)
    assert world.bearer(theirs["access_token"]).status_code == 401
    assert world.bearer(mine["access_token"]).status_code == 200
    assert other.get("/account").status_code == 303
    ended = [event for event in _heard(world) if event.type == "sso.session.ended"]
    assert [(event.session, event.subject) for event in ended] == [(gone, LI)]


def test_nobody_ends_another_persons_session(world: World) -> None:
    browser, other = world.browser(), world.browser()
    browser.log_in("tax")
    tokens = world.redeem("gateway", other.log_in("gateway", "wang.wei")["code"]).get_json()
    browser.post("/account/sessions/end", browser.get("/account"), sid=_sid(tokens["id_token"]))
    assert other.get("/account").status_code == 200


def test_ending_all_sessions_ends_all_and_no_one_elses(world: World) -> None:
    browser, other, stranger = world.browser(), world.browser(), world.browser()
    browser.log_in("tax")
    other.log_in_again_or_in("tax")
    stranger.log_in("gateway", "wang.wei")
    answer = browser.post("/account/sessions/end-all", browser.get("/account"))
    assert answer.location == "/logged-out"
    assert other.get("/account").status_code == 303
    assert stranger.get("/account").status_code == 200
    assert world.drain().count("sso.session.ended") == 2


def test_withdrawing_consent_ends_the_tokens_and_asks_again(world: World) -> None:
    browser = world.browser()
    tokens = world.redeem("tax", browser.log_in("tax")["code"]).get_json()
    browser.post("/account/consents/withdraw", browser.get("/account"), client="tax")
    assert world.bearer(tokens["access_token"]).status_code == 401
    assert browser.authorize("tax").location.startswith("/consent")
    kinds = world.drain()
    assert "sso.consent.withdrawn" in kinds
    assert "sso.token.revoked" in kinds
    browser.post("/account/consents/withdraw", browser.get("/account"), client="nobody")
    assert world.drain().count("sso.consent.withdrawn") == 1


def test_logging_out_with_the_sessions_own_id_token_asks_nothing(world: World) -> None:
    browser = world.browser()
    tokens = world.redeem("tax", browser.log_in("tax")["code"]).get_json()
    world.clock.advance(timedelta(minutes=20))
    answer = browser.get(
        "/logout",
        id_token_hint=tokens["id_token"],
        post_logout_redirect_uri=world.site.origin("tax") + "/",
        state="s&t",
    )
    assert answer.status_code == 303
    assert answer.location == world.site.origin("tax") + "/?state=s%26t"
    assert browser.get("/account").status_code == 303
    assert "sso.session.ended" in world.drain()


@pytest.mark.parametrize(
    "kind", ["old session", "foreign", "access token", "garbage", "unsigned", "wrong client", "none"]
)
def test_any_other_logout_request_asks_and_ends_nothing(world: World, kind: str) -> None:
    browser, other = world.browser(), world.browser()
    old = world.redeem("tax", browser.log_in("tax")["code"]).get_json()
    foreign = world.redeem("gateway", other.log_in("gateway", "wang.wei")["code"]).get_json()
    browser.post("/account/sessions/end-all", browser.get("/account"))
    now = world.redeem("tax", browser.log_in_again_or_in("tax")["code"]).get_json()
    hint = {
        "old session": old["id_token"],
        "foreign": foreign["id_token"],
        "access token": now["access_token"],
        "garbage": "a.b.c",
        "unsigned": ".".join([*now["id_token"].split(".")[:2], ""]),
        "wrong client": now["id_token"],
        "none": "",
    }[kind]
    more = {"client_id": "social"} if kind == "wrong client" else {}
    page = browser.get("/logout", id_token_hint=hint, **more)
    assert page.status_code == 200
    assert "Do you want to log out?" in page.text
    assert browser.get("/account").status_code == 200
    assert other.get("/account").status_code == 200
    confirmed = browser.post("/logout", page, client_id="", post_logout_redirect_uri="", state="")
    assert confirmed.location == "/logged-out"
    assert browser.get("/account").status_code == 303
    assert other.get("/account").status_code == 200


@pytest.mark.parametrize(
    "uri", ["https://evil.example/", "https://tax.city.localhost:8443", "javascript:alert(1)", "//x"]
)
def test_logging_out_leads_only_to_registered_addresses(world: World, uri: str) -> None:
    browser = world.browser()
    tokens = world.redeem("tax", browser.log_in("tax")["code"]).get_json()
    answer = browser.get("/logout", id_token_hint=tokens["id_token"], post_logout_redirect_uri=uri)
    assert answer.location == "/logged-out"
    answer = browser.get("/logout", client_id="tax", post_logout_redirect_uri=uri)
    assert answer.location == "/logged-out"


def test_a_confirmed_logout_leads_back(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    uri = world.site.origin("tax") + "/"
    page = browser.get("/logout", client_id="tax", post_logout_redirect_uri=uri, state="x")
    assert "Tax portal" in page.text
    form = {name: hidden(page.text, name) for name in ("client_id", "post_logout_redirect_uri", "state")}
    assert browser.post("/logout", page, **form).location == uri + "?state=x"


@pytest.mark.parametrize("kind", ["directory.person.disabled", "ca.certificate.suspended", "ca.certificate.revoked"])
def test_what_others_take_away_bites_here_and_hearing_twice_changes_nothing(world: World, kind: str) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    said = answered(browser.back(browser.card(page, f"card 1a2b {WANG}")))
    tokens = world.redeem("gateway", said["code"]).get_json()
    event = Event(
        key=secrets.token_hex(16),
        type=kind,
        outcome=Outcome.SUCCESS,
        at=world.clock.now(),
        source="ca",
        subject=WANG,
        object="1a2b",
        attributes={"issuer": "people"},
    )
    for _ in range(3):
        world.service.news.hear([Entry(index=7, event=event)])
    assert world.bearer(tokens["access_token"]).status_code == 401
    assert browser.get("/account").status_code == 303
    assert world.drain().count("sso.session.ended") == 1
    assert world.store.news.position() == 8
    assert world.service.news.start() == 8


def test_news_of_others_changes_nothing(world: World) -> None:
    browser = world.browser()
    browser.log_in("gateway")
    world.hear("directory.person.disabled", subject=WANG)
    world.hear("ca.certificate.suspended", subject=LI, object_="ffff")
    world.hear("gateway.decision", subject=LI)
    assert browser.get("/account").status_code == 200


def test_a_disabling_after_an_enabling_counts_whatever_is_heard_again(world: World) -> None:
    world.hear("directory.person.enabled", subject=LI)
    world.hear("directory.person.disabled", subject=LI)
    world.heard = 0
    world.hear("directory.person.enabled", subject=LI)
    assert world.store.news.barred(subject=LI, certificate="")


def test_the_position_is_written_now_and_then(world: World) -> None:
    for _ in range(501):
        world.hear("gateway.decision", subject=LI)
    assert world.store.news.position() >= 500
    world.store.news.advance(3)
    assert world.store.news.position() >= 500


def _sid(id_token: str) -> str:
    body = id_token.split(".")[1]
    sid: str = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["sid"]
    return sid


def _heard(world: World) -> list[Event]:
    world.drain()
    return world.recorder.events


def test_the_query_of_the_answer_is_the_clients_alone(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    location = browser.authorize("tax").location
    assert set(parse_qs(urlsplit(location).query)) == {"code", "state", "iss"}
