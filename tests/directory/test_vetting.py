# SPDX-License-Identifier: Apache-2.0
"""Identity proofing: what each level needs, two officers where it takes two, and every level ends."""

from datetime import timedelta

import pytest

from directory.errors import DecidedAlready, NoSuchGrant, NotEnoughEvidence, OwnRole, SecondOfficer
from directory.models import Person
from directory.service import DirectoryWriter
from directory.vetting import Evidence, Terms, VettingState, Way, carries, family_names
from tests.directory.world import Mailbox, World

PASSPORT = (Evidence.PASSPORT,)
WHOLE = (Evidence.PASSPORT, Evidence.FACE, Evidence.CHIP)


def entered(writer: DirectoryWriter, username: str, name: str, name_zh: str = "") -> Person:
    table = f"kind,username,name,name_zh\ncitizen,{username},{name},{name_zh}\n"
    assert writer.import_csv(table.encode(), actor="").entered == 1
    return writer.directory.person_by_username(username)


DAYS = Terms().days


@pytest.fixture
def officers(writer: DirectoryWriter) -> tuple[Person, Person]:
    return writer.directory.person_by_username("zhao.lei"), writer.directory.person_by_username("zhou.fang")


@pytest.mark.parametrize(
    ("level", "way", "kinds", "enough"),
    [
        (1, Way.IN_PERSON, {Evidence.DECLARATION}, True),
        (1, Way.CERTIFICATE, {Evidence.SIGNATURE}, False),
        (2, Way.IN_PERSON, {Evidence.DECLARATION}, False),
        (2, Way.IN_PERSON, {Evidence.IDENTITY_CARD}, True),
        (2, Way.UPSTREAM, {Evidence.STATEMENT}, False),
        (2, Way.UPSTREAM, {Evidence.STATEMENT, Evidence.PASSPORT}, True),
        (2, Way.CERTIFICATE, {Evidence.SIGNATURE}, True),
        (3, Way.IN_PERSON, set(WHOLE), True),
        (3, Way.IN_PERSON, {Evidence.PASSPORT, Evidence.FACE}, False),
        # Nobody reaches the highest level without being seen.
        (3, Way.UPSTREAM, set(Evidence), False),
        (3, Way.CERTIFICATE, set(Evidence), False),
        (4, Way.IN_PERSON, set(Evidence), False),
        (0, Way.IN_PERSON, set(Evidence), False),
    ],
)
def test_each_level_needs_its_evidence(level: int, way: Way, kinds: set[Evidence], *, enough: bool) -> None:
    assert carries(level, way, kinds) is enough


@pytest.mark.parametrize(
    ("name", "name_zh", "found"),
    [
        ("Li Na", "李娜", {"李", "li", "na"}),
        ("Ouyang Xiu", "欧阳修", {"欧阳", "ouyang", "xiu"}),
        ("Zhao, Lei", "", {"zhao", "lei"}),
        ("", "", set()),
    ],
)
def test_family_names_are_told_in_both_scripts(name: str, name_zh: str, found: set[str]) -> None:
    assert family_names(name, name_zh) == found


def test_a_vetting_counts_at_once_and_its_evidence_is_sealed(
    filled: World, writer: DirectoryWriter, officers: tuple[Person, Person]
) -> None:
    person = entered(writer, "vet.one", "Wu Ming", "吴明")
    filled.clear()
    made = writer.vetters.vet(
        person.subject, level=3, way=Way.IN_PERSON, kinds=WHOLE, reference="Shelf 7/22", actor=officers[0].subject
    )
    assert made.state is VettingState.HOLDS
    assert filled.directory("sso").person(person.subject).proofing.level == 3
    assert filled.recorder.types() == ["directory.proofing.granted"]
    assert filled.recorder.events[0].sealed["evidence"] == "Shelf 7/22"
    assert [each.reference for each in writer.vetters.history(person.subject)] == ["Shelf 7/22"]
    # Neither the tree nor the table holds the reference in clear.
    assert "Shelf" not in filled.directory("ca").person(person.subject).proofing.evidence
    assert b"Shelf 7/22" not in (filled.site.folder("directory") / "directory.db").read_bytes()


def test_nobody_vets_themselves_and_weak_evidence_is_refused(
    filled: World, writer: DirectoryWriter, officers: tuple[Person, Person], chen_wei: Person
) -> None:
    boss = officers[0].subject
    with pytest.raises(OwnRole):
        writer.vetters.vet(boss, level=3, way=Way.IN_PERSON, kinds=WHOLE, reference="x", actor=boss)
    assert filled.recorder.types() == ["directory.power.refused"]
    with pytest.raises(NotEnoughEvidence):
        writer.vetters.vet(chen_wei.subject, level=3, way=Way.IN_PERSON, kinds=PASSPORT, reference="x", actor=boss)
    assert writer.directory.person(chen_wei.subject).proofing == chen_wei.proofing


def test_their_own_family_name_takes_a_second_officer_of_another(
    filled: World, writer: DirectoryWriter, officers: tuple[Person, Person]
) -> None:
    boss, other = officers
    cousin = entered(writer, "vet.cousin", "Zhao Yi", "赵一")
    before = cousin.proofing.level
    filled.clear()
    made = writer.vetters.vet(
        cousin.subject, level=2, way=Way.IN_PERSON, kinds=PASSPORT, reference="x", actor=boss.subject
    )
    assert made.state is VettingState.WAITING
    assert writer.directory.person(cousin.subject).proofing.level == before
    sister = entered(writer, "vet.sister", "Zhao Er", "赵二")
    for officer in (boss, sister):
        with pytest.raises(SecondOfficer):
            writer.vetters.agree(made.id, actor=officer.subject)
    with pytest.raises(OwnRole):
        writer.vetters.agree(made.id, actor=cousin.subject)
    assert [each.id for _, each in writer.vetters.waiting()] == [made.id]
    writer.vetters.agree(made.id, actor=other.subject)
    assert writer.directory.person(cousin.subject).proofing.level == 2
    (held,) = writer.vetters.history(cousin.subject)
    assert (held.state, held.by, held.second) == (VettingState.HOLDS, boss.subject, other.subject)
    with pytest.raises(DecidedAlready):
        writer.vetters.refuse(made.id, actor=other.subject, reason="x")
    with pytest.raises(NoSuchGrant):
        writer.vetters.agree("nothing", actor=other.subject)


def test_what_a_second_officer_does_not_agree_to_never_counts(
    writer: DirectoryWriter, officers: tuple[Person, Person]
) -> None:
    boss, other = officers
    cousin = entered(writer, "vet.third", "Zhao San", "赵三")
    made = writer.vetters.vet(
        cousin.subject, level=2, way=Way.IN_PERSON, kinds=PASSPORT, reference="x", actor=boss.subject
    )
    writer.vetters.refuse(made.id, actor=other.subject, reason="photo of somebody else")
    with pytest.raises(DecidedAlready):
        writer.vetters.agree(made.id, actor=other.subject)
    assert writer.directory.person(cousin.subject).proofing.level == 0


def test_whose_proofing_ends_is_told_and_listed_and_then_loses_the_level(own_world: World) -> None:
    box = Mailbox()
    filled, writer, told = own_world, own_world.writer(box), box.letters
    today, boss = filled.clock.now().date(), entered(writer, "the.officer", "Zhou Officer")
    person = entered(writer, "vet.ends", "Qian Ends", "钱终")
    writer.profiles.change(person.subject, mail="qian@test.example", language="zh", actor=boss.subject)
    # What was seen before on a lower level still counts when the higher one has ended.
    filled.clock.advance(timedelta(days=-10))
    writer.vetters.vet(person.subject, level=1, way=Way.IN_PERSON, kinds=PASSPORT, reference="x", actor=boss.subject)
    filled.clock.advance(timedelta(days=10))
    writer.vetters.vet(person.subject, level=2, way=Way.IN_PERSON, kinds=PASSPORT, reference="x", actor=boss.subject)
    ends = today + timedelta(days=DAYS[2])
    assert person.subject not in {each.subject for each in writer.vetters.due(2, limit=400).items}
    filled.clock.advance(timedelta(days=DAYS[2] - 20))
    assert person.subject in {each.subject for each in writer.vetters.due(2, limit=400).items}
    writer.vetters.tend()
    writer.vetters.tend()
    while writer.letters.round():
        pass
    assert [(to, heading) for to, heading, *_ in told] == [("qian@test.example", f"您的实名核验将于 {ends} 到期")]
    # A process that died before it noted that it had told, and its successor, write nothing anew.
    again = filled.writer(lambda *_letter: pytest.fail("told twice"))
    again.vetters.tend()
    assert again.letters.round() == 0
    assert writer.directory.person(person.subject).proofing.level == 2
    filled.clock.advance(timedelta(days=20))
    # The last day counts whole.
    writer.vetters.tend()
    assert writer.directory.person(person.subject).proofing.level == 2
    filled.clock.advance(timedelta(days=1))
    # For whoever decides by it, it is over with its day, though nobody has taken it away yet.
    levels = {role: filled.directory(role).person(person.subject).proofing.level for role in ("sso", "gateway", "ca")}
    assert levels == {"sso": 0, "gateway": 0, "ca": 0}
    assert writer.directory.person(person.subject).proofing.level == 2
    filled.clear()
    writer.vetters.tend()
    assert filled.directory("sso").person(person.subject).proofing.level == 1
    assert {each.level: each.state for each in writer.vetters.history(person.subject)} == {
        2: VettingState.EXPIRED, 1: VettingState.HOLDS,
    }  # fmt: skip
    ended = [event for event in filled.outbox() if event.subject == person.subject]
    assert [(event.type, event.attributes) for event in ended] == [
        ("directory.proofing.ended", {"because": "expired", "level": 2, "to": 1})
    ]
    assert writer.letters.round() == 1
    assert "等级 2" in told[-1][2]
    assert "等级 1" in told[-1][2]
    writer.vetters.withdraw(person.subject, actor=boss.subject, reason="forged")
    assert writer.directory.person(person.subject).proofing.level == 0
    assert {each.state for each in writer.vetters.history(person.subject)} == {
        VettingState.EXPIRED, VettingState.WITHDRAWN,
    }  # fmt: skip


def test_a_crash_between_the_tree_and_the_table_is_made_good(own_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = own_world.writer()
    boss = entered(writer, "the.officer", "Zhou Officer")
    person = entered(writer, "vet.torn", "Qian Torn", "钱断")
    for level in (1, 2):
        writer.vetters.vet(
            person.subject, level=level, way=Way.IN_PERSON, kinds=PASSPORT, reference="x", actor=boss.subject
        )
    own_world.clock.advance(timedelta(days=DAYS[2] + 1))

    def dies(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writer.vetters.board, "settle", dies)
        with pytest.raises(KeyboardInterrupt):
            writer.vetters.tend()
    assert own_world.directory("sso").person(person.subject).proofing.level == 1
    own_world.writer().vetters.tend()
    assert {each.level: each.state for each in writer.vetters.history(person.subject)} == {
        2: VettingState.EXPIRED, 1: VettingState.HOLDS,
    }  # fmt: skip


def test_imported_levels_are_told_of_their_end_too(own_world: World) -> None:
    box = Mailbox()
    writer = own_world.writer(box)
    table = "kind,username,name,mail,proofing_level,proofing_date\ncitizen,old.paper,Old Paper,old@test.example,2,"
    day = own_world.clock.now().date() - timedelta(days=DAYS[2] - 30)
    report = writer.import_csv(f"{table}{day.isoformat()}\n".encode(), actor="")
    assert report.entered == 1, report.refused
    writer.vetters.tend()
    own_world.writer().vetters.tend()
    while writer.letters.round():
        pass
    assert [to for to, *_ in box.letters] == ["old@test.example"]


def test_a_crash_before_a_vetting_counts_leaves_it_waiting(
    filled: World, writer: DirectoryWriter, officers: tuple[Person, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    person = entered(writer, "vet.crash", "Sun Crash", "孙断")

    def dies(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writer.vetters.board, "holds", dies)
        with pytest.raises(KeyboardInterrupt):
            writer.vetters.vet(
                person.subject, level=2, way=Way.IN_PERSON, kinds=PASSPORT, reference="x", actor=officers[0].subject
            )
    (left,) = writer.vetters.history(person.subject)
    assert left.state is VettingState.WAITING
    filled.writer().vetters.agree(left.id, actor=officers[1].subject)
    assert writer.directory.person(person.subject).proofing.level == 2


def test_a_level_is_taken_away_at_once(filled: World, writer: DirectoryWriter, officers: tuple[Person, Person]) -> None:
    person = entered(writer, "vet.taken", "Feng Taken", "冯撤")
    writer.vetters.vet(
        person.subject, level=2, way=Way.IN_PERSON, kinds=PASSPORT, reference="x", actor=officers[0].subject
    )
    writer.vetters.withdraw(person.subject, actor=officers[1].subject, reason="forged")
    assert filled.directory("sso").person(person.subject).proofing.level == 0
