# SPDX-License-Identifier: Apache-2.0
import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.identity import Identity, IdentityIssuer, IdentityRefused, IdentityVerifier
from tests.fakes.clock import ManualClock

KEY = ec.generate_private_key(ec.SECP256R1())
NOW = ManualClock().now()
CHEN = Identity(
    subject="9b2f5f0e-1111-4222-8333-444455556666",
    kind="person",
    session="s1",
    roles=frozenset({"citizen"}),
    assurance=2,
    methods=("pwd",),
    zone="external",
    decision="d1",
)
VERIFIER = IdentityVerifier(KEY.public_key(), audience="tax.city.localhost")


def _issue(path: str = "/me?year=2026") -> str:
    return IdentityIssuer(KEY).issue(CHEN, audience="tax.city.localhost", method="GET", path=path, at=NOW)


def test_what_the_gateway_says_arrives_whole() -> None:
    assert VERIFIER.verify(_issue(), method="GET", path="/me?year=2026", at=NOW) == CHEN


@pytest.mark.parametrize(
    ("method", "path", "age"),
    [
        ("POST", "/me?year=2026", 0),
        ("GET", "/me?year=2025", 0),
        ("GET", "/me", 0),
        ("GET", "/me?year=2026", 61),
        ("GET", "/me?year=2026", -10),
    ],
)
def test_it_holds_for_one_request_and_one_minute(method: str, path: str, age: int) -> None:
    with pytest.raises(IdentityRefused):
        VERIFIER.verify(_issue(), method=method, path=path, at=NOW + timedelta(seconds=age))


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "somebody-else"},
        {"kind": "device"},
        {"session": "s2"},
        {"session": ""},
        {"roles": frozenset({"citizen", "officer"})},
        {"assurance": 3},
        {"methods": ("pwd", "otp")},
        {"zone": "internal"},
        {"decision": "d2"},
        {"request": "7" * 32},
        {"on_behalf_of": "person:somebody:tax"},
        # Pieces that would run into each other if they were told apart by their text alone.
        {"subject": 'x","kind":"device', "zone": "外网"},
    ],
)
def test_what_is_kept_for_one_caller_is_said_of_no_other(changes: dict[str, object]) -> None:
    issuer, other = IdentityIssuer(KEY), replace(CHEN, **changes)  # type: ignore[arg-type]  # by name
    tax, social = "tax.city.localhost", "social.city.localhost"
    for identity in (CHEN, other, CHEN, other):
        for audience, method, path in (
            (tax, "GET", "/me"),
            (tax, "POST", "/"),
            (social, "GET", "/me"),
            (tax, "GET", "/"),
        ):
            header = issuer.issue(identity, audience=audience, method=method, path=path, at=NOW)
            verifier = IdentityVerifier(KEY.public_key(), audience=audience)
            assert verifier.verify(header, method=method, path=path, at=NOW) == identity


def test_a_wish_is_passed_on_by_its_own_host_within_a_minute() -> None:
    wish = IdentityIssuer(KEY).issue(CHEN, audience="tax.city.localhost", method="POST", path="/x", at=NOW)
    assert VERIFIER.verify_passed_on(wish, at=NOW) == CHEN
    social = IdentityVerifier(KEY.public_key(), audience="social.city.localhost")
    for verifier, header, at in (
        (VERIFIER, None, NOW),
        (VERIFIER, "", NOW),
        (VERIFIER, wish[:-4] + "AAAA", NOW),
        (VERIFIER, wish, NOW + timedelta(seconds=61)),
        (social, wish, NOW),
        # Looking at a page is no wish.
        (VERIFIER, _issue(), NOW),
    ):
        with pytest.raises(IdentityRefused):
            verifier.verify_passed_on(header, at=at)


def test_it_holds_for_one_host() -> None:
    other = IdentityVerifier(KEY.public_key(), audience="social.city.localhost")
    with pytest.raises(IdentityRefused):
        other.verify(_issue(), method="GET", path="/me?year=2026", at=NOW)


def _forged(**changes: object) -> list[str]:
    claims = jwt.decode(_issue(), options={"verify_signature": False}) | changes
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "typ": "tallygate-identity+jwt"}).encode())
    body = base64.urlsafe_b64encode(json.dumps(claims).encode())
    signed = header.rstrip(b"=") + b"." + body.rstrip(b"=")
    confused = signed + b"." + base64.urlsafe_b64encode(hmac.new(public, signed, hashlib.sha256).digest()).rstrip(b"=")
    kind = {"typ": "tallygate-identity+jwt"}
    return [
        confused.decode(),
        jwt.encode(claims, "", algorithm="none", headers=kind),
        jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers=kind),
        jwt.encode(claims, ed25519.Ed25519PrivateKey.generate(), algorithm="EdDSA", headers=kind),
        jwt.encode(claims, KEY, algorithm="ES256"),
        jwt.encode(claims | {"aud": ["tax.city.localhost"]}, KEY, algorithm="ES256", headers=kind),
        jwt.encode(claims | {"iss": "tallygate-gateway/"}, KEY, algorithm="ES256", headers=kind),
        jwt.encode(claims | {"hth": None}, KEY, algorithm="ES256", headers=kind),
        jwt.encode({k: v for k, v in claims.items() if k != "exp"}, KEY, algorithm="ES256", headers=kind),
        jwt.encode(claims | {"iat": "soon"}, KEY, algorithm="ES256", headers=kind),
        jwt.encode(claims, KEY, algorithm="ES256", headers={**kind, "crit": ["b64"], "b64": True}),
    ]


@pytest.mark.parametrize("number", range(11))
def test_forgeries_are_refused(number: int) -> None:
    with pytest.raises(IdentityRefused):
        VERIFIER.verify(_forged()[number], method="GET", path="/me?year=2026", at=NOW)


@pytest.mark.parametrize("header", [None, "", "x", "a.b.c", "é", "." * 5000])
def test_garbage_is_refused(header: str | None) -> None:
    with pytest.raises(IdentityRefused):
        VERIFIER.verify(header, method="GET", path="/", at=NOW)


def test_the_key_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    verifier = IdentityVerifier.load(path, audience="tax.city.localhost")
    assert verifier.verify(_issue(), method="GET", path="/me?year=2026", at=NOW) == CHEN
    wrong = ed25519.Ed25519PrivateKey.generate().public_key()
    path.write_bytes(wrong.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(ValueError, match="elliptic"):
        IdentityVerifier.load(path, audience="x")
