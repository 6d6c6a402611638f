# SPDX-License-Identifier: Apache-2.0
"""Step-up: only what is missing is asked, it is no login, and it is guessed, replayed and borrowed in vain."""

import base64
import json
import threading
from dataclasses import replace
from datetime import timedelta

from werkzeug.test import TestResponse

from audit import Outcome
from directory import Person, Proofing
from sso.models import LoginDecision, Session
from sso.service import SignOn
from tests.fakes.authenticator import Device
from tests.fakes.sso_directory import WANG
from tests.sso.conftest import Browser, World, answered, hidden
from tests.sso.test_factors_codes import code, set_up
from tests.sso.test_passkeys import made, options

WAITS = ((303, "/login?"), (400, "None"))


def test_a_code_alone_makes_a_password_session_surer_and_is_no_login(world: World) -> None:
    browser, secret = with_app(world)
    before = session_of(world, browser)
    world.clock.advance(timedelta(minutes=4))
    page = browser.follow(browser.authorize("gateway", acr_values="2"))
    # The page says why, names who is logged in, and asks for no password.
    assert "asks for a second factor" in page.text
    assert "Wang Wei" in page.text
    assert 'name="password"' not in page.text
    cookie = browser.cookie("__Host-sso-session")
    said = answered(raised(browser, page, code(world, secret)))
    claims = claims_of(world, said["code"])
    assert (claims["acr"], claims["amr"]) == ("2", ["pwd", "otp", "mfa"])
    assert (claims["authenticator_level"], claims["proofing_level"]) == ("2", "3")
    # When somebody logged in stays when they logged in; so do the session and its end.
    after = session_of(world, browser)
    assert claims["auth_time"] == before.authenticated_at == after.authenticated_at
    assert (after.sid, after.expires_at, after.login) == (before.sid, before.expires_at, before.login)
    # The cookie does not: one that was planted or overheard before is worth nothing.
    assert browser.cookie("__Host-sso-session") not in ("", cookie)
    assert world.service.login.current(cookie) is None
    event = next(event for event in reversed(world.recorder.events) if event.type == "sso.session.raised")
    assert (event.subject, event.session, event.outcome) == (WANG, before.sid, Outcome.SUCCESS)
    assert (event.attributes["acr"], event.attributes["amr"]) == ("2", "pwd otp mfa")


def test_it_satisfies_neither_prompt_nor_max_age_in_any_tab(world: World) -> None:
    browser, secret = with_app(world)
    world.clock.advance(timedelta(minutes=20))
    # Other tabs of the same browser wait for a whole login.
    strict = browser.follow(browser.authorize("gateway", prompt="login"))
    recent = browser.follow(browser.authorize("gateway", max_age="60"))
    own = browser.follow(browser.get("/account/factors/again"))
    assert "code" in answered(raised(browser, surer(browser), code(world, secret)))
    for waiting in (strict, recent, own):
        parked = hidden(waiting.text, "interaction")
        # Neither the page of the step-up nor that of the consent lets them on.
        world.clock.advance(timedelta(seconds=61))
        answer = raised(browser, browser.get("/login/more", interaction=parked), code(world, secret))
        assert (answer.status_code, str(answer.location)[:7]) == (303, "/login?"), answer.text
        form = browser.get("/login", interaction=parked)
        agreed = browser.post("/consent", form, interaction=parked, choice="allow")
        # Agreeing is refused or leads to the login, and never to the client.
        assert (agreed.status_code, str(agreed.location)[:7]) in WAITS, agreed.text
    assert browser.authorize("gateway", prompt="login").location.startswith("/login?")
    assert browser.authorize("gateway", max_age="60").location.startswith("/login?")
    # Nor does it open what asks for a login of the last minutes.
    assert "data-passkey" not in browser.get("/account/factors").text


def test_a_passkey_of_the_same_person_alone_does(world: World) -> None:
    browser = password_session(world)
    device = made(world, by_card=WANG)
    before = session_of(world, browser)
    page = surer(browser)
    assert 'name="code"' not in page.text
    said = answered(by_passkey(browser, page, device))
    claims = claims_of(world, said["code"])
    assert (claims["acr"], claims["auth_time"]) == ("2", before.authenticated_at)
    assert claims["amr"] == ["pwd", "swk", "user", "mfa"]
    assert session_of(world, browser).factor != ""
    # It ends with its key, as every session that one opened.
    other = world.browser()
    other.back(other.card(other.follow(other.authorize("gateway")), f"card 1a {WANG}"))
    keys = other.get("/account/factors")
    other.post("/account/factors/passkeys/remove", keys, passkey=hidden(keys.text, "passkey"))
    assert browser.get("/account").status_code == 303


def test_nobody_elses_passkey_and_no_answer_twice(world: World) -> None:
    mine, theirs = made(world, by_card=WANG), made(world, "li.na")
    world.clock.advance(timedelta(days=3))
    browser = password_session(world)
    page = surer(browser)
    refused = by_passkey(browser, page, theirs)
    assert refused.status_code == 401
    page = surer(browser)
    form = passkey_form(page, mine)
    assert browser.post("/login/more/passkey", page, **form).status_code == 303
    again = browser.follow(browser.authorize("gateway", acr_values="3"))
    assert (
        browser.post(
            "/login/more/passkey", again, **{**form, "interaction": hidden(again.text, "interaction")}
        ).status_code
        == 401
    )
    failed = [
        event for event in world.recorder.events if event.type == "sso.login" and event.outcome is Outcome.FAILURE
    ]
    assert [event.subject for event in failed] == [WANG, WANG]


def test_guesses_count_where_all_codes_of_a_person_count(world: World) -> None:
    browser, secret = with_app(world)
    page = surer(browser)
    for _ in range(3):
        assert raised(browser, page, "000000").status_code == 401
    elsewhere = world.browser()
    door = elsewhere.follow(elsewhere.authorize("gateway"))
    for _ in range(3):
        assert elsewhere.fill_in(door, "wang.wei", code="000000").status_code == 401
    # Six are one too many, wherever they were made: the right one does not count now.
    answer = raised(browser, page, code(world, secret))
    assert (answer.status_code, "does not count" in answer.text) == (401, True)
    failed = [
        event for event in world.recorder.events if event.type == "sso.login" and event.outcome is Outcome.FAILURE
    ]
    assert {event.attributes["reason"] for event in failed} == {"wrong", "waiting"}
    assert {event.subject for event in failed} == {WANG}
    world.clock.advance(timedelta(minutes=16))
    assert "code" in answered(raised(browser, surer(browser), code(world, secret)))


def test_a_code_that_is_not_in_force_or_empty_raises_nothing(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax", "li.na")
    secret = set_up(world, "li.na")
    page = surer(browser, "tax")
    assert "none yet that counts" in page.text
    for given in ("", " ", code(world, secret)):
        assert raised(browser, page, given).status_code == 401
    assert session_of(world, browser).assurance == 1


def test_without_the_session_it_began_in_it_is_a_login(world: World) -> None:
    browser, secret = with_app(world)
    page = surer(browser)
    browser.post("/account/sessions/end-all", browser.get("/account"))
    parked = hidden(page.text, "interaction")
    assert browser.get("/login/more", interaction=parked).location.startswith("/login?")
    form = browser.get("/login", interaction=parked)
    assert raised(browser, form, code(world, secret)).location.startswith("/login?")
    stranger = world.browser()
    answer = stranger.get("/login/more", interaction=parked)
    assert answer.status_code == 400


def test_two_pages_raise_a_session_once(world: World) -> None:
    browser, secret = with_app(world)
    pages = [surer(browser) for _ in range(4)]
    given = [code(world, secret, steps=step) for step in (-1, 0, 1, 1)]
    cookies = browser.client._cookies
    done: list[bool] = []

    def attempt(page: TestResponse, each: str) -> None:
        own = world.browser()
        own.client._cookies = dict(cookies or {})
        answer = raised(own, page, each)
        # Who comes when the first is through holds a cookie that is worth nothing, and is sent to log in.
        done.append(answer.status_code == 303 and not answer.location.startswith("/login?"))

    threads = [threading.Thread(target=attempt, args=pair) for pair in zip(pages, given, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done.count(True) == 1


def test_while_the_log_refuses_nothing_is_checked_or_raised(world: World) -> None:
    browser, secret = with_app(world)
    page, given = surer(browser), code(world, secret)
    world.recorder.down = True
    assert raised(browser, page, given).status_code == 503
    world.recorder.down = False
    assert session_of(world, browser).assurance == 1
    assert "code" in answered(raised(browser, page, given))


def test_the_policies_are_asked_and_may_want_more(world: World) -> None:
    browser, secret = with_app(world)
    page = surer(browser)
    world.decision = LoginDecision(allowed=False, step_up=3, reasons=("card",))
    answer = raised(browser, page, code(world, secret))
    assert (answer.status_code, "for your card" in answer.text) == (403, True)
    assert 'name="code"' not in answer.text
    denied = next(event for event in reversed(world.recorder.events) if event.type == "sso.session.raised")
    assert denied.outcome is Outcome.DENIED
    assert session_of(world, browser).assurance == 1


def test_disabled_midway_nothing_is_raised(world: World) -> None:
    browser, secret = with_app(world)
    page, given = surer(browser), code(world, secret)
    world.people.disable(WANG)
    assert raised(browser, page, given).status_code == 400
    world.people.enable(WANG)
    world.hear("directory.person.disabled", subject=WANG)
    assert raised(browser, page, code(world, secret, steps=1)).location.startswith("/login?")


def test_who_is_not_known_surely_enough_is_told_and_may_go_back(world: World) -> None:
    browser = world.browser()
    browser.log_in("gateway", "li.na")
    page = browser.follow(browser.authorize("gateway", acr_values="3"))
    assert "registration desk" in page.text
    answer = browser.post("/login/more/leave", page, interaction=hidden(page.text, "interaction"))
    assert answered(answer)["error"] == "unmet_authentication_requirements"


def test_what_the_registrar_takes_away_lowers_a_running_session(world: World) -> None:
    browser, secret = with_app(world)
    said = answered(raised(browser, surer(browser), code(world, secret)))
    token = world.redeem("gateway", said["code"]).get_json()["access_token"]
    assert world.bearer(token).status_code == 200
    # By the news: within a second, over all processes.
    world.people.people[WANG] = with_level(world, WANG, 0)
    world.hear("directory.proofing.ended", subject=WANG)
    assert world.bearer(token).status_code == 401
    assert session_of(world, browser).assurance == 0
    assert "sso.token.revoked" in world.drain()
    # Given again, it counts again, with nothing to prove anew.
    world.people.people[WANG] = with_level(world, WANG, 3)
    assert "code" in answered(browser.authorize("gateway", acr_values="2"))


def test_a_level_whose_day_has_passed_counts_no_more_though_nobody_says_so(world: World) -> None:
    browser, secret = with_app(world)
    said = answered(raised(browser, surer(browser), code(world, secret)))
    waiting = answered(browser.authorize("gateway", acr_values="2"))
    token = world.redeem("gateway", said["code"]).get_json()["access_token"]
    # The directory's answer follows the day; there are no news.
    world.people.people[WANG] = with_level(world, WANG, 1)
    assert browser.authorize("gateway", acr_values="2").location.startswith("/login/more?")
    refused = world.redeem("gateway", waiting["code"])
    assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_grant")
    claims = claims_of(world, answered(browser.authorize("gateway"))["code"])
    assert (claims["acr"], claims["authenticator_level"], claims["proofing_level"]) == ("1", "2", "1")
    assert token


def with_app(world: World) -> tuple[Browser, bytes]:
    """A browser with a password session of Wang, who set an app up elsewhere since."""
    browser = password_session(world)
    return browser, set_up(world, "wang.wei", by_card=WANG)


def password_session(world: World) -> Browser:
    browser = world.browser()
    browser.log_in("gateway", "wang.wei")
    return browser


def surer(browser: Browser, client: str = "gateway") -> TestResponse:
    return browser.follow(browser.authorize(client, acr_values="2"))


def raised(browser: Browser, page: TestResponse, given: str) -> TestResponse:
    return browser.post("/login/more", page, interaction=hidden(page.text, "interaction"), code=given, level="2")


def passkey_form(page: TestResponse, device: Device) -> dict[str, str]:
    asked = {name: hidden(page.text, name) for name in ("interaction", "asked", "level")}
    return {**asked, "credential": device.used(options(page))}


def by_passkey(browser: Browser, page: TestResponse, device: Device) -> TestResponse:
    return browser.post("/login/more/passkey", page, **passkey_form(page, device))


def session_of(world: World, browser: Browser) -> Session:
    service: SignOn = world.service
    found = service.login.current(browser.cookie("__Host-sso-session"))
    assert found is not None
    return found


def claims_of(world: World, code_: str) -> dict[str, object]:
    token = world.redeem("gateway", code_).get_json()["id_token"]
    part = token.split(".")[1]
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def with_level(world: World, subject: str, level: int) -> Person:
    return replace(world.people.people[subject], proofing=Proofing(level=level))
