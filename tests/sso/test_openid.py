# SPDX-License-Identifier: Apache-2.0
"""OpenID Connect beyond the login: single claims, whom an answer is about, pairwise subjects, encryption, goodbyes."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from joserfc import jwe
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from core.errors import Unavailable
from sso.config import SSOSettings
from sso.errors import BadClient
from sso.models import Client
from sso.oauth.openid.wanted import fitting, names_at, wanted_of, without
from sso.service import register_client
from tests.fakes.sso_directory import LI, WANG
from tests.sso.conftest import VERIFIER, World, answered, hidden, make_world
from tests.sso.desk import Officer, developer
from tests.sso.signing import Key, jwks

ORIGINS = {"one": "https://one.example", "two": "https://two.example", "sister": "https://sister.example"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For what changes nothing."""
    made = make_world(tmp_path_factory.mktemp("sso"))
    yield made
    made.database.close()


def register(world: World, name: str = "one", **changes: Any) -> Client:
    given: dict[str, Any] = {
        "name": name,
        "title": name.title(),
        "title_zh": name,
        "redirect_uris": (f"{ORIGINS[name]}/callback",),
        "scopes": frozenset({"openid", "profile", "email"}),
        "grants": frozenset({"authorization_code", "refresh_token"}),
        "audience": ORIGINS[name],
        "secret": name[0] * 43,
        **changes,
    }
    return register_client(world.store, **given)


def log_in(world: World, name: str = "one", username: str = "li.na", **changes: str) -> dict[str, Any]:
    address = f"{ORIGINS[name]}/callback"
    answer = world.browser().log_in(name, username, redirect_uri=address, **changes)
    return redeem(world, answer["code"], name)


def redeem(world: World, code: str, name: str = "one") -> dict[str, Any]:
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER}
    form["redirect_uri"] = f"{ORIGINS[name]}/callback"
    basic = world.basic(name, name[0] * 43)
    said = world.app.test_client().post("/token", base_url=world.issuer, data=form, headers=basic)
    assert said.status_code == 200, said.text
    found: dict[str, Any] = said.get_json()
    return found


def read(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def test_agencies_know_a_person_by_different_identifiers_and_their_own_applications_by_one(world: World) -> None:
    register(world, "one", sector="tax-office")
    register(world, "sister", sector="tax-office")
    register(world, "two")
    told = {name: log_in(world, name) for name in ("one", "sister", "two")}
    subjects = {name: read(each["id_token"])["sub"] for name, each in told.items()}
    assert subjects["one"] == subjects["sister"]
    assert len({*subjects.values(), LI}) == 3
    for name, each in told.items():
        # Every place a client can look at says the same.
        assert read(each["access_token"])["sub"] == subjects[name]
        assert world.bearer(each["access_token"]).get_json()["sub"] == subjects[name]
        asked = world.app.test_client().post(
            "/introspect",
            base_url=world.issuer,
            data={"token": each["refresh_token"]},
            headers=world.basic(name, name[0] * 43),
        )
        assert asked.get_json()["sub"] == subjects[name]
    # The gateway decides by the directory's own.
    gateway = world.app.test_client().post(
        "/introspect",
        base_url=world.issuer,
        data={"token": told["two"]["access_token"]},
        headers=world.basic("gateway"),
    )
    assert gateway.get_json()["sub"] == LI
    # So does the record.
    reads = [event.subject for event in world.recorder.events if event.type == "sso.userinfo"]
    assert set(reads) == {LI}
    assert log_in(world, "one", "wang.wei") != told["one"]


def test_single_claims_are_given_where_they_were_asked_for_and_agreed_to(world: World) -> None:
    register(world)
    wish = {"userinfo": {"email": {"essential": True}, "unknown": None}, "id_token": {"name": None, "sid": None}}
    told = log_in(world, scope="openid", claims=json.dumps(wish))
    claims = read(told["id_token"])
    assert claims["name"] == "Li Na"
    assert "email" not in claims
    about = world.bearer(told["access_token"]).get_json()
    assert set(about) == {"sub", "email"}
    assert told["scope"] == "openid"


def test_a_claim_is_asked_about_like_its_scope_and_withheld_like_it(world: World) -> None:
    register(world)
    browser = world.browser()
    address = f"{ORIGINS['one']}/callback"
    claims = json.dumps({"userinfo": {"email": None}})
    start = browser.authorize("one", redirect_uri=address, scope="openid", claims=claims)
    page = browser.follow(browser.fill_in(browser.follow(start)))
    assert "your e-mail address" in page.text
    answer = browser.post(
        "/consent", page, interaction=hidden(page.text, "interaction"), choice="allow", withhold="email"
    )
    told = redeem(world, answered(answer)["code"])
    assert "email" not in world.bearer(told["access_token"]).get_json()


def test_claims_that_a_client_is_not_registered_for_are_not_there(world: World) -> None:
    register(world, scopes=frozenset({"openid"}))
    told = log_in(world, scope="openid", claims=json.dumps({"userinfo": {"email": None, "roles": None}}))
    assert set(world.bearer(told["access_token"]).get_json()) == {"sub"}


@pytest.mark.parametrize(
    "claims",
    [
        "x",
        "[]",
        '{"userinfo": []}',
        '{"userinfo": {"email": 1}}',
        '{"userinfo": {"email": {"shell": 1}}}',
        '{"userinfo": {"email": {"values": []}}}',
        '{"userinfo": {"email": {"value": "a", "values": ["b"]}}}',
        '{"userinfo": {"email": {"value": {"deep": 1}}}}',
        '{"userinfo": {"email": {"essential": "yes"}}}',
        '{"userinfo": {"sub": {"value": "a"}}, "id_token": {"sub": {"value": "b"}}}',
        '{"a": ' * 30 + "1" + "}" * 30,
        '{"userinfo": {}, "userinfo": {}}',
        json.dumps({"userinfo": {f"c{number}": None for number in range(30)}}),
    ],
)
def test_a_claims_parameter_that_cannot_be_read_is_told_to_the_client(shared: World, claims: str) -> None:
    assert answered(shared.browser().authorize("tax", claims=claims))["error"] == "invalid_request"


def test_claims_are_read_into_one_form() -> None:
    found = wanted_of('{"id_token":{"acr":{"values":["3","2","x"]},"sub":{"value":"s"},"email":null}}')
    assert (found.assurance, found.subject, found.claims) == (2, "s", '{"id_token":{"email":null},"userinfo":{}}')
    assert without(found.claims, {"email"}) == ""


def test_claims_asked_for_with_values_are_told_with_these_alone(world: World) -> None:
    register(world, scopes=frozenset({"openid", "profile", "email", "roles"}))
    own = {"value": "li.na@city.example"}
    told = log_in(
        world,
        scope="openid profile",
        claims=json.dumps(
            {
                "userinfo": {
                    "email": own,
                    "name": {"values": ["Somebody Else", "Li Na"]},
                    "roles": {"value": "auditor"},
                },
                "id_token": {"email": {"value": "another@city.example"}, "name": {"essential": True}},
            }
        ),
    )
    about = world.bearer(told["access_token"]).get_json()
    assert (about["email"], about["name"], "roles" in about) == (own["value"], "Li Na", False)
    # That the scope opens it does not bring back what was asked for with another value.
    other = log_in(world, scope="openid profile", claims=json.dumps({"userinfo": {"name": {"value": "Somebody Else"}}}))
    assert "name" not in world.bearer(other["access_token"]).get_json()
    assert "preferred_username" in world.bearer(other["access_token"]).get_json()
    claims = read(told["id_token"])
    assert "email" not in claims
    assert claims["name"] == "Li Na"


def test_of_a_list_those_are_told_that_were_asked_for_and_older_families_are_still_read() -> None:
    asked = wanted_of('{"userinfo":{"roles":{"values":["officer","clerk"]},"email":{"value":"a"}}}').claims
    assert fitting(asked, "userinfo", {"roles": ["auditor", "clerk"], "email": "b", "sub": "s"}) == {
        "roles": ["clerk"], "sub": "s",
    }  # fmt: skip
    assert fitting(asked, "id_token", {"email": "b"}) == {"email": "b"}
    older = '{"id_token":[],"userinfo":["email"]}'
    assert names_at(older, "userinfo") == {"email"}
    assert fitting(older, "userinfo", {"email": "b"}) == {"email": "b"}


def test_what_a_client_calls_essential_is_said_on_the_page_and_may_still_be_kept(world: World) -> None:
    register(world)
    browser, address = world.browser(), f"{ORIGINS['one']}/callback"
    claims = json.dumps({"userinfo": {"email": {"essential": True}}})
    start = browser.authorize("one", redirect_uri=address, scope="openid profile", claims=claims)
    page = browser.follow(browser.fill_in(browser.follow(start)))
    assert page.text.count("needed for this, the service says") == 1
    form = {"interaction": hidden(page.text, "interaction"), "choice": "allow", "withhold": "email"}
    told = redeem(world, answered(browser.post("/consent", page, **form))["code"])
    assert "email" not in world.bearer(told["access_token"]).get_json()


def test_an_answer_is_about_whom_the_client_asked_about_or_nobody(world: World) -> None:
    register(world)
    address = f"{ORIGINS['one']}/callback"
    mine = log_in(world)
    hint = mine["id_token"]
    # Another person is logged in: nothing without a page, and with one the right person has to come.
    browser = world.browser()
    browser.log_in("one", "wang.wei", redirect_uri=address)
    silent = browser.authorize("one", redirect_uri=address, prompt="none", id_token_hint=hint)
    assert answered(silent)["error"] == "login_required"
    page = browser.follow(browser.authorize("one", redirect_uri=address, id_token_hint=hint))
    assert answered(browser.fill_in(page, "wang.wei"))["error"] == "login_required"
    page = browser.follow(browser.authorize("one", redirect_uri=address, id_token_hint=hint))
    assert (
        read(redeem(world, browser.finish(browser.fill_in(page, "li.na"))["code"])["id_token"])["sub"]
        == (read(hint)["sub"])
    )
    # By a wanted sub as well, and old hints count.
    world.clock.advance(timedelta(minutes=10))
    claims = json.dumps({"id_token": {"sub": {"value": read(hint)["sub"]}}})
    for asked in ({"id_token_hint": hint}, {"claims": claims}):
        assert "code" in answered(browser.authorize("one", redirect_uri=address, prompt="none", **asked))


@pytest.mark.parametrize("spoil", ["another client's", "changed", "access token", "none", "contradiction"])
def test_a_hint_that_is_no_id_token_of_this_client_is_refused(shared: World, spoil: str) -> None:
    world = shared
    register(world)
    told = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()
    mine = log_in(world)
    hint = {
        "another client's": told["id_token"],
        "changed": mine["id_token"][:-2] + ("AA" if mine["id_token"][-2:] != "AA" else "BB"),
        "access token": mine["access_token"],
        "none": "eyJhbGciOiJub25lIn0.e30.",
        "contradiction": mine["id_token"],
    }[spoil]
    more = {"claims": json.dumps({"id_token": {"sub": {"value": "another"}}})} if spoil == "contradiction" else {}
    address = f"{ORIGINS['one']}/callback"
    answer = world.browser().authorize("one", redirect_uri=address, id_token_hint=hint, **more)
    assert answered(answer)["error"] == "invalid_request"


def test_an_essential_acr_is_reached_or_refused(world: World) -> None:
    register(world)
    address = f"{ORIGINS['one']}/callback"
    claims = json.dumps({"id_token": {"acr": {"essential": True, "values": ["2"]}}})
    browser = world.browser()
    browser.log_in("one", redirect_uri=address)
    silent = browser.authorize("one", redirect_uri=address, prompt="none", claims=claims)
    assert answered(silent)["error"] == "login_required"


def test_a_login_hint_fills_in_a_name_and_languages_are_followed_until_the_person_chooses(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("tax", login_hint='li.na"><script>', ui_locales="de zh-Hans-CN en"))
    assert 'value="li.na&#34;&gt;&lt;script&gt;"' in page.text
    assert 'lang="zh' in page.text
    english = world.browser()
    english.get("/logged-out", lang="en")
    assert '<html lang="en"' in english.follow(english.authorize("tax", ui_locales="zh")).text


@pytest.mark.parametrize("signed", [True, False])
def test_what_is_told_is_signed_and_encrypted_where_a_client_wants_it(world: World, *, signed: bool) -> None:
    key = Key()
    flags: dict[str, Any] = (
        {"userinfo_signed": True} if signed else {"userinfo_encrypted": True, "id_token_encrypted": True}
    )
    register(world, jwks=jwks(Key().jwk(), key.jwk(use="enc", alg="ECDH-ES")), **flags)
    told = log_in(world)
    about = world.bearer(told["access_token"])
    assert about.mimetype == "application/jwt"
    token, id_token = about.text, told["id_token"]
    if not signed:
        private = ECKey.import_key(key.private)  # type: ignore[arg-type]  # as below
        token, id_token = (_opened(each, private) for each in (token, id_token))
    claims = world.keys.read(id_token, typ="JWT", issuer=world.issuer)
    found = jwt.decode(token, options={"verify_signature": False})
    assert (found["iss"], found["aud"], found["sub"]) == (world.issuer, "one", claims["sub"])
    assert jwt.get_unverified_header(token)["typ"] == "userinfo+jwt"
    # Neither passes for the other.
    assert world.bearer(token).status_code == 401


def _opened(token: str, key: ECKey) -> str:
    assert token.count(".") == 4
    found = jwe.decrypt_compact(token, key, algorithms=["ECDH-ES", "A256GCM"])
    assert found.headers()["cty"] == "JWT"
    assert found.plaintext is not None
    return found.plaintext.decode()


def test_answers_about_tokens_are_encrypted_to_whoever_registered_for_that(world: World) -> None:
    key = Key()
    register(world, jwks=jwks(key.jwk(use="enc")), introspection_encrypted=True)
    token = log_in(world)["access_token"]

    def ask(accept: str) -> TestResponse:
        headers = {**world.basic("one", "o" * 43), "Accept": accept}
        send = world.app.test_client().post
        return send("/introspect", base_url=world.issuer, data={"token": token}, headers=headers)

    answer = ask("application/token-introspection+jwt")
    assert answer.mimetype == "application/token-introspection+jwt"
    assert token not in answer.text
    signed = _opened(answer.text, ECKey.import_key(key.private))  # type: ignore[arg-type]  # takes cryptography's keys too
    assert jwt.get_unverified_header(signed)["typ"] == "token-introspection+jwt"
    ours = jwt.PyJWK(world.keys.jwks()["keys"][0])
    claims = jwt.decode(signed, ours, algorithms=["ES256"], audience="one", issuer=world.issuer)
    assert claims["token_introspection"]["active"] is True
    # What was to be encrypted is never told plainly instead.
    assert ask("application/json").status_code == 400
    assert ask("*/*").get_json()["error"] == "invalid_request"


def test_nothing_is_promised_to_be_encrypted_without_a_key_for_it(world: World) -> None:
    key = Key()
    bad: list[dict[str, Any]] = [
        key.jwk(),
        key.jwk(use="enc", alg="RSA1_5"),
        Key("PS256").jwk(use="enc"),
        {**key.jwk(use="enc"), "d": "AA"},
    ]
    for jwk in bad:
        with pytest.raises(BadClient):
            register(world, jwks=jwks(jwk), id_token_encrypted=True)
    # A key for encryption verifies nothing.
    with pytest.raises(BadClient):
        register(world, jwks=jwks({**key.jwk(use="enc"), "key_ops": ["verify"]}), id_token_encrypted=True)


class Portal:
    """What a client hears by the back channel."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.answers: Callable[[], bool] = lambda: True
        # By address, where that matters.
        self.answers_at: Callable[[str], bool] = lambda _address: self.answers()

    def __call__(self, address: str, token: str) -> bool:
        good = self.answers_at(address)
        assert jwt.get_unverified_header(token)["typ"] == "logout+jwt"
        self.heard.append((address, read(token)))
        return good


@pytest.fixture
def portal() -> Portal:
    return Portal()


@pytest.fixture
def told(tmp_path: Path, portal: Portal) -> Any:
    made = make_world(tmp_path, tell=portal)
    register(made, logout_uri="https://one.example/goodbye")
    register(made, "two", logout_uri="https://two.example/goodbye")
    yield made
    made.database.close()


@pytest.mark.parametrize("how", ["logout", "disabled", "consent", "ended by its owner"])
def test_clients_are_told_whose_session_ended_however_it_did(told: World, portal: Portal, how: str) -> None:
    browser = told.browser()
    address = f"{ORIGINS['one']}/callback"
    token = redeem(told, browser.log_in("one", redirect_uri=address)["code"])["id_token"]
    if how == "logout":
        browser.get("/logout", id_token_hint=token)
    elif how == "disabled":
        told.hear("directory.person.disabled", subject=LI)
    elif how == "consent":
        browser.post("/account/consents/withdraw", browser.get("/account"), client="one")
    else:
        browser.post("/account/sessions/end-all", browser.get("/account"))
    assert told.service.goodbyes.round() == 1
    ((where, said),) = portal.heard
    claims = read(token)
    assert where == "https://one.example/goodbye"
    assert (said["aud"], said["iss"], said["sub"], said["sid"]) == ("one", told.issuer, claims["sub"], claims["sid"])
    assert said["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert "nonce" not in said
    # Once.
    assert told.service.goodbyes.round() == 0
    # Bug class 8: such a token is neither an ID token nor an access token.
    assert told.service.logout.wish(None, hint=token, client_id="", afterwards="", state="").client is not None


def test_a_client_that_does_not_answer_is_told_again_for_an_hour_and_holds_up_nobody(
    told: World, portal: Portal
) -> None:
    browsers = [told.browser() for _ in range(7)]
    for browser in browsers:
        browser.log_in("one", redirect_uri=f"{ORIGINS['one']}/callback")

    def fails() -> bool:
        raise Unavailable

    portal.answers = fails
    told.hear("directory.person.disabled", subject=LI)
    assert told.service.goodbyes.round() == 0
    waiting = told.store.goodbyes.due(int(told.clock.now().timestamp()), limit=99)
    # Five at a time; the others are still due, and those five are not.
    assert len(waiting) == 2
    portal.answers = lambda: True
    told.clock.advance(timedelta(seconds=16))
    assert told.service.goodbyes.round() + told.service.goodbyes.round() == 7
    told.people.enable(LI)
    assert told.browser().log_in("two", "wang.wei", redirect_uri=f"{ORIGINS['two']}/callback")
    portal.answers = lambda: False
    told.hear("directory.person.disabled", subject=WANG)
    for _ in range(30):
        told.service.goodbyes.round()
        told.clock.advance(timedelta(seconds=200))
    assert told.store.goodbyes.due(int(told.clock.now().timestamp()), limit=9) == []
    assert 5 < len([where for where, _ in portal.heard if "two" in where]) < 15
    # That it was never told stands in the record, once, and at the desk until it is reached again.
    assert told.drain().count("sso.goodbye.undelivered") == 1
    missed = next(event for event in told.recorder.events if event.type == "sso.goodbye.undelivered")
    assert (missed.subject, missed.object) == (WANG, "two")
    assert [(each.client_id, each.missed) for each in told.service.goodbyes.unreached()] == [("two", 1)]
    page = Officer(told).get("/admin").text
    assert "Portals that are not told of ended sessions" in page
    assert "Portals that are not told" not in developer(told).get("/admin").text
    portal.answers = lambda: True
    told.people.enable(WANG)
    told.hear("directory.person.enabled", subject=WANG)
    told.browser().log_in("two", "wang.wei", redirect_uri=f"{ORIGINS['two']}/callback")
    told.hear("directory.person.disabled", subject=WANG)
    assert told.service.goodbyes.round() == 1
    assert told.service.goodbyes.unreached() == []


def test_a_client_that_is_slow_keeps_no_other_waiting(told: World, portal: Portal) -> None:
    for name in ("one", "two"):
        told.browser().log_in(name, redirect_uri=f"{ORIGINS[name]}/callback")
    reached, released = threading.Event(), threading.Event()

    def answers(where: str) -> bool:
        if "one" in where:
            return released.wait(60)
        reached.set()
        return True

    portal.answers_at = answers
    told.hear("directory.person.disabled", subject=LI)
    begun = told.service.goodbyes.begin()
    assert reached.wait(60)
    # While it is still being told, the same client is not told by another thread.
    assert told.service.goodbyes.begin() == []
    released.set()
    assert sum(future.result(60) for future in begun) == 2


def test_no_client_is_sent_more_in_an_hour_than_the_site_says(tmp_path: Path, portal: Portal) -> None:
    world = make_world(tmp_path, tell=portal, settings=SSOSettings(goodbyes_hourly=3))
    register(world, logout_uri="https://one.example/goodbye")
    for _ in range(5):
        world.browser().log_in("one", redirect_uri=f"{ORIGINS['one']}/callback")
    world.clock.advance(timedelta(seconds=3600 - int(world.clock.now().timestamp()) % 3600 - 60))
    world.hear("directory.person.disabled", subject=LI)
    assert world.service.goodbyes.round() == 3
    assert world.service.goodbyes.round() == 0
    world.clock.advance(timedelta(minutes=2))
    assert world.service.goodbyes.round() == 2
    world.database.close()


def test_one_of_many_workers_delivers_a_goodbye(told: World) -> None:
    told.browser().log_in("one", redirect_uri=f"{ORIGINS['one']}/callback")
    told.hear("directory.person.disabled", subject=LI)
    at = int(told.clock.now().timestamp())
    (found,) = told.store.goodbyes.due(at, limit=9)
    assert [told.store.goodbyes.take(found, at=at, due_at=at + 9, hourly=9) for _ in range(3)] == [True, False, False]
