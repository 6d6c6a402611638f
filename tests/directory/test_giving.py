# SPDX-License-Identifier: Apache-2.0
"""Posts, roles and grants in a real tree: who gets what, who is refused, and what the record says of it."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from audit import Outcome
from core.errors import TallygateError
from directory.errors import (
    AlreadyGiven,
    BadDays,
    BadName,
    DeviceIsOut,
    DirectoryUnavailable,
    DutiesConflict,
    NoReason,
    NoSuchDepartment,
    NoSuchEntitlement,
    NoSuchGrant,
    NoSuchOrganisation,
    NoSuchPerson,
    NoSuchPost,
    NoSuchRole,
    OwnRole,
    Pending,
    RoleFromPost,
    RoleNotForCitizens,
    RolesClash,
    StillInUse,
)
from directory.ldap import changes
from directory.models import DeviceState, Mandate, credit_code_check
from directory.models_powers import Capacity, Entitlement, Offer
from directory.service import DirectoryWriter
from tests.directory.world import World

TODAY = date(2026, 11, 20)
LATER = TODAY + timedelta(days=30)
READ = Entitlement("tax", "returns.read")


@pytest.fixture(scope="module")
def town(world: World) -> World:
    """Two agencies with a clerk each, a company, a citizen, a device, two roles of the site's own and three posts."""
    first, second, third = (f"11999999ABCDEFGH{n}" for n in "123")
    table = (
        "kind,id,username,name,organisation,credit_code\n"
        f"agency,tax,,Tax,,{first}{credit_code_check(first)}\n"
        f"agency,care,,Care,,{second}{credit_code_check(second)}\n"
        f"organisation,company,,Company,,{third}{credit_code_check(third)}\n"
        "civil-servant,,clerk,Clerk,tax,\n"
        "civil-servant,,boss,Boss,tax,\n"
        "civil-servant,,carer,Carer,care,\n"
        "citizen,,citizen,Citizen,,\n"
        "device,,,Gate,tax,\n"
    )
    writer = world.writer()
    assert writer.import_csv(table.encode(), actor="").refused == ()
    writer.structure.add_role("tax-clerk", title="Tax clerk", title_zh="税务办事员", entitlements=[READ], actor="")
    writer.structure.add_role("tax-head", title="Head of tax", actor="")
    return world


@pytest.fixture
def writer(town: World) -> DirectoryWriter:
    town.clear()
    return town.writer()


@pytest.fixture
def clerk(town: World) -> str:
    return subject(town, "clerk")


@pytest.fixture
def counter(writer: DirectoryWriter) -> str:
    """A new post that carries one role, held by nobody."""
    return writer.structure.add_post("tax", "Counter", name_zh="窗口", roles=["tax-clerk"], actor="a1")


@pytest.fixture(autouse=True)
def clean(town: World) -> Iterator[None]:
    """Nobody keeps what a test gave."""
    yield
    writer = town.writer()
    for name in ("clerk", "boss", "carer", "citizen"):
        facts = writer.standings.facts(subject(town, name))
        for held in facts.holdings:
            writer.giving.take_post(held.id, actor="")
        for grant in facts.grants:
            writer.giving.withdraw_grant(grant.id, actor="")
    assert list(writer.keeping.drifts()) == []


def subject(world: World, username: str) -> str:
    return world.directory("directory").person_by_username(username).subject


def seen(world: World, whom: str) -> frozenset[str]:
    """The roles that a reader is told."""
    return world.directory("gateway").person(whom).roles - {"civil-servant", "citizen"}


def test_a_post_gives_its_roles_to_whoever_holds_it_and_takes_them_along(
    town: World, writer: DirectoryWriter, clerk: str, counter: str
) -> None:
    town.clear()
    boss = subject(town, "boss")
    holding = writer.giving.give_post(clerk, counter, until=LATER, actor=boss, reason="hired")
    assert seen(town, clerk) == {"tax-clerk"}
    intent, (outcome,) = town.recorder.events[-1], town.outbox()
    assert (intent.type, intent.outcome, outcome.outcome) == ("directory.post.given", Outcome.INTENDED, Outcome.SUCCESS)
    assert outcome.attributes == {
        "post": counter, "roles": "tax-clerk", "since": "2026-11-20", "until": LATER.isoformat(),
    }  # fmt: skip
    assert (outcome.subject, outcome.actor, outcome.organisation) == (clerk, boss, "tax")
    assert outcome.sealed == {"name": "Clerk", "actor_name": "Boss", "reason": "hired"}
    (chain,) = writer.standings.standing(clerk).entitlements[READ]
    assert chain.post is not None
    assert (chain.role, chain.post.id, chain.until) == ("tax-clerk", counter, LATER)
    assert chain.holding is not None
    assert (chain.holding.by, chain.holding.reason) == (boss, "hired")

    town.clear()
    writer.giving.take_post(holding, actor=boss, reason="left")
    assert seen(town, clerk) == frozenset()
    assert [event.type for event in town.outbox()] == ["directory.post.taken"]
    with pytest.raises(NoSuchGrant):
        writer.giving.take_post(holding, actor=boss)


def test_a_role_stays_as_long_as_one_way_leads_to_it(
    town: World, writer: DirectoryWriter, clerk: str, counter: str
) -> None:
    holding = writer.giving.give_post(clerk, counter, actor="a1", reason="hired")
    writer.giving.grant_role(clerk, "tax-clerk", actor="a1", reason="helps out", until=LATER)
    with pytest.raises(RoleFromPost):
        writer.withdraw_role(clerk, "tax-clerk", actor="a1")
    writer.giving.take_post(holding, actor="a1")
    assert writer.standings.materialised(clerk) == {"tax-clerk": LATER}
    writer.withdraw_role(clerk, "tax-clerk", actor="a1")
    assert seen(town, clerk) == frozenset()
    assert writer.standings.facts(clerk).grants == ()


@pytest.mark.parametrize(("days", "holds"), [(0, True), (29, True), (30, True), (31, False), (400, False)])
def test_the_last_day_counts_whole_and_readers_refuse_the_day_after_by_themselves(
    town: World,
    clerk: str,
    counter: str,
    days: int,
    holds: bool,  # noqa: FBT001 - a column
) -> None:
    writer = town.writer()
    writer.giving.give_post(clerk, counter, until=LATER, actor="a1", reason="for a while")
    at = town.clock.now()
    # One second before midnight UTC, and midnight itself, of the day in question.
    for moment in (timedelta(days=days, hours=15, minutes=59, seconds=59), timedelta(days=days, hours=-8)):
        if at + moment < at:
            continue
        town.clock.advance(moment)
        try:
            assert ("tax-clerk" in seen(town, clerk)) is holds
            assert (READ in writer.standings.standing(clerk).entitlements) is holds
            page = writer.standings.reaches("tax-clerk")
            assert (clerk in {person.subject for person in page.items}) is holds
        finally:
            town.clock.advance(-moment)


def test_what_is_over_is_taken_out_and_recorded_and_what_begins_is_put_in(
    town: World, writer: DirectoryWriter, clerk: str, counter: str
) -> None:
    writer.giving.give_post(clerk, counter, since=LATER, until=LATER, actor="a1", reason="from next month")
    writer.giving.grant_entitlement(clerk, "tax/returns.read", actor="a1", reason="once", until=TODAY)
    assert seen(town, clerk) == frozenset()
    town.clear()
    assert (writer.keeping.begin(), writer.keeping.end()) == (0, 0)
    town.clock.advance(timedelta(days=30))
    try:
        assert (writer.keeping.begin(), writer.keeping.end()) == (1, 1)
        assert seen(town, clerk) == {"tax-clerk"}
        kinds = [(event.type, event.attributes["because"]) for event in town.outbox()]
        assert kinds == [("directory.post.given", "begun"), ("directory.entitlement.withdrawn", "ended")]
        town.clear()
        town.clock.advance(timedelta(days=1))
        assert next(iter(writer.keeping.drifts())).excess == ("tax-clerk",)
        assert writer.keeping.end() == 1
        assert writer.standings.materialised(clerk) == {}
        assert [event.type for event in town.outbox()] == ["directory.post.taken"]
        town.clock.advance(timedelta(days=-1))
        assert (writer.keeping.begin(), writer.keeping.end()) == (0, 0)
    finally:
        town.clock.advance(timedelta(days=-30))


def test_duties_are_kept_apart_on_every_path(town: World, writer: DirectoryWriter, clerk: str) -> None:
    officer = writer.structure.add_post("tax", "Watch", roles=["security-officer"], actor="a1")
    registrar = writer.structure.add_post("tax", "Registry", actor="a1")
    writer.giving.grant_role(clerk, "ra-officer", actor="a1", reason="x")
    with pytest.raises(DutiesConflict):
        writer.giving.give_post(clerk, officer, actor="a1", reason="x")
    with pytest.raises(DutiesConflict):
        writer.giving.give_post(clerk, officer, since=LATER, actor="a1", reason="not today, but then")
    assert writer.giving.would_give_post(clerk, officer).clash == ("ra-officer", "security-officer")
    writer.giving.give_post(clerk, registrar, actor="a1", reason="x")
    town.clear()
    with pytest.raises(DutiesConflict):
        writer.structure.add_to_post(registrar, "security-officer", actor="a1", reason="x")
    with pytest.raises(RolesClash):
        writer.structure.add_post("tax", "Both", roles=["ra-officer", "security-officer"], actor="a1")
    # The attempt is recorded, and nothing else; a post that nobody could hold is nobody's attempt.
    assert [(event.type, event.subject) for event in town.recorder.events] == [("directory.power.refused", clerk)]
    assert seen(town, clerk) == {"ra-officer"}
    assert writer.standings.clashes() == []


def test_a_clash_that_somebody_made_past_us_is_found_afterwards(
    town: World, writer: DirectoryWriter, clerk: str
) -> None:
    writer.giving.grant_role(clerk, "ra-officer", actor="a1", reason="x")
    pool, dn = town.pool("directory"), town.tree.person(clerk)
    changes.member(town.tree.role("security-officer"), dn, joins=True).make(pool)
    try:
        ((one, other, person),) = writer.standings.clashes()
        assert (one, other, person.subject) == ("ra-officer", "security-officer", clerk)
        (drift,) = writer.keeping.mend()
        assert drift.excess == ("security-officer",)
        assert writer.standings.clashes() == []
        (event,) = [each for each in town.outbox() if each.type == "directory.role.withdrawn"]
        assert event.attributes == {"role": "security-officer", "because": "mended"}
    finally:
        changes.member(town.tree.role("security-officer"), dn, joins=False).make(pool)


def test_what_is_missing_is_mended_with_its_days(
    town: World, writer: DirectoryWriter, clerk: str, counter: str
) -> None:
    writer.giving.give_post(clerk, counter, until=LATER, actor="a1", reason="x")
    pool, dn = town.pool("directory"), town.tree.person(clerk)
    changes.member(town.tree.role("tax-clerk"), dn, joins=False).make(pool)
    changes.last_days(dn, "", before="").make(pool)
    assert seen(town, clerk) == frozenset()
    (drift,) = writer.keeping.mend()
    assert drift.missing == ("tax-clerk",)
    assert writer.standings.materialised(clerk) == {"tax-clerk": LATER}
    # Somebody makes a role endless.
    changes.last_days(dn, "", before="").make(pool)
    (drift,) = writer.keeping.mend()
    assert drift.days
    assert writer.standings.materialised(clerk) == {"tax-clerk": LATER}


def test_nobody_gives_to_themselves_by_any_path(town: World, writer: DirectoryWriter, clerk: str, counter: str) -> None:
    spelt = clerk.upper()
    paths: list[Callable[[], Any]] = [
        lambda: writer.giving.give_post(clerk, counter, actor=spelt, reason="x"),
        lambda: writer.giving.grant_role(clerk, "tax-clerk", actor=clerk, reason="x"),
        lambda: writer.giving.grant_entitlement(clerk, "tax/x", actor=spelt, reason="x"),
        lambda: writer.giving.name_representative(clerk, "company", Capacity.LEGAL, actor=clerk, reason="x"),
        lambda: writer.giving.grant_mandate(
            clerk, organisation="company", scope="all", until=LATER, actor=clerk, reason="x"
        ),
    ]
    for path in paths:
        with pytest.raises(OwnRole):
            path()
    # Round the corner: a post or role that one holds gains something.
    holding = writer.giving.give_post(clerk, counter, actor="a1", reason="x")
    with pytest.raises(OwnRole):
        writer.structure.add_to_post(counter, "tax-head", actor=clerk, reason="x")
    with pytest.raises(OwnRole):
        writer.structure.add_to_role("tax-clerk", Entitlement("tax", "everything"), actor=clerk, reason="x")
    with pytest.raises(OwnRole):
        writer.giving.take_post(holding, actor=clerk)
    assert seen(town, clerk) == {"tax-clerk"}


def test_a_post_that_gains_and_loses_a_role_does_so_for_everybody_who_holds_it(
    town: World, writer: DirectoryWriter, clerk: str, counter: str
) -> None:
    boss = subject(town, "boss")
    for whom in (clerk, boss):
        writer.giving.give_post(whom, counter, actor="a1", reason="x")
    town.clear()
    writer.structure.add_to_post(counter, "tax-head", actor="a1", reason="more to do")
    assert seen(town, clerk) == seen(town, boss) == {"tax-clerk", "tax-head"}
    assert sorted(event.type for event in town.outbox()) == [
        "directory.power.added", "directory.role.granted", "directory.role.granted",
    ]  # fmt: skip
    town.clear()
    writer.structure.remove_from_post(counter, "tax-head", actor="a1")
    assert seen(town, clerk) == seen(town, boss) == {"tax-clerk"}
    assert {event.subject for event in town.outbox() if event.type == "directory.role.withdrawn"} == {clerk, boss}


def test_entitlements_come_by_role_or_directly_and_both_ways_are_found(
    town: World, writer: DirectoryWriter, clerk: str, counter: str
) -> None:
    citizen = subject(town, "citizen")
    writer.giving.give_post(clerk, counter, actor="a1", reason="x")
    writer.giving.grant_entitlement(citizen, "tax/returns.read", actor="a1", reason="trial", until=LATER)
    assert {person.subject for person in writer.standings.reaches(READ).items} == {clerk, citizen}
    first = writer.standings.reaches(READ, limit=1)
    second = writer.standings.reaches(READ, limit=1, after=first.after)
    assert {first.items[0].subject, second.items[0].subject} == {clerk, citizen}
    more = Entitlement("tax", "returns.write")
    writer.structure.add_to_role("tax-clerk", more, actor="a1", reason="x")
    assert more in writer.standings.standing(clerk).entitlements
    writer.structure.remove_from_role("tax-clerk", more, actor="a1")
    assert more not in writer.standings.standing(clerk).entitlements
    writer.disable_person(clerk, actor="a1", reason="x")
    assert {person.subject for person in writer.standings.reaches(READ).items} == {citizen}
    assert writer.standings.standing(clerk).roles == {}
    writer.enable_person(clerk, actor="a1", reason="x")


def test_a_grant_goes_on_with_its_new_end_and_ends_by_itself_after_a_year(writer: DirectoryWriter, clerk: str) -> None:
    writer.grant_role(clerk, "tax-head", actor="a1", reason="x")
    assert writer.standings.materialised(clerk) == {"tax-head": TODAY + timedelta(days=365)}
    longer = TODAY + timedelta(days=500)
    writer.grant_role(clerk, "tax-head", actor="a1", reason="again", until=longer)
    (grant,) = writer.standings.facts(clerk).grants
    assert (grant.until, grant.reason, grant.by) == (longer, "again", "a1")
    assert writer.standings.materialised(clerk) == {"tax-head": longer}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"reason": ""}, NoReason),
        ({"reason": "x" * 501}, NoReason),
        ({"reason": "a\nb"}, NoReason),
        ({"until": TODAY - timedelta(days=1)}, BadDays),
        ({"since": LATER, "until": TODAY}, BadDays),
        ({"subject": "00000000-0000-4000-8000-000000000000"}, NoSuchPerson),
        ({"subject": "*)(uid=*"}, NoSuchPerson),
        ({"post": "00000000-0000-4000-8000-000000000000"}, NoSuchPost),
        ({"post": "x,ou=people"}, NoSuchPost),
        ({"post": "x" * 100_000}, NoSuchPost),
    ],
)
def test_a_post_is_not_given_by_mistake(
    town: World, clerk: str, counter: str, change: dict[str, Any], error: type[TallygateError]
) -> None:
    writer = town.writer()
    asked = {"subject": clerk, "post": counter, "reason": "x", **change}
    town.clear()
    with pytest.raises(error):
        writer.giving.give_post(asked.pop("subject"), asked.pop("post"), actor="a1", **asked)
    assert town.recorder.events == []
    assert seen(town, clerk) == frozenset()


def test_posts_and_roles_are_for_civil_servants_and_held_once(
    town: World, writer: DirectoryWriter, clerk: str, counter: str
) -> None:
    citizen = subject(town, "citizen")
    with pytest.raises(RoleNotForCitizens):
        writer.giving.give_post(citizen, counter, actor="a1", reason="x")
    with pytest.raises(RoleNotForCitizens):
        writer.giving.grant_role(citizen, "tax-clerk", actor="a1", reason="x")
    writer.giving.give_post(clerk, counter, actor="a1", reason="x")
    with pytest.raises(AlreadyGiven):
        writer.giving.give_post(clerk, counter, actor="a1", reason="x")
    with pytest.raises(StillInUse):
        writer.structure.remove_post(counter, actor="a1")
    with pytest.raises(NoSuchRole):
        writer.giving.grant_role(clerk, "emperor)(cn=*", actor="a1", reason="x")
    for nothing in ("nowhere/x", "tax", "tax/*)(cn=*"):
        with pytest.raises(NoSuchEntitlement):
            writer.giving.grant_entitlement(clerk, nothing, actor="a1", reason="x")


def test_departments_are_a_tree_of_one_agency(writer: DirectoryWriter) -> None:
    build = writer.structure
    top = build.add_department("tax", "Assessment", name_zh="征收处", actor="a1")
    below = build.add_department("tax", "Companies", parent=top, actor="a1")
    other = build.add_department("care", "Pensions", actor="a1")
    with pytest.raises(NoSuchDepartment):
        build.move_department(top, below, actor="a1")
    with pytest.raises(NoSuchDepartment):
        build.move_department(top, top, actor="a1")
    with pytest.raises(NoSuchDepartment):
        build.add_department("care", "Thieves", parent=top, actor="a1")
    with pytest.raises(NoSuchDepartment):
        build.add_post("care", "Thief", department=top, actor="a1")
    with pytest.raises(NoSuchDepartment):
        build.move_department(below, other, actor="a1")
    with pytest.raises(NoSuchOrganisation):
        build.add_department("company", "Sales", actor="a1")
    with pytest.raises(NoSuchOrganisation):
        build.add_post("nowhere", "Post", actor="a1")
    build.move_department(below, "", actor="a1")
    assert writer.standings.department(below).parent == ""
    post = build.add_post("tax", "Head", department=top, actor="a1")
    with pytest.raises(StillInUse):
        build.remove_department(top, actor="a1")
    build.remove_post(post, actor="a1")
    for each in (top, below, other):
        build.remove_department(each, actor="a1")
    assert writer.standings.departments("tax") == []


def test_names_that_mean_something_to_a_tree_are_only_names(writer: DirectoryWriter) -> None:
    for name in ('a,b=c+d"\\<>;#', "*)(objectClass=*", " 征收处 "):
        made = writer.structure.add_department("tax", name, actor="a1")
        assert writer.standings.department(made).name == name.strip()
        writer.structure.remove_department(made, actor="a1")
    for bad in ("", " ", "x" * 121, "a\x00b", "a\nb", "\ud800"):
        with pytest.raises(BadName):
            writer.structure.add_department("tax", bad, actor="a1")
    with pytest.raises(BadName):
        writer.structure.add_role("Not a name", title="x", actor="a1")
    with pytest.raises(BadName):
        writer.structure.add_role("citizen", title="x", actor="a1")
    with pytest.raises(AlreadyGiven):
        writer.structure.add_role("ra-officer", title="x", actor="a1")


def test_a_mandate_is_for_an_organisation_or_a_person_and_says_who_gave_it(
    town: World, writer: DirectoryWriter, clerk: str
) -> None:
    citizen, boss = subject(town, "citizen"), subject(town, "boss")
    if not writer.standings.offers():
        writer.structure.add_offer(
            Offer(name="pension", title="Pension", organisation="care", portal="social"), actor=""
        )
    writer.giving.grant_mandate(citizen, organisation="company", scope="all", until=LATER, actor=boss, reason="clerk")
    writer.giving.grant_mandate(citizen, principal=clerk, scope="pension", until=LATER, actor=boss, reason="daughter")
    with pytest.raises(AlreadyGiven):
        writer.giving.grant_mandate(citizen, principal=clerk, scope="pension", until=LATER, actor=boss, reason="x")
    (for_clerk,) = writer.standings.mandates_for(clerk)
    assert (for_clerk.holder, for_clerk.scope, for_clerk.by, for_clerk.reason) == (citizen, "pension", boss, "daughter")
    # A role that asks what somebody may do for organisations is told no more than before.
    (told,) = town.directory("signatures").person(citizen).mandates
    assert told == Mandate(organisation="company", scope="all", until=LATER)
    for wrong in (
        {"organisation": "company", "principal": clerk}, {}, {"principal": citizen}, {"organisation": "nowhere"},
    ):  # fmt: skip
        with pytest.raises((NoSuchPerson, NoSuchOrganisation)):
            writer.giving.grant_mandate(citizen, scope="all", until=LATER, actor=boss, reason="x", **wrong)
    with pytest.raises(NoSuchEntitlement):
        writer.giving.grant_mandate(citizen, organisation="company", scope="*", until=LATER, actor=boss, reason="x")
    with pytest.raises(BadDays):
        writer.giving.grant_mandate(
            citizen, organisation="company", scope="pension", until=TODAY - timedelta(days=1), actor=boss, reason="x"
        )
    for mandate in writer.standings.mandates(citizen):
        writer.giving.withdraw_mandate(citizen, mandate, actor=boss)
    assert writer.standings.mandates_for(clerk) == []
    with pytest.raises(NoSuchGrant):
        writer.giving.withdraw_mandate(citizen, told, actor=boss)


def test_a_company_has_representatives(town: World, writer: DirectoryWriter) -> None:
    citizen = subject(town, "citizen")
    made = writer.giving.name_representative(citizen, "company", Capacity.LEGAL, actor="a1", reason="register")
    (found,) = writer.standings.representatives("company")
    assert (found.holder, found.capacity, found.by, found.reason) == (citizen, Capacity.LEGAL, "a1", "register")
    assert writer.standings.represented_by(citizen) == [found]
    with pytest.raises(AlreadyGiven):
        writer.giving.name_representative(citizen, "company", Capacity.LEGAL, actor="a1", reason="x")
    writer.giving.remove_representative(made, actor="a1")
    assert writer.standings.representatives("company") == []


def test_a_lost_or_retired_device_is_out_and_only_a_lost_one_comes_back(town: World, writer: DirectoryWriter) -> None:
    device = town.directory("directory").devices().items[0].id
    writer.set_device_state(device, DeviceState.HEALTHY, actor="a1", reason="checked")
    assert town.directory("directory").device(device).state is DeviceState.HEALTHY
    town.clear()
    writer.set_device_state(device, DeviceState.LOST, actor="a1", reason="left in a taxi")
    assert not town.directory("gateway").device(device).enabled
    (event,) = town.outbox()
    assert (event.type, event.attributes) == ("directory.device.disabled", {"state": "lost", "was": "healthy"})
    with pytest.raises(DeviceIsOut):
        writer.enable_device(device, actor="a1")
    writer.set_device_state(device, DeviceState.HEALTHY, actor="a1", reason="found")
    assert town.directory("gateway").device(device).enabled
    writer.set_device_state(device, DeviceState.RETIRED, actor="a1", reason="old")
    for state in DeviceState:
        with pytest.raises(DeviceIsOut):
            writer.set_device_state(device, state, actor="a1", reason="x")
    assert not town.directory("gateway").device(device).enabled


def test_an_older_tree_is_brought_forward_by_one_recorded_change(own_world: World) -> None:
    code = "11999999ABCDEFGH1"
    table = f"kind,id,username,name,organisation,credit_code\nagency,tax,,Tax,,{code}{credit_code_check(code)}\n"
    writer = own_world.writer()
    writer.import_csv((table + "civil-servant,,clerk,Clerk,tax,\n").encode(), actor="")
    pool, tree, clerk = own_world.pool("directory"), own_world.tree, subject(own_world, "clerk")
    for name in ("departments", "posts", "holdings", "grants", "representatives", "offers"):
        pool.remove(tree.branch(name))
    changes.member(tree.role("ra-officer"), tree.person(clerk), joins=True).make(pool)
    own_world.clear()
    # It goes on working as it is, but takes nothing new, and nothing is mended away.
    assert seen(own_world, clerk) == {"ra-officer"}
    for act in (
        lambda: writer.grant_role(clerk, "tax-clerk", actor="", reason="x"),
        lambda: writer.structure.add_department("tax", "x", actor=""),
        writer.keeping.mend,
    ):
        with pytest.raises(TallygateError) as refused:
            act()
        assert refused.value.code in {"not_migrated", "no_such_role"}
    found = writer.keeping.migration()
    assert [(person.username, role) for person, role in found.grants] == [("clerk", "ra-officer")]
    assert own_world.recorder.events == []
    writer.keeping.migrate(until=LATER)
    assert writer.standings.materialised(clerk) == {"ra-officer": LATER}
    assert not writer.keeping.migration().is_needed
    assert list(writer.keeping.drifts()) == []
    kinds = [event.type for event in own_world.outbox()]
    assert kinds == ["directory.role.granted", "directory.tree.migrated"]
    assert not writer.keeping.migrate().is_needed
    writer.withdraw_role(clerk, "ra-officer", actor="")
    assert writer.watch.look() == 7, "what the test did past the writer, and nothing else"


def test_taking_away_while_the_server_is_down(own_world: World) -> None:
    code = "11999999ABCDEFGH1"
    table = f"kind,id,username,name,organisation,credit_code\nagency,tax,,Tax,,{code}{credit_code_check(code)}\n"
    writer = own_world.writer()
    writer.import_csv((table + "civil-servant,,clerk,Clerk,tax,\n").encode(), actor="")
    clerk = subject(own_world, "clerk")
    writer.grant_role(clerk, "ra-officer", actor="", reason="x")
    post = writer.structure.add_post("tax", "Counter", roles=["ra-officer"], actor="")
    holding = writer.giving.give_post(clerk, post, actor="", reason="x")
    own_world.kill()
    with pytest.raises(DirectoryUnavailable):
        writer.giving.take_post(holding, actor="")
    with pytest.raises(Pending):
        writer.withdraw_role(clerk, "ra-officer", actor="", reason="at once")
    assert own_world.outbox()[-1].type == "directory.role.withdrawn"
    own_world.start()
    writer.replay()
    assert seen(own_world, clerk) == frozenset()
    assert writer.standings.facts(clerk).grants == ()
    writer.giving.take_post(holding, actor="")
    assert list(writer.keeping.drifts()) == []
    assert writer.watch.look() == 0
