# SPDX-License-Identifier: Apache-2.0
import base64
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import TokenRefused
from gateway.models import Token
from gateway.tokens import KeySet, access_token, id_token
from tests.gateway.conftest import SUBJECT, Gateway


def _keys(unit: Gateway) -> KeySet:
    return KeySet.read((unit.site.public / "sso-jwks.json").read_bytes())


def _read(unit: Gateway, token: str) -> Token:
    return access_token(
        token,
        _keys(unit),
        audience=unit.site.origin("tax"),
        issuer=unit.site.origin("sso"),
        at=unit.clock.now(),
    )


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_a_token_of_the_sign_on_for_this_portal_is_read(unit: Gateway) -> None:
    token = _read(unit, unit.token())
    assert (token.subject, token.session, token.grant, token.acr) == (SUBJECT, "sid-1", "g1", 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"aud": "https://social.city.localhost"},
        {"aud": ["https://tax.city.localhost", "https://evil.example"]},
        {"exp": 1},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 1e18},
        {"exp": None},
        {"iat": 1 << 39},
        {"nbf": 1 << 39},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 300},
        {"sid": ""},
        {"grant": None},
        {"acr": "9"},
        {"acr": 2},
        {"acr": ["2"]},
        {"amr": "pwd"},
        {"amr": [1]},
        {"amr": {}},
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(unit: Gateway, changes: dict[str, Any]) -> None:
    if "aud" in changes and isinstance(changes["aud"], list):
        changes = {"aud": [unit.site.origin("tax"), "https://evil.example"]}
    with pytest.raises(TokenRefused):
        _read(unit, unit.token(**changes))


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "sid", "acr", "grant", "jti", "iat", "exp", "client_id"])
def test_a_token_without_a_claim_is_refused(unit: Gateway, claim: str) -> None:
    with pytest.raises(TokenRefused):
        _read(unit, unit.token(drop=claim))


@pytest.mark.parametrize(
    "headers", [{"typ": "JWT"}, {"typ": None}, {"kid": "other"}, {"kid": 1}, {"kid": ["k1"]}, {"crit": ["x"]}]
)
def test_a_token_with_a_wrong_header_is_refused(unit: Gateway, headers: dict[str, Any]) -> None:
    claims = unit.token().split(".")[1]
    header = _b64(json.dumps({"alg": "ES256", "typ": "at+jwt", "kid": "k1", **headers}).encode())
    message = f"{header}.{claims}".encode()
    signature = _b64(jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(message, unit.sign_key))
    with pytest.raises(TokenRefused):
        _read(unit, f"{header}.{claims}.{signature}")


def test_a_token_that_is_over_is_refused(unit: Gateway) -> None:
    token = unit.token(exp=int(unit.clock.now().timestamp()) - 1)
    with pytest.raises(TokenRefused):
        _read(unit, token)


def test_an_unsigned_token_and_one_signed_with_the_public_key_as_secret_are_refused(unit: Gateway) -> None:
    claims = unit.token().split(".")[1]
    public = unit.sign_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for algorithm, secret in (("none", b""), ("None", b""), ("HS256", public), ("HS256", b"")):
        header = _b64(json.dumps({"alg": algorithm, "typ": "at+jwt", "kid": "k1"}).encode())
        signature = hmac.digest(secret, f"{header}.{claims}".encode(), "sha256") if algorithm == "HS256" else b""
        with pytest.raises(TokenRefused):
            _read(unit, f"{header}.{claims}.{_b64(signature)}")


def test_a_key_that_comes_with_the_token_is_not_used(unit: Gateway) -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(stranger.public_key(), as_dict=True)
    headers = {"typ": "at+jwt", "kid": "k1", "jwk": jwk, "jku": "https://evil.example/jwks"}
    claims = jwt.decode(unit.token(), options={"verify_signature": False})
    with pytest.raises(TokenRefused):
        _read(unit, jwt.encode(claims, stranger, algorithm="ES256", headers=headers))


def test_an_access_token_is_no_id_token_nor_the_reverse(unit: Gateway) -> None:
    at = unit.clock.now()
    with pytest.raises(TokenRefused):
        _read(unit, unit.signed_in(nonce="n", aud=unit.site.origin("tax")))
    with pytest.raises(TokenRefused):
        id_token(
            unit.token(aud="gateway", nonce="n"),
            _keys(unit),
            client="gateway",
            issuer=unit.site.origin("sso"),
            nonce="n",
            at=at,
        )


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: _b64(raw) + "." + _b64(raw) + "." + _b64(raw)))
def test_garbage_is_refused_and_never_an_error(garbage: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(TokenRefused):
        access_token(garbage, KeySet({"k1": key}), audience="a", issuer="i", at=datetime(2026, 11, 20, tzinfo=UTC))


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"keys": 1}', b"\xff"])
def test_what_is_no_key_set_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's errors are ValueErrors too
        KeySet.read(document)


def test_private_foreign_and_symmetric_keys_are_left_out() -> None:
    private = jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
    foreign = jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True)
    keys = [
        {**private, "kid": "a"},
        {**foreign, "kid": "b"},
        {"kty": "oct", "k": "AAAA", "kid": "c"},
        "x",
        {**private, "d": "", "kid": 1},
    ]
    found = KeySet.read(json.dumps({"keys": keys}).encode())
    assert not any(found.knows(kid) for kid in ("a", "b", "c", 1))
