# SPDX-License-Identifier: Apache-2.0
"""Acting for a company or another person: chosen, said, and over at once when it is withdrawn."""

import base64
import json
from datetime import UTC, datetime, time, timedelta
from typing import Any

from werkzeug.test import TestResponse

from audit import Entry, Event, Outcome
from directory import Mandate
from tests.fakes.sso_directory import COMPANY, LI, TODAY, WANG
from tests.sso.conftest import Browser, World, answered, hidden

ASKED = "openid profile mandate"
FOR_COMPANY = {"kind": "organisation", "id": COMPANY, "service": "tax"}


def test_who_acts_for_a_company_says_so_and_the_service_learns_both(world: World) -> None:
    give(world, organisation=COMPANY)
    browser = world.browser()
    page = choices(browser)
    assert "Bright Ltd" in page.text
    assert "taxes" in page.text
    consent = browser.follow(choose(browser, page, f"organisation:{COMPANY}:tax"))
    assert "You act for Bright Ltd" in consent.text
    tokens = world.redeem("tax", browser.finish(consented(browser, consent))["code"]).get_json()
    for token in ("access_token", "id_token"):
        claims = said(tokens[token])
        assert (claims["sub"], claims["on_behalf_of"]) == (LI, FOR_COMPANY), token
    names = {"name": "Bright Ltd", "name_zh": "明亮公司"}
    assert world.bearer(tokens["access_token"]).get_json()["on_behalf_of"] == {**FOR_COMPANY, **names}
    assert introspected(world, tokens["access_token"])["on_behalf_of"] == FOR_COMPANY
    issued = next(event for event in reversed(world.recorder.events) if event.type == "sso.token.intended")
    assert (issued.subject, issued.attributes["mandate"]) == (LI, f"organisation:{COMPANY}:tax")


def test_who_acts_for_themselves_or_has_nobody_to_act_for_says_nothing(world: World) -> None:
    browser = world.browser()
    alone = world.redeem("tax", browser.log_in(scope=ASKED)["code"]).get_json()
    assert "on_behalf_of" not in said(alone["access_token"])
    give(world, organisation=COMPANY)
    page = browser.follow(browser.authorize(scope=ASKED))
    own = world.redeem("tax", browser.finish(choose(browser, page, "self"))["code"]).get_json()
    assert "on_behalf_of" not in said(own["access_token"])
    # It is asked each time, and a page that may not ask says what is missing.
    assert browser.authorize(scope=ASKED).location.startswith("/acting?")
    assert answered(browser.authorize(scope=ASKED, prompt="none"))["error"] == "account_selection_required"
    # Whoever does not ask for it is not told.
    assert "code" in answered(browser.authorize(scope="openid profile"))


def test_only_what_is_for_this_service_and_still_runs_is_offered(world: World) -> None:
    give(world, organisation=COMPANY, scope="social")
    give(world, organisation=COMPANY, until=TODAY - timedelta(days=1))
    give(world, organisation="unknown")
    browser = world.browser()
    login = browser.follow(browser.authorize(scope=ASKED))
    assert browser.fill_in(login).location.startswith("/consent?")


def test_nobody_takes_a_mandate_that_is_not_theirs(world: World) -> None:
    give(world, organisation=COMPANY)
    give(world, organisation=COMPANY, scope="all", holder=WANG)
    browser = world.browser()
    page = choices(browser)
    for wrong in (f"organisation:{COMPANY}:all", f"person:{WANG}:tax", "::", "x", "organisation:unknown:tax"):
        answer = choose(browser, page, wrong)
        assert (answer.status_code, "choose again" in answer.text) == (403, True), wrong
    # Nor is the page skipped by what was sealed before the choice.
    sealed = hidden(page.text, "interaction")
    skipped = browser.post("/consent", page, interaction=sealed, choice="allow")
    assert skipped.location.startswith("/acting?")


def test_another_login_chooses_anew(world: World) -> None:
    give(world, organisation=COMPANY)
    give(world, organisation=COMPANY, holder=WANG)
    browser = world.browser()
    consent = browser.follow(choose(browser, choices(browser), f"organisation:{COMPANY}:tax"))
    sealed = hidden(consent.text, "interaction")
    login = browser.follow(browser.authorize("social", prompt="login"))
    browser.fill_in(login, "wang.wei")
    shown = browser.get("/consent", interaction=sealed)
    assert "You act for" not in shown.text
    assert browser.post("/consent", shown, interaction=sealed, choice="allow").location.startswith("/acting?")


def test_a_withdrawal_ends_what_rested_on_it_and_nothing_else(world: World) -> None:
    give(world, organisation=COMPANY)
    browser, tokens = acting(world)
    own = world.redeem("tax", browser.finish(choose(browser, again(browser), "self"))["code"]).get_json()
    world.people.mandates.clear()
    withdrawn(world, LI, COMPANY)
    assert world.bearer(tokens["access_token"]).status_code == 401
    assert introspected(world, tokens["access_token"]) == {"active": False}
    assert world.token("tax", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).status_code == 400
    assert world.bearer(own["access_token"]).status_code == 200
    assert browser.get("/account").status_code == 200
    assert "sso.token.revoked" in world.drain()
    ended = next(event for event in reversed(world.recorder.events) if event.type == "sso.token.revoked")
    assert ended.attributes["reason"] == "mandate withdrawn"


def test_news_of_other_mandates_end_nothing(world: World) -> None:
    give(world, organisation=COMPANY)
    _browser, tokens = acting(world)
    withdrawn(world, WANG, COMPANY)
    withdrawn(world, LI, "another")
    withdrawn(world, LI, COMPANY, scope="social")
    assert world.bearer(tokens["access_token"]).status_code == 200


def test_without_any_news_nothing_is_redeemed_once_it_is_over(world: World) -> None:
    give(world, organisation=COMPANY)
    browser, tokens = acting(world)
    code = browser.finish(choose(browser, again(browser), f"organisation:{COMPANY}:tax"))["code"]
    parked = choose(browser, again(browser), "self")
    assert parked.status_code == 303
    world.people.mandates.clear()
    assert world.redeem("tax", code).status_code == 400
    assert world.token("tax", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).status_code == 400
    # And its family is over with it.
    assert world.bearer(tokens["access_token"]).status_code == 401


def test_acting_for_a_person_ends_with_that_person(world: World) -> None:
    give(world, principal=WANG, scope="all")
    browser = world.browser()
    page = choices(browser)
    assert "Wang Wei" in page.text
    answer = browser.finish(choose(browser, page, f"person:{WANG}:all"))
    tokens = world.redeem("tax", answer["code"]).get_json()
    assert said(tokens["access_token"])["on_behalf_of"] == {"kind": "person", "id": WANG, "service": "all"}
    world.people.disable(WANG)
    assert world.token("tax", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).status_code == 400
    # Nor is it offered any more: there is nobody left to act for.
    assert "code" in answered(browser.authorize(scope=ASKED))


def test_whoever_withholds_it_acts_for_themselves(world: World) -> None:
    give(world, organisation=COMPANY)
    browser = world.browser()
    consent = browser.follow(choose(browser, choices(browser), f"organisation:{COMPANY}:tax"))
    sealed = hidden(consent.text, "interaction")
    answer = browser.post("/consent", consent, interaction=sealed, choice="allow", withhold="mandate")
    tokens = world.redeem("tax", answered(answer)["code"]).get_json()
    assert "on_behalf_of" not in said(tokens["access_token"])


def test_a_mandate_is_over_at_midnight_sharp_whatever_was_signed_before(world: World) -> None:
    give(world, organisation=COMPANY, until=TODAY)
    world.clock.advance(datetime.combine(TODAY, time(23, 58), UTC) - world.clock.now())
    _browser, tokens = acting(world)
    assert said(tokens["access_token"])["exp"] == said(tokens["id_token"])["mandate_exp"]
    assert tokens["expires_in"] == 120
    assert introspected(world, tokens["access_token"])["active"]
    # By whatever clock the token still counts: the directory's day is over.
    world.people.mandates.clear()
    assert introspected(world, tokens["access_token"]) == {"active": False}
    assert world.bearer(tokens["access_token"]).status_code == 401
    form = {"token": tokens["refresh_token"]}
    asked = world.app.test_client().post("/introspect", base_url=world.issuer, data=form, headers=world.basic("tax"))
    assert asked.get_json() == {"active": False}


def at_gateway(world: World, browser: Browser, acting: str) -> dict[str, Any]:
    """Log in where the gateway does it for the tax portal, and say for whom."""
    callback = f"{world.site.origin('tax')}/.tallygate/callback"
    answer = browser.authorize("gateway", scope="openid mandate", redirect_uri=callback)
    if answer.location.startswith("/login"):
        answer = browser.fill_in(browser.follow(answer))
    shown = browser.follow(answer)
    assert "<strong>Tax portal</strong>" in shown.text
    answer = choose(browser, shown, acting)
    found: dict[str, Any] = world.redeem("gateway", answered(answer)["code"], redirect_uri=callback).get_json()
    return found


def test_the_gateway_asks_for_its_hosts_and_these_need_not_ask_again(world: World) -> None:
    give(world, organisation=COMPANY)
    give(world, organisation=COMPANY, scope="social")
    browser = world.browser()
    key = f"organisation:{COMPANY}:tax"
    told = said(at_gateway(world, browser, key)["id_token"])
    assert told["on_behalf_of"] == FOR_COMPANY
    assert told["mandate_exp"] > told["iat"]
    # What the gateway told the portal the portal repeats, and the person agrees knowing it.
    consent = browser.follow(browser.authorize(scope=ASKED, acting=key))
    assert "You act for Bright Ltd" in consent.text
    tokens = world.redeem("tax", browser.finish(consented(browser, consent))["code"]).get_json()
    assert said(tokens["id_token"])["on_behalf_of"] == FOR_COMPANY
    # It repeats nothing else: what was not chosen there is asked.
    for other in ("self", f"organisation:{COMPANY}:social", f"organisation:{COMPANY}:all", "x"):
        assert browser.authorize(scope=ASKED, acting=other).location.startswith("/acting?"), other
    assert browser.authorize("social", scope=ASKED, acting=key).location.startswith("/acting?")
    at_gateway(world, browser, "self")
    own = world.redeem("tax", answered(browser.authorize(scope=ASKED, acting="self"))["code"]).get_json()
    assert "on_behalf_of" not in said(own["id_token"])
    # Nor in another session, nor after it was withdrawn.
    stranger = world.browser()
    assert stranger.fill_in(stranger.follow(stranger.authorize(scope=ASKED, acting=key))).location.startswith(
        "/acting?"
    )
    world.people.mandates.clear()
    withdrawn(world, LI, COMPANY)
    give(world, organisation=COMPANY, scope="all")
    assert browser.authorize(scope=ASKED, acting=key).location.startswith("/acting?")


def test_only_mandates_for_the_host_are_offered_at_the_gateway(world: World) -> None:
    give(world, organisation=COMPANY, scope="social")
    browser = world.browser()
    browser.log_in()
    callback = f"{world.site.origin('tax')}/.tallygate/callback"
    answer = browser.authorize("gateway", scope="openid mandate", redirect_uri=callback)
    told = world.redeem("gateway", answered(answer)["code"], redirect_uri=callback).get_json()
    assert "on_behalf_of" not in said(told["id_token"])


def give(world: World, *, organisation: str = "", principal: str = "", holder: str = LI, **more: Any) -> None:
    given: dict[str, Any] = {"scope": "tax", "until": TODAY + timedelta(days=1), **more}
    world.people.mandates.append(Mandate(organisation=organisation, principal=principal, holder=holder, **given))


def withdrawn(world: World, holder: str, organisation: str, *, scope: str = "tax") -> None:
    """Let the service hear that a mandate was withdrawn."""
    event = Event(
        key=f"{world.heard:032x}",
        type="directory.mandate.withdrawn",
        outcome=Outcome.SUCCESS,
        at=world.clock.now(),
        source="directory",
        subject=holder,
        organisation=organisation,
        attributes={"scope": scope, "until": "2099-01-01"},
    )
    world.service.news.hear([Entry(index=world.heard, event=event)])
    world.heard += 1


def choices(browser: Browser) -> TestResponse:
    """Log in, and see for whom one may act."""
    answer = browser.fill_in(browser.follow(browser.authorize(scope=ASKED)))
    assert answer.location.startswith("/acting?"), answer.location
    return browser.follow(answer)


def again(browser: Browser) -> TestResponse:
    return browser.follow(browser.authorize(scope=ASKED))


def choose(browser: Browser, page: TestResponse, acting: str) -> TestResponse:
    return browser.post("/acting", page, interaction=hidden(page.text, "interaction"), acting=acting)


def consented(browser: Browser, page: TestResponse) -> TestResponse:
    return browser.post("/consent", page, interaction=hidden(page.text, "interaction"), choice="allow")


def acting(world: World) -> tuple[Browser, dict[str, Any]]:
    browser = world.browser()
    answer = browser.finish(choose(browser, choices(browser), f"organisation:{COMPANY}:tax"))
    return browser, world.redeem("tax", answer["code"]).get_json()


def introspected(world: World, token: str) -> dict[str, Any]:
    client = world.app.test_client()
    answer = client.post("/introspect", base_url=world.issuer, data={"token": token}, headers=world.basic("gateway"))
    told: dict[str, Any] = answer.get_json()
    return told


def said(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims
