# SPDX-License-Identifier: Apache-2.0
"""One kept TLS connection to one host of a city, written by hand: the less the caller costs, the more the city gets."""

import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNK = 65_536


@dataclass(frozen=True)
class Answer:
    """Status, head and body."""

    status: int
    head: str
    body: str

    def header(self, name: str) -> str:
        """The first header of a name; empty if there is none."""
        found = re.search(rf"^{name}: *(.*?)\r?$", self.head, re.IGNORECASE | re.MULTILINE)
        return found.group(1) if found else ""

    def cookies(self) -> dict[str, str]:
        """Names and values that were set."""
        return dict(re.findall(r"^set-cookie: *([^=]+)=([^;\r]*)", self.head, re.IGNORECASE | re.MULTILINE))


class Wire:
    """A browser's or a program's connection; certificates are checked against the site's own root."""

    def __init__(self, *, host: str, port: int, root: Path) -> None:
        self.host = host
        self.cookies: dict[str, str] = {}
        self._port = port
        self._context = ssl.create_default_context(cafile=str(root))
        self._socket: ssl.SSLSocket | None = None

    def get(self, target: str) -> Answer:
        """One page, as a browser asks for it."""
        return self.send(
            f"GET {target} HTTP/1.1\r\nHost: {self.host}:{self._port}\r\nAccept: text/html\r\n{self._kept()}\r\n"
        )

    def post(self, target: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """One form, as a program sends it."""
        return self.send(self.posted(target, form, headers))

    def submit(self, target: str, form: Mapping[str, str]) -> Answer:
        """One form, as a browser sends it."""
        own = f"https://{self.host}:{self._port}"
        return self.send(
            self.posted(target, form, {"Origin": own, "Referer": f"{own}/", "Accept": "text/html"}, self._kept())
        )

    def posted(self, target: str, form: Mapping[str, str], headers: Mapping[str, str], more: str = "") -> str:
        """The text of such a request, which may be sent many times."""
        body = urlencode(form)
        named = {
            "Host": f"{self.host}:{self._port}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(body)),
            **headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        return f"POST {target} HTTP/1.1\r\n{lines}{more}\r\n{body}"

    def send(self, request: str | bytes) -> Answer:
        """One request, on the kept connection or on a new one."""
        raw = request if isinstance(request, bytes) else request.encode()
        for fresh in (self._socket is None, True):
            try:
                answer = self._asked(raw, fresh=fresh)
            except (ConnectionError, ssl.SSLError):
                # nginx closes a connection after so many requests; it then answers none of what comes.
                if fresh:
                    raise
                continue
            self.cookies |= answer.cookies()
            return answer
        raise ConnectionError

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _kept(self) -> str:
        kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return f"Cookie: {kept}\r\n" if kept else ""

    def _asked(self, request: bytes, *, fresh: bool) -> Answer:
        if fresh or self._socket is None:
            self.close()
            plain = socket.create_connection(("127.0.0.1", self._port), timeout=60)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = self._context.wrap_socket(plain, server_hostname=self.host)
        self._socket.sendall(request)
        return self._read(self._socket)

    def _read(self, wire: ssl.SSLSocket) -> Answer:
        read = bytearray()
        while (end := read.find(b"\r\n\r\n")) < 0:
            read += _piece(wire)
        head = bytes(read[:end])
        length = _LENGTH.search(head)
        if length is not None:
            while len(read) < end + 4 + int(length.group(1)):
                read += _piece(wire)
            body = bytes(read[end + 4 :])
        elif b"chunked" in head.lower():
            while not read.endswith(b"0\r\n\r\n"):
                read += _piece(wire)
            body = _unchunked(bytes(read[end + 4 :]))
        else:
            body = b""
        if b"\r\nconnection: close" in head.lower():
            self.close()
        return Answer(int(head[9:12]), head.decode("latin-1"), body.decode("utf-8", "replace"))


def _piece(wire: ssl.SSLSocket) -> bytes:
    piece = wire.recv(_CHUNK)
    if not piece:
        raise ConnectionResetError
    return piece


def _unchunked(body: bytes) -> bytes:
    found = bytearray()
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        found += rest[:length]
        body = rest[length + 2 :]
    return bytes(found)
