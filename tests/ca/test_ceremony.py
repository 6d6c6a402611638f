# SPDX-License-Identifier: Apache-2.0
"""The key ceremony: what lies where, what the record holds, and what openssl says."""

import hashlib
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from audit import RecordUnavailable
from ca import CASettings
from ca.ceremony import deliver_outbox, found, install, issue_server, offline, renew, renew_root_list
from ca.ceremony.authorities import Authority, Hall
from ca.errors import AlreadyFounded
from ca.models import ISSUERS, Reason, Standing
from ca.service import CertificateAuthority
from ca.x509.lint import Linter, Seal
from ca.x509.lists import Withdrawn
from core.db import Database
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder

from .world import World, ask, loaded


def test_the_ceremony_is_recorded_before_and_after(world: World) -> None:
    types = world.recorder.types()
    assert types[0] == "ca.ceremony.intended"
    assert types[-1] == "ca.ceremony.completed"
    assert types.count("ca.certificate.intended") == types.count("ca.certificate.issued") == len(ISSUERS)


def test_no_recorder_no_root(tmp_path: Path, world: World) -> None:
    site = type(world.site)(**{**world.site.__dict__, "state": tmp_path / "other"})
    site.folder("ca").mkdir(parents=True)
    database = Database.open(f"sqlite:///{site.folder('ca')}/ca.db")
    recorder = ListRecorder()
    recorder.down = True
    with pytest.raises(RecordUnavailable):
        found(site=site, settings=CASettings(), database=database, recorder=recorder, clock=ManualClock())
    assert not (site.state / "offline").exists()
    assert not site.public.exists()


def test_a_second_ceremony_is_refused(world: World) -> None:
    with pytest.raises(AlreadyFounded):
        found(
            site=world.site,
            settings=CASettings(),
            database=world.database,
            recorder=world.recorder,
            clock=world.clock,
        )


def test_the_root_key_is_encrypted_and_outside_every_role(world: World) -> None:
    key = world.site.state / "offline" / "root.key"
    with pytest.raises(TypeError):
        load_pem_private_key(key.read_bytes(), password=None)
    passphrase = (world.site.state / "offline" / "passphrase").read_bytes().strip()
    root = x509.load_pem_x509_certificate((world.site.public / "root.pem").read_bytes())
    assert load_pem_private_key(key.read_bytes(), password=passphrase).public_key() == root.public_key()
    assert root.not_valid_after_utc - root.not_valid_before_utc > timedelta(days=3650)
    names = [path.name for path in world.site.folder("ca").rglob("*")]
    assert "root.key" not in names
    assert "passphrase" not in names


def test_every_key_file_is_private(world: World) -> None:
    keys = [*world.site.folder("ca").glob("keys/*"), *(world.site.state / "offline").iterdir()]
    assert len(keys) == 2 * len(ISSUERS) + 2
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}


def test_openssl_accepts_the_chain_of_a_server(world: World) -> None:
    folder = world.site.state / "nginx"
    install(folder, issue_server(world.open(), label="nginx", hosts=["sso.city.localhost", "localhost", "127.0.0.1"]))
    public = world.site.public
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-policy_check", "-no_check_time"]
    command += ["-verify_hostname", "sso.city.localhost", "-CAfile", str(public / "root.pem")]
    command += ["-untrusted", str(public / "issuers" / "infrastructure.pem"), str(folder / "tls.pem")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "tls.key").stat().st_mode & 0o777 == 0o600


def _lists(world: World, authority: CertificateAuthority, *certificates: x509.Certificate) -> list[bytes]:
    """What stands at the addresses the certificates name for revocation lists, as nginx and the role serve it."""
    found = []
    for each in certificates:
        (point,) = each.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        address = str(point.full_name[0].value) if point.full_name else ""
        prefix = f"{world.site.origin('pki', 'plain')}/crl/"
        assert address.startswith(prefix)
        issuer, _, shard = address.removeprefix(prefix).removesuffix(".crl").partition("/")
        found.append(authority.crl(issuer, int(shard or 0)).der)
    return found


def _openssl(world: World, leaf: bytes, lists: list[bytes], folder: Path) -> subprocess.CompletedProcess[str]:
    public = world.site.public
    (folder / "leaf.pem").write_bytes(leaf)
    pems = [x509.load_der_x509_crl(der).public_bytes(Encoding.PEM) for der in lists]
    (folder / "lists.pem").write_bytes(b"".join(pems))
    # openssl reads the real clock, the site lives on a clock of its own.
    now = str(int(world.clock.now().timestamp()))
    command = ["openssl", "verify", "-x509_strict", "-crl_check_all", "-attime", now]
    command += ["-CAfile", str(public / "root.pem"), "-untrusted", str(public / "issuers" / "people.pem")]
    command += ["-CRLfile", str(folder / "lists.pem"), str(folder / "leaf.pem")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_openssl_finds_every_list_of_the_chain(world: World, authority: CertificateAuthority, tmp_path: Path) -> None:
    issued = authority.issue(ask())
    people = x509.load_pem_x509_certificate((world.site.public / "issuers" / "people.pem").read_bytes())
    lists = _lists(world, authority, loaded(issued), people)
    done = _openssl(world, issued.certificate, lists, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    # Without the root's list nobody could tell whether the issuing authority is still believed.
    alone = _openssl(world, issued.certificate, lists[:1], tmp_path)
    assert "unable to get certificate CRL" in alone.stdout + alone.stderr
    authority.revoke(issued.serial, reason=Reason.SUPERSEDED, actor="x")
    ended = _openssl(world, issued.certificate, _lists(world, authority, loaded(issued), people), tmp_path)
    assert "certificate revoked" in ended.stdout + ended.stderr


def test_an_issuing_authority_on_the_roots_list_is_believed_no_more(
    world: World, authority: CertificateAuthority, tmp_path: Path
) -> None:
    issued = authority.issue(ask())
    public = world.site.public
    people = x509.load_pem_x509_certificate((public / "issuers" / "people.pem").read_bytes())
    root = Authority(
        x509.load_pem_x509_certificate((public / "root.pem").read_bytes()), offline.take(world.site.state / "offline")
    )
    now = world.clock.now()
    hall = Hall(site=world.site, settings=world.settings, linter=Linter(Seal()), at=now)
    gone = Withdrawn(serial=people.serial_number, standing=Standing.REVOKED, at=now, reason=Reason.CESSATION)
    (public / "root.crl").write_bytes(hall.root_list(root, number=2, entries=[gone]))
    done = _openssl(world, issued.certificate, _lists(world, authority, loaded(issued), people), tmp_path)
    assert "certificate revoked" in done.stdout + done.stderr
    # A renewal forgets none of it.
    world.clock.advance(timedelta(days=200))
    _renew(world)
    kept = x509.load_der_x509_crl((public / "root.crl").read_bytes())
    assert [each.serial_number for each in kept] == [people.serial_number]
    assert kept.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 3
    reason = kept[0].extensions.get_extension_for_class(x509.CRLReason).value.reason
    assert reason is x509.ReasonFlags.cessation_of_operation


def test_the_roots_list_says_who_signed_it_and_how_long_it_holds(world: World) -> None:
    root = x509.load_pem_x509_certificate((world.site.public / "root.pem").read_bytes())
    crl = x509.load_der_x509_crl((world.site.public / "root.crl").read_bytes())
    assert crl.is_signature_valid(root.public_key())  # type: ignore[arg-type]  # the root's key signs
    assert crl.next_update_utc is not None
    assert crl.next_update_utc - crl.last_update_utc == CASettings().root_crl_lifetime
    completed = world.recorder.events[-1]
    digest = hashlib.sha256((world.site.public / "root.crl").read_bytes()).hexdigest()
    assert completed.attributes["root_list"] == digest


def test_the_roots_list_is_renewed_where_its_key_is_at_hand(world: World) -> None:
    path = world.site.public / "root.crl"
    before = path.read_bytes()
    _renew(world)
    assert path.read_bytes() == before
    world.clock.advance(timedelta(days=200))
    _renew(world)
    assert path.read_bytes() != before
    assert world.recorder.types()[-2:] == ["ca.ceremony.intended", "ca.ceremony.completed"]
    # An operator took the passphrase away, as he should: then it takes a ceremony.
    before = path.read_bytes()
    (world.site.state / "offline" / "passphrase").unlink()
    world.clock.advance(timedelta(days=200))
    _renew(world)
    assert path.read_bytes() == before


def test_without_a_record_the_roots_list_stays_as_it_is(world: World) -> None:
    before = (world.site.public / "root.crl").read_bytes()
    world.clock.advance(timedelta(days=200))
    _renew(world)
    renewed = (world.site.public / "root.crl").read_bytes()
    assert renewed != before
    world.clock.advance(timedelta(days=200))
    world.recorder.down = True
    with pytest.raises(RecordUnavailable):
        _renew(world)
    assert (world.site.public / "root.crl").read_bytes() == renewed


def _renew(world: World) -> CertificateAuthority:
    authority = renew(
        site=world.site,
        settings=world.settings,
        database=world.database,
        recorder=world.recorder,
        clock=world.clock,
    )
    renew_root_list(site=world.site, settings=world.settings, recorder=world.recorder, clock=world.clock)
    return authority


def test_a_site_comes_back_after_two_years_without_power(world: World) -> None:
    world.clock.advance(timedelta(days=730))
    before = (world.site.folder("ca") / "keys" / "ocsp-people.pem").read_bytes()
    authority = _renew(world)
    made = issue_server(authority, label="nginx", hosts=["sso.city.localhost"])
    deliver_outbox(world.store, world.recorder)
    assert (world.site.folder("ca") / "keys" / "ocsp-people.pem").read_bytes() != before
    assert not world.outbox()
    crl = x509.load_der_x509_crl(authority.crl("people").der)
    assert crl.next_update_utc is not None
    assert crl.next_update_utc > world.clock.now()
    server = x509.load_pem_x509_certificate(made["tls.pem"])
    assert server.not_valid_after_utc > world.clock.now() + timedelta(days=100)
