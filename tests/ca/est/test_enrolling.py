# SPDX-License-Identifier: Apache-2.0
"""EST as RFC 7030, 8951 and 9908 describe it, from a device's side."""

import base64
import email
import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from asn1crypto import core as asn1
from asn1crypto.parser import parse
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates

from ca.config import EstSettings
from ca.est.attributes import EXTENSIONS, EXTENSIONS_TEMPLATE, TEMPLATE
from core.config import ConfigurationError
from tests.ca.est.client import HOST, URN, Devices, csr, like, made
from tests.ca.sites import open_est, open_site
from tests.ca.world import World, new_key
from tests.fakes.people import KIOSK


def test_whom_to_trust(devices: Devices, tmp_path: Path) -> None:
    answer = devices.send("cacerts")
    assert answer.content_type == "application/pkcs7-mime; smime-type=certs-only"
    assert "Content-Transfer-Encoding" not in answer.headers
    found = load_der_pkcs7_certificates(base64.b64decode(answer.data))
    public = devices.world.site.public
    files = (public / "root.pem", public / "issuers" / "devices.pem")
    assert set(found) == {x509.load_pem_x509_certificate(path.read_bytes()) for path in files}
    assert devices.send("device-server/cacerts").status_code == 200
    # OpenSSL reads it as an operator would.
    (tmp_path / "p7").write_bytes(base64.b64decode(answer.data))
    said = subprocess.run(
        ["openssl", "pkcs7", "-inform", "DER", "-in", str(tmp_path / "p7"), "-print_certs"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert said.count("BEGIN CERTIFICATE") == 2


def test_what_a_request_should_hold(devices: Devices) -> None:
    answer = devices.send("csrattrs")
    assert answer.content_type == "application/csrattrs"
    # Types alone in the names, and no value of the alternative names: those are the client's to fill in.
    usage, extended = "03020780", "300a06082b06010505070302"
    template, older, curves, *others = _tree(base64.b64decode(answer.data))
    assert template == [
        TEMPLATE,
        [["00", [[["2.5.4.5"]], [["2.5.4.3"]]],
          [[EXTENSIONS_TEMPLATE, [[["2.5.29.17"], ["2.5.29.15", "ff", usage], ["2.5.29.37", extended]]]]]]],
    ]  # fmt: skip
    assert older == [EXTENSIONS, [[["2.5.29.15", "ff", usage], ["2.5.29.37", extended]]]]
    assert curves == ["1.2.840.10045.2.1", ["1.3.132.0.34", "1.2.840.10045.3.1.7"]]
    assert others == ["1.2.840.113549.1.1.1", "1.3.101.112", "2.16.840.1.101.3.4.3.18"]


Tree = str | list["Tree"]


def _tree(encoded: bytes) -> list[Tree]:
    """What a constructed element holds: identifiers dotted, other contents in hexadecimal."""
    _, _, tag, _, content, _ = parse(encoded)
    assert tag in {1, 16, 17}
    found: list[Tree] = []
    while content:
        _, constructed, tag, _, inner, _ = parse(content)
        size = len(content) - len(_rest(content))
        element, content = content[:size], content[size:]
        if constructed:
            found.append(_tree(element))
        else:
            found.append(
                asn1.ObjectIdentifier.load(element).dotted if tag == asn1.ObjectIdentifier.tag else inner.hex()
            )
    return found


def _rest(content: bytes) -> bytes:
    _, _, _, header, inner, trailer = parse(content)
    return content[len(header) + len(inner) + len(trailer) :]


def test_a_secret_brings_a_certificate(devices: Devices) -> None:
    name, secret = devices.enrolment()
    key = new_key()
    certificate = made(devices.send("simpleenroll", csr(key, alternatives=[URN]), basic=(name, secret)))
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string().startswith("CN=Kiosk 7,")
    told = {each.type: each for each in devices.world.outbox()}
    serial = format(certificate.serial_number, "x")
    assert told["ca.est.enrolled"].object == serial
    assert told["ca.est.enrolled"].subject == KIOSK.id
    assert told["ca.est.enrolled"].attributes["credential"] == "secret"
    assert told["ca.certificate.issued"].attributes["caller"] == f"est:{name}"
    # What is stored does not give the secret away, and neither does the record.
    kept = b"".join(path.read_bytes() for path in devices.world.site.state.rglob("*") if path.is_file())
    assert secret.encode() not in kept
    assert secret not in repr(devices.world.outbox()) + repr(devices.world.recorder.events)


def test_a_server_gets_the_hosts_an_officer_named(devices: Devices) -> None:
    basic = devices.enrolment("device-server", hosts=(HOST, f"a.{HOST}"), uses=2)
    whole = made(devices.send("device-server/simpleenroll", csr(), basic=basic))
    names = whole.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {HOST, f"a.{HOST}"}
    fewer = csr(alternatives=[x509.DNSName(HOST), URN])
    part = made(devices.send("device-server/simpleenroll", fewer, basic=basic))
    names = part.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOST]
    # Later the device renews it by the certificate that proves it as a client.
    renewed = made(devices.send("device-server/simplereenroll", like(part), certificate=devices.certificate()))
    assert renewed.subject == part.subject
    assert devices.world.outbox()[-1].attributes["replaces"] == format(part.serial_number, "x")


def test_a_certificate_is_renewed_with_a_new_key(devices: Devices) -> None:
    old = devices.certificate()
    key = new_key()
    renewed = made(devices.send("simplereenroll", like(old, key), certificate=old))
    assert renewed.public_key() == key.public_key()
    assert (renewed.subject, renewed.issuer) == (old.subject, old.issuer)
    assert made(devices.send("simpleenroll", csr(), certificate=renewed)).subject == old.subject


def test_the_same_key_only_where_the_site_says_so(world: World, released: Path) -> None:
    world.settings = replace(world.settings, est=EstSettings(reuse_keys=True))
    devices = Devices(open_site(world, released))
    key = new_key()
    old = devices.certificate(key=key)
    assert made(devices.send("simplereenroll", like(old, key), certificate=old)).public_key() == key.public_key()
    spki = old.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    devices.site.authority.block_key(hashlib.sha256(spki).hexdigest(), actor="role:ca")
    # Now it identifies nobody, and nothing is made for it.
    assert devices.send("simplereenroll", like(old, key), certificate=old).status_code == 401
    other = devices.certificate()
    assert devices.send("simplereenroll", like(other, key), certificate=other).status_code == 400


def test_a_key_is_made_for_the_device_and_kept_nowhere(devices: Devices) -> None:
    basic = devices.enrolment(uses=1)
    asked = new_key()
    answer = devices.send("serverkeygen", csr(asked), basic=basic)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    (kind, encoded), (about, certified) = _parts(answer.content_type, answer.data)
    assert (kind, about) == ("application/pkcs8", "application/pkcs7-mime")
    key = load_der_private_key(encoded, None)
    (certificate,) = load_der_pkcs7_certificates(certified)
    assert certificate.public_key() == key.public_key() != asked.public_key()
    kept = b"".join(path.read_bytes() for path in devices.world.site.state.rglob("*") if path.is_file())
    assert encoded not in kept


def _parts(content_type: str, body: bytes) -> list[tuple[str, bytes]]:
    """Kind and content of each part of a multipart answer."""
    whole = email.message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    found = []
    for each in whole.walk():
        if not each.is_multipart():
            content = each.get_payload(decode=True)
            assert isinstance(content, bytes)
            found.append((each.get_content_type(), content))
    return found


def test_labels_must_be_devices(world: World) -> None:
    world.settings = replace(world.settings, est=EstSettings(labels={"people": "citizen"}, default_label="people"))
    with pytest.raises(ConfigurationError):
        open_est(world, world.open())
