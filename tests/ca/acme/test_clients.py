# SPDX-License-Identifier: Apache-2.0
"""Programs that others wrote get, renew and revoke certificates: certbot and lego, against the role under TLS."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ca import CASettings, IssueRequest
from ca.acme import Acme, Holder, Window
from ca.acme.models import Method
from ca.ceremony import found
from ca.config import AcmeSettings
from ca.models import Standing, serial_hex
from core.clock import SystemClock
from tests.ca.acme.client import HOST
from tests.ca.sites import release_policies
from tests.ca.world import World, new_key, open_database, request_for, site_in
from tests.fakes import acme_role
from tests.fakes.name_server import NameServer, name_server
from tests.fakes.people import KIOSK, OFFICER
from tests.fakes.ports import free_ports
from tests.fakes.recorder import ListRecorder

CERTBOT = acme_role.ROOT / ".venv-certbot" / "bin" / "certbot"

_PROFILE = ("--required-profile", "device-server")


@dataclass
class Place:
    """A running role, and what the test shares with it."""

    folder: Path
    world: World
    acme: Acme
    names: NameServer
    port: int
    http_port: int
    tls_port: int

    @property
    def directory(self) -> str:
        return f"https://acme.city.localhost:{self.port}/acme/directory"

    @property
    def root(self) -> Path:
        return self.world.site.public / "root.pem"

    def grant(self) -> tuple[str, str]:
        made, key = self.acme.grants.make(
            holder=Holder.DEVICE, subject=KIOSK.id, names=[f".{HOST}"], officer=OFFICER.subject
        )
        return made.kid, key

    def certbot(self, home: Path, *arguments: str) -> str:
        """Run it in folders of its own."""
        folders = ["--config-dir", str(home / "c"), "--work-dir", str(home / "w"), "--logs-dir", str(home / "l")]
        quietly = ["--non-interactive", *(["--no-random-sleep-on-renew"] if arguments[0] == "renew" else [])]
        done = subprocess.run(
            [str(CERTBOT), *arguments, *folders, *quietly, "--server", self.directory],
            env={**os.environ, "REQUESTS_CA_BUNDLE": str(self.root)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def standing(self, certificate: x509.Certificate) -> Standing:
        return self.acme._authority.status(serial_hex(certificate.serial_number)).standing


def place_in(folder: Path, names: NameServer) -> Place:
    """A site founded now, with its policies and the role's certificate."""
    site = site_in(folder / "state")
    site.folder("ca").mkdir(parents=True, mode=0o700)
    database = open_database(site)
    found(site=site, settings=CASettings(), database=database, recorder=ListRecorder(), clock=SystemClock())
    database.close()
    port, http_port, tls_port = free_ports(3)
    settings = AcmeSettings(networks=("127.0.0.0/8",), resolver=names.address, http_port=http_port, tls_port=tls_port)
    world = acme_role.world_of(folder, port=port, settings=settings)
    release_policies(world, folder)
    world.database.close()
    world, acme = acme_role.opened(folder, port=port, settings=settings)
    key = new_key()
    wish = IssueRequest(
        profile="server",
        csr=request_for(key),
        subject="nginx",
        actor="role:app",
        actor_roles=frozenset({"role:app"}),
        hosts=("acme.city.localhost",),
    )
    issued = world.open().issue(wish)
    (folder / "tls.pem").write_bytes(issued.certificate + issued.chain)
    (folder / "tls.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Place(folder, world, acme, names, port, http_port, tls_port)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("acme")
    with name_server() as names:
        names.put(HOST, "A", ["127.0.0.1"])
        made = place_in(folder, names)
        with acme_role.start(
            folder, port=made.port, http_port=made.http_port, tls_port=made.tls_port, resolver=names.address
        ):
            yield made
        made.world.database.close()


def _account(place: Place) -> list[str]:
    kid, key = place.grant()
    return ["--agree-tos", "--register-unsafely-without-email", "--eab-kid", kid, "--eab-hmac-key", key]


def _held(home: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((home / "c" / "live" / HOST / "cert.pem").read_bytes())


def test_certbot_gets_renews_when_told_and_revokes(place: Place, tmp_path: Path) -> None:
    standalone = ["--standalone", "--http-01-port", str(place.http_port), "--http-01-address", "127.0.0.1"]
    place.certbot(tmp_path, "certonly", *standalone, *_account(place), *_PROFILE, "-d", HOST)
    first = _held(tmp_path)
    # openssl believes it, up to the site's root.
    live = tmp_path / "c" / "live" / HOST
    subprocess.run(
        ["openssl", "verify", "-CAfile", str(place.root), "-untrusted", str(live / "chain.pem"),
         "-purpose", "sslserver", "-verify_hostname", HOST, str(live / "cert.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    assert place.acme._authority.certificate(serial_hex(first.serial_number)).profile == "device-server"
    now = datetime.now(UTC)
    window = Window(
        start=now - timedelta(hours=2), end=now - timedelta(hours=1), explanation="https://city.example/why"
    )
    place.acme.renewal.ask_for([serial_hex(first.serial_number)], window)
    place.certbot(tmp_path, "renew")
    second = _held(tmp_path)
    assert second != first
    # Nobody asks for another renewal, and none happens.
    place.certbot(tmp_path, "renew")
    assert _held(tmp_path) == second
    said = place.certbot(tmp_path, "revoke", "--cert-name", HOST, "--reason", "superseded", "--no-delete-after-revoke")
    assert "revoked" in said.lower()
    assert place.standing(second) is Standing.REVOKED
    assert place.standing(first) is Standing.GOOD
    place.certbot(tmp_path, "unregister", "--agree-tos")


def test_certbot_gets_a_wildcard_by_dns(place: Place, tmp_path: Path) -> None:
    zone = tmp_path / "zone"
    zone.mkdir()
    hook = tmp_path / "hook"
    hook.write_text(f'#!/bin/sh\necho "$CERTBOT_VALIDATION" >> "{zone}/$CERTBOT_DOMAIN"\n')
    hook.chmod(0o755)
    # The hook writes where the name server reads, as at a real operator's.
    answers = place.names.answer

    def answer(wire: bytes) -> bytes:
        for file in zone.iterdir():
            records = [f'"{each}"' for each in file.read_text().split()]
            place.names.put(f"_acme-challenge.{file.name}", "TXT", records)
        return answers(wire)

    place.names.answer = answer  # type: ignore[method-assign]  # the table is filled when it is asked
    try:
        manual = ["--manual", "--preferred-challenges", "dns", "--manual-auth-hook", str(hook)]
        place.certbot(tmp_path, "certonly", *manual, *_account(place), "-d", HOST, "-d", f"*.{HOST}")
    finally:
        place.names.answer = answers  # type: ignore[method-assign]  # as it was
    names = _held(tmp_path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {HOST, f"*.{HOST}"}


def test_lego_gets_a_certificate_over_tls(place: Place, tmp_path: Path) -> None:
    kid, key = place.grant()
    _lego(place, tmp_path, "run", kid=kid, key=key)
    leaf = x509.load_pem_x509_certificates((tmp_path / "certificates" / f"{HOST}.crt").read_bytes())[0]
    order = place.acme._store.orders.of_serial(serial_hex(leaf.serial_number))
    assert order is not None
    authorization = place.acme._store.orders.authorization(order.authorizations[0])
    assert authorization is not None
    assert {each.method: each.state for each in authorization.challenges}[Method.TLS] == "valid"
    _lego(place, tmp_path, "revoke", kid=kid, key=key)
    assert place.standing(leaf) is Standing.REVOKED


def _lego(place: Place, folder: Path, verb: str, *, kid: str, key: str) -> None:
    common = ["lego", "--accept-tos", "--email", "kiosk@city.example", "--path", str(folder)]
    bound = ["--server", place.directory, "--eab", "--kid", kid, "--hmac", key]
    way = ["--domains", HOST, "--tls", "--tls.port", f"127.0.0.1:{place.tls_port}"]
    done = subprocess.run(
        [*common, *bound, *way, verb],
        env={**os.environ, "LEGO_CA_CERTIFICATES": str(place.root)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
