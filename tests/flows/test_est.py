# SPDX-License-Identifier: Apache-2.0
"""An operator enrols a device with curl and openssl, as docs/est.md says: over TLS, through nginx, on the record."""

import base64
import email
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from ca.x509 import der
from tests.ca.est.client import DECRYPT_KEY, SHARED_KEY, wishing
from tests.flows import invariants
from tests.flows.city import City, until
from tests.flows.hostile import PATIENCE
from tests.flows.knocking import person, post
from tests.flows.people import subject_of

OFFICER = "sun.li"


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


def _run(*arguments: str, given: bytes | None = None) -> bytes:
    return subprocess.run(arguments, input=given, capture_output=True, check=True).stdout


def _curl(city: City, path: str, *options: str, address: str = "") -> tuple[int, str, bytes]:
    """Status, content type and body."""
    said = _run(
        "curl", "-sS", "--cacert", str(city.root), *options, "-w", "\n%{http_code} %{content_type}",
        address or city.url("est", f"/.well-known/est/{path}"),
    )  # fmt: skip
    body, _, last = said.rpartition(b"\n")
    status, _, kind = last.decode().partition(" ")
    return int(status), kind, body


def _request(folder: Path, name: str, like: Path | None = None) -> Path:
    key, csr = folder / f"{name}.key", folder / f"{name}.csr"
    _run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key))
    if like is None:
        _run("openssl", "req", "-new", "-key", str(key), "-subj", "/", "-outform", "DER", "-out", str(csr))
    else:
        # OpenSSL 3.0 writes this as PEM, whatever it is told.
        pem = _run("openssl", "x509", "-x509toreq", "-in", str(like), "-key", str(key), "-copy_extensions", "copy")
        csr.write_bytes(_run("openssl", "req", "-outform", "DER", given=pem))
    encoded = folder / f"{name}.b64"
    encoded.write_bytes(_run("openssl", "base64", "-in", str(csr)))
    return encoded


def _certificates(folder: Path, name: str, body: bytes) -> Path:
    der, pem = folder / f"{name}.p7", folder / f"{name}.pem"
    der.write_bytes(_run("openssl", "base64", "-d", given=body))
    pem.write_bytes(_run("openssl", "pkcs7", "-inform", "DER", "-in", str(der), "-print_certs"))
    return pem


def _send(encoded: Path) -> tuple[str, ...]:
    return ("-H", "Content-Type: application/pkcs10", "--data-binary", f"@{encoded}")


def test_a_device_enrols_and_renews_by_curl(city: City, tmp_path: Path) -> None:
    device = subject_of(city, "device")
    officer = person(city, OFFICER, city.url("ca", "/enrolments", "management"))
    secret = _enrolment(city, officer, device, "device-client")

    # 1. Whom to trust.
    status, kind, body = _curl(city, "cacerts")
    assert (status, kind) == (200, "application/pkcs7-mime; smime-type=certs-only")
    trusted = _certificates(tmp_path, "ca", body)
    # 2. A key, a request, the first certificate.
    first = _request(tmp_path, "first")
    status, _, body = _curl(city, "simpleenroll", *secret, *_send(first))
    assert status == 200, body
    certificate = _certificates(tmp_path, "first", body)
    assert b": OK" in _run("openssl", "verify", "-purpose", "sslclient", "-CAfile", str(trusted), str(certificate))
    # The secret was good once, and never without TLS.
    again = (*secret, *_send(first))
    status, kind, _ = _curl(city, "simpleenroll", *again)
    assert (status, kind) == (401, "text/plain; charset=utf-8")
    plain = city.url("est", "/.well-known/est/simpleenroll").replace("https://", "http://")
    assert _curl(city, "", *again, address=plain)[0] == 421
    # 3. Renewal by what it has.
    own = ("--cert", str(certificate), "--key", str(tmp_path / "first.key"))
    second = _request(tmp_path, "second", certificate)
    status, _, body = _curl(city, "simplereenroll", *own, *_send(second))
    assert status == 200, body
    renewed = _certificates(tmp_path, "second", body)
    assert _subject(renewed) == _subject(certificate)
    # Other names, nobody's certificate: no.
    assert _curl(city, "simplereenroll", *own, *_send(first))[0] == 403
    assert _curl(city, "simplereenroll", *_send(second))[0] == 401
    # 4. A key made for it.
    status, kind, body = _curl(city, "serverkeygen", *own, *_send(_request(tmp_path, "third")))
    assert status == 200, body
    whole = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    made, about = (each.get_payload(decode=True) for each in whole.walk() if not each.is_multipart())
    assert isinstance(made, bytes)
    assert isinstance(about, bytes)
    (tmp_path / "made.key").write_bytes(made)
    public = _run("openssl", "pkey", "-inform", "DER", "-in", str(tmp_path / "made.key"), "-pubout")
    third = _certificates(tmp_path, "third", base64.encodebytes(about))
    assert _run("openssl", "x509", "-in", str(third), "-noout", "-pubkey") == public

    def told() -> bool:
        said = [each["told"] for each in invariants.entries(city)]
        enrolled = [each for each in said if each.get("type") == "ca.est.enrolled" and each.get("subject") == device]
        return len(enrolled) == 3 and any(each.get("type") == "ca.est.refused" for each in said)

    until(told)
    # A certificate that is suspended opens nothing more.
    serial = _run("openssl", "x509", "-in", str(renewed), "-noout", "-serial").decode().strip().split("=")[1]
    desk = city.url("ca", f"/certificates/{serial.lower().lstrip('0')}", "management")
    post(officer, officer.get(desk, timeout=20), f"/certificates/{serial.lower().lstrip('0')}/suspend")
    own = ("--cert", str(renewed), "--key", str(tmp_path / "second.key"))
    assert _curl(city, "simpleenroll", *own, *_send(first))[0] == 401


def _enrolment(city: City, officer: requests.Session, device: str, label: str, **more: str) -> tuple[str, str]:
    """What an officer makes for a device: ``-u`` and name and secret, for curl."""
    form = {"device": device, "label": label, "hosts": "", "uses": "1", **more}
    shown = officer.get(city.url("ca", "/enrolments", "management"), timeout=PATIENCE)
    shown = post(officer, shown, "/enrolments", **form)
    name, secret = (re.findall(rf'<code id="{each}">([^<]+)</code>', shown.text)[0] for each in ("name", "secret"))
    return "-u", f"{name}:{secret}"


def test_a_key_made_for_a_device_comes_closed_and_openssl_opens_it(city: City, tmp_path: Path) -> None:
    device = subject_of(city, "device")
    officer = person(city, OFFICER, city.url("ca", "/enrolments", "management"))
    secret = _enrolment(city, officer, device, "device-server", hosts="meter-1.city.localhost", uses="3")
    # 1. A certificate of its own whose key deciphers.
    own, csr, encoded = tmp_path / "own.key", tmp_path / "own.csr", tmp_path / "own.b64"
    key = rsa.generate_private_key(65537, 3072)
    own.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    _run("openssl", "req", "-new", "-key", str(own), "-subj", "/", "-outform", "DER", "-out", str(csr))
    encoded.write_bytes(_run("openssl", "base64", "-in", str(csr)))
    status, _, body = _curl(city, "device-server/simpleenroll", *secret, *_send(encoded))
    assert status == 200, body
    held = _certificates(tmp_path, "own", body)
    named = x509.load_pem_x509_certificate(held.read_bytes())
    identifier = named.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    # 2. Nobody shares a key with the authority (RFC 7030 section 4.4.1.1): nothing is made, and it says so.
    encoded.write_bytes(base64.encodebytes(wishing(key, {SHARED_KEY: der.octets(b"id")})))
    status, kind, body = _curl(city, "device-server/serverkeygen", *secret, *_send(encoded))
    assert (status, kind) == (400, "text/plain; charset=utf-8")
    assert b"shared key" in body
    # 3. A key closed to its own.
    encoded.write_bytes(base64.encodebytes(wishing(key, {DECRYPT_KEY: der.octets(identifier)})))
    status, kind, body = _curl(city, "device-server/serverkeygen", *secret, *_send(encoded))
    assert status == 200, body
    whole = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    first, second = (each for each in whole.walk() if not each.is_multipart())
    assert first["Content-Type"] == "application/pkcs7-mime; smime-type=server-generated-key"
    closed, about = first.get_payload(decode=True), second.get_payload(decode=True)
    assert isinstance(closed, bytes)
    assert isinstance(about, bytes)
    signed = _run(
        "openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-recip", str(held), "-inkey", str(own), given=closed
    )
    # OpenSSL checks a ContentInfo; inside an envelope its type stands outside (RFC 5652 section 6.1).
    (tmp_path / "signed").write_bytes(der.sequence(der.oid("1.2.840.113549.1.7.2"), der.explicit(0, signed)))
    package = _run(
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", str(tmp_path / "signed"),
        "-CAfile", str(city.root), "-purpose", "any",
    )  # fmt: skip
    made = load_der_private_key(package[4 if package[1] == 0x82 else 3 :], None)
    public = made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    third = _certificates(tmp_path, "made", base64.encodebytes(about))
    assert _run("openssl", "x509", "-in", str(third), "-noout", "-pubkey") == public


def test_a_request_waits_for_an_officer_and_the_same_request_gets_the_certificate(city: City, tmp_path: Path) -> None:
    device = subject_of(city, "device")
    officer = person(city, OFFICER, city.url("ca", "/enrolments", "management"))
    secret = _enrolment(city, officer, device, "approved")
    sent = (*secret, *_send(_request(tmp_path, "waiting")), "-D", str(tmp_path / "head"))
    for _ in range(2):
        assert _curl(city, "approved/simpleenroll", *sent)[0] == 202
        assert re.search(r"(?im)^retry-after: 5\r?$", (tmp_path / "head").read_text("ascii"))
    # One request at the desk, however often the device asked.
    queue = officer.get(city.url("ca", "/requests", "management"), timeout=PATIENCE)
    asked = set(re.findall(r'href="(/requests/[0-9a-f]+)"', queue.text))
    shown = [officer.get(urljoin(queue.url, each), timeout=PATIENCE) for each in asked]
    (waiting,) = [each for each in shown if device in each.text]
    post(officer, waiting, f"{urlsplit(waiting.url).path}/approve")
    status, _, body = _curl(city, "approved/simpleenroll", *sent)
    assert status == 200, body
    certificate = _certificates(tmp_path, "waited", body)
    trusted = _certificates(tmp_path, "ca", _curl(city, "cacerts")[2])
    assert b": OK" in _run("openssl", "verify", "-purpose", "sslclient", "-CAfile", str(trusted), str(certificate))


def _subject(certificate: Path) -> bytes:
    return _run("openssl", "x509", "-in", str(certificate), "-noout", "-subject", "-ext", "subjectAltName")
