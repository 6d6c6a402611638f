# SPDX-License-Identifier: Apache-2.0
"""At every place where a JWT enters: one that is right is taken, published examples and known attacks are refused.

Places are asked the way attackers reach them: sign-on's by its endpoints, the gateway's and the applications' by the
functions that every request passes.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from core.errors import TallygateError
from core.identity import ISSUER, IdentityVerifier
from core.jose import base64url, opened, public_key, thumbprint, verified
from gateway.tokens import KeySet, access_token, id_token
from sso.oauth.jarm import TYP as ANSWER_TYP
from sso.oauth.openid import ID_TOKEN_TYP, LOGOUT_TYP, USERINFO_TYP
from sso.oauth.rfc7517 import KeyRing
from sso.oauth.rfc9068 import TYP as ACCESS_TYP
from sso.oauth.rfc9701 import TYP as INTROSPECTION_TYP
from sso.service import register_client
from tests.fakes.sso_directory import LI
from tests.sso.conftest import World, make_world, request
from tests.sso.jose_attacks import ATTACKS, PUBLISHED, Good, signed

_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ADDRESS = "https://vectors.example/callback"
_CLIENT = generate_private_key(SECP256R1())


@dataclass
class Scene:
    """A sign-on whose key and clients' keys are known here, and a session's tokens."""

    world: World
    # The provider's own key, by which its tokens are made by hand.
    key: EllipticCurvePrivateKey
    tokens: Mapping[str, str]

    def at(self) -> int:
        return int(self.world.clock.now().timestamp())

    def claims_of(self, name: str) -> dict[str, Any]:
        part = self.tokens[name].split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
        return claims

    def ours(self, claims: Mapping[str, Any], typ: str) -> Good:
        return Good(header={"alg": "ES256", "typ": typ, "kid": self.kid}, claims=claims, key=self.key)

    @property
    def kid(self) -> str:
        return thumbprint(self.key.public_key())

    def post(self, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> int:
        send = self.world.app.test_client().post
        return send("/token", base_url=self.world.issuer, data=dict(form), headers=dict(headers or {})).status_code


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    key = generate_private_key(SECP256R1())
    world = make_world(tmp_path_factory.mktemp("sso"), keys=KeyRing(key))
    public = {**_public(_CLIENT), "kid": "client"}
    register_client(
        world.store,
        name="vectors",
        title="Vectors",
        title_zh="向量",
        redirect_uris=(_ADDRESS,),
        scopes=frozenset({"openid", "organisation"}),
        grants=frozenset({"authorization_code", "client_credentials", _EXCHANGE}),
        audience="https://vectors.example",
        method="private_key_jwt",
        jwks=json.dumps({"keys": [public]}),
        subject_type="public",
    )
    tokens = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()
    yield Scene(world, key, tokens)
    world.database.close()


@dataclass(frozen=True)
class Place:
    """Where a token enters: a right one, made anew each time, and whether another is taken."""

    good: Callable[[Scene], Good]
    takes: Callable[[Scene, str], bool]


def _public(key: EllipticCurvePrivateKey) -> dict[str, str]:
    return Good(header={}, claims={}, key=key).public()


def _clients(claims: Mapping[str, Any], typ: str) -> Good:
    return Good(header={"alg": "ES256", "typ": typ, "kid": "client"}, claims=claims, key=_CLIENT)


def _assertion(scene: Scene) -> Good:
    said = {"iss": "vectors", "sub": "vectors", "aud": scene.world.issuer, "exp": scene.at() + 60}
    return _clients({**said, "jti": secrets.token_hex(8)}, "client-authentication+jwt")


def _asserts(scene: Scene, token: str) -> bool:
    form = {"grant_type": "client_credentials", "client_assertion_type": _TYPE, "client_assertion": token}
    return scene.post(form) == 200


def _request_object(scene: Scene) -> Good:
    asked = {**request(scene.world), "client_id": "vectors", "redirect_uri": _ADDRESS, "scope": "openid"}
    times = {"nbf": scene.at(), "exp": scene.at() + 300}
    return _clients({**asked, **times, "iss": "vectors", "aud": scene.world.issuer}, "oauth-authz-req+jwt")


def _asks(scene: Scene, token: str) -> bool:
    answer = scene.world.browser().get("/authorize", client_id="vectors", request=token)
    return answer.status_code == 303 and answer.location.startswith("/login")


def _proof(scene: Scene) -> Good:
    key = generate_private_key(SECP256R1())
    claims = {
        "jti": secrets.token_hex(8),
        "htm": "POST",
        "htu": f"{scene.world.issuer}/token",
        "iat": scene.at(),
        "nonce": scene.world.service.nonces.current(),
    }
    header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": _public(key)}
    return Good(header=header, claims=claims, key=key, brings_key=True)


def _proves(scene: Scene, token: str) -> bool:
    headers = {**scene.world.basic("machine"), "DPoP": token}
    return scene.post({"grant_type": "client_credentials"}, headers) == 200


def _hint(scene: Scene) -> Good:
    return scene.ours(scene.claims_of("id_token"), ID_TOKEN_TYP)


def _hints(scene: Scene, token: str) -> bool:
    answer = scene.world.browser().authorize("tax", id_token_hint=token)
    return answer.status_code == 303 and answer.location.startswith("/login")


def _leaves(scene: Scene, token: str) -> bool:
    return scene.world.service.logout.wish(None, hint=token, client_id="", afterwards="", state="").client is not None


def _access(scene: Scene) -> Good:
    return scene.ours(scene.claims_of("access_token"), ACCESS_TYP)


def _bears(scene: Scene, token: str) -> bool:
    return scene.world.bearer(token).status_code == 200


def _introspected(scene: Scene, token: str) -> bool:
    send = scene.world.app.test_client().post
    basic = scene.world.basic("tax")
    answer = send("/introspect", base_url=scene.world.issuer, data={"token": token}, headers=basic)
    return bool(answer.get_json()["active"])


def _exchanged_access(scene: Scene) -> Good:
    claims = {**scene.claims_of("access_token"), "aud": "https://vectors.example"}
    return scene.ours(claims, ACCESS_TYP)


def _exchanges(scene: Scene, token: str) -> bool:
    form = {
        "grant_type": _EXCHANGE,
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "client_assertion_type": _TYPE,
        "client_assertion": _assertion(scene).token(),
    }
    return scene.post(form) == 200


def _let_in(scene: Scene, token: str) -> bool:
    keys = KeySet.read(json.dumps(scene.world.keys.jwks()).encode())
    audience, issuer = scene.world.site.origin("tax"), scene.world.issuer
    return _passes(lambda: access_token(token, keys, audience=audience, issuer=issuer, at=scene.world.clock.now()))


def _finishes(scene: Scene, token: str) -> bool:
    keys = KeySet.read(json.dumps(scene.world.keys.jwks()).encode())
    at, issuer = scene.world.clock.now(), scene.world.issuer
    return _passes(lambda: id_token(token, keys, client="tax", issuer=issuer, nonce="a nonce", at=at))


def _identity(scene: Scene) -> Good:
    claims = {
        "iss": ISSUER,
        "aud": "tax.city.localhost",
        "iat": scene.at(),
        "exp": scene.at() + 60,
        "sub": LI,
        "kind": "person",
        "sid": "s",
        "roles": [],
        "aal": 2,
        "amr": ["pwd"],
        "zone": "external",
        "decision": "d",
        "htm": "GET",
        "hth": base64url(hashlib.sha256(b"/").digest()),
    }
    return scene.ours(claims, "tallygate-identity+jwt")


def _identifies(scene: Scene, token: str) -> bool:
    verifier = IdentityVerifier(scene.key.public_key(), audience="tax.city.localhost")
    return _passes(lambda: verifier.verify(token, method="GET", path="/", at=scene.world.clock.now()))


def _passes(read: Callable[[], object]) -> bool:
    try:
        read()
    except TallygateError:
        return False
    return True


PLACES = {
    "client assertion": Place(_assertion, _asserts),
    "request object": Place(_request_object, _asks),
    "proof of possession": Place(_proof, _proves),
    "id_token_hint of a request": Place(_hint, _hints),
    "id_token_hint of a logout": Place(_hint, _leaves),
    "access token at userinfo": Place(_access, _bears),
    "access token at introspection": Place(_access, _introspected),
    "subject token of an exchange": Place(_exchanged_access, _exchanges),
    "access token at the gateway": Place(_access, _let_in),
    "ID token at the gateway": Place(_hint, _finishes),
    "identity header": Place(_identity, _identifies),
}
_KINDS = (LOGOUT_TYP, INTROSPECTION_TYP, USERINFO_TYP, ANSWER_TYP, ACCESS_TYP, ID_TOKEN_TYP, "dpop+jwt", "secevent+jwt")
_KEY_COMES_ALONG = frozenset({"key brought along (CVE-2018-0114)"})


@pytest.mark.parametrize("name", PLACES)
def test_known_attacks_are_refused_where_a_token_enters(scene: Scene, name: str) -> None:
    place = PLACES[name]
    assert place.takes(scene, place.good(scene).token())
    for attack, made in ATTACKS.items():
        good = place.good(scene)
        # A proof brings its own key by right: whose that is, the token it is bound to says.
        if not (good.brings_key and attack in _KEY_COMES_ALONG):
            assert not place.takes(scene, made(good)), attack
    # What was refused spoilt nothing.
    assert place.takes(scene, place.good(scene).token())


@pytest.mark.parametrize("name", PLACES)
def test_published_examples_and_tokens_of_other_kinds_are_refused_where_a_token_enters(scene: Scene, name: str) -> None:
    place = PLACES[name]
    good = place.good(scene)
    for source, example in PUBLISHED.items():
        assert not place.takes(scene, example.token), source
    for typ in (
        LOGOUT_TYP,
        INTROSPECTION_TYP,
        USERINFO_TYP,
        ANSWER_TYP,
        ACCESS_TYP,
        ID_TOKEN_TYP,
        "dpop+jwt",
        "secevent+jwt",
    ):
        taken = {good.header["typ"], "", "JWT"} if name == "client assertion" else {good.header["typ"]}
        if typ not in taken:
            again = place.good(scene)
            assert not place.takes(scene, signed({**again.header, "typ": typ}, again.claims, again.key)), typ


@pytest.mark.parametrize("source", PUBLISHED)
def test_published_examples_are_what_their_sources_say(source: str) -> None:
    """Under the keys given with them they are right, so it was not for a slip of the pen that they were refused."""
    example = PUBLISHED[source]
    text, _, signature = example.token.rpartition(".")
    content = base64.urlsafe_b64decode(signature + "==")
    match example.key.get("kty"):
        case "oct":
            shared = base64.urlsafe_b64decode(example.key["k"] + "==")
            assert hmac.digest(shared, text.encode(), "sha256") == content
        case "RSA":
            public_key(example.key).verify(content, text.encode(), PKCS1v15(), SHA256())  # type: ignore[call-arg, arg-type]  # by its kty
        case "EC":
            compact = opened(example.token, names=frozenset({"alg"}))
            assert verified(compact, public_key(example.key))["iss"] == "joe"
        case "OKP":
            found = public_key(example.key)
            assert isinstance(found, Ed25519PublicKey)
            found.verify(content, text.encode())
        case _:
            assert content == b""


def test_a_published_thumbprint_is_ours() -> None:
    """RFC 8037 appendix A.3."""
    key = public_key(PUBLISHED["RFC 8037 A.4, EdDSA"].key)
    assert thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
