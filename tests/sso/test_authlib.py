# SPDX-License-Identifier: Apache-2.0
"""Authlib's client, which knows nothing of us, walks through FAPI 2.0: PAR, private_key_jwt, PKCE, DPoP, refresh."""

import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey
from requests.adapters import BaseAdapter

from sso.service import register_client
from tests.sso.conftest import VERIFIER, World
from tests.sso.signing import base64url, jwks
from tests.sso.test_dpop import proof


class Wire(BaseAdapter):
    """Carries requests to the application without a socket, and proves the client's key as RFC 9449 wants it."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._nonce: str | None = None
        self.asked: list[tuple[str, int]] = []

    def send(self, request: requests.PreparedRequest, *_arguments: Any, **_options: Any) -> requests.Response:
        """One request; the nonce that the answer names is for the next one."""
        answer = self._sent(request)
        self._nonce = answer.headers.get("DPoP-Nonce", self._nonce)
        return answer

    def close(self) -> None:
        """Nothing is open."""

    def _sent(self, request: requests.PreparedRequest) -> requests.Response:
        path = urlsplit(str(request.url)).path
        scheme, _, token = str(request.headers.get("Authorization", "")).partition(" ")
        token = token if scheme.lower() == "dpop" else ""
        ath: dict[str, Any] = {"ath": base64url(hashlib.sha256(token.encode()).digest())} if token else {}
        shown = proof(self._world, path, htm=request.method, nonce=self._nonce, **ath)
        found = self._world.app.test_client().open(
            path,
            base_url=self._world.issuer,
            method=str(request.method),
            data=request.body or b"",
            headers={**request.headers, "DPoP": shown},
        )
        self.asked.append((path, found.status_code))
        answer = requests.Response()
        answer.status_code, answer._content = found.status_code, found.data
        answer.headers.update(found.headers)
        answer.request, answer.url = request, str(request.url)
        return answer


def _as_dpop(token: str, uri: str, headers: dict[str, str], body: str, *_: str) -> tuple[str, dict[str, str], str]:
    return uri, {**headers, "Authorization": f"DPoP {token}"}, body


def test_authlibs_client_walks_through_par_dpop_and_private_key_jwt(world: World) -> None:
    key = ECKey.generate_key("P-256", {"kid": "authlib"})
    callback = "https://bank.example/callback"
    register_client(
        world.store,
        name="bank",
        title="Bank",
        title_zh="银行",
        redirect_uris=(callback,),
        scopes=frozenset({"openid", "profile"}),
        grants=frozenset({"authorization_code", "refresh_token"}),
        audience="https://bank.example",
        method="private_key_jwt",
        jwks=jwks(dict(key.as_dict(private=False))),
        requires=frozenset({"dpop"}),
        profile="fapi2",
    )
    at, wire = int(world.clock.now().timestamp()), Wire(world)
    session = OAuth2Session(
        "bank",
        key,
        scope="openid profile",
        redirect_uri=callback,
        code_challenge_method="S256",
        token_endpoint_auth_method="private_key_jwt",
    )
    session.mount(world.issuer, wire)

    def signing_anew() -> None:
        # Its signer keeps the jti that it put into the claims it was given; an assertion counts once.
        claims = {"iat": at, "exp": at + 60}
        signer = PrivateKeyJWT(token_endpoint=world.issuer, alg="ES256", claims=claims)
        session.register_client_auth_method(signer)

    metadata = session.get(f"{world.issuer}/.well-known/oauth-authorization-server", withhold_token=True).json()
    address, state = session.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=VERIFIER, nonce="a nonce"
    )
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}

    def push() -> dict[str, str]:
        signing_anew()
        said: dict[str, str] = session.post(
            metadata["pushed_authorization_request_endpoint"],
            data=asked,
            auth=session.client_auth("private_key_jwt"),
            withhold_token=True,
        ).json()
        return said

    assert push()["error"] == "use_dpop_nonce"
    pushed = push()
    browser = world.browser()
    start = browser.get("/authorize", client_id="bank", request_uri=pushed["request_uri"])
    said = browser.finish(browser.fill_in(browser.follow(start)))
    assert (said["state"], said["iss"]) == (state, metadata["issuer"])
    session.token_auth.SIGN_METHODS = {**session.token_auth.SIGN_METHODS, "dpop": _as_dpop}
    signing_anew()
    token = session.fetch_token(metadata["token_endpoint"], code=said["code"], code_verifier=VERIFIER)
    assert token["token_type"] == "DPoP"
    assert session.get(metadata["userinfo_endpoint"]).json()["name"] == "Li Na"
    signing_anew()
    again = session.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
    assert again["access_token"] != token["access_token"]
    paths = [path for path, status in wire.asked if status < 400]
    assert paths[1:] == ["/par", "/token", "/userinfo", "/token"]
