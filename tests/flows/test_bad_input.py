# SPDX-License-Identifier: Apache-2.0
"""Nothing anybody can send makes an error of ours, opens a door, or leaves half of something behind."""

import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from tests.flows import hostile, invariants, unchanged
from tests.flows.city import City
from tests.flows.doors import DOORS, Door, declared
from tests.flows.knocking import Knocker, bodies

LISTENERS = ("external", "internal", "management")
PLACE = re.compile(r"<((?:[a-z]+:)?[a-z]+|any\([a-z, ]+\):[a-z]+)>")
EXAMPLES = 40
SHARES = 8
T = TypeVar("T")
UNSPOKEN = frozenset({501, 505})
"""What nginx says to a transfer coding or a version nobody speaks (RFC 9112 section 6.1, RFC 9110 section 15.6.6)."""


@pytest.fixture(scope="module")
def before(city: City) -> unchanged.Before:
    return unchanged.look(city)


@pytest.fixture(scope="module")
def knocker(city: City, before: unchanged.Before) -> Iterator[Knocker]:
    found = Knocker(city)
    yield found
    found.close()


def _part(door: Door, whole: Sequence[T], *, shares: int = SHARES) -> Sequence[T]:
    """What every door of a role meets before any rule: each gets a part of it, and neighbours together get all."""
    return hostile.part(whole, DOORS.index(door), shares)


def _targets(door: Door) -> Iterator[bytes]:
    """The door's address with each place and each question spoilt."""
    for place in PLACE.findall(door.rule):
        for segment in _part(door, hostile.SEGMENTS, shares=4):
            prefix, _, rest = door.path(**{place: "\0"}).partition("\0")
            yield prefix.encode() + segment + rest.encode()
    path = door.path().encode()
    for query in _part(door, hostile.QUERIES):
        yield path + b"?" + query
    for number, name in enumerate(door.query):
        # The language is read for all pages by the same lines.
        values = (
            _part(door, hostile.VALUES) if name == "lang" else hostile.share(hostile.VALUES, number, len(door.query))
        )
        for value in values:
            yield path + b"?" + hostile.form({name: value[:3000]})
        yield path + b"?" + name.encode() + b"=1&" + name.encode() + b"=2"


def test_every_endpoint_has_its_row() -> None:
    assert {door.name for door in DOORS} == declared()


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.id)
def test_a_door_withstands(knocker: Knocker, door: Door) -> None:
    # Whoever stands there logs in first; that is not counted.
    knocker.credentials(door)
    with knocker.counting(door.id):
        _knock_at(knocker, door)


def _knock_at(knocker: Knocker, door: Door) -> None:
    path = door.path().encode()
    body = b"" if door.method == "POST" else None
    for target in _targets(door):
        knocker.knock(door, target, body=body)
    for method in _part(door, hostile.METHODS, shares=3):
        knocker.knock(door, path, method=method, body=b"x=y" if method != b"HEAD" else None)
    for headers in _part(door, hostile.HEADERS):
        knocker.knock(door, path, headers=headers, body=body)
    if not door.role:
        # nginx says so before a role has to wait for what never comes.
        refused = knocker.knock(door, path, headers=((b"Content-Length", b"99999999"),))
        assert refused is not None
        assert refused.status == 413
    for kind, content in bodies(knocker, door):
        answer = knocker.knock(door, path, headers=((b"Content-Type", kind),), body=content)
        assert answer is not None, (door.name, kind, content[:200])
    if door.takes:
        # Events come many at a time.
        much = b"a=" + b"b" * ((9 if door.takes == "lines" else 2) << 20)
        large = knocker.knock(door, path, headers=((b"Content-Type", hostile.URLENCODED),), body=much)
        assert large is not None
        # Who knocked too often is told so first.
        assert large.status in {400, 401, 403, 413, 415, 429}


ONE_ENTRANCE = frozenset({"office-accounts"})
"""Hosts for programs, which are named at their own entrance alone."""


@pytest.mark.parametrize("listener", LISTENERS)
def test_the_wrong_entrance_is_as_strict(knocker: Knocker, listener: str) -> None:
    elsewhere = [door for door in DOORS if not door.role and door.listener not in {listener, "plain"}]
    doors = [door for door in elsewhere if door.label not in ONE_ENTRANCE]
    for door in doors:
        knocker.credentials(door)
    for door in elsewhere:
        if door.label in ONE_ENTRANCE:
            # No name of this entrance: nobody is there to be asked.
            with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
                knocker.knock(door, door.path().encode(), listener=listener)
    with knocker.counting(f"not at {listener}"):
        for door in doors:
            knocker.knock(door, door.path().encode(), listener=listener, body=b"" if door.method == "POST" else None)
            knocker.knock(door, door.path().encode() + b"?" + hostile.QUERIES[6], listener=listener)


def _front(label: str, listener: str, path: str = "/") -> Door:
    return Door(component="nginx", method="GET", rule=path, label=label, listener=listener)


@pytest.mark.parametrize("label", ["tax", "sso", "card", "verify", "log", "audit", "pki"])
def test_what_is_not_http_is_refused(city: City, knocker: Knocker, label: str) -> None:
    door = _front(label, {"audit": "management", "pki": "plain"}.get(label, "external"))
    host, wire = knocker.host(door), knocker.wire(door)
    path = b"/ocsp/people" if label == "pki" else b"/"
    for make in (hostile.odd_bodies, hostile.odd_lines, hostile.odd_heads):
        for raw in make(host, path):
            answer = wire.send(raw)
            # What follows in the same connection would be an answer to a smuggled request.
            wire.close()
            if answer is not None:
                assert answer.status < 500 or answer.status in UNSPOKEN, (raw[:300], answer)
                assert not answer.all("injected"), raw[:300]
    # TLS spoken where none is, none spoken where it is.
    other = hostile.over_tcp(city.ports["external"])() if label != "pki" else hostile.over_tcp(city.ports["plain"])()
    with other:
        other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" if label != "pki" else b"\x16\x03\x01\x00\x05hello")
        other.settimeout(hostile.PATIENCE)
        assert b"500" not in other.recv(100)


def test_smuggled_requests_are_never_answered(knocker: Knocker) -> None:
    door = _front("social", "external")
    for raw in hostile.odd_bodies(knocker.host(door)):
        with knocker.wire(door)._connect() as connection:
            connection.settimeout(1.0)
            connection.sendall(raw)
            said = b""
            try:
                while part := connection.recv(65536):
                    said += part
            except (TimeoutError, ConnectionError):
                pass
            assert said.count(b"HTTP/1.1 ") <= 1, (raw[:200], said[:2000])


def test_bad_credentials_are_refused_and_few_are_enough(knocker: Knocker) -> None:
    doors = [door for door in DOORS if door.name in {"portals GET /api/v1/me", "sso POST /token", "sso GET /userinfo"}]
    for door in [doors[0], *[door for door in doors if door.component == "sso"]]:
        for value in hostile.CREDENTIALS:
            answer = knocker.knock(
                door, door.path().encode(), headers=((b"Authorization", value), (b"Cookie", b"")),
                body=b"" if door.method == "POST" else None,
            )  # fmt: skip
            assert answer is None or answer.status in {400, 401, 403, 431}, (door.name, value, answer)


_OFFICERS = {"audit": "wang.qiang", "ca": "sun.li", "directory": "zhao.lei"}


def test_roles_interfaces_are_no_strangers_business(city: City, knocker: Knocker) -> None:
    for door in DOORS:
        # How the authority's interface looks is no secret (docs/public-endpoints.md).
        if door.component == "core" or not door.role or door.rule == "/api/v1/openapi.json":
            continue
        body = b"{}" if door.method == "POST" else None
        bare = knocker.knock(
            door,
            door.path().encode(),
            headers=((b"Tallygate-Caller", b"app"), (b"Tallygate-Secret", b"\xff" * 9)),
            body=body,
        )
        assert bare is not None
        assert bare.status in {401, 403}, (door.name, bare)
        # Through nginx even the right secret is worth nothing.
        label, listener = {"signatures": ("verify", "external")}.get(door.role, (door.role, "management"))
        through = Door(
            component=door.component, method=door.method, rule=door.rule, before=door.before, known=door.known,
            label=label, listener=listener, face="problem",
            who="" if label == "verify" else _OFFICERS[label],
        )  # fmt: skip
        answer = knocker.knock(through, through.path().encode(), headers=knocker.credentials(door), body=body)
        assert answer is not None
        assert answer.status in {401, 403}, (door.name, answer)


def test_probes_are_not_for_the_world(knocker: Knocker) -> None:
    for label in ("sso", "tax", "verify", "log", "card"):
        for path in (b"/livez", b"/readyz", b"/.tallygate/decide", b"/.tallygate/pages/503.html", b"/decide/external"):
            answer = knocker.knock(_front(label, "external"), path)
            assert answer is not None
            assert answer.status in {302, 401, 403, 404}, (label, path, answer)


# Connections that break off, and bytes that are no protocol at all.


def test_half_a_request_is_nothing(city: City, knocker: Knocker) -> None:
    for door in (_front("sso", "external"), _front("verify", "external")):
        for raw in (
            b"POST /token HTTP/1.1\r\nHost: " + knocker.host(door).encode() + b"\r\nContent-Length: 100\r\n\r\ngrant",
            b"POST / HTTP/1.1\r\nHost: "
            + knocker.host(door).encode()
            + b"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            b"GET / HTT",
        ):
            with knocker.wire(door)._connect() as connection:
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_RDWR)
    assert city.ready()


GARBAGE = (
    b"\0" * 100,
    b"\xff" * 100,
    b"\0\0\0\0",
    b"\0\0\0\1",
    b"\0\0\0\2\1x",
    b"\xff\xff\xff\xff\1",
    b"\0\0\0\x21\1" + b"n" * 32 + b"\0\0\0\x02\3{",
    b"\0\0\0\x21\1" + b"n" * 32 + b"\0\0\0\x1e\3" + b'{"caller":"app","secret":[1]}',
    b"\0\0\0\x21\1" + b"n" * 32 + b"\0\0\0\x1d\3" + b'{"caller":"app","secret":""}',
    b"\0\0\0\x21\1" + b"n" * 32 + b"\0\0\x9c\x41\3" + b"[" * 40_000,
    b"\0\0\0\x21\1" + b"n" * 32 + b"\0\0\0\x06\5\0\0\0\0\0",
    b"\0\0\0\x21\1" + b"n" * 32 + b"\0\0\0\x21\1" + b"n" * 32,
    b"\0\0\x10\0\5" + bytes(range(256)) * 15,
    b"GET / HTTP/1.1\r\n\r\n",
)


def test_garbage_on_the_logs_socket_ends_only_its_own_connection(city: City) -> None:
    connect = hostile.over_unix(city.folder / "run" / "audit" / "log")
    for raw in GARBAGE:
        for pieces in ([raw], [raw[at : at + 3] for at in range(0, min(len(raw), 60), 3)]):
            with connect() as connection:
                try:
                    for piece in pieces:
                        connection.sendall(piece)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                except (ConnectionError, BrokenPipeError):
                    pass
    held = [connect() for _ in range(50)]
    for connection in held:
        connection.close()
    assert city.ready()


def test_garbage_on_a_roles_socket_ends_only_its_own_connection(city: City) -> None:
    for path in sorted((city.folder / "run").glob("*/sock")):
        connect = hostile.over_unix(path)
        requests_ = [
            *GARBAGE,
            *hostile.odd_bodies("localhost"),
            *hostile.odd_lines("localhost"),
            *hostile.odd_heads("localhost"),
            b"GET /decide/external HTTP/1.1\r\nHost: x\r\nTallygate-Caller: nginx\r\nTallygate-Secret: AAAA\r\n\r\n",
            b"POST /decide/external HTTP/1.1\r\nHost: x\r\nTallygate-Caller: \xff\r\nContent-Length: 0\r\n\r\n",
        ]
        for raw in requests_:
            with connect() as connection:
                try:
                    connection.sendall(raw)
                    connection.shutdown(socket.SHUT_WR)
                    said = connection.recv(65536)
                except (ConnectionError, BrokenPipeError):
                    said = b""
            status = re.match(rb"HTTP/1\.[01] (5\d\d)", said)
            # On its own socket, which is for the supervisor, nginx speaks without our pages.
            unspoken = path.parent.name == "nginx" and status is not None and int(status[1]) in UNSPOKEN
            assert status is None or unspoken, (path.parent.name, raw[:200], said[:300])
    assert city.ready()


# The interface that describes itself.


@schemathesis.serializer("application/pdf")
def as_it_is(_: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


schemathesis.openapi.media_type(
    "application/pdf", st.binary(min_size=1, max_size=2000).map(lambda tail: b"%PDF" + tail)
)


def test_the_interface_keeps_its_description(city: City, knocker: Knocker) -> None:
    document = city.http().get(city.url("verify", "/api/v1/openapi.json"), timeout=20).json()
    schema = schemathesis.openapi.from_dict(document)
    with city.http() as session:
        for result in schema.get_all_operations():
            assert isinstance(result, Ok)
            operation = result.ok()

            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                derandomize=True,
            )
            @given(case=operation.as_strategy())
            def keeps(case: schemathesis.Case[Any]) -> None:
                case.call_and_validate(
                    base_url=city.url("verify", ""), session=session, verify=str(city.root), timeout=20
                )

            keeps()


# And after all that:


def test_the_city_is_as_it_was(city: City, knocker: Knocker, before: unchanged.Before) -> None:
    unchanged.check(city, before)
    # Neither more nor less than what was asked.
    assert not knocker.uncounted(invariants.entries(city))
