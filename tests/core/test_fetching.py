# SPDX-License-Identifier: Apache-2.0
"""Bug class 25: what others let us fetch never reaches a network of ours, never leads on, and is never endless."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.calls.outside import Fetcher
from core.errors import Unavailable
from tests.fakes.receivers import TestAuthority


class _Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/leads-on":
            self.send_response(302)
            self.send_header("Location", "https://localhost/object")
            self.end_headers()
            return
        body = b"a.b.c" if self.path == "/object" else b"x" * 100_000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(302 if self.path == "/leads-on" else 200)
        if self.path == "/leads-on":
            self.send_header("Location", "https://localhost/object")
        said = body + b" " + self.headers["Content-Type"].encode() + b" " + self.headers["Host"].encode()
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _served(folder: Path) -> Iterator[tuple[int, Path]]:
    authority = TestAuthority(folder)
    certificate, key = authority.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1], authority.roots
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _fetcher(roots: Path | None = None, *, private: bool = False) -> Fetcher:
    context = ssl.create_default_context(cafile=str(roots) if roots else None)
    return Fetcher(context=context, private=private, timeout=30.0, largest=16_384)


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://localhost/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fe80::1]/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.0.1/",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://[fd00::1]/",
        "http://192.0.2.1/",
        "https://user@localhost/",
        "https://localhost:99999/",
        "https://[::1/",
        "https:///x",
        "file:///etc/passwd",
        "https://" + "a" * 70 + ".example/",
        "",
    ],
)
def test_an_address_that_is_not_public_is_never_asked(address: str) -> None:
    with pytest.raises(Unavailable):
        _fetcher().get(address)
    with pytest.raises(Unavailable):
        _fetcher().post(address, b"x", kind="text/plain")


def test_what_lies_there_is_read_to_its_end_and_no_further(tmp_path: Path) -> None:
    with _served(tmp_path) as (port, roots):
        fetcher = _fetcher(roots, private=True)
        assert fetcher.get(f"https://localhost:{port}/object").body == b"a.b.c"
        assert fetcher.get(f"https://localhost:{port}/leads-on").status == 302
        with pytest.raises(Unavailable):
            fetcher.get(f"https://localhost:{port}/endless")
        # The same server under a name its certificate does not carry, by an authority nobody trusts, or not allowed.
        with pytest.raises(Unavailable):
            fetcher.get(f"https://127.0.0.1:{port}/object")
        with pytest.raises(Unavailable):
            _fetcher(private=True).get(f"https://localhost:{port}/object")
        with pytest.raises(Unavailable):
            _fetcher(roots).get(f"https://localhost:{port}/object")


def test_what_is_told_goes_by_the_same_way(tmp_path: Path) -> None:
    with _served(tmp_path) as (port, roots):
        fetcher, here = _fetcher(roots, private=True), f"https://localhost:{port}"
        reply = fetcher.post(f"{here}/goodbye", b"logout_token=x", kind="text/plain")
        assert (reply.status, reply.body) == (200, f"logout_token=x text/plain localhost:{port}".encode())
        assert fetcher.post(f"{here}/leads-on", b"x", kind="text/plain").status == 302
        with pytest.raises(Unavailable):
            _fetcher(roots).post(f"{here}/goodbye", b"x", kind="text/plain")
