# SPDX-License-Identifier: Apache-2.0
"""Registration: what nobody should accept is refused, secrets are kept only as digests."""

from typing import Any

import pytest

from sso.errors import BadClient
from sso.service import register_client
from tests.sso.conftest import SECRET, World

GOOD: dict[str, Any] = {
    "name": "new",
    "title": "New",
    "title_zh": "新",
    "redirect_uris": ("https://new.city.localhost/callback",),
    "audience": "https://new.city.localhost",
    "secret": "n" * 43,
}


def test_a_client_can_be_registered_and_registered_again(world: World) -> None:
    register_client(world.store, **GOOD)
    register_client(world.store, **{**GOOD, "title": "Newer"})
    found = world.store.clients.find("new")
    assert found is not None
    assert found.name == "Newer"
    assert found.redirect_uris == GOOD["redirect_uris"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "New"},
        {"name": "n" * 64},
        {"name": "new client"},
        {"redirect_uris": ()},
        {"redirect_uris": ("http://new.city.localhost/callback",)},
        {"redirect_uris": ("https://new.city.localhost/a/../callback",)},
        {"redirect_uris": ("https://new.city.localhost/callback?x=1",)},
        {"post_logout_uris": ("javascript:alert(1)",)},
        {"scopes": frozenset({"openid", "everything"})},
        {"grants": frozenset({"password"})},
        {"secret": "short"},
        {"secret": "", "trusted": True},
        {"secret": "", "grants": frozenset({"client_credentials"})},
    ],
)
def test_a_bad_registration_is_refused(world: World, changes: dict[str, Any]) -> None:
    with pytest.raises(BadClient):
        register_client(world.store, **{**GOOD, **changes})
    assert world.store.clients.find("new") is None


def test_secrets_are_kept_as_digests(world: World) -> None:
    found = world.store.clients.find("tax")
    assert found is not None
    assert len(found.secret_hash) == 64
    assert SECRET["tax"] not in repr(found)
