# SPDX-License-Identifier: Apache-2.0
"""Whoever works inside reaches what the city names beyond its networks, nothing else, and no longer than allowed."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.flows import invariants
from tests.flows.at_work import WITHIN
from tests.flows.city import City, until
from tests.flows.conftest import Abroad
from tests.flows.people import subject_of


class Outside:
    """A TLS server of somebody else: answers at once, or at /stays not to the end."""

    def __init__(self, folder: Path, listener: socket.socket) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "outside")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.certificate = folder / "outside.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.certificate.write_bytes(made.public_bytes(Encoding.PEM) + private)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate)
        self._listener = listener
        self.port = listener.getsockname()[1]
        self.visitors = 0
        self.staying = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self.visitors += 1
            threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        try:
            with self._context.wrap_socket(line, server_side=True) as secured:
                if secured.recv(4096).startswith(b"GET /stays"):
                    secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\nbegun")
                    self.staying.set()
                    secured.recv(4096)
                    return
                secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        except OSError:
            pass


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


@pytest.fixture(scope="module")
def outside(city: City, abroad: Abroad, tmp_path_factory: pytest.TempPathFactory) -> Outside:
    """At the place that the city's settings name."""
    return Outside(tmp_path_factory.mktemp("outside"), abroad.listener)


def _curl(city: City, outside: Outside, url: str, card: str) -> list[str]:
    shown = ["--proxy-cert", str(city.folder / "demo" / f"{card}.pem")] if card else []
    door = f"https://egress.city.localhost:{city.ports['egress']}"
    return [
        "curl", "-sS", "--max-time", "60", "--proxy", door, "--proxy-cacert", str(city.root), *shown,
        "--cacert", str(outside.certificate), "-w", "\n%{http_connect} %{http_code}", url,
    ]  # fmt: skip


def _asked(city: City, outside: Outside, url: str, card: str) -> tuple[str, str]:
    """What came, and with which statuses of the door and of the server."""
    done = subprocess.run(_curl(city, outside, url, card), capture_output=True, text=True, check=False)
    content, _, statuses = done.stdout.rpartition("\n")
    return content, statuses


def _entries(city: City, kind: str, **told: str) -> list[dict[str, Any]]:
    """Of this kind, the newest last; ``told`` are what its clear part says."""
    found = [entry["told"] for entry in invariants.entries(city) if entry["told"]["type"] == kind]
    return [each for each in found if all(each.get(name) == value for name, value in told.items())]


def _decided(city: City, before: int) -> dict[str, Any]:
    """The one decision about a way out since there were ``before``."""
    (found,) = until(lambda: _entries(city, "gateway.egress.decided")[before:])
    return dict(found)


def _serial(certificate: Path) -> str:
    said = subprocess.run(
        ["openssl", "x509", "-in", str(certificate), "-noout", "-serial"], capture_output=True, text=True, check=True
    ).stdout
    return said.strip().split("=")[1].lower().lstrip("0")


def test_a_civil_servant_reaches_what_is_named_and_the_record_tells_when_and_how_much(
    city: City, outside: Outside
) -> None:
    before, visitors = len(_entries(city, "gateway.egress.decided")), outside.visitors
    content, statuses = _asked(city, outside, f"https://localhost:{outside.port}/", "li.na")
    assert (content, statuses) == ("hello", "200 200")
    assert outside.visitors == visitors + 1
    decided = _decided(city, before)
    assert (decided["subject"], decided["object"]) == (subject_of(city, "li.na"), "outside")
    assert decided["attributes"]["reason"] == "allowed"
    (ended,) = until(lambda: _entries(city, "gateway.egress.closed", decision=decided["decision"]))
    assert int(ended["attributes"]["sent"]) > 300


@pytest.mark.parametrize(
    ("card", "url", "door", "reason"),
    [
        # No destination covers it.
        ("li.na", "https://elsewhere.example/", "403", "default"),
        ("li.na", "https://localhost:1/", "403", "default"),
        # The policies let civil servants out, and no machine.
        ("device", "https://localhost:{outside}/", "403", "role"),
        # Nobody.
        ("", "https://localhost:{outside}/", "407", "login"),
        # A name of a destination that leads into networks of ours: it is judged by where it leads, when it is asked.
        ("li.na", "https://localhost:{inside}/", "403", "destination"),
    ],
)
def test_whoever_or_whatever_else_is_refused_and_on_the_record(  # noqa: PLR0917 - a row of the table
    city: City, outside: Outside, abroad: Abroad, card: str, url: str, door: str, reason: str
) -> None:
    before, visitors = len(_entries(city, "gateway.egress.decided")), outside.visitors
    url = url.format(outside=outside.port, inside=abroad.inside.getsockname()[1])
    content, statuses = _asked(city, outside, url, card)
    assert (content, statuses) == ("", f"{door} 000")
    decided = _decided(city, before)
    assert decided["attributes"]["reason"] == reason
    assert decided.get("subject", "") == (subject_of(city, card) if card else "")
    # Nothing knocked anywhere, neither outside nor inside.
    assert outside.visitors == visitors
    abroad.inside.settimeout(0)
    with pytest.raises(BlockingIOError):
        abroad.inside.accept()


def test_a_suspended_card_is_cut_off_within_a_second_and_opens_nothing_more(city: City, outside: Outside) -> None:
    before = len(_entries(city, "gateway.egress.decided"))
    site, serial = ("--site", str(city.configuration)), _serial(city.folder / "demo" / "li.na.pem")
    url = f"https://localhost:{outside.port}"
    outside.staying.clear()
    with subprocess.Popen(
        _curl(city, outside, f"{url}/stays", "li.na"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as curl:
        assert outside.staying.wait(30)
        assert curl.poll() is None
        city.tallygate("ca", *site, "suspend", serial)
        since = time.monotonic()
        try:
            assert curl.wait(timeout=10) != 0
            assert time.monotonic() - since < WITHIN
            decided = _decided(city, before)
            (ended,) = until(lambda: _entries(city, "gateway.egress.closed", decision=decided["decision"]))
            assert ended["attributes"]["reason"] not in ("client", "host", "")
            assert _asked(city, outside, f"{url}/", "li.na") == ("", "403 000")
            refused = _decided(city, before + 1)
            assert refused["attributes"]["reason"] == "disabled"
        finally:
            city.tallygate("ca", *site, "release", serial)
    until(lambda: _asked(city, outside, f"{url}/", "li.na")[0] == "hello", seconds=10)
