# SPDX-License-Identifier: Apache-2.0
"""What a visitor can and cannot do through the real nginx."""

import hashlib
import html
import os
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from app.wiring.complying_trials import Entrance, Trials
from audit import Outcome
from audit.web import Finding
from core.identity import IdentityRefused
from policies import Decision, DecisionRequest, Remedy
from tests.gateway.conftest import DEVICE, SUBJECT, City, Reply, certificate
from tests.gateway.test_service_decision import hear

PAGE = (("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate"))
JSON = (("Accept", "application/json"),)


@pytest.fixture
def card(tmp_path: Path) -> tuple[Path, Path]:
    pem, key = certificate("card")
    (tmp_path / "card.pem").write_bytes(pem)
    (tmp_path / "card.key").write_bytes(key)
    return tmp_path / "card.pem", tmp_path / "card.key"


def _cookie(city: City) -> tuple[str, str]:
    return ("Cookie", city.gateway.open_session())


def test_a_person_with_a_session_reaches_the_host_with_a_signed_identity(city: City) -> None:
    reply = city.get("/declaration?year=2025", headers=(_cookie(city),))
    assert reply.status == 200
    assert reply.json()["at"] == "portal-tax"
    assert reply.json()["target"] == "/declaration?year=2025"
    (header,) = reply.received("Tallygate-Identity")
    identity = city.gateway.verifier_of("tax.city.localhost").verify(
        header, method="GET", path="/declaration?year=2025", at=city.gateway.clock.now()
    )
    assert (identity.subject, identity.zone, identity.assurance) == (SUBJECT, "external", 2)
    assert reply.received("Tallygate-Decision") == [identity.decision]
    assert city.gateway.recorder.events[-1].decision == identity.decision


def test_the_identity_is_worth_nothing_for_another_request(city: City) -> None:
    (header,) = city.get("/a", headers=(_cookie(city),)).received("Tallygate-Identity")
    at = city.gateway.clock.now()
    for host, method, path in (("tax", "GET", "/b"), ("tax", "POST", "/a"), ("social", "GET", "/a")):
        with pytest.raises(IdentityRefused):
            city.gateway.verifier_of(f"{host}.city.localhost").verify(header, method=method, path=path, at=at)


@pytest.mark.parametrize(
    "name",
    [
        "Tallygate-Identity",
        "tallygate-identity",
        "TALLYGATE-IDENTITY",
        "Tallygate_Identity",
        "tallygate_identity",
        "Tallygate-Decision",
        "Tallygate-Caller",
        "Tallygate-Secret",
        "Tallygate-Client-Certificate",
        "Tallygate-Anything",
        "X-Original-URI",
        "X_Original_URI",
        "X-Original-Method",
        "X-Original-Host",
        "X-Client-Address",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Prefix",
        "X-Real-IP",
        "X-Remote-User",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-Accel-Redirect",
    ],
)
def test_headers_only_the_boundary_may_set_never_come_from_a_client(city: City, name: str) -> None:
    forged = ((name, "forged"), (name, "forged-twice"))
    for headers in (forged, (*forged, _cookie(city))):
        reply = city.get("/", headers=headers)
        assert reply.status == 200
        assert b"forged" not in reply.body


def test_whoever_says_where_his_request_came_from_is_refused_and_recorded(city: City) -> None:
    """RFC 7239: no proxy of ours says it so, and a client that does wants to be taken for another."""
    reply = city.get("/x", headers=(("Forwarded", "for=10.0.0.1;host=evil"), _cookie(city), *JSON))
    assert (reply.status, reply.json()["code"]) == (400, "forwarded")
    assert city.gateway.recorder.events[-1].attributes["reason"] == "forwarded"
    assert not city.gateway.engine.asked


def test_the_host_learns_the_real_address_scheme_and_name(city: City) -> None:
    reply = city.get("/", headers=(("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Host", "evil.example")))
    assert reply.received("X-Forwarded-For") == ["127.0.0.1"]
    assert reply.received("X-Forwarded-Proto") == ["https"]
    assert reply.received("X-Forwarded-Host") == [f"tax.city.localhost:{city.site.ports.external}"]
    assert reply.received("X-Original-URI") == ["/"]


def test_nothing_the_host_answers_steers_nginx_or_leaks_the_identity(city: City) -> None:
    reply = city.get("/")
    assert reply.json()["target"] == "/"
    assert reply.get("Tallygate-Identity") == ""


@pytest.mark.parametrize("listener", ["external", "internal", "management"])
def test_the_zone_is_the_listener_whatever_the_client_says(city: City, listener: str) -> None:
    headers = (
        ("X-Zone", "internal"),
        ("Tallygate-Listener", "internal"),
        ("Tallygate-Zone", "internal"),
        ("X-Original-Host", "documents.city.localhost"),
    )
    city.get("/?zone=internal", listener=listener, headers=headers)
    assert [asked.from_zone for asked in city.gateway.engine.asked] == [listener]
    assert city.gateway.recorder.events[-1].zone == listener


def test_a_session_of_one_listener_or_host_is_nothing_at_another(city: City) -> None:
    cookie = _cookie(city)
    assert city.get("/x", listener="internal", headers=(cookie, *JSON)).status == 401
    assert city.get("/x", host="documents.city.localhost", headers=(cookie, *JSON)).status == 401
    assert city.get("/x", headers=(cookie, *JSON)).status == 200


AMBIGUOUS = [
    "//",
    "//evil.example/",
    "/a//b",
    "/./a",
    "/a/.",
    "/a/./b",
    "/../a",
    "/a/../b",
    "/a/..",
    "/static/../a",
    "/.tallygate/login/../../a",
    "/a%2fb",
    "/a%2Fb",
    "/%2e%2e/a",
    "/%2e/a",
    "/a/%2E%2E/b",
    "/a%5cb",
    "/a%00b",
    "/a%0d%0ab",
    "/a%7fb",
    "/a;b",
    "/a;jsessionid=1",
    "/a%3bb",
    "/a%3fb",
    "/a%23b",
    "/%2561",
    "/a%252fb",
    "/%61pi/x",
    "/a\\b",
    "/a%",
    "/a%zz",
    "/a%f0%28%8c",
    "/a%c0%afb",
    "/a?b=%",
    "/a#b",
    "/\xe4",
    "/" + "a" * 5000,
]


@pytest.mark.parametrize("target", AMBIGUOUS)
def test_a_target_with_two_readings_reaches_nobody(city: City, target: str) -> None:
    reply = city.get(target, headers=(_cookie(city), *JSON))
    assert reply.status in (400, 404, 414), target
    assert b"portal-tax" not in reply.body
    assert not city.gateway.engine.asked


@pytest.mark.parametrize(
    "target", ["/a%20b", "/%E7%A8%8E%E5%8A%A1", "/a?b=%2F..%2F&c=//", "/a@b:c,d!$&'()*+=", "/~x/-_."]
)
def test_a_target_with_one_reading_arrives_as_it_was_sent(city: City, target: str) -> None:
    reply = city.get(target, headers=(_cookie(city),))
    assert reply.json()["target"] == target
    (header,) = reply.received("Tallygate-Identity")
    city.gateway.verifier_of("tax.city.localhost").verify(
        header, method="GET", path=target, at=city.gateway.clock.now()
    )


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "get", "FOO"])
def test_methods_nobody_needs_are_refused(city: City, method: str) -> None:
    reply = city.get("/", method=method, headers=(_cookie(city), *JSON))
    assert reply.status in (400, 405)
    assert not city.gateway.engine.asked


def test_the_policies_see_the_real_method(city: City) -> None:
    headers = (_cookie(city), ("X-HTTP-Method-Override", "GET"), ("X-Original-Method", "GET"))
    reply = city.get("/x", method="DELETE", headers=headers)
    assert reply.json()["method"] == "DELETE"
    assert city.gateway.engine.asked[-1].method == "DELETE"


def test_a_body_arrives_untouched_and_only_after_the_decision(city: City) -> None:
    body = bytes(range(256)) * 4000
    reply = city.get("/x", method="POST", body=body, headers=(_cookie(city),))
    assert hashlib.sha256(reply.json()["body"].encode("latin-1")).digest() == hashlib.sha256(body).digest()


def test_conflicting_lengths_are_refused(city: City) -> None:
    host = f"tax.city.localhost:{city.site.ports.external}"
    for fields in (
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
    ):
        content = f"POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n\r\n0\r\n\r\n".encode()
        assert city.raw(content).status in (400, 411, 501), fields
    assert not city.gateway.engine.asked


def test_an_absolute_target_cannot_choose_another_host(city: City) -> None:
    host = f"tax.city.localhost:{city.site.ports.external}"
    for absolute in ("documents.city.localhost", "evil.example"):
        content = f"GET https://{absolute}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        assert city.raw(content).status in (400, 421)
    assert not city.gateway.engine.asked


@pytest.mark.parametrize(
    "host", ["documents.city.localhost", "card.city.localhost", "evil.example", "tax.city.localhost.", "localhost"]
)
def test_a_host_other_than_the_one_in_tls_is_misdirected(city: City, host: str) -> None:
    content = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    reply = city.raw(content)
    assert reply.status == (200 if host == "tax.city.localhost." else 421)
    assert [asked.resource for asked in city.gateway.engine.asked] == (["tax"] if reply.status == 200 else [])


def test_two_hosts_or_none_are_refused(city: City) -> None:
    for hosts in ("Host: tax.city.localhost\r\nHost: evil.example\r\n", ""):
        assert city.raw(f"GET / HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode()).status == 400


def test_an_unknown_name_gets_no_handshake(city: City) -> None:
    import ssl  # noqa: PLC0415 - only here

    with pytest.raises((ssl.SSLError, ConnectionError)):
        city.get("/", host="evil.example")


def test_plain_http_at_a_tls_port_is_refused(city: City) -> None:
    assert city.raw(b"GET / HTTP/1.0\r\n\r\n", tls=False).status == 400


def test_the_plain_listener_serves_revocation_and_nothing_else(city: City) -> None:
    def ask(target: str, host: str) -> int:
        content = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        return city.raw(content, listener="plain", tls=False).status

    assert ask("/crl/people.crl", "pki.city.localhost") == 200
    # An OCSP request in the address is base64, where slashes stand escaped or bare, also doubled (RFC 6960 A.1).
    assert ask("/ocsp/people/MFEw%2F//TzBN", "pki.city.localhost") == 200
    assert ask("/tsa/one", "pki.city.localhost") == 200
    assert ask("/", "pki.city.localhost") == 404
    assert ask("/api/v1/certificates", "pki.city.localhost") == 404
    assert ask("/crl/people.crl", "tax.city.localhost") == 421


def test_an_answer_made_beforehand_is_served_without_its_role(city: City) -> None:
    """A file where the address leads, with the headers of RFC 9919; what is not there is the role's to answer."""
    home = city.site.socket("ca").parent / "ocsp" / "people"
    made = int(time.time()) - 3600
    for name in ("MFEw/TzBN", "MFEw+TzBNA=="):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(b"an answer")
        os.utime(home / name, (made, made))

    def ask(target: str, method: str = "GET", more: str = "") -> Reply:
        head = f"{method} {target} HTTP/1.1\r\nHost: pki.city.localhost\r\nConnection: close\r\n{more}\r\n"
        return city.raw(head.encode(), listener="plain", tls=False)

    for target in ("/ocsp/people/MFEw%2FTzBN", "/ocsp/people/MFEw/TzBN", "/ocsp/people/MFEw%2bTzBNA%3D%3D"):
        found = ask(target)
        assert (found.status, found.body) == (200, b"an answer")
        assert found.get("Content-Type") == "application/ocsp-response"
        assert parsedate_to_datetime(found.get("Last-Modified")).timestamp() == made
        assert parsedate_to_datetime(found.get("Expires")).timestamp() == made + 8 * 3600 - 60
        caching = found.get("Cache-Control")
        assert "public, no-transform, must-revalidate" in caching
        assert 0 <= 7 * 3600 - 60 - int(caching.split("max-age=")[1].split(",")[0]) < 10
        mark = found.get("ETag")
        assert ask(target, more=f"If-None-Match: {mark}\r\n").status == 304
    # The role's: another request, a POST, and whatever would lead out of the folder.
    for target, method in (
        ("/ocsp/people/AAAA", "GET"),
        ("/ocsp/people", "POST"),
        ("/ocsp/people/%2e%2e/%2e%2e/ca.sock", "GET"),
    ):
        assert ask(target, method, "Content-Length: 0\r\n").body != b"an answer"
    # A link of the role's to what only nginx may read is not followed.
    (home / "link").symlink_to(city.site.folder("nginx") / "tls.key")
    assert b"PRIVATE KEY" not in ask("/ocsp/people/link").body


def test_oversized_headers_and_bodies_are_refused_with_a_page(city: City) -> None:
    big = city.get("/", headers=(("Cookie", "a=" + "x" * 9000), *PAGE))
    assert big.status in (400, 431)
    # Little more than is taken: all of it is sent before the refusal.
    many = city.get("/", headers=tuple((f"X-{i}", "x" * 4000) for i in range(9)))
    assert many.status in (400, 431)
    content = f"POST /x HTTP/1.1\r\nHost: tax.city.localhost\r\nContent-Length: {64 << 20}\r\nConnection: close\r\n\r\n"
    assert city.raw(content.encode()).status == 413


def test_a_page_for_people_leads_to_the_login_and_a_program_gets_a_problem(city: City) -> None:
    page = city.get("/declaration?year=2025", headers=PAGE)
    assert page.status == 302
    assert page.get("Location") == "/.tallygate/login?to=" + quote("/declaration?year=2025", safe="")
    program = city.get("/declaration", headers=JSON)
    assert program.status == 401
    assert program.get("Content-Type") == "application/problem+json"
    assert program.json()["code"] == "login"
    assert program.get("WWW-Authenticate").startswith("Bearer")
    form = city.get("/declaration", method="POST", body=b"a=1", headers=PAGE)
    assert form.status == 401
    assert b"/.tallygate/login" in form.body


def test_a_denied_person_is_told_why_in_both_languages(city: City) -> None:
    city.gateway.engine.answer = Decision(allowed=False, code="zone", reasons=("z",), step_up=None, version="7")
    english = city.get("/x?lang=en", headers=(_cookie(city), *PAGE))
    chinese = city.get("/x", headers=(("Cookie", "__Host-lang=zh"), *PAGE))
    assert english.status == chinese.status == 403
    assert "Not from this network" in english.body.decode()
    assert "/x?lang=zh" in english.body.decode()
    assert "当前网络不可访问" in chinese.body.decode()
    assert english.get("Content-Security-Policy").startswith("default-src 'none'")


def test_what_a_denied_person_could_do_is_offered_with_links_and_to_programs_as_data(city: City) -> None:
    could = tuple(
        Remedy(kind=kind, value=value)
        for kind, value in (
            ("network", "internal"), ("network", "management"), ("device", ""), ("mandate", "company-1"),
            ("mandate", "company-2"), ("own_business", ""), ("purpose", ""), ("step_up", "2"), ("login", ""),
            ("network", "a b"), ("network", 'x"><script>'),
        )
    )  # fmt: skip
    city.gateway.engine.answer = Decision(
        allowed=False, code="device", reasons=("z",), step_up=None, version="7", could=could
    )
    cookie, login = _cookie(city), "/.tallygate/login?to=%2Fx"
    page = city.get("/x?lang=en", headers=(cookie, *PAGE)).body.decode()
    links = dict(re.findall(r'<li><a href="([^"]+)">([^<]+)</a></li>', page))
    enrol = f"{city.gateway.site.origin('certificates')}/my/ask"
    assert {html.unescape(link).replace("%3Flang%3Den", ""): words for link, words in links.items()} == {
        enrol: "Enrol a device, or use one that is enrolled and in order",
        f"{login}&acting=choose": "Choose the organisation you act for",
        login: "Act for yourself",
        f"{login}&acr=2": "Log in with your card",
    }
    assert "<li>Use a workplace in the internal network</li>" in page
    assert "script" not in page
    # The number of the decision, whole, to quote at the office.
    number = city.gateway.recorder.events[-1].decision
    assert re.fullmatch("[0-9a-f]{32}", number)
    assert number in page
    chinese = city.get("/x?lang=zh", headers=(cookie, *PAGE)).body.decode()
    assert "登记一台设备" in chinese
    program = city.get("/x", headers=(cookie, *JSON))
    assert program.get("Content-Type") == "application/problem+json"
    told = program.json()["could"]
    assert [(each["kind"], each.get("value", "")) for each in told] == [
        ("network", "internal"),
        ("network", "management"),
        ("device", ""),
        ("mandate", "company-1"),
        ("own_business", ""),
        ("purpose", ""),
        ("step_up", "2"),
    ]
    assert told[2]["address"] == enrol
    # Nobody says for themselves what they could do.
    forged = city.get("/x", headers=(cookie, ("Tallygate-Could", "login=evil"), *JSON))
    assert "evil" not in forged.body.decode()


def test_a_step_up_offers_the_card_at_the_level_that_would_do(city: City) -> None:
    city.gateway.engine.answer = Decision(allowed=False, code="assurance", reasons=("a",), step_up=3, version="7")
    cookie = _cookie(city)
    reply = city.get("/x", headers=(cookie, *PAGE))
    assert reply.status == 403
    assert "/.tallygate/login?to=%2Fx&amp;acr=3" in reply.body.decode()
    # A program with a token learns what token would do (RFC 9470); one with a cookie is its page's, as before.
    token = (("Authorization", f"Bearer {city.gateway.token()}"), *JSON)
    program = city.get("/api/v1/x", headers=token)
    assert (program.status, program.json()["status"]) == (401, 401)
    said = program.get("WWW-Authenticate")
    assert 'Bearer realm="tallygate", error="insufficient_user_authentication", acr_values="3"' in said
    assert "DPoP" in said
    assert city.get("/x", headers=(cookie, *JSON)).status == 403


@pytest.mark.parametrize("broken", ["record", "policies", "feed"])
def test_what_cannot_be_decided_or_recorded_is_denied_with_a_clear_page(city: City, broken: str) -> None:
    cookie = _cookie(city)
    if broken == "record":
        city.gateway.recorder.down = True
    elif broken == "policies":
        city.gateway.engine.answer = RuntimeError("boom")
    else:
        city.gateway.freshness.stale = True
    reply = city.get("/x", headers=(cookie, *PAGE))
    assert reply.status == 503
    assert reply.get("Retry-After") == "5"
    assert b"Temporarily unavailable" in reply.body
    assert b"portal-tax" not in reply.body


def test_a_dead_host_is_a_clear_temporary_error(city: City) -> None:
    cookie = ("Cookie", city.gateway.open_session(host="social.city.localhost"))
    page = city.get("/", host="social.city.localhost", headers=(cookie, *PAGE))
    assert page.status == 503
    assert "服务暂时不可用" in page.body.decode()
    assert page.get("Strict-Transport-Security")
    assert page.get("X-Content-Type-Options") == "nosniff"
    program = city.get("/", host="social.city.localhost", headers=(cookie, *JSON))
    assert program.json()["code"] == "unavailable"


def test_probes_and_the_decision_itself_cannot_be_reached(city: City) -> None:
    cookie = _cookie(city)
    for target in ("/livez", "/readyz", "/%6civez", "/.tallygate/decide", "/.tallygate/denied", "/.tallygate/x"):
        assert city.get(target, headers=(cookie, *JSON)).status in (400, 404), target
    for target in ("/decide/external", "/decide/internal"):
        reply = city.get(target, headers=(cookie,))
        assert reply.json()["at"] == "portal-tax"
    for target in ("/.tallygate/pages/503.html", "/tls.key", "/nginx.conf", "/secrets/gateway.conf"):
        assert b"PRIVATE" not in city.get(target, headers=PAGE).body
        assert b"Secret" not in city.get("/static/.." + target, headers=PAGE).body


def test_probes_cannot_be_reached_at_open_hosts_however_they_are_spelt(city: City) -> None:
    for host in ("sso.city.localhost", "verify.city.localhost", "card.city.localhost"):
        for target in ("/livez", "/readyz", "/%6civez", "//livez", "///readyz", "/x/..//readyz", "//%72eadyz"):
            assert city.get(target, host=host, headers=JSON).status in (400, 404), (host, target)


def test_static_files_come_without_a_decision(city: City) -> None:
    reply = city.get("/static/tallygate.css")
    assert (reply.status, reply.get("Content-Type")) == (200, "text/css; charset=utf-8")
    assert not city.gateway.recorder.events


def test_a_device_is_known_by_its_certificate_at_device_hosts_only(city: City, card: tuple[Path, Path]) -> None:
    host = "devices.city.localhost"
    reply = city.get("/api/device/reading", host=host, method="POST", body=b"1", certificate=card)
    (header,) = reply.received("Tallygate-Identity")
    identity = city.gateway.verifier_of(host).verify(
        header, method="POST", path="/api/device/reading", at=city.gateway.clock.now()
    )
    assert (identity.subject, identity.kind) == (DEVICE, "device")
    assert reply.received("Tallygate-Client-Certificate") == []
    # Where TLS asks for none, the same certificate says nothing.
    assert city.get("/x", certificate=card, headers=JSON).status == 401


def test_a_forged_certificate_header_is_worth_nothing(city: City, card: tuple[Path, Path]) -> None:
    forged = (("Tallygate-Client-Certificate", quote(card[0].read_text())),)
    for name in ("devices", "tax"):
        reply = city.get("/api/device/x", host=f"{name}.city.localhost", headers=(*forged, *JSON))
        assert reply.status == 401
    at_card = city.get("/login", host="card.city.localhost", headers=forged)
    assert at_card.received("Tallygate-Client-Certificate") == []
    assert city.get("/", host="sso.city.localhost", headers=forged).received("Tallygate-Client-Certificate") == []


def test_the_card_host_passes_the_certificate_with_the_pair_secret(city: City, card: tuple[Path, Path]) -> None:
    reply = city.get("/login", host="card.city.localhost", certificate=card)
    assert reply.received("Tallygate-Client-Certificate") == [quote(card[0].read_text(), safe="/")] or reply.received(
        "Tallygate-Client-Certificate"
    )[0].startswith("-----BEGIN%20CERTIFICATE-----")
    assert reply.received("Tallygate-Caller") == ["nginx"]
    assert city.get("/", host="sso.city.localhost").received("Tallygate-Secret") == []


def test_open_hosts_forward_only_their_paths(city: City) -> None:
    assert city.get("/checkpoint", host="log.city.localhost").status == 200
    assert city.get("/tile/0/000", host="log.city.localhost").status == 200
    assert city.get("/search", host="log.city.localhost").status == 404
    assert not city.gateway.recorder.events


def test_an_open_host_is_not_reached_from_a_network_whose_way_to_it_is_closed(city: City) -> None:
    """By no path, no method and no word of the visitor's about where they come from; others go on."""
    gateway = city.gateway
    acme, card, est = "acme.city.localhost", "card.city.localhost", "est.city.localhost"
    forged = (
        ("Tallygate-Listener", "internal"),
        ("X-Client-Address", "10.0.0.1"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Original-Host", card),
    )
    index = gateway.store.next_entry() + 1
    assert city.get("/acme/directory", host=acme).status == 200
    assert not gateway.recorder.events
    hear(gateway, "gateway.switch.shut", index=index, outcome=Outcome.INTENDED, object="zones=external:external")
    try:
        for target in ("/acme/directory", "/acme/new-account", "/notices/x", "/static/../acme/directory"):
            for method in ("GET", "POST", "HEAD"):
                reply = city.get(target, host=acme, method=method, headers=(*forged, *JSON))
                # HAProxy reads no target that could be read in two ways.
                assert reply.status in ((400, 503) if ".." in target else (503,)), (target, method, reply)
                assert b'"at"' not in reply.body
        assert city.get("/.well-known/est/cacerts", host=est, headers=forged).status == 503
        page = city.get("/acme/directory", host=acme, headers=PAGE)
        assert page.status == 503
        assert "Shut in an emergency" in page.body.decode()
        told = gateway.recorder.events[-1]
        assert (told.object, told.zone, told.attributes["reason"]) == ("acme", "external", "shut")
        # From elsewhere it is reached, and the sign-on from everywhere: there the switch is taken back.
        assert city.get("/acme/directory", host=acme, listener="internal").json()["at"] == "ca"
        assert city.get("/authorize", host="sso.city.localhost").json()["at"] == "sso"
    finally:
        hear(gateway, "gateway.switch.reopened", index=index + 1, object="zones=external:external")
    assert city.get("/acme/directory", host=acme).json()["at"] == "ca"


def test_where_strangers_cost_work_they_are_told_to_wait_sooner(folder: Path) -> None:
    city = City(folder, stranger_rate=1, stranger_burst=1)
    sso = "sso.city.localhost"
    try:
        city.start()
        assert {city.get("/authorize?a=b", host=sso, headers=PAGE).status for _ in range(5)} == {200, 429}
        assert {city.get("/token", host=sso, headers=PAGE).status for _ in range(5)} == {200}
    finally:
        city.stop()


def test_who_asks_too_often_is_told_to_wait(folder: Path) -> None:
    city = City(folder, rate=1, burst=1)
    try:
        city.start()
        replies = [city.get("/", headers=PAGE) for _ in range(5)]
        assert {reply.status for reply in replies} == {200, 429}
        refused = next(reply for reply in replies if reply.status == 429)
        assert "访问过于频繁" in refused.body.decode()
        assert len(city.gateway.recorder.events) == sum(reply.status == 200 for reply in replies)
    finally:
        city.stop()


def test_a_host_tells_which_tokens_it_takes_without_a_decision(city: City) -> None:
    seen = len(city.gateway.recorder.events)
    for path in ("", "/api"):
        reply = city.get(f"/.well-known/oauth-protected-resource{path}")
        assert reply.status == 200
        assert reply.json()["resource"] == city.gateway.site.origin("tax") + path
    assert len(city.gateway.recorder.events) == seen
    # What only begins alike is decided on like everything else.
    for path in ("/other", "s"):
        city.get(f"/.well-known/oauth-protected-resource{path}")
    assert len(city.gateway.recorder.events) == seen + 2


def test_the_key_of_the_identity_header_stands_at_one_address_of_every_host(city: City) -> None:
    reply = city.get("/.tallygate/keys")
    assert reply.status == 200
    assert reply.json() == city.gateway.identities.keys()
    assert "d" not in reply.json()["keys"][0]


DEVICES = Entrance(label="devices", listener="external", path="/api/device/v1/me")


class Nothing:
    """Policies that refuse everything, for the compliance page's own knocking."""

    version, sequence, zones, needless = "7", 7, frozenset[str](), ()

    def decide(self, request: DecisionRequest) -> Decision:
        del request
        return Decision(allowed=False, code="device", reasons=(), step_up=None, version="7")


def _found(city: City, entrance: Entrance = DEVICES) -> Finding:
    trials = Trials(site=city.site, engine=Nothing, empty=Nothing(), now=datetime.now(UTC), entrance=entrance)
    return trials.stranger_device()


def test_a_strangers_certificate_and_name_are_refused_and_that_is_shown(city: City) -> None:
    city.gateway.verifier.foreign = True
    found = _found(city)
    assert found.met, found.shown
    assert found.shown[1] == "certificate of a stranger → devices.city.localhost: 401 credential"
    assert "handshake" not in found.shown[2]
    # The knocking is on the record like everybody's.
    assert city.gateway.recorder.events[-1].attributes["reason"] == "credential"


def test_where_any_certificate_will_do_it_is_a_no(city: City) -> None:
    found = _found(city)
    assert not found.met
    assert found.shown[1] == "certificate of a stranger → devices.city.localhost: 200 "
