# SPDX-License-Identifier: Apache-2.0
"""FAPI 2.0, walked through as its clients do, and what of it nobody under a profile can leave out."""

import secrets
from typing import Any

import jwt
import pytest
from werkzeug.test import TestResponse

from sso.errors import BadClient
from sso.models import Client
from sso.service import register_client
from tests.sso.conftest import VERIFIER, World, answered, request
from tests.sso.signing import Key, jwks
from tests.sso.test_client_authentication import TYPE
from tests.sso.test_dpop import proof, read

KEY, DPOP, STRANGER = Key("PS256"), Key(), Key()


def register(world: World, **changes: Any) -> Client:
    origin = world.site.origin("bank")
    given: dict[str, Any] = {
        "name": "bank",
        "title": "Bank",
        "title_zh": "银行",
        "redirect_uris": (f"{origin}/callback",),
        "scopes": frozenset({"openid", "profile"}),
        "grants": frozenset({"authorization_code", "refresh_token"}),
        "audience": origin,
        "method": "private_key_jwt",
        "jwks": jwks(KEY.jwk()),
        "requires": frozenset({"dpop"}),
        "profile": "fapi2",
        **changes,
    }
    return register_client(world.store, **given)


def assertion(world: World) -> dict[str, str]:
    at = int(world.clock.now().timestamp())
    claims = {"iss": "bank", "sub": "bank", "aud": world.issuer, "exp": at + 60, "jti": secrets.token_hex(8)}
    return {"client_assertion": KEY.sign(claims), "client_assertion_type": TYPE}


def post(world: World, path: str, *proofs: str, accept: str = "", **form: str) -> TestResponse:
    headers = [*(("DPoP", each) for each in proofs), *((("Accept", accept),) if accept else ())]
    data = {**form, **assertion(world)}
    return world.app.test_client().post(path, base_url=world.issuer, data=data, headers=headers)


def asked(world: World, **changes: str) -> dict[str, str]:
    return request(world, "bank", **changes)


def signed(world: World, **changes: str) -> str:
    at = int(world.clock.now().timestamp())
    claims = {**asked(world, **changes), "iss": "bank", "aud": world.issuer, "nbf": at, "exp": at + 60}
    return KEY.sign(claims, typ="oauth-authz-req+jwt")


def authorize(world: World, **pushed: str) -> dict[str, str]:
    answer = post(world, "/par", proof(world, "/par", key=DPOP), **pushed)
    assert answer.status_code == 201, answer.text
    browser = world.browser()
    start = browser.get("/authorize", client_id="bank", request_uri=answer.get_json()["request_uri"])
    return browser.finish(browser.fill_in(browser.follow(start)))


def redeem(world: World, code: str, *, key: Key = DPOP) -> TestResponse:
    form = {"code": code, "redirect_uri": world.callback("bank"), "code_verifier": VERIFIER}
    return post(world, "/token", proof(world, key=key), grant_type="authorization_code", **form)


def test_the_security_profile_from_end_to_end(world: World) -> None:
    register(world)
    said = authorize(world, **asked(world))
    assert said["iss"] == world.issuer
    assert redeem(world, said["code"], key=STRANGER).get_json()["error"] == "invalid_grant"
    tokens = redeem(world, said["code"]).get_json()
    assert tokens["token_type"] == "DPoP"
    token = tokens["access_token"]
    assert read(world, token, proof(world, "/userinfo", token=token, key=DPOP)).status_code == 200
    # Refresh tokens do not rotate, so that a lost answer costs nothing (5.3.2.1, item 9); every use is proved anew.
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    for _ in range(2):
        again = post(world, "/token", proof(world, key=DPOP), **refresh).get_json()
        assert "refresh_token" not in again
        assert again["token_type"] == "DPoP"
    assert post(world, "/token", **refresh).get_json()["error"] == "invalid_dpop_proof"
    stolen = world.app.test_client().post(
        "/token", base_url=world.issuer, data={**refresh, "client_id": "bank"}, headers=[("DPoP", proof(world))]
    )
    assert stolen.get_json()["error"] == "invalid_client"


def test_message_signing_from_end_to_end(world: World) -> None:
    register(world, profile="fapi2-message-signing")
    for pushed in ({**asked(world)}, {"request": signed(world)}):
        refused = post(world, "/par", proof(world, "/par", key=DPOP), **pushed)
        assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_request")
    said = authorize(world, request=signed(world, response_mode="jwt"))
    key = jwt.PyJWKSet.from_dict(world.keys.jwks()).keys[0]
    options: Any = {"verify_exp": False, "verify_iat": False}
    answer = jwt.decode(
        said["response"], key, algorithms=["ES256"], audience="bank", issuer=world.issuer, options=options
    )
    token = redeem(world, answer["code"]).get_json()["access_token"]
    assert post(world, "/introspect", token=token).get_json()["error"] == "invalid_request"
    told = post(world, "/introspect", token=token, accept="application/token-introspection+jwt")
    read_back = jwt.decode(told.text, key, algorithms=["ES256"], audience="bank", options=options)
    assert read_back["token_introspection"]["active"] is True


def test_nobody_under_a_profile_can_ask_otherwise(world: World) -> None:
    register(world)
    assert answered(world.browser().get("/authorize", **asked(world)))["error"] == "invalid_request"
    assert answered(world.browser().get("/authorize", **asked(world), request=signed(world)))["error"]
    code = authorize(world, **asked(world))["code"]
    form = {"code": code, "redirect_uri": world.callback("bank"), "code_verifier": VERIFIER}
    bare = post(world, "/token", grant_type="authorization_code", **form)
    assert bare.get_json()["error"] == "invalid_dpop_proof"
    for mode in ("plain", "-"):
        refused = post(world, "/par", **asked(world, code_challenge_method=mode))
        assert refused.get_json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    "changes",
    [
        {"method": None, "secret": "s" * 43, "jwks": ""},
        {"method": None, "jwks": ""},
        {"requires": frozenset()},
        {"requires": frozenset({"dpop", "mtls"})},
        {
            "profile": "fapi2-message-signing",
            "method": "tls_client_auth",
            "jwks": "",
            "certificate_subject": "device-7",
        },
    ],
)
def test_what_could_not_keep_to_a_profile_is_not_registered(world: World, changes: dict[str, Any]) -> None:
    with pytest.raises(BadClient):
        register(world, **changes)
    assert world.store.clients.find("bank") is None


def test_a_profile_can_be_kept_by_certificate(world: World) -> None:
    tls: dict[str, Any] = {"method": "tls_client_auth", "jwks": "", "certificate_subject": "device-7"}
    found = register(world, requires=frozenset({"mtls"}), **tls)
    assert found.requires == {"par", "mtls"}
