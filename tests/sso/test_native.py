# SPDX-License-Identifier: Apache-2.0
"""Apps on people's own devices: answers to a loopback address, whose port is the only freedom (RFC 8252)."""

from typing import Any

import pytest

from sso.errors import BadClient, InvalidClientMetadata, InvalidRedirectURI
from sso.models import Client
from sso.oauth.rfc6749 import is_registered
from sso.oauth.rfc7591 import check_metadata, sector_of
from sso.service import register_client
from tests.sso.conftest import SECRET, VERIFIER, World

HERE, SIX = "http://127.0.0.1/callback", "http://[::1]/callback"


def native(world: World, **changes: Any) -> Client:
    given: dict[str, Any] = {
        "name": "desktop",
        "title": "Desktop",
        "title_zh": "桌面",
        "redirect_uris": (HERE, SIX),
        "scopes": frozenset({"openid", "profile"}),
        "grants": frozenset({"authorization_code", "refresh_token"}),
        "audience": "https://desktop.example",
    }
    return register_client(world.store, **{**given, **changes})


@pytest.mark.parametrize("uri", ["http://127.0.0.1:49152/callback", "http://[::1]:1/callback", HERE])
def test_an_app_is_answered_at_whatever_port_it_listens_on_and_redeems_with_the_same(world: World, uri: str) -> None:
    client = native(world)
    assert client.sector == "desktop"
    browser = world.browser()
    page = browser.follow(browser.authorize("desktop", redirect_uri=uri))
    answer = browser.fill_in(page)
    consent = browser.follow(answer)
    answer = browser.post("/consent", consent, interaction=_parked(consent.text), choice="allow")
    assert answer.location.startswith(f"{uri}?code="), answer.location
    code = answer.location.partition("code=")[2].partition("&")[0]
    form = {"grant_type": "authorization_code", "client_id": "desktop", "code": code, "code_verifier": VERIFIER}
    post = world.app.test_client().post
    other = post("/token", base_url=world.issuer, data={**form, "redirect_uri": "http://127.0.0.1:9/callback"})
    assert other.get_json()["error"] == "invalid_grant"
    assert post("/token", base_url=world.issuer, data={**form, "redirect_uri": uri}).status_code == 200


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:49152/callback/",
        "http://127.0.0.1:49152/other",
        "http://127.0.0.1:49152/callback?x=1",
        "http://127.0.0.1:49152/callback#x",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:65536/callback",
        "http://127.0.0.1:080/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:49152@evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://evil@127.0.0.1:49152/callback",
        "http://localhost:49152/callback",
        "http://127.0.0.2:49152/callback",
        "http://127.1:49152/callback",
        "http://2130706433:49152/callback",
        "http://[::ffff:127.0.0.1]:49152/callback",
        "http://[0:0:0:0:0:0:0:1]:49152/callback",
        "http://[::1%25eth0]:49152/callback",
        "https://127.0.0.1:49152/callback",
        "HTTP://127.0.0.1:49152/callback",
        "http://127.0.0.1:49152\\@evil.example/callback",
        "http://127.0.0.1:49152/x/../callback",
        "http://127.0.0.1:49152/callback\n",
    ],
)
def test_nothing_but_the_port_is_free(world: World, uri: str) -> None:
    assert not is_registered(uri, (HERE, SIX))
    native(world)
    answer = world.browser().authorize("desktop", redirect_uri=uri)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_of_an_https_address_not_even_the_port_is_free() -> None:
    assert not is_registered("https://desktop.example:444/callback", ("https://desktop.example/callback",))


def test_only_a_client_without_a_secret_may_listen_there_and_it_is_nobodys_neighbour(world: World) -> None:
    with pytest.raises(BadClient):
        native(world, secret=SECRET["tax"])
    with pytest.raises(InvalidRedirectURI):
        check_metadata({"redirect_uris": [HERE], "token_endpoint_auth_method": "private_key_jwt"})
    check_metadata({"redirect_uris": [HERE, SIX], "token_endpoint_auth_method": "none"})
    for wrong in ("http://localhost/callback", "http://desktop.example/callback", "http://127.0.0.1/#x"):
        with pytest.raises(InvalidRedirectURI):
            check_metadata({"redirect_uris": [wrong], "token_endpoint_auth_method": "none"})
    # Beside a real host it could learn by what name people are known there.
    assert sector_of({"redirect_uris": ["https://tax.example/callback", HERE]}) == ""
    with pytest.raises(BadClient):
        native(world, sector="tax.example")
    for elsewhere in ("post_logout_redirect_uris", "request_uris"):
        with pytest.raises(InvalidClientMetadata):
            check_metadata({elsewhere: [HERE], "token_endpoint_auth_method": "none"})


def _parked(page: str) -> str:
    return page.partition('name="interaction" value="')[2].partition('"')[0]
