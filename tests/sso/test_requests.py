# SPDX-License-Identifier: Apache-2.0
"""Requests that are pushed, signed, fetched and answered signed; for whom tokens are, and what exactly they allow."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from werkzeug.test import TestResponse

from core.errors import Unavailable
from tests.sso.conftest import Browser, World, answered, hidden, make_world, request
from tests.sso.signing import Key, handmade, jwks
from tests.sso.test_tokens import _parallel

KEY, OTHER = Key(), Key()
OBJECTS = "https://tax.city.localhost:8443/request.jwt"
API = "https://api.city.localhost:8443"
URN = "urn:ietf:params:oauth:request_uri:"
DETAILS = [{"type": "payment", "actions": ["initiate"], "identifier": "notice-7", "locations": ["treasury"]}]


@pytest.fixture
def served() -> dict[str, str]:
    """What lies at the clients' addresses."""
    return {}


@pytest.fixture
def world(tmp_path: Path, served: dict[str, str]) -> Iterator[World]:
    def fetch(address: str) -> str:
        if address not in served:
            raise Unavailable
        return served[address]

    made = make_world(tmp_path, fetch=fetch)
    change(
        made,
        jwks=jwks(KEY.jwk()),
        request_uris=(OBJECTS,),
        resources=frozenset({API}),
        detail_types=frozenset({"payment"}),
    )
    yield made
    made.database.close()


def change(world: World, name: str = "tax", **changes: Any) -> None:
    found = world.store.clients.find(name)
    assert found is not None
    world.store.clients.put(replace(found, **changes))


def push(world: World, client: str = "tax", **changes: Any) -> TestResponse:
    form = {**request(world, client), **changes}
    headers = world.basic(client) if client != "web-app" else {}
    return world.app.test_client().post("/par", base_url=world.issuer, data=form, headers=headers)


def visit(browser: Browser, address: str, client: str = "tax", **more: str) -> TestResponse:
    return browser.get("/authorize", client_id=client, request_uri=address, **more)


def signed(world: World, **changes: Any) -> str:
    at = int(world.clock.now().timestamp())
    claims: dict[str, Any] = {
        **request(world),
        "iss": "tax",
        "aud": world.issuer,
        "nbf": at,
        "exp": at + 300,
        **changes,
    }
    return KEY.sign({n: v for n, v in claims.items() if v is not None}, typ="oauth-authz-req+jwt")


def said_to_client(answer: TestResponse) -> str:
    """The error a client is told, or that of a page nobody is led away from."""
    if answer.status_code == 303:
        return answered(answer)["error"]
    assert "Location" not in answer.headers
    return str(answer.status_code)


class TestPushed:
    """RFC 9126."""

    def test_a_pushed_request_is_what_counts(self, world: World) -> None:
        answer = push(world, state="pushed state")
        assert answer.status_code == 201
        document = answer.get_json()
        assert document["request_uri"].startswith(URN)
        assert 0 < document["expires_in"] < 600
        browser = world.browser()
        # Whatever the browser says beside it is nothing.
        page = browser.follow(visit(browser, document["request_uri"], state="other", scope="openid email"))
        said = browser.finish(browser.fill_in(page))
        assert (said["state"], said["iss"]) == ("pushed state", world.issuer)
        assert world.redeem("tax", said["code"]).get_json()["scope"] == "openid profile"

    def test_bug_class_3_fifty_browsers_take_one_pushed_request(self, world: World) -> None:
        address = push(world).get_json()["request_uri"]
        answers = _parallel(50, lambda: visit(world.browser(), address))
        assert sorted(answer.status_code for answer in answers) == [303] + [400] * 49

    def test_bug_class_2_a_pushed_request_is_its_clients(self, world: World) -> None:
        address = push(world).get_json()["request_uri"]
        assert visit(world.browser(), address, "social").status_code == 400
        assert visit(world.browser(), address).status_code == 303

    def test_a_pushed_request_is_over_soon(self, world: World) -> None:
        address = push(world).get_json()
        world.clock.advance(timedelta(seconds=address["expires_in"]))
        assert visit(world.browser(), address["request_uri"]).status_code == 400

    @pytest.mark.parametrize("tail", ["", "x", "A" * 43, "A" * 9000, "../../x", "\x00", "ü"])
    def test_bug_class_18_an_address_nobody_gave(self, world: World, tail: str) -> None:
        answer = visit(world.browser(), URN + tail)
        assert answer.status_code == 400
        assert "Location" not in answer.headers

    def test_bug_class_1_no_other_value_is_a_pushed_request(self, world: World) -> None:
        browser = world.browser()
        tokens = world.redeem("tax", browser.log_in("tax")["code"]).get_json()
        code = browser.log_in_again("tax")["code"]
        for value in (code, tokens["refresh_token"], browser.cookie("__Host-sso-session")):
            assert visit(world.browser(), URN + value).status_code == 400
        number = push(world).get_json()["request_uri"].removeprefix(URN)
        assert world.redeem("tax", number).get_json()["error"] == "invalid_grant"
        refresh = world.token("tax", grant_type="refresh_token", refresh_token=number)
        assert refresh.get_json()["error"] == "invalid_grant"
        assert browser.get("/login/card", handover=number).status_code == 400

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"redirect_uri": "https://evil.example/callback"}, "invalid_request"),
            ({"request_uri": URN + "x"}, "invalid_request"),
            ({"request_uri": OBJECTS}, "invalid_request"),
            ({"code_challenge_method": "plain"}, "invalid_request"),
            ({"scope": "openid roles"}, "invalid_scope"),
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"client_id": "social"}, "invalid_client"),
            ({"client_secret": "x"}, "invalid_client"),
            ({"request": "a.b.c"}, "invalid_request_object"),
            ({"resource": "https://evil.example"}, "invalid_target"),
            ({"authorization_details": "[]"}, "invalid_authorization_details"),
            ({"dpop_jkt": "short"}, "invalid_request"),
            ({"state": "s" * 3000}, "invalid_request"),
            ({"anything": "x" * 9000}, "invalid_request"),
        ],
    )
    def test_what_would_be_refused_later_is_refused_at_once(
        self, world: World, changes: dict[str, str], error: str
    ) -> None:
        answer = push(world, **changes)
        assert answer.status_code in (400, 401)
        assert answer.get_json()["error"] == error

    def test_nobody_pushes_without_proving_who_they_are(self, world: World) -> None:
        bare = world.app.test_client().post("/par", base_url=world.issuer, data=request(world))
        assert (bare.status_code, bare.get_json()["error"]) == (401, "invalid_client")
        assert push(world, "web-app").status_code == 201

    def test_who_must_push_cannot_ask_otherwise(self, world: World) -> None:
        change(world, requires=frozenset({"par"}))
        assert said_to_client(world.browser().authorize("tax")) == "invalid_request"
        assert said_to_client(world.browser().authorize("tax", request=signed(world))) == "invalid_request"
        assert visit(world.browser(), push(world).get_json()["request_uri"]).status_code == 303

    def test_bug_class_7_a_client_that_changed_meanwhile(self, world: World) -> None:
        address = push(world).get_json()["request_uri"]
        change(world, redirect_uris=("https://tax.city.localhost:8443/other",))
        answer = visit(world.browser(), address)
        assert answer.status_code == 400
        assert "Location" not in answer.headers


class TestSigned:
    """RFC 9101."""

    def _by_value(self, world: World, token: str, **beside: str) -> TestResponse:
        return world.browser().get("/authorize", client_id="tax", request=token, **beside)

    def test_what_is_signed_counts_and_nothing_beside_it(self, world: World) -> None:
        browser = world.browser()
        beside = {"state": "forged", "scope": "openid email", "redirect_uri": "https://evil.example"}
        start = browser.get("/authorize", client_id="tax", request=signed(world, max_age=300), **beside)
        said = browser.finish(browser.fill_in(browser.follow(start)))
        assert said["state"] == "a state"
        assert world.redeem("tax", said["code"]).get_json()["scope"] == "openid profile"

    def test_it_can_be_pushed_too(self, world: World) -> None:
        change(world, requires=frozenset({"par", "signed_request"}))
        answer = world.app.test_client().post(
            "/par", base_url=world.issuer, data={"request": signed(world)}, headers=world.basic("tax")
        )
        assert visit(world.browser(), answer.get_json()["request_uri"]).status_code == 303
        assert push(world).get_json()["error"] == "invalid_request"

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "social"},
            {"iss": None},
            {"client_id": "social"},
            {"client_id": None},
            {"aud": None},
            {"aud": "https://sso.city.localhost:8443/"},
            {"aud": "https://sso.city.localhost:8443/authorize"},
            {"aud": ["https://sso.city.localhost:8443"]},
            {"exp": None},
            {"exp": 1},
            {"exp": 2**40},
            {"nbf": None},
            {"nbf": 2**40},
            {"nbf": 1},
            {"sub": "tax"},
            {"request": "a.b.c"},
            {"request_uri": OBJECTS},
            {"max_age": True},
            {"max_age": 1.5},
            {"scope": ["openid"]},
            {"state": {"a": 1}},
            {"claims": "x", "nonce": None, "extra": None, "state": ["x"]},
        ],
    )
    def test_an_object_that_does_not_fit(self, world: World, changes: dict[str, Any]) -> None:
        told = said_to_client(self._by_value(world, signed(world, **changes), redirect_uri=world.callback("tax")))
        assert told == "invalid_request_object"

    @pytest.mark.parametrize("typ", ["JWT", "at+jwt", "dpop+jwt", "", None])
    def test_bug_class_1_what_was_signed_for_another_purpose(self, world: World, typ: str | None) -> None:
        claims = jwt.decode(signed(world), options={"verify_signature": False})
        assert said_to_client(self._by_value(world, KEY.sign(claims, typ=typ))) == "400"

    @pytest.mark.parametrize("name", ["none", "NONE", "nOnE", "HS256", "RS256", "ES384"])
    def test_bug_class_8_algorithm_confusion(self, world: World, name: str) -> None:
        claims = jwt.decode(signed(world), options={"verify_signature": False})
        header = {"alg": name, "kid": KEY.kid, "typ": "oauth-authz-req+jwt"}
        for key in (b"", KEY.spki, jwks(KEY.jwk()).encode()):
            assert said_to_client(self._by_value(world, handmade(header, claims, key))) == "400"
        foreign = OTHER.sign(claims, typ="oauth-authz-req+jwt", kid=KEY.kid)
        assert said_to_client(self._by_value(world, foreign)) == "400"

    def test_bug_classes_9_and_10_headers_that_bring_things(self, world: World) -> None:
        claims = jwt.decode(signed(world), options={"verify_signature": False})
        for header in ({"crit": ["exp"], "exp": 1}, {"jwk": OTHER.public}, {"jku": OBJECTS}, {"x5u": OBJECTS}):
            for key in (KEY, OTHER):
                token = key.sign(claims, typ="oauth-authz-req+jwt", **header)
                assert said_to_client(self._by_value(world, token)) == "400"

    def test_bug_class_15_a_bad_object_never_leads_anywhere_uncertain(self, world: World) -> None:
        """Its own address is no address; the one beside it is, if it is registered."""
        evil = signed(world, redirect_uri="https://evil.example")
        assert said_to_client(self._by_value(world, evil)) == "400"
        assert said_to_client(self._by_value(world, "a.b.c", redirect_uri="https://evil.example")) == "400"
        beside = self._by_value(world, "a.b.c", redirect_uri=world.callback("tax"), response_mode="query.jwt")
        assert beside.location.startswith(world.callback("tax"))

    @pytest.mark.parametrize("token", ["", "x", "..", "a.b.c", "A" * 9000, "e30.e30.AA", "\x00"])
    def test_bug_class_24_odd_objects(self, world: World, token: str) -> None:
        assert self._by_value(world, token).status_code == 400

    def test_a_client_without_keys_cannot_sign(self, world: World) -> None:
        told = said_to_client(world.browser().authorize("social", request=signed(world)))
        assert told == "request_not_supported"
        told = said_to_client(world.browser().authorize("social", request_uri="https://x.example/r"))
        assert told == "request_uri_not_supported"

    def test_an_object_is_fetched_from_its_registered_address_only(self, world: World, served: dict[str, str]) -> None:
        """Bug class 25: nothing else is ever asked for."""
        at = {"redirect_uri": world.callback("tax")}
        served[OBJECTS] = signed(world)
        assert visit(world.browser(), OBJECTS).location.startswith("/login")
        twisted = (
            *("http://169.254.169.254/", "http://localhost/", "file:///etc/passwd", OBJECTS + "?x", OBJECTS + "#x"),
            *(OBJECTS.upper(), OBJECTS.replace("https", "http"), OBJECTS.replace("tax", "evil@tax"), "urn:x", "x"),
        )
        for address in twisted:
            served[address] = signed(world)
            assert said_to_client(visit(world.browser(), address, **at)) == "invalid_request_uri", address
        del served[OBJECTS]
        assert said_to_client(visit(world.browser(), OBJECTS, **at)) == "invalid_request_uri"
        served[OBJECTS] = "<html>"
        assert said_to_client(visit(world.browser(), OBJECTS, **at)) == "invalid_request_object"
        both = world.browser().authorize("tax", request=signed(world), request_uri=OBJECTS)
        assert said_to_client(both) == "invalid_request_object"


class TestSignedAnswers:
    """JARM, and the issuer in every answer (RFC 9207; bug class 21)."""

    def _read(self, world: World, token: str) -> dict[str, Any]:
        read: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWKSet.from_dict(world.keys.jwks()).keys[0],
            algorithms=["ES256"],
            audience="tax",
            issuer=world.issuer,
            options={"verify_exp": False, "verify_iat": False},
        )
        return read

    @pytest.mark.parametrize("mode", ["jwt", "query.jwt"])
    def test_a_code_and_an_error_come_signed(self, world: World, mode: str) -> None:
        browser = world.browser()
        answer = browser.fill_in(browser.follow(browser.authorize("tax", response_mode=mode)))
        said = browser.finish(answer)
        assert set(said) == {"response"}
        read = self._read(world, said["response"])
        assert (read["state"], read["iss"]) == ("a state", world.issuer)
        assert world.redeem("tax", read["code"]).status_code == 200
        wrong = answered(browser.authorize("tax", response_mode=mode, scope="profile"))
        assert set(wrong) == {"response"}
        assert self._read(world, wrong["response"])["error"] == "invalid_scope"

    def test_in_a_form_too(self, world: World) -> None:
        browser = world.browser()
        browser.log_in("tax")
        page = browser.authorize("tax", response_mode="form_post.jwt")
        assert page.status_code == 200
        assert self._read(world, hidden(page.text, "response"))["iss"] == world.issuer
        plain = browser.authorize("tax", response_mode="form_post")
        assert hidden(plain.text, "iss") == world.issuer

    def test_who_must_be_answered_signed_is_never_answered_a_code_otherwise(self, world: World) -> None:
        change(world, requires=frozenset({"signed_response"}))
        for mode in ("-", "query", "form_post"):
            answer = world.browser().authorize("tax", response_mode=mode)
            assert "invalid_request" in (answer.text if mode == "form_post" else answer.location)
        assert world.browser().authorize("tax", response_mode="jwt").location.startswith("/login")

    def test_bug_class_1_an_answer_is_no_token(self, world: World) -> None:
        browser = world.browser()
        browser.log_in("tax")
        token = answered(browser.authorize("tax", response_mode="jwt"))["response"]
        assert world.bearer(token).status_code == 401
        told = world.app.test_client().post(
            "/introspect", base_url=world.issuer, data={"token": token}, headers=world.basic("tax")
        )
        assert told.get_json() == {"active": False}


class TestResources:
    """RFC 8707: a token is for exactly one."""

    def _code(self, world: World, *resources: str) -> str:
        browser = world.browser()
        pairs = [*request(world).items(), *(("resource", each) for each in resources)]
        start = browser.client.get("/authorize", base_url=world.issuer, query_string=pairs)
        return browser.finish(browser.fill_in(browser.follow(start)))["code"]

    def _audience(self, answer: TestResponse) -> Any:
        token = answer.get_json()["access_token"]
        return jwt.decode(token, options={"verify_signature": False})["aud"]

    def test_the_one_that_was_asked_for(self, world: World) -> None:
        answer = world.redeem("tax", self._code(world, API))
        assert self._audience(answer) == API
        # It is of no use at another place, ours included.
        assert world.bearer(answer.get_json()["access_token"]).status_code == 401

    def test_of_several_one_at_a_time(self, world: World) -> None:
        tax = world.site.origin("tax")
        answer = world.redeem("tax", self._code(world, API, tax), resource=API)
        assert self._audience(answer) == API
        refresh = {"grant_type": "refresh_token", "refresh_token": answer.get_json()["refresh_token"]}
        assert self._audience(world.token("tax", **refresh, resource=tax)) == tax
        assert self._audience(world.token("tax", **refresh)) == tax

    def test_what_was_not_granted_is_not_given_and_the_code_stays(self, world: World) -> None:
        code = self._code(world)
        answer = world.redeem("tax", code, resource=API)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_target")
        assert world.redeem("tax", code).status_code == 200

    @pytest.mark.parametrize("twist", ["/", "/x", "#x", "?x", " "])
    def test_bug_class_12_a_resource_is_equal_or_nothing(self, world: World, twist: str) -> None:
        said = answered(world.browser().authorize("tax", resource=API + twist))
        assert said["error"] == "invalid_target"

    def test_a_machine_names_its_own(self, world: World) -> None:
        change(world, "machine", resources=frozenset({API}))
        good = world.token("machine", grant_type="client_credentials", resource=API)
        assert self._audience(good) == API
        bad = world.token("machine", grant_type="client_credentials", resource="https://evil.example")
        assert bad.get_json()["error"] == "invalid_target"


class TestDetails:
    """RFC 9396."""

    def _code(self, world: World, details: Any = DETAILS) -> tuple[TestResponse, Browser]:
        browser = world.browser()
        start = browser.authorize("tax", authorization_details=json.dumps(details))
        return browser.follow(browser.fill_in(browser.follow(start))), browser

    def test_they_are_shown_agreed_and_told(self, world: World) -> None:
        page, browser = self._code(world)
        assert "payment: initiate, notice-7, treasury" in page.text
        form = {"interaction": hidden(page.text, "interaction"), "choice": "allow"}
        answer = world.redeem("tax", answered(browser.post("/consent", page, **form))["code"])
        tokens = answer.get_json()
        assert tokens["authorization_details"] == DETAILS
        claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
        assert claims["authorization_details"] == DETAILS
        told = world.app.test_client().post(
            "/introspect", base_url=world.issuer, data={"token": tokens["access_token"]}, headers=world.basic("tax")
        )
        assert told.get_json()["authorization_details"] == DETAILS
        # A yes to these is no yes to others, nor to the same once more.
        again = browser.authorize("tax", authorization_details=json.dumps(DETAILS))
        assert again.location.startswith("/consent")
        none = browser.authorize("tax", authorization_details=json.dumps(DETAILS), prompt="none")
        assert answered(none)["error"] == "consent_required"
        wider = json.dumps([{"type": "payment", "actions": ["initiate", "cancel"]}])
        refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        refused = world.token("tax", **refresh, authorization_details=wider)
        assert refused.get_json()["error"] == "invalid_authorization_details"
        assert world.token("tax", **refresh).get_json()["authorization_details"] == DETAILS

    @pytest.mark.parametrize(
        "details",
        [
            "nonsense",
            "{}",
            "[]",
            "[7]",
            '[{"type":"other"}]',
            '[{"type":["payment"]}]',
            '[{"actions":["x"]}]',
            '[{"type":"payment","amount":7}]',
            '[{"type":"payment","actions":"x"}]',
            '[{"type":"payment","actions":[]}]',
            '[{"type":"payment","actions":[7]}]',
            '[{"type":"payment","type":"payment"}]',
            '[{"type":"payment","identifier":"\\u0000"}]',
            "[" * 700,
            '[{"type":"payment"}],"x":[1',
            '[{"type":"payment"}]}{',
            json.dumps([{"type": "payment"}] * 9),
            json.dumps([{"type": "payment", "identifier": "x" * 300}]),
        ],
    )
    def test_details_nobody_would_understand(self, world: World, details: str) -> None:
        said = answered(world.browser().authorize("tax", authorization_details=details))
        assert said["error"] == "invalid_authorization_details"

    def test_bug_class_16_hostile_details_stay_text(self, world: World) -> None:
        page, _browser = self._code(world, [{"type": "payment", "identifier": "<script>alert(1)</script>"}])
        assert "<script>alert" not in page.text


def test_the_metadata_say_what_is_offered(world: World) -> None:
    client = world.app.test_client()
    document = client.get("/.well-known/oauth-authorization-server", base_url=world.issuer).get_json()
    AuthorizationServerMetadata(document).validate()
    assert document["pushed_authorization_request_endpoint"] == f"{world.issuer}/par"
    assert document["authorization_response_iss_parameter_supported"] is True
    assert "none" not in document["token_endpoint_auth_signing_alg_values_supported"]
    assert document["protected_resources"] == [world.issuer, world.site.origin("tax")]
    resource = client.get("/.well-known/oauth-protected-resource", base_url=world.issuer).get_json()
    assert resource["authorization_servers"] == [document["issuer"]]
    challenge = client.get("/userinfo", base_url=world.issuer).headers["WWW-Authenticate"]
    assert f'resource_metadata="{world.issuer}/.well-known/oauth-protected-resource"' in challenge


def test_bug_class_29_no_address_of_ours_comes_from_a_header(world: World) -> None:
    client = world.app.test_client()
    headers = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    for path in ("/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource"):
        assert "evil" not in client.get(path, base_url=world.issuer, headers=headers).text
