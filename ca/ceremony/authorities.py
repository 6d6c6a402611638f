# SPDX-License-Identifier: Apache-2.0
"""The certificates that stand above every issuance: a root, its issuing authorities, and the root's revocation list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from core.site import SiteSettings

from ..config import CASettings
from ..errors import LintStopped
from ..models import ROOT
from ..x509 import PROFILES, Linter, Locations, algorithm_for, draw, policy_oid
from ..x509.lists import Withdrawn, draft_crl

ROOT_LIFE = timedelta(days=20 * 365)
ISSUER_LIFE = timedelta(days=10 * 365)

_TITLES = {
    "people": "People",
    "devices": "Devices",
    "organisations": "Organisations",
    "infrastructure": "Infrastructure",
}


@dataclass(frozen=True)
class Authority:
    """A certificate and the key it is about."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class Hall:
    """Where a ceremony is held: everything its certificates have in common."""

    def __init__(self, *, site: SiteSettings, settings: CASettings, linter: Linter, at: datetime) -> None:
        self._site = site
        self._settings = settings
        self._linter = linter
        self._at = at

    def root(self) -> Authority:
        """A self-signed root."""
        key = ec.generate_private_key(ec.SECP384R1())
        name = self._name("Root")
        ends = self._at + ROOT_LIFE - timedelta(seconds=1)
        # Optional in a self-signed certificate (RFC 5280 section 4.2.1.1), and here so that the draft under a
        # throw-away key, which is not self-signed, is whole.
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        builder = (
            self._template(name, name, key, ends=ends)
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(own, critical=False)
        )
        return self._sign(builder, key, key)

    def issuer(self, issuer: str, root: Authority) -> Authority:
        """An issuing authority that can vouch for its own profiles only; it says where the root's list is."""
        key = ec.generate_private_key(ec.SECP256R1())
        ends = min(self._at + ISSUER_LIFE - timedelta(seconds=1), root.certificate.not_valid_after_utc)
        root_id = root.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        policies = [
            x509.PolicyInformation(policy_oid(self._site.oid_base, each), None)
            for each in PROFILES.values()
            if issuer in each.issuers
        ]
        where = Locations.under(self._site.origin("pki", "plain"), ROOT)
        builder = (
            self._template(self._name(_TITLES[issuer]), root.certificate.subject, key, ends=ends)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_id), critical=False)
            .add_extension(x509.CertificatePolicies(policies), critical=False)
            .add_extension(_list_at(where.crl), critical=False)
            .add_extension(_authority_at(where.authority), critical=False)
        )
        return self._sign(builder, key, root.key)

    def root_list(self, root: Authority, *, number: int, entries: Sequence[Withdrawn] = ()) -> bytes:
        """The root's revocation list, DER: which issuing authorities may no longer be believed."""
        until = min(self._at + self._settings.root_crl_lifetime, root.certificate.not_valid_after_utc)
        builder = draft_crl(root.certificate, number=number, entries=entries, at=self._at, until=until)
        throw_away = ec.generate_private_key(root.key.curve)
        draft = builder.sign(throw_away, algorithm_for(throw_away))
        self._demand_clean(self._linter.list_findings(draft.public_bytes(Encoding.DER)))
        return builder.sign(root.key, algorithm_for(root.key)).public_bytes(Encoding.DER)

    def _template(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, ends: datetime
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
            .public_key(key.public_key())
            .not_valid_before(self._at)
            .not_valid_after(ends)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )

    def _sign(
        self, builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signing: ec.EllipticCurvePrivateKey
    ) -> Authority:
        # Lint before the real key is touched, as everywhere.
        throw_away = ec.generate_private_key(signing.curve)
        draft = builder.sign(throw_away, algorithm_for(throw_away))
        self._demand_clean(self._linter.findings(draft.public_bytes(Encoding.DER)))
        return Authority(builder.sign(signing, algorithm_for(signing)), key)

    def _demand_clean(self, findings: list[tuple[str, str]]) -> None:
        if findings:
            raise LintStopped(finding=findings[0][0])

    def _name(self, title: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, self._settings.country),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self._site.title[:64].strip()),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Tallygate {self._site.name} {title} CA"),
            ]
        )


def _list_at(address: str) -> x509.CRLDistributionPoints:
    return x509.CRLDistributionPoints(
        [x509.DistributionPoint([x509.UniformResourceIdentifier(address)], None, None, None)]
    )


def _authority_at(address: str) -> x509.AuthorityInformationAccess:
    where = x509.UniformResourceIdentifier(address)
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, where)])
