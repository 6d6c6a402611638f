# SPDX-License-Identifier: Apache-2.0
"""Devices without a browser (RFC 8628), and bug class 28: guessing short codes, and yes to somebody else's device."""

import re
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from audit import Outcome
from sso.errors import BadClient
from sso.oauth.rfc8628 import shown, typed
from sso.service import register_client
from tests.fakes.sso_directory import COMPANY, LI
from tests.sso.conftest import Browser, World, hidden
from tests.sso.test_mandates import give, said
from tests.sso.test_requests import change

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def asked(world: World, client: str = "kiosk", **form: str) -> dict[str, Any]:
    answer = world.app.test_client().post(
        "/device_authorization", base_url=world.issuer, data=form, headers=world.basic(client)
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def poll(world: World, device: dict[str, Any], client: str = "kiosk") -> TestResponse:
    return world.token(client, grant_type=GRANT, device_code=device["device_code"])


def logged_in(world: World) -> Browser:
    browser = world.browser()
    browser.log_in("tax")
    return browser


def type_code(browser: Browser, code: str) -> TestResponse:
    return browser.post("/device", browser.get("/device"), user_code=code)


def decide(browser: Browser, page: TestResponse, choice: str, **more: str) -> TestResponse:
    return browser.post("/device/decide", page, device=hidden(page.text, "device"), choice=choice, **more)


def test_a_person_sees_who_asks_from_where_and_the_device_gets_its_tokens_once(world: World) -> None:
    device, browser = asked(world, scope="openid profile"), logged_in(world)
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", device["user_code"])
    assert poll(world, device).get_json()["error"] == "authorization_pending"
    page = type_code(browser, device["user_code"].lower().replace("-", " "))
    assert "Kiosk" in page.text
    assert "127.0.0.0/24" in page.text
    assert "your name and user name" in page.text
    assert "The device is connected" in decide(browser, page, "allow").text
    world.clock.advance(timedelta(seconds=6))
    tokens = poll(world, device).get_json()
    assert world.bearer(tokens["access_token"]).get_json() == {"sub": LI, "name": "Li Na", "name_zh": "李娜"} | {
        "preferred_username": "li.na"
    }
    refreshed = world.token("kiosk", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert refreshed.status_code == 200
    # Once: whoever comes again ends the family.
    assert poll(world, device).get_json()["error"] == "invalid_grant"
    assert world.token("kiosk", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).status_code == 400
    kinds = world.drain()
    assert kinds.count("sso.code.intended") == 2
    assert "sso.token.revoked" in kinds


def test_the_person_says_for_whom_the_device_acts(world: World) -> None:
    found = world.store.clients.find("kiosk")
    assert found is not None
    change(world, "kiosk", scopes=found.scopes | {"mandate"})
    wanted, key = "openid mandate", f"organisation:{COMPANY}:all"
    browser = logged_in(world)
    nobody = asked(world, scope=wanted)
    assert "For whom does the device act?" not in type_code(browser, nobody["user_code"]).text
    give(world, organisation=COMPANY, scope="all")
    give(world, organisation=COMPANY, scope="tax")
    page = type_code(browser, (device := asked(world, scope=wanted))["user_code"])
    assert page.text.count('name="acting"') == 2  # for oneself and for the company; not for taxes, which this is not
    assert "For Bright Ltd (all services" in page.text
    assert decide(browser, page, "allow", acting=f"organisation:{COMPANY}:tax").status_code == 403
    assert decide(browser, page, "allow", acting=f"person:{LI}:all").status_code == 403
    assert decide(browser, page, "allow", acting=key).status_code == 200
    told = said(poll(world, device).get_json()["access_token"])
    assert told["on_behalf_of"] == {"kind": "organisation", "id": COMPANY, "service": "all"}
    own = asked(world, scope=wanted)
    decide(browser, type_code(browser, own["user_code"]), "allow", acting="self")
    assert "on_behalf_of" not in said(poll(world, own).get_json()["access_token"])
    # Withheld it is nobody's business, and a device that never asked acts for nobody.
    for scope, more in ((wanted, {"withhold": "mandate"}), ("openid", {})):
        other = asked(world, scope=scope)
        decide(browser, type_code(browser, other["user_code"]), "allow", acting=key, **more)
        assert "on_behalf_of" not in said(poll(world, other).get_json()["access_token"])


def test_a_device_that_was_refused_hears_so_and_what_is_withheld_is_not_given(world: World) -> None:
    browser, device = logged_in(world), asked(world)
    decide(browser, type_code(browser, device["user_code"]), "deny")
    assert poll(world, device).get_json()["error"] == "access_denied"
    other = asked(world)
    decide(browser, type_code(browser, other["user_code"]), "allow", withhold="email")
    assert poll(world, other).get_json()["scope"] == "openid profile"


def test_a_device_that_does_not_wait_has_to_wait_longer(world: World) -> None:
    device = asked(world)
    assert poll(world, device).get_json()["error"] == "authorization_pending"
    assert poll(world, device).get_json()["error"] == "slow_down"
    world.clock.advance(timedelta(seconds=6))
    assert poll(world, device).get_json()["error"] == "slow_down"
    world.clock.advance(timedelta(seconds=15))
    assert poll(world, device).get_json()["error"] == "authorization_pending"
    world.clock.advance(timedelta(seconds=600))
    assert poll(world, device).get_json()["error"] == "expired_token"
    assert "No device is waiting" in type_code(logged_in(world), device["user_code"]).text


def test_guesses_of_short_codes_cost_time_for_a_person_and_are_recorded(world: World) -> None:
    browser, device = logged_in(world), asked(world)
    answers = [type_code(browser, f"BCDF-GHJ{last}") for last in "BCDFGHJKL"]
    assert [answer.status_code for answer in answers] == [400] * 7 + [429] * 2
    # Even the right one, which is how an attacker would notice.
    assert type_code(browser, device["user_code"]).status_code == 429
    refusals = [each.event for each in world.recorder.entries() if each.event.type == "sso.token.refused"]
    assert {event.outcome for event in refusals} == {Outcome.DENIED}
    assert {event.subject for event in refusals} == {LI}


def test_many_who_type_one_code_wait_for_it_together(world: World) -> None:
    device = asked(world)
    seen = [type_code(logged_in(world), device["user_code"]).status_code for _ in range(8)]
    assert seen == [200] * 7 + [429]


def test_a_decision_counts_in_the_session_that_saw_the_device_and_once(world: World) -> None:
    device, browser, other = asked(world), logged_in(world), logged_in(world)
    page = type_code(browser, device["user_code"])
    elsewhere = other.post("/device/decide", other.get("/device"), device=hidden(page.text, "device"), choice="allow")
    assert elsewhere.status_code == 400
    assert decide(browser, page, "allow").status_code == 200
    assert decide(browser, page, "deny").status_code == 400
    assert poll(world, device).status_code == 200


def test_nothing_is_decided_by_get_or_without_a_session(world: World) -> None:
    device = asked(world)
    stranger = world.browser()
    assert stranger.get("/device").location.startswith("/login?interaction=")
    # What a phisher would send leads to an empty form.
    page = logged_in(world).get("/device", user_code=device["user_code"])
    assert f'value="{device["user_code"]}"' not in page.text
    assert "verification_uri_complete" not in device


def test_a_login_that_was_asked_for_by_the_page_leads_back_to_it(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.get("/device"))
    assert browser.fill_in(page).location == "/device"


@pytest.mark.parametrize("change", ["another client", "disabled", "session ended", "consent withdrawn"])
def test_a_device_code_ends_with_what_it_rests_on(world: World, change: str) -> None:
    device, browser = asked(world), logged_in(world)
    decide(browser, type_code(browser, device["user_code"]), "allow")
    if change == "another client":
        register_client(
            world.store,
            name="other",
            title="O",
            title_zh="O",
            grants=frozenset({GRANT}),
            audience=world.site.origin("other"),
            secret="o" * 43,
        )
        answer = world.app.test_client().post(
            "/token",
            base_url=world.issuer,
            data={"grant_type": GRANT, "device_code": device["device_code"]},
            headers=world.basic("other", "o" * 43),
        )
        assert answer.get_json()["error"] == "invalid_grant"
        return
    if change == "disabled":
        world.people.disable(LI)
    elif change == "session ended":
        world.hear("directory.person.disabled", subject=LI)
    else:
        session = world.service.login.current(browser.cookie("__Host-sso-session"))
        assert session is not None
        world.service.account.withdraw(session, "kiosk")
    assert poll(world, device).get_json()["error"] == "invalid_grant"


def test_short_codes_are_read_as_people_type_them() -> None:
    assert typed(" bcdf ghjk ") == "BCDFGHJK"
    assert typed(shown("BCDFGHJK")) == "BCDFGHJK"
    assert [typed(text) for text in ("", "BCDF", "ABCDEFGH", "BCDFGHJKL", "BCDFGHJ0", "\uff22CDFGHJK")] == [""] * 6


def test_what_devices_may_not_be_registered_for(world: World) -> None:
    for more in ({"trusted": True}, {"requires": frozenset({"par"})}, {"profile": "fapi2"}):
        with pytest.raises(BadClient):
            register_client(
                world.store,
                name="tv",
                title="TV",
                title_zh="TV",
                grants=frozenset({GRANT}),
                audience=world.site.origin("tv"),
                secret="o" * 43,
                **more,
            )
