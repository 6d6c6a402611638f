# SPDX-License-Identifier: Apache-2.0
"""From profile, subject and key to the certificate that would be signed; the same input gives the same bytes."""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from core.errors import N_

from ..errors import IssuerUnusable, SubjectUnsuitable
from .profiles import Profile
from .request import CertificateRequest

BACKDATE = timedelta(minutes=1)
"""Clocks of relying parties may be behind ours by this much."""

_LONGEST_NAME = 64


@dataclass(frozen=True, kw_only=True)
class IssuerFacts:
    """The public half of an issuing authority."""

    name: str
    certificate: x509.Certificate


@dataclass(frozen=True, kw_only=True)
class Locations:
    """Where relying parties find out about an issuer's certificates; plain HTTP, for what must work before trust."""

    crl: str
    ocsp: str
    authority: str

    @classmethod
    def under(cls, origin: str, issuer: str) -> Self:
        """The addresses of one issuer below the origin of the site's plain listener."""
        return cls(
            crl=f"{origin}/crl/{issuer}.crl", ocsp=f"{origin}/ocsp/{issuer}", authority=f"{origin}/ca/{issuer}.cer"
        )


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Who the certificate will speak of, as the directory says."""

    common_name: str
    country: str
    organisation: str = ""
    # Credit code of an organisation, identifier of a person or device: tells namesakes apart.
    number: str = ""
    # How relying roles find the subject in the directory: "urn:uuid:..." or a tag (RFC 4151) for organisations.
    uri: str = ""
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Everything a certificate will hold except its signature."""

    profile: Profile
    issuer: IssuerFacts
    serial: int
    not_before: datetime
    not_after: datetime
    builder: x509.CertificateBuilder


def policy_oid(base: str, profile: Profile) -> x509.ObjectIdentifier:
    """The certificate policy of one profile."""
    return x509.ObjectIdentifier(f"{base}.1.{profile.number}")


def validity(profile: Profile, issuer: x509.Certificate, at: datetime) -> tuple[datetime, datetime]:
    """First and last second of validity: both count (RFC 5280 section 4.1.2.5), and nothing outlives its issuer.

    Raises:
        IssuerUnusable: the issuer is not valid now.
    """
    now = at.replace(microsecond=0)
    if not issuer.not_valid_before_utc <= now < issuer.not_valid_after_utc:
        raise IssuerUnusable
    begins = max(now - BACKDATE, issuer.not_valid_before_utc)
    return begins, min(begins + profile.validity - timedelta(seconds=1), issuer.not_valid_after_utc)


def build(
    *,
    profile: Profile,
    issuer: IssuerFacts,
    subject: Subject,
    request: CertificateRequest,
    serial: int,
    locations: Locations,
    oid_base: str,
    at: datetime,
) -> Draft:
    """Fill the profile's template.

    Raises:
        IssuerUnusable: see ``validity``.
        SubjectUnsuitable: a name is too long, empty or not a host name.
    """
    begins, ends = validity(profile, issuer.certificate, at)
    try:
        builder = (
            x509.CertificateBuilder()
            .serial_number(serial)
            .issuer_name(issuer.certificate.subject)
            .subject_name(_name(subject))
            .public_key(request.key)
            .not_valid_before(begins)
            .not_valid_after(ends)
        )
        for extension, critical in _extensions(
            profile,
            issuer.certificate,
            subject=subject,
            request=request,
            locations=locations,
            policy=policy_oid(oid_base, profile),
        ):
            builder = builder.add_extension(extension, critical=critical)
    except ValueError as error:
        raise SubjectUnsuitable(why=N_("a name cannot be written in a certificate")) from error
    return Draft(profile=profile, issuer=issuer, serial=serial, not_before=begins, not_after=ends, builder=builder)


def _name(subject: Subject) -> x509.Name:
    parts = [(NameOID.COUNTRY_NAME, subject.country)]
    if subject.organisation:
        parts.append((NameOID.ORGANIZATION_NAME, subject.organisation))
    if subject.number:
        parts.append((NameOID.SERIAL_NUMBER, subject.number))
    parts.append((NameOID.COMMON_NAME, subject.common_name))
    for _, value in parts:
        if not 0 < len(value) <= _LONGEST_NAME or not value.isprintable() or value != value.strip():
            raise SubjectUnsuitable(why=N_("a name is empty, longer than 64 characters or holds control characters"))
    # `cryptography` writes country and serialNumber as PrintableString and everything else as UTF8String.
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _extensions(
    profile: Profile,
    issuer: x509.Certificate,
    *,
    subject: Subject,
    request: CertificateRequest,
    locations: Locations,
    policy: x509.ObjectIdentifier,
) -> list[tuple[x509.ExtensionType, bool]]:
    authority = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(profile, request), True),
        (x509.ExtendedKeyUsage(profile.extended), profile.extended_critical),
        (x509.SubjectKeyIdentifier.from_public_key(request.key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority), False),
        (x509.CertificatePolicies([x509.PolicyInformation(policy, None)]), False),
    ]
    alternatives = _alternatives(subject)
    if alternatives:
        found.append((x509.SubjectAlternativeName(alternatives), False))
    if profile.no_check:
        found.append((x509.OCSPNoCheck(), False))
    else:
        found += _where(locations)
    return found


def _usage(profile: Profile, request: CertificateRequest) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=profile.commitment,
        key_encipherment=profile.name == "server" and request.algorithm == "RSA",
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(subject: Subject) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    if subject.uri:
        names.append(x509.UniformResourceIdentifier(subject.uri))
    for host in subject.hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def _where(locations: Locations) -> list[tuple[x509.ExtensionType, bool]]:
    address = x509.UniformResourceIdentifier
    points = [x509.DistributionPoint([address(locations.crl)], None, None, None)]
    ocsp = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, address(locations.ocsp))
    authority = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, address(locations.authority))
    return [
        (x509.CRLDistributionPoints(points), False),
        (x509.AuthorityInformationAccess([ocsp, authority]), False),
    ]
