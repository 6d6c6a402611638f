# SPDX-License-Identifier: Apache-2.0
"""The archive: provable after ten years because it was stamped in time, and not provable if it was not."""

import hashlib
import io
import sqlite3
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from flask import Flask

from core.errors import Unavailable
from core.site import Ports, SiteSettings
from core.web import Guard, create
from signatures import web
from signatures.archive import (
    Archived,
    ArchiveStore,
    Cause,
    Keeping,
    NoArchive,
    NoSuchArchived,
    NotArchivable,
    Risk,
)
from signatures.models import Format, Level, Overall, Profile, Revocation, StampState, Verdict
from signatures.proofs.certificates import Assessor
from signatures.proofs.stamps import Surroundings, examine
from signatures.sandbox import ReaderPool
from signatures.service import ArchiveDesk, Archiving, Responsible, Rules, Verification
from signatures.service.commitment import Commitments
from signatures.shelf import Shelf
from signatures.shelf.store import ShelfStore
from signatures.verdict import judge
from signatures.web import blueprint
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures import documents, stamper
from tests.signatures.fakes import CITIZEN, CLERK, MERCHANT, People
from tests.signatures.own_pages import SIGN, Visitor, verifier
from tests.signatures.pki import DAY, NOW, City, Leaf
from tests.signatures.signing_person import ISSUER
from tests.signatures.signing_person import House as SigningHouse
from tests.signatures.signing_person import house as home

OWNER = "client:tax-letters"
YEAR = 365 * DAY


class Death(BaseException):
    """The process is gone."""


@dataclass
class House:
    """The archive in one folder, and the site around it as the years pass."""

    city: City
    readers: ReaderPool
    clock: ManualClock
    recorder: ListRecorder
    store: ArchiveStore
    shelf: Shelf
    archiving: Archiving
    # Whether the authority has made new lists today.
    lists_at: datetime
    units: list[Leaf]

    def lists(self) -> list[bytes]:
        return self.city.lists(at=self.lists_at)

    def stamp(self, over: bytes) -> bytes:
        """By the unit of this time: each lives three years, and the old ones are gone."""
        now = self.clock.now()
        if not self.units or self.units[-1].certificate.not_valid_after_utc < now + YEAR:
            self.units.append(stamper.unit(self.city.devices, before=now - DAY, after=now + 3 * YEAR))
        return stamper.token(over, self.units[-1], now)

    def pass_(self, time: timedelta) -> None:
        """Time passes, and the authority goes on making lists."""
        self.clock.advance(time)
        self.lists_at = self.clock.now()

    def verdict(self, document: bytes) -> Verdict:
        at = self.clock.now()
        found = self.readers.inspect(
            document, trust=self.city.trust(), lists=self.lists(), profile=Profile.STRICT, at=at
        )
        return judge(document, found, profile=Profile.STRICT, at=at)

    def present(self, archived: Archived) -> Archived:
        return self.archiving.one(OWNER, archived.id)

    def risks(self) -> list[Risk]:
        return [risk for _, risk in self.archiving.report()]


RULES = Rules(grace=timedelta(hours=1), ahead=180 * DAY, ends={"P-256": date(2045, 1, 1)}, room=1 << 30)


@pytest.fixture
def house(tmp_path: Path, city: City, readers: ReaderPool) -> Iterator[House]:
    clock, recorder = ManualClock(), ListRecorder()
    store, shelves = ArchiveStore.open(tmp_path / "archive.db"), ShelfStore.open(tmp_path / "shelf.db")
    shelf = Shelf(folder=tmp_path / "kept", store=shelves, key=b"k" * 32, clock=clock)
    made = House(city, readers, clock, recorder, store, shelf, None, clock.now(), [])  # type: ignore[arg-type]  # below
    made.archiving = archiving(made, tmp_path)
    yield made
    store.close()
    shelves.close()


def archiving(house: House, folder: Path, **changed: Any) -> Archiving:
    parts: dict[str, Any] = {
        "store": house.store, "shelf": house.shelf, "readers": house.readers, "trust": house.city.trust,
        "lists": house.lists, "stamp": house.stamp, "second": None, "recorder": house.recorder,
        "commitments": Commitments(b"k" * 32), "clock": house.clock, "lock": folder / "archive.lock", "rules": RULES,
    }  # fmt: skip
    return Archiving(**{**parts, **changed})


def deposited(house: House, sealed: bytes) -> Archived:
    return house.archiving.deposit(OWNER, sealed, name="permit.pdf", organisation="tax-bureau")


def test_ten_years_later_it_is_proved_and_without_new_stamps_it_is_not(house: House, tmp_path: Path) -> None:
    house.city = City(lasts=9000 * DAY)
    house.archiving = archiving(house, tmp_path)
    sealed = documents.sealed(documents.permit(), house.city.seal())
    archived = deposited(house, sealed)
    house.pass_(2 * DAY)
    assert house.archiving.work() == 1
    first = house.archiving.read(OWNER, archived.id)
    facts = house.verdict(first).signatures[0].facts
    assert facts is not None
    assert facts.level is Level.LTA
    for _ in range(21):
        house.pass_(YEAR / 2)
        house.archiving.work()
    assert house.clock.now() - NOW > 10 * YEAR
    now = house.present(archived)
    assert (now.keeping, house.risks()) == (Keeping.KEPT, [Risk.NONE])
    assert 4 <= now.stamps <= 6
    assert len(house.units) >= 4
    last = house.archiving.read(OWNER, archived.id)
    assert last.startswith(first)
    assert first.startswith(sealed)
    verdict = house.verdict(last)
    assert verdict.overall is Overall.TRUSTED, verdict.problems
    assert house.verdict(first).overall is not Overall.TRUSTED
    assert house.verdict(sealed).overall is not Overall.TRUSTED
    assert len([each for each in house.recorder.events if each.type == "signature.archive.stamped"]) == now.stamps


def test_nothing_is_stamped_before_its_issuers_have_spoken(house: House, sealed: bytes) -> None:
    archived = deposited(house, sealed)
    assert house.archiving.work() == 0
    # Time alone says nothing, nor does a list from within the grace.
    house.clock.advance(timedelta(hours=2))
    assert house.archiving.work() == 0
    assert house.risks() == [Risk.WAITING]
    house.lists_at = house.clock.now()
    assert house.archiving.work() == 1
    assert house.present(archived).stamps == 1
    assert house.archiving.work() == 0


def test_a_certificate_revoked_meanwhile_is_seen_for_ever(tmp_path: Path, house: House) -> None:
    city = City()
    house.city = city
    house.archiving = archiving(house, tmp_path)
    leaf = city.seal()
    archived = deposited(house, documents.sealed(documents.permit(), leaf))
    city.organisations.revoke(leaf)
    house.pass_(2 * DAY)
    assert house.archiving.work() == 1
    # The report names it, and so does the record: it is kept as the proof of that.
    assert (house.risks(), house.present(archived).trouble) == ([Risk.REFUTED], "refuted")
    assert house.recorder.events[-1].attributes["verdict"] == "not_trusted"
    for _ in range(8):
        house.pass_(YEAR / 2)
        house.archiving.work()
    assert house.risks() == [Risk.REFUTED]
    assert house.present(archived).stamps > 1
    verdict = house.verdict(house.archiving.read(OWNER, archived.id))
    assert verdict.overall is Overall.NOT_TRUSTED
    facts = verdict.signatures[0].facts
    assert facts is not None
    assert facts.certificate.revocation is Revocation.REVOKED


def test_it_is_stamped_again_before_an_algorithm_ends_and_the_report_says_what_is_lost(
    house: House, sealed: bytes, tmp_path: Path
) -> None:
    soon = (NOW + YEAR).date()
    house.archiving = archiving(house, tmp_path, rules=replace(RULES, ends={"P-256": soon}))
    archived = deposited(house, sealed)
    house.pass_(DAY)
    house.archiving.work()
    ends = house.present(archived).ends_at
    assert ends is not None
    assert ends.date() == soon
    assert house.risks() == [Risk.NONE]
    # Nobody can make it last beyond its algorithm, and the report does not hide that.
    house.pass_(YEAR - 100 * DAY)
    assert house.risks() == [Risk.DUE]
    house.pass_(100 * DAY)
    assert house.risks() == [Risk.LOST]
    house.archiving = archiving(house, tmp_path, rules=replace(RULES, ends={}))
    house.archiving.work()
    assert house.risks() == [Risk.LOST]


def test_what_cannot_be_trusted_is_not_taken_in(house: House, sealed: bytes) -> None:
    for document in (documents.permit(), b"no PDF", documents.one_byte_changed(sealed), b"%PDF-1.7 noise"):
        with pytest.raises(NotArchivable):
            deposited(house, document)
    assert house.risks() == []
    assert house.recorder.events == []


def test_it_is_its_depositors_alone_and_the_reading_is_recorded_first(house: House, sealed: bytes) -> None:
    archived = deposited(house, sealed)
    with pytest.raises(NoSuchArchived):
        house.archiving.read("client:tax-notices", archived.id)
    assert house.archiving.read(OWNER, archived.id) == sealed
    assert [each.type for each in house.recorder.events] == ["signature.archive.deposited", "signature.archive.read"]


@pytest.mark.parametrize("where", ["stamp", "put", "record", "replace", "remove"])
def test_wherever_a_step_dies_the_next_round_does_it(house: House, sealed: bytes, tmp_path: Path, where: str) -> None:
    archived = deposited(house, sealed)
    house.pass_(2 * DAY)

    def die(*_: Any, **__: Any) -> Any:
        raise Death

    targets = {"record": house.recorder, "replace": house.store, "put": house.shelf, "remove": house.shelf}
    target: Any = targets.get(where)
    if target is None:
        house.archiving = archiving(house, tmp_path, stamp=die)
    else:
        setattr(target, where, die)
    with pytest.raises(Death):
        house.archiving.work()
    if target is None:
        house.archiving = archiving(house, tmp_path)
    else:
        delattr(target, where)
    if where != "remove":
        assert house.present(archived).keeping is Keeping.WAITING
        assert house.archiving.work() == 1
    now = house.present(archived)
    assert now.stamps == 1
    assert house.archiving.read(OWNER, archived.id).startswith(sealed)
    # At the next step also what the dead left is gone.
    house.pass_(3 * YEAR - 100 * DAY)
    assert house.archiving.work() == 1
    assert len(house.shelf.of(f"archive:{archived.id}")) == 1


def test_an_authority_that_is_away_is_trouble_that_passes(house: House, sealed: bytes, tmp_path: Path) -> None:
    def refuse(_: bytes) -> bytes:
        raise Unavailable

    archived = deposited(house, sealed)
    house.pass_(2 * DAY)
    house.archiving = archiving(house, tmp_path, stamp=refuse)
    assert house.archiving.work() == 0
    assert house.present(archived).trouble == "unavailable"
    house.archiving = archiving(house, tmp_path)
    assert house.archiving.work() == 1
    assert house.present(archived).trouble == ""


def test_a_clock_that_jumped_back_changes_nothing(house: House, sealed: bytes) -> None:
    archived = deposited(house, sealed)
    house.pass_(2 * DAY)
    house.archiving.work()
    before = house.present(archived)
    house.pass_(-30 * DAY)
    assert house.archiving.work() == 0
    assert house.present(archived) == before


def test_a_stamp_of_another_algorithm_stands_beside_over_the_same(house: House, sealed: bytes, tmp_path: Path) -> None:
    key = MLDSA65PrivateKey.generate()
    covered: list[bytes] = []

    def second(over: bytes) -> bytes:
        covered.append(over)
        now = house.clock.now()
        return stamper.token(over, stamper.unit(house.city.devices, before=now - DAY, after=now + YEAR, key=key), now)

    house.archiving = archiving(house, tmp_path, second=second)
    archived = deposited(house, sealed)
    house.pass_(2 * DAY)
    assert house.archiving.work() == 1
    (beside,) = house.archiving.seconds(OWNER, archived.id)
    assert beside.digest == hashlib.sha256(covered[0]).hexdigest()
    around = Surroundings(assessor=Assessor(house.city.trust(), lists=house.lists()), at=house.clock.now())
    assert examine(beside.token, covered[0], around).state is StampState.GOOD
    assert examine(beside.token, covered[0] + b"x", around).state is StampState.BROKEN


def test_an_algorithm_that_the_site_trusts_less_long_than_before_is_left_in_time(
    house: House, sealed: bytes, tmp_path: Path
) -> None:
    archived = deposited(house, sealed)
    house.pass_(2 * DAY)
    house.archiving.work()
    outlook = house.archiving.outlook(house.present(archived))
    assert (outlook.risk, outlook.cause) == (Risk.NONE, Cause.CERTIFICATE)
    assert outlook.due_at == house.units[-1].certificate.not_valid_after_utc - RULES.ahead
    # Somebody writes down another last day: what was stamped before is due at once.
    soon = house.clock.now() + 30 * DAY
    house.archiving = archiving(house, tmp_path, rules=replace(RULES, ends={"P-256": soon.date()}))
    outlook = house.archiving.outlook(house.present(archived))
    assert (outlook.risk, outlook.cause) == (Risk.DUE, Cause.ALGORITHM)
    assert house.archiving.standing() == {
        "archive_kept": 1, "archive_waiting": 0, "archive_due": 1, "archive_lost": 0
    }  # fmt: skip
    # No stamp of the same algorithm lasts longer, so none is put on it, however often somebody looks.
    asked = len(house.recorder.events)
    for _ in range(3):
        assert house.archiving.work() == 0
    assert (house.present(archived).stamps, len(house.recorder.events)) == (1, asked)
    # Of one of which nobody says how long it lasts, nothing is believed.
    house.archiving = archiving(house, tmp_path, rules=replace(RULES, ends={}))
    assert house.archiving.outlook(house.present(archived)).cause is Cause.UNNAMED
    assert house.risks() == [Risk.LOST]


def test_what_was_lost_is_not_stamped_into_good_standing_again(house: House, sealed: bytes) -> None:
    archived = deposited(house, sealed)
    house.pass_(2 * DAY)
    house.archiving.work()
    # The site was without power for too long.
    house.pass_(4 * YEAR)
    assert house.risks() == [Risk.LOST]
    assert house.archiving.work() == 0
    assert (house.present(archived).stamps, house.risks()) == (1, [Risk.LOST])
    assert house.archiving.standing()["archive_lost"] == 1


def test_what_it_waits_for_is_named(house: House, sealed: bytes) -> None:
    archived = deposited(house, sealed)
    outlook = house.archiving.outlook(archived)
    assert (outlook.risk, outlook.silent) == (Risk.WAITING, ("organisations",))
    assert (archived.level, archived.organisation) == ("B", "tax-bureau")
    house.pass_(2 * DAY)
    assert house.archiving.outlook(archived).silent == ()
    house.archiving.work()
    assert house.archiving.outlook(house.present(archived)).risk is Risk.NONE


def test_without_a_unit_nothing_is_taken_in(house: House, sealed: bytes, tmp_path: Path) -> None:
    house.archiving = archiving(house, tmp_path, stamp=None)
    with pytest.raises(NoArchive):
        deposited(house, sealed)
    assert house.recorder.events == []


def test_what_an_older_release_took_in_is_kept_on_and_answered_for_by_nobody(
    house: House, sealed: bytes, tmp_path: Path
) -> None:
    archived = deposited(house, sealed)
    with sqlite3.connect(tmp_path / "archive.db") as database:
        database.execute("update archived set organisation = null, level = null")
    assert house.present(archived).level == ""
    for organisation in ("", "tax-bureau"):
        with pytest.raises(NoSuchArchived):
            house.archiving.answered_for(organisation, archived.id)
    house.pass_(2 * DAY)
    assert house.archiving.work() == 1


class TestDesk:
    """The archive for the people who answer for it."""

    @pytest.fixture
    def own(self, house: House, tmp_path: Path, city: City, readers: ReaderPool) -> Iterator[SigningHouse]:
        (tmp_path / "home").mkdir()
        made = home(tmp_path / "home", city, readers, clock=house.clock)
        yield made
        made.close()

    @pytest.fixture
    def desk(self, house: House, own: SigningHouse) -> ArchiveDesk:
        return ArchiveDesk(
            archiving=house.archiving,
            desk=own.desk,
            responsible=Responsible(people=People(), clock=house.clock, mandate="seal"),
            roots=lambda: house.city.trust().roots,
            recorder=house.recorder,
            clock=house.clock,
        )

    @pytest.fixture
    def app(self, house: House, own: SigningHouse, desk: ArchiveDesk, tmp_path: Path) -> Flask:
        verification = Verification(
            readers=house.readers, trust=house.city.trust, lists=house.lists, recorder=house.recorder,
            commitments=Commitments(b"k" * 32), clock=house.clock,
        )  # fmt: skip
        site = SiteSettings(
            name="city", domain="city.localhost", title="Jiangcheng", title_zh="江城市", state=tmp_path,
            ports=Ports(external=1, internal=2, management=3, plain=4, ldaps=5),
        )  # fmt: skip
        guard = Guard(clock=house.clock, verifier=verifier())
        shown = web.Shown(own.desk, own.enrolling, issuer=ISSUER, largest=1 << 20)
        parts = [
            web.own(own.desk, verification, shown, host=SIGN, account="https://sso.city.localhost/", largest=1 << 20),
            web.signing(own.enrolling, own.personal, shown),
            web.archive_pages(desk),
        ]
        return create(
            "signatures", site=site, guard=guard, session_key=b"s" * 32,
            blueprints=[blueprint(guard, parts, largest=1 << 20)],
            translations=[Path(__file__).parents[2] / "signatures" / "translations"],
        )  # fmt: skip

    def test_a_clerk_puts_a_document_in_sees_how_it_stands_and_fetches_it_with_its_proof(
        self, house: House, own: SigningHouse, app: Flask, sealed: bytes
    ) -> None:
        clerk = Visitor(app.test_client(), house.clock, CLERK)
        assert "Bring a signed document first." in clerk.get("/my/archive").text
        kept = own.desk.bring(CLERK, sealed, name="notice.pdf").id
        wish = {"document": kept, "organisation": "tax-bureau"}
        assert clerk.post("/my/archive", form_at="", **wish).status_code in {400, 403}
        answer = clerk.post("/my/archive", form_at="/my/archive", **wish)
        assert answer.status_code == 303
        at = str(answer.headers["Location"])
        page = clerk.get(at).text
        assert "notice.pdf</h1>" in page
        assert "<code>organisations</code>" in page
        assert "signature alone (level B)" in page
        assert at in clerk.get("/my/archive?organisation=tax-bureau").text
        house.pass_(2 * DAY)
        house.archiving.work()
        page = clerk.get(at).text
        assert "ready for the archive (level LTA)" in page
        assert "then the certificate of the time-stamping unit ends" in page
        with zipfile.ZipFile(io.BytesIO(clerk.get(f"{at}/document.zip").data)) as box:
            assert box.namelist() == ["notice.pdf", "proof.txt", "roots.pem"]
            document = box.read("notice.pdf")
            assert hashlib.sha256(document).hexdigest() in box.read("proof.txt").decode()
        facts = house.verdict(document).signatures[0].facts
        assert facts is not None
        assert facts.level is Level.LTA
        read = [each for each in house.recorder.events if each.type == "signature.archive.read"]
        assert [(each.subject, each.organisation) for each in read] == [(CLERK, "tax-bureau")]

    def test_a_stamp_of_another_algorithm_is_in_the_download(
        self, house: House, own: SigningHouse, desk: ArchiveDesk, sealed: bytes, tmp_path: Path
    ) -> None:
        desk._archiving = archiving(house, tmp_path, second=house.stamp)
        kept = own.desk.bring(CLERK, sealed, name="notice.pdf").id
        archived = desk.deposit(CLERK, kept, organisation="tax-bureau")
        house.pass_(2 * DAY)
        assert desk._archiving.work() == 1
        with zipfile.ZipFile(io.BytesIO(desk.packed(CLERK, archived.id))) as box:
            assert box.namelist() == ["notice.pdf", "proof.txt", "roots.pem", "beside-1.tst"]
            (second,) = desk._archiving.seconds(f"person:{CLERK}", archived.id)
            assert box.read("beside-1.tst") == second.token
            assert second.digest in box.read("proof.txt").decode()
        verdict = house.verdict(desk.packed(CLERK, archived.id))
        facts = verdict.signatures[0].facts
        assert facts is not None
        assert (verdict.overall, verdict.format, facts.covered) == (Overall.TRUSTED, Format.KEPT, ("notice.pdf",))
        assert [(each.beside, each.state) for each in facts.stamps] == [
            (False, StampState.GOOD),
            (True, StampState.GOOD),
        ]
        # On the archive's own page both are judged too.
        own_page = desk.judged(desk.one(CLERK, archived.id)).signatures[0].facts
        assert own_page is not None
        assert own_page.stamps == facts.stamps

    def test_for_everybody_else_there_is_no_archive_and_a_refusal_is_on_the_record(
        self, house: House, own: SigningHouse, app: Flask, sealed: bytes
    ) -> None:
        archived = deposited(house, sealed)
        for who in (CITIZEN, MERCHANT):
            visitor, at = Visitor(app.test_client(), house.clock, who), f"/my/archive/{archived.id}"
            for path in (at, f"{at}/document.zip"):
                assert visitor.get(path).status_code == 404
            assert archived.id not in visitor.get("/my/archive?organisation=tax-bureau").text
            kept = own.desk.bring(who, sealed, name="notice.pdf").id
            wish = {"document": kept, "organisation": "tax-bureau"}
            answer = visitor.post("/my/archive", **wish)
            assert (answer.status_code, 'role="alert"' in answer.text) == (403, True)
        refused = [each for each in house.recorder.events if each.type == "signature.archive.refused"]
        assert [(each.subject, each.organisation) for each in refused] == [
            (CITIZEN, "tax-bureau"),
            (MERCHANT, "tax-bureau"),
        ]
        assert not [each for each in house.recorder.events if each.type == "signature.archive.read"]

    def test_another_persons_document_is_not_there_and_an_unsigned_one_is_told_on_the_page(
        self, house: House, own: SigningHouse, app: Flask, sealed: bytes
    ) -> None:
        clerk = Visitor(app.test_client(), house.clock, CLERK)
        other = own.desk.bring(CITIZEN, sealed, name="mine.pdf").id
        plain = own.desk.bring(CLERK, documents.permit(), name="plain.pdf").id
        own.desk.bring(CLERK, sealed, name="notice.pdf")
        for document, status in ((other, 404), (plain, 400)):
            answer = clerk.post("/my/archive", form_at="/my/archive", document=document, organisation="tax-bureau")
            assert answer.status_code == status
        assert house.risks() == []
        for wrong in ("x", "2026-01-01~x", "~"):
            assert clerk.get(f"/my/archive?before={wrong}").status_code == 400
