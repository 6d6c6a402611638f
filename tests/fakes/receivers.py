# SPDX-License-Identifier: Apache-2.0
"""What entries are exported to, each written from its specification alone: RFC 5425 and 5424, lines, Standard Webhooks.

They are strict: what the specification does not allow is kept as a fault, and the test looks at the faults.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_FRAME = re.compile(rb"([1-9][0-9]{0,6}) ", flags=re.ASCII)
_SYSLOG = re.compile(
    r"<(?P<pri>0|[1-9][0-9]{0,2})>1 "
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})) "
    r"(?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<process>[!-~]{1,128}) (?P<id>[!-~]{1,32}) "
    r"(?P<data>(?:\[(?:[^\]\\\"]|\"(?:[^\"\\\]]|\\.)*\")*\])+)(?: (?P<message>.*))?",
    flags=re.ASCII | re.DOTALL,
)
_PARAMETER = re.compile(r" ([!#-<>-\\^-~]{1,32})=\"((?:[^\"\\\]]|\\.)*)\"", flags=re.DOTALL)
_MOST_PRI = 191


class TestAuthority:
    """A root, and certificates under it."""

    __test__ = False

    def __init__(self, folder: Path, name: str = "Receivers") -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} root")])
        self.roots = folder / f"{name}-root.pem"
        root = self._draft(self._name, self._key.public_key(), ca=True)
        self.roots.write_bytes(root.sign(self._key, SHA256()).public_bytes(Encoding.PEM))

    def issue(self, host: str) -> tuple[Path, Path]:
        """Certificate and key of a host."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        leaf = self._draft(name, key.public_key(), ca=False).add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False
        )
        certificate, private = self.folder / f"{host}.pem", self.folder / f"{host}.key"
        certificate.write_bytes(leaf.sign(self._key, SHA256()).public_bytes(Encoding.PEM))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, private

    def _draft(self, subject: x509.Name, public: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=ca,
                    crl_sign=ca,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


@dataclass(frozen=True)
class Message:
    """One message of RFC 5424, taken apart."""

    pri: int
    host: str
    app: str
    process: str
    id: str
    data: Mapping[str, str]
    text: str

    @classmethod
    def parse(cls, raw: bytes) -> "Message":
        """Raises ValueError where the grammar of RFC 5424 does not hold."""
        match = _SYSLOG.fullmatch(raw.decode("utf-8"))
        if match is None or int(match["pri"]) > _MOST_PRI:
            raise ValueError(f"no message of RFC 5424: {raw[:200]!r}")
        data = {name: re.sub(r"\\(.)", r"\1", value) for name, value in _PARAMETER.findall(match["data"])}
        text = (match["message"] or "").removeprefix("\ufeff")
        if any(letter < " " or letter == "\x7f" for letter in text):
            raise ValueError("control characters in the text")
        return cls(int(match["pri"]), match["host"], match["app"], match["process"], match["id"], data, text)


class StreamReceiver:
    """A server for frames of RFC 5425, or for lines; over TLS if it has a certificate."""

    def __init__(
        self, tls: ssl.SSLContext | None, *, frames: bool, buffer: int = 0, delay: float = 0.0, port: int = 0
    ) -> None:
        """``buffer`` is the kernel's for what was not read yet; ``delay`` is a pause in seconds before each read."""
        self.records: list[bytes] = []
        self.faults: list[str] = []
        self.connections = 0
        self.reading = threading.Event()
        self.reading.set()
        self._tls = tls
        self._frames = frames
        self._delay = delay
        self._open: list[socket.socket] = []
        self._guard = threading.Lock()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(8)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def messages(self) -> list[Message]:
        """What came, as messages of RFC 5424."""
        return [Message.parse(record) for record in self.records]

    def documents(self) -> list[dict[str, Any]]:
        """What came, as JSON."""
        return [json.loads(record) for record in self.records]

    def close(self) -> None:
        """Serve nobody any more."""
        self.reading.set()
        self.crash()
        for thread in self._threads:
            thread.join(5)

    def crash(self) -> None:
        """Die as a process does: lines are reset and nobody listens any more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._guard:
            for line in self._open:
                with contextlib.suppress(OSError):
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    line.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                line, _address = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(line,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, line: socket.socket) -> None:
        try:
            if self._tls is not None:
                line = self._tls.wrap_socket(line, server_side=True)
        except OSError as error:
            self.faults.append(f"handshake: {type(error).__name__}")
            line.close()
            return
        with self._guard:
            self._open.append(line)
            self.connections += 1
        held = b""
        with contextlib.suppress(OSError):
            while True:
                self.reading.wait()
                time.sleep(self._delay)
                read = line.recv(4096)
                if not read:
                    break
                held = self._take(held + read)
        line.close()
        if held:
            self.faults.append("the last record was cut off")

    def _take(self, held: bytes) -> bytes:
        while held:
            if not self._frames:
                record, end, rest = held.partition(b"\n")
                if not end:
                    return held
                self.records.append(record)
                held = rest
                continue
            match = _FRAME.match(held)
            if match is None:
                if len(held) > 8:
                    self.faults.append(f"no length: {held[:20]!r}")
                    return b""
                return held
            size = int(match[1])
            if len(held) < match.end() + size:
                return held
            self.records.append(held[match.end() : match.end() + size])
            held = held[match.end() + size :]
        return held


def server_context(certificate: Path, key: Path, *, clients: Path | None = None) -> ssl.SSLContext:
    """TLS for a receiver; with ``clients`` it asks for certificates under these roots."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@dataclass
class Answer:
    """What a webhook receiver says."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)


class WebhookReceiver:
    """HTTPS; checks signatures as Standard Webhooks ask a receiver to, and answers what it was told to."""

    def __init__(self, tls: ssl.SSLContext, check: Callable[[str, bytes], bool]) -> None:
        """``check`` is told signature and signed bytes."""
        self.bodies: list[tuple[str, dict[str, Any]]] = []
        self.faults: list[str] = []
        self.answers: list[Answer] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = outer.answers.pop(0) if outer.answers else Answer()
                identifier, stamp = self.headers["webhook-id"], self.headers["webhook-timestamp"]
                signed = f"{identifier}.{stamp}.".encode() + body
                if "." in identifier or not stamp.isdecimal():
                    outer.faults.append("identifier or time")
                if not check(self.headers["webhook-signature"], signed):
                    outer.faults.append("signature")
                if 200 <= answer.status < 300:
                    outer.bodies.append((identifier, json.loads(body)))
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                outer.faults.append("a redirect was followed")
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_given: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_given: object) -> None:
                outer.faults.append("handshake")

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Serve nobody any more."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Every entry that came, in order."""
        return [entry for _identifier, body in self.bodies for entry in body["entries"]]


def hmac_check(secret: bytes) -> Callable[[str, bytes], bool]:
    """Whether a signature is "v1" of Standard Webhooks."""

    def check(signature: str, signed: bytes) -> bool:
        expected = "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
        return hmac.compare_digest(signature, expected)

    return check


def ed25519_check(public: str) -> Callable[[str, bytes], bool]:
    """Whether a signature is "v1a" of Standard Webhooks under a key "whpk_..."."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))

    def check(signature: str, signed: bytes) -> bool:
        version, _, encoded = signature.partition(",")
        key.verify(base64.b64decode(encoded), signed)
        return version == "v1a"

    return check
