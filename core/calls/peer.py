# SPDX-License-Identifier: Apache-2.0
"""The caller's side: one peer, reached over its socket with kept-alive connections."""

import base64
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from ..errors import Unavailable, from_problem
from .secrets import CALLER_HEADER, SECRET_HEADER

_ERROR = 400
_PIECE = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """What a peer said, with a status below 400."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            Unavailable: it is not; a callee that answers otherwise is broken.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Unavailable from error


class Peer:
    """Another role of this site."""

    def __init__(self, *, path: Path, caller: str, secret: bytes, timeout: float = 10.0) -> None:
        self._pool = _UnixPool(path, timeout)
        self._headers = {CALLER_HEADER: caller, SECRET_HEADER: base64.b64encode(secret).decode()}

    def call(
        self,
        method: str,
        path: str,
        *,
        document: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make one request; ``document`` is sent as JSON, ``body`` as it is.

        Raises:
            TallygateError: the error the callee answered with, rebuilt from its problem document.
            Unavailable: no answer, or none that can be understood.
        """
        response = self._request(method, path, document=document, body=body, headers=headers, whole=True)
        return Answer(response.status, dict(response.headers), response.data)

    @contextmanager
    def pieces(self, method: str, path: str, *, document: Any) -> Iterator[Iterator[bytes]]:
        """Make one request whose answer is too long to be held at once: piece by piece, each at most 64 KiB.

        Raises:
            TallygateError: as ``call``; ``Unavailable`` also if the answer breaks off.
        """
        response = self._request(method, path, document=document, body=None, headers=None, whole=False)
        try:
            yield response.stream(_PIECE)
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable from error
        finally:
            # What was not read to its end must not be taken for the next answer.
            response.close()

    def _request(
        self,
        method: str,
        path: str,
        *,
        document: Any,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        whole: bool,
    ) -> urllib3.BaseHTTPResponse:
        sent = {**self._headers, **(headers or {})}
        if document is not None:
            body = json.dumps(document).encode()
            sent["Content-Type"] = "application/json"
        try:
            response = self._pool.request(
                method, path, body=body, headers=sent, retries=False, redirect=False, preload_content=whole
            )
            if response.status < _ERROR:
                return response
            said = response.data
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable from error
        try:
            problem = json.loads(said)
        except ValueError:
            problem = None
        raise from_problem(response.status, problem)

    def close(self) -> None:
        """Drop idle connections."""
        self._pool.close()


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def _new_conn(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self.timeout)
            connection.connect(str(self._path))
        except OSError as error:
            connection.close()
            raise urllib3.exceptions.NewConnectionError(self, str(error)) from error
        return connection


class _UnixPool(HTTPConnectionPool):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout, maxsize=16)
        self._path = path
        self._seconds = timeout

    def _new_conn(self) -> _UnixConnection:
        return _UnixConnection(self._path, self._seconds)
