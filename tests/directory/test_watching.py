# SPDX-License-Identifier: Apache-2.0
"""Whoever changes the tree past the writer, even with the writer's own secret, is noticed, recorded and undone."""

from dataclasses import dataclass

import pytest

from app.sample import city
from audit import Event, Outcome
from directory import slapd
from directory.errors import ChangedSince, WrongCredentials
from directory.models import Person
from directory.service.watching import ALARM
from directory.slapd.passwords import SALT_LENGTH, hashed
from directory.store import Fate
from tests.directory.test_access import modify
from tests.directory.world import World


@pytest.fixture
def watched(filled: World) -> World:
    """The sample city, with everything seen so far."""
    assert filled.writer().watch.look() == 0
    filled.clear()
    return filled


@pytest.fixture
def zhang_min(filled: World) -> Person:
    return filled.directory("directory").person_by_username("zhang.min")


def rogue(world: World, text: str, *options: str) -> None:
    """A change by somebody who holds the writer's secret and tells nobody."""
    done = modify(world, "directory", text, *options)
    assert done.returncode == 0, done.stderr


def switched(world: World, person: Person, *, to: str) -> str:
    """A change of whether somebody is enabled."""
    dn = world.tree.person(person.subject)
    return f"dn: {dn}\nchangetype: modify\nreplace: tallyEnabled\ntallyEnabled: {to}\n"


def alarms(world: World) -> list[Event]:
    return [event for event in world.outbox() if event.type == ALARM]


def test_filling_a_city_alarms_nobody(own_world: World) -> None:
    city.fill(own_world.writer(), city.build())
    assert own_world.writer().watch.look() == 0
    assert alarms(own_world) == []
    assert own_world.store.settled() == []


def test_what_the_writer_does_alarms_nobody(watched: World, li_na: Person) -> None:
    writer = watched.writer()
    device = watched.directory("directory").devices().items[0].id
    for act in (
        lambda: writer.grant_role(li_na.subject, "ra-officer", actor="", reason="x"),
        lambda: writer.withdraw_role(li_na.subject, "ra-officer", actor=""),
        lambda: writer.withdraw_role(li_na.subject, "ra-officer", actor=""),
        lambda: writer.disable_person(li_na.subject, actor="", reason=""),
        lambda: writer.disable_person(li_na.subject, actor="", reason=""),
        lambda: writer.enable_person(li_na.subject, actor=""),
        lambda: writer.disable_device(device, actor=""),
        lambda: writer.enable_device(device, actor=""),
        lambda: writer.set_password(li_na.subject, "a new pass phrase", actor=""),
        lambda: writer.import_csv("kind,username,name,name_zh\ncitizen,wa.tched,  A  B ,王芳\n".encode(), actor=""),
    ):
        act()
        assert writer.watch.look() == 0
    assert alarms(watched) == []
    assert watched.store.settled() == []


def test_a_failed_guess_alarms_nobody(watched: World) -> None:
    with pytest.raises(WrongCredentials):
        watched.directory("sso").authenticate("zhang.min", "wrong")
    assert watched.writer().watch.look() == 0


@dataclass(frozen=True)
class Rogue:
    """A change, the attributes and whom its alarm must name."""

    text: str
    names: str = ""
    subject: str = ""
    organisation: str = ""


_PEOPLE = ("zhang_min", "li_na", "wang_qiang", "sun_li")
_PERSON = "tallySubject={zhang_min},ou=people,dc=city,dc=example"
# Held by one person, whom an alarm about it names.
_ROLE = "cn=ra-officer,ou=roles,dc=city,dc=example"
_BUREAU = "tallyId=tax-bureau,ou=organisations,dc=city,dc=example"
_GHOST = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
ROGUES = {
    "disables": Rogue(
        f"dn: {_PERSON}\nchangetype: modify\nreplace: tallyEnabled\ntallyEnabled: FALSE\n",
        names="tallyEnabled",
        subject="{zhang_min}",
    ),
    "raises the proofing": Rogue(
        f"dn: {_PERSON}\nchangetype: modify\nreplace: tallyProofingLevel\ntallyProofingLevel: 3\n-\n"
        "replace: tallyProofingEvidence\ntallyProofingEvidence: none\n",
        names="tallyProofingEvidence tallyProofingLevel",
        subject="{zhang_min}",
    ),
    "adds and removes": Rogue(
        f"dn: {_PERSON}\nchangetype: modify\nadd: cn\ncn: Second Name\n-\ndelete: mail\n-\ndelete: tallyNameZh\n",
        names="cn mail tallyNameZh",
        subject="{zhang_min}",
    ),
    "removes a person": Rogue(f"dn: {_PERSON}\nchangetype: delete\n", subject="{zhang_min}"),
    "removes an officer": Rogue(
        "dn: tallySubject={wang_qiang},ou=people,dc=city,dc=example\nchangetype: delete\n", subject="{wang_qiang}"
    ),
    "appoints an officer": Rogue(
        f"dn: {_ROLE}\nchangetype: modify\nadd: member\nmember: tallySubject={{li_na}},ou=people,dc=city,dc=example\n",
        names="member",
        subject="{li_na}",
    ),
    "dismisses the officers": Rogue(
        f"dn: {_ROLE}\nchangetype: modify\ndelete: member\n", names="member", subject="{sun_li}"
    ),
    "removes a role": Rogue(f"dn: {_ROLE}\nchangetype: delete\n", subject="{sun_li}"),
    "invents a person": Rogue(
        f"dn: tallySubject={_GHOST},ou=people,dc=city,dc=example\nchangetype: add\nobjectClass: tallyCitizen\n"
        f"tallySubject: {_GHOST}\ntallyNumber: 9999\nuid: ghost\ncn: Ghost\nsn: Ghost\ntallyEnabled: TRUE\n"
        "tallyProofingLevel: 3\nuserPassword: boo boo boo boo\n",
        names="cn objectClass sn tallyEnabled tallyNumber tallyProofingLevel tallySubject uid",
        subject=_GHOST,
    ),
    "removes an organisation": Rogue(f"dn: {_BUREAU}\nchangetype: delete\n", organisation="tax-bureau"),
    "changes a code": Rogue(
        f"dn: {_BUREAU}\nchangetype: modify\nreplace: tallyCreditCode\ntallyCreditCode: 91999999ABCDEFGHJH\n",
        names="tallyCreditCode",
        organisation="tax-bureau",
    ),
    "renames an organisation": Rogue(
        f"dn: {_BUREAU}\nchangetype: modrdn\nnewrdn: tallyId=tax-office\ndeleteoldrdn: 1\n", organisation="tax-bureau"
    ),
    "moves an organisation": Rogue(
        f"dn: {_BUREAU}\nchangetype: modrdn\nnewrdn: tallyId=tax-bureau\ndeleteoldrdn: 1\n"
        "newsuperior: ou=devices,dc=city,dc=example\n",
        organisation="tax-bureau",
    ),
    "spells a name in another way": Rogue(
        "dn: TALLYID=tax-bureau, OU=organisations,dc=CITY,dc=example\nchangetype: modify\nreplace: o\no: Mine\n",
        names="o",
        organisation="tax-bureau",
    ),
    "makes a name that is none": Rogue(
        "dn: tallyId=a\\2Cb\\3Dc \\3Cz\\3E,ou=organisations,dc=city,dc=example\nchangetype: add\n"
        "objectClass: tallyOrganisationEntry\ntallyId: a,b=c <z>\ntallyNumber: 1\no: X\ntallyCreditCode: X\n"
        "tallyAgency: TRUE\n",
        names="o objectClass tallyAgency tallyCreditCode tallyId tallyNumber",
    ),
}


@pytest.mark.parametrize("name", ROGUES)
def test_a_change_past_the_writer_is_noticed_recorded_and_undone(watched: World, name: str) -> None:
    done, before = ROGUES[name], tree(watched)
    directory = watched.directory("directory")
    people = {name: directory.person_by_username(name.replace("_", ".")).subject for name in _PEOPLE}
    rogue(watched, done.text.format(**people))
    writer = watched.writer()
    assert writer.watch.look() == 1
    (alarm,) = alarms(watched)
    assert (alarm.attributes["by"], alarm.attributes["names"]) == ("directory", done.names)
    assert (alarm.subject, alarm.organisation) == (done.subject.format(**people), done.organisation)
    assert writer.watch.look() == 0
    assert writer.unrecorded.open() == 1
    watched.clear()

    found = writer.unrecorded.newest()[0]
    writer.unrecorded.undo(found.number, actor="a1")
    assert tree(watched) == before
    assert writer.unrecorded.open() == 0
    assert writer.unrecorded.newest()[0].fate is Fate.UNDONE
    undone = [
        event for event in (*watched.recorder.events, *watched.outbox()) if event.type == "directory.change.undone"
    ]
    assert undone[-1].outcome is Outcome.SUCCESS
    assert {event.actor for event in undone} == {"a1"}
    # Undoing was recorded, so it is no alarm itself.
    assert writer.watch.look() == 0
    with pytest.raises(ChangedSince):
        writer.unrecorded.undo(found.number, actor="a1")


def tree(world: World) -> dict[str, list[str]]:
    """Everything that the writer can see of people, roles and organisations, but for the server's bookkeeping."""
    found: dict[str, list[str]] = {}
    for branch in ("people", "roles", "organisations"):
        told = world.as_service(
            "directory", "ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-b", world.tree.branch(branch),
            "(|(uid=zhang.min)(uid=li.na)(uid=wang.qiang)(uid=sun.li)(uid=ghost)(cn=ra-officer)(tallyId=*))",
            "*", "memberOf",
        )  # fmt: skip
        for entry in told.stdout.split("\n\n"):
            dn, _, lines = entry.strip().partition("\n")
            if dn:
                found[dn.lower()] = sorted(lines.splitlines())
    return found


_SET = {
    "in clear": "replace: userPassword\nuserPassword: stolen account\n",
    "as a hash": "replace: userPassword\nuserPassword: {hash}\n",
    "by another spelling": "replace: USERPASSWORD\nUSERPASSWORD: stolen account\n",
    "by number": "replace: 2.5.4.35\n2.5.4.35: stolen account\n",
    "in two steps": "delete: userPassword\n-\nadd: userPassword\nuserPassword: stolen account\n",
    "behind something harmless": "replace: cn\ncn: Zhang Min\n-\nreplace: userPassword\nuserPassword: stolen account\n",
}


@pytest.mark.parametrize("how", _SET)
def test_a_password_set_past_the_writer_opens_nothing_once_undone(own_world: World, how: str) -> None:
    writer, pool = own_world.writer(), own_world.pool("sso")
    writer.import_csv(b"kind,username,name\ncitizen,zhang.min,Zhang Min\n", actor="")
    person = own_world.directory("directory").person_by_username("zhang.min")
    dn = own_world.tree.person(person.subject)
    writer.watch.look()
    value = hashed(b"stolen account", salt=b"s" * SALT_LENGTH, cost=slapd.Cost(256, 1))
    rogue(own_world, f"dn: {dn}\nchangetype: modify\n{_SET[how].replace('{hash}', value)}")
    assert pool.proves(dn, "stolen account")
    assert writer.watch.look() == 1
    (alarm,) = alarms(own_world)
    assert "userPassword" in str(alarm.attributes["names"])
    assert alarm.subject == person.subject
    assert "stolen" not in str(alarm)
    assert "ARGON2" not in str(alarm)
    writer.unrecorded.undo(writer.unrecorded.newest()[0].number, actor="a1")
    assert not pool.proves(dn, "stolen account")
    assert writer.watch.look() == 0
    # The person gets a new one, which is no alarm.
    writer.set_password(person.subject, "a new pass phrase", actor="")
    assert pool.proves(dn, "a new pass phrase")
    assert writer.watch.look() == 0


def test_a_password_set_by_the_extended_operation_is_noticed_too(watched: World, zhang_min: Person) -> None:
    dn = watched.tree.person(zhang_min.subject)
    done = watched.as_service("directory", "ldappasswd", "-s", "stolen account", dn)
    assert done.returncode == 0, done.stderr
    assert watched.writer().watch.look() == 1
    number = watched.writer().unrecorded.newest()[0].number
    watched.writer().unrecorded.undo(number, actor="a1")
    assert not watched.pool("sso").proves(dn, "stolen account")


def test_an_alarm_says_in_its_sealed_part_what_was_before(watched: World, zhang_min: Person) -> None:
    dn = watched.tree.person(zhang_min.subject)
    rogue(watched, f"dn: {dn}\nchangetype: modify\nreplace: cn\ncn: Somebody Else\n-\nadd: sn\nsn: Second\n")
    watched.writer().watch.look()
    (alarm,) = alarms(watched)
    assert alarm.sealed == {
        "entry": dn,
        "before.cn": zhang_min.name,
        "before.sn": zhang_min.name,
        "after.cn": "Somebody Else",
        "after.sn": f"{zhang_min.name}\nSecond",
    }
    assert zhang_min.name not in str({**alarm.attributes})
    watched.writer().unrecorded.undo(watched.writer().unrecorded.newest()[0].number, actor="a1")


def test_nothing_hides_behind_what_was_recorded_and_found_done_already(watched: World, li_na: Person) -> None:
    writer = watched.writer()
    # Recorded, but there was nothing to withdraw: the server's log has no line for it.
    writer.withdraw_role(li_na.subject, "ra-officer", actor="")
    writer.watch.look()
    writer.grant_role(li_na.subject, "ra-officer", actor="", reason="x")
    dn = watched.tree.person(li_na.subject)
    rogue(watched, f"dn: {watched.tree.role('ra-officer')}\nchangetype: modify\ndelete: member\nmember: {dn}\n")
    assert writer.watch.look() == 1
    assert alarms(watched)[0].attributes["change"] == "modify"
    writer.unrecorded.keep(writer.unrecorded.newest()[0].number, actor="a1", reason="test")


def test_the_same_change_a_second_time_is_noticed(watched: World, zhang_min: Person) -> None:
    writer = watched.writer()
    off, on = (switched(watched, zhang_min, to=to) for to in ("FALSE", "TRUE"))
    writer.disable_person(zhang_min.subject, actor="", reason="")
    writer.enable_person(zhang_min.subject, actor="")
    rogue(watched, off)
    rogue(watched, on)
    # Before the log was read even once; each line takes one expectation away, so two lines are too many.
    assert writer.watch.look() == 2
    for found in writer.unrecorded.newest():
        if found.fate is Fate.OPEN:
            writer.unrecorded.keep(found.number, actor="a1", reason="test")
    # What changes nothing is no news.
    rogue(watched, on)
    assert writer.watch.look() == 0
