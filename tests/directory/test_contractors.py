# SPDX-License-Identifier: Apache-2.0
"""A contractor's account takes two administrators, is bound to one portal, and is over with its end."""

import secrets
from datetime import date, timedelta

import pytest

from app.wiring.days import Days
from audit import Outcome
from directory.contracts import ContractState
from directory.errors import (
    AlreadyGiven,
    BadDays,
    ContractorTerms,
    DecidedAlready,
    NoReason,
    NoSuchGrant,
    NoSuchRole,
    OwnRole,
    Pending,
    TwoAdministrators,
)
from directory.models import Person
from directory.service import DirectoryWriter
from tests.directory.desk import Desk
from tests.directory.test_vetting import entered
from tests.directory.world import World

ROLE, OTHER = "contractor-tax", "contractor-documents"


@pytest.fixture
def worker(writer: DirectoryWriter) -> Person:
    return entered(writer, f"worker-{secrets.token_hex(4)}", "Outside Worker")


@pytest.fixture
def boss(writer: DirectoryWriter) -> str:
    return writer.directory.person_by_username("zhao.lei").subject


@pytest.fixture
def owner(writer: DirectoryWriter) -> str:
    return writer.directory.person_by_username("zhou.fang").subject


def day(writer: DirectoryWriter, days: int) -> date:
    return writer.standings.today() + timedelta(days=days)


def roles_of(world: World, person: Person) -> frozenset[str]:
    return frozenset(world.directory("gateway").person(person.subject).roles)


def test_one_asks_and_another_approves_and_a_renewal_takes_two_as_well(
    filled: World, writer: DirectoryWriter, worker: Person, boss: str, owner: str
) -> None:
    contracts = writer.contracting
    made = contracts.ask(worker.subject, ROLE, until=day(writer, 30), actor=owner, reason="contract 7")
    assert roles_of(filled, worker) == {"citizen"}
    with pytest.raises(AlreadyGiven):
        contracts.ask(worker.subject, OTHER, until=day(writer, 30), actor=boss, reason="contract 8")
    for who, why in ((owner, TwoAdministrators), (worker.subject, OwnRole)):
        with pytest.raises(why):
            contracts.approve(made.id, actor=who)
        tried = filled.recorder.events[-1]
        assert (tried.type, tried.outcome, tried.actor) == ("directory.power.refused", Outcome.DENIED, who)
    assert roles_of(filled, worker) == {"citizen"}
    contracts.approve(made.id, actor=boss)
    assert roles_of(filled, worker) == {"citizen", ROLE}
    granted = next(event for event in filled.recorder.events if event.type == "directory.role.granted")
    assert (granted.outcome, granted.actor, granted.attributes["first"]) == (Outcome.INTENDED, boss, owner)
    for again in (lambda: contracts.approve(made.id, actor=boss),
                  lambda: contracts.refuse(made.id, actor=boss, reason="late")):  # fmt: skip
        with pytest.raises(DecidedAlready):
            again()

    longer = contracts.ask(worker.subject, ROLE, until=day(writer, 180), actor=boss, reason="longer")
    with pytest.raises(TwoAdministrators):
        contracts.approve(longer.id, actor=boss)
    assert [grant.until for grant in writer.standings.facts(worker.subject).grants] == [day(writer, 30)]
    contracts.approve(longer.id, actor=owner)
    assert [grant.until for grant in writer.standings.facts(worker.subject).grants] == [day(writer, 180)]


def test_what_is_refused_or_found_half_done_opens_nothing_by_itself(
    filled: World, writer: DirectoryWriter, worker: Person, boss: str, owner: str
) -> None:
    contracts = writer.contracting
    made = contracts.ask(worker.subject, ROLE, until=day(writer, 30), actor=owner, reason="contract 7")
    with pytest.raises(NoReason):
        contracts.refuse(made.id, actor=boss, reason=" ")
    contracts.refuse(made.id, actor=boss, reason="no such contract")
    with pytest.raises(DecidedAlready):
        contracts.approve(made.id, actor=boss)
    assert roles_of(filled, worker) == {"citizen"}

    # Dead between the approval and the grant: approving again goes on with it.
    made = contracts.ask(worker.subject, ROLE, until=day(writer, 30), actor=owner, reason="contract 7")
    assert contracts.board.move(made.id, ContractState.WAITING, to=ContractState.GRANTING, second=boss)
    with pytest.raises(DecidedAlready):
        contracts.refuse(made.id, actor=owner, reason="too late")
    with pytest.raises(TwoAdministrators):
        contracts.approve(made.id, actor=owner)
    contracts.approve(made.id, actor=boss)
    assert ROLE in roles_of(filled, worker)


def test_a_request_that_can_no_longer_be_is_not_granted_by_its_age(
    filled: World, writer: DirectoryWriter, worker: Person, boss: str, owner: str
) -> None:
    made = writer.contracting.ask(worker.subject, ROLE, until=day(writer, 1), actor=owner, reason="contract 7")
    filled.clock.advance(timedelta(days=2))
    try:
        with pytest.raises(BadDays):
            writer.contracting.approve(made.id, actor=boss)
        assert roles_of(filled, worker) == {"citizen"}
        writer.contracting.refuse(made.id, actor=owner, reason="over")
    finally:
        filled.clock.advance(timedelta(days=-2))


def test_it_has_an_end_one_portal_and_nothing_beside(
    filled: World, writer: DirectoryWriter, worker: Person, li_na: Person, boss: str
) -> None:
    contracts = writer.contracting
    for until in (None, day(writer, 181), day(writer, 4000)):
        with pytest.raises(ContractorTerms):
            contracts.ask(worker.subject, ROLE, until=until, actor=boss, reason="contract 7")
    # Not for a civil servant, whose account would outlive it; not for oneself; no role of another kind.
    with pytest.raises(ContractorTerms):
        contracts.ask(li_na.subject, ROLE, until=day(writer, 30), actor=boss, reason="contract 7")
    with pytest.raises(OwnRole):
        contracts.ask(worker.subject, ROLE, until=day(writer, 30), actor=worker.subject, reason="contract 7")
    with pytest.raises(NoSuchRole):
        contracts.ask(worker.subject, "case-worker", until=day(writer, 30), actor=boss, reason="contract 7")
    # No way past the second one.
    with pytest.raises(TwoAdministrators):
        writer.grant_role(worker.subject, ROLE, actor=boss, reason="alone", until=day(writer, 30))
    assert roles_of(filled, worker) == {"citizen"}
    writer.giving.grant_role(worker.subject, ROLE, actor=boss, reason="r", until=day(writer, 30), first="x")
    with pytest.raises(ContractorTerms):
        contracts.ask(worker.subject, OTHER, until=day(writer, 30), actor=boss, reason="contract 7")
    with pytest.raises(ContractorTerms):
        writer.giving.grant_entitlement(
            worker.subject, "tax/returns.read", actor=boss, reason="more", until=day(writer, 3)
        )


def test_with_its_end_the_account_is_over(filled: World, writer: DirectoryWriter, worker: Person) -> None:
    writer.grant_role(worker.subject, ROLE, actor="", reason="contract 7", until=day(writer, 0))
    filled.clear()
    filled.clock.advance(timedelta(days=1))
    try:
        # Bound to nothing, the account would open every citizens' portal: from midnight on it is out for all readers,
        # whoever carries that out, and when.
        for reader in ("gateway", "sso"):
            found = filled.directory(reader).person(worker.subject)
            assert (found.enabled, found.roles) == (False, frozenset({"citizen"}))
        assert writer.keeping.end() >= 1
        found = filled.directory("gateway").person(worker.subject)
        assert not found.enabled
        assert found.roles == {"citizen"}
        _shut_out_first(filled, worker)
    finally:
        filled.clock.advance(timedelta(days=-1))


def test_the_page_asks_approves_refuses_and_ends_each_within_the_own_part(
    filled: World, writer: DirectoryWriter, worker: Person, boss: str, owner: str
) -> None:
    desk = Desk(filled, subject=boss, roles=frozenset({"directory-administrator", "civil-servant"}))
    agency = Desk(filled, subject=owner, roles=frozenset({"agency-administrator", "civil-servant"}))
    last = day(writer, 20).isoformat()
    form = {"username": worker.username, "role": OTHER, "until": last, "reason": "contract 7"}
    # An agency's administrator has the agency's own portals, and nobody engaged elsewhere is shown.
    assert agency.post("/contractors", {**form, "role": ROLE}).status_code == 400
    assert "wu.gang" not in agency.get("/contractors").text
    assert "wu.gang" in desk.get("/contractors").text
    assert agency.post("/contractors", form).status_code == 303
    seen = filled.recorder.events
    agency.get("/contractors")
    assert seen[-1].type == "directory.people.searched"
    assert worker.subject in str(seen[-1].attributes["shown"])
    made = next(each for _, each in writer.contracting.waiting([OTHER]) if each.subject == worker.subject)
    assert agency.post(f"/contractors/{made.id}/approve", {}).status_code == 403
    assert "/approve" not in agency.get("/contractors").text
    assert f"/contractors/{made.id}/approve" in desk.get("/contractors?lang=zh").text
    assert desk.post(f"/contractors/{made.id}/approve", {}).status_code == 303
    assert OTHER in roles_of(filled, worker)
    filled.clear()
    wu_gang = writer.directory.person_by_username("wu.gang").subject
    ending = {"role": ROLE, "reason": "over"}
    assert agency.post(f"/contractors/people/{wu_gang}/end", ending).status_code == 400
    assert (
        agency.post(f"/contractors/people/{worker.subject}/end", {"role": OTHER, "reason": "over"}).status_code == 303
    )
    assert not filled.directory("gateway").person(worker.subject).enabled
    assert OTHER not in roles_of(filled, worker)
    _shut_out_first(filled, worker)
    with pytest.raises(NoSuchGrant):
        writer.contracting.end(worker.subject, OTHER, actor=boss, reason="again")


def test_the_house_ends_a_contract_in_its_first_turn_of_the_new_day(
    filled: World, writer: DirectoryWriter, worker: Person
) -> None:
    writer.grant_role(worker.subject, ROLE, actor="", reason="contract 7", until=day(writer, 0))
    house = Days(writer, lambda _name, work: work())
    house.turn()
    filled.clear()
    house.turn()
    assert not filled.outbox()
    filled.clock.advance(timedelta(days=1))
    try:
        house.turn()
        _shut_out_first(filled, worker)
    finally:
        filled.clock.advance(timedelta(days=-1))


@pytest.mark.parametrize("way", ["page", "grant", "review"])
def test_whoever_ends_what_binds_an_account_by_whatever_way_shuts_it_out_first(
    filled: World, writer: DirectoryWriter, worker: Person, boss: str, way: str
) -> None:
    writer.grant_role(worker.subject, ROLE, actor="", reason="contract 7", until=day(writer, 30))
    (grant,) = writer.standings.facts(worker.subject).grants
    filled.clear()
    if way == "page":
        # A role that somebody does not have binds nobody.
        writer.withdraw_role(worker.subject, OTHER, actor=boss)
        assert filled.directory("gateway").person(worker.subject).enabled
        filled.clear()
        desk = Desk(filled, subject=boss, roles=frozenset({"directory-administrator", "civil-servant"}))
        assert desk.post(f"/people/{worker.subject}/roles/withdraw", {"role": ROLE}).status_code == 303
    elif way == "grant":
        writer.giving.withdraw_grant(grant.id, actor=boss, reason="over")
    else:
        writer.giving.withdraw_grant(grant.id, actor=boss, because="review")
    found = filled.directory("gateway").person(worker.subject)
    assert (found.enabled, found.roles) == (False, frozenset({"citizen"}))
    _shut_out_first(filled, worker)


def test_with_the_server_down_the_account_is_out_and_stays_bound(
    filled: World, writer: DirectoryWriter, worker: Person, boss: str
) -> None:
    writer.grant_role(worker.subject, ROLE, actor="", reason="contract 7", until=day(writer, 3))
    filled.clear()
    filled.kill()
    try:
        with pytest.raises(Pending):
            writer.withdraw_role(worker.subject, ROLE, actor=boss, reason="over")
    finally:
        filled.start()
    assert [event.type for event in filled.outbox() if event.subject == worker.subject] == ["directory.person.disabled"]
    writer.replay()
    found = filled.directory("gateway").person(worker.subject)
    assert (found.enabled, ROLE in found.roles) == (False, True)


def _shut_out_first(world: World, worker: Person) -> None:
    """Dead in between, the account is not left bound to nothing."""
    kinds = [event.type for event in world.outbox() if event.subject == worker.subject]
    assert kinds.index("directory.person.disabled") < kinds.index("directory.role.withdrawn")
