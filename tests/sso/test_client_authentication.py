# SPDX-License-Identifier: Apache-2.0
"""How clients prove who they are: private_key_jwt, certificates, a secret, a name; one way each, and attacks on all."""

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from audit import Entry, Event, Outcome
from sso.errors import BadClient
from sso.service import register_client
from tests.sso.conftest import NGINX, SECRET, World
from tests.sso.signing import Key, base64url, handmade, jwks

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEY, OTHER = Key(), Key()
MACHINE: dict[str, Any] = {
    "title": "Machine",
    "title_zh": "机器",
    "scopes": frozenset({"organisation"}),
    "grants": frozenset({"client_credentials"}),
    "audience": "https://tax.city.localhost:8443",
}


def _register(world: World, name: str = "signer", **more: Any) -> None:
    given: dict[str, Any] = {"method": "private_key_jwt", "jwks": jwks(KEY.jwk()), **more}
    register_client(world.store, name=name, **{**MACHINE, **given})


def _claims(world: World, **changes: Any) -> dict[str, Any]:
    at = int(world.clock.now().timestamp())
    claims = {
        "iss": "signer",
        "sub": "signer",
        "aud": world.issuer,
        "iat": at,
        "exp": at + 60,
        "jti": secrets.token_hex(8),
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def _ask(world: World, assertion: str, **more: str) -> TestResponse:
    form = {
        "grant_type": "client_credentials",
        "client_assertion": assertion,
        "client_assertion_type": TYPE,
        **more,
    }
    sent = {name: value for name, value in form.items() if value != "-"}
    return world.app.test_client().post("/token", base_url=world.issuer, data=sent)


def _refused(answer: TestResponse) -> None:
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client"), answer.text


@pytest.mark.parametrize("kind", ["ES256", "PS256", "EdDSA"])
def test_an_assertion_of_each_pinned_algorithm_is_taken_once(world: World, kind: str) -> None:
    key = Key(kind)
    _register(world, jwks=jwks(key.jwk(use="sig", alg=kind)))
    assertion = key.sign(_claims(world))
    assert _ask(world, assertion).status_code == 200
    _refused(_ask(world, assertion))
    assert _ask(world, key.sign(_claims(world)), client_id="signer").status_code == 200


def test_the_identifiers_of_two_clients_do_not_meet(world: World) -> None:
    _register(world)
    _register(world, "second", jwks=jwks(OTHER.jwk()))
    assert _ask(world, KEY.sign(_claims(world, jti="one"))).status_code == 200
    assert _ask(world, OTHER.sign(_claims(world, iss="second", sub="second", jti="one"))).status_code == 200


def test_authlibs_client_is_understood(world: World) -> None:
    key = ECKey.generate_key("P-256", {"kid": "theirs"})
    _register(world, jwks=jwks(dict(key.as_dict(private=False))))
    at = int(world.clock.now().timestamp())
    # Its own way of signing; only the audience is said as we want it, and the time as our clock has it.
    signer = PrivateKeyJWT(token_endpoint=world.issuer, alg="ES256", claims={"iat": at, "exp": at + 100})

    class Auth:
        client_id, client_secret = "signer", key

    assert _ask(world, signer.sign(Auth, world.issuer)).status_code == 200


AUDIENCES: list[Callable[[str], Any]] = [
    lambda issuer: f"{issuer}/",
    lambda issuer: f"{issuer}/token",
    lambda issuer: f"{issuer}/par",
    lambda issuer: issuer.upper(),
    lambda issuer: issuer[:-1],
    lambda issuer: f" {issuer}",
    lambda issuer: [issuer],
    lambda issuer: [issuer, "https://elsewhere.example"],
    lambda issuer: {"aud": issuer},
    lambda _issuer: "",
    lambda _issuer: None,
    lambda _issuer: 7,
    lambda issuer: issuer.replace("sso.", "sso-tls."),
]


@pytest.mark.parametrize("audience", AUDIENCES)
def test_bug_class_13_audience_injection(world: World, audience: Callable[[str], Any]) -> None:
    _register(world)
    _refused(_ask(world, KEY.sign(_claims(world, aud=audience(world.issuer)))))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "tax"},
        {"sub": "tax"},
        {"iss": None},
        {"sub": None},
        {"sub": ["signer"]},
        {"exp": None},
        {"exp": 1},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 10.5},
        {"exp": 2**70},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 300},
        {"iat": 2**40},
        {"iat": "now"},
        {"nbf": 2**40},
    ],
)
def test_bug_class_12_issuer_and_date_slips(world: World, changes: dict[str, Any]) -> None:
    _register(world)
    _refused(_ask(world, KEY.sign(_claims(world, **changes))))


@pytest.mark.parametrize("lasts", [0, -1, 301, 3600])
def test_an_assertion_lasts_five_minutes_at_most(world: World, lasts: int) -> None:
    _register(world)
    at = int(world.clock.now().timestamp())
    _refused(_ask(world, KEY.sign(_claims(world, exp=at + lasts))))


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "HS256", "HS512", "RS256", "ES384", "PS256", ""])
def test_bug_class_8_algorithm_confusion(world: World, name: str) -> None:
    _register(world)
    header = {"alg": name, "kid": KEY.kid, "typ": "JWT"}
    for key in (b"", KEY.spki, KEY.spki.strip(), base64.b64encode(KEY.spki), jwks(KEY.jwk()).encode()):
        _refused(_ask(world, handmade(header, _claims(world), key)))
    good = KEY.sign(_claims(world))
    _refused(_ask(world, good.rpartition(".")[0] + "."))
    _refused(_ask(world, good.rpartition(".")[0]))


def test_another_key_under_the_same_name_is_refused(world: World) -> None:
    _register(world)
    _refused(_ask(world, OTHER.sign(_claims(world), kid=KEY.kid)))
    _refused(_ask(world, OTHER.sign(_claims(world))))
    _refused(_ask(world, Key("PS256").sign(_claims(world), kid=KEY.kid)))


@pytest.mark.parametrize("header", [{"crit": ["exp"], "exp": 1}, {"crit": ["x"], "x": 1}, {"crit": []}, {"zip": "DEF"}])
def test_bug_class_9_unknown_critical_extensions(world: World, header: dict[str, Any]) -> None:
    _register(world)
    _refused(_ask(world, KEY.sign(_claims(world), **header)))


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": OTHER.public, "kid": None},
        {"jku": "https://evil.example/keys", "kid": None},
        {"x5u": "https://evil.example/chain", "kid": None},
        {"x5c": ["AAAA"], "kid": None},
        {"jwk": OTHER.public},
    ],
)
def test_bug_class_10_keys_from_the_token(world: World, header: dict[str, Any]) -> None:
    _register(world)
    _refused(_ask(world, OTHER.sign(_claims(world), **header)))
    _refused(_ask(world, KEY.sign(_claims(world), **header)))


@pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "oauth-authz-req+jwt", "jwt", "logout+jwt"])
def test_what_was_signed_for_another_purpose_is_no_assertion(world: World, typ: str) -> None:
    _register(world)
    _refused(_ask(world, KEY.sign(_claims(world), typ=typ)))


@pytest.mark.parametrize(
    "assertion",
    ["", "a", "a.b", "a.b.c", "a.b.c.d", "." * 9, "e30.e30.e30", "A" * 9000, "\x00", "e30=.e30=.e30=", "ü.ü.ü"],
)
def test_bug_class_24_odd_assertions_cost_nothing(world: World, assertion: str) -> None:
    _register(world)
    _refused(_ask(world, assertion))


def test_bug_class_24_deep_and_doubled_json(world: World) -> None:
    _register(world)
    header = base64url(b'{"alg":"ES256","kid":"k"}')
    deep = base64url(b'{"sub":' + b"[" * 2000 + b"]" * 2000 + b"}")
    twice = base64url(b'{"sub":"signer","sub":"tax"}')
    nan = base64url(b'{"sub":NaN}')
    for payload in (deep, twice, nan):
        _refused(_ask(world, f"{header}.{payload}.AAAA"))


def test_bug_class_18_a_changed_byte_makes_an_assertion_worthless(world: World) -> None:
    _register(world)
    good = KEY.sign(_claims(world))
    for place in range(0, len(good), 7):
        changed = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
        _refused(_ask(world, changed))
    assert _ask(world, good).status_code == 200


@pytest.mark.parametrize(
    "bad",
    [
        {"d": "AAAA"},
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"alg": "ES384"},
        {"crv": "P-384"},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "EC2"},
        {"x": "AAAA"},
        {"x": 7},
        {"kid": ""},
        {"kid": None},
    ],
)
def test_a_key_that_must_not_verify_cannot_be_registered(world: World, bad: dict[str, Any]) -> None:
    with pytest.raises(BadClient):
        _register(world, jwks=jwks(KEY.jwk(**bad)))


@pytest.mark.parametrize("document", ["", "[]", "{}", '{"keys":[]}', '{"keys":{}}', '{"keys":[7]}', "nonsense", "\x00"])
def test_what_is_no_key_set_cannot_be_registered(world: World, document: str) -> None:
    with pytest.raises(BadClient):
        _register(world, jwks=document)


@pytest.mark.parametrize(
    "given",
    [
        {"method": "private_key_jwt", "jwks": ""},
        {"method": "private_key_jwt", "secret": "s" * 43},
        {"method": "tls_client_auth", "jwks": "", "certificate_subject": ""},
        {"method": "self_signed_tls_client_auth"},
        {"method": "client_secret_basic", "jwks": ""},
        {"method": "client_secret_post", "secret": "s" * 43},
        {"method": "client_secret_jwt", "secret": "s" * 43},
        {"method": "none"},
    ],
)
def test_a_method_and_what_it_needs_belong_together(world: World, given: dict[str, Any]) -> None:
    with pytest.raises(BadClient):
        _register(world, **given)


def test_each_client_has_one_way(world: World) -> None:
    """Bug class 2 and the downgrade: no other method, no two at once, nobody else's name beside it."""
    _register(world)

    def good() -> str:
        return KEY.sign(_claims(world))

    theirs = KEY.sign(_claims(world, iss="machine", sub="machine"))
    client, form = world.app.test_client(), {"grant_type": "client_credentials"}
    two = {**form, "client_assertion": good(), "client_assertion_type": TYPE}
    tries: list[tuple[dict[str, str], dict[str, str]]] = [
        ({**form, "client_id": "signer"}, {}),
        (form, world.basic("signer", "s" * 43)),
        (two, world.basic("machine")),
        ({**two, "client_secret": "s" * 43}, {}),
        ({**two, "client_id": "machine"}, {}),
        ({**two, "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, {}),
        ({**form, "client_assertion": good()}, {}),
        ({**form, "client_assertion_type": TYPE}, {}),
        (
            {
                **form,
                "client_assertion": theirs,
                "client_assertion_type": TYPE,
            },
            {},
        ),
    ]
    for sent, headers in tries:
        _refused(client.post("/token", base_url=world.issuer, data=sent, headers=headers))
    assert _ask(world, good()).status_code == 200
    assert SECRET["machine"]


def _over_tls(
    world: World, pem: str | None, *, secret: bytes = NGINX, path: str = "/token", **form: str
) -> TestResponse:
    headers = {"Tallygate-Caller": "nginx", "Tallygate-Secret": base64.b64encode(secret).decode()}
    if pem is not None:
        headers["Tallygate-Client-Certificate"] = pem.replace("\n", "%0A").replace(" ", "%20").replace("+", "%2B")
    if "authorization" in form:
        headers["Authorization"] = form.pop("authorization")
    origin = world.site.origin("sso-tls")
    return world.app.test_client().post(path, base_url=origin, data=form, headers=headers)


def _own(world: World, key: Key) -> tuple[str, dict[str, Any]]:
    certificate = key.certificate(world.clock)
    listed = key.jwk(x5c=[base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()])
    return certificate.public_bytes(Encoding.PEM).decode(), listed


def test_a_registered_certificate_proves_its_client(world: World) -> None:
    pem, listed = _own(world, KEY)
    foreign, _ = _own(world, KEY)
    _register(world, method="self_signed_tls_client_auth", jwks=jwks(listed))
    form: Any = {"grant_type": "client_credentials", "client_id": "signer"}
    assert _over_tls(world, pem, **form).status_code == 200
    # Another certificate of the very same key was not registered.
    for shown in (foreign, None, "", "nonsense", pem + pem):
        _refused(_over_tls(world, shown, **form))


def test_a_certificate_of_the_sites_authority_proves_its_client(world: World) -> None:
    _register(world, method="tls_client_auth", jwks="", certificate_subject="device-7")
    form: Any = {"grant_type": "client_credentials", "client_id": "signer"}
    assert _over_tls(world, "card 7a device-7", **form).status_code == 200
    for shown in ("card 7a device-77", "card 7a Device-7", "nonsense", None):
        _refused(_over_tls(world, shown, **form))
    world.cards.withdrawn.add("7a")
    _refused(_over_tls(world, "card 7a device-7", **form))
    world.cards.down = True
    assert _over_tls(world, "card 7a device-7", **form).status_code == 503


def test_bug_class_23_a_certificate_header_from_outside_the_proxy(world: World) -> None:
    _register(world, method="tls_client_auth", jwks="", certificate_subject="device-7")
    form: Any = {"grant_type": "client_credentials", "client_id": "signer"}
    # At the host that asks for no certificate the header is nothing, even with nginx's own secret.
    headers = {
        "Tallygate-Caller": "nginx",
        "Tallygate-Secret": base64.b64encode(NGINX).decode(),
        "Tallygate-Client-Certificate": "card%207a%20device-7",
    }
    client = world.app.test_client()
    _refused(client.post("/token", base_url=world.issuer, data=form, headers=headers))
    # At the host that does, it is nothing without.
    origin = world.site.origin("sso-tls")
    del headers["Tallygate-Secret"]
    assert client.post("/token", base_url=origin, data=form, headers=headers).status_code in (401, 403)
    assert _over_tls(world, "card 7a device-7", secret=b"x" * 32, **form).status_code in (401, 403)


def test_bug_class_23_a_bound_token_works_with_its_certificate_only(world: World) -> None:
    pem, listed = _own(world, KEY)
    other, _ = _own(world, OTHER)
    world.store.clients.put(_bound(world, jwks(listed)))
    code = world.browser().log_in("tax")["code"]
    form: Any = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": world.callback("tax"),
        "code_verifier": "v" * 64,
        "client_id": "tax",
    }
    tokens = _over_tls(world, pem, **form).get_json()
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    der = base64.b64decode(listed["x5c"][0])
    assert claims["cnf"] == {"x5t#S256": base64url(hashlib.sha256(der).digest())}
    bearer = f"Bearer {tokens['access_token']}"
    assert _over_tls(world, pem, path="/userinfo", authorization=bearer).status_code == 200
    for shown in (other, None, "nonsense"):
        assert _over_tls(world, shown, path="/userinfo", authorization=bearer).status_code == 401
    # Without the certificate's host there is no certificate.
    assert world.bearer(tokens["access_token"]).status_code == 401
    told = _over_tls(world, pem, path="/introspect", token=tokens["access_token"], client_id="tax").get_json()
    assert told["cnf"] == claims["cnf"]


def test_a_token_bound_to_a_certificate_ends_with_its_revocation(world: World) -> None:
    pem, listed = _own(world, KEY)
    world.store.clients.put(_bound(world, jwks(listed)))
    form: Any = {
        "grant_type": "authorization_code",
        "code": world.browser().log_in("tax")["code"],
        "redirect_uri": world.callback("tax"),
        "code_verifier": "v" * 64,
        "client_id": "tax",
    }
    token = _over_tls(world, pem, **form).get_json()["access_token"]
    serial = format(x509.load_pem_x509_certificate(pem.encode()).serial_number, "x")
    asking: Any = {"path": "/introspect", "token": token, "client_id": "tax"}

    def heard(kind: str, number: str, issuer: str = "devices") -> None:
        event = Event(
            key=f"{world.heard:032x}",
            type=f"ca.certificate.{kind}",
            outcome=Outcome.SUCCESS,
            at=world.clock.now(),
            source="ca",
            object=number,
            attributes={"issuer": issuer},
        )
        world.service.news.hear([Entry(index=world.heard, event=event)])
        world.heard += 1

    heard("revoked", "1234")
    heard("revoked", serial, issuer="organisations")
    assert _over_tls(world, pem, **asking).get_json()["active"]
    heard("suspended", serial)
    assert _over_tls(world, pem, **asking).get_json() == {"active": False}
    assert _over_tls(world, pem, path="/userinfo", authorization=f"Bearer {token}").status_code == 401
    heard("released", serial)
    assert _over_tls(world, pem, **asking).get_json()["active"]
    heard("revoked", serial)
    assert _over_tls(world, pem, **asking).get_json() == {"active": False}


def test_a_client_whose_tokens_must_be_bound_gets_none_that_is_not(world: World) -> None:
    _register(world, requires=frozenset({"mtls"}))
    answer = _ask(world, KEY.sign(_claims(world)))
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_the_certificate_host_serves_programs_only(world: World) -> None:
    for path in ("/authorize", "/login", "/account", "/jwks", "/logout", "/.well-known/openid-configuration"):
        answer = world.app.test_client().get(path, base_url=world.site.origin("sso-tls"))
        assert answer.status_code == 404, path


def _bound(world: World, keys: str) -> Any:
    tax = world.store.clients.find("tax")
    assert tax is not None
    method: Any = "self_signed_tls_client_auth"
    return replace(tax, method=method, secret_hash="", jwks=keys, requires=frozenset({"mtls"}))
