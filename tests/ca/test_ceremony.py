# SPDX-License-Identifier: Apache-2.0
"""The key ceremony: what lies where, what the record holds, and what openssl says."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from audit import RecordUnavailable
from ca import CASettings
from ca.ceremony import deliver_outbox, found, issue_server, renew
from ca.errors import AlreadyFounded
from ca.models import ISSUERS
from core.db import Database
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder

from .world import World


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
    issue_server(world.open(), label="nginx", hosts=["sso.city.localhost", "localhost", "127.0.0.1"], folder=folder)
    public = world.site.public
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-policy_check", "-no_check_time"]
    command += ["-verify_hostname", "sso.city.localhost", "-CAfile", str(public / "root.pem")]
    command += ["-untrusted", str(public / "issuers" / "infrastructure.pem"), str(folder / "tls.pem")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "tls.key").stat().st_mode & 0o777 == 0o600


def test_a_site_comes_back_after_two_years_without_power(world: World) -> None:
    world.clock.advance(timedelta(days=730))
    before = (world.site.folder("ca") / "keys" / "ocsp-people.pem").read_bytes()
    authority = renew(
        site=world.site,
        settings=CASettings(),
        database=world.database,
        recorder=world.recorder,
        clock=world.clock,
    )
    issue_server(authority, label="nginx", hosts=["sso.city.localhost"], folder=world.site.state / "nginx")
    deliver_outbox(world.store, world.recorder)
    assert (world.site.folder("ca") / "keys" / "ocsp-people.pem").read_bytes() != before
    assert not world.outbox()
    crl = x509.load_der_x509_crl(authority.crl("people"))
    assert crl.next_update_utc is not None
    assert crl.next_update_utc > world.clock.now()
    server = x509.load_pem_x509_certificate((world.site.state / "nginx" / "tls.pem").read_bytes())
    assert server.not_valid_after_utc > world.clock.now() + timedelta(days=100)
