# SPDX-License-Identifier: Apache-2.0
"""Tokens that are bound open nothing without what they are bound to (bug class 23, at the gateway)."""

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from core.jose import public_key, thumbprint
from tests.gateway.conftest import SUBJECT, Gateway
from tests.gateway.test_service_decision import ask, hear
from tests.sso.signing import Key

KEY, OTHER = Key(), Key()
JKT = thumbprint(public_key(KEY.public))
API: dict[str, Any] = {"unverified_target": "/api/v1/declarations?year=2026"}


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _proof(unit: Gateway, token: str, *, key: Key = KEY, **changes: Any) -> str:
    claims = {
        "htm": "GET",
        "htu": f"{unit.site.origin('tax')}/api/v1/declarations",
        "iat": int(unit.clock.now().timestamp()),
        "jti": secrets.token_hex(8),
        "ath": _digest(token.encode()),
        **changes,
    }
    return key.sign(claims, typ="dpop+jwt", jwk=key.public, kid=None)


def _ask(unit: Gateway, token: str, proof: str, *, scheme: str = "DPoP", **more: Any) -> int:
    return ask(unit, unverified_authorization=f"{scheme} {token}", unverified_proof=proof, **API, **more).status


def test_a_token_that_is_bound_to_a_key_opens_with_its_proof_once(unit: Gateway) -> None:
    token = unit.token(cnf={"jkt": JKT})
    proof = _proof(unit, token)
    assert _ask(unit, token, proof) == 204
    assert _ask(unit, token, proof) != 204
    assert _ask(unit, token, _proof(unit, token), scheme="dpop") == 204


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "POST"},
        {"htu": "https://tax.city.localhost/api/v1/declarations"},
        {"htu": "https://social.city.localhost:8443/api/v1/declarations"},
        {"htu": "https://tax.city.localhost:8443/api/v1/other"},
        {"ath": "x"},
        {"ath": None},
        {"iat": 1},
        {"jti": ""},
        {"key": OTHER},
    ],
)
def test_a_proof_of_something_else_opens_nothing(unit: Gateway, changes: dict[str, Any]) -> None:
    token = unit.token(cnf={"jkt": JKT})
    assert _ask(unit, token, _proof(unit, token, **changes)) in (401, 403)


def test_a_bound_token_is_no_bearer_token_and_a_bearer_token_is_not_bound(unit: Gateway) -> None:
    bound, plain = unit.token(cnf={"jkt": JKT}), unit.token()
    assert _ask(unit, bound, "", scheme="Bearer") != 204
    assert _ask(unit, bound, _proof(unit, bound), scheme="Bearer") != 204
    assert _ask(unit, bound, "") != 204
    assert _ask(unit, plain, _proof(unit, plain)) != 204
    assert _ask(unit, plain, "", scheme="Bearer") == 204


@pytest.mark.parametrize("cnf", [{}, {"jkt": ""}, {"jkt": 7}, {"jwk": {}}, {"jkt": JKT, "x5t#S256": "x"}, "x", None])
def test_a_binding_nobody_knows_binds_to_nothing_that_could_be_had(unit: Gateway, cnf: Any) -> None:
    token = unit.token(cnf=cnf)
    assert _ask(unit, token, "", scheme="Bearer") != 204
    assert _ask(unit, token, _proof(unit, token)) != 204


def test_a_token_that_is_bound_to_a_certificate_opens_with_it(unit: Gateway) -> None:
    shown, other = (key.certificate(unit.clock) for key in (KEY, OTHER))
    token = unit.token(cnf={"x5t#S256": _digest(shown.public_bytes(Encoding.DER))})
    pem, foreign = (quote(each.public_bytes(Encoding.PEM)) for each in (shown, other))
    assert _ask(unit, token, "", scheme="Bearer", unverified_certificate=pem) == 204
    assert _ask(unit, token, "", scheme="Bearer", unverified_certificate=foreign) != 204
    assert _ask(unit, token, "", scheme="Bearer") != 204
    assert _ask(unit, unit.token(), "", scheme="Bearer", unverified_certificate=pem) != 204


def test_a_token_that_is_bound_to_a_certificate_ends_with_its_revocation(unit: Gateway) -> None:
    shown = KEY.certificate(unit.clock)
    token = unit.token(cnf={"x5t#S256": _digest(shown.public_bytes(Encoding.DER))})
    plain = unit.token(jti="t2")
    with_it = {"scheme": "Bearer", "unverified_certificate": quote(shown.public_bytes(Encoding.PEM))}
    serial = format(shown.serial_number, "x")
    hear(unit, "ca.certificate.revoked", index=1, object="77", attributes={"issuer": "devices"})
    hear(unit, "ca.certificate.revoked", index=2, object=serial, attributes={"issuer": "infrastructure"})
    assert _ask(unit, token, "", **with_it) == 204
    hear(unit, "ca.certificate.revoked", index=3, object=serial, attributes={"issuer": "devices"})
    assert _ask(unit, token, "", **with_it) != 204
    assert _ask(unit, plain, "", scheme="Bearer") == 204


def _program(unit: Gateway, **changes: Any) -> str:
    """A token that a personnel system got for itself, for the directory."""
    audience = unit.site.origin("directory", "management")
    own = {"sub": "personnel", "client_id": "personnel", "scope": "scim", "aud": audience, "cnf": {"jkt": JKT}}
    token = unit.token(**{"sid": None, "acr": None, "amr": None, **own, **changes})
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(
        {name: each for name, each in claims.items() if each is not None}, unit.sign_key, algorithm="ES256",
        headers={"typ": "at+jwt", "kid": "k1"},
    )  # fmt: skip


def _knock(unit: Gateway, token: str, *, path: str = "/scim/v2/Users", bound: bool = True, **more: Any) -> int:
    where = f"{unit.site.origin('directory', 'management')}{path}"
    return ask(
        unit, listener="management", unverified_host="directory.city.localhost", unverified_target=path,
        unverified_authorization=f"{'DPoP' if bound else 'Bearer'} {token}",
        unverified_proof=_proof(unit, token, htu=where) if bound else "", **more,
    ).status  # fmt: skip


def test_a_program_comes_with_a_bound_token_of_its_own(unit: Gateway) -> None:
    assert _knock(unit, _program(unit)) == 204
    asked = unit.engine.asked[-1]
    assert (asked.principal_kind, asked.subject, asked.roles, asked.assurance) == (
        "client",
        "personnel",
        frozenset(),
        2,
    )
    event = unit.recorder.events[-1]
    assert (event.subject, event.attributes["client"], event.attributes["credential"]) == ("personnel",) * 2 + (
        "token",
    )
    assert _knock(unit, _program(unit, scope="other scim")) == 204


@pytest.mark.parametrize(
    "changes",
    [
        # A person's, whatever it says of scopes and however it is bound.
        {"sub": SUBJECT, "sid": "sid-1", "acr": "2"},
        {"sid": "sid-1"},
        {"acr": "3"},
        {"sub": SUBJECT},
        # Got by exchange, or on somebody's behalf.
        {"act": {"sub": "tax"}},
        {"on_behalf_of": {"kind": "organisation", "id": "a", "service": "all"}},
        {"scope": "openid"},
        {"scope": "scimx"},
        {"scope": ""},
        {"scope": ["scim"]},
        {"aud": "https://tax.city.localhost:8443"},
        {"cnf": None},
        {"cnf": {"jkt": thumbprint(public_key(OTHER.public))}},
        {"cnf": {"x5t#S256": "x"}},
        {"client_id": None},
        {"grant": None},
        {"exp": 1},
    ],
)
def test_what_is_no_such_token_opens_nothing(unit: Gateway, changes: dict[str, Any]) -> None:
    assert _knock(unit, _program(unit, **changes)) in (401, 403)
    assert not unit.engine.asked


def test_an_unbound_token_of_a_program_and_one_at_another_path_open_nothing(unit: Gateway) -> None:
    assert _knock(unit, _program(unit, cnf=None), bound=False) in (401, 403)
    assert _knock(unit, _program(unit), bound=False) in (401, 403)
    for path in ("/", "/people/x", "/scim/v2", "/import"):
        assert _knock(unit, _program(unit), path=path) in (401, 403), path
    # Where persons' tokens are taken, a program's is none.
    tax = _program(unit, aud=unit.site.origin("tax"))
    assert _ask(unit, tax, _proof(unit, tax)) in (401, 403)


def test_a_program_that_was_removed_is_out_with_the_news(unit: Gateway) -> None:
    assert _knock(unit, _program(unit)) == 204
    hear(unit, "sso.token.revoked", object="g1")
    assert _knock(unit, _program(unit)) in (401, 403)
