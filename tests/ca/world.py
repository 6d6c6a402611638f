# SPDX-License-Identifier: Apache-2.0
"""One founded authority on a clock moved by hand, with a directory of a handful of entries; and what is asked of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from audit import Event, decode_event
from ca import CASettings, IssueRequest
from ca.models import Issued
from ca.service import CertificateAuthority, IssuancePolicy, open_authority
from ca.store import Intent, Store
from core.db import Database
from core.site import Ports, SiteSettings
from tests.fakes.clock import ManualClock
from tests.fakes.people import CITIZEN, OFFICER, SmallDirectory
from tests.fakes.recorder import ListRecorder


@dataclass
class World:
    """A site with its authority."""

    site: SiteSettings
    clock: ManualClock
    recorder: ListRecorder
    database: Database
    store: Store
    directory: SmallDirectory
    settings: CASettings = field(default_factory=CASettings)

    def open(self, *policies: IssuancePolicy, ready: Callable[[], None] = lambda: None) -> CertificateAuthority:
        return open_authority(
            site=self.site,
            settings=self.settings,
            store=self.store,
            recorder=self.recorder,
            clock=self.clock,
            directory=self.directory,
            policies=policies,
            ready=ready,
        )

    def outbox(self) -> list[Event]:
        return [decode_event(each.body) for each in self.store.outbox.head()]

    def reported(self) -> list[str]:
        return [each.type for each in self.outbox()]

    def rows(self) -> int:
        with self.database.reading() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM certificates").scalar_one())


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def request_for(key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return csr.sign(key or new_key(), hashes.SHA256()).public_bytes(Encoding.PEM)


def ask(
    profile: str = "citizen",
    *,
    subject: str = CITIZEN.subject,
    csr: bytes | None = None,
    actor: str = OFFICER.subject,
    roles: frozenset[str] = frozenset({"ra-officer"}),
) -> IssueRequest:
    return IssueRequest(
        profile=profile,
        csr=csr or request_for(),
        subject=subject,
        actor=actor,
        actor_roles=roles,
        # As registration says it after a second officer agreed.
        approved_by=("another-officer",),
    )


def intent(serial: str, *, at: datetime, key_hash: str = "a" * 64, subject: str = CITIZEN.subject) -> Intent:
    """What the store keeps before a signature; nothing in it is checked there."""
    return Intent(
        serial=serial,
        issuer="people",
        profile="citizen",
        subject=subject,
        actor=OFFICER.subject,
        at=at,
        name="x",
        not_before=at,
        not_after=at + timedelta(days=365),
        key_hash=key_hash,
        tbs=b"tbs",
        commitment_key=b"k" * 32,
    )


def loaded(issued: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate)


def shard_of(issued: Issued) -> int:
    """Which list its bytes name."""
    points = loaded(issued).extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    name = points[0].full_name
    assert name is not None
    return int(name[0].value.rsplit("/", 1)[1].removesuffix(".crl"))


def list_of(authority: CertificateAuthority, issued: Issued, *, issuer: str = "people", delta: bool = False) -> bytes:
    """The revocation list that its bytes name."""
    return authority.crl(issuer, shard_of(issued), delta=delta).der


def listed(authority: CertificateAuthority, issuer: str = "people") -> list[str]:
    """Every serial on the whole list of an issuer."""
    return [format(each.serial_number, "x") for each in x509.load_der_x509_crl(authority.crl(issuer).der)]


@dataclass(frozen=True)
class Born:
    """A founded site to copy: its folder, and what its birth recorded."""

    state: Path
    events: tuple[Event, ...]


def site_in(state: Path) -> SiteSettings:
    ports = Ports(external=8443, internal=8444, management=8445, plain=8080, ldaps=6360)
    return SiteSettings(
        name="city", domain="city.localhost", title="Sample City", title_zh="示范市", state=state, ports=ports
    )


def open_database(site: SiteSettings) -> Database:
    return Database.open(f"sqlite:///{site.folder('ca')}/ca.db")
