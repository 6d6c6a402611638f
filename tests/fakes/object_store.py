# SPDX-License-Identifier: Apache-2.0
"""An S3-compatible server as a process of its own (moto), and a line to it over which a test can be unkind."""

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

from tests.fakes.ports import free_port

BUCKET = "record"
_EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
_UNLIMITED = 10**9
_UNSIGNED = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0"

# Told method and path of a request; names what shall happen to it: nothing, or one of the words in ``Line``.
Weather = Callable[[str, str], str]


class ObjectServer:
    """The server; ``credentials`` are the only ones that it takes while ``strict``."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        with (folder / "moto.log").open("wb") as log:
            self._process = subprocess.Popen(
                [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(self.port)],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, "the object server ended"
            assert time.monotonic() < deadline, "the object server does not answer"
            time.sleep(0.1)
        self.ask("PUT", f"/{BUCKET}")
        self._iam("CreateUser")
        told = self._iam("CreateAccessKey")
        self._iam("PutUserPolicy", PolicyName="everything", PolicyDocument=_EVERYTHING)
        found = re.search(
            r"<AccessKeyId>(.+?)</AccessKeyId>.*<SecretAccessKey>(.+?)</SecretAccessKey>", told, re.DOTALL
        )
        assert found is not None, told
        self.credentials = f"{found[1]}:{found[2]}"

    @contextmanager
    def strict(self) -> Iterator[None]:
        """Check every signature, and who may what."""
        self.ask("POST", "/moto-api/reset-auth", b"0")
        try:
            yield
        finally:
            self.ask("POST", "/moto-api/reset-auth", str(_UNLIMITED).encode())

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "application/octet-stream") -> str:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            headers = {"Content-Type": kind} | ({"Authorization": _UNSIGNED} if path == "/" else {})
            connection.request(method, path, body, headers)
            return connection.getresponse().read().decode("utf-8", "replace")
        finally:
            connection.close()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _iam(self, action: str, **parameters: str) -> str:
        form = {"Action": action, "UserName": "writer", "Version": "2010-05-08", **parameters}
        return self.ask("POST", "/", urlencode(form).encode(), "application/x-www-form-urlencoded")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Line:
    """A proxy before the server; ``weather`` decides what happens to each request.

    ``down``: cut before it arrives. ``lost``: carried out, and cut before the answer. ``error``: answered with 500 and
    not carried out. ``slow``: carried out after two seconds. ``stale``: answered with what the path held first.
    """

    def __init__(self, server: ObjectServer) -> None:
        self.weather: Weather = lambda _method, _path: ""
        # Method and path of every request that came.
        self.seen: list[tuple[str, str]] = []
        self._first: dict[str, bytes] = {}
        line = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                line.carry(self, server.port)

            do_PUT = do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815 - the names of http.server

        class Proxy(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

        self._proxy = Proxy(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._proxy.server_address[1]}"
        self._thread = threading.Thread(target=self._proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def carry(self, request: BaseHTTPRequestHandler, port: int) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        self.seen.append((request.command, request.path))
        said = self.weather(request.command, request.path)
        if said == "down":
            request.close_connection = True
            return
        if said == "error":
            self._answer(request, 500, [], b"<Error><Code>InternalError</Code></Error>")
            return
        if said == "slow":
            time.sleep(2)
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request(request.command, request.path, body, dict(request.headers.items()))
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException):
            request.close_connection = True
            return
        finally:
            connection.close()
        if request.command == "GET" and answer.status == 200:
            content = self._first.setdefault(request.path, content) if said == "stale" else content
            self._first.setdefault(request.path, content)
        if said == "lost":
            request.close_connection = True
            return
        kept = [
            (n, v)
            for n, v in answer.getheaders()
            if n.lower() not in ("content-length", "connection", "server", "date")
        ]
        self._answer(request, answer.status, kept, content)

    def close(self) -> None:
        self._proxy.shutdown()
        self._proxy.server_close()
        self._thread.join(timeout=5)

    def _answer(
        self, request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], body: bytes
    ) -> None:
        request.send_response(status)
        for name, value in headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
