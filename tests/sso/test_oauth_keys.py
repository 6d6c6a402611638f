# SPDX-License-Identifier: Apache-2.0
"""Attacks on signed tokens: confused algorithms, foreign keys, odd headers, odd issuers; and key rotation."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sso.errors import BadClient, InvalidToken
from sso.oauth.rfc7517 import ClientKeys, KeyRing
from sso.oauth.rfc9068 import accepted
from sso.service import begin_rotation, finish_rotation, load_keys, make_keys
from tests.fakes.recorder import ListRecorder
from tests.sso.conftest import World
from tests.sso.signing import Key, jwks

ISSUER = "https://sso.city.localhost:8443"
KEY = generate_private_key(SECP256R1())
RING = KeyRing(KEY)
KID = RING.jwks()["keys"][0]["kid"]
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "somebody",
    "aud": "https://tax.city.localhost:8443",
    "client_id": "tax",
    "scope": "openid",
    "grant": "g",
    "jti": "j",
    "iat": 1000,
    "exp": 1300,
}
HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": KID}


def test_our_own_token_is_read() -> None:
    claims = RING.read(RING.sign(CLAIMS, typ="at+jwt"), typ="at+jwt", issuer=ISSUER)
    assert accepted(claims, at=1000).subject == "somebody"


@pytest.mark.parametrize(
    "name", ["none", "None", "NONE", "nOnE", "HS256", "hs256", "ES384", "RS256", "EdDSA", "ES256K", ""]
)
def test_no_other_algorithm_is_believed(name: str) -> None:
    signed = RING.sign(CLAIMS, typ="at+jwt")
    body = signed.split(".")[1]
    for signature in (signed.split(".")[2], "", "A" * 86):
        _refuse(f"{_json({**HEADER, 'alg': name})}.{body}.{signature}")


def test_the_public_key_is_no_secret_for_hmac() -> None:
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for header in ({**HEADER, "alg": "HS256"}, HEADER):
        signing_input = f"{_json(header)}.{_json(CLAIMS)}"
        mac = hmac.new(pem, signing_input.encode(), hashlib.sha256).digest()
        for signature in (_text(mac), _text(mac + mac)):
            _refuse(f"{signing_input}.{signature}")


@pytest.mark.parametrize(
    "more",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"jwk": {"kty": "EC"}},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["AAAA"]},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
        {"cty": "JWT"},
        {"typ": "JWT"},
        {"typ": "AT+JWT"},
        {"typ": "application/at+jwt"},
        {"kid": "another"},
        {"kid": 7},
        {"kid": ["x"]},
    ],
)
def test_a_header_that_asks_for_anything_more_is_refused(more: dict[str, Any]) -> None:
    header = {**HEADER, **more}
    signing_input = f"{_json(header)}.{_json(CLAIMS)}"
    algorithm = jwt.get_algorithm_by_name("ES256")
    _refuse(f"{signing_input}.{_text(algorithm.sign(signing_input.encode(), KEY))}")


def test_a_key_that_travels_with_the_token_is_not_used() -> None:
    thief = generate_private_key(SECP256R1())
    own = KeyRing(thief).jwks()["keys"][0]
    for headers in ({"kid": KID}, {"kid": own["kid"]}, {"kid": KID, "jwk": own}):
        _refuse(jwt.encode(CLAIMS, thief, algorithm="ES256", headers={"typ": "at+jwt", **headers}))


@pytest.mark.parametrize(
    "issuer",
    [
        ISSUER + "/",
        ISSUER[:-1],
        ISSUER + ".evil.example",
        ISSUER.upper(),
        "https://sso.city.localhost",
        [ISSUER],
        "",
        None,
        7,
    ],
)
def test_the_issuer_is_one_exact_string(issuer: Any) -> None:
    _refuse(_signed({**CLAIMS, "iss": issuer}))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["https://tax.city.localhost:8443"]},
        {"aud": None},
        {"sub": 7},
        {"exp": "1300"},
        {"exp": 1300.5},
        {"exp": True},
        {"iat": 1001},
        {"exp": 1000},
        {"scope": ["openid"]},
        {"grant": None},
    ],
)
def test_claims_of_another_shape_or_time_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        accepted(RING.read(_signed({**CLAIMS, **changes}), typ="at+jwt", issuer=ISSUER), at=1000)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "e30.e30.",
        "A" * 100_000,
        ("A" * 4000 + ".") * 2 + "A" * 86,
        "W1tb" * 900 + ".e30." + "A" * 86,
        "\x00.\x00.\x00",
        "ü.ü.ü",
    ],
)
def test_what_is_no_token_costs_nothing_and_is_refused(token: str) -> None:
    _refuse(token)


def test_one_value_has_one_spelling() -> None:
    token = RING.sign(CLAIMS, typ="at+jwt")
    last = token[-1]
    # Two unused bits: three other last characters would decode to the same signature.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twins = [c for c in alphabet if alphabet.index(c) // 16 == alphabet.index(last) // 16 and c != last]
    assert twins
    for twin in twins:
        _refuse(token[:-1] + twin)


def test_an_id_token_opens_nothing_and_an_access_token_is_no_hint(world: World) -> None:
    tokens = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()
    assert world.bearer(tokens["id_token"]).status_code == 401
    with pytest.raises(InvalidToken):
        world.keys.read(tokens["access_token"], typ="JWT", issuer=world.issuer)


def test_a_retained_key_still_verifies_and_no_longer_signs(tmp_path: Path) -> None:
    make_keys(tmp_path)
    old = load_keys(tmp_path)
    token = old.sign(CLAIMS, typ="at+jwt")
    make_keys(tmp_path)
    assert load_keys(tmp_path).jwks() == old.jwks()
    recorder = ListRecorder()
    begin_rotation(tmp_path, recorder=recorder, at=datetime(2026, 11, 20, tzinfo=UTC), actor="role:app")
    finish_rotation(tmp_path, recorder=recorder)
    fresh = load_keys(tmp_path)
    assert fresh.read(token, typ="at+jwt", issuer=ISSUER)["sub"] == "somebody"
    kids = [key["kid"] for key in fresh.jwks()["keys"]]
    assert len(kids) == 2
    assert kids[1] == old.jwks()["keys"][0]["kid"]
    assert jwt.get_unverified_header(fresh.sign(CLAIMS, typ="at+jwt"))["kid"] == kids[0]
    assert (tmp_path / "signing.pem").stat().st_mode & 0o077 == 0
    for retained in tmp_path.glob("retained-*"):
        retained.unlink()
    with pytest.raises(InvalidToken):
        load_keys(tmp_path).read(token, typ="at+jwt", issuer=ISSUER)


def test_only_p256_signs() -> None:
    with pytest.raises(ValueError, match="P-256"):
        KeyRing(generate_private_key(SECP384R1()))


def _refuse(token: str) -> None:
    with pytest.raises(InvalidToken):
        RING.read(token, typ="at+jwt", issuer=ISSUER)


def _signed(claims: dict[str, Any]) -> str:
    signing_input = f"{_json(HEADER)}.{_json(claims)}"
    return f"{signing_input}.{_text(jwt.get_algorithm_by_name('ES256').sign(signing_input.encode(), KEY))}"


def _json(value: Any) -> str:
    return _text(json.dumps(value).encode())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def test_keys_are_parsed_once_and_anew_when_the_registration_changes() -> None:
    first, second = jwks(Key().jwk()), jwks(Key().jwk())
    assert ClientKeys.read(first) is ClientKeys.read(str(first))
    assert ClientKeys.read(second) is not ClientKeys.read(first)
    with pytest.raises(BadClient):
        ClientKeys.read("{}")
