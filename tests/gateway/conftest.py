# SPDX-License-Identifier: Apache-2.0
"""A small city behind a real nginx: the gateway's own code, fake directory, policies and record, echoing hosts."""

import asyncio
import contextlib
import io
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any, ClassVar, cast
from wsgiref.handlers import SimpleHandler

import jwt
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

import gateway
from audit import FeedStale, decode_event
from ca import CertificateRefused, CertificateStatus, Standing, VerifiedCertificate
from core.calls import PairSecrets
from core.db import Database, migrate
from core.errors import TallygateError
from core.identity import IdentityIssuer, IdentityVerifier
from core.site import Ports, SiteSettings
from core.web import Guard, create
from directory import Device, NoSuchDevice, NoSuchPerson, Person, PersonKind, Proofing
from gateway import GatewaySettings
from gateway.config import ASK, LIVE
from gateway.models import Session
from gateway.proxy import SECRETS, host_names
from gateway.service import (
    Decider,
    DecisionPoint,
    Identification,
    KeyFile,
    Lifetimes,
    Logins,
    News,
    People,
    Sockets,
    Uses,
    as_root,
    command,
    haproxy_command,
    prepare,
    prepare_haproxy,
)
from gateway.service.identification import digest
from gateway.service.resources import Resources
from gateway.store import Note, Store
from gateway.tokens import Sealing
from gateway.web import Asking, Keeper, WSGIApp, authzen, blueprint, decide_application, mounted, told
from policies import Decision, DecisionRequest
from tests.fakes.clock import ManualClock
from tests.fakes.ports import free_ports
from tests.fakes.recorder import ListRecorder

ROOT = Path(gateway.__file__).parent.parent
SUBJECT = "8b7c2a52-7a3e-4f0e-9c43-2f1f6d1d7a01"
DEVICE = "0f8f1a6e-2f55-4a3b-8a52-6c0c6f0c2b02"
COOKIE = "c" * 43
SECRET = b"n" * 32


class FakeDirectory:
    """Persons and devices in two dictionaries."""

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.devices: dict[str, Device] = {}
        self.asked = 0

    def person(self, subject: str) -> Person:
        self.asked += 1
        if subject not in self.people:
            raise NoSuchPerson
        return self.people[subject]

    def device(self, identifier: str) -> Device:
        if identifier not in self.devices:
            raise NoSuchDevice
        return self.devices[identifier]


class FakeEngine:
    """Allows everybody who is known, and public paths; a test may put another answer or an exception."""

    def __init__(self) -> None:
        self.answer: Decision | Exception | None = None
        self.asked: list[DecisionRequest] = []
        # Zones of addresses; every other one belongs to the listener's.
        self.places: dict[str, str] = {}
        # Zones that certificates speak for, by digest.
        self.peers: dict[str, str] = {}
        self.reloads = 0
        self.broken = False
        # The version whose answers are given again.
        self.lasts = ""
        # What decides, and what lies in the folder.
        self.sequence = 7
        self.lies_there = 7
        self.version = "7"
        # When the policies may say otherwise.
        self.changes_at = 0

    def decide(self, request: DecisionRequest) -> Decision:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        allowed = request.path_public or request.principal_kind != "anonymous"
        return Decision(
            allowed=allowed, code="allowed" if allowed else "login", reasons=("p1",), step_up=None, version="7"
        )

    def place(self, *, listener: str, address: str, peer: str = "") -> str:
        return self.peers.get(peer) or self.places.get(address, listener)

    def speaks(self, peer: str) -> bool:
        return peer in self.peers

    def spoken_for(self, listener: str) -> frozenset[str]:
        return frozenset(self.peers.values()) if listener == "external" else frozenset()

    def edge(self, action: str, at: datetime) -> int:
        del action, at
        return self.changes_at

    def lasting(self, action: str) -> str:
        del action
        return self.lasts

    def reload(self) -> bool:
        self.reloads += 1
        if self.broken:
            raise ValueError("no bundle")
        self.sequence = max(self.sequence, self.lies_there)
        return True


class FakeFreshness:
    def __init__(self) -> None:
        self.stale = False

        # Late, and worth waiting for.
        self.late = False

    def check(self) -> None:
        if self.stale:
            raise FeedStale

    def fresh(self) -> bool:
        return not (self.stale or self.late)

    def lost(self) -> bool:
        return self.stale


class FakeVerifier:
    """Takes any certificate for device, unless told that it is foreign."""

    foreign = False

    def verify(self, unverified_pem: bytes, *, purpose: str, at: datetime) -> VerifiedCertificate:
        certificate = x509.load_pem_x509_certificate(unverified_pem)
        if self.foreign or purpose != "device":
            raise CertificateRefused
        return VerifiedCertificate(
            serial=f"{certificate.serial_number:x}",
            issuer="devices",
            subject=DEVICE,
            kind="device",
            profile="device-client",
            not_after=at + timedelta(days=1),
        )


class FakeStatus:
    standing = Standing.GOOD

    def status(self, serial: str, *, authority: str = "") -> CertificateStatus:
        assert authority in ("", "devices", "people")
        return CertificateStatus(serial=serial, standing=self.standing)


class FakeSignOn:
    """The token endpoint: hands out what a test put there."""

    def __init__(self) -> None:
        self.id_token = ""
        self.calls: list[dict[str, str]] = []

    def exchange(self, *, code: str, verifier: str, redirect_uri: str) -> str:
        self.calls.append({"code": code, "verifier": verifier, "redirect_uri": redirect_uri})
        return self.id_token


@dataclass
class Gateway:
    """The gateway's own code over fakes."""

    site: SiteSettings
    settings: GatewaySettings = field(default_factory=GatewaySettings)
    # At noon: where somebody is read again on another day, a test must not depend on the hour at which it is run. At
    # the last one: libraries read clocks of their own, and believe nothing of the future.
    clock: ManualClock = field(
        default_factory=lambda: ManualClock(
            (datetime.now(UTC) - timedelta(hours=12)).replace(hour=12, minute=0, second=0, microsecond=0)
        )
    )
    recorder: ListRecorder = field(default_factory=ListRecorder)
    directory: FakeDirectory = field(default_factory=FakeDirectory)
    engine: FakeEngine = field(default_factory=FakeEngine)
    freshness: FakeFreshness = field(default_factory=FakeFreshness)
    verifier: FakeVerifier = field(default_factory=FakeVerifier)
    status: FakeStatus = field(default_factory=FakeStatus)
    sign_on: FakeSignOn = field(default_factory=FakeSignOn)
    sign_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    identity_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.site.folder("gateway").mkdir(parents=True, exist_ok=True)
        self.site.public.mkdir(parents=True, exist_ok=True)
        jwk = jwt.algorithms.ECAlgorithm.to_jwk(self.sign_key.public_key(), as_dict=True)
        keys = {"keys": [{**jwk, "kid": "k1", "use": "sig", "alg": "ES256"}]}
        (self.site.public / "sso-jwks.json").write_text(json.dumps(keys))
        self.database = Database.open(f"sqlite:///{self.site.folder('gateway')}/gateway.db")
        migrate(self.database, ROOT / "gateway" / "migrations")
        self.store = Store(self.database)
        self.people = People(directory=self.directory, clock=self.clock, lifetime=self.settings.person_lifetime)
        self.news = News(store=self.store, people=self.people, clock=self.clock, policies=self.engine)
        self.sockets = Sockets(
            store=self.store, recorder=self.recorder, news=self.news, freshness=self.freshness, clock=self.clock
        )
        self.news.tell(self.sockets.heard)
        self.sealing = Sealing(b"s" * 32)
        self.keys = keys_file = KeyFile(self.site.public / "sso-jwks.json", clock=self.clock)
        self.lifetimes = Lifetimes(absolute=self.settings.session_lifetime, idle=self.settings.session_idle)
        self.uses = Uses(self.store)
        self.identification = Identification(
            store=self.store,
            uses=self.uses,
            news=self.news,
            people=self.people,
            keys=keys_file,
            verifier=self.verifier,
            status=self.status,
            issuer=self.site.origin("sso"),
            lifetimes=self.lifetimes,
        )
        self.identities = IdentityIssuer(self.identity_key)
        self.decider = Decider(
            site=self.site,
            settings=self.settings,
            clock=self.clock,
            recorder=self.recorder,
            engine=self.engine,
            identification=self.identification,
            news=self.news,
            freshness=self.freshness,
            identities=self.identities,
            sealing=self.sealing,
        )
        self.point = DecisionPoint(
            settings=self.settings,
            clock=self.clock,
            recorder=self.recorder,
            engine=self.engine,
            people=self.people,
            present=self.store,
            devices=self.identification,
            news=self.news,
            freshness=self.freshness,
            identities=self.identities,
        )
        self.logins = Logins(
            site=self.site,
            settings=self.settings,
            clock=self.clock,
            store=self.store,
            people=self.people,
            keys=keys_file,
            exchange=self.sign_on,
            recorder=self.recorder,
            nudge=lambda: None,
        )
        self.directory.people[SUBJECT] = self.person()
        self.directory.devices[DEVICE] = Device(id=DEVICE, name="Gauge", organisation="water", enabled=True)

    @staticmethod
    def person(**changes: Any) -> Person:
        return replace(
            Person(
                subject=SUBJECT,
                username="li.wei",
                kind=PersonKind.CITIZEN,
                name="Li Wei",
                roles=frozenset({"citizen"}),
                proofing=Proofing(level=3),
            ),
            **changes,
        )

    def application(self) -> WSGIApp:
        guard = Guard(clock=self.clock)
        proxy = PairSecrets(dict.fromkeys(("nginx", "caddy", "haproxy"), SECRET))
        resources = Resources(site=self.site, settings=self.settings, identities=self.identities, clock=self.clock)
        pages = create(
            "gateway",
            site=self.site,
            guard=guard,
            session_key=b"k" * 32,
            blueprints=[
                blueprint(
                    self.logins,
                    guard,
                    proxy=proxy,
                    sign_on=self.site.origin("sso"),
                    enrol=f"{self.site.origin('certificates')}/my/ask",
                    keys=self.identities.keys,
                    resources=resources,
                ),
                authzen(self.point, guard, proxy=proxy),
                told(resources, guard, proxy=proxy),
            ],
            translations=[ROOT / "gateway" / "translations"],
        )
        return mounted(decide_application(self.decider, proxy), pages)

    def open_session(self, cookie: str = COOKIE, **changes: Any) -> str:
        """Keep a session for the cookie and return the Cookie header."""
        session = Session(
            digest=digest(cookie),
            session="sid-1",
            subject=SUBJECT,
            acr=2,
            methods=("pwd",),
            host="tax.city.localhost",
            listener="external",
            opened=self.clock.now(),
            seen=self.clock.now(),
            id_token="id-token",
        )
        intent, outcome = (Note(key=os.urandom(16).hex(), body=b"{}") for _ in range(2))
        self.store.begin_opening(intent, at=self.clock.now())
        self.store.open_session(replace(session, **changes), intent=intent.key, outcome=outcome)
        return f"__Host-tallygate={cookie}"

    def token(self, *, headers: Mapping[str, Any] | None = None, drop: str = "", **changes: Any) -> str:
        """An access token of the sign-on for the tax portal."""
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": self.site.origin("sso"),
            "sub": SUBJECT,
            "aud": self.site.origin("tax"),
            "client_id": "tax",
            "sid": "sid-1",
            "scope": "openid",
            "acr": "2",
            "amr": ["pwd"],
            "jti": "t1",
            "grant": "g1",
            "iat": now,
            "exp": now + 300,
            **changes,
        }
        claims.pop(drop, None)
        return jwt.encode(
            claims, self.sign_key, algorithm="ES256", headers={"typ": "at+jwt", "kid": "k1", **(headers or {})}
        )

    def signed_in(self, *, nonce: str, **changes: Any) -> str:
        """An ID token for the gateway."""
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": self.site.origin("sso"),
            "sub": SUBJECT,
            "aud": "gateway",
            "sid": "sid-1",
            "nonce": nonce,
            "acr": "2",
            "amr": ["pwd"],
            "iat": now,
            "exp": now + 300,
            **changes,
        }
        return jwt.encode(claims, self.sign_key, algorithm="ES256", headers={"typ": "JWT", "kid": "k1"})

    def verifier_of(self, host: str) -> IdentityVerifier:
        return IdentityVerifier(self.identity_key.public_key(), audience=host)


def make_site(state: Path) -> SiteSettings:
    external, internal, management, plain, ldaps = free_ports(5)
    return SiteSettings(
        name="city",
        domain="city.localhost",
        title="Sample City",
        title_zh="示例市",
        state=state,
        ports=Ports(external=external, internal=internal, management=management, plain=plain, ldaps=ldaps),
    )


def certificate(
    name: str, *, hosts: tuple[str, ...] = (), key: ec.EllipticCurvePrivateKey | None = None
) -> tuple[bytes, bytes]:
    """A self-signed certificate and its key, PEM."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(h) for h in hosts]), critical=False)
    made = builder.sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class _Threading(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


class _Echo(BaseHTTPRequestHandler):
    """Answers with exactly what it received."""

    protocol_version = "HTTP/1.1"
    # What a hostile host adds to its answer.
    says: ClassVar[list[tuple[str, str]]] = []

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        name = Path(str(self.server.server_address)).parent.name
        content = json.dumps(
            {
                "at": name,
                "method": self.command,
                "target": self.path,
                "headers": [[key, value] for key, value in self.headers.items()],
                "body": body.decode("latin-1"),
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        # What a broken or hostile host might try on nginx and on the visitor.
        self.send_header("X-Accel-Redirect", "/.tallygate/pages/503.html")
        self.send_header("Tallygate-Identity", "leaked")
        for name, value in self.says:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _answer  # noqa: N815 - http.server's names

    def log_message(self, *_args: object) -> None:
        """Stay quiet."""

    def address_string(self) -> str:
        return "unix"


class _WSGI(BaseHTTPRequestHandler):
    """One WSGI application over a Unix socket."""

    application: ClassVar[WSGIApp]

    def handle(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            return
        path, _, query = self.path.partition("?")
        environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "0",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": self.headers.get("Content-Length", ""),
        }
        for name in self.headers:
            environ["HTTP_" + name.upper().replace("-", "_")] = ",".join(self.headers.get_all(name, []))
        handler = SimpleHandler(
            cast("Any", self.rfile), cast("Any", self.wfile), io.StringIO(), environ, multithread=True
        )
        handler.run(type(self).application)

    def log_message(self, *_args: object) -> None:
        """Stay quiet."""


@dataclass
class Reply:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def get(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    def received(self, name: str) -> list[str]:
        """Values of one header as the echoing host received it."""
        return [value for key, value in self.json()["headers"] if key.lower() == name.lower()]


class Recorded:
    """The way into a fake record from an event loop."""

    def __init__(self, recorder: ListRecorder) -> None:
        self._recorder = recorder

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        del loop

    def stop(self) -> None:
        pass

    def submit(self, event: bytes, told: Callable[[TallygateError | None], None]) -> None:
        try:
            self._recorder.record(decode_event(event))
        except TallygateError as error:
            told(error)
        else:
            told(None)


class Loop:
    """A worker's event loop, which nginx asks."""

    def __init__(self, unit: Gateway, site: SiteSettings) -> None:
        self._threads = ThreadPoolExecutor(8)
        self._loop = uvloop.new_event_loop()
        self._asking = Asking(
            unit.decider,
            PairSecrets({"nginx": SECRET}),
            together=Recorded(unit.recorder),
            fresh=lambda: not unit.freshness.stale,
            threads=self._threads,
            places=[(site.socket("gateway", name), site.folder("nginx") / f"{name}.lock") for name in ASK[:1]],
        )
        self._asking.start(self._loop)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._asking.end(), self._loop).result(timeout=30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=30)
        self._threads.shutdown()
        self._loop.close()


class City:
    """nginx, the gateway and the hosts, running."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.site = make_site(folder)
        self.gateway = Gateway(self.site, settings=GatewaySettings(**settings))
        self.host_says = _Echo.says
        self._servers: list[_Threading] = []
        self._nginx: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        site, settings = self.site, self.gateway.settings
        site.socket("nginx").parent.mkdir(parents=True, exist_ok=True)
        for callee in SECRETS:
            path = site.secret_path(holder="nginx", caller="nginx", callee=callee)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(SECRET)
            path.chmod(0o600)
        pem, key = certificate("city", hosts=host_names(site, settings))
        (site.folder("nginx") / "tls.pem").write_bytes(pem)
        (site.folder("nginx") / "tls.key").write_bytes(key)
        if settings.edge == "haproxy":
            prepare_haproxy(site, settings)
        else:
            prepare(site, settings, static=ROOT / "core" / "web" / "static", answers_last=timedelta(hours=8))
        (site.public / "root.pem").write_bytes(pem)
        handler = type("Handler", (_WSGI,), {"application": staticmethod(self.gateway.application())})
        self._serve("gateway", handler)
        pairs = PairSecrets({"nginx": SECRET})
        self.keeper = Keeper(
            self.gateway.sockets,
            pairs=pairs,
            sealing=self.gateway.sealing,
            clock=self.gateway.clock,
            where=site.socket,
        )
        self.keeper.start(site.socket("gateway", LIVE))
        self._asking = Loop(self.gateway, site)
        for role in ("portal:tax", "portal:documents", "sso", "ca", "audit"):
            self._serve(role, _Echo)
        line = haproxy_command(site) if settings.edge == "haproxy" else command(site)
        if os.geteuid() == 0 and settings.edge == "nginx":
            line = as_root(line)
        check = ["-c"] if settings.edge == "haproxy" else ["-t"]
        subprocess.run([*line, *check], check=True, capture_output=True)
        # HAProxy notes on its output what nginx writes to files.
        with (self.folder / "said").open("wb") as said:
            self._nginx = subprocess.Popen(line, stdout=said if settings.edge == "haproxy" else None)
        limit = time.monotonic() + 10
        while time.monotonic() < limit:
            try:
                socket.create_connection(("127.0.0.1", site.ports.plain), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError("the proxy did not start")

    def stop(self) -> None:
        if self._nginx is not None:
            self._nginx.terminate()
            self._nginx.wait(timeout=15)
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._asking.stop()
        self.gateway.database.close()

    def raw(
        self,
        content: bytes,
        *,
        host: str = "tax.city.localhost",
        listener: str = "external",
        certificate: tuple[Path, Path] | None = None,
        tls: bool = True,
    ) -> Reply:
        """Send bytes and read one answer; ``host`` is the name in TLS only."""
        port = getattr(self.site.ports, listener)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            if not tls:
                return _exchange(plain, content)
            context = ssl.create_default_context(cafile=str(self.site.public / "root.pem"))
            if certificate is not None:
                context.load_cert_chain(*map(str, certificate))
            with context.wrap_socket(plain, server_hostname=host) as line:
                return _exchange(line, content)

    def get(
        self,
        target: str = "/",
        *,
        method: str = "GET",
        host: str = "tax.city.localhost",
        listener: str = "external",
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        certificate: tuple[Path, Path] | None = None,
    ) -> Reply:
        port = getattr(self.site.ports, listener)
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}:{port}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        content = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
        return self.raw(content, host=host, listener=listener, certificate=certificate)

    def _serve(self, role: str, handler: type[BaseHTTPRequestHandler]) -> None:
        path = self.site.socket(role)
        path.parent.mkdir()
        server = _Threading(str(path), handler)
        path.chmod(0o660)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self._servers.append(server)


def _exchange(line: socket.socket, content: bytes) -> Reply:
    # Who has heard enough answers, and hangs up before all of it is sent.
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        line.sendall(content)
    received = b""
    while True:
        try:
            part = line.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            break
        if not part:
            break
        received += part
        head, separator, rest = received.partition(b"\r\n\r\n")
        if separator and _complete(head, rest):
            break
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0]:
        return Reply(0, [], b"")
    headers = [(name, value.strip()) for name, _, value in (one.partition(":") for one in lines[1:])]
    reply = Reply(int(lines[0].split()[1]), headers, body)
    if reply.get("Transfer-Encoding") == "chunked":
        reply.body = _unchunk(body)
    return reply


def _complete(head: bytes, body: bytes) -> bool:
    lowered = head.lower()
    if b"transfer-encoding: chunked" in lowered:
        return body.endswith(b"0\r\n\r\n")
    for line in lowered.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return False


def _unchunk(body: bytes) -> bytes:
    out = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            break
        out += body[:length]
        body = body[length + 2 :]
    return out


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: Unix sockets take 107 bytes."""
    made = Path(tempfile.mkdtemp(dir="/tmp", prefix="tg-gw-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def unit(folder: Path) -> Iterator[Gateway]:
    """The gateway's code without any server."""
    made = Gateway(make_site(folder))
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def running() -> Iterator[City]:
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tg-gw-"))
    city = City(folder)
    try:
        city.start()
        yield city
    finally:
        city.stop()
        shutil.rmtree(folder)


@pytest.fixture
def city(running: City) -> Iterator[City]:
    """The running city, put back into its first state."""
    gateway = running.gateway
    yield running
    running.host_says.clear()
    gateway.recorder.down = False
    gateway.recorder.events.clear()
    gateway.engine.answer = None
    gateway.engine.asked.clear()
    gateway.freshness.stale = False
    gateway.verifier.foreign = False
    gateway.status.standing = Standing.GOOD
    for cookie in (COOKIE, "d" * 43):
        gateway.store.end_session(digest(cookie), note=lambda _: (os.urandom(16).hex(), b"{}"))
