# SPDX-License-Identifier: Apache-2.0
"""Who looked at whose record: said before it is shown, and what a person is told and given of it."""

from datetime import timedelta
from typing import Any

import pytest

from audit import Outcome, decode_event
from sso.service import register_client
from tests.fakes.sso_directory import COMPANY, LI, WANG
from tests.sso.conftest import SECRET, World
from tests.sso.desk import let_in
from tests.sso.test_mandates import give

DECISION = "0123456789abcdef" * 2
SAID = {"decision": DECISION, "subject": LI, "purpose": "assessment"}
SERVANT: dict[str, Any] = {"roles": frozenset({"citizen", "civil-servant"}), "subject": WANG}


def declared(world: World, client: str = "tax", **changes: Any) -> Any:
    said = {**SAID, "identity": let_in(world), **changes}
    form = {name: value for name, value in said.items() if value is not None}
    headers = world.basic(client) if client != "web-app" else {}
    return world.app.test_client().post("/accesses", base_url=world.issuer, data=form, headers=headers)


def refusals(world: World) -> list[object]:
    return [each.attributes["reason"] for each in world.recorder.events if each.type == "sso.record.refused"]


def test_what_a_portal_says_is_recorded_before_it_is_answered(world: World) -> None:
    answer = declared(world)
    assert answer.status_code == 201
    event = world.recorder.events[answer.get_json()["index"]]
    assert (event.type, event.subject, event.actor, event.decision) == ("sso.record.opened", LI, "tax", DECISION)
    assert event.attributes == {"client": "tax", "purpose": "assessment", "by": "self"}
    assert set(answer.get_json()) == {"log", "index", "leaf"}


def test_said_twice_it_stands_in_the_log_once_and_nothing_else_hides_behind_it(world: World) -> None:
    header = let_in(world, **SERVANT)
    first = declared(world, identity=header)
    world.clock.advance(timedelta(seconds=20))
    assert declared(world, identity=header).get_json() == first.get_json()
    others = [declared(world, identity=header, **more) for more in ({"subject": WANG}, {"purpose": "support"})]
    places = {each.get_json()["index"] for each in (first, *others)}
    assert len(places) == world.recorder.types().count("sso.record.opened") == 3


def test_without_a_receipt_there_is_no_answer(world: World) -> None:
    world.recorder.down = True
    assert declared(world).status_code == 503


def test_only_portals_that_keep_a_secret_are_heard_and_nothing_unclear_is_taken(world: World) -> None:
    wrong = world.app.test_client().post(
        "/accesses", base_url=world.issuer, data=SAID, headers=world.basic("tax", "wrong")
    )
    assert wrong.status_code == 401
    assert declared(world, "web-app", client_id="web-app").status_code == 401
    for change in (
        {"decision": "x"},
        {"decision": None},
        {"subject": WANG.replace("8", "9")},
        {"subject": "*)(uid=*"},
        {"subject": [LI, LI]},
        {"purpose": "Curiosity!"},
        {"purpose": ""},
        {"identity": None},
        {"identity": "a b"},
    ):
        answer = declared(world, **change)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request"), change
    assert "sso.record.opened" not in world.recorder.types()


FOR_COMPANY = {"on_behalf_of": f"organisation:{COMPANY}:tax"}
# Who says it, where the visitor was let in, how long ago; what the header and the form say otherwise; what is wrong.
IMPOSSIBLE: tuple[tuple[str, str, int, dict[str, Any], dict[str, Any], str], ...] = (
    ("tax", "tax", 0, {"decision": "f" * 32}, {}, "decision"),
    ("tax", "tax", 0, {"kind": "device"}, {}, "decision"),
    ("tax", "tax", 61, {}, {}, "identity"),
    ("social", "tax", 0, {}, {}, "identity"),
    ("tax", "social", 0, {}, {}, "identity"),
    ("tax", "tax", 0, {}, {"identity": "e30.e30.AAAA"}, "identity"),
    # A citizen and somebody else's record; a company nobody chose to act for, and one they may not act for any more.
    ("tax", "tax", 0, {}, {"subject": WANG}, "subject"),
    ("tax", "tax", 0, {}, {"subject": COMPANY}, "subject"),
    ("tax", "tax", 0, FOR_COMPANY, {"subject": WANG}, "subject"),
    ("tax", "tax", 0, FOR_COMPANY, {"subject": COMPANY}, "mandate"),
    ("tax", "tax", 0, {"on_behalf_of": f"person:{WANG}:social"}, {"subject": WANG}, "mandate"),
    ("tax", "tax", 0, SERVANT, {"subject": "99999999-0000-4000-8000-000000000000"}, "subject"),
)


@pytest.mark.parametrize("row", IMPOSSIBLE, ids=lambda row: f"{row[0]}-{row[5]}")
def test_what_cannot_be_so_is_refused_and_that_is_recorded(
    world: World, row: tuple[str, str, int, dict[str, Any], dict[str, Any], str]
) -> None:
    client, host, late, changes, form, reason = row
    header = let_in(world, f"{host}.city.localhost", **changes)
    world.clock.advance(timedelta(seconds=late))
    answer = declared(world, client, **{"identity": header, **form})
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")
    assert refusals(world) == [reason]
    refused = world.recorder.events[-1]
    assert (refused.outcome, refused.actor, refused.subject) == (Outcome.DENIED, client, "")
    assert "sso.record.opened" not in world.recorder.types()


def test_an_officer_opens_others_records_and_the_record_says_so(world: World) -> None:
    answer = declared(world, identity=let_in(world, **SERVANT))
    event = world.recorder.events[answer.get_json()["index"]]
    assert (event.subject, event.attributes["by"]) == (LI, "official")


def test_whoever_acts_for_somebody_opens_their_record_while_the_mandate_stands(world: World) -> None:
    give(world, organisation=COMPANY)
    give(world, principal=WANG)
    company = let_in(world, on_behalf_of=f"organisation:{COMPANY}:tax")
    answer = declared(world, identity=company, subject=COMPANY)
    event = world.recorder.events[answer.get_json()["index"]]
    assert (event.subject, event.organisation, event.attributes["by"]) == (LI, COMPANY, "representative")
    person = let_in(world, on_behalf_of=f"person:{WANG}:tax", decision="a" * 32)
    answer = declared(world, identity=person, subject=WANG, decision="a" * 32)
    event = world.recorder.events[answer.get_json()["index"]]
    assert (event.subject, event.organisation, event.attributes["by"]) == (WANG, "", "representative")
    world.people.mandates.clear()
    assert declared(world, identity=person, subject=WANG, decision="a" * 32).status_code == 400


def test_a_portal_that_knows_people_by_other_names_says_those(world: World) -> None:
    register_client(
        world.store,
        name="health",
        title="Health",
        title_zh="卫生",
        redirect_uris=("https://health.city.localhost/callback",),
        scopes=frozenset({"openid", "profile"}),
        audience="https://health.city.localhost",
        secret="h" * 43,
    )
    SECRET["health"] = "h" * 43
    header = let_in(world, "health.city.localhost", **SERVANT)
    code = world.browser().log_in("health", redirect_uri="https://health.city.localhost/callback")["code"]
    wang = world.browser().log_in("health", "wang.wei", redirect_uri="https://health.city.localhost/callback")["code"]
    asked = {"identity": header, "client": "health"}
    claims = world.redeem("health", code, redirect_uri="https://health.city.localhost/callback").get_json()
    known = world.bearer(claims["access_token"]).get_json()["sub"]
    assert known != LI
    event = world.recorder.events[declared(world, **asked, subject=known).get_json()["index"]]
    assert (event.subject, event.attributes["by"]) == (LI, "official")
    # The directory's own names it was never told, nor anybody's who has not been there.
    assert declared(world, **asked, subject=LI).status_code == 400
    assert declared(world, **asked, subject=known[::-1]).status_code == 400
    own = world.redeem("health", wang, redirect_uri="https://health.city.localhost/callback").get_json()
    himself = world.bearer(own["access_token"]).get_json()["sub"]
    event = world.recorder.events[declared(world, **asked, subject=himself).get_json()["index"]]
    assert (event.subject, event.attributes["by"]) == (WANG, "self")
    # And another sector's names are nobody's here.
    assert declared(world, subject=known).status_code == 400


def test_the_person_sees_who_looked_and_gets_entry_and_proof_and_nobody_elses(world: World) -> None:
    index = declared(world).get_json()["index"]
    other = declared(world, identity=let_in(world, **SERVANT), subject=WANG).get_json()["index"]
    world.entries = [
        {
            "index": index,
            "time": "2026-11-20T08:00:00+00:00",
            "says": "A portal opened a person's record",
            "client": "tax",
            "purpose": "assessment",
            "outcome_says": "Success",
        }
    ]
    browser = world.browser()
    browser.log_in("tax")
    page = browser.get("/account").text
    assert "opened a person&#39;s record: Tax portal (assessing a tax)" in page
    # And which pages never say it.
    assert "<li>Tax portal: <code>/old/*</code></li>" in page
    assert "<li>archive.city.localhost: <code>/files/*</code></li>" in page
    entry = browser.get(f"/account/record/{index}/entry")
    assert decode_event(entry.data).subject == LI
    assert entry.headers["Content-Disposition"] == f'attachment; filename="entry-{index}.json"'
    assert browser.get(f"/account/record/{index}/proof").text.startswith("c2sp.org/tlog-proof@v1")
    for path in (f"{other}/entry", f"{other}/proof", "99999/entry", f"{index}/anything"):
        assert browser.get(f"/account/record/{path}").status_code == 404, path
    assert world.browser().get(f"/account/record/{index}/entry").location.startswith("/login?")
