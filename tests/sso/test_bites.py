# SPDX-License-Identifier: Apache-2.0
"""What is taken away bites everywhere at once: each cause against all that could rest on it.

The gateway ends what the record says was ended (tests/gateway/test_service_decision.py); here it is that it is said.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from audit import Entry, Event, Outcome
from tests.fakes.sso_directory import COMPANY, LI, WANG
from tests.sso.conftest import Browser, World, hidden
from tests.sso.test_mandates import acting, again, choose, give, withdrawn


@dataclass
class Resting:
    """Somebody at work: logged in, with tokens and a code on its way."""

    browser: Browser
    subject: str
    tokens: dict[str, Any]
    code: str


def by_password(world: World) -> Resting:
    browser = world.browser()
    tokens = world.redeem("tax", browser.log_in("tax")["code"]).get_json()
    return Resting(browser, LI, tokens, browser.log_in_again("tax")["code"])


def by_card(world: World) -> Resting:
    browser = world.browser()
    back = browser.back(browser.card(browser.follow(browser.authorize("tax")), f"card 1a {WANG}"))
    tokens = world.redeem("tax", browser.finish(back)["code"]).get_json()
    return Resting(browser, WANG, tokens, browser.log_in_again("tax")["code"])


def for_company(world: World) -> Resting:
    give(world, organisation=COMPANY)
    browser, tokens = acting(world)
    code = browser.finish(choose(browser, again(browser), f"organisation:{COMPANY}:tax"))["code"]
    return Resting(browser, LI, tokens, code)


def disabled(world: World, who: Resting) -> None:
    world.hear("directory.person.disabled", subject=who.subject)


def revoked(world: World, _who: Resting) -> None:
    world.hear("ca.certificate.revoked", object_="1a")


def mandate_withdrawn(world: World, who: Resting) -> None:
    withdrawn(world, who.subject, COMPANY)


def consent_withdrawn(_world: World, who: Resting) -> None:
    page = who.browser.get("/account")
    assert who.browser.post("/account/consents/withdraw", page, client=hidden(page.text, "client")).status_code == 303


def password_changed(world: World, who: Resting, outcome: Outcome = Outcome.SUCCESS) -> None:
    event = Event(
        key=f"{world.heard:032x}",
        type="directory.person.changed",
        outcome=outcome,
        at=world.clock.now(),
        source="directory",
        subject=who.subject,
        attributes={"what": "password"},
    )
    world.service.news.hear([Entry(index=world.heard, event=event)])
    world.heard += 1


# Who, what happens, whether the session ends too, and by which word the gateway hears of it.
MATRIX: list[tuple[Callable[[World], Resting], Callable[[World, Resting], None], bool, str]] = [
    (by_password, disabled, True, "sso.session.ended"),
    (by_card, disabled, True, "sso.session.ended"),
    (by_card, revoked, True, "sso.session.ended"),
    (by_password, password_changed, True, "sso.session.ended"),
    (for_company, mandate_withdrawn, False, "sso.token.revoked"),
    (by_password, consent_withdrawn, False, "sso.token.revoked"),
]


@pytest.mark.parametrize(("begin", "happens", "ends_session", "said"), MATRIX)
def test_it_ends_everything_that_rested_on_it(
    world: World,
    begin: Callable[[World], Resting],
    happens: Callable[[World, Resting], None],
    ends_session: bool,  # noqa: FBT001 - a column of the table
    said: str,
) -> None:
    who = begin(world)
    bystander = world.browser()
    other = world.redeem("social", bystander.log_in("social", "wang.wei" if who.subject == LI else "li.na")["code"])
    happens(world, who)
    assert (who.browser.get("/account").status_code == 303) is ends_session
    assert world.bearer(who.tokens["access_token"]).status_code == 401
    headers = world.basic("gateway")
    form = {"token": who.tokens["access_token"]}
    asked = world.app.test_client().post("/introspect", base_url=world.issuer, data=form, headers=headers)
    assert asked.get_json() == {"active": False}
    refreshed = world.token("tax", grant_type="refresh_token", refresh_token=who.tokens["refresh_token"])
    assert (refreshed.status_code, refreshed.get_json()["error"]) == (400, "invalid_grant")
    assert world.redeem("tax", who.code).status_code == 400
    assert said in world.drain()
    # And nobody else's.
    assert world.bearer(other.get_json()["access_token"]).status_code == 200
    assert bystander.get("/account").status_code == 200


def test_a_new_password_ends_no_login_that_came_after_it_however_late_it_is_heard(world: World) -> None:
    who = by_password(world)
    failed = by_password(world)
    password_changed(world, failed, Outcome.FAILURE)
    password_changed(world, who, Outcome.INTENDED)
    assert who.browser.get("/account").status_code == 200
    changed = world.clock.now()
    world.clock.advance(timedelta(seconds=1))
    after = by_password(world)
    event = Event(
        key="f" * 32,
        type="directory.person.changed",
        outcome=Outcome.SUCCESS,
        at=changed,
        source="directory",
        subject=LI,
        attributes={"what": "password"},
    )
    world.service.news.hear([Entry(index=world.heard, event=event)])
    assert who.browser.get("/account").status_code == 303
    assert after.browser.get("/account").status_code == 200
