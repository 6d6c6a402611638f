# SPDX-License-Identifier: Apache-2.0
"""Revocation lists (RFC 5280 section 5): entries encoded once, and lists joined from them, full and delta."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from ..models import Reason, Standing
from . import der

_NUMBER, _REASON, _DELTA = "2.5.29.20", "2.5.29.21", "2.5.29.27"
_POINT, _AUTHORITY, _FRESHEST = "2.5.29.28", "2.5.29.35", "2.5.29.46"
_VERSION_2 = der.integer(1)
_HOLD, _REMOVED = 6, 8
_SEQUENCE, _SHORTEST, _LONGEST = 0x30, 20, 0x7F
_NEWEST = 8

# RFC 5280 section 5.3.1.
_CODES = {
    Reason.UNSPECIFIED: 0,
    Reason.KEY_COMPROMISE: 1,
    Reason.AFFILIATION_CHANGED: 3,
    Reason.SUPERSEDED: 4,
    Reason.CESSATION: 5,
    Reason.PRIVILEGE_WITHDRAWN: 9,
}
_FLAGS = {
    Reason.UNSPECIFIED: x509.ReasonFlags.unspecified,
    Reason.KEY_COMPROMISE: x509.ReasonFlags.key_compromise,
    Reason.AFFILIATION_CHANGED: x509.ReasonFlags.affiliation_changed,
    Reason.SUPERSEDED: x509.ReasonFlags.superseded,
    Reason.CESSATION: x509.ReasonFlags.cessation_of_operation,
    Reason.PRIVILEGE_WITHDRAWN: x509.ReasonFlags.privilege_withdrawn,
}


@dataclass(frozen=True, kw_only=True)
class Withdrawn:
    """What was taken back, when and why: one entry of a list, or what an OCSP answer says of it."""

    serial: int
    standing: Standing
    at: datetime
    reason: Reason | None = None

    @property
    def flag(self) -> x509.ReasonFlags | None:
        """The same as `cryptography` names it; none for an unspecified one."""
        if self.standing is Standing.SUSPENDED:
            return x509.ReasonFlags.certificate_hold
        return _FLAGS[self.reason] if self.reason not in (None, Reason.UNSPECIFIED) else None

    @property
    def code(self) -> int:
        """The reason on the wire; 0 is said by saying nothing (RFC 5280 section 5.3.1)."""
        return _HOLD if self.standing is Standing.SUSPENDED else _CODES[self.reason or Reason.UNSPECIFIED]


def entry(withdrawn: Withdrawn) -> bytes:
    """One entry of a list, DER."""
    return _entry(withdrawn.serial, withdrawn.at, withdrawn.code)


def removal(serial: int, at: datetime) -> bytes:
    """What a delta says of a certificate that an earlier list held and that is good again."""
    return _entry(serial, at, _REMOVED)


def read_entry(revoked: x509.RevokedCertificate) -> Withdrawn:
    """One entry of a list of ours, as it was written."""
    try:
        flag = revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        flag = x509.ReasonFlags.unspecified
    at, serial = revoked.revocation_date_utc, revoked.serial_number
    if flag is x509.ReasonFlags.certificate_hold:
        return Withdrawn(serial=serial, standing=Standing.SUSPENDED, at=at)
    reason = next(reason for reason, known in _FLAGS.items() if known is flag)
    return Withdrawn(serial=serial, standing=Standing.REVOKED, at=at, reason=reason)


def draft_crl(
    issuer: x509.Certificate, *, number: int, entries: Sequence[Withdrawn], at: datetime, until: datetime
) -> x509.CertificateRevocationListBuilder:
    """A full list for a ceremony, which signs by itself."""
    authority = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(at.replace(microsecond=0))
        .next_update(until.replace(microsecond=0))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority), critical=False)
    )
    for each in entries:
        revoked = x509.RevokedCertificateBuilder().serial_number(each.serial)
        revoked = revoked.revocation_date(each.at.replace(microsecond=0))
        if each.flag is not None:
            revoked = revoked.add_extension(x509.CRLReason(each.flag), critical=False)
        builder = builder.add_revoked_certificate(revoked.build())
    return builder


@dataclass(frozen=True, kw_only=True)
class ListDraft:
    """A list before its signature; whoever signs it encodes it, so that nothing but a list can be signed as one.

    ``point`` is where certificates say that their list is: the list holds those and no others. ``base`` makes it a
    delta to every full list of that number or a later one.
    """

    issuer: x509.Certificate
    number: int
    at: datetime
    until: datetime
    entries: Sequence[bytes] = ()
    point: str = ""
    base: int | None = None
    freshest: str = ""

    def tbs(self, algorithm: bytes) -> bytes:
        """TBSCertList, DER.

        Raises:
            ValueError: what stands in the place of an entry is none.
        """
        if not all(_whole(each) for each in self.entries):
            raise ValueError("no entry of a revocation list")
        revoked = b"".join(self.entries)
        return der.sequence(
            _VERSION_2,
            algorithm,
            self.issuer.subject.public_bytes(),
            der.time(self.at),
            der.time(self.until),
            der.tlv(_SEQUENCE, revoked) if revoked else b"",
            der.explicit(0, der.extensions(self._extensions())),
        )

    def sample(self) -> "ListDraft":
        """The same list with one entry of every shape and the last few; what lint says of it, it would say of all.

        An entry's shape is the length of its serial, the form of its time and its reason: everything but the digits.
        """
        shapes = {(len(each), each[-1]): each for each in self.entries}
        kept = dict.fromkeys((*shapes.values(), *self.entries[-_NEWEST:]))
        return ListDraft(**{**self.__dict__, "entries": tuple(kept)})

    def _extensions(self) -> Iterator[bytes]:
        own = self.issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        yield der.extension(_AUTHORITY, der.sequence(der.tlv(0x80, own)))
        yield der.extension(_NUMBER, der.integer(self.number))
        if self.base is not None:
            yield der.extension(_DELTA, der.integer(self.base), critical=True)
        if self.point:
            yield der.extension(_POINT, der.sequence(_point(self.point)), critical=True)
        if self.freshest:
            yield der.extension(_FRESHEST, der.sequence(der.sequence(_point(self.freshest))))


def _entry(serial: int, at: datetime, code: int) -> bytes:
    reason = der.sequence(der.extension(_REASON, der.enumerated(code))) if code else b""
    return der.sequence(der.integer(serial), der.time(at), reason)


def _whole(encoded: bytes) -> bool:
    return _SHORTEST <= len(encoded) <= _LONGEST and encoded[0] == _SEQUENCE and encoded[1] == len(encoded) - 2


def _point(address: str) -> bytes:
    """DistributionPointName with one address."""
    return der.explicit(0, der.explicit(0, der.tlv(0x86, address.encode("ascii"))))
