# SPDX-License-Identifier: Apache-2.0
"""Makes the CMS signature of a PAdES B-B seal from a digest; the only place where the key is used.

The key is loaded once and held: the stock signer reloads and re-checks it for every signature and signs twice to
learn the size, which costs eight times the work with RSA (specs/signatures.md, fact 5). The library makes one object
when the key is loaded; every signature after that only fills it in, for nine tenths of a signature is making objects.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Protocol, Self

from asn1crypto import cms, pem, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes, Signer
from pyhanko_certvalidator.registry import SimpleCertificateStore

from ..proofs import known

DIGEST = "sha256"
# The library annotates only part of itself; what it leaves out enters as Any.
NEW_STORE: Any = SimpleCertificateStore
# RFC 9882 section 3.3: a digest beside ML-DSA-65 must not be weaker than it; SHA-512 is what everybody has.
_ML_DSA_65, _LONG_DIGEST = "2.16.840.1.101.3.4.3.18", "sha512"
# Stands in the place of the digest in a form.
_MARKED = b"the digest of a document"
_SEQUENCE, _SET, _OCTETS, _CONTEXT_0, _CONTEXT_1, _LONG_FORM = 0x30, 0x31, 0x04, 0xA0, 0xA1, 0x80
_SIGNED_DATA = cms.ContentType("signed_data").dump()
_STAMP = cms.CMSAttributeType("signature_time_stamp_token").dump()
# Stands in the place of the signing time (UTCTime, RFC 5652, 11.3).
_MOMENT = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
_MOMENT_MARK = b"\x17\x0d010203040506Z"
SigningKey = EllipticCurvePrivateKey | RSAPrivateKey


class RawKey(Protocol):
    """A key that is somewhere else and signs what it is given."""

    @property
    def public(self) -> bytes:
        """DER of SubjectPublicKeyInfo."""
        ...

    @property
    def longest(self) -> int:
        """Bytes of its longest signature."""
        ...

    def sign(self, data: bytes) -> bytes:
        """A signature: ECDSA or RSA with SHA-256, or pure ML-DSA."""
        ...


@dataclass(frozen=True)
class LoadedKey:
    """A key in memory."""

    key: SigningKey

    @property
    def public(self) -> bytes:
        """See ``RawKey``."""
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def longest(self) -> int:
        """See ``RawKey``."""
        # Two numbers of the curve's size, each with a tag, a length and perhaps a zero, in a sequence.
        size = (self.key.key_size + 7) // 8
        return size if isinstance(self.key, RSAPrivateKey) else 2 * size + 9

    def sign(self, data: bytes) -> bytes:
        """See ``RawKey``."""
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(data, ECDSA(hashes.SHA256()))


def digest_of(certificate: x509.Certificate) -> str:
    """Name of the digest that goes with the key of a certificate."""
    algorithm = certificate.public_key["algorithm"]["algorithm"].dotted
    return _LONG_DIGEST if algorithm == _ML_DSA_65 else DIGEST


def digest_beside(certificate: bytes) -> str:
    """The same of a certificate in DER."""
    return digest_of(known.certificate(certificate))


class KeyMismatch(ValueError):
    """The key does not belong to the certificate."""


class KeySigner(Signer):
    """pyHanko's signer over a key that is already in memory."""

    def __init__(self, *, key: SigningKey | RawKey, certificate: bytes, chain: bytes) -> None:
        """Take a loaded key and PEM certificates.

        Raises:
            KeyMismatch: the certificate is for another key.
        """
        own = certificates(certificate)[0]
        store: Any = NEW_STORE()
        store.register_multiple(certificates(chain))
        super().__init__(signing_cert=own, cert_registry=store, embed_roots=False)
        raw: RawKey = LoadedKey(key) if isinstance(key, SigningKey) else key
        if own.public_key.dump() != raw.public:
            raise KeyMismatch("the certificate is for another key")
        self._key = raw
        # Name of the digest that is signed, which the key decides.
        self.digest = digest_of(own)
        self._mark = hashlib.new(self.digest, _MARKED).digest()
        made = self.async_sign(self._mark, self.digest, dry_run=True, use_pades=True)
        self._form = _Form.of(asyncio.run(made), self._mark)

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:  # noqa: FBT001, FBT002 - pyHanko's signature
        """Sign the encoded attributes."""
        if digest_algorithm != self.digest:
            raise ValueError(f"unexpected digest {digest_algorithm}")
        return bytes(self._key.longest) if dry_run else self._key.sign(data)

    @property
    def room(self) -> int:
        """How many hexadecimal digits to reserve in a document."""
        return 2 * len(self._form.filled(self._mark, bytes(self._key.longest)))

    def sign_digest(self, digest: bytes, *, stamp: Callable[[bytes], bytes] | None = None) -> bytes:
        """The DER of the CMS object over one document digest; ``stamp`` gives a time-stamp over the signature."""
        signature = self._key.sign(self._form.signed(digest))
        return self._form.filled(digest, signature, b"" if stamp is None else stamp(signature))

    def sign_beside(self, digest: bytes, *, at: datetime, stamp: Callable[[bytes], bytes] | None = None) -> bytes:
        """The DER of a CAdES signature that stands beside the content with this digest (ETSI EN 319 122-1, B or T)."""
        form = self._beside.at(at)
        signature = self._key.sign(form.signed(digest))
        return form.filled(digest, signature, b"" if stamp is None else stamp(signature))

    @cached_property
    def _beside(self) -> "_Form":
        settings = PdfCMSSignedAttributes(signing_time=_MOMENT)
        made = self.async_sign(
            self._mark, self.digest, dry_run=True, use_pades=True, is_pdf_sig=False, signed_attr_settings=settings
        )
        form = _Form.of(asyncio.run(made), self._mark)
        if form.attributes.count(_MOMENT_MARK) != 1:
            raise ValueError("the library makes other objects than it did")
        return form


@dataclass(frozen=True)
class _Form:
    """A CMS object of the library's making (RFC 5652, 5.1 and 5.3), to be filled with digest and signature."""

    # What stands in the place of the digest.
    mark: bytes
    # The encoded parts of SignedData before the signer's information.
    head: bytes
    # Those of SignerInfo before and after its attributes.
    signer: bytes
    algorithm: bytes
    # The content of the attributes, the mark in the place of the digest.
    attributes: bytes

    @classmethod
    def of(cls, made: cms.ContentInfo, mark: bytes) -> Self:
        """Take one apart.

        Raises:
            ValueError: it is not made of the parts we know.
        """
        signed = made["content"]
        info = signed["signer_infos"][0]
        form = cls(
            mark=mark,
            head=_encoded(signed, "version", "digest_algorithms", "encap_content_info", "certificates"),
            signer=_encoded(info, "version", "sid", "digest_algorithm"),
            algorithm=_encoded(info, "signature_algorithm"),
            attributes=info["signed_attrs"].contents,
        )
        if form.attributes.count(mark) != 1 or form.filled(mark, info["signature"].native) != made.dump():
            raise ValueError("the library makes other objects than it did")
        return form

    def at(self, moment: datetime) -> Self:
        """The same for another signing time; times of one kind are equally long."""
        said = b"\x17\x0d" + moment.astimezone(UTC).strftime("%y%m%d%H%M%SZ").encode()
        return replace(self, attributes=self.attributes.replace(_MOMENT_MARK, said))

    def signed(self, digest: bytes) -> bytes:
        """What the key signs: the attributes as a set of their own (RFC 5652, 5.4)."""
        return _der(_SET, self.attributes.replace(self.mark, digest))

    def filled(self, digest: bytes, signature: bytes, token: bytes = b"") -> bytes:
        """The whole object; ``token`` is a time-stamp over the signature (RFC 3161, appendix A)."""
        unsigned = _der(_CONTEXT_1, _der(_SEQUENCE, _STAMP, _der(_SET, token))) if token else b""
        attributes = _der(_CONTEXT_0, self.attributes.replace(self.mark, digest))
        info = _der(_SEQUENCE, self.signer, attributes, self.algorithm, _der(_OCTETS, signature), unsigned)
        signed = _der(_SEQUENCE, self.head, _der(_SET, info))
        return _der(_SEQUENCE, _SIGNED_DATA, _der(_CONTEXT_0, signed))


def _encoded(of: Any, *names: str) -> bytes:
    return b"".join(of[name].dump() for name in names)


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < _LONG_FORM:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_FORM | len(length))) + length + content


def certificates(chain: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file, in order."""
    if not chain.strip():
        return []
    return [x509.Certificate.load(der) for _, _, der in pem.unarmor(chain, multiple=True)]


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
