# SPDX-License-Identifier: Apache-2.0
"""Nothing anybody can send makes an error of ours, opens a door, or leaves half of something behind."""

import base64
import hashlib
import json
import re
import socket
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from tests.flows import hostile, invariants, people
from tests.flows.city import PASSWORD, City, until
from tests.flows.doors import DOORS, Door, declared
from tests.flows.knocking import Knocker, bodies, hidden, person, post

LISTENERS = ("external", "internal", "management")
PLACE = re.compile(r"<((?:[a-z]+:)?[a-z]+|any\([a-z, ]+\):[a-z]+)>")
EXAMPLES = 40
UNSPOKEN = frozenset({501, 505})
"""What nginx says to a transfer coding or a version nobody speaks (RFC 9112 section 6.1, RFC 9110 section 15.6.6)."""
# Tables that may hold more rows afterwards: what is parked, counted and remembered about visitors, and expires.
PASSING = {
    "sso": {"interactions", "attempts", "handovers", "sessions", "grants", "codes", "consents", "refresh_tokens"},
    "gateway": {"sessions", "revoked"},
}
# What the one suspension and the changes of the revocation list leave, and every counter.
LEFT = {"sso.barred", "ca.revocations", "ca.revisions", "ca.crls"}
# Records of acts that nothing here may bring about but where a test says so itself.
ACTS = re.compile(
    r"(ca|directory|policy|signature)\.(?!person\.read|people\.searched|(certificate\.)?refused|verified)"
)


@dataclass
class Before:
    """The city as it was when the first stone flew."""

    processes: dict[int, str]
    logs: dict[Path, int]
    rows: dict[str, int]
    entries: int
    # Acts that tests of this file did on purpose.
    meant: Counter[str] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def before(city: City) -> Before:
    # The last outcome of the sample city's birth may still be on its way to the log.
    until(lambda: _delivered(city), seconds=20)
    return Before(_processes(city), _logs(city), _rows(city), invariants.checkpoint(city)[0])


@pytest.fixture(scope="module")
def knocker(city: City, before: Before) -> Iterator[Knocker]:
    found = Knocker(city)
    yield found
    found.close()


def _delivered(city: City) -> bool:
    kinds = Counter(invariants._type(entry) for entry in invariants.entries(city))
    return kinds["ca.certificate.intended"] == kinds["ca.certificate.issued"] + kinds["ca.certificate.released"]


def _processes(city: City) -> dict[int, str]:
    """Every process of the city that is there to stay: roles and their workers, slapd, nginx."""
    assert city._process is not None
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [
        (int(pid), int(parent), args) for pid, parent, args in (line.split(None, 2) for line in listed.splitlines())
    ]
    family = {city._process.pid: "up"}
    for _ in range(3):
        family |= {pid: args for pid, parent, args in rows if parent in family}
    # Readers of documents are replaced as they grow old or choke.
    return {pid: args for pid, args in family.items() if "sandbox" not in args}


def _logs(city: City) -> dict[Path, int]:
    return {path: path.stat().st_size for path in (city.folder / "logs").glob("*.log")}


def _rows(city: City) -> dict[str, int]:
    """How many rows each table of each component holds."""
    found = {}
    for path in city.folder.glob("*/*.db"):
        if path.parent.name == "audit":
            continue
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        for (table,) in connection.execute("select name from sqlite_master where type='table'").fetchall():
            (count,) = connection.execute(f"select count(*) from {table}").fetchone()  # noqa: S608 - from the schema
            found[f"{path.parent.name}.{table}"] = count
        connection.close()
    return found


def _targets(door: Door) -> Iterator[bytes]:
    """The door's address with each place and each question spoilt."""
    for place in PLACE.findall(door.rule):
        for segment in hostile.SEGMENTS:
            prefix, _, rest = door.path(**{place: "\0"}).partition("\0")
            yield prefix.encode() + segment + rest.encode()
    path = door.path().encode()
    for query in hostile.QUERIES:
        yield path + b"?" + query
    # Where much is asked, each question gets a part of the values, and together they get all.
    share = 1 if len(door.query) == 1 else 3 if len(door.query) <= 5 else 9
    for number, name in enumerate(door.query):
        for value in hostile.VALUES[number % share :: share]:
            yield path + b"?" + hostile.form({name: value[:3000]})
        yield path + b"?" + name.encode() + b"=1&" + name.encode() + b"=2"


def test_every_endpoint_has_its_row() -> None:
    assert {door.name for door in DOORS} == declared()


@pytest.mark.parametrize(
    "door", DOORS, ids=lambda door: f"{door.label or door.role}-{door.method}{door.before}{door.rule}"
)
def test_a_door_withstands(knocker: Knocker, door: Door) -> None:
    path = door.path().encode()
    body = b"" if door.method == "POST" else None
    for target in _targets(door):
        knocker.knock(door, target, body=body)
    for method in hostile.METHODS:
        knocker.knock(door, path, method=method, body=b"x=y" if method != b"HEAD" else None)
    for headers in hostile.HEADERS:
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
        large = knocker.knock(
            door, path, headers=((b"Content-Type", hostile.URLENCODED),), body=b"a=" + b"b" * (2 << 20)
        )
        assert large is not None
        assert large.status in {400, 401, 403, 413, 415}


@pytest.mark.parametrize("listener", LISTENERS)
def test_the_wrong_entrance_is_as_strict(knocker: Knocker, listener: str) -> None:
    for door in DOORS:
        if not door.role and door.listener not in {listener, "plain"}:
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


def test_roles_interfaces_are_no_strangers_business(city: City, knocker: Knocker) -> None:
    for door in DOORS:
        if door.component == "core" or not door.role:
            continue
        body = b"{}" if door.method == "POST" else None
        bare = knocker.knock(
            door,
            door.path().encode(),
            headers=((b"Tallygate-Caller", b"app"), (b"Tallygate-Secret", b"\xff" * 9)),
            body=body,
        )
        assert bare is not None
        assert bare.status in {401, 403}
        # Through nginx even the right secret is worth nothing.
        label, listener = {"signatures": ("verify", "external")}.get(door.role, (door.role, "management"))
        through = Door(
            component=door.component, method=door.method, rule=door.rule, before=door.before, known=door.known,
            label=label, listener=listener, face="problem",
            who="" if label == "verify" else {"audit": "wang.qiang", "ca": "sun.li"}[label],
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


# What is used twice.


@pytest.fixture(scope="module")
def citizen(city: City, knocker: Knocker) -> requests.Session:
    return person(city, "zhang.min", city.url("tax", "/.tallygate/login?to=/"))


def _code(city: City, session: requests.Session) -> tuple[str, str, str]:
    """A fresh authorization code for the tax portal, its verifier and callback."""
    verifier, callback = "v" * 64, city.url("tax", "/callback")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    shown = session.get(
        city.url("sso", "/authorize"),
        params={
            "response_type": "code", "client_id": "tax", "redirect_uri": callback, "scope": "openid profile",
            "state": "s" * 32, "nonce": "n" * 32, "code_challenge_method": "S256",
            "code_challenge": challenge,
        },
        allow_redirects=False, timeout=20,
    )  # fmt: skip
    address = shown.headers["Location"]
    if "/consent" in address:
        page = session.get(city.url("sso", address), timeout=20)
        fields = hidden(page.text, "/consent")
        sent = session.post(
            city.url("sso", "/consent"), data={**fields, "choice": "allow"}, headers={"Referer": page.url},
            allow_redirects=False, timeout=20,
        )  # fmt: skip
        address = sent.headers["Location"]
        again = session.post(
            city.url("sso", "/consent"), data={**fields, "choice": "allow"}, headers={"Referer": page.url},
            allow_redirects=False, timeout=20,
        )  # fmt: skip
        assert again.status_code == 400, "a consent form was taken twice"
    return parse_qs(urlsplit(address).query)["code"][0], verifier, callback


def test_a_code_works_once_also_when_all_come_at_once(city: City, citizen: requests.Session) -> None:
    code, verifier, callback = _code(city, citizen)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: people.redeem(city, "tax", code, verifier, callback), range(4)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200, 400, 400, 400]
    assert all(answer.json()["error"] == "invalid_grant" for answer in answers if answer.status_code == 400)
    # Somebody had the code who should not: what it gave is taken back.
    token = next(answer.json()["access_token"] for answer in answers if answer.status_code == 200)
    until(lambda: people.bearer(city, token).status_code == 401, seconds=3)


def test_a_revoked_token_may_be_revoked_again(city: City, citizen: requests.Session) -> None:
    code, verifier, callback = _code(city, citizen)
    token = people.redeem(city, "tax", code, verifier, callback).json()["access_token"]
    secret = (city.folder / "portal-tax" / "oidc.secret").read_text("ascii").strip()
    for _ in range(2):
        answer = city.http().post(city.url("sso", "/revoke"), data={"token": token}, auth=("tax", secret))
        assert answer.status_code == 200
    asked = city.http().post(city.url("sso", "/introspect"), data={"token": token}, auth=("tax", secret))
    assert asked.json() == {"active": False}


def test_a_way_back_from_the_card_works_once(city: City) -> None:
    session = city.http()
    session.headers["Accept"] = "text/html"
    session.cert = str(city.folder / "demo" / "li.na.pem")
    shown = session.get(city.url("sso", "/account"), timeout=20)
    done = post(session, shown, "/login/card")
    assert done.status_code == 200
    ways = [step.headers["Location"] for step in done.history if "handover=" in step.headers.get("Location", "")]
    tickets = [step.headers["Location"] for step in done.history if "ticket=" in step.headers.get("Location", "")]
    assert ways
    assert tickets
    for address in (*ways, *tickets):
        for visitor in (session, city.http()):
            again = visitor.get(address, allow_redirects=False, timeout=20)
            assert 400 <= again.status_code < 500, (address, again.status_code)


def test_a_login_finishes_once_and_only_where_it_began(city: City) -> None:
    session = city.http()
    session.headers["Accept"] = "text/html"
    shown = session.get(city.url("social", "/.tallygate/login?to=/"), timeout=20)
    fields = hidden(shown.text, "/login")
    done = post(session, shown, "/login", username="zhang.min", password=PASSWORD)
    callbacks = [step.headers["Location"] for step in done.history if "/callback?" in step.headers.get("Location", "")]
    assert callbacks
    for address in callbacks:
        for visitor in (session, city.http()):
            again = visitor.get(address, headers={"Accept": "text/html"}, allow_redirects=False, timeout=20)
            assert 400 <= again.status_code < 500, (address, again.status_code)
    twice = session.post(
        city.url("sso", "/login"), data={**fields, "username": "zhang.min", "password": PASSWORD},
        headers={"Referer": shown.url}, allow_redirects=False, timeout=20,
    )  # fmt: skip
    assert twice.status_code in {400, 403}


def test_leaving_twice_is_leaving(city: City) -> None:
    session = person(city, "zhang.min", city.url("social", "/.tallygate/login?to=/"))
    cookies = session.cookies.copy()
    page = session.get(city.url("social", "/.tallygate/logout"), timeout=20)
    left = post(session, page, "", **hidden(page.text))
    assert left.status_code == 200
    for _ in range(2):
        replay = city.http()
        replay.cookies.update(cookies)
        again = replay.post(
            city.url("social", "/.tallygate/logout"), data=hidden(page.text), headers={"Referer": page.url},
            allow_redirects=False, timeout=20,
        )  # fmt: skip
        assert again.status_code in {303, 403}
        assert replay.get(city.url("social", "/api/v1/me"), timeout=20).status_code == 401


def test_a_suspension_sent_twice_is_recorded_once(city: City, knocker: Knocker, before: Before) -> None:
    pem = city.folder / "demo" / "qian.jun.pem"
    said = subprocess.run(
        ["openssl", "x509", "-in", str(pem), "-noout", "-serial"], capture_output=True, text=True, check=True
    ).stdout
    serial = said.strip().split("=")[1].lower().lstrip("0")
    desk = next(door for door in DOORS if door.label == "ca" and door.takes == "form" and not door.before)
    fields = {name: value.encode() for name, value in knocker.fields(desk).items()}
    right = hostile.form({"csrf_token": fields["csrf_token"]})
    kind = ((b"Content-Type", hostile.URLENCODED),)

    def act(verb: str, body: bytes) -> int:
        answer = knocker.knock(desk, f"/certificates/{serial}/{verb}".encode(), headers=kind, body=body)
        assert answer is not None
        return answer.status

    for body in (b"", b"csrf_token=", right[:-3], b"csrf_token=" + b"A" * 90):
        assert act("suspend", body) in {400, 403}
    assert act("revoke", right) == 400
    assert act("release", right) == 409
    assert [act("suspend", right) for _ in range(2)] == [303, 409]
    assert [act("release", right) for _ in range(2)] == [303, 409]
    # A release announces itself as an intent, like everything that grants.
    before.meant += Counter({"ca.certificate.suspended": 1, "ca.certificate.intended": 1, "ca.certificate.released": 1})


def test_half_an_import_enters_nobody(city: City, knocker: Knocker) -> None:
    desk = next(door for door in DOORS if door.name == "directory POST /import")
    fields = {name: value.encode() for name, value in knocker.fields(desk).items()}
    table = (
        b"kind,username,name,name_zh,mail,proofing_level,proofing_date,proofing_evidence\n"
        b"citizen,good.person,Good Person,,,0,,\n"
        b"citizen,bad person,Bad\x07Person,,,9,never,\n"
    )
    body = hostile.multipart(fields, [(b"file", b"people.csv", table)])
    answer = knocker.knock(desk, b"/import", headers=((b"Content-Type", hostile.MULTIPART),), body=body)
    assert answer is not None
    assert answer.status in {400, 422}
    found = knocker.visitor(desk).get(city.url("directory", "/?q=good.person", "management"), timeout=20)
    knocker.decided += 1
    assert "Good Person" not in found.text


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
            assert not re.match(rb"HTTP/1\.[01] 5", said), (path.parent.name, raw[:200], said[:300])
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


def test_the_city_is_as_it_was(city: City, knocker: Knocker, before: Before) -> None:
    assert city.ready()
    # Nobody died over it.
    after = _processes(city)
    assert not {args for pid, args in before.processes.items() if after.get(pid) != args}
    # No role met an error it had not foreseen.
    for path, size in before.logs.items():
        with path.open("rb") as file:
            file.seek(size)
            bad = [line for line in file.read().splitlines() if _alarming(line)]
        assert not bad, (path.name, bad[:5])
    # Nothing exists that nobody ordered.
    rows = until(lambda: _settled(city), seconds=10)
    grown = {name: (before.rows[name], count) for name, count in rows.items() if count != before.rows[name]}
    assert not {name for name in grown if not _may_grow(name)}, grown
    # The record tells of every decision, and of no act but those that were meant.
    invariants.check(city)
    entries = invariants.entries(city)[before.entries :]
    kinds = Counter(invariants._type(entry) for entry in entries)
    assert Counter({kind: count for kind, count in kinds.items() if ACTS.match(kind)}) == before.meant


def _may_grow(name: str) -> bool:
    component, _, table = name.partition(".")
    return name in LEFT or table == "sqlite_sequence" or table in PASSING.get(component, set())


def _settled(city: City) -> dict[str, int] | None:
    rows = _rows(city)
    return rows if not any(count for name, count in rows.items() if name.endswith(".outbox")) else None


def _alarming(line: bytes) -> bool:
    if any(word in line for word in (b"internal_error", b"Traceback", b"panicked", b"_failed")):
        return True
    try:
        return str(json.loads(line).get("level", "")) in {"error", "critical"}
    except ValueError:
        return False
