# SPDX-License-Identifier: Apache-2.0
"""Forms of the desk about companies, devices, posts and sealed numbers; credit codes that nobody else reads."""

import re
from datetime import date

import pytest

from app.sample import city
from audit import Outcome
from directory.errors import NoReason
from directory.ldap import changes
from directory.models import DeviceState, Person
from directory.models_powers import Capacity
from directory.service import DirectoryWriter
from tests.directory.desk import Desk
from tests.directory.world import World

CODES = {o.id: o.credit_code for _, o in city.build().batch.organisations}
COMPANY = next(o.id for _, o in city.build().batch.organisations if not o.agency)


@pytest.fixture
def desk(filled: World) -> Desk:
    filled.clear()
    subject = filled.directory("directory").person_by_username("zhao.lei").subject
    return Desk(filled, subject=subject, roles=frozenset({"directory-administrator"}))


@pytest.fixture
def agency_desk(filled: World) -> Desk:
    subject = filled.directory("directory").person_by_username("zhou.fang").subject
    return Desk(filled, subject=subject, roles=frozenset({"agency-administrator"}))


def test_a_credit_code_is_sealed_found_exactly_and_told_on_record(filled: World, writer: DirectoryWriter) -> None:
    code = CODES[COMPANY]
    for role in ("ca", "signatures", "directory"):
        assert filled.directory(role).organisation(COMPANY).credit_code == ""
    assert writer.numbering.organisation(code.lower()) == COMPANY
    assert writer.numbering.organisation(code[:-1]) == ""
    assert writer.numbering.code(COMPANY, reason="certificate") == code
    opened = filled.recorder.events[-1]
    assert (opened.type, opened.outcome, opened.subject) == ("directory.number.opened", Outcome.SUCCESS, COMPANY)
    assert code not in str(opened)
    assert writer.numbering.code_if_any("nobody-here", reason="certificate") == ""
    with pytest.raises(NoReason):
        writer.numbering.code(COMPANY, reason=" ")


def test_codes_of_an_older_tree_are_told_and_sealed_by_the_migration(filled: World, writer: DirectoryWriter) -> None:
    code, dn = CODES["tax-bureau"], filled.tree.organisation("tax-bureau")
    for name, value in (("tallyNumberIndex", ""), ("tallyNumberSealed", ""), ("tallyCreditCode", code)):
        changes.Change(verb=changes.Verb.REPLACE, dn=dn, attribute=name, value=value).make(filled.pool("directory"))
    assert filled.directory("ca").organisation("tax-bureau").credit_code == code
    assert writer.numbering.code("tax-bureau", reason="certificate") == code
    assert writer.keeping.migration().codes == ("tax-bureau",)
    assert writer.keeping.migrate().codes == ("tax-bureau",)
    assert not writer.keeping.migration().is_needed
    assert filled.directory("ca").organisation("tax-bureau").credit_code == ""
    assert writer.numbering.code("tax-bureau", reason="certificate") == code
    assert writer.numbering.organisation(code) == "tax-bureau"


def test_numbers_are_opened_at_the_desk_with_a_reason(
    filled: World, desk: Desk, agency_desk: Desk, chen_wei: Person
) -> None:
    number = next(told for subject, (_, told) in city.build().batch.numbers.items() if subject == chen_wei.subject)
    assert number not in desk.get(f"/people/{chen_wei.subject}").text
    assert desk.post(f"/people/{chen_wei.subject}/number", {"reason": ""}).status_code == 400
    assert number in desk.post(f"/people/{chen_wei.subject}/number", {"reason": "court order 7"}).text
    assert "directory.number.opened" in filled.recorder.types()
    assert agency_desk.post(f"/people/{chen_wei.subject}/number", {"reason": "curious"}).status_code == 403
    assert CODES[COMPANY] in desk.post(f"/organisations/{COMPANY}/code", {"reason": "letter"}).text
    assert chen_wei.username in desk.get(f"/?q={number}").text
    assert COMPANY in desk.get(f"/organisations?q={CODES[COMPANY]}").text
    assert chen_wei.username not in agency_desk.get(f"/?q={number}").text


def test_a_representative_is_named_and_removed_at_the_desk(
    desk: Desk, agency_desk: Desk, writer: DirectoryWriter, chen_wei: Person
) -> None:
    form = {"username": "chen.wei", "capacity": "agent", "until": "2030-01-01", "reason": "board letter"}
    assert agency_desk.post(f"/organisations/{COMPANY}/representatives", form).status_code == 403
    assert desk.post(f"/organisations/{COMPANY}/representatives", {**form, "capacity": "king"}).status_code == 400
    assert desk.post(f"/organisations/{COMPANY}/representatives", form).status_code == 303
    found = [each for each in writer.standings.represented_by(chen_wei.subject) if each.organisation == COMPANY]
    assert (Capacity.AGENT, date(2030, 1, 1)) in [(each.capacity, each.until) for each in found]
    assert "board letter" in desk.get(f"/organisations/{COMPANY}").text
    for each in found:
        gone = {"representative": each.id, "reason": "left"}
        assert desk.post("/organisations/tax-bureau/representatives/remove", gone).status_code == 404
        assert desk.post(f"/organisations/{COMPANY}/representatives/remove", gone).status_code == 303
    assert desk.post(f"/organisations/{COMPANY}/representatives/remove", gone).status_code == 404


def test_a_mandate_is_given_and_withdrawn_at_the_desk(desk: Desk, writer: DirectoryWriter, chen_wei: Person) -> None:
    at = f"/people/{chen_wei.subject}/mandates"
    form = {"whom": "@zhang.min", "scope": "all", "until": "2027-05-01", "reason": "illness"}
    assert desk.post(at, {**form, "until": ""}).status_code == 400
    assert desk.post(at, form).status_code == 303
    (held,) = [each for each in writer.standings.mandates(chen_wei.subject) if each.principal]
    assert held.reason == "illness"
    assert "illness" in desk.get(f"/people/{chen_wei.subject}/access").text
    gone = {"organisation": "", "principal": held.principal, "scope": "all", "reason": "well again"}
    assert desk.post(f"{at}/withdraw", gone).status_code == 303
    assert desk.post(f"{at}/withdraw", gone).status_code == 404


def test_what_a_post_carries_and_where_a_department_stands_is_changed_at_the_desk(
    desk: Desk, agency_desk: Desk, writer: DirectoryWriter
) -> None:
    at = "/organisations/document-office"
    post = next(each for each in writer.standings.posts("document-office") if "head-of-section" not in each.roles)
    form = {"post": post.id, "role": "head-of-section", "verb": "add", "reason": "reorganised"}
    assert agency_desk.post(f"{at}/posts/roles", form).status_code == 403
    assert desk.post(f"{at}/posts/roles", {**form, "verb": "double"}).status_code == 400
    assert desk.post(f"{at}/posts/roles", form).status_code == 303
    assert "head-of-section" in writer.standings.post(post.id).roles
    assert desk.post(f"{at}/posts/roles", {**form, "verb": "remove"}).status_code == 303
    assert "head-of-section" not in writer.standings.post(post.id).roles
    one, other = writer.standings.departments("document-office")[:2]
    moved = {"department": one.id, "parent": other.id}
    assert agency_desk.post("/organisations/tax-bureau/departments/move", moved).status_code == 404
    assert agency_desk.post(f"{at}/departments/move", moved).status_code == 303
    assert writer.standings.department(one.id).parent == other.id
    assert desk.post(f"{at}/departments/move", {"department": other.id, "parent": one.id}).status_code == 404


def test_how_a_device_fares_is_said_at_the_desk(filled: World, desk: Desk, writer: DirectoryWriter) -> None:
    device = writer.directory.devices(limit=1).items[0]
    at = f"/devices/{device.id}/state"
    assert desk.post(at, {"state": "melted", "reason": "x"}).status_code == 400
    assert desk.post(at, {"state": "lost", "reason": "left on a train"}).status_code == 303
    assert writer.directory.device(device.id).state is DeviceState.LOST
    assert not filled.directory("gateway").device(device.id).enabled
    assert re.search(r">\s*lost", desk.get("/devices").text)
    assert desk.post(at, {"state": "healthy", "reason": "found"}).status_code == 303
    assert filled.directory("gateway").device(device.id).enabled
