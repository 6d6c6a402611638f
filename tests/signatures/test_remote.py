# SPDX-License-Identifier: Apache-2.0
"""A person signs with a kept key: what one confirmation is worth, to whom, for what, and how often."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from audit import Outcome, RecordUnavailable
from ca.models import Issued, IssueRequest, Standing
from core.errors import Unavailable
from signatures.holds import HoldUnavailable
from signatures.models import Overall, Profile
from signatures.remote import (
    CertificateUnusable,
    ConsentLost,
    ConsentRefused,
    ConsentUsed,
    EnrolledAlready,
    NotConfirmed,
    NotEnrolled,
)
from signatures.sandbox import ReaderPool
from signatures.shelf import NoSuchDocument, ShelfUnreadable
from signatures.verdict import judge
from tests.signatures.fakes import CITIZEN, CLERK
from tests.signatures.pki import City
from tests.signatures.signing_person import ISSUER, SIGN_ON, House, house, person


@pytest.fixture
def home(tmp_path: Path, city: City, readers: ReaderPool) -> Iterator[House]:
    made = house(tmp_path, city, readers)
    made.enrolling.enrol(person(), header="the header")
    yield made
    made.close()


def types(home: House) -> list[tuple[str, str]]:
    return [(each.type, each.outcome.value) for each in home.recorder.events]


def nothing_signed(home: House) -> bool:
    """No document came, and no intent stands in the record."""
    documents = [each for each in home.desk.all_of(CITIZEN) if each.facts.signatures]
    return not documents and "signature.intended" not in home.recorder.types()


def refused(home: House) -> list[str]:
    return [str(each.attributes["code"]) for each in home.recorder.events if each.type == "signature.refused"]


class TestEnrolment:
    def test_key_and_certificate_are_made_by_the_persons_own_wish_and_recorded_around_it(self, home: House) -> None:
        credential = home.enrolling.credential(CITIZEN)
        assert credential is not None
        assert home.authority.headers == ["the header"]
        (asked,) = home.authority.requests
        assert (asked.profile, asked.subject, asked.actor) == ("remote-signing", CITIZEN, CITIZEN)
        assert types(home) == [("signature.key.made", "intended")]
        assert home.store.outbox.standing().waiting == 1
        with pytest.raises(EnrolledAlready):
            home.enrolling.enrol(person(), header="x")

    def test_without_its_record_nothing_is_made(self, tmp_path: Path, city: City, readers: ReaderPool) -> None:
        home = house(tmp_path, city, readers)
        home.recorder.down = True
        with pytest.raises(RecordUnavailable):
            home.enrolling.enrol(person(), header="x")
        assert (home.authority.requests, home.enrolling.credential(CITIZEN)) == ([], None)
        assert not (tmp_path / "held").exists()
        home.close()

    def test_ending_revokes_at_the_authority_and_destroys_the_key(self, home: House) -> None:
        credential = home.enrolling.credential(CITIZEN)
        assert credential is not None
        document = home.bring()
        home.enrolling.end(person(), header="x")
        assert not home.authority.status(credential.serial).good
        assert list((home.folder / "held").iterdir()) == []
        with pytest.raises(NotEnrolled):
            home.begin(document)
        home.enrolling.enrol(person(), header="x")
        assert home.enrolling.credential(CITIZEN) != credential

    def test_what_failed_is_on_record_though_the_keys_went_away_too(
        self, tmp_path: Path, city: City, readers: ReaderPool
    ) -> None:
        home = house(tmp_path, city, readers)

        def issue(_: IssueRequest, *, identity: str = "") -> Issued:
            assert identity
            (tmp_path / "held").rename(tmp_path / "away")
            (tmp_path / "held").write_text("no folder")
            raise Unavailable

        home.authority.issue = issue  # type: ignore[method-assign,assignment]  # the same verb, on a bad day
        with pytest.raises(Unavailable):
            home.enrolling.enrol(person(), header="the header")
        assert types(home) == [("signature.key.made", "intended"), ("signature.key.made", "failure")]
        home.close()


class TestSigning:
    def test_what_was_confirmed_is_signed_once_recorded_before_and_after_and_others_accept_it(
        self, home: House, city: City, readers: ReaderPool
    ) -> None:
        document = home.bring()
        (result,) = home.finish(home.begin(document))
        signed = home.desk.read(CITIZEN, result)
        assert signed.startswith(home.desk.read(CITIZEN, document))
        assert home.desk.one(CITIZEN, result).facts.name == "lease-signed.pdf"
        found = readers.inspect(
            signed, trust=city.trust(), lists=city.lists(), profile=Profile.STRICT, at=home.clock.now()
        )
        verdict = judge(signed, found, profile=Profile.STRICT, at=home.clock.now())
        assert verdict.overall is Overall.TRUSTED
        (intended,) = [each for each in home.recorder.events if each.type == "signature.intended"]
        assert (intended.subject, intended.outcome, intended.attributes["confirmed_by"]) == (
            CITIZEN, Outcome.INTENDED, "passkey",
        )  # fmt: skip
        assert home.store.outbox.standing().waiting == 2
        path = home.folder / "signed.pdf"
        path.write_bytes(signed)
        assert shutil.which("pdfsig")
        said = subprocess.run(["pdfsig", "-nocert", str(path)], capture_output=True, text=True, check=False).stdout
        assert "Signature is Valid" in said
        assert "Total document signed" in said

    def test_one_confirmation_may_list_several_and_all_are_signed(self, home: House) -> None:
        ids = [home.bring(f"\n% {number}".encode(), name=f"{number}.pdf") for number in range(3)]
        results = home.finish(home.begin(*ids))
        assert [home.desk.one(CITIZEN, each).facts.name for each in results] == [
            "0-signed.pdf", "1-signed.pdf", "2-signed.pdf",
        ]  # fmt: skip
        assert len([each for each in home.recorder.events if each.type == "signature.intended"]) == 3

    def test_a_second_signer_finds_room_beside_the_first(self, home: House) -> None:
        (once,) = home.finish(home.begin(home.bring()))
        (twice,) = home.finish(home.begin(once))
        assert home.desk.one(CITIZEN, twice).facts.signatures == 2


class TestAttacks:
    def test_a_document_that_was_swapped_after_the_confirmation_is_not_signed(self, home: House) -> None:
        good, evil = home.bring(), home.bring(b"\n% pay me")
        state = home.begin(good)
        # Whoever holds the shelf and its key puts the other document in the place of the confirmed one.
        row = home.shelf._store.one(f"person:{CITIZEN}", evil, at=home.clock.now())
        rows = home.shelf._store._database
        with rows.transaction() as connection:
            connection.exec_driver_sql("DELETE FROM shelved WHERE id = ?", (good,))
        home.shelf._store.add(type(row)(**{**vars(row), "id": good}), most=9, most_bytes=10**9, most_bytes_of_all=10**9)
        # Its key opens nothing under another document's number.
        with pytest.raises(ShelfUnreadable):
            home.finish(state)
        assert "signature.intended" not in home.recorder.types()

    def test_a_document_that_was_removed_after_the_confirmation_is_not_signed(self, home: House) -> None:
        document = home.bring()
        state = home.begin(document)
        home.desk.remove(CITIZEN, document)
        with pytest.raises(NoSuchDocument):
            home.finish(state)
        assert nothing_signed(home)

    @pytest.mark.parametrize(
        "says",
        [
            {"iss": "https://evil.example"},
            {"aud": "https://tax.city.localhost"},
            {"aud": ["https://sign.city.localhost"]},
            {"client_id": "tax"},
            {"sub": CLERK},
            {"cnf": {"jkt": "x" * 43}},
            {"cnf": None},
            {"acr": "1"},
            {"acr": None},
            {"jti": ""},
            {"exp": 1},
            {"iat": True},
            {"authorization_details": None},
            {"authorization_details": []},
        ],
    )
    def test_a_token_of_another_issuer_person_client_key_or_level_signs_nothing(
        self, home: House, says: dict[str, Any]
    ) -> None:
        home.sign_on.says = says
        state = home.begin(home.bring())
        with pytest.raises(ConsentRefused):
            home.finish(state)
        assert refused(home) == ["consent_refused"]
        # It is over: the right token comes too late.
        home.sign_on.says = {}
        with pytest.raises(ConsentLost):
            home.finish(state)
        assert nothing_signed(home)

    def test_details_that_say_anything_else_sign_nothing(self, home: House) -> None:
        def spoilt(change: dict[str, Any], confirmed: Any = None) -> None:
            state = home.begin(home.bring())
            _, asked = home.sign_on.asked[state]
            now = int(home.clock.now().timestamp())
            said = {**asked, **change, "confirmed": confirmed or {"by": "passkey", "at": now}}
            home.sign_on.says = {"authorization_details": [{k: v for k, v in said.items() if v is not None}]}
            with pytest.raises(ConsentRefused):
                home.finish(state)
            home.sign_on.says = {}

        other = "0" * 64
        spoilt({"documents": [{"digest": other, "label": "lease.pdf"}]})
        spoilt({"documents": []})
        spoilt({"credential": "0" * 32})
        spoilt({"hash": "sha-1"})
        spoilt({"type": "payment"})
        spoilt({"extra": 1})
        now = int(home.clock.now().timestamp())
        for confirmed in ({"by": "password", "at": now}, {"by": "card"}, {"by": "card", "at": now - 121}, "yes"):
            spoilt({}, confirmed)
        assert set(refused(home)) == {"consent_refused"}
        assert nothing_signed(home)

    def test_a_changed_label_signs_nothing(self, home: House) -> None:
        state = home.begin(home.bring())
        _, asked = home.sign_on.asked[state]
        document = {**asked["documents"][0], "label": "something harmless"}
        now = int(home.clock.now().timestamp())
        said = {**asked, "documents": [document], "confirmed": {"by": "card", "at": now}}
        home.sign_on.says = {"authorization_details": [said]}
        with pytest.raises(ConsentRefused):
            home.finish(state)
        assert nothing_signed(home)

    def test_a_token_of_another_key_or_kind_signs_nothing(self, home: House) -> None:
        home.sign_on.key = ec.generate_private_key(ec.SECP256R1())
        with pytest.raises(ConsentRefused):
            home.finish(home.begin(home.bring()))
        home.sign_on.key, home.sign_on.typ = SIGN_ON, "JWT"
        with pytest.raises(ConsentRefused):
            home.finish(home.begin(home.bring()))
        assert nothing_signed(home)

    def test_another_person_another_browser_and_another_servers_answer_are_lost(self, home: House) -> None:
        state = home.begin(home.bring())
        for more in ({"who": person(CLERK)}, {"browser": "b2"}):
            with pytest.raises(ConsentLost):
                home.finish(state, **more)
        with pytest.raises(ConsentLost):
            home.finish("made up")
        with pytest.raises(ConsentRefused):
            home.finish(state, issuer="https://evil.example")
        assert refused(home) == ["consent_lost"] * 3 + ["consent_refused"]
        assert nothing_signed(home)

    def test_a_no_is_a_no_and_too_late_is_too_late(self, home: House) -> None:
        with pytest.raises(NotConfirmed):
            home.finish(home.begin(home.bring()), error="access_denied", code="")
        state = home.begin(home.bring())
        home.clock.advance(timedelta(minutes=10))
        with pytest.raises(ConsentLost):
            home.finish(state)
        assert nothing_signed(home)

    def test_a_confirmation_that_was_used_is_used_and_so_is_its_token(self, home: House) -> None:
        document = home.bring()
        state = home.begin(document)
        home.finish(state)
        with pytest.raises(ConsentUsed):
            home.finish(state)
        # The same token for another request of the same document.
        again = home.begin(document)
        home.sign_on.says = {"jti": "the same"}
        home.finish(again)
        third = home.begin(document)
        with pytest.raises(ConsentUsed):
            home.finish(third)
        assert len([each for each in home.recorder.events if each.type == "signature.intended"]) == 2

    def test_of_eight_that_come_at_once_one_signs(self, home: House) -> None:
        state = home.begin(home.bring())
        results: list[object] = []

        def go() -> None:
            try:
                results.append(home.finish(state))
            except ConsentUsed as error:
                results.append(error)

        threads = [threading.Thread(target=go) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert len([each for each in results if isinstance(each, list)]) == 1
        assert len(results) == 8
        assert len([each for each in home.recorder.events if each.type == "signature.intended"]) == 1

    def test_only_what_is_held_and_theirs_can_be_asked_for(self, home: House) -> None:
        theirs = home.bring(subject=CLERK)
        for ids in ((theirs,), ("0" * 32,)):
            with pytest.raises(NoSuchDocument):
                home.begin(*ids)
        mine = home.bring()
        for several in ((), (mine, mine), tuple("0" * 32 for _ in range(9))):
            with pytest.raises(ConsentLost):
                home.begin(*several)
        assert home.sign_on.asked == {}


class TestFailures:
    def test_a_certificate_that_was_suspended_meanwhile_signs_nothing(self, home: House) -> None:
        document = home.bring()
        state = home.begin(document)
        credential = home.enrolling.credential(CITIZEN)
        assert credential is not None
        home.authority.standing[credential.serial] = Standing.SUSPENDED
        with pytest.raises(CertificateUnusable):
            home.finish(state)
        with pytest.raises(CertificateUnusable):
            home.begin(document)
        assert nothing_signed(home)

    def test_keys_that_are_lost_midway_are_told_of_and_nothing_is_recorded_as_signed(self, home: House) -> None:
        ids = [home.bring(), home.bring(b"\n% two")]
        state = home.begin(*ids)
        folder = home.folder / "held"
        credential = home.enrolling.credential(CITIZEN)
        assert credential is not None
        hold = home.enrolling.key(credential).hold

        def lost(_key: object, _data: bytes) -> bytes:
            raise HoldUnavailable

        setattr(hold, "sign", lost)  # noqa: B010 - the token is pulled out
        with pytest.raises(HoldUnavailable):
            home.finish(state)
        delattr(hold, "sign")
        assert folder.exists()
        assert not [each for each in home.desk.all_of(CITIZEN) if each.facts.signatures]
        with pytest.raises(ConsentUsed):
            home.finish(state)
        # One intent is in the record, and both signatures ended without a document.
        assert home.store.unfinished(before=home.clock.now() + timedelta(hours=1)) == []

    def test_without_the_intents_receipt_no_key_is_touched(self, home: House) -> None:
        state = home.begin(home.bring())
        home.recorder.down = True
        with pytest.raises(RecordUnavailable):
            home.finish(state)
        assert not [each for each in home.desk.all_of(CITIZEN) if each.facts.signatures]

    def test_a_death_between_any_two_steps_leaves_nothing_signed_unrecorded_and_no_consent_twice(
        self, home: House
    ) -> None:
        class Death(BaseException):
            """The process is gone; nothing after it runs."""

        class Dead(Exception):
            """What the test sees of it."""

        steps = ("spend", "record", "put", "finish", "give")
        for step in steps:
            state = home.begin(home.bring())
            targets: dict[str, Any] = {
                "spend": home.store,
                "record": home.recorder,
                "put": home.shelf,
                "finish": home.store,
                "give": home.shelf,
            }
            target = targets[step]
            true = getattr(target, step)
            # After this step everything that could still be written is gone with the process.
            shut = {"dead": False}

            def dies(*given: Any, _true: Any = true, _shut: dict[str, bool] = shut, **named: Any) -> Any:
                if _shut["dead"]:
                    raise Dead
                found = _true(*given, **named)
                _shut["dead"] = True
                raise Death(found)

            finish = home.store.finish

            def no_more(*given: Any, _shut: dict[str, bool] = shut, _true: Any = finish, **named: Any) -> Any:
                if _shut["dead"]:
                    raise Dead
                return _true(*given, **named)

            if step != "finish":
                home.store.finish = no_more  # type: ignore[method-assign]  # the store fails at this step
            setattr(target, step, dies)
            with pytest.raises((Death, Dead)):
                home.finish(state)
            delattr(target, step)
            if "finish" in vars(home.store):
                del home.store.finish
            made_before = len([each for each in home.desk.all_of(CITIZEN) if each.facts.signatures])
            # Another process takes over, a while later.
            home.clock.advance(timedelta(minutes=11))
            home.personal.replay()
            made = len([each for each in home.desk.all_of(CITIZEN) if each.facts.signatures])
            if step in {"finish", "give"}:
                # The outcome was kept with the signature: it is handed over, if it was not.
                assert made == steps.index(step) - 2
            else:
                assert made == made_before == 0
            with pytest.raises((ConsentUsed, ConsentLost)):
                home.finish(state)
            assert home.store.unfinished(before=home.clock.now() + timedelta(hours=1)) == []
        assert ISSUER


def test_neither_names_nor_hashes_of_documents_lie_readable_beside_the_consents(home: House) -> None:
    home.begin(home.bring(name="last-will.pdf"))
    content = b"".join(path.read_bytes() for path in home.folder.glob("remote.db*"))
    (kept,) = home.desk.all_of(CITIZEN)
    for secret in (b"last-will", kept.facts.sha256.encode()):
        assert secret not in content
