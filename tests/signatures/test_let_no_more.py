# SPDX-License-Identifier: Apache-2.0
"""What a program asked for while it was let ends when it is let no more: batches under way, orders that wait."""

import itertools
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from audit import Entry, Event, Outcome
from signatures.agencies import Batch, BatchState, Doing, Item
from signatures.errors import SealDenied, SecondAsked
from signatures.keeping import NotKeeper, Order, OrderOver, State
from signatures.models import SealOrder, Wish
from signatures.papers import Kind
from signatures.sandbox import ReaderPool
from signatures.service import Shutting
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures.fakes import CLERK
from tests.signatures.pki import NOW, City
from tests.signatures.test_agencies import (
    KEEPER,
    OFFICE,
    OTHER,
    PERMIT,
    Death,
    House,
    confirm,
    confirmed,
    keep,
    let,
    letters,
    opened,
    program,
)

PROGRAM = "client:tax-letters"


@pytest.fixture
def house(tmp_path: Path, city: City, readers: ReaderPool) -> Iterator[House]:
    made = opened(tmp_path, city, readers, ListRecorder(), ManualClock())
    yield made
    made.close()


def present(house: House, batch: Batch) -> Batch:
    return house.batches.one(batch.owner, batch.id)


def waits(house: House) -> Order:
    """What the program asked for, which keepers have to confirm."""
    found, _ = house.agencies.admit(program(), Doing.SEAL)
    with pytest.raises(SecondAsked) as asked:
        house.agencies.seal(found, program(), PERMIT, key="")
    return house.kept_by.one(asked.value.order)


@pytest.mark.parametrize("how", ["ended", "over", "another organisation", "something else"])
def test_a_batch_under_way_stops_before_its_next_document(
    house: House, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    let(house)
    batch = confirmed(house, PROGRAM, letters(4))
    seal, number = house.batches._seal, itertools.count(1)

    def sealed(of: Batch, item: Item, order: Order | None) -> bool:
        done = seal(of, item, order)
        if next(number) == 2:
            if how == "ended":
                house.agencies.end("tax-letters")
            elif how == "over":
                house.clock.advance(timedelta(days=1))
            elif how == "another organisation":
                let(house, organisation="silk-company")
            else:
                let(house, "tax-letters", "verify", "seal")
        return done

    monkeypatch.setattr(house.batches, "_seal", sealed)
    house.batches.work()
    found = present(house, batch)
    assert (found.state, found.made, found.failed, found.waiting, house.made()) == (BatchState.STOPPED, 2, 0, 2, 2)
    ((outcome, _),) = house.told("signature.batch.stopped")
    assert outcome is Outcome.SUCCESS
    # Somebody of the organisation lets it go on: no more of it is sealed as long as the program is not let.
    house.batches.resume(found, by=CLERK)
    assert (house.batches.work(), house.made(), present(house, batch).state) == (0, 2, BatchState.STOPPED)
    let(house)
    house.batches.resume(present(house, batch), by=CLERK)
    assert (house.batches.work(), house.made(), present(house, batch).state) == (2, 4, BatchState.DONE)


def test_a_batch_that_was_started_and_not_begun_stops_too(house: House) -> None:
    let(house)
    batch = confirmed(house, PROGRAM, letters(1))
    house.store.move(present(house, batch), BatchState.STARTING)
    house.agencies.end("tax-letters")
    assert (house.batches.work(), house.made(), present(house, batch).state) == (0, 0, BatchState.STOPPED)


def test_what_waits_for_keepers_is_not_sealed_for_a_program_that_is_let_no_more(house: House) -> None:
    keep(house, two=False)
    let(house)
    order = waits(house)
    house.agencies.end("tax-letters")
    with pytest.raises(SealDenied):
        confirm(house, order.id)
    refused = [each for each in house.recorder.events if each.type == "signature.refused"]
    assert [(each.outcome, each.attributes["code"]) for each in refused] == [(Outcome.DENIED, "not_let")]
    # Let do something that leads to no such seal is not enough, nor is another organisation's.
    let(house, "tax-letters", "verify", "batch", "archive")
    with pytest.raises(SealDenied):
        confirm(house, order.id)
    let(house, organisation="silk-company")
    with pytest.raises(SealDenied):
        confirm(house, order.id)
    assert (house.kept_by.one(order.id).state, house.made()) == (State.PENDING, 0)
    let(house)
    assert (confirm(house, order.id).state, house.made()) == (State.MADE, 1)


def test_where_a_seal_has_keepers_they_alone_let_a_stopped_batch_go_on(house: House) -> None:
    keep(house, two=False)
    batch = confirmed(house, f"operator:{CLERK}", letters(2))
    house.batches.stop(present(house, batch), by=KEEPER)
    stopped = present(house, batch)
    with pytest.raises(NotKeeper):
        # She works there, and keeps no seal.
        house.batches.resume(stopped, by=OTHER)
    last = house.recorder.events[-1]
    assert (last.type, last.subject, last.object, last.attributes["code"]) == (
        "signature.refused",
        OTHER,
        batch.id,
        "not_keeper",
    )
    assert (house.batches.work(), house.made()) == (0, 0)
    house.batches.resume(stopped, by=KEEPER)
    assert (house.batches.work(), house.made()) == (2, 2)


@pytest.mark.parametrize("late", [timedelta(minutes=50), timedelta(days=2)])
def test_a_confirmation_whose_process_died_is_not_carried_out_long_after_the_order_s_day(
    house: House, monkeypatch: pytest.MonkeyPatch, late: timedelta
) -> None:
    keep(house, two=False)
    let(house, until=house.clock.now().date() + timedelta(days=9))
    order = waits(house)

    def die(*_: Any, **__: Any) -> None:
        raise Death

    house.clock.advance(timedelta(hours=23, minutes=59))
    with monkeypatch.context() as dying:
        dying.setattr(house.orders, "_carry_out", die)
        with pytest.raises(Death):
            confirm(house, order.id)
    assert house.kept_by.one(order.id).state is State.CONFIRMED
    # The role is started again: soon after, or when nobody waits for this seal any more.
    house.clock.advance(late)
    assert house.orders.replay() == 1
    ended = house.kept_by.one(order.id).state, house.made()
    assert ended == ((State.MADE, 1) if late < timedelta(hours=1) else (State.EXPIRED, 0))
    if ended[1] == 0:
        with pytest.raises(OrderOver):
            confirm(house, order.id)
    assert house.orders.replay() == 0


def test_a_seal_that_was_set_before_the_death_is_handed_over_however_late(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(house, two=False)
    let(house)
    order = waits(house)

    def die(*_: Any, **__: Any) -> None:
        raise Death

    with monkeypatch.context() as dying:
        dying.setattr(house.kept_by, "made", die)
        with pytest.raises(Death):
            confirm(house, order.id)
    house.clock.advance(timedelta(days=2))
    assert house.orders.replay() == 1
    assert (house.kept_by.one(order.id).state, house.made()) == (State.MADE, 1)
    assert house.orders.asked_by("tax-letters", order.id, organisation=OFFICE).state is State.MADE


def test_what_was_sealed_for_a_paper_that_went_on_without_it_is_thrown_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(house, two=False)
    let(house)
    papers = house.papers.of_program("tax-letters", OFFICE)
    begun = papers.begin_with(
        "tax-letters", PERMIT, name="a.pdf", kind=Kind.ROUND, organisation=OFFICE, word="", title="", signers=[OFFICE]
    )
    wish = Wish(actor="tax-letters", assurance=2, zone="internal", session="", program_of=OFFICE)
    with pytest.raises(SecondAsked) as asked:
        papers.sign(
            "tax-letters",
            begun.id,
            lambda document, organisation: SealOrder(
                document=document, organisation=organisation, caller="program", known=wish
            ),
        )

    def withdrawn(*_: Any) -> None:
        # Between the seal and its entry somebody takes the paper back.
        papers.withdraw("tax-letters", begun.id)
        raise OrderOver

    monkeypatch.setattr(house.papers, "carried", withdrawn)
    with pytest.raises(OrderOver):
        confirm(house, asked.value.order)
    assert house.kept_by.one(asked.value.order).state is State.OVERTAKEN
    assert (house.made(), house.shelf.of(f"order:{asked.value.order}")) == (1, [])


def told_by_sign_on(kind: str, client: str = "tax-letters") -> Entry:
    event = Event(
        key=secrets.token_hex(16), type=kind, outcome=Outcome.SUCCESS, at=NOW, source="sso", object=client,
        attributes={"client": client},
    )  # fmt: skip
    return Entry(index=7, event=event)


@pytest.mark.parametrize("kind", Shutting.about)
def test_whom_sign_on_shuts_out_has_nothing_more_sealed_as_soon_as_the_record_tells(house: House, kind: str) -> None:
    let(house)
    let(house, "tax-notices")
    mine, others, person = (
        confirmed(house, owner, letters(1)) for owner in (PROGRAM, "client:tax-notices", f"operator:{CLERK}")
    )
    told: list[Event] = []
    shutting = Shutting(store=house.store, tell=told.append, clock=house.clock)
    shutting.hear([])
    shutting.hear([told_by_sign_on("sso.client.registered"), told_by_sign_on(kind, "somebody-else")])
    assert present(house, mine).state is BatchState.RUNNING
    for _ in range(2):
        # Perhaps twice, and by each worker.
        shutting.hear([told_by_sign_on(kind)])
    assert (present(house, mine).state, house.batches.work()) == (BatchState.STOPPING, 2)
    states = [present(house, each).state for each in (mine, others, person)]
    assert states == [BatchState.STOPPED, BatchState.DONE, BatchState.DONE]
    # Removed it also loses what it was let do, on the record; locked it keeps that for when it is let in again.
    assert [each.client for each in house.agencies.all()] == (
        ["tax-notices"] if kind == "sso.client.removed" else ["tax-letters", "tax-notices"]
    )
    assert [(each.type, each.subject) for each in told] == (
        [("signature.program.ended", "tax-letters")] if kind == "sso.client.removed" else []
    )
