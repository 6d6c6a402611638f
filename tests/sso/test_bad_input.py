# SPDX-License-Identifier: Apache-2.0
"""Every endpoint gets malformed, doubled, oversized and wrongly encoded input: a clear refusal, never a 500."""

import random
from urllib.parse import quote_from_bytes

import pytest
from werkzeug.test import TestResponse

from tests.fakes.sso_directory import LI
from tests.sso.conftest import World, request

PATHS = [
    "/",
    "/authorize",
    "/login",
    "/login/card",
    "/consent",
    "/token",
    "/userinfo",
    "/introspect",
    "/revoke",
    "/logout",
    "/logged-out",
    "/account",
    "/account/sessions/end",
    "/account/sessions/end-all",
    "/account/consents/withdraw",
    "/account/factors",
    "/account/factors/again",
    "/account/factors/codes",
    "/account/factors/codes/confirm",
    "/account/factors/codes/remove",
    "/account/factors/recovery",
    "/jwks",
    "/par",
    "/.well-known/oauth-protected-resource",
    "/.well-known/openid-configuration",
    "/nothing-here",
]
NAMES = [
    *("client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "prompt", "max_age"),
    *(
        "code_challenge",
        "code_challenge_method",
        "acr_values",
        "request",
        "request_uri",
        "resource",
        "authorization_details",
        "interaction",
        "handover",
        "ticket",
    ),
    *("grant_type", "code", "code_verifier", "refresh_token", "token", "token_type_hint", "client_secret"),
    *("id_token_hint", "post_logout_redirect_uri", "username", "password", "choice", "sid", "client", "lang"),
    *("level", "setup"),
]
VALUES = [
    b"",
    b"\x00",
    b"\xff\xfe\xfd",
    b"\xed\xa0\x80",
    "李娜".encode(),
    b"%00%0d%0a",
    b"\r\nSet-Cookie: x=1",
    b"A" * 9000,
    b"[]",
    b"{}",
    b"../../etc/passwd",
    b"' OR 1=1 --",
    b"<script>",
    b"a.b.c",
    b"-1",
    b"99999999999999999999",
]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"])
def test_no_method_breaks_an_address(world: World, method: str) -> None:
    for path in PATHS:
        answer = world.app.test_client().open(path, base_url=world.issuer, method=method)
        assert answer.status_code < 500, path


@pytest.mark.parametrize("path", PATHS)
def test_no_parameter_breaks_an_address(world: World, path: str) -> None:
    chance = random.Random(path)  # noqa: S311 - repeatable, not secret
    browser = world.browser()
    browser.log_in("tax")
    good = request(world)
    for _ in range(20):
        pairs = [(name, good[name].encode()) for name in good if chance.random() < 0.7]
        pairs += [(chance.choice(NAMES), chance.choice(VALUES)) for _ in range(chance.randrange(1, 5))]
        raw = "&".join(f"{name}={quote_from_bytes(value)}" for name, value in pairs)
        token = browser.get("/account").text.split('name="csrf_token" value="')[1].split('"')[0]
        headers = {"Referer": world.issuer + "/", **chance.choice([{}, world.basic("tax"), {"Authorization": "x"}])}
        answers = [
            browser.client.get(f"{path}?{raw}", base_url=world.issuer, headers=headers),
            browser.client.post(
                path,
                base_url=world.issuer,
                data=f"{raw}&csrf_token={token}",
                content_type="application/x-www-form-urlencoded",
                headers=headers,
            ),
        ]
        for answer in answers:
            _sane(answer, raw)
        if browser.get("/account").status_code != 200:
            browser = world.browser()
            browser.log_in_again_or_in("tax")


@pytest.mark.parametrize("path", ["/token", "/par", "/introspect", "/revoke"])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"grant_type": "refresh_token"}'),
        ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
        ("multipart/form-data", b""),
        ("text/plain", b"grant_type=refresh_token"),
        ("application/x-www-form-urlencoded", b"a=1&" * 200_000),
        ("application/x-www-form-urlencoded", b"%" * 1000),
        ("application/x-www-form-urlencoded; charset=utf-7", b"grant_type=+AGE-"),
        ("", b"\xff" * 100),
    ],
)
def test_no_body_breaks_a_client_endpoint(world: World, path: str, content_type: str, body: bytes) -> None:
    answer = world.app.test_client().post(
        path, base_url=world.issuer, data=body, content_type=content_type, headers=world.basic("tax")
    )
    assert answer.status_code in (400, 413), answer.text
    assert answer.get_json()["error"]


@pytest.mark.parametrize("value", ["", "x", "x" * 5000, "\x80\xff", "a b", '"', "__Host-sso"])
def test_no_cookie_breaks_a_page(world: World, value: str) -> None:
    header = "; ".join(
        f"{name}={value}" for name in ("__Host-sso", "__Host-sso-browser", "__Host-sso-session", "__Host-lang")
    )
    client = world.app.test_client(use_cookies=False)
    for path in ("/account", "/login?interaction=x", "/logout", "/logged-out"):
        answer = client.get(path, base_url=world.issuer, headers={"Cookie": header})
        assert answer.status_code < 500


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer a b", "Bearer ü", "Basic dGF4", "bearer x.y.z", "Bearer " + "A" * 50_000],
)
def test_userinfo_names_its_scheme(world: World, header: str) -> None:
    client = world.app.test_client()
    answer = client.get("/userinfo", base_url=world.issuer, headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.get_json()["error"] == "invalid_token"


def test_a_token_in_the_address_or_body_is_not_read(world: World) -> None:
    token = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()["access_token"]
    client = world.app.test_client()
    assert client.get("/userinfo", base_url=world.issuer, query_string={"access_token": token}).status_code == 401
    assert client.post("/userinfo", base_url=world.issuer, data={"access_token": token}).status_code == 401
    assert world.bearer(token).get_json()["sub"] == LI


def _sane(answer: TestResponse, sent: str) -> None:
    assert answer.status_code < 500, (answer.status_code, sent, answer.text)
    location = answer.headers.get("Location", "")
    assert location == "" or location.startswith(("/", "https://tax.city.localhost:8443/")), (location, sent)
    assert "Traceback" not in answer.text
    assert "\r" not in location
