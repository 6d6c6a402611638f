# SPDX-License-Identifier: Apache-2.0
"""Programs of agencies: what nobody let them do, what they may do how often, and what is carried out once."""

import hashlib
import io
import json
import secrets
import sqlite3
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from audit import Event, Outcome
from core.calls import PairSecrets
from core.db import Database, migrate
from core.errors import Invalid, NotFound
from core.identity import HEADER, Identity, IdentityIssuer
from core.site import Ports, SiteSettings
from core.web import Guard, create
from signatures import web
from signatures.agencies import (
    AgencyStore,
    Batch,
    BatchClosed,
    BatchDiffers,
    BatchState,
    Doing,
    KeyInUse,
    KeyMalformed,
    KeyReused,
    Left,
    NameTaken,
    NoSuchBatch,
    ProgramUnknown,
    QuotaExceeded,
)
from signatures.archive import ArchiveStore
from signatures.config import SignatureSettings
from signatures.errors import CannotSeal, NoSeal, SecondAsked
from signatures.keeping import (
    Act,
    Change,
    KeepingStore,
    NoSuchOrder,
    NotKeeper,
    Order,
    OrderChanged,
    OrderOver,
    SamePerson,
    State,
)
from signatures.models import Wish
from signatures.papers import PaperStore
from signatures.sandbox import ReaderPool
from signatures.service import (
    Agencies,
    Archiving,
    Batches,
    Desk,
    Letting,
    Once,
    Papers,
    Placing,
    Proof,
    Rules,
    Seconding,
    Verification,
)
from signatures.service.batches import list_digest
from signatures.service.commitment import Commitments
from signatures.shelf import NoSuchDocument, Shelf
from signatures.shelf.store import ShelfStore
from signatures.store import Store
from signatures.web import blueprint
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures import archived, documents, stamper
from tests.signatures.fakes import CLERK, GATEWAY, Alone, People, TestAuthority, encode, sealing, seconding
from tests.signatures.own_pages import SIGN, verifier
from tests.signatures.pki import City

ROOT = Path(__file__).parents[2]
KEY = '"one-and-the-same"'
ROOM = 1 << 30
LARGEST = 100 * 1024
KEEPER, OTHER = (f"1b6e2a54-0000-4000-8000-00000000001{number}" for number in (1, 2))
OFFICE = "tax-bureau"
PERMIT = documents.permit()


_AUTHORITIES: dict[Path, TestAuthority] = {}


@schemathesis.serializer("application/pdf")
def as_it_is(_: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


class Death(BaseException):
    """The process is gone: nothing it would have done afterwards is done."""


class Mortal:
    """Something whose user dies after so many calls of all that share the breath."""

    def __init__(self, target: Any, breath: list[int]) -> None:
        self._target = target
        self._breath = breath

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            self._breath[0] -= 1
            if self._breath[0] < 0:
                raise Death
            return found(*arguments, **named)

        return call


@dataclass
class House:
    """The role's parts over one folder; another one over the same folder is the role after a restart."""

    agencies: Agencies
    batches: Batches
    papers: Papers
    orders: Seconding
    kept_by: KeepingStore
    store: AgencyStore
    shelf: Shelf
    recorder: ListRecorder
    clock: ManualClock
    folder: Path
    close: Any

    def made(self) -> int:
        """Signatures that the record says left this role."""
        with sqlite3.connect(self.folder / "signatures.db") as database:
            rows = [json.loads(body) for (body,) in database.execute("select body from outbox")]
        return sum(row["type"] == "signature.made" and row["outcome"] == "success" for row in rows)

    def told(self, kind: str) -> list[tuple[Outcome, dict[str, Any]]]:
        return [(each.outcome, dict(each.attributes)) for each in self.recorder.events if each.type == kind]


def opened(
    folder: Path, city: City, readers: ReaderPool, recorder: ListRecorder, clock: ManualClock, *, breath: int = 1 << 30
) -> House:
    left = [breath]
    database = Database.open(f"sqlite:///{folder}/signatures.db")
    migrate(database, ROOT / "signatures" / "migrations")
    # One authority for all lives of the role.
    authority = _AUTHORITIES.setdefault(folder, TestAuthority(city))
    told: Any = Mortal(recorder, left)
    role, people = Store(database, encode=encode), People()
    for subject, username in ((KEEPER, "sun"), (OTHER, "qian")):
        people.persons[subject] = replace(people.persons[CLERK], subject=subject, username=username)
    kept_by = KeepingStore(database, put=role.put)
    store = AgencyStore.open(folder / "agencies.db")
    lets = Letting(store=store, clock=clock)
    granting = sealing(
        store=Mortal(role, left),  # type: ignore[arg-type]  # the same verbs
        readers=readers,
        folder=folder / "keys",
        authority=authority,
        recorder=told,
        clock=clock,
        people=people,
        rules=kept_by.rule,
        lets=lets,
    )
    shelves = ShelfStore.open(folder / "shelf.db")
    shelf = Shelf(folder=folder / "shelf", store=shelves, key=b"k" * 32, clock=clock)
    mortal: Any = (Mortal(store, left), Mortal(shelf, left))
    once = Once(sealing=granting, shelf=mortal[1], store=mortal[0], clock=clock, room=ROOM)
    desk = Desk(shelf=shelf, readers=readers, settings=SignatureSettings())
    orders = seconding(
        store=kept_by,
        granting=granting,
        once=once,
        desk=desk,
        shelf=shelf,
        readers=readers,
        people=people,
        recorder=recorder,
        clock=clock,
    )
    parts: Any = {
        "store": mortal[0],
        "shelf": mortal[1],
        "once": once,
        "orders": orders,
        "organisations": people,
        "recorder": told,
        "clock": clock,
    }
    granting.establish("tax-bureau")
    papers = Papers(
        store=PaperStore(database, put=role.put),
        orders=orders,
        shelf=shelf,
        desk=desk,
        placing=Placing(desk=desk, readers=readers, sealing=Alone(granting), people=People()),
        sealing=granting,
        recorder=recorder,
        nudge=lambda: None,
        clock=clock,
        signed=lambda *_: (),
        largest=LARGEST,
        most_bytes_of_all=ROOM,
    )

    def close() -> None:
        for each in (database, store, shelves):
            each.close()

    batches = Batches(
        folder=folder / "batches", most=4, room=ROOM, lifetime=timedelta(days=7), together=1, lets=lets, **parts
    )
    orders.lead(papers=papers, batches=batches)
    return House(
        agencies=Agencies(tell=role.tell, **parts),
        batches=batches,
        papers=papers,
        orders=orders,
        kept_by=kept_by,
        store=store,
        shelf=shelf,
        recorder=recorder,
        clock=clock,
        folder=folder,
        close=close,
    )


@pytest.fixture
def house(tmp_path: Path, city: City, readers: ReaderPool) -> Iterator[House]:
    made = opened(tmp_path, city, readers, ListRecorder(), ManualClock())
    yield made
    made.close()


def program(client: str = "tax-letters", **more: Any) -> Identity:
    fields: dict[str, Any] = {
        "subject": client,
        "kind": "client",
        "session": "",
        "roles": frozenset(),
        "assurance": 2,
        "methods": (),
        "zone": "external",
        "decision": secrets.token_hex(16),
    }
    return Identity(**{**fields, **more})


def let(house: House, client: str = "tax-letters", *doings: str, **more: Any) -> None:
    wanted: dict[str, Any] = {
        "per_minute": 100,
        "per_day": 1000,
        "until": house.clock.now().date(),
        "reason": "letters",
    }
    wanted |= {"organisation": "tax-bureau", "doings": frozenset(doings or map(str, Doing))}
    house.agencies.let(client, **{**wanted, **more})


def sealed(house: House, document: bytes, *, key: str = "", client: str = "tax-letters") -> bytes:
    found, _ = house.agencies.admit(program(client), Doing.SEAL)
    return house.agencies.seal(found, program(client), document, key=key)


def letters(count: int) -> dict[str, bytes]:
    return {f"letter-{number}.pdf": PERMIT + b"%% %d\n" % number for number in range(count)}


def confirmed(house: House, owner: str, files: dict[str, bytes]) -> Batch:
    batch = house.batches.open(owner, "tax-bureau", assurance=2)
    for name, document in files.items():
        assert house.batches.add(owner, batch.id, name, document)
    return house.batches.start(owner, batch.id, **digest(files))


def digest(files: dict[str, bytes]) -> dict[str, Any]:
    count, found = list_digest((name, hashlib.sha256(files[name]).hexdigest()) for name in sorted(files))
    return {"count": count, "digest": found}


def test_nobody_let_it_so_it_may_nothing_and_that_is_on_record(house: House) -> None:
    for identity in (program(), program(kind="person", subject=CLERK)):
        with pytest.raises(ProgramUnknown):
            house.agencies.admit(identity, Doing.VERIFY)
    let(house, "tax-letters", "verify")
    with pytest.raises(ProgramUnknown):
        house.agencies.admit(program(), Doing.SEAL)
    house.clock.advance(timedelta(seconds=86400))
    with pytest.raises(ProgramUnknown):
        house.agencies.admit(program(), Doing.VERIFY)
    refused = house.told("signature.program.refused")
    assert [told["act"] for _, told in refused] == ["verify", "verify", "seal", "verify"]
    assert {outcome for outcome, _ in refused} == {Outcome.DENIED}
    # Taking away waits for nobody: not for a log that is gone either.
    house.recorder.down = True
    house.agencies.end("tax-letters")
    house.recorder.down = False
    with pytest.raises(NotFound):
        house.agencies.end("tax-letters")
    with sqlite3.connect(house.folder / "signatures.db") as database:
        rows = [json.loads(body)["type"] for (body,) in database.execute("select body from outbox")]
    assert rows == ["signature.program.ended"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_minute": 0},
        {"per_minute": 11, "per_day": 10},
        {"until": date(2020, 1, 1)},
        {"until": date(2099, 1, 1)},
        {"reason": " "},
        {"client": "../up"},
        {"doings": frozenset({"everything"})},
        {"doings": frozenset()},
    ],
)
def test_what_cannot_be_right_is_not_written_down(house: House, wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"client": "a", "organisation": "tax-bureau", "doings": frozenset({"verify"})}
    right |= {"per_minute": 1, "per_day": 10, "until": house.clock.now().date(), "reason": "letters"}
    with pytest.raises(Invalid):
        house.agencies.let(**{**right, **wrong})
    assert house.agencies.all() == []


def test_an_agency_has_one_quota_for_all_its_programs_and_it_survives_a_restart(house: House) -> None:
    let(house, "tax-letters", per_minute=3, per_day=5)
    let(house, "tax-notices", per_minute=3, per_day=5)
    left = [house.agencies.admit(program(name), Doing.VERIFY)[1] for name in ("tax-letters", "tax-notices")]
    assert [each and each.remaining for each in left] == [2, 1]
    again = AgencyStore.open(house.folder / "agencies.db")
    found = again.program("tax-letters")
    assert found is not None
    assert again.use(found, at=house.clock.now()).remaining == 0
    again.close()
    with pytest.raises(QuotaExceeded) as refused:
        house.agencies.admit(program("tax-notices"), Doing.VERIFY)
    told = refused.value.headers
    assert 1 <= int(told["Retry-After"]) <= 60
    assert told["RateLimit-Policy"] == '"agency";q=3;w=60'
    assert house.told("signature.program.refused")[-1][1] == {"act": "verify", "code": "quota"}
    # What was refused was not counted: two are left of the day.
    house.clock.advance(timedelta(seconds=60))
    for _ in range(2):
        house.agencies.admit(program(), Doing.VERIFY)
    with pytest.raises(QuotaExceeded) as refused:
        house.agencies.admit(program(), Doing.VERIFY)
    assert refused.value.headers["RateLimit-Policy"] == '"agency";q=5;w=86400'


def test_the_same_key_and_document_are_sealed_once_and_another_document_is_refused(house: House) -> None:
    let(house)
    first = sealed(house, PERMIT, key=KEY)
    assert sealed(house, PERMIT, key=KEY) == first
    assert house.made() == 1
    with pytest.raises(KeyReused):
        sealed(house, PERMIT + b"%%\n", key=KEY)
    # Another caller's key is another key.
    let(house, "tax-notices")
    assert sealed(house, PERMIT, key=KEY, client="tax-notices") != first
    # And after a day it means nothing any more.
    house.clock.advance(timedelta(seconds=24 * 3600))
    let(house)
    house.shelf.tidy()
    sealed(house, PERMIT, key=KEY)
    assert house.made() == 3
    for key in ("short", '"short"', '"with a blank in it"', "x" * 100):
        with pytest.raises(KeyMalformed):
            sealed(house, PERMIT, key=key)


def test_a_second_request_waits_for_the_first_and_a_failed_one_can_be_tried_again(house: House) -> None:
    let(house)
    now = house.clock.now()
    body = hashlib.sha256(b"seal\0" + PERMIT).hexdigest()
    house.store.begin("client:tax-letters:tax-bureau", KEY.strip('"'), body, claim="c" * 32, at=now, hold=120)
    with pytest.raises(KeyInUse):
        sealed(house, PERMIT, key=KEY)
    house.clock.advance(timedelta(seconds=121))
    assert sealed(house, PERMIT, key=KEY)
    with pytest.raises(CannotSeal):
        sealed(house, b"no PDF", key='"another-key"')
    with pytest.raises(CannotSeal):
        sealed(house, b"no PDF", key='"another-key"')


def test_a_key_leads_the_next_organisation_of_a_program_to_nothing_of_the_last_one(house: House) -> None:
    let(house)
    first = sealed(house, PERMIT, key=KEY)
    keep(house)
    with pytest.raises(SecondAsked) as waits:
        sealed(house, PERMIT, key='"another-key"')
    let(house, organisation="silk-company")
    for key in (KEY, '"another-key"'):
        # It has no seal, so there is nothing that it could be given.
        with pytest.raises(NoSeal):
            sealed(house, PERMIT, key=key)
    let(house)
    assert sealed(house, PERMIT, key=KEY) == first
    for keeper in (CLERK, KEEPER):
        confirm(house, waits.value.order, keeper)
    let(house, organisation="silk-company")
    with pytest.raises(NoSeal):
        sealed(house, PERMIT, key='"another-key"')
    let(house)
    assert sealed(house, PERMIT, key='"another-key"')


def test_nothing_is_kept_unless_a_key_asks_for_it(house: House) -> None:
    let(house)
    sealed(house, PERMIT)
    assert list((house.folder / "shelf").iterdir()) == []
    sealed(house, PERMIT, key=KEY)
    (kept,) = (house.folder / "shelf").iterdir()
    assert b"%PDF" not in kept.read_bytes()
    house.clock.advance(timedelta(seconds=25 * 3600))
    assert house.shelf.tidy() == 1
    assert list((house.folder / "shelf").iterdir()) == []


def test_a_batch_is_what_was_confirmed_and_each_document_has_its_end(house: House) -> None:
    let(house)
    files = {**letters(2), "broken.pdf": b"%PDF-1.7 noise"}
    owner = "client:tax-letters"
    batch = house.batches.open(owner, "tax-bureau")
    for name, document in files.items():
        assert house.batches.add(owner, batch.id, name, document)
        assert not house.batches.add(owner, batch.id, name, document)
    with pytest.raises(NameTaken):
        house.batches.add(owner, batch.id, "letter-0.pdf", b"%PDF another")
    for wrong in ({**digest(files), "count": 2}, {**digest(files), "digest": "0" * 64}):
        with pytest.raises(BatchDiffers):
            house.batches.start(owner, batch.id, **wrong)
    with pytest.raises(NoSuchBatch):
        house.batches.start("client:tax-notices", batch.id, **digest(files))
    assert house.batches.work() == 0
    house.batches.start(owner, batch.id, **digest(files))
    with pytest.raises(BatchClosed):
        house.batches.add(owner, batch.id, "late.pdf", PERMIT)
    assert house.batches.work() == 3
    # Again is the same, and begins nothing.
    found = house.batches.start(owner, batch.id, **digest(files))
    assert (found.state, found.made, found.failed, found.waiting) == (BatchState.DONE, 2, 1, 0)
    assert [(each.name, each.code) for each in house.batches.items(owner, batch.id)] == [
        ("broken.pdf", "cannot_seal"),
        ("letter-0.pdf", ""),
        ("letter-1.pdf", ""),
    ]
    assert house.made() == 2
    with zipfile.ZipFile(io.BytesIO(b"".join(house.batches.packed(owner, batch.id)))) as box:
        assert box.namelist() == ["letter-0.pdf", "letter-1.pdf"]
        assert box.read("letter-0.pdf") == house.batches.result(owner, batch.id, "letter-0.pdf")
        assert box.read("letter-0.pdf").startswith(files["letter-0.pdf"])
    for name in ("broken.pdf", "nothing.pdf"):
        with pytest.raises(NoSuchBatch):
            house.batches.result(owner, batch.id, name)
    ((_, begun),) = house.told("signature.batch.started")
    assert begun == {"documents": 3, "digest": digest(files)["digest"]}
    assert house.told("signature.batch.ended") == [(Outcome.FAILURE, {"made": 2, "failed": 1})]
    house.clock.advance(timedelta(seconds=8 * 86400))
    house.batches.tidy()
    with pytest.raises(NoSuchBatch):
        house.batches.one(owner, batch.id)


@pytest.mark.parametrize("other", ["LETTER-é.pdf", "letter-e\u0301.pdf", "letter-é.pdf ", "\uff4cetter-é.pdf"])
def test_two_names_that_are_one_where_results_are_unpacked_are_no_batch(house: House, other: str) -> None:
    files = {"letter-é.pdf": PERMIT, other: PERMIT + b"%%\n"}
    with pytest.raises(NameTaken):
        confirmed(house, f"operator:{CLERK}", files)
    assert (house.batches.work(), house.made()) == (0, 0)


def test_there_is_no_batch_for_an_organisation_that_nobody_knows(house: House) -> None:
    with pytest.raises(NotFound):
        house.batches.open(f"operator:{CLERK}", "no-such-organisation")


def test_a_batch_takes_no_more_than_it_may_and_a_stranger_seals_nothing(house: House) -> None:
    with pytest.raises(BatchClosed):
        confirmed(house, "client:tax-letters", letters(5))
    assert len(list((house.folder / "shelf").iterdir())) == 4
    batch = confirmed(house, "operator:nobody", letters(1))
    house.batches.work()
    assert [each.code for each in house.batches.items(batch.owner, batch.id)] == ["seal_denied"]
    assert house.made() == 0


def test_whatever_step_it_dies_at_each_document_is_signed_once(tmp_path: Path, city: City, readers: ReaderPool) -> None:
    files, breath, deaths = letters(1), 0, 0
    while True:
        folder = tmp_path / str(breath)
        folder.mkdir()
        recorder, clock = ListRecorder(), ManualClock()
        first = opened(folder, city, readers, recorder, clock)
        batch = confirmed(first, f"operator:{CLERK}", files)
        first.close()
        mortal = opened(folder, city, readers, recorder, clock, breath=2 + breath)
        try:
            mortal.batches.work()
            died = False
        except Death:
            died = True
        mortal.close()
        second = opened(folder, city, readers, recorder, clock)
        second.batches.work()
        found = second.batches.one(batch.owner, batch.id)
        assert (found.state, found.made, found.failed) == (BatchState.DONE, 1, 0), breath
        assert second.made() == 1, breath
        # Nothing lies on the shelf but the result.
        assert len(list((folder / "shelf").iterdir())) <= 1 + died, breath
        assert len({each.key for each in recorder.events if each.type == "signature.batch.ended"}) == 1
        second.close()
        if not died:
            break
        deaths, breath = deaths + 1, breath + 3
    assert deaths >= 4


class Caller:
    """A program at the role, as the gateway lets it through."""

    def __init__(self, client: FlaskClient, house: House, name: str) -> None:
        self._client, self._house, self._name = client, house, name

    def __call__(self, method: str, path: str, *, key: str = "", **named: Any) -> Any:
        path = f"/agencies/v1{path}"
        at = self._house.clock.now()
        said = IdentityIssuer(GATEWAY).issue(program(self._name), audience=SIGN, method=method, path=path, at=at)
        headers = {HEADER: said, **({"Idempotency-Key": key} if key else {})}
        return self._client.open(path, method=method, base_url=f"https://{SIGN}", headers=headers, **named)


def keeping(house: House, city: City, readers: ReaderPool) -> Archiving:
    def stamp(over: bytes) -> bytes:
        return stamper.token(over, stamper.unit(city.devices), house.clock.now())

    return Archiving(
        store=ArchiveStore.open(house.folder / "archive.db"), shelf=house.shelf, readers=readers, trust=city.trust,
        lists=city.lists, stamp=stamp, second=None, recorder=house.recorder, commitments=Commitments(b"k" * 32),
        clock=house.clock, lock=house.folder / "archive.lock",
        rules=Rules(grace=timedelta(), ahead=timedelta(), ends={}, room=ROOM),
    )  # fmt: skip


@pytest.fixture
def app(house: House, city: City, readers: ReaderPool) -> Flask:
    checking = Verification(
        readers=readers, trust=city.trust, lists=city.lists, recorder=house.recorder,
        commitments=Commitments(b"k" * 32), clock=house.clock,
    )  # fmt: skip
    site = SiteSettings(
        name="city", domain="city.localhost", title="Jiangcheng", title_zh="江城市", state=house.folder,
        ports=Ports(external=1, internal=2, management=3, plain=4, ldaps=5),
    )  # fmt: skip
    guard = Guard(clock=house.clock, pairs=PairSecrets({"app": b"a" * 32}), verifier=verifier())
    parts = [
        web.agencies(house.agencies, house.batches, checking, largest=LARGEST),
        web.paper_programs(house.agencies, house.papers, largest=LARGEST),
        web.orders(house.agencies, house.orders),
        web.archive(house.agencies, keeping(house, city, readers), largest=LARGEST),
    ]
    made = create(
        "signatures", site=site, guard=guard, session_key=b"s" * 32,
        blueprints=[blueprint(guard, parts, largest=LARGEST)], translations=[ROOT / "signatures" / "translations"],
    )  # fmt: skip
    made.config["SERVER_NAME"] = None
    return made


def test_a_program_seals_verifies_and_batches_over_http(house: House, app: Flask) -> None:
    ask = Caller(app.test_client(), house, "tax-letters")
    pdf: dict[str, Any] = {"data": PERMIT, "content_type": "application/pdf"}
    assert ask("POST", "/seal", **pdf).json["code"] == "program_not_let_sign"
    let(house, per_minute=12)
    made = ask("POST", "/seal", key=KEY, **pdf)
    assert (made.status_code, made.headers["RateLimit"]) == (200, '"agency";r=11;t=60')
    assert ask("POST", "/seal", key=KEY, **pdf).data == made.data
    other = ask("POST", "/seal", key=KEY, data=PERMIT + b"%%\n", content_type="application/pdf")
    assert (other.status_code, other.json["code"], other.json["status"]) == (422, "idempotency_key_reused", 422)
    verdict = ask("POST", "/verify", data=made.data, content_type="application/pdf")
    assert verdict.json["format"] == "pdf"
    batch = ask("POST", "/batches").json["id"]
    files = letters(1)
    for name, document in files.items():
        put: dict[str, Any] = {"data": document, "content_type": "application/pdf"}
        assert ask("PUT", f"/batches/{batch}/documents/{name}", **put).status_code == 201
        assert ask("PUT", f"/batches/{batch}/documents/{name}", **put).status_code == 200
    assert ask("POST", f"/batches/{batch}/start", json={**digest(files), "count": 7}).status_code == 409
    assert ask("POST", f"/batches/{batch}/start", json=digest(files)).status_code == 202
    house.batches.work()
    assert ask("GET", f"/batches/{batch}").json["made"] == 1
    assert ask("GET", f"/batches/{batch}/documents/letter-0.pdf").data.startswith(PERMIT)
    assert ask("GET", f"/batches/{batch}/results.zip").data[:2] == b"PK"
    assert ask("GET", f"/batches/{'0' * 32}").status_code == 404
    assert ask("POST", "/batches").status_code == 201
    over = ask("POST", "/seal", **pdf)
    assert (over.status_code, over.json["code"]) == (429, "quota_exceeded")
    assert 1 <= int(over.headers["Retry-After"]) <= 60
    assert {"/agencies/v1/seal", "/agencies/v1/batches/{batch}/start"} <= set(ask("GET", "/openapi.json").json["paths"])


TABLE = "Zhang,1200\n李,900\n".encode()
PLAIN: dict[str, Any] = {"data": TABLE, "content_type": "application/octet-stream"}


def form(document: bytes, **more: Any) -> dict[str, Any]:
    """Parts of a form, each a file."""
    parts = {"document": document, **more}
    lists = {name: each if isinstance(each, list) else [each] for name, each in parts.items()}
    data = {name: [(io.BytesIO(each), f"{name}.bin") for each in several] for name, several in lists.items()}
    return {"data": data, "content_type": "multipart/form-data"}


def test_a_program_signs_beside_any_file_and_has_it_verified(house: House, app: Flask) -> None:
    ask = Caller(app.test_client(), house, "tax-letters")
    let(house, "tax-letters", "verify")
    assert ask("POST", "/detached", **PLAIN).json["code"] == "program_not_let_sign"
    let(house, per_minute=12)
    made = ask("POST", "/detached?name=table.csv", key=KEY, **PLAIN)
    assert (made.status_code, made.mimetype, made.headers["RateLimit"]) == (
        200,
        "application/pkcs7-signature",
        '"agency";r=11;t=60',
    )
    # Once for its key, and for no other wish: not for a seal in the same bytes, nor under another name.
    assert ask("POST", "/detached?name=table.csv", key=KEY, **PLAIN).data == made.data
    assert house.made() == 1
    for path, sent in (
        ("/detached?name=other.csv", PLAIN),
        ("/detached?name=table.csv", {**PLAIN, "data": TABLE + b"."}),
        ("/seal", {"data": TABLE, "content_type": "application/pdf"}),
    ):
        other = ask("POST", path, key=KEY, **sent)
        assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused"), path
    assert ask("POST", "/detached", data=b"", content_type="application/octet-stream").json["code"] == "nothing_sent"
    assert ask("POST", "/detached", data=b"x", content_type="text/html").json["code"] == "wrong_media_type"
    # The file itself is kept nowhere, and without a key the signature is not either.
    ask("POST", "/detached", **PLAIN)
    (kept,) = house.shelf.of("client:tax-letters")
    assert (kept.facts.name, house.made()) == ("table.csv.p7s", 2)
    house.store.use = lambda *_, **__: Left(1, 1, 1, 60)  # type: ignore[method-assign]  # as many as it likes
    for content, answer in ((TABLE, "trusted"), (TABLE + b".", "not_trusted")):
        verdict = ask("POST", "/verify", **form(made.data, content=content))
        assert (verdict.status_code, verdict.json["overall"]) == (200, answer)
    assert ask("POST", "/verify", **form(b"", content=TABLE)).json["code"] == "nothing_sent"
    assert {"/agencies/v1/detached"} <= set(ask("GET", "/openapi.json").json["paths"])


def test_a_signature_beside_waits_for_keepers_like_a_seal(house: House, app: Flask) -> None:
    keep(house)
    let(house)
    ask = Caller(app.test_client(), house, "tax-letters")
    told = ask("POST", "/detached?name=table.csv", key=KEY, **PLAIN)
    assert (told.status_code, told.json["code"]) == (202, "second_asked")
    at = f"/orders/{told.json['order']}"
    assert ask("POST", "/detached?name=table.csv", key=KEY, **PLAIN).json == told.json
    shown = ask("GET", at).json
    assert (shown["purpose"], shown["name"], shown["missing"]) == ("beside", "table.csv", 2)
    assert house.orders.document(KEEPER, told.json["order"]) == (TABLE, "table.csv")
    for each in (CLERK, KEEPER):
        confirm(house, told.json["order"], each)
    signature = ask("GET", f"{at}/file")
    assert signature.mimetype == "application/pkcs7-signature"
    assert ask("POST", "/detached?name=table.csv", key=KEY, **PLAIN).data == signature.data
    assert ask("POST", "/verify", **form(signature.data, content=TABLE)).json["overall"] == "trusted"


def test_stamps_beside_a_document_are_judged_with_it(house: House, app: Flask, city: City, sealed: bytes) -> None:
    let(house)
    ask = Caller(app.test_client(), house, "tax-letters")
    units = [stamper.unit(city.devices) for _ in range(2)]
    kept = archived.kept(city, sealed, classical=units[0], lattice=units[1], at=house.clock.now())

    def told(sent: dict[str, Any]) -> set[str]:
        verdict = ask("POST", "/verify", **sent).json
        return {each["code"] for each in verdict["problems"] if each["code"].startswith("stamp_beside")}

    alone = told({"data": kept.document, "content_type": "application/pdf"})
    # One that is missing, and one that is over something else, is told and never passed over.
    assert (alone, told(form(kept.document))) == ({"stamp_beside_absent"}, {"stamp_beside_absent"})
    assert not told(form(kept.document, beside=[kept.token])) & {"stamp_beside_absent", "stamp_beside_broken"}
    both = told(form(kept.document, beside=[kept.token, b"no stamp"]))
    assert ("stamp_beside_broken" in both, "stamp_beside_absent" in both) == (True, False)


def test_a_program_deposits_and_fetches_what_is_kept(house: House, app: Flask) -> None:
    let(house)
    client = app.test_client()
    ask, other = Caller(client, house, "tax-letters"), Caller(client, house, "tax-notices")
    let(house, "tax-notices", "verify")
    pdf: dict[str, Any] = {"content_type": "application/pdf"}
    assert ask("POST", "/archive", data=PERMIT, **pdf).json["code"] == "not_archivable"
    made = ask("POST", "/seal", data=PERMIT, **pdf).data
    kept = ask("POST", "/archive", data=made, **pdf)
    assert (kept.status_code, kept.json["keeping"]) == (201, "waiting")
    assert ask("GET", f"/archive/{kept.json['id']}").json == kept.json
    assert ask("GET", f"/archive/{kept.json['id']}/file").data == made
    assert other("GET", f"/archive/{kept.json['id']}/file").status_code == 403
    let(house, "tax-notices", "archive")
    assert other("GET", f"/archive/{kept.json['id']}/file").status_code == 404


def test_the_sample_of_the_manual_seals_a_batch(house: House, app: Flask) -> None:
    let(house)
    ask = Caller(app.test_client(), house, "tax-letters")

    class Answer:
        def __init__(self, response: Any) -> None:
            self.json = lambda: response.json

    class Session:
        def post(self, url: str, **named: Any) -> Answer:
            return Answer(ask("POST", url, **named))

        def put(self, url: str, *, data: bytes, headers: dict[str, str]) -> Answer:
            return Answer(ask("PUT", url, data=data, content_type=headers["Content-Type"]))

    manual = (ROOT / "docs" / "agencies.md").read_text("utf-8")
    sample: dict[str, Any] = {}
    exec(manual.partition("```python\n")[2].partition("```")[0], sample)  # noqa: S102 - the text that people copy
    batch = sample["seal_all"](Session(), "", letters(2))
    house.batches.work()
    assert house.batches.one("client:tax-letters", batch).made == 2


def test_names_that_lead_elsewhere_are_refused(house: House, app: Flask) -> None:
    let(house)
    ask = Caller(app.test_client(), house, "tax-letters")
    batch = ask("POST", "/batches").json["id"]
    pdf: dict[str, Any] = {"data": PERMIT, "content_type": "application/pdf"}
    for name in ("..%5Cup.pdf", "%07.pdf", "x" * 201):
        assert ask("PUT", f"/batches/{batch}/documents/{name}", **pdf).status_code in {400, 403, 404}, name


def test_what_is_on_the_shelf_is_the_owners_alone(house: House) -> None:
    let(house)
    sealed(house, PERMIT, key=KEY)
    (kept,) = house.shelf.of("client:tax-letters")
    for owner in ("client:tax-notices", f"person:{CLERK}", ""):
        with pytest.raises(NoSuchDocument):
            house.shelf.read(owner, kept.id)


def test_a_program_begins_seals_numbers_and_issues_an_official_document(house: House, app: Flask) -> None:
    let(house)
    ask = Caller(app.test_client(), house, "tax-letters")
    query = "kind=official&word=%E6%B1%9F%E7%A8%8E&title=Notice"
    begun = ask("POST", f"/papers?{query}", data=PERMIT, content_type="application/pdf")
    assert (begun.status_code, begun.json["state"]) == (201, "countersigned")
    at = f"/papers/{begun.json['id']}"
    assert ask("POST", f"{at}/issue").status_code == 409
    assert ask("POST", f"{at}/seal").json["number"].endswith("1号")
    assert ask("POST", f"{at}/seal").status_code == 409
    assert ask("POST", f"{at}/issue").json["state"] == "issued"
    assert ask("GET", f"{at}/file").data.startswith(PERMIT)
    assert ask("POST", f"{at}/burn").status_code == 400
    made = [event for event in house.recorder.events if event.type == "signature.intended"]
    assert [each.subject for each in made] == ["tax-letters"]
    # A paper that begins with another's seal waits for them; the program's own comes after.
    other = ask(
        "POST", "/papers?kind=round&signer=silk-company&signer=@wang", data=PERMIT, content_type="application/pdf"
    )
    waiting = f"/papers/{other.json['id']}"
    assert [bool(each["person"]) for each in other.json["turns"]] == [False, True]
    assert ask("POST", f"{waiting}/seal").status_code == 409
    assert ("paper.refused", "not_their_turn") in [
        (each.type, each.attributes.get("code")) for each in house.recorder.events
    ]
    assert ask("POST", f"{waiting}/withdraw").json["state"] == "withdrawn"
    # A program of another agency sees nothing of it, and one that may not is refused.
    let(house, "silk-letters", organisation="silk-company")
    assert Caller(app.test_client(), house, "silk-letters")("GET", at).status_code == 404
    let(house, "tax-notices", "verify")
    assert Caller(app.test_client(), house, "tax-notices")("GET", at).status_code == 403


def test_what_a_program_did_for_one_organisation_is_not_its_next_one_s(house: House, app: Flask) -> None:
    """Another office takes the program over, or another program comes under its name."""
    let(house)
    ask, pdf = Caller(app.test_client(), house, "tax-letters"), {"content_type": "application/pdf"}
    batch, files = ask("POST", "/batches").json["id"], letters(1)
    ask("PUT", f"/batches/{batch}/documents/letter-0.pdf", data=files["letter-0.pdf"], **pdf)
    ask("POST", f"/batches/{batch}/start", json=digest(files))
    house.batches.work()
    waits = ask("POST", "/batches").json["id"]
    paper = ask("POST", "/papers?kind=round&signer=tax-bureau", data=PERMIT, **pdf).json["id"]
    kept = ask("POST", "/archive", data=ask("POST", "/seal", data=PERMIT, **pdf).data, **pdf).json["id"]
    keep(house)
    order = ask("POST", "/seal", data=PERMIT, **pdf).json["order"]
    paths = [
        *(("GET", f"/batches/{batch}{each}") for each in ("", "/documents", "/documents/letter-0.pdf", "/results.zip")),
        *(("GET", f"{at}{each}") for at in (f"/papers/{paper}", f"/archive/{kept}") for each in ("", "/file")),
        ("GET", f"/orders/{order}"),
        ("POST", f"/orders/{order}/withdraw"),
        ("POST", f"/papers/{paper}/withdraw"),
        ("POST", f"/batches/{waits}/start"),
        ("PUT", f"/batches/{waits}/documents/letter-0.pdf"),
    ]
    sent: dict[str, dict[str, Any]] = {"start": {"json": digest(files)}, ".pdf": {"data": PERMIT, **pdf}}

    def answers() -> set[int]:
        told = set()
        for method, path in paths:
            more = next((each for end, each in sent.items() if path.endswith(end) and method != "GET"), {})
            told.add(ask(method, path, **more).status_code)
        return told

    let(house, organisation="silk-company")
    assert answers() == {404}
    let(house)
    assert answers() & {404, 403} == set()
    # Whoever may do anything reads how.
    let(house, "tax-letters", "archive")
    assert ask("GET", "/openapi.json").status_code == 200


def keep(house: House, *, two: bool = True) -> None:
    """The clerk and another one keep the seal; it takes both."""
    at = house.clock.now()

    def event() -> Event:
        return Event(
            key=secrets.token_hex(16), type="signature.keepers.changed", outcome=Outcome.SUCCESS, at=at,
            source="signatures", object=OFFICE, organisation=OFFICE,
        )  # fmt: skip

    house.kept_by.name_first(OFFICE, [CLERK, KEEPER], event())
    if two:
        change = Change(
            id="c" * 32, organisation=OFFICE, act=Act.TWO, subject="", by=CLERK, session="s1", made_at=at,
            until=at + timedelta(days=1),
        )  # fmt: skip
        house.kept_by.propose(change, event())
        house.kept_by.end_change(change, State.MADE, at=at, event=event())


def confirm(house: House, order: str, by: str = KEEPER) -> Order:
    """What a keeper confirmed at sign-on."""
    wish = Wish(actor=by, assurance=2, zone="internal", session=f"s{by[-3:]}")
    proof = Proof(consent="c" * 32, by="card")
    return house.orders.confirm(order, wish, sha256=house.kept_by.one(order).sha256, proof=proof)


def asked(house: House, batch: Batch) -> Order:
    order = house.batches.order(batch)
    assert order is not None
    return order


def test_a_batch_waits_until_a_second_keeper_confirmed_its_list(house: House) -> None:
    keep(house)
    files, owner = letters(2), f"operator:{CLERK}"
    batch = confirmed(house, owner, files)
    order = asked(house, batch)
    assert (batch.state, order.state, house.batches.work(), house.made()) == (BatchState.WAITING, State.PENDING, 0, 0)
    # Again is the same order, of the very list that the clerk confirmed.
    house.batches.start(owner, batch.id, **digest(files))
    assert (asked(house, batch), order.sha256) == (order, digest(files)["digest"])
    with pytest.raises(BatchClosed):
        house.batches.add(owner, batch.id, "late.pdf", PERMIT)
    # The keeper sees the list and each document; nobody else does.
    seen = house.orders.documents(KEEPER, order.id, after="")
    assert [(each.name, each.sha256) for each in seen] == [
        (name, hashlib.sha256(files[name]).hexdigest()) for name in sorted(files)
    ]
    assert house.orders.look(KEEPER, order.id, page=1, across=80, number=seen[1].number)[0][:4] == b"\x89PNG"
    assert house.orders.pages(KEEPER, order.id, number=seen[1].number) == 1
    with pytest.raises(NoSuchDocument):
        house.orders.look(KEEPER, order.id, page=1, across=80, number=7)
    with pytest.raises(NoSuchOrder):
        house.orders.documents(OTHER, order.id, after="")
    # Neither who asked nor who keeps another seal, or none.
    with pytest.raises(SamePerson):
        confirm(house, order.id, CLERK)
    with pytest.raises(NoSuchOrder):
        confirm(house, order.id, OTHER)
    assert confirm(house, order.id).state is State.MADE
    with pytest.raises(OrderOver):
        confirm(house, order.id)
    assert (house.batches.work(), house.batches.one(owner, batch.id).state) == (2, BatchState.DONE)
    intents = [each for each in house.recorder.events if each.type == "signature.intended"]
    assert {(each.subject, each.actor) for each in intents} == {(CLERK, KEEPER)}
    assert (house.made(), len(intents)) == (2, 2)
    kinds = [each.type for each in house.recorder.events]
    steps = "signature.order.confirmed", "signature.batch.started", "signature.intended"
    assert [kinds.index(each) for each in steps] == sorted(kinds.index(each) for each in steps)


def test_a_batch_that_keepers_do_not_confirm_ends_without_a_seal(house: House) -> None:
    keep(house)
    files, owner = letters(1), f"operator:{CLERK}"
    ends = []
    for number, by in enumerate((KEEPER, CLERK, "")):
        files = {f"letter-{number}.pdf": PERMIT + b"%%%% %d\n" % number}
        batch = confirmed(house, owner, files)
        if by:
            house.orders.refuse(by, asked(house, batch).id)
        else:
            house.clock.advance(timedelta(days=1))
            with pytest.raises(OrderOver):
                confirm(house, asked(house, batch).id)
            assert house.orders.replay() == 1
        house.batches.work()
        # Starting it again asks nobody again.
        ends.append((house.batches.start(owner, batch.id, **digest(files)).state, asked(house, batch).state))
    assert ends == [(BatchState.REFUSED, state) for state in (State.REFUSED, State.WITHDRAWN, State.EXPIRED)]
    # Whoever keeps the seal not starts nothing, and the batch takes documents again.
    batch = house.batches.open(f"operator:{OTHER}", OFFICE, assurance=2)
    house.batches.add(batch.owner, batch.id, "letter.pdf", PERMIT)
    with pytest.raises(NotKeeper):
        house.batches.start(batch.owner, batch.id, **digest({"letter.pdf": PERMIT}))
    assert house.batches.one(batch.owner, batch.id).state is BatchState.OPEN
    assert house.made() == 0


def test_a_batch_whose_documents_change_after_they_were_confirmed_is_not_sealed(house: House) -> None:
    keep(house)
    files, owner = letters(2), f"operator:{CLERK}"
    batch = confirmed(house, owner, files)

    def tamper(text: str, *values: str) -> None:
        with sqlite3.connect(house.folder / "agencies.db") as database:
            database.execute(text, values)

    # Another list than the clerk's, while the keeper looks.
    tamper("update items set name = 'zzz.pdf' where name = ?", "letter-0.pdf")
    with pytest.raises(OrderChanged):
        confirm(house, asked(house, batch).id)
    assert house.recorder.events[-1].attributes["code"] == "order_changed"
    tamper("update items set name = 'letter-0.pdf' where name = ?", "zzz.pdf")
    confirm(house, asked(house, batch).id)
    # Another document behind a name of the list, after both confirmed.
    (one, two) = house.batches.items(owner, batch.id)
    tamper("update items set source = ? where name = ?", two.source, one.name)
    house.batches.work()
    ended = [(each.name, each.code) for each in house.batches.items(owner, batch.id)]
    assert ended == [("letter-0.pdf", "order_changed"), ("letter-1.pdf", "")]
    assert house.made() == 1


@pytest.mark.parametrize("step", ["ask", "made", "carried"])
def test_a_batch_that_waits_survives_a_death_at_every_step(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    keep(house)
    files, owner = letters(1), f"operator:{CLERK}"

    def die(*_: object, **__: object) -> None:
        raise Death

    batch = house.batches.open(owner, OFFICE, assurance=2)
    house.batches.add(owner, batch.id, "letter-0.pdf", files["letter-0.pdf"])
    if step == "ask":
        with monkeypatch.context() as dying:
            dying.setattr(house.orders, "ask", die)
            with pytest.raises(Death):
                house.batches.start(owner, batch.id, **digest(files))
        # It waits, nobody was asked, and nothing of it is sealed; the clerk's next attempt asks.
        assert (house.batches.work(), house.batches.order(batch)) == (0, None)
    batch = house.batches.start(owner, batch.id, **digest(files))
    order = asked(house, batch)
    if step == "ask":
        confirm(house, order.id)
    else:
        with monkeypatch.context() as dying:
            dying.setattr(*((house.kept_by, "made", die) if step == "made" else (house.batches, "carried", die)))
            with pytest.raises(Death):
                confirm(house, order.id)
        house.clock.advance(timedelta(minutes=11))
        assert house.orders.replay() == (1 if step == "made" else 0)
    assert house.batches.work() == 1
    assert (house.batches.one(owner, batch.id).state, house.made()) == (BatchState.DONE, 1)


def test_what_a_program_asks_waits_for_two_keepers_and_its_key_finds_it_again(house: House, app: Flask) -> None:
    keep(house)
    let(house)
    let(house, "tax-notices")
    ask, other = (Caller(app.test_client(), house, name) for name in ("tax-letters", "tax-notices"))
    pdf: dict[str, Any] = {"data": PERMIT, "content_type": "application/pdf"}
    told = ask("POST", "/seal", key=KEY, **pdf)
    assert (told.status_code, told.json["code"]) == (202, "second_asked")
    order = told.json["order"]
    assert ask("POST", "/seal", key=KEY, **pdf).json == told.json
    at = f"/orders/{order}"
    assert {name: ask("GET", at).json[name] for name in ("state", "missing", "purpose", "name")} == {
        "name": "untitled",
        "state": "pending",
        "missing": 2,
        "purpose": "document",
    }
    assert [other("GET", at).status_code, other("POST", f"{at}/withdraw").status_code] == [404, 404]
    assert ask("GET", f"{at}/file").status_code == 404
    confirm(house, order, CLERK)
    with pytest.raises(SamePerson):
        confirm(house, order, CLERK)
    assert (ask("GET", at).json["missing"], house.made()) == (1, 0)
    confirm(house, order)
    sealed_ = ask("GET", f"{at}/file").data
    assert sealed_.startswith(PERMIT)
    again = ask("POST", "/seal", key=KEY, **pdf)
    assert (again.status_code, again.data, house.made()) == (200, sealed_, 1)
    # What was withdrawn or refused is not asked for again by its key; without a key each request is another order.
    second = ask("POST", "/seal", key='"another-key"', **pdf).json["order"]
    assert ask("POST", f"/orders/{second}/withdraw").json["state"] == "withdrawn"
    over = ask("POST", "/seal", key='"another-key"', **pdf)
    assert (over.status_code, over.json["code"]) == (409, "order_over")
    assert ask("POST", f"/orders/{second}/withdraw").status_code == 409
    assert len({ask("POST", "/seal", **pdf).json["order"] for _ in range(2)}) == 2
    # Batches and papers wait alike.
    batch, files = ask("POST", "/batches").json["id"], letters(1)
    ask("PUT", f"/batches/{batch}/documents/letter-0.pdf", data=files["letter-0.pdf"], content_type="application/pdf")
    waits = ask("POST", f"/batches/{batch}/start", json=digest(files)).json
    assert (waits["state"], waits["order"]["state"]) == ("waiting", "pending")
    begun = ask("POST", "/papers?kind=official&word=%E6%B1%9F%E7%A8%8E&title=Notice", **pdf).json["id"]
    paper = ask("POST", f"/papers/{begun}/seal")
    assert (paper.status_code, ask("POST", f"/papers/{begun}/seal").json) == (202, paper.json)
    for each in (waits["order"]["id"], paper.json["order"]):
        confirm(house, each, CLERK)
        confirm(house, each)
    house.batches.work()
    assert ask("GET", f"/batches/{batch}").json["state"] == "done"
    done = ask("GET", f"/papers/{begun}").json
    assert (done["state"], done["number"][-2:], house.made()) == ("sealed", "1号", 3)
    # An end of the right ends it for what waits too.
    house.agencies.end("tax-letters")
    assert ask("GET", at).status_code == 403


def test_the_interface_is_as_it_is_described(house: House, app: Flask) -> None:
    let(house, per_minute=100_000, per_day=100_000)
    inner = app.wsgi_app

    def known(environ: dict[str, Any], start: Any) -> Any:
        # As the gateway lets the program through, whatever it asks.
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"] + ("?" + environ["QUERY_STRING"]).rstrip("?")
        environ["REQUEST_URI"] = path
        at = house.clock.now()
        said = IdentityIssuer(GATEWAY).issue(program(), audience=SIGN, method=method, path=path, at=at)
        return inner({**environ, "HTTP_" + HEADER.upper().replace("-", "_"): said}, start)

    app.wsgi_app = known  # type: ignore[assignment,method-assign]  # every request of the test
    schema = schemathesis.openapi.from_wsgi("/agencies/v1/openapi.json", app)
    seen = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found.err()
        operation = found.ok()
        seen += 1

        @settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def hold(case: Any) -> None:
            case.validate_response(case.call(), excluded_checks=[ignored_auth, positive_data_acceptance])

        hold()
    assert seen == 20
