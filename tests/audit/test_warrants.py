# SPDX-License-Identifier: Apache-2.0
"""Four eyes: asked by one officer, decided by another, for a purpose, a part and a few hours; every step recorded."""

import dataclasses
import threading
from pathlib import Path

import pytest

from audit.errors import RecordUnavailable
from audit.models import Outcome, Reader
from audit.warrants import (
    AUDITOR,
    KINDS,
    OFFICER,
    AboutYou,
    BadPurpose,
    BadScope,
    NoSuchWarrant,
    NotYourPower,
    OwnWarrant,
    Scope,
    State,
    TooManyWaiting,
    WarrantNeeded,
    WarrantSettled,
)
from core.errors import TallygateError
from tests.fakes.warrants import ANNA, BO, CAI, DAN, ENTRY, LI, PERSON, WHY, Office


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_one_asks_another_approves_and_the_first_may(office: Office) -> None:
    with pytest.raises(WarrantNeeded) as refused:
        office.warrants.demand(ANNA, "open", ENTRY)
    assert refused.value.leads_to == "/warrants/new?kind=open&scope=entry%3A3"
    asked = office.warrants.ask(ANNA, "open", ENTRY, f"  {WHY}\n ")
    assert (asked.state, asked.place) == (State.ASKED, 0)
    with pytest.raises(WarrantNeeded):
        office.warrants.demand(ANNA, "open", ENTRY)
    granted = office.warrants.approve(BO, asked.id)
    assert office.warrants.demand(ANNA, "open", ENTRY) == granted
    assert office.warrants.demand(ANNA, "open", ENTRY).id == granted.id
    assert office.told() == [
        "audit.warrant.asked:intended",
        "audit.warrant.approved:intended",
        "audit.warrant.asked:success",
        "audit.warrant.approved:success",
    ]
    intent = office.log.events[0]
    assert intent.sealed == {"purpose": WHY}
    assert (intent.object, intent.actor, intent.attributes["scope"]) == (asked.id, ANNA.subject, "entry:3")
    assert (office.log.events[1].actor, office.log.events[1].object) == (BO.subject, asked.id)


def test_the_purpose_lies_nowhere_but_in_the_sealed_part(office: Office, tmp_path: Path) -> None:
    office.granted(ANNA, "open", ENTRY, BO)
    office.store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"court" not in kept
    assert b"entry:3" in kept


def test_what_is_about_one_person_is_sealed_under_their_key(office: Office) -> None:
    office.warrants.ask(ANNA, "open", PERSON, WHY)
    office.warrants.ask(ANNA, "open", ENTRY, WHY)
    office.persons["entry:4"] = frozenset({LI})
    office.warrants.ask(ANNA, "open", Scope("entry", "4"), WHY)
    intents = [event for event in office.log.events if event.outcome is Outcome.INTENDED]
    assert [event.subject for event in intents] == [LI, ANNA.subject, LI]


def test_nobody_approves_what_they_asked_for(office: Office) -> None:
    asked = office.warrants.ask(ANNA, "open", ENTRY, WHY)
    for other_session in (ANNA, dataclasses.replace(ANNA, session="s-2", roles=frozenset({OFFICER, AUDITOR}))):
        with pytest.raises(OwnWarrant):
            office.warrants.approve(other_session, asked.id)
        with pytest.raises(OwnWarrant):
            office.warrants.refuse(other_session, asked.id)
    assert office.warrants.find(asked.id).state is State.ASKED
    assert office.told().count("audit.warrant.approved:denied") == 2
    denied = next(event for event in office.log.events if event.outcome is Outcome.DENIED)
    assert (denied.actor, denied.attributes["reason"]) == (ANNA.subject, "warrant_own")


def test_nobody_decides_about_themselves(office: Office) -> None:
    asked = office.warrants.ask(ANNA, "open", Scope("subject", BO.subject), WHY)
    with pytest.raises(AboutYou):
        office.warrants.approve(BO, asked.id)
    assert not office.warrants.decidable(BO, asked)
    office.persons["entry:9"] = frozenset({LI, BO.subject})
    with pytest.raises(AboutYou):
        office.warrants.approve(BO, office.warrants.ask(ANNA, "open", Scope("entry", "9"), WHY).id)
    # Nobody asks for their own erasure, hold or release either.
    for kind in ("erase", "hold"):
        with pytest.raises(AboutYou):
            office.warrants.ask(ANNA, kind, Scope("subject", ANNA.subject), WHY)
    assert "audit.warrant.asked:denied" in office.told()


@pytest.mark.parametrize(
    ("kind", "asker", "decider"),
    [
        ("open", CAI, BO),
        ("export", CAI, BO),
        ("open", ANNA, CAI),
        ("export", ANNA, CAI),
        ("erase", ANNA, BO),
        ("retention", ANNA, BO),
        ("hold", Reader(subject="x", roles=frozenset({"security-administrator"})), CAI),
        ("hold", Reader(role="app", roles=frozenset({OFFICER})), CAI),
    ],
)
def test_roles_set_the_limits(office: Office, kind: str, asker: Reader, decider: Reader) -> None:
    scope = {"open": ENTRY, "export": ENTRY, "retention": Scope("class", "access=400d")}.get(kind, PERSON)
    with pytest.raises(NotYourPower):
        office.warrants.approve(decider, office.warrants.ask(asker, kind, scope, WHY).id)
    assert State.GRANTED not in {warrant.state for warrant in office.warrants.desk(asker).own}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "entry",
        "entry:",
        "entry:-1",
        "entry:03",
        "entry:3 ",
        "entry:٣",
        "entry:99999999999999999",
        "subject:wang",
        f"subject:{LI.upper()}",
        "range:3",
        "range:3-",
        "hold:xyz",
        "query:a b",
        "query:" + "a" * 900,
        "planet:mars",
        "class:a=b=c",
        "case:../x",
    ],
)
def test_a_scope_has_one_spelling(text: str) -> None:
    with pytest.raises(BadScope):
        Scope.parse(text)


def test_a_kind_fits_its_scopes_and_a_purpose_its_measure(office: Office) -> None:
    for kind, scope in (("erase", ENTRY), ("nothing", ENTRY), ("release", PERSON), ("open", Scope("range", "1-2"))):
        with pytest.raises(BadScope):
            office.warrants.ask(ANNA, kind, scope, WHY)
    for purpose in ("", "   ", "abc", "x" * 501, "why\x00 not"):
        with pytest.raises(BadPurpose):
            office.warrants.ask(ANNA, "open", ENTRY, purpose)
    assert office.told() == []
    for kind, row in KINDS.items():
        assert row.scopes, kind
        assert row.asks, kind
        assert row.decides, kind


def test_it_runs_out(office: Office) -> None:
    granted = office.granted(ANNA, "open", ENTRY, BO)
    office.later(7.99)
    assert office.warrants.demand(ANNA, "open", ENTRY).id == granted.id
    office.later(0.02)
    with pytest.raises(WarrantNeeded):
        office.warrants.demand(ANNA, "open", ENTRY)
    office.upkeep.round()
    office.upkeep.round()
    assert office.warrants.find(granted.id).state is State.EXPIRED
    assert office.told().count("audit.warrant.expired:success") == 1


def test_a_request_lapses_even_before_anybody_notices(office: Office) -> None:
    asked = office.warrants.ask(ANNA, "open", ENTRY, WHY)
    office.later(24 * 7)
    assert office.warrants.desk(BO).to_decide == []
    with pytest.raises(WarrantSettled):
        office.warrants.approve(BO, asked.id)
    office.upkeep.round()
    assert office.warrants.find(asked.id).state is State.EXPIRED


@pytest.mark.parametrize("who", [ANNA, BO])
def test_it_is_taken_back_at_once_without_the_record(office: Office, who: Reader) -> None:
    granted = office.granted(ANNA, "open", ENTRY, BO)
    office.log.down = True
    office.warrants.withdraw(who, granted.id)
    with pytest.raises(WarrantNeeded):
        office.warrants.demand(ANNA, "open", ENTRY)
    office.log.down = False
    assert office.told()[-1] == "audit.warrant.withdrawn:success"
    with pytest.raises(WarrantSettled):
        office.warrants.withdraw(who, granted.id)


def test_not_everybody_takes_it_back(office: Office) -> None:
    granted = office.granted(ANNA, "open", ENTRY, BO)
    with pytest.raises(NotYourPower):
        office.warrants.withdraw(CAI, granted.id)
    assert "audit.warrant.withdrawn:denied" in office.told()


def test_refusing_needs_no_record_first(office: Office) -> None:
    asked = office.warrants.ask(ANNA, "open", ENTRY, WHY)
    office.log.down = True
    assert office.warrants.refuse(BO, asked.id).state is State.REFUSED
    with pytest.raises(WarrantSettled):
        office.warrants.approve(BO, asked.id)
    office.log.down = False
    assert office.told()[-1] == "audit.warrant.refused:success"


def test_without_the_record_nothing_is_asked_or_granted(office: Office) -> None:
    asked = office.warrants.ask(ANNA, "open", ENTRY, WHY)
    office.log.down = True
    with pytest.raises(RecordUnavailable):
        office.warrants.ask(ANNA, "open", Scope("entry", "4"), WHY)
    with pytest.raises(RecordUnavailable):
        office.warrants.approve(BO, asked.id)
    assert [warrant.id for warrant in office.warrants.desk(BO).to_decide] == [asked.id]
    office.log.down = False
    told = office.told()
    assert told.count("audit.warrant.asked:failure") == 1
    assert told.count("audit.warrant.approved:failure") == 1
    assert office.warrants.approve(BO, asked.id).state is State.GRANTED


def test_a_warrant_is_the_officers_own_and_of_its_kind_and_scope(office: Office) -> None:
    office.granted(ANNA, "open", ENTRY, BO)
    for reader, kind, scope in (
        (BO, "open", ENTRY),
        (ANNA, "export", ENTRY),
        (ANNA, "open", Scope("entry", "33")),
        (Reader(role="app"), "open", ENTRY),
    ):
        with pytest.raises(WarrantNeeded):
            office.warrants.demand(reader, kind, scope)


def test_a_wider_scope_covers_what_lies_in_it(office: Office) -> None:
    granted = office.granted(ANNA, "open", PERSON, BO)
    found = office.warrants.demand(ANNA, "open", ENTRY, covered=lambda scope: scope == PERSON)
    assert found.id == granted.id
    with pytest.raises(WarrantNeeded):
        office.warrants.demand(ANNA, "open", ENTRY, covered=lambda _scope: False)


def test_what_is_for_one_act_is_used_up_by_one_of_many(office: Office) -> None:
    scope = Scope("class", "access=400d")
    office.granted(ANNA, "retention", scope, CAI)
    assert _race(8, lambda: office.warrants.demand(ANNA, "retention", scope)) == 1
    assert office.told().count("audit.warrant.used:success") == 1


def test_of_many_approvals_one_counts(office: Office) -> None:
    asked = office.warrants.ask(ANNA, "open", ENTRY, WHY)
    assert _race(8, lambda: office.warrants.approve(BO, asked.id)) == 1
    assert office.told().count("audit.warrant.approved:success") == 1


def test_approval_and_withdrawal_race_to_one_end(office: Office) -> None:
    asked = office.warrants.ask(ANNA, "open", ENTRY, WHY)
    before = office.log.record

    def withdrawn_meanwhile(*arguments: object, **more: object) -> object:
        office.log.record = before  # type: ignore[method-assign]  # once
        office.warrants.withdraw(ANNA, asked.id)
        return before(*arguments, **more)  # type: ignore[arg-type]

    office.log.record = withdrawn_meanwhile  # type: ignore[method-assign, assignment]  # between intent and outcome
    with pytest.raises(WarrantSettled):
        office.warrants.approve(BO, asked.id)
    assert office.warrants.find(asked.id).state is State.WITHDRAWN


def test_one_officer_does_not_flood_the_others(office: Office) -> None:
    for number in range(50):
        office.warrants.ask(ANNA, "open", Scope("entry", str(number)), WHY)
    with pytest.raises(TooManyWaiting):
        office.warrants.ask(ANNA, "open", ENTRY, WHY)
    office.warrants.ask(BO, "open", ENTRY, WHY)


def test_each_officer_sees_what_waits_for_them(office: Office) -> None:
    opening = office.warrants.ask(ANNA, "open", ENTRY, WHY)
    erasure = office.warrants.ask(ANNA, "erase", PERSON, WHY)
    desks = {name: office.warrants.desk(reader) for name, reader in (("anna", ANNA), ("bo", BO), ("dan", DAN))}
    assert [warrant.id for warrant in desks["anna"].own] == [erasure.id, opening.id]
    assert desks["anna"].to_decide == []
    assert [warrant.id for warrant in desks["bo"].to_decide] == [opening.id]
    assert [warrant.id for warrant in desks["bo"].others] == [erasure.id]
    assert [warrant.id for warrant in desks["dan"].to_decide] == [erasure.id]
    with pytest.raises(NoSuchWarrant):
        office.warrants.find("0" * 16)


def _race(count: int, act: object) -> int:
    """How many of several threads get through."""
    barrier, through = threading.Barrier(count), []

    def run() -> None:
        barrier.wait()
        try:
            act()  # type: ignore[operator]  # any callable
        except TallygateError:
            return
        through.append(1)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(through)
