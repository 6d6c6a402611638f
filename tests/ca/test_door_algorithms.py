# SPDX-License-Identifier: Apache-2.0
"""Lists and OCSP answers of authorities of every algorithm, checked by programs of others (ML-DSA by cryptography)."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ca.ceremony.authorities import Constraints, Hall
from ca.models import AuthorityName, Reason, Standing
from ca.signer.raw import signed
from ca.x509 import SigningKey, generate, throw_away
from ca.x509.algorithms import Algorithm
from ca.x509.answers import AnswerDraft, Said, read_request, successful
from ca.x509.lint import Linter, Seal
from ca.x509.lists import ListDraft, Withdrawn, entry
from ca.x509.signing import algorithm_identifier, framed
from core.clock import SystemClock

from .world import World

SERIAL = 0x7F0123456789


@pytest.fixture(params=list(Algorithm))
def authority(request: pytest.FixtureRequest, world: World) -> tuple[SigningKey, x509.Certificate, x509.Certificate]:
    """Key and certificate of an issuing authority, and its root's, on the machine's own clock."""
    algorithm: Algorithm = request.param
    at = SystemClock().now().replace(microsecond=0) - timedelta(minutes=5)
    name = AuthorityName("people", algorithm is Algorithm.ML_DSA_65)
    hall = Hall(site=world.site, settings=world.settings, linter=Linter(Seal()), at=at)
    # RSA keys take seconds; which key of an algorithm signs makes no difference to what is judged here.
    key = throw_away(algorithm) if algorithm.value.startswith("RSA") else generate(algorithm)
    root = hall.root(AuthorityName("root", name.ml_dsa), key=key)
    below = hall.issuer(name, root, key=key, constraints=Constraints())
    return key, below.certificate, root.certificate


def test_a_list_of_every_algorithm(
    authority: tuple[SigningKey, x509.Certificate, x509.Certificate], tmp_path: Path
) -> None:
    key, issuer, _ = authority
    at = issuer.not_valid_before_utc
    withdrawn = Withdrawn(serial=SERIAL, standing=Standing.REVOKED, at=at, reason=Reason.KEY_COMPROMISE)
    draft = ListDraft(issuer=issuer, number=7, at=at, until=at + timedelta(hours=1), entries=[entry(withdrawn)])
    algorithm = algorithm_identifier(key.public_key())
    tbs = draft.tbs(algorithm)
    found = framed(tbs, algorithm, signed(key, tbs))
    unsigned = framed(draft.sample().tbs(algorithm), algorithm, b"\0" * 8)
    assert Linter(Seal()).list_findings(unsigned) == []
    parsed = x509.load_der_x509_crl(found)
    assert parsed.get_revoked_certificate_by_serial_number(SERIAL) is not None
    check(key, parsed.signature, parsed.tbs_certlist_bytes)
    if isinstance(key, mldsa.MLDSA65PrivateKey):
        return
    (tmp_path / "list").write_bytes(found)
    (tmp_path / "issuer").write_bytes(issuer.public_bytes(Encoding.PEM))
    shown = run("openssl", "crl", "-inform", "DER", "-in", "list", "-noout", "-CAfile", "issuer", cwd=tmp_path)
    assert "verify OK" in shown
    shown = run("certtool", "--crl-info", "--inder", "--infile", "list", cwd=tmp_path)
    assert "Revoked certificates (1)" in shown


def test_an_answer_of_every_algorithm(
    authority: tuple[SigningKey, x509.Certificate, x509.Certificate], tmp_path: Path
) -> None:
    key, issuer, root = authority
    at = issuer.not_valid_before_utc
    asked = ocsp.OCSPRequestBuilder().add_certificate(issuer, root, hashes.SHA256()).build()
    read = read_request(asked.public_bytes(Encoding.DER))
    assert read is not None
    said = [Said(question=each, standing=Standing.GOOD) for each in read.questions]
    # The root of the same key answers for what it made itself (RFC 6960 section 4.2.2.2).
    draft = AnswerDraft(responder=root, said=said, at=at, until=at + timedelta(hours=1))
    tbs = draft.tbs()
    found = successful(tbs, algorithm_identifier(key.public_key()), signed(key, tbs), root)
    parsed = ocsp.load_der_ocsp_response(found)
    assert parsed.certificate_status is ocsp.OCSPCertStatus.GOOD
    check(key, parsed.signature, parsed.tbs_response_bytes)
    if isinstance(key, mldsa.MLDSA65PrivateKey):
        return
    (tmp_path / "answer").write_bytes(found)
    (tmp_path / "issuer").write_bytes(issuer.public_bytes(Encoding.PEM))
    (tmp_path / "root").write_bytes(root.public_bytes(Encoding.PEM))
    given = ("-respin", "answer", "-issuer", "root", "-sha256", "-cert", "issuer", "-CAfile", "root")
    assert "issuer: good" in run("openssl", "ocsp", *given, cwd=tmp_path)


def check(key: SigningKey, signature: bytes, content: bytes) -> None:
    """The signature, by the algorithm of the key alone."""
    public = key.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        digest = hashes.SHA384() if public.curve.name == "secp384r1" else hashes.SHA256()
        public.verify(signature, content, ec.ECDSA(digest))
    elif isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, content, padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(public, ed25519.Ed25519PublicKey | mldsa.MLDSA65PublicKey):
        public.verify(signature, content)


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
