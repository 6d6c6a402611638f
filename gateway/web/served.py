# SPDX-License-Identifier: Apache-2.0
"""The role before granian's event loop (RSGI): decisions in the loop, whatever may have to wait in threads.

The site's own nginx asks past granian, over the lines of `asking`, in the same loop; other proxies ask here. Everything
else, pages among it, is the WSGI application's, which one of a few threads runs.
"""

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from core.calls import PairSecrets
from core.log import logger

from ..models import Answer
from ..service.decision import Decider
from .asking import Asking, Recording
from .decide import PREFIX, WSGIApp, headers_of

THREADS = 16
"""They wait for receipts, LDAP and the database."""
LARGEST = 16 * 1024 * 1024
"""Bytes of a body; pages take far less, and say so themselves."""
_log = logger(__name__)
_Headers = list[tuple[str, str]]


class Headers(Protocol):
    """What granian shows of a request's headers: names in lower case, values that are no ASCII left out."""

    def items(self) -> list[tuple[str, str]]:
        """All of them, in their order."""
        ...


class Scope(Protocol):
    """What granian tells of a request."""

    method: str
    # Percent-decoded.
    path: str
    query_string: str
    http_version: str
    # Address and port.
    client: str
    scheme: str

    @property
    def headers(self) -> Headers:
        """As they came."""
        ...


class Exchange(Protocol):
    """Where granian takes the answer."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body, piece by piece."""
        ...

    def response_empty(self, status: int, headers: _Headers) -> None:
        """Answer without a body."""
        ...

    def response_bytes(self, status: int, headers: _Headers, body: bytes) -> None:
        """Answer."""
        ...


class Served:
    """One per worker; ``fresh`` says whether everything that was taken away has been heard."""

    def __init__(
        self,
        decider: Decider,
        pairs: PairSecrets,
        application: WSGIApp,
        *,
        together: Recording,
        fresh: Callable[[], bool],
        places: Sequence[tuple[Path, Path]] = (),
    ) -> None:
        """``places`` are those of `Asking`, where the site's nginx asks."""
        self._application = application
        self._together = together
        self._threads = ThreadPoolExecutor(THREADS, "gateway-page")
        self._asking = Asking(decider, pairs, together=together, fresh=fresh, threads=self._threads, places=places)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The same by WSGI, where no loop is served: everything is asked the long way."""
        return self._application(environ, start_response)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called by granian before it serves."""
        self._together.start(loop)
        self._asking.start(loop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called by granian when it has ended; its loop stands still, and what was asked past it is answered first."""
        loop.run_until_complete(self._asking.end())
        self._together.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request."""
        environ = environ_of(scope)
        if scope.path.startswith(PREFIX):
            await self._decided(environ, exchange)
        else:
            await self._elsewhere(environ, exchange)

    async def _decided(self, environ: dict[str, Any], exchange: Exchange) -> None:
        told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asking.ask(environ, lambda answer: None if told.done() else told.set_result(answer))
        answer = await told
        exchange.response_empty(answer.status, headers_of(answer))

    async def _elsewhere(self, environ: dict[str, Any], exchange: Exchange) -> None:
        body = bytearray()
        async for piece in exchange:
            body += piece
            if len(body) > LARGEST:
                exchange.response_empty(413, [("Content-Length", "0")])
                return
        environ["wsgi.input"] = io.BytesIO(bytes(body))
        loop = asyncio.get_running_loop()
        try:
            status, headers, content = await loop.run_in_executor(self._threads, _run, self._application, environ)
        except Exception:  # noqa: BLE001 - whatever a page did, the proxy is answered
            _log.error("page_failed", exc_info=True)
            status, headers, content = 500, [("Content-Length", "0")], b""
        if content:
            exchange.response_bytes(status, headers, content)
        else:
            exchange.response_empty(status, headers)


_NAMES: dict[str, str] = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_MOST_NAMES = 500


def environ_of(scope: Scope) -> dict[str, Any]:
    """The request as WSGI tells it (PEP 3333), without its body; what was given twice is joined, as granian does."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path if scope.path.isascii() else scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "0",
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "SERVER_SOFTWARE": "Granian",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        # Read whole before it is handed on, so that it ends where it ends.
        "wsgi.input_terminated": True,
    }
    for name, value in scope.headers.items():
        told = _NAMES.get(name)
        if told is None:
            told = "HTTP_" + name.replace("-", "_").upper()
            if len(_NAMES) < _MOST_NAMES:
                _NAMES[name] = told
        if told in environ:
            environ[told] += (";" if told == "HTTP_COOKIE" else ",") + value
        else:
            environ[told] = value
    return environ


def _run(application: WSGIApp, environ: dict[str, Any]) -> tuple[int, _Headers, bytes]:
    said: list[tuple[int, _Headers]] = []

    def start_response(status: str, headers: _Headers, *_: object) -> None:
        said[:] = [(int(status[:3]), headers)]

    parts: Iterable[bytes] = application(environ, start_response)
    try:
        content = b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    [(status, headers)] = said
    return status, headers, content
