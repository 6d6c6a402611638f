# SPDX-License-Identifier: Apache-2.0
"""Consent to sign (RFC 9396): exactly what is shown, confirmed by passkey or card for this one, and nothing else."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.fakes.authenticator import Device
from tests.fakes.sso_directory import WANG
from tests.sso.conftest import Browser, World, answered, hidden
from tests.sso.test_passkeys import made, options

ONE, TWO, KEY = "a1" * 32, "b2" * 32, "c3" * 16
ASKED: dict[str, Any] = {
    "type": "document_signature",
    "credential": KEY,
    "hash": "sha-256",
    "documents": [{"digest": ONE, "label": "Lease, 2 pages"}, {"digest": TWO, "label": "租赁合同"}],
}
TWICE = (
    f'[{{"type":"document_signature","credential":"{KEY}","hash":"sha-256",'
    f'"documents":[{{"digest":"{ONE}","digest":"{TWO}","label":"x"}}]}}]'
)


@pytest.fixture
def wang(world: World) -> Browser:
    """Logged in by password, in an old session."""
    allow(world, "tax")
    browser = world.browser()
    browser.log_in("tax", "wang.wei")
    world.clock.advance(timedelta(minutes=20))
    return browser


def allow(world: World, client: str, **more: Any) -> None:
    found = world.store.clients.find(client)
    assert found is not None
    world.store.clients.put(replace(found, detail_types=frozenset({"document_signature"}), **more))


def ask(browser: Browser, details: Any = ASKED, *, client: str = "tax", **more: str) -> TestResponse:
    text = details if isinstance(details, str) else json.dumps([details])
    return browser.authorize(client, authorization_details=text, **more)


def page_of(browser: Browser, details: Any = ASKED, **more: str) -> TestResponse:
    return browser.follow(ask(browser, details, **more))


def form_of(page: TestResponse, device: Device) -> dict[str, str]:
    asked = {name: hidden(page.text, name) for name in ("interaction", "asked")}
    return {**asked, "credential": device.used(options(page))}


def say(browser: Browser, page: TestResponse, choice: str) -> TestResponse:
    return browser.post("/consent", page, interaction=hidden(page.text, "interaction"), choice=choice)


def granted(world: World, answer: TestResponse) -> Any:
    token = world.redeem("tax", answered(answer)["code"]).get_json()
    part = token["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert claims["authorization_details"] == token["authorization_details"]
    return claims["authorization_details"]


def test_the_page_shows_each_document_and_a_passkey_confirms_exactly_these(world: World, wang: Browser) -> None:
    device = made(world, by_card=WANG)
    page = page_of(wang)
    for shown in ("Lease, 2 pages", "租赁合同", ONE, TWO, "Wang Wei"):
        assert shown in page.text
    at = int(world.clock.now().timestamp())
    answer = wang.post("/consent/passkey", page, **form_of(page, device))
    assert granted(world, answer) == [{**ASKED, "confirmed": {"by": "passkey", "at": at}}]
    event = next(each for each in reversed(world.recorder.events) if each.type == "sso.signature.confirmed")
    assert (event.subject, event.object, event.attributes["by"]) == (WANG, "tax", "passkey")
    assert (event.attributes["documents"], event.attributes["signing_key"]) == (2, KEY)
    assert event.sealed["digests"] == f"{ONE} {TWO}"


def test_no_earlier_login_and_no_plain_yes_confirms_however_sure_it_is(world: World, wang: Browser) -> None:
    made(world, by_card=WANG)
    answer = say(wang, page_of(wang), "allow")
    assert (answer.status_code, "earlier login is not enough" in answer.text) == (401, True)
    # The session of a card of a while ago is no better.
    sure = world.browser()
    sure.back(sure.card(sure.follow(sure.authorize("gateway")), f"card 1a {WANG}"))
    world.clock.advance(timedelta(minutes=1))
    assert say(sure, page_of(sure), "allow").status_code == 401
    # Nor was anything remembered: the next request asks again.
    assert "Sign these documents?" in page_of(sure).text
    assert answered(ask(sure, prompt="none"))["error"] == "consent_required"
    assert "sso.signature.confirmed" not in world.recorder.types()
    failed = [each for each in world.recorder.events if each.attributes.get("reason") == "not in force"]
    assert len(failed) == 2


def test_a_card_that_is_shown_for_this_request_confirms_once_it_was_read(world: World, wang: Browser) -> None:
    page = page_of(wang)
    read = wang.follow(wang.back(wang.card(page, f"card 1a {WANG}")))
    assert "You showed your card for this request" in read.text
    (said,) = granted(world, say(wang, read, "allow"))
    assert said["confirmed"]["by"] == "card"


def test_somebody_elses_passkey_a_replay_and_another_requests_answer_confirm_nothing(
    world: World, wang: Browser
) -> None:
    mine, theirs = made(world, by_card=WANG), made(world, "li.na")
    world.clock.advance(timedelta(days=3))
    wang = world.browser()
    wang.log_in("gateway", "wang.wei")
    page = page_of(wang)
    assert wang.post("/consent/passkey", page, **form_of(page, theirs)).status_code == 401
    other = page_of(wang, {**ASKED, "documents": [{"digest": TWO, "label": "Lease"}]})
    # The answer to one request's question, for another request.
    form = {**form_of(page, mine), "interaction": hidden(other.text, "interaction")}
    assert wang.post("/consent/passkey", other, **form).status_code == 401
    page = page_of(wang)
    form = form_of(page, mine)
    assert wang.post("/consent/passkey", page, **form).status_code == 303
    assert wang.post("/consent/passkey", page, **form).status_code == 400
    assert (
        wang.post("/consent/passkey", other, **{**form, "interaction": hidden(other.text, "interaction")}).status_code
        == 401
    )


def test_confirming_takes_the_forms_token_and_the_browser_that_asked(world: World, wang: Browser) -> None:
    device = made(world, by_card=WANG)
    page = page_of(wang)
    form = form_of(page, device)
    assert wang.client.post("/consent/passkey", base_url=world.issuer, data=form).status_code == 403
    other = world.browser()
    other.log_in("gateway", "wang.wei")
    assert other.post("/consent/passkey", other.get("/account"), **form).status_code == 400
    assert "code" in answered(wang.post("/consent/passkey", page, **form))


def test_even_a_trusted_client_gets_nothing_unconfirmed_and_a_no_is_a_no(world: World, wang: Browser) -> None:
    allow(world, "gateway")
    page = page_of(wang, client="gateway")
    assert say(wang, page, "allow").status_code == 401
    assert answered(say(wang, page, "deny"))["error"] == "access_denied"


@pytest.mark.parametrize(
    "wrong",
    [
        {**ASKED, "hash": "sha-1"},
        {**ASKED, "credential": "other"},
        {**ASKED, "extra": "x"},
        {**ASKED, "documents": []},
        {**ASKED, "documents": [{"digest": "A1" * 32, "label": "x"}]},
        {**ASKED, "documents": [{"digest": ONE, "label": " "}]},
        {**ASKED, "documents": [{"digest": ONE, "label": "a\u202eb"}]},
        {**ASKED, "documents": [{"digest": ONE, "label": "x" * 121}]},
        {**ASKED, "documents": [{"digest": ONE, "label": "x"}, {"digest": ONE, "label": "y"}]},
        {**ASKED, "documents": [{"digest": f"{number:064x}", "label": "x"} for number in range(9)]},
        {**ASKED, "confirmed": {"by": "card", "at": 1}},
        json.dumps([ASKED, {**ASKED, "credential": "d4" * 16}]),
        json.dumps([ASKED])[:-2] + ',"credential":"' + "d4" * 16 + '"}]',
        TWICE,
    ],
)
def test_what_could_be_read_in_two_ways_or_says_more_is_refused(wang: Browser, wrong: Any) -> None:
    assert answered(ask(wang, wrong))["error"] == "invalid_authorization_details"


def test_where_nobody_is_there_to_confirm_nothing_can_be_asked(world: World) -> None:
    allow(world, "tax", grants=frozenset({"authorization_code", "client_credentials"}))
    answer = world.token("tax", grant_type="client_credentials", authorization_details=json.dumps([ASKED]))
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_authorization_details")
