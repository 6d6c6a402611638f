# SPDX-License-Identifier: Apache-2.0
"""Time-stamps (RFC 3161) for tests, by the functions the authority itself uses."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from ca.timestamps import Stamp, granted, signed_attributes
from ca.x509 import der
from tests.signatures.pki import DAY, NOW, Authority, Leaf

_ECDSA_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"))
_ML_DSA_65 = der.sequence(der.oid("2.16.840.1.101.3.4.3.18"))
_SHA256 = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))
_SHA512 = der.sequence(der.oid("2.16.840.1.101.3.4.2.3"))


def unit(
    authority: Authority, *, before: datetime = NOW - 400 * DAY, after: datetime = NOW + 900 * DAY, **more: Any
) -> Leaf:
    """A time-stamping unit's key and certificate."""
    leaf = authority.leaf("Jiangcheng Time Stamps", before=before, after=after, **more)
    builder = x509.CertificateBuilder(
        authority.subject,
        leaf.certificate.subject,
        leaf.key.public_key(),
        leaf.certificate.serial_number,
        before,
        after,
        [each for each in leaf.certificate.extensions if not isinstance(each.value, x509.ExtendedKeyUsage)],
    ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return Leaf(leaf.key, builder.sign(authority.key, hashes.SHA256()), authority.pem)


def token(over: bytes, by: Leaf, at: datetime) -> bytes:
    """A token over these bytes by ECDSA, or by ML-DSA-65 with SHA-512 (RFC 9882), as the authority makes them."""
    lattice = isinstance(by.key, MLDSA65PrivateKey)
    digest = hashes.SHA512() if lattice else hashes.SHA256()
    hashed = hashlib.new(digest.name, over).digest()
    imprint = der.sequence(_SHA512 if lattice else _SHA256, der.octets(hashed))
    stamp = Stamp(policy=der.oid("2.999.1"), imprint=imprint, nonce=b"", serial=1, at=at, accuracy=timedelta(seconds=1))
    info = stamp.encode()
    attributes = signed_attributes(info, certificate=by.certificate, digest=digest)
    answer = granted(
        info,
        attributes=attributes,
        signature=by.key.sign(attributes, *([] if lattice else [ec.ECDSA(digest)])),
        algorithm=_ML_DSA_65 if lattice else _ECDSA_SHA256,
        digest=digest,
        certificate=by.certificate,
        shown=[by.certificate, x509.load_pem_x509_certificate(by.chain)],
    )
    found: bytes = tsp.TimeStampResp.load(answer)["time_stamp_token"].dump()
    return found
