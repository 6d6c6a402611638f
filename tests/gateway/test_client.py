# SPDX-License-Identifier: Apache-2.0
"""The token endpoint as the gateway calls it: over TLS, with one trusted root, and suspicious of every answer."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from gateway.client import SignOnClient
from gateway.errors import BadLogin, SignOnUnavailable
from tests.gateway.conftest import certificate


@dataclass
class SignOn:
    origin: str
    root: Path
    status: int = 200
    body: bytes = json.dumps({"id_token": "a.b.c"}).encode()
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)


@pytest.fixture
def sign_on(tmp_path: Path) -> Iterator[SignOn]:
    pem, key = certificate("localhost", hosts=("localhost",))
    (tmp_path / "tls.pem").write_bytes(pem)
    (tmp_path / "tls.key").write_bytes(key)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            found.asked.append((self.headers["Authorization"], parse_qs(body)))
            self.send_response(found.status)
            self.send_header("Location", "https://evil.example/")
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_args: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.pem", tmp_path / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found = SignOn(origin=f"https://localhost:{server.server_address[1]}", root=tmp_path / "tls.pem")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


def _exchange(sign_on: SignOn, *, root: Path | None = None, secret: str = "s:e/c") -> str:
    client = SignOnClient(origin=sign_on.origin, roots=root or sign_on.root, secret=secret, timeout=5)
    return client.exchange(code="c&d", verifier="v", redirect_uri="https://tax.city.localhost/.tallygate/callback")


def test_a_code_is_redeemed_with_the_clients_secret(sign_on: SignOn) -> None:
    assert _exchange(sign_on) == "a.b.c"
    ((authorization, form),) = sign_on.asked
    assert base64.b64decode(authorization.removeprefix("Basic ")) == b"gateway:s%3Ae%2Fc"
    assert (form["code"], form["code_verifier"], form["grant_type"]) == (["c&d"], ["v"], ["authorization_code"])


def test_a_sign_on_of_another_root_is_not_asked(sign_on: SignOn, tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_bytes(certificate("localhost", hosts=("localhost",))[0])
    with pytest.raises(SignOnUnavailable):
        _exchange(sign_on, root=tmp_path / "other.pem")
    assert not sign_on.asked


def test_a_new_root_is_heard_without_a_restart(sign_on: SignOn, tmp_path: Path) -> None:
    roots = tmp_path / "anchors.pem"
    roots.write_bytes(certificate("somebody else")[0])
    client = SignOnClient(origin=sign_on.origin, roots=roots, secret="s", timeout=5)
    with pytest.raises(SignOnUnavailable):
        client.exchange(code="c", verifier="v", redirect_uri="r")
    with roots.open("ab") as file:
        file.write(sign_on.root.read_bytes())
    assert client.exchange(code="c", verifier="v", redirect_uri="r") == "a.b.c"
    # And one that is withdrawn is not believed on.
    roots.write_bytes(certificate("somebody else")[0])
    with pytest.raises(SignOnUnavailable):
        client.exchange(code="c", verifier="v", redirect_uri="r")


@pytest.mark.parametrize("status", [400, 401])
def test_a_code_that_is_worth_nothing_is_a_bad_login(sign_on: SignOn, status: int) -> None:
    sign_on.status, sign_on.body = status, b'{"error": "invalid_grant"}'
    with pytest.raises(BadLogin):
        _exchange(sign_on)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"id_token": 1}'),
        (200, b"\xff"),
        (200, b'{"id_token": "' + b"a" * 100_000 + b'"}'),
        (302, b'{"id_token": "a.b.c"}'),
        (503, b'{"id_token": "a.b.c"}'),
        (500, b""),
    ],
)
def test_an_answer_the_protocol_does_not_know_is_no_login(sign_on: SignOn, status: int, body: bytes) -> None:
    sign_on.status, sign_on.body = status, body
    with pytest.raises(SignOnUnavailable):
        _exchange(sign_on)


def test_nobody_there_is_a_temporary_error(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(certificate("localhost")[0])
    client = SignOnClient(origin="https://127.0.0.1:1", roots=tmp_path / "root.pem", secret="s", timeout=1)
    with pytest.raises(SignOnUnavailable):
        client.exchange(code="c", verifier="v", redirect_uri="r")
