# SPDX-License-Identifier: Apache-2.0
"""Changes and their records: what grants is recorded first, what takes away bites first, a crash leaves no half."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

import policies
from app.sample.city import PASSWORD
from audit import Outcome, RecordUnavailable
from audit.models_deeds import deed
from audit.relay import Relay
from core.db import OutboxFull
from directory.errors import (
    DirectoryRefused,
    DirectoryUnavailable,
    DutiesConflict,
    NoSuchPerson,
    NoSuchRole,
    OwnRole,
    Pending,
    RoleNotForCitizens,
    WeakPassword,
    WrongCredentials,
)
from directory.imports import Batch
from directory.ldap import Pool
from directory.models import ADMINISTRATIVE, APART, LONGEST_PASSWORD, ROLES, Organisation, Person, credit_code_check
from directory.service import DirectoryWriter
from policies.bundle import read_source
from policies.models import DecisionRequest
from policies.release import Release
from tests.directory.world import World

NOBODY = "00000000-0000-4000-8000-000000000000"
_TABLE = b"kind,username,name\n" + b"".join(b"citizen,crash.test%d,Crash Test\n" % n for n in range(5))


def test_disabling_is_recorded_with_its_reason_and_shuts_the_person_out(
    filled: World, writer: DirectoryWriter, chen_wei: Person
) -> None:
    officer = filled.directory("directory").person_by_username("zhao.lei")
    writer.disable_person(chen_wei.subject, actor=officer.subject, reason="phone stolen")
    try:
        event = filled.outbox()[-1]
        assert (event.type, event.subject, event.actor) == (
            "directory.person.disabled",
            chen_wei.subject,
            officer.subject,
        )
        named = {"name": chen_wei.name_zh, "actor_name": officer.name_zh}
        assert event.sealed == {**named, "reason": "phone stolen"}
        told = deed(event, event.sealed)
        assert (told.initiator_name, told.target_name) == (officer.name_zh, chen_wei.name_zh)
        assert not any(name in str({**event.__dict__, "sealed": {}}) for name in named.values())
        with pytest.raises(WrongCredentials):
            filled.directory("sso").authenticate("chen.wei", PASSWORD)
        bound = filled.tool("ldapwhoami", bind=filled.tree.person(chen_wei.subject), password=PASSWORD)
        assert bound.returncode == 49
    finally:
        writer.enable_person(chen_wei.subject, actor="a1")


def test_every_change_of_a_person_names_both_and_one_by_a_role_only_the_person(
    filled: World, writer: DirectoryWriter, li_na: Person
) -> None:
    officer = filled.directory("directory").person_by_username("zhao.lei")
    for actor, by in ((officer.subject, officer.name_zh), ("role:app", ""), ("nobody-we-know", "")):
        filled.clear()
        writer.grant_role(li_na.subject, "ra-officer", actor=actor, reason="x")
        writer.withdraw_role(li_na.subject, "ra-officer", actor=actor, reason="moved")
        writer.disable_person(li_na.subject, actor=actor, reason="x")
        writer.enable_person(li_na.subject, actor=actor)
        told = [*filled.recorder.events, *filled.outbox()]
        assert len(told) == 6
        assert {event.sealed["name"] for event in told} == {li_na.name_zh}
        assert {event.sealed.get("actor_name", "") for event in told} == {by}


def test_what_is_entered_has_its_name_and_persons_learn_who_entered_them(
    filled: World, writer: DirectoryWriter
) -> None:
    officer = filled.directory("directory").person_by_username("zhao.lei")
    code = "9144030000000017X"
    code += credit_code_check(code)
    table = (
        "kind,username,name,name_zh,id,credit_code,organisation,scope,until\n"
        "citizen,named.one,Named One,名一,,,,,\n"
        f"organisation,,Named Trading,名贸易,named-trading,{code},,,\n"
        "device,,Named Kiosk,,,,tax-bureau,,\n"
        "mandate,named.one,,,,,named-trading,tax,2030-01-01\n"
    )
    report = writer.import_csv(table.encode(), actor=officer.subject)
    assert not report.refused, report
    told = {event.attributes.get("kind", ""): event.sealed for event in filled.outbox()}
    assert told["citizen"] == {"name": "名一", "username": "named.one", "actor_name": officer.name_zh}
    assert told["organisation"] == {"name": "名贸易"}
    assert told["device"] == {"name": "Named Kiosk"}
    assert told["mandate"] == {"username": "named.one", "actor_name": officer.name_zh}
    subject = filled.directory("directory").person_by_username("named.one").subject
    for actor, by in ((officer.subject, {"actor_name": officer.name_zh}), (subject, {})):
        writer.set_password(subject, f"quite unusual {actor}", actor=actor)
        assert filled.outbox()[-1].sealed == filled.recorder.events[-1].sealed == {"name": "名一", **by}


def test_a_grant_is_announced_before_it_happens_and_its_outcome_follows(
    filled: World, writer: DirectoryWriter, li_na: Person
) -> None:
    writer.grant_role(li_na.subject, "ra-officer", actor="a1", reason="x")
    intent, (outcome,) = filled.recorder.events[-1], filled.outbox()
    assert (intent.type, intent.outcome) == ("directory.role.granted", Outcome.INTENDED)
    assert (outcome.type, outcome.outcome) == ("directory.role.granted", Outcome.SUCCESS)
    assert intent.object == outcome.object
    assert intent.attributes == outcome.attributes
    assert outcome.attributes == {"role": "ra-officer", "since": "2026-11-20", "until": "2027-11-20"}

    filled.clear()
    writer.grant_role(li_na.subject, "ra-officer", actor="a1", reason="x")
    assert filled.recorder.events == []

    writer.withdraw_role(li_na.subject, "ra-officer", actor="a1", reason="moved")
    (withdrawn,) = filled.outbox()
    assert (withdrawn.type, withdrawn.outcome) == ("directory.role.withdrawn", Outcome.SUCCESS)
    assert withdrawn.attributes == {"role": "ra-officer"}


def test_nothing_is_granted_unrecorded(filled: World, writer: DirectoryWriter, chen_wei: Person) -> None:
    li_na = filled.directory("directory").person_by_username("li.na")
    writer.disable_person(chen_wei.subject, actor="", reason="x")
    filled.clear()
    filled.recorder.down = True
    try:
        for grant in (
            lambda: writer.enable_person(chen_wei.subject, actor=""),
            lambda: writer.grant_role(li_na.subject, "ra-officer", actor="", reason="x"),
            lambda: writer.set_password(chen_wei.subject, "a new pass phrase", actor=""),
            lambda: writer.import_csv(_TABLE, actor=""),
        ):
            with pytest.raises(RecordUnavailable):
                grant()
    finally:
        filled.recorder.down = False
    directory = filled.directory("directory")
    assert not directory.person(chen_wei.subject).enabled
    assert directory.person(li_na.subject).roles == {"civil-servant", "case-worker"}
    assert directory.people("crash.test").items == ()
    assert filled.store.underway() == []
    assert {event.outcome for event in filled.outbox()} == {Outcome.FAILURE}
    writer.enable_person(chen_wei.subject, actor="")
    filled.directory("sso").authenticate("chen.wei", PASSWORD)


@pytest.mark.parametrize("role", sorted(ADMINISTRATIVE))
def test_three_powers_are_three_people(filled: World, writer: DirectoryWriter, role: str) -> None:
    directory = filled.directory("directory")
    for username in ("wang.qiang", "zhao.lei", "qian.jun"):
        person = directory.person_by_username(username)
        if role not in person.roles:
            with pytest.raises(DutiesConflict):
                writer.grant_role(person.subject, role, actor="", reason="x")
            assert directory.person(person.subject).roles == person.roles
    told = [(each.type, each.attributes["code"], each.attributes["role"]) for each in filled.recorder.events]
    assert set(told) == {("directory.power.refused", "duties_conflict", role)}


def test_what_the_policies_keep_apart_is_refused_when_it_is_granted() -> None:
    source = Path(policies.__file__).parent / "shipped"
    release = Release.proved(read_source(source), version="test")
    for one, other in combinations(ROLES, 2):
        asked = DecisionRequest(
            principal_kind="person",
            subject="p",
            roles=frozenset({"civil-servant", one, other}),
            enabled=True,
            proofing=3,
            assurance=3,
            clearance=3,
            action="access",
            resource="audit",
            resource_class="console",
            classification=0,
            from_zone="management",
            to_zone="management",
            required_assurance=2,
            at=datetime(2026, 11, 20, tzinfo=UTC),
        )
        refused = release.decide(asked).code == "separation"
        assert not refused or frozenset({one, other}) in APART, (one, other)


def test_who_watches_does_not_register_identities(filled: World, writer: DirectoryWriter) -> None:
    directory = filled.directory("directory")
    for username, role in (("wang.qiang", "ra-officer"), ("sun.li", "security-officer")):
        person = directory.person_by_username(username)
        with pytest.raises(DutiesConflict):
            writer.grant_role(person.subject, role, actor="", reason="x")


def test_powers_granted_at_the_same_moment_still_do_not_meet(filled: World, li_na: Person) -> None:
    refused: list[str] = []

    def grant(role: str) -> None:
        try:
            filled.writer().grant_role(li_na.subject, role, actor="", reason="x")
        except DutiesConflict:
            refused.append(role)

    threads = [threading.Thread(target=grant, args=(role,)) for role in sorted(ADMINISTRATIVE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    held = filled.directory("directory").person(li_na.subject).roles & ADMINISTRATIVE
    assert len(held) == 1
    assert len(refused) == len(ADMINISTRATIVE) - 1
    filled.writer().withdraw_role(li_na.subject, next(iter(held)), actor="")


def test_who_may_hold_what(filled: World, writer: DirectoryWriter, chen_wei: Person, li_na: Person) -> None:
    with pytest.raises(RoleNotForCitizens):
        writer.grant_role(chen_wei.subject, "ra-officer", actor="", reason="x")
    filled.clear()
    with pytest.raises(OwnRole):
        writer.grant_role(li_na.subject, "ra-officer", actor=li_na.subject.upper(), reason="x")
    with pytest.raises(OwnRole):
        writer.enable_person(li_na.subject, actor=li_na.subject)
    with pytest.raises(OwnRole):
        writer.withdraw_role(li_na.subject, "ra-officer", actor=li_na.subject)
    # Each attempt is on record before it is refused, by name.
    assert [(each.type, each.outcome, each.subject, dict(each.attributes)) for each in filled.recorder.events] == [
        ("directory.power.refused", Outcome.DENIED, li_na.subject, {"code": "own_role", **said})
        for said in (
            {"act": "grant", "role": "ra-officer"}, {"act": "enable"}, {"act": "withdraw", "role": "ra-officer"}
        )
    ]  # fmt: skip
    assert [each.sealed for each in filled.recorder.events] == [{"name": li_na.name_zh}] * 3
    assert {each.actor for each in filled.recorder.events} == {li_na.subject}
    filled.clear()
    for role in ("citizen", "civil-servant", "", "*", "ra-officer,ou=roles", "root"):
        with pytest.raises(NoSuchRole):
            writer.grant_role(li_na.subject, role, actor="", reason="x")
        with pytest.raises(NoSuchRole):
            writer.withdraw_role(li_na.subject, role, actor="")
    acts: tuple[Callable[[], None], ...] = (
        lambda: writer.disable_person(NOBODY, actor="", reason=""),
        lambda: writer.enable_person(NOBODY, actor=""),
        lambda: writer.grant_role(NOBODY, "ra-officer", actor="", reason="x"),
        lambda: writer.disable_person("*", actor="", reason=""),
    )
    for act in acts:
        with pytest.raises(NoSuchPerson):
            act()
    assert filled.recorder.events == []
    assert filled.outbox() == []


def test_the_servers_policy_judges_length_and_history(filled: World, writer: DirectoryWriter, chen_wei: Person) -> None:
    person = filled.directory("directory").person_by_username("zhang.min")
    sso = filled.directory("sso")
    guessable = ("zhang.min2026!", "MyZhang.Min-password", "aaaaaaaaaaaaaaaa", "abababababababab")
    unusable = ("nul\0 in a long password", "half a character: \ud800", "x1!" * 1000)
    for weak in ("short", "", "eleven char", PASSWORD, *guessable, *unusable):
        with pytest.raises(WeakPassword):
            writer.set_password(person.subject, weak, actor="")
        sso.authenticate("zhang.min", PASSWORD)
    for n in range(3):
        writer.set_password(person.subject, f"a new pass phrase {n}", actor="")
        sso.authenticate("zhang.min", f"a new pass phrase {n}")
        with pytest.raises(WrongCredentials):
            sso.authenticate("zhang.min", PASSWORD)
    with pytest.raises(WeakPassword):
        writer.set_password(person.subject, "a new pass phrase 0", actor="")
    outcomes = [event.outcome for event in filled.outbox() if event.type == "directory.person.changed"]
    assert outcomes.count(Outcome.SUCCESS) == 3
    assert filled.store.underway() == []


def test_a_longest_password_still_opens(filled: World, writer: DirectoryWriter) -> None:
    person = filled.directory("directory").person_by_username("qian.jun")
    longest = ("A long one, 很长的密码. " * LONGEST_PASSWORD)[:LONGEST_PASSWORD]
    writer.set_password(person.subject, longest, actor="")
    assert filled.directory("sso").authenticate("qian.jun", longest).subject == person.subject


def test_a_password_that_the_server_took_before_it_fell_silent_is_recorded_as_set(own_world: World) -> None:
    own_world.writer().import_csv(_TABLE, actor="")
    person = own_world.directory("directory").person_by_username("crash.test0")
    own_world.clear()
    for silent, outcome in ((_before, Outcome.FAILURE), (_after, Outcome.SUCCESS)):
        writer = own_world.writer()
        with silent(own_world), pytest.raises(DirectoryUnavailable):
            writer.set_password(person.subject, "a new pass phrase", actor="")
        assert own_world.outbox() == []
        own_world.writer().replay()
        assert [event.outcome for event in own_world.outbox()] == [outcome]
        assert own_world.store.underway() == []
        own_world.clear()
    own_world.directory("sso").authenticate("crash.test0", "a new pass phrase")


@contextmanager
def _before(world: World) -> Iterator[None]:
    """The server dies before it is given the password."""

    def dead(real: Callable[..., bool], *given: Any) -> bool:
        world.kill()
        return real(*given)

    with _set_password(dead):
        yield
    world.start()


@contextmanager
def _after(world: World) -> Iterator[None]:
    """The server takes the password and dies before it says so."""

    def taken(real: Callable[..., bool], *given: Any) -> bool:
        assert real(*given)
        raise DirectoryUnavailable

    with _set_password(taken):
        yield


@contextmanager
def _set_password(act: Callable[..., bool]) -> Iterator[None]:
    real = Pool.set_password
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Pool, "set_password", lambda *given: act(real, *given))
        yield


def test_a_full_outbox_delays_the_outcome_and_denies_nothing_that_was_done(own_world: World) -> None:
    writer = own_world.writer()
    with full_outbox(own_world), pytest.raises(Pending):
        writer.import_csv(_TABLE, actor="")
    assert len(own_world.directory("directory").people("crash.test").items) == 5
    with full_outbox(own_world), pytest.raises(OutboxFull):
        writer.replay()
    writer.replay()
    outcomes = [event.outcome for event in own_world.outbox() if event.type == "directory.imported"]
    assert outcomes == [Outcome.SUCCESS]
    person = own_world.directory("directory").person_by_username("crash.test0")
    own_world.clear()
    with full_outbox(own_world), pytest.raises(Pending):
        writer.set_password(person.subject, "a new pass phrase", actor="")
    own_world.directory("sso").authenticate("crash.test0", "a new pass phrase")
    writer.replay()
    assert [event.outcome for event in own_world.outbox()] == [Outcome.SUCCESS]


def test_nothing_is_taken_away_unrecorded(own_world: World) -> None:
    writer = own_world.writer()
    writer.import_csv(_TABLE, actor="")
    person = own_world.directory("directory").person_by_username("crash.test0")
    with full_outbox(own_world), pytest.raises(OutboxFull):
        writer.disable_person(person.subject, actor="", reason="x")
    assert own_world.directory("gateway").person(person.subject).enabled
    assert own_world.store.underway() == []


@contextmanager
def full_outbox(world: World) -> Iterator[None]:
    """As many rows wait as may."""
    world.clear()
    with sqlite3.connect(world.site.folder("directory") / "directory.db") as file:
        file.executemany("INSERT INTO outbox (key, body) VALUES (?, ?)", ((f"filler{n}", b"") for n in range(10_000)))
    try:
        yield
    finally:
        with sqlite3.connect(world.site.folder("directory") / "directory.db") as file:
            file.execute("DELETE FROM outbox WHERE key LIKE 'filler%'")


def test_taking_away_works_while_the_server_is_down(own_world: World) -> None:
    writer = own_world.writer()
    assert writer.import_csv(_TABLE, actor="").people == 5
    person = own_world.directory("directory").person_by_username("crash.test0")
    own_world.clear()
    own_world.kill()

    with pytest.raises(Pending):
        writer.disable_person(person.subject, actor="a1", reason="urgent")
    # The followers of the record hear of it although the directory's server is down.
    assert [event.type for event in own_world.outbox()] == ["directory.person.disabled"]
    with pytest.raises(DirectoryUnavailable):
        writer.enable_person(person.subject, actor="a1")
    with pytest.raises(NoSuchPerson):
        writer.disable_person("not a subject", actor="a1", reason="")

    own_world.start()
    writer.replay()
    assert not own_world.directory("gateway").person(person.subject).enabled
    assert own_world.store.underway() == []
    assert len(own_world.outbox()) == 1


def test_what_is_pending_is_done_before_anything_is_granted(own_world: World) -> None:
    writer = own_world.writer()
    writer.import_csv(_TABLE, actor="")
    person = own_world.directory("directory").person_by_username("crash.test0")
    own_world.kill()
    with pytest.raises(Pending):
        writer.disable_person(person.subject, actor="", reason="first")
    own_world.start()
    writer.enable_person(person.subject, actor="")
    writer.replay()
    assert own_world.directory("gateway").person(person.subject).enabled


def test_taking_away_from_somebody_who_is_gone_is_done_at_once(own_world: World) -> None:
    own_world.kill()
    with pytest.raises(Pending):
        own_world.writer().disable_person(NOBODY, actor="", reason="")
    own_world.start()
    own_world.writer().replay()
    assert own_world.store.underway() == []


def test_a_refusal_midway_takes_everything_back(own_world: World) -> None:
    writer = own_world.writer()
    body = "91999999ABCDEFGHJ"
    code = body + credit_code_check(body)
    batch = Batch()
    batch.organisations = [
        (1, Organisation(id=f"o{n}", name="O", name_zh="", credit_code=code, agency=False)) for n in range(3)
    ]
    with pytest.raises(DirectoryRefused):
        writer.enter(batch, actor="")
    assert own_world.directory("directory").organisations().items == ()
    assert [event.outcome for event in own_world.outbox()] == [Outcome.FAILURE]
    assert own_world.store.underway() == []


def test_the_relay_delivers_what_waits(own_world: World) -> None:
    own_world.writer().import_csv(_TABLE, actor="")
    waiting = [event.key for event in own_world.outbox()]
    relay = Relay(
        own_world.store.outbox,
        own_world.recorder,
        source="directory",
        clock=own_world.clock,
        lock=own_world.site.folder("directory") / "relay.lock",
    )
    relay.drain()
    assert own_world.outbox() == []
    assert [event.key for event in own_world.recorder.events][-len(waiting) :] == waiting
