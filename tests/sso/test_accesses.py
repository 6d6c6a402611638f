# SPDX-License-Identifier: Apache-2.0
"""Who looked at whose record: said before it is shown, and what a person is told and given of it."""

from typing import Any

from audit import decode_event
from tests.fakes.sso_directory import LI, WANG
from tests.sso.conftest import World

DECISION = "0123456789abcdef" * 2
SAID = {"decision": DECISION, "subject": LI, "purpose": "tax-return"}


def declared(world: World, client: str = "tax", **changes: Any) -> Any:
    form = {name: value for name, value in {**SAID, **changes}.items() if value is not None}
    headers = world.basic(client) if client != "web-app" else {}
    return world.app.test_client().post("/accesses", base_url=world.issuer, data=form, headers=headers)


def test_what_a_portal_says_is_recorded_before_it_is_answered(world: World) -> None:
    answer = declared(world)
    assert answer.status_code == 201
    event = world.recorder.events[answer.get_json()["index"]]
    assert (event.type, event.subject, event.actor, event.decision) == ("sso.record.opened", LI, "tax", DECISION)
    assert event.attributes == {"client": "tax", "purpose": "tax-return"}
    assert set(answer.get_json()) == {"log", "index", "leaf"}


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
    ):
        answer = declared(world, **change)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request"), change
    assert "sso.record.opened" not in world.recorder.types()


def test_the_person_sees_who_looked_and_gets_entry_and_proof_and_nobody_elses(world: World) -> None:
    index = declared(world).get_json()["index"]
    other = declared(world, subject=WANG).get_json()["index"]
    world.entries = [
        {
            "index": index,
            "time": "2026-11-20T08:00:00+00:00",
            "says": "A portal opened a person's record",
            "client": "tax",
            "purpose": "tax-return",
            "outcome_says": "Success",
        }
    ]
    browser = world.browser()
    browser.log_in("tax")
    page = browser.get("/account").text
    assert "opened a person&#39;s record: Tax portal (tax-return)" in page
    entry = browser.get(f"/account/record/{index}/entry")
    assert decode_event(entry.data).subject == LI
    assert entry.headers["Content-Disposition"] == f'attachment; filename="entry-{index}.json"'
    assert browser.get(f"/account/record/{index}/proof").text.startswith("c2sp.org/tlog-proof@v1")
    for path in (f"{other}/entry", f"{other}/proof", "99999/entry", f"{index}/anything"):
        assert browser.get(f"/account/record/{path}").status_code == 404, path
    assert world.browser().get(f"/account/record/{index}/entry").location.startswith("/login?")
