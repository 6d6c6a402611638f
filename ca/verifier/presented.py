# SPDX-License-Identifier: Apache-2.0
"""Is a presented certificate ours, valid now, and meant for this? Chain, dates and purpose; status is asked apart.

The chain has one possible shape: root, one issuing authority of the right kind, certificate. So no path is built; the
one there is is validated as RFC 5280 section 6.1 says, against the site's own files. Of an authority that was renewed,
every generation is believed until it ends or its root takes it back. Whatever is wrong, the answer is the same refusal.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, ObjectIdentifier

from ..errors import CertificateRefused
from ..hierarchy import IssuingAuthority, PublicFolder, policies_of
from ..models import VerifiedCertificate, serial_hex
from ..x509.paths import validate
from ..x509.profiles import DOCUMENT_SIGNING, PROFILES, SITE

Purpose = Literal["person", "device", "organisation"]

LONGEST = 16 * 1024
"""Bytes of a presented certificate; ours have about 1 KiB."""

_ONE_PEM = re.compile(rb"\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*", re.ASCII)
_URN = re.compile(r"urn:uuid:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_TAG = re.compile(r"tag:[a-z0-9.-]+,2026:organisation:([a-z0-9]+(?:-[a-z0-9]+)*)")
_UNDERSTOOD = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE})
# A policy below the site's own arc is known by its end: an issuer of the site says which arc that is.
_NAMES = {each.policy.removeprefix(SITE): each.name for each in PROFILES.values()}


@dataclass(frozen=True)
class _Rule:
    issuer: str
    extended: ObjectIdentifier
    name: re.Pattern[str]


_RULES: Mapping[str, _Rule] = {
    "person": _Rule("people", ExtendedKeyUsageOID.CLIENT_AUTH, _URN),
    "device": _Rule("devices", ExtendedKeyUsageOID.CLIENT_AUTH, _URN),
    "organisation": _Rule("organisations", DOCUMENT_SIGNING, _TAG),
}


class CertificateVerifier:
    """Holds the site's roots and issuing authorities, of every generation and both hierarchies."""

    def __init__(self, issuers: Callable[[], Iterable[IssuingAuthority]]) -> None:
        """Ask ``issuers`` at each look whom to believe."""
        self._issuers = issuers

    @classmethod
    def load(cls, public: Path) -> Self:
        """Read the site's public folder, and again when a ceremony changed it; whom its root took back is not believed.

        Raises:
            KeyUnusable: a certificate is missing, or an authority or a list is not signed by its root.
        """
        return cls(PublicFolder(public).issuers)

    def verify(self, unverified_pem: bytes, *, purpose: Purpose, at: datetime) -> VerifiedCertificate:
        """Return what the certificate says, after everything but its status was checked.

        Raises:
            CertificateRefused: for every reason alike.
        """
        rule = _RULES[purpose]
        try:
            certificate = _read(unverified_pem)
            issuer = self._issuer(certificate, rule.issuer)
            validate((issuer.certificate, certificate), anchor=issuer.root.certificate, at=at)
            _check_dates(issuer.root.certificate, at)
            _check_use(certificate, rule)
            return VerifiedCertificate(
                serial=serial_hex(certificate.serial_number),
                issuer=rule.issuer,
                authority=str(issuer.name),
                subject=_subject(certificate, rule),
                kind=purpose,
                profile=_profile(certificate, issuer.certificate),
                not_after=certificate.not_valid_after_utc,
            )
        except (
            ValueError,
            TypeError,
            InvalidSignature,
            UnsupportedAlgorithm,
            x509.ExtensionNotFound,
            x509.DuplicateExtension,
            x509.InvalidVersion,
            x509.UnsupportedGeneralNameType,
        ) as error:
            raise CertificateRefused from error

    def _issuer(self, certificate: x509.Certificate, kind: str) -> IssuingAuthority:
        """The generation that the certificate says to be signed by."""
        named = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        for each in self._issuers():
            own = each.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
            if each.name.kind == kind and own == named and not each.withdrawn:
                return each
        raise CertificateRefused


def _read(unverified: bytes) -> x509.Certificate:
    if len(unverified) > LONGEST or not _ONE_PEM.fullmatch(unverified):
        raise CertificateRefused
    return x509.load_pem_x509_certificate(unverified)


def _check_dates(certificate: x509.Certificate, at: datetime) -> None:
    # Both ends count (RFC 5280 section 4.1.2.5); the last second is valid to its end.
    if not certificate.not_valid_before_utc <= at.replace(microsecond=0) <= certificate.not_valid_after_utc:
        raise CertificateRefused


def _check_use(certificate: x509.Certificate, rule: _Rule) -> None:
    extensions = certificate.extensions
    if any(each.critical and each.oid not in _UNDERSTOOD for each in extensions):
        raise CertificateRefused
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    if extensions.get_extension_for_class(x509.BasicConstraints).value.ca or usage.key_cert_sign:
        raise CertificateRefused
    extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if rule.extended not in extended or not usage.digital_signature:
        raise CertificateRefused


def _subject(certificate: x509.Certificate, rule: _Rule) -> str:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    found = [rule.name.fullmatch(name) for name in names.get_values_for_type(x509.UniformResourceIdentifier)]
    if len(found) != 1 or found[0] is None:
        raise CertificateRefused
    return found[0].group(1)


def _profile(certificate: x509.Certificate, issuer: x509.Certificate) -> str:
    """The one policy of the certificate, which its issuer must be allowed to assert (RFC 5280 section 6.1.3)."""
    policies = policies_of(certificate)
    if len(policies) != 1 or not policies <= policies_of(issuer):
        raise CertificateRefused
    policy = next(iter(policies)).dotted_string
    ends = ["." + ".".join(policy.split(".")[place:]) for place in range(1, policy.count(".") + 1)]
    names = [_NAMES[each] for each in (policy, *ends) if each in _NAMES]
    if not names:
        raise CertificateRefused
    return names[0]
