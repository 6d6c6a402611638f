# SPDX-License-Identifier: Apache-2.0
"""The simulator: the whole flow with invented people, for clients that only test; nothing else believes any of it."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from werkzeug.test import TestResponse

from sso.errors import InvalidToken
from sso.oauth.rfc9068 import TYP
from sso.service.invented import AT_ADDRESS, AT_TOKEN, PEOPLE
from tests.sso.conftest import SECRET, VERIFIER, World, hidden, make_world, request
from tests.sso.desk import Officer, developer
from tests.sso.test_portals import GOOD, asked, decide, told

CALLBACK = "https://library.example/callback"


class Library:
    """A client that only tests, and its program."""

    def __init__(self, world: World) -> None:
        self.world = world
        mine = developer(world)
        path = asked(mine, test="yes")
        decide(Officer(world), path)
        self.client, self.secret = told(mine.post(f"{path}/fetch", form_at=path).text)[:2]

    def authorize(self, **changes: str) -> TestResponse:
        sent = request(self.world, self.client, redirect_uri=CALLBACK, **changes)
        return self.world.app.test_client().get("/simulator/authorize", base_url=self.world.issuer, query_string=sent)

    def answer(self, **changes: str) -> dict[str, str]:
        location = self.authorize(**changes).location
        assert location.startswith(f"{CALLBACK}?"), location
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

    def post(self, path: str, **form: str) -> TestResponse:
        headers = self.world.basic(self.client, self.secret)
        return self.world.app.test_client().post(path, base_url=self.world.issuer, data=form, headers=headers)

    def redeem(self, code: str, path: str = "/simulator/token") -> TestResponse:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return self.post(path, **form)

    def tokens(self, who: str, **changes: str) -> dict[str, Any]:
        answer = self.redeem(self.answer(login_hint=who, **changes)["code"])
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found

    def userinfo(self, token: str, path: str = "/simulator/userinfo") -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"}
        return self.world.app.test_client().get(path, base_url=self.world.issuer, headers=headers)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    world = make_world(tmp_path_factory.mktemp("simulator"))
    yield Library(world)
    world.database.close()


def verified(library: Library, token: str) -> dict[str, Any]:
    """As a client verifies: by what discovery and the key set of the simulator say."""
    get = library.world.app.test_client().get
    found = get("/simulator/.well-known/openid-configuration", base_url=library.world.issuer).get_json()
    keys = jwt.PyJWKSet.from_dict(get("/simulator/jwks", base_url=library.world.issuer).get_json())
    claims: dict[str, Any] = jwt.decode(
        token,
        keys[jwt.get_unverified_header(token)["kid"]],
        algorithms=found["id_token_signing_alg_values_supported"],
        issuer=found["issuer"],
        audience=library.client,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    return claims


@pytest.mark.parametrize(("who", "acr"), [("level-1", "1"), ("level-2", "2"), ("level-3", "3"), ("civil-servant", "3")])
def test_an_invented_person_logs_in_by_login_hint_and_every_token_says_that_it_is_a_test(
    library: Library, who: str, acr: str
) -> None:
    given = library.tokens(who)
    claims = verified(library, given["id_token"])
    assert (claims["acr"], claims["test"], claims["nonce"]) == (acr, True, "a nonce")
    access = jwt.decode(given["access_token"], options={"verify_signature": False})
    assert access["test"] is True
    said = library.userinfo(given["access_token"]).get_json()
    assert (said["test"], said["name"], said["sub"]) == (True, PEOPLE[who].name, claims["sub"])
    again = library.post("/simulator/token", grant_type="refresh_token", refresh_token=given["refresh_token"])
    assert again.status_code == 200
    assert verified(library, again.get_json()["id_token"])["sub"] == claims["sub"]


def test_they_are_chosen_on_a_page_once_in_the_browser_that_began(library: Library) -> None:
    browser = library.world.browser()
    sent = request(library.world, library.client, redirect_uri=CALLBACK)
    page = browser.follow(browser.get("/simulator/authorize", **sent))
    assert all(key in page.text for key in PEOPLE)
    sealed = hidden(page.text, "interaction")
    stranger = library.world.browser()
    assert stranger.get("/simulator/people", interaction=sealed).status_code == 400
    answer = browser.post("/simulator/people", page, interaction=sealed, who="level-1")
    code = parse_qs(urlsplit(answer.location).query)["code"][0]
    assert browser.post("/simulator/people", page, interaction=sealed, who="level-2").status_code == 400
    assert library.redeem(code).status_code == 200
    # The code counts once.
    assert library.redeem(code).get_json()["error"] == "invalid_grant"


@pytest.mark.parametrize("code", AT_ADDRESS)
def test_every_error_of_the_authorization_endpoint_can_be_had(library: Library, code: str) -> None:
    answer = library.answer(login_hint=f"error:{code}")
    assert (answer["error"], answer["state"], answer["iss"]) == (code, "a state", f"{library.world.issuer}/simulator")


@pytest.mark.parametrize("code", AT_TOKEN)
def test_every_error_of_the_token_endpoint_can_be_had(library: Library, code: str) -> None:
    refused = library.redeem(library.answer(login_hint=f"token-error:{code}")["code"])
    status = {"invalid_client": 401, "temporarily_unavailable": 503}.get(code, 400)
    assert (refused.status_code, refused.get_json()["error"]) == (status, code)


def test_mishaps_happen_where_they_would(library: Library) -> None:
    assert library.answer(login_hint="refuses")["error"] == "access_denied"
    expired = library.redeem(library.answer(login_hint="expired")["code"])
    assert expired.get_json()["error"] == "invalid_grant"
    gone = library.tokens("disabled")
    assert library.userinfo(gone["access_token"]).status_code == 401
    refresh = library.post("/simulator/token", grant_type="refresh_token", refresh_token=gone["refresh_token"])
    assert refresh.get_json()["error"] == "invalid_grant"
    assert library.answer(login_hint="level-1", acr_values="2")["error"] == "unmet_authentication_requirements"
    assert library.answer(prompt="none")["error"] == "login_required"


def test_a_slow_answer_is_slow_and_comes(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []
    monkeypatch.setattr(library.world.service.simulator, "_pause", paused.append)
    library.tokens("slow")
    assert len(paused) == 1


def test_nothing_real_believes_what_the_simulator_says_and_it_believes_nothing_real(library: Library) -> None:
    world = library.world
    given = library.tokens("level-3")
    assert library.userinfo(given["access_token"], "/userinfo").status_code == 401
    asked_about = world.app.test_client().post(
        "/introspect", base_url=world.issuer, data={"token": given["access_token"]}, headers=world.basic("gateway")
    )
    assert asked_about.get_json() == {"active": False}
    # No key, and no issuer, that anything real is signed with: each alone is enough to refuse it.
    with pytest.raises(InvalidToken):
        world.keys.read(given["access_token"], typ=TYP, issuer=world.issuer)
    real_kids = {key["kid"] for key in world.service.jwks["keys"]}
    assert real_kids.isdisjoint(key["kid"] for key in world.service.simulator.jwks["keys"])
    assert jwt.decode(given["id_token"], options={"verify_signature": False})["iss"] == f"{world.issuer}/simulator"
    # Codes and refresh tokens are worth nothing there, nor is the client itself.
    code = library.answer(login_hint="level-1")["code"]
    assert library.redeem(code, "/token").get_json()["error"] == "invalid_client"
    assert library.post("/introspect", token=given["access_token"]).status_code == 401
    # The other way round, too.
    real = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()
    assert library.userinfo(real["access_token"]).status_code == 401
    assert (
        library.post("/simulator/token", grant_type="refresh_token", refresh_token=real["refresh_token"]).status_code
        == 400
    )


def test_a_real_client_gets_nothing_of_the_simulator(library: Library) -> None:
    world = library.world
    sent = request(world, "tax", login_hint="level-3")
    page = world.app.test_client().get("/simulator/authorize", base_url=world.issuer, query_string=sent)
    assert page.status_code == 400
    token = world.app.test_client().post(
        "/simulator/token",
        base_url=world.issuer,
        data={"grant_type": "authorization_code", "code": "x", "redirect_uri": "x", "code_verifier": "x"},
        headers=world.basic("tax", SECRET["tax"]),
    )
    assert token.get_json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    "changes", [{"redirect_uri": "https://evil.example/"}, {"client_id": "nobody"}, {"redirect_uri": "-"}], ids=str
)
def test_where_the_answer_goes_must_be_certain_here_too(library: Library, changes: dict[str, str]) -> None:
    sent = {**request(library.world, library.client, redirect_uri=CALLBACK, login_hint="error:server_error"), **changes}
    answer = library.world.app.test_client().get(
        "/simulator/authorize", base_url=library.world.issuer, query_string=sent
    )
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_pkce_and_twisted_codes_are_checked_as_for_the_real(library: Library) -> None:
    code = library.answer(login_hint="level-1")["code"]
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
    for twisted, verifier in ((code, "w" * 64), (code[:-4] + "AAAA", VERIFIER), (code + "=", VERIFIER), ("", VERIFIER)):
        assert library.post("/simulator/token", **form, code=twisted, code_verifier=verifier).status_code == 400
    assert library.authorize(login_hint="level-1", code_challenge_method="plain").location.count("error=") == 1


def test_no_person_no_session_and_no_directory_is_touched_and_each_answer_is_on_record(library: Library) -> None:
    world = library.world
    world.people.down = True
    before = len(world.recorder.events)
    given = library.tokens("mandate", scope="openid profile")
    library.userinfo(given["access_token"])
    world.people.down = False
    events = world.recorder.events[before:]
    assert [(each.type, each.attributes["step"]) for each in events] == [
        ("sso.simulated", step) for step in ("code", "tokens", "userinfo")
    ]
    assert all(each.subject == "" for each in events)
    at = int(world.clock.now().timestamp())
    assert world.store.sessions.of(PEOPLE["mandate"].subject, at) == []


def test_without_the_record_the_simulator_says_nothing(library: Library) -> None:
    library.world.recorder.down = True
    assert library.authorize(login_hint="level-1").status_code == 503
    library.world.recorder.down = False


def test_what_discovery_says_is_there_and_nothing_else(library: Library) -> None:
    get = library.world.app.test_client().get
    found = get("/simulator/.well-known/openid-configuration", base_url=library.world.issuer).get_json()
    beside = get("/.well-known/oauth-authorization-server/simulator", base_url=library.world.issuer).get_json()
    assert found == beside
    rules = {rule.rule for rule in library.world.app.url_map.iter_rules()}
    named = {value for name, value in found.items() if name.endswith("_endpoint") or name == "jwks_uri"}
    assert {urlsplit(each).path for each in named} <= rules
    assert not any(name.startswith(("introspection", "revocation", "end_session")) for name in found)
    assert GOOD["redirect_uri"] == CALLBACK
