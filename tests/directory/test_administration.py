# SPDX-License-Identifier: Apache-2.0
"""An agency's administrator has the own agency with everything below it, and nothing else, whatever is asked how."""

import io

import pytest

from directory.errors import BeyondScope, DirectoryUnavailable, DutiesConflict, NoSuchDevice, NoSuchPerson, Pending
from directory.models import Scope, credit_code_check
from directory.service import Administration
from tests.directory.desk import Desk
from tests.directory.world import World

AGENCY = frozenset({"agency-administrator", "civil-servant"})
ALL = frozenset({"directory-administrator", "civil-servant"})
_HEAD = "kind,id,username,name,organisation,credit_code,parent,scope,until"


def code(number: int) -> str:
    body = f"11999999ABCD{number:05d}"
    return body + credit_code_check(body)


def table(*rows: str) -> bytes:
    return "\n".join([_HEAD, *rows]).encode()


@pytest.fixture(scope="module")
def nation(world: World) -> World:
    """Two agencies, each with a clerk and a device; the first has an administrator, and a department with a section."""
    report = world.writer().import_csv(
        table(
            f"agency,first,,First,,{code(1)},,,",
            f"agency,department,,Department,,{code(2)},first,,",
            f"agency,section,,Section,,{code(3)},department,,",
            f"agency,second,,Second,,{code(4)},,,",
            f"organisation,company,,Company,,{code(5)},,,",
            *(f"civil-servant,,{name}.clerk,Clerk,{name},,,," for name in ("first", "department", "section", "second")),
            *(f"device,,,Gate,{name},,,," for name in ("first", "department", "section", "second", "company")),
            "civil-servant,,first.admin,Admin,first,,,,",
            "civil-servant,,first.officer,Officer,first,,,,",
            "citizen,,some.body,Somebody,,,,,",
            "mandate,,some.body,,company,,,all,2040-01-01",
        ),
        actor="",
    )
    assert report.refused == ()
    directory = world.directory("directory")
    for username, role in (("first.admin", "agency-administrator"), ("first.officer", "ra-officer")):
        world.writer().grant_role(directory.person_by_username(username).subject, role, actor="", reason="x")
    return world


def subject(world: World, username: str) -> str:
    return world.directory("directory").person_by_username(username).subject


@pytest.fixture
def admin(nation: World) -> Administration:
    return Administration(nation.writer(), subject=subject(nation, "first.admin"), roles=AGENCY)


@pytest.fixture
def desk(nation: World) -> Desk:
    nation.clear()
    return Desk(nation, subject=subject(nation, "first.admin"), roles=AGENCY)


OWN = {"first.clerk", "department.clerk", "section.clerk", "first.admin", "first.officer"}
OTHERS = ("second.clerk", "some.body")


def test_the_branch_is_the_agency_with_everything_below(admin: Administration) -> None:
    assert admin.scope() == Scope(organisations=frozenset({"first", "department", "section"}))
    assert {person.username for person in admin.people(limit=50).items} == OWN
    assert {found.organisation for found in admin.devices(limit=50).items} == {"first", "department", "section"}
    assert {found.id for found in admin.organisations(limit=50).items} == {"first", "department", "section"}


def test_a_search_stays_in_the_branch(admin: Administration) -> None:
    assert {person.username for person in admin.people("clerk", limit=50).items} == {
        "first.clerk", "department.clerk", "section.clerk",
    }  # fmt: skip
    for text in ("second", "some.body", "*", "*)(uid=*", "second)(tallyOrganisation=second"):
        assert admin.people(text, limit=50).items == ()
    assert admin.devices("second", limit=50).items == ()
    assert admin.organisations("company", limit=50).items == ()


def test_the_pages_of_a_list_stay_in_the_branch_too(admin: Administration) -> None:
    found, after = set(), ""
    while True:
        page = admin.people(after=after, limit=2)
        found |= {person.username for person in page.items}
        after = page.after
        if not after:
            break
    assert found == OWN


def test_others_are_not_there(admin: Administration, nation: World) -> None:
    foreign = next(d for d in nation.directory("directory").devices().items if d.organisation == "second")
    for username in OTHERS:
        other = subject(nation, username)
        for ask in (
            lambda other=other: admin.person(other),
            lambda other=other: admin.disable_person(other, reason="x"),
            lambda other=other: admin.enable_person(other, reason="x"),
        ):
            with pytest.raises(NoSuchPerson):
                ask()
        assert nation.directory("directory").person(other).enabled
    for act in (admin.disable_device, admin.enable_device):
        with pytest.raises(NoSuchDevice):
            act(foreign.id)
    assert nation.directory("directory").device(foreign.id).enabled


def test_whoever_belongs_to_the_branch_is_shut_out_and_let_in_again(admin: Administration, nation: World) -> None:
    clerk = subject(nation, "section.clerk")
    nation.clear()
    admin.disable_person(clerk, reason="left")
    assert not nation.directory("directory").person(clerk).enabled
    assert nation.outbox()[-1].actor == subject(nation, "first.admin")
    admin.enable_person(clerk, reason="came back")
    assert nation.directory("directory").person(clerk).enabled
    device = next(d for d in nation.directory("directory").devices().items if d.organisation == "department")
    admin.disable_device(device.id)
    assert not nation.directory("directory").device(device.id).enabled
    admin.enable_device(device.id)


def test_whoever_holds_a_role_of_the_whole_site_is_not_an_agencys_business(
    admin: Administration, nation: World
) -> None:
    officer = subject(nation, "first.officer")
    assert not admin.may_change(admin.person(officer))
    for act in (admin.disable_person, admin.enable_person):
        with pytest.raises(BeyondScope):
            act(officer, reason="x")
    assert nation.directory("directory").person(officer).enabled


def test_roles_and_alarms_are_not_an_agencys_business(admin: Administration, nation: World) -> None:
    clerk = subject(nation, "first.clerk")
    for role in ("ra-officer", "agency-administrator", "directory-administrator"):
        with pytest.raises(BeyondScope):
            admin.grant_role(clerk, role, reason="x")
        with pytest.raises(BeyondScope):
            admin.withdraw_role(clerk, role)
    with pytest.raises(BeyondScope):
        _ = admin.unrecorded
    assert nation.directory("directory").person(clerk).roles == {"civil-servant"}


@pytest.mark.parametrize(
    "row",
    [
        "civil-servant,,intruder,Intruder,second,,,,",
        "civil-servant,,intruder,Intruder,company,,,,",
        "citizen,,intruder,Intruder,,,,,",
        "device,,,Intruder,second,,,,",
        "device,,,Intruder,company,,,,",
        f"agency,intruder,,Intruder,,{code(90)},second,,",
        f"agency,intruder,,Intruder,,{code(90)},,,",
        f"organisation,intruder,,Intruder,,{code(90)},,,",
        "mandate,,first.clerk,,company,,,all,2040-01-01",
        "mandate,,first.clerk,,first,,,seal,2040-01-01",
    ],
)
def test_an_import_enters_nothing_elsewhere(admin: Administration, nation: World, row: str) -> None:
    nation.clear()
    report = admin.import_csv(table("civil-servant,,good.one,Good,first,,,,", row))
    assert report.entered == 0
    assert 3 in {refusal.line for refusal in report.refused}
    assert nation.recorder.events == []
    assert nation.directory("directory").people("good.one").items == ()


def test_an_import_may_go_on_below(admin: Administration, nation: World) -> None:
    report = admin.import_csv(
        table(
            f"agency,lower,,Lower,,{code(21)},upper,,",
            f"agency,upper,,Upper,,{code(20)},section,,",
            "civil-servant,,lower.clerk,Clerk,lower,,,,",
            "device,,,Gate,upper,,,,",
        )
    )
    assert report.refused == ()
    assert admin.person(subject(nation, "lower.clerk")).organisation == "lower"


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ((f"agency,a,,A,,{code(30)},b,,", f"agency,b,,B,,{code(31)},a,,"), {2, 3}),
        ((f"agency,a,,A,,{code(30)},a,,",), {2}),
        ((f"agency,a,,A,,{code(30)},company,,",), {2}),
        ((f"agency,a,,A,,{code(30)},nowhere,,",), {2}),
        ((f"agency,a,,A,,{code(30)},*,,",), {2}),
        ((f"organisation,a,,A,,{code(30)},first,,",), {2}),
    ],
)
def test_a_tree_stays_a_tree(nation: World, rows: tuple[str, ...], lines: set[int]) -> None:
    report = nation.writer().import_csv(table(*rows), actor="")
    assert {refusal.line for refusal in report.refused} == lines
    assert {refusal.field for refusal in report.refused} == {"parent"}


@pytest.mark.parametrize("username", ["first.clerk", "second.clerk", "some.body"])
def test_the_directory_says_who_administers_not_the_header(nation: World, username: str) -> None:
    claimed = Administration(nation.writer(), subject=subject(nation, username), roles=AGENCY)
    assert claimed.scope() == Scope()
    assert claimed.people(limit=50).items == ()
    with pytest.raises(NoSuchPerson):
        claimed.person(subject(nation, "first.clerk"))
    report = claimed.import_csv(table("civil-servant,,intruder,Intruder,first,,,,"))
    assert report.entered == 0


@pytest.mark.parametrize("how", ["role", "account"])
def test_whoever_lost_the_role_has_nothing_left(nation: World, how: str) -> None:
    admin, writer = subject(nation, "first.admin"), nation.writer()
    held = Administration(writer, subject=admin, roles=AGENCY)
    if how == "role":
        writer.withdraw_role(admin, "agency-administrator", actor="")
    else:
        writer.disable_person(admin, actor="", reason="")
    assert held.scope() == Scope()
    with pytest.raises(NoSuchPerson):
        held.disable_person(subject(nation, "first.clerk"), reason="revenge")
    if how == "role":
        writer.grant_role(admin, "agency-administrator", actor="", reason="x")
    else:
        writer.enable_person(admin, actor="")
    assert held.scope() != Scope()


def test_while_the_server_is_down_only_whoever_has_everything_shuts_out(own_world: World) -> None:
    own_world.writer().import_csv(
        table(f"agency,first,,First,,{code(1)},,,", "civil-servant,,clerk,Clerk,first,,,,"), actor=""
    )
    clerk = subject(own_world, "clerk")
    own_world.kill()
    with pytest.raises(DirectoryUnavailable):
        Administration(own_world.writer(), subject=clerk, roles=AGENCY).disable_person(clerk, reason="x")
    with pytest.raises(Pending):
        Administration(own_world.writer(), subject="a1", roles=ALL).disable_person(clerk, reason="x")
    own_world.start()


def test_an_agencys_desk_shows_the_branch_and_no_more(desk: Desk, nation: World) -> None:
    text = desk.get("/").text
    assert "section.clerk" in text
    assert "second.clerk" not in text
    assert "some.body" not in text
    assert "/unrecorded" not in text
    own, other = subject(nation, "first.clerk"), subject(nation, "second.clerk")
    page = desk.get(f"/people/{own}")
    assert page.status_code == 200
    assert "Grant a role" not in page.text
    assert desk.get(f"/people/{other}").status_code == 404
    officer = desk.get(f"/people/{subject(nation, 'first.officer')}").text
    assert "holds a role of the whole site" in officer
    assert "/disable" not in officer
    assert "agencies below your own" in desk.get("/import").text


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/people/{other}/disable", {"reason": "x"}, 404),
        ("/people/{officer}/disable", {"reason": "x"}, 403),
        ("/people/{own}/roles/grant", {"role": "ra-officer", "reason": "x"}, 403),
        ("/people/{own}/roles/withdraw", {"role": "ra-officer"}, 403),
        ("/unrecorded/1/undo", {}, 403),
        ("/unrecorded/1/keep", {"reason": "x"}, 403),
    ],
)
def test_an_agencys_desk_refuses_what_is_not_its_business(
    desk: Desk, nation: World, path: str, form: dict[str, str], status: int
) -> None:
    names = {"other": "second.clerk", "officer": "first.officer", "own": "first.clerk"}
    where = path.format(**{key: subject(nation, name) for key, name in names.items()})
    nation.clear()
    assert desk.post(where, form).status_code == status
    assert nation.outbox() == []
    assert nation.recorder.types() == []


def test_an_agencys_desk_imports_for_the_agency(desk: Desk, nation: World) -> None:
    def send(row: str) -> int:
        return desk.post("/import", {"file": (io.BytesIO(table(row)), "people.csv")}).status_code

    assert send("civil-servant,,new.clerk,Clerk,department,,,,") == 200
    assert send("civil-servant,,new.spy,Spy,second,,,,") == 422


@pytest.mark.parametrize("role", ["security-officer", "security-administrator", "directory-administrator"])
def test_an_agency_administrator_watches_nobody_and_sets_no_rules(nation: World, role: str) -> None:
    with pytest.raises(DutiesConflict):
        nation.writer().grant_role(subject(nation, "first.admin"), role, actor="", reason="x")


def test_a_tree_of_an_earlier_release_gets_its_new_role_recorded(own_world: World) -> None:
    dn = own_world.tree.role("agency-administrator")
    removed = own_world.as_service("directory", "ldapdelete", dn)
    assert removed.returncode == 0
    own_world.writer().watch.look()
    own_world.clear()
    own_world.writer().complete_tree()
    assert own_world.recorder.events[-1].attributes == {"kind": "role", "names": "agency-administrator"}
    assert len(own_world.outbox()) == 1
    own_world.clear()
    own_world.writer().complete_tree()
    assert own_world.recorder.events == []
    assert own_world.writer().watch.look() == 0
