# SPDX-License-Identifier: Apache-2.0
"""Reading CSV and LDIF: every bad line is refused with its number, its field and a reason, and nothing is entered."""

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.errors import UnreadableImport
from directory.imports import Batch, parse, read_csv, read_ldif
from directory.models import PersonKind, credit_code_check
from directory.service import DirectoryWriter
from tests.directory.world import World

BODY = "91999999ABCDEFGHJ"
CODE = BODY + credit_code_check(BODY)
HEADER = (
    "kind,username,name,name_zh,mail,organisation,proofing_level,proofing_date,clearance,id,credit_code,scope,until"
)


def table(*lines: str) -> bytes:
    """A CSV file with every column; a line gives the cells it fills as name=value."""
    columns = HEADER.split(",")
    rows = []
    for line in lines:
        cells = dict(cell.split("=", 1) for cell in line.split("|"))
        rows.append(",".join(cells.get(column, "") for column in columns))
    return "\r\n".join([HEADER, *rows]).encode()


def batch(data: bytes) -> Batch:
    return parse(read_csv(data), new_id=lambda: "00000000-0000-4000-8000-000000000000")


def test_a_table_may_hold_every_kind() -> None:
    found = batch(
        table(
            f"kind=agency|id=tax|name=Tax|credit_code={CODE.lower()}",
            "kind=citizen|username=Wang.Fang|name=Wang Fang|name_zh=王芳|mail=w@x.example|proofing_level=2"
            "|proofing_date=2026-01-31",
            "kind=civil-servant|username=li|name=Li|organisation=tax|clearance=1",
            "kind=device|name=Kiosk|organisation=tax",
            "kind=mandate|username=wang.fang|organisation=tax|scope=seal|until=2030-12-31",
        )
    )
    assert found.refused == []
    ((line, person), (_, servant)) = found.people
    assert (line, person.username, person.name_zh, person.proofing.level) == (3, "wang.fang", "王芳", 2)
    assert (servant.kind, servant.clearance, servant.roles) == (PersonKind.CIVIL_SERVANT, 1, frozenset())
    assert found.organisations[0][1].credit_code == CODE
    assert found.report().entered == 5


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("kind=emperor|username=a|name=A", "kind"),
        ("kind=citizen|name=A", "username"),
        ("kind=citizen|username=a", "name"),
        ("kind=citizen|username=a b|name=A", "username"),
        ("kind=citizen|username=*)(uid=*|name=A", "username"),
        ("kind=citizen|username=root\0|name=A", "username"),
        ("kind=citizen|username=a|name=A\x07", "name"),
        ("kind=citizen|username=a|name=" + "A" * 121, "name"),
        ("kind=citizen|username=a|name=A|mail=nobody", "mail"),
        ("kind=citizen|username=a|name=A|mail=a@b\x00.c", "mail"),
        ("kind=citizen|username=a|name=A|proofing_level=4|proofing_date=2026-01-01", "proofing_level"),
        ("kind=citizen|username=a|name=A|proofing_level=-1", "proofing_level"),
        ("kind=citizen|username=a|name=A|proofing_level=²", "proofing_level"),
        ("kind=citizen|username=a|name=A|proofing_level=2", "proofing_date"),
        ("kind=citizen|username=a|name=A|proofing_level=2|proofing_date=31.1.2026", "proofing_date"),
        ("kind=citizen|username=a|name=A|clearance=3", "clearance"),
        ("kind=citizen|username=a|name=A|organisation=tax", "organisation"),
        ("kind=civil-servant|username=a|name=A", "organisation"),
        (f"kind=organisation|id=Big Co|name=A|credit_code={CODE}", "id"),
        (f"kind=organisation|id=a|name=A|credit_code={BODY}!", "credit_code"),
        ("kind=device|name=A|organisation=../x", "organisation"),
        ("kind=mandate|username=a|organisation=b|scope=everything|until=2030-01-01", "scope"),
        ("kind=mandate|username=a|organisation=b|scope=all|until=never", "until"),
        ("kind=mandate|username=a|organisation=b|scope=all|until=20300101", "until"),
        ("kind=mandate|username=a|organisation=b|scope=all|until=2030-W01-1", "until"),
    ],
)
def test_a_bad_line_is_refused_by_its_field(line: str, field: str) -> None:
    good = "kind=citizen|username=good|name=Good"
    found = batch(table(good, line))
    assert (found.refused[0].line, found.refused[0].field) == (3, field)
    assert found.report().entered == 0


def test_lines_that_repeat_each_other_are_refused() -> None:
    found = batch(
        table(
            "kind=citizen|username=a|name=A",
            "kind=citizen|username=A|name=B",
            f"kind=organisation|id=o|name=O|credit_code={CODE}",
            f"kind=organisation|id=p|name=P|credit_code={CODE}",
        )
    )
    assert [(refusal.line, refusal.field) for refusal in found.refused] == [(3, "username"), (5, "credit_code")]


@pytest.mark.parametrize("cells", ["citizen,a", "citizen,a,A,more", "citizen"])
def test_a_line_of_another_width_is_refused_as_such(cells: str) -> None:
    found = batch(f"kind,username,name\n{cells}\n".encode())
    assert [(refusal.line, refusal.field) for refusal in found.refused] == [(2, "")]
    assert "cells" in found.refused[0].why
    assert found.report().entered == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"kind\n",
        b"username,name\na,A\n",
        b"kind,username,password\ncitizen,a,secret\n",
        b"kind,roles\ncitizen,security-officer\n",
        b"kind,name,name\n",
        b'kind,name\ncitizen,"A\n',
        "kind,name\ncitizen,李".encode("gb18030"),
        b"kind,username,name\n" + b"citizen,a,A\n" * 5_001,
        b"kind,username\ncitizen," + b"x" * 200_000,
    ],
)
def test_what_is_no_table_is_refused_as_a_whole(data: bytes) -> None:
    with pytest.raises(UnreadableImport):
        read_csv(data)


def test_ldif_entries_of_our_classes_are_read() -> None:
    name = base64.b64encode("王芳".encode()).decode()
    text = f"""version: 1
# a comment
dn: uid=ignored,dc=elsewhere
objectClass: top
objectClass: tallyCitizen
uid: wang.fang
cn: Wang
  Fang
sn: Fang
tallyNameZh:: {name}
tallyProofingLevel: 2
tallyProofingDate: 20260131000000Z

dn: tallyId=x,ou=organisations,dc=city,dc=example
objectClass: tallyOrganisationEntry
tallyId: tax
o: Tax
tallyAgency: TRUE
tallyCreditCode: {CODE}
"""
    found = parse(read_ldif(text.encode()), new_id=lambda: "x")
    assert found.refused == []
    line, person = found.people[0]
    assert (line, person.name, person.name_zh, str(person.proofing.date)) == (3, "Wang Fang", "王芳", "2026-01-31")
    assert found.organisations[0][1].agency


@pytest.mark.parametrize(
    "extra",
    [
        "userPassword: secret",
        "memberOf: cn=security-officer",
        "uid: second",
        "UID;lang-zh: second",
        "jpegPhoto:: AAAA",
        "pwdReset: TRUE",
        "tallyEnabled: FALSE",
        "tallyAgency: TRUE",
        "tallyHolder: second",
        "objectClass: tallyCivilServant",
    ],
)
def test_what_an_entry_may_not_bring_is_refused_with_its_line(extra: str) -> None:
    text = f"\ndn: x\nobjectClass: tallyCitizen\nuid: a\ncn: A\n{extra}\n"
    found = parse(read_ldif(text.encode()), new_id=lambda: "x")
    assert found.refused[0].line == 2
    assert found.report().entered == 0


@pytest.mark.parametrize("agency", ["TRUE", "FALSE"])
def test_the_order_of_an_entrys_lines_means_nothing(agency: str) -> None:
    lines = ["objectClass: tallyOrganisationEntry", f"tallyAgency: {agency}", "tallyId: tax", "o: Tax"]
    for order in (lines, lines[::-1]):
        text = "\n".join(["dn: x", *order, f"tallyCreditCode: {CODE}", ""])
        found = parse(read_ldif(text.encode()), new_id=lambda: "x")
        assert found.refused == []
        assert found.organisations[0][1].agency is (agency == "TRUE")


@pytest.mark.parametrize("agency", ["true", "yes", ""])
def test_a_truth_value_that_is_none_is_refused(agency: str) -> None:
    entry = f"dn: x\nobjectClass: tallyOrganisationEntry\ntallyAgency: {agency}\n"
    found = parse(read_ldif(f"{entry}tallyId: a\no: A\ntallyCreditCode: {CODE}\n".encode()), new_id=lambda: "x")
    assert [refusal.field for refusal in found.refused] == ["tallyagency"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "uid: a\n",
        "dn: x\nchangetype: add\nuid: a\n",
        "dn: x\njpegPhoto:< file:///etc/passwd\n",
        "dn: x\nuid:: !!!\n",
        "dn: x\nuid:: /w==\n",
        "dn: x\nno colon\n",
    ],
)
def test_what_is_no_ldif_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(UnreadableImport):
        read_ldif(text.encode())


@given(st.binary(max_size=400))
def test_no_bytes_break_the_readers(data: bytes) -> None:
    for read, head in ((read_csv, b"kind,username,name\n"), (read_ldif, b"")):
        with suppress(UnreadableImport):
            parse(read(head + data), new_id=lambda: "x")


@given(st.text(max_size=200))
def test_no_text_breaks_a_field(text: str) -> None:
    cells = text.replace('"', '""')
    data = f'kind,username,name,mail,until,scope,organisation\nmandate,"{cells}","{cells}"'
    with suppress(UnreadableImport):
        parse(read_csv(data.encode("utf-8", "replace")), new_id=lambda: "x")


def test_an_import_is_compared_with_the_directory(filled: World, writer: DirectoryWriter) -> None:
    known = writer.numbering.code("tax-bureau", reason="test")
    filled.clear()
    report = writer.import_csv(
        table(
            "kind=citizen|username=zhang.min|name=A",
            "kind=citizen|username=fresh|name=Fresh",
            f"kind=organisation|id=tax-bureau|name=A|credit_code={CODE}",
            f"kind=organisation|id=fresh|name=A|credit_code={known}",
            "kind=civil-servant|username=servant|name=A|organisation=jinhe-trading",
            "kind=device|name=A|organisation=nowhere",
            "kind=mandate|username=nobody|organisation=tax-bureau|scope=all|until=2030-01-01",
            "kind=mandate|username=chen.wei|organisation=jinhe-trading|scope=all|until=2040-01-01",
            "kind=mandate|username=chen.wei|organisation=nowhere|scope=all|until=2040-01-01",
        ),
        actor="",
    )
    assert [(refusal.line, refusal.field) for refusal in report.refused] == [
        (2, "username"),
        (4, "id"),
        (5, "credit_code"),
        (6, "organisation"),
        (7, "organisation"),
        (8, "username"),
        (9, "scope"),
        (10, "organisation"),
    ]
    assert report.entered == 0
    assert filled.recorder.events == []
    assert filled.directory("directory").people("fresh").items == ()


def test_a_good_ldif_file_is_entered_without_roles_or_password(filled: World, writer: DirectoryWriter) -> None:
    text = b"dn: x\nobjectClass: tallyCivilServant\nuid: l.d.if\ncn: L\ntallyOrganisation: tax-bureau\n"
    assert writer.import_ldif(text, actor="a1").people == 1
    person = filled.directory("directory").person_by_username("l.d.if")
    assert person.roles == {"civil-servant"}
    created = [event for event in filled.outbox() if event.type == "directory.person.created"]
    assert (created[0].subject, created[0].actor) == (person.subject, "a1")


def test_every_mandate_has_a_record_of_its_own_about_its_holder(filled: World, writer: DirectoryWriter) -> None:
    chen_wei = filled.directory("directory").person_by_username("chen.wei")
    report = writer.import_csv(
        table(
            "kind=citizen|username=new.agent|name=New Agent",
            "kind=mandate|username=new.agent|organisation=jinhe-trading|scope=tax|until=2040-01-01",
            "kind=mandate|username=chen.wei|organisation=jinhe-trading|scope=seal|until=2041-01-01",
        ),
        actor="a1",
    )
    assert report.mandates == 2
    new = filled.directory("directory").person_by_username("new.agent")
    told = [event for event in filled.outbox() if event.attributes.get("kind") == "mandate"]
    assert [
        (event.subject, event.actor, event.organisation, event.attributes["scope"], event.attributes["until"])
        for event in told
    ] == [
        (new.subject, "a1", "jinhe-trading", "tax", "2040-01-01"),
        (chen_wei.subject, "a1", "jinhe-trading", "seal", "2041-01-01"),
    ]
    assert {event.object for event in told} == {filled.recorder.events[-1].object}
