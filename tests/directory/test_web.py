# SPDX-License-Identifier: Apache-2.0
"""The administrators' desk, through the real application and a real slapd."""

import io
from datetime import date, timedelta
from urllib.parse import quote

import pytest

from audit import Outcome
from directory.models import Device, Person
from tests.directory.desk import Desk
from tests.directory.world import World

ADMINISTRATOR = frozenset({"directory-administrator", "civil-servant"})


@pytest.fixture
def desk(filled: World) -> Desk:
    filled.clear()
    zhao_lei = filled.directory("directory").person_by_username("zhao.lei")
    return Desk(filled, subject=zhao_lei.subject, roles=ADMINISTRATOR)


@pytest.fixture
def kiosk(filled: World) -> Device:
    return filled.directory("directory").devices().items[0]


def test_people_are_found_by_either_script_and_the_search_is_recorded(desk: Desk, filled: World) -> None:
    page = desk.get(f"/?q={quote('陈伟')}")
    assert page.status_code == 200
    assert "chen.wei" in page.text
    event = filled.recorder.events[-1]
    assert event.type == "directory.people.searched"
    assert event.sealed == {"text": "陈伟"}
    person = filled.directory("directory").person_by_username("chen.wei")
    assert person.subject in str(event.attributes["shown"])


def test_a_persons_page_shows_everything_and_opening_it_is_recorded(
    desk: Desk, filled: World, chen_wei: Person
) -> None:
    text = desk.get(f"/people/{chen_wei.subject}").text
    assert chen_wei.name_zh in text
    assert chen_wei.proofing.evidence in text
    assert "Jinhe Trading" in text
    event = filled.recorder.events[-1]
    assert (event.type, event.subject) == ("directory.person.read", chen_wei.subject)


def test_nothing_is_shown_when_the_reading_cannot_be_recorded(desk: Desk, filled: World, chen_wei: Person) -> None:
    filled.recorder.down = True
    try:
        answer = desk.get(f"/people/{chen_wei.subject}")
    finally:
        filled.recorder.down = False
    assert answer.status_code == 503
    assert chen_wei.name_zh not in answer.text


def test_only_the_directory_administrator_gets_in(filled: World) -> None:
    stranger = Desk(filled, subject="x", roles=frozenset({"security-officer", "civil-servant"}))
    assert stranger.get("/").status_code == 403


def test_pages_speak_chinese(desk: Desk) -> None:
    text = desk.get("/?lang=zh").text
    assert "目录管理台" in text
    assert "公民" in text


def test_lists_are_walked_by_key_to_the_end(desk: Desk) -> None:
    seen, path = 0, "/?q=wei"
    while path:
        text = desk.get(path).text
        seen += text.count('<td><a href="/people/')
        before, _, rest = text.rpartition('">Next page</a>')
        path = before.rpartition('href="')[2].replace("&amp;", "&") if rest and before else ""
    assert seen > 0


def test_disabling_and_enabling_a_person_takes_a_reason(desk: Desk, filled: World, chen_wei: Person) -> None:
    path = f"/people/{chen_wei.subject}"
    assert desk.post(f"{path}/disable", {}).status_code == 400
    assert desk.post(f"{path}/disable", {"reason": "card lost"}).status_code == 303
    assert not filled.directory("gateway").person(chen_wei.subject).enabled
    event = filled.outbox()[-1]
    assert (event.type, event.outcome) == ("directory.person.disabled", Outcome.SUCCESS)
    assert event.sealed["reason"] == "card lost"
    assert "disabled" in desk.get(path).text

    assert desk.post(f"{path}/enable", {"reason": "found"}).status_code == 303
    assert filled.directory("gateway").person(chen_wei.subject).enabled


def test_roles_are_granted_and_withdrawn(desk: Desk, filled: World, li_na: Person) -> None:
    path = f"/people/{li_na.subject}"
    assert desk.post(f"{path}/roles/grant", {"role": "ra-officer", "reason": "x"}).status_code == 303
    assert "ra-officer" in filled.directory("gateway").person(li_na.subject).roles
    assert desk.post(f"{path}/roles/withdraw", {"role": "ra-officer"}).status_code == 303
    assert "ra-officer" not in filled.directory("gateway").person(li_na.subject).roles


def test_a_contractors_role_is_not_granted_on_a_persons_page(desk: Desk, filled: World, chen_wei: Person) -> None:
    path, writer = f"/people/{chen_wei.subject}", filled.writer()
    assert "contractor-social" not in desk.get(path).text
    last = (writer.standings.today() + timedelta(days=20)).isoformat()
    form = {"role": "contractor-social", "reason": "contract 7", "until": last}
    assert desk.post(f"{path}/roles/grant", form).status_code == 403
    assert "contractor-social" not in filled.directory("gateway").person(chen_wei.subject).roles
    writer.grant_role(chen_wei.subject, "contractor-social", actor="", reason="x", until=date.fromisoformat(last))
    assert desk.post(f"{path}/roles/withdraw", {"role": "contractor-social"}).status_code == 303
    found = filled.directory("gateway").person(chen_wei.subject)
    assert "contractor-social" not in found.roles
    # It was that contractor's account, and goes with what bound it.
    assert not found.enabled
    assert desk.post(f"{path}/enable", {"reason": "stays as a citizen"}).status_code == 303


def test_a_second_power_is_refused_with_a_clear_page(desk: Desk, filled: World) -> None:
    officer = filled.directory("directory").person_by_username("wang.qiang")
    answer = desk.post(f"/people/{officer.subject}/roles/grant", {"role": "security-administrator", "reason": "x"})
    assert answer.status_code == 409
    assert "kept apart" in answer.text


def test_nobody_changes_their_own_roles(desk: Desk, filled: World) -> None:
    own = filled.directory("directory").person_by_username("zhao.lei").subject
    assert "Another administrator" in desk.get(f"/people/{own}").text
    assert desk.post(f"/people/{own}/roles/grant", {"role": "ra-officer", "reason": "x"}).status_code == 403
    own_role = {"role": "directory-administrator"}
    assert desk.post(f"/people/{own}/roles/withdraw", own_role).status_code == 403


def test_devices_are_disabled_and_enabled(desk: Desk, filled: World, kiosk: Device) -> None:
    assert kiosk.name in desk.get("/devices").text
    assert desk.post(f"/devices/{kiosk.id}/disable", {}).status_code == 303
    assert not filled.directory("gateway").device(kiosk.id).enabled
    assert desk.post(f"/devices/{kiosk.id}/enable", {}).status_code == 303
    assert filled.directory("gateway").device(kiosk.id).enabled


def test_organisations_are_listed_without_their_code(desk: Desk) -> None:
    text = desk.get("/organisations?q=tax-bureau").text
    assert "Tax Bureau" in text
    assert "11999999" not in text


def test_an_import_reports_what_it_refused_and_enters_nothing(desk: Desk, filled: World) -> None:
    table = b"kind,username,name\ncitizen,new.person,New Person\ncitizen,chen.wei,Chen Wei\n"
    answer = desk.post("/import", {"file": (io.BytesIO(table), "people.csv")})
    assert answer.status_code == 422
    assert "the directory has this already" in answer.text
    assert filled.directory("directory").people("new.person").items == ()


def test_an_import_says_what_it_entered(desk: Desk, filled: World) -> None:
    table = "kind,username,name,name_zh\ncitizen,a.new.one,New One,新一\n".encode()
    answer = desk.post("/import", {"file": (io.BytesIO(table), "people.csv")})
    assert answer.status_code == 200
    assert "Entered: 1 people" in answer.text
    assert filled.directory("directory").person_by_username("a.new.one").name_zh == "新一"


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("people.csv", b"\xff\xfe", 400),
        ("people.csv", b"", 400),
        ("people.csv", b"kind,kind\n", 400),
        ("people.csv", b'kind,"name\n', 400),
        ("people.ldif", b"dn: x\nchangetype: delete\n", 400),
        ("people.ldif", b"jpegPhoto:< file:///etc/passwd\n", 400),
        ("people.exe", b"MZ", 400),
        ("people.csv", b"x" * (2 << 20), 413),
    ],
)
def test_a_file_that_is_no_import_is_refused(desk: Desk, name: str, content: bytes, status: int) -> None:
    assert desk.post("/import", {"file": (io.BytesIO(content), name)}).status_code == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/?q=" + "x" * 101, 400),
        ("/?q=a&q=b", 400),
        ("/?q=%00", 400),
        ("/?q=*)(uid=*", 200),
        ("/?q=%5C2a", 200),
        ("/?after=abc", 400),
        ("/?after=-1", 400),
        ("/people/nobody", 404),
        ("/people/00000000-0000-4000-8000-000000000000", 404),
        ("/people/%00", 404),
        ("/people/*", 404),
        ("/organisations?after=9999999999999999", 400),
        ("/devices?q=%F0%9F%98%80", 200),
        ("/nothing", 404),
    ],
)
def test_bad_questions_get_a_clear_answer(desk: Desk, path: str, status: int) -> None:
    assert desk.get(path).status_code == status


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (("/people/nobody/disable", {"reason": "x"}), 404),
        (("/people/nobody/roles/grant", {"role": "ra-officer", "reason": "x"}), 404),
        (("/people/{chen}/roles/grant", {"role": "emperor", "reason": "x"}), 400),
        (("/people/{chen}/roles/grant", {"role": "", "reason": "x"}), 400),
        (("/people/{chen}/roles/grant", {"role": "ra-officer", "reason": "x"}), 409),
        (("/people/{chen}/disable", {"reason": "line\nline"}), 400),
        (("/people/{chen}/disable", {"reason": "x" * 501}), 400),
        (("/devices/nothing/disable", {}), 404),
        (("/devices/{chen}/explode", {}), 400),
        (("/import", {}), 400),
        (("/import", {"file": "text"}), 400),
    ],
)
def test_bad_changes_get_a_clear_answer_and_change_nothing(
    desk: Desk, filled: World, chen_wei: Person, change: tuple[str, dict[str, str]], status: int
) -> None:
    path, form = change
    assert desk.post(path.format(chen=chen_wei.subject), form).status_code == status
    assert filled.outbox() == []
    assert filled.directory("directory").person(chen_wei.subject) == chen_wei


def test_a_form_without_its_token_changes_nothing(desk: Desk, filled: World, chen_wei: Person) -> None:
    answer = desk.post(f"/people/{chen_wei.subject}/disable", {"reason": "x"}, token=False)
    assert answer.status_code == 403
    assert filled.directory("gateway").person(chen_wei.subject).enabled
