# SPDX-License-Identifier: Apache-2.0
"""Two officers, one digest; then every certificate exactly once, whoever dies, sleeps, races or changes their mind."""

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ca.errors import (
    AlreadyRevoked,
    IncidentChanged,
    IncidentOver,
    NoSuchIncident,
    NotForThisOfficer,
    NothingSelected,
    SelectorRefused,
)
from ca.incidents import Act, Incident, IncidentKeeper, Item, Runner, Selector, Stage, Whom
from ca.incidents.running import BATCH, CLAIM
from ca.incidents.service import OPERATOR
from ca.models import Reason, Standing
from ca.store import Store
from core.db import Database, OutboxFull
from tests.ca.incidents.house import SECOND, House, plan
from tests.ca.sites import open_acme, open_incidents
from tests.ca.world import ask, intent, new_key, request_for
from tests.fakes.people import CITIZEN, OFFICER

Verb = Callable[[House, Incident], object]


def _revocations(house: House) -> Counter[str]:
    """How often each serial was said to be revoked."""
    return Counter(each.object for each in _outbox(house) if each.type == "ca.certificate.revoked")


def _outbox(house: House) -> list[Any]:
    found: list[Any] = []
    rows = house.world.store.outbox
    while head := rows.head():
        found += house.world.outbox()
        rows.drop([each.position for each in head])
    return found


def test_two_officers_revoke_what_the_first_looked_at(house: House) -> None:
    issued = [house.citizen().serial for _ in range(3)]
    other = house.clerk().serial
    done = house.carried_out(holder=CITIZEN.subject)
    assert done.stage is Stage.DONE
    assert house.counts(done) == {Item.REVOKED: 3}
    assert [house.authority.status(each).standing for each in issued] == [Standing.REVOKED] * 3
    assert house.authority.status(other).good
    assert house.authority.certificate(issued[0]).reason is Reason.SUPERSEDED
    told = [each for each in _outbox(house) if not each.type.startswith("ca.certificate.issued")]
    assert [each.type for each in told] == [
        "ca.incident.previewed", "ca.incident.proposed", "ca.incident.approved",
        *["ca.certificate.revoked"] * 3, "ca.incident.ended",
    ]  # fmt: skip
    assert {each.object for each in told if each.type.startswith("ca.incident")} == {done.id}
    assert (told[1].actor, told[2].actor, told[2].attributes["opener"]) == (OFFICER.subject, SECOND.subject,
                                                                            OFFICER.subject)  # fmt: skip
    assert told[2].attributes["digest"] == done.digest
    assert {each.attributes["caller"] for each in told[3:6]} == {f"incident:{done.id}"}
    assert {each.actor for each in told[3:6]} == {SECOND.subject}
    assert told[6].attributes["revoked"] == 3
    # It is over.
    assert house.runner.round() is False
    assert house.told() == []


def test_nobody_agrees_with_oneself_and_the_attempt_is_recorded(house: House) -> None:
    serial = house.citizen().serial
    made = house.proposed()
    with pytest.raises(NotForThisOfficer) as refused:
        house.incidents.approve(made.id, by=OFFICER.subject, digest=made.digest)
    assert refused.value.parameters["why"] == "own-incident"
    last = house.world.outbox()[-1]
    assert (last.type, last.outcome.value, last.actor) == ("ca.incident.refused", "denied", OFFICER.subject)
    assert (last.attributes["verb"], last.attributes["reasons"]) == ("approve", "own-incident")
    house.runner.round()
    assert house.authority.status(serial).good
    assert house.incidents.incident(made.id).stage is Stage.PROPOSED


def test_who_lost_the_role_or_is_meant_has_no_say(house: House) -> None:
    house.citizen()
    people = house.world.directory.people
    made = house.proposed()
    stranger, disabled = CITIZEN.subject, replace(SECOND, enabled=False)
    for by, person in ((stranger, SECOND), ("nobody", SECOND), (SECOND.subject, disabled)):
        people[SECOND.subject] = person
        for verb in (house.incidents.approve, house.incidents.withdraw):
            more = {"digest": made.digest} if verb == house.incidents.approve else {}
            with pytest.raises(NotForThisOfficer) as refused:
                verb(made.id, by=by, **more)
            assert refused.value.parameters["why"] == "role-lost"
    people[SECOND.subject] = SECOND
    # Its author was dismissed meanwhile.
    people[OFFICER.subject] = replace(OFFICER, roles=frozenset())
    with pytest.raises(NotForThisOfficer) as refused:
        house.incidents.approve(made.id, by=SECOND.subject, digest=made.digest)
    assert refused.value.parameters["why"] == "author-lost-role"
    people[OFFICER.subject] = OFFICER
    # A rogue officer neither agrees to an incident about oneself nor stops it.
    third = replace(SECOND, subject="5f7e80f2-b156-4fa2-9e95-73a160c25e06", username="sun.san")
    people[third.subject] = third
    house.seal(actor=SECOND.subject)
    meant = house.proposed(officer=SECOND.subject)
    for name in ("approve", "withdraw", "pause", "resume", "stop"):
        more = {"digest": meant.digest} if name == "approve" else {}
        with pytest.raises(NotForThisOfficer) as refused:
            getattr(house.incidents, name)(meant.id, by=SECOND.subject, **more)
        assert refused.value.parameters["why"] == "own-acts"
    assert house.incidents.approve(meant.id, by=third.subject, digest=meant.digest).stage is Stage.RUNNING


def test_agreement_is_bound_to_the_digest(house: House) -> None:
    house.citizen()
    made, other = house.preview(), house.incidents.preview(plan(text="Another."), by=OFFICER.subject)
    for digest in (other.digest, "", "0" * 64, "é"):
        with pytest.raises(IncidentChanged):
            house.incidents.propose(made.id, by=OFFICER.subject, digest=digest)
    made = house.incidents.propose(made.id, by=OFFICER.subject, digest=made.digest)
    with pytest.raises(IncidentChanged):
        house.incidents.approve(made.id, by=SECOND.subject, digest=other.digest)
    # A preview is its author's, and one that found nothing leads nowhere.
    with pytest.raises(NotForThisOfficer):
        house.incidents.propose(other.id, by=SECOND.subject, digest=other.digest)
    none = house.preview(holder="nobody")
    with pytest.raises(NothingSelected):
        house.incidents.propose(none.id, by=OFFICER.subject, digest=none.digest)
    with pytest.raises(IncidentOver):
        house.incidents.approve(none.id, by=SECOND.subject, digest=none.digest)


def test_what_is_issued_after_the_preview_is_told_and_not_touched(house: House) -> None:
    old = house.citizen().serial
    made = house.proposed(holder=CITIZEN.subject)
    assert house.incidents.since(made) == 0
    new = house.citizen().serial
    assert house.incidents.since(made) == 1
    house.incidents.approve(made.id, by=SECOND.subject, digest=made.digest)
    house.runner.round()
    assert not house.authority.status(old).good
    assert house.authority.status(new).good
    assert house.incidents.since(house.incidents.incident(made.id)) == 1
    assert house.incidents.since(house.preview(serials=frozenset({new}))) == 0


def test_a_possibly_issued_certificate_is_revoked_too(house: House) -> None:
    house.world.store.intend(intent("1f2e3d", at=house.world.clock.now(), key_hash="f" * 64))
    house.world.store.intend(intent("2f2e3d", at=house.world.clock.now(), key_hash="e" * 64))
    made = house.begun()
    house.world.store.abandon("2f2e3d", None)
    house.runner.round()
    assert house.authority.status("1f2e3d").standing is Standing.REVOKED
    assert house.counts(made) == {Item.REVOKED: 1, Item.OVER: 1}


def test_a_leaked_key_is_blocked_and_what_else_it_has_is_swept_once(house: House) -> None:
    key = new_key()
    both = [house.authority.issue(ask(csr=request_for(key))).serial for _ in range(2)]
    made = house.incidents.preview(plan(reason=Reason.KEY_COMPROMISE, serials=frozenset(both[:1])), by=OFFICER.subject)
    made = house.incidents.propose(made.id, by=OFFICER.subject, digest=made.digest)
    house.incidents.approve(made.id, by=SECOND.subject, digest=made.digest)
    house.runner.round()
    assert [house.authority.status(each).standing for each in both] == [Standing.REVOKED] * 2
    assert _revocations(house) == Counter(both)


def test_asking_to_renew_leaves_certificates_and_sets_windows(house: House) -> None:
    serial = house.citizen().serial
    done = house.carried_out(Act.RENEW)
    assert done.stage is Stage.DONE
    assert house.counts(done) == {Item.ASKED: 1}
    assert house.authority.status(serial).good
    acme = open_acme(house.world, house.authority)
    window = acme._store.marks.window(serial)
    assert window is not None
    assert window.end < house.world.clock.now()
    assert window.explanation == f"https://acme.city.localhost:8443/notices/{done.id}"
    assert house.heard == [(serial, window.explanation)]
    notice = house.incidents.notices([serial, "ab"])
    assert list(notice) == [serial]
    assert (notice[serial].incident, notice[serial].act) == (done.id, Act.RENEW)


@pytest.mark.parametrize("whom", list(Whom))
def test_at_the_deadline_what_is_left_is_revoked(house: House, whom: Whom) -> None:
    clock, deadline = house.world.clock, house.world.clock.now() + timedelta(days=3)
    renewed, idle, lost = house.citizen().serial, house.clerk().serial, house.citizen().serial
    house.authority.revoke(lost, reason=Reason.SUPERSEDED, actor="x")
    wanted = frozenset({renewed, idle})
    made = house.carried_out(Act.RENEW_THEN_REVOKE, serials=wanted, deadline=deadline, whom=whom)
    assert made.stage is Stage.WAITING
    clock.advance(timedelta(hours=1))
    new = house.citizen().serial
    house.runner.round()
    assert house.authority.status(idle).good
    clock.advance(timedelta(days=3))
    house.runner.round()
    done = house.incidents.incident(made.id)
    assert done.stage is Stage.DONE
    assert not house.authority.status(idle).good
    assert house.authority.status(new).good
    spared = whom is Whom.UNRENEWED
    assert house.authority.status(renewed).good is spared
    assert house.counts(done) == ({Item.RENEWED: 1, Item.REVOKED: 1} if spared else {Item.REVOKED: 2})
    assert house.told()[-2:] == ["ca.incident.asked", "ca.incident.ended"]


def test_a_new_certificate_for_other_names_is_no_renewal(house: House) -> None:
    old = house.clerk().serial
    # The same holder's for another name, and one that was made before anybody was asked.
    deadline = house.world.clock.now() + timedelta(days=1)
    made = house.carried_out(Act.RENEW_THEN_REVOKE, serials=frozenset({old}), deadline=deadline, whom=Whom.UNRENEWED)
    clerk = house.world.directory.people[house.authority.certificate(old).subject]
    house.world.directory.people[clerk.subject] = replace(clerk, username="li.na.2")
    house.clerk()
    house.world.clock.advance(timedelta(days=2))
    house.runner.round()
    assert house.counts(made) == {Item.REVOKED: 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"act": Act.REVOKE, "deadline": timedelta(days=1)},
        {"act": Act.RENEW_THEN_REVOKE},
        {"act": Act.RENEW_THEN_REVOKE, "deadline": timedelta(seconds=-1)},
        {"text": "  "},
        {"text": "x" * 2001},
        {"profiles": ("no-such",)},
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(house: House, wrong: dict[str, Any]) -> None:
    if "deadline" in wrong:
        wrong = {**wrong, "deadline": house.world.clock.now() + wrong["deadline"]}
    with pytest.raises(SelectorRefused):
        house.incidents.preview(plan(**wrong), by="x")


def test_a_deadline_that_passed_before_anybody_agreed_is_no_deadline(house: House) -> None:
    house.citizen()
    deadline = house.world.clock.now() + timedelta(hours=1)
    made = house.proposed(Act.RENEW_THEN_REVOKE, holder=CITIZEN.subject, deadline=deadline)
    house.world.clock.advance(timedelta(hours=2))
    with pytest.raises(IncidentOver):
        house.incidents.approve(made.id, by=SECOND.subject, digest=made.digest)


def test_what_nobody_decides_lapses(house: House) -> None:
    house.citizen()
    preview, proposed = house.preview(), house.proposed()
    house.world.clock.advance(timedelta(hours=24))
    assert house.incidents.tidy() == 1
    with pytest.raises(IncidentOver):
        house.incidents.propose(preview.id, by=OFFICER.subject, digest=preview.digest)
    house.world.clock.advance(timedelta(days=3))
    with pytest.raises(IncidentOver):
        house.incidents.approve(proposed.id, by=SECOND.subject, digest=proposed.digest)
    assert house.incidents.tidy() == 1
    assert house.incidents.incident(proposed.id).stage is Stage.EXPIRED
    assert house.serials(proposed) == []


def test_a_stage_allows_what_it_allows(house: House) -> None:
    """Every verb from every stage: done, or refused with nothing changed."""
    house.citizen()
    verbs: dict[str, Verb] = {
        "propose": lambda h, i: h.incidents.propose(i.id, by=OFFICER.subject, digest=i.digest),
        "approve": lambda h, i: h.incidents.approve(i.id, by=SECOND.subject, digest=i.digest),
        "withdraw": lambda h, i: h.incidents.withdraw(i.id, by=SECOND.subject),
        "pause": lambda h, i: h.incidents.pause(i.id, by=SECOND.subject),
        "resume": lambda h, i: h.incidents.resume(i.id, by=SECOND.subject),
        "stop": lambda h, i: h.incidents.stop(i.id, by=SECOND.subject),
    }
    allowed = {
        (): {"propose", "withdraw"},
        ("propose",): {"approve", "withdraw"},
        ("withdraw",): set(),
        ("propose", "approve"): {"pause", "stop"},
        ("propose", "approve", "pause"): {"resume", "stop"},
        ("propose", "approve", "stop"): set(),
    }
    for path, can in allowed.items():
        for name, verb in verbs.items():
            made = house.preview()
            for step in path:
                verbs[step](house, made)
            before = house.incidents.incident(made.id)
            if name in can:
                verb(house, made)
                assert house.incidents.incident(made.id).stage is not before.stage
                # Nothing is left running for the next.
                if house.incidents.incident(made.id).stage in (Stage.RUNNING, Stage.PAUSED):
                    verbs["stop"](house, made)
                continue
            with pytest.raises(IncidentOver):
                verb(house, made)
            assert house.incidents.incident(made.id) == before
            if before.stage in (Stage.RUNNING, Stage.PAUSED):
                verbs["stop"](house, made)
    with pytest.raises(NoSuchIncident):
        house.incidents.incident("none")


def test_pause_and_stop_take_hold_between_two_batches(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ca.incidents.running.BATCH", 2)
    for _ in range(5):
        house.citizen()
    made = house.begun()
    real, verbs = house.runner._do, iter(["pause", "stop"])

    def acting(*arguments: Any) -> None:
        real(*arguments)
        getattr(house.incidents, next(verbs))(made.id, by=SECOND.subject)

    monkeypatch.setattr(house.runner, "_do", acting)
    house.runner.round()
    assert house.counts(made) == {Item.REVOKED: 2, Item.PENDING: 3}
    house.runner.round()
    assert house.counts(made) == {Item.REVOKED: 2, Item.PENDING: 3}
    house.incidents.resume(made.id, by=OFFICER.subject)
    house.runner.round()
    assert house.counts(made) == {Item.REVOKED: 4, Item.PENDING: 1}
    done = house.incidents.incident(made.id)
    assert (done.stage, done.closed_by) == (Stage.STOPPED, SECOND.subject)
    house.world.clock.advance(2 * CLAIM)
    house.runner.round()
    assert house.counts(made)[Item.PENDING] == 1


def test_single_revocations_at_the_same_time_are_not_repeated(house: House) -> None:
    """Officers and holders revoke one by one while two runners go through the list, each with several hands."""
    issued = [house.citizen().serial for _ in range(24)]
    made = house.begun()
    second = _another(house)
    mine: list[str] = []

    def single() -> None:
        for serial in issued[::2]:
            try:
                house.authority.revoke(serial, reason=Reason.CESSATION, actor="somebody")
                mine.append(serial)
            except AlreadyRevoked:
                continue

    threads = [threading.Thread(target=each) for each in (single, house.runner.round, second.round)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    house.world.clock.advance(2 * CLAIM)
    house.runner.round()
    assert house.incidents.incident(made.id).stage is Stage.DONE
    assert _revocations(house) == Counter(issued)
    counts = house.counts(made)
    assert counts.get(Item.ALREADY, 0) == len(mine)
    assert counts.get(Item.REVOKED, 0) == len(issued) - len(mine)


def _another(house: House) -> Runner:
    """A second process's runner over the same tables."""
    authority = house.world.open()
    return open_incidents(house.world, authority, open_acme(house.world, authority))[1]


def test_who_slept_over_a_claim_does_nothing_twice(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    issued = [house.citizen().serial for _ in range(4)]
    made = house.begun()
    second, real = _another(house), house.runner._do

    def asleep(*arguments: Any) -> None:
        # This process sleeps; its claim runs out, and another does everything.
        house.world.clock.advance(2 * CLAIM)
        second.round()
        real(*arguments)

    monkeypatch.setattr(house.runner, "_do", asleep)
    house.runner.round()
    assert _revocations(house) == Counter(issued)
    assert house.counts(made) == {Item.REVOKED: 4}
    assert house.incidents.incident(made.id).stage is Stage.DONE
    # A tick that another made takes the revocation with it.
    extra = house.citizen().serial
    late = house.begun(serials=frozenset({extra}))
    (chosen,) = house.runner._store.items.waiting(late.id, Item.PENDING, limit=BATCH)
    house.runner._store.items.tick_off(late.id, [chosen], Item.OVER)
    house.runner._revoke(late, chosen)
    assert house.authority.status(extra).good


def test_a_full_outbox_makes_incidents_wait_and_nothing_else(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        house.citizen()
    made = house.begun()
    object.__setattr__(house.runner._settings, "outbox_share", 1)
    try:
        assert house.runner.round() is True
        assert house.counts(made) == {Item.PENDING: 3}
        # A single revocation goes on.
        house.authority.revoke(house.citizen().serial, reason=Reason.SUPERSEDED, actor="x")
    finally:
        object.__setattr__(house.runner._settings, "outbox_share", 5_000)
    real, calls = house.authority._store.withdraw, iter([True])

    def full(*arguments: Any, **options: Any) -> Any:
        if next(calls, False):
            raise OutboxFull
        return real(*arguments, **options)

    monkeypatch.setattr(house.authority._store, "withdraw", full)
    with pytest.raises(OutboxFull):
        house.runner.round()
    assert house.counts(made) == {Item.REVOKED: 2, Item.PENDING: 1}
    # At once, since who failed lets go.
    house.runner.round()
    assert house.counts(made) == {Item.REVOKED: 3}


def test_the_operator_proposes_and_an_officer_agrees(house: House) -> None:
    serial = house.citizen().serial
    made = house.incidents.preview(plan(), by=OPERATOR)
    made = house.incidents.propose(made.id, by=OPERATOR, digest=made.digest)
    with pytest.raises(NotForThisOfficer):
        house.incidents.approve(made.id, by=OPERATOR, digest=made.digest)
    house.incidents.approve(made.id, by=OFFICER.subject, digest=made.digest)
    house.runner.round()
    assert not house.authority.status(serial).good


def test_the_keeper_carries_out_when_it_is_woken(house: House) -> None:
    house.citizen()
    woken, over = threading.Event(), threading.Event()
    made = house.proposed()

    def tidy() -> None:
        if house.incidents.incident(made.id).stage is Stage.DONE:
            over.set()

    keeper = IncidentKeeper(house.runner, tidy=tidy, interval=600, woken=woken)
    keeper.start()
    try:
        house.incidents.approve(made.id, by=SECOND.subject, digest=made.digest)
        woken.set()
        assert over.wait(120)
    finally:
        keeper.stop()


@contextmanager
def _dying(house: House, owner: str, name: str, *, times: int, after: bool) -> Iterator[None]:
    """Carry out in a process of its own that is killed at the given call of one step."""

    def run() -> None:
        own = Database.open(house.world.database.engine.url.render_as_string(hide_password=False))
        mine = replace(house.world, database=own, store=Store(own))
        authority = mine.open()
        _, runner = open_incidents(mine, authority, open_acme(mine, authority))
        owners = {"store": authority._store, "items": runner._store.items, "incidents": runner._store.incidents}
        # Not through the runner, whose step this may be.
        real, left = getattr(owners[owner], name), [times]
        lock = threading.Lock()

        def deadly(*arguments: Any, **options: Any) -> Any:
            with lock:
                left[0] -= 1
                if left[0] > 0:
                    return real(*arguments, **options)
                if after:
                    real(*arguments, **options)
                os.kill(os.getpid(), signal.SIGKILL)
                return None

        setattr(owners[owner], name, deadly)
        runner.round()

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    child.join(timeout=120)
    assert child.exitcode == -signal.SIGKILL
    yield


KILLS = [
    ("store", "withdraw", 1, False),
    ("store", "withdraw", 4, False),
    ("store", "withdraw", 4, True),
    ("store", "withdraw", 7, True),
    ("items", "waiting", 3, True),
    ("incidents", "claim", 2, True),
    ("incidents", "step", 1, False),
    ("incidents", "step", 1, True),
    ("incidents", "let_go", 1, False),
]


@pytest.mark.parametrize(("owner", "name", "times", "after"), KILLS)
def test_a_killed_process_is_followed_by_another(
    house: House, monkeypatch: pytest.MonkeyPatch, owner: str, name: str, times: int, *, after: bool
) -> None:
    monkeypatch.setattr("ca.incidents.running.BATCH", 3)
    issued = [house.citizen().serial for _ in range(7)]
    made = house.begun()
    with _dying(house, owner, name, times=times, after=after):
        # It is taken for dead only after a while.
        house.runner.round()
        house.world.clock.advance(2 * CLAIM)
        house.runner.round()
    assert house.incidents.incident(made.id).stage is Stage.DONE
    assert house.counts(made) == {Item.REVOKED: 7}
    assert _revocations(house) == Counter(issued)
    assert house.told().count("ca.incident.ended") <= 1


def test_a_killed_preview_leaves_nothing_that_could_begin(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.citizen()

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(house.incidents._store.incidents, "fix", dies)
    with pytest.raises(KeyboardInterrupt):
        house.preview()
    monkeypatch.undo()
    assert house.incidents.incidents() == ([], 0)
    (left,) = house.incidents._store.incidents.lapsed(house.world.clock.now() + timedelta(days=9))
    with pytest.raises(NoSuchIncident):
        house.incidents.propose(left.id, by=OFFICER.subject, digest="")
    assert left.plan.selector == Selector(holder=CITIZEN.subject)
