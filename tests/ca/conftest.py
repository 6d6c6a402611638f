# SPDX-License-Identifier: Apache-2.0
"""One founded authority per test, on a clock moved by hand, with a directory of a handful of entries."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from audit import Event, decode_event
from ca import CASettings, IssueRequest
from ca.ceremony import found
from ca.models import Issued
from ca.service import CertificateAuthority, IssuancePolicy, open_authority
from ca.store import Store
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

    def open(self, *policies: IssuancePolicy) -> CertificateAuthority:
        return open_authority(
            site=self.site,
            settings=self.settings,
            store=self.store,
            recorder=self.recorder,
            clock=self.clock,
            directory=self.directory,
            policies=policies,
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
    return IssueRequest(profile=profile, csr=csr or request_for(), subject=subject, actor=actor, actor_roles=roles)


def loaded(issued: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate)


@dataclass(frozen=True)
class Born:
    """A founded site to copy: its folder, and what its birth recorded."""

    state: Path
    events: tuple[Event, ...]


@pytest.fixture(scope="session")
def born(tmp_path_factory: pytest.TempPathFactory) -> Born:
    site = site_in(tmp_path_factory.mktemp("born") / "state")
    site.folder("ca").mkdir(parents=True, mode=0o700)
    database, recorder = _database(site), ListRecorder()
    found(site=site, settings=CASettings(), database=database, recorder=recorder, clock=ManualClock())
    database.close()
    return Born(site.state, tuple(recorder.events))


@pytest.fixture
def world(tmp_path: Path, born: Born) -> Iterator[World]:
    shutil.copytree(born.state, tmp_path / "state")
    site = site_in(tmp_path / "state")
    clock, recorder = ManualClock(), ListRecorder()
    recorder.events += born.events
    clock.advance(timedelta(minutes=5))
    database = _database(site)
    yield World(
        site=site,
        clock=clock,
        recorder=recorder,
        database=database,
        store=Store(database),
        directory=SmallDirectory(),
    )
    database.close()


def site_in(state: Path) -> SiteSettings:
    ports = Ports(external=8443, internal=8444, management=8445, plain=8080, ldaps=6360)
    return SiteSettings(
        name="city", domain="city.localhost", title="Sample City", title_zh="示范市", state=state, ports=ports
    )


def _database(site: SiteSettings) -> Database:
    return Database.open(f"sqlite:///{site.folder('ca')}/ca.db")


@pytest.fixture
def authority(world: World) -> CertificateAuthority:
    return world.open()
