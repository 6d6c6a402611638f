# SPDX-License-Identifier: Apache-2.0
"""How an entry was changed, at the desk: who, when, why, before and after; recorded first; agencies see their own."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from app.wiring.histories import RecordedChanges
from audit import Event, Outcome
from core.calls import Answer
from core.errors import Unavailable
from directory.histories import Change, Difference, differences
from directory.models import DeviceState, Person
from directory.service import DirectoryWriter
from directory.service.events import event
from tests.directory.desk import Desk
from tests.directory.recorded import Record
from tests.directory.world import World
from tests.fakes.audit_console import ConsoleFake


@pytest.fixture(scope="module")
def record(filled: World, tmp_path_factory: pytest.TempPathFactory) -> Record:
    filled.clear()
    return Record(ConsoleFake(Path(tmp_path_factory.mktemp("record"))), filled)


def _desk(record: Record, name: str, role: str) -> Desk:
    subject = record.world.directory("directory").person_by_username(name).subject
    return Desk(record.world, subject=subject, roles=frozenset({role}), changes=RecordedChanges(record))


@pytest.fixture
def desk(record: Record) -> Desk:
    return _desk(record, "zhao.lei", "directory-administrator")


@pytest.fixture
def agency_desk(record: Record) -> Desk:
    """Of the document office."""
    return _desk(record, "zhou.fang", "agency-administrator")


@pytest.fixture
def boss(filled: World) -> str:
    return filled.directory("directory").person_by_username("zhao.lei").subject


def test_every_change_of_a_person_is_told_with_before_after_reason_and_proof(
    record: Record, desk: Desk, filled: World, li_na: Person, boss: str
) -> None:
    writer = filled.writer()
    until = filled.clock.now().date() + timedelta(days=30)
    writer.disable_person(li_na.subject, actor=boss, reason="<b>lost</b> the card")
    writer.enable_person(li_na.subject, actor=boss, reason="found it")
    writer.giving.grant_entitlement(li_na.subject, "tax/history.read", until=until, actor=boss, reason="for a week")
    shown = desk.get(f"/history/person/{li_na.subject}")
    assert shown.status_code == 200
    for told in ("tax/history.read", until.isoformat(), "for a week", "&lt;b&gt;lost", "enabled", "disabled", "赵"):
        assert told in shown.text, told
    assert "<b>lost" not in shown.text
    # The record has it that this was read, twice: by the desk, and by the audit role.
    told_last = [each for each in record.console.log.events if each.subject == li_na.subject][-2:]
    assert [(each.type, each.actor) for each in told_last] == [
        ("directory.history.read", boss),
        ("audit.read", boss),
    ]
    index = next(i for i, e in enumerate(record.console.log.events) if e.type == "directory.person.disabled")
    proof = desk.get(f"/history/person/{li_na.subject}/{index}/entry.tlog-proof")
    assert proof.text.startswith(f"c2sp.org/tlog-proof@v1\nindex {index}\n")
    raw = desk.get(f"/history/person/{li_na.subject}/{index}/entry.json")
    assert raw.data == record.console.log.raw(index)
    for wrong in (f"{index}/everything", "x/entry.json"):
        assert desk.get(f"/history/person/{li_na.subject}/{wrong}").status_code in (400, 404)
    assert desk.get(f"/history/person/{boss}/{index}/entry.json").status_code == 404


def test_an_agency_sees_its_own_people_and_of_what_happened_elsewhere_only_that_it_did(
    record: Record, desk: Desk, agency_desk: Desk, filled: World, boss: str
) -> None:
    writer, directory = filled.writer(), filled.directory("directory")
    elsewhere = directory.person_by_username("wang.qiang")
    own = next(
        each for each in directory.people("", limit=400).items
        if each.organisation == "document-office" and not each.roles & {"agency-administrator"}
        and writer.standings.facts(each.subject).holdings
    )  # fmt: skip
    assert elsewhere.organisation != "document-office"
    for path in (
        f"/history/person/{elsewhere.subject}",
        f"/history/organisation/{elsewhere.organisation}",
        f"/history/person/{elsewhere.subject}/0/entry.json",
    ):
        before = len(record.console.log.events)
        assert agency_desk.get(path).status_code == 404
        assert len(record.console.log.events) == before
    # As after a move from another agency: the post there is not told here, nor its bytes.
    post = writer.structure.add_post("tax-bureau", "Auditor of secrets", actor=boss)
    here = writer.structure.add_post("document-office", "Keeper of seals", actor=boss)
    holding = writer.giving.give_post(own.subject, here, actor=boss, reason="helps out here")
    writer.giving.take_post(holding, actor=boss, reason="helped out here")
    filled.recorder.events.append(_elsewhere(filled, own, post, boss))
    page = agency_desk.get(f"/history/person/{own.subject}").text
    assert "helps out here" in page
    assert "Keeper of seals" in page
    assert "in another agency" in page
    assert "spies on" not in page
    assert post not in page
    index = next(
        i
        for i, e in enumerate(record.console.log.events)
        if e.organisation == "tax-bureau" and e.type == "directory.post.given"
    )
    assert f"/{index}/" not in page
    assert agency_desk.get(f"/history/person/{own.subject}/{index}/entry.json").status_code == 404
    mine = next(i for i, e in enumerate(record.console.log.events) if e.type == "directory.post.taken")
    assert agency_desk.get(f"/history/person/{own.subject}/{mine}/entry.json").status_code == 200
    whole = desk.get(f"/history/person/{own.subject}").text
    assert "spies on" in whole
    assert f"/{index}/" in whole


def _elsewhere(filled: World, own: Person, post: str, boss: str) -> Event:
    return event(
        "directory.post.given", Outcome.SUCCESS, filled.clock.now(), subject=own.subject, actor=boss,
        organisation="tax-bureau", attributes={"post": post}, sealed={"reason": "spies on the ministry"},
    )  # fmt: skip


def test_of_who_holds_a_role_of_the_whole_site_an_agency_opens_nothing(
    record: Record, agency_desk: Desk, filled: World, boss: str
) -> None:
    fang = filled.directory("directory").person_by_username("zhou.fang")
    filled.writer().disable_person(fang.subject, actor=boss, reason="a secret reason")
    filled.writer().enable_person(fang.subject, actor=boss, reason="another one")
    page = agency_desk.get(f"/history/person/{fang.subject}").text
    assert "Person disabled" in page
    assert "secret reason" not in page
    assert "open=0" in record.asked[-1]
    assert record.console.log.events[-1].attributes == {"view": "history", "hits": 2, "reader": "directory"}


def test_organisations_posts_roles_devices_and_services_have_a_history(
    record: Record, desk: Desk, agency_desk: Desk, writer: DirectoryWriter, boss: str
) -> None:
    post = writer.structure.add_post("document-office", "Archivist", actor=boss)
    writer.structure.add_to_post(post, "case-worker", actor=boss, reason="works on cases")
    device = writer.directory.devices("", limit=1).items[0]
    writer.set_device_state(device.id, DeviceState.LOST, actor=boss, reason="left in a train")
    writer.set_device_state(device.id, DeviceState.HEALTHY, actor=boss, reason="came back")
    writer.structure.add_role("librarian", title="Librarian", actor=boss)
    writer.structure.rename_role("librarian", "Keeper of books", actor=boss)
    for path, told in (
        (f"/history/post/{post}", ("Archivist", "works on cases", "Case worker")),
        ("/history/organisation/document-office", ("Archivist", "works on cases")),
        (f"/history/device/{device.id}", ("left in a train", "lost", device.state.value)),
        ("/history/role/librarian", ("Librarian", "Keeper of books")),
        ("/history/service/tax", ()),
    ):
        shown = desk.get(path)
        assert shown.status_code == 200, path
        for each in told:
            assert each in shown.text, (path, each)
    assert agency_desk.get(f"/history/post/{post}").status_code == 200
    assert agency_desk.get("/history/organisation/tax-bureau").status_code == 404
    for wrong in ("moon/x", "person/nobody", "role/UPPER", f"post/{boss}", "device/x"):
        assert desk.get(f"/history/{wrong}").status_code in (400, 404), wrong


def test_long_histories_are_paged_and_only_administrators_of_the_directory_see_any(
    record: Record, desk: Desk, filled: World, chen_wei: Person, boss: str
) -> None:
    writer = filled.writer()
    for number in range(14):
        writer.disable_person(chen_wei.subject, actor=boss, reason=f"time {number:02}")
        writer.enable_person(chen_wei.subject, actor=boss, reason=f"back {number:02}")
    first = desk.get(f"/history/person/{chen_wei.subject}").text
    assert "back 13" in first
    assert "time 00" not in first
    older = first.partition("after=")[2].partition('"')[0]
    assert "time 00" in desk.get(f"/history/person/{chen_wei.subject}?after={older}").text
    assert desk.get(f"/history/person/{chen_wei.subject}?after=x").status_code == 400
    officer = _desk(record, "zhao.lei", "security-officer")
    assert officer.get(f"/history/person/{chen_wei.subject}").status_code == 403


def test_nothing_is_shown_while_it_cannot_be_recorded(record: Record, desk: Desk, filled: World, li_na: Person) -> None:
    filled.recorder.down = True
    asked = len(record.asked)
    assert desk.get(f"/history/person/{li_na.subject}").status_code == 503
    assert len(record.asked) == asked
    filled.recorder.down = False


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"changes": [{}], "next": null}', b'{"changes": [[]], "next": null}'])
def test_a_record_that_answers_otherwise_is_not_believed(body: bytes) -> None:
    class Strange:
        def call(self, _method: str, _path: str) -> Answer:
            return Answer(200, {}, body)

    with pytest.raises(Unavailable):
        RecordedChanges(Strange()).of(
            "subject", "x", officer="x", after=None, limit=1, language="en", opens=False
        )  # fmt: skip
    with pytest.raises(Unavailable):
        RecordedChanges(Strange()).proof("subject", "x", 1, officer="x")


AT = {"index": 1, "at": date(2026, 1, 1), "says": "", "outcome": "success"}


@pytest.mark.parametrize(
    ("kind", "attributes", "sealed", "expected"),
    [
        ("person.changed", {"what": "profile"}, {"before.mail": "a@b", "after.mail": "c@d", "name": "x"},
         [("mail", "a@b", "c@d")]),
        ("person.changed", {"what": "password"}, {}, [("what", "", "password")]),
        ("role.withdrawn", {"role": "ra-officer"}, {}, [("role", "ra-officer", "")]),
        ("proofing.granted", {"was": 1, "level": 3, "until": "2030-01-01"}, {},
         [("level", "1", "3"), ("until", "", "2030-01-01")]),
        ("proofing.ended", {"level": 3, "to": 2}, {}, [("level", "3", "2")]),
        ("proofing.ended", {"level": 3}, None, [("level", "3", "0")]),
        ("device.disabled", {"state": "lost", "was": "healthy"}, {},
         [("account", "enabled", "disabled"), ("state", "healthy", "lost")]),
        ("person.moved", {"from": "a", "post": "b"}, {}, [("post", "", "b"), ("organisation", "a", "")]),
        ("entry.removed", {"kind": "post"}, {"before.name": "Clerk"}, [("name", "Clerk", "")]),
        ("change.unrecorded", {}, {"before.mail": "a", "after.mail": "b"}, [("mail", "a", "b")]),
        ("something.new", {}, {}, []),
    ],
)  # fmt: skip
def test_what_a_change_made_of_which_field(
    kind: str, attributes: dict[str, str | int], sealed: dict[str, str] | None, expected: list[tuple[str, str, str]]
) -> None:
    change = Change(type=f"directory.{kind}", attributes=attributes, sealed=sealed, **AT)  # type: ignore[arg-type]  # the rest by name
    assert differences(change) == [Difference(*each) for each in expected]
