# SPDX-License-Identifier: Apache-2.0
"""The checker finds what was never to be: each test is one attack on the tables, the keys or what is published."""

import dataclasses
import hashlib
import ipaddress
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from audit import Outcome
from ca import Reason
from ca.checker.names import Constraints
from ca.checker.reading import Names, Unreadable, parse
from ca.checker.watching import Watchman
from ca.models import Issued
from ca.service import CertificateAuthority, answer_folder
from ca.service.notes import event
from ca.x509.answers import SHA1
from tests.ca.tracing import traced
from tests.fakes.people import AGENCY, CITIZEN, CLERK, KIOSK, OFFICER

from .checking import Change, Watch, forged, instead, longer, open_watch, without
from .test_answers import _question
from .world import World, ask, list_of, loaded, request_for

ROOT = Path(__file__).parents[2]

SETTLED = timedelta(minutes=6)
LATER = timedelta(minutes=10)


@pytest.fixture
def watch(world: World, authority: CertificateAuthority) -> Watch:
    return open_watch(world, authority)


def _settled(watch: Watch) -> None:
    watch.world.clock.advance(SETTLED)
    watch.hear()


@pytest.fixture
def issued(watch: Watch, authority: CertificateAuthority) -> Issued:
    made = authority.issue(ask())
    _settled(watch)
    return made


def test_everything_that_was_rightly_issued_passes(watch: Watch, authority: CertificateAuthority) -> None:
    for wish in (
        ask(),
        ask("citizen-signing"),
        ask("civil-servant", subject=CLERK.subject),
        ask("organisation-seal", subject=AGENCY.id),
        ask("device-client", subject=KIOSK.id),
        dataclasses.replace(ask("device-server", subject=KIOSK.id), hosts=("kiosk.city.localhost", "127.0.0.1")),
    ):
        made = authority.issue(wish)
        list_of(authority, made, issuer=authority.certificate(made.serial).issuer)
    revoked, suspended = authority.issue(ask()), authority.issue(ask())
    authority.revoke(revoked.serial, reason=Reason.SUPERSEDED, actor=OFFICER.subject)
    authority.suspend(suspended.serial, actor=OFFICER.subject)
    for each in (revoked, suspended):
        list_of(authority, each)
        authority.ocsp("people", _question(watch.world, each))
    _settled(watch)
    assert watch.sweep() == set()
    look = watch.checker.look()
    assert (look.checked, look.open, look.began) == (watch.world.rows(), 0, None)
    assert watch.world.reported()[-1] == "ca.check.swept"


def _with_name(*attributes: tuple[ObjectIdentifier, str]) -> Change:
    def change(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
        builder._subject_name = x509.Name([x509.NameAttribute(*each) for each in attributes])
        return builder

    return change


def _with_serial(serial: int) -> Change:
    def change(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
        builder._serial_number = serial
        return builder

    return change


def _with_key(make: Callable[[], ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey]) -> Change:
    def change(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
        key = make()
        builder._public_key = key.public_key()
        return instead(x509.SubjectKeyIdentifier.from_public_key(key.public_key()))(builder)

    return change


def _usage(*, cert_sign: bool = False, agreement: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=agreement,
        key_cert_sign=cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


_URN = f"urn:uuid:{CITIZEN.subject}"
_COUNTRY = (NameOID.COUNTRY_NAME, "CN")
_ID, _NAME = (NameOID.SERIAL_NUMBER, CITIZEN.subject), (NameOID.COMMON_NAME, "王小明")
FORGERIES: dict[str, tuple[Change, str]] = {
    "an authority": (instead(x509.BasicConstraints(ca=True, path_length=None), critical=True), "authority"),
    "may sign certificates": (instead(_usage(cert_sign=True), critical=True), "usage"),
    "another usage": (instead(_usage(agreement=True), critical=True), "usage"),
    "another purpose": (instead(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])), "extended-usage"),
    "one purpose more": (
        instead(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.CODE_SIGNING])),
        "extended-usage",
    ),
    "any purpose": (
        instead(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])),
        "extended-usage",
    ),
    "another policy": (
        instead(x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier("2.999.1.4"), None)])),
        "policy",
    ),
    "a day longer": (longer(1), "validity"),
    "beyond its issuer": (longer(4000), "outlives"),
    "a name more": (
        instead(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(_URN), x509.DNSName("bank.example")])),
        "alternatives",
    ),
    "an address": (
        instead(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier(_URN), x509.IPAddress(ipaddress.ip_address("10.0.0.1"))]
            )
        ),
        "alternatives",
    ),
    "mail": (
        instead(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(_URN), x509.RFC822Name("a@b.example")])),
        "alternatives",
    ),
    "somebody else": (
        instead(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"urn:uuid:{OFFICER.subject}")])),
        "alternatives",
    ),
    "no alternative name": (lambda builder: without(builder, x509.SubjectAlternativeName), "extensions"),
    "an extension more": (
        lambda builder: builder.add_extension(
            x509.UnrecognizedExtension(ObjectIdentifier("2.999.77"), b"\x05\x00"), critical=False
        ),
        "extensions",
    ),
    "critical where it is not to be": (
        instead(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True),
        "extensions",
    ),
    "another list": (
        instead(
            x509.CRLDistributionPoints(
                [x509.DistributionPoint([x509.UniformResourceIdentifier("http://evil.example")], None, None, None)]
            )
        ),
        "places",
    ),
    "another holder's number": (_with_name(_COUNTRY, (NameOID.SERIAL_NUMBER, OFFICER.subject), _NAME), "subject"),
    "another name": (_with_name(_COUNTRY, _ID, (NameOID.COMMON_NAME, "市长")), "subject"),
    "an organisation": (_with_name(_COUNTRY, (NameOID.ORGANIZATION_NAME, "Tax"), _ID, _NAME), "subject"),
    "another country": (_with_name((NameOID.COUNTRY_NAME, "XX"), _ID, _NAME), "subject"),
    "no name": (_with_name(_COUNTRY, _ID), "subject"),
    "a short serial": (_with_serial(0x4711), "serial"),
    "a counted serial": (_with_serial((1 << 136) + (1 << 70)), "serial-predictable"),
    "another instance's serial": (_with_serial((2 << 136) + (0x5A5A5A5A << 100) + 0x1234567890ABCDEF), "serial"),
    "a key of another curve": (_with_key(lambda: ec.generate_private_key(ec.SECP521R1())), "key"),
    "a short key": (_with_key(lambda: rsa.generate_private_key(65537, 2048)), "key"),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_what_a_stolen_key_signs_is_found(watch: Watch, issued: Issued, what: str) -> None:
    change, code = FORGERIES[what]
    der = forged(watch.world, issued, change)
    spki = (
        x509.load_der_x509_certificate(der).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    # As well hidden as can be: the columns agree with the false bytes.
    made = x509.load_der_x509_certificate(der)
    watch.change(
        issued.serial,
        der=der,
        key_hash=hashlib.sha256(spki).hexdigest(),
        not_after=int(made.not_valid_after_utc.timestamp()),
    )
    assert {code, "commitment"} <= watch.sweep()
    told = [each for each in watch.world.outbox() if each.type == "ca.check.found" and each.object == issued.serial]
    assert {each.attributes["code"] for each in told} == watch.found(issued.serial)
    assert {each.attributes["profile"] for each in told} == {"citizen"}


def test_one_bit_is_enough(watch: Watch, issued: Issued) -> None:
    der = bytearray(loaded(issued).public_bytes(Encoding.DER))
    der[-1] ^= 1
    watch.change(issued.serial, der=bytes(der))
    assert {"signature", "commitment"} <= watch.sweep()


@pytest.mark.parametrize("der", [b"", b"0", b"\x30\x80", b"\x30\x03\x02\x01\x01", b"\x00" * 1000, b"\xff" * 64])
def test_what_is_no_certificate_is_found(watch: Watch, issued: Issued, der: bytes) -> None:
    watch.change(issued.serial, der=der)
    watch.sweep()
    assert "unreadable" in watch.found(issued.serial)


def test_what_is_not_der_is_unreadable(issued: Issued) -> None:
    der = loaded(issued).public_bytes(Encoding.DER)
    # The same content with a length in more octets than it needs: BER, not DER.
    assert der[1] == 0x82
    longer_form = b"\x30\x83\x00" + der[2:4] + der[4:]
    with pytest.raises(Unreadable):
        parse(longer_form)
    with pytest.raises(Unreadable):
        parse(der + b"\x00")
    assert parse(der).serial == loaded(issued).serial_number


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"issuer": "devices"}, "issuer"),
        ({"issuer": "nobody"}, "issuer"),
        ({"profile": "citizen-signing"}, "policy"),
        ({"profile": "nothing"}, "profile"),
        ({"subject": OFFICER.subject}, "subject"),
        ({"key_hash": "0" * 64}, "stored"),
        ({"not_after": 1}, "stored"),
        ({"shard": 99}, "places"),
        ({"created": 1}, "validity"),
        ({"commitment_key": b"x" * 32}, "commitment"),
        ({"state": "abandoned"}, "state"),
    ],
)
def test_what_the_tables_say_is_held_against_the_certificate(
    watch: Watch, issued: Issued, values: dict[str, object], code: str
) -> None:
    watch.change(issued.serial, **values)
    watch.sweep()
    assert code in watch.found(issued.serial)


def test_a_certificate_without_its_records_is_found(watch: Watch, authority: CertificateAuthority) -> None:
    quiet = authority.issue(ask())
    watch.world.clock.advance(SETTLED)
    # The record lost intent and outcome, or never had them.
    watch.world.recorder.events = [each for each in watch.world.recorder.events if each.object != quiet.serial]
    watch.world.store.outbox.drop([each.position for each in watch.world.store.outbox.head()])
    watch.hear()
    assert watch.sweep() >= {"unrecorded"}
    assert watch.found(quiet.serial) == {"unrecorded"}


def test_a_death_before_the_signature_is_no_finding(
    watch: Watch, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """The process ends here."""

    def die(*_given: object, **_named: object) -> None:
        raise Killed

    monkeypatch.setattr(watch.world.recorder, "record", die)
    with pytest.raises(Killed):
        authority.issue(ask())
    monkeypatch.undo()
    _settled(watch)
    assert authority.reap() == 1
    assert watch.sweep() == set()


def test_a_record_without_its_certificate_is_found(watch: Watch, issued: Issued) -> None:
    other = format(int(issued.serial, 16) ^ (0xABCDEF << 40), "x")
    told = event("ca.certificate.issued", Outcome.SUCCESS, at=watch.world.clock.now(), serial=other)
    foreign = event("ca.certificate.issued", Outcome.SUCCESS, at=watch.world.clock.now(), serial="7f" + "1" * 34)
    release = event(
        "ca.certificate.intended",
        Outcome.INTENDED,
        at=watch.world.clock.now(),
        serial="1" + "3" * 34,
        attributes={"act": "release"},
    )
    watch.hear(more=(told, foreign, release))
    assert watch.sweep() == {"unstored"}
    assert watch.found(other) == {"unstored"}
    # Reconciliation adopts what a backup had lost: then it is none any more.
    watch.run("UPDATE certificates SET serial = :o WHERE serial = :s", o=other, s=issued.serial)
    watch.world.clock.advance(LATER)
    watch.sweep()
    assert "unstored" not in watch.found(other)


def test_a_key_of_two_holders_is_found(watch: Watch, authority: CertificateAuthority, issued: Issued) -> None:
    key = loaded(issued).public_key()
    second = authority.issue(ask(subject=CLERK.subject))
    _settled(watch)
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def change(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
        builder._public_key = key
        return instead(x509.SubjectKeyIdentifier.from_public_key(key))(builder)

    watch.change(second.serial, der=forged(watch.world, second, change), key_hash=hashlib.sha256(spki).hexdigest())
    watch.sweep()
    assert "key-shared" in watch.found(second.serial)
    assert "key-shared" in watch.found(issued.serial)


def test_a_blocked_key_that_still_works_is_found(watch: Watch, issued: Issued) -> None:
    watch.run(
        "UPDATE keys SET blocked = 1 WHERE hash = (SELECT key_hash FROM certificates WHERE serial = :s)",
        s=issued.serial,
    )
    assert watch.sweep() == {"key-blocked"}


def test_a_listed_key_is_found_when_the_list_comes_later(
    world: World, authority: CertificateAuthority, tmp_path: Path
) -> None:
    made = authority.issue(ask())
    listed = tmp_path / "blocked.txt"
    listed.write_text("# none\n")
    world.settings = dataclasses.replace(world.settings, blocklists=(listed,))
    watch = open_watch(world, authority)
    _settled(watch)
    assert watch.sweep() == set()
    spki = loaded(made).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    listed.write_text(hashlib.sha256(spki).hexdigest().upper() + "\n")
    world.clock.advance(LATER)
    assert watch.sweep() == {"key-blocked"}


def test_a_revocation_that_vanished_is_found_on_list_and_in_answers(
    watch: Watch, authority: CertificateAuthority, issued: Issued
) -> None:
    authority.revoke(issued.serial, reason=Reason.KEY_COMPROMISE, actor=OFFICER.subject)
    list_of(authority, issued)
    authority.ocsp("people", _question(watch.world, issued))
    watch.world.clock.advance(LATER)
    assert watch.sweep() == set()
    # Somebody takes it off the tables; what was published still says otherwise.
    watch.run("DELETE FROM revocations WHERE serial = :s", s=issued.serial)
    watch.run("UPDATE keys SET blocked = NULL")
    watch.world.clock.advance(LATER)
    assert watch.sweep() == {"list", "ocsp"}


def test_a_list_that_keeps_silent_is_found(watch: Watch, authority: CertificateAuthority, issued: Issued) -> None:
    authority.revoke(issued.serial, reason=Reason.SUPERSEDED, actor=OFFICER.subject)
    list_of(authority, issued)
    watch.world.clock.advance(LATER)
    shard = watch.world.store.certificate(issued.serial).shard
    # One that was made before.
    silent = authority.crl("people", shard % watch.world.settings.crl_shards + 1).der
    silence = "UPDATE lists SET der = :d, made = made + 400 WHERE issuer = 'people' AND shard = :h"
    watch.run(silence, d=silent, h=shard)
    assert watch.sweep() == {"list"}


def test_a_list_of_a_stranger_is_found(watch: Watch, authority: CertificateAuthority, issued: Issued) -> None:
    list_of(authority, issued)
    shard = watch.world.store.certificate(issued.serial).shard
    foreign = authority.crl("devices", 1).der
    watch.run("UPDATE lists SET der = :d WHERE issuer = 'people' AND shard = :h", d=foreign, h=shard)
    assert watch.sweep() == {"list"}


def test_an_old_answer_that_still_says_good_is_found(
    watch: Watch, authority: CertificateAuthority, issued: Issued
) -> None:
    question = _question(watch.world, issued, hashed=SHA1)
    authority.ocsp("people", question)
    path = next(each for each in answer_folder(watch.world.site).rglob("*") if each.is_file())
    good = path.read_bytes()
    authority.revoke(issued.serial, reason=Reason.SUPERSEDED, actor=OFFICER.subject)
    assert not path.exists()
    path.write_bytes(good)
    watch.world.clock.advance(LATER)
    assert watch.sweep() == {"ocsp"}
    path.write_bytes(b"nonsense")
    watch.world.clock.advance(LATER)
    assert watch.sweep() == {"ocsp"}


def test_a_released_certificate_is_no_finding(watch: Watch, authority: CertificateAuthority, issued: Issued) -> None:
    authority.suspend(issued.serial, actor=OFFICER.subject)
    list_of(authority, issued)
    watch.world.clock.advance(LATER)
    assert watch.sweep() == set()
    authority.release(issued.serial, actor=OFFICER.subject)
    watch.world.clock.advance(timedelta(seconds=1))
    assert watch.sweep() == set()


def test_todays_rules_are_those_of_the_file(world: World, authority: CertificateAuthority, tmp_path: Path) -> None:
    made = authority.issue(ask())
    watch = open_watch(world, authority)
    profiles = tmp_path / "profiles"
    profiles.mkdir()
    for path in watch.checker._facts.profiles.glob("*.toml"):
        (profiles / path.name).write_bytes(path.read_bytes())
    watch.checker._facts = dataclasses.replace(watch.checker._facts, profiles=profiles)
    _settled(watch)
    assert watch.sweep() == set()
    citizen = (profiles / "citizen.toml").read_text("utf-8")
    stricter = citizen.partition("[[exceptions]]")[0].replace("validity_days = 1095", "validity_days = 30")
    (profiles / "citizen.toml").write_text(stricter, "utf-8")
    world.clock.advance(LATER)
    watch.sweep()
    assert watch.found(made.serial) == {"validity", "lint"}


def test_a_finding_is_told_once_and_settles_when_it_is_gone(watch: Watch, issued: Issued) -> None:
    def told() -> int:
        return sum(each.type == "ca.check.found" for each in watch.world.outbox())

    watch.change(issued.serial, shard=99)
    watch.sweep()
    first = told()
    assert first > 0
    watch.world.clock.advance(LATER)
    watch.sweep()
    assert told() == first
    shard = int(issued.serial, 16) % watch.world.settings.crl_shards + 1
    watch.change(issued.serial, shard=shard)
    watch.world.clock.advance(LATER)
    assert watch.sweep() == set()
    watch.change(issued.serial, shard=99)
    watch.world.clock.advance(LATER)
    watch.sweep()
    assert told() == 2 * first


def test_what_is_new_is_checked_once_and_a_death_loses_nothing(
    watch: Watch, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        authority.issue(ask())
    _settled(watch)
    monkeypatch.setattr("ca.checker.checker.STRETCH", 3)
    checked = 0
    while True:
        # Another process each time: the place is in the tables.
        fresh = open_watch(watch.world, authority)
        fresh.hear()
        report = fresh.checker.check_new()
        checked += report.checked
        if report.ended:
            break
    assert checked == watch.world.rows()
    late = authority.issue(ask())
    # Under way for all the checker knows.
    assert watch.checker.check_new().checked == 0
    _settled(watch)
    assert watch.checker.check_new().checked == 1
    assert watch.found(late.serial) == set()


def test_until_the_record_was_heard_nobody_is_accused(
    watch: Watch, issued: Issued, authority: CertificateAuthority
) -> None:
    deaf = open_watch(watch.world, authority)
    deaf.run("DELETE FROM check_heard")
    assert deaf.sweep() == set()
    deaf.ledger.hear([])
    deaf.world.clock.advance(LATER)
    deaf.sweep()
    assert "unrecorded" in deaf.found(issued.serial)


def test_the_watchman_checks_and_sweeps_when_it_is_due(watch: Watch, issued: Issued) -> None:
    watchman = Watchman(watch.checker, every=timedelta(days=7))
    while watchman.round():
        pass
    first = watch.checker.look()
    assert first.ended is not None
    assert first.place == first.newest
    watchman.round()
    assert watch.checker.look() == first
    watch.world.clock.advance(timedelta(days=8))
    watch.change(issued.serial, shard=99)
    while watchman.round():
        pass
    look = watch.checker.look()
    assert look.ended is not None
    assert look.ended > first.ended
    assert look.open > 0


def test_memory_does_not_grow_with_what_was_issued(watch: Watch, authority: CertificateAuthority) -> None:
    for _ in range(4):
        authority.issue(ask(csr=request_for()))
    _settled(watch)
    watch.sweep()
    with traced() as held:
        for _ in range(3):
            watch.sweep()
        first = held()
        for _ in range(6):
            watch.sweep()
        assert held() - first < 400_000


def test_names_outside_an_authoritys_constraints_are_found(issued: Issued) -> None:
    own = parse(loaded(issued).public_bytes(Encoding.DER))
    inside = Constraints(permitted={"dns_name": ["city.localhost"], "ip_address": [ipaddress.ip_network("10.0.0.0/8")]})
    parsed = dataclasses.replace(own, alternatives=Names(hosts=("a.city.localhost",), addresses=("10.1.2.3",)))
    assert inside.allow(parsed)
    for hosts, addresses in (
        (("city.localhost.evil.example",), ()),
        (("evilcity.localhost",), ()),
        (("a.city.localhost", "b.example"), ()),
        ((), ("11.0.0.1",)),
        ((), ("::1",)),
    ):
        assert not inside.allow(dataclasses.replace(parsed, alternatives=Names(hosts=hosts, addresses=addresses)))
    without_uris = Constraints(permitted={"uniform_resource_identifier": [".city.localhost"]})
    assert not without_uris.allow(dataclasses.replace(parsed, alternatives=Names(uris=("urn:uuid:x",))))
    assert without_uris.allow(dataclasses.replace(parsed, alternatives=Names(uris=("https://a.city.localhost/x",))))
    excluded = Constraints(excluded={"dns_name": ["a.city.localhost"]})
    assert not excluded.allow(parsed)


def test_certificates_of_ml_dsa_keys_are_read_where_nobody_taught_the_library_about_them() -> None:
    """The role ca loads nothing else that knows such keys, unlike this process."""
    key = mldsa.MLDSA65PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")])
    at = datetime(2026, 1, 1, tzinfo=UTC)
    own = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, at, at + timedelta(days=1))
        .sign(key, None)
        .public_bytes(Encoding.DER)
    )
    code = (
        "import sys; from ca.checker.reading import parse, signed_by, kind_of; assert 'pyhanko' not in sys.modules; "
        "found = parse(sys.stdin.buffer.read()); assert signed_by(found, found.key); print(kind_of(found.key))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=own, cwd=ROOT, capture_output=True, check=False)
    assert done.stdout == b"ML-DSA-65\n", done.stderr.decode()
