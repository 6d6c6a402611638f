# SPDX-License-Identifier: Apache-2.0
"""What stands above every issuance: roots, issuing authorities, cross-certificates, and a root's revocation list."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from core.site import SiteSettings

from ..config import CASettings
from ..errors import KeyUnusable, LintStopped
from ..models import ROOT, AuthorityName
from ..x509 import (
    PROFILES,
    Algorithm,
    Locations,
    SigningKey,
    algorithm_for,
    algorithm_of,
    draw,
    generate,
    policy_oid,
    throw_away,
)
from ..x509.algorithms import PublicKey
from ..x509.lint import Linter
from ..x509.lists import Withdrawn, draft_crl

ROOT_LIFE = timedelta(days=20 * 365)
ISSUER_LIFE = timedelta(days=10 * 365)
FIRST_ROOT = AuthorityName(ROOT)

_TITLES = {
    ROOT: "Root",
    "people": "People",
    "devices": "Devices",
    "organisations": "Organisations",
    "infrastructure": "Infrastructure",
}


@dataclass(frozen=True)
class Authority:
    """A certificate and the key it is about."""

    certificate: x509.Certificate
    key: SigningKey


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """What an authority may speak of at all; nothing said is nothing constrained."""

    # DNS names are these or below them.
    dns: tuple[str, ...] = ()
    # Addresses lie in these networks.
    networks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for each in self.networks:
            ipaddress.ip_network(each)
        if not all(each and each.isascii() and each == each.lower() and each[0] != "." for each in self.dns):
            raise ValueError("a DNS constraint is a domain in lower-case letters")

    def extension(self) -> x509.NameConstraints | None:
        """As it stands in a certificate."""
        permitted: list[x509.GeneralName] = [x509.DNSName(each) for each in self.dns]
        permitted += [x509.IPAddress(ipaddress.ip_network(each)) for each in self.networks]
        return x509.NameConstraints(permitted, None) if permitted else None


UNCONSTRAINED = Constraints()


class Hall:
    """Where a ceremony is held: everything its certificates have in common."""

    def __init__(self, *, site: SiteSettings, settings: CASettings, linter: Linter, at: datetime) -> None:
        self._site = site
        self._settings = settings
        self._linter = linter
        self._at = at

    def root(
        self, name: AuthorityName = FIRST_ROOT, *, key: SigningKey | None = None, life: timedelta = ROOT_LIFE
    ) -> Authority:
        """A self-signed root."""
        own = key or generate(Algorithm.P384)
        title = self._name(_title(name))
        ends = self._at + life - timedelta(seconds=1)
        # Optional in a self-signed certificate (RFC 5280 section 4.2.1.1), and here so that the draft under a
        # throw-away key, which is not self-signed, is whole.
        builder = (
            self._template(title, title, own.public_key(), ends=ends)
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(own.public_key()), critical=False)
        )
        return Authority(self._sign(builder, own), own)

    def issuer(
        self,
        name: AuthorityName,
        root: Authority,
        *,
        root_name: AuthorityName = FIRST_ROOT,
        key: SigningKey | None = None,
        life: timedelta = ISSUER_LIFE,
        constraints: Constraints = UNCONSTRAINED,
    ) -> Authority:
        """An issuing authority that can vouch for its own profiles only; it says where the root's list is."""
        own = key or generate(Algorithm.P256)
        policies = [policy_oid(self._site.oid_base, each) for each in PROFILES.values() if name.kind in each.issuers]
        # Nothing outlives its issuer.
        ends = min(self._at + life - timedelta(seconds=1), root.certificate.not_valid_after_utc)
        builder = self._template(self._name(_title(name)), root.certificate.subject, own.public_key(), ends=ends)
        made = self._below(
            builder, root, root_name=root_name, path_length=0, policies=policies, constraints=constraints
        )
        return Authority(made, own)

    def cross(
        self,
        other: x509.Certificate,
        root: Authority,
        *,
        root_name: AuthorityName,
        path_length: int,
        policies: Sequence[x509.ObjectIdentifier],
        life: timedelta,
        constraints: Constraints,
    ) -> x509.Certificate:
        """A certificate of ours about somebody else's root, so that who trusts ours reaches what theirs vouches for."""
        key = other.public_key()
        if not isinstance(key, PublicKey):
            raise KeyUnusable(path=other.subject.rfc4514_string(), why="not of a kind that authorities have")
        last = (root.certificate.not_valid_after_utc, other.not_valid_after_utc)
        ends = min(self._at + life - timedelta(seconds=1), *last)
        identifier = other.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = self._template(other.subject, root.certificate.subject, key, ends=ends, identifier=identifier)
        return self._below(
            builder, root, root_name=root_name, path_length=path_length, policies=policies, constraints=constraints
        )

    def root_list(self, root: Authority, *, number: int, entries: Sequence[Withdrawn] = ()) -> bytes:
        """The root's revocation list, DER: which issuing authorities may no longer be believed."""
        until = min(self._at + self._settings.root_crl_lifetime, root.certificate.not_valid_after_utc)
        builder = draft_crl(root.certificate, number=number, entries=entries, at=self._at, until=until)
        stand_in = _stand_in(root.key)
        draft = builder.sign(stand_in, algorithm_for(stand_in))
        self._demand_clean(self._linter.list_findings(draft.public_bytes(Encoding.DER)))
        return builder.sign(root.key, algorithm_for(root.key)).public_bytes(Encoding.DER)

    def _below(
        self,
        builder: x509.CertificateBuilder,
        root: Authority,
        *,
        root_name: AuthorityName,
        path_length: int,
        policies: Sequence[x509.ObjectIdentifier],
        constraints: Constraints,
    ) -> x509.Certificate:
        """What every certificate that a root signs holds."""
        root_id = root.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        where = Locations.under(self._site.origin("pki", "plain"), str(root_name))
        said = [x509.PolicyInformation(each, None) for each in policies]
        builder = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_id), critical=False)
            .add_extension(x509.CertificatePolicies(said), critical=False)
            .add_extension(_list_at(where.crl), critical=False)
            .add_extension(_authority_at(where.authority), critical=False)
        )
        names = constraints.extension()
        if names is not None:
            builder = builder.add_extension(names, critical=True)
        return self._sign(builder, root.key)

    def _template(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        key: PublicKey,
        *,
        ends: datetime,
        identifier: x509.SubjectKeyIdentifier | None = None,
    ) -> x509.CertificateBuilder:
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        return (
            x509.CertificateBuilder()
            .serial_number(draw(self._settings.instance))
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .not_valid_before(self._at)
            .not_valid_after(ends)
            .add_extension(usage, critical=True)
            .add_extension(identifier or x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )

    def _sign(self, builder: x509.CertificateBuilder, signing: SigningKey) -> x509.Certificate:
        # Lint before the real key is touched, as everywhere.
        stand_in = _stand_in(signing)
        draft = builder.sign(stand_in, algorithm_for(stand_in))
        self._demand_clean(self._linter.findings(draft.public_bytes(Encoding.DER)))
        return builder.sign(signing, algorithm_for(signing))

    def _demand_clean(self, findings: list[tuple[str, str]]) -> None:
        if findings:
            raise LintStopped(finding=findings[0][0])

    def _name(self, title: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, self._settings.country),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self._site.title[:64].strip()),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Tallygate {self._site.name} {title}"),
            ]
        )


def _title(name: AuthorityName) -> str:
    """No two authorities, and no two generations of one, have the same name."""
    family = " ML-DSA" if name.ml_dsa else ""
    return f"{_TITLES[name.kind]}{family} CA" + (f" {name.generation}" if name.generation > 1 else "")


def _stand_in(key: SigningKey) -> SigningKey:
    algorithm = algorithm_of(key)
    if algorithm is None:
        raise KeyUnusable(path=ROOT, why="not of a kind that authorities have")
    return throw_away(algorithm)


def _list_at(address: str) -> x509.CRLDistributionPoints:
    return x509.CRLDistributionPoints(
        [x509.DistributionPoint([x509.UniformResourceIdentifier(address)], None, None, None)]
    )


def _authority_at(address: str) -> x509.AuthorityInformationAccess:
    where = x509.UniformResourceIdentifier(address)
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, where)])
