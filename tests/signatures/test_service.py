# SPDX-License-Identifier: Apache-2.0
"""No seal and no verdict without a record; who may seal, with what, and what never leaves."""

import json
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from audit import Outcome, RecordUnavailable
from ca.models import IssueRequest, Standing
from core.db import Database, migrate
from core.errors import NotFound, Unavailable
from core.identity import IdentityRefused
from signatures.errors import AlreadySigned, CannotSeal, NoSeal, NothingSent, SealDenied, SealUnusable, WishUsed
from signatures.holds import FileHold
from signatures.models import Level, Overall, Prepared, Profile, SealOrder, StampState
from signatures.pades.signing import Request
from signatures.sandbox import ReaderPool
from signatures.service import Sealing, Verification
from signatures.service.commitment import Commitments
from signatures.service.keys import move_in
from signatures.service.verification import Asker
from signatures.store import Signing, Store
from signatures.verdict import judge
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures import documents, stamper
from tests.signatures.fakes import (
    CITIZEN,
    CLERK,
    COMMITMENTS,
    MERCHANT,
    PORTAL,
    People,
    TestAuthority,
    encode,
    let_through,
    seal_keys,
    sealing,
)
from tests.signatures.pki import NOW, City

MIGRATIONS = Path(__file__).parents[2] / "signatures" / "migrations"


@dataclass
class Role:
    sealing: Sealing
    verification: Verification
    store: Store
    recorder: ListRecorder
    authority: TestAuthority
    people: People
    clock: ManualClock
    city: City
    folder: Path


@pytest.fixture
def level() -> Level:
    return Level.B


@pytest.fixture
def role(tmp_path: Path, city: City, readers: ReaderPool, level: Level) -> Iterator[Role]:
    unit = stamper.unit(city.people)
    database = Database.open(f"sqlite:///{tmp_path}/signatures.db")
    migrate(database, MIGRATIONS)
    store, recorder, clock = Store(database, encode=encode), ListRecorder(), ManualClock()
    authority, people = TestAuthority(city), People()
    made = sealing(
        store=store,
        readers=readers,
        folder=tmp_path / "keys",
        authority=authority,
        people=people,
        recorder=recorder,
        clock=clock,
        level=level,
        stamp=lambda over: stamper.token(over, unit, clock.now()),
        lists=city.lists,
    )
    verification = Verification(
        readers=readers,
        trust=city.trust,
        lists=city.lists,
        recorder=recorder,
        commitments=COMMITMENTS,
        clock=clock,
    )
    yield Role(made, verification, store, recorder, authority, people, clock, city, tmp_path)
    database.close()


def order(**changes: object) -> SealOrder:
    asked = SealOrder(document=documents.permit(), organisation="tax-bureau", actor=CLERK, caller="app", assurance=2)
    return replace(asked, **changes)  # type: ignore[arg-type]  # tests name the fields


def outbox(role: Role) -> list[dict[str, str]]:
    return [json.loads(row.body) for row in role.store.outbox.head()]


@pytest.mark.parametrize("level", [Level.T, Level.LT, Level.LTA])
def test_a_seal_reaches_the_level_that_the_site_chose(role: Role, level: Level, tmp_path: Path) -> None:
    role.sealing.establish("tax-bureau")
    sealed = role.sealing.seal(order())
    verdict = role.verification.verify(sealed, asker=Asker())
    assert verdict.overall is Overall.TRUSTED
    facts = verdict.signatures[0].facts
    assert facts is not None
    assert (facts.level, facts.proven_at) == (level, role.clock.now())
    assert all(stamp.state is StampState.GOOD for stamp in facts.stamps)
    # An outside witness, who knows nothing of our time-stamps.
    pdfsig = shutil.which("pdfsig")
    assert pdfsig
    path = documents.write(tmp_path, "sealed.pdf", sealed)
    told = subprocess.run([pdfsig, "-nocert", str(path)], capture_output=True, text=True, check=False).stdout
    assert "Signature is Valid." in told
    assert told.count("Signature #") == (2 if level is Level.LTA else 1)


@pytest.mark.parametrize("level", [Level.T])
def test_without_its_time_stamp_no_document_leaves(role: Role, level: Level) -> None:
    role.sealing.establish("tax-bureau")

    def refuse(_: bytes) -> bytes:
        raise Unavailable

    role.sealing._forming._stamp = refuse
    with pytest.raises(Unavailable):
        role.sealing.seal(order())
    assert outbox(role)[-1]["outcome"] == "failure"
    assert level is Level.T


def test_a_clerk_seals_and_the_seal_is_trusted(role: Role) -> None:
    role.sealing.establish("tax-bureau")
    sealed = role.sealing.seal(order())
    assert sealed.startswith(documents.permit()[:20])
    verdict = role.verification.verify(sealed, asker=Asker())
    assert verdict.overall is Overall.TRUSTED
    assert verdict.signatures[0].facts is not None
    assert verdict.signatures[0].facts.claimed_at == NOW


def test_the_intent_is_recorded_first_and_the_outcome_waits_in_the_outbox(role: Role) -> None:
    role.sealing.establish("tax-bureau")
    role.sealing.seal(order())
    assert role.recorder.types() == ["signature.intended"]
    intended = role.recorder.events[0]
    assert intended.outcome is Outcome.INTENDED
    assert (intended.subject, intended.organisation, intended.policy) == (CLERK, "tax-bureau", "7")
    assert [(row["type"], row["outcome"]) for row in outbox(role)] == [("signature.made", "success")]
    role.store.outbox.drop([row.position for row in role.store.outbox.head()])
    assert outbox(role) == []


def test_the_record_holds_a_keyed_commitment_and_nothing_of_the_document(role: Role) -> None:
    role.sealing.establish("tax-bureau")
    document = documents.permit()
    role.sealing.seal(order(document=document))
    event = role.recorder.events[0]
    assert event.object == Commitments(b"k" * 32).of(document)
    assert event.object != Commitments(b"x" * 32).of(document)
    assert "permit" not in repr(event).lower()


def test_without_the_recorder_nothing_is_sealed(role: Role) -> None:
    role.sealing.establish("tax-bureau")
    role.recorder.down = True
    with pytest.raises(RecordUnavailable):
        role.sealing.seal(order())
    assert [row["outcome"] for row in outbox(role)] == ["failure"]
    assert role.store.unfinished(before=NOW + timedelta(days=1)) == []


def test_without_the_recorder_there_is_no_verdict(role: Role, sealed: bytes) -> None:
    role.recorder.down = True
    with pytest.raises(RecordUnavailable):
        role.verification.verify(sealed, asker=Asker())


@pytest.mark.parametrize(
    ("actor", "organisation", "assurance"),
    [
        (CITIZEN, "tax-bureau", 2),
        (MERCHANT, "tax-bureau", 2),
        (CLERK, "silk-company", 2),
        (CLERK, "tax-bureau", 1),
        ("nobody", "tax-bureau", 2),
        (CLERK, "no-such-office", 2),
        (CLERK, "../../etc/passwd", 2),
    ],
)
def test_whoever_may_not_is_refused_and_recorded(role: Role, actor: str, organisation: str, assurance: int) -> None:
    role.sealing.establish("tax-bureau")
    with pytest.raises(SealDenied):
        role.sealing.seal(order(actor=actor, organisation=organisation, assurance=assurance))
    assert role.recorder.types() == ["signature.refused"]
    assert role.recorder.events[0].outcome is Outcome.DENIED


def through(header: str, **changes: object) -> SealOrder:
    """An order of the portal, which passes on the header it was asked with."""
    return order(caller=PORTAL, unverified_identity=header, actor="", assurance=0, **changes)


def test_behind_the_gateway_the_person_is_taken_from_its_header(role: Role) -> None:
    role.sealing.establish("tax-bureau")
    sealed = role.sealing.seal(through(let_through(CLERK, decision="d" * 32, session="s9")))
    assert role.verification.verify(sealed, asker=Asker()).overall is Overall.TRUSTED
    intended = role.recorder.events[0]
    assert (intended.type, intended.subject, intended.decision) == ("signature.intended", CLERK, "d" * 32)
    assert (intended.session, intended.zone) == ("s9", "internal")
    person, seal = role.people.persons[CLERK], role.store.seal_of("tax-bureau")
    assert intended.sealed == {"name": person.name, "object_name": seal.name}
    assert (intended.attributes["caller"], intended.attributes["assurance"]) == (PORTAL, 2)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "x",
        let_through(CLERK, audience="tax.city.localhost"),
        let_through(CLERK, audience="verify.city.localhost"),
        let_through(CLERK, at=NOW - timedelta(seconds=61)),
        let_through(CLERK, at=NOW + timedelta(seconds=60)),
        # Whoever reads a page has asked for no seal.
        let_through(CLERK, method="GET"),
        let_through("meter", kind="device"),
        let_through(CLERK)[:-6] + "AAAAAA",
    ],
)
def test_a_header_for_another_time_host_or_deed_moves_nothing(role: Role, header: str) -> None:
    role.sealing.establish("tax-bureau")
    for claimed in ("", CLERK):
        with pytest.raises(IdentityRefused):
            role.sealing.seal(replace(through(header), actor=claimed, assurance=3, session="s1"))
    refused = role.recorder.events[0]
    assert role.recorder.types() == ["signature.refused"] * 2
    # The record of the person who was named is not touched.
    assert (refused.outcome, refused.subject, refused.decision) == (Outcome.DENIED, "", "")
    assert (refused.attributes["caller"], refused.attributes["code"]) == (PORTAL, "identity_refused")


def test_a_portal_cannot_vouch_for_another_person(role: Role) -> None:
    role.sealing.establish("tax-bureau")
    with pytest.raises(SealDenied):
        role.sealing.seal(replace(through(let_through(CITIZEN, decision="e" * 32)), actor=CLERK))
    refused = role.recorder.events[0]
    assert (refused.type, refused.subject, refused.decision) == ("signature.refused", CITIZEN, "e" * 32)
    assert (refused.attributes["caller"], refused.attributes["code"]) == (PORTAL, "other_person")


def test_a_report_bears_the_one_seal_it_may_and_names_the_consents(role: Role) -> None:
    role.sealing._permission._reports = {PORTAL: "tax-bureau"}
    for organisation in ("tax-bureau", "silk-company"):
        role.sealing.establish(organisation)
    assert role.sealing.seal(through(let_through(CLERK), reference="w1 w2"))
    assert role.recorder.events[0].attributes["reference"] == "w1 w2"
    # Whoever has taken the asking role over gets nobody else's seal, though this person may set it elsewhere.
    person = role.people.persons[CLERK]
    role.people.persons[CLERK] = replace(person, organisation="silk-company")
    with pytest.raises(SealDenied):
        role.sealing.seal(through(let_through(CLERK), organisation="silk-company"))
    assert role.recorder.events[-1].attributes["code"] == "other_organisation"


def test_a_header_is_good_for_one_seal(role: Role) -> None:
    role.sealing.establish("tax-bureau")
    header = let_through(CLERK)
    role.sealing.seal(through(header))
    with pytest.raises(WishUsed):
        role.sealing.seal(through(header, document=documents.permit(pages=2)))
    assert role.recorder.types() == ["signature.intended", "signature.refused"]
    assert role.recorder.events[1].attributes["code"] == "wish_used"
    assert [row["outcome"] for row in outbox(role)] == ["success"]
    # The operator has no such header, and his rows do not get into each other's way.
    assert role.sealing.seal(order())
    assert role.sealing.seal(order())


def test_the_word_of_a_role_that_is_neither_operator_nor_behind_the_gateway_counts_for_nothing(role: Role) -> None:
    role.sealing.establish("tax-bureau")
    with pytest.raises(IdentityRefused):
        role.sealing.seal(order(caller="portal:tax", unverified_identity=let_through(CLERK)))
    assert role.recorder.types() == ["signature.refused"]


def test_the_header_s_assurance_counts_and_not_the_portal_s(role: Role) -> None:
    role.sealing.establish("tax-bureau")
    with pytest.raises(SealDenied):
        role.sealing.seal(replace(through(let_through(CLERK, assurance=1)), assurance=3))
    assert role.recorder.events[0].subject == CLERK


def test_a_disabled_clerk_is_refused(role: Role) -> None:
    role.sealing.establish("tax-bureau")
    role.people.persons[CLERK] = replace(role.people.persons[CLERK], enabled=False)
    with pytest.raises(SealDenied):
        role.sealing.seal(order())


def test_a_mandate_lets_a_merchant_seal_for_the_company_while_it_lasts(role: Role) -> None:
    role.sealing.establish("silk-company")
    assert role.sealing.seal(order(actor=MERCHANT, organisation="silk-company"))
    role.clock.advance(timedelta(days=60))
    with pytest.raises(SealDenied):
        role.sealing.seal(order(actor=MERCHANT, organisation="silk-company"))


def test_an_organisation_without_a_seal_cannot_seal(role: Role) -> None:
    with pytest.raises(NoSeal):
        role.sealing.seal(order())
    assert role.recorder.types() == []


@pytest.mark.parametrize("standing", [Standing.SUSPENDED, Standing.REVOKED, Standing.UNKNOWN])
def test_a_seal_whose_certificate_is_not_good_is_not_used(role: Role, standing: Standing) -> None:
    made = role.sealing.establish("tax-bureau")
    role.authority.standing[made.serial] = standing
    with pytest.raises(SealUnusable):
        role.sealing.seal(order())
    role.authority.standing[made.serial] = Standing.GOOD
    assert role.sealing.seal(order())


def test_an_expired_seal_is_not_used(role: Role) -> None:
    role.sealing.establish("tax-bureau")
    role.clock.advance(timedelta(days=400))
    with pytest.raises(SealUnusable):
        role.sealing.seal(order())


def test_a_lost_key_makes_the_seal_unusable(role: Role) -> None:
    made = role.sealing.establish("tax-bureau")
    (role.folder / "keys" / f"{made.key.removeprefix('file:')}.key").unlink()
    with pytest.raises(SealUnusable):
        seal_keys(role.folder / "keys").signer(made)


def test_keys_are_encrypted_private_and_belong_to_their_certificates(role: Role) -> None:
    made = role.sealing.establish("tax-bureau")
    path = role.folder / "keys" / f"{made.key.removeprefix('file:')}.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ValueError, match="deserialize"):
        load_der_private_key(path.read_bytes(), None)
    other = role.sealing.establish("silk-company")
    assert seal_keys(role.folder / "keys").signer(made).room > 0
    for key in (other.key, made.key.removeprefix("file:"), "token:" + "0" * 32):
        with pytest.raises(SealUnusable):
            seal_keys(role.folder / "keys").signer(replace(made, key=key))


def test_keys_of_an_earlier_release_are_moved_into_the_hold_and_leave_no_file(role: Role, tmp_path: Path) -> None:
    old, hold = tmp_path / "old", FileHold(role.folder / "keys", b"h" * 32)
    old.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    issued = role.authority.issue(
        IssueRequest(
            profile="organisation-seal", csr=asked.public_bytes(Encoding.PEM), subject="tax-bureau", actor="role:x"
        )
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    seal = replace(
        role.sealing.establish("silk-company"),
        organisation="tax-bureau",
        serial=issued.serial,
        certificate=issued.certificate.decode(),
        key="tax-bureau.00aa11bb.pem",
    )
    role.store.put_seal(seal, instead_of=None)
    for name in ("tax-bureau.00aa11bb.pem", "tax-bureau.of-nobody.pem"):
        (old / name).write_bytes(pem)
    with pytest.raises(SealUnusable):
        role.sealing.seal(order())
    # A start that dies after the row was changed leaves the old file, and the next start takes it away.
    assert move_in(old, store=role.store, hold=hold) == 1
    (old / "tax-bureau.00aa11bb.pem").write_bytes(pem)
    assert move_in(old, store=role.store, hold=hold) == 0
    assert list(old.iterdir()) == []
    assert role.store.seal_of("tax-bureau").key.startswith("file:")
    assert role.sealing.seal(order())


def test_an_old_file_that_holds_no_key_stays_and_a_worker_that_was_slower_keeps_nothing(
    role: Role, tmp_path: Path
) -> None:
    old, hold = tmp_path / "old", FileHold(tmp_path / "held", b"h" * 32)
    old.mkdir()
    made = role.sealing.establish("tax-bureau")
    assert role.store.rename_key(made, "broken.pem")
    (old / "broken.pem").write_bytes(b"no key")
    assert move_in(old, store=role.store, hold=hold) == 0
    assert (old / "broken.pem").exists()
    assert not role.store.rename_key(made, "file:" + "0" * 32)


def test_establishing_twice_keeps_the_seal_and_renewing_replaces_it(role: Role) -> None:
    first = role.sealing.establish("tax-bureau")
    assert role.sealing.establish("tax-bureau") == first
    second = role.sealing.establish("tax-bureau", renew=True)
    assert second.serial != first.serial
    assert role.store.seal_of("tax-bureau") == second
    assert [request.actor for request in role.authority.requests] == ["role:signatures"] * 2
    with pytest.raises(NotFound):
        role.sealing.establish("no-such-office")


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: b"", NothingSent),
        (lambda: b"hello", CannotSeal),
        (lambda: b"%PDF-1.7\n", CannotSeal),
        (lambda: documents.encrypted(documents.permit()), CannotSeal),
        (documents.bomb, CannotSeal),
    ],
    ids=["empty", "text", "a beginning", "encrypted", "bomb"],
)
def test_what_cannot_take_a_seal_is_refused_before_any_intent(
    role: Role, make: Callable[[], bytes], error: type[Exception]
) -> None:
    role.sealing.establish("tax-bureau")
    with pytest.raises(error):
        role.sealing.seal(order(document=make()))
    assert "signature.intended" not in role.recorder.types()


def test_a_signed_document_is_not_sealed_again(role: Role) -> None:
    role.sealing.establish("tax-bureau")
    with pytest.raises(AlreadySigned):
        role.sealing.seal(order(document=role.sealing.seal(order())))


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_turned_pages_are_sealed_too(role: Role, rotate: int) -> None:
    role.sealing.establish("tax-bureau")
    sealed = role.sealing.seal(order(document=documents.permit(rotate=rotate, pages=2)))
    assert role.verification.verify(sealed, asker=Asker()).overall is Overall.TRUSTED


def test_a_reading_process_cannot_slip_in_another_document(role: Role, leaf: object) -> None:
    role.sealing.establish("tax-bureau")
    role.sealing._forming._readers = _Swapping()  # type: ignore[assignment]  # a corrupted process
    with pytest.raises(CannotSeal):
        role.sealing.seal(order())
    assert role.recorder.types() == []


def test_a_sealing_whose_process_died_is_ended_by_the_replay(role: Role) -> None:
    role.store.intend(
        Signing(key="a" * 32, organisation="tax-bureau", actor=CLERK, commitment="c", serial="1f", at=NOW)
    )
    assert role.sealing.replay() == 0
    role.clock.advance(timedelta(minutes=11))
    assert role.sealing.replay() == 1
    assert role.sealing.replay() == 0
    assert [(row["type"], row["outcome"]) for row in outbox(role)] == [("signature.made", "failure")]


def test_a_verification_is_recorded_with_attributes_only(role: Role, sealed: bytes) -> None:
    role.verification.verify(sealed, asker=Asker(network="203.0.113.0/24"))
    event = role.recorder.events[0]
    assert (event.type, event.subject, event.actor, event.sealed) == ("signature.verified", "", "", {})
    assert event.attributes["verdict"] == "trusted"
    assert event.attributes["network"] == "203.0.113.0/24"


def test_a_suspension_bites_in_the_next_verdict(role: Role) -> None:
    made = role.sealing.establish("tax-bureau")
    sealed = role.sealing.seal(order())
    role.city.organisations.revoked[int(made.serial, 16)] = x509.ReasonFlags.certificate_hold
    assert role.verification.verify(sealed, asker=Asker()).overall is Overall.CANNOT_TELL
    del role.city.organisations.revoked[int(made.serial, 16)]
    assert role.verification.verify(sealed, asker=Asker()).overall is Overall.TRUSTED


def test_verification_and_reading_in_process_agree(role: Role, sealed: bytes) -> None:
    found = documents.inspected(sealed, role.city)
    here = judge(sealed, found, profile=Profile.STRICT, at=role.clock.now())
    assert role.verification.verify(sealed, asker=Asker()) == here


class _Swapping:
    def prepare(self, document: bytes, request: Request) -> Prepared:
        assert document
        assert request.room
        other = documents.permit(pages=2) + b"<0000>"
        return Prepared(document=other, digest=b"x" * 32, start=len(other) - 6, end=len(other))
