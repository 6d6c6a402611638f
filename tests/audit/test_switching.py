# SPDX-License-Identifier: Apache-2.0
"""Emergency switches: thrown by two officers, recorded before and after, reversible, with no other way."""

from pathlib import Path

import pytest

from audit.models_rules import check
from audit.warrants import BadScope, OwnWarrant, Scope, State, WarrantNeeded, WarrantSettled
from core.errors import Unavailable
from tests.fakes.warrants import ANNA, BO, CAI, DAN, LI, WHY, Office

TAX = Scope("switch", "portal=tax")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_two_officers_shut_and_two_open_again(office: Office) -> None:
    for kind, name in (("shut", "shut"), ("reopen", "reopened")):
        warrant = office.granted(ANNA, kind, TAX)
        office.switching.throw(ANNA, warrant)
        office.drain()
        told = [event for event in office.log.events if event.type == f"gateway.switch.{name}"]
        assert [(event.outcome, event.object, event.actor) for event in told] == [
            ("intended", "portal=tax", ANNA.subject),
            ("success", "portal=tax", ANNA.subject),
        ]
        for event in told:
            check(event)
        assert office.warrants.find(warrant.id).state is State.USED
        with pytest.raises(WarrantSettled):
            office.switching.throw(ANNA, warrant)


def test_nobody_throws_a_switch_alone_or_under_anothers_warrant(office: Office) -> None:
    asked = office.warrants.ask(ANNA, "shut", TAX, WHY)
    with pytest.raises(OwnWarrant):
        office.warrants.approve(ANNA, asked.id)
    with pytest.raises(WarrantSettled):
        office.switching.throw(ANNA, asked)
    granted = office.warrants.approve(DAN, asked.id)
    held = office.granted(CAI, "hold", Scope("subject", LI))
    for reader, warrant in ((BO, granted), (DAN, granted), (CAI, held)):
        with pytest.raises(WarrantNeeded):
            office.switching.throw(reader, warrant)
    assert not any(event.type.startswith("gateway.") for event in office.log.events)


@pytest.mark.parametrize("value", ["", "zones=external", "zones=external-internal", "portal=", "portal=a,b", "all"])
def test_what_names_no_switch_is_none(value: str) -> None:
    with pytest.raises(BadScope):
        Scope.parse(f"switch:{value}")


def test_a_switch_whose_process_died_is_said_to_have_failed(office: Office) -> None:
    warrant = office.granted(ANNA, "shut", TAX)
    office.log.down = True
    with pytest.raises(Unavailable):
        office.switching.throw(ANNA, warrant)
    office.log.down = False
    office.drain()
    assert office.log.events[-1].type == "gateway.switch.shut"
    assert office.log.events[-1].outcome == "failure"
    assert office.warrants.find(warrant.id).state is State.GRANTED
