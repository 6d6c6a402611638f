# SPDX-License-Identifier: Apache-2.0
"""An operator enrols a device with curl and openssl, as docs/est.md says: over TLS, through nginx, on the record."""

import base64
import email
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows import invariants
from tests.flows.city import City, until
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
    address = city.url("ca", "/enrolments", "management")
    officer = person(city, OFFICER, address)
    form = {"device": device, "label": "device-client", "hosts": "", "uses": "1"}
    shown = post(officer, officer.get(address, timeout=20), "/enrolments", **form)
    name, secret = (re.findall(rf'<code id="{each}">([^<]+)</code>', shown.text)[0] for each in ("name", "secret"))

    # 1. Whom to trust.
    status, kind, body = _curl(city, "cacerts")
    assert (status, kind) == (200, "application/pkcs7-mime; smime-type=certs-only")
    trusted = _certificates(tmp_path, "ca", body)
    # 2. A key, a request, the first certificate.
    first = _request(tmp_path, "first")
    status, _, body = _curl(city, "simpleenroll", "-u", f"{name}:{secret}", *_send(first))
    assert status == 200, body
    certificate = _certificates(tmp_path, "first", body)
    assert b": OK" in _run("openssl", "verify", "-purpose", "sslclient", "-CAfile", str(trusted), str(certificate))
    # The secret was good once, and never without TLS.
    again = ("-u", f"{name}:{secret}", *_send(first))
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


def _subject(certificate: Path) -> bytes:
    return _run("openssl", "x509", "-in", str(certificate), "-noout", "-subject", "-ext", "subjectAltName")
