# SPDX-License-Identifier: Apache-2.0
"""What a signer's certificate is worth: its chain, its purpose, its dates and its place on the issuer's list.

This is a second, independent opinion beside the library's path validation, and the one that can say why.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from ..models import CertificateFacts, Chain, Revocation, Trust

# Document signing (RFC 9336), e-mail protection, Microsoft's document signing, any.
_SIGNING = {
    ObjectIdentifier("1.3.6.1.5.5.7.3.36"),
    ExtendedKeyUsageOID.EMAIL_PROTECTION,
    ObjectIdentifier("1.3.6.1.4.1.311.10.3.12"),
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
}
_DEEPEST = 6


@dataclass(frozen=True)
class _Issuer:
    certificate: x509.Certificate
    # Name among the site's issuing authorities, "" for roots and strangers.
    authority: str


class Assessor:
    """Holds the issuers and lists of many verifications."""

    def __init__(self, trust: Trust, *, lists: Iterable[bytes]) -> None:
        self._signing = trust.signing
        self._roots = [_Issuer(x509.load_pem_x509_certificate(root.encode()), "") for root in trust.roots]
        self._issuers = [
            _Issuer(x509.load_pem_x509_certificate(text.encode()), name) for name, text in trust.issuers.items()
        ]
        self._lists = [found for found in map(read_list, lists) if found is not None]

    def assess(self, der: bytes, *, others: Sequence[bytes], at: datetime) -> CertificateFacts:
        """Look at one certificate as of ``at``; ``others`` came with the document: believed as far as they verify.

        Raises:
            ValueError: not a certificate.
        """
        own = x509.load_der_x509_certificate(der)
        chain, path = self._climb(own, [*self._issuers, *(_Issuer(found, "") for found in _read(others))], at)
        authority = path[0].authority if path else ""
        issuer = path[0].certificate if path else None
        revocation, revoked_at = self._status(own, issuer, at) if issuer else (Revocation.UNAVAILABLE, None)
        return CertificateFacts(
            serial=f"{own.serial_number:x}",
            name=_part(own.subject, NameOID.COMMON_NAME),
            organisation=_part(own.subject, NameOID.ORGANIZATION_NAME),
            subject=_identifier(own),
            issuer=_part(own.issuer, NameOID.COMMON_NAME) or _part(own.issuer, NameOID.ORGANIZATION_NAME),
            not_before=own.not_valid_before_utc,
            not_after=own.not_valid_after_utc,
            chain=chain,
            authority=authority,
            purpose=_may_sign(own) and (not self._signing or authority in self._signing),
            revocation=revocation,
            revoked_at=revoked_at,
        )

    def _climb(self, own: x509.Certificate, between: list[_Issuer], at: datetime) -> tuple[Chain, list[_Issuer]]:
        path: list[_Issuer] = []
        current = own
        broken = False
        for _ in range(_DEEPEST):
            root = next((one for one in self._roots if _made(one.certificate, current)), None)
            found = root or next((one for one in between if _made(one.certificate, current)), None)
            if found is None or found in path:
                return Chain.UNKNOWN, []
            path.append(found)
            broken |= not _may_issue(found.certificate, depth=len(path) - 1, at=at)
            if root is not None:
                return (Chain.BROKEN if broken else Chain.TRUSTED), path
            above = next((one for one in [*self._roots, *between] if _made(one.certificate, found.certificate)), None)
            if above is not None:
                # An issuer without a list of its own stays trusted for as long as the site publishes it.
                broken |= self._status(found.certificate, above.certificate, at)[0] in {
                    Revocation.REVOKED,
                    Revocation.SUSPENDED,
                }
            current = found.certificate
        return Chain.UNKNOWN, []

    def _status(
        self, own: x509.Certificate, issuer: x509.Certificate, at: datetime
    ) -> tuple[Revocation, datetime | None]:
        fresh = [found for found in self._lists if _fresh(found, at) and _signed_by(found, issuer)]
        usable = [found for found in fresh if _holds(found, own)]
        if not usable:
            return Revocation.UNAVAILABLE, None
        newest = max(usable, key=lambda found: found.last_update_utc)
        entry = newest.get_revoked_certificate_by_serial_number(own.serial_number)
        if entry is None:
            return Revocation.GOOD, None
        try:
            reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        except x509.ExtensionNotFound:
            reason = x509.ReasonFlags.unspecified
        held = reason is x509.ReasonFlags.certificate_hold
        return (Revocation.SUSPENDED if held else Revocation.REVOKED), entry.revocation_date_utc


def _may_issue(issuer: x509.Certificate, *, depth: int, at: datetime) -> bool:
    try:
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    deep_enough = basic.path_length is None or basic.path_length >= depth
    in_time = issuer.not_valid_before_utc <= at <= issuer.not_valid_after_utc
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
    return all(_whole_scope(each) and _named(each, own) for each in points)


def _whole_scope(point: x509.IssuingDistributionPoint) -> bool:
    return not (
        point.only_contains_user_certs
        or point.only_contains_ca_certs
        or point.only_contains_attribute_certs
        or point.indirect_crl
        or point.only_some_reasons
    )


def _named(point: x509.IssuingDistributionPoint, own: x509.Certificate) -> bool:
    if point.full_name is None:
        return point.relative_name is None
    try:
        where = own.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return False
    return any(name in point.full_name for each in where for name in each.full_name or ())


def _fresh(found: x509.CertificateRevocationList, at: datetime) -> bool:
    return found.next_update_utc is not None and found.last_update_utc <= at <= found.next_update_utc


def _made(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _signed_by(found: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    if found.issuer != issuer.subject:
        return False
    key = issuer.public_key()
    try:
        return isinstance(key, EllipticCurvePublicKey | RSAPublicKey) and found.is_signature_valid(key)
    except (ValueError, TypeError):
        return False


def _read(others: Sequence[bytes]) -> list[x509.Certificate]:
    found = []
    for der in others[:16]:
        try:
            found.append(x509.load_der_x509_certificate(der))
        except ValueError:
            continue
    return found


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
