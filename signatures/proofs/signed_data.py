# SPDX-License-Identifier: Apache-2.0
"""Takes CMS SignedData apart (RFC 5652, ETSI EN 319 122) for any number of signers; judges no certificate.

The library refuses more than one signer; agencies countersign each other's letters in one file.
"""

import hmac
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any

from asn1crypto import algos, cms, core, crl, ocsp, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from pyhanko.sign.ades import cades_asn1

from . import keys
from .known import certificate

# Importing them is what teaches asn1crypto the attributes of CAdES and of time-stamps.
_KNOWN = (cades_asn1.SignaturePolicyIdentifier, tsp.TSTInfo)
_LABEL = rb"(CMS|PKCS7|PKCS #7 SIGNED DATA)-----"
_PEM = re.compile(rb"\s*-----BEGIN " + _LABEL + rb"([A-Za-z0-9+/=\s]+)-----END " + _LABEL + rb"\s*")
_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]+={0,2}\s*")
_SET, _LONG_FORM = 0x31, 0x80
# An octet string of several, and the end of what has no length.
_IN_PIECES, _OVER = 0x24, b"\0\0"
# From an object's content to that which is signed: each the number of an element within the one before.
_TO_CONTENT = (1, 0, 2, 1, 0)
_MOST = 64
# GB/T 35275, the Chinese twin: signed data, and data.
_CHINESE_SIGNED, _CHINESE_DATA = "1.2.156.10197.6.1.4.2.2", "1.2.156.10197.6.1.4.2.1"
_ARCHIVE_V3 = "0.4.0.1733.2.4"


# Of these kinds there are keys that are too short; of curves, those whose points take no more bytes than this.
_SOME_SHORT, _SHORT_POINT = frozenset({"rsa", "rsassa_pss", "dsa", "ec"}), 56
_REVOCATION_VALUES = "1.2.840.113549.1.9.16.2.24"


class _Lists(core.SequenceOf):  # type: ignore[misc]  # asn1crypto is not annotated
    _child_spec = crl.CertificateList


class _Responses(core.SequenceOf):  # type: ignore[misc]  # as above
    _child_spec = ocsp.BasicOCSPResponse


class _RevocationValues(core.Sequence):  # type: ignore[misc]  # as above
    _fields = [  # noqa: RUF012 - asn1crypto's own way
        ("crl", _Lists, {"explicit": 0, "optional": True}),
        ("ocsp", _Responses, {"explicit": 1, "optional": True}),
        ("other", core.Any, {"explicit": 2, "optional": True}),
    ]


class NotSignedData(ValueError):
    """It is something else, or malformed."""


@dataclass(frozen=True, kw_only=True)
class Signer:
    """One signer of a CMS object."""

    # DER; None: the object does not hold it.
    certificate: bytes | None
    others: tuple[bytes, ...]
    # None: the content is not at hand.
    digest_matches: bool | None
    signature_verifies: bool
    claimed_at: datetime | None
    algorithm: str
    weak: bool
    # The signed attribute names another certificate than the one that verifies it.
    other_certificate: bool
    # The signature itself, which time-stamps are over.
    signature: bytes
    tokens: tuple[bytes, ...]
    # Archive time-stamps, which we see and do not check.
    archived: bool
    lists: tuple[bytes, ...]
    answers: tuple[bytes, ...]
    # The algorithm is none we know; nothing is said about the signature.
    unknown_algorithm: bool = False
    # The value of the signature, where time-stamps are over more than that.
    value: bytes = b""
    # Who signed this signature once more; anybody may add one.
    counters: "tuple[Signer, ...]" = ()
    # What each of its time-stamps is over, where they are over several forms of the signature.
    forms: tuple[bytes, ...] = ()

    @property
    def stamped(self) -> Iterator[tuple[bytes, bytes]]:
        """Each time-stamp, and what it is over."""
        return zip(self.tokens, self.forms or repeat(self.signature), strict=False)


NOBODY = Signer(
    certificate=None,
    others=(),
    digest_matches=False,
    signature_verifies=False,
    claimed_at=None,
    algorithm="",
    weak=False,
    other_certificate=False,
    signature=b"",
    tokens=(),
    archived=False,
    lists=(),
    answers=(),
)
"""Of a countersignature that is seen and cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A CMS object."""

    signers: tuple[Signer, ...]
    content: bytes | None
    content_type: str


def unarmoured(data: bytes) -> bytes:
    """DER or BER, whether it came plain, as PEM or in base64.

    A letter around PEM is read by people and signed by nobody: with anything before or behind it is no PEM.
    """
    found = _PEM.fullmatch(data)
    if found and found[1] == found[3]:
        return _decoded(found[2])
    if data[:1] != b"0" and _BASE64.fullmatch(data):
        return _decoded(data)
    return data


def _decoded(text: bytes) -> bytes:
    try:
        return b64decode(b"".join(text.split()), validate=True)
    except NotBase64 as error:
        raise NotSignedData("not base64") from error


def read(der: bytes, content: bytes | None = None, *, padded: bool = False) -> Signed:
    """Take it apart; ``content`` came beside it, ``padded``: what follows the object is only room.

    Raises:
        NotSignedData: it is none.
    """
    try:
        return _read(_signed_data(cms.ContentInfo.load(der, strict=not padded)), content)
    except NotSignedData:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise NotSignedData("malformed") from error


def _signed_data(info: Any) -> Any:
    if info["content_type"].native == "signed_data":
        return info["content"]
    if info["content_type"].dotted == _CHINESE_SIGNED:
        return cms.SignedData.load(info["content"].parsed.dump())
    raise NotSignedData("another kind of object")


def _read(data: Any, beside: bytes | None) -> Signed:
    encapsulated = data["encap_content_info"]
    inside = encapsulated["content"]
    within = _octets(inside)
    if within is not None and beside is not None and not hmac.compare_digest(within, beside):
        raise NotSignedData("two contents")
    content = within if within is not None else beside
    given = [each.chosen for each in data["certificates"] or () if each.name == "certificate"][:_MOST]
    shown = [certificate(each.dump()) for each in given]
    lists = tuple(each.chosen.dump() for each in data["crls"] or () if each.name == "crl")[:_MOST]
    infos = list(data["signer_infos"])
    if len(infos) > _MOST:
        raise NotSignedData("too many signers")
    return Signed(
        signers=tuple(_signer(info, shown, lists, content, encapsulated["content_type"].dotted) for info in infos),
        content=content,
        content_type=str(encapsulated["content_type"].native),
    )


def _octets(inside: Any) -> bytes | None:
    if inside is None or isinstance(inside, core.Void):
        return None
    if isinstance(inside, core.ParsableOctetString | core.OctetString):
        return bytes(inside)
    # PKCS #7: anything at all stands there, and its content is what was signed.
    contents = inside.contents
    return bytes(contents) if contents is not None else None


def _signer(
    info: Any, shown: Sequence[asn1_x509.Certificate], lists: tuple[bytes, ...], content: bytes | None, kind: str
) -> Signer:
    own = _own(info["sid"], shown)
    digest = keys.digest_name(info["digest_algorithm"])
    signature = info["signature"].native
    attributes = info["signed_attrs"]
    signed = bool(attributes) and not isinstance(attributes, core.Void)
    unknown = False
    matches: bool | None = None
    verifies = False
    try:
        if content is not None:
            hashed = keys.hashed(digest, content)
            matches = hmac.compare_digest(hashed, _one(attributes, "message_digest") or b"") if signed else None
        # The attributes are signed as a SET of their own (RFC 5652, 5.4).
        data = der(_SET, attributes.contents) if signed else content
        if own is not None and data is not None:
            verifies = keys.verifies(signature, data, own.public_key, info["signature_algorithm"], digest=digest)
            if not signed:
                # Attributes that somebody signed, shown as if they were a content of their own, are none.
                verifies = verifies and not _is_attributes(data)
                matches = verifies
        elif not signed:
            matches = None
    except keys.Unsupported:
        unknown = True
    if signed and attributes and _dotted(attributes, "content_type") != kind:
        verifies = False
    tokens, archived = _stamps(info)
    more_lists, answers = _revocation(info)
    return Signer(
        certificate=own.dump() if own is not None else None,
        others=tuple(each.dump() for each in shown if each is not own),
        digest_matches=matches,
        signature_verifies=verifies,
        claimed_at=_one(attributes, "signing_time") if signed else None,
        algorithm=_algorithm(info["signature_algorithm"], digest, own),
        weak=keys.weak_digest(digest) or keys.weak_algorithm(info["signature_algorithm"]) or _short(own) != "",
        other_certificate=own is not None and signed and _names_another(attributes, own),
        signature=signature,
        tokens=tokens,
        archived=archived,
        lists=(*lists, *more_lists)[:_MOST],
        answers=answers,
        unknown_algorithm=unknown,
        counters=_counters(info, shown, lists) if kind else (),
    )


def _counters(info: Any, shown: Sequence[asn1_x509.Certificate], lists: tuple[bytes, ...]) -> tuple[Signer, ...]:
    """Signatures over the value of this one, without a type of content of their own (RFC 5652, 11.4)."""
    unsigned, over = info["unsigned_attrs"], info["signature"].native
    if isinstance(unsigned, core.Void):
        return ()
    found = list(_attributes(unsigned, "counter_signature"))[:_MOST]
    return tuple(_signer(each, shown, lists, over, "") for each in found)


def _own(sid: Any, shown: Sequence[asn1_x509.Certificate]) -> asn1_x509.Certificate | None:
    for each in shown:
        if sid.name == "issuer_and_serial_number":
            wanted = sid.chosen
            if each.serial_number == wanted["serial_number"].native and each.issuer == wanted["issuer"]:
                return each
        elif each.key_identifier == sid.chosen.native:
            return each
    return None


def _is_attributes(content: bytes) -> bool:
    """Whether it is what is signed where there are signed attributes, and so may have been signed as that."""
    if content[:1] != bytes((_SET,)):
        return False
    try:
        types = {each["type"].native for each in cms.CMSAttributes.load(content, strict=True)}
    except (ValueError, TypeError, KeyError):
        return False
    return {"content_type", "message_digest"} <= types


def _short(own: asn1_x509.Certificate | None) -> str:
    """The signer's key, if it is too short."""
    if own is None or own.public_key.algorithm not in _SOME_SHORT:
        return ""
    if own.public_key.algorithm == "ec" and len(own.public_key["public_key"].native) > _SHORT_POINT:
        return ""
    try:
        return keys.short_key(x509.load_der_x509_certificate(own.dump()))
    except ValueError:
        return ""


def _algorithm(algorithm: algos.SignedDigestAlgorithm, digest: str, own: asn1_x509.Certificate | None) -> str:
    name = str(algorithm["algorithm"].native)
    said = f"{'sm2' if name == keys.SM2_WITH_SM3 else name} {digest}"[:60]
    return said + _short(own)


def _attributes(attributes: Any, name: str) -> Iterator[Any]:
    for each in attributes or ():
        if each["type"].native == name or each["type"].dotted == name:
            yield from each["values"]


def _one(attributes: Any, name: str) -> Any:
    """The only value of an attribute; one that is there twice counts as none."""
    found = list(_attributes(attributes, name))
    return found[0].native if len(found) == 1 else None


def _dotted(attributes: Any, name: str) -> str:
    found = list(_attributes(attributes, name))
    return str(found[0].dotted) if len(found) == 1 else ""


def _names_another(attributes: Any, own: asn1_x509.Certificate) -> bool:
    for version in ("signing_certificate_v2", "signing_certificate"):
        for value in _attributes(attributes, version):
            first = value["certs"][0]
            digest = "sha1" if version == "signing_certificate" else keys.digest_name(first["hash_algorithm"])
            if not hmac.compare_digest(first["cert_hash"].native, keys.hashed(digest, own.dump())):
                return True
    return False


def _stamps(info: Any) -> tuple[tuple[bytes, ...], bool]:
    unsigned = info["unsigned_attrs"]
    if isinstance(unsigned, core.Void):
        return (), False
    tokens = tuple(value.dump() for value in _attributes(unsigned, "signature_time_stamp_token"))
    return tokens[:_MOST], any(True for _ in _attributes(unsigned, _ARCHIVE_V3))


def _revocation(info: Any) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    unsigned, signed = info["unsigned_attrs"], info["signed_attrs"]
    lists: list[bytes] = []
    answers: list[bytes] = []
    found: list[Any] = []
    if not isinstance(unsigned, core.Void):
        found += [_RevocationValues.load(value.dump()) for value in _attributes(unsigned, _REVOCATION_VALUES)]
    if not isinstance(signed, core.Void):
        found += _attributes(signed, "adobe_revocation_info_archival")
    for value in found:
        lists += [each.dump() for each in value["crl"] or ()]
        answers += [each.dump() for each in value["ocsp"] or ()]
    return tuple(lists[:_MOST]), tuple(answers[:_MOST])


def places(encoded: bytes, content: bytes) -> list[tuple[int, int]]:
    """Where the content stands in an object that came plain: in pieces, if whoever wrote it did not know its length.

    Raises:
        NotSignedData: it stands nowhere in it.
    """
    try:
        at = 0
        for number in _TO_CONTENT:
            at = _inside(encoded, at)[0]
            for _ in range(number):
                at = _behind(encoded, at)
        found = list(_pieces(encoded, at))
    except IndexError as error:
        raise NotSignedData("malformed") from error
    whole, signed, at = memoryview(encoded), memoryview(content), 0
    for start, end in found:
        # What is called its content must be what was taken for it.
        if whole[start:end] != signed[at : at + end - start]:
            raise NotSignedData("another content")
        at += end - start
    if at != len(signed):
        raise NotSignedData("another content")
    return found


def _pieces(encoded: bytes, at: int) -> Iterator[tuple[int, int]]:
    start, end = _inside(encoded, at)
    if encoded[at] != _IN_PIECES:
        yield start, end
        return
    while start < end:
        yield from _pieces(encoded, start)
        start = _behind(encoded, start)


def _inside(encoded: bytes, at: int) -> tuple[int, int]:
    """From where to where the contents of an element stand."""
    start, length = _header(encoded, at)
    return (start, start + length) if length is not None else (start, _behind(encoded, at) - len(_OVER))


def _behind(encoded: bytes, at: int) -> int:
    start, length = _header(encoded, at)
    if length is not None:
        return start + length
    while encoded[start : start + len(_OVER)] != _OVER:
        start = _behind(encoded, start)
    return start + len(_OVER)


def _header(encoded: bytes, at: int) -> tuple[int, int | None]:
    """Where the contents of an element begin, and how long they are, if that is said before them (BER)."""
    said, start = encoded[at + 1], at + 2
    if said == _LONG_FORM:
        return start, None
    if said < _LONG_FORM:
        return start, said
    size = said - _LONG_FORM
    return start + size, int.from_bytes(encoded[start : start + size], "big")


def der(tag: int, contents: bytes) -> bytes:
    """One element."""
    size = len(contents)
    if size < _LONG_FORM:
        return bytes((tag, size)) + contents
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_FORM | len(length))) + length + contents
