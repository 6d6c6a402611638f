# SPDX-License-Identifier: Apache-2.0
"""Emergency switches under attack, in a race, over a crash and at the end of their time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.events import KINDS
from audit.models import Event, Outcome, Reader, Receipt, Wait
from audit.models_codec import new_key
from audit.models_rules import check
from audit.warrants import (
    BadScope,
    NothingToShut,
    NotShut,
    NotYourPower,
    OwnWarrant,
    Scope,
    ShutAlready,
    Switching,
    WarrantNeeded,
    WarrantSettled,
    switch_of,
)
from audit.warrants.store import SwitchRows
from core.errors import Invalid, Unavailable
from tests.fakes.memory_log import MemoryLog
from tests.fakes.warrants import ANNA, BO, CAI, DAN, WHY, Office

TAX = Scope("switch", "portal=tax")
READER = Reader(subject="0e000000-0000-4000-8000-00000000000e", roles=frozenset({"security-administrator"}))


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def shut(office: Office, scope: Scope = TAX) -> None:
    office.switching.throw(ANNA, office.granted(ANNA, "shut", scope))


def standing(office: Office) -> list[str]:
    return [each.name for each in office.switching.standing() if not each.turning]


def test_what_is_shut_is_listed_with_who_and_until(office: Office) -> None:
    shut(office, Scope("switch", "portal=tax~4h"))
    [found] = office.switching.standing()
    assert (found.name, found.by, found.decider) == ("portal=tax", ANNA.subject, DAN.subject)
    assert found.until is not None
    assert found.until - found.since == timedelta(hours=4)
    office.drain()
    [done] = [each for each in office.log.events if each.type == "gateway.switch.shut" and each.outcome == "success"]
    # The gateway hears the plain name: its effect is lifted by the same one.
    assert done.object == "portal=tax"
    assert done.attributes["until"] == (office.clock.now() + timedelta(hours=4)).isoformat()


def test_its_time_over_it_opens_by_itself_and_the_record_says_so_in_nobodys_name(office: Office) -> None:
    shut(office, Scope("switch", "portal=tax~4h"))
    office.later(3.9)
    office.upkeep.round()
    assert standing(office) == ["portal=tax"]
    office.later(0.2)
    office.log.down = True
    with pytest.raises(Unavailable):
        office.upkeep.round()
    # The record cannot say it: it stays shut.
    assert [each.name for each in office.switching.standing()] == ["portal=tax"]
    office.log.down = False
    office.upkeep.round()
    office.drain()
    told = [each for each in office.log.events if each.type == "gateway.switch.reopened"]
    assert [(each.outcome, each.actor, each.attributes["reason"]) for each in told] == [
        ("intended", "", "lapsed"),
        ("success", "", "lapsed"),
    ]
    for each in told:
        check(each)
    assert office.switching.standing() == []


def test_one_officer_twice_a_wrong_role_and_anothers_consent_open_and_shut_nothing(office: Office) -> None:
    for kind in ("shut", "reopen"):
        asked = office.warrants.ask(ANNA, kind, TAX, WHY)
        with pytest.raises(OwnWarrant):
            office.warrants.approve(ANNA, asked.id)
        with pytest.raises(NotYourPower):
            office.warrants.approve(READER, asked.id)
        with pytest.raises(NotYourPower):
            office.warrants.ask(READER, kind, TAX, WHY)
        with pytest.raises(WarrantSettled):
            office.switching.throw(ANNA, asked)
        granted = office.warrants.approve(BO, asked.id)
        for thief in (BO, CAI, READER):
            with pytest.raises(WarrantNeeded):
                office.switching.throw(thief, granted)
    assert not any(each.type.startswith("gateway.") for each in office.log.events)
    denied = [each.attributes.get("reason") for each in office.log.events if each.outcome == "denied"]
    assert denied.count("warrant_own") == 2
    assert denied.count("warrant_not_your_power") == 4


def test_a_consent_used_before_or_run_out_throws_nothing(office: Office) -> None:
    once = office.granted(ANNA, "shut", TAX)
    office.switching.throw(ANNA, once)
    office.switching.throw(ANNA, office.granted(ANNA, "reopen", TAX))
    with pytest.raises(WarrantSettled):
        office.switching.throw(ANNA, once)
    stale = office.granted(ANNA, "shut", TAX)
    office.later(9)
    with pytest.raises(WarrantSettled):
        office.switching.throw(ANNA, stale)
    assert office.switching.standing() == []


def test_what_is_shut_is_not_shut_twice_nor_opened_twice(office: Office) -> None:
    first, second = office.granted(ANNA, "shut", TAX), office.granted(BO, "shut", TAX)
    office.switching.throw(ANNA, first)
    with pytest.raises(ShutAlready):
        office.switching.throw(BO, second)
    one, other = office.granted(ANNA, "reopen", TAX), office.granted(BO, "reopen", TAX)
    office.switching.throw(BO, other)
    with pytest.raises(NotShut):
        office.switching.throw(ANNA, one)
    # Refused before anything was recorded, the consent still counts.
    office.switching.throw(BO, second)
    assert standing(office) == ["portal=tax"]


def test_closing_and_opening_at_the_same_moment_one_is_refused(office: Office) -> None:
    """While one is between its intent and its effect, the other finds it in somebody's hands."""
    shut(office)
    opening, again = office.granted(ANNA, "reopen", TAX), office.granted(BO, "shut", TAX)
    tried: list[type[Exception]] = []

    def meanwhile(event: Event) -> None:
        if event.type != "gateway.switch.reopened" or tried:
            return
        for act in (again, office.granted(BO, "reopen", TAX)):
            try:
                office.switching.throw(BO, act)
            except (ShutAlready, NotShut) as error:
                tried.append(type(error))

    switching = Switching(store=office.store, recorder=_Watched(office.log, meanwhile), clock=office.clock)
    switching.throw(ANNA, opening)
    assert tried == [ShutAlready, NotShut]
    assert office.switching.standing() == []


class _Watched(MemoryLog):
    """A log that lets somebody in between the intent and the effect."""

    def __init__(self, log: MemoryLog, told: Callable[[Event], None]) -> None:
        super().__init__()
        self._log, self._told = log, told

    def record(self, event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
        receipt = self._log.record(event, wait=wait)
        self._told(event)
        return receipt


@pytest.mark.parametrize("kind", ["shut", "reopen"])
def test_killed_between_intent_and_effect_everything_is_put_back_and_can_be_done_again(
    office: Office, kind: str
) -> None:
    if kind == "reopen":
        shut(office)
    before = standing(office)
    warrant = office.granted(ANNA, kind, TAX)
    rows = SwitchRows(office.store.database)
    now = office.clock.now()
    if kind == "shut":
        shut(office, Scope("switch", "writing"))
        [other] = office.switching.standing()
        rows.begin_shut(
            replace(other, name="portal=tax", warrant=warrant.id, turning=warrant.id), at=now, attempt="a" * 32
        )
        before = standing(office)
    else:
        rows.begin_open("portal=tax", warrant, at=now, attempt="a" * 32)
    office.later(0.1)
    office.upkeep.round()
    office.drain()
    last = [each for each in office.log.events if each.type.startswith("gateway.switch.")][-1]
    assert (last.outcome, last.attributes["reason"]) == (Outcome.FAILURE, "interrupted")
    assert standing(office) == before
    office.switching.throw(ANNA, office.warrants.find(warrant.id))
    assert ("portal=tax" in standing(office)) == (kind == "shut")


def test_the_log_down_opens_nothing(office: Office) -> None:
    shut(office)
    warrant = office.granted(ANNA, "reopen", TAX)
    office.log.down = True
    with pytest.raises(Unavailable):
        office.switching.throw(ANNA, warrant)
    assert standing(office) == ["portal=tax"]
    with pytest.raises(Unavailable):
        office.warrants.ask(ANNA, "shut", Scope("switch", "writing"), WHY)


def test_a_switch_that_names_nothing_is_refused_in_words(office: Office) -> None:
    there = Switching(
        store=office.store, recorder=office.log, clock=office.clock, exists=lambda name: name == "portal=tax"
    )
    with pytest.raises(NothingToShut, match="portal=taxx"):
        there.sensible("shut", "portal=taxx")
    with pytest.raises(NotShut):
        there.sensible("reopen", "portal=tax")
    there.sensible("shut", "portal=tax")
    # It was there when it was asked for, and is not any more.
    gone = office.granted(ANNA, "shut", Scope("switch", "portal=gone"))
    with pytest.raises(NothingToShut):
        there.throw(ANNA, gone)
    # What is shut can be opened even if nothing of that name is left.
    shut(office, Scope("switch", "client=left"))
    there.throw(ANNA, office.granted(ANNA, "reopen", Scope("switch", "client=left")))
    assert office.switching.standing() == []


@pytest.mark.parametrize("value", ["portal=tax~", "portal=tax~0h", "portal=tax~4", "writing~1000d", "writing~4h~4h"])
def test_a_time_has_one_spelling(value: str) -> None:
    with pytest.raises(BadScope):
        Scope.parse(f"switch:{value}")
    with pytest.raises(BadScope):
        switch_of(Scope("portal", "tax"))


def test_nobody_opens_for_a_while(office: Office) -> None:
    with pytest.raises(BadScope):
        office.warrants.ask(ANNA, "reopen", Scope.parse("switch:portal=tax~4h"), WHY)


@pytest.mark.parametrize("source", ["sso", "gateway", "ca", "directory", "app", "signatures"])
def test_no_other_role_can_put_a_switch_into_the_record(source: str) -> None:
    for kind in ("shut", "reopened"):
        assert KINDS[f"gateway.switch.{kind}"].sources == frozenset({"audit"})
        forged = Event(
            key=new_key(),
            type=f"gateway.switch.{kind}",
            outcome=Outcome.SUCCESS,
            at=datetime(2026, 11, 29, tzinfo=UTC),
            source=source,
            object="portal=tax",
        )
        with pytest.raises(Invalid):
            check(forged)
