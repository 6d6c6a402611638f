# SPDX-License-Identifier: Apache-2.0
"""National numbers: checked, found by exactly, read by nobody without the key and a record."""

from datetime import date

import pytest

from audit import Outcome
from directory.errors import BadNumber, NoReason, NoSuchPerson, NumberSealed
from directory.models import Person
from directory.models_powers import national_number_check, national_number_is_right
from directory.numbers import Numbers
from directory.service import DirectoryWriter
from tests.directory.world import World

TODAY = date(2026, 11, 20)
BODY = "99999919900228999"
_WIDE = "".join(chr(0xFEE0 + ord(each)) for each in "11010519491231002") + "X"
NUMBER = BODY + national_number_check(BODY)


def test_the_check_character_is_that_of_the_standard() -> None:
    # The example of GB 11643-1999.
    assert national_number_check("11010519491231002") == "X"
    assert national_number_is_right("11010519491231002X", TODAY)


@pytest.mark.parametrize(
    "number",
    ["", "11010519491231002x", "110105194912310021", "11010519491331002X", "1" * 18, _WIDE, NUMBER + "0"],
)  # fmt: skip
def test_what_is_no_number_is_refused(number: str) -> None:
    assert not national_number_is_right(number, TODAY)


def test_nobody_is_born_tomorrow() -> None:
    body = "99999920261121001"
    assert not national_number_is_right(body + national_number_check(body), TODAY)
    assert national_number_is_right(body + national_number_check(body), date(2026, 11, 21))


def test_what_is_sealed_opens_beside_its_entry_and_with_its_key_only() -> None:
    numbers = Numbers(b"k" * 32)
    sealed = numbers.seal(NUMBER, of="one")
    assert numbers.open(sealed, of="one") == NUMBER
    assert numbers.seal(NUMBER, of="one") != sealed
    assert numbers.index(NUMBER) == Numbers(b"k" * 32).index(NUMBER) != Numbers(b"x" * 32).index(NUMBER)
    for opener, of, text in (
        (numbers, "two", sealed), (Numbers(b"x" * 32), "one", sealed), (numbers, "one", sealed[:-8]),
        (numbers, "one", ""), (numbers, "one", "no base64"),
    ):  # fmt: skip
        with pytest.raises(NumberSealed):
            opener.open(text, of=of)


def test_a_number_is_kept_found_and_opened_on_record(
    filled: World, writer: DirectoryWriter, chen_wei: Person, li_na: Person
) -> None:
    numbering = writer.numbering
    numbering.keep(chen_wei.subject, NUMBER.lower(), actor="a1")
    assert numbering.person(f" {NUMBER} ").subject == chen_wei.subject
    with pytest.raises(NoSuchPerson):
        numbering.person(NUMBER[:17] + "0" if NUMBER[17] != "0" else NUMBER[:17] + "1")
    for whom, number in ((li_na.subject, NUMBER), (li_na.subject, "1"), (li_na.subject, "*")):
        with pytest.raises(BadNumber):
            numbering.keep(whom, number, actor="a1")
    filled.clear()
    with pytest.raises(NoReason):
        numbering.opened(chen_wei.subject, actor="a1", reason=" ")
    assert filled.recorder.events == []
    assert numbering.opened(chen_wei.subject, actor=li_na.subject, reason="court order 7") == NUMBER
    (event,) = filled.recorder.events
    assert (event.type, event.outcome, event.subject) == (
        "directory.number.opened", Outcome.SUCCESS, chen_wei.subject,
    )  # fmt: skip
    assert event.sealed == {"name": chen_wei.name_zh, "actor_name": li_na.name_zh, "reason": "court order 7"}
    assert NUMBER not in str(event)


def test_no_number_stands_anywhere_in_clear(filled: World, writer: DirectoryWriter, chen_wei: Person) -> None:
    writer.numbering.keep(chen_wei.subject, NUMBER, actor="a1")
    folders = (filled.site.folder("slapd"), filled.site.folder("directory"))
    for file in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        assert NUMBER.encode() not in file.read_bytes(), file


def test_an_import_brings_numbers_departments_and_posts(filled: World, writer: DirectoryWriter) -> None:
    body = "99999919800101777"
    number = body + national_number_check(body)
    head = "kind,username,name,organisation,department,post,national_number\n"
    good = (
        "department,,Audit,tax-bureau,,,\n"
        "department,,Field Audit,tax-bureau,Audit,,\n"
        "post,,Inspector,tax-bureau,Field Audit,,\n"
        f"civil-servant,ivy,Ivy,tax-bureau,,Inspector,{number}\n"
        "civil-servant,joe,Joe,tax-bureau,,Counter clerk,\n"
    )
    report = writer.import_csv((head + good).encode(), actor="a1")
    assert report.refused == ()
    assert (report.departments, report.posts, report.holdings) == (2, 1, 2)
    assert writer.numbering.person(number).username == "ivy"
    joe = filled.directory("gateway").person(filled.directory("directory").person_by_username("joe").subject)
    assert joe.roles == {"civil-servant", "case-worker"}
    (field,) = [each for each in writer.standings.departments("tax-bureau") if each.name == "Field Audit"]
    assert writer.standings.department(field.parent).name == "Audit"
    assert list(writer.keeping.drifts()) == []
    bad = (
        "department,,Loop,tax-bureau,Loop,,\n"
        "department,,Lost,tax-bureau,Nowhere,,\n"
        "post,,Seller,jinhe-trading,,,\n"
        "civil-servant,kim,Kim,tax-bureau,,Emperor,\n"
        f"civil-servant,lee,Lee,tax-bureau,,,{number}\n"
        "civil-servant,max,Max,tax-bureau,,,123\n"
        "department,,Audit,tax-bureau,,,\n"
    )
    refused = [(each.line, each.field) for each in writer.import_csv((head + bad).encode(), actor="a1").refused]
    assert (7, "national_number") in refused
    bad = bad.replace("civil-servant,max,Max,tax-bureau,,,123\n", "")
    refused = [(each.line, each.field) for each in writer.import_csv((head + bad).encode(), actor="a1").refused]
    assert refused == [
        (2, "department"), (3, "department"), (4, "organisation"), (5, "post"), (6, "national_number"), (7, "name"),
    ]  # fmt: skip
