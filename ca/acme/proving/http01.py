# SPDX-License-Identifier: Apache-2.0
"""http-01 (RFC 8555 section 8.3): a file at the name's own web server.

Redirects are followed a few times, and only to other paths of the same host at the same port: they cannot lead the
authority anywhere else.
"""

import hmac
import http.client
import io
import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

from ..models import Identifier, Kind
from ..problems import Problem, Type
from .network import Deadline, IPAddress, Network

MOST_BYTES = 16 * 1024
"""Of an answer with its headers; a right one has about 90 bytes of content."""
_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = 200
_HTTP = 80
_PIECE = 4096


def look(network: Network, identifier: Identifier, *, port: int, token: str, expected: str, deadline: Deadline) -> None:
    """Fetch and compare.

    Raises:
        Problem: it is not there, or something else is.
    """
    address, path = network.find(identifier, deadline), f"/.well-known/acme-challenge/{token}"
    for _ in range(_MOST_REDIRECTS + 1):
        status, location, body = _fetch(network, address, identifier, port=port, path=path, deadline=deadline)
        if status not in _REDIRECTS:
            break
        path = _within(location, identifier, port=port)
    else:
        raise Problem(Type.CONNECTION, "too many redirects")
    if status != _OK:
        raise Problem(Type.UNAUTHORIZED, f"the server answered with status {status}")
    if not hmac.compare_digest(body.rstrip(), expected.encode()):
        raise Problem(Type.UNAUTHORIZED, "the file does not hold the key authorization")


def _fetch(
    network: Network, address: IPAddress, identifier: Identifier, *, port: int, path: str, deadline: Deadline
) -> tuple[int, str, bytes]:
    host = _host(identifier) + ("" if port == _HTTP else f":{port}")
    asked = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Tallygate\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    try:
        with network.connect(address, port, deadline) as connection:
            connection.settimeout(deadline.left)
            connection.sendall(asked.encode("ascii"))
            content = _read(connection, deadline)
        answer = http.client.HTTPResponse(_Held(content))  # type: ignore[arg-type]  # all it wants of a socket
        answer.begin()
        return answer.status, answer.headers.get("Location", ""), answer.read()
    except TimeoutError as error:
        raise Problem(Type.CONNECTION, "the server took too long to answer") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Problem(Type.CONNECTION, "the server's answer cannot be read") from error


def _read(connection: socket.socket, deadline: Deadline) -> bytes:
    content = b""
    while True:
        connection.settimeout(deadline.left)
        piece = connection.recv(_PIECE)
        if not piece:
            return content
        content += piece
        if len(content) > MOST_BYTES:
            raise Problem(Type.CONNECTION, "the server's answer is too long")


class _Held:
    """An answer that was read already, where a socket is expected."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, *_: Any, **__: Any) -> io.BytesIO:
        """The content."""
        return io.BytesIO(self._content)


def _within(location: str, identifier: Identifier, *, port: int) -> str:
    """The path that a redirect leads to."""
    try:
        found = urlsplit(location)
        same = (
            found.hostname in (None, identifier.value) and (found.port or (port if not found.netloc else _HTTP)) == port
        )
    except ValueError:
        same = False
    if not same or found.scheme not in ("", "http") or found.username or not _plain(found.path):
        raise Problem(Type.CONNECTION, "the server redirects to where this site does not validate")
    return found.path + (f"?{found.query}" if found.query and _plain(f"/{found.query}") else "")


def _plain(path: str) -> bool:
    return path.startswith("/") and path.isascii() and path.isprintable() and " " not in path


def _host(identifier: Identifier) -> str:
    if identifier.kind is Kind.IP and ipaddress.ip_address(identifier.value).version == 6:  # noqa: PLR2004 - of IP
        return f"[{identifier.value}]"
    return identifier.value
