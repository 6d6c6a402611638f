# SPDX-License-Identifier: Apache-2.0
"""A file of any length, piece by piece: in any order, again after a crash, and never more than its lines say."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from ldap.ldapobject import SimpleLDAPObject

from app.cli.directory import directory
from app.context import Context
from app.users import Users
from audit import Outcome
from audit.errors import RecordUnavailable
from core.db import OutboxFull
from directory.errors import Pending, UnreadableImport
from directory.imports import Refusal
from directory.ldap import Pool
from directory.models import Person, credit_code_check
from directory.service import Course, DirectoryWriter, Importing, importing
from tests.directory.world import World

BODY = "91999999ABCDEFGHJ"
CODE = BODY + credit_code_check(BODY)
FILE = """\
kind,username,name,name_zh,organisation,department,post,id,credit_code,scope,until
mandate,{n}.one,,,{n}-tax,,,,,all,2040-01-01
civil-servant,{n}.clerk,Clerk,,{n}-tax,,Clerk,,,,
citizen,{n}.one,One,王一,,,,,,,
device,,Kiosk {n},,{n}-tax,,,,,,
post,,Clerk,,{n}-tax,Counter,,,,,
department,,Counter,,{n}-tax,,,,,,
citizen,{n}.two,Two,,,,,,,,
agency,,Tax office,,,,,{n}-tax,{code},,"""
COLUMNS = FILE.partition("\n")[0]
ENTERED = 9
"""Eight lines, and that the clerk holds the post."""


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "PIECE", 2)


@pytest.fixture
def empty(world: World) -> Iterator[World]:
    world.clear()
    yield world
    world.clear()


def town(name: str) -> str:
    body = f"91999999ABCD{sum(name.encode()):05d}"
    return FILE.format(n=name, code=body + credit_code_check(body))


def enter(
    writer: DirectoryWriter, text: str | bytes, kind: str = "csv", waiting: int = 0
) -> tuple[Course, list[Refusal]]:
    refused: list[Refusal] = []
    data = text.encode() if isinstance(text, str) else text
    them = Importing(writer, waiting=lambda: waiting, pause=lambda _: None)
    return them.enter(io.BytesIO(data), kind, refuse=refused.append, tell=lambda _: None), refused


def test_what_refers_to_later_lines_is_entered_after_them_and_a_second_time_nothing_is(empty: World) -> None:
    writer, text = empty.writer(), town("order")
    assert enter(writer, text) == (Course(entered=ENTERED), [])
    clerk = empty.directory("directory").person_by_username("order.clerk")
    [holding] = writer.standings.facts(clerk.subject).holdings
    assert writer.standings.post(holding.post).name == "Clerk"
    assert len(empty.directory("directory").person_by_username("order.one").mandates) == 1
    types = [event.type for event in empty.outbox()]
    assert (types.count("directory.person.created"), types.count("directory.post.given")) == (3, 1)
    assert enter(writer, text) == (Course(there=8), [])
    assert [event.type for event in empty.outbox()] == types
    assert writer.watch.look() == 0


def test_a_file_is_given_again_after_the_record_was_down(empty: World, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, text = empty.writer(), town("again")
    record, pieces = empty.recorder.record, iter(range(100))

    def failing(event: object, **more: object) -> object:
        if next(pieces) == 3:
            raise RecordUnavailable
        return record(event, **more)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(empty.recorder, "record", failing)
    with pytest.raises(RecordUnavailable):
        enter(writer, text)
    there = len(empty.directory("directory").people("again.").items)
    monkeypatch.undo()
    monkeypatch.setattr(importing, "PIECE", 2)
    course, refused = enter(writer, text)
    assert (course.entered + course.there, refused) == (ENTERED - (0 if course.there < 6 else 1), [])
    assert course.there >= 3
    people = empty.directory("directory").people("again.").items
    assert (there, len(people), len({person.username for person in people})) == (0, 3, 3)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("citizen,bad name,Bad,,,,,,,,", "username"),
        ("citizen,BAD.one,Again,,,,,,,,", "username"),
        ("device,,Kiosk bad,,bad-tax,,,,,,", "name"),
        ("citizen,bad.three", ""),
        ("emperor,bad.three,Three,,,,,,,,", "kind"),
    ],
)
def test_a_line_that_cannot_be_right_refuses_the_whole_file(empty: World, line: str, field: str) -> None:
    text = f"{town('bad')}\n{line}"
    course, refused = enter(empty.writer(), text)
    assert (course, [(each.line, each.field) for each in refused]) == (Course(refused=1), [(10, field)])
    assert empty.outbox() == []
    assert empty.recorder.events == []


def test_what_another_has_is_refused_by_its_line_with_what_refers_to_it(empty: World) -> None:
    writer = empty.writer()
    assert enter(writer, f"{COLUMNS}\ncitizen,mine.one,Somebody else,,,,,,,,")[0].entered == 1
    text = town("mine") + "\ncivil-servant,mine.lost,Lost,,nowhere,,,,,,"
    course, refused = enter(writer, text)
    # The mandate goes to the one who has the name; the post is somebody's who is there.
    assert [(each.line, each.field) for each in refused] == [(4, "username"), (10, "organisation")]
    assert (course.refused, course.entered) == (2, ENTERED - 1)
    assert empty.directory("directory").person_by_username("mine.one").name == "Somebody else"


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"", "csv"), (b"kind,emperor\n", "csv"), (b"kind\xff", "csv"), (b"uid: a\n", "ldif"), (b"kind\n", "xlsx")],
)
def test_what_is_no_such_file_is_refused_whole(world: World, data: bytes, kind: str) -> None:
    with pytest.raises(UnreadableImport):
        enter(world.writer(), data, kind)


def test_ldif_is_read_entry_by_entry(empty: World) -> None:
    entries = [
        f"dn: uid=l{n},o=elsewhere\nobjectClass: tallyCitizen\nuid: ldif.{n}\n# why\ncn: A lo\n ng name\n" for n in "ab"
    ]
    assert enter(empty.writer(), "version: 1\n" + "\n".join(entries), "ldif") == (Course(entered=2), [])
    assert empty.directory("directory").person_by_username("ldif.b").name == "A long name"


def test_the_record_is_waited_for_and_not_for_ever(world: World) -> None:
    with pytest.raises(OutboxFull):
        enter(world.writer(), town("wait"), waiting=10_000)
    left = iter([9_000, 9_000, 5_000, 100, *[100] * 50])
    them = Importing(world.writer(), waiting=lambda: next(left), pause=lambda _: None)
    text = f"{COLUMNS}\ncitizen,wait.one,One,,,,,,,,".encode()
    assert them.enter(io.BytesIO(text), "csv", refuse=print, tell=print).entered == 1


def test_a_server_that_is_killed_loses_nothing_that_was_recorded(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was on its way is entered by the replay, each entry once, and no alarm is raised by that."""
    world, writer = own_world, own_world.writer()
    monkeypatch.setattr(importing, "PIECE", 150)
    text = "\n".join(["kind,username,name", *(f"citizen,kill.n{n},N{n}" for n in range(150))])
    add, sent = SimpleLDAPObject.add_ext, iter(range(1_000))

    def killing(connection: SimpleLDAPObject, *given: object) -> int:
        message = int(add(connection, *given))
        if next(sent) == 100:
            # It may have been carried out or not.
            world.kill()
        return message

    monkeypatch.setattr(SimpleLDAPObject, "add_ext", killing)
    with pytest.raises(Pending):
        enter(writer, text)
    monkeypatch.undo()
    world.start()
    before = list(world.pool("directory").walk(world.tree.branch("people"), "(uid=kill.*)", ["uid"]))
    assert 100 <= len(before) <= 101
    writer.replay()
    walked = list(world.pool("directory").walk(world.tree.branch("people"), "(uid=kill.*)", ["uid"]))
    assert len({entry.text("uid") for entry in walked}) == len(walked) == 150
    assert [event.outcome for event in world.recorder.events] == [Outcome.INTENDED]
    assert len(world.outbox()) == 151
    assert writer.watch.look() == 0
    assert world.store.settled() == []


def test_a_refusal_midway_leaves_nothing_and_no_alarm(empty: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the server's own uniqueness of user names does, where our look before it was too early."""
    writer = empty.writer()
    writer.import_csv(b"kind,username,name\ncitizen,first.one,One", actor="")
    monkeypatch.setattr("directory.service.reading.Directory.named", lambda *_: {})
    rows = b"kind,username,name\ncitizen,back.one,One\ncitizen,first.one,One\ncitizen,back.two,Two"
    with pytest.raises(Exception, match="refused"):
        writer.import_csv(rows, actor="")
    assert empty.directory("directory").people("back.").items == ()
    assert empty.outbox()[-1].outcome is Outcome.FAILURE
    assert writer.watch.look() == 0


def test_the_writer_walks_past_the_longest_answer(filled: World) -> None:
    """More people than one search may return; a reader has no such right."""
    branch = filled.tree.branch("people")
    walked = [entry.dn for entry in filled.pool("directory").walk(branch, "(uid=*)", ["uid"], page=100)]
    assert len(set(walked)) == len(walked) == 566
    assert list(filled.pool("directory").walk(filled.tree.branch("nowhere"), "(uid=*)", ["uid"])) == []
    with pytest.raises(Exception, match="refused"):
        list(Pool.walk(filled.pool("sso"), branch, "(uid=*)", ["uid"], page=50))


def test_a_look_up_asks_for_many_at_once(filled: World) -> None:
    people = filled.directory("directory").people(limit=400).items
    wanted = [person.username for person in people]
    found = filled.directory("directory").named([*wanted, "nobody.there"])
    assert found.keys() == set(wanted)
    assert {person.subject for person in found.values()} == {person.subject for person in people}


@pytest.mark.parametrize("text", ["", "li", "li.na", "nobody of that name"])
def test_pages_far_into_the_register_hold_everybody_once(
    filled: World, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    desk = filled.directory("directory")
    near, after = list(desk.people(text, limit=40).items), desk.people(text, limit=40).after
    while after:
        page = desk.people(text, after=after, limit=40)
        near, after = near + list(page.items), page.after
    # As if all were far: few at a time, with stretches in which nobody fits.
    monkeypatch.setattr("directory.service.reading._DEEP", 1)
    monkeypatch.setattr("directory.service.reading._WINDOWS", 2)
    monkeypatch.setattr("directory.service.reading._LAST", 5)
    far: list[Person] = []
    after = "1"
    while after:
        page = desk.people(text, after=after, limit=7)
        far, after = far + list(page.items), page.after
    assert [each.username for each in far] == [each.username for each in near]


def test_the_command_tells_what_came_of_each_file(
    empty: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site, table = tmp_path / "site.toml", tmp_path / "people.csv"
    ports = "\n".join(f"{name} = {getattr(empty.site.ports, name)}" for name in ("external", "internal", "management"))
    site.write_text(
        f'[site]\nname = "test"\ndomain = "test.localhost"\ntitle = "Test"\ntitle_zh = "测试"\n'
        f'state = "{empty.site.state}"\n[site.ports]\n{ports}\nplain = 4\nldaps = {empty.site.ports.ldaps}\n',
        "utf-8",
    )
    monkeypatch.setattr("app.holding.is_born", lambda _: True)
    monkeypatch.setattr(Context, "recorder", lambda *_: empty.recorder)
    # The world is this user's own.
    monkeypatch.setattr(Users, "detect", lambda: Users(separate=False))
    told = []
    for line in ("citizen,command.one,One", "citizen,command.one,One", "citizen,command one,One"):
        table.write_text(f"kind,username,name\n{line}\n", "utf-8")
        done = CliRunner().invoke(directory, ["import", str(table), "--site", str(site)])
        told.append((done.exit_code, done.stdout.splitlines()))
    assert told == [
        (0, ["1 entered, 0 were there already, 0 refused."]),
        (0, ["0 entered, 1 were there already, 0 refused."]),
        (
            1,
            [
                "line 2, username: a user name has letters a to z, digits, dots and hyphens",
                "0 entered, 0 were there already, 1 refused.",
            ],
        ),
    ]
