# SPDX-License-Identifier: Apache-2.0
"""Attacks on the door: guessing, telling names apart, fixation, forged forms, cards from outside."""

import re
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from audit import Outcome
from directory import Person
from sso.config import SSOSettings
from sso.errors import InteractionLost
from sso.models import LoginDecision, Visitor
from sso.store import Door, Patience
from sso.store.tables import ATTEMPTS
from tests.fakes.sso_directory import LI, WANG
from tests.sso.conftest import World, answered, hidden, make_world


def test_unknown_locked_disabled_and_wrong_are_told_alike(world: World) -> None:
    world.people.disable(WANG)
    texts = set()
    for username, password in (
        ("li.na", "wrong"),
        ("nobody", "wrong"),
        ("wang.wei", "correct horse wang.wei"),
        ("", ""),
        ("li.na", ""),
        ("*)(uid=*", "x"),
        ("li.na", "p" * 5000),
    ):
        browser = world.browser()
        answer = browser.fill_in(browser.follow(browser.authorize("tax")), username, password)
        assert answer.status_code == 401
        texts.add(_without_tokens(answer.text))
    for _ in range(6):
        browser = world.browser()
        answer = browser.fill_in(browser.follow(browser.authorize("tax")), "li.na", "wrong")
        texts.add(_without_tokens(answer.text))
    locked = world.browser()
    answer = locked.fill_in(locked.follow(locked.authorize("tax")), "li.na")
    assert answer.status_code == 401
    texts.add(_without_tokens(answer.text))
    assert len(texts) == 1


def test_a_failed_login_is_recorded_without_the_name_that_was_typed(world: World) -> None:
    browser = world.browser()
    browser.fill_in(browser.follow(browser.authorize("tax")), "my-password-by-mistake", "x")
    event = world.recorder.events[-1]
    assert (event.type, event.outcome, event.subject) == ("sso.login", Outcome.FAILURE, "")
    assert "my-password" not in repr(event)


def test_waiting_grows_and_ends(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    for _ in range(4):
        browser.fill_in(page, password="wrong")
    asked = world.people.asked
    browser.fill_in(page, password="wrong")
    assert world.people.asked == asked + 1
    # The door is closed for two seconds: the directory is not even asked, and the right password does not count.
    assert browser.fill_in(page).status_code == 401
    assert world.people.asked == asked + 1
    world.clock.advance(timedelta(seconds=2))
    browser.fill_in(page, password="wrong")
    world.clock.advance(timedelta(seconds=3))
    assert browser.fill_in(page).status_code == 401
    world.clock.advance(timedelta(seconds=1))
    assert browser.fill_in(page).status_code == 303


def test_nobody_is_locked_out_from_another_network_or_for_good(world: World) -> None:
    attacker = world.browser()
    page = attacker.follow(attacker.authorize("gateway"))
    attacker.client.environ_base["REMOTE_ADDR"] = "203.0.113.7"
    for _ in range(40):
        attacker.fill_in(page, password="wrong")
        world.clock.advance(timedelta(minutes=15))
        page = attacker.follow(attacker.authorize("gateway"))
    citizen = world.browser()
    citizen.client.environ_base["REMOTE_ADDR"] = "198.51.100.9"
    assert "code" in citizen.log_in("gateway")
    world.clock.advance(timedelta(minutes=15))
    neighbour = world.browser()
    neighbour.client.environ_base["REMOTE_ADDR"] = "203.0.113.8"
    assert "code" in neighbour.log_in("gateway")


def test_one_network_cannot_try_many_names(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    for number in range(70):
        browser.fill_in(page, f"name{number}", "wrong")
    assert world.people.asked <= 61


def test_parallel_guesses_do_not_slip_by(world: World) -> None:
    browsers = [world.browser() for _ in range(20)]
    pages = [browser.follow(browser.authorize("gateway")) for browser in browsers]
    threads = [
        threading.Thread(target=browser.fill_in, args=(page, "li.na", "wrong"))
        for browser, page in zip(browsers, pages, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.people.asked == 5


def test_an_outage_of_the_directory_counts_against_nobody(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    world.people.down = True
    for _ in range(10):
        assert browser.fill_in(page).status_code == 503
    world.people.down = False
    assert browser.fill_in(page).status_code == 303


def test_an_outage_of_the_directory_forgives_nothing_that_was_wrong_before(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    for _ in range(4):
        browser.fill_in(page, password="wrong")
    world.people.down = True
    browser.fill_in(page, password="wrong")
    world.people.down = False
    browser.fill_in(page, password="wrong")
    # That was the fifth: the door is closed.
    asked = world.people.asked
    assert browser.fill_in(page).status_code == 401
    assert world.people.asked == asked


def test_while_the_log_refuses_no_password_is_checked_and_no_failure_forgotten(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    for _ in range(4):
        browser.fill_in(page, password="wrong")
    asked, before = world.people.asked, _failures(world)
    world.recorder.down = True
    for password in ("wrong", "correct horse li.na"):
        for _ in range(5):
            assert browser.fill_in(page, password=password).status_code == 503
    assert world.people.asked == asked
    assert _failures(world) == before
    world.recorder.down = False
    browser.fill_in(page, password="wrong")
    assert browser.fill_in(page).status_code == 401
    assert world.people.asked == asked + 1


def test_a_failure_counts_although_its_record_could_not_be_made(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))

    _silence_after_the_check(world)
    for _ in range(5):
        world.recorder.down = False
        assert browser.fill_in(page, password="wrong").status_code == 503
    world.recorder.down = False
    asked = world.people.asked
    assert browser.fill_in(page).status_code == 401
    assert world.people.asked == asked


def test_a_right_password_is_not_forgiven_before_its_session_is_open(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    for _ in range(3):
        browser.fill_in(page, password="wrong")
    _silence_after_the_check(world)
    assert browser.fill_in(page).status_code == 503
    # Right and wrong leave the same behind, so that the next wait tells nothing.
    assert max(_failures(world)) == 4


def test_who_asked_a_second_ago_is_not_turned_away_because_a_neighbour_was_quicker(world: World) -> None:
    doors = [Door(key="pair", free=4, forgets=True), Door(key="network", free=60, forgets=False)]
    patience = Patience(first=2, longest=900, memory=3600)
    assert world.store.attempts.knock(doors, patience, at=1001)
    assert world.store.attempts.knock(doors, patience, at=1000)


def test_who_hammers_at_a_closed_door_leaves_nothing_behind(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    for number in range(61):
        browser.fill_in(page, f"name{number}", "wrong")
    before = len(_failures(world))
    for number in range(20):
        browser.fill_in(page, f"another{number}", "wrong")
    assert len(_failures(world)) == before


def test_without_a_record_nobody_logs_in(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    world.recorder.down = True
    answer = browser.fill_in(page)
    assert answer.status_code == 503
    assert "record_unavailable" in answer.text
    assert browser.cookie("__Host-sso-session") == ""
    assert browser.fill_in(page, password="wrong").status_code == 503
    assert world.store.sessions.of(LI, int(world.clock.now().timestamp())) == []


def test_the_session_cookie_is_new_at_every_login_and_planted_ones_are_ignored(world: World) -> None:
    browser = world.browser()
    browser.client.set_cookie("__Host-sso-session", "planted" * 6, domain=world.site.host("sso"), secure=True)
    browser.log_in("gateway")
    first = browser.cookie("__Host-sso-session")
    assert "planted" not in first
    browser.fill_in(browser.follow(browser.authorize("gateway", prompt="login")))
    second = browser.cookie("__Host-sso-session")
    assert second not in ("", first)
    thief = world.browser()
    thief.client.set_cookie("__Host-sso-session", first, domain=world.site.host("sso"), secure=True)
    assert thief.get("/account").status_code == 303


def test_cookies_are_bound_to_the_host_and_unreadable_for_scripts(world: World) -> None:
    browser = world.browser()
    answer = browser.fill_in(browser.follow(browser.authorize("gateway")))
    cookies = [header for name, header in answer.headers if name == "Set-Cookie"]
    session = next(header for header in cookies if header.startswith("__Host-sso-session="))
    for flag in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"):
        assert flag in session
    assert "Domain" not in session


def test_logging_in_as_somebody_else_ends_the_session_before(world: World) -> None:
    browser = world.browser()
    tokens = world.redeem("tax", browser.log_in("tax")["code"]).get_json()
    page = browser.follow(browser.authorize("gateway", prompt="login"))
    assert "code" in answered(browser.fill_in(page, "wang.wei"))
    assert world.bearer(tokens["access_token"]).status_code == 401
    assert "sso.session.ended" in world.drain()


def test_a_form_without_its_token_changes_nothing(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    form = {"interaction": hidden(page.text, "interaction"), "username": "li.na", "password": "correct horse li.na"}
    forged = browser.client.post("/login", base_url=world.issuer, data=form, headers={"Referer": world.issuer})
    assert forged.status_code == 403
    browser.log_in("gateway")
    for path in ("/account/sessions/end-all", "/account/sessions/end", "/account/consents/withdraw", "/logout"):
        answer = browser.client.post(path, base_url=world.issuer, data={}, headers={"Referer": world.issuer})
        assert answer.status_code == 403, path
        assert browser.get("/account").status_code == 200


def test_nothing_is_changed_by_get(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    for path in ("/account/sessions/end-all", "/account/sessions/end", "/account/consents/withdraw", "/login/card"):
        browser.get(path)
    assert browser.get("/account").status_code == 200
    assert "code" in answered(browser.authorize("tax"))


def test_an_idle_session_asks_again_and_goes_on(world: World) -> None:
    browser = world.browser()
    tokens = world.redeem("tax", browser.log_in("tax")["code"]).get_json()
    world.clock.advance(timedelta(minutes=30))
    page = browser.follow(browser.authorize("tax"))
    assert "code" in answered(browser.fill_in(page))
    fresh = world.token("tax", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert fresh.status_code == 200


def test_a_session_is_over_after_ten_hours_whatever_happens(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    for _ in range(29):
        world.clock.advance(timedelta(minutes=20))
        assert browser.get("/account").status_code == 200
    world.clock.advance(timedelta(minutes=20))
    assert browser.get("/account").status_code == 303
    world.service.housekeeping.batch()
    assert "sso.session.ended" in world.drain()


def test_policies_may_refuse_or_ask_for_a_card(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    world.decision = LoginDecision(allowed=False, reasons=("kept-apart",), version="7", code="separation")
    answer = browser.fill_in(page)
    assert answer.status_code == 403
    assert "kept-apart" in answer.text
    event = world.recorder.events[-1]
    assert (event.outcome, event.policy, event.session) == (Outcome.DENIED, "7", "")
    world.decision = LoginDecision(allowed=False, step_up=2)
    answer = browser.fill_in(page)
    assert answer.status_code == 403
    assert 'action="/login/card"' in answer.text
    assert browser.cookie("__Host-sso-session") == ""


def test_somebody_disabled_while_logging_in_gets_no_session(world: World) -> None:
    world.hear("directory.person.disabled", subject=LI)
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    assert browser.fill_in(page).status_code == 401
    world.hear("directory.person.enabled", subject=LI, outcome=Outcome.INTENDED)
    assert browser.fill_in(page).status_code == 401
    world.hear("directory.person.enabled", subject=LI)
    assert browser.fill_in(page).status_code == 303


# The card host.


@pytest.mark.parametrize("secret", [b"x" * 32, b""])
def test_a_certificate_header_from_outside_the_proxy_is_worth_nothing(world: World, secret: bytes) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    answer = browser.card(page, f"card 1a2b {WANG}", secret=secret)
    assert answer.status_code == 401
    assert "Location" not in answer.headers


def test_a_certificate_header_at_the_other_host_is_not_read(world: World) -> None:
    browser = world.browser()
    headers = {"Tallygate-Client-Certificate": f"card%201a2b%20{WANG}"}
    page = browser.follow(browser.authorize("gateway"))
    answer = browser.client.get(
        "/login", base_url=world.issuer, query_string={"interaction": hidden(page.text, "interaction")}, headers=headers
    )
    assert 'name="password"' in answer.text


@pytest.mark.parametrize(
    ("certificate", "code"),
    [
        (None, "did not show"),
        ("nonsense", "could not be accepted"),
        ("card 1a2b nobody", "could not be accepted"),
        ("x" * 20_000, "did not show"),
    ],
)
def test_a_card_that_does_not_count_is_explained_and_recorded(world: World, certificate: str | None, code: str) -> None:
    browser = world.browser()
    answer = browser.card(browser.follow(browser.authorize("gateway")), certificate)
    assert answer.status_code == 401
    assert code in answer.text
    assert world.recorder.events[-1].outcome is Outcome.FAILURE


def test_a_withdrawn_card_or_a_disabled_holder_is_refused(world: World) -> None:
    browser = world.browser()
    world.cards.withdrawn.add("1a2b")
    answer = browser.card(browser.follow(browser.authorize("gateway")), f"card 1a2b {WANG}")
    assert "suspended or revoked" in answer.text
    world.cards.withdrawn.clear()
    world.people.disable(WANG)
    assert browser.card(browser.follow(browser.authorize("gateway")), f"card 1a2b {WANG}").status_code == 401
    world.people.enable(WANG)
    world.cards.down = True
    assert browser.card(browser.follow(browser.authorize("gateway")), f"card 1a2b {WANG}").status_code == 503


def test_a_card_suspended_between_the_two_hosts_opens_nothing(world: World) -> None:
    browser = world.browser()
    answer = browser.card(browser.follow(browser.authorize("gateway")), f"card 1a2b {WANG}")
    world.hear("ca.certificate.suspended", subject=WANG, object_="1a2b")
    assert browser.back(answer).status_code == 401
    world.hear("ca.certificate.released", subject=WANG, object_="1a2b")
    answer = browser.card(browser.follow(browser.authorize("gateway")), f"card 1a2b {WANG}")
    assert browser.back(answer).status_code == 303


def test_a_handover_works_once_in_its_own_browser_and_for_a_minute(world: World) -> None:
    browser, thief = world.browser(), world.browser()
    answer = browser.card(browser.follow(browser.authorize("gateway")), f"card 1a2b {WANG}")
    thief.follow(thief.authorize("gateway"))
    assert thief.back(answer).status_code == 400
    assert browser.back(answer).status_code == 303
    assert browser.back(answer).status_code == 400
    late = browser.card(browser.follow(browser.authorize("gateway", prompt="login")), f"card 1a2b {WANG}")
    world.clock.advance(timedelta(seconds=60))
    assert browser.back(late).status_code == 400


def test_a_ticket_works_once(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    ticket = browser.post("/login/card", page, interaction=hidden(page.text, "interaction")).location
    token = ticket.split("ticket=")[1].split("&")[0]
    visitor = _visitor()
    world.service.login.card_shown(token, f"card 1a2b {WANG}".encode(), visitor=visitor)
    with pytest.raises(InteractionLost):
        world.service.login.card_shown(token, f"card 1a2b {WANG}".encode(), visitor=visitor)


def _silence_after_the_check(world: World) -> None:
    """The log dies in the very moment in which a password is looked at."""
    check = world.people.authenticate

    def silenced(username: str, password: str) -> Person:
        world.recorder.down = True
        return check(username, password)

    world.people.authenticate = silenced  # type: ignore[method-assign]  # one thing of a good default is overridden


def _failures(world: World) -> list[int]:
    with world.database.reading() as connection:
        return list(connection.execute(select(ATTEMPTS.c.failures).order_by(ATTEMPTS.c.key)).scalars())


def _visitor() -> Visitor:
    return Visitor(address="203.0.113.7", network="203.0.113.0/24", agent="")


def _without_tokens(page: str) -> str:
    plain = re.sub(r'interaction=[\w-]+|data-options="[^"]*"', "", page)
    return re.sub(r'(name="(csrf_token|interaction|asked)" value=")[^"]*', r"\1", plain)


def test_guesses_at_one_application_from_everywhere_wait_an_hour_at_most_and_known_browsers_never(
    tmp_path: Path,
) -> None:
    world = make_world(tmp_path, settings=SSOSettings(client_logins_free=3))
    mine = world.browser()
    mine.log_in("tax")
    for number in range(5):
        guesser = world.browser()
        page = guesser.follow(guesser.authorize("tax"))
        guesser.client.environ_base["REMOTE_ADDR"] = f"203.0.{number}.1"
        assert guesser.fill_in(page, f"user-{number}", "wrong").status_code == 401
    reasons = [each.attributes["reason"] for each in world.recorder.events if each.attributes.get("reason")]
    assert reasons == ["wrong", "wrong", "wrong", "wrong", "waiting"]
    # Whoever logged in here before, and whoever goes elsewhere, does not wait.
    assert mine.fill_in(mine.follow(mine.authorize("tax", prompt="login"))).status_code == 303
    assert world.browser().log_in("social")["code"]
    world.clock.advance(timedelta(hours=1))
    assert world.browser().log_in_again_or_in("tax")["code"]
    world.database.close()
