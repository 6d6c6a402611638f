# SPDX-License-Identifier: Apache-2.0
"""Request, evidence, approval, issue; and everybody who tries to get round it."""

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from audit import Outcome
from audit.errors import RecordUnavailable
from ca import CASettings, IssueRequest, Reason
from ca.errors import (
    AlreadyAsked,
    AskedTooOften,
    ContentChanged,
    EvidenceMissing,
    IssuanceDenied,
    KeyRefused,
    NoSuchRequest,
    NotForThisOfficer,
    NotOffered,
    RequestOver,
    RequestRefused,
    SubjectDisabled,
    WeaklyProofed,
)
from ca.models import Issued, Standing, State
from ca.registration import Asked, At, Evidence, Registration, Requests, Stage, Wish
from ca.service import CertificateAuthority, Verdict
from ca.x509 import PROFILES, Profile
from core.errors import Unavailable
from directory import Mandate, Proofing
from tests.fakes.people import CITIZEN, CLERK, COMPANY, KIOSK, OFFICER

from .world import World, new_key, request_for

SECOND = dataclasses.replace(
    OFFICER, subject="4f7e80f2-b156-4fa2-8e95-73a16fc25e05", username="qian.li", name="Qian Li", mandates=()
)
BOSS = Mandate(organisation=COMPANY.id, scope="all", until=dt.date(2036, 12, 31))


def _at(officer: str = OFFICER.subject, *, assurance: int = 3) -> At:
    return At(officer=officer, assurance=assurance, zone="management")


@pytest.fixture
def people(world: World) -> World:
    world.directory.people[SECOND.subject] = SECOND
    world.directory.people[CITIZEN.subject] = dataclasses.replace(CITIZEN, mandates=(BOSS,))
    return world


def _open(world: World, authority: CertificateAuthority) -> Registration:
    return Registration(
        requests=Requests(world.database),
        certificates=world.store,
        authority=authority,
        directory=world.directory,
        recorder=world.recorder,
        clock=world.clock,
        lifetime=CASettings().request_lifetime,
    )


@pytest.fixture
def desk(people: World, authority: CertificateAuthority) -> Registration:
    return _open(people, authority)


def _asked(desk: Registration, offer: str = "citizen", *, asker: str = CITIZEN.subject, proved: bool = True) -> Asked:
    asked = desk.ask(asker=asker, offer=offer, csr=request_for())
    if proved and asked.evidence is None:
        desk.prove(asked.id, _at(), evidence=Evidence.FACE_TO_FACE, reference="file 7")
    return desk.request(asked.id)


def _digest(desk: Registration, asked: Asked) -> str:
    return desk.preview(asked).digest


def _approve(desk: Registration, asked: Asked, officer: str = OFFICER.subject) -> Asked:
    return desk.approve(asked.id, _at(officer), digest=_digest(desk, asked))


SEAL = f"organisation-seal:{COMPANY.id}"


def test_a_citizen_asks_an_officer_proves_and_approves_and_it_is_issued(
    desk: Registration, people: World, authority: CertificateAuthority
) -> None:
    asked = desk.ask(asker=CITIZEN.subject, offer="citizen", csr=request_for())
    assert (asked.stage, asked.name) == (Stage.ASKED, "王小明")
    with pytest.raises(EvidenceMissing):
        _approve(desk, asked)
    desk.prove(asked.id, _at(), evidence=Evidence.FACE_TO_FACE, reference="file 7")
    assert desk.request(asked.id).stage is Stage.EVIDENCE
    preview = desk.preview(asked)
    done = _approve(desk, asked)
    assert done.stage is Stage.ISSUED
    found = authority.certificate(done.serial)
    assert (found.standing, found.subject, found.actor) == (Standing.GOOD, CITIZEN.subject, OFFICER.subject)
    certificate = x509.load_der_x509_certificate(found.der)
    # What was approved is what was issued.
    assert [str(each.value) for each in certificate.subject] == [value for _, value in preview.names]
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert hashlib.sha256(spki).hexdigest() == preview.key_hash
    # The approval stands in the record before the intent to sign, and both name the request.
    types = people.recorder.types()
    assert types.index("ca.request.approved") < len(types) - 1 - types[::-1].index("ca.certificate.intended")
    intent = people.recorder.events[-1]
    assert (intent.type, intent.attributes["request"]) == ("ca.certificate.intended", asked.id)
    approval = next(each for each in people.recorder.events if each.type == "ca.request.approved")
    assert (approval.outcome, approval.attributes["digest"]) == (Outcome.INTENDED, preview.digest)
    assert "王小明" not in str(approval.attributes)


def test_a_registrars_proof_in_the_directory_is_evidence(desk: Registration, people: World) -> None:
    proofed = dataclasses.replace(CITIZEN, proofing=Proofing(level=3, date=dt.date(2026, 1, 5), evidence="A-17"))
    people.directory.people[CITIZEN.subject] = proofed
    asked = _asked(desk, proved=False)
    assert (asked.stage, asked.evidence, asked.reference) == (Stage.EVIDENCE, Evidence.DIRECTORY, "3, 2026-01-05 A-17")


def test_an_organisations_seal_needs_two_different_officers(
    desk: Registration, authority: CertificateAuthority, people: World
) -> None:
    asked = _asked(desk, SEAL)
    once = _approve(desk, asked)
    assert (once.stage, once.serial) == (Stage.APPROVED_ONCE, "")
    # One officer twice, in whatever session.
    with pytest.raises(NotForThisOfficer) as refused:
        desk.approve(asked.id, dataclasses.replace(_at(), assurance=2), digest=_digest(desk, asked))
    assert refused.value.parameters["why"] == "one-officer-twice"
    said = people.recorder.events[-1]
    assert (said.type, said.attributes["act"], said.attributes["reasons"]) == (
        "ca.request.refused", "approve", "one-officer-twice"
    )  # fmt: skip
    done = _approve(desk, asked, SECOND.subject)
    assert authority.certificate(done.serial).subject == COMPANY.id
    assert [each.officer for each in done.approvals] == [OFFICER.subject, SECOND.subject]
    assert "ca.request.approved" in people.reported()


def test_nobody_decides_for_themselves_or_for_an_organisation_they_act_for(desk: Registration, people: World) -> None:
    asked = _asked(desk, SEAL)
    people.directory.people[SECOND.subject] = dataclasses.replace(SECOND, mandates=(BOSS,))
    for verb in (
        lambda at: desk.approve(asked.id, at, digest=_digest(desk, asked)),
        lambda at: desk.deny(asked.id, at, reason="x"),
    ):
        with pytest.raises(NotForThisOfficer) as refused:
            verb(_at(SECOND.subject))
        assert refused.value.parameters["why"] == "own-organisation"
        said = people.recorder.events[-1]
        assert (said.type, said.outcome, said.object) == ("ca.request.refused", Outcome.DENIED, asked.id)
        assert (said.actor, said.attributes["reasons"]) == (SECOND.subject, "own-organisation")
    own = desk.ask(asker=OFFICER.subject, offer="citizen", csr=request_for())
    with pytest.raises(NotForThisOfficer) as refused:
        _approve(desk, own)
    assert refused.value.parameters["why"] == "own-request"
    with pytest.raises(NotForThisOfficer):
        desk.ask_at_desk(
            Wish(profile="citizen", csr=request_for(), subject=OFFICER.subject, asker=OFFICER.subject),
            _at(),
            evidence=Evidence.FACE_TO_FACE,
            reference="me",
        )
    assert desk.request(own.id).approvals == ()


def test_an_officer_who_asked_with_a_mandate_does_not_approve_when_it_is_gone(
    desk: Registration, people: World
) -> None:
    people.directory.people[OFFICER.subject] = dataclasses.replace(OFFICER, mandates=(BOSS,))
    asked = desk.ask(asker=OFFICER.subject, offer=SEAL, csr=request_for())
    people.directory.people[OFFICER.subject] = OFFICER
    with pytest.raises(NotForThisOfficer):
        _approve(desk, asked)


@pytest.mark.parametrize("lost", ["role", "disabled", "mandate", "gone"])
def test_an_approval_counts_no_more_once_its_officer_could_not_give_it(
    desk: Registration, people: World, lost: str
) -> None:
    asked = _asked(desk, SEAL)
    _approve(desk, asked)
    changed = {
        "role": dataclasses.replace(OFFICER, roles=frozenset()),
        "disabled": dataclasses.replace(OFFICER, enabled=False),
        "mandate": dataclasses.replace(OFFICER, mandates=(BOSS,)),
    }
    if lost == "gone":
        del people.directory.people[OFFICER.subject]
    else:
        people.directory.people[OFFICER.subject] = changed[lost]
    after = _approve(desk, asked, SECOND.subject)
    assert (after.stage, after.serial) == (Stage.APPROVED_ONCE, "")
    assert [(each.officer, each.void) for each in after.approvals] == [(OFFICER.subject, True), (SECOND.subject, False)]


def test_a_request_that_was_swapped_after_the_first_approval_voids_it(desk: Registration, people: World) -> None:
    asked = _asked(desk, SEAL)
    seen = _digest(desk, asked)
    _approve(desk, asked)
    evil = request_for()
    with people.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE requests SET csr = ? WHERE id = ?", (evil, asked.id))
    # The second officer still has the old page before them.
    with pytest.raises(ContentChanged):
        desk.approve(asked.id, _at(SECOND.subject), digest=seen)
    # And one who looks anew agrees alone.
    after = _approve(desk, desk.request(asked.id), SECOND.subject)
    assert (after.stage, after.serial) == (Stage.APPROVED_ONCE, "")


def test_a_request_that_became_approved_behind_our_back_is_not_issued(
    desk: Registration, people: World, authority: CertificateAuthority
) -> None:
    asked = _asked(desk)
    with people.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE requests SET stage = 'approved' WHERE id = ?", (asked.id,))
    before = people.rows()
    with pytest.raises(ContentChanged):
        desk.issue(asked.id)
    assert people.rows() == before
    assert authority.certificates(CITIZEN.subject)[0] == []
    back = desk.request(asked.id)
    assert (back.stage, back.failure) == (Stage.EVIDENCE, "content_changed")


def test_a_name_that_changes_while_the_ceremony_begins_is_not_signed(people: World) -> None:
    class Renaming:
        def decide(self, request: IssueRequest, profile: Profile) -> Verdict:  # noqa: ARG002 - a policy's shape
            return Verdict(allowed=True)

    authority = people.open(Renaming())
    desk = _open(people, authority)
    asked = _asked(desk)
    real = authority.issue

    def renamed(request: IssueRequest) -> Issued:
        people.directory.people[CITIZEN.subject] = dataclasses.replace(CITIZEN, name_zh="别人")
        return real(request)

    authority.issue = renamed  # type: ignore[method-assign]  # the directory changes after the last look
    with pytest.raises(ContentChanged):
        _approve(desk, asked)
    assert desk.request(asked.id).standing == ()


def test_the_ceremony_compares_with_what_was_agreed_to(people: World, authority: CertificateAuthority) -> None:
    wish = IssueRequest(
        profile="citizen",
        csr=request_for(),
        subject=CITIZEN.subject,
        actor=OFFICER.subject,
        actor_roles=frozenset({"ra-officer"}),
        expected="0" * 64,
    )
    with pytest.raises(ContentChanged):
        authority.issue(wish)
    good = dataclasses.replace(wish, expected=authority.preview(wish).digest)
    assert authority.status(authority.issue(good).serial).good
    assert people.reported()[0] == "ca.certificate.refused"


def test_one_officer_alone_is_refused_by_the_ceremony_too(authority: CertificateAuthority) -> None:
    wish = IssueRequest(
        profile="organisation-seal",
        csr=request_for(),
        subject=COMPANY.id,
        actor=OFFICER.subject,
        actor_roles=frozenset({"ra-officer"}),
    )
    for alone in ((), (OFFICER.subject,)):
        with pytest.raises(IssuanceDenied) as refused:
            authority.issue(dataclasses.replace(wish, approved_by=alone))
        assert refused.value.parameters["reasons"] == "approvals-missing"
    own = dataclasses.replace(wish, profile="citizen", subject=CITIZEN.subject, approved_by=(CITIZEN.subject,))
    with pytest.raises(IssuanceDenied):
        authority.issue(own)


def test_an_approval_sent_again_makes_no_second_certificate(
    desk: Registration, authority: CertificateAuthority
) -> None:
    asked = _asked(desk)
    digest = _digest(desk, asked)
    desk.approve(asked.id, _at(), digest=digest)
    for officer in (OFFICER.subject, SECOND.subject):
        with pytest.raises(RequestOver):
            desk.approve(asked.id, _at(officer), digest=digest)
    desk.issue(asked.id)
    assert len(authority.certificates(CITIZEN.subject)[0]) == 1


def test_somebody_elses_request_is_not_there(desk: Registration) -> None:
    asked = _asked(desk)
    for verb in (desk.own, desk.withdraw):
        with pytest.raises(NoSuchRequest):
            verb(asked.id, CLERK.subject)
    with pytest.raises(NoSuchRequest):
        desk.own("0" * 32, CITIZEN.subject)
    assert desk.own(asked.id, CITIZEN.subject).id == asked.id
    desk.withdraw(asked.id, CITIZEN.subject)
    assert desk.request(asked.id).stage is Stage.WITHDRAWN
    with pytest.raises(RequestOver):
        _approve(desk, asked)


def test_a_request_expires(desk: Registration, people: World) -> None:
    asked, other = _asked(desk), _asked(desk)
    people.clock.advance(timedelta(days=14))
    with pytest.raises(RequestOver):
        _approve(desk, asked)
    assert desk.request(asked.id).stage is Stage.EXPIRED
    desk.tidy()
    assert desk.request(other.id).stage is Stage.EXPIRED
    assert people.reported().count("ca.request.expired") == 2


def test_a_name_in_the_request_is_nobodys_business(desk: Registration, authority: CertificateAuthority) -> None:
    """Whoever asks in another's name gets their own."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Li Na")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(new_key(), hashes.SHA256())
    asked = desk.ask(asker=CITIZEN.subject, offer="citizen", csr=csr.public_bytes(Encoding.PEM))
    desk.prove(asked.id, _at(), evidence=Evidence.DOCUMENTS, reference="passport seen")
    assert authority.certificate(_approve(desk, asked).serial).name == "王小明"


def test_nobody_asks_for_what_is_not_offered(desk: Registration) -> None:
    offered = {each.key for each in desk.offers(CITIZEN.subject)}
    assert offered == {"citizen", "citizen-signing", SEAL, f"organisation-representative:{COMPANY.id}"}
    assert {each.key for each in desk.offers(CLERK.subject)} == {"citizen", "citizen-signing", "civil-servant"}
    for offer in ("civil-servant", "organisation-seal:tax-bureau", "device-client", "server", "", "citizen:"):
        with pytest.raises(NotOffered):
            desk.ask(asker=CITIZEN.subject, offer=offer, csr=request_for())
    with pytest.raises(RequestRefused):
        desk.ask(asker=CITIZEN.subject, offer="citizen", csr=b"nonsense")


def test_one_key_and_one_person_cannot_fill_the_queue(desk: Registration) -> None:
    csr = request_for()
    desk.ask(asker=CITIZEN.subject, offer="citizen", csr=csr)
    with pytest.raises(AlreadyAsked):
        desk.ask(asker=CLERK.subject, offer="citizen", csr=csr)
    for _ in range(4):
        _asked(desk, proved=False)
    with pytest.raises(AskedTooOften):
        _asked(desk, proved=False)


def test_denied_with_a_reason(desk: Registration, people: World) -> None:
    asked = _asked(desk)
    desk.deny(asked.id, _at(), reason="The photograph is not yours.")
    denied = desk.request(asked.id)
    assert (denied.stage, denied.reason, denied.closed_by) == (
        Stage.DENIED,
        "The photograph is not yours.",
        OFFICER.subject,
    )
    (told,) = [each for each in people.outbox() if each.type == "ca.request.denied"]
    assert told.sealed["reason"] == "The photograph is not yours."
    with pytest.raises(RequestOver):
        desk.deny(asked.id, _at(), reason="again")


def test_without_the_record_nothing_is_asked_or_approved(desk: Registration, people: World) -> None:
    asked = _asked(desk)
    digest = _digest(desk, asked)
    people.recorder.down = True
    with pytest.raises(RecordUnavailable):
        desk.approve(asked.id, _at(), digest=digest)
    with pytest.raises(RecordUnavailable):
        desk.ask(asker=CLERK.subject, offer="citizen", csr=request_for())
    assert desk.asked_by(CLERK.subject) == []
    # Taking back does not wait.
    desk.withdraw(asked.id, CITIZEN.subject)
    people.recorder.down = False
    assert desk.request(asked.id).approvals == ()


def test_weakly_identified_officers_approve_nothing(desk: Registration) -> None:
    asked = _asked(desk)
    with pytest.raises(WeaklyProofed):
        desk.approve(asked.id, _at(assurance=1), digest=_digest(desk, asked))


def _nothing(_: Asked) -> str:
    return ""


def _dying(world: World, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """The process dies at this verb of the store, once."""
    real = getattr(world.store, verb)

    def die(*arguments: object, **named: object) -> None:
        monkeypatch.setattr(world.store, verb, real)
        if verb == "intend":
            raise KeyboardInterrupt
        if verb == "signed":
            raise KeyboardInterrupt
        real(*arguments, **named)

    monkeypatch.setattr(world.store, verb, die)


@pytest.mark.parametrize("verb", ["intend", "signed"])
def test_a_death_between_approval_and_certificate_is_mended_by_the_next(
    desk: Registration,
    people: World,
    authority: CertificateAuthority,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    asked = _asked(desk)
    _dying(people, monkeypatch, verb)
    with pytest.raises(KeyboardInterrupt):
        _approve(desk, asked)
    assert desk.request(asked.id).stage is Stage.APPROVED
    # The dead attempt is left alone until it must be dead.
    desk.tidy()
    assert desk.request(asked.id).stage is Stage.APPROVED
    people.clock.advance(timedelta(minutes=6))
    desk.tidy()
    done = desk.request(asked.id)
    assert done.stage is Stage.ISSUED
    found, _ = authority.certificates(CITIZEN.subject)
    assert [each.standing for each in found if each.serial == done.serial] == [Standing.GOOD]
    # What may have been signed is worth nothing.
    rest = [each for each in found if each.serial != done.serial]
    assert [(each.state, each.standing) for each in rest] == (
        [(State.INTENDED, Standing.REVOKED)] if verb == "signed" else []
    )


def test_a_death_after_the_certificate_finds_it_again(
    desk: Registration, people: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _asked(desk)

    def die(*_: object, **__: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Requests, "issued", die)
        with pytest.raises(KeyboardInterrupt):
            _approve(desk, asked)
    people.clock.advance(timedelta(minutes=6))
    desk.tidy()
    (only,) = authority.certificates(CITIZEN.subject)[0]
    assert desk.request(asked.id).serial == only.serial
    assert only.standing is Standing.GOOD


def test_an_attempt_that_slept_too_long_leaves_one_good_certificate(
    desk: Registration, people: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _asked(desk)
    real: Callable[..., bool] = Requests.issued

    def sleep(self: Requests, *arguments: str, **named: dt.datetime) -> bool:
        monkeypatch.setattr(Requests, "issued", real)
        monkeypatch.setattr(desk, "_left_behind", _nothing)
        people.clock.advance(timedelta(minutes=6))
        desk.issue(asked.id)
        return real(self, *arguments, **named)

    monkeypatch.setattr(Requests, "issued", sleep)
    _approve(desk, asked)
    found, _ = authority.certificates(CITIZEN.subject)
    assert sorted(each.standing for each in found) == [Standing.GOOD, Standing.REVOKED]
    assert authority.status(desk.request(asked.id).serial).good


def test_while_the_authority_cannot_it_stays_approved(
    desk: Registration, people: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _asked(desk)

    def away(_: IssueRequest) -> None:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(desk._authority, "issue", away)
        with pytest.raises(Unavailable):
            _approve(desk, asked)
        with pytest.raises(Unavailable):
            desk.tidy()
    assert desk.request(asked.id).stage is Stage.APPROVED
    # Nobody denies or withdraws what is being issued.
    with pytest.raises(RequestOver):
        desk.withdraw(asked.id, CITIZEN.subject)
    with pytest.raises(RequestOver):
        desk.deny(asked.id, _at(), reason="x")
    desk.tidy()
    assert desk.request(asked.id).stage is Stage.ISSUED
    assert people.recorder.types().count("ca.request.approved") == 1


def test_what_cannot_be_issued_goes_back_to_the_officers(desk: Registration, people: World) -> None:
    asked = _asked(desk)
    real = desk.issue

    def disabled(identifier: str) -> None:
        people.directory.disable(CITIZEN.subject)
        real(identifier)

    desk.issue = disabled  # type: ignore[method-assign]  # the holder is disabled between approval and issue
    with pytest.raises(SubjectDisabled):
        _approve(desk, asked)
    back = desk.request(asked.id)
    assert (back.stage, back.failure, back.standing) == (Stage.EVIDENCE, "subject_disabled", ())
    assert "ca.request.returned" in people.reported()


def test_at_the_desk_asking_is_the_first_approval(desk: Registration, authority: CertificateAuthority) -> None:
    def wish(profile: str, subject: str) -> Wish:
        return Wish(profile=profile, csr=request_for(), subject=subject, asker=OFFICER.subject)

    done = desk.ask_at_desk(wish("device-client", KIOSK.id), _at(), evidence=Evidence.DOCUMENTS, reference="inventory")
    assert authority.status(done.serial).good
    seal = desk.ask_at_desk(wish("organisation-seal", COMPANY.id), _at(), evidence=Evidence.DOCUMENTS, reference="x")
    assert seal.stage is Stage.APPROVED_ONCE
    with pytest.raises(NotForThisOfficer):
        _approve(desk, seal)
    assert _approve(desk, seal, SECOND.subject).stage is Stage.ISSUED
    for profile in ("server", "nonsense", "device-server"):
        with pytest.raises(NotOffered):
            desk.ask_at_desk(wish(profile, KIOSK.id), _at(), evidence=Evidence.DOCUMENTS, reference="x")


def test_a_revoked_key_is_refused_at_last(desk: Registration, authority: CertificateAuthority) -> None:
    csr = request_for()
    first = desk.ask(asker=CITIZEN.subject, offer="citizen", csr=csr)
    desk.prove(first.id, _at(), evidence=Evidence.DOCUMENTS, reference="x")
    authority.revoke(_approve(desk, first).serial, reason=Reason.KEY_COMPROMISE, actor=CITIZEN.subject)
    again = desk.ask(asker=CITIZEN.subject, offer="citizen", csr=csr)
    desk.prove(again.id, _at(), evidence=Evidence.DOCUMENTS, reference="x")
    with pytest.raises(KeyRefused):
        _approve(desk, again)


def test_the_queue_is_paged_and_every_profile_has_its_officers(desk: Registration) -> None:
    many = [_asked(desk, proved=False) for _ in range(3)]
    found, more = desk.queue((Stage.ASKED,))
    assert ([each.id for each in found], more) == ([each.id for each in many], 0)
    found, more = desk._requests.queue((Stage.ASKED,), limit=2)
    rest, end = desk._requests.queue((Stage.ASKED,), after=more, limit=2)
    assert ([each.id for each in (*found, *rest)], end) == ([each.id for each in many], 0)
    for name in ("organisation-seal", "organisation-representative"):
        assert PROFILES[name].approvals == 2


def test_two_approvals_at_one_moment_are_not_one(desk: Registration, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both officers of a two-officer request saw no approval; the slower one looks again."""
    asked = _asked(desk, SEAL)
    real = desk._recorder.record

    def overtaken(*arguments: object, **named: object) -> object:
        monkeypatch.setattr(desk._recorder, "record", real)
        _approve(desk, asked, SECOND.subject)
        return real(*arguments, **named)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(desk._recorder, "record", overtaken)
    with pytest.raises(RequestOver):
        _approve(desk, asked)
    assert [each.officer for each in desk.request(asked.id).approvals] == [SECOND.subject]
