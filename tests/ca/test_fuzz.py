# SPDX-License-Identifier: Apache-2.0
"""Mutated DER and JSON at every open door of the role: an answer that the protocol knows, never a 500.

What is mutated was good before: a bit, a byte, a length or a piece is changed, doubled, cut out or moved, so that much
of it gets past the first check. The budget is a number of cases, not of seconds.
"""

import base64
import json
import random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ca.errors import KeyRefused, RequestRefused
from ca.service import issue_unit, unit_folder
from ca.x509 import Algorithm, der, read_request
from ca.x509.profiles import KEYS
from core.calls import CALLER_HEADER, SECRET_HEADER
from tests.ca.acme.client import ORIGIN as ACME
from tests.ca.acme.client import Client, b64, jwk, sign
from tests.ca.sites import SECRETS, Site
from tests.ca.world import World, ask, loaded, new_key
from tests.fakes.people import KIOSK, OFFICER

CASES = 120
BASIC = {
    CALLER_HEADER: "nginx",
    SECRET_HEADER: base64.b64encode(SECRETS["nginx"]).decode(),
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "192.0.2.9",
    "Host": "est.city.localhost",
}
_TAGS = bytes((0x00, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x13, 0x17, 0x18, 0x30, 0x31, 0x80, 0xA0, 0xA3, 0xFF))


def mutated(good: bytes, chance: random.Random) -> bytes:
    """The same with one to four changes."""
    found = good
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(found)) if found else 0
        end = min(len(found), at + chance.randint(1, 40))
        before, piece, rest = found[:at], found[at:end], found[end:]
        inserted = chance.choice((b"\x30\x80", b"\x84\xff\xff\xff\xff", b"\x00" * 9, piece * chance.randint(1, 3)))
        found = chance.choice((
            before + bytes((chance.randrange(256),)) + found[at + 1 :],
            before + bytes((chance.choice(_TAGS),)) + found[at + 1 :],
            before + rest,
            before + inserted + piece + rest,
            piece + before + rest,
            before,
        ))  # fmt: skip
    return found


def cases(good: list[bytes], number: int = CASES) -> list[bytes]:
    """The same ones in each run."""
    chance = random.Random(20_261_128)  # noqa: S311 - repeatable, not secret
    return [mutated(chance.choice(good), chance) for _ in range(number)]


def requests() -> list[bytes]:
    keys = (new_key(), ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate())
    rsa_key = rsa.generate_private_key(65537, 2048)
    names = x509.SubjectAlternativeName([x509.DNSName("a.city.localhost"), x509.RFC822Name("a@b.c")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name(
            [x509.NameAttribute(x509.NameOID.COMMON_NAME, "x"), x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "CN")]
        )
    )
    builder = builder.add_extension(names, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = [builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()) for key in keys]
    made.append(builder.sign(rsa_key, hashes.SHA256()))
    return [each.public_bytes(Encoding.DER) for each in made]


def test_certificate_requests() -> None:
    good = requests()
    pems = [x509.load_der_x509_csr(each).public_bytes(Encoding.PEM) for each in good]
    for case in cases([*good, *pems], 4 * CASES):
        try:
            read_request(case, keys=frozenset(KEYS))
        except (RequestRefused, KeyRefused):
            continue


def test_est(site: Site) -> None:
    client = site.client()
    for number, case in enumerate(cases([base64.encodebytes(each) for each in requests()] + requests())):
        operation = ("simpleenroll", "simplereenroll", "serverkeygen")[number % 3]
        kind = "application/pkcs10" if number % 7 else "application/octet-stream"
        body = base64.b64encode(case) if number % 2 else case
        answer = client.post(
            f"/.well-known/est/{operation}",
            data=body,
            headers={**BASIC, "Content-Type": kind, "Authorization": f"Basic {b64(case[:30])}"},
            base_url="https://est.city.localhost",
        )
        assert answer.status_code in (400, 401, 403, 413, 429), (number, answer.status_code)


def test_est_with_a_secret_that_is_right(site: Site) -> None:

    made, secret = site.est.enrolments.make(
        device=KIOSK.id, label="device-client", hosts=[], uses=10, officer=OFFICER.subject
    )
    object.__setattr__(site.est.settings, "certificates_limit", 10_000)
    token = base64.b64encode(f"{made.id}:{secret}".encode()).decode()
    for number, case in enumerate(cases(requests())):
        answer = site.client().post(
            "/.well-known/est/simpleenroll",
            data=base64.b64encode(case),
            headers={**BASIC, "Content-Type": "application/pkcs10", "Authorization": f"Basic {token}"},
            base_url="https://est.city.localhost",
        )
        assert answer.status_code in (200, 400, 403), (number, answer.status_code, answer.text)


def test_ocsp(world: World, site: Site) -> None:
    certificate = loaded(site.authority.issue(ask()))
    pem = (world.site.public / "issuers" / "people.pem").read_bytes()
    issuer = x509.load_pem_x509_certificate(pem)
    plain = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256())
    nonced = plain.add_extension(x509.OCSPNonce(b"n" * 32), critical=False)
    good = [each.build().public_bytes(Encoding.DER) for each in (plain, nonced)]
    for number, case in enumerate(cases(good)):
        answer = site.client().post("/ocsp/people", data=case, content_type="application/ocsp-request")
        assert answer.status_code == 200, (number, answer.status_code)
        # It is an answer to whoever can read one, and nothing unknown is ever called good.
        found = ocsp.load_der_ocsp_response(answer.data)
        if found.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL:
            for each in found.responses:
                good_ = each.certificate_status is ocsp.OCSPCertStatus.GOOD
                assert not good_ or each.serial_number == certificate.serial_number
        encoded = base64.b64encode(case).decode().replace("/", "%2F").replace("+", "%2B")
        by_path = site.client().get(f"/ocsp/people/{encoded}")
        assert by_path.status_code in (200, 400, 404), (number, by_path.status_code)


def test_time_stamp_questions(world: World, site: Site) -> None:
    issue_unit(site.authority, unit_folder(world.site) / "one.pem", Algorithm.P256, actor="role:app")
    for number, case in enumerate(cases([_question()])):
        answer = site.client().post("/tsa/one", data=case, content_type="application/timestamp-query")
        assert answer.status_code == 200, (number, answer.status_code)
        assert answer.content_type == "application/timestamp-reply"


@pytest.mark.parametrize("bound", [False, True])
def test_acme_requests(site: Site, *, bound: bool) -> None:
    client = Client(site)
    chance = random.Random(7)  # noqa: S311 - repeatable, not secret
    url = f"{ACME}/acme/{'new-order' if bound else 'new-account'}"
    for number in range(CASES):
        header = {"alg": "ES256", "nonce": client.fresh(), "url": url, "jwk": jwk(client.key)}
        body = {"identifiers": [{"type": "dns", "value": "kiosk7.city.localhost"}], "termsOfServiceAgreed": True}
        good = sign(client.key, header, json.dumps(body).encode())
        # Inside: changed before it is signed; outside: afterwards.
        if number % 2:
            raw = mutated(json.dumps(body).encode(), chance)
            good = sign(client.key, header, raw)
            sent = json.dumps(good).encode()
        elif number % 3:
            sent = mutated(json.dumps(good).encode(), chance)
        else:
            key = chance.choice(sorted(good))
            sent = json.dumps({**good, key: b64(mutated(good[key].encode(), chance))}).encode()
        answer = site.client().post(
            url.removeprefix(ACME), base_url=ACME, data=sent, content_type="application/jose+json"
        )
        assert 400 <= answer.status_code < 500, (number, answer.status_code, sent)
        assert answer.content_type == "application/problem+json"


def _question() -> bytes:

    imprint = der.sequence(der.sequence(der.oid("2.16.840.1.101.3.4.2.1")), der.octets(b"h" * 32))
    return der.sequence(der.integer(1), imprint, der.integer(77), b"\x01\x01\xff")
