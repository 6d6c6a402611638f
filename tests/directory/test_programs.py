# SPDX-License-Identifier: Apache-2.0
"""Programs with a token of their own at the SCIM service: what was written down for them, and what they try in vain."""

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from audit import Event, Outcome
from directory.errors import BadDays, BadName, BadRight, NoReason, NoSuchOrganisation, NoSuchProgram, ProgramNotLet
from directory.models import Person
from directory.service import DirectoryWriter, Enrolling
from tests.directory.desk import Desk
from tests.directory.world import World

CLIENT = "personnel"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
OFF = {"Operations": [{"op": "replace", "path": "active", "value": False}]}
EVERYTHING = ("read", "enter", "change", "switch", "release")


class Scim:
    """One program at the service, as the gateway lets it through."""

    def __init__(self, world: World, *, client: str = CLIENT, kind: str = "client") -> None:
        self._desk = Desk(world, subject=client, roles=frozenset(), kind=kind)

    def told(self, method: str, path: str, document: Any = None) -> Any:
        """The document it is answered with."""
        return self(method, path, document).json

    def __call__(self, method: str, path: str, document: Any = None) -> TestResponse:
        return self._desk.ask(
            method, f"/scim/v2{path}", data=json.dumps(document) if document is not None else None,
            content_type="application/scim+json",
        )  # fmt: skip


@pytest.fixture
def enrolling(writer: DirectoryWriter) -> Iterator[Enrolling]:
    """The verbs, with nobody let in before and afterwards."""
    yield writer.enrolling
    for each in writer.enrolling.all():
        writer.enrolling.end(each.client, actor="")


@pytest.fixture(scope="module")
def scim(filled: World) -> Scim:
    """The program that tests let in."""
    return Scim(filled)


@pytest.fixture
def let(enrolling: Enrolling, filled: World, li_na: Person) -> Callable[..., None]:
    """Lets the program do something in Li Na's agency."""

    def made(*doings: str, organisation: str = li_na.organisation, days: int = 30) -> None:
        until = filled.clock.now().date() + timedelta(days=days)
        enrolling.let(
            CLIENT, organisations=[organisation], doings=doings, until=until, actor="zhao", reason="personnel files"
        )

    return made


def _kinds(world: World, kind: str) -> list[Event]:
    return [each for each in [*world.recorder.events, *world.outbox()] if each.type == kind]


def _user(name: str, organisation: str) -> dict[str, Any]:
    told = {"userName": name, "name": {"formatted": "Made Up"}, "userType": "civil-servant"}
    return {**told, ENTERPRISE: {"organization": organisation}}


def test_nobody_let_it_so_it_may_nothing_and_that_is_on_record(
    enrolling: Enrolling, scim: Scim, filled: World, li_na: Person
) -> None:
    assert enrolling.all() == []
    for method, path in (
        ("GET", "/Users"), ("GET", f"/Users/{li_na.subject}"), ("GET", "/Groups"), ("GET", "/ServiceProviderConfig"),
        ("DELETE", f"/Users/{li_na.subject}"),
    ):  # fmt: skip
        assert scim(method, path).status_code == 403, path
    refused = _kinds(filled, "directory.program.refused")
    assert {(each.actor, each.outcome) for each in refused} == {(CLIENT, Outcome.DENIED)}
    assert len(refused) == 5


def test_it_keeps_its_part_and_stands_in_the_record_as_who_did_it(
    let: Callable[..., None], scim: Scim, filled: World, li_na: Person
) -> None:
    let(*EVERYTHING)
    listed = scim.told("GET", "/Users?count=5&startIndex=1")
    assert listed["totalResults"]
    assert all(each[ENTERPRISE]["organization"] for each in listed["Resources"])
    made = scim("POST", "/Users", _user("made.by-program", li_na.organisation))
    assert made.status_code == 201, made.text
    subject = json.loads(made.text)["id"]
    change = {"Operations": [{"op": "replace", "value": {"name": {"formatted": "Other"}, "active": False}}]}
    changed = scim("PATCH", f"/Users/{subject}", change)
    assert (changed.status_code, json.loads(changed.text)["active"]) == (200, False)
    assert scim("DELETE", f"/Users/{subject}").status_code == 204
    assert scim("GET", f"/Users/{subject}").status_code == 404
    acts = [each for each in [*filled.recorder.events, *filled.outbox()] if each.actor == CLIENT]
    assert {"directory.people.searched", "directory.person.created", "directory.person.changed",
            "directory.person.disabled"} <= {each.type for each in acts}  # fmt: skip


def test_other_branches_are_not_there_and_nobody_is_entered_in_them(
    let: Callable[..., None], scim: Scim, writer: DirectoryWriter, li_na: Person
) -> None:
    let(*EVERYTHING)
    everybody = writer.directory.people(limit=400).items
    branch = writer.directory.branch(li_na.organisation)
    other = next(each for each in everybody if each.organisation and not branch.holds(each.organisation))
    citizen = next(each for each in everybody if not each.organisation)
    for whom in (other, citizen):
        for method, document in (("GET", None), ("DELETE", None), ("PATCH", OFF)):
            assert scim(method, f"/Users/{whom.subject}", document).status_code == 404
        found = scim.told("GET", f'/Users?filter=userName eq "{whom.username}"')
        assert found["Resources"] == []
    assert scim("POST", "/Users", _user("in.another-branch", other.organisation)).status_code in (400, 403)
    stranger = {"userName": "a.citizen", "name": {"formatted": "X"}, "userType": "citizen"}
    assert scim("POST", "/Users", stranger).status_code in (400, 403)


@pytest.mark.parametrize("left_out", EVERYTHING[1:])
def test_a_verb_that_was_not_written_down_is_refused(
    left_out: str, let: Callable[..., None], scim: Scim, filled: World, li_na: Person
) -> None:
    let(*(each for each in EVERYTHING if each != left_out))
    path = f"/Users/{li_na.subject}"
    replace = {"op": "replace", "path": "name.formatted", "value": "Somebody Else"}
    tries: dict[str, tuple[str, str, Any]] = {
        "enter": ("POST", "/Users", _user("not.let-in", li_na.organisation)),
        "change": ("PATCH", path, {"Operations": [replace]}),
        "switch": ("PATCH", path, OFF),
        "release": ("DELETE", path, None),
    }
    assert scim(*tries[left_out]).status_code == 403
    method, path, document = tries[left_out]
    bulk = {"Operations": [{"method": method, "path": path, "data": document, "bulkId": "b"}]}
    assert scim.told("POST", "/Bulk", bulk)["Operations"][0]["status"] == "403"
    assert {each.attributes["act"] for each in _kinds(filled, "directory.program.refused")} == {left_out}
    assert filled.directory("directory").person(li_na.subject) == li_na


def test_it_gets_nobody_into_a_group_and_touches_nobody_who_holds_power(
    let: Callable[..., None], scim: Scim, writer: DirectoryWriter, li_na: Person
) -> None:
    officer = writer.directory.person_by_username("zhao.lei")
    let(*EVERYTHING, organisation=officer.organisation)
    join = {"Operations": [{"op": "add", "path": "members", "value": [{"value": li_na.subject}]}]}
    for role in ("directory-administrator", "ra-officer"):
        assert scim("PATCH", f"/Groups/{role}", join).status_code == 403
        assert scim("DELETE", f"/Groups/{role}").status_code == 403
    assert scim("POST", "/Groups", {"displayName": "Mine"}).status_code == 403
    assert scim("PATCH", f"/Users/{officer.subject}", OFF).status_code == 403
    assert scim("DELETE", f"/Users/{officer.subject}").status_code == 403
    assert writer.directory.person(officer.subject).enabled
    grant = {"Operations": [{"op": "add", "path": "groups", "value": [{"value": "ra-officer"}]}]}
    assert scim("PATCH", f"/Users/{li_na.subject}", grant).status_code in (400, 403, 404)
    more = {"groups": [{"value": "ra-officer"}], "roles": [{"value": "ra-officer"}]}
    own = {"urn:tallygate:scim:schemas:2.0:User": {"clearance": 3, "proofingLevel": 3}}
    made = scim("POST", "/Users", {**_user("mass.assigned", officer.organisation), **more, **own})
    assert made.status_code == 201
    entered = writer.directory.person(json.loads(made.text)["id"])
    assert (sorted(entered.roles), entered.clearance, entered.proofing.level) == (["civil-servant"], 0, 0)


def test_an_end_bites_at_the_next_request_and_so_does_the_last_day(
    let: Callable[..., None], enrolling: Enrolling, scim: Scim, filled: World
) -> None:
    let("read")
    assert scim("GET", "/Users").status_code == 200
    enrolling.end(CLIENT, actor="zhao", reason="replaced")
    assert scim("GET", "/Users").status_code == 403
    assert [each.actor for each in _kinds(filled, "directory.program.ended")] == ["zhao"]
    with pytest.raises(NoSuchProgram):
        enrolling.end(CLIENT, actor="zhao", reason="again")
    let("read", days=0)
    assert scim("GET", "/Users").status_code == 200
    filled.clock.advance(timedelta(days=1))
    try:
        assert scim("GET", "/Users").status_code == 403
        enrolling.end_due()
        assert enrolling.all() == []
    finally:
        filled.clock.advance(timedelta(days=-1))


def test_what_is_written_anew_replaces_what_was(let: Callable[..., None], enrolling: Enrolling, filled: World) -> None:
    let(*EVERYTHING)
    let("read")
    assert [each.doings for each in enrolling.all()] == [{"read"}]
    assert [each.attributes.get("because") for each in _kinds(filled, "directory.program.ended")] == ["replaced"]
    assert [each.outcome for each in _kinds(filled, "directory.program.let")].count(Outcome.INTENDED) == 2


def test_the_pages_of_people_and_the_own_entry_are_not_for_programs(
    let: Callable[..., None], filled: World, li_na: Person, scim: Scim
) -> None:
    let(*EVERYTHING)
    desk = Desk(filled, subject=CLIENT, roles=frozenset({"directory-administrator"}), kind="client")
    for path in ("/", "/import", "/software", f"/people/{li_na.subject}", "/scim/v2/Me"):
        assert desk.get(path).status_code == 403, path
    # A person without a role is no program, and a device is none either.
    for kind in ("person", "device"):
        assert Scim(filled, kind=kind)("GET", "/Users").status_code == 403
    assert Scim(filled, client="another")("GET", "/Users").status_code == 403
    assert scim("GET", "/Schemas").status_code == 200


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"client": ""}, BadName),
        ({"client": "a b"}, BadName),
        ({"client": "a" * 65}, BadName),
        ({"doings": ["enter"]}, BadRight),
        ({"doings": ["read", "grant"]}, BadRight),
        ({"doings": []}, BadRight),
        ({"organisations": []}, NoSuchOrganisation),
        ({"organisations": ["no-such-agency"]}, NoSuchOrganisation),
        ({"organisations": [f"a{number}" for number in range(9)]}, NoSuchOrganisation),
        ({"until": date(2000, 1, 1)}, BadDays),
        ({"until": date(2999, 1, 1)}, BadDays),
        ({"reason": " "}, NoReason),
    ],
)
def test_what_cannot_be_written_down_is_refused(
    changes: dict[str, Any], refused: type[Exception], enrolling: Enrolling, filled: World, li_na: Person
) -> None:
    good: dict[str, Any] = {
        "client": CLIENT, "organisations": [li_na.organisation], "doings": ["read"],
        "until": filled.clock.now().date(), "actor": "zhao", "reason": "because",
    }  # fmt: skip
    with pytest.raises(refused):
        enrolling.let(**{**good, **changes})
    assert enrolling.all() == []


def test_an_administrator_lets_and_ends_a_program_at_the_desk(
    enrolling: Enrolling, filled: World, li_na: Person
) -> None:
    subject = filled.directory("directory").person_by_username("zhao.lei").subject
    desk = Desk(filled, subject=subject, roles=frozenset({"directory-administrator"}))
    form = {"client": CLIENT, "organisations": li_na.organisation, "doing": ["read", "switch"], "reason": "files"}
    until = filled.clock.now().date() + timedelta(days=9)
    assert desk.post("/software/programs", {**form, "until": until.isoformat()}).status_code == 303
    found = [(each.client, sorted(each.doings), each.by) for each in enrolling.all()]
    assert found == [(CLIENT, ["read", "switch"], subject)]
    assert CLIENT in desk.get("/software?done=program-let").text
    agency = Desk(filled, subject=li_na.subject, roles=frozenset({"agency-administrator"}))
    assert agency.post(f"/software/programs/{CLIENT}/end", {"reason": "x"}).status_code == 403
    assert desk.post(f"/software/programs/{CLIENT}/end", {"reason": "x"}, token=False).status_code == 403
    assert desk.post(f"/software/programs/{CLIENT}/end", {"reason": "no longer"}).status_code == 303
    with pytest.raises(ProgramNotLet):
        enrolling.program(CLIENT)
