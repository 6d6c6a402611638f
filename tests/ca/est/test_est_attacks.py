# SPDX-License-Identifier: Apache-2.0
"""What must not bring a certificate, and what must never bring a 500."""

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ca.config import EstSettings
from ca.errors import KeyRefused, RequestRefused
from ca.est.requests import read
from ca.models import Reason
from core.calls import SECRET_HEADER
from directory import Device
from tests.ca.est.client import DECRYPT_KEY, HOST, SHARED_KEY, Devices, csr, like, made, refused
from tests.ca.sites import open_site
from tests.ca.world import World, ask, new_key
from tests.fakes.people import KIOSK, OFFICER

OTHER = Device(id="4f7e80f2-b156-4fa2-9e95-73a16fc25e05", name="Kiosk 8", organisation="tax-bureau", enabled=True)
KEYS = frozenset({"P-256"})


def _name(oid: x509.ObjectIdentifier, value: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value)])


def _serial(certificate: x509.Certificate) -> str:
    return format(certificate.serial_number, "x")


@pytest.mark.parametrize(
    "asked",
    [
        csr(subject=_name(NameOID.COMMON_NAME, OTHER.name)),
        csr(subject=_name(NameOID.SERIAL_NUMBER, OTHER.id)),
        csr(subject=_name(NameOID.ORGANIZATION_NAME, "Another Bureau")),
        csr(subject=_name(NameOID.USER_ID, KIOSK.id)),
        csr(alternatives=[x509.UniformResourceIdentifier(f"urn:uuid:{OTHER.id}")]),
        csr(alternatives=[x509.DNSName("tax.city.localhost")]),
        csr(alternatives=[x509.RFC822Name("kiosk@city.localhost")]),
    ],
    ids=["name", "identifier", "organisation", "attribute", "urn", "host", "mail"],
)
def test_no_certificate_for_other_names(devices: Devices, asked: bytes) -> None:
    basic = devices.enrolment()
    assert "device" in refused(devices.send("simpleenroll", asked, basic=basic), 403)
    assert devices.world.outbox()[-1].type == "ca.est.refused"
    # Nothing was issued, so the secret is still good.
    made(devices.send("simpleenroll", csr(), basic=basic))


def test_a_secret_is_good_once(devices: Devices) -> None:
    basic = devices.enrolment()
    made(devices.send("simpleenroll", csr(), basic=basic))
    answer = devices.send("simpleenroll", csr(), basic=basic)
    refused(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_secret_sent_twice_at_once_is_good_once(devices: Devices) -> None:
    basic, before = devices.enrolment(), devices.world.rows()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: devices.send("simpleenroll", csr(), basic=basic).status_code, range(4)))
    assert sorted(answers) == [200, 401, 401, 401]
    assert devices.world.rows() == before + 1


def test_a_secret_ends(devices: Devices) -> None:
    name, secret = devices.enrolment()
    devices.site.est.enrolments.withdraw(name, officer=OFFICER.subject)
    refused(devices.send("simpleenroll", csr(), basic=(name, secret)), 401)
    late = devices.enrolment()
    devices.world.clock.advance(timedelta(days=7))
    refused(devices.send("simpleenroll", csr(), basic=late), 401)


def test_a_secret_is_for_one_label(devices: Devices) -> None:
    server = devices.enrolment("device-server", hosts=(HOST,))
    refused(devices.send("simpleenroll", csr(), basic=server), 403)
    refused(devices.send("device-client/simpleenroll", csr(), basic=server), 403)
    refused(devices.send("citizen/simpleenroll", csr(), basic=server), 404)
    refused(devices.send("device-server/simpleenroll", csr(), basic=devices.enrolment()), 403)
    foreign = csr(alternatives=[x509.DNSName("tax.city.localhost")])
    refused(devices.send("device-server/simpleenroll", foreign, basic=server), 403)


def test_a_certificate_gets_no_other_kind(devices: Devices) -> None:
    refused(devices.send("device-server/simpleenroll", csr(), certificate=devices.certificate()), 403)
    refused(devices.send("device-server/serverkeygen", csr(), certificate=devices.certificate()), 403)


def test_wrong_secrets_have_to_wait(devices: Devices) -> None:
    name, secret = devices.enrolment()
    for number in range(10):
        refused(devices.send("simpleenroll", csr(), basic=(name, f"wrong {number}")), 401)
    answer = devices.send("simpleenroll", csr(), basic=(name, secret))
    refused(answer, 429)
    assert 0 < int(answer.headers["Retry-After"]) <= 601
    devices.world.clock.advance(timedelta(minutes=11))
    made(devices.send("simpleenroll", csr(), basic=(name, secret)))


def test_worthless_certificates_do_not_fill_the_record(devices: Devices) -> None:
    old = devices.certificate()
    devices.site.authority.suspend(_serial(old), actor=OFFICER.subject)
    statuses = [devices.send("simpleenroll", csr(), certificate=old).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    # A good one of the same address is heard all the same.
    made(devices.send("simpleenroll", csr(), certificate=devices.certificate()))


def test_a_device_asks_only_so_often(world: World, released: Path) -> None:
    world.settings = replace(world.settings, est=EstSettings(certificates_limit=2))
    devices = Devices(open_site(world, released))
    basic = devices.enrolment(uses=3)
    for _ in range(2):
        made(devices.send("simpleenroll", csr(), basic=basic))
    refused(devices.send("simpleenroll", csr(), basic=basic), 429)


def test_what_a_certificate_must_be(devices: Devices) -> None:
    old = devices.certificate()
    asked = like(old)
    devices.site.authority.suspend(_serial(old), actor=OFFICER.subject)
    refused(devices.send("simplereenroll", asked, certificate=old), 401)
    devices.site.authority.release(_serial(old), actor=OFFICER.subject)
    devices.site.authority.revoke(_serial(old), reason=Reason.SUPERSEDED, actor=OFFICER.subject)
    refused(devices.send("simplereenroll", asked, certificate=old), 401)
    citizen = x509.load_pem_x509_certificate(devices.site.authority.issue(ask()).certificate)
    refused(devices.send("simplereenroll", asked, certificate=citizen), 401)
    expired = devices.certificate()
    devices.world.clock.advance(timedelta(days=366))
    refused(devices.send("simplereenroll", asked, certificate=expired), 401)
    refused(devices.send("simplereenroll", asked), 401)


def test_a_stranger_of_the_same_name_is_nobody(devices: Devices) -> None:
    old, key = devices.certificate(), new_key()
    forged = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(key.public_key())
        .serial_number(old.serial_number)
        .not_valid_before(old.not_valid_before_utc)
        .not_valid_after(old.not_valid_after_utc)
    )
    for each in old.extensions:
        forged = forged.add_extension(each.value, critical=each.critical)
    refused(devices.send("simplereenroll", like(old), certificate=forged.sign(key, hashes.SHA256())), 401)


def test_renewal_keeps_the_names(devices: Devices) -> None:
    old = devices.certificate()
    names = list(old.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    for asked in (
        csr(),
        csr(subject=old.subject),
        csr(subject=old.subject, alternatives=[*names, x509.DNSName(HOST)]),
        csr(subject=_name(NameOID.COMMON_NAME, "Kiosk 7"), alternatives=names),
    ):
        refused(devices.send("simplereenroll", asked, certificate=old), 403)
    # No secret renews, and the same key is no new one.
    refused(devices.send("simplereenroll", like(old), basic=devices.enrolment()), 401)


def test_the_same_key_is_no_new_key(devices: Devices) -> None:
    key = new_key()
    old = devices.certificate(key=key)
    refused(devices.send("simplereenroll", like(old, key), certificate=old), 400)


def test_a_disabled_device_gets_nothing(devices: Devices) -> None:
    old, basic = devices.certificate(), devices.enrolment()
    devices.world.directory.devices[KIOSK.id] = replace(KIOSK, enabled=False)
    refused(devices.send("simpleenroll", csr(), basic=basic), 409)
    refused(devices.send("simplereenroll", like(old), certificate=old), 409)
    refused(devices.send("serverkeygen", csr(), basic=basic), 409)


def test_only_nginx_and_only_over_tls(devices: Devices) -> None:
    basic = devices.enrolment()
    refused(devices.send("simpleenroll", csr(), basic=basic, secure=False), 403)
    stranger = {SECRET_HEADER: base64.b64encode(b"x" * 32).decode()}
    refused(devices.send("simpleenroll", csr(), basic=basic, headers=stranger), 401)
    refused(devices.send("cacerts", headers=stranger), 401)
    made(devices.send("simpleenroll", csr(), basic=basic))


def test_the_holder_of_the_key_asks(devices: Devices) -> None:
    basic = devices.enrolment()
    broken = bytearray(csr())
    broken[-1] ^= 1
    refused(devices.send("simpleenroll", bytes(broken), basic=basic), 400)
    refused(devices.send("serverkeygen", bytes(broken), basic=basic), 400)
    # Linked to a TLS connection that ended at nginx: nobody here could check that.
    for oid in ("1.2.840.113549.1.9.7", "1.2.840.113549.1.9.16.2.58"):
        linked = csr(attributes={oid: b"dGxzLXVuaXF1ZQ=="})
        assert "TLS" in refused(devices.send("simpleenroll", linked, basic=basic), 400)
    # Encryption that cannot be given is not quietly left out.
    for oid, why in ((SHARED_KEY, "shared key"), (DECRYPT_KEY, "not this device's")):
        encrypted = csr(attributes={oid: b"\x01\x02"})
        assert why in refused(devices.send("serverkeygen", encrypted, basic=basic), 400)
    made(devices.send("simpleenroll", csr(), basic=basic))


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"=", {}, 400),
        (b"%%%%", {}, 400),
        (b"MAA=", {}, 400),
        (base64.b64encode(b"-----BEGIN CERTIFICATE REQUEST-----"), {}, 400),
        (csr(), {}, 400),
        (base64.b64encode(csr()), {"Content-Type": "application/json"}, 400),
        (base64.b64encode(csr()) + b"\xff", {}, 400),
        (b"A" * 40_000, {}, 413),
        (b"A" * 24_000, {}, 400),
        (base64.b64encode(csr()), {"Authorization": "Basic"}, 401),
        (base64.b64encode(csr()), {"Authorization": "Basic \xff"}, 401),
        (base64.b64encode(csr()), {"Authorization": "Basic " + "A" * 5000}, 401),
        (base64.b64encode(csr()), {"Authorization": "Bearer x"}, 401),
    ],
)
def test_nonsense_is_refused_in_words(devices: Devices, body: bytes, headers: dict[str, str], status: int) -> None:
    refused(devices.send("simpleenroll", body, raw=True, basic=devices.enrolment(), headers=headers), status)


def test_line_ends_are_no_data(devices: Devices) -> None:
    one_line = base64.b64encode(csr())
    for body in (one_line, b"\r\n".join(one_line[at : at + 64] for at in range(0, len(one_line), 64)) + b"\r\n"):
        encoding = {"Content-Transfer-Encoding": "binary"}
        made(devices.send("simpleenroll", body, raw=True, basic=devices.enrolment(), headers=encoding))


def test_a_certificate_that_is_none_is_nobodys(devices: Devices) -> None:
    for text in ("%00", "x", "-----BEGIN%20CERTIFICATE-----%0AMAA=%0A-----END%20CERTIFICATE-----%0A"):
        refused(devices.send("simplereenroll", csr(), headers={"Tallygate-Client-Certificate": text}), 401)


def test_without_the_record_nothing_is_issued_and_no_secret_spent(devices: Devices) -> None:
    basic = devices.enrolment()
    devices.world.recorder.down = True
    answer = devices.send("simpleenroll", csr(), basic=basic)
    refused(answer, 503)
    assert answer.headers["Retry-After"] == "2"
    devices.world.recorder.down = False
    made(devices.send("simpleenroll", csr(), basic=basic))


@given(st.binary(max_size=400) | st.binary(max_size=400).map(base64.b64encode))
@settings(max_examples=150, deadline=None)
def test_whatever_is_sent_is_a_request_or_refused(body: bytes) -> None:
    with pytest.raises((RequestRefused, KeyRefused)):
        read(body, "application/pkcs10", keys=KEYS)


_GOOD = csr(subject=_name(NameOID.COMMON_NAME, "x"), alternatives=[x509.DNSName(HOST)], attributes={"1.2.3": b"x"})


@given(st.integers(0, len(_GOOD) - 1), st.integers(0, 255), st.integers(0, 3))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_changed_byte_is_a_refusal(at: int, value: int, cut: int) -> None:
    changed = bytearray(_GOOD)
    changed[at] = value
    body = base64.b64encode(bytes(changed)[: len(changed) - cut])
    try:
        asked = read(body, "application/pkcs10", keys=KEYS)
    except (RequestRefused, KeyRefused):
        return
    assert asked.der == _GOOD
