# SPDX-License-Identifier: Apache-2.0
"""A restored backup forgets nothing that the record knows: nothing is issued or called good until both agree."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from audit import Entry
from ca.ceremony import deliver_outbox
from ca.errors import NotReconciled
from ca.models import Issued, IssueRequest, Reason, Standing, State
from ca.service import CertificateAuthority, Reconciliation
from ca.store import Store
from core.db import DatabaseUnavailable
from tests.fakes.people import CLERK, COMPANY, OFFICER

from .world import World, ask, list_of, listed, loaded, open_database, request_for


@dataclass
class Old:
    """An authority over tables of which a copy was kept."""

    world: World
    authority: CertificateAuthority
    copy: Path

    def keep(self) -> None:
        self.world.database.close()
        shutil.copy(self.path, self.copy)
        self._reopen()

    def restore(self) -> None:
        """Bring what waits to the record, then lose everything since the copy."""
        deliver_outbox(self.world.store, self.world.recorder)
        self.world.database.close()
        for suffix in ("-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        shutil.copy(self.copy, self.path)
        self._reopen()

    def _reopen(self) -> None:
        self.world.database = open_database(self.world.site)
        self.world.store = Store(self.world.database)
        self.authority = self.world.open()

    @property
    def path(self) -> Path:
        return self.world.site.folder("ca") / "ca.db"

    def start(self) -> tuple[Reconciliation, CertificateAuthority]:
        agreement = Reconciliation(store=self.world.store, clock=self.world.clock, instance=1)
        return agreement, self.world.open(ready=agreement.check)

    def entries(self, start: int) -> list[Entry]:
        return self.world.recorder.entries()[start:]

    def agreed(self) -> CertificateAuthority:
        agreement, authority = self.start()
        agreement.hear(self.entries(agreement.start()))
        agreement.hear(())
        return authority


@pytest.fixture
def old(world: World, authority: CertificateAuthority, tmp_path: Path) -> Iterator[Old]:
    made = Old(world, authority, tmp_path / "copy.db")
    yield made
    made.world.database.close()


def _question(world: World, issued: Issued) -> bytes:
    issuer = x509.load_pem_x509_certificate((world.site.public / "issuers" / "people.pem").read_bytes())
    return (
        ocsp.OCSPRequestBuilder()
        .add_certificate(loaded(issued), issuer, hashes.SHA256())
        .build()
        .public_bytes(Encoding.DER)
    )


def _ocsp(authority: CertificateAuthority, world: World, issued: Issued) -> ocsp.OCSPResponse:
    return ocsp.load_der_ocsp_response(authority.ocsp("people", _question(world, issued)).der)


def test_before_the_record_was_heard_nothing_is_issued_released_or_called_good(old: Old) -> None:
    issued = old.authority.issue(ask())
    old.authority.suspend(issued.serial, actor="x")
    agreement, authority = old.start()
    for act in (
        lambda: authority.issue(ask()),
        lambda: authority.release(issued.serial, actor="x"),
        lambda: authority.status(issued.serial),
        authority.check,
    ):
        with pytest.raises(NotReconciled):
            act()
    assert _ocsp(authority, old.world, issued).response_status is ocsp.OCSPResponseStatus.TRY_LATER
    # Taking away never waits.
    authority.revoke(issued.serial, reason=Reason.SUPERSEDED, actor="x")
    # Entries alone prove nothing about how many more there are.
    agreement.hear(old.entries(agreement.start()))
    with pytest.raises(NotReconciled):
        authority.issue(ask())
    agreement.hear(())
    authority.issue(ask())
    assert authority.status(issued.serial).standing is Standing.REVOKED


def test_what_was_issued_after_the_copy_comes_back_as_possibly_issued(old: Old) -> None:
    before = old.authority.issue(ask()).serial
    old.keep()
    person = old.authority.issue(ask("civil-servant", subject=CLERK.subject)).serial
    company = old.authority.issue(ask("organisation-seal", subject=COMPANY.id)).serial
    machine = IssueRequest(
        profile="server",
        csr=request_for(),
        subject="nginx",
        actor="role:app",
        actor_roles=frozenset({"role:app"}),
        hosts=("localhost",),
    )
    server = old.authority.issue(machine)
    old.restore()
    authority = old.agreed()
    assert authority.status(before).good
    for serial, subject, profile in (
        (person, CLERK.subject, "civil-servant"),
        (company, COMPANY.id, "organisation-seal"),
        (server.serial, "nginx", "server"),
    ):
        found = authority.certificate(serial)
        assert (found.subject, found.profile, found.state) == (subject, profile, State.INTENDED)
        assert found.standing is Standing.POSSIBLY_ISSUED
        assert found.not_after > old.world.clock.now() + timedelta(days=100)
    assert authority.certificate(server.serial).not_after == loaded(server).not_valid_after_utc
    # It is never good, and it can be revoked.
    authority.revoke(person, reason=Reason.SUPERSEDED, actor=OFFICER.subject)
    assert listed(authority) == [person]
    (told,) = [each for each in old.world.outbox() if each.type == "ca.tables.reconciled"]
    assert (told.attributes["adopted"], told.attributes["withdrawn"]) == (3, 0)


def test_what_was_taken_away_after_the_copy_stays_taken_away(old: Old) -> None:
    revoked, suspended, released, good = (old.authority.issue(ask()) for _ in range(4))
    old.keep()
    old.authority.revoke(revoked.serial, reason=Reason.KEY_COMPROMISE, actor="x")
    old.authority.suspend(suspended.serial, actor="x")
    old.authority.suspend(released.serial, actor="x")
    old.authority.release(released.serial, actor="y")
    before, first = sorted(listed(old.authority)), list_of(old.authority, revoked)
    old.restore()
    assert old.authority.status(revoked.serial).good
    old.world.clock.advance(timedelta(seconds=5))
    authority = old.agreed()
    assert authority.certificate(revoked.serial).reason is Reason.KEY_COMPROMISE
    assert authority.status(suspended.serial).standing is Standing.SUSPENDED
    assert authority.status(released.serial).good
    assert authority.status(good.serial).good
    assert _ocsp(authority, old.world, revoked).certificate_status is ocsp.OCSPCertStatus.REVOKED
    # The next list has a higher number than any published before the loss.
    again = list_of(authority, revoked)
    assert sorted(listed(authority)) == before == sorted([revoked.serial, suspended.serial])
    numbers = [
        x509.load_der_x509_crl(each).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        for each in (first, again)
    ]
    assert numbers[0] < numbers[1]


def test_an_issuance_that_was_abandoned_after_the_copy_is_not_taken_for_possibly_issued(old: Old) -> None:
    old.keep()
    old.authority._signer._loaded.clear()
    keys = old.world.site.folder("ca") / "keys" / "people.pem"
    content = keys.read_bytes()
    keys.write_bytes(b"")
    serial = ""
    try:
        old.authority.issue(ask())
    except Exception:  # noqa: BLE001 - whatever the signer says, the issuance was abandoned
        serial = old.world.recorder.events[-1].object
    keys.write_bytes(content)
    old.restore()
    authority = old.agreed()
    assert authority.certificate(serial).state is State.ABANDONED
    assert authority.status(serial).standing is Standing.UNKNOWN


def test_tables_that_are_not_behind_stay_as_they_are(old: Old) -> None:
    serials = [old.authority.issue(ask()).serial for _ in range(3)]
    old.authority.suspend(serials[0], actor="x")
    old.authority.release(serials[0], actor="y")
    # The record of the release is still on its way.
    before = old.world.rows()
    authority = old.agreed()
    assert all(authority.status(serial).good for serial in serials)
    assert old.world.rows() == before
    assert "ca.tables.reconciled" not in old.world.reported()


def test_what_was_heard_is_not_heard_again(old: Old) -> None:
    old.authority.issue(ask())
    agreement, _ = old.start()
    assert agreement.start() == 0
    agreement.hear(old.entries(0))
    agreement.hear(())
    assert old.start()[0].start() == len(old.world.recorder.events)


def test_certificates_of_another_instance_are_its_own_business(old: Old) -> None:
    old.keep()
    old.authority.issue(ask())
    old.restore()
    before = old.world.rows()
    other = Reconciliation(store=old.world.store, clock=old.world.clock, instance=2)
    other.hear(old.entries(other.start()))
    other.hear(())
    assert old.world.rows() == before


def test_a_database_that_fails_midway_keeps_the_door_shut(old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    old.keep()
    serial = old.authority.issue(ask()).serial
    old.restore()
    agreement, authority = old.start()
    with monkeypatch.context() as patched:
        patched.setattr(old.world.store, "adopt", _down)
        agreement.hear(old.entries(agreement.start()))
        with pytest.raises(DatabaseUnavailable):
            agreement.hear(())
        with pytest.raises(NotReconciled):
            authority.issue(ask())
    agreement.hear(old.entries(agreement.start()))
    agreement.hear(())
    assert authority.status(serial).standing is Standing.POSSIBLY_ISSUED


def _down(*_: object, **__: object) -> None:
    raise DatabaseUnavailable
