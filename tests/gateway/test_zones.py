# SPDX-License-Identifier: Apache-2.0
"""Zones by network and by peer through the real proxies: where a connection came from counts, not what it says."""

import hashlib
import shutil
import socket
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from audit import Event
from gateway import GatewaySettings
from gateway.config import OpenHost
from policies.zones.places import Places, Zone
from tests.gateway.conftest import SUBJECT, City, Reply, _exchange, certificate
from tests.gateway.test_edges import Door
from tests.gateway.test_service_decision import hear

PARTNER, PARTNER_KEY = certificate("partner")
DIGEST = hashlib.sha256(x509.load_pem_x509_certificate(PARTNER).public_bytes(Encoding.DER)).hexdigest()
PLACES = Places(
    {
        "external": Zone(says="this machine", networks=("127.0.0.1/32",)),
        "branch": Zone(says="an agency's branch", networks=("127.0.5.0/24",), listeners=("external",)),
        "internal": Zone(says="another network", networks=("127.0.9.0/24",)),
        "partner": Zone(says="behind a partner's proxy", peers=(DIGEST,), listeners=("external",)),
    }
)


@pytest.fixture(scope="module")
def joined() -> Iterator[City]:
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tg-gw-"))
    yield from _started(folder)


def _started(folder: Path, **settings: Any) -> Iterator[City]:
    routes, hosts = GatewaySettings().routes, GatewaySettings().open_hosts
    # One that proxies prove themselves at, beside one that asks for certificates anyhow, and one that asks for none.
    opened = {"acme": replace(hosts["acme"], peers=True), "mute": OpenHost(role="ca", why="x", zone="external")}
    guarded = routes | {"tax": replace(routes["tax"], peers=True)}
    city = City(folder, routes=guarded, open_hosts=hosts | opened, **settings)
    city.gateway.engine.place = PLACES.place  # type: ignore[method-assign]  # the real one
    city.gateway.engine.speaks = PLACES.speaks  # type: ignore[method-assign]  # as above
    city.gateway.engine.spoken_for = PLACES.spoken_for  # type: ignore[method-assign]  # as above
    for name, content in (("partner.pem", PARTNER), ("partner.key", PARTNER_KEY)):
        (folder / name).write_bytes(content)
    stranger, key = certificate("stranger")
    (folder / "stranger.pem").write_bytes(stranger)
    (folder / "stranger.key").write_bytes(key)
    try:
        city.start()
        yield city
    finally:
        city.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def alone(request: pytest.FixtureRequest) -> Iterator[City]:
    """Each program that can be a site's only proxy."""
    if request.param == "nginx":
        yield request.getfixturevalue("joined")
        return
    yield from _started(Path(tempfile.mkdtemp(dir="/tmp", prefix="tg-gw-")), edge=request.param)


def _from(city: City, source: str, *headers: str, shows: str = "", target: str = "/") -> tuple[Reply, Event]:
    context = ssl.create_default_context(cafile=str(city.site.public / "root.pem"))
    if shows:
        context.load_cert_chain(city.folder / f"{shows}.pem", city.folder / f"{shows}.key")
    port, host = city.site.ports.external, "tax.city.localhost"
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}:{port}", "Connection: close", *headers]
    city.gateway.recorder.events.clear()
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0)) as plain,
        context.wrap_socket(plain, server_hostname=host) as line,
    ):
        reply = _exchange(line, "\r\n".join(lines).encode() + b"\r\n\r\n")
    (event,) = city.gateway.recorder.events
    return reply, event


@pytest.mark.parametrize(("source", "zone"), [("127.0.0.1", "external"), ("127.0.5.7", "branch")])
def test_a_network_is_its_zone(joined: City, source: str, zone: str) -> None:
    reply, event = _from(joined, source)
    assert (reply.status, event.zone) == (200, zone)
    assert joined.gateway.engine.asked[-1].from_zone == zone


@pytest.mark.parametrize("source", ["127.0.9.1", "127.0.77.1"])
def test_an_address_of_another_network_or_of_none_has_no_business_here(joined: City, source: str) -> None:
    asked = len(joined.gateway.engine.asked)
    reply, event = _from(joined, source, "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1")
    assert reply.status == 403
    assert event.attributes["reason"] == "zone"
    assert len(joined.gateway.engine.asked) == asked


def test_a_header_moves_nobody(joined: City) -> None:
    for header in ("X-Forwarded-For: 127.0.5.7", "X-Client-Address: 127.0.5.7", "Tallygate-Listener: internal"):
        assert _from(joined, "127.0.0.1", header)[1].zone == "external"


def test_a_peer_speaks_for_its_zone_and_is_not_the_caller(joined: City) -> None:
    reply, event = _from(joined, "127.0.0.1", shows="partner")
    assert (reply.status, event.zone, event.attributes["peer"]) == (200, "partner", DIGEST)
    cookie = joined.gateway.open_session()
    reply, event = _from(joined, "127.0.9.1", f"Cookie: {cookie}", shows="partner", target="/me")
    # Whatever network it stands in: it proved itself.
    assert (reply.status, event.zone, event.subject) == (200, "partner", SUBJECT)


def test_a_strangers_certificate_speaks_for_nobody(joined: City) -> None:
    reply, event = _from(joined, "127.0.5.7", shows="stranger")
    assert reply.status == 401
    assert (event.attributes["reason"], "peer" in event.attributes) == ("credential", False)


def test_a_closed_way_is_closed_at_hosts_without_login_to_whom_a_certificate_places_there(alone: City) -> None:
    """By no word of the visitor's; whoever proves nothing is closed out only where nothing can be proved."""
    acme, est, mute = "/acme/directory", "/.well-known/est/cacerts", "/"
    partner = (alone.folder / "partner.pem", alone.folder / "partner.key")
    stranger = (alone.folder / "stranger.pem", alone.folder / "stranger.key")
    forged = (("Tallygate-Client-Certificate", quote(PARTNER.decode())), ("Tallygate-Listener", "internal"))

    def at(label: str, target: str, shows: tuple[Path, Path] | None = None) -> int:
        return alone.get(target, host=f"{label}.city.localhost", headers=forged, certificate=shows).status

    index = alone.gateway.store.next_entry() + 1
    reply = alone.get(acme, host="acme.city.localhost", certificate=partner)
    # The role is told nothing of a certificate that only says by whom the request was brought.
    assert (reply.status, reply.received("Tallygate-Client-Certificate")) == (200, [])
    hear(alone.gateway, "gateway.switch.shut", index=index, object="zones=partner:external")
    try:
        alone.gateway.recorder.events.clear()
        assert [at("acme", acme, partner), at("est", est, partner)] == [503, 503]
        assert {(each.zone, each.attributes["peer"]) for each in alone.gateway.recorder.events} == {("partner", DIGEST)}
        for shows in (None, stranger):
            assert [at("acme", acme, shows), at("est", est, shows)] == [200, 200]
        assert [at("mute", mute), at("mute", mute, partner)] == [503, 503]
        assert alone.get(mute, host="mute.city.localhost", listener="management").status == 403
    finally:
        hear(alone.gateway, "gateway.switch.reopened", index=index + 1, object="zones=partner:external")
    assert [at("acme", acme, partner), at("mute", mute)] == [200, 200]
    # It comes from there and from nowhere else: what is closed to the listener's own zone does not hold it.
    hear(alone.gateway, "gateway.switch.shut", index=index + 2, object="zones=external:external")
    try:
        assert [at("acme", acme, partner), at("acme", acme), at("mute", mute, partner)] == [200, 503, 503]
    finally:
        hear(alone.gateway, "gateway.switch.reopened", index=index + 3, object="zones=external:external")


@pytest.mark.parametrize("name", ["caddy", "haproxy"])
def test_peers_speak_for_their_zone_at_the_other_proxies_too(joined: City, name: str) -> None:
    door = Door(joined, name)
    try:
        for shows, zone, status in (("partner", "partner", 200), ("", "external", 200), ("stranger", "external", 401)):
            joined.gateway.recorder.events.clear()
            files = (joined.folder / f"{shows}.pem", joined.folder / f"{shows}.key") if shows else None
            assert door.get("/", card=files).status == status
            assert joined.gateway.recorder.events[0].zone == zone
    finally:
        door.stop()
