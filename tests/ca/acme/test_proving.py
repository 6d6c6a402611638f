# SPDX-License-Identifier: Apache-2.0
"""Validation goes where the site allows it, once, for a bounded time; and believes only what it should."""

import datetime as dt
import hashlib
import http.server
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ca.acme.jws import b64url
from ca.acme.models import Identifier, Kind, Method
from ca.acme.problems import Problem
from ca.acme.proving import Network, dns01, http01, tlsalpn01
from ca.acme.proving.network import Deadline
from tests.ca.acme.client import ERROR, HOST, b64, member, refused, request_for, thumbprint
from tests.ca.acme.conftest import Files
from tests.ca.sites import Site
from tests.fakes.name_server import NameServer

NAME = Identifier(Kind.DNS, HOST)
EXPECTED = "token.thumbprint"
PATH = "/.well-known/acme-challenge/token"


def _look(names: NameServer, port: int, *, networks: tuple[str, ...] = ("127.0.0.0/24",), seconds: float = 8) -> None:
    network = Network(networks=networks, resolver=names.address)
    http01.look(network, NAME, port=port, token="token", expected=EXPECTED, deadline=Deadline(seconds))


def _refusal(names: NameServer, port: int, **more: Any) -> str:
    with pytest.raises(Problem) as raised:
        _look(names, port, **more)
    return raised.value.detail


def test_the_right_file_is_enough(names: NameServer, files: Files) -> None:
    files.put(PATH, EXPECTED.encode() + b"\r\n")
    _look(names, files.port)
    for content in (b"", b"x" + EXPECTED.encode(), EXPECTED.encode() + b"x", EXPECTED.encode()[:-1], b"\xff\0"):
        files.put(PATH, content)
        assert "key authorization" in _refusal(names, files.port)
    files.put(PATH, EXPECTED.encode(), status=403)
    assert "403" in _refusal(names, files.port)


@pytest.mark.parametrize(
    ("address", "networks"),
    [
        ("127.0.0.1", ()),
        ("127.0.0.1", ("10.0.0.0/8",)),
        ("127.0.0.1", ("0.0.0.0/0",)),
        ("169.254.169.254", ("0.0.0.0/0", "127.0.0.0/8")),
        ("0.0.0.0", ("0.0.0.0/0",)),  # noqa: S104 - an address that nobody binds here
        ("224.0.0.1", ("0.0.0.0/0",)),
        ("255.255.255.255", ("0.0.0.0/0",)),
        ("10.0.0.1", ("127.0.0.0/8", "10.0.1.0/24")),
    ],
)
def test_addresses_the_site_has_not_allowed_are_not_reached(
    names: NameServer, files: Files, address: str, networks: tuple[str, ...]
) -> None:
    names.put(HOST, "A", [address])
    assert "no address that this site validates at" in _refusal(names, files.port, networks=networks)
    assert not files.asked


@pytest.mark.parametrize("address", ["::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "fe80::1", "::"])
def test_no_spelling_of_an_address_gets_around(names: NameServer, files: Files, address: str) -> None:
    names.put(HOST, "A", [])
    names.put(HOST, "AAAA", [address])
    found = _refusal(names, files.port, networks=("::/0", "0.0.0.0/0", "10.0.0.0/8"))
    assert "no address that this site validates at" in found


def test_a_name_is_asked_once_and_never_again(names: NameServer, files: Files) -> None:
    # DNS rebinding: the second answer would lead elsewhere; the redirect would ask it.
    names.put(HOST, "A", ["127.0.0.1"], ["169.254.169.254"])
    files.put(PATH, b"", status=302, Location=f"http://{HOST}:{files.port}/elsewhere")
    files.put("/elsewhere", EXPECTED.encode())
    _look(names, files.port)
    assert names.asked[HOST, "A"] == 1
    # The first answer is what counts, whatever the second one would be.
    names.put(HOST, "A", ["169.254.169.254"], ["127.0.0.1"])
    names.asked.clear()
    assert "no address that this site validates at" in _refusal(names, files.port)


def test_of_several_addresses_an_allowed_one_is_taken(names: NameServer, files: Files) -> None:
    names.put(HOST, "A", ["169.254.169.254", "127.0.0.1"])
    files.put(PATH, EXPECTED.encode())
    _look(names, files.port)


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:{port}/elsewhere",
        "https://{host}:{port}/elsewhere",
        "http://{host}/elsewhere",
        "http://{host}:1/elsewhere",
        "http://{host}.evil.example:{port}/elsewhere",
        "http://user@{host}:{port}/elsewhere",
        "//evil.example/elsewhere",
        "file:///etc/passwd",
        "gopher://{host}:{port}/elsewhere",
        "http://{host}:99999/elsewhere",
        "http://[::1/elsewhere",
        "",
        "elsewhere",
        "/with space",
        "/\u00fc",
    ],
)
def test_redirects_lead_nowhere_else(names: NameServer, files: Files, location: str) -> None:
    where = location.format(host=HOST, port=files.port)
    files.put(PATH, b"", status=302, Location=where)
    files.put("/elsewhere", EXPECTED.encode())
    _refusal(names, files.port)
    assert files.asked == [f"{HOST}:{files.port}{PATH}"]


def test_redirects_end(names: NameServer, files: Files) -> None:
    files.put(PATH, b"", status=307, Location=PATH)
    assert "too many redirects" in _refusal(names, files.port)
    assert len(files.asked) == 4


def test_a_long_answer_is_not_read_to_its_end(names: NameServer, files: Files) -> None:
    files.put(PATH, EXPECTED.encode() + b" " * (64 << 20))
    began = time.monotonic()
    assert "too long" in _refusal(names, files.port)
    assert time.monotonic() - began < 8


@contextmanager
def _talking(*pieces: bytes, pause: float = 0.0, forever: bool = False) -> Iterator[int]:
    """A server that says these things at its own pace."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def talk() -> None:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            try:
                while not over.is_set():
                    for piece in pieces:
                        connection.sendall(piece)
                        over.wait(pause)
                    if not forever:
                        break
            except OSError:
                return

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        over.set()
        listening.close()
        thread.join()


def test_a_slow_answer_is_not_waited_for(names: NameServer) -> None:
    with _talking(b"x", pause=0.05, forever=True) as port:
        began = time.monotonic()
        assert "too long to answer" in _refusal(names, port, seconds=2)
        assert time.monotonic() - began < 8
    with _talking(pause=0.05, forever=True) as port:
        assert "too long to answer" in _refusal(names, port, seconds=2)


@pytest.mark.parametrize(
    "said",
    [b"", b"\0" * 100, b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 999999 x\r\n\r\n", b"SSH-2.0-x\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
     b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 500 + b"\r\n"],
)  # fmt: skip
def test_what_is_no_answer_is_a_refusal(names: NameServer, said: bytes) -> None:
    with _talking(said) as port:
        _refusal(names, port)


def test_a_refusing_port_and_a_silent_name_server(names: NameServer) -> None:
    # Nobody listens there, and nobody else gets it.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert f"no connection to 127.0.0.1, port {port}" in _refusal(names, port)
    names.put(HOST, "A", [])
    assert "has no address" in _refusal(names, port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        network = Network(networks=("127.0.0.0/8",), resolver=f"127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(Problem, match="no answer"):
            network.find(NAME, Deadline(0.3))


def _caa(names: NameServer, *, wildcard: bool = False, method: Method = Method.DNS) -> None:
    dns01.check_caa(
        Network(networks=(), resolver=names.address),
        NAME,
        wildcard=wildcard,
        identities=("ca.city.example",),
        method=method,
        accounts=("https://acme.city.localhost:8443/acme/account/1",),
        deadline=Deadline(8),
    )


@pytest.mark.parametrize(
    ("at", "records", "wildcard", "allowed"),
    [
        (HOST, [], False, True),
        (HOST, ['0 issue "ca.city.example"'], False, True),
        (HOST, ['0 issue "CA.city.example"'], True, True),
        (HOST, ['0 issue "other.example"'], False, False),
        ("city.localhost", ['0 issue "other.example"'], False, False),
        ("localhost", ['0 issue ";"'], False, False),
        (HOST, ['0 issue "other.example"', '0 issue "ca.city.example"'], False, True),
        (HOST, ['0 issuewild "other.example"'], False, True),
        (HOST, ['0 issue "ca.city.example"', '0 issuewild ";"'], True, False),
        (HOST, ['0 issue ";"', '0 issuewild "ca.city.example"'], True, True),
        (HOST, ['128 tbs "unknown"'], False, False),
        (HOST, ['0 tbs "unknown"'], False, True),
        (HOST, ['0 issue "ca.city.example; validationmethods=dns-01,http-01"'], False, True),
        (HOST, ['0 issue "ca.city.example; validationmethods=http-01"'], False, False),
        (HOST, ['0 issue "ca.city.example; accounturi=https://acme.city.localhost:8443/acme/account/1"'], False, True),
        (HOST, ['0 issue "ca.city.example; accounturi=https://acme.city.localhost:8443/acme/account/2"'], False, False),
    ],
)
def test_caa_records_are_heeded(
    names: NameServer, at: str, records: list[str], *, wildcard: bool, allowed: bool
) -> None:
    names.put(at, "CAA", records)
    if allowed:
        _caa(names, wildcard=wildcard)
    else:
        with pytest.raises(Problem, match="CAA"):
            _caa(names, wildcard=wildcard)


def test_a_record_beside_the_name_is_compared_whole(names: NameServer) -> None:
    network = Network(networks=(), resolver=names.address)
    digest = b64url(hashlib.sha256(EXPECTED.encode()).digest())
    for records, right in (
        ([f'"{digest}"'], True),
        ([f'"{digest[:20]}" "{digest[20:]}"'], True),
        ([f'"{digest}x"'], False),
        ([], False),
    ):
        names.put(f"_acme-challenge.{HOST}", "TXT", records)
        if right:
            dns01.look(network, NAME, expected=EXPECTED, deadline=Deadline(8))
        else:
            with pytest.raises(Problem):
                dns01.look(network, NAME, expected=EXPECTED, deadline=Deadline(8))


@contextmanager
def _tls(tmp_path: Path, extensions: list[tuple[x509.ExtensionType, bool]], *, protocol: str) -> Iterator[int]:
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(x509.Name([])).serial_number(1)
    builder = builder.public_key(key.public_key()).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    held = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "tls.pem").write_bytes(held + builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.pem")
    context.set_alpn_protocols([protocol])
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # what a client breaks off is no news
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _proof(expected: str = EXPECTED) -> x509.ExtensionType:
    digest = hashlib.sha256(expected.encode()).digest()
    return x509.UnrecognizedExtension(tlsalpn01.ACME_IDENTIFIER, b"\x04\x20" + digest)


def _names(*names: x509.GeneralName) -> x509.ExtensionType:
    return x509.SubjectAlternativeName(names)


_RIGHT = x509.DNSName(HOST)


@pytest.mark.parametrize(
    ("extensions", "protocol", "right"),
    [
        ([(_names(_RIGHT), False), (_proof(), True)], "acme-tls/1", True),
        ([(_names(_RIGHT), False), (_proof(), True)], "http/1.1", False),
        ([(_names(_RIGHT), False), (_proof(), False)], "acme-tls/1", False),
        ([(_names(_RIGHT), False), (_proof("x"), True)], "acme-tls/1", False),
        ([(_names(_RIGHT, x509.DNSName("b.example")), False), (_proof(), True)], "acme-tls/1", False),
        ([(_names(x509.DNSName("b.example")), False), (_proof(), True)], "acme-tls/1", False),
        ([(_names(x509.IPAddress(ipaddress.ip_address("127.0.0.1"))), False), (_proof(), True)], "acme-tls/1", False),
        ([(_names(_RIGHT), False)], "acme-tls/1", False),
        ([(_proof(), True)], "acme-tls/1", False),
    ],
)
def test_a_certificate_of_its_own_making_proves_the_name(
    names: NameServer,
    tmp_path: Path,
    extensions: list[tuple[x509.ExtensionType, bool]],
    protocol: str,
    *,
    right: bool,
) -> None:
    network = Network(networks=("127.0.0.0/24",), resolver=names.address)
    with _tls(tmp_path, extensions, protocol=protocol) as port:
        if right:
            tlsalpn01.look(network, NAME, port=port, expected=EXPECTED, deadline=Deadline(8))
        else:
            with pytest.raises(Problem):
                tlsalpn01.look(network, NAME, port=port, expected=EXPECTED, deadline=Deadline(8))


def test_an_address_proves_itself_by_tls(names: NameServer, tmp_path: Path) -> None:
    network, identifier = Network(networks=("127.0.0.0/24",), resolver=names.address), Identifier(Kind.IP, "127.0.0.1")
    said = [(_names(x509.IPAddress(ipaddress.ip_address("127.0.0.1"))), False), (_proof(), True)]
    with _tls(tmp_path, said, protocol="acme-tls/1") as port:
        tlsalpn01.look(network, identifier, port=port, expected=EXPECTED, deadline=Deadline(8))


def test_a_client_tries_again_and_failures_are_counted(site: Site, files: Files) -> None:
    client = member(site)
    order = client.order(HOST)
    authorization = order.get_json()["authorizations"][0]
    challenge = next(each for each in client.post(authorization).get_json()["challenges"] if each["type"] == "http-01")
    client.post(challenge["url"], {})
    # One look fails; the client mends its server and asks again before the next.
    for each in site.acme.validation._take(1):
        site.acme.validation._examine(each)
    shown = client.post(challenge["url"]).get_json()
    assert (shown["status"], shown["error"]["type"]) == ("processing", f"{ERROR}unauthorized")
    files.put(
        f"/.well-known/acme-challenge/{challenge['token']}", f"{challenge['token']}.{thumbprint(client.key)}".encode()
    )
    assert client.post(challenge["url"], {}).get_json()["status"] == "processing"
    site.acme.validation.work()
    shown = client.post(challenge["url"]).get_json()
    assert shown["status"] == "valid"
    assert shown["validated"]
    assert client.post(order.headers["Location"]).get_json()["status"] == "ready"
    for number in range(6):
        order = client.order(f"a.{HOST}")
        authorization = client.post(order.get_json()["authorizations"][0]).get_json()
        answer = client.post(authorization["challenges"][1]["url"], {})
        if number == 5:
            refused(answer, "rateLimited", 429)
            assert answer.headers["Retry-After"]
            break
        site.acme.validation.work()
        after = client.post(order.get_json()["authorizations"][0]).get_json()
        assert after["status"] == "invalid"
        assert [each["status"] for each in after["challenges"]] == ["pending", "invalid", "pending"]
        lost = client.post(order.headers["Location"]).get_json()
        assert (lost["status"], lost["error"]["identifier"]["value"]) == ("invalid", f"a.{HOST}")
    assert site.world.reported().count("ca.acme.authorization.failed") == 5
    refused(client.post(order.get_json()["finalize"], {"csr": b64(request_for(f"a.{HOST}"))}), "orderNotReady", 403)


def test_workers_look_by_themselves(site: Site, files: Files) -> None:
    client = member(site)
    order = client.order(HOST)
    authorization = client.post(order.get_json()["authorizations"][0]).get_json()
    challenge = next(each for each in authorization["challenges"] if each["type"] == "http-01")
    files.put(
        f"/.well-known/acme-challenge/{challenge['token']}", f"{challenge['token']}.{thumbprint(client.key)}".encode()
    )
    site.acme.validation.start()
    try:
        client.post(challenge["url"], {})
        limit = time.monotonic() + 60
        while client.post(order.headers["Location"]).get_json()["status"] != "ready":
            assert time.monotonic() < limit
            time.sleep(0.02)
    finally:
        site.acme.validation.stop()
