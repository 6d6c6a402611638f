# SPDX-License-Identifier: Apache-2.0
"""Erasing and holding: under dual control, on the record, finished after every crash, refused under a legal hold."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.errors import RecordUnavailable
from audit.models import Outcome
from audit.warrants import (
    ErasureUnderWay,
    Scope,
    State,
    UnderHold,
    Warrant,
    WarrantNeeded,
    WarrantSettled,
)
from core.errors import TallygateError, Unavailable
from tests.fakes.warrants import ANNA, BO, CAI, DAN, LI, PERSON, WHY, Office


class Killed(BaseException):
    """The process is gone: nothing that would clean up after an error runs."""


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_person_is_erased_by_two(office: Office) -> None:
    warrant = office.granted(ANNA, "erase", PERSON)
    office.erasing.erase(ANNA, warrant)
    assert (office.destroyed, office.forgotten) == ([LI], [LI])
    assert office.warrants.find(warrant.id).state is State.USED
    told = [event for event in office.log.events if event.type == "audit.person.erased"]
    assert [event.outcome for event in told] == [Outcome.INTENDED, Outcome.SUCCESS]
    assert {(event.subject, event.actor, event.object) for event in told} == {(LI, ANNA.subject, warrant.id)}
    assert not any(event.sealed for event in told)
    with pytest.raises(WarrantNeeded):
        office.erasing.erase(ANNA, office.warrants.find(warrant.id))
    with pytest.raises(WarrantSettled):
        office.erasing.erase(ANNA, warrant)
    assert office.destroyed == [LI]


def test_nobody_erases_alone_or_under_anothers_warrant(office: Office) -> None:
    asked = office.warrants.ask(ANNA, "erase", PERSON, WHY)
    opened = office.granted(ANNA, "open", PERSON, BO)
    granted = office.granted(CAI, "erase", PERSON)
    for reader, warrant in ((ANNA, asked), (ANNA, opened), (ANNA, granted), (DAN, granted)):
        with pytest.raises(WarrantNeeded):
            office.erasing.erase(reader, warrant)
    assert office.destroyed == []


def test_of_many_erasures_under_one_warrant_one_happens(office: Office) -> None:
    warrant = office.granted(ANNA, "erase", PERSON)
    barrier, results = threading.Barrier(6), []

    def run() -> None:
        barrier.wait()
        try:
            office.erasing.erase(ANNA, warrant)
        except TallygateError as error:
            results.append(error.code)
        else:
            results.append("erased")

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count("erased") == 1
    assert set(results) <= {"erased", "warrant_settled", "erasure_under_way"}
    assert office.destroyed == [LI]


def test_without_the_record_no_key_is_destroyed_and_later_it_is(office: Office) -> None:
    warrant = office.granted(ANNA, "erase", PERSON)
    office.log.down = True
    with pytest.raises(RecordUnavailable):
        office.erasing.erase(ANNA, warrant)
    assert office.destroyed == []
    with pytest.raises(RecordUnavailable):
        office.upkeep.round()
    office.log.down = False
    office.upkeep.round()
    assert office.destroyed == [LI]
    assert office.store.unfinished() == []


def test_what_a_disk_refuses_is_finished_later(tmp_path: Path) -> None:
    tries: list[str] = []

    def destroy(subject: str, _at: object) -> int:
        tries.append(subject)
        if len(tries) == 1:
            raise Unavailable
        return 1

    office = Office(tmp_path, destroy=destroy)
    with pytest.raises(Unavailable):
        office.erasing.erase(ANNA, office.granted(ANNA, "erase", PERSON))
    assert "audit.person.erased:success" not in office.told()
    office.upkeep.round()
    assert office.told().count("audit.person.erased:success") == 1


@pytest.mark.parametrize("step", range(6))
def test_killed_at_every_step_the_next_process_finishes(tmp_path: Path, step: int) -> None:
    office = Office(tmp_path)
    warrant = office.granted(ANNA, "erase", PERSON)
    counter = iter(range(100))

    def dying(act: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object, **more: object) -> object:
            if next(counter) == step:
                raise Killed
            return act(*arguments, **more)

        return run

    recorder = type("Dying", (), {"record": staticmethod(dying(office.log.record))})
    erasing = type(office.erasing)(
        store=office.store,
        recorder=recorder,  # type: ignore[arg-type]  # records, or dies
        clock=office.clock,
        destroy=dying(office._destroy),  # type: ignore[arg-type]  # destroys, or dies
        forget=dying(office.forgotten.append),  # type: ignore[arg-type]  # forgets, or dies
        alone=office.erasing._alone,
    )
    finish = office.store.finish
    office.store.finish = dying(finish)  # type: ignore[method-assign, assignment]  # dies, or finishes
    if step < 5:
        with pytest.raises(Killed):
            erasing.erase(ANNA, warrant)
    else:
        erasing.erase(ANNA, warrant)
    office.store.finish = finish  # type: ignore[method-assign]
    again = Office(tmp_path)
    again.log = office.log
    again.erasing._recorder = office.log
    again.upkeep.round()
    again.upkeep.round()
    assert LI in {*office.destroyed, *again.destroyed}
    assert LI in {*office.forgotten, *again.forgotten}
    keys = {event.key: event.outcome for event in office.log.events if event.type == "audit.person.erased"}
    assert sorted(keys.values()) == [Outcome.INTENDED, Outcome.SUCCESS]
    # A record that is sent again is the very same, so that the log keeps one of them.
    for key in keys:
        assert len({repr(event) for event in office.log.events if event.key == key}) == 1
    assert again.store.unfinished() == []


def test_a_legal_hold_refuses_and_the_refusal_is_recorded(office: Office) -> None:
    erase = office.granted(ANNA, "erase", PERSON)
    hold = office.holding.place(CAI, office.granted(CAI, "hold", PERSON))
    with pytest.raises(UnderHold) as refused:
        office.erasing.erase(ANNA, erase)
    assert refused.value.parameters == {"count": 1}
    assert office.log.events[-1].outcome is Outcome.DENIED
    assert (office.log.events[-1].subject, office.destroyed) == (LI, [])
    # The warrant stays, and serves when the hold is gone.
    release = office.granted(ANNA, "release", Scope("hold", hold.id))
    office.holding.release(ANNA, release)
    assert office.holding.standing(LI) == []
    office.erasing.erase(ANNA, erase)
    assert office.destroyed == [LI]
    told = office.told()
    for kind in ("held", "released", "erased"):
        assert told.count(f"audit.person.{kind}:success") == 1, kind


def test_two_holds_are_released_one_by_one(office: Office) -> None:
    holds = [office.holding.place(ANNA, office.granted(ANNA, "hold", PERSON)) for _ in range(2)]
    office.holding.release(CAI, office.granted(CAI, "release", Scope("hold", holds[0].id)))
    erase = office.granted(ANNA, "erase", PERSON)
    with pytest.raises(UnderHold):
        office.erasing.erase(ANNA, erase)
    # One release frees one hold, and none twice.
    with pytest.raises(WarrantSettled):
        office.holding.release(CAI, office.granted(CAI, "release", Scope("hold", holds[0].id)))
    assert [hold.id for hold in office.holding.standing(LI)] == [holds[1].id]
    assert "audit.person.released:failure" in office.told()


def test_whoever_is_under_hold_cannot_let_themselves_go(office: Office) -> None:
    own = Scope("subject", DAN.subject)
    hold = office.holding.place(ANNA, office.granted(ANNA, "hold", own, CAI))
    asked = office.warrants.ask(ANNA, "release", Scope("hold", hold.id), WHY)
    with pytest.raises(TallygateError) as refused:
        office.warrants.approve(DAN, asked.id)
    assert refused.value.code == "warrant_about_you"
    with pytest.raises(TallygateError) as refused:
        office.warrants.ask(DAN, "release", Scope("hold", hold.id), WHY)
    assert refused.value.code == "warrant_about_you"


def test_a_hold_comes_too_late_for_what_has_begun(office: Office) -> None:
    erase, hold = office.granted(ANNA, "erase", PERSON), office.granted(CAI, "hold", PERSON)
    office.log.down = True
    with pytest.raises(RecordUnavailable):
        office.erasing.erase(ANNA, erase)
    office.log.down = False
    with pytest.raises(ErasureUnderWay):
        office.holding.place(CAI, hold)
    assert office.warrants.find(hold.id).state is State.GRANTED


@pytest.mark.parametrize("kind", ["hold", "release"])
def test_without_the_record_no_hold_is_placed_or_released(office: Office, kind: str) -> None:
    placed = office.holding.place(CAI, office.granted(CAI, "hold", PERSON))
    scope = PERSON if kind == "hold" else Scope("hold", placed.id)
    warrant, act = office.granted(ANNA, kind, scope), office.holding.place
    if kind == "release":
        act = office.holding.release
    office.log.down = True
    with pytest.raises(RecordUnavailable):
        act(ANNA, warrant)
    assert len(office.holding.standing(LI)) == 1
    office.log.down = False
    act(ANNA, office.warrants.find(warrant.id))
    assert len(office.holding.standing(LI)) == (2 if kind == "hold" else 0)


@pytest.mark.parametrize("state", [State.ASKING, State.APPROVING, State.USING])
def test_what_a_dead_process_left_under_way_is_put_back(office: Office, state: State) -> None:
    warrant = _left(office, state)
    office.upkeep.round()
    assert office.warrants.find(warrant.id).state is state
    office.later(0.1)
    office.upkeep.round()
    if state is State.ASKING:
        with pytest.raises(TallygateError):
            office.warrants.find(warrant.id)
    else:
        before = {State.APPROVING: State.ASKED, State.USING: State.GRANTED}[state]
        assert office.warrants.find(warrant.id).state is before
    assert office.told()[-1].endswith(":failure")
    # Whoever comes back to life is too late.
    with pytest.raises(WarrantSettled):
        office.store.move(warrant.id, (state,), State.GRANTED, at=office.clock.now(), attempt="a" * 32)


def _left(office: Office, state: State) -> Warrant:
    """As a process leaves it that is killed between the intent and what follows."""
    if state is State.USING:
        warrant = office.granted(ANNA, "hold", PERSON)
        office.store.move(warrant.id, (State.GRANTED,), state, at=office.clock.now(), attempt="a" * 32)
        return warrant
    before = office.log.record

    def killed(*_arguments: object, **_more: object) -> object:
        raise Killed

    if state is State.APPROVING:
        warrant = office.warrants.ask(ANNA, "hold", PERSON, WHY)
        office.log.record = killed  # type: ignore[method-assign, assignment]  # the process dies here
        with pytest.raises(Killed):
            office.warrants.approve(CAI, warrant.id)
    else:
        office.log.record = killed  # type: ignore[method-assign, assignment]  # the process dies here
        with pytest.raises(Killed):
            office.warrants.ask(ANNA, "hold", PERSON, WHY)
        [warrant] = office.warrants.desk(ANNA).own
    office.log.record = before  # type: ignore[method-assign]
    return warrant
