# SPDX-License-Identifier: Apache-2.0
"""The authority over HTTP: public facts for openssl, the peer API through CAClient, the desk and its side door."""

import base64
import io
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.test import TestResponse

from audit import Outcome
from ca import CAClient, CertificateVerifier, web
from ca.errors import AlreadyRevoked, IssuanceDenied, NoSuchCertificate
from ca.models import IssueRequest, Reason, Standing
from ca.service import CertificateAuthority
from core.calls import CALLER_HEADER, SECRET_HEADER, Answer, PairSecrets
from core.errors import Kind, TallygateError, from_problem
from core.identity import HEADER, Identity, IdentityIssuer, IdentityVerifier
from core.web import Guard, create
from tests.fakes.people import CITIZEN, CLERK, COMPANY, OFFICER

from .conftest import World, ask, loaded, request_for

HOST = "ca.city.localhost"
ORIGIN = f"https://{HOST}:8445"
SECRETS = {name: bytes([number]) * 32 for number, name in enumerate(("app", "sso", "gateway", "nginx"), 1)}


@dataclass
class Site:
    world: World
    authority: CertificateAuthority
    app: Flask
    gateway: IdentityIssuer

    def client(self) -> FlaskClient:
        return self.app.test_client()

    def headers(
        self, method: str, path: str, roles: frozenset[str] = frozenset({"ra-officer"}), subject: str = OFFICER.subject
    ) -> dict[str, str]:
        identity = Identity(
            subject=subject,
            kind="person",
            session="s1",
            roles=roles,
            assurance=3,
            methods=("pwd",),
            zone="management",
            decision="d1",
        )
        token = self.gateway.issue(identity, audience=HOST, method=method, path=path, at=self.world.clock.now())
        return {HEADER: token, "Host": HOST, "Referer": f"https://{HOST}/", "X-Forwarded-Proto": "https"}


@pytest.fixture
def site(world: World, authority: CertificateAuthority) -> Site:
    key = ec.generate_private_key(ec.SECP256R1())
    guard = Guard(
        clock=world.clock,
        pairs=PairSecrets(SECRETS),
        verifier=IdentityVerifier(key.public_key(), audience=HOST),
    )
    door = web.side_door(
        authority,
        guard,
        directory=world.directory,
        verifier=CertificateVerifier.load(world.site.public),
        pairs=PairSecrets({"nginx": SECRETS["nginx"]}),
        recorder=world.recorder,
        clock=world.clock,
    )
    app = create(
        "ca",
        site=world.site,
        guard=guard,
        session_key=b"k" * 32,
        blueprints=[
            web.public(authority, guard),
            web.api(authority, guard),
            web.desk(authority, guard, directory=world.directory),
            door,
        ],
        translations=[Path(web.__file__).parents[1] / "translations"],
        ready=authority.check,
    )
    return Site(world, authority, app, IdentityIssuer(key))


class TestPeer:
    """A peer over the test client; raises what a real one raises."""

    __test__ = False

    def __init__(self, app: Flask, caller: str) -> None:
        self._client = app.test_client()
        self._headers = {CALLER_HEADER: caller, SECRET_HEADER: base64.b64encode(SECRETS[caller]).decode()}

    def call(self, method: str, path: str, *, document: object = None) -> Answer:
        extra = {"json": document} if document is not None else {}
        response = self._client.open(path, method=method, headers=self._headers, **extra)  # type: ignore[arg-type]  # one of two shapes
        if response.status_code >= 400:
            raise from_problem(response.status_code, response.get_json())
        return Answer(response.status_code, dict(response.headers), response.data)


def _client(site: Site, caller: str = "app") -> CAClient:
    return CAClient(TestPeer(site.app, caller))  # type: ignore[arg-type]  # the one verb of a peer


# The peer API.


def test_the_client_speaks_all_verbs(site: Site) -> None:
    client = _client(site)
    issued = client.issue(IssueRequest(profile="citizen", csr=request_for(), subject=CITIZEN.subject, actor="role:app"))
    assert client.status(issued.serial).good
    client.suspend(issued.serial, actor="role:app")
    client.release(issued.serial, actor="role:app")
    client.revoke(issued.serial, reason=Reason.SUPERSEDED, actor="role:app")
    assert client.status(issued.serial).standing is Standing.REVOKED
    shown = client.certificate(issued.serial)
    assert shown == site.authority.certificate(issued.serial)
    assert client.certificates(CITIZEN.subject) == [shown]


def test_the_client_raises_what_the_service_raises(site: Site) -> None:
    client = _client(site)
    with pytest.raises(TallygateError) as gone:
        client.certificate("1234")
    assert gone.value.code == NoSuchCertificate.code
    serial = site.authority.issue(ask()).serial
    client.revoke(serial, reason=Reason.UNSPECIFIED, actor="role:app")
    with pytest.raises(TallygateError) as twice:
        client.revoke(serial, reason=Reason.UNSPECIFIED, actor="role:app")
    assert twice.value.code == AlreadyRevoked.code


def test_a_role_gets_only_the_profiles_it_may_request(site: Site) -> None:
    request = IssueRequest(profile="civil-servant", csr=request_for(), subject=CLERK.subject, actor="role:sso")
    with pytest.raises(TallygateError) as refused:
        _client(site, "sso").issue(request)
    assert refused.value.code == IssuanceDenied.code


def test_no_role_speaks_as_another(site: Site) -> None:
    with pytest.raises(TallygateError) as refused:
        _client(site, "sso").suspend("1234", actor="role:app")
    assert refused.value.kind is Kind.INVALID


def test_only_the_operator_releases_over_the_api(site: Site) -> None:
    with pytest.raises(TallygateError) as refused:
        _client(site, "sso").release("1234", actor="role:sso")
    assert refused.value.kind is Kind.FORBIDDEN


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"profile": 1}',
        b'{"profile":"citizen","profile":"server"}',
        b"\xff",
        b'{"csr":"%%%"}',
        b'{"profile":"citizen","csr":"AAAA","subject":"\\ud800","actor":""}',
        b'{"a":' * 5000,
    ],
)
def test_bad_documents_are_refused(site: Site, body: bytes) -> None:
    headers = {CALLER_HEADER: "app", SECRET_HEADER: base64.b64encode(SECRETS["app"]).decode()}
    for path in ("/api/v1/certificates", "/api/v1/certificates/12ab/revoke", "/api/v1/certificates/zz/suspend"):
        response = site.client().post(path, data=body, headers=headers, content_type="application/json")
        assert 400 <= response.status_code < 500, (path, body, response.data)
        assert response.content_type == "application/problem+json"


def test_strangers_and_wrong_secrets_get_nothing(site: Site) -> None:
    for headers in ({}, {CALLER_HEADER: "app", SECRET_HEADER: "AAAA"}, {CALLER_HEADER: "mallory"}):
        assert site.client().get("/api/v1/certificates/12ab/status", headers=headers).status_code == 401


# Public facts.


@pytest.fixture
def served(site: Site) -> Iterator[BaseWSGIServer]:
    server = make_server("127.0.0.1", 0, site.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


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
        # openssl reads the real clock, the site lives on a clock of its own.
        now = int(site.world.clock.now().timestamp())
        command += ["-attime", str(now), "-validity_period", str(400 * 86_400)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert "Response verify OK" in done.stderr, done.stderr
        assert f"leaf.pem: {word}" in done.stdout, done.stdout


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
    for path in ("/crl/root.crl", "/crl/..crl", "/ca/nobody.cer"):
        assert site.client().get(path).status_code == 404


def test_the_role_is_ready(site: Site) -> None:
    assert site.client().get("/readyz").status_code == 200


# The desk.


def _submit(site: Site, path: str, form: Mapping[str, object], at: str = "") -> TestResponse:
    client = site.client()
    page = client.get(at or "/issue", headers=site.headers("GET", at or "/issue"), base_url=ORIGIN)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.get_data(as_text=True))
    assert token is not None
    return client.post(
        path,
        data={"csrf_token": token.group(1), **form},
        headers=site.headers("POST", path),
        base_url=ORIGIN,
        content_type="multipart/form-data",
    )


def test_an_officer_issues_suspends_releases_and_revokes(site: Site) -> None:
    form = {"profile": "civil-servant", "subject": CLERK.username, "csr": request_for().decode()}
    answer = _submit(site, "/issue", form)
    assert answer.status_code == 303
    path = answer.headers["Location"]
    serial = path.rsplit("/", 1)[1]
    for verb, standing in (
        ("suspend", Standing.SUSPENDED),
        ("release", Standing.GOOD),
        ("revoke", Standing.REVOKED),
    ):
        done = _submit(site, f"{path}/{verb}", {"reason": "superseded"}, at=path)
        assert done.status_code == 303
        assert site.authority.status(serial).standing is standing
    assert site.world.outbox()[-1].actor == OFFICER.subject


def test_an_uploaded_request_works_too(site: Site) -> None:
    form = {"profile": "organisation-seal", "subject": COMPANY.id, "csr": ""}
    answer = _submit(site, "/issue", {**form, "file": (io.BytesIO(request_for()), "seal.csr")})
    assert answer.status_code == 303


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"profile": "citizen", "subject": "nobody", "csr": "x"}, 404),
        ({"profile": "citizen", "subject": CITIZEN.username, "csr": "nonsense"}, 400),
        ({"profile": "citizen", "subject": CITIZEN.username, "csr": ""}, 400),
        ({"profile": "server", "subject": "x", "csr": "x"}, 400),
        ({"profile": "citizen", "subject": OFFICER.username}, 403),
        ({"profile": "", "subject": "", "csr": ""}, 400),
        ({}, 400),
    ],
)
def test_a_bad_form_comes_back_with_words(site: Site, form: dict[str, object], status: int) -> None:
    if form.get("subject") == OFFICER.username:
        form = {**form, "csr": request_for().decode()}
    answer = _submit(site, "/issue", form)
    assert answer.status_code == status


def test_search_by_everything(site: Site) -> None:
    serial = site.authority.issue(ask()).serial
    for sought in (CITIZEN.subject, CITIZEN.username, "王小", ""):
        path = f"/?q={quote(sought)}"
        page = site.client().get(path, headers=site.headers("GET", path), base_url=ORIGIN)
        assert serial in page.get_data(as_text=True), sought
    path = f"/?q={serial}"
    found = site.client().get(path, headers=site.headers("GET", path), base_url=ORIGIN)
    assert found.headers["Location"].endswith(f"/certificates/{serial}")
    path = f"/?q={quote('李' * 20)}"
    none = site.client().get(path, headers=site.headers("GET", path), base_url=ORIGIN)
    assert "No certificate matches." in none.get_data(as_text=True)


def test_only_officers_see_the_desk(site: Site) -> None:
    for path in ("/", "/issue", "/certificates/12ab"):
        headers = site.headers("GET", path, frozenset({"citizen"}))
        assert site.client().get(path, headers=headers, base_url=ORIGIN).status_code == 403
        assert site.client().get(path, base_url=ORIGIN).status_code == 401


def test_a_form_without_its_token_does_nothing(site: Site) -> None:
    serial = site.authority.issue(ask()).serial
    path = f"/certificates/{serial}/suspend"
    answer = site.client().post(path, headers=site.headers("POST", path), base_url=ORIGIN)
    assert answer.status_code == 403
    assert site.authority.status(serial).good


def test_conflicts_are_told_on_the_page_in_both_languages(site: Site) -> None:
    serial = site.authority.issue(ask()).serial
    path = f"/certificates/{serial}"
    site.authority.suspend(serial, actor="x")
    client = site.client()
    page = client.get(path, headers=site.headers("GET", path), base_url=ORIGIN)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.get_data(as_text=True))
    assert token is not None
    for language, words in (("en", "is suspended already"), ("zh", "已经挂起")):
        send = f"{path}/suspend?lang={language}"
        answer = client.post(
            send, data={"csrf_token": token.group(1)}, headers=site.headers("POST", send), base_url=ORIGIN
        )
        assert answer.status_code == 409
        assert words in answer.get_data(as_text=True)


def test_downloads_and_unknown_serials(site: Site) -> None:
    issued = site.authority.issue(ask())
    path = f"/certificates/{issued.serial}.pem"
    assert site.client().get(path, headers=site.headers("GET", path), base_url=ORIGIN).data == issued.certificate
    for path, status in (
        ("/certificates/1234", 404),
        ("/certificates/zz", 400),
        ("/?before=x", 400),
        ("/?q=a&q=b", 400),
    ):
        assert site.client().get(path, headers=site.headers("GET", path), base_url=ORIGIN).status_code == status


# The side door.


def _door(certificate: bytes, secret: bytes = SECRETS["nginx"]) -> dict[str, str]:
    return {
        CALLER_HEADER: "nginx",
        SECRET_HEADER: base64.b64encode(secret).decode(),
        "Tallygate-Client-Certificate": quote(certificate.decode()),
    }


def test_an_officers_certificate_opens_the_side_door_and_is_recorded(site: Site) -> None:
    issued = site.authority.issue(ask("civil-servant", subject=OFFICER.subject, actor=CLERK.subject))
    answer = site.client().get("/direct/", headers=_door(issued.certificate), base_url=ORIGIN)
    assert answer.status_code == 200
    assert site.world.recorder.events[-1].type == "gateway.decision"
    assert site.world.recorder.events[-1].subject == OFFICER.subject
    assert site.world.recorder.events[-1].decision == answer.headers["Tallygate-Decision"]
    site.authority.suspend(issued.serial, actor="x")
    shut = site.client().get("/direct/", headers=_door(issued.certificate), base_url=ORIGIN)
    assert shut.status_code == 401
    denied = site.world.recorder.events[-1]
    assert (denied.type, denied.outcome, denied.subject) == ("gateway.decision", Outcome.DENIED, "")
    assert denied.decision == shut.headers["Tallygate-Decision"]


def test_the_side_door_stays_shut_for_everybody_else(site: Site) -> None:
    citizen = site.authority.issue(ask()).certificate
    officer = site.authority.issue(ask("civil-servant", subject=OFFICER.subject, actor=CLERK.subject)).certificate
    for headers, status in (
        ({}, 401),
        (_door(officer, b"\1" * 32), 401),
        (_door(citizen), 403),
        (_door(b"nonsense"), 401),
        ({**_door(officer), CALLER_HEADER: "app"}, 401),
    ):
        answer = site.client().get("/direct/", headers=headers, base_url=ORIGIN)
        assert answer.status_code == status


def test_the_side_door_is_shut_while_the_record_is_down(site: Site) -> None:
    officer = site.authority.issue(ask("civil-servant", subject=OFFICER.subject, actor=CLERK.subject)).certificate
    site.world.recorder.down = True
    assert site.client().get("/direct/", headers=_door(officer), base_url=ORIGIN).status_code == 503
