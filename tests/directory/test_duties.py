# SPDX-License-Identifier: Apache-2.0
"""Duties kept apart by rules in data: refused on every path, told before, found where they came together earlier."""

from collections.abc import Iterator

import pytest

from directory.errors import BadName, DutiesConflict, NoSuchGrant, OwnRole, RolesClash, TooManyPeople
from directory.models import Person
from directory.powers import clash
from directory.service import Administration, DirectoryWriter
from tests.directory.world import World

PAIR = ("case-worker", "ra-officer")


@pytest.fixture
def boss(writer: DirectoryWriter) -> Person:
    return writer.directory.person_by_username("zhao.lei")


@pytest.fixture
def rule(writer: DirectoryWriter, boss: Person) -> Iterator[str]:
    made = writer.ruling.add("Who decides does not certify", PAIR, actor=boss.subject, reason="audit")
    yield made
    if any(each.id == made for each in writer.ruling.rules()):
        writer.ruling.remove(made, actor=boss.subject, reason="done")


@pytest.fixture
def worker(writer: DirectoryWriter, li_na: Person, boss: Person) -> Iterator[Person]:
    """Somebody who has one of the two."""
    held = [each.id for each in writer.standings.facts(li_na.subject).grants]
    writer.giving.grant_role(li_na.subject, "case-worker", actor=boss.subject, reason="work")
    yield li_na
    for each in writer.standings.facts(li_na.subject).grants:
        if each.id not in held:
            writer.giving.withdraw_grant(each.id, actor=boss.subject)


def test_a_rule_refuses_from_its_commit_on_in_every_process_and_on_every_path(
    filled: World, writer: DirectoryWriter, boss: Person, worker: Person, rule: str
) -> None:
    other = filled.writer()
    filled.clear()
    with pytest.raises(DutiesConflict):
        other.grant_role(worker.subject, "ra-officer", actor=boss.subject, reason="x")
    assert filled.recorder.types() == ["directory.power.refused"]
    with pytest.raises(RolesClash):
        other.structure.add_post("document-office", "Both", roles=PAIR, actor="")
    post = other.structure.add_post(worker.organisation, "Certifies", roles=["ra-officer"], actor="")
    told = other.giving.would_give_post(worker.subject, post)
    assert told.clash == PAIR
    with pytest.raises(DutiesConflict):
        other.giving.give_post(worker.subject, post, actor=boss.subject, reason="x")
    # Moving takes the grant along, so that nothing clashes any more.
    assert other.employing.would_move(worker.subject, post).preview.clash is None
    with pytest.raises(RolesClash):
        other.structure.add_to_post(post, "case-worker", actor=boss.subject, reason="x")
    writer.structure.remove_post(post, actor=boss.subject)


def test_who_holds_both_already_is_found_and_nobody_new_is_hired_into_both(
    writer: DirectoryWriter, boss: Person, worker: Person
) -> None:
    post = writer.structure.add_post("document-office", "Did both", roles=PAIR, actor="")
    writer.giving.grant_role(worker.subject, "ra-officer", actor=boss.subject, reason="before the rule")
    assert worker.subject not in {person.subject for *_, person in writer.standings.clashes()}
    rule = writer.ruling.add("Late", [*PAIR, "head-of-section"], actor=boss.subject, reason="audit")
    assert (*PAIR, worker.subject) in {(one, two, person.subject) for one, two, person in writer.standings.clashes()}
    own = Administration(writer, subject=boss.subject, roles=frozenset({"directory-administrator"}))
    _, report = own.hire(username="hired.both", name="B", post=post, reason="x")
    assert [refusal.field for refusal in report.refused] == ["post"]
    table = "kind,username,name,organisation,post\ncivil-servant,imported.both,B,document-office,Did both\n"
    assert writer.import_csv(table.encode(), actor="").refused
    writer.ruling.remove(rule, actor=boss.subject, reason="done")
    writer.structure.remove_post(post, actor=boss.subject)


def test_a_set_is_every_pair_of_it_and_the_three_powers_are_no_data(
    filled: World, writer: DirectoryWriter, boss: Person
) -> None:
    roles = ("case-worker", "head-of-section", "ra-officer")
    filled.clear()
    rule = writer.ruling.add("One of three", roles, actor=boss.subject, reason="x")
    apart = writer.standings.apart()
    for one, two in (roles[:2], roles[1:], (roles[0], roles[2])):
        assert clash({one, two}, apart) == (one, two)
    assert [event.type for event in filled.outbox()] == ["directory.duties.parted"]
    writer.ruling.remove(rule, actor=boss.subject, reason="x")
    assert clash(roles, writer.standings.apart()) is None
    assert clash({"security-officer", "directory-administrator"}, writer.standings.apart())
    with pytest.raises(NoSuchGrant):
        writer.ruling.remove(rule, actor=boss.subject, reason="x")


def test_what_cannot_be_a_rule_is_refused_and_nobody_frees_themselves(writer: DirectoryWriter, boss: Person) -> None:
    for name, roles in (("", PAIR), ("x" * 121, PAIR), ("one", PAIR[:1]), ("same", (PAIR[0], PAIR[0]))):
        with pytest.raises(BadName):
            writer.ruling.add(name, roles, actor=boss.subject, reason="x")
    with pytest.raises(TooManyPeople):
        writer.ruling.add("many", [f"role-{n}" for n in range(9)], actor=boss.subject, reason="x")
    rule = writer.ruling.add("mine", ("directory-administrator", "case-worker"), actor=boss.subject, reason="x")
    with pytest.raises(OwnRole):
        writer.ruling.remove(rule, actor=boss.subject, reason="x")
    writer.ruling.remove(rule, actor="", reason="x")
