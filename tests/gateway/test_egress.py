# SPDX-License-Identifier: Apache-2.0
"""The way out: curl with a certificate through the real door to a real TLS server, and all who must not get out."""

import base64
import hashlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from audit import Entry, Event, Outcome, decode_event
from ca import CertificateRefused, Standing, VerifiedCertificate
from gateway import GatewaySettings
from gateway.config import Destination, EgressSettings
from gateway.errors import Reason
from gateway.request import NoHello, proxy_credentials, server_name
from gateway.service import WaysOut
from gateway.service.attempts import Shares
from gateway.service.egress import Asked, addresses_of
from gateway.web import Door, door_context
from policies import Decision
from tests.fakes.ports import free_ports
from tests.gateway.conftest import DEVICE, SUBJECT, Gateway, certificate, make_site

_SIGN = 30.0
_SETTINGS = GatewaySettings(
    egress=EgressSettings(
        destinations={
            "here": Destination(hosts=("localhost",), ports=(1,), private=True),
            "standards": Destination(hosts=(".example.org", "iso.example"), ports=(443, 8443)),
            "figures": Destination(hosts=("192.0.2.7",), ports=(22,), protocol="any", private=True),
        },
        tunnels=3,
        idle=timedelta(seconds=600),
    )
)


class Cards:
    """Takes the certificate of the person for a person's, anything else for a device's; nothing if told so."""

    def __init__(self) -> None:
        self.person = 0

    def verify(self, unverified_pem: bytes, *, purpose: str, at: datetime) -> VerifiedCertificate:
        shown = x509.load_pem_x509_certificate(unverified_pem)
        kind = "person" if shown.serial_number == self.person else "device"
        if kind != purpose:
            raise CertificateRefused
        return VerifiedCertificate(
            serial=f"{shown.serial_number:x}",
            issuer="people",
            subject=SUBJECT if kind == "person" else DEVICE,
            kind=kind,
            profile="citizen",
            not_after=at + timedelta(days=1),
        )


@dataclass
class Out:
    """The door, a server to go to, and a person's certificate."""

    gateway: Gateway
    folder: Path
    cards: Cards
    port: int
    names: dict[str, list[str]]
    away: "Server"

    def curl(self, url: str, *more: str) -> subprocess.CompletedProcess[str]:
        proxy = f"https://localhost:{self.gateway.site.ports.egress}"
        line = ["curl", "-sS", "--max-time", "60", "--proxy", proxy, "--proxy-cacert", str(self.folder / "door.pem")]
        line += ["--cacert", str(self.folder / "away.pem"), "-w", "\n%{http_connect}", *more, url]
        return subprocess.run(line, capture_output=True, text=True, check=False)

    @property
    def card(self) -> tuple[str, ...]:
        return ("--proxy-cert", str(self.folder / "card.pem"), "--proxy-key", str(self.folder / "card.key"))

    def decided(self) -> list[Event]:
        return [event for event in self.gateway.recorder.events if event.type == "gateway.egress.decided"]

    def ends(self) -> list[Event]:
        waiting = (decode_event(note.body) for note in self.gateway.store.outbox.head())
        return [event for event in waiting if event.type == "gateway.egress.closed"]

    def ask(self, *lines: str, card: bool = True) -> tuple[ssl.SSLSocket, bytes]:
        context = ssl.create_default_context(cafile=str(self.folder / "door.pem"))
        if card:
            context.load_cert_chain(self.folder / "card.pem", self.folder / "card.key")
        plain = socket.create_connection(("127.0.0.1", self.gateway.site.ports.egress), timeout=_SIGN)
        secured = context.wrap_socket(plain, server_hostname="localhost")
        secured.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        content = b""
        while b"\r\n\r\n" not in content and (part := secured.recv(4096)):
            content += part
        return secured, content


class Server:
    """A TLS server that says one thing to whoever comes, then waits for the end."""

    def __init__(self, folder: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "away.pem", folder / "away.key")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        try:
            with self._context.wrap_socket(line, server_side=True) as secured:
                if secured.recv(4096).startswith(b"GET /stays"):
                    secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")
                    secured.recv(4096)
                    return
                secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        except OSError:
            pass

    def close(self) -> None:
        self._listener.close()


def _card(folder: Path) -> int:
    pem, key = certificate("card")
    (folder / "card.pem").write_bytes(pem)
    (folder / "card.key").write_bytes(key)
    return x509.load_pem_x509_certificate(pem).serial_number


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Out]:
    folder = tmp_path_factory.mktemp("egress")
    for name in ("door", "away"):
        pem, key = certificate(name, hosts=("localhost",))
        (folder / f"{name}.pem").write_bytes(pem)
        (folder / f"{name}.key").write_bytes(key)
    serial = _card(folder)
    away = Server(folder)
    site = make_site(folder / "site")
    site = replace(site, ports=replace(site.ports, egress=free_ports(1)[0]))
    here = replace(_SETTINGS.egress.destinations["here"], ports=(away.port,))
    settings = replace(
        _SETTINGS, egress=replace(_SETTINGS.egress, destinations=_SETTINGS.egress.destinations | {"here": here})
    )
    gateway = Gateway(site, settings=settings, verifier=Cards())  # type: ignore[arg-type]  # by protocol
    names: dict[str, list[str]] = {}
    ways = WaysOut(
        site=site, settings=settings, clock=gateway.clock, recorder=gateway.recorder, engine=gateway.engine,
        identification=gateway.identification, news=gateway.news, freshness=gateway.freshness,
        sockets=gateway.sockets, resolve=lambda host, port: names.get(host) or addresses_of(host, port),
    )  # fmt: skip
    context = door_context(
        certificate=folder / "door.pem", key=folder / "door.key", authorities=[(folder / "card.pem").read_bytes()]
    )
    Door(ways, gateway.sockets, context=context, connections=50).start("127.0.0.1", site.ports.egress)
    cards: Cards = gateway.verifier  # type: ignore[assignment]  # as above
    cards.person = serial
    yield Out(gateway=gateway, folder=folder, cards=cards, port=site.ports.egress, names=names, away=away)
    away.close()
    gateway.database.close()


@pytest.fixture
def out(running: Out) -> Iterator[Out]:
    yield running
    gateway = running.gateway
    _until(lambda: not gateway.store.open_sockets())
    gateway.store.outbox.drop([note.position for note in gateway.store.outbox.head()])
    gateway.recorder.down = False
    gateway.recorder.events.clear()
    gateway.engine.answer = None
    gateway.engine.asked.clear()
    gateway.engine.places.clear()
    gateway.freshness.stale = False
    gateway.status.standing = Standing.GOOD
    running.names.clear()
    running.away.connections = 0


def _until(sign: Callable[[], object]) -> None:
    limit = time.monotonic() + _SIGN
    while not sign():
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.01)


def test_curl_with_a_certificate_gets_out_and_both_ends_of_it_are_recorded(out: Out) -> None:
    url = f"https://localhost:{out.away.port}/"
    done = out.curl(url, *out.card)
    assert (done.stdout, done.returncode) == ("hello\n200", 0), done.stderr
    _until(out.ends)
    decided, ended = out.decided()[0], out.ends()[0]
    assert (decided.outcome, decided.subject, decided.object) == (Outcome.SUCCESS, SUBJECT, "here")
    assert decided.attributes["protocol"] == "connect"
    assert decided.attributes["credential"] == "certificate"
    assert decided.sealed["destination"] == f"localhost:{out.away.port}"
    assert ended.decision == decided.decision
    assert int(str(ended.attributes["sent"])) > 500
    assert int(str(ended.attributes["received"])) > 300
    asked = out.gateway.engine.asked[0]
    assert (asked.resource_class, asked.to_zone, asked.port) == ("egress", "internet", out.away.port)
    assert (asked.assurance, asked.methods) == (3, ("sc",))


@pytest.mark.parametrize(
    ("url", "more", "status", "reason"),
    [
        # No destination covers it; the record says who tried.
        ("https://evil.example/", "card", "403", "default"),
        ("https://localhost:443/", "card", "403", "default"),
        # Nobody, and a token that anybody could have found.
        ("https://localhost:{port}/", "", "407", "login"),
        ("https://localhost:{port}/", "bearer", "407", "credential"),
        # Not what ends in the letters of a destination, and no address in figures that is not named.
        ("https://notexample.org/", "card", "403", "default"),
        ("https://127.0.0.1:{port}/", "card", "403", "default"),
        ("https://[::1]:{port}/", "card", "403", "default"),
        ("https://192.0.2.7:443/", "card", "403", "default"),
    ],
)
def test_who_or_where_to_is_refused_and_recorded(out: Out, url: str, more: str, status: str, reason: str) -> None:
    said = {
        "card": out.card,
        "": (),
        "bearer": ("--proxy-header", f"Proxy-Authorization: Bearer {out.gateway.token()}"),
    }
    done = out.curl(url.format(port=out.away.port), *said[more])
    assert done.stdout.splitlines()[-1] == status, done.stderr
    assert done.returncode != 0
    (decided,) = out.decided()
    assert (decided.outcome, decided.attributes["reason"]) == (Outcome.DENIED, reason)
    assert decided.subject == (SUBJECT if more == "card" else "")
    assert out.away.connections == 0


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["fd00::1"],
        # Addresses that a translator or a tunnel on the way leads to one of ours, and ranges that nobody may use.
        ["64:ff9b::10.1.2.3"],
        ["64:ff9b:1::10.1.2.3"],
        ["2002:a01:203::1"],
        ["fec0::1"],
        ["::10.1.2.3"],
        ["100.64.0.1"],
        ["224.0.0.1"],
        ["0.0.0.0"],  # noqa: S104 - an answer of a name server
        # One that is ours among those that are not: the name is not to be trusted at all.
        ["93.184.216.34", "192.168.0.1"],
    ],
)
def test_a_name_that_leads_into_our_networks_leads_nowhere(out: Out, answers: list[str]) -> None:
    out.names["inside.example.org"] = answers
    line, content = out.ask("CONNECT inside.example.org:443 HTTP/1.1", "Host: inside.example.org:443")
    line.close()
    assert content.startswith(b"HTTP/1.1 403 ")
    assert b"Tallygate-Reason: destination" in content
    assert out.decided()[0].attributes["reason"] == "destination"


def test_a_name_that_changes_after_it_was_judged_changes_nothing(unit: Gateway) -> None:
    """DNS rebinding: there is one look at the name, and the addresses of that look are connected to."""
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    ways = _ways(unit, resolve=lambda _host, _port: next(answers))
    way = ways.decide(_asked("a.example.org"))
    assert (way.reason, way.addresses) == (None, ("93.184.216.34",))
    assert ways.decide(_asked("a.example.org")).reason is Reason.DESTINATION


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("GET http://localhost/ HTTP/1.1", "Host: localhost"), 405),
        (("POST / HTTP/1.1", "Host: localhost", "Content-Length: 3"), 405),
        (("CONNECT localhost:{port} HTTP/1.0", "Host: localhost:{port}"), 400),
        (("CONNECT localhost:{port} HTTP/1.1", "Host: other.example:{port}"), 400),
        (("CONNECT localhost:{port} HTTP/1.1", "Host: localhost:{port}", "Host: localhost:{port}"), 400),
        (("CONNECT localhost:{port} HTTP/1.1", "Host: localhost:{port}", "Content-Length: 5"), 400),
        (("CONNECT localhost:{port} HTTP/1.1", "Host: localhost:{port}", "Transfer-Encoding: chunked"), 400),
        (("CONNECT localhost:{port} HTTP/1.1", "Host: localhost:{port}", "Forwarded: for=127.0.0.1"), 400),
        (("CONNECT localhost:{port} HTTP/1.1", "Host: localhost:{port}", "X-Forwarded-For: 127.0.0.1"), 400),
        (("CONNECT localhost:{port} HTTP/1.1", "Host: localhost:{port}", "Proxy_Authorization: Bearer x"), 400),
        (("CONNECT localhost:{port} HTTP/1.1", "Host : localhost:{port}"), 400),
        (("CONNECT user@localhost:{port} HTTP/1.1", "Host: localhost:{port}"), 400),
        (("CONNECT localhost:0{port} HTTP/1.1", "Host: localhost:{port}"), 400),
        (("CONNECT localhost:70000 HTTP/1.1", "Host: localhost:70000"), 400),
        (("CONNECT localhost%00.example.org:443 HTTP/1.1", "Host: localhost:443"), 400),
        (("CONNECT localhost:{port}  HTTP/1.1", "Host: localhost:{port}"), 400),
    ],
)
def test_what_is_no_plain_connect_is_refused_and_recorded(out: Out, lines: tuple[str, ...], status: int) -> None:
    line, content = out.ask(*(each.format(port=out.away.port) for each in lines))
    line.close()
    assert int(content.split(b" ")[1]) == status
    assert out.decided()[0].outcome is Outcome.DENIED
    assert out.away.connections == 0


def test_a_tunnel_for_one_name_does_not_carry_tls_for_another(out: Out) -> None:
    head = (f"CONNECT localhost:{out.away.port} HTTP/1.1", f"Host: localhost:{out.away.port}")
    for first in (_client_hello("evil.example"), b"SSH-2.0-x\r\n", b"GET / HTTP/1.1\r\n\r\n", _client_hello(None)):
        line, content = out.ask(*head)
        assert content.startswith(b"HTTP/1.1 200 ")
        line.sendall(first)
        assert _ended(line) == 0
        line.close()
    _until(lambda: len(out.ends()) == 4)
    assert {event.attributes["reason"] for event in out.ends()} == {"protocol"}
    assert {event.attributes["sent"] for event in out.ends()} == {0}


ENDS: dict[str, tuple[str, dict[str, object]]] = {
    "disabled": ("directory.person.disabled", {"subject": SUBJECT}),
    "role": ("directory.person.changed", {"subject": SUBJECT}),
    "policies": ("policy.released", {}),
    "destination": ("gateway.switch.shut", {"object": "portal=here"}),
    "zones": ("gateway.switch.shut", {"object": "zones=egress:internet"}),
    "certificate": ("ca.certificate.revoked", {"attributes": {"issuer": "people"}}),
}


@pytest.mark.parametrize("kind", ENDS)
def test_a_tunnel_ends_within_a_second_of_what_allowed_it(out: Out, kind: str) -> None:
    with _tunnel(out) as line:
        begun = time.process_time()
        name, told = ENDS[kind]
        event = _event(name, **({"object": f"{out.cards.person:x}"} if kind == "certificate" else {}), **told)
        index = out.gateway.store.next_entry() + 1
        out.gateway.news.hear([Entry(index=index, event=event)])
        _ended(line)
        # In processor time: the machine may be busy otherwise.
        assert time.process_time() - begun < 1
    _until(out.ends)
    assert out.ends()[0].attributes["reason"] not in ("client", "host", "")
    lifted = {"disabled": "directory.person.enabled", "certificate": "ca.certificate.released"}
    lifts = replace(event, type=lifted.get(kind, "gateway.switch.reopened"))
    out.gateway.news.hear([Entry(index=index + 1, event=lifts)])


def test_silence_of_the_record_ends_every_tunnel_and_opens_none(out: Out) -> None:
    with _tunnel(out) as line:
        out.gateway.freshness.stale = True
        out.gateway.sockets.watch()
        _ended(line)
    done = out.curl(f"https://localhost:{out.away.port}/", *out.card)
    assert done.stdout.splitlines()[-1] == "503"


def test_no_record_no_way_out(out: Out) -> None:
    out.gateway.recorder.down = True
    done = out.curl(f"https://localhost:{out.away.port}/", *out.card)
    assert done.stdout.splitlines()[-1] == "503"
    assert out.away.connections == 0


def test_a_network_without_a_way_out_has_none(out: Out) -> None:
    """An address of the internal network at this door: somebody joined two networks."""
    out.gateway.engine.places["127.0.0.1"] = ""
    done = out.curl(f"https://localhost:{out.away.port}/", *out.card)
    assert done.stdout.splitlines()[-1] == "403"
    assert out.decided()[0].attributes["reason"] == "zone"
    out.gateway.engine.places["127.0.0.1"] = "internal"
    out.gateway.engine.answer = Decision(allowed=False, code="zone", reasons=(), step_up=None, version="7")
    assert out.curl(f"https://localhost:{out.away.port}/", *out.card).stdout.splitlines()[-1] == "403"
    assert out.gateway.engine.asked[-1].from_zone == "internal"


def test_a_revoked_card_opens_nothing(unit: Gateway) -> None:
    unit.status.standing = Standing.REVOKED
    assert (
        _ways(unit, resolve=lambda _host, _port: ["93.184.216.34"]).decide(_asked("iso.example")).reason == "disabled"
    )


def test_a_certificate_of_another_authority_does_not_pass_tls(out: Out) -> None:
    pem, key = certificate("stranger")
    (out.folder / "stranger.pem").write_bytes(pem)
    (out.folder / "stranger.key").write_bytes(key)
    said = ("--proxy-cert", str(out.folder / "stranger.pem"), "--proxy-key", str(out.folder / "stranger.key"))
    assert out.curl(f"https://localhost:{out.away.port}/", *said).returncode != 0
    assert out.away.connections == 0


def test_nobody_has_more_tunnels_than_the_settings_say(out: Out) -> None:
    with _tunnel(out), _tunnel(out), _tunnel(out):
        done = out.curl(f"https://localhost:{out.away.port}/", *out.card)
    assert done.stdout.splitlines()[-1] == "429"


def test_where_nobody_listens_the_tunnel_is_told_so_and_recorded(out: Out) -> None:
    out.names["localhost"] = ["::1"]
    done = out.curl(f"https://localhost:{out.away.port}/", *out.card)
    assert done.stdout.splitlines()[-1] == "502", done.stderr
    _until(out.ends)
    assert out.ends()[0].attributes["reason"] == "unreachable"


def test_a_bound_token_opens_the_way_and_is_bound_to_the_place(unit: Gateway) -> None:
    ways = _ways(unit, resolve=lambda _host, _port: ["93.184.216.34"])
    key = ec.generate_private_key(ec.SECP256R1())
    pem, _ = certificate("laptop", key=key)
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    x5t = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    audience = f"https://egress.city.localhost:{unit.site.ports.egress}"
    token = unit.token(aud=audience, cnf={"x5t#S256": x5t})
    given = proxy_credentials(authorization=f"Bearer {token}", proof="", certificate=pem)
    way = ways.decide(replace(_asked("a.example.org"), credentials=given))
    assert way.reason is None
    assert way.ties is not None
    assert ("session", "sid-1") in way.ties.names
    other, _ = certificate("other")
    stolen = proxy_credentials(authorization=f"Bearer {token}", proof="", certificate=other)
    assert ways.decide(replace(_asked("a.example.org"), credentials=stolen)).reason is Reason.CREDENTIAL
    elsewhere = unit.token(cnf={"x5t#S256": x5t})
    given = proxy_credentials(authorization=f"Bearer {elsewhere}", proof="", certificate=pem)
    assert ways.decide(replace(_asked("a.example.org"), credentials=given)).reason is Reason.CREDENTIAL


def test_a_client_that_is_shut_gets_no_way_out_and_loses_what_it_has(unit: Gateway) -> None:
    ways = _ways(unit, resolve=lambda _host, _port: ["93.184.216.34"])
    pem, _ = certificate("laptop")
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    x5t = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    token = unit.token(aud=f"https://egress.city.localhost:{unit.site.ports.egress}", cnf={"x5t#S256": x5t})
    given = proxy_credentials(authorization=f"Bearer {token}", proof="", certificate=pem)
    asked = replace(_asked("a.example.org"), credentials=given)
    way = ways.decide(asked)
    assert way.ties is not None
    over: list[str] = []
    unit.sockets.open(way.ties, end=over.append, way_out=True)
    index = unit.store.next_entry() + 1
    unit.news.hear([Entry(index=index, event=_event("gateway.switch.shut", object="client=tax"))])
    assert over == ["switch"]
    assert ways.decide(asked).reason is Reason.SHUT
    unit.news.hear([Entry(index=index + 1, event=_event("gateway.switch.reopened", object="client=tax"))])
    assert ways.decide(asked).reason is None
    # Nor does one client take more for all its people together than anywhere else.
    few = Shares(clock=unit.clock, rate=1, burst=1)
    ways = _ways(unit, resolve=lambda _host, _port: ["93.184.216.34"], clients=few)
    assert [ways.decide(asked).reason for _ in range(2)] == [None, Reason.TOO_MANY]
    assert ways.decide(_asked("iso.example")).reason is None


@pytest.mark.parametrize("cut", [0, 1, 5, 9, 60, 200])
def test_the_name_is_read_whole_or_not_yet(cut: int) -> None:
    hello = _client_hello("Standards.Example.org")
    assert server_name(hello[:cut]) is None
    assert server_name(hello) == "standards.example.org"


def test_a_hello_in_many_records_is_one() -> None:
    hello = _client_hello("a.example.org")
    body = hello[5:]
    parts = [body[place : place + 40] for place in range(0, len(body), 40)]
    assert server_name(b"".join(b"\x16\x03\x01" + len(each).to_bytes(2) + each for each in parts)) == "a.example.org"


@pytest.mark.parametrize(
    "content", [b"GET /", b"\x17\x03\x03\x00\x01a", b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", b"\x16\x02"]
)
def test_what_is_no_hello_says_no_name(content: bytes) -> None:
    with pytest.raises(NoHello):
        server_name(content)


@pytest.mark.parametrize(
    "wrong",
    [{"hosts": ()}, {"hosts": ("A.example",)}, {"hosts": ("*.example",)}, {"hosts": ("192.0.2.1",)},
     {"hosts": ("a.example",), "ports": (0,)}, {"hosts": ("a.example",), "protocol": "http"}],
)  # fmt: skip
def test_a_destination_that_is_none_is_refused_at_start(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Destination(**wrong)  # type: ignore[arg-type]  # as a file could say it


def _ways(unit: Gateway, *, resolve: Callable[[str, int], list[str]], clients: Shares | None = None) -> WaysOut:
    cards = Cards()
    unit.identification = type(unit.identification)(
        store=unit.store, uses=unit.uses, news=unit.news, people=unit.people, keys=unit.keys, verifier=cards,
        status=unit.status, issuer=unit.site.origin("sso"), lifetimes=unit.lifetimes,
    )  # fmt: skip
    pem = _PERSON
    cards.person = x509.load_pem_x509_certificate(pem).serial_number
    return WaysOut(
        site=unit.site, settings=_SETTINGS, clock=unit.clock, recorder=unit.recorder, engine=unit.engine,
        identification=unit.identification, news=unit.news, freshness=unit.freshness, sockets=unit.sockets,
        resolve=resolve, clients=clients,
    )  # fmt: skip


_PERSON = certificate("person")[0]


def _asked(host: str) -> Asked:
    given = proxy_credentials(authorization="", proof="", certificate=_PERSON)
    return Asked(host=host, port=443, address="127.0.0.1", credentials=given)


def _event(kind: str, **told: object) -> Event:
    event = Event(key=kind, type=kind, outcome=Outcome.SUCCESS, at=datetime.now(UTC), source="test")
    return replace(event, **told)  # type: ignore[arg-type]  # by name


@contextmanager
def _tunnel(out: Out) -> Iterator[ssl.SSLSocket]:
    """One that carries TLS and stays open."""
    line, content = out.ask(f"CONNECT localhost:{out.away.port} HTTP/1.1", f"Host: localhost:{out.away.port}")
    assert content.startswith(b"HTTP/1.1 200 ")
    line.sendall(_client_hello("localhost"))
    assert line.recv(1), "the server answered"
    with line:
        yield line


def _ended(line: ssl.SSLSocket) -> int:
    """Wait for the end; how many bytes still came before it."""
    line.settimeout(_SIGN)
    count = 0
    while True:
        try:
            part = line.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            return count
        if not part:
            return count
        count += len(part)


def _client_hello(name: str | None) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    line = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with suppress(ssl.SSLWantReadError):
        line.do_handshake()
    return outgoing.read()
