# SPDX-License-Identifier: Apache-2.0
"""Suspend, release, revoke: transitions, their records, and what lists and OCSP answers say afterwards."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from audit import Outcome, RecordUnavailable
from ca.errors import (
    AlreadyRevoked,
    AlreadySuspended,
    BadSerial,
    IssuanceDenied,
    NoSuchCertificate,
    NoSuchIssuer,
    NotSuspended,
)
from ca.models import Issued, Reason, Standing
from ca.service import CertificateAuthority, Housekeeping
from directory import Person
from directory.errors import DirectoryUnavailable
from tests.fakes.people import CITIZEN, KIOSK, OFFICER

from .world import World, ask, list_of, loaded


def _question(world: World, issued: Issued, *, issuer: str = "people", nonce: bytes | None = None) -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate(loaded(issued), _issuer(world, issuer), hashes.SHA256())
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def _issuer(world: World, name: str = "people") -> x509.Certificate:
    return x509.load_pem_x509_certificate((world.site.public / "issuers" / f"{name}.pem").read_bytes())


def test_suspend_release_revoke_and_their_records(world: World, authority: CertificateAuthority) -> None:
    serial = authority.issue(ask()).serial
    authority.suspend(serial, actor=OFFICER.subject)
    assert authority.status(serial).standing is Standing.SUSPENDED
    authority.release(serial, actor=OFFICER.subject)
    assert authority.status(serial).good
    authority.suspend(serial, actor=OFFICER.subject)
    authority.revoke(serial, reason=Reason.KEY_COMPROMISE, actor=OFFICER.subject)
    assert authority.status(serial).standing is Standing.REVOKED
    events = world.outbox()[-4:]
    assert [event.type.rsplit(".", 1)[1] for event in events] == ["suspended", "released", "suspended", "revoked"]
    assert {(event.object, event.subject, event.attributes["issuer"]) for event in events} == {
        (serial, CITIZEN.subject, "people")
    }
    # Sealed under the citizen's key: whose it is, what it is called, and who took it in office.
    named = {"name": CITIZEN.name_zh, "object_name": CITIZEN.name_zh, "actor_name": OFFICER.name}
    assert [event.sealed for event in (*events, world.recorder.events[-1])] == [named] * 5


def test_a_certificate_is_taken_away_also_if_nobody_can_name_who_does_it(
    world: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = authority.issue(ask()).serial

    def down(_subject: str) -> Person:
        raise DirectoryUnavailable

    monkeypatch.setattr(world.directory, "person", down)
    authority.revoke(serial, reason=Reason.SUPERSEDED, actor=OFFICER.subject)
    assert authority.status(serial).standing is Standing.REVOKED
    assert world.outbox()[-1].sealed == {"name": CITIZEN.name_zh, "object_name": CITIZEN.name_zh}


def test_forbidden_transitions(authority: CertificateAuthority) -> None:
    serial = authority.issue(ask()).serial
    with pytest.raises(NotSuspended):
        authority.release(serial, actor=OFFICER.subject)
    authority.suspend(serial, actor=OFFICER.subject)
    with pytest.raises(AlreadySuspended):
        authority.suspend(serial, actor=OFFICER.subject)
    authority.revoke(serial, reason=Reason.UNSPECIFIED, actor=OFFICER.subject)
    with pytest.raises(AlreadyRevoked):
        authority.revoke(serial, reason=Reason.UNSPECIFIED, actor=OFFICER.subject)
    with pytest.raises(AlreadyRevoked):
        authority.suspend(serial, actor=OFFICER.subject)
    with pytest.raises(AlreadyRevoked):
        authority.release(serial, actor=OFFICER.subject)


@pytest.mark.parametrize("serial", ["", "xyz", "0" * 60, "f" * 41, "12 34;drop", "\u0663"])
def test_what_is_no_serial_is_refused(authority: CertificateAuthority, serial: str) -> None:
    with pytest.raises(BadSerial):
        authority.revoke(serial, reason=Reason.UNSPECIFIED, actor="x")


def test_a_serial_never_used_can_not_be_revoked(authority: CertificateAuthority) -> None:
    with pytest.raises(NoSuchCertificate):
        authority.revoke("1234", reason=Reason.UNSPECIFIED, actor="x")
    assert authority.status("1234").standing is Standing.UNKNOWN


def test_taking_away_does_not_wait_for_the_record_and_giving_back_does(
    world: World, authority: CertificateAuthority
) -> None:
    serial = authority.issue(ask()).serial
    world.recorder.down = True
    authority.suspend(serial, actor=OFFICER.subject)
    assert authority.status(serial).standing is Standing.SUSPENDED
    with pytest.raises(RecordUnavailable):
        authority.release(serial, actor=OFFICER.subject)
    assert authority.status(serial).standing is Standing.SUSPENDED


def test_nobody_releases_their_own_certificate(world: World, authority: CertificateAuthority) -> None:
    serial = authority.issue(ask()).serial
    authority.suspend(serial, actor=OFFICER.subject)
    with pytest.raises(IssuanceDenied):
        authority.release(serial, actor=CITIZEN.subject)
    said = world.recorder.events[-1]
    assert (said.type, said.outcome, said.object) == ("ca.release.refused", Outcome.DENIED, serial)
    assert (said.subject, said.actor, said.attributes["reasons"]) == (
        CITIZEN.subject, CITIZEN.subject, "not-for-oneself"
    )  # fmt: skip
    assert authority.status(serial).standing is Standing.SUSPENDED
    # Where it cannot be recorded, nothing is released either.
    world.recorder.down = True
    with pytest.raises(RecordUnavailable):
        authority.release(serial, actor=CITIZEN.subject)
    assert authority.status(serial).standing is Standing.SUSPENDED


def test_the_list_changes_with_every_change_and_only_then(world: World, authority: CertificateAuthority) -> None:
    issued = authority.issue(ask())
    first = list_of(authority, issued)
    assert list_of(authority, issued) == first
    authority.suspend(issued.serial, actor=OFFICER.subject)
    held = _entry(list_of(authority, issued), issued)
    assert held is not None
    assert held.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.certificate_hold
    authority.release(issued.serial, actor=OFFICER.subject)
    assert _entry(list_of(authority, issued), issued) is None
    authority.revoke(issued.serial, reason=Reason.SUPERSEDED, actor=OFFICER.subject)
    last = list_of(authority, issued)
    assert _entry(last, issued) is not None
    numbers = [
        x509.load_der_x509_crl(each).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        for each in (first, last)
    ]
    # Four lists, in one second of this clock.
    assert numbers[1] == numbers[0] + 3
    assert _entry(list_of(authority, issued, issuer="devices"), issued) is None


def test_a_list_is_renewed_at_half_its_life_and_drops_the_long_expired(
    world: World, authority: CertificateAuthority
) -> None:
    issued = authority.issue(ask("device-client", subject=KIOSK.id))
    authority.revoke(issued.serial, reason=Reason.UNSPECIFIED, actor=OFFICER.subject)
    first = list_of(authority, issued, issuer="devices")
    world.clock.advance(timedelta(hours=13))
    assert list_of(authority, issued, issuer="devices") != first
    world.clock.advance(timedelta(days=366))
    assert _entry(list_of(authority, issued, issuer="devices"), issued) is not None
    world.clock.advance(timedelta(days=2))
    assert _entry(list_of(authority, issued, issuer="devices"), issued) is None


def test_two_processes_publish_one_list_per_number(world: World, authority: CertificateAuthority) -> None:
    other = world.open()
    assert authority.crl("people") == other.crl("people")


def test_ocsp_says_what_the_desk_says(world: World, authority: CertificateAuthority) -> None:
    issued = authority.issue(ask())

    def ask_status() -> ocsp.OCSPResponse:
        answer = ocsp.load_der_ocsp_response(authority.ocsp("people", _question(world, issued)).der)
        assert answer.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL
        return answer

    assert ask_status().certificate_status is ocsp.OCSPCertStatus.GOOD
    authority.suspend(issued.serial, actor=OFFICER.subject)
    held = ask_status()
    assert held.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert held.revocation_reason is x509.ReasonFlags.certificate_hold
    authority.revoke(issued.serial, reason=Reason.KEY_COMPROMISE, actor=OFFICER.subject)
    assert ask_status().revocation_reason is x509.ReasonFlags.key_compromise


def test_ocsp_never_says_good_of_a_serial_never_assigned(world: World, authority: CertificateAuthority) -> None:
    issuer = _issuer(world)
    # Method 1 of RFC 5280 section 4.2.1.2 is the hash that OCSP wants.
    key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    for number in (1, 2**159 - 1):
        builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(_name_hash(world), key, number, hashes.SHA1())  # noqa: S303 - what clients send
        der = builder.build().public_bytes(Encoding.DER)
        answer = ocsp.load_der_ocsp_response(authority.ocsp("people", der).der)
        assert answer.certificate_status is ocsp.OCSPCertStatus.UNKNOWN


def test_ocsp_answers_only_for_its_own_issuer(world: World, authority: CertificateAuthority) -> None:
    issued = authority.issue(ask())
    answer = ocsp.load_der_ocsp_response(authority.ocsp("devices", _question(world, issued)).der)
    assert answer.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED
    with pytest.raises(NoSuchIssuer):
        authority.ocsp("root", _question(world, issued))


@pytest.mark.parametrize("length", [1, 32, 128])
def test_ocsp_echoes_a_nonce(world: World, authority: CertificateAuthority, length: int) -> None:
    issued = authority.issue(ask())
    nonce = bytes(range(length))
    answer = ocsp.load_der_ocsp_response(authority.ocsp("people", _question(world, issued, nonce=nonce)).der)
    assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == nonce


@pytest.mark.parametrize(
    "noise", [b"", b"\x30", b"\x30\x03\x0a\x01\x00", b"x" * 5000, b"\x30\x82\x10\x00" + b"\0" * 99]
)
def test_ocsp_calls_garbage_malformed(authority: CertificateAuthority, noise: bytes) -> None:
    answer = ocsp.load_der_ocsp_response(authority.ocsp("people", noise).der)
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_ocsp_refuses_nonces_of_wrong_length(world: World, authority: CertificateAuthority) -> None:
    issued = authority.issue(ask())
    answer = ocsp.load_der_ocsp_response(authority.ocsp("people", _question(world, issued, nonce=b"n" * 129)).der)
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_the_delegate_is_issued_by_the_authority_it_answers_for(world: World, authority: CertificateAuthority) -> None:
    issued = authority.issue(ask())
    answer = ocsp.load_der_ocsp_response(authority.ocsp("people", _question(world, issued)).der)
    delegate = answer.certificates[0]
    delegate.verify_directly_issued_by(_issuer(world))
    key = delegate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))
    delegate.extensions.get_extension_for_class(x509.OCSPNoCheck)


def test_housekeeping_renews_delegates_before_they_end(world: World, authority: CertificateAuthority) -> None:
    before = authority._signer.responder("people").certificate
    world.clock.advance(timedelta(days=61))
    Housekeeping(authority).round()
    after = authority._signer.responder("people").certificate
    assert after.not_valid_after_utc > before.not_valid_after_utc
    assert authority.renew_responders() == 0


def test_openssl_reads_the_list_and_rejects_what_is_on_it(
    world: World, authority: CertificateAuthority, tmp_path: Path
) -> None:
    good, bad = authority.issue(ask()), authority.issue(ask())
    authority.revoke(bad.serial, reason=Reason.KEY_COMPROMISE, actor=OFFICER.subject)
    (tmp_path / "people.crl").write_bytes(list_of(authority, bad))
    public = world.site.public
    shown = subprocess.run(
        [
            *("openssl", "crl", "-in", str(tmp_path / "people.crl"), "-inform", "DER", "-noout", "-text"),
            *("-CAfile", str(public / "issuers" / "people.pem")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "verify OK" in shown.stderr, shown.stderr
    assert "Key Compromise" in shown.stdout
    for issued, expected in ((good, 0), (bad, 2)):
        (tmp_path / "leaf.pem").write_bytes(issued.certificate)
        pem = x509.load_der_x509_crl(list_of(authority, issued)).public_bytes(Encoding.PEM)
        (tmp_path / "people.crl.pem").write_bytes(pem)
        command = ["openssl", "verify", "-crl_check", "-attime", str(int(world.clock.now().timestamp()))]
        command += ["-CAfile", str(public / "root.pem"), "-untrusted", str(public / "issuers" / "people.pem")]
        command += ["-CRLfile", str(tmp_path / "people.crl.pem"), "-purpose", "sslclient", str(tmp_path / "leaf.pem")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == expected, done.stdout + done.stderr


def _entry(der: bytes, issued: Issued) -> x509.RevokedCertificate | None:
    return x509.load_der_x509_crl(der).get_revoked_certificate_by_serial_number(int(issued.serial, 16))


def _name_hash(world: World) -> bytes:
    issuer = _issuer(world)
    digest = hashes.Hash(hashes.SHA1())  # noqa: S303 - what clients send
    digest.update(issuer.subject.public_bytes())
    return digest.finalize()
