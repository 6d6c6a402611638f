# SPDX-License-Identifier: Apache-2.0
"""Keepers of a seal are changed by two, and a seal that takes two is set only when another keeper confirmed it."""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask

from audit import Event, Outcome, Receipt, RecordUnavailable
from core.db import Database, migrate
from core.errors import NotFound, TallygateError
from core.identity import Identity, IdentityRefused
from core.jose import members
from core.site import Ports, SiteSettings
from core.web import Guard, create
from directory.models import AGENCY_ADMINISTRATOR, Person, PersonKind
from signatures import web
from signatures.errors import CannotSeal, SealDenied, SecondAsked, WishUsed
from signatures.formats import inspect
from signatures.keeping import (
    Act,
    ChangeRefused,
    KeepersNamed,
    KeepingStore,
    NoSuchOrder,
    NotKeeper,
    Order,
    OrderChanged,
    OrderOver,
    Purpose,
    SamePerson,
    SecondNeeded,
    State,
)
from signatures.looks import Placement
from signatures.models import Overall, Profile, SealOrder, Wish
from signatures.pades.grounds import Grounds
from signatures.sandbox import ReaderPool
from signatures.service import Confirming, Placing, Proof, Sealing, Verification
from signatures.store import Store
from signatures.verdict import judge
from signatures.web import blueprint
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures import documents
from tests.signatures.fakes import (
    CITIZEN,
    CLERK,
    COMMITMENTS,
    MERCHANT,
    PORTAL,
    People,
    TestAuthority,
    TwoKeepers,
    encode,
    let_through,
    sealing,
    two_keepers,
)
from tests.signatures.own_pages import SIGN, Visitor, verifier
from tests.signatures.pki import City
from tests.signatures.signing_person import AUDIENCE, ISSUER, KID, SIGN_ON, SignOn, house

ROOT = Path(__file__).parents[2]
SECOND, THIRD, CHIEF = (f"1b6e2a54-0000-4000-8000-00000000001{number}" for number in (1, 2, 3))
TAX = "tax-bureau"
DOCUMENT = documents.permit()


def _session(subject: str) -> str:
    return f"s{subject[-3:]}"


def who(subject: str, session: str = "") -> Identity:
    return Identity(
        subject=subject,
        kind="person",
        session=session or _session(subject),
        roles=frozenset(),
        assurance=2,
        methods=("hwk",),
        zone="internal",
        decision="d",
    )


@dataclass
class Bureau:
    made_of: TwoKeepers
    sealing: Sealing
    store: KeepingStore
    role: Store
    people: People
    recorder: ListRecorder
    clock: ManualClock
    readers: ReaderPool
    sign_on: SignOn | None = None

    def __post_init__(self) -> None:
        self.keepers, self.orders = self.made_of.keepers, self.made_of.orders
        self.once, self.shelf, self.desk = self.made_of.once, self.made_of.shelf, self.made_of.desk

    def two(self) -> None:
        """Li Na and Sun keep the seal, and it takes two."""
        self.keepers.name_first(TAX, ["li.na", "sun"])
        change = self.keepers.propose(who(CLERK), TAX, Act.TWO)
        self.keepers.confirm(who(SECOND), change.id)

    def header(self, subject: str, session: str = "") -> str:
        said = {"session": session or _session(subject)}
        return let_through(subject, audience=SIGN, at=self.clock.now(), **said)

    def ask(self, by: str = CLERK, **changes: object) -> Order:
        order = SealOrder(document=DOCUMENT, organisation=TAX, caller="sign", unverified_identity=self.header(by))
        return self.orders.ask(replace(order, **changes), name="notice.pdf")  # type: ignore[arg-type]  # by name

    def confirm(self, order: Order, by: str = SECOND, *, session: str = "", sha256: str = "") -> Order:
        said = SealOrder(document=b"", organisation="", caller="sign", unverified_identity=self.header(by, session))
        wanted = sha256 or order.sha256
        self.orders.confirmable(order.id, said, sha256=wanted)
        keeper = who(by, session)
        wish = Wish(actor=by, assurance=2, zone="internal", session=keeper.session)
        return self.orders.confirm(order.id, wish, sha256=wanted, proof=Proof(consent="c" * 32, by="passkey"))

    def told(self) -> list[tuple[str, str]]:
        rows = [json.loads(row.body) for row in self.role.outbox.head()]
        return [(row["type"], row["outcome"]) for row in rows]

    def made(self) -> int:
        return self.told().count(("signature.made", "success"))

    def code(self) -> str:
        event = self.recorder.events[-1]
        assert (event.type, event.outcome) == ("signature.refused", Outcome.DENIED)
        return str(event.attributes["code"])


@pytest.fixture
def bureau(tmp_path: Path, city: City, readers: ReaderPool) -> Iterator[Bureau]:
    clock, recorder, people = ManualClock(), ListRecorder(), People()
    for subject, name in ((SECOND, "sun"), (THIRD, "qian"), (CHIEF, "chief")):
        people.persons[subject] = Person(
            subject=subject,
            username=name,
            kind=PersonKind.CIVIL_SERVANT,
            name=name.title(),
            organisation=TAX,
            roles=frozenset({AGENCY_ADMINISTRATOR} if subject == CHIEF else ()),
        )
    database = Database.open(f"sqlite:///{tmp_path}/signatures.db")
    migrate(database, ROOT / "signatures" / "migrations")
    role = Store(database, encode=encode)
    store = KeepingStore(database, put=role.put)
    granting = sealing(
        store=role,
        readers=readers,
        folder=tmp_path / "keys",
        authority=TestAuthority(city),
        people=people,
        recorder=recorder,
        clock=clock,
        rules=store.rule,
    )
    granting.establish(TAX)
    two = two_keepers(
        tmp_path, store=store, granting=granting, readers=readers, people=people, recorder=recorder, clock=clock
    )
    yield Bureau(two, granting, store, role, people, recorder, clock, readers)
    two.close()
    database.close()


def by_operator(actor: str) -> SealOrder:
    return SealOrder(document=DOCUMENT, organisation=TAX, actor=actor, caller="app", assurance=2)


class TestKeepers:
    def test_where_nobody_keeps_a_seal_all_is_as_before_and_then_only_keepers_set_it(self, bureau: Bureau) -> None:
        assert bureau.sealing.seal(by_operator(THIRD))
        bureau.keepers.name_first(TAX, ["li.na"])
        assert bureau.sealing.seal(by_operator(CLERK))
        with pytest.raises(NotKeeper):
            bureau.sealing.seal(by_operator(THIRD))
        assert bureau.code() == "not_keeper"
        with pytest.raises(NotKeeper):
            bureau.sealing.sign_beside(by_operator(THIRD))

    def test_the_operator_names_the_first_once_and_only_people_of_the_organisation(self, bureau: Bureau) -> None:
        with pytest.raises(ChangeRefused):
            bureau.keepers.name_first(TAX, ["li.na", "wang"])
        with pytest.raises(ChangeRefused):
            bureau.keepers.name_first(TAX, [])
        with pytest.raises(NotFound):
            bureau.keepers.name_first(TAX, ["nobody"])
        bureau.keepers.name_first(TAX, ["li.na"])
        assert [(each.type, each.outcome) for each in bureau.recorder.events] == [
            ("signature.keepers.changed", Outcome.INTENDED)
        ]
        assert bureau.told() == [("signature.keepers.changed", "success")]
        with pytest.raises(KeepersNamed):
            bureau.keepers.name_first(TAX, ["sun"])
        assert bureau.store.rule(TAX).keepers == {CLERK}

    def test_one_proposes_and_another_with_the_right_confirms(self, bureau: Bureau) -> None:
        bureau.keepers.name_first(TAX, ["li.na"])
        change = bureau.keepers.propose(who(CLERK), TAX, Act.ADD, "sun")
        assert bureau.store.rule(TAX).keepers == {CLERK}
        for nobody in (THIRD, SECOND):
            with pytest.raises(NoSuchOrder):
                bureau.keepers.confirm(who(nobody), change.id)
        with pytest.raises(SamePerson):
            bureau.keepers.confirm(who(CLERK, "s99"), change.id)
        assert bureau.code() == "same_person"
        with pytest.raises(SamePerson):
            bureau.keepers.confirm(who(CHIEF, change.session), change.id)
        bureau.keepers.confirm(who(CHIEF), change.id)
        assert bureau.store.rule(TAX).keepers == {CLERK, SECOND}
        assert ("signature.keepers.changed", Outcome.INTENDED) in [
            (each.type, each.outcome) for each in bureau.recorder.events
        ]
        with pytest.raises(OrderOver):
            bureau.keepers.confirm(who(CHIEF), change.id)

    def test_whoever_has_no_right_proposes_nothing_and_nobody_makes_themselves_a_keeper(self, bureau: Bureau) -> None:
        with pytest.raises(ChangeRefused):
            bureau.keepers.propose(who(CHIEF), TAX, Act.ADD, "sun")
        bureau.keepers.name_first(TAX, ["li.na", "sun"])
        with pytest.raises(NotKeeper):
            bureau.keepers.propose(who(THIRD), TAX, Act.ADD, "qian")
        assert bureau.code() == "not_keeper"
        for wrong in ("wang", "nobody", "sun"):
            with pytest.raises(ChangeRefused):
                bureau.keepers.propose(who(CLERK), TAX, Act.ADD, wrong)
        change = bureau.keepers.propose(who(CLERK), TAX, Act.ADD, "chief")
        with pytest.raises(SamePerson):
            bureau.keepers.confirm(who(CHIEF), change.id)
        bureau.keepers.withdraw(who(SECOND), change.id)
        with pytest.raises(OrderOver):
            bureau.keepers.confirm(who(SECOND), change.id)

    def test_a_change_is_over_after_a_day_and_its_proposer_must_still_be_a_keeper(self, bureau: Bureau) -> None:
        bureau.keepers.name_first(TAX, ["li.na", "sun"])
        late = bureau.keepers.propose(who(CLERK), TAX, Act.TWO)
        bureau.clock.advance(timedelta(days=1))
        with pytest.raises(OrderOver):
            bureau.keepers.confirm(who(SECOND), late.id)
        other = bureau.keepers.propose(who(CLERK), TAX, Act.ADD, "qian")
        gone = bureau.keepers.propose(who(CHIEF), TAX, Act.REMOVE, "li.na")
        bureau.keepers.confirm(who(SECOND), gone.id)
        with pytest.raises(NotKeeper):
            bureau.keepers.confirm(who(SECOND), other.id)

    def test_enough_keepers_always_remain(self, bureau: Bureau) -> None:
        bureau.two()
        change = bureau.keepers.propose(who(CHIEF), TAX, Act.REMOVE, "sun")
        with pytest.raises(ChangeRefused):
            bureau.keepers.confirm(who(CLERK), change.id)
        assert bureau.store.rule(TAX).keepers == {CLERK, SECOND}
        failed = [each.outcome for each in bureau.recorder.events if each.type == "signature.keepers.changed"]
        assert failed[-2:] == [Outcome.INTENDED, Outcome.FAILURE]

    def test_without_the_record_nothing_changes(self, bureau: Bureau) -> None:
        bureau.keepers.name_first(TAX, ["li.na", "sun"])
        change = bureau.keepers.propose(who(CLERK), TAX, Act.TWO)
        bureau.recorder.down = True
        with pytest.raises(RecordUnavailable):
            bureau.keepers.confirm(who(SECOND), change.id)
        assert not bureau.store.rule(TAX).second


class TestTwo:
    def test_the_second_keeper_confirms_and_only_then_the_key_is_used(self, bureau: Bureau) -> None:
        bureau.two()
        order = bureau.ask()
        assert (order.state, bureau.made()) == (State.PENDING, 0)
        assert bureau.orders.concerning(SECOND)[0][0].id == order.id
        with pytest.raises(NoSuchOrder):
            bureau.orders.result(CLERK, order.id)
        png, pages = bureau.orders.look(SECOND, order.id, page=1, across=200)
        assert (png[:4], pages) == (b"\x89PNG", 1)
        assert bureau.recorder.types()[-1] == "signature.order.read"
        done = bureau.confirm(order)
        assert (done.state, done.second, bureau.made()) == (State.MADE, SECOND, 1)
        intent = next(each for each in bureau.recorder.events if each.type == "signature.intended")
        assert (intent.subject, intent.actor, intent.attributes["reference"]) == (CLERK, SECOND, f"order {order.id}")
        content, name = bureau.orders.result(CLERK, order.id)
        assert (content.startswith(DOCUMENT), name) == (True, "notice-sealed.pdf")
        with pytest.raises(NoSuchOrder):
            bureau.orders.result(THIRD, order.id)

    def test_neither_the_same_person_nor_the_same_session_nor_a_stranger_confirms(self, bureau: Bureau) -> None:
        bureau.two()
        order = bureau.ask()
        with pytest.raises(SamePerson):
            bureau.confirm(order, CLERK, session="s99")
        assert bureau.code() == "same_person"
        with pytest.raises(SamePerson):
            bureau.confirm(order, SECOND, session=order.session)
        for stranger in (THIRD, CHIEF, CITIZEN):
            with pytest.raises(NoSuchOrder):
                bureau.confirm(order, stranger)
            with pytest.raises(NoSuchOrder):
                bureau.orders.one(stranger, order.id)
            with pytest.raises(NoSuchOrder):
                bureau.orders.refuse(stranger, order.id)
        forged = SealOrder(document=b"", organisation="", caller="sign", actor=SECOND, unverified_identity="x.y.z")
        with pytest.raises(IdentityRefused):
            bureau.orders.confirmable(order.id, forged, sha256=order.sha256)
        assert bureau.made() == 0

    def test_an_order_is_over_after_a_day_or_a_no(self, bureau: Bureau) -> None:
        bureau.two()
        refused, withdrawn, late = bureau.ask(), bureau.ask(), bureau.ask()
        bureau.orders.refuse(SECOND, refused.id)
        bureau.orders.refuse(CLERK, withdrawn.id)
        bureau.clock.advance(timedelta(days=1))
        for order in (refused, withdrawn, late):
            with pytest.raises(OrderOver):
                bureau.confirm(order)
            assert bureau.code() == "order_over"
        assert bureau.orders.replay() == 1
        states = [bureau.store.one(order.id).state for order in (refused, withdrawn, late)]
        assert states == [State.REFUSED, State.WITHDRAWN, State.EXPIRED]
        assert bureau.told().count(("signature.order.ended", "success")) == 3
        assert bureau.orders.one(CLERK, late.id)[1] is None

    def test_another_document_than_was_asked_for_or_shown_is_not_sealed(self, bureau: Bureau) -> None:
        bureau.two()
        order, other = bureau.ask(), bureau.ask(document=documents.permit(pages=2))
        with pytest.raises(OrderChanged):
            bureau.confirm(order, sha256=other.sha256)
        assert bureau.code() == "order_changed"
        # Somebody who can write the shelf and its rows puts another good document into its place.
        swapped = replace(order, id=order.id, document=other.document)
        assert bureau.shelf.give(other.document, owner=f"order:{other.id}", to=f"order:{order.id}")
        bureau.store._move(order, State.PENDING, document=swapped.document)
        with pytest.raises(OrderChanged):
            bureau.confirm(order)
        assert bureau.made() == 0

    def test_eight_who_confirm_at_once_make_one_seal(self, bureau: Bureau) -> None:
        bureau.two()
        order = bureau.ask()
        errors: list[type[BaseException]] = []

        def press() -> None:
            try:
                bureau.confirm(order)
            except TallygateError as error:
                errors.append(type(error))

        pressing = [threading.Thread(target=press) for _ in range(8)]
        for each in pressing:
            each.start()
        for each in pressing:
            each.join()
        assert (errors, bureau.made()) == ([OrderOver] * 7, 1)

    def test_one_request_makes_one_order(self, bureau: Bureau) -> None:
        bureau.two()
        header = bureau.header(CLERK)
        bureau.ask(unverified_identity=header)
        with pytest.raises(WishUsed):
            bureau.ask(unverified_identity=header)

    def test_who_lost_the_right_meanwhile_seals_nothing_and_the_order_waits_again(self, bureau: Bureau) -> None:
        bureau.two()
        order = bureau.ask()
        clerk = bureau.people.persons[CLERK]
        bureau.people.persons[CLERK] = replace(clerk, enabled=False)
        with pytest.raises(SealDenied):
            bureau.confirm(order)
        bureau.people.persons[CLERK] = clerk
        second = bureau.people.persons[SECOND]
        bureau.people.persons[SECOND] = replace(second, enabled=False)
        with pytest.raises(SealDenied):
            bureau.confirm(order)
        bureau.people.persons[SECOND] = second
        assert (bureau.store.one(order.id).state, bureau.made()) == (State.PENDING, 0)
        assert bureau.confirm(order).state is State.MADE

    def test_what_no_second_person_can_see_is_refused_and_so_is_what_cannot_be_sealed(self, bureau: Bureau) -> None:
        bureau.two()
        for direct in (bureau.sealing.seal, bureau.sealing.sign_beside):
            with pytest.raises(SecondNeeded):
                direct(by_operator(CLERK))
            assert bureau.code() == "second_needed"
        with pytest.raises(CannotSeal):
            bureau.ask(document=b"%PDF-1.7 nothing")
        with pytest.raises(NotKeeper):
            bureau.ask(THIRD)

    @pytest.mark.parametrize("step", ["confirm", "intent", "keep", "finish", "made"])
    def test_a_death_between_any_two_steps_ends_with_one_seal(
        self, bureau: Bureau, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        bureau.two()
        order = bureau.ask(placement=Placement(x=30, y=40))

        class Died(BaseException):
            """The process is gone: nothing after this line runs."""

        with monkeypatch.context() as dying:

            def die(*_: object, **__: object) -> None:
                raise Died

            def confirmed(found: Order) -> None:
                raise Died

            record = bureau.recorder.record

            def recorded(event: Event) -> Receipt:
                if event.type.startswith("signature.order."):
                    return record(event)
                raise Died

            if step == "confirm":
                dying.setattr(bureau.orders, "_carry_out", confirmed)
            elif step == "intent":
                # Whoever is dead ends nothing either.
                dying.setattr(bureau.recorder, "record", recorded)
                dying.setattr(bureau.role, "finish", die)
            elif step == "keep":
                dying.setattr(bureau.once, "_put", die)
                dying.setattr(bureau.role, "finish", die)
            elif step == "finish":
                dying.setattr(bureau.role, "finish", die)
                dying.setattr(bureau.once, "_drop", die)
            else:
                dying.setattr(bureau.store, "made", die)
            with pytest.raises(Died):
                bureau.confirm(order)
        assert bureau.store.one(order.id).state is State.CONFIRMED
        assert bureau.orders.replay() == 0
        bureau.clock.advance(timedelta(minutes=11))
        assert bureau.orders.replay() == 1
        done = bureau.store.one(order.id)
        assert (done.state, bureau.made()) == (State.MADE, 1)
        assert bureau.orders.result(SECOND, order.id)[0].startswith(DOCUMENT)
        assert bureau.orders.replay() == 0


def led_back(bureau: Bureau, visitor: Visitor, order: str, subject: str, **says: object) -> str:
    """The address to which sign-on sends a keeper back who pressed the button and confirmed there."""
    text = visitor.get(order).text
    pages = re.search(r"Page 1 of ([0-9]+)", text)
    for page in range(2, int(pages[1]) + 1 if pages else 0):
        text = visitor.get(f"{order}?page={page}").text
    found = re.search(r'name="sha256" value="([0-9a-f]{64})"', text)
    assert found
    led = visitor.post(f"{order}/confirm", form_at=order, sha256=found[1])
    assert led.status_code == 303, led.text
    assert led.headers["Location"].startswith(f"{ISSUER}/authorize?")
    state = led.headers["Location"].rpartition("=")[2]
    assert bureau.sign_on is not None
    bureau.sign_on.says = {"sub": subject, **says}
    return f"/my/callback?state={state}&code={state}&iss={quote(ISSUER)}"


class TestPrograms:
    """A program is no keeper: as many of them as the seal takes stand behind what it asks."""

    def order(self, bureau: Bureau) -> Order:
        wish = Wish(actor="tax-letters", assurance=2, zone="external", session="", program_of=TAX)
        return bureau.orders.ask(
            SealOrder(document=DOCUMENT, organisation=TAX, caller="program", known=wish), name="letter.pdf"
        )

    def test_one_keeper_confirms_where_each_sets_the_seal_alone(self, bureau: Bureau) -> None:
        bureau.keepers.name_first(TAX, ["li.na", "sun"])
        order = self.order(bureau)
        assert bureau.orders.missing(order) == 1
        with pytest.raises(NoSuchOrder):
            bureau.confirm(order, THIRD)
        assert bureau.confirm(order, CLERK).state is State.MADE
        intent = next(each for each in bureau.recorder.events if each.type == "signature.intended")
        assert (intent.subject, intent.actor) == ("tax-letters", CLERK)
        assert bureau.orders.asked_by("tax-letters", order.id, organisation=TAX).state is State.MADE
        for other, organisation in (("tax-notices", TAX), (CLERK, TAX), ("tax-letters", "silk-company")):
            with pytest.raises(NoSuchOrder):
                bureau.orders.asked_by(other, order.id, organisation=organisation)

    def test_two_keepers_confirm_where_the_seal_takes_two(self, bureau: Bureau) -> None:
        bureau.two()
        order = self.order(bureau)
        assert bureau.orders.missing(order) == 2
        stands = bureau.confirm(order, CLERK)
        assert (stands.state, stands.first, bureau.orders.missing(stands), bureau.made()) == (
            State.PENDING,
            CLERK,
            1,
            0,
        )
        # The same keeper is one person, in whatever session; and so are two in one session.
        for by, session in ((CLERK, "s99"), (SECOND, _session(CLERK))):
            with pytest.raises(SamePerson):
                bureau.confirm(order, by, session=session)
            assert bureau.code() == "same_person"
        # Another document after the first confirmation.
        other = bureau.ask(document=documents.permit(pages=2))
        assert bureau.shelf.give(other.document, owner=f"order:{other.id}", to=f"order:{order.id}")
        bureau.store._move(order, State.PENDING, document=other.document)
        with pytest.raises(OrderChanged):
            bureau.confirm(order, SECOND)
        bureau.store._move(order, State.PENDING, document=order.document)
        assert bureau.confirm(order, SECOND).state is State.MADE
        assert bureau.made() == 1
        told = [each.actor for each in bureau.recorder.events if each.type == "signature.order.confirmed"]
        assert told == [CLERK, SECOND]

    def test_of_two_first_keepers_at_once_one_stands_in_and_nobody_confirms_what_they_did_not_see(
        self, bureau: Bureau
    ) -> None:
        bureau.two()
        order = self.order(bureau)
        stands = replace(order, first=CLERK, first_session=_session(CLERK))
        told = bureau.orders._event("signature.order.confirmed", order, CLERK)
        bureau.store.stand_in(stands, at=bureau.clock.now(), event=told)
        # Whoever read the order before that is told to look again.
        for late in (bureau.store.stand_in, bureau.store.confirm):
            with pytest.raises(OrderOver):
                late(
                    replace(order, first="" if late == bureau.store.confirm else SECOND),
                    at=bureau.clock.now(),
                    event=told,
                )

    def test_no_keeper_of_another_seal_stands_in(self, bureau: Bureau) -> None:
        bureau.keepers.name_first(TAX, ["li.na", "sun"])
        bureau.keepers.name_first("silk-company", ["zhao"])
        order = self.order(bureau)
        with pytest.raises(NoSuchOrder):
            bureau.confirm(order, MERCHANT)
        # Nor past the orders: the key's own check refuses it.
        wish = Wish(actor="tax-letters", assurance=2, zone="external", session="", program_of=TAX)
        keeper = Wish(actor=MERCHANT, assurance=2, zone="internal", session="s3")
        said = SealOrder(document=DOCUMENT, organisation=TAX, caller="program", known=wish)
        with pytest.raises(NotKeeper):
            bureau.sealing.seal(replace(said, second=keeper))
        with pytest.raises(SecondNeeded):
            bureau.sealing.seal(said)
        assert bureau.made() == 0


class TestBeside:
    """A signature that stands beside a file of any kind waits like a seal in one."""

    NOTES = "The fee is 1000 yuan.\n费用一千元。\n".encode()

    def order(self, bureau: Bureau, document: bytes = NOTES) -> Order:
        said = SealOrder(document=document, organisation=TAX, caller="sign", unverified_identity=bureau.header(CLERK))
        with pytest.raises(SecondAsked) as asked:
            bureau.orders.sign_beside(said, name="notes.txt")
        return bureau.store.one(asked.value.order)

    def test_the_second_keeper_gets_the_file_confirms_and_only_then_it_is_signed(
        self, bureau: Bureau, city: City
    ) -> None:
        bureau.two()
        order = self.order(bureau)
        assert (order.purpose, order.state, bureau.made()) == (Purpose.BESIDE, State.PENDING, 0)
        assert bureau.orders.concerning(SECOND) == [(order, "notes.txt")]
        assert bureau.orders.document(SECOND, order.id) == (self.NOTES, "notes.txt")
        assert bureau.recorder.types()[-1] == "signature.order.read"
        with pytest.raises(NoSuchOrder):
            bureau.orders.document(THIRD, order.id)
        for by, session in ((CLERK, "s99"), (SECOND, order.session)):
            with pytest.raises(SamePerson):
                bureau.confirm(order, by, session=session)
        with pytest.raises(OrderChanged):
            bureau.confirm(order, sha256="0" * 64)
        assert bureau.confirm(order).state is State.MADE
        signature, name = bureau.orders.result(CLERK, order.id)
        assert name == "notes.txt.p7s"
        for content, overall in ((self.NOTES, Overall.TRUSTED), (self.NOTES + b".", Overall.NOT_TRUSTED)):
            found = inspect(
                signature,
                grounds=Grounds(city.trust(), city.lists()),
                profile=Profile.STRICT,
                at=bureau.clock.now(),
                content=content,
            )
            verdict = judge(signature, found, profile=Profile.STRICT, at=bureau.clock.now(), content=content)
            assert verdict.overall is overall, verdict.problems

    def test_of_a_pdf_the_keeper_sees_the_pages(self, bureau: Bureau) -> None:
        bureau.two()
        order = self.order(bureau, DOCUMENT)
        assert bureau.orders.pages(SECOND, order.id) == 1
        assert bureau.orders.look(SECOND, order.id, page=1, across=200)[0].startswith(b"\x89PNG")

    def test_a_file_that_was_swapped_is_neither_shown_nor_signed(self, bureau: Bureau) -> None:
        bureau.two()
        order, other = self.order(bureau), self.order(bureau, b"The fee is 1 yuan.\n")
        assert bureau.shelf.give(other.document, owner=f"order:{other.id}", to=f"order:{order.id}")
        bureau.store._move(order, State.PENDING, document=other.document)
        with pytest.raises(OrderChanged):
            bureau.orders.document(SECOND, order.id)
        with pytest.raises(OrderChanged):
            bureau.confirm(order)
        assert bureau.made() == 0

    @pytest.mark.parametrize("step", ["confirm", "keep", "finish", "made"])
    def test_a_death_between_any_two_steps_ends_with_one_signature(
        self, bureau: Bureau, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        bureau.two()
        order = self.order(bureau)

        class Died(BaseException):
            """The process is gone: nothing after this line runs."""

        def die(*_: object, **__: object) -> None:
            raise Died

        with monkeypatch.context() as dying:
            if step == "confirm":
                dying.setattr(bureau.orders, "_carry_out", die)
            elif step == "made":
                dying.setattr(bureau.store, "made", die)
            else:
                dying.setattr(bureau.role, "finish", die)
                dying.setattr(bureau.once, "_put" if step == "keep" else "_drop", die)
            with pytest.raises(Died):
                bureau.confirm(order)
        bureau.clock.advance(timedelta(minutes=11))
        assert bureau.orders.replay() == 1
        assert (bureau.store.one(order.id).state, bureau.made()) == (State.MADE, 1)
        assert bureau.orders.result(SECOND, order.id)[1] == "notes.txt.p7s"
        assert bureau.orders.replay() == 0


class TestDoors:
    @pytest.fixture
    def app(self, bureau: Bureau, tmp_path: Path, city: City) -> Iterator[Flask]:
        (tmp_path / "home").mkdir()
        home = house(tmp_path / "home", city, bureau.readers, clock=bureau.clock)
        verification = Verification(
            readers=bureau.readers,
            trust=city.trust,
            lists=city.lists,
            recorder=ListRecorder(),
            commitments=COMMITMENTS,
            clock=bureau.clock,
        )
        site = SiteSettings(
            name="city",
            domain="city.localhost",
            title="Jiangcheng",
            title_zh="江城市",
            state=tmp_path,
            ports=Ports(external=1, internal=2, management=3, plain=4, ldaps=5),
        )
        guard = Guard(clock=bureau.clock, verifier=verifier())
        shown = web.Shown(bureau.desk, home.enrolling, issuer=ISSUER, largest=1 << 20)
        confirming = Confirming(
            store=home.store,
            orders=bureau.orders,
            asking=home.sign_on,
            keys=lambda: {"keys": [{**members(SIGN_ON.public_key()), "kid": KID}]},
            names=lambda each: (bureau.people.organisation(each).name, bureau.people.organisation(each).name_zh),
            recorder=bureau.recorder,
            clock=bureau.clock,
            audience=AUDIENCE,
            patience=timedelta(minutes=10),
        )
        bureau.sign_on = home.sign_on
        place = Placing(desk=bureau.desk, readers=bureau.readers, sealing=bureau.orders, people=bureau.people)
        parts = [
            web.own(
                bureau.desk, verification, shown, host=SIGN, account="https://sso.city.localhost/", largest=1 << 20
            ),
            web.signing(home.enrolling, home.personal, shown, confirming=confirming),
            web.placing(place, block=home.personal.size_of_block, issuer=ISSUER),
            web.seconding(bureau.orders, bureau.keepers, confirming, shown, placing=place),
        ]
        yield create(
            "signatures",
            site=site,
            guard=guard,
            session_key=b"s" * 32,
            blueprints=[blueprint(guard, parts, largest=1 << 20)],
            translations=[ROOT / "signatures" / "translations"],
        )
        home.close()

    def visitor(self, app: Flask, bureau: Bureau, subject: str) -> Visitor:
        return Visitor(app.test_client(), bureau.clock, subject, session=_session(subject), zone="internal")

    def test_from_the_placing_page_to_the_second_keeper_and_back(self, app: Flask, bureau: Bureau) -> None:
        bureau.two()
        clerk, second = self.visitor(app, bureau, CLERK), self.visitor(app, bureau, SECOND)
        kept = bureau.desk.bring(CLERK, DOCUMENT, name="notice.pdf")
        at = f"/my/documents/{kept.id}"
        asked = clerk.post(f"{at}/seal", form_at=f"{at}/place", organisation=TAX, page="1", x="10", y="10")
        assert asked.status_code == 303
        order = str(asked.headers["Location"]).removeprefix(f"https://{SIGN}")
        assert "You cannot do both" in clerk.get(order).text
        table = second.get("/my/seals").text
        assert order in table
        assert "Li Na asks for the seal of Jiangcheng Tax Bureau" in table
        page = second.get(order).text
        found = re.search(r'name="sha256" value="([0-9a-f]{64})"', page)
        assert found
        drawn = second.get(f"{order}/picture?page=1")
        assert (drawn.mimetype, drawn.headers["Cache-Control"]) == ("image/png", "no-store")
        assert second.post(f"{order}/confirm", form_at="", sha256=found[1]).status_code in {400, 403}
        refused = clerk.post(f"{order}/confirm", form_at=order, sha256=found[1])
        assert (refused.status_code, "Another person has to confirm this" in refused.text) == (403, True)
        assert second.get(led_back(bureau, second, order, SECOND)).status_code == 303
        assert clerk.get(f"{order}/file").data.startswith(DOCUMENT)
        assert "经第二人确认" in second.get("/my/seals?lang=zh").text
        for path in (order, f"{order}/picture", f"{order}/file"):
            assert self.visitor(app, bureau, THIRD).get(path).status_code == 404

    def test_a_confirmation_counts_once_for_its_keeper_browser_order_and_document(
        self, app: Flask, bureau: Bureau
    ) -> None:
        bureau.two()
        first, other = bureau.ask(), bureau.ask(document=documents.permit(pages=2))
        second, stranger = self.visitor(app, bureau, SECOND), self.visitor(app, bureau, THIRD)
        at = f"/my/orders/{first.id}"
        assert bureau.sign_on is not None
        # Sign-on shows the seal, the file's name and its hash, and is asked for nothing else.
        back = led_back(bureau, second, at, SECOND)
        (_, asked) = list(bureau.sign_on.asked.values())[-1]
        assert asked == {
            "type": "document_signature",
            "credential": first.id,
            "hash": "sha-256",
            "documents": [{"digest": first.sha256, "label": "notice.pdf"}],
            "seal": {"name": "Jiangcheng Tax Bureau", "name_zh": "江城市税务局"},
        }
        # Somebody else, or the same keeper in another browser, brings it.
        assert stranger.get(back).status_code == 409
        assert self.visitor(app, bureau, SECOND).get(back).status_code == 409
        # Sign-on says something else: another document, another order, no passkey, another person.
        details = {**asked, "confirmed": {"by": "passkey", "at": int(bureau.clock.now().timestamp())}}
        for says in (
            {"authorization_details": [{**details, "documents": [{"digest": other.sha256, "label": "notice.pdf"}]}]},
            {"authorization_details": [{**details, "credential": other.id}]},
            {"authorization_details": [{**details, "confirmed": {"by": "password", "at": details["confirmed"]["at"]}}]},
            {"authorization_details": [{name: each for name, each in details.items() if name != "seal"}]},
            {"sub": CLERK},
            {"jti": ""},
        ):
            refused = second.get(led_back(bureau, second, at, SECOND, **says))
            assert (refused.status_code, bureau.code()) == (403, "consent_refused"), says
        declined = led_back(bureau, second, at, SECOND).replace("&code=", "&error=access_denied&nothing=")
        assert (second.get(declined).status_code, bureau.code()) == (403, "not_confirmed")
        assert (bureau.store.one(first.id).state, bureau.made()) == (State.PENDING, 0)
        # It counts, and then no more: neither again nor its token for another order.
        good = led_back(bureau, second, at, SECOND, jti="one-and-the-same")
        assert second.get(good).status_code == 303
        assert (second.get(good).status_code, bureau.code()) == (409, "consent_used")
        replayed = led_back(bureau, second, f"/my/orders/{other.id}", SECOND, jti="one-and-the-same")
        assert second.get(replayed).status_code == 409
        assert (bureau.store.one(other.id).state, bureau.made()) == (State.PENDING, 1)
        # What was asked for a signature of one's own confirms no order, and the other way round.
        mine = led_back(bureau, second, f"/my/orders/{other.id}", SECOND)
        assert bureau.store.one(other.id).state is State.PENDING
        assert second.get(mine.replace("state=order.", "state=")).status_code == 409

    def test_nobody_confirms_what_they_were_not_shown(self, app: Flask, bureau: Bureau) -> None:
        bureau.two()
        order = bureau.ask(document=documents.permit(pages=3))
        second, at = self.visitor(app, bureau, SECOND), f"/my/orders/{order.id}"

        def press(by: Visitor, of: Order = order) -> tuple[int, bool]:
            led = by.post(f"/my/orders/{of.id}/confirm", form_at="/my/", sha256=of.sha256)
            return led.status_code, "Please look at every page of the document first." in led.text

        # By a form that no page of ours showed, then after some of the pages: what is refused shows the first one.
        assert press(second) == (409, True)
        page = second.get(f"{at}?page=3").text
        assert ("once you have looked at every page" in page, "/confirm" in page) == (True, False)
        assert press(second) == (409, True)
        page = second.get(f"{at}?page=2").text
        assert (re.search(r"Page before</a>\s+·\s+<a ", page) is not None, "/confirm" in page) == (True, True)
        assert press(second)[0] == 303
        # What another browser was shown counts for none; the file whole is all of it.
        other = self.visitor(app, bureau, SECOND)
        assert press(other) == (409, True)
        other.get(f"{at}/document")
        assert press(other)[0] == 303
        # Nor does what another person was shown in the same browser.
        asked, browser = TestPrograms().order(bureau), app.test_client()
        clerk, second = (
            Visitor(browser, bureau.clock, each, session=_session(each), zone="internal") for each in (CLERK, SECOND)
        )
        clerk.get(f"/my/orders/{asked.id}")
        assert press(second, asked) == (409, True)
        assert press(clerk, asked)[0] == 303
        # A file without pages is fetched first.
        plain = TestBeside().order(bureau)
        page = second.get(f"/my/orders/{plain.id}").text
        assert ("once you have downloaded the file" in page, "I have downloaded it" in page) == (True, True)
        assert press(second, plain) == (409, True)
        second.get(f"/my/orders/{plain.id}/document")
        assert press(second, plain)[0] == 303

    def test_what_changed_between_the_button_and_the_confirmation_is_not_sealed(
        self, app: Flask, bureau: Bureau
    ) -> None:
        bureau.two()
        order, other = bureau.ask(), bureau.ask(document=documents.permit(pages=2))
        second = self.visitor(app, bureau, SECOND)
        back = led_back(bureau, second, f"/my/orders/{order.id}", SECOND)
        # Whoever can write the shelf and its rows swaps the document while the keeper is at sign-on.
        assert bureau.shelf.give(other.document, owner=f"order:{other.id}", to=f"order:{order.id}")
        bureau.store._move(order, State.PENDING, document=other.document)
        assert (second.get(back).status_code, bureau.code()) == (409, "order_changed")
        # Even with its hash in the row: the keeper confirmed another one.
        bureau.store._move(order, State.PENDING, sha256=other.sha256)
        back = led_back(bureau, second, f"/my/orders/{order.id}", SECOND)
        bureau.store._move(order, State.PENDING, document=order.document, sha256=order.sha256)
        assert second.get(back).status_code in {403, 409}
        assert bureau.made() == 0

    def test_a_confirmation_that_cannot_be_recorded_does_not_count(self, app: Flask, bureau: Bureau) -> None:
        bureau.two()
        order, second = bureau.ask(), self.visitor(app, bureau, SECOND)
        back = led_back(bureau, second, f"/my/orders/{order.id}", SECOND)
        bureau.recorder.down = True
        assert second.get(back).status_code == 503
        bureau.recorder.down = False
        assert (bureau.store.one(order.id).state, bureau.made()) == (State.PENDING, 0)
        assert second.get(led_back(bureau, second, f"/my/orders/{order.id}", SECOND)).status_code == 303
        told = [each for each in bureau.recorder.events if each.type == "signature.order.confirmed"]
        assert [(each.outcome, each.actor, each.attributes["confirmed_by"]) for each in told] == [
            (Outcome.INTENDED, SECOND, "passkey")
        ]
        assert bureau.told().count(("signature.order.confirmed", "success")) == 1

    def test_keepers_are_changed_on_the_page(self, app: Flask, bureau: Bureau) -> None:
        bureau.keepers.name_first(TAX, ["li.na", "sun"])
        clerk, second = self.visitor(app, bureau, CLERK), self.visitor(app, bureau, SECOND)
        form = {"form_at": "/my/seals", "act": "add"}
        assert clerk.post(f"/my/seals/{TAX}/changes", **form, username="wang").status_code == 409
        assert clerk.post(f"/my/seals/{TAX}/changes", **form, username="qian").status_code == 303
        page = second.get("/my/seals").text
        assert "Let Qian keep the seal" in page
        found = re.search(r'action="(/my/seals/changes/[0-9a-f]{32})/confirm"', page)
        assert found
        assert f"{found[1]}/confirm" not in clerk.get("/my/seals").text
        assert second.post(f"{found[1]}/confirm", form_at="/my/seals").status_code == 303
        assert THIRD in bureau.store.rule(TAX).keepers

    def test_a_file_of_any_kind_is_fetched_looked_at_and_signed_beside(self, app: Flask, bureau: Bureau) -> None:
        bureau.two()
        order = TestBeside().order(bureau)
        clerk, second = self.visitor(app, bureau, CLERK), self.visitor(app, bureau, SECOND)
        at = f"/my/orders/{order.id}"
        page = second.get(at).text
        assert "notes.txt</h1>" in page
        assert "look at it before you confirm" in page
        assert "确认前请下载并查看" in second.get(f"{at}?lang=zh").text
        waits = second.get(f"{at}/document")
        assert (waits.data, waits.mimetype) == (TestBeside.NOTES, "application/octet-stream")
        assert waits.headers["Content-Disposition"] == "attachment; filename*=UTF-8''notes.txt"
        for path in (at, f"{at}/document", f"{at}/file"):
            assert self.visitor(app, bureau, THIRD).get(path).status_code == 404
        assert second.get(led_back(bureau, second, at, SECOND)).status_code == 303
        made = clerk.get(f"{at}/file")
        assert (made.mimetype, made.data[:1]) == ("application/pkcs7-signature", b"0")
        assert "to be kept beside the file" in clerk.get(at).text

    def test_a_portal_is_told_where_the_order_waits(self, bureau: Bureau) -> None:
        bureau.two()
        said = let_through(CLERK, at=bureau.clock.now(), session="s")
        order = SealOrder(document=DOCUMENT, organisation=TAX, caller=PORTAL, unverified_identity=said)
        with pytest.raises(SecondAsked) as asked:
            bureau.orders.seal(order)
        assert asked.value.address.startswith(f"https://{SIGN}/my/orders/")
        assert asked.value.address in asked.value.detail
