# SPDX-License-Identifier: Apache-2.0
"""OCSP: several certificates at once, answers made beforehand and their withdrawal, bad requests, real clients."""

import base64
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import ocsp as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pkilint.pkix.ocsp import (
    RFC6960OCSPResponse,
    create_pkix_ocsp_response_validator_container,
    create_response_decoder,
)

from ca.models import Issued, Reason, Standing
from ca.service import CertificateAuthority, answer_folder
from ca.store import AnswerFolder
from ca.x509.answers import MOST_QUESTIONS, SHA1, SHA256, Identifiers, Request, read_request
from tests.fakes.people import OFFICER

from .world import World, ask, loaded

_HASHES = {SHA1: hashes.SHA1(), SHA256: hashes.SHA256()}  # noqa: S303 - what clients send


def _issuer(world: World, name: str = "people") -> x509.Certificate:
    return x509.load_pem_x509_certificate((world.site.public / "issuers" / f"{name}.pem").read_bytes())


def _question(world: World, issued: Issued, *, hashed: str = SHA256, nonce: bytes | None = None) -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate(loaded(issued), _issuer(world), _HASHES[hashed])
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def _several(world: World, serials: list[int], *, issuers: tuple[str, ...] = ("people",)) -> bytes:
    ids = [Identifiers(_issuer(world, name)) for name in issuers]
    asked = [ids[place % len(ids)].question(serial, SHA256) for place, serial in enumerate(serials)]
    requests = [{"req_cert": asn1.CertId.load(each.encoded)} for each in asked]
    return bytes(asn1.OCSPRequest({"tbs_request": {"request_list": requests}}).dump())


def _files(world: World) -> list[Path]:
    return [path for path in answer_folder(world.site).rglob("*") if path.is_file()]


def _said(der: bytes) -> ocsp.OCSPCertStatus:
    return ocsp.load_der_ocsp_response(der).certificate_status


def test_several_certificates_are_answered_at_once(world: World, authority: CertificateAuthority) -> None:
    good, held, gone = (authority.issue(ask()) for _ in range(3))
    authority.suspend(held.serial, actor=OFFICER.subject)
    authority.revoke(gone.serial, reason=Reason.SUPERSEDED, actor=OFFICER.subject)
    serials = [int(each.serial, 16) for each in (good, held, gone)]
    answer = authority.ocsp("people", _several(world, [*serials, 12345]))
    assert not answer.shared
    response = asn1.OCSPResponse.load(answer.der, strict=True)
    singles = response.response_data["responses"]
    assert [each["cert_id"]["serial_number"].native for each in singles] == [*serials, 12345]
    assert [each["cert_status"].name for each in singles] == ["good", "revoked", "revoked", "unknown"]
    assert singles[1]["cert_status"].chosen["revocation_reason"].native == "certificate_hold"
    delegate = x509.load_der_x509_certificate(response.basic_ocsp_response["certs"][0].dump())
    key = delegate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(
        response.basic_ocsp_response["signature"].native, response.response_data.dump(), ec.ECDSA(hashes.SHA256())
    )


def test_of_anothers_certificate_nothing_is_said(world: World, authority: CertificateAuthority) -> None:
    serial = int(authority.issue(ask()).serial, 16)
    answer = authority.ocsp("people", _several(world, [serial, serial], issuers=("people", "devices")))
    singles = asn1.OCSPResponse.load(answer.der).response_data["responses"]
    assert [each["cert_status"].name for each in singles] == ["good", "unknown"]


def test_too_many_questions_are_malformed(world: World, authority: CertificateAuthority) -> None:
    assert read_request(_several(world, list(range(1, MOST_QUESTIONS + 1)))) is not None
    assert read_request(_several(world, list(range(1, MOST_QUESTIONS + 2)))) is None
    answer = authority.ocsp("people", _several(world, list(range(1, MOST_QUESTIONS + 2))))
    assert ocsp.load_der_ocsp_response(answer.der).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


@pytest.mark.parametrize("hashed", [SHA1, SHA256])
def test_an_answer_is_made_once_and_given_to_everybody(
    world: World, authority: CertificateAuthority, hashed: str
) -> None:
    question = _question(world, authority.issue(ask()), hashed=hashed)
    first = authority.ocsp("people", question)
    world.clock.advance(timedelta(hours=3))
    assert authority.ocsp("people", question) == first
    (path,) = _files(world)
    # Where the proxy looks for it: the address that RFC 6960 appendix A.1 makes of the request.
    assert path == answer_folder(world.site) / "people" / base64.b64encode(question).decode()
    assert path.read_bytes() == first.der
    # Half its life over, a new one is made.
    world.clock.advance(timedelta(hours=2))
    later = authority.ocsp("people", question)
    assert later.made is not None
    assert first.until is not None
    assert later.made == world.clock.now().replace(microsecond=0) < first.until
    assert path.read_bytes() == later.der


def test_an_answer_with_a_nonce_or_about_nothing_is_not_kept(world: World, authority: CertificateAuthority) -> None:
    issued = authority.issue(ask())
    assert not authority.ocsp("people", _question(world, issued, nonce=b"n" * 32)).shared
    assert not authority.ocsp("people", _several(world, [int(issued.serial, 16)] * 2)).shared
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(b"x" * 20, b"y" * 20, 7, _HASHES[SHA1])
    authority.ocsp("people", builder.build().public_bytes(Encoding.DER))
    assert _said(authority.ocsp("people", _several(world, [7])).der) is ocsp.OCSPCertStatus.UNKNOWN
    assert _files(world) == []


def test_a_change_takes_the_answer_away_before_it_is_acknowledged(
    world: World, authority: CertificateAuthority
) -> None:
    issued = authority.issue(ask())
    questions = [_question(world, issued, hashed=hashed) for hashed in (SHA1, SHA256)]

    def said() -> set[ocsp.OCSPCertStatus]:
        return {_said(authority.ocsp("people", question).der) for question in questions}

    changes: list[tuple[Callable[[], None], ocsp.OCSPCertStatus]] = [
        (lambda: authority.suspend(issued.serial, actor=OFFICER.subject), ocsp.OCSPCertStatus.REVOKED),
        (lambda: authority.release(issued.serial, actor=OFFICER.subject), ocsp.OCSPCertStatus.GOOD),
        (
            lambda: authority.revoke(issued.serial, reason=Reason.SUPERSEDED, actor=OFFICER.subject),
            ocsp.OCSPCertStatus.REVOKED,
        ),
    ]
    assert said() == {ocsp.OCSPCertStatus.GOOD}
    for change, expected in changes:
        assert len(_files(world)) == 2
        change()
        assert _files(world) == []
        assert said() == {expected}


def test_killed_right_after_the_commit_no_good_answer_is_left(world: World, authority: CertificateAuthority) -> None:
    issued = authority.issue(ask())
    question = _question(world, issued)
    authority.ocsp("people", question)
    world.database.close()
    child = os.fork()
    if child == 0:
        commit = world.store.withdraw

        def die(*given: object, **named: object) -> None:
            commit(*given, **named)  # type: ignore[arg-type]  # as they came
            os.kill(os.getpid(), signal.SIGKILL)

        world.store.withdraw = die  # type: ignore[assignment,method-assign]  # dies where the test wants it
        authority.revoke(issued.serial, reason=Reason.KEY_COMPROMISE, actor=OFFICER.subject)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert world.store.certificate(issued.serial).standing is Standing.REVOKED
    assert _files(world) == []
    assert _said(authority.ocsp("people", question).der) is ocsp.OCSPCertStatus.REVOKED


def test_what_a_crash_or_another_machine_left_is_found_and_taken_away(
    world: World, authority: CertificateAuthority
) -> None:
    issued, other = authority.issue(ask()), authority.issue(ask())
    for each in (issued, other):
        authority.ocsp("people", _question(world, each))
    kept = {path: path.read_bytes() for path in _files(world)}
    times = {path: path.stat().st_mtime for path in kept}
    authority.look_after_answers()
    world.clock.advance(timedelta(minutes=1))
    authority.revoke(issued.serial, reason=Reason.SUPERSEDED, actor=OFFICER.subject)
    for path, content in kept.items():
        path.write_bytes(content)
        os.utime(path, (times[path], times[path]))
    # A process that starts looks as far back as an answer lasts; one that runs, to its last look.
    assert world.open().look_after_answers() == 1
    assert len(_files(world)) == 1
    assert authority.look_after_answers() == 0
    # What was signed after the change stays.
    world.clock.advance(timedelta(seconds=1))
    authority.ocsp("people", _question(world, issued))
    assert world.open().look_after_answers() == 0
    assert len(_files(world)) == 2


def test_an_answer_signed_while_its_certificate_is_revoked_does_not_stay(
    world: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = authority.issue(ask())
    write = AnswerFolder.write
    revoked: list[str] = []

    def late(*given: object, **named: object) -> None:
        # The good answer is signed; before it is in its place, the certificate is revoked.
        if not revoked:
            revoked.append(issued.serial)
            authority.revoke(issued.serial, reason=Reason.SUPERSEDED, actor=OFFICER.subject)
        write(*given, **named)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(AnswerFolder, "write", late)
    assert _said(authority.ocsp("people", _question(world, issued)).der) is ocsp.OCSPCertStatus.REVOKED
    (path,) = _files(world)
    assert _said(path.read_bytes()) is ocsp.OCSPCertStatus.REVOKED


def test_answers_are_renewed_unasked_and_end_with_their_certificate(
    world: World, authority: CertificateAuthority
) -> None:
    question = _question(world, authority.issue(ask()))
    authority.ocsp("people", question)
    (path,) = _files(world)
    before = path.read_bytes()
    assert authority.renew_answers() == 0
    world.clock.advance(timedelta(hours=5))
    (path.parent / "no-request").write_bytes(b"")
    os.utime(path.parent / "no-request", (0, 0))
    assert authority.renew_answers() == 1
    assert path.read_bytes() != before
    world.clock.advance(timedelta(days=1100))
    authority.renew_responders()
    authority.renew_answers()
    assert not path.exists()


def test_an_answer_whose_name_lost_a_slash_is_renewed_like_any_other(
    world: World, authority: CertificateAuthority
) -> None:
    # One name in seventy has two slashes beside each other, of which a file system keeps one.
    asked = (_question(world, authority.issue(ask())) for _ in range(2000))
    question = next(each for each in asked if b"//" in base64.b64encode(each))
    authority.ocsp("people", question)
    (path,) = _files(world)
    before = path.read_bytes()
    world.clock.advance(timedelta(hours=5))
    # What lies where no answer about it belongs stays what it is.
    (path.parent / "elsewhere").write_bytes(before)
    os.utime(path.parent / "elsewhere", (0, 0))
    assert authority.renew_answers() == 1
    assert path.read_bytes() != before
    assert (path.parent / "elsewhere").read_bytes() == before
    world.clock.advance(timedelta(days=1100))
    authority.renew_responders()
    authority.renew_answers()
    assert not path.exists()


def test_a_full_disk_makes_answers_slower_not_fewer(
    world: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = authority.issue(ask())

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AnswerFolder, "write", full)
    assert _said(authority.ocsp("people", _question(world, issued)).der) is ocsp.OCSPCertStatus.GOOD
    # A file that cannot be taken away does not keep a revocation from happening.
    monkeypatch.setattr(AnswerFolder, "drop", full)
    authority.revoke(issued.serial, reason=Reason.SUPERSEDED, actor=OFFICER.subject)
    assert not authority.status(issued.serial).good


def test_files_are_for_the_sites_group_and_never_links(world: World, authority: CertificateAuthority) -> None:
    mask = os.umask(0o077)
    try:
        authority.ocsp("people", _question(world, authority.issue(ask())))
    finally:
        os.umask(mask)
    (path,) = _files(world)
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.parent.stat().st_mode & 0o7777 == 0o2750


@pytest.mark.parametrize("case", ["good", "suspended", "revoked", "unknown", "nonce", "several", "malformed"])
def test_pkilint_finds_nothing_in_any_answer(world: World, authority: CertificateAuthority, case: str) -> None:
    issued = authority.issue(ask())
    asked = _question(world, issued)
    if case == "suspended":
        authority.suspend(issued.serial, actor=OFFICER.subject)
    elif case == "revoked":
        authority.revoke(issued.serial, reason=Reason.KEY_COMPROMISE, actor=OFFICER.subject)
    elif case == "unknown":
        asked = _several(world, [77])
    elif case == "nonce":
        asked = _question(world, issued, nonce=b"n" * 32)
    elif case == "several":
        asked = _several(world, [int(issued.serial, 16), 77])
    elif case == "malformed":
        asked = b"0"
    document = RFC6960OCSPResponse("answer", authority.ocsp("people", asked).der, "oCSPResponse")
    document.decode()
    rules = create_pkix_ocsp_response_validator_container([create_response_decoder()], [])
    found = {
        (each.finding.code, each.finding.severity.name)
        for result in rules.validate(document.root)
        for each in result.finding_descriptions
    }
    assert found == set()


def _same(ours: Request, theirs: ocsp.OCSPRequest) -> None:
    (question,) = ours.questions
    assert question.serial == theirs.serial_number
    assert (question.name_hash, question.key_hash) == (theirs.issuer_name_hash, theirs.issuer_key_hash)


@settings(max_examples=150, deadline=None)
@given(
    serial=st.integers(1, 2**159 - 1),
    name=st.binary(min_size=20, max_size=20),
    key=st.binary(min_size=20, max_size=20),
    nonce=st.none() | st.binary(min_size=1, max_size=128),
)
def test_what_others_write_is_read_as_it_was_meant(serial: int, name: bytes, key: bytes, nonce: bytes | None) -> None:
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, serial, _HASHES[SHA1])
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    request = builder.build()
    found = read_request(request.public_bytes(Encoding.DER))
    assert found is not None
    assert found.nonce == nonce
    _same(found, request)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_broken_request_is_answered_and_never_crashes(
    world: World, authority: CertificateAuthority, data: st.DataObject
) -> None:
    """Cut, flipped and spliced requests: each gets an answer, and what is read is what another parser reads."""
    whole = bytearray(_QUESTION)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(whole) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "put", "double"])):
            case "flip":
                whole[place] ^= data.draw(st.integers(1, 255))
            case "cut":
                del whole[place : place + data.draw(st.integers(1, 4))]
            case "put":
                whole[place:place] = data.draw(st.binary(min_size=1, max_size=4))
            case _:
                whole[place:place] = whole[place : place + 8]
        if not whole:
            return
    der = bytes(whole)
    answer = authority.ocsp("people", der)
    assert ocsp.load_der_ocsp_response(answer.der).response_status in ocsp.OCSPResponseStatus
    found = read_request(der)
    if found is not None and len(found.questions) == 1:
        _same(found, ocsp.load_der_ocsp_request(der))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(noise=st.binary(max_size=300))
def test_noise_is_malformed(authority: CertificateAuthority, noise: bytes) -> None:
    answer = ocsp.load_der_ocsp_response(authority.ocsp("people", noise).der)
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


_QUESTION = (
    ocsp.OCSPRequestBuilder()
    .add_certificate_by_hash(b"n" * 20, b"k" * 20, 2**150 + 7, _HASHES[SHA1])
    .add_extension(x509.OCSPNonce(b"nonce" * 4), critical=False)
    .build()
    .public_bytes(Encoding.DER)
)
