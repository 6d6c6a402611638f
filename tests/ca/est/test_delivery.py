# SPDX-License-Identifier: Apache-2.0
"""Keys made here reach the device closed: opened and checked with OpenSSL, refused where nobody could open them."""

import email
import functools
import subprocess
from email.message import Message
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates
from werkzeug.test import TestResponse

from ca.errors import StampUnfit
from ca.models import IssueRequest, Reason
from ca.x509 import der
from ca.x509.deliveries import ContentCipher, DeliveryAttributes, attributes_of, enveloped, package
from ca.x509.stamps import StampAttributes
from tests.ca.est.client import DECRYPT_KEY, HOST, Devices, refused, wishing
from tests.ca.world import new_key
from tests.fakes.people import KIOSK, OFFICER

CAPABILITIES = "1.2.840.113549.1.9.15"


@functools.cache
def own_key() -> rsa.RSAPrivateKey:
    """The device's own, for which keys are enveloped."""
    return rsa.generate_private_key(65537, 3072)


def request(**attributes: bytes) -> bytes:
    """A request for a key, signed by one that goes unused, with attributes as they stand in DER."""
    names = {"decrypt_key": DECRYPT_KEY, "capabilities": CAPABILITIES}
    return wishing(own_key(), {names[each]: value for each, value in attributes.items()})


def capabilities(*oids: str) -> bytes:
    return der.sequence(*(der.sequence(der.oid(each)) for each in oids))


@pytest.fixture
def held(devices: Devices) -> x509.Certificate:
    """A certificate of the device whose key decrypts."""
    return certified(devices)


def certified(devices: Devices, profile: str = "device-server") -> x509.Certificate:
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(own_key(), hashes.SHA256())
    wish = IssueRequest(
        profile=profile,
        csr=csr.public_bytes(Encoding.DER),
        subject=KIOSK.id,
        actor=OFFICER.subject,
        actor_roles=frozenset({"ra-officer"}),
        hosts=(HOST,) if profile == "device-server" else (),
    )
    return x509.load_pem_x509_certificate(devices.site.authority.issue(wish).certificate)


def identifier(certificate: x509.Certificate) -> bytes:
    return der.octets(certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest)


def parts(response: TestResponse) -> list[Message]:
    assert response.status_code == 200, response.text
    whole = email.message_from_bytes(b"Content-Type: " + response.content_type.encode() + b"\r\n\r\n" + response.data)
    return list(whole.walk())[1:]


def openssl(*arguments: str | Path) -> str:
    command = ["openssl", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def content(message: Message) -> bytes:
    found = message.get_payload(decode=True)
    assert isinstance(found, bytes)
    return found


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (None, "aes-256-cbc"),
        ((ContentCipher.AES_128_CBC.oid, "1.2.840.113549.3.7"), "aes-128-cbc"),
        ((ContentCipher.AES_128_CBC.oid, ContentCipher.AES_256_CBC.oid), "aes-256-cbc"),
    ],
)
def test_openssl_opens_the_key_and_knows_who_made_it(
    devices: Devices, held: x509.Certificate, tmp_path: Path, named: tuple[str, ...] | None, expected: str
) -> None:
    more = {"capabilities": capabilities(*named)} if named else {}
    body = request(decrypt_key=identifier(held), **more)
    key, certificate = parts(devices.send("serverkeygen", body, basic=devices.enrolment()))
    assert key["Content-Type"] == "application/pkcs7-mime; smime-type=server-generated-key"
    closed, opened = tmp_path / "closed", tmp_path / "opened"
    closed.write_bytes(content(key))
    own = tmp_path / "own.key"
    own.write_bytes(own_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "own.pem").write_bytes(held.public_bytes(Encoding.PEM))
    assert expected in openssl("cms", "-cmsout", "-print", "-inform", "DER", "-in", closed)
    recipient = ("-recip", tmp_path / "own.pem", "-inkey", own)
    openssl("cms", "-decrypt", "-inform", "DER", "-in", closed, *recipient, "-out", opened, "-binary")
    # What OpenSSL checks is a ContentInfo; inside an envelope its type stands outside (RFC 5652 section 6.1).
    signed, packaged = tmp_path / "signed", tmp_path / "package"
    signed.write_bytes(der.sequence(der.oid("1.2.840.113549.1.7.2"), der.explicit(0, opened.read_bytes())))
    moment = ("-attime", str(int(devices.world.clock.now().timestamp())), "-purpose", "any")
    root = ("-CAfile", devices.world.site.public / "root.pem")
    said = openssl("cms", "-verify", "-inform", "DER", "-in", signed, *root, *moment, "-out", packaged, "-binary")
    assert "Verification successful" in said
    # AsymmetricKeyPackage is a SEQUENCE of keys; this one holds one.
    whole = packaged.read_bytes()
    head = 4 if whole[1] == 0x82 else 3
    made = load_der_private_key(whole[head:], None)
    (issued,) = load_der_pkcs7_certificates(content(certificate))
    assert made.public_key() == issued.public_key()
    assert isinstance(made, rsa.RSAPrivateKey)
    assert made.public_key() != own_key().public_key()


def test_without_that_wish_the_key_comes_as_it_is(devices: Devices) -> None:
    key, _ = parts(devices.send("serverkeygen", request(), basic=devices.enrolment()))
    assert key["Content-Type"] == "application/pkcs8"


def test_a_key_that_cannot_open_it_has_nothing_made(devices: Devices, held: x509.Certificate) -> None:
    before = devices.world.rows()
    basic = devices.enrolment()
    signing = certified(devices, "device-client")
    assert identifier(signing) == identifier(held)
    other = der.octets(b"x" * 20)
    for body in (request(decrypt_key=other), request(decrypt_key=der.octets(b""))):
        assert "not this device's" in refused(devices.send("serverkeygen", body, basic=basic), 400)
    devices.site.authority.revoke(format(held.serial_number, "x"), reason=Reason.SUPERSEDED, actor="x")
    # The same key once more, but by a certificate that lets it sign alone.
    refused(devices.send("serverkeygen", request(decrypt_key=identifier(held)), basic=basic), 400)
    assert devices.world.rows() == before + 1
    # The secret is not spent.
    assert devices.send("serverkeygen", request(), basic=basic).status_code == 200


@pytest.mark.parametrize(
    "listed",
    [
        capabilities("1.2.840.113549.3.7"),
        capabilities(),
        der.sequence(b"\x30\x7f"),
        der.sequence(b"\x30"),
        der.sequence(der.integer(1)),
        der.octets(b"\xff" * 40),
    ],
)
def test_unknown_ciphers_are_refused(devices: Devices, held: x509.Certificate, listed: bytes) -> None:
    body = request(decrypt_key=identifier(held), capabilities=listed)
    refused(devices.send("serverkeygen", body, basic=devices.enrolment()), 400)


def test_the_servers_certificate_is_kept_and_replaced_when_it_fell(devices: Devices, held: x509.Certificate) -> None:
    path = devices.world.site.folder("ca") / "est-keys.pem"
    body = request(decrypt_key=identifier(held))
    found = []
    for fall in (False, False, True):
        if fall:
            serial = format(x509.load_pem_x509_certificates(path.read_bytes())[0].serial_number, "x")
            devices.site.authority.revoke(serial, reason=Reason.KEY_COMPROMISE, actor="x")
        assert devices.send("serverkeygen", body, basic=devices.enrolment()).status_code == 200
        found.append(path.read_bytes())
    assert found[0] == found[1] != found[2]
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(b"spoilt")
    assert devices.send("serverkeygen", body, basic=devices.enrolment()).status_code == 200


def test_the_door_takes_key_packages_alone() -> None:
    good = attributes_of(package(b"\x30\x00"))
    assert isinstance(good, DeliveryAttributes)
    with pytest.raises(StampUnfit):
        StampAttributes(good.der)
    with pytest.raises(StampUnfit):
        DeliveryAttributes(b"\x31\x00")


def test_a_key_that_only_signs_closes_nothing(devices: Devices) -> None:
    certificate = devices.certificate(key=new_key())
    with pytest.raises(TypeError):
        enveloped(b"x", certificate, ContentCipher.AES_256_CBC)
