# SPDX-License-Identifier: Apache-2.0
"""A kept key of the kind ML-DSA-65 from the site's birth to the verdict: the authority issues, the verifier judges.

Nothing between them is made for the test but who asks: the hierarchy is of a founding, the certificate of its twin for
such keys, the lists and the standing are the authority's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.x509.oid import SignatureAlgorithmOID

from ca import CASettings
from ca.ceremony import found
from ca.models import CertificateStatus, Issued, IssueRequest, Reason
from ca.service import CertificateAuthority
from ca.store import Store
from signatures.holds import Algorithm
from signatures.models import Overall, Verdict
from signatures.pades.anchors import of_site
from signatures.remote import CertificateUnusable
from signatures.sandbox import ReaderPool
from signatures.service import Verification
from signatures.service.verification import Asker
from tests.ca.world import World, open_database, site_in
from tests.fakes.clock import ManualClock
from tests.fakes.people import SmallDirectory
from tests.fakes.recorder import ListRecorder
from tests.signatures import documents
from tests.signatures.fakes import CITIZEN, COMMITMENTS, People
from tests.signatures.pki import City
from tests.signatures.signing_person import House, PersonAuthority, house, person


class Real(PersonAuthority):
    """The site's authority, asked as the role asks it."""

    def __init__(self, city: City, authority: CertificateAuthority) -> None:
        super().__init__(city)
        self.authority = authority

    def issue(self, request: IssueRequest, *, identity: str = "") -> Issued:
        self.headers.append(identity)
        # What the authority's door reads from the caller's secret and the person's header.
        said = replace(request, actor_roles=frozenset({"role:signatures"}), assurance=2, zone="external")
        return self.authority.issue(said)

    def revoke(self, serial: str, *, reason: Reason, actor: str, identity: str = "") -> None:
        self.headers.append(identity)
        self.authority.revoke(serial, reason=reason, actor=actor)

    def status(self, serial: str) -> CertificateStatus:
        return self.authority.status(serial)


@dataclass
class Town:
    """A site with the parallel hierarchy, a person's desk in it, and its verifier."""

    home: House
    authority: CertificateAuthority
    public: Path
    verification: Verification

    def look(self, document: bytes) -> Verdict:
        return self.verification.verify(document, asker=Asker())


@pytest.fixture
def town(tmp_path: Path, city: City, readers: ReaderPool) -> Iterator[Town]:
    clock, recorder, site = ManualClock(), ListRecorder(), site_in(tmp_path / "state")
    site.folder("ca").mkdir(parents=True, mode=0o700)
    settings, database = CASettings(parallel=("people",)), open_database(site)
    found(site=site, settings=settings, database=database, recorder=recorder, clock=clock)
    clock.advance(timedelta(minutes=5))
    directory = SmallDirectory()
    directory.people[CITIZEN] = replace(People().persons[CITIZEN], name_zh="王小明")
    world = World(
        site=site,
        clock=clock,
        recorder=recorder,
        database=database,
        store=Store(database),
        directory=directory,
        settings=settings,
    )
    authority = world.open()
    (tmp_path / "home").mkdir()
    home = house(
        tmp_path / "home", city, readers, algorithm=Algorithm.ML_DSA_65, clock=clock, authority=Real(city, authority)
    )
    verification = Verification(
        readers=readers,
        trust=lambda: of_site(site.public),
        lists=lambda: [authority.crl("people-ml-dsa").der, authority.crl("people").der],
        recorder=recorder,
        commitments=COMMITMENTS,
        clock=clock,
    )
    yield Town(home, authority, site.public, verification)
    home.close()
    database.close()


def test_issued_kept_confirmed_signed_and_judged_by_nothing_but_ml_dsa(town: Town) -> None:
    home = town.home
    made = home.enrolling.enrol(person(), header="the gateway's")
    assert home.authority.headers == ["the gateway's"]
    own, *above = x509.load_pem_x509_certificates((made.certificate + made.chain).encode())
    (root,) = x509.load_pem_x509_certificates((town.public / "ml-dsa" / "root-ml-dsa.pem").read_bytes())
    path = [own, *[each for each in above if each != root], root]
    for below, issuer in zip(path, [*path[1:], root], strict=True):
        below.verify_directly_issued_by(issuer)
        assert isinstance(issuer.public_key(), MLDSA65PublicKey)
        assert below.signature_algorithm_oid == SignatureAlgorithmOID.ML_DSA_65
    assert town.authority.certificate(made.serial).issuer == "people-ml-dsa"
    # The key lies encrypted; nothing of it is in the tables.
    (file,) = (home.folder / "held").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600

    (result,) = home.finish(home.begin(home.bring()))
    signed = home.desk.read(CITIZEN, result)
    verdict = town.look(signed)
    assert verdict.overall is Overall.TRUSTED, verdict.problems
    facts = verdict.signatures[0].facts
    assert facts is not None
    assert (facts.algorithm, facts.certificate.authority) == ("mldsa65 sha512", "people-ml-dsa")
    assert town.look(documents.one_byte_changed(signed)).overall is Overall.NOT_TRUSTED

    # The person ends it: the authority's own list says so, what was signed cannot be told any more, nothing is signed.
    state = home.begin(home.bring(b"%%\n"))
    town.authority.revoke(made.serial, reason=Reason.KEY_COMPROMISE, actor="officer")
    with pytest.raises(CertificateUnusable):
        home.finish(state)
    after = town.look(signed)
    assert after.overall is Overall.NOT_TRUSTED
    assert "revoked" in " ".join(each.code for each in after.problems)
