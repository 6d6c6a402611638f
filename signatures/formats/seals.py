# SPDX-License-Identifier: Apache-2.0
"""Electronic seals, taken apart: GB/T 38540-2020, and the older GM/T 0031-2014 that many documents still carry.

A seal is a picture that its maker signed, with the certificates that may use it, and from when until when. Both forms
say the same in another order; where they differ, it is said below.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from asn1crypto import core
from asn1crypto import x509 as asn1_x509
from cryptography import x509

from ..proofs import keys, sm2
from ..proofs.signed_data import der

_DIGESTS = {"1.2.840.113549.2.5": "md5", "1.3.14.3.2.26": "sha1", "2.16.840.1.101.3.4.2.1": "sha256"}
_SM3 = frozenset({"1.2.156.10197.1.401", "sm3"})
_SEQUENCE = 0x30
_DIGITS = re.compile(rb"(\d{12}|\d{14})Z")
_YEARS = {12: "%y", 14: "%Y"}


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


class _OldProperty(core.Sequence):  # type: ignore[misc]  # as above
    _fields = [  # noqa: RUF012 - its way
        ("type", core.Integer),
        ("name", core.UTF8String),
        ("list", _Certificates),
        # UTCTime by the standard; some makers write GeneralizedTime.
        ("made", asn1_x509.Time),
        ("start", asn1_x509.Time),
        ("end", asn1_x509.Time),
    ]


class _OldInfo(core.Sequence):  # type: ignore[misc]  # as above
    _fields = [  # noqa: RUF012 - its way
        ("header", _Header),
        ("id", core.IA5String),
        ("property", _OldProperty),
        ("picture", _Picture),
        # With a tag or without, by maker.
        ("more", core.Any, {"optional": True}),
    ]


class _OldMaker(core.Sequence):  # type: ignore[misc]  # as above
    _fields = [  # noqa: RUF012 - its way
        ("certificate", core.OctetString),
        ("algorithm", core.ObjectIdentifier),
        ("signature", _Bits),
    ]


class OldSeal(core.Sequence):  # type: ignore[misc]  # as above
    """SESeal of GM/T 0031-2014."""

    _fields = [("info", _OldInfo), ("maker", _OldMaker)]  # noqa: RUF012 - its way


class OldToSign(core.Sequence):  # type: ignore[misc]  # as above
    """TBS_Sign of GM/T 0031-2014: certificate and algorithm of the signer are signed too."""

    _fields = [  # noqa: RUF012 - its way
        ("version", core.Integer),
        ("seal", OldSeal),
        # A time, as DER or as text, or a time-stamp; over what the latter would be, the standard does not say.
        ("time", _Bits),
        ("digest", _Bits),
        ("place", core.IA5String),
        ("certificate", core.OctetString),
        ("algorithm", core.ObjectIdentifier),
    ]


class OldSignature(core.Sequence):  # type: ignore[misc]  # as above
    """SES_Signature of GM/T 0031-2014."""

    _fields = [("to_sign", OldToSign), ("signature", _Bits)]  # noqa: RUF012 - its way


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """What somebody signed with a seal; nothing is verified yet."""

    old: bool
    certificate: bytes
    algorithm: str
    signature: bytes
    # What the signature is over.
    to_sign: bytes
    # Of the list of files, and where that list lies.
    digest: bytes
    place: str
    # The signer's word; None: it cannot be read.
    at: datetime | None
    # A time-stamp over the signature; empty for none.
    token: bytes
    # The seal as it is shown.
    seal: bytes
    maker: bytes
    maker_algorithm: str
    maker_signature: bytes
    # What makers sign: the description, some with certificate and algorithm behind it.
    described: tuple[bytes, ...]
    made: datetime
    start: datetime
    end: datetime
    users: "_Users"

    def allows(self, certificate: bytes) -> bool:
        """Whether the seal may be used with this certificate."""
        return certificate in self.users.certificates or any(
            hmac.compare_digest(keys.hashed(digest_name(kind), certificate), value)
            for kind, value in self.users.digests
        )

    def signer_signed(self) -> bool:
        """Whether the signature is that of the certificate."""
        return _verifies(self.certificate, self.signature, self.to_sign, self.algorithm)

    def maker_signed(self) -> bool:
        """Whether the maker whom the seal names made it, while their certificate was valid."""
        own = x509.load_der_x509_certificate(self.maker)
        in_time = own.not_valid_before_utc <= self.made <= own.not_valid_after_utc
        return in_time and any(
            _verifies(self.maker, self.maker_signature, data, self.maker_algorithm) for data in self.described
        )


@dataclass(frozen=True)
class _Users:
    """Whose hand may use a seal."""

    certificates: Sequence[bytes] = ()
    digests: Sequence[tuple[str, bytes]] = ()

    @classmethod
    def of(cls, properties: Any) -> Self:
        encoded = properties["list"].dump()
        if properties["list_type"].native == 1:
            return cls(certificates=[bytes(each.native) for each in _Certificates.load(encoded)])
        listed = _Digests.load(encoded)
        return cls(digests=[(str(each["type"].native), bytes(each["value"].native)) for each in listed])


def read(value: bytes) -> Sealed:
    """A signature by a seal, in whichever form.

    Raises:
        ValueError, TypeError, KeyError: it has neither.
    """
    try:
        return _new(SealSignature.load(value, strict=True))
    except (ValueError, TypeError, KeyError):
        return _old(OldSignature.load(value, strict=True))


def _new(whole: Any) -> Sealed:
    to_sign = whole["to_sign"]
    seal = to_sign["seal"]
    properties = seal["info"]["property"]
    at: datetime = to_sign["at"].native
    info, maker, algorithm = seal["info"].dump(), seal["certificate"], seal["algorithm"]
    return Sealed(
        old=False,
        certificate=bytes(whole["certificate"].native),
        algorithm=whole["algorithm"].dotted,
        signature=bytes(whole["signature"].native),
        to_sign=to_sign.dump(),
        digest=bytes(to_sign["digest"].native),
        place=str(to_sign["place"].native),
        at=at.astimezone(UTC),
        token=bytes(whole["stamp"].native or b""),
        seal=seal.dump(),
        maker=bytes(maker.native),
        maker_algorithm=algorithm.dotted,
        maker_signature=bytes(seal["signature"].native),
        described=(info, der(_SEQUENCE, info + maker.dump() + algorithm.dump())),
        made=properties["made"].native,
        start=properties["start"].native,
        end=properties["end"].native,
        users=_Users.of(properties),
    )


def _old(whole: Any) -> Sealed:
    to_sign = whole["to_sign"]
    seal = to_sign["seal"]
    properties, maker = seal["info"]["property"], seal["maker"]
    info = seal["info"].dump()
    return Sealed(
        old=True,
        certificate=bytes(to_sign["certificate"].native),
        algorithm=to_sign["algorithm"].dotted,
        signature=bytes(whole["signature"].native),
        to_sign=to_sign.dump(),
        digest=bytes(to_sign["digest"].native),
        place=str(to_sign["place"].native),
        at=_moment(bytes(to_sign["time"].native)),
        token=b"",
        seal=seal.dump(),
        maker=bytes(maker["certificate"].native),
        maker_algorithm=maker["algorithm"].dotted,
        maker_signature=bytes(maker["signature"].native),
        described=(der(_SEQUENCE, info + maker["certificate"].dump() + maker["algorithm"].dump()), info),
        made=properties["made"].native,
        start=properties["start"].native,
        end=properties["end"].native,
        users=_Users(certificates=[bytes(each.native) for each in properties["list"]]),
    )


def _moment(said: bytes) -> datetime | None:
    found = _DIGITS.fullmatch(said)
    try:
        if found:
            return datetime.strptime(found[1].decode(), f"{_YEARS[len(found[1])]}%m%d%H%M%S").replace(tzinfo=UTC)
        at: datetime = asn1_x509.Time.load(said, strict=True).native
    except ValueError:
        return None
    return at.astimezone(UTC)


def digest_name(method: str) -> str:
    """The usual name of a digest, from its number or its name."""
    return "sm3" if method.casefold() in _SM3 else _DIGESTS.get(method, method.casefold())


def _verifies(certificate: bytes, signature: bytes, data: bytes, algorithm: str) -> bool:
    own = asn1_x509.Certificate.load(certificate, strict=True)
    x509.load_der_x509_certificate(certificate)
    if not keys.is_sm2(own.public_key) or algorithm not in keys.SM2_NAMES:
        return False
    return sm2.verifies(signature, data, bytes(own.public_key["public_key"].native))
