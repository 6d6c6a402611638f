# SPDX-License-Identifier: Apache-2.0
"""Calls between roles over a real socket: long answers come piece by piece; one that breaks off is not whole."""

import json
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from core.calls import Peer
from core.errors import Forbidden, Unavailable

Say = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def answering(say: Say) -> Iterator[Peer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            say(self)

        def log_message(self, *_: object) -> None:
            pass

        def address_string(self) -> str:
            return "socket"

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "s"
        with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            peer = Peer(path=path, caller="app", secret=b"s" * 32, timeout=60)
            try:
                yield peer
            finally:
                peer.close()
                server.shutdown()
                thread.join()


def head(handler: BaseHTTPRequestHandler, status: int, length: int) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()


def test_a_long_answer_comes_in_pieces_and_the_first_before_the_last_is_made() -> None:
    taken = threading.Event()

    def say(handler: BaseHTTPRequestHandler) -> None:
        head(handler, 200, 1 << 20)
        handler.wfile.write(b"a" * (1 << 16))
        # Whoever holds the whole answer at once would wait here for ever.
        assert taken.wait(60)
        handler.wfile.write(b"b" * ((1 << 20) - (1 << 16)))

    with answering(say) as peer, peer.pieces("POST", "/long", document={}) as pieces:
        first = next(pieces)
        taken.set()
        rest = list(pieces)
    assert set(first) == set(b"a")
    assert len(first) + sum(map(len, rest)) == 1 << 20
    assert max(map(len, (first, *rest))) <= 1 << 16


def test_an_answer_that_breaks_off_is_not_whole() -> None:
    def say(handler: BaseHTTPRequestHandler) -> None:
        head(handler, 200, 100)
        handler.wfile.write(b"a" * 50)
        handler.wfile.flush()
        handler.connection.shutdown(2)

    with answering(say) as peer, pytest.raises(Unavailable), peer.pieces("POST", "/long", document={}) as pieces:
        list(pieces)


def test_a_refusal_is_the_error_it_was() -> None:
    def say(handler: BaseHTTPRequestHandler) -> None:
        content = json.dumps({"code": "forbidden", "message": "no"}).encode()
        head(handler, 403, len(content))
        handler.wfile.write(content)

    with answering(say) as peer:
        with pytest.raises(Forbidden), peer.pieces("POST", "/long", document={}):
            pass
        with pytest.raises(Forbidden):
            peer.call("POST", "/long", document={})
