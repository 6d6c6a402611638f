# SPDX-License-Identifier: Apache-2.0
"""What was worked out before is used again only where all that it followed from is the same."""

import secrets
from dataclasses import replace
from datetime import timedelta

import pytest

from audit import Entry, Event, Outcome, decode_event
from gateway.models import Question
from policies import Code, Decision

from .conftest import SUBJECT, Gateway

LASTING = "7"
"""The version that the fake engine answers with."""
TAKING = {"session": "sso.session.ended", "subject": "directory.person.disabled", "switch": "gateway.switch.shut"}


def question(cookie: str, **changes: object) -> Question:
    asked = Question(
        listener="external",
        unverified_method="GET",
        unverified_host="tax.city.localhost",
        unverified_target="/declaration",
        unverified_cookie=cookie,
        unverified_authorization="",
        unverified_certificate="",
        address="203.0.113.7",
        number=secrets.token_hex(16),
    )
    return replace(asked, **changes)  # type: ignore[arg-type]  # the test's own


def said(unit: Gateway, asked: Question) -> Event:
    """What a decision in the loop would record."""
    begun = unit.decider.begin(asked)
    assert begun is not None
    event = decode_event(begun.event)
    assert (event.key, event.decision) == (begun.number, begun.number)
    return event


@pytest.fixture
def cookie(unit: Gateway) -> str:
    """Somebody who asked often enough that everything about them is known."""
    unit.engine.lasts = LASTING
    cookie = unit.open_session()
    assert unit.decider.decide(question(cookie)).status == 204
    for _ in range(4):
        said(unit, question(cookie))
    return cookie


def asked_by(unit: Gateway) -> int:
    return len(unit.engine.asked)


def test_the_same_question_is_not_asked_again_and_its_event_says_the_same(unit: Gateway, cookie: str) -> None:
    before, plain = asked_by(unit), unit.recorder.events[-1]
    asked = question(cookie, unverified_target="/received?page=2", address="2001:db8::7")
    event = said(unit, asked)
    assert asked_by(unit) == before
    assert event.attributes == {**plain.attributes, "request": asked.number}
    assert event.sealed == {**plain.sealed, "address": "2001:db8::7", "path": "/received"}
    assert event.at == unit.clock.now()
    assert replace(event, key="", decision="", attributes={}, sealed={}, at=plain.at) == replace(
        plain, key="", decision="", attributes={}, sealed={}
    )


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/%E6%9D%8E", "/李"),
        ("/a%20b", "/a b"),
        ("/100%25", None),
        ("/'quoted'", "/'quoted'"),
        ("/%22quoted%22", '/"quoted"'),
        ("/%E2%80%A8", "/\u2028"),
    ],
)
def test_a_path_is_written_as_the_codec_writes_it(unit: Gateway, cookie: str, target: str, path: str | None) -> None:
    event = said(unit, question(cookie, unverified_target=target))
    assert event.sealed.get("path") == path
    assert event.outcome is (Outcome.SUCCESS if path else Outcome.DENIED)


@pytest.mark.parametrize("address", ["unix:", 'a"b', "203.0.113.7, 10.0.0.1", ""])
def test_what_is_no_address_is_written_the_long_way(unit: Gateway, cookie: str, address: str) -> None:
    begun = unit.decider.begin(question(cookie, address=address))
    assert begun is not None
    assert decode_event(begun.event).sealed["address"] == address


def test_a_decision_is_asked_for_each_time_where_the_engine_gives_none_again(unit: Gateway, cookie: str) -> None:
    unit.engine.lasts = ""
    before = asked_by(unit)
    assert said(unit, question(cookie)).outcome is Outcome.SUCCESS
    unit.engine.answer = Decision(allowed=False, code="role", reasons=("r",), step_up=None, version=LASTING)
    event = said(unit, question(cookie))
    assert (event.outcome, event.attributes["reason"], event.attributes["policies"]) == (Outcome.DENIED, "role", "r")
    assert asked_by(unit) == before + 2


def test_another_release_is_asked_anew(unit: Gateway, cookie: str) -> None:
    unit.engine.lasts = "8"
    unit.engine.answer = Decision(allowed=False, code="role", reasons=(), step_up=None, version="8")
    for _ in range(3):
        event = said(unit, question(cookie))
        assert (event.outcome, event.policy) == (Outcome.DENIED, "8")


def test_an_error_is_not_given_again(unit: Gateway, cookie: str) -> None:
    unit.engine.lasts = "8"
    unit.engine.answer = Decision(allowed=False, code=Code.ERROR, reasons=("error:x",), step_up=None, version="8")
    assert said(unit, question(cookie)).outcome is Outcome.DENIED
    unit.engine.answer = None
    assert said(unit, question(cookie)).outcome is Outcome.SUCCESS


def test_who_became_somebody_else_in_the_directory_is_asked_about_as_that(unit: Gateway, cookie: str) -> None:
    unit.directory.people[SUBJECT] = unit.person(roles=frozenset({"civil-servant"}), clearance=2, name="Li Wei-2")
    # Only news makes anybody look again.
    assert said(unit, question(cookie)).attributes["roles"] == "citizen"
    unit.people.drop(SUBJECT)
    assert unit.decider.begin(question(cookie)) is None
    unit.decider.decide(question(cookie))
    before = asked_by(unit)
    for _ in range(3):
        event = said(unit, question(cookie))
        assert (event.attributes["roles"], event.attributes["clearance"], event.sealed["name"]) == (
            "civil-servant",
            2,
            "Li Wei-2",
        )
    assert asked_by(unit) == before + 1


@pytest.mark.parametrize(
    "changes",
    [
        {"unverified_method": "POST"},
        {"listener": "internal"},
        {"unverified_host": "social.city.localhost"},
        {"unverified_target": "/.well-known/acme-challenge/x"},
    ],
)
def test_another_place_is_another_question(unit: Gateway, cookie: str, changes: dict[str, str]) -> None:
    elsewhere = unit.open_session("d" * 43, host="social.city.localhost")
    inside = unit.open_session("e" * 43, listener="internal")
    shown = elsewhere if "unverified_host" in changes else inside if "listener" in changes else cookie
    unit.decider.decide(question(shown, **changes))
    first = unit.recorder.events[-1]
    for _ in range(3):
        event = said(unit, question(shown, **changes))
        assert (event.object, event.zone, event.outcome) == (first.object, first.zone, first.outcome)
        assert {**event.attributes, "request": ""} == {**first.attributes, "request": ""}


def test_another_zone_at_the_same_door_is_another_question(unit: Gateway, cookie: str) -> None:
    before = asked_by(unit)
    unit.engine.places["10.0.0.9"] = "branch"
    assert said(unit, question(cookie, address="10.0.0.9")).zone == "branch"
    assert said(unit, question(cookie)).zone == "external"
    assert asked_by(unit) == before + 2


@pytest.mark.parametrize("what", ["session", "subject", "time", "gone", "switch"])
def test_what_was_taken_away_is_refused_whatever_is_known(unit: Gateway, cookie: str, what: str) -> None:
    now = unit.clock.now()
    if what == "time":
        unit.clock.advance(timedelta(days=2))
        unit.decider.decide(question(""))
    elif what == "gone":
        found = unit.store.session(unit.recorder.events[-1].session)
        assert found is None
        digest = next(iter(unit.store._sessions))
        unit.store.end_session(digest, note=lambda _: (secrets.token_hex(16), b"{}"))
    else:
        taken = Event(
            key="0" * 32,
            type=TAKING[what],
            outcome=Outcome.SUCCESS,
            at=now,
            source="sso",
            session="sid-1" if what == "session" else "",
            subject=SUBJECT if what == "subject" else "",
            object="portal=tax" if what == "switch" else "",
        )
        unit.news.hear([Entry(index=0, event=taken)])
    begun = unit.decider.begin(question(cookie))
    answer = unit.decider.decide(question(cookie))
    assert answer.status != 204
    assert begun is None or decode_event(begun.event).outcome is Outcome.DENIED


def test_a_mandate_of_yesterday_is_no_mandate_of_today(unit: Gateway, cookie: str) -> None:
    before = asked_by(unit)
    unit.clock.advance(timedelta(minutes=20))
    tonight = unit.clock.now().replace(hour=0, minute=1) + timedelta(days=1)
    other = unit.open_session("f" * 43, opened=tonight - timedelta(minutes=5), seen=tonight - timedelta(minutes=5))
    assert other
    unit.clock.advance(tonight - unit.clock.now())
    # Everybody is read again on another day, so nobody is known by the old one.
    assert unit.decider.begin(question(other)) is None
    unit.decider.decide(question(other))
    said(unit, question(other))
    assert asked_by(unit) == before + 2
