# SPDX-License-Identifier: Apache-2.0
"""What is answered before Flask sees it is answered as behind Flask, and only what can be read in one way is."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from sso.oauth.rfc9701 import MEDIA_TYPE
from tests.sso.conftest import World
from tests.sso.test_dpop import proof as possession

PLAIN = "application/x-www-form-urlencoded"
# The same to Flask, and not taken in front of it.
OTHERWISE = "application/x-www-form-urlencoded;v=1"
CHANGING = {"access_token", "jti", "iat", "exp", "Tallygate-Request", "Date"}


def send(world: World, path: str, body: str, *, kind: str = PLAIN, client: str = "tax", **headers: str) -> TestResponse:
    given = {**world.basic(client), **headers}
    return world.app.test_client().post(path, base_url=world.issuer, data=body, content_type=kind, headers=given)


def shape(answer: TestResponse) -> Any:
    names = {name for name, _ in answer.headers} - {"Content-Length", "Content-Language", "Vary"}
    body = {k: v for k, v in (answer.get_json() or {}).items() if k not in CHANGING}
    return answer.status_code, names, body, answer.headers.get("WWW-Authenticate"), answer.content_type


@pytest.mark.parametrize(
    ("path", "body", "client"),
    [
        ("/token", "grant_type=client_credentials", "machine"),
        ("/token", "grant_type=client_credentials&scope=openid", "machine"),
        ("/token", "grant_type=password&username=li.na&password=x", "tax"),
        ("/token", "grant_type=refresh_token&refresh_token=nobodys", "tax"),
        ("/token", "grant_type=client_credentials&grant_type=client_credentials", "machine"),
        ("/token", "grant_type=client_credentials&client_secret=x", "machine"),
        ("/token", "grant_type=client_credentials", "kiosk"),
        ("/introspect", "token=nobodys", "tax"),
        ("/introspect", "token=a.b.c&token=a.b.c", "tax"),
        ("/introspect", "token=", "tax"),
        ("/introspect", "token=%C3%A4.b.c", "tax"),
    ],
)
def test_the_answer_is_the_same_in_front_of_flask_and_behind(world: World, path: str, body: str, client: str) -> None:
    behind = send(world, path, body, client=client, kind=OTHERWISE)
    assert shape(send(world, path, body, client=client)) == shape(behind)


@pytest.mark.parametrize("path", ["/token", "/introspect"])
@pytest.mark.parametrize("kind", ["good", "without a nonce", "for another address", "no proof", "two"])
def test_a_proof_of_possession_is_read_the_same_in_front_of_flask(world: World, path: str, kind: str) -> None:
    def proof() -> str:
        if kind == "no proof":
            return "no.proof.here"
        more: dict[str, Any] = {"nonce": None} if kind == "without a nonce" else {}
        made = possession(world, "/revoke" if kind == "for another address" else path, **more)
        return f"{made}, {made}" if kind == "two" else made

    body = "grant_type=client_credentials" if path == "/token" else "token=nobodys"
    front = send(world, path, body, client="machine", DPoP=proof())
    assert shape(front) == shape(send(world, path, body, client="machine", kind=OTHERWISE, DPoP=proof()))
    assert front.headers["DPoP-Nonce"] == world.service.nonces.current()
    if path == "/token":
        assert (front.status_code == 200) is (kind == "good")


def test_a_proof_counts_once_in_front_of_flask_and_behind_together(world: World) -> None:
    made = possession(world)
    body = "grant_type=client_credentials"
    kinds = (PLAIN, OTHERWISE, PLAIN)
    answers = [send(world, "/token", body, client="machine", kind=each, DPoP=made) for each in kinds]
    assert [each.status_code for each in answers] == [200, 400, 400]
    assert answers[0].get_json()["token_type"] == "DPoP"


def test_a_wrong_secret_is_refused_in_front_with_the_name_of_the_scheme(world: World) -> None:
    wrong = {"Authorization": world.basic("tax", "x" * 43)["Authorization"]}
    front = send(world, "/introspect", "token=a", **wrong)
    assert shape(front) == shape(send(world, "/introspect", "token=a", kind=OTHERWISE, **wrong))
    assert front.status_code == 401
    assert front.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ("grant_type=client_credentials&x", {}),
        ("grant_type=client_credentials&x=%FF", {}),
        ("grant_type=client_credentials&x=\u00e4", {}),
        ("&".join(["grant_type=client_credentials", *(f"x{i}=1" for i in range(50))]), {}),
        ("grant_type=client_credentials", {"DPoP": ""}),
        ("grant_type=client_credentials", {"Accept": "text/html"}),
    ],
    ids=["no value", "bad escape", "not ascii", "many fields", "proof", "page"],
)
def test_what_could_be_read_otherwise_is_left_to_flask_whole(
    world: World, monkeypatch: pytest.MonkeyPatch, body: str, headers: dict[str, str]
) -> None:
    seen: list[bytes] = []
    behind = world.app.full_dispatch_request

    def watched() -> Any:
        from flask import request  # noqa: PLC0415 - the test's own look behind

        seen.append(request.get_data(cache=True))
        return behind()

    monkeypatch.setattr(world.app, "full_dispatch_request", watched)
    assert send(world, "/token", body, client="machine", **headers).status_code < 500
    assert seen == [body.encode()]
    send(world, "/token", "grant_type=client_credentials", client="machine")
    assert len(seen) == 1


def test_another_host_is_flasks(world: World) -> None:
    answer = world.app.test_client().post(
        "/token",
        base_url=world.site.origin("card"),
        data={"grant_type": "client_credentials"},
        headers=world.basic("machine"),
    )
    assert answer.status_code == 404


def test_a_signed_answer_comes_in_front_too(world: World) -> None:
    token = send(world, "/token", "grant_type=client_credentials", client="machine").get_json()["access_token"]
    answer = send(world, "/introspect", f"token={token}", client="machine", Accept=MEDIA_TYPE)
    assert answer.content_type == MEDIA_TYPE
    assert answer.text.count(".") == 2


def test_what_nobody_foresaw_tells_nothing_of_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the database's own words")

    monkeypatch.setattr(world.service.tokens, "issue", broken)
    answer = send(world, "/token", "grant_type=client_credentials", client="machine")
    assert (answer.status_code, answer.get_json()["error"]) == (500, "server_error")
    assert "own words" not in answer.text


def test_without_a_record_there_is_no_token_in_front_either(world: World) -> None:
    world.fresh = False
    answer = send(world, "/token", "grant_type=client_credentials", client="machine")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
