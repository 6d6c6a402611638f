# SPDX-License-Identifier: Apache-2.0
"""A site that validates on the loopback, with a name server and a web server that a test fills."""

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ca.config import AcmeSettings
from tests.ca.acme.client import HOST
from tests.ca.sites import Site, open_site
from tests.ca.world import World
from tests.fakes.name_server import NameServer, name_server


class Files:
    """What the web server answers: status, headers and content by path."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[str] = []

    def put(self, path: str, content: bytes, status: int = 200, **headers: str) -> None:
        self.answers[path] = (status, headers, content)


@pytest.fixture
def files() -> Iterator[Files]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            held.asked.append(f"{self.headers['Host']}{self.path}")
            status, headers, content = held.answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(content)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held = Files(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield held
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def names() -> Iterator[NameServer]:
    with name_server() as running:
        for each in (HOST, f"a.{HOST}", f"b.{HOST}"):
            running.put(each, "A", ["127.0.0.1"])
        yield running


@pytest.fixture
def settings(files: Files, names: NameServer) -> AcmeSettings:
    return AcmeSettings(
        networks=("127.0.0.0/24",),
        resolver=names.address,
        http_port=files.port,
        tls_port=files.port,
        validation_timeout=timedelta(seconds=8),
        validation_attempts=2,
        validation_pause=timedelta(0),
    )


@pytest.fixture
def site(world: World, released: Path, settings: AcmeSettings) -> Site:
    world.settings = replace(world.settings, acme=settings)
    return open_site(world, released)
