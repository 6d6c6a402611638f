# SPDX-License-Identifier: Apache-2.0
"""Knocking at the site's doors as somebody who has no business there, for the trials of the compliance page."""

import json
import os
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)
_SEQUENCE, _INTEGER, _ENUMERATED, _OCTETS = 0x30, 0x02, 0x0A, 0x04
_BIND, _BOUND, _SIMPLE = 0x60, 0x61, 0x80
_SHORT, _LONG = 0x80, 0x82


@contextmanager
def stranger(now: datetime) -> Iterator[Path]:
    """A certificate that nobody but its own key vouches for, with that key, in a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A device of nobody")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor, path = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret + made.public_bytes(Encoding.PEM))
        yield Path(path)
    finally:
        Path(path).unlink()


def answered_to(line: ssl.SSLSocket, host: str, path: str) -> tuple[int, str]:
    """Status and code of the problem that a program is answered with.

    Raises:
        ValueError: no answer of HTTP, or none that says a code.
    """
    asked = (f"GET {path} HTTP/1.1", f"Host: {host}", "Accept: application/json", "Connection: close")
    line.sendall("\r\n".join((*asked, "", "")).encode("ascii"))
    answer = HTTPResponse(line)
    try:
        answer.begin()
        return answer.status, str(json.loads(answer.read()).get("code", ""))
    except (HTTPException, AttributeError) as error:
        raise ValueError("no answer that says why") from error


def no_handshake(context: ssl.SSLContext, where: tuple[str, int], host: str, *, patience: float) -> str:
    """Why TLS came to nothing for this name; empty if it did not."""
    try:
        with (
            socket.create_connection(where, timeout=patience) as line,
            context.wrap_socket(line, server_hostname=host),
        ):
            return ""
    except ssl.SSLCertVerificationError:
        # It was shaken hands with, by another host's certificate.
        return ""
    except (ssl.SSLError, ConnectionResetError) as error:
        return str(getattr(error, "reason", "") or "no handshake")


def bound(line: socket.socket, name: str, password: str) -> int:
    """The directory's result code for a name and a password (RFC 4511 section 4.2); 0 if they open it.

    Said by hand: the role that shows the page loads no library of LDAP.

    Raises:
        ValueError: no answer to that.
    """
    asked = _of(_INTEGER, b"\x03") + _of(_OCTETS, name.encode()) + _of(_SIMPLE, password.encode())
    line.sendall(_of(_SEQUENCE, _of(_INTEGER, b"\x01") + _of(_BIND, asked)))
    content = _inside(line.recv(4096), _SEQUENCE)
    # Behind the number of the message.
    answer = _inside(content[3:], _BOUND)
    code = _inside(answer, _ENUMERATED)
    return int.from_bytes(code)


def _of(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes((size,)) if size < _SHORT else bytes((_LONG, *size.to_bytes(2)))
    return bytes((tag,)) + length + content


def _inside(content: bytes, tag: int) -> bytes:
    if len(content) < 2 or content[0] != tag:  # noqa: PLR2004 - tag and length
        raise ValueError("no answer of a directory")
    more = content[1] & 0x7F if content[1] & 0x80 else 0
    size = int.from_bytes(content[2 : 2 + more]) if more else content[1]
    return content[2 + more : 2 + more + size]
