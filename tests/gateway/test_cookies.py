# SPDX-License-Identifier: Apache-2.0
"""What a host behind the real nginx learns of a visitor's credentials, and what it can do to them."""

import re
from http.cookies import SimpleCookie

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import COOKIES, SESSION_COOKIE
from tests.gateway.conftest import COOKIE, City, Reply

JSON = ("Accept", "application/json")
PENDING = "__Host-gateway=eyJsb2dpbnMiOnt9fQ.aaaa.bbbb"
OURS = f"{SESSION_COOKIE}={COOKIE}"


def _ask(city: City, *cookies: str) -> Reply:
    return city.get("/x", headers=(JSON, *(("Cookie", cookie) for cookie in cookies)))


@pytest.mark.parametrize(
    ("sent", "forwarded"),
    [
        ((OURS,), []),
        ((f"a=b; {OURS}",), ["a=b"]),
        ((f"{OURS}; a=b",), ["a=b"]),
        ((f"a=b; {OURS}; c=d",), ["a=b; c=d"]),
        ((f"a=b;{OURS};c=d",), ["a=b;c=d"]),
        ((f"a=b, {OURS}, c=d",), ["a=b, c=d"]),
        ((f"a=b;\t {OURS}\t ; c=d",), ["a=b; c=d"]),
        ((f"a=b; {SESSION_COOKIE} = {COOKIE} ; c=d",), ["a=b; c=d"]),
        ((f"a=b; __hOST-TALLYgate={COOKIE}",), ["a=b"]),
        ((f"; ;{OURS};;",), ["; ;;"]),
        ((OURS, "a=b", "c=d"), ["a=b; c=d"]),
        (("a=b", OURS, "c=d"), ["a=b; c=d"]),
        (("a=b", "c=d", OURS), ["a=b; c=d"]),
        ((f"{PENDING}; a=b; {OURS}; __host-GATEWAY=x; c=d",), ["a=b; c=d"]),
        ((f"{PENDING}; {PENDING}; {PENDING}; {OURS}; a=b",), ["a=b"]),
        # More than anybody's browser sends: rather none at all.
        ((f"{PENDING}; {PENDING}; {PENDING}; {PENDING}; {OURS}; a=b",), []),
        # What only resembles ours is not ours.
        (
            (f"x{SESSION_COOKIE}=1; {SESSION_COOKIE}2=2; a={SESSION_COOKIE}=3; {SESSION_COOKIE} x=4; {OURS}",),
            [f"x{SESSION_COOKIE}=1; {SESSION_COOKIE}2=2; a={SESSION_COOKIE}=3; {SESSION_COOKIE} x=4"],
        ),
        ((f'a="x; {OURS}; y="',), ['a="x; y="']),
        ((f"{OURS}; portal=" + "x" * 6000,), ["portal=" + "x" * 6000]),
    ],
)
def test_a_host_is_sent_every_cookie_but_the_gateways_own(
    city: City, sent: tuple[str, ...], forwarded: list[str]
) -> None:
    city.gateway.open_session()
    reply = _ask(city, *sent)
    assert reply.status == 200
    assert reply.received("Cookie") == forwarded
    assert COOKIE not in reply.body.decode()


def test_a_public_page_is_sent_no_cookie_of_ours_either(city: City) -> None:
    reply = city.get("/", headers=(("Cookie", f"a=b; {SESSION_COOKIE}={'z' * 43}; {PENDING}"),))
    assert reply.status == 200
    assert reply.received("Cookie") == ["a=b"]


@pytest.mark.parametrize("name", [SESSION_COOKIE, SESSION_COOKIE.upper(), f"\t{SESSION_COOKIE} "])
def test_a_session_given_twice_reaches_no_host(city: City, name: str) -> None:
    city.gateway.open_session()
    for sent in ((f"{OURS}; {name}=x",), (f"{OURS},{name}={COOKIE}",), (OURS, f"{name}={COOKIE}")):
        reply = _ask(city, *sent)
        assert (reply.status, reply.json()["code"]) == (400, "ambiguous-credential")


PIECES = st.lists(
    st.sampled_from(
        [
            *COOKIES, SESSION_COOKIE.swapcase(), OURS, PENDING, "=", ";", ",", "; ", " ", "\t", "a=b", "c", '"', "\\",
            "\xa0", "\xff", "\x0b", "x", "=;", "%3B", "__Host-",
        ]
    ),
    max_size=14,
)  # fmt: skip


@given(pieces=PIECES)
@settings(max_examples=400, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_cookie_header_nginx_reads_it_as_the_gateway_does(city: City, pieces: list[str]) -> None:
    header = "".join(pieces).strip(" \t")
    reply = city.get("/", headers=(JSON, ("Cookie", header)))
    parts = [part.strip(" \t") for part in re.split("[;,]", header)]
    names = [part.partition("=")[0].rstrip(" \t").lower() for part in parts]
    ours = [name.lower() for name in COOKIES]
    if names.count(SESSION_COOKIE.lower()) > 1:
        assert reply.status == 400
        return
    assert reply.status == 200
    others = [part for part, name in zip(parts, names, strict=True) if part and name not in ours]
    if sum(name in ours for name in names) > 4:
        others = []
    seen = [part.strip(" \t") for value in reply.received("Cookie") for part in re.split("[;,]", value)]
    assert [part for part in seen if part] == others


def test_a_token_that_was_used_here_goes_no_further(city: City) -> None:
    token = f"Bearer {city.gateway.token()}"
    reply = city.get("/api/v1/me", headers=(("Authorization", token), JSON))
    assert reply.status == 200
    assert reply.received("Authorization") == []
    assert city.gateway.token() not in reply.body.decode()
    assert reply.received("Tallygate-Identity")


def _set(city: City, *cookies: str) -> list[str]:
    city.host_says[:] = [("Set-Cookie", cookie) for cookie in cookies]
    reply = city.get("/")
    return [value for name, value in reply.headers if name.lower() == "set-cookie"]


@pytest.mark.parametrize("name", [*COOKIES, SESSION_COOKIE.upper(), SESSION_COOKIE.lower()])
@pytest.mark.parametrize("shape", ["{}=x", " {}=x", "\t{}=x", "{} =x", "{}\t=x", "  {}  =  x", " \t{}\t =x"])
def test_a_host_cannot_set_a_cookie_of_ours(city: City, name: str, shape: str) -> None:
    for rest in (
        "; Path=/; Secure; HttpOnly",
        "; SECURE ;path=/",
        "; secure=1; Path=/; Secure",
        ";Secure;Path=/;Max-Age=0",
    ):
        (seen,) = _set(city, shape.format(name) + rest)
        # RFC 6265bis section 5.7: a user agent ignores a cookie with this prefix that is not Secure.
        attributes = [part.strip(" \t").partition("=")[0].rstrip(" \t").lower() for part in seen.split(";")[1:]]
        assert "secure" not in attributes, seen


def test_a_host_sets_its_own_cookies_for_itself_only(city: City) -> None:
    own = "__Host-portal-tax=a.b-c; Secure; HttpOnly; Path=/; SameSite=Lax"
    assert _set(city, own, "plain=1; Path=/x") == [own, "plain=1; Path=/x"]
    for domain in ("city.localhost", ".city.localhost", "CITY.localhost", "sso.city.localhost"):
        (seen,) = _set(city, f"bomb=x; Domain={domain}; Path=/")
        assert SimpleCookie(seen)["bomb"]["domain"] == "tax.city.localhost"


def test_a_host_cannot_clear_what_its_neighbours_keep_in_the_browser(city: City) -> None:
    city.host_says[:] = [("Clear-Site-Data", '"*"')]
    assert city.get("/").get("Clear-Site-Data") == ""
