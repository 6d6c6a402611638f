# SPDX-License-Identifier: Apache-2.0
"""The way back to an account, walked in its order and out of it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from audit import Entry, Event, Outcome
from core.errors import Unavailable
from tests.fakes.sso_directory import LI, WANG
from tests.sso.conftest import Browser, World, make_world
from tests.sso.test_factors_codes import code, set_up

NEW = "eleven green kettles"


class Mailbox:
    """Takes letters; ``down`` as a mail server may be."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, str, str]] = []
        self.numbers: list[str] = []
        self.down = False

    def __call__(self, address: str, subject: str, text: str, number: str) -> bool:
        if self.down:
            raise Unavailable
        self.letters.append((address, subject, text))
        self.numbers.append(number)
        return True

    def link(self, what: str = "link") -> str:
        """The secret of the newest letter."""
        found = re.findall(rf"[?&]{what}=(\S+)", self.letters[-1][2])
        return str(found[-1])


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def posted(tmp_path: Path, mailbox: Mailbox) -> World:
    return make_world(tmp_path, post=mailbox)


def ask(world: World, username: str = "li.na") -> TestResponse:
    browser = world.browser()
    answer = browser.post("/recover", browser.get("/recover"), username=username)
    world.service.letters.round()
    return answer


def opened(world: World, link: str) -> tuple[Browser, TestResponse]:
    browser = world.browser()
    answer = browser.post("/recover/open", browser.get("/recover", link=link), link=link)
    return browser, answer


def set_password(browser: Browser, password: str = NEW) -> TestResponse:
    return browser.post("/recover/password", browser.get("/recover/stop"), password=password, again=password)


def test_a_lost_password_is_set_anew_by_a_mailed_link(posted: World, mailbox: Mailbox) -> None:
    before = posted.browser()
    before.log_in()
    ask(posted)
    assert mailbox.letters[-1][0] == "li.na@city.example"
    # Never from a Host header: the link is the issuer's.
    assert f"{posted.issuer}/recover?link=" in mailbox.letters[-1][2]
    browser, answer = opened(posted, mailbox.link())
    assert answer.status_code == 303
    assert "Go on" in browser.get("/recover").text
    browser.post("/recover/prove", browser.get("/recover"))
    weak = set_password(browser, "short")
    assert weak.status_code == 400
    assert "too short" in weak.text
    assert "stolen or common" in set_password(browser, "password1234").text
    assert "Please log in" in set_password(browser).text
    assert posted.people.passwords[LI] == NEW
    assert before.get("/account").status_code == 303
    posted.service.letters.round()
    assert "recovered" in mailbox.letters[-1][1]
    types = posted.drain()
    assert types.count("sso.recovery.done") == 1
    assert types.index("sso.recovery.asked") < types.index("sso.recovery.intended")
    login = posted.browser()
    assert login.fill_in(login.follow(login.authorize()), password=NEW).status_code == 303
    # Once: neither the step nor the link works again.
    assert "begin again" in set_password(browser).text


def test_a_link_works_once_and_in_one_browser(posted: World, mailbox: Mailbox) -> None:
    ask(posted)
    link = mailbox.link()
    # A scanner that follows links changes nothing.
    posted.browser().get("/recover", link=link)
    first, answer = opened(posted, link)
    assert answer.status_code == 303
    second, refused = opened(posted, link)
    assert refused.status_code == 400
    thief = posted.browser()
    for browser in (second, thief):
        assert "begin again" in set_password(browser).text
    first.post("/recover/prove", first.get("/recover"))
    assert "Please log in" in set_password(first).text


def test_no_step_is_left_out(posted: World, mailbox: Mailbox) -> None:
    ask(posted)
    link = mailbox.link()
    stranger = posted.browser()
    page = stranger.get("/recover")
    for path, form in (
        ("/recover/prove", {"code": ""}),
        ("/recover/lose", {}),
        ("/recover/password", {"password": NEW, "again": NEW}),
        ("/recover/stop", {"stop": "x"}),
        ("/recover/open", {"link": "x" * 43}),
    ):
        assert stranger.post(path, page, **form).status_code == 400, path
    browser, _ = opened(posted, link)
    # The password's step comes after the proof's, whatever the form says.
    answer = browser.post("/recover/password", browser.get("/recover"), password=NEW, again=NEW, username="wang.wei")
    assert answer.status_code == 400
    assert posted.people.passwords == {}


def test_a_worker_that_dies_while_it_sets_the_password_leaves_a_way_on(posted: World, mailbox: Mailbox) -> None:
    ask(posted)
    browser, _ = opened(posted, mailbox.link())
    browser.post("/recover/prove", browser.get("/recover"))
    at = int(posted.clock.now().timestamp())
    (proven,) = posted.store.recoveries.waiting_of(LI, at)
    assert posted.store.recoveries.move(proven, "setting", at, changed={"ready_at": at + 120})
    form = browser.get("/recover/stop")
    for wait in (0, 119):
        posted.clock.advance(timedelta(seconds=wait))
        posted.service.recoveries.post()
        assert browser.post("/recover/password", form, password=NEW, again=NEW).status_code == 400
    posted.clock.advance(timedelta(seconds=1))
    posted.service.recoveries.post()
    assert browser.post("/recover/password", form, password=NEW, again=NEW).status_code == 200
    assert posted.people.passwords == {LI: NEW}


def test_another_name_in_between_changes_nobody_elses_password(posted: World, mailbox: Mailbox) -> None:
    ask(posted)
    browser, _ = opened(posted, mailbox.link())
    browser.post("/recover/prove", browser.get("/recover"), username="wang.wei", subject=WANG)
    page = browser.get("/recover")
    browser.post("/recover/password", page, password=NEW, again=NEW, username="wang.wei", subject=WANG)
    assert posted.people.passwords == {LI: NEW}


def test_every_name_is_answered_alike(posted: World, mailbox: Mailbox) -> None:
    posted.people.disable(WANG)
    answers = {name: ask(posted, name) for name in ("li.na", "wang.wei", "nobody", "*)(uid=*", "x" * 150)}
    assert {answer.status_code for answer in answers.values()} == {200}
    texts = {re.sub(r'value="[^"]*"', "", answer.text) for answer in answers.values()}
    assert len(texts) == 1
    assert [letter[0] for letter in mailbox.letters] == ["li.na@city.example"]


def test_asking_is_limited_for_known_and_unknown_names_alike(posted: World) -> None:
    for name in ("li.na", "nobody"):
        found = [ask(posted, name).status_code for _ in range(5)]
        assert found == [200, 200, 200, 200, 429]


def test_a_second_factor_in_force_is_asked_for(posted: World, mailbox: Mailbox) -> None:
    secret = in_force(posted)
    ask(posted)
    browser, _ = opened(posted, mailbox.link())
    page = browser.get("/recover")
    assert "One-time code" in page.text
    for wrong in ("", "000000", "abc"):
        assert browser.post("/recover/prove", page, code=wrong).status_code == 400
    assert set_password(browser).status_code == 400
    assert browser.post("/recover/prove", page, code=code(posted, secret)).status_code == 303
    assert "Please log in" in set_password(browser).text
    assert posted.service.factors.in_force(LI)


def test_whoever_lost_their_factor_too_waits_and_then_it_is_gone(posted: World, mailbox: Mailbox) -> None:
    in_force(posted)
    ask(posted)
    browser, _ = opened(posted, mailbox.link())
    browser.post("/recover/lose", browser.get("/recover"))
    posted.service.letters.round()
    assert "/recover/stop?stop=" in mailbox.letters[-1][2]
    count = len(mailbox.letters)
    posted.clock.advance(timedelta(days=3) - timedelta(minutes=1))
    posted.service.letters.round()
    assert len(mailbox.letters) == count
    assert set_password(browser).status_code == 400
    posted.clock.advance(timedelta(minutes=2))
    posted.service.letters.round()
    later, answer = opened(posted, mailbox.link())
    assert answer.status_code == 303
    assert "Please log in" in set_password(later).text
    assert not posted.service.factors.in_force(LI)
    assert posted.store.factors.code_app(LI) is None


@pytest.mark.parametrize("way", ["letter", "account", "password"])
def test_waiting_can_be_stopped(posted: World, mailbox: Mailbox, way: str) -> None:
    secret = in_force(posted)
    owner = posted.browser()
    owner.fill_in(owner.follow(owner.authorize()), code=code(posted, secret))
    ask(posted)
    browser, _ = opened(posted, mailbox.link())
    browser.post("/recover/lose", browser.get("/recover"))
    posted.service.letters.round()
    if way == "letter":
        stop = mailbox.link("stop")
        page = posted.browser()
        assert page.get("/recover/stop", stop=stop).status_code == 200
        assert "was stopped" in page.post("/recover/stop", page.get("/recover/stop", stop=stop), stop=stop).text
    elif way == "account":
        page_text = owner.get("/account")
        assert "on the way to a new password" in page_text.text
        owner.post("/account/recovery/stop", page_text)
    else:
        hear_password(posted)
    letters = len(mailbox.letters)
    posted.clock.advance(timedelta(days=4))
    posted.service.letters.round()
    assert len(mailbox.letters) == letters
    assert set_password(browser).status_code == 400
    assert "sso.recovery.stopped" in posted.drain()


def test_whoever_was_proofed_face_to_face_waits_even_with_a_code(posted: World, mailbox: Mailbox) -> None:
    ask(posted, "wang.wei")
    browser, _ = opened(posted, mailbox.link())
    browser.post("/recover/prove", browser.get("/recover"))
    assert "can be stopped" in browser.get("/recover").text
    assert set_password(browser).status_code == 400
    assert posted.people.passwords == {}


def test_a_link_dies_with_time_a_new_password_and_a_disabled_person(posted: World, mailbox: Mailbox) -> None:
    ask(posted)
    old = mailbox.link()
    posted.clock.advance(timedelta(minutes=31))
    assert opened(posted, old)[1].status_code == 400
    ask(posted)
    hear_password(posted)
    assert opened(posted, mailbox.link())[1].status_code == 400
    ask(posted)
    posted.people.disable(LI)
    assert opened(posted, mailbox.link())[1].status_code == 400


def test_links_and_steps_of_other_kinds_are_no_links(posted: World, mailbox: Mailbox) -> None:
    """A mailed value works for its own purpose alone."""
    ask(posted)
    link = mailbox.link()
    browser = posted.browser()
    assert browser.post("/recover/stop", browser.get("/recover/stop", stop=link), stop=link).status_code == 400
    assert posted.token("tax", grant_type="refresh_token", refresh_token=link).status_code == 400
    assert posted.redeem("tax", link).status_code == 400
    code = posted.browser().log_in()["code"]
    assert opened(posted, code)[1].status_code == 400
    assert opened(posted, link)[1].status_code == 303


def test_without_a_record_nothing_begins_and_no_link_goes_out(posted: World, mailbox: Mailbox) -> None:
    browser = posted.browser()
    page = browser.get("/recover")
    posted.recorder.down = True
    assert browser.post("/recover", page, username="li.na").status_code == 503
    posted.recorder.down = False
    browser.post("/recover", page, username="li.na")
    posted.recorder.down = True
    with pytest.raises(Unavailable):
        posted.service.letters.round()
    assert mailbox.letters == []
    posted.recorder.down = False
    posted.service.letters.round()
    assert len(mailbox.letters) == 1


def test_a_mail_server_that_is_away_is_tried_again_under_the_same_number(posted: World, mailbox: Mailbox) -> None:
    mailbox.down = True
    ask(posted)
    assert mailbox.letters == []
    mailbox.down = False
    posted.service.letters.round()
    assert mailbox.letters == []
    posted.clock.advance(timedelta(seconds=20))
    posted.service.letters.round()
    posted.clock.advance(timedelta(seconds=60))
    posted.service.letters.round()
    assert len(mailbox.letters) == 1


def test_a_site_without_mail_leads_to_the_desk(world: World) -> None:
    page = world.browser().get("/recover")
    assert "registration desk" in page.text
    assert "Mail me" not in page.text
    assert "/recover" not in world.browser().get("/login").text


def in_force(world: World) -> bytes:
    """Give Li an app that counts already."""
    secret = set_up(world, "li.na")
    world.clock.advance(timedelta(days=4))
    return secret


def hear_password(world: World) -> None:
    event = Event(
        key="0" * 32,
        type="directory.person.changed",
        outcome=Outcome.SUCCESS,
        at=world.clock.now(),
        source="directory",
        subject=LI,
        attributes={"what": "password"},
    )
    world.service.news.hear([Entry(index=world.heard, event=event)])
    world.heard += 1
