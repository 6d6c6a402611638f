# SPDX-License-Identifier: Apache-2.0
"""What becomes of a change that nobody recorded: when it may be undone, and what the desk shows of it."""

from collections.abc import Iterator
from functools import partial

import pytest

from audit import Outcome, RecordUnavailable
from directory.errors import ChangedSince, NoSuchChange, OwnRole
from directory.models import Person
from directory.store import Fate
from tests.directory.desk import Desk
from tests.directory.test_watching import rogue, switched
from tests.directory.world import World


@pytest.fixture
def watched(filled: World) -> Iterator[World]:
    """The sample city, with everything seen so far; afterwards nothing is left to be settled."""
    assert filled.writer().watch.look() == 0
    filled.clear()
    yield filled
    unrecorded = filled.writer().unrecorded
    for found in unrecorded.newest():
        if found.fate is Fate.OPEN:
            unrecorded.undo(found.number, actor="a1")


@pytest.fixture
def zhang_min(filled: World) -> Person:
    return filled.directory("directory").person_by_username("zhang.min")


@pytest.fixture
def desk(filled: World) -> Desk:
    zhao_lei = filled.directory("directory").person_by_username("zhao.lei")
    return Desk(filled, subject=zhao_lei.subject, roles=frozenset({"directory-administrator", "civil-servant"}))


def test_undoing_stops_where_somebody_has_gone_on(watched: World, zhang_min: Person) -> None:
    writer = watched.writer()
    rogue(watched, switched(watched, zhang_min, to="FALSE"))
    writer.watch.look()
    number = kept_number = writer.unrecorded.newest()[0].number
    writer.enable_person(zhang_min.subject, actor="")
    with pytest.raises(ChangedSince):
        writer.unrecorded.undo(number, actor="a1")
    with pytest.raises(OwnRole):
        writer.unrecorded.undo(number, actor=zhang_min.subject)
    with pytest.raises(OwnRole):
        writer.unrecorded.keep(number, actor=zhang_min.subject, reason="mine")
    refused = [each for each in watched.recorder.events if each.type == "directory.power.refused"]
    assert [each.attributes["act"] for each in refused] == ["undo", "keep"]
    assert {(each.subject, each.actor, each.outcome) for each in refused} == {
        (zhang_min.subject, zhang_min.subject, Outcome.DENIED)
    }
    watched.clear()
    zhao_lei = watched.directory("directory").person_by_username("zhao.lei")
    writer.unrecorded.keep(number, actor=zhao_lei.subject, reason="put right since")
    assert [event.outcome for event in watched.recorder.events] == [Outcome.INTENDED]
    (kept,) = watched.outbox()
    assert (kept.type, kept.outcome) == ("directory.change.kept", Outcome.SUCCESS)
    assert kept.sealed["reason"] == "put right since"
    assert (kept.sealed["name"], kept.sealed["actor_name"]) == (zhang_min.name_zh, zhao_lei.name_zh)
    for verb in (writer.unrecorded.undo, partial(writer.unrecorded.keep, reason="")):
        with pytest.raises(ChangedSince):
            verb(kept_number, actor="a1")
        for number in (0, 999_999, 10**30):
            with pytest.raises(NoSuchChange):
                verb(number, actor="a1")


def test_undoing_waits_for_the_record_only_where_it_grants(watched: World, zhang_min: Person) -> None:
    writer = watched.writer()
    li_na = watched.directory("directory").person_by_username("li.na")
    role, dn = watched.tree.role("ra-officer"), watched.tree.person(li_na.subject)
    rogue(watched, switched(watched, zhang_min, to="FALSE"))
    rogue(watched, f"dn: {role}\nchangetype: modify\nadd: member\nmember: {dn}\n")
    assert writer.watch.look() == 2
    granted, disabled = writer.unrecorded.newest()[:2]
    watched.recorder.down = True
    try:
        with pytest.raises(RecordUnavailable):
            writer.unrecorded.undo(disabled.number, actor="a1")
        writer.unrecorded.undo(granted.number, actor="a1")
    finally:
        watched.recorder.down = False
    directory = watched.directory("directory")
    assert directory.person(li_na.subject).roles == {"civil-servant", "case-worker"}
    assert not directory.person(zhang_min.subject).enabled
    writer.unrecorded.undo(disabled.number, actor="a1")
    assert directory.person(zhang_min.subject).enabled
    assert writer.watch.look() == 0


def test_every_page_of_the_desk_warns_until_it_is_settled(watched: World, desk: Desk, zhang_min: Person) -> None:
    assert "no record" not in desk.get("/devices").text
    assert "Every change that the server noted has its record." in desk.get("/unrecorded").text
    rogue(watched, switched(watched, zhang_min, to="FALSE"))
    watched.writer().watch.look()
    for path in ("/", "/organisations", "/devices", "/import", f"/people/{zhang_min.subject}"):
        assert "1 change of the directory has no record." in desk.get(path).text
    assert "目录中有 1 项更改未经记录。" in desk.get("/?lang=zh").text
    desk.get("/?lang=en")


def test_the_desk_shows_what_was_done_records_the_reading_and_undoes(
    watched: World, desk: Desk, zhang_min: Person
) -> None:
    rogue(watched, switched(watched, zhang_min, to="FALSE"))
    watched.writer().watch.look()
    watched.clear()
    text = desk.get("/unrecorded").text
    assert zhang_min.subject in text
    assert "tallyEnabled: TRUE" in text
    assert "tallyEnabled = FALSE" in text
    event = watched.recorder.events[-1]
    assert event.type == "directory.people.searched"
    assert zhang_min.subject in str(event.attributes["shown"])
    number = watched.writer().unrecorded.newest()[0].number
    assert desk.post(f"/unrecorded/{number}/undo", {}).status_code == 303
    assert watched.directory("gateway").person(zhang_min.subject).enabled
    assert "The entry is as it was before." in desk.get("/unrecorded?done=undone").text
    assert desk.post(f"/unrecorded/{number}/undo", {}).status_code == 409


def test_keeping_needs_a_reason(watched: World, desk: Desk, zhang_min: Person) -> None:
    rogue(watched, f"dn: {watched.tree.person(zhang_min.subject)}\nchangetype: modify\nadd: cn\ncn: Min Zhang\n")
    watched.writer().watch.look()
    number = watched.writer().unrecorded.newest()[0].number
    assert desk.post(f"/unrecorded/{number}/keep", {}).status_code == 400
    assert desk.post(f"/unrecorded/{number}/keep", {"reason": "the name is right"}).status_code == 303
    assert watched.writer().unrecorded.open() == 0


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/unrecorded/0/undo", {}, 404),
        ("/unrecorded/999999/keep", {"reason": "x"}, 404),
        (f"/unrecorded/{10**30}/undo", {}, 404),
        ("/unrecorded/-1/undo", {}, 404),
        ("/unrecorded/x/keep", {"reason": "x"}, 404),
    ],
)
def test_what_is_not_there_cannot_be_settled(desk: Desk, path: str, form: dict[str, str], status: int) -> None:
    assert desk.post(path, form).status_code == status


def test_only_the_directory_administrator_settles(watched: World, zhang_min: Person) -> None:
    rogue(watched, switched(watched, zhang_min, to="FALSE"))
    watched.writer().watch.look()
    number = watched.writer().unrecorded.newest()[0].number
    stranger = Desk(watched, subject="x", roles=frozenset({"security-officer", "civil-servant"}))
    assert stranger.get("/unrecorded").status_code == 403
    assert stranger.post(f"/unrecorded/{number}/undo", {}, token=False).status_code == 403
    assert watched.writer().unrecorded.open() == 1
