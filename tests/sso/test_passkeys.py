# SPDX-License-Identifier: Apache-2.0
"""Passkeys: what they prove, and how they are copied, replayed, planted and shown to the wrong page."""

import html
import json
import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from audit import Outcome
from sso.factors import PASSKEY, strength
from sso.models import Session
from tests.fakes.authenticator import BE, UP, UV, Device
from tests.fakes.sso_directory import LI, WANG
from tests.sso.conftest import Browser, World, answered, hidden


def test_a_passkey_logs_in_without_user_name_at_level_two(world: World) -> None:
    device = made(world, by_card=WANG)
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway", acr_values="2"))
    assert "code" in answered(shown(browser, page, device))
    session = session_by(world, WANG, "swk")
    assert (session.methods, session.assurance, strength(PASSKEY)) == (PASSKEY, 2, 2)
    login = next(event for event in reversed(world.recorder.events) if event.type == "sso.login")
    assert (login.subject, login.attributes["amr"]) == (WANG, "swk user mfa")
    # It is no card: what asks for level 3 does not offer it.
    assert "data-passkey" not in browser.follow(browser.authorize("gateway", acr_values="3")).text


def test_the_proofing_lowers_what_a_passkey_proves(world: World) -> None:
    device = made(world, "li.na")
    world.clock.advance(timedelta(days=3))
    weak = world.people.people[LI]
    world.people.people[LI] = type(weak)(**{**vars(weak), "proofing": type(weak.proofing)(level=1)})
    browser = world.browser()
    shown(browser, browser.follow(browser.authorize("gateway")), device)
    assert session_by(world, LI, "swk").assurance == 1


def test_one_person_has_several_and_removes_each(world: World) -> None:
    first, second = made(world, by_card=WANG), made(world, by_card=WANG)
    with_second = world.browser()
    shown(with_second, with_second.follow(with_second.authorize("gateway")), second)
    browser = world.browser()
    shown(browser, browser.follow(browser.authorize("gateway")), first)
    page = browser.get("/account/factors")
    assert page.text.count("<h3>my telephone</h3>") == 2
    (chosen,) = (each.id for each in world.store.passkeys.of(WANG) if each.credential == second.credential)
    assert browser.post("/account/factors/passkeys/remove", page, passkey=chosen).status_code == 303
    # What was opened with it is over, and it opens nothing any more; the other one does.
    assert with_second.get("/account").status_code == 303
    again = world.browser()
    assert shown(again, again.follow(again.authorize("gateway")), second).status_code == 401
    assert shown(again, again.follow(again.authorize("gateway")), first).status_code == 303
    assert "sso.factor.removed" in world.drain()


def test_nobody_removes_anothers(world: World) -> None:
    device = made(world, by_card=WANG)
    (passkey,) = world.store.passkeys.of(WANG)
    thief = world.browser()
    thief.log_in("tax")
    page = thief.get("/account/factors")
    assert thief.post("/account/factors/passkeys/remove", page, passkey=passkey.id).status_code == 303
    browser = world.browser()
    assert shown(browser, browser.follow(browser.authorize("gateway")), device).status_code == 303


def test_an_answer_counts_once(world: World) -> None:
    device = made(world, by_card=WANG)
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    answer = device.used(options(page))
    twice = {"interaction": hidden(page.text, "interaction"), "asked": hidden(page.text, "asked"), "credential": answer}
    assert browser.post("/login/passkey", page, **twice).status_code == 303
    renewed = browser.follow(browser.authorize("tax", prompt="login"))
    # Neither again, nor for another request of the same browser.
    other = {**twice, "interaction": hidden(renewed.text, "interaction")}
    assert browser.post("/login/passkey", renewed, **other).status_code == 401


def test_parallel_answers_open_one_session(world: World) -> None:
    device = made(world, by_card=WANG)
    browsers = [world.browser() for _ in range(4)]
    page = browsers[0].follow(browsers[0].authorize("gateway"))
    for other in browsers[1:]:
        other.client = world.app.test_client()
        other.client._cookies = dict(browsers[0].client._cookies or {})
    form = {
        "interaction": hidden(page.text, "interaction"),
        "asked": hidden(page.text, "asked"),
        "credential": device.used(options(page)),
    }
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda at=at: answers.append(at.post("/login/passkey", page, **form).status_code))
        for at in browsers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Who comes when the first is through finds the request answered: 400, where its answer was used: 401.
    first, *others = sorted(answers)
    assert (first, len(others)) == (303, 3)
    assert set(others) <= {400, 401}
    logins = [event.outcome for event in world.recorder.events if event.type == "sso.login"]
    assert logins.count(Outcome.SUCCESS) == 2  # the one that made the passkey, by card, and this


def test_a_copied_key_is_noticed_by_its_count(world: World) -> None:
    device = made(world, by_card=WANG, uses=7)
    copy = Device(**vars(device))
    browser = world.browser()
    assert shown(browser, browser.follow(browser.authorize("gateway")), device).status_code == 303
    thief = world.browser()
    assert shown(thief, thief.follow(thief.authorize("gateway")), copy).status_code == 401


WRONG: dict[str, dict[str, Any]] = {
    "another origin": {"origin": "https://evil.example"},
    "another host": {"host": "evil.example"},
    "inside a page of others": {"client": {"crossOrigin": True}},
    "inside a named page of others": {"client": {"topOrigin": "https://evil.example"}},
    "another question": {"client": {"challenge": "AAAA"}},
    "another purpose": {"client": {"type": "webauthn.create"}},
    "a device that knows nobody": {"flags": UP},
    "a device nobody touched": {"flags": UV},
    "somebody else's": {"subject": LI},
    "nobody's": {"subject": ""},
    "another key": {"key": Device("", "").key},
    "an unknown credential": {"name": b"unknown"},
}


def test_whatever_is_wrong_with_an_answer_opens_nothing_and_is_not_told(world: World) -> None:
    device = made(world, by_card=WANG)
    browser = world.browser()
    told = set()
    for change in WRONG.values():
        wrong = Device(**{**vars(device), **change})
        answer = shown(browser, browser.follow(browser.authorize("gateway")), wrong)
        assert answer.status_code == 401, change
        told.add(re.search(r'id="login-error">([^<]*)', answer.text)[1])  # type: ignore[index]  # it is there
    for garbage in ("", "{}", "[]", "null", "7", '{"id":1,"response":{}}', '{"id":"a","response":null}', "[" * 7000):
        page = browser.follow(browser.authorize("gateway"))
        form = {"interaction": hidden(page.text, "interaction"), "asked": hidden(page.text, "asked")}
        assert browser.post("/login/passkey", page, **form, credential=garbage).status_code == 401, garbage[:40]
    assert len(told) == 1
    logins = [event.attributes for event in world.recorder.events if event.type == "sso.login"]
    reasons = [said["reason"] for said in logins if said.get("method") == "passkey"]
    assert set(reasons) == {"wrong"}
    assert len(reasons) == len(WRONG) + 8


def test_the_disabled_have_no_use_of_it(world: World) -> None:
    device = made(world, by_card=WANG)
    world.people.disable(WANG)
    browser = world.browser()
    assert shown(browser, browser.follow(browser.authorize("gateway")), device).status_code == 401
    # Nor while only the record has said so.
    world.people.enable(WANG)
    world.hear("directory.person.disabled", subject=WANG)
    assert shown(browser, browser.follow(browser.authorize("gateway")), device).status_code == 401


def test_what_a_password_alone_set_up_waits_and_its_owner_is_told(world: World) -> None:
    device = made(world, "li.na")
    thief = world.browser()
    shown(thief, thief.follow(thief.authorize("gateway")), device)
    session = session_by(world, LI, "swk")
    assert (session.methods, session.assurance) == (("swk", "user"), 1)
    owner = world.browser()
    owner.log_in("tax")
    assert "was set up for your account" in owner.get("/account").text
    page = owner.get("/account/factors")
    removed = owner.post("/account/factors/passkeys/remove", page, passkey=hidden(page.text, "passkey"))
    assert removed.status_code == 303
    assert thief.get("/account").status_code == 303
    assert world.store.passkeys.of(LI) == []


def test_once_in_force_a_password_alone_changes_nothing(world: World) -> None:
    device = made(world, "li.na")
    world.clock.advance(timedelta(days=3))
    browser = world.browser()
    browser.log_in("tax")
    page = browser.get("/account/factors")
    assert "data-passkey" not in page.text
    form = browser.get("/account")
    for path in ("passkeys", "passkeys/remove", "codes"):
        answer = browser.post(f"/account/factors/{path}", form, passkey="x", asked="x")
        assert (answer.status_code, "login_too_old" in answer.text) == (403, True), path
    sure = world.browser()
    shown(sure, sure.follow(sure.authorize("tax")), device)
    assert "data-passkey" in sure.get("/account/factors").text


def test_codes_on_paper_help_whoever_has_passkeys_alone_once_each(world: World) -> None:
    made(world, by_card=WANG)
    browser = card(world, WANG)
    paper = browser.post("/account/factors/recovery", browser.get("/account/factors"))
    code = re.findall(r"<code>([^<]+)</code>", paper.text)[0]
    lost = world.browser()
    answer = lost.fill_in(lost.follow(lost.authorize("gateway")), "wang.wei", code=code)
    assert answer.status_code == 303
    assert session_by(world, WANG, "otp").assurance == 2
    page = lost.follow(lost.authorize("gateway", prompt="login"))
    assert lost.fill_in(page, "wang.wei", code=code).status_code == 401
    # The password alone is still worth one factor.
    assert lost.fill_in(page, "wang.wei").status_code == 303


@pytest.mark.parametrize(
    "change",
    [{"origin": "https://evil.example"}, {"host": "evil.example"}, {"flags": UP}, {"client": {"type": "webauthn.get"}}],
)
def test_only_a_key_made_for_this_page_is_kept(world: World, change: dict[str, Any]) -> None:
    browser = card(world, WANG)
    page = browser.get("/account/factors")
    device = Device(**{**vars(new_device(world)), **change})
    assert keep(browser, page, device.made(options(page))).status_code == 400
    fine = new_device(world)
    for garbage in ("", "{}", fine.made(options(page), fmt="tpm"), fine.made(options(page), authData=b"short")):
        assert keep(browser, page, garbage).status_code == 400
    assert world.store.passkeys.of(WANG) == []


def test_a_setup_belongs_to_its_session_and_counts_once(world: World) -> None:
    browser, other = card(world, WANG), card(world, WANG)
    page = browser.get("/account/factors")
    device = new_device(world)
    answer = device.made(options(page))
    assert keep(other, page, answer, other.get("/account/factors")).status_code == 400
    assert keep(browser, page, answer).status_code == 303
    second = keep(browser, page, answer)
    assert (second.status_code, "setup_lost" in second.text) == (400, True)
    # The login's question is no setup's, nor the other way round.
    login = browser.follow(browser.authorize("gateway", prompt="login"))
    crossed = browser.post(
        "/login/passkey",
        login,
        interaction=hidden(login.text, "interaction"),
        asked=hidden(page.text, "asked"),
        credential=device.used(options(page)),
    )
    assert crossed.status_code == 401


def test_nobody_has_more_than_can_be_told_apart(world: World) -> None:
    browser = card(world, WANG)
    page = browser.get("/account/factors")
    for _number in range(10):
        assert keep(browser, page, new_device(world).made(options(page))).status_code == 303
        page = browser.get("/account/factors")
    answer = keep(browser, page, new_device(world).made(options(page)))
    assert (answer.status_code, "as many passkeys" in answer.text) == (409, True)


def test_without_a_session_nothing_is_made(world: World) -> None:
    browser = world.browser()
    form = browser.follow(browser.get("/account"))
    for path in ("passkeys", "passkeys/remove"):
        assert browser.post(f"/account/factors/{path}", form).location.startswith("/login?"), path
    script = browser.get("/passkeys.js")
    assert script.content_type.startswith("text/javascript")


def test_no_key_is_named_on_the_login_page(world: World) -> None:
    made(world, by_card=WANG)
    browser = world.browser()
    asked = json.loads(options(browser.follow(browser.authorize("gateway"))))
    assert (asked["allowCredentials"], asked["userVerification"]) == ([], "required")
    assert asked["rpId"] == world.site.host("sso")


def session_by(world: World, subject: str, method: str) -> Session:
    return next(each for each in world.store.sessions.of(subject, now(world)) if method in each.methods)


def now(world: World) -> int:
    return int(world.clock.now().timestamp())


def new_device(world: World, uses: int = 0) -> Device:
    return Device(world.issuer, world.site.host("sso"), flags=UP | UV | BE, uses=uses)


def options(page: TestResponse) -> str:
    found = re.search(r'data-options="([^"]*)"', page.text)
    assert found, page.text
    return html.unescape(found[1])


def keep(browser: Browser, page: TestResponse, answer: str, form: TestResponse | None = None) -> TestResponse:
    asked = hidden(page.text, "asked")
    return browser.post("/account/factors/passkeys", form or page, asked=asked, credential=answer, name="my telephone")


def shown(browser: Browser, page: TestResponse, device: Device) -> TestResponse:
    form = {"interaction": hidden(page.text, "interaction"), "asked": hidden(page.text, "asked")}
    return browser.post("/login/passkey", page, **form, credential=device.used(options(page)))


def card(world: World, subject: str) -> Browser:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    assert browser.back(browser.card(page, f"card 1a {subject}")).status_code == 303
    return browser


def made(world: World, username: str = "", *, by_card: str = "", uses: int = 0) -> Device:
    """A passkey of somebody, set up at "My account" after a login by card or by password."""
    browser = card(world, by_card) if by_card else world.browser()
    if not by_card:
        browser.log_in("tax", username)
    page = browser.get("/account/factors")
    device = new_device(world, uses)
    kept = keep(browser, page, device.made(options(page)))
    assert kept.status_code == 303, kept.text
    return device
