# SPDX-License-Identifier: Apache-2.0
"""OCSP (RFC 6960; nonces RFC 9654; answers made beforehand RFC 9919): requests read, answers drafted.

A request may ask about several certificates. Reading is strict: one encoding, no unknown critical extension, bounded in
bytes and in questions; everything else is answered "malformed".
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ..models import Standing
from . import der
from .lists import Withdrawn

LONGEST_REQUEST = 4096
"""Bytes of a request; one question with the longest nonce needs about 250."""

MOST_QUESTIONS = 32
"""In one request."""

MALFORMED, TRY_LATER, UNAUTHORIZED = 1, 3, 6
"""Statuses of answers that answer nothing (RFC 6960 section 4.2.1)."""

_SHORTEST_NONCE, _LONGEST_NONCE = 1, 128
"""RFC 9654 section 2.1."""

_LONGEST_SERIAL = 21
_SEQUENCE, _OCTETS = 0x30, 0x04
_NONCE = der.oid("1.3.6.1.5.5.7.48.1.2")
_ANSWERS_TAKEN = der.oid("1.3.6.1.5.5.7.48.1.4")
_BASIC = der.oid("1.3.6.1.5.5.7.48.1.1")
_GOOD, _UNKNOWN = b"\x80\x00", b"\x82\x00"

SHA1, SHA256 = "sha1", "sha256"
_HASHES = {
    der.oid("1.3.14.3.2.26"): SHA1,
    der.oid("2.16.840.1.101.3.4.2.1"): SHA256,
    der.oid("2.16.840.1.101.3.4.2.2"): "sha384",
    der.oid("2.16.840.1.101.3.4.2.3"): "sha512",
}
PRESIGNED = (SHA256, SHA1)
"""The hashes by which answers are made beforehand: what RFC 9919 asks clients for, and what they really send."""


class Identifiers:
    """How requests name one issuer: by hashes of its name and of its key."""

    def __init__(self, issuer: x509.Certificate) -> None:
        name, key = issuer.subject.public_bytes(), _key_bits(issuer)
        # RFC 6960 section 4.1.1: over the DER of the name, and over the key without tag, length and unused bits.
        self._hashes = {
            word: (hashlib.new(word, name, usedforsecurity=False), hashlib.new(word, key, usedforsecurity=False))
            for word in _HASHES.values()
        }

    def match(self, question: "Question") -> bool:
        """Whether the question is about a certificate of this issuer."""
        known = self._hashes.get(question.hashed)
        own = known[0].digest() + known[1].digest() if known else b""
        return hmac.compare_digest(question.name_hash + question.key_hash, own)

    def question(self, serial: int, hashed: str) -> "Question":
        """As most clients ask about a certificate."""
        name, key = (each.digest() for each in self._hashes[hashed])
        word = next(found for found, known in _HASHES.items() if known == hashed)
        algorithm = der.sequence(word, der.NULL)
        encoded = der.sequence(algorithm, der.octets(name), der.octets(key), der.integer(serial))
        return Question(serial=serial, hashed=hashed, name_hash=name, key_hash=key, encoded=encoded)


@dataclass(frozen=True, kw_only=True)
class Question:
    """One certificate asked about; ``encoded`` is the CertID as it came, and goes back so."""

    serial: int
    hashed: str
    name_hash: bytes
    key_hash: bytes
    encoded: bytes

    @property
    def request(self) -> bytes:
        """The request that asks this and nothing else, DER."""
        return der.sequence(der.sequence(der.sequence(der.sequence(self.encoded))))


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked at once."""

    questions: tuple[Question, ...]
    nonce: bytes | None


def read_request(unverified: bytes) -> Request | None:
    """Parse a request; None for what is answered "malformed"."""
    if not 0 < len(unverified) <= LONGEST_REQUEST:
        return None
    try:
        outer = der.Reader(unverified)
        request = outer.inside(_SEQUENCE)
        outer.end()
        asked = request.inside(_SEQUENCE)
        # Who asks, and whether they signed, changes nothing about a public fact.
        if request.next_is(0xA0):
            _one(request.content(0xA0), _SEQUENCE)
        request.end()
        return _asked(asked)
    except der.NotDer:
        return None


def read_path(unverified: str) -> bytes:
    """The request in a GET's path (RFC 6960 appendix A.1): base64, then URL-encoded; empty if it cannot be read."""
    try:
        return base64.b64decode(unquote_to_bytes(unverified), validate=True)
    except (binascii.Error, ValueError):
        return b""


def told_about(answer: bytes) -> tuple[int, str] | None:
    """The serial an answer of ours is about, and the hash that names its issuer; None for anything else."""
    try:
        single = ocsp.load_der_ocsp_response(answer)
        about = single.serial_number, single.hash_algorithm.name
    except (ValueError, UnsupportedAlgorithm):
        return None
    return about


@dataclass(frozen=True, kw_only=True)
class Said:
    """What is said about one certificate."""

    question: Question
    standing: Standing
    withdrawn: Withdrawn | None = None


@dataclass(frozen=True, kw_only=True)
class AnswerDraft:
    """An answer before its signature; whoever signs it encodes it, so that nothing but an answer can be signed so."""

    responder: x509.Certificate
    said: Sequence[Said]
    at: datetime
    until: datetime
    nonce: bytes | None = None

    def tbs(self) -> bytes:
        """ResponseData, DER."""
        own = _key_hash(self.responder)
        nonce = b""
        if self.nonce is not None:
            value = der.sequence(_NONCE, der.octets(der.octets(self.nonce)))
            nonce = der.explicit(1, der.sequence(value))
        return der.sequence(
            der.explicit(2, der.octets(own)), der.generalized(self.at), der.sequence(*self._singles()), nonce
        )

    def _singles(self) -> Iterator[bytes]:
        times = der.generalized(self.at) + der.explicit(0, der.generalized(self.until))
        for said in self.said:
            yield der.sequence(said.question.encoded, _status(said), times)


def successful(tbs: bytes, algorithm: bytes, signature: bytes, responder: x509.Certificate) -> bytes:
    """An OCSPResponse around what was signed, with the certificate of who signed it."""
    certificates = der.explicit(0, der.sequence(_encoded(responder)))
    basic = der.sequence(tbs, algorithm, der.bits(signature), certificates)
    return der.sequence(der.enumerated(0), der.explicit(0, der.sequence(_BASIC, der.octets(basic))))


def unsuccessful(status: int) -> bytes:
    """An OCSPResponse that says why there is no answer."""
    return der.sequence(der.enumerated(status))


def _status(said: Said) -> bytes:
    """What was never signed, or only possibly, is never good."""
    if said.standing is Standing.GOOD:
        return _GOOD
    if said.standing not in (Standing.SUSPENDED, Standing.REVOKED) or said.withdrawn is None:
        return _UNKNOWN
    code = said.withdrawn.code
    reason = der.explicit(0, der.enumerated(code)) if code else b""
    return der.explicit(1, der.generalized(said.withdrawn.at) + reason)


def _asked(asked: der.Reader) -> Request | None:
    if asked.next_is(0xA0):
        version = asked.inside(0xA0)
        if version.whole_number() != 0:
            return None
        version.end()
    if asked.next_is(0xA1):
        name = asked.content(0xA1)
        _one(name, name[0] if name else 0)
    each = asked.inside(_SEQUENCE)
    questions: list[Question] = []
    while each.more:
        if len(questions) == MOST_QUESTIONS:
            return None
        questions.append(_question(each.inside(_SEQUENCE)))
    nonce = _nonce(asked.inside(0xA2)) if asked.next_is(0xA2) else None
    asked.end()
    return Request(questions=tuple(questions), nonce=nonce) if questions else None


def _question(single: der.Reader) -> Question:
    encoded, content = single.element(_SEQUENCE)
    parts = der.Reader(content)
    algorithm = parts.inside(_SEQUENCE)
    word = algorithm.identifier()
    if algorithm.more and algorithm.content(0x05):
        raise der.NotDer
    algorithm.end()
    name, key, number = parts.content(_OCTETS), parts.content(_OCTETS), parts.element(0x02)[1]
    parts.end()
    if len(number) > _LONGEST_SERIAL:
        raise der.NotDer
    serial = der.Reader(der.tlv(0x02, number)).whole_number()
    if single.next_is(0xA0):
        for oid, critical, _ in _extensions(single.inside(0xA0)):
            if critical and oid != _NONCE:
                raise der.NotDer
    single.end()
    return Question(serial=serial, hashed=_HASHES.get(word, ""), name_hash=name, key_hash=key, encoded=encoded)


def _nonce(outer: der.Reader) -> bytes | None:
    nonce = None
    for oid, critical, value in _extensions(outer):
        if oid == _NONCE:
            nonce = _one(value, _OCTETS)
            if not _SHORTEST_NONCE <= len(nonce) <= _LONGEST_NONCE:
                raise der.NotDer
        elif critical and oid != _ANSWERS_TAKEN:
            raise der.NotDer
    return nonce


def _extensions(outer: der.Reader) -> list[tuple[bytes, bool, bytes]]:
    """Identifier, whether critical, and value of each; no identifier twice."""
    each, found = outer.inside(_SEQUENCE), []
    outer.end()
    while each.more:
        extension = each.inside(_SEQUENCE)
        oid, critical = extension.identifier(), False
        if extension.next_is(0x01):
            critical = extension.content(0x01) == b"\xff"
            if not critical:
                # False is the default, which DER leaves out.
                raise der.NotDer
        value = extension.content(_OCTETS)
        extension.end()
        found.append((oid, critical, value))
    if not found or len({oid for oid, _, _ in found}) != len(found):
        raise der.NotDer
    return found


def _one(content: bytes, tag: int) -> bytes:
    """What the only element in there holds."""
    reader = der.Reader(content)
    found = reader.content(tag)
    reader.end()
    return found


@lru_cache(maxsize=64)
def _key_hash(certificate: x509.Certificate) -> bytes:
    """How a responder names itself (RFC 6960 section 4.2.1)."""
    return hashlib.sha1(_key_bits(certificate), usedforsecurity=False).digest()


@lru_cache(maxsize=64)
def _encoded(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _key_bits(certificate: x509.Certificate) -> bytes:
    """The BIT STRING of the public key without tag, length and number of unused bits."""
    info = der.Reader(_public_key_info(certificate)).inside(_SEQUENCE)
    info.content(_SEQUENCE)
    return info.content(0x03)[1:]


def _public_key_info(certificate: x509.Certificate) -> bytes:
    """SubjectPublicKeyInfo as the certificate holds it, whatever kind of key it is."""
    tbs = der.Reader(certificate.tbs_certificate_bytes).inside(_SEQUENCE)
    if tbs.next_is(0xA0):
        tbs.content(0xA0)
    for tag in (0x02, _SEQUENCE, _SEQUENCE, _SEQUENCE, _SEQUENCE):
        tbs.content(tag)
    return tbs.element(_SEQUENCE)[0]
