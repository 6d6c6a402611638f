# SPDX-License-Identifier: Apache-2.0
"""People at the desk: looked at on record, sessions ended, factors reset by two; and what nobody may do there alone."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from audit import Outcome
from sso.models import CodeApp
from sso.web.admin import AGENCY
from tests.fakes.sso_directory import LI, WANG
from tests.sso.conftest import World, make_world
from tests.sso.desk import Officer, another, developer

PEOPLE = "/admin/people"
DAY = 86_400
ENDED = "sso.session.ended"


def enrol(world: World, subject: str = LI, *, counts: bool = True) -> None:
    """Give somebody an app, in force or not yet."""
    at = int(world.clock.now().timestamp())
    app = CodeApp(
        subject=subject, secret="sealed", step=0, created_at=at, counts_from=at + (0 if counts else DAY), used_at=None
    )
    event = world.service.records.factors_dropped(subject)
    assert world.store.factors.add_code_app(app, event)


def ask(officer: Officer, subject: str = LI) -> int:
    return officer.post(f"{PEOPLE}/{subject}/reset", form_at=PEOPLE, reason="came to the office").status_code


def decide(officer: Officer, world: World, choice: str = "confirm", subject: str = LI) -> int:
    [reset] = world.service.resets.under_way(subject)
    return officer.post(f"{PEOPLE}/{subject}/reset/{reset.id}", form_at=PEOPLE, choice=choice).status_code


def held(world: World, subject: str = LI) -> bool:
    return world.service.factors.any(subject)


def test_somebody_is_found_by_user_name_and_shown_without_secrets_after_it_is_recorded(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    enrol(world)
    world.entries = [{"type": "sso.login", "time": "2026-11-20T08:00:00", "where": "203.0.113.0/24"}]
    officer = Officer(world)
    answer = officer.post(f"{PEOPLE}/find", form_at=PEOPLE, username="li.na")
    assert answer.location == f"{PEOPLE}/{LI}"
    page = officer.get(answer.location).text
    assert all(said in page for said in ("Li Na", "Tax portal", "2026-11-20 08:00:00", "App for one-time codes"))
    assert "sealed" not in page
    assert browser.cookie("__Host-sso-session") not in page
    viewed = [each for each in world.recorder.events if each.type == "sso.person.viewed"]
    assert [(each.subject, each.actor) for each in viewed] == [(LI, WANG)]


def test_what_cannot_be_recorded_is_not_shown(world: World) -> None:
    officer = Officer(world)
    officer.get(PEOPLE)
    world.recorder.down = True
    answer = officer.get(f"{PEOPLE}/{LI}")
    assert answer.status_code == 503
    assert "Li Na" not in answer.text


def test_that_nobody_was_found_is_recorded_without_what_was_typed(world: World) -> None:
    answer = Officer(world).post(f"{PEOPLE}/find", form_at=PEOPLE, username="nobody*)(uid=*")
    assert answer.status_code == 404
    [failed] = [each for each in world.recorder.events if each.type == "sso.person.viewed"]
    assert (failed.outcome, failed.subject) == (Outcome.FAILURE, "")
    assert "nobody" not in str(failed)


@pytest.mark.parametrize("path", [PEOPLE, f"{PEOPLE}/{LI}"])
def test_an_agency_sees_nobody(world: World, path: str) -> None:
    assert developer(world).get(path).status_code == 403
    assert Officer(world, assurance=1).get(path).status_code == 403


def test_one_session_or_all_are_ended_and_another_persons_never(world: World) -> None:
    first, second, other = world.browser(), world.browser(), world.browser()
    first.log_in("tax")
    second.log_in_again_or_in("tax")
    other.log_in("tax", username="wang.wei")
    at = int(world.clock.now().timestamp())
    sids = [each.sid for each in world.store.sessions.of(LI, at)]
    [foreign] = world.store.sessions.of(WANG, at)
    officer = Officer(world)
    end = f"{PEOPLE}/{LI}/end"
    assert officer.post(end, form_at=PEOPLE, sid=foreign.sid).status_code == 404
    assert officer.post(end, form_at=PEOPLE, sid=sids[0]).status_code == 303
    assert len(world.store.sessions.of(LI, at)) == 1
    assert officer.post(end, form_at=PEOPLE).status_code == 303
    assert world.store.sessions.of(LI, at) == []
    assert len(world.store.sessions.of(WANG, at)) == 1
    world.drain()
    ended = [each for each in world.recorder.events if each.type == ENDED]
    assert [(each.subject, each.actor) for each in ended] == [(LI, WANG), (LI, WANG)]


def test_two_administrators_and_some_days_take_a_sure_persons_factors(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    enrol(world)
    boss, other = Officer(world), another(world)
    assert ask(boss) == 303
    assert held(world)
    # Whoever asked cannot confirm, and that they tried is on record.
    assert decide(boss, world) == 403
    assert decide(other, world) == 303
    assert decide(other, world) == 409
    world.service.resets.finish_due()
    assert held(world)
    assert "It happens at" in browser.get("/account").text
    world.clock.advance(timedelta(days=3, seconds=1))
    world.service.resets.finish_due()
    world.service.resets.finish_due()
    assert not held(world)
    assert world.store.sessions.of(LI, 0) == []
    world.drain()
    told = [
        (each.outcome, each.attributes["step"], each.actor)
        for each in world.recorder.events
        if each.type == "sso.factor.reset"
    ]
    assert sorted(told) == sorted(
        [
            (Outcome.INTENDED, "asked", WANG),
            (Outcome.SUCCESS, "asked", WANG),
            (Outcome.DENIED, "confirmed", WANG),
            (Outcome.INTENDED, "confirmed", other.subject),
            (Outcome.SUCCESS, "confirmed", other.subject),
            (Outcome.SUCCESS, "done", other.subject),
        ]
    )
    assert [each.attributes for each in world.recorder.events if each.type == "sso.factor.removed"] != []
    sealed = [each.sealed for each in world.recorder.events if each.type == "sso.factor.reset"]
    assert {"reason": "came to the office"} in sealed


def test_the_person_stops_it_at_their_account_while_there_is_time(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    enrol(world)
    ask(Officer(world))
    decide(another(world), world)
    assert browser.post("/account/recovery/stop", browser.get("/account")).status_code == 303
    world.clock.advance(timedelta(days=4))
    world.service.resets.finish_due()
    assert held(world)
    world.drain()
    stopped = [each for each in world.recorder.events if each.type == "sso.factor.reset.stopped"]
    assert [(each.subject, each.actor) for each in stopped] == [(LI, LI)]


def test_the_letter_tells_the_person_and_stops_it_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    posted: list[str] = []

    def post(_address: str, _subject: str, text: str, _number: str) -> bool:
        posted.append(text)
        return True

    world = make_world(tmp_path_factory.mktemp("letters"), post=post)
    enrol(world)
    ask(Officer(world))
    decide(another(world), world)
    world.service.letters.round()
    [letter] = posted
    link = re.findall(r"/recover/stop\?stop=(\S+)", letter)[0]
    browser = world.browser()
    stop = browser.get("/recover/stop", stop=link)
    assert browser.post("/recover/stop", stop, stop=link).status_code == 200
    assert browser.post("/recover/stop", stop, stop=link).status_code == 400
    # A seal of another kind, or a twisted one, stops nothing.
    assert browser.post("/recover/stop", stop, stop=link[:-2] + "AA").status_code == 400
    assert world.service.resets.under_way(LI) == []
    world.database.close()


def test_who_is_not_sure_needs_one_administrator_and_no_days(world: World) -> None:
    enrol(world, counts=False)
    assert ask(Officer(world)) == 303
    assert not held(world)
    assert ask(Officer(world)) == 409


@pytest.mark.parametrize("change", ["proofing", "role"])
def test_a_surely_known_person_and_one_with_powers_take_two_though_no_factor_is_in_force(
    world: World, change: str
) -> None:
    person = world.people.people[LI]
    world.people.people[LI] = (
        replace(person, proofing=replace(person.proofing, level=3))
        if change == "proofing"
        else replace(person, roles=person.roles | {AGENCY})
    )
    enrol(world, counts=False)
    assert ask(Officer(world)) == 303
    assert held(world)
    assert [each.high for each in world.service.resets.waiting()] == [True]


def test_nobody_resets_themselves_nor_confirms_their_own(world: World) -> None:
    enrol(world, WANG)
    assert ask(Officer(world), WANG) == 403
    assert ask(another(world), WANG) == 303
    assert decide(Officer(world), world, subject=WANG) == 403
    denied = [each for each in world.recorder.events if each.outcome is Outcome.DENIED]
    assert [(each.type, each.actor) for each in denied] == [("sso.factor.reset", WANG)] * 2
    assert held(world, WANG)


def test_a_reset_is_asked_for_once_declined_and_over_after_a_week(world: World) -> None:
    enrol(world)
    assert ask(Officer(world)) == 303
    assert ask(another(world)) == 409
    assert decide(another(world), world, "stop") == 303
    assert ask(Officer(world)) == 303
    [reset] = world.service.resets.under_way(LI)
    world.clock.advance(timedelta(days=8))
    path = f"{PEOPLE}/{LI}/reset/{reset.id}"
    assert another(world).post(path, form_at=PEOPLE, choice="confirm").status_code == 404
    assert held(world)


def test_without_the_record_nothing_is_asked_for_and_nothing_confirmed(world: World) -> None:
    enrol(world)
    boss, other = Officer(world), another(world)
    world.fresh = False
    assert ask(boss) == 503
    world.fresh = True
    ask(boss)
    world.fresh = False
    assert decide(other, world) == 503
    assert [each.state for each in world.service.resets.waiting()] == ["asked"]
