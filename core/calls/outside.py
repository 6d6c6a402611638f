# SPDX-License-Identifier: Apache-2.0
"""Questions to addresses of others: bounded in time and in size, no redirection, no retry; private ones are guarded."""

import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import urllib3

from ..errors import Unavailable
from .webhooks import is_public

_CHUNK = 16 * 1024
_HTTP, _HTTPS = 80, 443
_MOST_ADDRESSES = 4


@dataclass(frozen=True)
class Reply:
    """What came back; nothing of it is believed."""

    status: int
    # Media type without parameters, in lower case.
    kind: str
    body: bytes
    # Names in lower case.
    headers: Mapping[str, str] = field(default_factory=dict)


class Outside:
    """One http or https address; ``authorities`` is a file of root certificates, those of the machine if left out."""

    def __init__(self, url: str, *, authorities: Path | None, timeout: float, largest: int) -> None:
        """``timeout`` in seconds and ``largest`` in bytes bound every answer."""
        self._url = url
        self._timeout = timeout
        self._largest = largest
        self._pool = urllib3.PoolManager(
            ca_certs=str(authorities) if authorities else None, timeout=urllib3.Timeout(timeout), retries=False
        )

    def post(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a body and read the answer, whatever its status.

        Raises:
            Unavailable: no answer in time, or one that is too long.
        """
        deadline = time.monotonic() + self._timeout
        try:
            response = self._pool.request(
                "POST", self._url, body=body, headers=dict(headers), redirect=False, preload_content=False
            )
            return _reply(response, largest=self._largest, deadline=deadline)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise Unavailable from error

    def close(self) -> None:
        """Drop idle connections."""
        self._pool.clear()


class Fetcher:
    """Reads what lies at https addresses that somebody else chose, and never reaches a network of ours by it."""

    def __init__(
        self, *, context: ssl.SSLContext, private: bool, timeout: float, largest: int, plain: bool = False
    ) -> None:
        """``private`` allows addresses that are not public; ``timeout`` is in seconds, ``largest`` in bytes.

        ``plain`` allows http too: for what is signed by itself, such as lists of revoked certificates.
        """
        self._context = context
        self._schemes = {"https", "http"} if plain else {"https"}
        self._private = private
        self._timeout = timeout
        self._largest = largest

    def get(self, url: str) -> Reply:
        """What lies there; a redirection is an answer like another, and not followed.

        Raises: as ``post``.
        """
        return self._ask("GET", url, None, {})

    def post(self, url: str, body: bytes, *, kind: str) -> Reply:
        """Bring something there; a redirection is an answer like another, and not followed.

        Raises:
            Unavailable: not https, an address that is not public, no answer in time, or one that is too long.
        """
        return self._ask("POST", url, body, {"Content-Type": kind})

    def ask(self, method: str, url: str, *, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        """Any request; a redirection is an answer like another, and not followed.

        Raises: as ``post``.
        """
        return self._ask(method, url, body, headers)

    def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        try:
            parts = urlsplit(url)
            port = _port(parts)
        except ValueError as error:
            raise Unavailable from error
        if parts.scheme not in self._schemes or not parts.hostname or parts.username is not None:
            raise Unavailable
        deadline = time.monotonic() + self._timeout
        # The addresses that were judged are those that are connected to, whatever the name says a moment later.
        *others, last = self._judged(parts.hostname, port)
        for address in others:
            try:
                return self._at(address, parts, method, body, headers, deadline=deadline)
            except urllib3.exceptions.NewConnectionError:
                # Nobody listens there, so nothing was sent.
                continue
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise Unavailable from error
        try:
            return self._at(last, parts, method, body, headers, deadline=deadline)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise Unavailable from error

    def _at(
        self,
        address: str,
        parts: SplitResult,
        method: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        deadline: float,
    ) -> Reply:
        patience = urllib3.Timeout(self._timeout)
        pool: urllib3.HTTPConnectionPool
        if parts.scheme == "http":
            pool = urllib3.HTTPConnectionPool(address, _port(parts), timeout=patience, retries=False)
        else:
            pool = urllib3.HTTPSConnectionPool(
                address,
                _port(parts),
                ssl_context=self._context,
                server_hostname=parts.hostname,
                assert_hostname=parts.hostname,
                timeout=patience,
                retries=False,
            )
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            response = pool.request(
                method,
                target,
                body=body,
                headers={"Host": parts.netloc, **headers},
                redirect=False,
                preload_content=False,
            )
            return _reply(response, largest=self._largest, deadline=deadline)
        finally:
            pool.close()

    def _judged(self, host: str, port: int) -> list[str]:
        try:
            told = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(each[4][0]) for each in told))[:_MOST_ADDRESSES]
        except (OSError, UnicodeError) as error:
            raise Unavailable from error
        if not found or not (self._private or all(is_public(address) for address in found)):
            raise Unavailable
        return found


def _port(parts: SplitResult) -> int:
    return parts.port or (_HTTP if parts.scheme == "http" else _HTTPS)


def _reply(response: urllib3.BaseHTTPResponse, *, largest: int, deadline: float) -> Reply:
    read = bytearray()
    try:
        for chunk in response.stream(_CHUNK, decode_content=False):
            read += chunk
            # Each read may take as long as the whole: whoever drips is cut after the second.
            if len(read) > largest or time.monotonic() > deadline:
                raise Unavailable
    finally:
        response.close()
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status, kind, bytes(read), headers)
