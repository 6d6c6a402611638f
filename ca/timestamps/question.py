# SPDX-License-Identifier: Apache-2.0
"""What a time-stamping authority is asked (RFC 3161 section 2.4.1), read strictly and bounded."""

from dataclasses import dataclass

from ..x509 import der
from .answer import Failure

LONGEST_QUESTION = 1024
"""Bytes; a question with the longest hash, a policy and a nonce has about 150."""

_VERSION = 1
_OID, _INTEGER, _OCTETS, _BOOLEAN, _SEQUENCE, _EXTENSIONS = 0x06, 0x02, 0x04, 0x01, 0x30, 0xA0
_TRUE, _FALSE = b"\xff", b"\0"

HASHES = {
    der.oid("2.16.840.1.101.3.4.2.1"): ("sha256", 32),
    der.oid("2.16.840.1.101.3.4.2.2"): ("sha384", 48),
    der.oid("2.16.840.1.101.3.4.2.3"): ("sha512", 64),
    der.oid("2.16.840.1.101.3.4.2.8"): ("sha3-256", 32),
    der.oid("2.16.840.1.101.3.4.2.9"): ("sha3-384", 48),
    der.oid("2.16.840.1.101.3.4.2.10"): ("sha3-512", 64),
}
"""Hashes that are stamped: by their identifier in DER, name and size."""


class Unfit(Exception):
    """A question that is answered with a refusal; ``failure`` says which."""

    def __init__(self, failure: Failure, why: str) -> None:
        super().__init__(why)
        self.failure = failure
        self.why = why


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question that can be answered."""

    # MessageImprint as it was asked, in DER.
    imprint: bytes
    # Name of the hash, and the hash.
    hashed: str
    digest: bytes
    # Policy that is asked for, as an OBJECT IDENTIFIER in DER; empty for our choice.
    policy: bytes = b""
    # The nonce's INTEGER in DER; empty if there is none.
    nonce: bytes = b""
    # Whether our certificates are wanted in the answer.
    certificates: bool = False


def read_question(unverified: bytes) -> Question:
    """Read a TimeStampReq.

    Raises:
        Unfit: it cannot be read, is of another version, over a hash that is not stamped, or carries extensions.
    """
    try:
        return _read(unverified)
    except der.NotDer as error:
        raise Unfit(Failure.BAD_DATA_FORMAT, "not a question in DER") from error


def _read(unverified: bytes) -> Question:
    if len(unverified) > LONGEST_QUESTION:
        raise Unfit(Failure.BAD_DATA_FORMAT, "too long")
    outer = der.Reader(unverified)
    reader = outer.inside(_SEQUENCE)
    outer.end()
    if reader.whole_number() != _VERSION:
        raise Unfit(Failure.BAD_REQUEST, "only version 1 is answered")
    imprint, content = reader.element(_SEQUENCE)
    policy = reader.identifier() if reader.next_is(_OID) else b""
    nonce = _integer(reader) if reader.next_is(_INTEGER) else b""
    certificates = _boolean(reader) if reader.next_is(_BOOLEAN) else False
    extended = reader.next_is(_EXTENSIONS)
    if extended:
        reader.element(_EXTENSIONS)
    reader.end()
    hashed, digest = _imprint(der.Reader(content))
    if extended:
        raise Unfit(Failure.UNACCEPTED_EXTENSION, "no extension is known here")
    return Question(
        imprint=imprint, hashed=hashed, digest=digest, policy=policy, nonce=nonce, certificates=certificates
    )


def _imprint(reader: der.Reader) -> tuple[str, bytes]:
    algorithm = reader.inside(_SEQUENCE)
    digest = reader.content(_OCTETS)
    reader.end()
    known = HASHES.get(algorithm.identifier())
    if known is None:
        raise Unfit(Failure.BAD_ALG, "hashes of this kind are not stamped")
    # RFC 5754 section 2: NULL or nothing.
    if algorithm.more and algorithm.content(der.NULL[0]):
        raise der.NotDer
    algorithm.end()
    name, size = known
    if len(digest) != size:
        raise Unfit(Failure.BAD_DATA_FORMAT, "the hash is not as long as hashes of its kind")
    return name, digest


def _integer(reader: der.Reader) -> bytes:
    """A nonce: any INTEGER in its shortest form, negative too."""
    found, content = reader.element(_INTEGER)
    sign = content[1:2] >= b"\x80"
    if not content or (len(content) > 1 and content[0] == (0xFF if sign else 0)):
        raise der.NotDer
    return found


def _boolean(reader: der.Reader) -> bool:
    content = reader.content(_BOOLEAN)
    if content not in (_TRUE, _FALSE):
        raise der.NotDer
    return content == _TRUE
