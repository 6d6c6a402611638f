# SPDX-License-Identifier: Apache-2.0
"""Clients that register themselves (RFC 7591, 7592); bug classes 14 to 17 and 25: what they may not talk us into."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from audit import Outcome
from core.errors import Unavailable
from sso.errors import BadClient
from sso.oauth.rfc6749 import check_address
from sso.service import invite
from tests.sso.conftest import World, make_world
from tests.sso.signing import Key, jwks

SECRETLY = {"token_endpoint_auth_method": "client_secret_basic"}
GOOD: dict[str, Any] = {"client_name": "App", "redirect_uris": ["https://app.example/callback"], **SECRETLY}
SCOPES = frozenset({"openid", "profile"})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For what changes nothing."""
    made = make_world(tmp_path_factory.mktemp("sso"))
    yield made
    made.database.close()


def invited(world: World, *, sector: str = "", scopes: frozenset[str] = SCOPES, uses: int = 1) -> str:
    at = int(world.clock.now().timestamp())
    return invite(world.store, world.service.records, sector=sector, scopes=scopes, uses=uses, expires_at=at + 600)


def register(world: World, token: str | None = None, **changes: Any) -> TestResponse:
    given = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    bearer = invited(world) if token is None else token
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    return world.app.test_client().post("/register", base_url=world.issuer, json=given, headers=headers)


def manage(world: World, method: str, known: dict[str, Any], **changes: Any) -> TestResponse:
    headers = {"Authorization": f"Bearer {known['registration_access_token']}"}
    body = {"json": {**GOOD, **changes}} if method == "PUT" else {}
    path = f"/register/{known['client_id']}"
    return world.app.test_client().open(path, method=method, base_url=world.issuer, headers=headers, **body)  # type: ignore[arg-type]


def test_a_program_registers_is_used_changes_and_removes_itself(world: World) -> None:
    told = register(world, scope="openid profile").get_json()
    assert told["token_endpoint_auth_method"] == "client_secret_basic"
    assert told["subject_type"] == "pairwise"
    code = world.browser().log_in(told["client_id"], redirect_uri="https://app.example/callback")["code"]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": "https://app.example/callback",
        "code_verifier": "v" * 64,
    }
    basic = world.basic(told["client_id"], told["client_secret"])
    tokens = world.app.test_client().post("/token", base_url=world.issuer, data=form, headers=basic).get_json()
    assert world.bearer(tokens["access_token"]).status_code == 200
    changed = manage(world, "PUT", told, client_name="Another", redirect_uris=["https://app.example/other"])
    assert changed.get_json()["client_name"] == "Another"
    assert "client_secret" not in changed.get_json()
    assert manage(world, "GET", told).get_json()["redirect_uris"] == ["https://app.example/other"]
    assert world.browser().authorize(told["client_id"], redirect_uri="https://app.example/callback").status_code == 400
    assert manage(world, "DELETE", told).status_code == 204
    assert manage(world, "GET", told).status_code == 401
    # Everything that was given to it is gone with it.
    assert world.bearer(tokens["access_token"]).status_code == 401
    kinds = [kind for kind in world.drain() if kind.startswith("sso.client.")]
    assert sorted(kinds) == sorted(
        ["sso.client.invited"] * 2
        + ["sso.client.intended"] * 2
        + ["sso.client.registered"] * 2
        + ["sso.client.removed"]
    )


def test_only_whoever_was_invited_registers_and_only_so_often(world: World) -> None:
    assert register(world, "").status_code == 401
    assert register(world, "x" * 43).status_code == 401
    token = invited(world, uses=2)
    assert [register(world, token).status_code for _ in range(3)] == [201, 201, 401]
    late = invited(world)
    world.clock.advance(timedelta(seconds=601))
    assert register(world, late).status_code == 401
    # Nothing that is wrong uses an invitation up.
    again = invited(world)
    assert register(world, again, redirect_uris=["http://app.example/"]).status_code == 400
    assert register(world, again).status_code == 201


def test_guessing_invitations_costs_time(world: World) -> None:
    statuses = [register(world, f"guess-{number}").status_code for number in range(33)]
    assert statuses[:30] == [401] * 30
    assert statuses[-1] == 429


def test_nothing_is_registered_unrecorded(world: World) -> None:
    token = invited(world)
    world.recorder.down = True
    assert register(world, token).status_code == 503
    world.recorder.down = False
    assert register(world, token).status_code == 201


def test_another_clients_management_token_opens_nothing(world: World) -> None:
    token = invited(world, uses=2)
    mine, theirs = register(world, token).get_json(), register(world, token).get_json()
    stolen = {**theirs, "registration_access_token": mine["registration_access_token"]}
    for method in ("GET", "PUT", "DELETE"):
        assert manage(world, method, stolen).status_code == 401
        # Who was registered by an operator has no management token at all.
        assert manage(world, method, {"client_id": "tax", "registration_access_token": ""}).status_code == 401
    assert manage(world, "GET", theirs).status_code == 200


TWISTED = [
    "http://app.example/callback",
    "HTTPS://app.example/callback",
    "JavaScript:alert(1)",
    "javascript://app.example/%0aalert(1)",
    "data:text/html,x",
    "app:/callback",
    "https://app.example/callback#fragment",
    "https://app.example/callback?x=1",
    "https://user@app.example/callback",
    "https://app.example@evil.example/callback",
    "https://app.example:pw@evil.example/",
    "https://a@b@app.example/",
    "https://app.example\\@evil.example/",
    "https://app.example/..;/evil",
    "https://app.example/../evil",
    "https://app.example/./evil",
    "https://app.example/%2e%2e/evil",
    "https://app.example/a%2fb",
    "https://app.example/a%00b",
    "https://app.example/a b",
    "https://app.example/\u202eevil",
    "https://\u0430pp.example/",
    "https://APP.example/",
    "https://app.example:0/",
    "https://app.example:99999999/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::1]/",
    "https://app.example/*",
    "https://*.app.example/",
    "//app.example/callback",
    "https:app.example/callback",
    "https:///callback",
    "https://",
    "",
    " https://app.example/callback",
    "https://app.example/callback ",
    "https://app.example/callback\n",
    "https://app.example\t/callback",
    "https://-app.example/",
    "http://localhost:8080/callback",
    "http://127.0.0.1/callback",
]


@pytest.mark.parametrize("uri", TWISTED)
def test_an_address_that_could_be_read_in_two_ways_is_not_registered(uri: str) -> None:
    with pytest.raises(BadClient):
        check_address(uri)


def test_every_address_of_a_registration_is_held_to_that(world: World) -> None:
    token = invited(world)
    for name in ("redirect_uris", "post_logout_redirect_uris", "request_uris"):
        answer = register(world, token, **{name: ["https://app.example/callback", "JavaScript:alert(1)"]})
        wanted = "invalid_redirect_uri" if name == "redirect_uris" else "invalid_client_metadata"
        assert answer.get_json()["error"] == wanted, name
    for name in ("jwks_uri", "sector_identifier_uri", "backchannel_logout_uri"):
        for uri in ("http://app.example/x", "https://u@app.example/", "file:///etc/passwd"):
            assert register(world, token, **{name: uri}).get_json()["error"] == "invalid_client_metadata", name


def test_what_only_the_site_decides_cannot_be_registered(world: World) -> None:
    """Bug class 17: mass assignment."""
    told = register(
        world,
        trusted=True,
        public=False,
        audience=world.site.origin("tax"),
        secret_hash="0" * 64,
        sector="tax",
        id="tax",
        client_id="tax",
        client_secret="s" * 43,
        requires=["par"],
        detail_types=["payment"],
        resources=[world.site.origin("tax")],
        certificate_subject="device",
        ceiling=["roles"],
    ).get_json()
    client = world.store.clients.find(told["client_id"])
    assert client is not None
    assert client.id != "tax"
    assert told["client_secret"] != "s" * 43
    assert (client.trusted, client.sector, client.resources, client.detail_types) == (
        False,
        "app.example",
        frozenset(),
        frozenset(),
    )
    assert client.audience == f"urn:tallygate:client:{client.id}"
    assert client.requires == frozenset()
    assert client.ceiling == SCOPES


@pytest.mark.parametrize(
    "change",
    [
        {"scope": "openid roles"},
        {"grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"]},
        {"grant_types": ["implicit"]},
        {"grant_types": ["refresh_token"]},
        {"grant_types": "authorization_code"},
        {"response_types": ["token"]},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "none", "grant_types": ["client_credentials"]},
        {"subject_type": "public"},
        {"id_token_signed_response_alg": "none"},
        {"id_token_signed_response_alg": "HS256"},
        {"userinfo_signed_response_alg": "none"},
        {"id_token_encrypted_response_alg": "RSA1_5", "id_token_encrypted_response_enc": "A128CBC-HS256"},
        {"id_token_encrypted_response_alg": "ECDH-ES", "id_token_encrypted_response_enc": "A256GCM"},
        {"jwks": {"keys": []}, "jwks_uri": "https://app.example/keys"},
        {"jwks": {"keys": [{"kty": "oct", "k": "AA", "kid": "1"}]}},
        {"jwks": "https://app.example/keys"},
        {"client_name": "a\nb"},
        {"client_name": "x" * 201},
        {"client_name": ["a"]},
        {"redirect_uris": []},
        {"redirect_uris": ["https://app.example/callback"] * 2},
        {"redirect_uris": {"https://app.example/callback": 1}},
        {"redirect_uris": ["https://app.example/1", "https://other.example/2"]},
        {"redirect_uris": [f"https://app.example/{number}" for number in range(21)]},
        {"dpop_bound_access_tokens": "yes"},
        {"tls_client_certificate_bound_access_tokens": True},
        {"require_signed_request_object": True},
    ],
)
def test_what_is_not_to_be_had_is_said(shared: World, change: dict[str, Any]) -> None:
    # Another day, so that no limit has its say.
    shared.clock.advance(timedelta(days=1))
    answer = register(shared, **change)
    assert answer.status_code == 400, answer.text
    assert answer.get_json()["error"] in ("invalid_client_metadata", "invalid_redirect_uri")
    outcomes = [each.event.outcome for each in shared.recorder.entries() if each.event.type.startswith("sso.client.r")]
    assert Outcome.SUCCESS not in outcomes


def test_a_change_can_neither_widen_nor_become_somebody_else(world: World) -> None:
    told = register(world).get_json()
    for change in (
        {"scope": "openid roles"},
        {"client_id": "tax"},
        {"client_secret": "s" * 43},
        {"token_endpoint_auth_method": "none"},
        {"redirect_uris": ["javascript:1"]},
    ):
        assert manage(world, "PUT", told, **change).status_code == 400, change
    # Its sector stays even when its addresses move: people are who they were.
    moved = manage(world, "PUT", told, redirect_uris=["https://elsewhere.example/callback"])
    assert moved.status_code == 200
    client = world.store.clients.find(told["client_id"])
    assert client is not None
    assert client.sector == "app.example"


def test_names_that_are_hostile_are_shown_as_text(world: World) -> None:
    """Bug class 16."""
    name = '<script>alert(1)</script>"onload='
    told = register(world, client_name=name).get_json()
    page = world.browser().follow(world.browser().authorize("tax"))
    browser = world.browser()
    page = browser.follow(browser.authorize(told["client_id"], redirect_uri="https://app.example/callback"))
    assert "<script>alert(1)" not in page.text
    assert "&lt;script&gt;" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in policy


def test_a_sector_is_fetched_by_the_guarded_way_and_must_name_every_address(tmp_path: Any) -> None:
    """Bug class 25: and nothing else is ever fetched at registration."""
    lists = {"https://agency.example/sector": json.dumps(["https://a.example/cb", "https://b.example/cb"])}
    asked: list[str] = []

    def fetch(address: str) -> str:
        asked.append(address)
        if address not in lists:
            raise Unavailable
        return lists[address]

    world = make_world(tmp_path, fetch=fetch)
    token = invited(world, uses=9)
    both = ["https://a.example/cb", "https://b.example/cb"]
    told = register(world, token, redirect_uris=both, sector_identifier_uri="https://agency.example/sector")
    client = world.store.clients.find(told.get_json()["client_id"])
    assert client is not None
    assert client.sector == "agency.example"
    assert asked == ["https://agency.example/sector"]
    stranger = ["https://a.example/cb", "https://evil.example/cb"]
    assert register(world, token, redirect_uris=stranger, sector_identifier_uri=asked[0]).status_code == 400
    assert register(world, token, sector_identifier_uri="https://nowhere.example/x").status_code == 400
    asked.clear()
    ignored = dict.fromkeys(("logo_uri", "policy_uri", "tos_uri", "client_uri"), "https://internal.example/x")
    assert register(world, token, **ignored, initiate_login_uri="https://internal.example/x").status_code == 201
    assert asked == []
    world.database.close()


def test_keys_at_an_address_are_fetched_when_they_are_needed_and_kept_for_a_while(tmp_path: Any) -> None:
    key, lying, asked = Key(), {"document": ""}, []

    def fetch(address: str) -> str:
        asked.append(address)
        if not lying["document"]:
            raise Unavailable
        return lying["document"]

    world = make_world(tmp_path, fetch=fetch)
    told = register(
        world,
        token_endpoint_auth_method="private_key_jwt",
        jwks_uri="https://app.example/keys",
        grant_types=["client_credentials"],
        redirect_uris=None,
        scope="profile",
    ).get_json()
    assert asked == []

    def token() -> int:
        at = int(world.clock.now().timestamp())
        about = {"iss": told["client_id"], "sub": told["client_id"], "aud": world.issuer}
        assertion = key.sign({**about, "exp": at + 60, "jti": str(len(asked)) + str(at)})
        form = {
            "grant_type": "client_credentials",
            "client_assertion": assertion,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        }
        return world.app.test_client().post("/token", base_url=world.issuer, data=form).status_code

    assert token() == 401
    lying["document"] = jwks(key.jwk())
    # Whoever has no keys is not asked for them at every request.
    assert (token(), len(asked)) == (401, 1)
    step = timedelta(seconds=61)
    world.clock.advance(step)
    assert (token(), len(asked)) == (200, 2)
    lying["document"] = ""
    for _ in range(6):
        world.clock.advance(step)
        assert token() == 200
    assert len(asked) == 4
    world.database.close()


def test_each_change_gives_a_new_management_token_and_the_old_one_dies_when_that_is_used(world: World) -> None:
    told = register(world, invited(world)).get_json()
    answer = manage(world, "PUT", told, client_name="Another", redirect_uris=["https://app.example/other"]).get_json()
    fresh = {**told, "registration_access_token": answer["registration_access_token"]}
    assert fresh["registration_access_token"] != told["registration_access_token"]
    # The answer may not have been heard: the old one still reads, and changes once more.
    assert manage(world, "GET", told).status_code == 200
    again = manage(world, "PUT", told, client_name="Again", redirect_uris=["https://app.example/other"]).get_json()
    # What was given meanwhile is worth nothing: only the last answer counts.
    assert manage(world, "GET", fresh).status_code == 401
    last = {**told, "registration_access_token": again["registration_access_token"]}
    assert manage(world, "GET", last).get_json()["client_name"] == "Again"
    assert manage(world, "GET", told).status_code == 401
    assert manage(world, "DELETE", told).status_code == 401
    assert manage(world, "DELETE", last).status_code == 204
