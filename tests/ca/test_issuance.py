# SPDX-License-Identifier: Apache-2.0
"""The issuance ceremony: what it makes, whom it refuses, and what is left when it dies at each step."""

import dataclasses
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from audit import Event, Outcome, Receipt, RecordUnavailable, Wait
from audit.models_deeds import deed
from ca.errors import (
    CertificateDiffers,
    DraftSpent,
    IssuanceDenied,
    IssuerUnusable,
    KeyRefused,
    LintStopped,
    RequestRefused,
    SerialTaken,
    SubjectDisabled,
    SubjectUnsuitable,
    UnknownProfile,
)
from ca.models import IssueRequest, Reason, Standing, State
from ca.service import CertificateAuthority, Verdict
from ca.x509 import PROFILES, Profile, draw
from ca.x509.build import validity
from core.db import DatabaseUnavailable
from core.errors import NotFound, TallygateError
from directory import Person
from tests.fakes.people import CITIZEN, CLERK, COMPANY, KIOSK, OFFICER

from .world import World, ask, loaded, new_key, request_for

# What it makes.


def test_a_citizen_certificate_says_what_the_directory_says(world: World, authority: CertificateAuthority) -> None:
    certificate = loaded(authority.issue(ask()))
    name = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0]
    assert name.value == "王小明"
    assert name._type.name == "UTF8String"
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.UniformResourceIdentifier) == [f"urn:uuid:{CITIZEN.subject}"]
    policies = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
    assert [each.policy_identifier.dotted_string for each in policies] == ["2.999.1.1"]
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points[0].full_name is not None
    shard = certificate.serial_number % world.settings.crl_shards + 1
    assert points[0].full_name[0].value == f"http://pki.city.localhost:8080/crl/people/{shard}.crl"
    access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert {each.access_method: each.access_location.value for each in access} == {
        AuthorityInformationAccessOID.OCSP: "http://pki.city.localhost:8080/ocsp/people",
        AuthorityInformationAccessOID.CA_ISSUERS: "http://pki.city.localhost:8080/ca/people.cer",
    }


@pytest.mark.parametrize(
    ("profile", "subject", "issuer"),
    [
        ("citizen", CITIZEN.subject, "people"),
        ("citizen-signing", CLERK.subject, "people"),
        ("civil-servant", CLERK.subject, "people"),
        ("device-client", KIOSK.id, "devices"),
        ("organisation-seal", COMPANY.id, "organisations"),
    ],
)
def test_every_desk_profile_passes_lint(
    authority: CertificateAuthority, profile: str, subject: str, issuer: str
) -> None:
    issued = authority.issue(ask(profile, subject=subject))
    found = authority.certificate(issued.serial)
    assert (found.profile, found.issuer, found.subject, found.state) == (profile, issuer, subject, State.SIGNED)
    authority.settle()
    assert authority.certificate(issued.serial).state is State.DELIVERED
    assert found.standing is Standing.GOOD


@pytest.mark.parametrize("profile", ["timestamp", "ocsp"])
def test_machine_profiles_pass_lint(authority: CertificateAuthority, profile: str) -> None:
    issued = authority.issue(_machine(profile, issuer="infrastructure"))
    assert authority.status(issued.serial).good


@pytest.mark.parametrize(
    ("make", "profile"),
    [
        (lambda: ec.generate_private_key(ec.SECP384R1()), "citizen"),
        (lambda: rsa.generate_private_key(65537, 3072), "citizen"),
        (ed25519.Ed25519PrivateKey.generate, "citizen-signing"),
    ],
    ids=["p-384", "rsa-3072", "ed25519-for-signing"],
)
def test_other_strong_keys_are_taken(authority: CertificateAuthority, make: Callable[[], Any], profile: str) -> None:
    key = make()
    issued = authority.issue(ask(profile, csr=_sign_request(key)))
    assert loaded(issued).public_key() == key.public_key()


def test_the_record_holds_intent_and_outcome_and_no_name_in_clear(
    world: World, authority: CertificateAuthority
) -> None:
    issued = authority.issue(ask())
    intent = world.recorder.events[-1]
    assert (intent.type, intent.outcome, intent.object) == (
        "ca.certificate.intended",
        Outcome.INTENDED,
        issued.serial,
    )
    assert (intent.subject, intent.actor) == (CITIZEN.subject, OFFICER.subject)
    assert intent.sealed == {"name": "王小明", "object_name": "王小明", "actor_name": "Zhao Min"}
    outcome = world.outbox()[-1]
    assert outcome.sealed == intent.sealed
    told = deed(outcome, outcome.sealed)
    assert (told.initiator_name, told.target_name) == ("Zhao Min", "王小明")
    assert (outcome.type, outcome.outcome, outcome.object) == (
        "ca.certificate.issued",
        Outcome.SUCCESS,
        issued.serial,
    )
    for event in (intent, outcome):
        clear = str({**event.__dict__, "sealed": {}})
        assert "王小明" not in clear
        assert "Zhao Min" not in clear


def test_a_refusal_names_whom_the_directory_knows_and_nobody_whom_somebody_typed(
    world: World, authority: CertificateAuthority
) -> None:
    unknown = "99999999-9999-4999-8999-999999999999"
    for asked, sealed in (
        (ask("civil-servant", subject=CLERK.subject, actor=CITIZEN.subject, roles=frozenset()), ("李娜", "王小明")),
        (ask(subject=CITIZEN.subject, actor=unknown, roles=frozenset()), ("王小明", "")),
        (ask(subject=unknown), ("", "")),
    ):
        with pytest.raises(TallygateError):
            authority.issue(asked)
        refused = world.outbox()[-1]
        assert (refused.type, refused.subject) == ("ca.certificate.refused", asked.subject)
        assert (refused.sealed.get("name", ""), refused.sealed.get("actor_name", "")) == sealed
        assert "object_name" not in refused.sealed


@pytest.mark.parametrize(
    ("profile", "subject", "sealed"),
    [
        ("device-client", KIOSK.id, {"name": "Kiosk 7", "object_name": "Kiosk 7"}),
        # Nothing of theirs is personal, and there is nobody whose key would seal it.
        ("organisation-seal", COMPANY.id, {}),
    ],
)
def test_an_officer_is_named_to_persons_only(
    world: World, authority: CertificateAuthority, profile: str, subject: str, sealed: dict[str, str]
) -> None:
    authority.issue(ask(profile, subject=subject))
    assert world.recorder.events[-1].sealed == world.outbox()[-1].sealed == sealed


def test_whoever_acts_for_themselves_or_as_a_role_is_not_looked_up(
    world: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    person = world.directory.person

    def counting(subject: str) -> Person:
        asked.append(subject)
        return person(subject)

    monkeypatch.setattr(world.directory, "person", counting)
    for actor, roles in ((CITIZEN.subject, frozenset({"citizen"})), ("role:sso", frozenset({"role:sso"}))):
        with suppress(TallygateError):
            authority.issue(ask(actor=actor, roles=roles))
        assert "actor_name" not in world.outbox()[-1].sealed
    assert asked == [CITIZEN.subject] * 2


# Whom it refuses.


def test_a_request_signed_by_another_key_is_refused(world: World, authority: CertificateAuthority) -> None:
    der = bytearray(x509.load_pem_x509_csr(request_for()).public_bytes(Encoding.DER))
    other = x509.load_pem_x509_csr(request_for()).signature
    own = x509.load_der_x509_csr(bytes(der)).signature
    forged = bytes(der).replace(own, other) if len(own) == len(other) else bytes(der)[:-1] + bytes([der[-1] ^ 1])
    before = world.rows()
    with pytest.raises(RequestRefused):
        authority.issue(ask(csr=forged))
    assert world.rows() == before
    assert world.reported()[-1] == "ca.certificate.refused"


@pytest.mark.parametrize(
    "make",
    [
        lambda: _sign_request(rsa.generate_private_key(65537, 2048)),
        lambda: _sign_request(rsa.generate_private_key(3, 3072)),
        lambda: _sign_request(ec.generate_private_key(ec.SECP521R1())),
        lambda: _sign_request(ec.generate_private_key(ec.SECP256K1())),
        lambda: _sign_request(dsa.generate_private_key(2048)),
        lambda: _sign_request(ed25519.Ed25519PrivateKey.generate()),
    ],
    ids=["rsa-2048", "rsa-exponent-3", "p-521", "secp256k1", "dsa", "ed25519-for-login"],
)
def test_weak_and_odd_keys_are_refused(authority: CertificateAuthority, make: Callable[[], bytes]) -> None:
    with pytest.raises(KeyRefused):
        authority.issue(ask(csr=make()))


def test_a_key_vouches_for_one_holder_only(authority: CertificateAuthority) -> None:
    csr = request_for()
    authority.issue(ask(csr=csr))
    authority.issue(ask("citizen-signing", csr=csr))
    with pytest.raises(KeyRefused):
        authority.issue(ask(subject=CLERK.subject, csr=csr))


def test_a_compromised_key_is_never_certified_again(authority: CertificateAuthority) -> None:
    csr = request_for()
    lost = authority.issue(ask(csr=csr))
    authority.revoke(lost.serial, reason=Reason.KEY_COMPROMISE, actor=OFFICER.subject)
    with pytest.raises(KeyRefused):
        authority.issue(ask(csr=csr))


def test_a_request_to_become_an_authority_is_refused(authority: CertificateAuthority) -> None:
    wish = x509.BasicConstraints(ca=True, path_length=None)
    with pytest.raises(RequestRefused):
        authority.issue(ask(csr=_wish(wish)))


def test_names_in_a_request_are_ignored(authority: CertificateAuthority) -> None:
    wish = x509.SubjectAlternativeName(
        [x509.DNSName("sso.city.localhost"), x509.UniformResourceIdentifier(f"urn:uuid:{OFFICER.subject}")]
    )
    certificate = loaded(authority.issue(ask(csr=_wish(wish))))
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [each.value for each in found] == [f"urn:uuid:{CITIZEN.subject}"]
    assert "mayor" not in certificate.subject.rfc4514_string()


@pytest.mark.parametrize(
    "noise",
    [
        b"",
        b"\x30",
        b"\x30\x82\xff\xff",
        b"-----BEGIN CERTIFICATE REQUEST-----",
        b"A" * 100_000,
        b"\x30\x84\xff\xff\xff\xff" + b"\0" * 100,
        "王小明".encode(),
    ],
)
def test_garbage_is_refused_before_a_serial_is_taken(
    world: World, authority: CertificateAuthority, noise: bytes
) -> None:
    before = world.rows()
    request = dataclasses.replace(ask(), csr=noise)
    with pytest.raises(RequestRefused):
        authority.issue(request)
    assert world.rows() == before


def test_mutated_requests_are_refused_or_change_nothing(authority: CertificateAuthority) -> None:
    good = x509.load_pem_x509_csr(request_for()).public_bytes(Encoding.DER)
    chance = random.Random(20261120)  # noqa: S311 - seeded, so that a failure repeats
    for _ in range(60):
        broken = bytearray(good)
        broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        with pytest.raises((RequestRefused, KeyRefused)):
            authority.issue(ask(csr=bytes(broken)))


def test_strangers_disabled_people_and_wrong_kinds_are_refused(world: World, authority: CertificateAuthority) -> None:
    with pytest.raises(NotFound):
        authority.issue(ask(subject="00000000-0000-4000-8000-000000000000"))
    with pytest.raises(SubjectUnsuitable):
        authority.issue(ask("civil-servant", subject=CITIZEN.subject))
    with pytest.raises(SubjectUnsuitable):
        authority.issue(ask(subject="../root"))
    with pytest.raises(UnknownProfile):
        authority.issue(ask("root"))
    world.directory.disable(CITIZEN.subject)
    with pytest.raises(SubjectDisabled):
        authority.issue(ask())


def test_a_name_that_no_certificate_can_hold_is_refused(world: World, authority: CertificateAuthority) -> None:
    for name in ("王" * 65, "a\u202eb", "", " x"):
        person = dataclasses.replace(CITIZEN, name=name, name_zh="")
        world.directory.people[CITIZEN.subject] = person
        with pytest.raises(SubjectUnsuitable):
            authority.issue(ask())


def test_nobody_serves_themselves_and_only_officers_serve_others(authority: CertificateAuthority) -> None:
    with pytest.raises(IssuanceDenied):
        authority.issue(ask(subject=OFFICER.subject))
    with pytest.raises(IssuanceDenied):
        authority.issue(ask(roles=frozenset({"citizen"})))
    with pytest.raises(IssuanceDenied):
        authority.issue(dataclasses.replace(_machine("server"), hosts=("x.city.localhost",), actor_roles=frozenset()))


def test_every_policy_must_allow(world: World) -> None:
    class No:
        def decide(self, request: IssueRequest, profile: Profile) -> Verdict:
            return Verdict(allowed=False, reasons=(f"closed-{profile.name}-{request.zone}",), version="7")

    with pytest.raises(IssuanceDenied, match="closed-citizen"):
        world.open(No()).issue(ask())
    assert world.outbox()[-1].attributes["code"] == "issuance_denied"


@pytest.mark.parametrize("host", ["evil.example", "city.localhost.evil.example", "*.city.localhost", "8.8.8.8", ""])
def test_servers_are_certified_only_in_our_own_domain(authority: CertificateAuthority, host: str) -> None:
    with pytest.raises(SubjectUnsuitable):
        authority.issue(dataclasses.replace(_machine("server"), hosts=(host,)))


# Validity.


@given(
    at=st.integers(0, 3649 * 86_400).map(
        lambda later: datetime(2026, 11, 20, 8, tzinfo=UTC) + timedelta(seconds=later)
    ),
    profile=st.sampled_from(sorted(PROFILES)),
)
def test_nothing_outlives_its_issuer(at: datetime, profile: str) -> None:
    issuer = _authority_certificate()
    begins, ends = validity(PROFILES[profile], issuer, at)
    assert issuer.not_valid_before_utc <= begins <= at
    assert begins < ends <= issuer.not_valid_after_utc
    assert ends - begins <= PROFILES[profile].validity - timedelta(seconds=1)
    assert at - begins <= timedelta(minutes=1, seconds=1)


def test_an_expired_issuer_signs_nothing(world: World, authority: CertificateAuthority) -> None:
    world.clock.advance(timedelta(days=3650))
    before = world.recorder.types()
    with pytest.raises(IssuerUnusable):
        authority.issue(ask())
    assert world.recorder.types() == before


def test_serials_are_positive_and_begin_with_the_instance() -> None:
    drawn = {draw(instance) for instance in (1, 127) for _ in range(200)}
    assert len(drawn) == 400
    assert {number >> 136 for number in drawn} == {1, 127}
    assert all(number.bit_length() <= 159 for number in drawn)


# Death at each step.


def test_step_6_a_serial_is_never_taken_twice(
    world: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = authority.issue(ask())
    monkeypatch.setattr("ca.service.issuance.draw", lambda _: int(first.serial, 16))
    events = len(world.recorder.events)
    with pytest.raises(SerialTaken):
        authority.issue(ask())
    assert len(world.recorder.events) == events
    assert authority.status(first.serial).good


def test_step_5_lint_stops_a_bad_profile(
    world: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without its exception the URN is a finding; nothing about the key or the record may have happened.
    bare = dataclasses.replace(PROFILES["citizen"], exceptions=())
    monkeypatch.setattr("ca.service.issuance.profile", lambda _: bare)
    events, rows = len(world.recorder.events), world.rows()
    with pytest.raises(LintStopped, match=r"pkix\.invalid_uri_syntax"):
        authority.issue(ask())
    assert len(world.recorder.events) == events
    assert world.reported()[-1] == "ca.certificate.refused"
    assert world.rows() == rows


def test_step_6_a_store_that_dies_leaves_no_intent_and_no_certificate(
    world: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, rows = len(world.recorder.events), world.rows()
    monkeypatch.setattr(world.store, "intend", _raising(DatabaseUnavailable()))
    with pytest.raises(DatabaseUnavailable):
        authority.issue(ask())
    assert len(world.recorder.events) == events
    assert world.rows() == rows


def test_step_7_no_record_no_signature(world: World, authority: CertificateAuthority) -> None:
    world.recorder.down = True
    signed: list[object] = []
    authority._signer.certificate = lambda *_, issuer: signed.append(issuer)  # type: ignore[method-assign,assignment]  # a spy
    with pytest.raises(RecordUnavailable):
        authority.issue(ask())
    assert signed == []
    assert _last(world).state is State.ABANDONED
    assert world.reported()[-1] == "ca.certificate.abandoned"


def test_step_7_the_intent_waits_for_its_checkpoint(world: World, authority: CertificateAuthority) -> None:
    waits: list[Wait] = []
    record = world.recorder.record

    def spy(event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
        waits.append(wait)
        return record(event, wait=wait)

    world.recorder.record = spy  # type: ignore[method-assign]  # a spy
    authority.issue(ask())
    assert waits == [Wait.PUBLISHED]


def test_step_8_a_crash_around_the_signature_is_possibly_issued_and_never_good(
    world: World, authority: CertificateAuthority
) -> None:
    authority._signer.certificate = _raising(MemoryError())  # type: ignore[method-assign]  # the process dies
    with pytest.raises(MemoryError):
        authority.issue(ask())
    _is_possibly_issued(world)


def test_step_9_other_bytes_than_linted_go_nowhere(world: World, authority: CertificateAuthority) -> None:
    other = loaded(authority.issue(ask()))
    authority._signer.certificate = lambda *_, **__: other  # type: ignore[method-assign]  # a signer gone wrong
    with pytest.raises(CertificateDiffers):
        authority.issue(ask())
    _is_possibly_issued(world)


def test_step_10_a_store_that_dies_after_the_signature_leaves_it_possibly_issued(
    world: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.store, "signed", _raising(DatabaseUnavailable()))
    with pytest.raises(DatabaseUnavailable):
        authority.issue(ask())
    _is_possibly_issued(world)


def test_step_11_what_was_handed_over_is_stored_with_the_next_issuance(authority: CertificateAuthority) -> None:
    first, second = authority.issue(ask()).serial, authority.issue(ask()).serial
    assert authority.certificate(first).state is State.DELIVERED
    assert authority.certificate(second).state is State.SIGNED


def test_step_11_a_crash_before_that_loses_nothing(world: World, authority: CertificateAuthority) -> None:
    serial = authority.issue(ask()).serial
    again = world.open()
    again.settle()
    again.reap()
    found = again.certificate(serial)
    assert (found.state, found.standing) == (State.SIGNED, Standing.GOOD)
    assert world.reported()[-1] == "ca.certificate.issued"


def test_step_11_what_cannot_be_stored_now_waits(
    world: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = authority.issue(ask()).serial
    with monkeypatch.context() as patched:
        patched.setattr(world.store, "deliver", _raising(DatabaseUnavailable()))
        patched.setattr(world.store, "signed", _raising(DatabaseUnavailable()))
        for act in (authority.settle, lambda: authority.issue(ask())):
            with pytest.raises(DatabaseUnavailable):
                act()
    authority.settle()
    assert authority.certificate(serial).state is State.DELIVERED


# The token.


def test_a_lint_token_is_good_once_and_only_for_its_signer_and_issuer(
    world: World, authority: CertificateAuthority
) -> None:
    kept: list[Any] = []
    signer = authority._signer
    real = signer.certificate
    signer.certificate = lambda linted, *, issuer: (kept.append(linted), real(linted, issuer=issuer))[1]  # type: ignore[method-assign,func-returns-value]  # a spy
    authority.issue(ask())
    with pytest.raises(DraftSpent):
        real(kept[0], issuer="people")
    fresh = authority._issuance._linter.lint(kept[0].draft)
    with pytest.raises(DraftSpent):
        world.open()._signer.certificate(fresh, issuer="people")
    with pytest.raises(DraftSpent):
        real(fresh, issuer="devices")
    with pytest.raises(DraftSpent):
        real(fresh, issuer="people")
    changed = authority._issuance._linter.lint(kept[0].draft)
    with pytest.raises(DraftSpent):
        real(dataclasses.replace(changed, tbs=changed.tbs[:-1] + b"x"), issuer="people")


# Helpers.


def _is_possibly_issued(world: World) -> None:
    found = _last(world)
    assert (found.state, found.standing) == (State.INTENDED, Standing.POSSIBLY_ISSUED)
    assert all(found.serial != event.object for event in world.outbox())
    # A restart reports it once and keeps it revocable.
    restarted = world.open()
    assert restarted.reap() == 0
    world.clock.advance(timedelta(minutes=3))
    assert restarted.reap() == 1
    assert restarted.reap() == 0
    last = world.outbox()[-1]
    assert last.type == "ca.certificate.abandoned"
    assert last.attributes["possibly_issued"] is True
    assert not restarted.status(found.serial).good


def _last(world: World) -> Any:
    with world.database.reading() as connection:
        row = connection.exec_driver_sql("SELECT serial FROM certificates ORDER BY position DESC").first()
    assert row is not None
    return world.store.certificate(row[0])


def _raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


def _machine(profile: str, *, issuer: str = "") -> IssueRequest:
    return IssueRequest(
        profile=profile,
        csr=request_for(),
        subject="machine-1",
        actor="role:app",
        actor_roles=frozenset({"role:app"}),
        issuer=issuer,
    )


def _sign_request(key: Any) -> bytes:
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return csr.sign(key, algorithm).public_bytes(Encoding.DER)


def _wish(extension: x509.ExtensionType) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the mayor")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).add_extension(extension, critical=True)
    return csr.sign(new_key(), hashes.SHA256()).public_bytes(Encoding.PEM)


def _authority_certificate() -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
    begins = datetime(2026, 11, 20, 8, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .serial_number(1)
        .public_key(_KEY.public_key())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=3650) - timedelta(seconds=1))
        .sign(_KEY, hashes.SHA256())
    )


_KEY = new_key()
