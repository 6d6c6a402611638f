# SPDX-License-Identifier: Apache-2.0
"""From profile, subject and key to the certificate that would be signed; the same input gives the same bytes."""

import ipaddress
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from core.errors import N_

from ..errors import IssuerUnusable, SubjectUnsuitable
from .constraints import Constraints
from .profiles import EXTENDED_OIDS, NAME_OIDS, SITE, AlternativeType, Profile, Usage, fill
from .request import CertificateRequest

BACKDATE = timedelta(minutes=1)
"""Clocks of relying parties may be behind ours by this much."""

_LONGEST_NAME = 64
_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
_UTF8_STRING = 0x0C
_LONGEST_SHORT = 0x7F


@dataclass(frozen=True, kw_only=True)
class IssuerFacts:
    """The public half of an issuing authority."""

    name: str
    certificate: x509.Certificate


def list_path(issuer: str, shard: int, *, delta: bool = False) -> str:
    """Where a list lies: the whole one (shard 0) under its issuer's name alone."""
    if delta:
        return f"/crl/{issuer}/{shard}-delta.crl" if shard else f"/crl/{issuer}-delta.crl"
    return f"/crl/{issuer}/{shard}.crl" if shard else f"/crl/{issuer}.crl"


@dataclass(frozen=True, kw_only=True)
class Locations:
    """Where relying parties find out about an issuer's certificates; plain HTTP, for what must work before trust."""

    crl: str
    ocsp: str
    authority: str

    @classmethod
    def under(cls, origin: str, issuer: str, *, shard: int = 0) -> Self:
        """The addresses of one issuer below the origin of the site's plain listener."""
        return cls(
            crl=f"{origin}{list_path(issuer, shard)}",
            ocsp=f"{origin}/ocsp/{issuer}",
            authority=f"{origin}/ca/{issuer}.cer",
        )


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Who the certificate will speak of, as the directory says."""

    # As people call it.
    name: str
    # What the profile's templates are filled with, by placeholder.
    attributes: Mapping[str, str]
    hosts: tuple[str, ...] = ()
    # When what it is founded on ends, a mandate say; the certificate does not outlive that.
    until: datetime | None = None


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
    below = profile.policy.removeprefix(SITE)
    return x509.ObjectIdentifier(profile.policy if below == profile.policy else f"{base}{below}")


def validity(
    profile: Profile, issuer: x509.Certificate, at: datetime, *, until: datetime | None = None
) -> tuple[datetime, datetime]:
    """First and last second of validity: both count (RFC 5280 section 4.1.2.5).

    Nothing outlives its issuer, nor ``until``.

    Raises:
        IssuerUnusable: the issuer is not valid now.
        SubjectUnsuitable: ``until`` is over.
    """
    now = at.replace(microsecond=0)
    if not issuer.not_valid_before_utc <= now < issuer.not_valid_after_utc:
        raise IssuerUnusable
    begins = max(now - BACKDATE, issuer.not_valid_before_utc)
    ends = min(begins + profile.validity - timedelta(seconds=1), issuer.not_valid_after_utc)
    if until is not None:
        if until <= now:
            raise SubjectUnsuitable(why=N_("what it would be founded on has ended"))
        ends = min(ends, until.replace(microsecond=0))
    return begins, ends


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
    above: Sequence[x509.Certificate] = (),
) -> Draft:
    """Fill the profile's template; ``above`` are the authorities over the issuer, whose constraints bind too.

    Raises:
        IssuerUnusable: see ``validity``.
        SubjectUnsuitable: a name is too long, empty, not a host name or not for this authority to speak of.
    """
    begins, ends = validity(profile, issuer.certificate, at, until=subject.until)
    try:
        name = _name(profile, subject)
        _check_constraints([x509.DirectoryName(name), *_alternatives(profile, subject)], (issuer.certificate, *above))
        builder = (
            x509.CertificateBuilder()
            .serial_number(serial)
            .issuer_name(issuer.certificate.subject)
            .subject_name(name)
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


def spelled(profile: Profile, subject: Subject) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """What the subject's name and the alternative names would say, as kind and value, in their order.

    Raises:
        SubjectUnsuitable: see ``build``.
    """
    kinds = {oid: kind.value for kind, oid in NAME_OIDS.items()}
    names = tuple((kinds[each.oid], str(each.value)) for each in _name(profile, subject))
    filled = tuple((each.kind.value, fill(each.value, subject.attributes)) for each in profile.alternatives)
    if not all(value for _, value in filled):
        raise SubjectUnsuitable(why=N_("the directory lacks what the certificate must say"))
    return names, (*filled, *(("host", each) for each in subject.hosts))


def _name(profile: Profile, subject: Subject) -> x509.Name:
    found = []
    for part in profile.names:
        value = fill(part.value, subject.attributes)
        if not value and part.optional:
            continue
        if not 0 < len(value) <= _LONGEST_NAME or not value.isprintable() or value != value.strip():
            raise SubjectUnsuitable(why=N_("a name is empty, longer than 64 characters or holds control characters"))
        # `cryptography` writes country and serialNumber as PrintableString and everything else as UTF8String.
        found.append(x509.NameAttribute(NAME_OIDS[part.attribute], value))
    return x509.Name(found)


def _check_constraints(names: Sequence[x509.GeneralName], authorities: Sequence[x509.Certificate]) -> None:
    """Hold the names against what every authority above may speak of: outside of it nobody would believe them."""
    known = Constraints()
    for each in authorities:
        with suppress(x509.ExtensionNotFound):
            known.narrow(each.extensions.get_extension_for_class(x509.NameConstraints).value)
    if not known.allow_names(names):
        raise SubjectUnsuitable(why=N_("a name lies outside what the issuing authority may speak of"))


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
        (x509.ExtendedKeyUsage([EXTENDED_OIDS[each] for each in profile.extended]), profile.extended_critical),
        (x509.SubjectKeyIdentifier.from_public_key(request.key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority), False),
        (x509.CertificatePolicies([x509.PolicyInformation(policy, None)]), False),
    ]
    alternatives = _alternatives(profile, subject)
    if alternatives:
        found.append((x509.SubjectAlternativeName(alternatives), False))
    if profile.no_check:
        found.append((x509.OCSPNoCheck(), False))
    else:
        found += _where(locations)
    return found


def _usage(profile: Profile, request: CertificateRequest) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=Usage.DIGITAL_SIGNATURE in profile.usage,
        content_commitment=Usage.CONTENT_COMMITMENT in profile.usage,
        key_encipherment=Usage.KEY_ENCIPHERMENT in profile.usage and request.algorithm == "RSA",
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(profile: Profile, subject: Subject) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for each in profile.alternatives:
        value = fill(each.value, subject.attributes)
        if not value:
            raise SubjectUnsuitable(why=N_("the directory lacks what the certificate must say"))
        if each.kind is AlternativeType.URI:
            names.append(x509.UniformResourceIdentifier(value))
        else:
            names.append(x509.OtherName(_UPN, _utf8(value)))
    for host in subject.hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def _utf8(text: str) -> bytes:
    """A UTF8String in DER."""
    content = text.encode()
    if len(content) > _LONGEST_SHORT:
        raise SubjectUnsuitable(why=N_("a name is empty, longer than 64 characters or holds control characters"))
    return bytes([_UTF8_STRING, len(content)]) + content


def _where(locations: Locations) -> list[tuple[x509.ExtensionType, bool]]:
    address = x509.UniformResourceIdentifier
    points = [x509.DistributionPoint([address(locations.crl)], None, None, None)]
    ocsp = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, address(locations.ocsp))
    authority = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, address(locations.authority))
    return [
        (x509.CRLDistributionPoints(points), False),
        (x509.AuthorityInformationAccess([ocsp, authority]), False),
    ]
