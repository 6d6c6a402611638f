# SPDX-License-Identifier: Apache-2.0
"""What an authority answers, checked before anybody relies on it: pure, the times come in as arguments.

The signature, the chain and the nonce are checked by rfc3161-client; the rest of what RFC 3161 section 2.4.2 demands
of whoever asks is here: the one key usage, the signer's certificate named in what is signed (RFC 5816), the accuracy,
and a time that fits both the checkpoint and our own clock.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import cms, core, tsp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from rfc3161_client import TimeStampResponse, VerificationError, VerifierBuilder, decode_timestamp_response

from .errors import StampRefused
from .question import SHA256, Question

_REASON = re.compile(r'data: "(?:Verify error: ?)?([^"]{1,100})')
WORST_ACCURACY = timedelta(minutes=1)
"""An authority that says its clock may be wrong by more than this proves too little."""
SKEW = timedelta(minutes=1)
"""How far the stamped time may lie from our own clock, on both sides."""
_WORDS = 200
_BEFORE = timedelta(seconds=5)
# A checkpoint tells its time in whole seconds, and so do many authorities; two honest clocks differ a little too.


@dataclass(frozen=True, kw_only=True)
class Stamped:
    """An answer that holds."""

    # The TimeStampToken alone, DER.
    token: bytes
    at: datetime
    # None if the authority states none.
    accuracy: timedelta | None
    # Subject of the signer's certificate (RFC 4514).
    authority: str
    serial: str
    policy: str
    # When the signer's certificate ends.
    ends: datetime


def checked(
    answer: bytes,
    question: Question,
    *,
    roots: Sequence[x509.Certificate],
    not_before: datetime,
    asked: datetime,
    answered: datetime,
) -> Stamped:
    """Read an answer to ``question``; ``not_before`` is the time of the checkpoint that was stamped.

    Raises:
        StampRefused: names the first thing about it that does not hold.
    """
    response, signer = _verified(answer, question, roots)
    said = response.tst_info
    if said.message_imprint.hash_algorithm.dotted_string != SHA256:
        raise StampRefused(why="it is over a hash of another kind")
    if list(_key_usage(signer)) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise StampRefused(why="the signer's certificate is not for time-stamping alone")
    token = response.time_stamp_token()
    _named(token, signer)
    at, accuracy = said.gen_time, _accuracy(response)
    if not signer.not_valid_before_utc <= at <= signer.not_valid_after_utc:
        raise StampRefused(why="the signer's certificate was not valid at that time")
    if accuracy is not None and accuracy > WORST_ACCURACY:
        raise StampRefused(why="the authority says its clock may be wrong by more than a minute")
    if at + (accuracy or timedelta()) < not_before - _BEFORE:
        raise StampRefused(why="its time is before the checkpoint's: one of the two clocks is wrong")
    if not asked - SKEW <= at <= answered + SKEW:
        raise StampRefused(why="its time is more than a minute away from our clock")
    return Stamped(
        token=token,
        at=at,
        accuracy=accuracy,
        authority=signer.subject.rfc4514_string(),
        serial=str(said.serial_number),
        policy=said.policy.dotted_string,
        ends=signer.not_valid_after_utc,
    )


def _verified(
    answer: bytes, question: Question, roots: Sequence[x509.Certificate]
) -> tuple[TimeStampResponse, x509.Certificate]:
    try:
        response = decode_timestamp_response(_granted(answer))
        builder = VerifierBuilder(roots=list(roots)).nonce(question.nonce)
        if question.policy:
            builder = builder.policy_id(x509.ObjectIdentifier(question.policy))
        builder.build().verify(response, question.imprint)
        signer = _signer(response)
    except VerificationError as error:
        raise StampRefused(why=_short(str(error))) from error
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise StampRefused(why="it is malformed") from error
    return response, signer


def _short(said: str) -> str:
    """What the library says, without the stack of OpenSSL around its reason."""
    reason = _REASON.search(said)
    return reason[1] if reason else said.partition(": ErrorStack")[0][:100]


def _granted(answer: bytes) -> bytes:
    """The answer of an authority that stamped, or why it did not.

    Its certificates come in the order of DER, in which openssl does not put them; nobody signed that.
    """
    # The library's own TimeStampResp demands the token, which a refusal does not have (RFC 3161 section 2.4.2).
    parts = core.SequenceOf.load(answer, strict=True, spec=core.Any)
    status = tsp.PKIStatusInfo.load(parts[0].dump(), strict=True)
    if status["status"].native != "granted":
        raise StampRefused(why=_refusal(status))
    if len(parts) == 1:
        raise StampRefused(why="the authority says that it stamped, and sent no token")
    response = tsp.TimeStampResp.load(answer, strict=True)
    signed = response["time_stamp_token"]["content"]
    if isinstance(signed, cms.SignedData) and isinstance(signed["certificates"], cms.CertificateSet):
        signed["certificates"] = sorted(signed["certificates"], key=lambda each: bytes(each.dump()))
    sorted_answer: bytes = response.dump()
    return sorted_answer


def _refusal(status: tsp.PKIStatusInfo) -> str:
    """What the authority says of its refusal: status, failures by the names of RFC 3161, and its own words in short."""
    failures, words = status["fail_info"].native or (), status["status_string"].native or ()
    text = " ".join("".join(letter for letter in word if letter.isprintable()) for word in words)[:_WORDS]
    named = ", ".join(sorted(str(each) for each in failures))
    said = ": ".join(part for part in (named, text) if part)
    return f"the authority refused ({status['status'].native})" + (f": {said}" if said else "")


def _signer(response: TimeStampResponse) -> x509.Certificate:
    [info] = response.signed_data.signer_infos
    for encoded in response.signed_data.certificates:
        certificate = x509.load_der_x509_certificate(encoded)
        if certificate.issuer == info.issuer and certificate.serial_number == info.serial_number:
            return certificate
    raise StampRefused(why="the signer's certificate is missing")


def _key_usage(signer: x509.Certificate) -> x509.ExtendedKeyUsage:
    return signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value


def _named(token: bytes, signer: x509.Certificate) -> None:
    """What is signed must name the certificate, or another one over the same key could be put in its place."""
    encoded = signer.public_bytes(Encoding.DER)
    try:
        info = cms.ContentInfo.load(token)["content"]["signer_infos"][0]
        attributes = {each["type"].native: each["values"][0] for each in info["signed_attrs"]}
        if "signing_certificate_v2" in attributes:
            first = attributes["signing_certificate_v2"]["certs"][0]
            digest = hashlib.new(first["hash_algorithm"]["algorithm"].native, encoded).digest()
        else:
            first = attributes["signing_certificate"]["certs"][0]
            # SHA-1 is the format's (RFC 2634); it only picks one of certificates that the chain vouches for.
            digest = hashlib.sha1(encoded, usedforsecurity=False).digest()
        named = first["cert_hash"].native
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise StampRefused(why="it does not name the signer's certificate") from error
    if named != digest:
        raise StampRefused(why="it names another certificate than the signer's")


def _accuracy(response: TimeStampResponse) -> timedelta | None:
    said = response.tst_info.accuracy
    if said is None:
        return None
    return timedelta(seconds=said.seconds or 0, milliseconds=said.millis or 0, microseconds=said.micros or 0)
