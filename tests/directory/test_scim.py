# SPDX-License-Identifier: Apache-2.0
"""SCIM 2.0: filters, changes, documents; over HTTP what a client may do, and what it may try in vain."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from directory import scim
from directory.errors import BadCursor, BadFilter, BadPatch, BadPath, NoTarget, ReadOnly, StaleCursor
from directory.models import Person
from directory.service import DirectoryWriter
from tests.directory.desk import HOST, Desk
from tests.directory.world import World

OWN = "urn:tallygate:scim:schemas:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('userName eq "li.na"', "(uid=li.na)"),
        ('USERNAME Eq "li.na"', "(uid=li.na)"),
        (f'{scim.USER}:userName sw "li"', "(uid=li*)"),
        ('emails.value ew "@city.example"', "(mail=*@city.example)"),
        ("emails pr", "(mail=*)"),
        ("active eq true", "(tallyEnabled=TRUE)"),
        ("active ne true", "(tallyEnabled=FALSE)"),
        ('displayName co "李"', "(|(cn=*李*)(tallyNameZh=*李*))"),
        ('not (userName eq "a") and active eq true or id pr', "(|(&(!(uid=a))(tallyEnabled=TRUE))(tallySubject=*))"),
        ('userType eq "citizen"', "(objectClass=tallyCitizen)"),
        (f'{ENTERPRISE}:organization eq "tax-bureau"', "(tallyOrganisation=tax-bureau)"),
        ('emails[type eq "work" and value co "@x"]', "(&(mail=*)(&(mail=*)(mail=*@x*)))"),
        ('emails[type eq "home"]', "(&(mail=*)(|))"),
        ("emails eq null", "(!(mail=*))"),
        (f"{OWN}:clearance gt 1", "(&(tallyClearance>=1)(!(tallyClearance=1)))"),
        (f"{OWN}:proofingLevel le 2", "(&(tallyProofingLevel=*)(!(tallyProofingLevel>=3)))"),
        ('groups[value eq "ra-officer"]', "(|(memberOf=cn=ra-officer))"),
        ('groups.value sw "case"', "(|(memberOf=cn=case-worker))"),
        ('groups ne "ra-officer"', "(!(|(memberOf=cn=ra-officer)))"),
        ('userName eq "*)(uid=*"', "(uid=\\2a\\29\\28uid=\\2a)"),
    ],
)
def test_a_filter_is_read_and_escaped(text: str, found: str) -> None:
    assert scim.user_filter(text, groups) == found


def groups(fits: Callable[[Mapping[str, Any]], bool]) -> list[str]:
    """Two groups."""
    return [f"cn={name}" for name in ("ra-officer", "case-worker") if fits({"value": name, "type": "direct"})]


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ('displayName eq "case WORKER" and members pr', True),
        ('members[value eq "b" and type eq "User"]', True),
        ('members[value eq "a" and type eq "Group"]', False),
        ('not (members.value eq "c")', True),
        ('members.value ne "a"', False),
        ("meta.version pr or size ge 2", True),
        ("size lt 2.5 and size gt 1", True),
        ("active eq true", False),
        ("nothing eq null and displayName ne null", True),
        ('displayName gt "case" and displayName lt "d"', True),
        ('size co "2"', False),
    ],
)
def test_a_filter_is_held_against_a_document(text: str, *, fits: bool) -> None:
    document = {
        "displayName": "Case worker",
        "size": 2,
        "members": [{"value": "a", "type": "User"}, {"value": "b", "type": "User"}],
    }
    assert scim.matches(scim.parsed(text), document) is fits


@pytest.mark.parametrize(
    "text",
    [
        "", "userName", "userName eq", 'userName eq "a', 'userPassword sw "x"', "active co true", 'active eq "x"',
        'userName xx "a"', '(userName eq "a"', 'userName eq "a")', "userName gt null", 'userName eq ""',
        'userName eq "\\u0000"', "emails[type pr", "emails[phone[x pr]]", 'roles[value eq "x"]', 'userName gt "a"',
        "userName eq 01", 'emails[userName eq "a"] x', "members pr", "not userName pr",
        "(" * 200 + "id pr" + ")" * 200,
        'memberOf eq "x"', 'tallyNumberIndex eq "x"', 'userName eq "' + "a" * 1000 + '"', "userName eq true",
        "userName co 3", 'userName eq "\\ud800"', 'meta.created gt "2026"',
    ],
)  # fmt: skip
def test_what_is_no_filter_or_asks_for_something_else_is_refused(text: str) -> None:
    with pytest.raises(BadFilter):
        scim.user_filter(text)


def operations(*each: dict[str, Any]) -> dict[str, Any]:
    """A change."""
    return {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": list(each)}


def test_changes_are_read_in_every_way_of_saying_them() -> None:
    assert scim.patched(operations({"op": "Replace", "path": "active", "value": False})).active is False
    assert scim.patched(operations({"op": "add", "value": {"name.formatted": "N", "active": True}})).name == "N"
    own = {"op": "replace", "value": {OWN: {"nameZh": "新"}}}
    assert scim.patched(operations(own)).name_zh == "新"
    assert scim.patched(operations({"op": "replace", "path": f"{OWN}:nameZh", "value": "新"})).name_zh == "新"
    mail = {"op": "replace", "path": 'emails[type eq "work"].value', "value": "a@b.example"}
    assert scim.patched(operations(mail)).mail == "a@b.example"
    held = {"op": "replace", "path": 'emails[value eq "old@b.example"]', "value": [{"value": "a@b.example"}]}
    assert scim.patched(operations(held), "old@b.example").mail == "a@b.example"
    with pytest.raises(NoTarget):
        scim.patched(operations(held), "other@b.example")
    assert scim.patched(operations({"op": "remove", "path": "emails"})).mail == ""
    assert scim.patched(operations({"op": "replace", "path": "name", "value": {"familyName": "Li"}})).name == "Li"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("roles", [{"value": "directory-administrator"}]),
        ("groups", [{"value": "directory-administrator"}]),
        ("entitlements", [{"value": "tax/returns.read"}]),
        (f"{OWN}:clearance", 3),
        (f"{OWN}:proofingLevel", 3),
        (f"{ENTERPRISE}:organization", "data-bureau"),
        ("userName", "admin"),
        ("userType", "civil-servant"),
        ("id", "x"),
        ("password", "secret-password-1"),
        ("verified", True),
        ("acr", "3"),
        ("meta", {}),
    ],
)
def test_no_client_gives_itself_what_is_not_its_to_give(path: str, value: object) -> None:
    with pytest.raises(ReadOnly):
        scim.patched(operations({"op": "replace", "path": path, "value": value}))
    # In a whole document it is passed over.
    wanted = scim.replaced({path: value} if ":urn" in path or not path.startswith("urn") else {"active": True})
    assert wanted in (scim.Wanted(), scim.Wanted(active=True))


@pytest.mark.parametrize(
    ("each", "error"),
    [
        ({"op": "replace", "path": "tallyEnabled", "value": True}, BadPath),
        ({"op": "replace", "path": "emails[0].verified", "value": True}, BadPath),
        ({"op": "replace", "path": "emails[type pr].verified", "value": True}, BadPath),
        ({"op": "replace", "path": 'roles[value eq "x"]', "value": []}, ReadOnly),
        ({"op": "remove", "path": 'emails[type eq "work"]'}, NoTarget),
        ({"op": "destroy", "path": "active"}, BadPatch),
        ({"op": "replace", "path": "active", "value": "false"}, BadPatch),
        ({"op": "replace", "path": ["active"], "value": True}, BadPatch),
        ({"op": "replace", "value": {"Active": True, "active": False}}, BadPatch),
        ({"op": "replace", "value": "x"}, BadPatch),
        ({"op": "remove"}, BadPath),
        ({"op": "remove", "path": "active"}, ReadOnly),
        ({"op": "add", "path": "emails", "value": [{"value": "a@b.c"}, {"value": "d@e.f"}]}, BadPatch),
        ({"op": "replace", "path": "name.formatted", "value": "a\nb"}, BadPatch),
    ],
)
def test_what_cannot_be_changed_is_refused(each: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        scim.patched(operations(each))


def test_too_many_operations_and_none_are_refused() -> None:
    for many in ([], [{"op": "replace", "path": "active", "value": True}] * 101, "x"):
        with pytest.raises(BadPatch):
            scim.patched({"Operations": many})


class Client:
    """A program of an administrator's."""

    def __init__(self, world: World, *, username: str, role: str) -> None:
        subject = world.directory("directory").person_by_username(username).subject
        self._desk = Desk(world, subject=subject, roles=frozenset({role}))

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> TestResponse:
        client: FlaskClient = self._desk._client
        path = f"/scim/v2{path}"
        sent = {**self._desk.headers(method, path), **{name.replace("_", "-"): each for name, each in headers.items()}}
        data = None if body is None else json.dumps(body)
        kind = headers.get("content_type", "application/scim+json") if body is not None else None
        return client.open(path, method=method, base_url=f"https://{HOST}", headers=sent, data=data, content_type=kind)


@pytest.fixture
def administrator(filled: World) -> Client:
    filled.clear()
    return Client(filled, username="zhao.lei", role="directory-administrator")


@pytest.fixture
def agency(filled: World) -> Client:
    return Client(filled, username="zhou.fang", role="agency-administrator")


def told(answer: TestResponse) -> dict[str, Any]:
    assert answer.mimetype == "application/scim+json"
    found = json.loads(answer.text)
    assert isinstance(found, dict)
    return found


def test_lists_are_paged_by_cursor_and_filtered(administrator: Client, filled: World) -> None:
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        page = told(administrator("GET", f"/Users?count=40&cursor={cursor}&attributes=userName"))
        assert page["itemsPerPage"] == len(page["Resources"]) == 40
        assert set(page["Resources"][0]) == {"schemas", "id", "meta", "userName"}
        seen += [each["userName"] for each in page["Resources"]]
        cursor = page["nextCursor"]
    assert len(set(seen)) == 160
    one = told(administrator("GET", "/Users?filter=userName%20eq%20%22li.na%22"))
    assert (one["totalResults"], one["Resources"][0]["displayName"]) == (1, "李娜")
    assert filled.recorder.types()[-1] == "directory.people.searched"
    none = told(administrator("GET", "/Users?filter=userName%20eq%20%22nobody.at.all%22"))
    assert (none["totalResults"], none["Resources"]) == (0, [])
    for bad in (
        "filter=x",
        "count=many",
        "startIndex=x",
        "sortBy=password",
        "cursor=x",
        f"cursor={cursor}&startIndex=2",
        "sortOrder=up",
        f"cursor={cursor}&filter=id%20pr",
    ):
        assert told(administrator("GET", f"/Users?{bad}"))["status"] == "400", bad


def test_an_account_is_entered_changed_and_shut_out(administrator: Client, writer: DirectoryWriter) -> None:
    document = {
        "schemas": [scim.USER],
        "userName": "new.clerk",
        "name": {"formatted": "New Clerk"},
        "emails": [{"value": "new.clerk@city.example"}],
        ENTERPRISE: {"organization": "tax-bureau"},
        # What nobody takes from a client.
        "roles": [{"value": "directory-administrator"}],
        "groups": [{"value": "directory-administrator"}],
        "verified": True,
        OWN: {"nameZh": "新人", "clearance": 3, "proofingLevel": 3},
    }
    answer = administrator("POST", "/Users", document)
    made = told(answer)
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/scim/v2/Users/{made['id']}")
    person = writer.directory.person(made["id"])
    assert (person.clearance, person.proofing.level, person.roles) == (0, 0, frozenset({"civil-servant"}))
    assert (person.name_zh, person.mail) == ("新人", "new.clerk@city.example")
    again = administrator("POST", "/Users", document)
    assert (again.status_code, told(again)["scimType"]) == (409, "uniqueness")

    at, tag = f"/Users/{made['id']}", answer.headers["ETag"]
    assert administrator("GET", at, If_None_Match=tag).status_code == 304
    change = operations({"op": "replace", "path": "name.formatted", "value": "Newer Clerk"})
    assert administrator("PATCH", at, change, If_Match='W/"old"').status_code == 412
    changed = administrator("PATCH", at, change, If_Match=tag)
    assert (changed.status_code, told(changed)["name"]["formatted"]) == (200, "Newer Clerk")
    assert changed.headers["ETag"] != tag
    off = told(administrator("PUT", at, {**document, "active": False}))
    assert (off["active"], off["name"]["formatted"]) == (False, "New Clerk")
    assert not writer.directory.person(made["id"]).enabled
    assert administrator("DELETE", at, If_Match='W/"old"').status_code == 412
    assert administrator("DELETE", at).status_code == 204
    for method in ("GET", "DELETE"):
        assert administrator(method, at).status_code == 404
    assert told(administrator("GET", "/Users?filter=userName%20eq%20%22new.clerk%22"))["totalResults"] == 0
    gone = writer.directory.person(made["id"])
    assert (gone.enabled, gone.released) == (False, True)
    # Whoever is let in again at the desk is there again, for good.
    writer.enable_person(made["id"], actor="", reason="back")
    assert not writer.directory.person(made["id"]).released
    assert told(administrator("GET", at))["active"]
    assert administrator("GET", "/Users/00000000-0000-4000-8000-000000000000").status_code == 404


def test_bodies_that_a_form_could_send_are_refused(administrator: Client, li_na: Person) -> None:
    change = operations({"op": "replace", "path": "active", "value": False})
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert administrator("PATCH", f"/Users/{li_na.subject}", change, content_type=kind).status_code == 400
    assert administrator("PATCH", f"/Users/{li_na.subject}", []).status_code == 400


def test_groups_are_roles_and_their_members_are_granted(
    administrator: Client, agency: Client, writer: DirectoryWriter, li_na: Person
) -> None:
    names = {each["id"] for each in told(administrator("GET", "/Groups"))["Resources"]}
    assert {"ra-officer", "directory-administrator"} <= names
    join = operations({"op": "add", "path": "members", "value": [{"value": li_na.subject}]})
    assert agency("PATCH", "/Groups/ra-officer", join).status_code == 403
    assert li_na.subject in [
        each["value"] for each in told(administrator("PATCH", "/Groups/ra-officer", join))["members"]
    ]
    clash = administrator("PATCH", "/Groups/security-officer", join)
    assert clash.status_code == 409
    leave = operations({"op": "remove", "path": f'members[value eq "{li_na.subject}"]'})
    assert administrator("PATCH", "/Groups/ra-officer", leave).status_code == 200
    assert "ra-officer" not in writer.directory.person(li_na.subject).roles
    boss = writer.directory.person_by_username("zhao.lei").subject
    own = operations({"op": "add", "path": "members", "value": [{"value": boss}]})
    assert administrator("PATCH", "/Groups/security-administrator", own).status_code == 403
    rename = operations({"op": "replace", "path": "displayName", "value": "Registrars"})
    assert told(administrator("PATCH", "/Groups/ra-officer", rename))["displayName"] == "Registrars"
    assert (
        agency("PATCH", "/Groups/ra-officer", operations({**rename["Operations"][0], "value": "x"})).status_code == 403
    )
    none = operations({"op": "remove", "path": f'members[value eq "{li_na.subject}"]'})
    assert told(administrator("PATCH", "/Groups/ra-officer", none))["scimType"] == "noTarget"
    assert administrator("GET", "/Groups/none").status_code == 404
    assert "members" not in told(administrator("GET", "/Groups/ra-officer?excludedAttributes=members"))


def test_groups_are_entered_filled_anew_and_removed(
    administrator: Client, agency: Client, writer: DirectoryWriter, li_na: Person
) -> None:
    other = writer.directory.person_by_username("zhou.fang")
    new = {"displayName": "Night shift", "members": [{"value": li_na.subject}]}
    assert agency("POST", "/Groups", new).status_code == 403
    answer = administrator("POST", "/Groups", new)
    made, tag = told(answer), answer.headers["ETag"]
    assert (answer.status_code, made["id"]) == (201, "night-shift")
    assert told(administrator("POST", "/Groups", new))["scimType"] == "uniqueness"
    found = told(administrator("POST", "/Groups/.search", {"filter": f'members[value eq "{li_na.subject}"]'}))
    assert "night-shift" in [each["id"] for each in found["Resources"]]
    at = "/Groups/night-shift"
    assert administrator("PUT", at, new, If_Match='W/"old"').status_code == 412
    changed = told(administrator("PUT", at, {**new, "members": [{"value": other.subject}]}, If_Match=tag))
    assert [each["value"] for each in changed["members"]] == [other.subject]
    every = operations({"op": "replace", "path": "members", "value": [{"value": li_na.subject}]})
    assert [each["value"] for each in told(administrator("PATCH", at, every))["members"]] == [li_na.subject]
    assert "night-shift" in writer.directory.person(li_na.subject).roles
    where = "/Users?filter=groups%20eq%20%22night-shift%22"
    assert [each["id"] for each in told(administrator("GET", where))["Resources"]] == [li_na.subject]
    assert agency("DELETE", at).status_code == 403
    assert administrator("DELETE", at).status_code == 204
    assert administrator("GET", at).status_code == 404
    assert "night-shift" not in writer.directory.person(li_na.subject).roles
    assert administrator("DELETE", "/Groups/ra-officer").status_code == 403
    assert administrator("DELETE", "/Groups/case-worker").status_code == 409


def test_lists_are_sorted_and_paged_by_index(administrator: Client, agency: Client) -> None:
    first = told(administrator("GET", "/Users?sortBy=userName&count=5"))
    then = told(administrator("GET", "/Users?sortBy=userName&count=5&startIndex=6"))
    names = [each["userName"] for each in (*first["Resources"], *then["Resources"])]
    assert names == sorted(names)
    assert (first["startIndex"], then["startIndex"]) == (1, 6)
    last = told(administrator("GET", f"/Users?startIndex={first['totalResults']}"))
    assert (len(last["Resources"]), last["totalResults"]) == (1, first["totalResults"])
    turned = told(
        administrator("POST", "/Users/.search", {"sortBy": "userName", "sortOrder": "descending", "count": 1})
    )
    assert turned["Resources"][0]["userName"] > names[-1]
    for bad in ({"filter": 'displayName eq "\ud800"'}, {"filter": ["id pr"]}, {"count": 1.5}, {"startIndex": True}):
        assert told(administrator("POST", "/.search", bad))["status"] == "400", bad
    everything = told(administrator("POST", "/.search", {"filter": "id pr", "count": 2}))
    assert everything["totalResults"] > first["totalResults"]
    assert told(agency("GET", "/Users?startIndex=1"))["totalResults"] < first["totalResults"]


def test_a_cursor_is_of_its_list_and_grows_old() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    query = scim.query_of({"filter": "id pr"})
    cursor = scim.cursor_of("41", query, now)
    assert scim.after_of(scim.query_of({"filter": "id pr", "cursor": cursor}), now) == "41"
    with pytest.raises(StaleCursor):
        scim.after_of(scim.query_of({"filter": "id pr", "cursor": cursor}), now + timedelta(hours=2))
    for bad, where in ((cursor, "id sw 1"), (cursor.replace("41", "x"), "id pr"), ("zz.1.2", "id pr"), ("1", "id pr")):
        with pytest.raises(BadCursor):
            scim.after_of(scim.query_of({"filter": where, "cursor": bad}), now)


def test_whoever_asks_changes_what_they_are_called(administrator: Client) -> None:
    change = operations({"op": "replace", "path": "name.formatted", "value": "Zhao Lei II"})
    assert told(administrator("PATCH", "/Me", change))["name"]["formatted"] == "Zhao Lei II"
    assert administrator("PATCH", "/Me", operations({"op": "add", "path": "roles", "value": []})).status_code == 400
    assert administrator("PUT", "/Me", {"name": {"formatted": "Zhao Lei"}}).status_code == 200
    own = told(administrator("GET", "/Me"))["id"]
    assert administrator("DELETE", f"/Users/{own}").status_code == 403


def test_an_agency_reaches_its_own_people_only(agency: Client, chen_wei: Person, writer: DirectoryWriter) -> None:
    found = told(agency("GET", "/Users?attributes=userName&count=100"))["Resources"]
    assert {writer.directory.person(each["id"]).organisation for each in found} == {"document-office"}
    change = operations({"op": "replace", "path": "active", "value": False})
    assert agency("PATCH", f"/Users/{chen_wei.subject}", change).status_code == 404
    elsewhere = {"userName": "x.y", "name": {"formatted": "X"}, ENTERPRISE: {"organization": "tax-bureau"}}
    assert agency("POST", "/Users", elsewhere).status_code == 400
    me = told(agency("GET", "/Me"))
    assert me["userName"] == "zhou.fang"
    own = operations({"op": "replace", "path": "active", "value": False})
    assert agency("PATCH", f"/Users/{me['id']}", own).status_code == 403


def test_many_operations_come_as_one_with_references(administrator: Client, writer: DirectoryWriter) -> None:
    new = {"userName": "bulk.one", "name": {"formatted": "B"}, ENTERPRISE: {"organization": "tax-bureau"}}
    join = operations({"op": "add", "path": "members", "value": [{"value": "bulkId:b1"}]})
    request = {
        "Operations": [
            {"method": "POST", "path": "/Users", "bulkId": "b1", "data": new},
            {"method": "PATCH", "path": "/Groups/case-worker", "data": join},
            {"method": "POST", "path": "/Users", "bulkId": "b2", "data": new},
            {"method": "DELETE", "path": "/Users/x", "data": {}},
        ]
    }
    done = told(administrator("POST", "/Bulk", request))["Operations"]
    assert [each["status"] for each in done] == ["201", "200", "409", "404"]
    assert "case-worker" in writer.directory.person_by_username("bulk.one").roles
    stopped = told(administrator("POST", "/Bulk", {**request, "failOnErrors": 1}))["Operations"]
    assert [each["status"] for each in stopped] == ["409"]
    assert administrator("POST", "/Bulk", {"Operations": [{}] * 51}).status_code == 413
    assert administrator("POST", "/Bulk", {"Operations": "x"}).status_code == 400


def test_a_client_finds_out_what_can_be_done(administrator: Client) -> None:
    config = told(administrator("GET", "/ServiceProviderConfig"))
    assert config["pagination"]["cursor"]
    assert config["patch"]["supported"]
    assert {each["id"] for each in told(administrator("GET", "/ResourceTypes"))["Resources"]} == {"User", "Group"}
    for each in told(administrator("GET", "/Schemas"))["Resources"]:
        assert told(administrator("GET", f"/Schemas/{each['id']}"))["attributes"]
    assert administrator("GET", "/Schemas/none").status_code == 404
    assert administrator("GET", "/ResourceTypes/Group").status_code == 200
