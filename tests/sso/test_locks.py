# SPDX-License-Identifier: Apache-2.0
"""Applications at the desk: who sees which, the lock that bites at once, and the two it takes to unlock."""

from dataclasses import replace

from audit import Entry, Event, Outcome
from sso.store import Store
from tests.fakes.sso_directory import LI, WANG
from tests.sso.conftest import World
from tests.sso.desk import Officer, another, developer

CLIENTS = "/admin/clients"


def lock(officer: Officer, client: str = "tax") -> int:
    return officer.post(f"{CLIENTS}/{client}/lock", form_at="/admin/portals/ask", reason="its key was seen").status_code


def unlock(officer: Officer, choice: str = "", client: str = "tax") -> int:
    path, form = f"{CLIENTS}/{client}/unlock", {"reason": "new key"}
    if choice:
        path, form = f"{path}/decide", {"choice": choice}
    return officer.post(path, form_at="/admin/portals/ask", **form).status_code


def test_a_lock_ends_everything_at_once_and_two_unlock(world: World) -> None:
    browser, boss, other = world.browser(), Officer(world), another(world)
    given = world.redeem("tax", browser.log_in("tax")["code"]).get_json()
    code = browser.log_in_again("tax")["code"]
    assert world.bearer(given["access_token"]).status_code == 200
    assert lock(boss) == 303
    assert world.bearer(given["access_token"]).status_code == 401
    assert world.redeem("tax", code).status_code == 401
    assert world.token("tax", grant_type="refresh_token", refresh_token=given["refresh_token"]).status_code == 401
    assert browser.authorize("tax").status_code == 400
    # Others go on.
    assert world.redeem("social", browser.finish(browser.authorize("social"))["code"]).status_code == 200
    assert lock(other) == 409
    assert "its key was seen" in boss.get(f"{CLIENTS}/tax").text
    # One asks, and cannot confirm it; another does.
    assert unlock(other, "confirm") == 409
    assert unlock(boss) == 303
    assert unlock(other) == 409
    assert unlock(boss, "confirm") == 403
    assert unlock(other, "confirm") == 303
    assert unlock(other, "confirm") == 409
    # What had ended stays so.
    assert world.bearer(given["access_token"]).status_code == 401
    assert world.redeem("tax", browser.log_in_again("tax")["code"]).status_code == 200
    world.drain()
    told = [
        (each.type, each.outcome, each.actor)
        for each in world.recorder.events
        if each.type in ("sso.client.locked", "sso.client.unlocked")
    ]
    assert sorted(told) == sorted(
        [
            ("sso.client.locked", Outcome.SUCCESS, WANG),
            *[("sso.client.unlocked", each, WANG) for each in (Outcome.INTENDED, Outcome.SUCCESS, Outcome.DENIED)],
            *[("sso.client.unlocked", each, other.subject) for each in (Outcome.INTENDED, Outcome.SUCCESS)],
        ]
    )
    reasons = [each.attributes["reason"] for each in world.recorder.events if each.type == "sso.token.revoked"]
    assert reasons == ["client locked"] * 2


def test_a_registration_replaced_meanwhile_stays_locked_and_declining_keeps_it_so(world: World) -> None:
    boss, other = Officer(world), another(world)
    lock(boss)
    found = world.store.clients.named({"tax"})["tax"]
    world.store.clients.put(replace(found, name="Taxes"))
    assert world.store.clients.find("tax") is None
    unlock(boss)
    assert unlock(other, "decline") == 303
    assert unlock(other, "confirm") == 409
    assert world.store.clients.find("tax") is None


def test_the_gateway_cannot_be_locked_for_nobody_could_unlock_it(world: World) -> None:
    assert lock(Officer(world), "gateway") == 409
    assert lock(Officer(world), "none") == 404


def test_an_agency_sees_its_own_and_locks_nothing(world: World) -> None:
    person = world.people.people[LI]
    world.people.people[LI] = replace(person, organisation="tax-office")
    found = world.store.clients.named({"tax"})["tax"]
    world.store.clients.put(replace(found, agency="tax-office"))
    mine = developer(world)
    listed = mine.get(CLIENTS).text
    assert "Tax portal" in listed
    assert "Social insurance" not in listed
    assert mine.get(f"{CLIENTS}/tax").status_code == 200
    assert mine.get(f"{CLIENTS}/social").status_code == 404
    assert lock(mine) == 403
    assert "Social insurance" in Officer(world).get(CLIENTS).text


def test_last_use_is_noted_for_whoever_proved_itself(world: World) -> None:
    boss = Officer(world)
    assert "not yet" in boss.get(f"{CLIENTS}/kiosk").text
    world.token("machine", grant_type="client_credentials")
    world.app.test_client().post("/token", base_url=world.issuer, headers=world.basic("kiosk", "x" * 43))
    world.service.housekeeping.round()
    uses = world.store.locks.uses()
    assert uses == {"machine": int(world.clock.now().timestamp())}
    assert "UTC" in boss.get(f"{CLIENTS}/machine").text


def test_without_the_record_nothing_is_unlocked_but_a_lock_needs_no_record(world: World) -> None:
    boss = Officer(world)
    world.fresh = False
    assert lock(boss) == 303
    assert unlock(boss) == 503


def test_a_client_shut_in_an_emergency_is_given_nothing_until_it_is_open_again(world: World) -> None:
    def heard(kind: str, outcome: Outcome, index: int, client: str = "tax") -> None:
        event = Event(
            key=f"{index:032x}",
            type=f"gateway.switch.{kind}",
            outcome=outcome,
            at=world.clock.now(),
            source="audit",
            object=f"client={client}",
        )
        world.service.news.hear([Entry(index=index, event=event)])

    browser = world.browser()
    given = world.redeem("tax", browser.log_in("tax")["code"]).get_json()
    code = browser.log_in_again("tax")["code"]
    heard("shut", Outcome.INTENDED, 10)
    # From the intent on: no code, no refresh, no claims, no new login.
    assert world.redeem("tax", code).status_code == 401
    assert world.token("tax", grant_type="refresh_token", refresh_token=given["refresh_token"]).status_code == 401
    assert world.bearer(given["access_token"]).status_code == 401
    assert browser.authorize("tax").status_code == 400
    assert world.redeem("social", browser.finish(browser.authorize("social"))["code"]).status_code == 200
    # A worker that starts now reads the same table.
    assert Store(world.database).clients.find("tax") is None
    # An older word heard late changes nothing, the failure of the act lifts it, and so does opening, done.
    heard("reopened", Outcome.SUCCESS, 9)
    heard("reopened", Outcome.INTENDED, 11)
    assert world.store.clients.find("tax") is None
    heard("shut", Outcome.FAILURE, 12)
    assert world.store.clients.find("tax") is not None
    heard("shut", Outcome.SUCCESS, 13)
    heard("reopened", Outcome.SUCCESS, 14)
    assert world.token("tax", grant_type="refresh_token", refresh_token=given["refresh_token"]).status_code == 200
    # The way to where it is opened again stays.
    heard("shut", Outcome.SUCCESS, 15, "gateway")
    assert world.store.clients.find("gateway") is not None
