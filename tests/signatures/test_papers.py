# SPDX-License-Identifier: Apache-2.0
"""Documents that several seal in turn, and official documents: nobody out of turn, no number twice, none lost."""

import io
import json
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from audit import Event, Outcome
from core.db import Database, migrate
from core.errors import Unavailable
from core.site import Ports, SiteSettings
from core.web import Guard, create
from core.web.inputs import Malformed
from signatures import web
from signatures.agencies import AgencyStore
from signatures.errors import SecondAsked
from signatures.keeping import Act, Change, KeepingStore, Order, OrderOver
from signatures.keeping import State as OrderState
from signatures.models import Overall, SealOrder, Wish
from signatures.papers import Kind, NoSuchPaper, NotInThisState, NotTheirTurn, PaperStore, State
from signatures.sandbox import ReaderPool
from signatures.service import Desk, Once, Papers, Placing, Proof, Sealing, Seconding, Verification
from signatures.service.verification import Asker
from signatures.store import Store
from signatures.web import blueprint
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures import documents
from tests.signatures.fakes import (
    CITIZEN,
    CLERK,
    COMMITMENTS,
    MERCHANT,
    Alone,
    People,
    TestAuthority,
    encode,
    sealing,
    seconding,
)
from tests.signatures.own_pages import SIGN, Visitor, verifier
from tests.signatures.pki import City
from tests.signatures.signing_person import ISSUER, House, house, person

ROOT = Path(__file__).parents[2]
LARGEST = 400 * 1024
SECOND = "1b6e2a54-0000-4000-8000-000000000011"


@dataclass
class Office:
    papers: Papers
    store: PaperStore
    desk: Desk
    placing: Placing
    sealing: Sealing
    verification: Verification
    recorder: ListRecorder
    outbox: Store
    clock: ManualClock
    folder: Path
    home: House
    orders: Seconding
    kept_by: KeepingStore

    def begin(self, kind: Kind = Kind.OFFICIAL, signers: tuple[str, ...] = ("silk-company",), by: str = CLERK) -> str:
        document = self.desk.bring(by, documents.permit(), name="notice.pdf")
        paper = self.papers.begin(
            by, document.id, kind=kind, organisation="tax-bureau", word="江税", title="通知", signers=signers
        )
        return paper.id

    def order(self, by: str) -> "Orders":
        return Orders(by)

    def told(self) -> list[str]:
        return [json.loads(row.body)["type"] for row in self.outbox.outbox.head()]


@dataclass
class Orders:
    """As the operator asks for a person."""

    by: str

    def __call__(self, document: bytes, organisation: str) -> SealOrder:
        return SealOrder(document=document, organisation=organisation, actor=self.by, caller="app", assurance=2)


@pytest.fixture
def office(tmp_path: Path, city: City, readers: ReaderPool) -> Iterator[Office]:
    clock, recorder = ManualClock(), ListRecorder()
    (tmp_path / "people").mkdir()
    home = house(tmp_path / "people", city, readers, clock=clock)
    shelf, desk = home.shelf, home.desk
    database = Database.open(f"sqlite:///{tmp_path}/signatures.db")
    migrate(database, ROOT / "signatures" / "migrations")
    store, people = Store(database, encode=encode), People()
    people.persons[SECOND] = replace(people.persons[CLERK], subject=SECOND, username="sun", name="Sun")
    kept_by = KeepingStore(database, put=store.put)
    granting = sealing(
        store=store,
        readers=readers,
        folder=tmp_path / "keys",
        authority=TestAuthority(city),
        recorder=recorder,
        clock=clock,
        people=people,
        rules=kept_by.rule,
    )
    for each in ("tax-bureau", "silk-company"):
        granting.establish(each)
    placing = Placing(desk=desk, readers=readers, sealing=Alone(granting), people=people)
    papers_store = PaperStore(database, put=store.put)
    agencies = AgencyStore.open(tmp_path / "agencies.db")
    orders = seconding(
        store=kept_by,
        granting=granting,
        once=Once(sealing=granting, shelf=shelf, store=agencies, clock=clock, room=1 << 30),
        desk=desk,
        shelf=shelf,
        readers=readers,
        people=people,
        recorder=recorder,
        clock=clock,
    )
    papers = Papers(
        store=papers_store,
        shelf=shelf,
        desk=desk,
        placing=placing,
        sealing=granting,
        orders=orders,
        recorder=recorder,
        nudge=lambda: None,
        clock=clock,
        signed=lambda subject, document, since: home.store.signed(subject, COMMITMENTS.of(document), since=since),
        largest=LARGEST,
        most_bytes_of_all=1 << 30,
    )
    verification = Verification(
        readers=readers,
        trust=city.trust,
        lists=city.lists,
        recorder=ListRecorder(),
        commitments=COMMITMENTS,
        clock=clock,
    )
    orders.lead(papers=papers)
    folder = home.folder / "shelf"
    yield Office(
        papers,
        papers_store,
        desk,
        placing,
        granting,
        verification,
        recorder,
        store,
        clock,
        folder,
        home,
        orders,
        kept_by,
    )
    home.close()
    agencies.close()
    database.close()


def test_an_official_document_is_countersigned_numbered_sealed_and_issued(office: Office) -> None:
    paper = office.begin()
    assert office.papers.one(CLERK, paper).state is State.DRAFT
    # Out of turn: the own organisation comes last.
    with pytest.raises(NotTheirTurn):
        office.papers.sign(CLERK, paper, office.order(CLERK))
    assert (office.recorder.types(), office.recorder.events[0].attributes["code"]) == (
        ["paper.refused"],
        "not_their_turn",
    )
    assert office.papers.all_of(MERCHANT)[0].id == paper
    countersigned = office.papers.sign(MERCHANT, paper, office.order(MERCHANT))
    assert (countersigned.state, countersigned.label) == (State.COUNTERSIGNED, "")
    sealed = office.papers.sign(CLERK, paper, office.order(CLERK))
    assert (sealed.state, sealed.label) == (State.SEALED, "江税\u30142026\u30151号")
    content, name = office.papers.read(MERCHANT, paper)
    assert name == "notice.pdf"
    verdict = office.verification.verify(content, asker=Asker())
    assert verdict.overall is Overall.TRUSTED
    assert [one.unchanged.code for one in verdict.signatures] == ["signed_further", "unchanged"]
    issued = office.papers.issue(CLERK, paper)
    assert (issued.state, issued.issued_at) == (State.ISSUED, office.clock.now())
    assert [each.label for each in office.papers.register(CLERK, "tax-bureau", 2026)] == [sealed.label]
    for verb in (office.papers.issue, office.papers.withdraw):
        with pytest.raises(NotInThisState):
            verb(CLERK, paper)
    told = [each for each in office.told() if each.startswith("paper.")]
    assert told == ["paper.begun", "paper.signed", "paper.signed", "paper.issued"]
    # Nothing but the present revision, and the draft in its owner's hands, is kept.
    assert len(list(office.folder.iterdir())) == 2


def keep(office: Office) -> None:
    """The clerk and another one keep the seal of the tax bureau; it takes both."""
    at = office.clock.now()

    def event() -> Event:
        return Event(
            key=secrets.token_hex(16),
            type="signature.keepers.changed",
            outcome=Outcome.SUCCESS,
            at=at,
            source="signatures",
            object="tax-bureau",
            organisation="tax-bureau",
        )

    office.kept_by.name_first("tax-bureau", [CLERK, SECOND], event())
    change = Change(
        id="c" * 32,
        organisation="tax-bureau",
        act=Act.TWO,
        subject="",
        by=CLERK,
        session="s1",
        made_at=at,
        until=at + timedelta(days=1),
    )
    office.kept_by.propose(change, event())
    office.kept_by.end_change(change, OrderState.MADE, at=at, event=event())


def ordered(office: Office, paper: str) -> Order:
    """The clerk asks for the seal, and it waits."""
    with pytest.raises(SecondAsked) as asked:
        office.papers.sign(CLERK, paper, office.order(CLERK))
    found = office.papers.waiting(office.store.one(paper))
    assert found is not None
    assert found.id == asked.value.order
    return found


def confirm(office: Office, order: Order) -> Order:
    wish = Wish(actor=SECOND, assurance=2, zone="internal", session="s2")
    return office.orders.confirm(order.id, wish, sha256=order.sha256, proof=Proof(consent="c" * 32, by="passkey"))


def test_the_seal_of_an_official_document_waits_for_a_second_keeper_with_its_number(office: Office) -> None:
    keep(office)
    paper = office.begin(signers=())
    order = ordered(office, paper)
    assert ordered(office, paper).id == order.id
    waiting = office.store.one(paper)
    assert (waiting.state, waiting.label[-2:]) == (State.COUNTERSIGNED, "1号")
    assert confirm(office, order).state is OrderState.MADE
    done = office.papers.one(CLERK, paper)
    assert (done.state, done.label, done.turns[0].actor) == (State.SEALED, waiting.label, CLERK)
    content, _ = office.papers.read(CLERK, paper)
    verdict = office.verification.verify(content, asker=Asker(caller="test"))
    assert verdict.overall is Overall.TRUSTED
    intent = next(each for each in office.recorder.events if each.type == "signature.intended")
    assert (intent.subject, intent.actor) == (CLERK, SECOND)
    assert office.papers.waiting(done) is None
    assert office.papers.issue(CLERK, paper).state is State.ISSUED


def test_a_paper_that_goes_on_without_its_order_is_not_sealed_by_it(office: Office) -> None:
    keep(office)
    paper = office.begin(signers=())
    order = ordered(office, paper)
    office.papers.withdraw(CLERK, paper)
    with pytest.raises(OrderOver):
        confirm(office, order)
    assert office.kept_by.one(order.id).state is OrderState.OVERTAKEN
    assert "signature.intended" not in office.recorder.types()
    # Its number stays in the register.
    assert [each.number for each in office.store.register("tax-bureau", office.clock.now().year)] == [1]
    # A refused order can be asked for again, for the same revision.
    again = office.begin(signers=())
    office.orders.refuse(SECOND, ordered(office, again).id)
    assert confirm(office, ordered(office, again)).state is OrderState.MADE


@pytest.mark.parametrize("step", ["entered", "made"])
def test_a_death_while_a_confirmed_order_is_entered_leaves_one_seal(
    office: Office, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    keep(office)
    paper = office.begin(signers=())
    order = ordered(office, paper)

    class Died(BaseException):
        """The process is gone."""

    def die(*_: object, **__: object) -> None:
        raise Died

    with monkeypatch.context() as dying:
        dying.setattr(*((office.papers, "_advance", die) if step == "entered" else (office.kept_by, "made", die)))
        with pytest.raises(Died):
            confirm(office, order)
    assert office.kept_by.one(order.id).state is OrderState.CONFIRMED
    office.clock.advance(timedelta(minutes=11))
    assert office.orders.replay() == 1
    assert office.kept_by.one(order.id).state is OrderState.MADE
    assert office.store.one(paper).state is State.SEALED
    assert office.told().count("signature.made") == 1


def test_whom_it_does_not_concern_it_is_not_there(office: Office) -> None:
    paper = office.begin(signers=())
    for verb in (office.papers.one, office.papers.read, office.papers.issue, office.papers.withdraw):
        with pytest.raises(NoSuchPaper):
            verb(CITIZEN, paper)
    with pytest.raises(NoSuchPaper):
        office.papers.register(CITIZEN, "tax-bureau", 2026)
    assert office.papers.all_of(CITIZEN) == []
    document = office.desk.bring(CITIZEN, documents.permit(), name="x.pdf")
    with pytest.raises(NotTheirTurn):
        office.papers.begin(
            CITIZEN, document.id, kind=Kind.ROUND, organisation="tax-bureau", word="", title="", signers=["tax-bureau"]
        )
    assert office.recorder.types() == ["paper.refused"]


@pytest.mark.parametrize(
    ("kind", "word", "signers"),
    [
        (Kind.ROUND, "", []),
        (Kind.ROUND, "", ["nowhere"]),
        (Kind.ROUND, "", ["tax-bureau"] * 9),
        (Kind.OFFICIAL, "", ["silk-company"]),
    ],
)
def test_half_a_wish_begins_nothing(office: Office, kind: Kind, word: str, signers: list[str]) -> None:
    document = office.desk.bring(CLERK, documents.permit(), name="x.pdf")
    with pytest.raises(Malformed):
        office.papers.begin(
            CLERK, document.id, kind=kind, organisation="tax-bureau", word=word, title="", signers=signers
        )
    assert office.papers.all_of(CLERK) == []


def test_numbers_have_no_gap_whatever_dies_between(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = office.begin(signers=()), office.begin(signers=())
    seal = office.sealing.seal

    def die(_: SealOrder) -> bytes:
        raise Unavailable

    monkeypatch.setattr(office.sealing, "seal", die)
    with pytest.raises(Unavailable):
        office.papers.sign(CLERK, first, office.order(CLERK))
    # Numbered, and not sealed: the number is the paper's own.
    held = office.papers.one(CLERK, first)
    assert (held.state, held.number) == (State.COUNTERSIGNED, 1)
    monkeypatch.setattr(office.sealing, "seal", seal)
    assert office.papers.sign(CLERK, second, office.order(CLERK)).number == 2
    monkeypatch.setattr(office.store, "advance", _dying)
    with pytest.raises(Unavailable):
        office.papers.sign(CLERK, first, office.order(CLERK))
    monkeypatch.undo()
    # The signed revision that nobody saw is forgotten; the next attempt signs the same one under the same number.
    assert len(list(office.folder.iterdir())) == 4
    assert office.papers.sign(CLERK, first, office.order(CLERK)).number == 1
    third = office.begin(signers=())
    office.store.number(third, at=office.clock.now())
    office.papers.withdraw(CLERK, third)
    assert [(each.number, each.state) for each in office.papers.register(CLERK, "tax-bureau", 2026)] == [
        (1, State.SEALED),
        (2, State.SEALED),
        (3, State.WITHDRAWN),
    ]
    fourth = office.begin(signers=())
    assert office.store.number(fourth, at=office.clock.now() + timedelta(days=60)).label == "江税\u30142027\u30151号"


def _dying(*_: object, **__: object) -> None:
    raise Unavailable


def test_two_at_once_make_one_signature_and_different_numbers(office: Office) -> None:
    papers = [office.begin(signers=()) for _ in range(3)]
    ended: list[object] = []

    def sign(paper: str) -> None:
        try:
            ended.append(office.papers.sign(CLERK, paper, office.order(CLERK)).number)
        except (NotInThisState, Unavailable) as error:
            ended.append(type(error))

    threads = [threading.Thread(target=sign, args=(paper,)) for paper in (*papers, papers[0])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [each for each in ended if isinstance(each, int)]
    assert len(ended) == 4
    assert len(numbers) == len(set(numbers))
    register = office.papers.register(CLERK, "tax-bureau", 2026)
    assert [each.number for each in register] == list(range(1, len(register) + 1))
    for each in register:
        if each.state is State.SEALED:
            content, _ = office.papers.read(CLERK, each.id)
            assert len(office.verification.verify(content, asker=Asker()).signatures) == 1


def test_whoever_comes_second_is_told_so_and_not_that_nothing_is_there(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper = office.begin(Kind.ROUND, ("tax-bureau", "tax-bureau"))
    read = office.papers.one(CLERK, paper)
    first = office.papers.sign(CLERK, paper, office.order(CLERK))
    assert first.state is State.DRAFT
    monkeypatch.setattr(office.papers, "one", lambda *_: read)
    with pytest.raises(NotInThisState):
        office.papers.sign(CLERK, paper, office.order(CLERK))
    monkeypatch.undo()
    assert office.papers.sign(CLERK, paper, office.order(CLERK)).state is State.COMPLETE


@pytest.fixture
def app(office: Office, tmp_path: Path) -> Flask:
    home = office.home
    shown = web.Shown(office.desk, home.enrolling, issuer=ISSUER, largest=LARGEST)
    site = SiteSettings(
        name="city",
        domain="city.localhost",
        title="Jiangcheng",
        title_zh="江城市",
        state=tmp_path,
        ports=Ports(external=1, internal=2, management=3, plain=4, ldaps=5),
    )
    guard = Guard(clock=office.clock, verifier=verifier())
    parts = [
        web.own(
            office.desk,
            office.verification,
            shown,
            host=SIGN,
            account="https://sso.city.localhost/account",
            largest=LARGEST,
        ),
        web.signing(home.enrolling, home.personal, shown, papers=office.papers),
        web.placing(office.placing, block=home.personal.size_of_block, issuer=ISSUER),
        web.papers(office.papers, placing=office.placing, desk=office.desk, clock=office.clock),
    ]
    return create(
        "signatures",
        site=site,
        guard=guard,
        session_key=b"s" * 32,
        blueprints=[blueprint(guard, parts, largest=LARGEST)],
        translations=[ROOT / "signatures" / "translations"],
    )


def test_the_pages_lead_from_a_document_to_the_register(app: Flask, office: Office) -> None:
    clerk = Visitor(app.test_client(), office.clock, CLERK, zone="internal", roles=frozenset({"civil-servant"}))
    merchant = Visitor(app.test_client(), office.clock, MERCHANT)
    brought = clerk.post("/my/documents", document=(io.BytesIO(documents.permit()), "notice.pdf"))
    document = brought.headers["Location"].rpartition("/")[2]
    begun = clerk.post(
        "/my/papers",
        document=document,
        kind="official",
        organisation="tax-bureau",
        word="江税",
        title="Notice of fees",
        signer=["silk-company", "", ""],
    )
    assert begun.status_code == 303
    at = begun.headers["Location"]
    assert "it is their turn" in clerk.get(at).text
    assert "Set the seal" not in clerk.get(at).text
    early = clerk.post(f"{at}/seal")
    assert (early.status_code, "It is not your turn" in early.text) == (409, True)
    assert "waits for you" in merchant.get("/my/papers").text
    assert merchant.post(f"{at}/seal", code="yes").status_code == 303
    assert clerk.post(f"{at}/issue").status_code == 409
    assert clerk.post(f"{at}/seal").status_code == 303
    assert clerk.post(f"{at}/issue").status_code == 303
    register = clerk.get("/my/register?year=2026").text
    assert "江税\u30142026\u30151号" in register
    assert "公文登记簿" in clerk.get("/my/register?lang=zh").text
    assert merchant.get(f"{at}/file").mimetype == "application/pdf"
    stranger = Visitor(app.test_client(), office.clock, CITIZEN)
    assert stranger.get(at).status_code == 404
    assert clerk.post(f"{at}/burn").status_code == 400
    asked: dict[str, Any] = {"kind": "round", "organisation": "tax-bureau", "signer": ["tax-bureau"]}
    for wrong in ({"kind": "other"}, {"signer": ["x" * 65]}, {"document": "0" * 32}):
        answer = clerk.post("/my/papers", **{"document": document, **asked, **wrong})
        assert answer.status_code in {400, 404}


def test_a_person_signs_in_their_turn_with_their_kept_key_and_nobody_out_of_turn(office: Office) -> None:
    home, papers = office.home, office.papers
    home.enrolling.enrol(person(), header="x")
    paper = office.begin(Kind.ROUND, ("silk-company", "@wang", "tax-bureau"))
    assert papers.all_of(CITIZEN)[0].id == paper
    # Before their turn they get nothing to sign, and what they say they signed is not asked for.
    for verb in (papers.take, papers.hand_in):
        with pytest.raises(NotTheirTurn):
            verb(CITIZEN, paper)
    assert [each.attributes["code"] for each in office.recorder.events] == ["not_their_turn"] * 2
    papers.sign(MERCHANT, paper, office.order(MERCHANT))
    assert papers.mine(CITIZEN, papers.one(CITIZEN, paper))
    # Nobody else takes it, and the organisation after them is out of turn now.
    for who in (MERCHANT, CLERK):
        with pytest.raises(NotTheirTurn):
            papers.take(who, paper)
    with pytest.raises(NotTheirTurn):
        papers.sign(CLERK, paper, office.order(CLERK))
    with pytest.raises(NotInThisState):
        papers.hand_in(CITIZEN, paper)
    taken = papers.take(CITIZEN, paper)
    assert papers.take(CITIZEN, paper) == taken
    # Another document that they signed counts for nothing here.
    other = home.finish(home.begin(home.bring(b"\n% another")))
    assert papers.hand_in_all(CITIZEN, other) is None
    (signed,) = home.finish(home.begin(taken.id))
    # As after a death before it was handed in: their own click does it.
    advanced = papers.hand_in(CITIZEN, paper)
    assert [bool(each.done_at) for each in advanced.turns] == [True, True, False]
    with pytest.raises(NotTheirTurn):
        papers.hand_in(CITIZEN, paper)
    assert papers.sign(CLERK, paper, office.order(CLERK)).state is State.COMPLETE
    content, _ = papers.read(CITIZEN, paper)
    assert content.startswith(office.desk.read(CITIZEN, signed))
    verdict = office.verification.verify(content, asker=Asker())
    assert (verdict.overall, len(verdict.signatures)) == (Overall.TRUSTED, 3)


@pytest.mark.parametrize("signers", [("@nobody",), ("@",), ("@tax-bureau",), ("wang",)])
def test_whoever_nobody_knows_does_not_sign(office: Office, signers: tuple[str, ...]) -> None:
    with pytest.raises(Malformed):
        office.begin(Kind.ROUND, signers)


def test_a_person_is_led_from_the_paper_through_consent_back_to_it(app: Flask, office: Office) -> None:
    paper = office.begin(Kind.ROUND, ("@wang",))
    wang = Visitor(app.test_client(), office.clock, CITIZEN)
    wang.post("/my/certificate", agree="yes")
    at = f"/my/papers/{paper}"
    assert "waits for you" in wang.get("/my/papers").text
    assert "Wang Xiaoming" in wang.get(at).text
    assert wang.post(f"{at}/hand-in").status_code == 409
    document = wang.post(f"{at}/take").headers["Location"]
    assert "Sign this document" in wang.get(document).text
    identifier = document.rpartition("/")[2]
    state = wang.post("/my/sign", document=identifier).headers["Location"].rpartition("=")[2]
    back = wang.get(f"/my/callback?state={state}&code={state}&iss={ISSUER}")
    assert back.headers["Location"] == at
    assert "signed by all" in wang.get(at).text
    clerk = Visitor(app.test_client(), office.clock, CLERK, zone="internal", roles=frozenset({"civil-servant"}))
    assert clerk.post(f"{at}/take").status_code == 409
