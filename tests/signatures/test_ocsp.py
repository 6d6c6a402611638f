# SPDX-License-Identifier: Apache-2.0
"""OCSP answers that come with a document count as far as the issuer, or whom it named for that, signed them."""

from datetime import datetime, timedelta
from typing import Any

from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from signatures.models import Revocation
from signatures.proofs.certificates import Assessor
from tests.signatures import made
from tests.signatures.pki import DAY, NOW, Authority, City, Leaf


def answer(
    leaf: Leaf,
    issuer: Authority,
    by: Leaf | None = None,
    *,
    revoked: datetime | None = None,
    at: datetime = NOW,
    lasts: timedelta = DAY / 24,
) -> bytes:
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=leaf.certificate,
        issuer=issuer.certificate,
        algorithm=hashes.SHA256(),
        cert_status=ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
        this_update=at - DAY / 24,
        next_update=at + lasts,
        revocation_time=revoked,
        revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
    )
    shown = by.certificate if by else issuer.certificate
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, shown).certificates([shown])
    return builder.sign(by.key if by else issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def _responder(issuer: Authority) -> Leaf:
    """Good for long: an answer says that it was made at the moment at which the test is run."""
    return issuer.leaf("Responder", purpose=ExtendedKeyUsageOID.OCSP_SIGNING, after=NOW + 9000 * DAY)


def test_an_answer_counts_if_the_issuer_or_its_responder_signed_it_in_time(city: City, leaf: Leaf) -> None:
    issuer = city.organisations
    responder = _responder(issuer)
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


def _said_anew(
    found: bytes, by: Leaf, *, produced: datetime | None = None, rule: bool = False, digest: Any = None
) -> bytes:
    """The same answer, signed again as of another moment, or under a rule that nobody knows."""
    whole = asn1_ocsp.OCSPResponse.load(found)
    basic: Any = whole["response_bytes"]["response"].parsed
    data = basic["tbs_response_data"]
    if produced:
        data["produced_at"] = produced
    if rule:
        data["response_extensions"] = [{"extn_id": "2.999.7", "critical": True, "extn_value": b"\x05\x00"}]
    if digest:
        basic["signature_algorithm"] = {"algorithm": f"{digest.name}_ecdsa"}
    basic["signature"] = by.key.sign(data.dump(force=True), ec.ECDSA(digest or hashes.SHA256()))
    basic["tbs_response_data"] = data
    signed: bytes = basic.dump(force=True)
    return signed


def test_a_responder_whose_time_is_over_or_whose_key_was_stolen_says_nothing(city: City) -> None:
    issuer, leaf = city.organisations, city.seal()
    responder = _responder(issuer)
    ended = issuer.leaf(
        "Responder", purpose=ExtendedKeyUsageOID.OCSP_SIGNING, before=NOW - 30 * DAY, after=NOW - 2 * DAY
    )
    good, missing = Revocation.GOOD, Revocation.UNAVAILABLE
    fresh, old = answer(leaf, issuer, ended), answer(leaf, issuer, ended, at=NOW - 3 * DAY, lasts=9 * DAY)
    for said, expected in (
        (_said_anew(answer(leaf, issuer, responder), responder), good),
        (_said_anew(answer(leaf, issuer, responder), responder, rule=True), missing),
        # It says that it said then what it cannot have known; or says so for longer than it may say anything.
        (_said_anew(fresh, ended, produced=NOW - 3 * DAY), missing),
        (_said_anew(old, ended, produced=NOW - 3 * DAY), missing),
    ):
        assessor = Assessor(city.trust(), lists=[city.root.crl()])
        assert assessor.assess(made.der(leaf), others=[], at=NOW, answers=[said]).revocation is expected
    issuer.revoke(responder)
    try:
        assessor = Assessor(city.trust(), lists=[city.root.crl(), issuer.crl(at=NOW - 2 * DAY)])
        said = answer(leaf, issuer, responder)
        assert assessor.assess(made.der(leaf), others=[], at=NOW, answers=[said]).revocation is missing
    finally:
        issuer.revoked.clear()


def test_who_was_revoked_stays_so_whatever_a_newer_word_says(city: City) -> None:
    issuer, leaf = city.organisations, city.seal()
    newer = answer(leaf, issuer)
    for reason, expected in (
        (x509.ReasonFlags.key_compromise, Revocation.REVOKED),
        (x509.ReasonFlags.certificate_hold, Revocation.GOOD),
    ):
        issuer.revoke(leaf, reason)
        try:
            # Overdue, and the key that says more now may be anybody's.
            listed = issuer.crl(at=NOW - 2 * DAY)
        finally:
            issuer.revoked.clear()
        assessor = Assessor(city.trust(), lists=[city.root.crl(), listed])
        assert assessor.assess(made.der(leaf), others=[], at=NOW, answers=[newer]).revocation is expected


def test_a_word_that_anybody_could_have_made_clears_nobody(city: City) -> None:
    issuer, leaf = city.organisations, city.seal()
    by = Leaf(issuer.key, issuer.certificate, b"")
    assessor = Assessor(city.trust(), lists=[city.root.crl()])
    for revoked, expected in ((None, Revocation.UNAVAILABLE), (NOW - DAY, Revocation.REVOKED)):
        said = _said_anew(answer(leaf, issuer, revoked=revoked), by, digest=hashes.SHA1())  # noqa: S303 - the attack itself
        assert assessor.assess(made.der(leaf), others=[], at=NOW, answers=[said]).revocation is expected
