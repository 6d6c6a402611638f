# SPDX-License-Identifier: Apache-2.0
"""Token exchange: who acts for whom is said, nobody gains by it, and it ends with what it came of."""

from datetime import timedelta
from typing import Any

import jwt
import pytest
from werkzeug.test import TestResponse

from sso.errors import BadClient
from sso.service import register_client
from tests.fakes.sso_directory import COMPANY, LI
from tests.sso.conftest import SECRET, World
from tests.sso.test_mandates import ASKED, acting, choose, give
from tests.sso.test_requests import change

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture
def chained(world: World) -> World:
    """The tax portal may call social insurance for whoever called it, and that the tax portal again."""
    for name, other in (("tax", "social"), ("social", "tax")):
        found = world.store.clients.find(name)
        assert found is not None
        change(world, name, grants=found.grants | {EXCHANGE}, resources=frozenset({world.site.origin(other)}))
    return world


def token(world: World, **changes: str) -> str:
    said: str = world.redeem("tax", world.browser().log_in("tax", **changes)["code"]).get_json()["access_token"]
    return said


def exchange(world: World, subject: str, *, by: str = "tax", to: str = "social", **more: str) -> TestResponse:
    form = {"grant_type": EXCHANGE, "subject_token": subject, "subject_token_type": ACCESS}
    return world.token(by, **{**form, "resource": world.site.origin(to), **more})


def claims(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = jwt.decode(answer.get_json()["access_token"], options={"verify_signature": False})
    return read


def test_a_chain_says_who_acts_for_whom(chained: World) -> None:
    answer = exchange(chained, token(chained, scope="openid profile"), scope="profile")
    assert answer.get_json()["issued_token_type"] == ACCESS
    first = claims(answer)
    assert (first["sub"], first["aud"], first["scope"]) == (LI, chained.site.origin("social"), "profile")
    assert (first["client_id"], first["act"]) == ("tax", {"sub": "tax"})
    second = claims(exchange(chained, answer.get_json()["access_token"], by="social", to="tax"))
    assert second["act"] == {"sub": "social", "act": {"sub": "tax"}}
    events = [event for event in chained.recorder.events if event.attributes.get("grant_type") == EXCHANGE]
    assert [(event.type, event.subject, event.actor) for event in events[:2]] == [
        ("sso.token.intended", LI, "tax"),
        ("sso.token.issued", LI, "tax"),
    ]
    told = chained.app.test_client().post(
        "/introspect",
        base_url=chained.issuer,
        data={"token": answer.get_json()["access_token"]},
        headers=chained.basic("social"),
    )
    assert told.get_json()["act"] == {"sub": "tax"}


def test_a_mandate_goes_on_only_where_it_is_for_the_next_service_too(chained: World) -> None:
    given = {"organisation": COMPANY}
    give(chained, **given)
    _browser, tokens = acting(chained)
    refused = exchange(chained, tokens["access_token"])
    assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_grant")
    assert chained.recorder.events[-1].attributes["reason"] == "mandate"
    give(chained, **given, scope="all")
    # One for taxes does not become the other by being there.
    assert exchange(chained, tokens["access_token"]).status_code == 400
    browser = chained.browser()
    answer = browser.fill_in(browser.follow(browser.authorize(scope=ASKED)))
    answer = choose(browser, browser.follow(answer), f"organisation:{COMPANY}:all")
    both = chained.redeem("tax", browser.finish(answer)["code"]).get_json()
    told = claims(exchange(chained, both["access_token"]))
    assert told["on_behalf_of"] == {"kind": "organisation", "id": COMPANY, "service": "all"}


def test_a_chain_is_not_endless(chained: World) -> None:
    subject, names = token(chained), ["tax", "social"] * 3
    statuses = []
    for by, to in zip(names, [*names[1:], "tax"], strict=True):
        answer = exchange(chained, subject, by=by, to=to)
        statuses.append(answer.status_code)
        subject = answer.get_json().get("access_token", subject)
    assert statuses[:4] == [200] * 4
    assert statuses[4] == 400


def test_it_lasts_no_longer_and_ends_with_its_family(chained: World) -> None:
    subject = token(chained)
    chained.clock.advance(timedelta(minutes=4))
    answer = exchange(chained, subject)
    assert answer.get_json()["expires_in"] == 60
    passed_on = answer.get_json()["access_token"]
    chained.hear("directory.person.disabled", subject=LI)
    assert exchange(chained, subject).get_json()["error"] == "invalid_grant"
    assert exchange(chained, passed_on, by="social", to="tax").get_json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"by": "social", "to": "tax"}, "invalid_request"),
        ({"by": "machine"}, "unauthorized_client"),
        ({"by": "web-app"}, "unauthorized_client"),
        ({"resource": "https://evil.example"}, "invalid_target"),
        ({"scope": "openid email"}, "invalid_scope"),
        ({"scope": "roles"}, "invalid_scope"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"audience": "x"}, "invalid_request"),
        ({"subject_token": ""}, "invalid_request"),
        ({"subject_token": "a.b.c"}, "invalid_grant"),
    ],
)
def test_nobody_gains_by_it(chained: World, more: dict[str, str], error: str) -> None:
    assert exchange(chained, token(chained), **more).get_json()["error"] == error


def test_bug_class_1_no_other_value_is_exchanged(chained: World) -> None:
    tokens = chained.redeem("tax", chained.browser().log_in("tax")["code"]).get_json()
    for value in (tokens["id_token"], tokens["refresh_token"], SECRET["tax"]):
        assert exchange(chained, value).get_json()["error"] == "invalid_grant"


def test_without_a_record_nothing_is_exchanged(chained: World) -> None:
    subject = token(chained)
    chained.recorder.down = True
    assert exchange(chained, subject).status_code == 503


def test_a_public_client_cannot_be_registered_for_it(world: World) -> None:
    with pytest.raises(BadClient):
        register_client(
            world.store,
            name="new",
            title="New",
            title_zh="新",
            redirect_uris=("https://new.city.localhost/callback",),
            grants=frozenset({"authorization_code", EXCHANGE}),
            audience="https://new.city.localhost",
        )
