# SPDX-License-Identifier: Apache-2.0
"""Batches on the host ``sign``: seen by whoever answers for the seal, stopped, let go on, fetched; recorded."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask

from audit import Outcome
from core.site import Ports, SiteSettings
from core.web import Guard, create
from signatures import web
from signatures.agencies import Batch, BatchNotThere, BatchState, NoSuchBatch
from signatures.sandbox import ReaderPool
from signatures.service import Responsible, Verification
from signatures.web import blueprint
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures.fakes import CITIZEN, CLERK, COMMITMENTS, MERCHANT, People
from tests.signatures.own_pages import SIGN, Visitor, verifier
from tests.signatures.pki import City
from tests.signatures.signing_person import ISSUER
from tests.signatures.signing_person import house as home
from tests.signatures.test_agencies import Death, House, Mortal, confirmed, let, letters, opened

ROOT = Path(__file__).parents[2]
TAX = frozenset({"tax-bureau"})


@pytest.fixture
def house(tmp_path: Path, city: City, readers: ReaderPool) -> Iterator[House]:
    made = opened(tmp_path, city, readers, ListRecorder(), ManualClock())
    yield made
    made.close()


def begun(
    house: House, number: int = 2, *, owner: str = f"operator:{CLERK}", more: dict[str, bytes] | None = None
) -> Batch:
    return confirmed(house, owner, {**letters(number), **(more or {})})


def present(house: House, batch: Batch) -> Batch:
    return house.batches.concerning(CLERK, TAX, batch.id)


def test_a_stop_bites_at_once_and_the_batch_goes_on_with_what_was_confirmed(house: House) -> None:
    batch = begun(house)
    house.batches.stop(present(house, batch), by=CLERK)
    assert house.batches.work() == 0
    assert (present(house, batch).state, house.made()) == (BatchState.STOPPED, 0)
    assert house.told("signature.batch.stopped") == [(Outcome.SUCCESS, {"documents": 2})]
    # Twice is no second stop, and the interface for programs says how it stands.
    with pytest.raises(BatchNotThere):
        house.batches.stop(present(house, batch), by=CLERK)
    house.batches.resume(present(house, batch), by=CLERK)
    assert house.told("signature.batch.resumed") == [(Outcome.INTENDED, {"documents": 2, "digest": batch.digest})]
    assert house.batches.work() == 2
    assert (present(house, batch).state, house.made()) == (BatchState.DONE, 2)
    for verb in (house.batches.stop, house.batches.resume):
        with pytest.raises(BatchNotThere):
            verb(present(house, batch), by=CLERK)


def test_a_stop_in_the_middle_leaves_what_is_sealed_and_begins_nothing_else(house: House) -> None:
    batch = begun(house, 3)
    once: Any = house.batches._once
    seal = once.seal

    def then_stop(*arguments: Any, **named: Any) -> Any:
        result = seal(*arguments, **named)
        house.batches.stop(present(house, batch), by=CLERK)
        return result

    once.seal = then_stop
    assert house.batches.work() == 1
    once.seal = seal
    found = present(house, batch)
    assert (found.state, found.made, found.waiting) == (BatchState.STOPPED, 1, 2)
    house.batches.resume(found, by=CLERK)
    assert house.batches.work() == 2
    assert house.made() == 3


def test_a_stop_that_died_before_its_record_works_and_is_told_later_once(
    tmp_path: Path, city: City, readers: ReaderPool
) -> None:
    recorder, clock = ListRecorder(), ManualClock()
    first = opened(tmp_path, city, readers, recorder, clock)
    batch = begun(first)
    first.batches._recorder = Mortal(recorder, [0])
    with pytest.raises(Death):
        first.batches.stop(present(first, batch), by=CLERK)
    first.close()
    second = opened(tmp_path, city, readers, recorder, clock)
    assert present(second, batch).state is BatchState.STOPPING
    for _ in range(2):
        assert second.batches.work() == 0
    assert (present(second, batch).state, second.made()) == (BatchState.STOPPED, 0)
    (told,) = [each for each in recorder.events if each.type == "signature.batch.stopped"]
    assert (told.subject, told.object, told.at) == (CLERK, batch.id, present(second, batch).ended_at)
    second.close()


def test_nothing_goes_on_without_its_record(house: House) -> None:
    batch = begun(house)
    house.batches.stop(present(house, batch), by=CLERK)
    recorder: Any = house.batches._recorder
    house.batches._recorder = Mortal(recorder, [0])
    with pytest.raises(Death):
        house.batches.resume(present(house, batch), by=CLERK)
    house.batches._recorder = recorder
    assert present(house, batch).state is BatchState.STOPPED
    assert house.batches.work() == 0


def test_a_batch_is_seen_by_who_began_it_and_who_answers_for_the_seal_alone(house: House) -> None:
    own, programs = begun(house), begun(house, owner="client:tax-letters")
    answers = Responsible(people=People(), clock=house.clock, mandate="seal")
    mine = {who: frozenset(each.id for each in answers.organisations(who)) for who in (CLERK, CITIZEN, MERCHANT, "x")}
    # A mandate for something else than the seal, or one that is over, is none.
    assert mine == {CLERK: TAX, CITIZEN: frozenset(), MERCHANT: frozenset({"silk-company"}), "x": frozenset()}
    assert {each.id for each in house.batches.seen(CLERK, TAX, limit=9)} == {own.id, programs.id}
    assert [each.waiting for each in house.batches.seen(CLERK, frozenset(), limit=9)] == [2]
    for who in (CITIZEN, MERCHANT, "x"):
        assert house.batches.seen(who, mine[who], limit=9) == []
        for batch in (own, programs):
            with pytest.raises(NoSuchBatch):
                house.batches.concerning(who, mine[who], batch.id)


class TestDoors:
    @pytest.fixture
    def app(self, house: House, tmp_path: Path, city: City, readers: ReaderPool) -> Iterator[Flask]:
        (tmp_path / "home").mkdir()
        own = home(tmp_path / "home", city, readers, clock=house.clock)
        verification = Verification(
            readers=readers, trust=city.trust, lists=city.lists, recorder=ListRecorder(), commitments=COMMITMENTS,
            clock=house.clock,
        )  # fmt: skip
        site = SiteSettings(
            name="city", domain="city.localhost", title="Jiangcheng", title_zh="江城市", state=tmp_path,
            ports=Ports(external=1, internal=2, management=3, plain=4, ldaps=5),
        )  # fmt: skip
        guard, people = Guard(clock=house.clock, verifier=verifier()), People()

        def names(blue: Blueprint, guard: Guard) -> None:
            @blue.context_processor
            def words() -> dict[str, object]:
                return {
                    "seal_name": lambda each: people.organisation(each).name,
                    "person_name": lambda each: people.person(each).name,
                }

        parts = [
            names,
            web.own(
                own.desk, verification, web.Shown(own.desk, own.enrolling, issuer=ISSUER, largest=1 << 20),
                host=SIGN, account="https://sso.city.localhost/", largest=1 << 20,
            ),
            web.signing(own.enrolling, own.personal, web.Shown(own.desk, own.enrolling, issuer=ISSUER, largest=1)),
            web.batches(house.batches, Responsible(people=people, clock=house.clock, mandate="seal")),
        ]  # fmt: skip
        yield create(
            "signatures", site=site, guard=guard, session_key=b"s" * 32,
            blueprints=[blueprint(guard, parts, largest=1 << 20)], translations=[ROOT / "signatures" / "translations"],
        )  # fmt: skip
        own.close()

    def test_a_clerk_sees_how_far_it_is_stops_it_lets_it_go_on_and_fetches_it(self, app: Flask, house: House) -> None:
        let(house)
        batch = begun(house, owner="client:tax-letters", more={"<b>.pdf": b"%PDF-1.7 noise"})
        clerk, at = Visitor(app.test_client(), house.clock, CLERK), f"/my/batches/{batch.id}"
        assert at in clerk.get("/my/batches").text
        page = clerk.get(at).text
        assert f'data-at="{at}/far"' in page
        assert '<dd id="waiting">3</dd>' in page
        assert clerk.get(f"{at}/far").json == {"made": 0, "failed": 0, "waiting": 3, "state": "running", "moving": True}
        assert clerk.post(f"{at}/stop", form_at="").status_code in {400, 403}
        assert clerk.post(f"{at}/stop", form_at=at).status_code == 303
        page = clerk.get(at).text
        assert "It was stopped by Li Na." in page
        assert "data-at" not in page
        again = clerk.post(f"{at}/stop", form_at=at)
        assert (again.status_code, 'role="alert"' in again.text) == (409, True)
        assert clerk.post(f"{at}/resume", form_at=at).status_code == 303
        house.batches.work()
        page = clerk.get(at).text
        assert "1 documents could not be sealed" in page
        assert '<th scope="row" class="break">&lt;b&gt;.pdf</th><td>This file cannot be sealed' in page
        fetched = clerk.get(f"{at}/results.zip")
        with zipfile.ZipFile(io.BytesIO(fetched.data)) as box:
            assert box.namelist() == ["letter-0.pdf", "letter-1.pdf"]
        ((outcome, told),) = house.told("signature.batch.read")
        assert (outcome, told) == (Outcome.SUCCESS, {"made": 2})
        assert clerk.get(f"{at}?after=99999").status_code == 200
        for wrong in ("x", "-1", "1" * 7):
            assert clerk.get(f"{at}?after={wrong}").status_code == 400
        assert clerk.post(f"{at}/shred", form_at="/my/").status_code == 400

    def test_for_everybody_else_there_is_none(self, app: Flask, house: House) -> None:
        batch = begun(house)
        for who in (CITIZEN, MERCHANT):
            visitor, at = Visitor(app.test_client(), house.clock, who), f"/my/batches/{batch.id}"
            assert batch.id not in visitor.get("/my/batches").text
            for path in (at, f"{at}/far", f"{at}/results.zip"):
                assert visitor.get(path).status_code == 404
            assert visitor.post(f"{at}/stop").status_code == 404
        assert house.told("signature.batch.stopped") == []
        assert house.told("signature.batch.read") == []
