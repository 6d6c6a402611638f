# SPDX-License-Identifier: Apache-2.0
"""What a time-stamping authority answers: TSTInfo in CMS SignedData (RFC 3161 section 2.4.2, RFC 5816, RFC 5652)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ..x509 import der

_TST_INFO = der.oid("1.2.840.113549.1.9.16.1.4")
_SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
_CONTENT_TYPE = der.oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = der.oid("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE_V2 = der.oid("1.2.840.113549.1.9.16.2.47")
# RFC 5754 section 2: without parameters.
_DIGESTS = {
    "sha256": der.sequence(der.oid("2.16.840.1.101.3.4.2.1")),
    "sha384": der.sequence(der.oid("2.16.840.1.101.3.4.2.2")),
    "sha512": der.sequence(der.oid("2.16.840.1.101.3.4.2.3")),
}
_SET, _DIRECTORY_NAME = 0x31, 4
_MILLISECOND = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)
_GRANTED, _REJECTION = 0, 2


class Failure(IntEnum):
    """PKIFailureInfo: why there is no stamp (RFC 3161 section 2.4.2)."""

    BAD_ALG = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    SYSTEM_FAILURE = 25


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """What a stamp says."""

    # OBJECT IDENTIFIER, MessageImprint and the nonce's INTEGER (or nothing), all in DER.
    policy: bytes
    imprint: bytes
    nonce: bytes
    serial: int
    at: datetime
    accuracy: timedelta

    def encode(self) -> bytes:
        """TSTInfo in DER; ordering is false, so it is not written."""
        version = der.integer(1)
        serial, nonce = der.integer(self.serial), self.nonce
        return der.sequence(version, self.policy, self.imprint, serial, _time(self.at), _accuracy(self.accuracy), nonce)


def signed_attributes(info: bytes, *, certificate: x509.Certificate, digest: hashes.HashAlgorithm) -> bytes:
    """What a unit signs: content type, digest of the TSTInfo, and the unit's certificate; a SET in DER."""
    encoded = certificate.public_bytes(Encoding.DER)
    issuer = der.sequence(der.explicit(_DIRECTORY_NAME, certificate.issuer.public_bytes()))
    # SHA-256 is the default of ESSCertIDv2, which DER leaves out.
    named = der.sequence(
        der.octets(hashlib.sha256(encoded).digest()), der.sequence(issuer, der.integer(certificate.serial_number))
    )
    attributes = [
        _attribute(_CONTENT_TYPE, _TST_INFO),
        _attribute(_MESSAGE_DIGEST, der.octets(hashlib.new(digest.name, info).digest())),
        _attribute(_SIGNING_CERTIFICATE_V2, der.sequence(der.sequence(named))),
    ]
    return _set(attributes)


def granted(
    info: bytes,
    *,
    attributes: bytes,
    signature: bytes,
    algorithm: bytes,
    digest: hashes.HashAlgorithm,
    certificate: x509.Certificate,
    shown: Sequence[x509.Certificate],
) -> bytes:
    """TimeStampResp with its token; ``algorithm`` is the signature's AlgorithmIdentifier, ``shown`` goes with it."""
    hashed = _DIGESTS[digest.name]
    signer = der.sequence(
        der.integer(1),
        der.sequence(certificate.issuer.public_bytes(), der.integer(certificate.serial_number)),
        hashed,
        # [0] IMPLICIT in the place of the SET's own tag, which is what was signed (RFC 5652 section 5.4).
        b"\xa0" + attributes[1:],
        algorithm,
        der.octets(signature),
    )
    certificates = b"".join(sorted(each.public_bytes(Encoding.DER) for each in shown))
    signed_data = der.sequence(
        der.integer(3),
        _set([hashed]),
        der.sequence(_TST_INFO, der.explicit(0, der.octets(info))),
        der.explicit(0, certificates) if certificates else b"",
        _set([signer]),
    )
    token = der.sequence(_SIGNED_DATA, der.explicit(0, signed_data))
    return der.sequence(der.sequence(der.integer(_GRANTED)), token)


def refused(failure: Failure, why: str) -> bytes:
    """TimeStampResp without a token."""
    text = der.sequence(der.tlv(0x0C, why.encode()))
    content = bytearray(failure // 8 + 1)
    content[-1] = 0x80 >> failure % 8
    # A list of named bits ends with its last one (X.690 section 11.2.2).
    bits = der.tlv(0x03, bytes((7 - failure % 8,)) + bytes(content))
    return der.sequence(der.sequence(der.integer(_REJECTION), text, bits))


def _time(at: datetime) -> bytes:
    """GeneralizedTime in milliseconds; zeros at the end are not written (RFC 3161 section 2.4.2)."""
    fraction = f".{at.microsecond // 1000:03}".rstrip("0").rstrip(".")
    return der.tlv(0x18, f"{at.year:04}{at:%m%d%H%M%S}{fraction}Z".encode())


def _accuracy(accuracy: timedelta) -> bytes:
    seconds, rest = divmod(accuracy, _SECOND)
    millis = rest // _MILLISECOND
    implicit = b"\x80" + der.integer(millis)[1:] if millis else b""
    return der.sequence(der.integer(seconds) if seconds else b"", implicit)


def _attribute(kind: bytes, value: bytes) -> bytes:
    return der.sequence(kind, _set([value]))


def _set(each: Sequence[bytes]) -> bytes:
    return der.tlv(_SET, b"".join(sorted(each)))
