# SPDX-License-Identifier: Apache-2.0
"""OCSP answers that come with a document count as far as the issuer, or whom it named for that, signed them."""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from signatures.models import Revocation
from signatures.proofs.certificates import Assessor
from tests.signatures import made
from tests.signatures.pki import DAY, NOW, Authority, City, Leaf


def answer(
    leaf: Leaf, issuer: Authority, by: Leaf | None = None, *, revoked: datetime | None = None, at: datetime = NOW
) -> bytes:
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=leaf.certificate,
        issuer=issuer.certificate,
        algorithm=hashes.SHA256(),
        cert_status=ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
        this_update=at - DAY / 24,
        next_update=at + DAY / 24,
        revocation_time=revoked,
        revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
    )
    shown = by.certificate if by else issuer.certificate
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, shown).certificates([shown])
    return builder.sign(by.key if by else issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_an_answer_counts_if_the_issuer_or_its_responder_signed_it_in_time(city: City, leaf: Leaf) -> None:
    issuer = city.organisations
    responder = issuer.leaf("Responder", purpose=ExtendedKeyUsageOID.OCSP_SIGNING)
    assessor = Assessor(city.trust(), lists=[city.root.crl()])
    good, revoked, missing = Revocation.GOOD, Revocation.REVOKED, Revocation.UNAVAILABLE
    other = city.seal()
    for found, expected in (
        (answer(leaf, issuer), good),
        (answer(leaf, issuer, responder), good),
        (answer(leaf, issuer, responder, revoked=NOW - DAY), revoked),
        # By another seal of the same issuer, by a responder of another issuer, about another, and overdue.
        (answer(leaf, issuer, other), missing),
        (answer(leaf, issuer, city.people.leaf("R", purpose=ExtendedKeyUsageOID.OCSP_SIGNING)), missing),
        (answer(other, issuer), missing),
        (answer(leaf, issuer, at=NOW - 2 * DAY), missing),
        (answer(leaf, issuer)[:-1], missing),
        (b"", missing),
    ):
        facts = assessor.assess(made.der(leaf), others=[], at=NOW, answers=[found])
        assert facts.revocation is expected
