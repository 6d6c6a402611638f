# SPDX-License-Identifier: Apache-2.0
"""Makes the CMS signature of a PAdES B-B seal from a digest; the only place where the key is used.

The key is loaded once and held: the stock signer reloads and re-checks it for every signature and signs twice to
learn the size, which costs eight times the work with RSA (specs/signatures.md, fact 5).
"""

import asyncio
from datetime import datetime
from typing import Any

from asn1crypto import cms, pem, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes, Signer
from pyhanko_certvalidator.registry import SimpleCertificateStore

DIGEST = "sha256"
# The library annotates only part of itself; what it leaves out enters as Any.
NEW_STORE: Any = SimpleCertificateStore
SigningKey = EllipticCurvePrivateKey | RSAPrivateKey


class KeyMismatch(ValueError):
    """The key does not belong to the certificate."""


class KeySigner(Signer):
    """pyHanko's signer over a key that is already in memory."""

    def __init__(self, *, key: SigningKey, certificate: bytes, chain: bytes) -> None:
        """Take a loaded key and PEM certificates.

        Raises:
            KeyMismatch: the certificate is for another key.
        """
        own = certificates(certificate)[0]
        store: Any = NEW_STORE()
        store.register_multiple(certificates(chain))
        super().__init__(signing_cert=own, cert_registry=store, embed_roots=False)
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if own.public_key.dump() != spki:
            raise KeyMismatch("the certificate is for another key")
        self._key = key

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:  # noqa: FBT001, FBT002 - pyHanko's signature
        """Sign the encoded attributes."""
        if digest_algorithm != DIGEST:
            raise ValueError(f"unexpected digest {digest_algorithm}")
        if dry_run:
            return bytes(512)
        if isinstance(self._key, RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self._key.sign(data, ECDSA(hashes.SHA256()))

    def sign_digest(self, digest: bytes, *, at: datetime) -> bytes:
        """The DER of the CMS object over one document digest."""
        attributes = PdfCMSSignedAttributes(signing_time=at)
        made: cms.ContentInfo = asyncio.run(
            self.async_sign(digest, DIGEST, use_pades=True, signed_attr_settings=attributes)
        )
        encoded: bytes = made.dump()
        return encoded


def certificates(chain: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file, in order."""
    if not chain.strip():
        return []
    return [x509.Certificate.load(der) for _, _, der in pem.unarmor(chain, multiple=True)]


def room_for(certificate: bytes, chain: bytes) -> int:
    """How many hexadecimal digits to reserve: the certificates twice over and 4 KiB of attributes and signature."""
    return 2 * (4096 + len(certificate) + len(chain))


def put_into(document: bytes, *, start: int, end: int, content: bytes) -> bytes:
    """Write the signature into the reserved region; the rest of the document stays as it was digested.

    Raises:
        ValueError: the region is not one, or too small.
    """
    digits = content.hex().upper().encode()
    room = end - start - 2
    if document[start : start + 1] != b"<" or document[end - 1 : end] != b">" or len(digits) > room:
        raise ValueError("no room for the signature")
    return b"".join([document[: start + 1], digits, b"0" * (room - len(digits)), document[end - 1 :]])
