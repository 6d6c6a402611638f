# SPDX-License-Identifier: Apache-2.0
"""What a signer's certificate is worth: its chain, its purpose, its dates and what its issuer says of it.

This is a second, independent opinion beside the library's path validation, and the one that can say why.

Freshness, our policy (docs/decisions/0031): of a certificate that is judged as of today, only a statement whose next
issue is not overdue counts. Where a time-stamp proves an earlier moment, also a statement counts that was in force at
that moment or was issued later, while the certificate was still valid (issuers drop the expired from their lists).
"""

import hashlib
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from ..models import CertificateFacts, Chain, Revocation, Trust
from . import constraints
from .answers import Answers, Statement, read_answer
from .asking import places_to_ask
from .keys import list_made, made, weakly_made
from .remembered import Remembered

# Document signing (RFC 9336), e-mail protection, Microsoft's document signing, any.
_SIGNING = {
    ObjectIdentifier("1.3.6.1.5.5.7.3.36"),
    ExtendedKeyUsageOID.EMAIL_PROTECTION,
    ObjectIdentifier("1.3.6.1.4.1.311.10.3.12"),
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
}
_STAMPING = {ExtendedKeyUsageOID.TIME_STAMPING}
_EXPIRED_KEPT = ObjectIdentifier("2.5.29.60")
_QUALIFIED = ObjectIdentifier("1.3.6.1.5.5.7.1.3")
# id-etsi-qcs-QcCompliance (ETSI EN 319 412-5), as it stands in the extension.
_QC_COMPLIANCE = bytes.fromhex("0604008e460101")
_SIGN, _STAMP = "sign", "stamp"
_BOTH = frozenset({_SIGN, _STAMP})
_DEEPEST = 6
_MOST_OTHERS = 16
_MOST_REMEMBERED = 256


@dataclass(frozen=True)
class _Issuer:
    certificate: x509.Certificate
    # Name among the site's issuing authorities, "" for roots and strangers.
    authority: str = ""
    root: bool = False
    # The list that names it, "" for the site's own; None: it came with a document.
    listed: str | None = None


class Assessor:
    """Holds the issuers and lists of many verifications, and what they said of a certificate the last time."""

    def __init__(self, trust: Trust, *, lists: Iterable[bytes]) -> None:
        self._signing = trust.signing
        self._periods = trust.periods
        self._purposes = trust.purposes
        self._qualified = trust.qualified
        self._keepers = trust.keepers
        self._roots = [self._root(x509.load_pem_x509_certificate(root.encode())) for root in trust.roots]
        self._issuers = [
            _Issuer(x509.load_pem_x509_certificate(text.encode()), name, listed=name.rpartition("/")[0])
            for name, text in trust.issuers.items()
        ]
        # Ours before another's: nobody speaks for a key of which ours speaks.
        self._known: dict[x509.Name, list[_Issuer]] = {}
        for each in sorted([*self._roots, *self._issuers], key=lambda one: bool(one.listed)):
            self._known.setdefault(each.certificate.subject, []).append(each)
        self._lists = _read_lists(lists)
        # What issuers said when they were asked because of one document.
        self._asked_lists: list[x509.CertificateRevocationList] = []
        self._asked_answers: list[Answers] = []
        self._remembered: Remembered[CertificateFacts] | None = Remembered(_MOST_REMEMBERED)

    def knowing(self, said: Sequence[bytes]) -> "Assessor":
        """The same, and what issuers said when they were asked; what is neither list nor answer is left out."""
        found = copy(self)
        found._asked_lists = _read_lists(said)  # noqa: SLF001 - its own copy
        found._asked_answers = [each for each in map(read_answer, said) if each is not None]  # noqa: SLF001 - as above
        # For one document only.
        found._remembered = None  # noqa: SLF001 - as above
        return found

    def assess(
        self,
        der: bytes,
        *,
        others: Sequence[bytes],
        at: datetime,
        proven: datetime | None = None,
        lists: Sequence[bytes] = (),
        answers: Sequence[bytes] = (),
        stamping: bool = False,
    ) -> CertificateFacts:
        """Look at one certificate as of ``proven``, if a time-stamp proves that moment, or else as of ``at``.

        ``others``, ``lists`` and ``answers`` (OCSP) came with the document: believed as far as they verify. With
        ``stamping`` its purpose is to stamp time, not to sign documents.

        Raises:
            ValueError: not a certificate.
        """
        moments = (at,) if proven is None else (at, proven)
        key = (_digest(der), *(tuple(map(_digest, each)) for each in (others, lists, answers)), stamping)
        if self._remembered is not None and (known := self._remembered.find((len(moments), *key), moments)):
            return known
        found, instants = self._assessed(
            der, others=others, at=at, proven=proven, lists=lists, answers=answers, stamping=stamping
        )
        if self._remembered is not None:
            self._remembered.keep((len(moments), *key), moments, found, instants=instants)
        return found

    def _assessed(
        self,
        der: bytes,
        *,
        others: Sequence[bytes],
        at: datetime,
        proven: datetime | None,
        lists: Sequence[bytes],
        answers: Sequence[bytes],
        stamping: bool,
    ) -> tuple[CertificateFacts, Sequence[datetime]]:
        """And all that the moments were compared with."""
        own = x509.load_der_x509_certificate(der)
        between = _read(others)
        moment = _Moment(
            at=at,
            proven=proven,
            lists=(*self._lists, *_read_lists(lists)),
            answers=tuple(found for found in map(read_answer, answers[:_MOST_OTHERS]) if found is not None),
            asked_lists=self._asked_lists,
            asked_answers=self._asked_answers,
        )
        purpose = _STAMP if stamping else _SIGN
        chain, path, unsaid = self._climb(own, [_Issuer(found) for found in between], moment, purpose)
        if any(not self._is_for(each.certificate, purpose) for each in path):
            # Trusted, but for something else: as good as a stranger here.
            chain, path, unsaid = Chain.UNKNOWN, [], None
        meant = _STAMPING if stamping else _SIGNING
        if path and not constraints.allow(own, [each.certificate for each in path], purposes=meant):
            chain = Chain.BROKEN
        authority = self._authority(path)
        issuer = path[0].certificate if path else None
        status = _status(own, issuer, moment, between) if issuer else _Status(Revocation.UNAVAILABLE)
        revocation = status.revocation
        asks = places_to_ask(own, issuer) if issuer and revocation is Revocation.UNAVAILABLE else ()
        if unsaid is not None and revocation in {Revocation.GOOD, Revocation.LATER}:
            # Nobody says whether its issuer still may: what a stolen key of that issuer signs is no better than that.
            revocation, asks = Revocation.UNAVAILABLE, places_to_ask(*unsaid)
        if stamping and not path and self._named_itself(own):
            # A state's list names the unit's own certificate: nobody above it is asked, the list alone says how long.
            in_time = self._trusted_then(own, moment)
            chain, revocation = (Chain.TRUSTED if in_time else Chain.BROKEN), Revocation.GOOD
        # Whom a list trusts for signers by itself needs no name among the site's authorities.
        listed = any(_SIGN in self._purposes.get(_name(each.certificate), frozenset()) for each in path)
        signs = _may_sign(own) and (not self._signing or authority in self._signing or listed)
        facts = CertificateFacts(
            serial=f"{own.serial_number:x}",
            name=_part(own.subject, NameOID.COMMON_NAME),
            organisation=_part(own.subject, NameOID.ORGANIZATION_NAME),
            subject=_identifier(own),
            issuer=_part(own.issuer, NameOID.COMMON_NAME) or _part(own.issuer, NameOID.ORGANIZATION_NAME),
            not_before=own.not_valid_before_utc,
            not_after=own.not_valid_after_utc,
            chain=chain,
            authority=authority,
            purpose=_may_stamp(own) if stamping else signs,
            revocation=revocation,
            revoked_at=status.revoked_at,
            said_at=status.said_at,
            said_until=status.said_until,
            asked=status.asked,
            asks=asks,
            sha256=hashlib.sha256(der).hexdigest(),
            qualified=_says_qualified(own) and any(_name(each.certificate) in self._qualified for each in path),
        )
        return facts, moment.instants

    def _climb(
        self, own: x509.Certificate, between: Sequence[_Issuer], moment: "_Moment", purpose: str
    ) -> tuple[Chain, list[_Issuer], tuple[x509.Certificate, x509.Certificate] | None]:
        """And the first issuer on the way of which nothing is known, with the one above it."""
        path: list[_Issuer] = []
        unsaid: tuple[x509.Certificate, x509.Certificate] | None = None
        broken = False

        def may(one: _Issuer, depth: int) -> bool:
            return _may_issue(one.certificate, depth=depth, moment=moment) and self._trusted_then(
                one.certificate, moment
            )

        def maker(of: x509.Certificate) -> _Issuer | None:
            """Of several certificates of one key, which issuers renew, one that counts at that moment."""
            known = [each for each in self._known.get(of.issuer, ()) if made(each.certificate, of)]
            known = known or [each for each in between if made(each.certificate, of)]
            # Who ended one does not see it go on by another's list, or by what comes with a document.
            alike = [each for each in known if each.listed == known[0].listed]
            good = (each for each in alike if self._is_for(each.certificate, purpose) and may(each, len(path)))
            return next(good, known[0] if known else None)

        found = maker(own)
        while found is not None and found not in path and len(path) < _DEEPEST:
            broken |= not may(found, len(path))
            path.append(found)
            if found.root:
                return (Chain.BROKEN if broken else Chain.TRUSTED), path, unsaid
            above = maker(found.certificate)
            if above is not None:
                said = _status(found.certificate, above.certificate, moment, []).revocation
                broken |= said in {Revocation.REVOKED, Revocation.SUSPENDED}
                if said is Revocation.UNAVAILABLE and not self._published(found.certificate):
                    unsaid = unsaid or (found.certificate, above.certificate)
            found = above
        return Chain.UNKNOWN, [], None

    def _authority(self, path: Sequence[_Issuer]) -> str:
        """What its list calls the issuer; at least that it stands on another's, for its name may be ours."""
        if not path:
            return ""
        keeper = path[-1].listed
        return path[0].authority or (f"{keeper}/" if keeper else "")

    def _root(self, certificate: x509.Certificate) -> _Issuer:
        return _Issuer(certificate, root=True, listed=self._keepers.get(_name(certificate), ""))

    def _published(self, issuer: x509.Certificate) -> bool:
        """Whether a trust list names it: it stays trusted without a word of its own for as long as it stands there."""
        return any(each.certificate == issuer for each in self._issuers)

    def _trusted_then(self, certificate: x509.Certificate, moment: "_Moment") -> bool:
        """What the trust list said at that moment, not what it says today."""
        if not self._periods:
            return True
        start, end = self._periods.get(_name(certificate), (None, None))
        moment.compared(start, end)
        when = moment.when
        return (start is None or start <= when) and (end is None or when < end)

    def _is_for(self, certificate: x509.Certificate, purpose: str) -> bool:
        """What a list trusts for time-stamps vouches for no signer, and the other way round."""
        return not self._purposes or purpose in self._purposes.get(_name(certificate), _BOTH)

    def _named_itself(self, own: x509.Certificate) -> bool:
        return _STAMP in self._purposes.get(_name(own), frozenset()) and any(
            each.certificate == own for each in self._roots
        )


@dataclass(frozen=True, kw_only=True)
class _Moment:
    at: datetime
    # By a time-stamp.
    proven: datetime | None
    lists: Sequence[x509.CertificateRevocationList]
    answers: Sequence[Answers]
    # What was asked for because of this document.
    asked_lists: Sequence[x509.CertificateRevocationList] = ()
    asked_answers: Sequence[Answers] = ()
    # Everything that ``at`` and ``proven`` were compared with, so that the answer can be kept (``remembered``).
    instants: list[datetime] = field(default_factory=list)

    @property
    def when(self) -> datetime:
        """As of which moment a certificate is judged."""
        return self.proven or self.at

    def compared(self, *with_: datetime | None) -> None:
        """Note what one of the moments is compared with; whoever compares them calls this first."""
        self.instants.extend(each for each in with_ if each is not None)


@dataclass(frozen=True)
class _Status:
    revocation: Revocation
    revoked_at: datetime | None = None
    said_at: datetime | None = None
    said_until: datetime | None = None
    asked: bool = False


def _status(
    own: x509.Certificate, issuer: x509.Certificate, moment: _Moment, others: Sequence[x509.Certificate]
) -> _Status:
    held = _said(own, issuer, moment.lists, moment.answers, others)
    asked = _said(own, issuer, moment.asked_lists, moment.asked_answers, others)
    for found in (*held, *asked):
        moment.compared(found.since, found.until, found.revoked_at)
    usable = [found for found in (*held, *asked) if _counts(found, own, moment)]
    # Revoked is revoked: a newer word that it is not comes from somebody else who has that key, and an older one lasts.
    final = [found for found in (*held, *asked) if found.final and found.since <= moment.at]
    if not usable and not final:
        return _Status(Revocation.UNAVAILABLE)
    newest = max(final or usable, key=lambda found: found.since)
    said: dict[str, Any] = {
        "said_at": newest.since,
        "said_until": newest.until,
        "asked": any(newest is each for each in asked),
    }
    if newest.revoked_at is None:
        return _Status(Revocation.GOOD, **said)
    if moment.proven is not None and moment.proven < newest.revoked_at:
        return _Status(Revocation.LATER, newest.revoked_at, **said)
    return _Status(Revocation.SUSPENDED if newest.held else Revocation.REVOKED, newest.revoked_at, **said)


def _said(
    own: x509.Certificate,
    issuer: x509.Certificate,
    lists: Sequence[x509.CertificateRevocationList],
    answers: Sequence[Answers],
    others: Sequence[x509.Certificate],
) -> list[Statement]:
    def gone(responder: x509.Certificate) -> bool:
        return any(_of_list(each, responder).final for each in lists if list_made(issuer, each))

    said = [
        _of_list(found, own)
        for found in lists
        if (_holds(found, own) or _names(found, own)) and list_made(issuer, found)
    ]
    return said + [found for answer in answers for found in answer.about(own, issuer, others, gone)]


def _counts(found: Statement, own: x509.Certificate, moment: _Moment) -> bool:
    if found.since > moment.at or (found.weak and found.revoked_at is None):
        return False
    known = found.revoked_at is not None or found.keeps_expired or found.since <= own.not_valid_after_utc
    if found.until is not None and moment.at <= found.until:
        return known
    if moment.proven is None:
        return False
    in_force = found.until is not None and found.since <= moment.proven <= found.until
    return known and (in_force or found.since >= moment.proven)


def _of_list(found: x509.CertificateRevocationList, own: x509.Certificate) -> Statement:
    entry = found.get_revoked_certificate_by_serial_number(own.serial_number)
    keeps = any(each.oid == _EXPIRED_KEPT for each in found.extensions)
    if entry is None:
        return Statement(
            since=found.last_update_utc, until=found.next_update_utc, keeps_expired=keeps, weak=weakly_made(found)
        )
    reason = _reason(entry)
    return Statement(
        since=found.last_update_utc,
        until=found.next_update_utc,
        revoked_at=min(entry.revocation_date_utc, _known_bad(entry) or entry.revocation_date_utc),
        held=reason is x509.ReasonFlags.certificate_hold,
        keeps_expired=keeps,
    )


def _reason(entry: x509.RevokedCertificate) -> x509.ReasonFlags:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return x509.ReasonFlags.unspecified


def _known_bad(entry: x509.RevokedCertificate) -> datetime | None:
    """Since when the key is known to be lost, which may be long before it was revoked."""
    try:
        return entry.extensions.get_extension_for_class(x509.InvalidityDate).value.invalidity_date_utc
    except x509.ExtensionNotFound:
        return None


def _may_issue(issuer: x509.Certificate, *, depth: int, moment: _Moment) -> bool:
    try:
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    deep_enough = basic.path_length is None or basic.path_length >= depth
    moment.compared(issuer.not_valid_before_utc, issuer.not_valid_after_utc)
    in_time = issuer.not_valid_before_utc <= moment.when <= issuer.not_valid_after_utc
    return basic.ca and usage.key_cert_sign and deep_enough and in_time


def _holds(found: x509.CertificateRevocationList, own: x509.Certificate) -> bool:
    """Whether the list would name this certificate if it were revoked (RFC 5280 section 6.3.3 (b)).

    A list of another shard says nothing about it, and a delta says nothing by itself.
    """
    try:
        critical = [each for each in found.extensions if each.critical]
    except (ValueError, x509.DuplicateExtension):
        return False
    if not all(isinstance(each.value, x509.IssuingDistributionPoint) for each in critical):
        return False
    points = [each.value for each in found.extensions if isinstance(each.value, x509.IssuingDistributionPoint)]
    return all(_whole_scope(each, own) and _named(each, own) for each in points)


def _whole_scope(point: x509.IssuingDistributionPoint, own: x509.Certificate) -> bool:
    issues = _issues(own)
    return not (
        (point.only_contains_user_certs and issues)
        or (point.only_contains_ca_certs and not issues)
        or point.only_contains_attribute_certs
        or point.indirect_crl
        or point.only_some_reasons
    )


def _issues(own: x509.Certificate) -> bool:
    try:
        return own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _names(found: x509.CertificateRevocationList, own: x509.Certificate) -> bool:
    """Whether a list takes this certificate back that says too little to clear anybody, as a delta."""
    try:
        partial = [each.value for each in found.extensions if each.critical]
        entry = found.get_revoked_certificate_by_serial_number(own.serial_number)
        known = entry is not None and _reason(entry) is not x509.ReasonFlags.remove_from_crl
    except (ValueError, x509.DuplicateExtension):
        return False
    return known and all(
        isinstance(each, x509.DeltaCRLIndicator)
        or (isinstance(each, x509.IssuingDistributionPoint) and not each.indirect_crl)
        for each in partial
    )


def _named(point: x509.IssuingDistributionPoint, own: x509.Certificate) -> bool:
    if point.full_name is None:
        return point.relative_name is None
    try:
        where = own.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return False
    return any(name in point.full_name for each in where for name in each.full_name or ())


def _read(others: Sequence[bytes]) -> list[x509.Certificate]:
    found = []
    for der in others[:_MOST_OTHERS]:
        try:
            found.append(x509.load_der_x509_certificate(der))
        except ValueError:
            continue
    return found


def _read_lists(lists: Iterable[bytes]) -> list[x509.CertificateRevocationList]:
    return [found for found in map(read_list, lists) if found is not None]


def read_list(der: bytes) -> x509.CertificateRevocationList | None:
    """A revocation list, or nothing: one that cannot be read is as good as none."""
    try:
        return x509.load_der_x509_crl(der)
    except ValueError:
        return None


def _may_sign(own: x509.Certificate) -> bool:
    try:
        usage = own.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    try:
        purposes = set(own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        purposes = set(_SIGNING)
    return (usage.content_commitment or usage.digital_signature) and bool(purposes & _SIGNING)


def _may_stamp(own: x509.Certificate) -> bool:
    """Time-stamping and nothing else, and the issuer says so critically (RFC 3161 section 2.3)."""
    try:
        purposes = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return purposes.critical and set(purposes.value) == _STAMPING


def _digest(of: bytes) -> bytes:
    return hashlib.sha256(of).digest()


def _name(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def _says_qualified(own: x509.Certificate) -> bool:
    try:
        said = own.extensions.get_extension_for_oid(_QUALIFIED).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return isinstance(said, x509.UnrecognizedExtension) and _QC_COMPLIANCE in said.value


def _part(name: x509.Name, oid: ObjectIdentifier) -> str:
    values = name.get_attributes_for_oid(oid)
    text = str(values[0].value) if values else ""
    # Names are shown on terminals too: control characters never get that far.
    return "".join(character for character in text if character.isprintable())[:200]


def _identifier(own: x509.Certificate) -> str:
    try:
        names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ""
    for uri in names.get_values_for_type(x509.UniformResourceIdentifier):
        if uri.startswith("urn:uuid:"):
            return uri.removeprefix("urn:uuid:")[:64]
    return ""
