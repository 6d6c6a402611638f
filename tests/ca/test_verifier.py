# SPDX-License-Identifier: Apache-2.0
"""What the verifier takes, and that everything else gets one and the same refusal."""

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ca import CertificateRefused, CertificateVerifier
from ca.ceremony import offline
from ca.ceremony.authorities import Authority, Hall
from ca.errors import IssuerUnusable, KeyUnusable
from ca.models import Reason, Standing
from ca.service import CertificateAuthority
from ca.verifier import Purpose
from ca.x509.lint import Linter, Seal
from ca.x509.lists import Withdrawn
from tests.fakes.people import CITIZEN, CLERK, COMPANY, KIOSK

from .world import World, ask, listed, loaded, new_key, request_for


@pytest.fixture
def verifier(world: World) -> CertificateVerifier:
    return CertificateVerifier.load(world.site.public)


@pytest.mark.parametrize(
    "case",
    [
        ("citizen", CITIZEN.subject, "person"),
        ("civil-servant", CLERK.subject, "person"),
        ("device-client", KIOSK.id, "device"),
        ("organisation-seal", COMPANY.id, "organisation"),
    ],
)
def test_each_kind_is_taken_for_its_purpose_and_no_other(
    world: World,
    authority: CertificateAuthority,
    verifier: CertificateVerifier,
    case: tuple[str, str, Purpose],
) -> None:
    profile, subject, purpose = case
    issued = authority.issue(ask(profile, subject=subject))
    verified = verifier.verify(issued.certificate, purpose=purpose, at=world.clock.now())
    assert (verified.subject, verified.profile, verified.kind) == (subject, profile, purpose)
    assert verified.serial == issued.serial
    others: set[Purpose] = {"person", "device", "organisation"}
    for other in others - {purpose}:
        with pytest.raises(CertificateRefused):
            verifier.verify(issued.certificate, purpose=other, at=world.clock.now())


def _on_the_roots_list(world: World, issuer: str) -> None:
    public, now = world.site.public, world.clock.now()
    root = Authority(
        x509.load_pem_x509_certificate((public / "root.pem").read_bytes()), offline.take(world.site.state / "offline")
    )
    serial = x509.load_pem_x509_certificate((public / "issuers" / f"{issuer}.pem").read_bytes()).serial_number
    gone = Withdrawn(serial=serial, standing=Standing.REVOKED, at=now, reason=Reason.KEY_COMPROMISE)
    hall = Hall(site=world.site, settings=world.settings, linter=Linter(Seal()), at=now)
    (public / "root.crl").write_bytes(hall.root_list(root, number=2, entries=[gone]))


def test_nothing_of_an_authority_that_the_root_took_back_is_believed_or_made(
    world: World, authority: CertificateAuthority
) -> None:
    card, kiosk = authority.issue(ask()), authority.issue(ask("device-client", subject=KIOSK.id))
    _on_the_roots_list(world, "people")
    after, now = CertificateVerifier.load(world.site.public), world.clock.now()
    with pytest.raises(CertificateRefused):
        after.verify(card.certificate, purpose="person", at=now)
    assert after.verify(kiosk.certificate, purpose="device", at=now).serial == kiosk.serial
    again = world.open()
    with pytest.raises(IssuerUnusable):
        again.issue(ask())
    again.issue(ask("device-client", subject=KIOSK.id))
    # What its certificates are worth is still told.
    again.revoke(card.serial, reason=Reason.SUPERSEDED, actor="x")
    assert listed(again) == [card.serial]


def test_a_list_that_the_root_did_not_sign_stops_the_start(world: World) -> None:
    path = world.site.public / "root.crl"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for start in (lambda: CertificateVerifier.load(world.site.public), world.open):
        with pytest.raises(KeyUnusable):
            start()
    path.unlink()
    CertificateVerifier.load(world.site.public)
    world.open()


def test_a_signing_certificate_does_not_log_in(
    world: World, authority: CertificateAuthority, verifier: CertificateVerifier
) -> None:
    issued = authority.issue(ask("citizen-signing"))
    with pytest.raises(CertificateRefused):
        verifier.verify(issued.certificate, purpose="person", at=world.clock.now())


def test_the_first_and_last_second_are_valid_and_no_other(
    world: World, authority: CertificateAuthority, verifier: CertificateVerifier
) -> None:
    issued = authority.issue(ask())
    certificate = loaded(issued)
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    for at in (first, last, last + timedelta(milliseconds=999)):
        verifier.verify(issued.certificate, purpose="person", at=at)
    for at in (first - timedelta(seconds=1), last + timedelta(seconds=1)):
        with pytest.raises(CertificateRefused):
            verifier.verify(issued.certificate, purpose="person", at=at)


def test_a_foreign_authority_of_the_same_name_is_refused(
    world: World, authority: CertificateAuthority, verifier: CertificateVerifier
) -> None:
    real = loaded(authority.issue(ask()))
    key = new_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(real.subject)
        .issuer_name(real.issuer)
        .serial_number(real.serial_number)
        .public_key(key.public_key())
        .not_valid_before(real.not_valid_before_utc)
        .not_valid_after(real.not_valid_after_utc)
    )
    for extension in real.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    forged = builder.sign(new_key(), hashes.SHA256()).public_bytes(Encoding.PEM)
    with pytest.raises(CertificateRefused):
        verifier.verify(forged, purpose="person", at=world.clock.now())


def test_a_self_signed_certificate_is_refused(world: World, verifier: CertificateVerifier) -> None:
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "王小明")])
    own = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .serial_number(7)
        .public_key(key.public_key())
        .not_valid_before(world.clock.now() - timedelta(days=1))
        .not_valid_after(world.clock.now() + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    with pytest.raises(CertificateRefused):
        verifier.verify(own.public_bytes(Encoding.PEM), purpose="person", at=world.clock.now())


def test_an_issuers_own_certificate_does_not_log_in(world: World, verifier: CertificateVerifier) -> None:
    for name in ("root.pem", "issuers/people.pem", "issuers/devices.pem"):
        with pytest.raises(CertificateRefused):
            verifier.verify((world.site.public / name).read_bytes(), purpose="person", at=world.clock.now())


def test_two_certificates_at_once_are_refused(
    world: World, authority: CertificateAuthority, verifier: CertificateVerifier
) -> None:
    issued = authority.issue(ask())
    with pytest.raises(CertificateRefused):
        verifier.verify(issued.certificate + issued.chain, purpose="person", at=world.clock.now())


def test_every_flipped_byte_is_refused(
    world: World, authority: CertificateAuthority, verifier: CertificateVerifier
) -> None:
    der = loaded(authority.issue(ask())).public_bytes(Encoding.DER)
    for place in range(0, len(der), 3):
        broken = bytearray(der)
        broken[place] ^= 0x01
        pem = _pem(bytes(broken))
        with pytest.raises(CertificateRefused):
            verifier.verify(pem, purpose="person", at=world.clock.now())


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(noise=st.binary(max_size=400).flatmap(lambda noise: st.sampled_from([noise, _pem(noise)])))
def test_noise_is_refused_and_nothing_else(world: World, verifier: CertificateVerifier, noise: bytes) -> None:
    with pytest.raises(CertificateRefused):
        verifier.verify(noise, purpose="person", at=world.clock.now())


def test_a_huge_input_is_refused(world: World, verifier: CertificateVerifier) -> None:
    with pytest.raises(CertificateRefused):
        verifier.verify(b"-----BEGIN CERTIFICATE-----\n" + b"A" * 10_000_000, purpose="person", at=world.clock.now())


def test_an_authority_of_another_site_stops_the_start(world: World) -> None:
    own = world.site.public / "issuers" / "people.pem"
    own.write_bytes((world.site.public / "root.pem").read_bytes().replace(b"A", b"B"))
    with pytest.raises(KeyUnusable):
        CertificateVerifier.load(world.site.public)


def _pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def test_a_request_is_no_certificate(world: World, verifier: CertificateVerifier) -> None:
    with pytest.raises(CertificateRefused):
        verifier.verify(request_for(), purpose="person", at=world.clock.now())
