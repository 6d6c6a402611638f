# SPDX-License-Identifier: Apache-2.0
"""Issuers that are not ours are asked only where the settings say so, and strangers' addresses lead nowhere else."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import AuthorityInformationAccessOID

from core.calls.outside import Fetcher, Reply
from signatures.models import Ask, Overall, Verdict
from signatures.sandbox import ReaderPool
from signatures.service import ForeignStatus, Verification
from signatures.service.verification import Asker
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures import made, stamper
from tests.signatures.fakes import COMMITMENTS
from tests.signatures.pki import NOW, Authority, City, Leaf
from tests.signatures.test_ocsp import answer


@dataclass
class Responder:
    """A server of an issuer abroad, on this machine."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    questions: list[bytes] = field(default_factory=list)
    answers: dict[str, bytes] = field(default_factory=dict)
    status: int = 200

    def at(self, path: str) -> str:
        return f"http://localhost:{self.port}{path}"


@contextmanager
def serving() -> Iterator[Responder]:
    responder = Responder()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            responder.asked.append(self.path)
            body = responder.answers.get(self.path)
            self.send_response(404 if body is None else responder.status)
            if responder.status != 200:
                self.send_header("Location", responder.at("/secret"))
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def do_POST(self) -> None:
            responder.questions.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    responder.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield responder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def pointing(leaf: Leaf, issuer: Authority, *, lists: str = "", responder: str = "") -> Leaf:
    """The same certificate, but for where its issuer is to be asked."""
    own = leaf.certificate
    kept = [each for each in own.extensions if not isinstance(each.value, x509.CRLDistributionPoints)]
    builder = x509.CertificateBuilder(
        own.issuer,
        own.subject,
        own.public_key(),
        own.serial_number,
        own.not_valid_before_utc,
        own.not_valid_after_utc,
        kept,
    )
    if lists:
        named = x509.DistributionPoint([x509.UniformResourceIdentifier(lists)], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([named]), critical=False)
    if responder:
        place = x509.UniformResourceIdentifier(responder)
        said = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)
        builder = builder.add_extension(x509.AuthorityInformationAccess([said]), critical=False)
    return Leaf(leaf.key, builder.sign(issuer.key, hashes.SHA256()), leaf.chain)


@dataclass
class House:
    """A verification whose site knows an authority abroad, and none of its lists."""

    abroad: City
    clock: ManualClock
    recorder: ListRecorder
    verification: Verification

    def look(self, document: bytes) -> Verdict:
        return self.verification.verify(document, asker=Asker())


@pytest.fixture
def house(readers: ReaderPool) -> Callable[..., House]:
    def built(*hosts: str, private: bool = True, largest: int = 100_000) -> House:
        abroad, clock, recorder = City(), ManualClock(NOW), ListRecorder()
        context = ssl.create_default_context()
        fetcher = Fetcher(context=context, private=private, timeout=30.0, largest=largest, plain=True)

        def send(url: str, question: bytes | None) -> Reply:
            return (
                fetcher.get(url) if question is None else fetcher.post(url, question, kind="application/ocsp-request")
            )

        foreign = ForeignStatus(hosts=hosts, send=send, within=timedelta(seconds=60), clock=clock)
        verification = Verification(
            readers=readers,
            trust=abroad.trust,
            lists=list,
            recorder=recorder,
            commitments=COMMITMENTS,
            clock=clock,
            foreign=foreign,
        )
        return House(abroad, clock, recorder, verification)

    return built


def test_a_list_and_a_responder_are_asked_once_recorded_and_told(house: Callable[..., House]) -> None:
    with serving() as server:
        one = house(f"localhost:{server.port}")
        issuer = one.abroad.organisations
        by_list = pointing(one.abroad.seal(), issuer, lists=server.at("/crl"))
        by_answer = pointing(one.abroad.seal(), issuer, responder=server.at("/ocsp"))
        document = made.cades(made.LETTER, [by_list])
        # Nothing there yet: nobody can tell, and that is kept for a minute.
        assert one.look(document).signatures[0].valid.code == "status_unavailable"
        server.answers = {"/crl": issuer.crl(), "/ocsp": answer(by_answer, issuer)}
        assert one.look(document).overall is Overall.CANNOT_TELL
        one.clock.advance(timedelta(minutes=1))
        verdict = one.look(document)
        assert verdict.overall is Overall.TRUSTED
        assert [each.code for each in verdict.problems] == ["stamp_missing", "status_asked"]
        assert one.look(document).overall is Overall.TRUSTED
        assert server.asked == ["/crl", "/crl"]
        assert [each.attributes.get("asked", 0) for each in one.recorder.events] == [0, 0, 1, 1]
        facts = verdict.signatures[0].facts
        assert facts is not None
        assert (facts.certificate.said_at, facts.certificate.asked) == (NOW - timedelta(minutes=5), True)
        assert one.look(made.cades(made.LETTER, [by_answer])).overall is Overall.TRUSTED
        asked: Any = asn1_ocsp.OCSPRequest.load(server.questions[0])["tbs_request"]["request_list"][0]["req_cert"]
        assert asked["serial_number"].native == by_answer.certificate.serial_number
        # What it said is asked for again when it is ten minutes old.
        issuer.revoke(by_list)
        server.answers["/crl"] = issuer.crl()
        one.clock.advance(timedelta(minutes=10))
        assert one.look(document).signatures[0].valid.code == "revoked"


def test_a_unit_abroad_is_asked_about_too(house: Callable[..., House]) -> None:
    with serving() as server:
        one = house(f"localhost:{server.port}")
        people, seals = one.abroad.people, one.abroad.organisations
        unit = pointing(stamper.unit(people), people, lists=server.at("/people"))
        document = made.cades(made.LETTER, [one.abroad.seal()], by=unit, lists=[seals.crl()])
        server.answers["/people"] = people.crl()
        assert one.look(document).signatures[0].valid.code == "valid_then"


def test_nobody_is_asked_whom_the_settings_do_not_name(house: Callable[..., House]) -> None:
    with serving() as server:
        one = house(f"localhost:{server.port}", "named.example")
        issuer = one.abroad.organisations
        server.answers["/crl"] = issuer.crl()
        for url in (
            f"http://127.0.0.1:{server.port}/crl",
            f"http://[::1]:{server.port}/crl",
            f"http://localhost:{server.port}@127.0.0.1:{server.port}/crl",
            f"http://localhost.:{server.port}/crl",
            "http://localhost/crl",
            f"ldap://localhost:{server.port}/crl",
            f"file://localhost:{server.port}/etc/passwd",
            "http://169.254.169.254/latest/meta-data/",
        ):
            leaf = pointing(one.abroad.seal(), issuer, lists=url)
            assert one.look(made.cades(made.LETTER, [leaf])).signatures[0].valid.code == "status_unavailable", url
        # A certificate of somebody nobody trusts makes nobody ask, whatever it says.
        stranger = City()
        leaf = pointing(stranger.seal(), stranger.organisations, lists=server.at("/crl"))
        assert one.look(made.cades(made.LETTER, [leaf])).signatures[0].issuer.code == "issuer_unknown"
        # Named, but its address is one of ours.
        inside = house(f"localhost:{server.port}", private=False)
        leaf = pointing(inside.abroad.seal(), inside.abroad.organisations, lists=server.at("/crl"))
        assert inside.look(made.cades(made.LETTER, [leaf])).signatures[0].valid.code == "status_unavailable"
        assert server.asked == []


def test_what_comes_back_is_bounded_not_followed_and_not_believed(house: Callable[..., House]) -> None:
    with serving() as server:
        one = house(f"localhost:{server.port}", largest=5000)
        issuer, stranger = one.abroad.organisations, City().organisations
        leaf = pointing(one.abroad.seal(), issuer, lists=server.at("/crl"))
        document = made.cades(made.LETTER, [leaf])
        for body in (stranger.crl(), issuer.crl(at=NOW - timedelta(days=9)), b"x" * 6000, b"<html>", b""):
            server.answers["/crl"] = body
            assert one.look(document).signatures[0].valid.code == "status_unavailable"
            one.clock.advance(timedelta(minutes=10))
        server.status, server.answers = 302, {"/crl": issuer.crl(), "/secret": issuer.crl()}
        assert one.look(document).signatures[0].valid.code == "status_unavailable"
        assert set(server.asked) == {"/crl"}


def test_one_document_makes_few_questions_and_ends_in_time() -> None:
    clock, asked = ManualClock(NOW), list[str]()

    def send(url: str, question: bytes | None) -> Reply:
        assert question is None
        asked.append(url)
        clock.advance(timedelta(seconds=2))
        return Reply(200, "", b"x")

    hosts = ["a.example"]
    foreign = ForeignStatus(hosts=hosts, send=send, within=timedelta(seconds=60), clock=clock)
    asks = [Ask(f"http://a.example/{number}") for number in range(100)]
    assert foreign(asks) == [b"x"] * 6
    assert foreign(asks[:6]) == [b"x"] * 6
    assert len(asked) == 6
    slow = ForeignStatus(hosts=hosts, send=send, within=timedelta(seconds=3), clock=clock)
    assert len(slow(asks)) == 2
