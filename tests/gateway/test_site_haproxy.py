# SPDX-License-Identifier: Apache-2.0
"""HAProxy as a site's only proxy: what is true of nginx before every host is true of it, by the same tests."""

import json
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from core.config import ConfigurationError, decode
from gateway import GatewaySettings
from gateway.config import COOKIES, SESSION_COOKIE
from gateway.service import prepare_haproxy
from tests.gateway import test_advisories, test_cookies, test_nginx, test_sockets
from tests.gateway.advisories import Advisory
from tests.gateway.conftest import SECRET, City, make_site
from tests.gateway.test_nginx import JSON, PAGE

APART = {
    "test_plain_http_at_a_tls_port_is_refused": "it is cut off without a word",
    "test_an_answer_made_beforehand_is_served_without_its_role": "answers come from the role, whenever they were made",
    "test_where_strangers_cost_work_they_are_told_to_wait_sooner": "below, for it starts a proxy",
    "test_who_asks_too_often_is_told_to_wait": "below, for it starts a proxy",
    "test_every_other_one_has_a_test_of_its_own_and_no_number_stands_twice": "about the table, not the proxy",
    "test_what_did_harm_elsewhere_does_none_here": "below, for it refuses one more",
    "test_the_page_is_up_to_date": "about the table, not the proxy",
    "test_frames_are_followed_in_pieces_of_any_size": "about the keeper alone",
    "test_the_end_of_what_was_open_when_the_keeper_died_is_recorded_by_the_next": "about the keeper alone",
}
"""Tests of nginx that say nothing of HAProxy, and why."""

# The tests themselves, on this module's city.
for _module in (test_nginx, test_sockets, test_advisories):
    for _name, _test in vars(_module).items():
        if _name in ("card", "host", "_own_session") or (_name.startswith("test_") and _name not in APART):
            globals()[_name] = _test


@pytest.mark.parametrize("each", test_advisories.SENT, ids=lambda each: each.number.replace(" ", "-"))
def test_what_did_harm_elsewhere_does_none_here_either(city: City, each: Advisory) -> None:
    # A name that is too long for itself is no name to HAProxy, whose own mistake that was.
    stricter = each.number == "CVE-2021-40346"
    test_advisories.test_what_did_harm_elsewhere_does_none_here(city, replace(each, refused=each.refused or stricter))


@contextmanager
def _started(**settings: Any) -> Iterator[City]:
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tg-gw-"))
    city = City(folder, edge="haproxy", **settings)
    try:
        city.start()
        yield city
    finally:
        city.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def running() -> Iterator[City]:
    with _started() as city:
        yield city


def test_every_test_that_is_left_out_exists() -> None:
    known = {name for module in (test_nginx, test_sockets, test_advisories) for name in vars(module)}
    assert set(APART) <= known


def _lines(city: City, since: int = 0) -> list[dict[str, str]]:
    """What it said on its output since so many lines."""
    found = [json.loads(line) for line in (city.folder / "said").read_text().splitlines()[since:]]
    # What has no value is a dash.
    return [{name: "" if value == "-" else value for name, value in line.items()} for line in found]


def _until(condition: Callable[[], Any]) -> None:
    limit = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.02)


@given(pieces=test_cookies.PIECES)
@settings(max_examples=100, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_cookie_header_it_is_read_as_the_gateway_reads_it(city: City, pieces: list[str]) -> None:
    header = "".join(pieces).strip(" \t")
    reply = city.get("/", headers=(*JSON, ("Cookie", header)))
    parts = [part.strip(" \t") for part in re.split("[;,]", header)]
    names = [part.partition("=")[0].rstrip(" \t").lower() for part in parts]
    if names.count(SESSION_COOKIE.lower()) > 1:
        assert reply.status == 400
        return
    ours = {name.lower() for name in COOKIES}
    # A pair without a name has nothing that could be ours, and nothing that a host could read.
    others = [part for part, name in zip(parts, names, strict=True) if name and name not in ours]
    seen = [part.strip(" \t") for value in reply.received("Cookie") for part in re.split("[;,]", value)]
    assert [part for part in seen if part] == others


@pytest.mark.parametrize("shape", ["{}=x", "\t{} =x", " \t{}\t =x"])
def test_a_host_sets_none_of_our_cookies(city: City, shape: str) -> None:
    for name in (*COOKIES, SESSION_COOKIE.upper()):
        city.host_says[:] = [("Set-Cookie", f"{shape.format(name)}; Path=/; Secure")]
        assert name.lower() not in city.get("/").get("Set-Cookie").lower()


def test_one_line_for_each_request_names_its_decision_and_nobody(city: City) -> None:
    # Lines come a moment after the answers: those of others are there once this one is.
    assert city.get("/before", headers=JSON).status == 401
    before = city.gateway.recorder.events[-1].decision
    _until(lambda: any(line["decision"] == before for line in _lines(city)))
    known = len(_lines(city))
    cookie = ("Cookie", city.gateway.open_session())
    assert city.get("/secret-path", headers=(cookie,)).status == 200
    permitted = city.gateway.recorder.events[-1]
    assert city.get("/secret-path", headers=JSON).status == 401
    denied = city.gateway.recorder.events[-1]
    assert city.get("/.tallygate/keys").status == 200
    # Neither where nobody decides, nor what is no request.
    assert city.get("/checkpoint", host="log.city.localhost").status == 200
    assert city.get("/authorize", host="sso.city.localhost").status == 200
    _until(lambda: len(_lines(city)) >= known + 3)
    permit, deny, page = _lines(city, known)
    here = {"host": "tax.city.localhost", "port": str(city.site.ports.external)}
    for line, event, status, to in (
        (permit, permitted, "200", "role_portal_tax"),
        (deny, denied, "401", "role_gateway"),
    ):
        request = event.attributes["request"]
        assert line == {**here, "status": status, "request": request, "to": to, "decision": event.decision}
    assert (page["decision"], page["to"]) == ("", "role_gateway")
    said = (city.folder / "said").read_text()
    assert "secret-path" not in said
    assert "127.0.0.1" not in said


def test_a_handshake_that_fails_tells_nothing_of_the_visitor(city: City) -> None:
    known = len(_lines(city))
    with pytest.raises((OSError, ValueError)):
        city.get("/", host="evil.example")
    city.raw(b"GET / HTTP/1.0\r\n\r\n", tls=False)
    _until(lambda: len(_lines(city)) > known)
    assert {line["decision"] for line in _lines(city, known)} == {""}
    assert "127.0.0.1" not in (city.folder / "said").read_text()


def test_whoever_asks_too_often_waits_and_strangers_sooner() -> None:
    with _started(rate=4, burst=8, stranger_rate=1, stranger_burst=2) as city:
        sso = "sso.city.localhost"
        answers = [city.get("/authorize?a=b", host=sso, headers=PAGE) for _ in range(4)]
        assert [each.status for each in answers] == [200, 200, 429, 429]
        assert "访问过于频繁" in answers[-1].body.decode()
        # However it is spelt, for the role reads it alike.
        assert city.get("/%61uthorize", host=sso, headers=JSON).status == 429
        assert city.get("/token", host=sso, headers=PAGE).status == 200
        # Whoever is counted as an address is so for every host.
        statuses = [city.get("/", headers=JSON).status for _ in range(6)]
        assert set(statuses) == {200, 429}
        assert len(city.gateway.recorder.events) == statuses.count(200)


def test_the_direct_door_is_at_one_listener_and_is_told_which(city: City, card: tuple[Path, Path]) -> None:
    host = "ca-direct.city.localhost"
    reply = city.get("/direct/x", host=host, listener="management", certificate=card)
    assert (reply.status, reply.json()["at"]) == (200, "ca")
    assert reply.received("Tallygate-Listener") == ["management"]
    assert reply.received("Tallygate-Client-Certificate")[0].startswith("-----BEGIN%20CERTIFICATE-----")
    assert reply.received("Tallygate-Secret")
    for target in ("/api/v1/certificates", "/direct", "/direct/../api/v1/certificates", "/direct/%2e%2e/x"):
        assert city.get(target, host=host, listener="management").status in (400, 404), target
    for listener in ("external", "internal"):
        with pytest.raises((OSError, ValueError)):
            city.get("/direct/x", host=host, listener=listener)


def test_what_comes_in_pieces_of_no_announced_length_is_refused(city: City) -> None:
    for host in ("tax", "sso"):
        head = f"POST /x HTTP/1.1\r\nHost: {host}.city.localhost\r\nTransfer-Encoding: chunked\r\n"
        reply = city.raw(head.encode() + b"Connection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n", host=f"{host}.city.localhost")
        assert reply.status == 411
    assert not city.gateway.recorder.events


@pytest.mark.parametrize(
    ("edge", "says"), [("caddy", "beside nginx"), ("apache", "one of nginx, haproxy"), ("", "one of nginx, haproxy")]
)
def test_another_program_is_refused_at_load_with_the_reason(edge: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        decode(GatewaySettings, {"edge": edge}, where="gateway", folder=Path())


def test_its_files_are_its_owners_alone_and_a_missing_secret_stops_the_start(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    with pytest.raises(ConfigurationError):
        prepare_haproxy(site, GatewaySettings(edge="haproxy"))
    for callee in ("gateway", "sso", "ca"):
        path = site.secret_path(holder="nginx", caller="nginx", callee=callee)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SECRET)
        path.chmod(0o600)
    for _ in range(2):
        prepare_haproxy(site, GatewaySettings(edge="haproxy"))
    holding = [path for path in site.folder("nginx").rglob("*") if path.is_file() and b"bm5u" in path.read_bytes()]
    assert [path.name for path in holding] == ["tallygate.lua"]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600


def test_what_a_script_could_read_otherwise_is_refused(tmp_path: Path) -> None:
    site = make_site(tmp_path / "a b")
    for callee in ("gateway", "sso", "ca"):
        path = site.secret_path(holder="nginx", caller="nginx", callee=callee)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SECRET)
        path.chmod(0o600)
    with pytest.raises(ConfigurationError, match=re.escape("cannot stand")):
        prepare_haproxy(site, GatewaySettings(edge="haproxy"))
