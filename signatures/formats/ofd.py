# SPDX-License-Identifier: Apache-2.0
"""OFD (GB/T 33190) with electronic seals (GB/T 38540): SM3 over every file, SM2 of the signer and of the seal's maker.

A seal is a signed picture: its maker says which certificates may use it, from when until when. The signature is over
the list of files with their digests, and names the seal that is shown. Older seals (GM/T 0031) are seen and not read.
"""

import hmac
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from asn1crypto import core
from asn1crypto import x509 as asn1_x509
from cryptography import x509

from ..models import Chain, Format, Revocation
from ..proofs import keys, sm2
from ..proofs.signed_data import NotSignedData, Signer, der, read
from .containers import Container
from .facts import Found, Setting
from .xades import decoded, parse

_NS = "{http://www.ofdspec.org/2016}"
_SM3 = frozenset({"1.2.156.10197.1.401", "sm3"})
_DIGESTS = {"1.2.840.113549.2.5": "md5", "1.3.14.3.2.26": "sha1", "2.16.840.1.101.3.4.2.1": "sha256"}
_MOST = 50
_SEQUENCE = 0x30
_STRAY = "ZIP"


class _Bits(core.OctetBitString):  # type: ignore[misc]  # asn1crypto is not annotated
    pass


class _Header(core.Sequence):  # type: ignore[misc]  # as above
    _fields = [("id", core.IA5String), ("version", core.Integer), ("vendor", core.IA5String)]  # noqa: RUF012 - its way


class _Certificates(core.SequenceOf):  # type: ignore[misc]  # as above
    _child_spec = core.OctetString


class _Digest(core.Sequence):  # type: ignore[misc]  # as above
    _fields = [("type", core.PrintableString), ("value", core.OctetString)]  # noqa: RUF012 - its way


class _Digests(core.SequenceOf):  # type: ignore[misc]  # as above
    _child_spec = _Digest


class _Property(core.Sequence):  # type: ignore[misc]  # as above
    _fields = [  # noqa: RUF012 - its way
        ("type", core.Integer),
        ("name", core.UTF8String),
        # 1: certificates, 2: digests of certificates.
        ("list_type", core.Integer),
        ("list", core.Any),
        ("made", core.GeneralizedTime),
        ("start", core.GeneralizedTime),
        ("end", core.GeneralizedTime),
    ]


class _Picture(core.Sequence):  # type: ignore[misc]  # as above
    _fields = [  # noqa: RUF012 - its way
        ("type", core.IA5String),
        ("data", core.OctetString),
        ("width", core.Integer),
        ("height", core.Integer),
    ]


class _SealInfo(core.Sequence):  # type: ignore[misc]  # as above
    _fields = [  # noqa: RUF012 - its way
        ("header", _Header),
        ("id", core.IA5String),
        ("property", _Property),
        ("picture", _Picture),
        ("more", core.Any, {"explicit": 0, "optional": True}),
    ]


class Seal(core.Sequence):  # type: ignore[misc]  # as above
    """SESeal of GB/T 38540-2020."""

    _fields = [  # noqa: RUF012 - its way
        ("info", _SealInfo),
        ("certificate", core.OctetString),
        ("algorithm", core.ObjectIdentifier),
        ("signature", _Bits),
    ]


class ToSign(core.Sequence):  # type: ignore[misc]  # as above
    """TBS_Sign."""

    _fields = [  # noqa: RUF012 - its way
        ("version", core.Integer),
        ("seal", Seal),
        ("at", core.GeneralizedTime),
        ("digest", _Bits),
        ("place", core.IA5String),
        ("more", core.Any, {"explicit": 0, "optional": True}),
    ]


class SealSignature(core.Sequence):  # type: ignore[misc]  # as above
    """SES_Signature."""

    _fields = [  # noqa: RUF012 - its way
        ("to_sign", ToSign),
        ("certificate", core.OctetString),
        ("algorithm", core.ObjectIdentifier),
        ("signature", _Bits),
        ("stamp", _Bits, {"explicit": 0, "optional": True}),
    ]


class OldSeal(ValueError):
    """The form of GM/T 0031-2014."""


def read_file(document: bytes, _content: bytes | None, setting: Setting) -> Found:
    """All signatures of the document.

    Raises:
        NotAContainer, ValueError: it cannot be read.
    """
    box = Container(document)
    found = Found()
    lists = _lists(box)
    own = {*lists, "OFD.xml"} if len(lists) > 1 else {*lists}
    places = [(listed, place) for listed in lists for place in _places(box, listed)][:_MOST]
    for _, place in places:
        own |= {place, *_beside(box, place)}
    for _, place in places:
        try:
            _signature(box, place, own, setting, found)
        except OldSeal:
            found.unread.append("old_seal")
        except (ValueError, TypeError, KeyError, AttributeError):
            found.unread.append("part_malformed")
    if not places and any("sign" in name.casefold() for name in box.names):
        # A list of signatures that the document no longer mentions.
        found.unread.append("part_malformed")
    return found


def _lists(box: Container) -> list[str]:
    root = parse(box.read("OFD.xml"))
    return [_resolved("OFD.xml", node.text) for node in root.iterfind(f"{_NS}DocBody/{_NS}Signatures")]


def _places(box: Container, listed: str) -> list[str]:
    root = parse(box.read(listed))
    return [_resolved(listed, node.get("BaseLoc")) for node in root.iterfind(f"{_NS}Signature")]


def _beside(box: Container, place: str) -> list[str]:
    root = parse(box.read(place))
    texts = [root.findtext(f"{_NS}SignedValue"), root.findtext(f"{_NS}SignedInfo/{_NS}Seal/{_NS}BaseLoc")]
    return [_resolved(place, text) for text in texts if text]


def _resolved(base: str, text: str | None) -> str:
    name = (text or "").strip()
    whole = name if name.startswith("/") else posixpath.join(posixpath.dirname(base), name)
    found = posixpath.normpath(whole).lstrip("/")
    if not name or found.startswith(".."):
        raise ValueError("a place outside")
    return found


def _signature(box: Container, place: str, own: set[str], setting: Setting, found: Found) -> None:
    content = box.read(place)
    root = parse(content)
    info = root.find(f"{_NS}SignedInfo")
    references = info.find(f"{_NS}References")
    digest = _digest(str(references.get("CheckMethod")))
    covered, intact = set(), True
    for each in references.iterfind(f"{_NS}Reference"):
        name = _resolved(place, each.get("FileRef"))
        value = decoded(each.findtext(f"{_NS}CheckValue"))
        covered.add(name)
        intact &= name in box.names and hmac.compare_digest(keys.hashed(digest, box.read(name)), value)
    value = box.read(_resolved(place, root.findtext(f"{_NS}SignedValue")))
    uncovered = [name for name in box.names if name not in covered | own] + ([_STRAY] if box.stray else [])
    around: dict[str, Any] = {
        "format": Format.OFD,
        "name": str(root.get("ID") or posixpath.dirname(place)),
        "covered": sorted(covered),
        "uncovered": uncovered,
    }
    try:
        sealed = _Sealed.of(value)
    except ValueError:
        for signer in _plain(value, content, intact=intact, weak=keys.weak_digest(digest)):
            found.add(signer, setting, **around)
        return
    shown = _shown_seal(box, place, info)
    signer = sealed.signer(content, place, intact=intact, weak=keys.weak_digest(digest))
    found.add(signer, setting, **around, seal_verifies=sealed.seal_good(setting, shown))


def _plain(value: bytes, content: bytes, *, intact: bool, weak: bool) -> Iterator[Signer]:
    """A digital signature without a seal: GB/T 35275, the Chinese twin of CMS."""
    try:
        signers = read(value, content).signers
    except NotSignedData as error:
        if value[:1] == bytes((_SEQUENCE,)):
            raise OldSeal from error
        raise
    for signer in signers:
        yield replace(
            signer,
            digest_matches=None if signer.digest_matches is None else signer.digest_matches and intact,
            weak=signer.weak or weak,
        )


def _shown_seal(box: Container, place: str, info: Any) -> bytes | None:
    where = info.findtext(f"{_NS}Seal/{_NS}BaseLoc")
    return box.read(_resolved(place, where)) if where else None


def _digest(method: str) -> str:
    return "sm3" if method.casefold() in _SM3 else _DIGESTS.get(method, method.casefold())


@dataclass(frozen=True)
class _Sealed:
    """A seal's signature, read to the end."""

    whole: Any

    @classmethod
    def of(cls, value: bytes) -> Self:
        found = SealSignature.load(value, strict=True)
        _ = found["to_sign"].native, found["signature"].native, found["certificate"].native
        return cls(found)

    def signer(self, content: bytes, place: str, *, intact: bool, weak: bool) -> Signer:
        to_sign = self.whole["to_sign"]
        certificate = bytes(self.whole["certificate"].native)
        same = hmac.compare_digest(sm2.sm3(content), to_sign["digest"].native)
        placed = posixpath.normpath(str(to_sign["place"].native)).lstrip("/") == place
        algorithm = self.whole["algorithm"].dotted
        verifies = _verifies(certificate, self.whole["signature"].native, to_sign.dump(), algorithm)
        token = self.whole["stamp"].native
        at: datetime = to_sign["at"].native
        return Signer(
            certificate=certificate,
            others=(bytes(to_sign["seal"]["certificate"].native),),
            digest_matches=intact and same and placed,
            signature_verifies=verifies,
            claimed_at=at.astimezone(UTC),
            algorithm="sm2 sm3",
            weak=weak,
            # The seal says whose hand may use it.
            other_certificate=not self._allowed(certificate),
            signature=bytes(self.whole["signature"].native),
            tokens=(bytes(token),) if token else (),
            archived=False,
            lists=(),
            answers=(),
        )

    def seal_good(self, setting: Setting, shown: bytes | None) -> bool:
        """Whether the maker whom the seal names made it, for that time; and it is the seal that is shown."""
        to_sign = self.whole["to_sign"]
        seal = to_sign["seal"]
        maker = bytes(seal["certificate"].native)
        same = shown is None or hmac.compare_digest(shown, seal.dump())
        properties = seal["info"]["property"]
        in_time = properties["start"].native <= to_sign["at"].native <= properties["end"].native
        if not same or not in_time or not _maker_signed(seal, maker):
            return False
        found = setting.grounds.assessor.assess(maker, others=(), at=setting.at)
        return found.chain is Chain.TRUSTED and found.revocation is not Revocation.REVOKED

    def _allowed(self, certificate: bytes) -> bool:
        properties = self.whole["to_sign"]["seal"]["info"]["property"]
        encoded = properties["list"].dump()
        if properties["list_type"].native == 1:
            allowed: Sequence[bytes] = [bytes(each.native) for each in _Certificates.load(encoded)]
            return certificate in allowed
        return any(
            hmac.compare_digest(keys.hashed(_digest(str(each["type"].native)), certificate), each["value"].native)
            for each in _Digests.load(encoded)
        )


def _maker_signed(seal: Any, maker: bytes) -> bool:
    """SM2 over the seal's description; some makers sign it with certificate and algorithm behind it."""
    info, certificate, algorithm = seal["info"].dump(), seal["certificate"].dump(), seal["algorithm"].dump()
    whole = der(_SEQUENCE, info + certificate + algorithm)
    signature = seal["signature"].native
    return any(_verifies(maker, signature, data, seal["algorithm"].dotted) for data in (info, whole))


def _verifies(certificate: bytes, signature: bytes, data: bytes, algorithm: str) -> bool:
    own = asn1_x509.Certificate.load(certificate, strict=True)
    x509.load_der_x509_certificate(certificate)
    if not keys.is_sm2(own.public_key) or algorithm not in keys.SM2_NAMES:
        return False
    return sm2.verifies(signature, data, bytes(own.public_key["public_key"].native))
