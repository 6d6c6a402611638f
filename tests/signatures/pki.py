# SPDX-License-Identifier: Apache-2.0
"""A small public-key infrastructure for tests: a site with its two signing authorities, and a stranger's."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from signatures.models import Trust
from tests.fakes.clock import ManualClock

NOW = ManualClock().now()
DAY = timedelta(days=1)
DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
EDGE = datetime(2020, 1, 1, tzinfo=UTC)
TAX_UUID = "6f1d3d0e-7a52-4a38-9d5e-0b7f54e7a001"


class Leaf:
    """A key and its certificate."""

    def __init__(self, key: Any, certificate: x509.Certificate, chain: bytes) -> None:
        # Elliptic unless asked for otherwise.
        self.key = key
        self.certificate = certificate
        self.pem = certificate.public_bytes(Encoding.PEM)
        self.chain = chain
        self.serial = f"{certificate.serial_number:x}"


class Authority:
    """An issuer that keeps its own list of revoked certificates."""

    def __init__(self, name: str, above: "Authority | None" = None, *, lasts: timedelta = 4000 * DAY) -> None:
        self._lasts = lasts
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = _name(name, "江城市 Jiangcheng")
        self._above = above
        self.certificate = self._make(above)
        self.pem = self.certificate.public_bytes(Encoding.PEM)
        self.revoked: dict[int, x509.ReasonFlags] = {}
        self.revoked_at = NOW - DAY

    def leaf(
        self,
        name: str,
        *,
        organisation: str = "江城市税务局 Jiangcheng Tax Bureau",
        before: datetime = NOW - 30 * DAY,
        after: datetime = NOW + 300 * DAY,
        purpose: ObjectIdentifier = DOCUMENT_SIGNING,
        commitment: bool = True,
        key: Any = None,
    ) -> Leaf:
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(name, organisation))
            .issuer_name(self.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(before)
            .not_valid_after(after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(commitment=commitment), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"urn:uuid:{TAX_UUID}")]), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(
                x509.CRLDistributionPoints(
                    [
                        x509.DistributionPoint(
                            [x509.UniformResourceIdentifier("http://pki.city.localhost/crl/organisations.crl")],
                            None,
                            None,
                            None,
                        )
                    ]
                ),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        return Leaf(key, certificate, self.pem)

    def crl(self, *, at: datetime = NOW, lasts: timedelta = DAY, limits: tuple[x509.ExtensionType, ...] = ()) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.subject)
            .last_update(at - timedelta(minutes=5))
            .next_update(at + lasts)
            .add_extension(x509.CRLNumber(1), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        for limit in limits:
            builder = builder.add_extension(limit, critical=True)
        for serial, reason in self.revoked.items():
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(serial)
                .revocation_date(self.revoked_at)
                .add_extension(x509.CRLReason(reason), critical=False)
                .build()
            )
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def revoke(self, leaf: Leaf, reason: x509.ReasonFlags = x509.ReasonFlags.key_compromise) -> None:
        self.revoked[leaf.certificate.serial_number] = reason

    def _make(self, above: "Authority | None") -> x509.Certificate:
        issuer, key = (above.subject, above.key) if above else (self.subject, self.key)
        return (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(issuer)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(EDGE)
            .not_valid_after(EDGE + self._lasts)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None if above is None else 0), critical=True)
            .add_extension(_usage(issuer=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )


class City:
    """The site's authorities."""

    def __init__(self, *, lasts: timedelta = 4000 * DAY) -> None:
        self.root = Authority("Jiangcheng Root CA", lasts=lasts)
        self.organisations = Authority("Jiangcheng Organisations CA", self.root, lasts=lasts)
        self.people = Authority("Jiangcheng People CA", self.root, lasts=lasts)
        self.devices = Authority("Jiangcheng Devices CA", self.root, lasts=lasts)

    def seal(self, *, before: datetime = NOW - 30 * DAY, after: datetime = NOW + 300 * DAY) -> Leaf:
        return self.organisations.leaf("Jiangcheng Tax Bureau Seal", before=before, after=after)

    def trust(self) -> Trust:
        return Trust(
            roots=(self.root.pem.decode(),),
            issuers={
                "organisations": self.organisations.pem.decode(),
                "people": self.people.pem.decode(),
                "devices": self.devices.pem.decode(),
            },
            signing=frozenset({"organisations", "people"}),
        )

    def lists(self, *, at: datetime = NOW) -> list[bytes]:
        return [self.root.crl(at=at), self.organisations.crl(at=at), self.people.crl(at=at), self.devices.crl(at=at)]


def stranger() -> Leaf:
    """A seal that looks the same and comes from somebody else."""
    root = Authority("Far Away Root CA")
    issuing = Authority("Far Away Organisations CA", root)
    return issuing.leaf("Jiangcheng Tax Bureau Seal")


def client_purpose() -> ObjectIdentifier:
    return ExtendedKeyUsageOID.CLIENT_AUTH


def _name(common: str, organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _usage(*, issuer: bool = False, commitment: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not issuer,
        content_commitment=commitment,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=issuer,
        crl_sign=issuer,
        encipher_only=False,
        decipher_only=False,
    )
