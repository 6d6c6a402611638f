# SPDX-License-Identifier: Apache-2.0
"""Revocation lists (RFC 5280 section 5) and OCSP (RFC 6960, nonces RFC 9654): unsigned, and requests parsed."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp

from ..models import Reason, Standing

LONGEST_REQUEST = 4096
"""Bytes of an OCSP request; one certificate with the longest nonce needs about 250."""

_SHORTEST_NONCE, _LONGEST_NONCE = 1, 128
"""RFC 9654 section 2.1."""

_FLAGS = {
    Reason.UNSPECIFIED: x509.ReasonFlags.unspecified,
    Reason.KEY_COMPROMISE: x509.ReasonFlags.key_compromise,
    Reason.AFFILIATION_CHANGED: x509.ReasonFlags.affiliation_changed,
    Reason.SUPERSEDED: x509.ReasonFlags.superseded,
    Reason.CESSATION: x509.ReasonFlags.cessation_of_operation,
    Reason.PRIVILEGE_WITHDRAWN: x509.ReasonFlags.privilege_withdrawn,
}


@dataclass(frozen=True, kw_only=True)
class Withdrawn:
    """One entry of a revocation list, or what an OCSP answer says of a certificate that is not good."""

    serial: int
    standing: Standing
    at: datetime
    reason: Reason | None = None

    @property
    def flag(self) -> x509.ReasonFlags | None:
        """The reason on the wire; unspecified is said by saying nothing (RFC 5280 section 5.3.1)."""
        if self.standing is Standing.SUSPENDED:
            return x509.ReasonFlags.certificate_hold
        if self.reason is None or self.reason is Reason.UNSPECIFIED:
            return None
        return _FLAGS[self.reason]


def read_entry(entry: x509.RevokedCertificate) -> Withdrawn:
    """One entry of a list of ours, as it was written."""
    try:
        flag = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        flag = x509.ReasonFlags.unspecified
    at, serial = entry.revocation_date_utc, entry.serial_number
    if flag is x509.ReasonFlags.certificate_hold:
        return Withdrawn(serial=serial, standing=Standing.SUSPENDED, at=at)
    reason = next(reason for reason, known in _FLAGS.items() if known is flag)
    return Withdrawn(serial=serial, standing=Standing.REVOKED, at=at, reason=reason)


def draft_crl(
    issuer: x509.Certificate, *, number: int, entries: Sequence[Withdrawn], at: datetime, until: datetime
) -> x509.CertificateRevocationListBuilder:
    """A full list."""
    authority = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(at.replace(microsecond=0))
        .next_update(until.replace(microsecond=0))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority), critical=False)
    )
    for entry in entries:
        revoked = x509.RevokedCertificateBuilder().serial_number(entry.serial)
        revoked = revoked.revocation_date(entry.at.replace(microsecond=0))
        if entry.flag is not None:
            revoked = revoked.add_extension(x509.CRLReason(entry.flag), critical=False)
        builder = builder.add_revoked_certificate(revoked.build())
    return builder


@dataclass(frozen=True, kw_only=True)
class Question:
    """One OCSP request; ``ours`` says whether it names this issuer."""

    serial: int
    ours: bool
    nonce: bytes | None
    request: ocsp.OCSPRequest


def read_question(unverified: bytes, issuer: x509.Certificate) -> Question | None:
    """Parse a request for exactly one certificate; None for anything else, which is answered "malformed"."""
    if not 0 < len(unverified) <= LONGEST_REQUEST:
        return None
    try:
        request = ocsp.load_der_ocsp_request(unverified)
        nonce = _nonce(request)
        ours = _names(request, issuer)
        serial = request.serial_number
    except (ValueError, TypeError, NotImplementedError, UnsupportedAlgorithm):
        return None
    if nonce is not None and not _SHORTEST_NONCE <= len(nonce) <= _LONGEST_NONCE:
        return None
    return Question(serial=serial, ours=ours, nonce=nonce, request=request)


def read_path(unverified: str) -> bytes:
    """The request in a GET's path (RFC 6960 appendix A.1): base64, then URL-encoded; empty if it cannot be read."""
    try:
        return base64.b64decode(unquote_to_bytes(unverified), validate=True)
    except (binascii.Error, ValueError):
        return b""


def draft_answer(
    question: Question,
    *,
    responder: x509.Certificate,
    subject: Standing,
    withdrawn: Withdrawn | None,
    at: datetime,
    until: datetime,
) -> ocsp.OCSPResponseBuilder:
    """What is said about one serial; what was never signed, or only possibly, is never good."""
    status = {
        Standing.GOOD: ocsp.OCSPCertStatus.GOOD,
        Standing.SUSPENDED: ocsp.OCSPCertStatus.REVOKED,
        Standing.REVOKED: ocsp.OCSPCertStatus.REVOKED,
    }.get(subject, ocsp.OCSPCertStatus.UNKNOWN)
    request = question.request
    builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
        request.issuer_name_hash,
        request.issuer_key_hash,
        request.serial_number,
        request.hash_algorithm,
        status,
        at.replace(microsecond=0),
        until.replace(microsecond=0),
        withdrawn.at.replace(microsecond=0) if withdrawn else None,
        withdrawn.flag if withdrawn else None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder).certificates([responder])
    if question.nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(question.nonce), critical=False)
    return builder


def _nonce(request: ocsp.OCSPRequest) -> bytes | None:
    try:
        return request.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return None


def _names(request: ocsp.OCSPRequest, issuer: x509.Certificate) -> bool:
    algorithm = request.hash_algorithm
    if not isinstance(algorithm, hashes.SHA1 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512):
        return False
    # RFC 6960 section 4.1.1: over the DER of the name, and over the key without tag, length and unused bits.
    name, key = _digest(algorithm, issuer.subject.public_bytes()), _digest(algorithm, _bits(issuer))
    return hmac.compare_digest(request.issuer_name_hash + request.issuer_key_hash, name + key)


def _bits(issuer: x509.Certificate) -> bytes:
    key = issuer.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise UnsupportedAlgorithm("issuers here have elliptic-curve keys")
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _digest(algorithm: hashes.HashAlgorithm, content: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(content)
    return digest.finalize()
