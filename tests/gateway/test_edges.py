# SPDX-License-Identifier: Apache-2.0
"""Caddy and HAProxy of Debian before the same hosts: what nginx lets through they let through, and nothing else."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.proxy import EDGES, Edge
from tests.fakes.ports import free_ports
from tests.gateway.conftest import DEVICE, SECRET, SUBJECT, City, Reply, _exchange, certificate

ADDRESS = "127.0.0.1"
COMMANDS = {
    "caddy": ["/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", "Caddyfile"],
    "haproxy": ["/usr/sbin/haproxy", "-db", "-f", "haproxy.cfg"],
}
JSON = (("Accept", "application/json"),)


class Door:
    """One proxy of another make, running before the city's hosts."""

    def __init__(self, city: City, name: str) -> None:
        self.city = city
        (self.port,) = free_ports(1)
        folder = city.site.folder(name)
        folder.mkdir(mode=0o700)
        shutil.copy(city.site.folder("nginx") / "tls.pem", folder / "tls.crt")
        shutil.copy(city.site.folder("nginx") / "tls.key", folder)
        edge = Edge(
            site=replace(city.site, ports=replace(city.site.ports, external=self.port)),
            settings=city.gateway.settings,
            listener="external",
            address=ADDRESS,
            folder=folder,
            secret=SECRET,
        )
        for file, text in EDGES[name](edge).items():
            (folder / file).write_text(text)
        with (folder / "errors").open("wb") as errors:
            self.process = subprocess.Popen(
                COMMANDS[name], cwd=folder, stderr=errors, stdout=errors, env={"HOME": str(folder), "PATH": "/usr/bin"}
            )
        limit = time.monotonic() + 60
        while time.monotonic() < limit and self.process.poll() is None:
            try:
                socket.create_connection((ADDRESS, self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise RuntimeError((folder / "errors").read_text())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)

    def get(
        self,
        target: str = "/",
        *headers: tuple[str, str],
        method: str = "GET",
        host: str = "tax.city.localhost",
        name: str = "",
        body: bytes = b"",
        card: tuple[Path, Path] | None = None,
    ) -> Reply:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {name or host}:{self.port}", "Connection: close"]
        lines += [f"{key}: {value}" for key, value in headers]
        lines += [f"Content-Length: {len(body)}"] if body else []
        context = ssl.create_default_context(cafile=str(self.city.site.public / "root.pem"))
        if card is not None:
            context.load_cert_chain(*map(str, card))
        with (
            socket.create_connection((ADDRESS, self.port), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname=host) as line,
        ):
            return _exchange(line, "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


@pytest.fixture(scope="module", params=["caddy", "haproxy"])
def opened(running: City, request: pytest.FixtureRequest) -> Iterator[Door]:
    door = Door(running, request.param)
    yield door
    door.stop()


@pytest.fixture
def door(opened: Door, city: City) -> Door:
    assert opened.city is city
    return opened


def test_a_person_is_forwarded_with_an_identity_for_this_request_and_nothing_of_the_gateways(door: Door) -> None:
    city = door.city
    cookie = f"a=1; {city.gateway.open_session()}; b=2"
    forged = (
        "Tallygate-Identity",
        "Tallygate_Identity",
        "X-Forwarded-For",
        "X_Forwarded_Uri",
        "X-Forwarded-Uri",
        "X-Original-URI",
        "X_Original_URI",
        "X-Forwarded-Method",
        "X-Real-IP",
        "Tallygate-Secret",
        "X-Rewrite-URL",
    )
    reply = door.get(
        "/declaration%20a?year=2025&b=%2F",
        ("Cookie", cookie),
        ("Authorization", "Bearer"),
        method="POST",
        body=b"sum=1",
    )
    assert reply.status == 401, "two credentials"
    reply = door.get(
        "/declaration%20a?year=2025&b=%2F",
        ("Cookie", cookie),
        ("Content-Type", "text/plain"),
        *((name, "forged") for name in forged),
        method="POST",
        body=b"sum=1",
    )
    assert reply.status == 200
    said = reply.json()
    assert (said["method"], said["target"], said["body"]) == ("POST", "/declaration%20a?year=2025&b=%2F", "sum=1")
    assert b"forged" not in reply.body
    assert "__Host-tallygate" not in reply.body.decode()
    assert reply.received("Content-Type") == ["text/plain"]
    assert {part.strip() for part in reply.received("Cookie")[0].split(";")} - {""} == {"a=1", "b=2"}
    assert reply.received("X-Forwarded-For") == ["127.0.0.1"]
    assert reply.received("X-Forwarded-Proto") == ["https"]
    assert reply.received("X-Original-URI") == ["/declaration%20a?year=2025&b=%2F"]
    (header,) = reply.received("Tallygate-Identity")
    identity = city.gateway.verifier_of("tax.city.localhost").verify(
        header, method="POST", path="/declaration%20a?year=2025&b=%2F", at=city.gateway.clock.now()
    )
    event = city.gateway.recorder.events[-1]
    assert (identity.subject, identity.zone, identity.decision) == (SUBJECT, "external", event.decision)
    assert reply.received("Tallygate-Decision") == [event.decision]
    assert len(str(event.attributes["request"])) == 32
    assert reply.get("Tallygate-Identity") == "", "the host's answer may not leak one"


def test_nobody_is_refused_with_the_gateways_own_page_and_led_to_the_login(door: Door) -> None:
    reply = door.get("/x", *JSON)
    assert (reply.status, reply.json()["code"]) == (401, "login")
    assert door.city.gateway.recorder.events[-1].attributes["reason"] == "login"
    reply = door.get("/x?lang=zh", ("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate"))
    assert reply.status == 302
    assert reply.get("Location").startswith("/.tallygate/login?to=%2Fx")
    assert door.get("/.tallygate/login?to=%2Fx").status == 303
    assert door.get("/.tallygate/denied").status == 404
    assert door.get("/static/tallygate.css").status in (200, 404)
    assert door.get("/readyz", *JSON).status == 404


def test_what_only_a_proxy_may_say_and_what_has_two_readings_is_refused_and_recorded(door: Door) -> None:
    city = door.city
    cookie = ("Cookie", city.gateway.open_session())
    for target, headers, reason in (
        ("/x", (("Forwarded", "for=10.0.0.1;host=evil"),), "forwarded"),
        ("/a%2fb", (), "ambiguous-path"),
        ("//evil/x", (), "ambiguous-path"),
        ("/a/../b", (), "ambiguous-path"),
        ("/a;b", (), "ambiguous-path"),
        ("/%2e%2e/a", (), "ambiguous-path"),
        ("/x", (("Cookie", "__Host-tallygate=" + "d" * 43),), "ambiguous-credential"),
    ):
        asked = len(city.gateway.engine.asked)
        reply = door.get(target, cookie, *headers, *JSON)
        assert (reply.status, reply.json()["code"]) == (400, reason), target
        assert city.gateway.recorder.events[-1].attributes["reason"] == reason
        assert len(city.gateway.engine.asked) == asked


def test_the_name_in_tls_and_the_name_in_http_are_one(door: Door) -> None:
    cookie = ("Cookie", door.city.gateway.open_session())
    assert door.get("/x", cookie, name="social.city.localhost").status in (403, 421)
    assert door.get("/x", cookie, name="evil.example").status in (403, 421)
    assert not door.city.gateway.recorder.events


def test_a_device_is_known_by_the_certificate_of_its_own_handshake(door: Door, tmp_path: Path) -> None:
    pem, key = certificate("card")
    (tmp_path / "card.pem").write_bytes(pem)
    (tmp_path / "card.key").write_bytes(key)
    card = tmp_path / "card.pem", tmp_path / "card.key"
    reply = door.get("/api/device/x", *JSON, host="devices.city.localhost", card=card)
    assert reply.status == 200, reply.body
    assert door.city.gateway.engine.asked[-1].device == DEVICE
    door.get("/api/device/x", ("Tallygate-Client-Certificate", "forged"), *JSON, host="devices.city.localhost")
    assert door.city.gateway.engine.asked[-1].principal_kind == "anonymous"


def test_without_a_record_nothing_goes_through(door: Door) -> None:
    door.city.gateway.recorder.down = True
    reply = door.get("/x", ("Cookie", door.city.gateway.open_session()), *JSON)
    assert (reply.status, reply.json()["code"]) == (503, "record-unavailable")


def test_cookies_and_domains_that_a_host_may_not_set_do_not_arrive(door: Door) -> None:
    door.city.host_says[:] = [
        ("Set-Cookie", "__Host-tallygate=stolen; Path=/; Secure"),
        ("Set-Cookie", "own=1; Domain=city.localhost; Path=/"),
    ]
    reply = door.get("/", ("Cookie", door.city.gateway.open_session()))
    assert "stolen" not in reply.get("Set-Cookie")
    assert "own=1" in reply.get("Set-Cookie")
    assert "domain" not in reply.get("Set-Cookie").lower()


def test_a_body_of_no_announced_length_reaches_no_host(door: Door) -> None:
    """In chunks it would pass every limit of the route: Caddy does not say that it comes."""
    cookie = door.city.gateway.open_session()
    context = ssl.create_default_context(cafile=str(door.city.site.public / "root.pem"))
    for method in ("POST", "DELETE", "GET"):
        lines = [f"{method} /x HTTP/1.1", f"Host: tax.city.localhost:{door.port}", f"Cookie: {cookie}"]
        lines += ["Connection: close", "Transfer-Encoding: chunked", "", "4", "evil", "0", "", ""]
        with (
            socket.create_connection((ADDRESS, door.port), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname="tax.city.localhost") as line,
        ):
            assert _exchange(line, "\r\n".join(lines).encode()).status == 411, method
    # What has no body needs to announce none.
    assert door.get("/x", ("Cookie", cookie), method="DELETE").status == 200
    assert len(door.city.gateway.recorder.events) == 1
