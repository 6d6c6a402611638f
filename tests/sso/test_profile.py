# SPDX-License-Identifier: Apache-2.0
"""One's own profile and password, browsers one is known by, and logins that may be somebody else's."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import TestResponse

from tests.fakes.sso_directory import LI
from tests.sso.conftest import Browser, World, hidden, make_world
from tests.sso.test_recovery import NEW, Mailbox

OLD = "correct horse li.na"
HOME, CAFE = "192.0.2.9", "198.51.100.7"


def from_network(browser: Browser, address: str) -> Browser:
    browser.client.environ_base["REMOTE_ADDR"] = address
    return browser


def log_in(world: World, address: str, browser: Browser | None = None) -> Browser:
    browser = from_network(browser or world.browser(), address)
    answer = browser.fill_in(browser.follow(browser.authorize("gateway", prompt="login")))
    assert answer.status_code == 303, answer.text
    return browser


def change(browser: Browser, current: str = OLD, password: str = NEW, again: str = NEW) -> TestResponse:
    return browser.post("/account/password", browser.get("/account"), current=current, password=password, again=again)


def test_people_see_what_the_directory_holds_and_change_their_own_part(world: World) -> None:
    browser = log_in(world, HOME)
    page = browser.get("/account/profile")
    for shown in ("Li Na", "li.na@city.example", "level 2 of 3", "registration desk alone"):
        assert shown in page.text
    form = {"mail": "na@post.example", "telephone": "555 0101", "language": "zh"}
    # Names, levels and roles are nobody's own to change, whatever the form says.
    more = {"name": "Somebody Else", "proofing": "3", "roles": "ra-officer", "username": "wang.wei"}
    assert browser.post("/account/profile", page, **form, **more).status_code == 303
    person = world.people.person(LI)
    assert (person.mail, person.name, person.proofing.level) == ("na@post.example", "Li Na", 2)
    assert browser.post("/account/profile", page, **{**form, "mail": "no address"}).status_code == 400


def test_a_change_asks_for_a_login_of_the_last_minutes(world: World) -> None:
    browser = log_in(world, HOME)
    world.clock.advance(timedelta(minutes=6))
    assert "log in once more" in browser.get("/account/profile").text
    assert change(browser).status_code == 403
    assert browser.post("/account/profile", browser.get("/account"), mail="x@y.example").status_code == 403
    assert world.people.passwords == {}
    again = browser.follow(browser.get("/account/profile/again"))
    assert browser.fill_in(again).location == "/account/profile"
    assert change(browser).status_code == 303


def test_a_new_password_ends_every_session_and_is_the_one_that_counts(world: World) -> None:
    browser, other = log_in(world, HOME), log_in(world, HOME)
    assert change(browser).location == "/logged-out"
    assert [each.get("/account").status_code for each in (browser, other)] == [303, 303]
    assert browser.fill_in(browser.follow(browser.authorize("gateway"))).status_code == 401
    assert browser.fill_in(browser.follow(browser.authorize("gateway")), password=NEW).status_code == 303


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"current": "wrong"}, "present password is not right"),
        ({"again": "another"}, "same way twice"),
        ({"password": "short", "again": "short"}, "too short"),
        ({"password": "password1234", "again": "password1234"}, "stolen or common"),
    ],
)
def test_what_is_no_new_password_is_said_in_words_and_changes_nothing(
    world: World, form: dict[str, str], says: str
) -> None:
    browser = log_in(world, HOME)
    answer = change(browser, **form)
    assert answer.status_code == 400
    assert says in answer.text
    assert browser.get("/account").status_code == 200
    assert world.people.passwords == {}


def test_the_present_password_is_not_guessed_at_an_open_session(world: World) -> None:
    browser = log_in(world, HOME)
    found = [change(browser, current=f"guess {number}").status_code for number in range(6)]
    assert found == [400, 400, 400, 400, 400, 429]
    assert change(browser).status_code == 429


def test_who_guesses_in_the_same_network_keeps_nobody_waiting_in_a_known_browser(world: World) -> None:
    browser = log_in(world, HOME)
    attacker = from_network(world.browser(), HOME)
    page = attacker.follow(attacker.authorize("gateway"))
    for _ in range(12):
        attacker.fill_in(page, password="wrong")
    assert attacker.fill_in(page).status_code == 401
    login = browser.follow(browser.authorize("gateway", prompt="login"))
    assert browser.fill_in(login).status_code == 303


def test_a_known_browser_is_no_factor_and_has_its_own_delay(world: World) -> None:
    browser = log_in(world, HOME)
    login = browser.follow(browser.authorize("gateway", prompt="login"))
    found = [browser.fill_in(login, password=f"guess {number}").status_code for number in range(6)]
    assert set(found) == {401}
    assert browser.fill_in(login).status_code == 401


def test_a_cookie_of_another_person_or_made_up_spares_nobody(world: World) -> None:
    browser = log_in(world, HOME)
    cookie = browser.cookie("__Host-sso-known")
    assert cookie
    for value in (cookie, "x" * 43):
        other = from_network(world.browser(), HOME)
        other.client.set_cookie("__Host-sso-known", value, domain=world.site.host("sso"), secure=True)
        page = other.follow(other.authorize("gateway"))
        for _ in range(6):
            other.fill_in(page, "wang.wei", password="wrong")
        assert other.fill_in(page, "wang.wei").status_code == 401


def test_known_browsers_are_shown_forgotten_and_over_some_day(world: World) -> None:
    browser, other = log_in(world, HOME), log_in(world, HOME)
    page = browser.get("/account")
    known = world.store.browsers.of(LI, now(world))
    assert len(known) == 2
    assert page.text.count("Forget it</button>") == 2
    stranger = world.browser()
    stranger.log_in("gateway", "wang.wei")
    stranger.post("/account/browsers/forget", stranger.get("/account"), browser=known[0].id)
    assert len(world.store.browsers.of(LI, now(world))) == 2
    other.post("/account/browsers/forget", other.get("/account"), browser=known[0].id)
    assert len(world.store.browsers.of(LI, now(world))) == 1
    world.clock.advance(timedelta(days=181))
    assert world.store.browsers.of(LI, now(world)) == []


def test_a_first_login_and_a_known_place_are_nothing_to_ask_about(world: World) -> None:
    browser = log_in(world, HOME)
    log_in(world, HOME)
    log_in(world, CAFE, browser)
    assert "Was this you?" not in browser.get("/account").text


def test_a_new_browser_in_a_new_place_is_asked_about_and_told_by_letter(tmp_path: Path) -> None:
    mailbox = Mailbox()
    world = make_world(tmp_path, post=mailbox)
    owner = log_in(world, HOME)
    thief = log_in(world, CAFE)
    world.service.letters.round()
    assert [letter[0] for letter in mailbox.letters] == ["li.na@city.example"]
    assert "198.51.100.0/24" in mailbox.letters[0][2]
    page = owner.get("/account")
    assert "Was this you?" in page.text
    question = hidden(page.text, "login")
    stranger = world.browser()
    stranger.log_in("gateway", "wang.wei")
    stranger.post("/account/logins/answer", stranger.get("/account"), login=question, mine="no")
    assert thief.get("/account").status_code == 200
    assert owner.post("/account/logins/answer", page, login=question, mine="no").location == "/logged-out"
    assert [each.get("/account").status_code for each in (owner, thief)] == [303, 303]
    assert world.store.browsers.of(LI, now(world)) == []
    types = world.drain()
    assert types.count("sso.login.questioned") == 1
    assert types.count("sso.session.ended") == 2


def test_yes_it_was_me_asks_no_more(world: World) -> None:
    owner = log_in(world, HOME)
    log_in(world, CAFE)
    page = owner.get("/account")
    owner.post("/account/logins/answer", page, login=hidden(page.text, "login"), mine="yes")
    assert "Was this you?" not in owner.get("/account").text


def test_many_failures_before_a_success_are_asked_about(world: World) -> None:
    browser = from_network(world.browser(), HOME)
    page = browser.follow(browser.authorize("gateway"))
    for _ in range(5):
        browser.fill_in(page, password="wrong")
        world.clock.advance(timedelta(seconds=30))
    assert browser.fill_in(page).status_code == 303
    assert "after many wrong passwords" in browser.get("/account").text


def test_a_login_too_far_away_too_soon_is_asked_about(tmp_path: Path) -> None:
    world = make_world(tmp_path, distance=lambda one, other: 0 if one == other else 1200)
    browser = log_in(world, HOME)
    world.clock.advance(timedelta(hours=2))
    log_in(world, CAFE, browser)
    assert "too far" not in browser.get("/account").text
    world.clock.advance(timedelta(minutes=20))
    log_in(world, HOME, browser)
    assert "too far from where you were" in browser.get("/account").text


def test_a_session_names_its_place_where_the_site_knows_it(tmp_path: Path) -> None:
    world = make_world(tmp_path, place=lambda network: {"192.0.2.0/24": "Riverside <harbour>"}.get(network, ""))
    browser = log_in(world, HOME)
    page = browser.get("/account").text
    assert "(Riverside &lt;harbour&gt;)" in page
    # fullwidth parentheses, as Chinese has them
    assert "\uff08Riverside &lt;harbour&gt;\uff09" in browser.get("/account", lang="zh").text


def now(world: World) -> int:
    return int(world.clock.now().timestamp())


def test_the_page_leads_nobody_elsewhere(world: World) -> None:
    browser = world.browser()
    answer = browser.get("/account/profile")
    assert answer.status_code == 303
    assert parse_qs(urlsplit(answer.location).query)["interaction"]
    assert browser.get("/account/password").location == "/account/profile"
