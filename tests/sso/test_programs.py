# SPDX-License-Identifier: Apache-2.0
"""Programs that keep entries at the directory: registered by command, with tokens of their own that are bound."""

from typing import Any

import jwt
import pytest
from werkzeug.test import TestResponse

from core.jose import public_key, thumbprint
from gateway.errors import TokenRefused
from gateway.tokens import KeySet, program_token
from sso.errors import BadClient
from sso.service import register_client
from sso.service.programs import enter_program, remove_program
from tests.sso.conftest import World
from tests.sso.signing import Key, jwks
from tests.sso.test_client_authentication import TYPE, _claims
from tests.sso.test_dpop import JKT, KEY, proof

HERE = "https://directory.city.localhost:8445"
OWN = Key()


def _enter(world: World, name: str = "personnel", **more: Any) -> None:
    given = {"title": "Personnel", "title_zh": "人事", "audience": HERE, "jwks": jwks(OWN.jwk()), **more}
    enter_program(world.store, world.service.records, name=name, **given)


def _ask(world: World, *proofs: str, name: str = "personnel", **form: str) -> TestResponse:
    sent = {
        "grant_type": "client_credentials", "client_assertion_type": TYPE,
        "client_assertion": OWN.sign(_claims(world, iss=name, sub=name)), **form,
    }  # fmt: skip
    headers = [("DPoP", each) for each in proofs]
    return world.app.test_client().post("/token", base_url=world.issuer, data=sent, headers=headers)


def test_its_token_is_one_that_the_gateway_takes_until_it_is_removed(world: World) -> None:
    _enter(world)
    answer = _ask(world, proof(world), resource=HERE)
    assert answer.status_code == 200, answer.text
    keys = KeySet.read(world.app.test_client().get("/jwks", base_url=world.issuer).data)
    at, token = world.clock.now(), answer.get_json()["access_token"]
    read: dict[str, Any] = {"audience": HERE, "issuer": world.issuer, "at": at}
    found = program_token(token, keys, scope="scim", **read)
    assert (found.client, found.scopes, found.jkt) == ("personnel", frozenset({"scim"}), JKT)
    for changes in ({"scope": "other"}, {"audience": "https://tax.city.localhost:8443"}):
        with pytest.raises(TokenRefused):
            program_token(token, keys, **{"scope": "scim", **read, **changes})
    remove_program(world.store, world.service.records, name="personnel", clock=world.clock)
    # Its grant is named in the record, by which the gateway ends it.
    grant = jwt.decode(token, options={"verify_signature": False})["grant"]
    assert {"sso.client.removed", "sso.token.revoked"} <= set(world.drain())
    assert world.store.grants.standing(grant, int(at.timestamp())) is False
    assert _ask(world, proof(world)).status_code == 401


def test_it_gets_no_token_unbound_for_somebody_else_or_with_another_scope(world: World) -> None:
    _enter(world)
    assert _ask(world).status_code == 400
    assert _ask(world, proof(world), resource="https://tax.city.localhost:8443").status_code == 400
    assert _ask(world, proof(world), scope="openid").status_code == 400
    assert _ask(world, proof(world), scope="scim roles").status_code == 400
    assert thumbprint(public_key(KEY.public)) == JKT


@pytest.mark.parametrize(
    "changes",
    [
        {"requires": frozenset[str]()},
        {"scopes": frozenset({"scim", "openid"})},
        {"grants": frozenset({"client_credentials", "authorization_code"})},
        {"trusted": True},
    ],
)
def test_whoever_keeps_entries_does_nothing_else(world: World, changes: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "name": "personnel", "title": "P", "title_zh": "P", "audience": HERE, "method": "private_key_jwt",
        "jwks": jwks(OWN.jwk()), "scopes": frozenset({"scim"}), "grants": frozenset({"client_credentials"}),
        "requires": frozenset({"dpop"}), "redirect_uris": ("https://p.city.localhost/callback",),
    }  # fmt: skip
    register_client(world.store, **good)
    with pytest.raises(BadClient):
        register_client(world.store, **{**good, "name": "other", **changes})
    assert world.store.clients.find("other") is None


def test_no_command_turns_a_portal_into_a_program_or_removes_one(world: World) -> None:
    with pytest.raises(BadClient):
        _enter(world, "tax")
    with pytest.raises(BadClient):
        remove_program(world.store, world.service.records, name="tax", clock=world.clock)
    with pytest.raises(BadClient):
        _enter(world, "Not a label")
    assert world.store.clients.find("tax") is not None
