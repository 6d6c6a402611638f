# SPDX-License-Identifier: Apache-2.0
"""Public facts: what openssl fetches over plain HTTP."""

import base64
import subprocess
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.test import Client
from werkzeug.wrappers import Response

from ca.models import Reason
from ca.web import quick

from .sites import Site
from .world import ask, list_of, loaded, shard_of


@pytest.fixture
def served(site: Site) -> Iterator[BaseWSGIServer]:
    server = make_server("127.0.0.1", 0, site.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _of_its_time(site: Site) -> list[str]:
    """The real clock is what openssl reads; the site lives on one of its own, which stands ever further behind."""
    now = site.world.clock.now()
    behind = datetime.now(UTC) - now + timedelta(days=1)
    return ["-attime", str(int(now.timestamp())), "-validity_period", str(int(behind.total_seconds()))]


@pytest.mark.parametrize("nonce", ["-nonce", "-no_nonce"])
def test_openssl_asks_by_post(site: Site, served: BaseWSGIServer, tmp_path: Path, nonce: str) -> None:
    good, bad = site.authority.issue(ask()), site.authority.issue(ask())
    site.authority.revoke(bad.serial, reason=Reason.KEY_COMPROMISE, actor="x")
    for issued, word in ((good, "good"), (bad, "revoked")):
        (tmp_path / "leaf.pem").write_bytes(issued.certificate)
        public = site.world.site.public
        command = ["openssl", "ocsp", "-issuer", str(public / "issuers" / "people.pem"), nonce]
        command += ["-cert", str(tmp_path / "leaf.pem"), "-url", f"http://127.0.0.1:{served.port}/ocsp/people"]
        command += ["-CAfile", str(public / "root.pem"), "-verify_other", str(public / "issuers" / "people.pem")]
        command += _of_its_time(site)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert "Response verify OK" in done.stderr, done.stderr
        assert f"leaf.pem: {word}" in done.stdout, done.stdout


def test_openssl_asks_about_several_at_once(site: Site, served: BaseWSGIServer) -> None:
    good, held, gone = (site.authority.issue(ask()) for _ in range(3))
    site.authority.suspend(held.serial, actor="x")
    site.authority.revoke(gone.serial, reason=Reason.SUPERSEDED, actor="x")
    public = site.world.site.public
    command = ["openssl", "ocsp", "-issuer", str(public / "issuers" / "people.pem")]
    for serial in (good.serial, held.serial, gone.serial, "77"):
        command += ["-serial", f"0x{serial}"]
    command += ["-url", f"http://127.0.0.1:{served.port}/ocsp/people", "-CAfile", str(public / "root.pem")]
    command += ["-verify_other", str(public / "issuers" / "people.pem")]
    command += _of_its_time(site)
    for nonce in ("-nonce", "-no_nonce"):
        done = subprocess.run([*command, nonce], capture_output=True, text=True, check=False, timeout=30)
        assert "Response verify OK" in done.stderr, done.stderr
        said = dict(line.split(": ") for line in done.stdout.splitlines() if line.startswith("0x"))
        assert list(said.values()) == ["good", "revoked", "revoked", "unknown"], done.stdout
        assert "certificateHold" in done.stdout


def test_gnutls_asks_and_believes(site: Site, served: BaseWSGIServer, tmp_path: Path) -> None:
    # It knows no other clock than the machine's.
    site.world.clock.advance(datetime.now(UTC) - site.world.clock.now())
    site.authority.renew_responders()
    good, bad = site.authority.issue(ask()), site.authority.issue(ask())
    site.authority.revoke(bad.serial, reason=Reason.KEY_COMPROMISE, actor="x")
    issuer = site.world.site.public / "issuers" / "people.pem"
    for issued, word in ((good, "good"), (bad, "revoked")):
        (tmp_path / "leaf.pem").write_bytes(issued.certificate)
        command = ["ocsptool", f"--ask=http://127.0.0.1:{served.port}/ocsp/people", "--load-issuer", str(issuer)]
        command += ["--load-cert", str(tmp_path / "leaf.pem"), "--load-trust", str(issuer)]
        for nonce in ("--nonce", "--no-nonce"):
            done = subprocess.run([*command, nonce], capture_output=True, text=True, check=False, timeout=30)
            assert f"Certificate Status: {word}" in done.stdout, done.stdout + done.stderr
            assert "Verifying OCSP Response: Success" in done.stdout, done.stdout + done.stderr
    pem = x509.load_der_x509_crl(list_of(site.authority, bad)).public_bytes(Encoding.PEM)
    (tmp_path / "list").write_bytes(pem)
    command = ["certtool", "--verify-crl", "--load-ca-certificate", str(issuer), "--infile"]
    done = subprocess.run([*command, str(tmp_path / "list")], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_answered_before_flask_is_what_flask_would_answer(site: Site) -> None:
    issued = site.authority.issue(ask())
    issuer = x509.load_pem_x509_certificate((site.world.site.public / "issuers" / "people.pem").read_bytes())
    builder = ocsp.OCSPRequestBuilder().add_certificate(loaded(issued), issuer, hashes.SHA256())
    plain = builder.build().public_bytes(Encoding.DER)
    nonce = builder.add_extension(x509.OCSPNonce(b"n" * 32), critical=False).build().public_bytes(Encoding.DER)
    seen: list[str] = []

    def behind(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        seen.append(environ["PATH_INFO"])
        return site.app.wsgi_app(environ, start)

    clients = [
        Client(application, Response)
        for application in (site.app.wsgi_app, quick(behind, site.authority, clock=site.world.clock))
    ]
    # A number of its own; and what pages for people say of their language.
    aside = dict.fromkeys(("Tallygate-Request", "Content-Language", "Vary"))
    for body, path in ((plain, "people"), (nonce, "people"), (b"0", "people"), (plain, "devices")):
        slow, fast = (each.post(f"/ocsp/{path}", data=body) for each in clients)
        # Signed anew, an answer may be a byte longer: the two numbers of the signature have no leading zeros.
        varies = {**aside, "Content-Length": None} if body is nonce else aside
        assert {**dict(fast.headers), **varies} == {**dict(slow.headers), **varies}
        assert fast.status_code == slow.status_code == 200
        assert fast.data == slow.data or body is nonce
    assert seen == []
    # Everything else is Flask's, as it came.
    for path, body in (("nobody", plain), ("people", b""), ("people", b"x" * 5000), ("people/..", plain)):
        slow, fast = (each.post(f"/ocsp/{path}", data=body) for each in clients)
        assert (fast.status_code, fast.content_type) == (slow.status_code, slow.content_type)
        assert seen.pop() == f"/ocsp/{path}"


def test_caches_are_told_how_long_and_by_what_mark(site: Site, served: BaseWSGIServer, tmp_path: Path) -> None:
    issued = site.authority.issue(ask())
    issuer = x509.load_pem_x509_certificate((site.world.site.public / "issuers" / "people.pem").read_bytes())
    request = ocsp.OCSPRequestBuilder().add_certificate(loaded(issued), issuer, hashes.SHA256()).build()
    encoded = quote(base64.b64encode(request.public_bytes(Encoding.DER)).decode(), safe="")
    at = site.world.clock.now().replace(microsecond=0)
    answer = _curl(served, f"/ocsp/people/{encoded}", tmp_path)
    assert answer["content-type"] == "application/ocsp-response"
    assert answer["cache-control"] == f"public, no-transform, must-revalidate, max-age={8 * 3600 - 60}"
    assert parsedate_to_datetime(answer["last-modified"]) == at
    assert parsedate_to_datetime(answer["expires"]) == at + timedelta(hours=8, minutes=-1)
    again = _curl(served, f"/ocsp/people/{encoded}", tmp_path, "-H", f"If-None-Match: {answer['etag']}")
    assert again["status"] == "304"
    for path in ("/crl/people.crl", f"/crl/people/{shard_of(issued)}.crl", "/crl/people/3-delta.crl"):
        listed = _curl(served, path, tmp_path)
        assert listed["content-type"] == "application/pkix-crl"
        assert listed["cache-control"] == "public, no-cache, no-transform"
        assert parsedate_to_datetime(listed["last-modified"]) == at
        assert parsedate_to_datetime(listed["expires"]) > at
        assert _curl(served, path, tmp_path, "-H", f"If-None-Match: {listed['etag']}")["status"] == "304"
    nonce = ocsp.OCSPRequestBuilder().add_certificate(loaded(issued), issuer, hashes.SHA256())
    body = nonce.add_extension(x509.OCSPNonce(b"n" * 32), critical=False).build().public_bytes(Encoding.DER)
    (tmp_path / "asked").write_bytes(body)
    live = _curl(served, "/ocsp/people", tmp_path, "--data-binary", f"@{tmp_path / 'asked'}")
    assert (live["status"], live["cache-control"]) == ("200", "no-store")
    assert _curl(served, "/ocsp/people/AAAA", tmp_path)["cache-control"] == "no-store"


def _curl(server: BaseWSGIServer, path: str, folder: Path, *more: str) -> dict[str, str]:
    """Status and headers of one answer."""
    command = ["curl", "-s", "-o", str(folder / "body"), "-D", "-", f"http://127.0.0.1:{server.port}{path}", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    first, *lines = done.stdout.strip().splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    return {"status": first.split()[1]} | {name.lower(): value for name, value in headers.items()}


def test_ocsp_by_get_even_with_double_slashes(site: Site) -> None:
    issuer = x509.load_pem_x509_certificate((site.world.site.public / "issuers" / "people.pem").read_bytes())
    issued = site.authority.issue(ask())
    for length in range(16, 24):
        # A nonce of ones gives runs of slashes in base64, wherever it begins.
        builder = ocsp.OCSPRequestBuilder().add_certificate(loaded(issued), issuer, hashes.SHA256())
        builder = builder.add_extension(x509.OCSPNonce(b"\xff" * length), critical=False)
        encoded = base64.b64encode(builder.build().public_bytes(Encoding.DER)).decode()
        assert "//" in encoded
        for path in (encoded, quote(encoded, safe="")):
            answer = site.client().get(f"/ocsp/people/{path}")
            assert answer.status_code == 200, encoded
            parsed = ocsp.load_der_ocsp_response(answer.data)
            assert parsed.certificate_status is ocsp.OCSPCertStatus.GOOD


@pytest.mark.parametrize("path", ["%00", "AAAA", "%%%", "a/b/c", "..%2f..", "王"])
def test_ocsp_by_get_calls_garbage_malformed(site: Site, path: str) -> None:
    answer = site.client().get(f"/ocsp/people/{path}")
    assert answer.status_code in (200, 404)
    if answer.status_code == 200:
        status = ocsp.load_der_ocsp_response(answer.data).response_status
        assert status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_lists_and_issuers_have_their_media_types(site: Site) -> None:
    crl = site.client().get("/crl/people.crl")
    assert crl.content_type == "application/pkix-crl"
    assert x509.load_der_x509_crl(crl.data).issuer is not None
    authority = site.client().get("/ca/people.cer")
    assert authority.content_type == "application/pkix-cert"
    x509.load_der_x509_certificate(authority.data)
    for path in ("/crl/..crl", "/crl/nobody.crl", "/ca/nobody.cer"):
        assert site.client().get(path).status_code == 404


def test_the_roots_list_and_certificate_stand_where_issuing_authorities_say(site: Site) -> None:
    crl = x509.load_der_x509_crl(site.client().get("/crl/root.crl").data)
    root = x509.load_der_x509_certificate(site.client().get("/ca/root.cer").data)
    assert crl.issuer == root.subject == root.issuer
    people = x509.load_pem_x509_certificate((site.world.site.public / "issuers" / "people.pem").read_bytes())
    where = people.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [each.access_location.value for each in where] == ["http://pki.city.localhost:8080/ca/root.cer"]
    # A site that an older release founded has no list of the root, and nothing that names one.
    (site.world.site.public / "root.crl").unlink()
    assert site.client().get("/crl/root.crl").status_code == 404


def test_the_role_is_ready(site: Site) -> None:
    assert site.client().get("/readyz").status_code == 200
