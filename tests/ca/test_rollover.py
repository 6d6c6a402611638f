# SPDX-License-Identifier: Apache-2.0
"""Another generation, and another root, while all work on: whoever runs hears of it, and nobody is left behind."""

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ca import CASettings, CertificateRefused, CertificateVerifier
from ca.ceremony import found, issue_server
from ca.hierarchy import Hierarchy
from ca.service import Housekeeping, key_folder
from ca.store import Store
from core.clock import SystemClock
from gateway.client import SignOnClient
from gateway.errors import BadLogin, SignOnUnavailable
from signatures.pades.anchors import of_site
from tests.fakes.clock import ManualClock
from tests.fakes.log_site import wait_for
from tests.fakes.people import SmallDirectory
from tests.fakes.recorder import ListRecorder

from .tables import LIST, Table
from .world import World, ask, list_of, loaded, open_database, site_in

HEAD = 'site = "city"\ntitle = "As reviewed"\n'
NEXT = f'kind = "issuers"\n{HEAD}issuers = ["people-2"]\n'
ROOT = f'kind = "root"\n{HEAD}root = "root-2"\n'
BELOW = f'kind = "issuers"\n{HEAD}root = "root-2"\nissuers = ["people-2", "organisations-2", "infrastructure-2"]\n'


@pytest.fixture
def today(tmp_path: Path) -> Iterator[Table]:
    """A site founded on the machine's own clock, for software that has no other."""
    site = site_in(tmp_path / "today")
    site.folder("ca").mkdir(parents=True, mode=0o700)
    clock = ManualClock(SystemClock().now().replace(microsecond=0) - timedelta(minutes=5))
    database, recorder = open_database(site), ListRecorder()
    found(site=site, settings=CASettings(), database=database, recorder=recorder, clock=clock)
    store = Store(database)
    world = World(site=site, clock=clock, recorder=recorder, database=database, store=store, directory=SmallDirectory())
    (tmp_path / "table").mkdir()
    yield Table(world, tmp_path / "table")
    database.close()


def test_a_running_authority_takes_up_the_next_generation_with_delegate_and_lists(table: Table) -> None:
    world = table.world
    authority, verifier = world.open(), CertificateVerifier.load(world.site.public)
    old = authority.issue(ask())
    keeper = Housekeeping(authority, look=0.01)
    keeper.start()
    try:
        table.held(NEXT)
        wait_for(lambda: "people-2" in authority.issuers, seconds=120)
        new = authority.issue(ask())
        # Its delegate is made without anybody's help.
        wait_for((key_folder(world.site) / "ocsp-people-2.pem").exists, seconds=120)
    finally:
        keeper.stop()
    authority.check()
    above = x509.load_pem_x509_certificate((world.site.public / "issuers" / "people-2.pem").read_bytes())
    assert loaded(new).issuer == above.subject
    assert x509.load_der_x509_crl(list_of(authority, new, issuer="people-2")).issuer == above.subject
    asked = ocsp.OCSPRequestBuilder().add_certificate(loaded(new), above, hashes.SHA256()).build()
    told = ocsp.load_der_ocsp_response(authority.ocsp("people-2", asked.public_bytes(Encoding.DER)).der)
    assert told.certificate_status is ocsp.OCSPCertStatus.GOOD
    # Whoever began before the ceremony believes both; so do the answers for what the old one made.
    for each in (old, new):
        assert verifier.verify(each.certificate, purpose="person", at=world.clock.now()).serial == each.serial
    assert authority.status(old.serial).good


def test_a_root_that_takes_a_generation_back_is_heard_by_whoever_runs(table: Table) -> None:
    world = table.world
    table.held(NEXT)
    authority, verifier = world.open(), CertificateVerifier.load(world.site.public)
    authority.renew_responders()
    new = authority.issue(ask())
    serial = Hierarchy.load(world.site.public).issuers["people-2"].certificate.serial_number
    assert verifier.verify(new.certificate, purpose="person", at=world.clock.now()).serial == new.serial
    table.held(LIST + f'[[revoked]]\nissuer = "people-2"\nserial = "{serial:x}"\nreason = "key-compromise"\n')
    assert authority.refresh()
    assert not authority.refresh()
    assert loaded(authority.issue(ask())).issuer != loaded(new).issuer
    with pytest.raises(CertificateRefused):
        verifier.verify(new.certificate, purpose="person", at=world.clock.now())


def test_an_authority_without_its_key_or_one_that_vanished_changes_nothing(table: Table, tmp_path: Path) -> None:
    world = table.world
    authority = world.open()
    table.held(NEXT)
    issuers = world.site.public / "issuers"
    keys = {path for path in key_folder(world.site).iterdir() if path.stem == "people-2"}
    assert keys
    for path in keys:
        shutil.move(path, tmp_path / path.name)
    assert not authority.refresh()
    assert "people-2" not in authority.issuers
    first = x509.load_pem_x509_certificate((issuers / "people.pem").read_bytes()).subject
    assert loaded(authority.issue(ask())).issuer == first
    # A file that is no certificate: what was read before stays.
    (issuers / "devices.pem").write_bytes(b"nothing")
    (issuers / "people-2.pem").unlink()
    assert not authority.refresh()
    assert loaded(authority.issue(ask())).issuer == first


def test_a_new_root_is_believed_wherever_the_old_one_is_pinned(today: Table, tmp_path: Path) -> None:
    world = today.world
    old = world.open().issue(ask())
    pinned = world.site.anchors
    assert pinned.read_bytes().strip() == (world.site.public / "root.pem").read_bytes().strip()
    today.held(ROOT)
    today.held(BELOW, typed="".join((today.shares / f"share-{n}.txt").read_text("ascii") for n in (1, 2, 3)) + "\n")
    authority = world.open()
    new = authority.issue(ask())
    roots = x509.load_pem_x509_certificates(pinned.read_bytes())
    assert len({each.subject for each in roots}) == 2
    # Documents: both roots are anchors, and the new generation may sign.
    trust = of_site(world.site.public)
    assert len(trust.roots) == 2
    assert {"people", "people-2", "organisations-2"} <= trust.signing
    # The same file for any other software.
    for each in (old, new):
        (tmp_path / "leaf.pem").write_bytes(each.certificate)
        (tmp_path / "issuer.pem").write_bytes(each.chain)
        command = ["openssl", "verify", "-x509_strict", "-CAfile", str(pinned)]
        done = subprocess.run(
            [*command, "-untrusted", str(tmp_path / "issuer.pem"), str(tmp_path / "leaf.pem")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    # The site's own servers, certified anew, as gateway and portals ask them.
    files = issue_server(authority, label="nginx", hosts=("localhost",))
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with _served(tmp_path) as origin:
        with pytest.raises(BadLogin):
            _exchange(origin, pinned)
        with pytest.raises(SignOnUnavailable):
            _exchange(origin, world.site.public / "root.pem")
        assert requests.post(origin, verify=str(pinned), timeout=20).status_code == 400
        with pytest.raises(requests.exceptions.SSLError):
            requests.post(origin, verify=str(world.site.public / "root.pem"), timeout=20)


def test_a_site_of_an_older_release_pins_its_first_root(world: World) -> None:
    world.site.anchors.unlink()
    assert world.site.anchors == world.site.public / "root.pem"


def _exchange(origin: str, roots: Path) -> str:
    return SignOnClient(origin=origin, roots=roots, secret="s", timeout=20).exchange(
        code="c", verifier="v", redirect_uri="https://x"
    )


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """A server that refuses every code, over TLS with these files."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(400)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()
