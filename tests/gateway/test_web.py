# SPDX-License-Identifier: Apache-2.0
"""Logging in and out at the gateway's own pages, and the decision endpoint as WSGI, without nginx."""

import base64
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from werkzeug.test import Client, TestResponse

from audit import Outcome, decode_event
from audit.models_rules import check
from core.identity import IdentityRefused
from gateway.config import COOKIES
from gateway.errors import Reason
from gateway.service.identification import digest
from gateway.web.words import WORDS
from tests.gateway.conftest import COOKIE, SECRET, SUBJECT, Gateway

NGINX = {
    "Tallygate-Caller": "nginx",
    "Tallygate-Secret": base64.b64encode(SECRET).decode(),
    "Tallygate-Listener": "external",
    "X-Original-Host": "tax.city.localhost",
    "X-Original-Method": "GET",
    "X-Original-URI": "/",
    "X-Client-Address": "203.0.113.7",
    "X-Forwarded-Proto": "https",
}
BASE = "https://tax.city.localhost"


@pytest.fixture
def client(unit: Gateway) -> Client:
    return Client(unit.application())


@pytest.fixture
def get(client: Client) -> Callable[..., TestResponse]:
    def call(path: str, method: str = "GET", **more: Any) -> TestResponse:
        headers = {**NGINX, "Accept": "text/html", **more.pop("headers", {})}
        return client.open(path, method=method, headers=headers, base_url=BASE, **more)

    return call


def begin(get: Callable[..., TestResponse], to: str = "/declaration", **more: str) -> dict[str, str]:
    reply = get("/.tallygate/login", query_string={"to": to, **more})
    assert reply.status_code == 303
    asked = urlsplit(reply.headers["Location"])
    query = {name: value[0] for name, value in parse_qs(asked.query).items()}
    return {**query, "issuer": f"{asked.scheme}://{asked.netloc}"}


def answer(asked: dict[str, str], **changes: str) -> dict[str, str]:
    """What the sign-on sends back by way of the browser."""
    return {"code": "c", "state": asked["state"], "iss": asked["issuer"], **changes}


def test_a_login_goes_to_the_sign_on_and_back_to_the_page(unit: Gateway, get: Callable[..., TestResponse]) -> None:
    asked = begin(get, "/declaration?year=2025")
    assert asked["redirect_uri"] == unit.site.origin("tax") + "/.tallygate/callback"
    assert (asked["client_id"], asked["code_challenge_method"], asked["scope"]) == ("gateway", "S256", "openid")
    unit.sign_on.id_token = unit.signed_in(nonce=asked["nonce"])
    reply = get("/.tallygate/callback", query_string=answer(asked))
    assert (reply.status_code, reply.headers["Location"]) == (303, "/declaration?year=2025")
    (cookie,) = [one for one in reply.headers.getlist("Set-Cookie") if one.startswith("__Host-tallygate=")]
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    value = cookie.partition("=")[2].partition(";")[0]
    caller = unit.identification.session(value, host="tax.city.localhost", listener="external", at=unit.clock.now())
    assert (caller.subject, caller.session, caller.assurance) == (SUBJECT, "sid-1", 2)
    assert len(unit.sign_on.calls[0]["verifier"]) >= 43


def test_opening_a_session_is_recorded_before_and_after(unit: Gateway, get: Callable[..., TestResponse]) -> None:
    asked = begin(get)
    unit.sign_on.id_token = unit.signed_in(nonce=asked["nonce"])
    get("/.tallygate/callback", query_string=answer(asked))
    (intent,) = unit.recorder.events
    (waiting,) = unit.store.outbox.head()
    outcome = decode_event(waiting.body)
    for event in (intent, outcome):
        check(event)
    assert (intent.type, intent.outcome) == ("gateway.session.opened", Outcome.INTENDED)
    assert (outcome.outcome, outcome.object, outcome.session) == (Outcome.SUCCESS, intent.object, "sid-1")


def test_whoever_wants_to_act_for_somebody_says_so_at_the_sign_on(
    unit: Gateway, get: Callable[..., TestResponse]
) -> None:
    assert begin(get)["scope"] == "openid"
    asked = begin(get, acting="choose")
    assert asked["scope"] == "openid mandate"
    claim = {"kind": "person", "id": "p9", "service": "tax"}
    later = int(unit.clock.now().timestamp()) + 60
    # A mandate whose end is not told would never end.
    unit.sign_on.id_token = unit.signed_in(nonce=asked["nonce"], on_behalf_of=claim)
    assert get("/.tallygate/callback", query_string=answer(asked)).status_code == 400
    asked = begin(get, acting="choose")
    unit.sign_on.id_token = unit.signed_in(nonce=asked["nonce"], on_behalf_of=claim, mandate_exp=later)
    reply = get("/.tallygate/callback", query_string=answer(asked))
    found = unit.store.session(digest(reply.headers["Set-Cookie"].partition("=")[2].partition(";")[0]))
    assert found is not None
    assert (found.mandate, found.mandate_ends) == ("person:p9:tax", later)
    opened = [event for event in unit.recorder.events if event.type == "gateway.session.opened"]
    assert opened[-1].attributes["mandate"] == "person:p9:tax"


def test_without_a_record_no_session_is_opened(unit: Gateway, get: Callable[..., TestResponse]) -> None:
    asked = begin(get)
    unit.sign_on.id_token = unit.signed_in(nonce=asked["nonce"])
    unit.recorder.down = True
    reply = get("/.tallygate/callback", query_string=answer(asked))
    assert reply.status_code == 503
    assert "__Host-tallygate=" not in str(reply.headers)
    # The log may have taken the intent all the same: it comes again, with the outcome that belongs to it.
    intent, outcome = (decode_event(waiting.body) for waiting in unit.store.outbox.head())
    assert (intent.outcome, outcome.outcome) == (Outcome.INTENDED, Outcome.FAILURE)
    assert intent.object == outcome.object


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "other"},
        {"aud": "tax"},
        {"aud": ["gateway", "tax"]},
        {"azp": "tax"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"sub": "unknown"},
    ],
)
def test_an_id_token_that_is_not_for_this_login_opens_nothing(
    unit: Gateway, get: Callable[..., TestResponse], changes: dict[str, Any]
) -> None:
    asked = begin(get)
    unit.sign_on.id_token = unit.signed_in(**{"nonce": asked["nonce"], **changes})
    reply = get("/.tallygate/callback", query_string=answer(asked))
    assert reply.status_code == 400
    assert "__Host-tallygate=" not in str(reply.headers)
    assert not unit.recorder.events


def test_a_callback_needs_the_browser_that_began_the_login(unit: Gateway, get: Callable[..., TestResponse]) -> None:
    asked = begin(get)
    unit.sign_on.id_token = unit.signed_in(nonce=asked["nonce"])
    stranger = Client(unit.application())
    query = answer(asked)
    reply = stranger.get("/.tallygate/callback", query_string=query, headers=NGINX, base_url=BASE)
    assert reply.status_code == 400
    assert not unit.sign_on.calls


@pytest.mark.parametrize(
    "query",
    [{}, {"code": "c"}, {"code": "c", "state": "x"}, {"state": ""}, {"code": ["a", "b"], "state": "x"}, {"iss": "x"}],
)
def test_a_callback_nobody_asked_for_is_refused(get: Callable[..., TestResponse], query: dict[str, Any]) -> None:
    begin(get)
    assert get("/.tallygate/callback", query_string=query).status_code == 400


def _nearly(issuer: str) -> tuple[str, ...]:
    return issuer + "/", issuer.upper(), issuer[:-1], issuer + "#", f" {issuer}"


def test_an_answer_in_the_name_of_another_issuer_is_refused(unit: Gateway, get: Callable[..., TestResponse]) -> None:
    for issuer in ("https://evil.example", "", *_nearly(begin(get)["issuer"])):
        asked = begin(get)
        assert get("/.tallygate/callback", query_string=answer(asked, iss=issuer)).status_code == 400
    assert not unit.sign_on.calls


@pytest.mark.parametrize("names", [[], ["https://evil.example"], ["", ""]])
def test_an_answer_that_does_not_name_the_sign_on_once_is_refused(
    unit: Gateway, get: Callable[..., TestResponse], names: list[str]
) -> None:
    asked = begin(get)
    unit.sign_on.id_token = unit.signed_in(nonce=asked["nonce"])
    query: dict[str, Any] = answer(asked)
    query["iss"] = [query["iss"], *names] if names else []
    assert get("/.tallygate/callback", query_string=query).status_code == 400
    assert not unit.sign_on.calls
    assert not unit.recorder.events


def test_a_login_is_finished_once_in_time_and_where_it_began(unit: Gateway, get: Callable[..., TestResponse]) -> None:
    def finish(asked: dict[str, str], **headers: str) -> int:
        unit.sign_on.id_token = unit.signed_in(nonce=asked["nonce"])
        query = answer(asked)
        return get("/.tallygate/callback", query_string=query, headers=headers).status_code

    assert finish(begin(get), **{"Tallygate-Listener": "internal"}) == 400
    assert finish(begin(get), **{"X-Original-Host": "social.city.localhost"}) == 400
    asked = begin(get)
    assert finish(asked) == 303
    assert finish(asked) == 400
    late = begin(get)
    unit.clock.advance(timedelta(minutes=11))
    assert finish(late) == 400


def test_several_tabs_may_log_in_at_once(unit: Gateway, get: Callable[..., TestResponse]) -> None:
    first, second = begin(get, "/one"), begin(get, "/two")
    for asked, to in ((second, "/two"), (first, "/one")):
        unit.sign_on.id_token = unit.signed_in(nonce=asked["nonce"])
        reply = get("/.tallygate/callback", query_string=answer(asked))
        assert reply.headers["Location"] == to


def test_a_sign_on_session_that_ended_meanwhile_opens_nothing(unit: Gateway, get: Callable[..., TestResponse]) -> None:
    from tests.gateway.test_service_decision import hear  # noqa: PLC0415 - one helper

    asked = begin(get)
    hear(unit, "sso.session.ended", session="sid-1", subject=SUBJECT)
    unit.sign_on.id_token = unit.signed_in(nonce=asked["nonce"])
    reply = get("/.tallygate/callback", query_string=answer(asked))
    assert reply.status_code == 400


def test_without_the_sign_ons_keys_nobody_is_logged_in_and_the_page_says_later(
    unit: Gateway, get: Callable[..., TestResponse]
) -> None:
    for content in (None, "{", "[]"):
        asked = begin(get)
        unit.sign_on.id_token = unit.signed_in(nonce=asked["nonce"])
        keys = unit.site.public / "sso-jwks.json"
        keys.unlink(missing_ok=True)
        if content is not None:
            keys.write_text(content)
        reply = get("/.tallygate/callback", query_string=answer(asked))
        assert reply.status_code == 503
        assert not unit.recorder.events


def test_a_disabled_person_is_not_logged_in(unit: Gateway, get: Callable[..., TestResponse]) -> None:
    asked = begin(get)
    unit.directory.people[SUBJECT] = unit.person(enabled=False)
    unit.sign_on.id_token = unit.signed_in(nonce=asked["nonce"])
    reply = get("/.tallygate/callback", query_string=answer(asked))
    assert reply.status_code == 400
    assert not unit.recorder.events


def test_a_login_the_sign_on_refused_is_explained(get: Callable[..., TestResponse]) -> None:
    asked = begin(get)
    reply = get("/.tallygate/callback", query_string=_refusal(asked, iss=asked["issuer"]))
    assert reply.status_code == 403
    assert "You were not logged in" in reply.text


def _refusal(asked: dict[str, str], **more: str) -> dict[str, str]:
    return {"error": "access_denied", "state": asked["state"], **more}


def test_a_refusal_counts_only_from_the_sign_on(get: Callable[..., TestResponse]) -> None:
    for more in ({}, {"iss": ""}, {"iss": "https://evil.example"}):
        assert get("/.tallygate/callback", query_string=_refusal(begin(get), **more)).status_code == 400


def test_nginx_keeps_back_every_cookie_the_gateway_sets(unit: Gateway, get: Callable[..., TestResponse]) -> None:
    asked = begin(get)
    unit.sign_on.id_token = unit.signed_in(nonce=asked["nonce"])
    replies = get("/.tallygate/login"), get("/.tallygate/callback", query_string=answer(asked))
    names = {one.partition("=")[0] for reply in replies for one in reply.headers.getlist("Set-Cookie")}
    assert names == set(COOKIES)


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil", "/.tallygate/login", "/a//b"])
def test_a_login_leads_to_no_other_place(get: Callable[..., TestResponse], to: str) -> None:
    assert get("/.tallygate/login", query_string={"to": to}).status_code == 400


@pytest.mark.parametrize("acr", ["4", "x", "²", "33"])
def test_an_assurance_that_does_not_exist_cannot_be_asked_for(get: Callable[..., TestResponse], acr: str) -> None:
    assert get("/.tallygate/login", query_string={"to": "/", "acr": acr}).status_code == 400


def test_logging_out_ends_the_session_here_and_goes_on_at_the_sign_on(
    unit: Gateway, client: Client, get: Callable[..., TestResponse]
) -> None:
    unit.open_session()
    client.set_cookie("__Host-tallygate", COOKIE, domain="tax.city.localhost", secure=True)
    page = get("/.tallygate/logout")
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token is not None
    form = {"csrf_token": token[1]}
    without = get("/.tallygate/logout", method="POST", headers={"Referer": BASE + "/"})
    assert without.status_code == 403
    reply = get("/.tallygate/logout", method="POST", data=form, headers={"Referer": BASE + "/.tallygate/logout"})
    query = parse_qs(urlsplit(reply.headers["Location"]).query)
    assert reply.headers["Location"].startswith(unit.site.origin("sso") + "/logout?")
    assert query["id_token_hint"] == ["id-token"]
    assert query["post_logout_redirect_uri"] == [unit.site.origin("tax") + "/"]
    _, waiting = unit.store.outbox.head()
    ended = decode_event(waiting.body)
    assert (ended.type, ended.outcome, ended.key) == ("gateway.session.ended", Outcome.SUCCESS, waiting.key)
    assert (ended.subject, ended.session, ended.zone) == (SUBJECT, "sid-1", "external")
    assert "Max-Age=0" in next(one for one in reply.headers.getlist("Set-Cookie") if "__Host-tallygate=" in one)
    assert unit.site.origin("sso") in reply.headers["Content-Security-Policy"]
    # There is nothing left to end, and nothing more to record.
    again = get("/.tallygate/logout", method="POST", data=form, headers={"Referer": BASE + "/.tallygate/logout"})
    assert again.status_code == reply.status_code
    assert len(unit.store.outbox.head()) == 2


@pytest.mark.parametrize("path", ["/.tallygate/login", "/.tallygate/denied", "/.tallygate/logout"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"Tallygate-Secret": "x"},
        {"Tallygate-Caller": "sso"},
        {"Tallygate-Listener": "internet"},
        {"Tallygate-Secret": ""},
    ],
)
def test_pages_are_for_nginx_only(get: Callable[..., TestResponse], path: str, wrong: dict[str, str]) -> None:
    assert get(path, headers=wrong).status_code in (401, 403)


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_reason_has_a_page_and_a_problem(get: Callable[..., TestResponse], reason: Reason, language: str) -> None:
    headers = {"Tallygate-Reason": reason.value, "Accept-Language": language, "X-Original-Method": "POST"}
    page = get("/.tallygate/denied", headers=headers)
    assert page.status_code == WORDS[reason].status
    assert (WORDS[reason].title in page.text) == (language == "en")
    problem = get("/.tallygate/denied", headers={**headers, "Accept": "application/json"})
    assert problem.json is not None
    assert (problem.status_code, problem.json["code"]) == (WORDS[reason].status, reason.value)


WHERE = "/.well-known/oauth-protected-resource"


def test_a_host_tells_which_tokens_it_takes_signed_and_by_path(unit: Gateway, get: Callable[..., TestResponse]) -> None:
    origin = unit.site.origin("tax")
    for path in ("", "/api"):
        told = get(f"{WHERE}{path}").json
        assert told is not None
        assert (told["resource"], told["authorization_servers"]) == (f"{origin}{path}", [unit.site.origin("sso")])
        key = jwt.PyJWK(unit.identities.keys()["keys"][0])
        signed = jwt.decode(told.pop("signed_metadata"), key, algorithms=["ES256"], issuer=origin)
        assert told == {name: value for name, value in signed.items() if name not in ("iss", "iat")}
    # Nothing else is a resource: other paths, hosts that take no tokens, networks it is not reached in.
    for path in ("/", "/api/", "/apis", "/declaration", "/../api"):
        assert get(f"{WHERE}{path}").status_code in (400, 404), path
    assert get(WHERE, headers={"X-Original-Host": "ca.city.localhost"}).status_code == 404
    assert get(WHERE, headers={"X-Original-Host": "evil.example"}).status_code == 404
    assert get(WHERE, headers={"Tallygate-Listener": "internal"}).status_code == 404
    assert get(WHERE, headers={"Tallygate-Secret": "x"}).status_code in (401, 403)


def test_signed_metadata_is_no_identity(unit: Gateway, get: Callable[..., TestResponse]) -> None:
    told = get(WHERE).json
    assert told is not None
    verifier = unit.verifier_of("tax.city.localhost")
    with pytest.raises(IdentityRefused):
        verifier.verify(told["signed_metadata"], method="GET", path="/", at=unit.clock.now())
    with pytest.raises(ValueError, match="identity"):
        unit.identities.attest({}, typ="tallygate-identity+jwt")


def test_a_challenge_says_where_a_host_tells_which_tokens_it_takes(
    unit: Gateway, get: Callable[..., TestResponse]
) -> None:
    refused = {"Tallygate-Reason": "credential", "Accept": "application/json"}
    about = f'resource_metadata="{unit.site.origin("tax")}{WHERE}"'
    challenges = get("/.tallygate/denied", headers=refused).headers.getlist("WWW-Authenticate")
    assert [each.partition(" ")[0] for each in challenges] == ["Bearer", "DPoP"]
    assert all(about in each for each in challenges)
    stronger = {**refused, "Tallygate-Reason": "step-up", "Tallygate-Step-Up": "2", "Authorization": "Bearer x"}
    challenge = get("/.tallygate/denied", headers=stronger).headers["WWW-Authenticate"]
    assert "insufficient_user_authentication" in challenge
    assert about in challenge
    elsewhere = get("/.tallygate/denied", headers={**refused, "X-Original-Host": "ca.city.localhost"})
    assert "resource_metadata" not in elsewhere.headers["WWW-Authenticate"]


def test_an_unknown_reason_is_a_temporary_error(get: Callable[..., TestResponse]) -> None:
    for reason in ("", "x", "<script>"):
        assert get("/.tallygate/denied", headers={"Tallygate-Reason": reason}).status_code == 503


def test_a_hostile_address_never_becomes_a_link(get: Callable[..., TestResponse]) -> None:
    for raw in ("//evil.example/", "/\\evil.example", '/a"onload=x', "javascript:x"):
        headers = {"Tallygate-Reason": "unavailable", "X-Original-URI": raw}
        page = get("/.tallygate/denied", headers=headers)
        assert "evil.example" not in page.text
        assert "onload" not in page.text


def _decide(client: Client, path: str = "/decide/external", **headers: str) -> TestResponse:
    stateless = Client(client.application, use_cookies=False)
    return stateless.get(path, headers={**NGINX, **headers})


def test_the_decision_endpoint_answers_204_401_or_403_only(unit: Gateway, client: Client) -> None:
    cookie = unit.open_session()
    permit = _decide(client, Cookie=cookie, **{"X-Original-URI": "/x"})
    assert permit.status_code == 204
    assert permit.headers["Tallygate-Identity"]
    login = _decide(client, **{"X-Original-URI": "/x"})
    assert (login.status_code, login.headers["Tallygate-Reason"]) == (401, "login")
    for path in ("/decide/", "/decide/internet", "/decide/external/x", "/decide/%00", "/decide/外网"):
        assert _decide(client, path, Cookie=cookie).status_code == 403
    assert client.post("/decide/external", headers=NGINX).status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [{"Tallygate-Secret": "x"}, {"Tallygate-Caller": "gateway"}, {"Tallygate-Caller": "", "Tallygate-Secret": ""}],
)
def test_only_nginx_may_ask_for_a_decision(unit: Gateway, client: Client, wrong: dict[str, str]) -> None:
    reply = _decide(client, Cookie=unit.open_session(), **wrong)
    assert reply.status_code == 403
    assert "Tallygate-Identity" not in reply.headers
    assert not unit.recorder.events


def test_a_decision_endpoint_that_breaks_denies(unit: Gateway, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(unit.decider, "decide", broken)
    reply = _decide(client)
    assert (reply.status_code, reply.headers["Tallygate-Reason"]) == (403, "unavailable")
