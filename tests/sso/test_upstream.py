# SPDX-License-Identifier: Apache-2.0
"""Another provider, which is a second whole instance of ours: links, levels, and how its word is forged in vain."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from werkzeug.test import TestResponse

from core.errors import Unavailable
from sso.config import SSOSettings, UpstreamSettings
from sso.models import Session
from sso.oauth.openid import LOGOUT_TYP, logout_claims
from sso.oauth.rfc7517 import KeyRing
from sso.service import register_client
from sso.service.upstream import METHODS
from tests.fakes.sso_directory import LI, WANG
from tests.sso.conftest import Browser, World, answered, hidden, make_world

CLIENT = "the-city"
BACK = "/login/upstream"


@dataclass
class Two:
    """A city, the nation whose provider it trusts, and the wire between them."""

    city: World
    nation: World
    # What the token endpoint of the nation answers becomes, before the city sees it.
    twisted: Callable[[dict[str, Any]], dict[str, Any]] = field(default=lambda answer: answer)
    asked: list[str] = field(default_factory=list)

    def begin(self, browser: Browser, page: TestResponse, path: str = BACK) -> tuple[TestResponse, str]:
        """From a form of the city to the nation's page; returned is that, and where it was asked."""
        form = {"interaction": hidden(page.text, "interaction")} if path == BACK else {}
        answer = browser.post(path, page, **form)
        assert answer.status_code == 303, answer.text
        assert answer.location.startswith(self.nation.issuer + "/authorize?")
        return answer, answer.location

    def at_nation(self, address: str, username: str = "li.na", visitor: Browser | None = None) -> str:
        """Somebody logs in there by password; where that leads."""
        there = visitor or self.nation.browser()
        parts = urlsplit(address)
        page = there.follow(there.get(f"{parts.path}?{parts.query}"))
        answer = there.fill_in(page, username)
        if answer.location.startswith("/consent"):
            page = there.follow(answer)
            answer = there.post("/consent", page, interaction=hidden(page.text, "interaction"), choice="allow")
        assert answer.location.startswith(self.city.issuer + BACK), answer.location
        return str(answer.location)

    def back(self, browser: Browser, location: str, **changes: str) -> TestResponse:
        query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()} | changes
        return browser.get(BACK, **{name: value for name, value in query.items() if value != "-"})

    def linked(self, username: str = "li.na", *, there: str = "li.na") -> Browser:
        """A browser of the city whose person has just linked their account."""
        browser = self.city.browser()
        browser.log_in("tax", username)
        page = browser.get("/account/factors")
        _answer, address = self.begin(browser, page, "/account/factors/upstream")
        done = self.back(browser, self.at_nation(address, there))
        assert done.location == "/account/factors", done.text
        return browser

    def come(self, there: str = "li.na", **changes: str) -> TestResponse:
        """A fresh browser logs in by the nation."""
        browser = self.city.browser()
        _answer, address = self.begin(browser, browser.follow(browser.authorize("gateway")))
        return self.back(browser, self.at_nation(address, there), **changes)

    def sessions(self, subject: str = LI) -> list[Session]:
        at = int(self.city.clock.now().timestamp())
        return [each for each in self.city.store.sessions.of(subject, at) if "upstream" in each.methods]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    made: list[Two] = []

    def ask(address: str) -> str:
        """Each reads what lies at the other's public addresses."""
        world = next((each for each in (made[0].city, made[0].nation) if address.startswith(each.issuer)), None)
        if world is None:
            raise Unavailable
        made[0].asked.append(address)
        return str(world.app.test_client().get(address[len(world.issuer) :], base_url=world.issuer).text)

    def exchange(address: str, form: bytes) -> str:
        nation = made[0].nation
        assert address == nation.issuer + "/token"
        fields = {name: values[0] for name, values in parse_qs(form.decode()).items()}
        answer = nation.app.test_client().post("/token", base_url=nation.issuer, data=fields)
        if answer.status_code != 200:
            raise Unavailable
        return json.dumps(made[0].twisted(answer.get_json()))

    nation = make_world(_folder(tmp_path, "nation"), domain="nation.localhost", fetch=ask)
    trusted = UpstreamSettings(issuer=nation.issuer, client_id=CLIENT, title="The nation", title_zh="国家平台")
    city = make_world(
        _folder(tmp_path, "city"),
        clock=nation.clock,
        fetch=ask,
        exchange=exchange,
        settings=SSOSettings(upstream=trusted),
    )
    register_client(
        nation.store,
        name=CLIENT,
        title="The city",
        title_zh="城市",
        redirect_uris=(city.issuer + BACK,),
        scopes=frozenset({"openid"}),
        audience=city.issuer,
        method="private_key_jwt",
        jwks=json.dumps(city.keys.jwks()),
        sector="cities",
        subject_type="pairwise",
    )
    made.append(Two(city, nation))
    yield made[0]
    for world in (city, nation):
        world.database.close()


def test_whoever_is_linked_comes_by_the_other_provider_at_the_lowest_of_three_levels(two: Two) -> None:
    two.linked()
    assert answered(two.come())["code"]
    (session,) = two.sessions()
    # The nation saw a password: that is level 1, whatever was agreed.
    assert (session.subject, session.methods, session.assurance) == (LI, METHODS[1], 1)
    two.city.clock.advance(timedelta(days=3))
    vouch_for(two, acr="3", amr=["sc"])
    two.come()
    # Two were agreed on, and the link is in force by now.
    assert {(each.methods, each.assurance) for each in two.sessions()} == {(METHODS[2], 2)}
    person = two.city.people.people[LI]
    two.city.people.people[LI] = replace(person, proofing=replace(person.proofing, level=1))
    two.come()
    assert {each.assurance for each in two.sessions()} == {1, 2}
    login = next(event for event in reversed(two.city.recorder.events) if event.type == "sso.login")
    assert (login.subject, login.attributes["amr"], login.attributes["acr"]) == (LI, "upstream mfa", "1")


def test_a_link_that_a_password_made_waits_and_goes_with_its_sessions(two: Two) -> None:
    owner = two.linked()
    vouch_for(two, acr="2")
    thief = two.city.browser()
    _answer, address = two.begin(thief, thief.follow(thief.authorize("gateway")))
    two.back(thief, two.at_nation(address))
    assert two.sessions()[0].assurance == 1
    # Another provider's word changes nothing that people log in with here.
    two.city.clock.advance(timedelta(days=3))
    page = two.city.browser()
    _answer, address = two.begin(page, page.follow(page.authorize("gateway")))
    two.back(page, two.at_nation(address))
    assert two.sessions()[0].assurance == 2
    renewed = owner.fill_in(owner.follow(owner.authorize("gateway", prompt="login")))
    assert renewed.status_code == 303
    shown = owner.get("/account/factors")
    assert "Remove the link" in shown.text
    owner.post("/account/factors/upstream/remove", shown)
    assert two.sessions() == []
    assert two.come().status_code == 401
    assert "sso.factor.removed" in two.city.drain()


def test_nobody_is_found_by_anything_but_the_link(two: Two) -> None:
    # Same user name, same mail address, same name; no link.
    answer = two.come()
    assert (answer.status_code, "not linked with it" in answer.text) == (401, True)
    two.linked()
    # Nor may two people share an account, or one person have two.
    wang = two.city.browser()
    wang.log_in("tax", "wang.wei")
    _answer, address = two.begin(wang, wang.get("/account/factors"), "/account/factors/upstream")
    assert two.back(wang, two.at_nation(address)).status_code == 409
    assert two.city.store.upstreams.of(WANG) is None


def test_people_outside_the_population_and_the_disabled_are_refused_alike(two: Two) -> None:
    two.linked("wang.wei", there="wang.wei")
    two.linked()
    texts = {_told(two.come("wang.wei"))}
    two.city.people.disable(LI)
    texts.add(_told(two.come()))
    assert len(texts) == 1
    assert two.sessions() == two.sessions(WANG) == []
    reasons = [event.attributes.get("reason") for event in two.city.recorder.events if event.type == "sso.login"]
    assert [each for each in reasons if each] == ["population", "disabled"]
    two.city.people.enable(LI)
    two.city.hear("directory.person.disabled", subject=LI)
    assert two.come().status_code == 401


def test_an_answer_counts_once_in_its_own_browser_for_its_own_question(two: Two) -> None:
    two.linked()
    browser, other = two.city.browser(), two.city.browser()
    _answer, address = two.begin(browser, browser.follow(browser.authorize("gateway")))
    _answer, theirs = two.begin(other, other.follow(other.authorize("gateway")))
    location = two.at_nation(address)
    # Login CSRF: another's browser is led to my answer, or has no question at all.
    assert two.back(other, location).status_code == 401
    assert two.back(two.city.browser(), location).status_code in (400, 401)
    assert answered(two.back(browser, location))["code"]
    # Replay: state, code and cookie are used up.
    assert two.back(browser, location).status_code in (400, 401)
    # My code beside their state.
    mine = parse_qs(urlsplit(location).query)["code"][0]
    assert two.back(other, two.at_nation(theirs), code=mine).status_code == 401
    assert len(two.sessions()) == 1


@pytest.mark.parametrize(
    "change",
    [{"iss": "https://evil.example"}, {"iss": "-"}, {"state": "x" * 43}, {"code": "-"}, {"error": "access_denied"}],
)
def test_mix_up_and_answers_that_are_none(two: Two, change: dict[str, str]) -> None:
    two.linked()
    before = len(two.asked)
    assert two.come(**change).status_code == 401
    assert two.sessions() == []
    # Nothing was brought anywhere: a code of somebody else's provider stays with us.
    assert [each for each in two.asked[before:] if each.endswith("/token")] == []


EVIL = generate_private_key(SECP256R1())
WRONG: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "x"},
    "no nonce": {"nonce": None},
    "another issuer": {"iss": "https://sso.evil.localhost:8443"},
    "an issuer with a slash": {"iss": "/"},
    "another client": {"aud": "somebody"},
    "two clients": {"aud": [CLIENT, "somebody"]},
    "another party": {"azp": "somebody"},
    "over": {"exp": -1},
    "not yet": {"iat": 3600},
    "a login of before": {"auth_time": -3600},
    "no login": {"auth_time": None},
    "an unknown level": {"acr": "gold"},
    "no level": {"acr": None},
    "nobody": {"sub": ""},
    "a list": {"sub": ["li"]},
}


def test_an_id_token_that_says_anything_else_opens_nothing(two: Two) -> None:
    two.linked()
    told = set()
    for name, change in WRONG.items():
        vouch_for(two, **change)
        answer = two.come()
        assert answer.status_code == 401, name
        told.add(_told(answer))
    assert len(told) == 1
    assert two.sessions() == []


def test_keys_and_algorithms_are_the_providers_own(two: Two) -> None:
    """Bug classes 8, 9 and 10, where we are the client."""
    two.linked()
    pem = two.nation.keys._now[0].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    kid = two.nation.keys.jwks()["keys"][0]["kid"]
    own = KeyRing(EVIL).jwks()["keys"][0]
    forged: dict[str, Callable[[dict[str, Any]], str]] = {
        "another key under its kid": lambda said: jwt.encode(said, EVIL, "ES256", {"kid": kid}),
        "another kid": lambda said: jwt.encode(said, EVIL, "ES256", {"kid": own["kid"]}),
        "a key of its own": lambda said: jwt.encode(said, EVIL, "ES256", {"kid": kid, "jwk": own}),
        "the public key as a secret": lambda said: _hmac(said, pem, kid),
        "none": lambda said: _unsigned(said, kid),
        "an unknown extension": lambda said: jwt.encode(
            said, two.nation.keys._now[0], "ES256", {"kid": kid, "crit": ["x"], "x": 1}
        ),
        "another type": lambda said: two.nation.keys.sign(said, typ="at+jwt"),
        "nothing": lambda _said: "",
    }
    for name, make in forged.items():

        def twisted(answer: dict[str, Any], make: Callable[[dict[str, Any]], str] = make) -> dict[str, Any]:
            return {**answer, "id_token": make(_read(answer["id_token"]))}

        two.twisted = twisted
        assert two.come().status_code == 401, name
    assert two.sessions() == []


def test_a_new_key_of_the_provider_is_taken_and_another_address_never(two: Two) -> None:
    two.linked()
    two.come()
    two.nation.keys.become(generate_private_key(SECP256R1()), retained=[])
    two.city.clock.advance(timedelta(seconds=30))
    assert answered(two.come())["code"]
    two.nation.service.metadata["issuer"] = "https://sso.evil.localhost:8443"
    two.city.clock.advance(timedelta(hours=2))
    browser = two.city.browser()
    page = browser.follow(browser.authorize("gateway"))
    assert browser.post(BACK, page, interaction=hidden(page.text, "interaction")).status_code == 401


def test_a_logout_there_ends_what_was_opened_by_it_once(two: Two) -> None:
    two.linked()
    subject: list[str] = []

    def seen(answer: dict[str, Any]) -> dict[str, Any]:
        subject.append(_read(answer["id_token"])["sub"])
        return answer

    two.twisted = seen
    two.come()
    assert len(two.sessions()) == 1
    at = int(two.city.clock.now().timestamp())
    said = logout_claims(issuer=two.nation.issuer, client_id=CLIENT, subject=subject[0], sid="s", jti="j", at=at)
    right = two.nation.keys.sign(said, typ=LOGOUT_TYP)
    wrong = [
        two.nation.keys.sign({**said, "aud": "somebody", "jti": "1"}, typ=LOGOUT_TYP),
        two.nation.keys.sign({**said, "nonce": "n", "jti": "2"}, typ=LOGOUT_TYP),
        two.nation.keys.sign({**said, "events": {}, "jti": "3"}, typ=LOGOUT_TYP),
        two.nation.keys.sign({**said, "exp": at, "jti": "4"}, typ=LOGOUT_TYP),
        two.nation.keys.sign({**said, "jti": "5"}, typ="JWT"),
        KeyRing(EVIL).sign({**said, "jti": "6"}, typ=LOGOUT_TYP),
    ]
    for token in wrong:
        assert _told_ended(two, token) == 400
        assert len(two.sessions()) == 1
    assert _told_ended(two, right) == 200
    assert two.sessions() == []
    assert _told_ended(two, right) == 400
    assert "sso.session.ended" in two.city.drain()


def test_a_link_belongs_to_the_session_that_began_it(two: Two) -> None:
    browser = two.city.browser()
    browser.log_in("tax")
    _answer, address = two.begin(browser, browser.get("/account/factors"), "/account/factors/upstream")
    location = two.at_nation(address)
    # Somebody else logs in in the same browser before it comes back.
    page = browser.follow(browser.authorize("gateway", prompt="login"))
    browser.fill_in(page, "wang.wei")
    assert two.back(browser, location).status_code == 401
    assert two.city.store.upstreams.of(LI) is two.city.store.upstreams.of(WANG) is None
    # And it is made shortly after a login only.
    late = two.city.browser()
    late.log_in("social")
    page = late.get("/account/factors")
    two.city.clock.advance(timedelta(minutes=6))
    assert late.post("/account/factors/upstream", page).status_code == 403


def test_without_an_agreement_there_is_no_such_door(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway"))
    assert "another provider" not in page.text.lower()
    assert browser.post(BACK, page, interaction=hidden(page.text, "interaction")).status_code == 401
    with pytest.raises(ValueError, match="its person chooses"):
        UpstreamSettings(issuer="https://a.example", client_id="c", title="t", claim="email")


def vouch_for(two: Two, **changes: Any) -> None:
    """From now on the nation says something else; numbers are relative to now, None leaves out."""
    at = int(two.city.clock.now().timestamp())

    def twisted(answer: dict[str, Any]) -> dict[str, Any]:
        said = _read(answer["id_token"])
        for name, value in changes.items():
            number = name in ("exp", "iat", "auth_time") and isinstance(value, int)
            said[name] = at + value if number else said["iss"] + "/" if value == "/" else value
        kept = {name: value for name, value in said.items() if value is not None}
        return {**answer, "id_token": two.nation.keys.sign(kept, typ="JWT")}

    two.twisted = twisted


def _read(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _unsigned(said: dict[str, Any], kid: str) -> str:
    parts = ({"alg": "none", "kid": kid, "typ": "JWT"}, said)
    first, second = (base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts)
    return f"{first}.{second}."


def _hmac(said: dict[str, Any], secret: bytes, kid: str) -> str:
    class Any256(jwt.algorithms.HMACAlgorithm):
        """Takes a public key for a secret, as the attacker's own program would."""

        def prepare_key(self, key: str | bytes) -> bytes:
            return key if isinstance(key, bytes) else key.encode()

    signer = jwt.PyJWS()
    signer.unregister_algorithm("HS256")
    signer.register_algorithm("HS256", Any256(jwt.algorithms.HMACAlgorithm.SHA256))
    return signer.encode(json.dumps(said).encode(), secret, "HS256", {"kid": kid})


def _told(answer: TestResponse) -> str:
    assert answer.status_code == 401
    return answer.text.partition('id="login-error">')[2].partition("<")[0]


def _told_ended(two: Two, token: str) -> int:
    path = "/login/upstream/ended"
    answer = two.city.app.test_client().post(path, base_url=two.city.issuer, data={"logout_token": token})
    return answer.status_code


def _folder(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).mkdir()
    return tmp_path / name
