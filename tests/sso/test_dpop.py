# SPDX-License-Identifier: Apache-2.0
"""Bug class 23, DPoP: who takes a token, a code or a refresh token without its key has taken nothing."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any

import jwt
import pytest
from werkzeug.test import TestResponse

from core.jose import public_key, thumbprint
from tests.sso.conftest import World, request
from tests.sso.signing import Key, base64url, handmade
from tests.sso.test_requests import change
from tests.sso.test_tokens import _parallel

KEY, OTHER = Key(), Key()
JKT = thumbprint(public_key(KEY.public))


def proof(world: World, path: str = "/token", *, key: Key = KEY, token: str = "", **changes: Any) -> str:
    claims: dict[str, Any] = {
        "htm": "POST" if path != "/userinfo" else "GET",
        "htu": f"{world.issuer}{path}",
        "iat": int(world.clock.now().timestamp()),
        "jti": secrets.token_hex(8),
        "nonce": world.service.nonces.current(),
        **({"ath": base64url(hashlib.sha256(token.encode()).digest())} if token else {}),
        **changes,
    }
    said = {name: value for name, value in claims.items() if value is not None}
    return key.sign(said, typ="dpop+jwt", jwk=key.public, kid=None)


def ask(world: World, client: str = "tax", *proofs: str, path: str = "/token", **form: str) -> TestResponse:
    headers = [*(world.basic(client).items() if client == "tax" else ()), *(("DPoP", each) for each in proofs)]
    more = {} if client == "tax" else {"client_id": client}
    return world.app.test_client().post(path, base_url=world.issuer, data={**form, **more}, headers=headers)


def redemption(world: World, client: str = "tax", **changes: str) -> dict[str, str]:
    code = world.browser().log_in(client, **changes)["code"]
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": world.callback(client),
        "code_verifier": "v" * 64,
    }


def read(world: World, token: str, *proofs: str, scheme: str = "DPoP") -> TestResponse:
    headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", each) for each in proofs)]
    return world.app.test_client().get("/userinfo", base_url=world.issuer, headers=headers)


@pytest.mark.parametrize("kind", ["ES256", "PS256", "EdDSA"])
def test_a_bound_token_is_given_and_taken_with_its_proof(world: World, kind: str) -> None:
    key = Key(kind)
    answer = ask(world, "tax", proof(world, key=key), **redemption(world))
    assert answer.status_code == 200, answer.text
    tokens = answer.get_json()
    assert tokens["token_type"] == "DPoP"
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert claims["cnf"] == {"jkt": thumbprint(public_key(key.public))}
    token = tokens["access_token"]
    assert read(world, token, proof(world, "/userinfo", key=key, token=token)).status_code == 200
    told = ask(world, path="/introspect", token=token).get_json()
    assert (told["token_type"], told["cnf"]) == ("DPoP", claims["cnf"])


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    """Its own example, section 3.1."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
        "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
        "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
        "kEgU8awapJzKnqDKgw"
    )
    key = public_key({"kty": "RSA", "e": "AQAB", "n": modulus})
    assert thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_without_our_nonce_one_is_asked_to_repeat_with_it(world: World) -> None:
    form = redemption(world)
    for stale in (None, "", "x", world.service.nonces.current()[:-1], 7):
        answer = ask(world, "tax", proof(world, nonce=stale), **form)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "use_dpop_nonce")
    token = ask(world, "tax", proof(world, nonce=answer.headers["DPoP-Nonce"]), **form).get_json()["access_token"]
    refused = read(world, token, proof(world, "/userinfo", token=token, nonce=None))
    assert (refused.status_code, refused.get_json()["error"]) == (401, "use_dpop_nonce")
    assert any(each.startswith('DPoP error="use_dpop_nonce"') for each in refused.headers.getlist("WWW-Authenticate"))
    again = proof(world, "/userinfo", token=token, nonce=refused.headers["DPoP-Nonce"])
    assert read(world, token, again).status_code == 200


def test_a_nonce_counts_for_a_minute_at_most(world: World) -> None:
    nonce = world.service.nonces.current()
    world.clock.advance(timedelta(seconds=60))
    answer = ask(world, "tax", proof(world, nonce=nonce), **redemption(world))
    assert answer.get_json()["error"] == "use_dpop_nonce"


def test_a_proof_counts_once_of_fifty(world: World) -> None:
    change(world, "machine", requires=frozenset({"dpop"}))
    made = proof(world)
    headers = [*world.basic("machine").items(), ("DPoP", made)]
    form = {"grant_type": "client_credentials"}
    answers = _parallel(
        50, lambda: world.app.test_client().post("/token", base_url=world.issuer, data=form, headers=headers)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 49
    assert {answer.get_json().get("error") for answer in answers} == {None, "invalid_dpop_proof"}


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "GET"},
        {"htm": "post"},
        {"htm": None},
        {"htu": None},
        {"htu": "https://sso.city.localhost:8443/par"},
        {"htu": "https://sso.city.localhost/token"},
        {"htu": "https://SSO.city.localhost:8443/token"},
        {"htu": "http://sso.city.localhost:8443/token"},
        {"htu": "https://evil.example/token"},
        {"htu": "https://sso.city.localhost:8443/token/"},
        {"htu": ["https://sso.city.localhost:8443/token"]},
        {"iat": None},
        {"iat": 1},
        {"iat": 2**40},
        {"iat": True},
        {"iat": "now"},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 300},
    ],
)
def test_a_proof_for_another_request_or_time(world: World, changes: dict[str, Any]) -> None:
    form = redemption(world)
    answer = ask(world, "tax", proof(world, **changes), **form)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_dpop_proof")
    # Nothing was used up by it.
    assert ask(world, "tax", proof(world), **form).status_code == 200


def test_bug_class_8_and_10_wrong_algorithms_and_keys(world: World) -> None:
    form = redemption(world)
    claims = jwt.decode(proof(world), options={"verify_signature": False})
    symmetric = {"kty": "oct", "k": base64url(b"k" * 32)}
    private = {**KEY.public, "d": "AAAA"}
    bad = [
        *(handmade({"alg": a, "typ": "dpop+jwt", "jwk": KEY.public}, claims, b"") for a in ("none", "NONE", "nOnE")),
        handmade({"alg": "HS256", "typ": "dpop+jwt", "jwk": KEY.public}, claims, KEY.spki),
        handmade({"alg": "HS256", "typ": "dpop+jwt", "jwk": symmetric}, claims, b"k" * 32),
        KEY.sign(claims, typ="dpop+jwt", jwk=private, kid=None),
        KEY.sign(claims, typ="dpop+jwt", jwk=OTHER.public, kid=None),
        KEY.sign(claims, typ="dpop+jwt", jwk={**KEY.public, "use": "enc"}, kid=None),
        KEY.sign(claims, typ="dpop+jwt", kid=None),
        KEY.sign(claims, typ="dpop+jwt", jwk="x", kid=None),
        KEY.sign(claims, typ="JWT", jwk=KEY.public, kid=None),
        KEY.sign(claims, typ="dpop+jwt", jwk=KEY.public, kid=None, crit=["x"], x=1),
        KEY.sign(claims, typ="dpop+jwt", jwk=KEY.public, jku="https://evil.example", kid=None),
        proof(world)[:-2],
        "x",
        "a.b.c",
        "A" * 9000,
    ]
    for each in bad:
        answer = ask(world, "tax", each, **form)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_dpop_proof"), each
    assert ask(world, "tax", proof(world), proof(world), **form).get_json()["error"] == "invalid_dpop_proof"


def test_a_bound_token_is_nothing_without_its_key(world: World) -> None:
    token = ask(world, "tax", proof(world), **redemption(world)).get_json()["access_token"]
    wrong = [
        ((), "DPoP"),
        ((), "Bearer"),
        ((proof(world, "/userinfo", token=token),), "Bearer"),
        ((proof(world, "/userinfo", token=token, key=OTHER),), "DPoP"),
        ((proof(world, "/userinfo"),), "DPoP"),
        ((proof(world, "/userinfo", token=token + "x"),), "DPoP"),
        ((proof(world, "/userinfo", token=token, htm="POST"),), "DPoP"),
        ((proof(world, "/userinfo", token=token), proof(world, "/userinfo", token=token)), "DPoP"),
    ]
    for proofs, scheme in wrong:
        assert read(world, token, *proofs, scheme=scheme).status_code == 401, (proofs, scheme)
    good = proof(world, "/userinfo", token=token)
    assert read(world, token, good).status_code == 200
    assert read(world, token, good).status_code == 401
    # Nor is a token that is bound to nothing one that has been.
    plain = world.redeem("tax", redemption(world)["code"]).get_json()["access_token"]
    assert read(world, plain, proof(world, "/userinfo", token=plain)).status_code == 401


def test_a_code_that_is_bound_to_a_key_is_redeemed_with_it(world: World) -> None:
    form = redemption(world, dpop_jkt=JKT)
    assert ask(world, "tax", **form).get_json()["error"] == "invalid_grant"
    assert ask(world, "tax", proof(world, key=OTHER), **form).get_json()["error"] == "invalid_grant"
    assert ask(world, "tax", proof(world), **form).status_code == 200


def test_the_key_that_pushes_is_the_key_that_redeems(world: World) -> None:
    pushed = ask(world, "tax", proof(world, "/par"), path="/par", **request(world))
    assert pushed.status_code == 201, pushed.text
    browser = world.browser()
    start = browser.get("/authorize", client_id="tax", request_uri=pushed.get_json()["request_uri"])
    form = {**redemption(world), "code": browser.finish(browser.fill_in(browser.follow(start)))["code"]}
    assert ask(world, "tax", proof(world, key=OTHER), **form).get_json()["error"] == "invalid_grant"
    assert ask(world, "tax", proof(world), **form).status_code == 200
    other = ask(world, "tax", proof(world, "/par", key=OTHER), path="/par", **request(world), dpop_jkt=JKT)
    assert other.get_json()["error"] == "invalid_dpop_proof"


def test_a_public_clients_refresh_token_keeps_its_key(world: World) -> None:
    first = ask(world, "web-app", proof(world), **redemption(world, "web-app")).get_json()
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    for wrong in ((), (proof(world, key=OTHER),)):
        assert ask(world, "web-app", *wrong, **form).get_json()["error"] == "invalid_grant"
    # The swap did not use it up, and its successor keeps the key too.
    second = ask(world, "web-app", proof(world), **form).get_json()
    form["refresh_token"] = second["refresh_token"]
    assert ask(world, "web-app", proof(world, key=OTHER), **form).get_json()["error"] == "invalid_grant"
    assert ask(world, "web-app", proof(world), **form).status_code == 200


def test_who_must_be_bound_gets_nothing_else(world: World) -> None:
    change(world, requires=frozenset({"dpop"}))
    form = redemption(world)
    assert ask(world, "tax", **form).get_json()["error"] == "invalid_dpop_proof"
    assert ask(world, "tax", proof(world), **form).status_code == 200


def test_introspection_can_be_signed_and_must_be_for_some(world: World) -> None:
    token = ask(world, "tax", proof(world), **redemption(world)).get_json()["access_token"]
    change(world, requires=frozenset({"signed_introspection"}))
    assert ask(world, path="/introspect", token=token).get_json()["error"] == "invalid_request"
    headers = {**world.basic("tax"), "Accept": "application/token-introspection+jwt"}
    answer = world.app.test_client().post("/introspect", base_url=world.issuer, data={"token": token}, headers=headers)
    assert answer.mimetype == "application/token-introspection+jwt"
    key = jwt.PyJWKSet.from_dict(world.keys.jwks()).keys[0]
    options: Any = {"verify_iat": False}
    claims = jwt.decode(answer.text, key, algorithms=["ES256"], audience="tax", issuer=world.issuer, options=options)
    assert claims["token_introspection"]["cnf"] == {"jkt": JKT}
    # Bug class 1: such an answer is no token.
    assert world.bearer(answer.text).status_code == 401
