# SPDX-License-Identifier: Apache-2.0
"""The registration desk: asked, decided by somebody else, fetched once; and what nobody may do there."""

import re
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from audit import Outcome
from sso.config import SSOSettings
from sso.service import invite
from tests.fakes.sso_directory import LI
from tests.sso.conftest import World, make_world
from tests.sso.desk import Officer, another, developer

ASK = "/admin/portals/ask"
GOOD = {
    "name": "Library",
    "name_zh": "图书馆",
    "contact": "library@city.example",
    "redirect_uri": "https://library.example/callback",
    "method": "client_secret_basic",
    "scope": "profile",
}


def ask(officer: Officer, **changes: str) -> TestResponse:
    return officer.post(ASK, form_at=ASK, **{**GOOD, **changes})


def asked(officer: Officer, **changes: str) -> str:
    answer = ask(officer, **changes)
    assert answer.status_code == 303, answer.text
    return answer.location


def decide(officer: Officer, path: str, choice: str = "grant") -> TestResponse:
    return officer.post(f"{path}/decide", form_at=ASK, choice=choice, reason="known to us")


def told(page: str) -> list[str]:
    return re.findall(r"<dd><code>([^<]*)</code>", page)


def test_a_portal_is_asked_for_granted_by_another_fetched_once_and_used(world: World) -> None:
    mine, boss = developer(world), Officer(world)
    path = asked(mine)
    assert decide(boss, path).status_code == 303
    page = mine.post(f"{path}/fetch", form_at=path).text
    client, secret, manage = told(page)[:3]
    assert mine.post(f"{path}/fetch", form_at=ASK).status_code == 409
    callback = GOOD["redirect_uri"]
    code = world.browser().log_in(client, redirect_uri=callback)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback, "code_verifier": "v" * 64}
    answer = world.app.test_client().post(
        "/token", base_url=world.issuer, data=form, headers=world.basic(client, secret)
    )
    assert answer.status_code == 200, answer.text
    kept = world.app.test_client().get(
        f"/register/{client}", base_url=world.issuer, headers={"Authorization": f"Bearer {manage}"}
    )
    assert kept.get_json()["client_name"] == "Library"
    kinds = [kind for kind in world.drain() if kind.startswith("sso.client.")]
    assert sorted(kinds) == sorted(
        ["sso.client.requested"] * 2 + ["sso.client.reviewed"] * 2 + ["sso.client.intended", "sso.client.registered"]
    )
    found = world.store.clients.find(client)
    assert found is not None
    assert (found.contact, found.test) == ("library@city.example", False)


def test_nobody_decides_on_what_they_asked_for_and_no_agency_decides_at_all(world: World) -> None:
    boss = Officer(world)
    own = asked(boss)
    assert decide(boss, own).status_code == 403
    # That they tried is on record.
    assert [each.outcome for each in world.recorder.events if each.type == "sso.client.reviewed"] == [Outcome.DENIED]
    theirs = asked(developer(world))
    assert decide(developer(world), theirs).status_code == 403
    assert decide(another(world), own).status_code == 303
    assert boss.post(f"{own}/fetch", form_at=ASK).status_code == 200


def test_one_decision_counts_and_nothing_is_fetched_before_or_after_a_refusal(world: World) -> None:
    mine = developer(world)
    path = asked(mine)
    assert mine.post(f"{path}/fetch", form_at=ASK).status_code == 409
    assert decide(Officer(world), path, "refuse").status_code == 303
    assert decide(another(world), path).status_code == 409
    assert mine.post(f"{path}/fetch", form_at=ASK).status_code == 409


def test_secrets_are_for_whoever_asked_and_not_for_whoever_decided(world: World) -> None:
    path = asked(developer(world))
    boss = Officer(world)
    decide(boss, path)
    assert boss.post(f"{path}/fetch", form_at=ASK).status_code == 404


def test_another_agency_sees_nothing_of_it(world: World) -> None:
    path = asked(Officer(world))
    assert Officer(world).get(path).status_code == 200
    assert developer(world).get(path).status_code == 404
    assert path not in developer(world).get("/admin/portals").text


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "http://library.example/callback"},
        {"redirect_uri": "https://user@library.example/callback"},
        {"redirect_uri": "https://library.example/a/../callback"},
        {"redirect_uri": "https://library.example/callback#x"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": ""},
        {"method": "private_key_jwt"},
        {"method": "tls_client_auth"},
        {"jwks": "{"},
        {"jwks": "[" * 5000},
        {"jwks_uri": "http://library.example/keys"},
        {"logout_uri": "https://library.example/#"},
        {"contact": ""},
        {"name": ""},
    ],
    ids=str,
)
def test_what_could_not_be_registered_is_not_even_asked_for_and_what_was_typed_stays(
    world: World, changes: dict[str, str]
) -> None:
    page = ask(developer(world), **changes)
    assert page.status_code == 400
    assert 'role="alert"' in page.text
    assert GOOD["name_zh"] in page.text
    assert world.store.applications.newest() == []


def test_hostile_names_are_shown_as_they_are(world: World) -> None:
    path = asked(developer(world), name='<script>alert("x")</script>')
    for page in (path, "/admin/portals"):
        assert "<script>alert" not in Officer(world).get(page).text


def test_scopes_beyond_those_of_portals_are_not_to_be_had(world: World) -> None:
    path = asked(developer(world), scope="roles")
    assert "roles" not in told(Officer(world).get(path).text)


def test_somebody_waits_for_so_many_decisions_and_no_more(world: World) -> None:
    mine = developer(world)
    for _ in range(20):
        asked(mine)
    assert ask(mine).status_code == 409


def test_a_test_client_is_marked_and_knows_nobody_by_a_real_identifier(world: World) -> None:
    mine = developer(world)
    path = asked(mine, test="yes")
    decide(Officer(world), path)
    client = told(mine.post(f"{path}/fetch", form_at=ASK).text)[0]
    found = world.store.clients.find(client)
    assert found is not None
    assert (found.test, found.sector, found.subject_type) == (True, client, "pairwise")
    assert client.startswith("test-")


def test_nobody_real_logs_in_at_a_client_for_tests_and_it_cannot_become_another(world: World) -> None:
    mine = developer(world)
    path = asked(mine, test="yes")
    decide(Officer(world), path)
    client, _secret, manage = told(mine.post(f"{path}/fetch", form_at=ASK).text)[:3]
    answer = world.browser().authorize(client, redirect_uri=GOOD["redirect_uri"])
    assert "error=access_denied" in answer.location
    at, headers = f"/register/{client}", {"Authorization": f"Bearer {manage}"}
    given = {"redirect_uris": [GOOD["redirect_uri"]], "client_name": "Another"}
    put = world.app.test_client().put
    assert put(at, base_url=world.issuer, json=given, headers=headers).status_code == 200
    found = world.store.clients.find(client)
    assert found is not None
    assert (found.test, found.name, found.contact) == (True, "Another", GOOD["contact"])
    device = {**given, "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"]}
    assert put(at, base_url=world.issuer, json=device, headers=headers).status_code == 400


def test_an_invitation_is_listed_and_taken_back(world: World) -> None:
    at = int(world.clock.now().timestamp())
    records: Any = world.service.records
    token = invite(world.store, records, sector="museum", scopes=frozenset({"openid"}), uses=2, expires_at=at + 600)
    page = Officer(world).get("/admin/portals").text
    assert "museum" in page
    assert "museum" not in developer(world).get("/admin/portals").text
    number = re.findall(r'name="invitation" value="([^"]+)"', page)[0]
    end = "/admin/invitations/end"
    assert developer(world).post(end, form_at=ASK, invitation=number).status_code == 403
    assert Officer(world).post(end, form_at=ASK, invitation="").status_code == 404
    assert Officer(world).post(end, form_at=ASK, invitation=number).status_code == 303
    given = {"redirect_uris": ["https://museum.example/callback"], "token_endpoint_auth_method": "client_secret_basic"}
    headers = {"Authorization": f"Bearer {token}"}
    answer = world.app.test_client().post("/register", base_url=world.issuer, json=given, headers=headers)
    assert answer.status_code == 401
    assert "sso.client.uninvited" in world.drain()


def test_without_the_record_nothing_is_asked_for_decided_or_registered(world: World) -> None:
    mine = developer(world)
    path = asked(mine)
    world.fresh = False
    assert ask(mine).status_code == 503
    assert decide(Officer(world), path).status_code == 503
    world.fresh = True
    decide(Officer(world), path)
    world.fresh = False
    assert mine.post(f"{path}/fetch", form_at=ASK).status_code == 503


def test_the_contact_is_told_of_a_decision_and_of_a_lock(tmp_path: Path) -> None:
    posted: list[tuple[str, str]] = []

    def post(address: str, _subject: str, text: str, _number: str) -> bool:
        posted.append((address, text))
        return True

    world = make_world(tmp_path, post=post)
    mine = developer(world)
    granted, refused = asked(mine), asked(mine, name="Museum")
    decide(Officer(world), granted)
    decide(Officer(world), refused, "refuse")
    client = told(mine.post(f"{granted}/fetch", form_at=granted).text)[0]
    Officer(world).post(f"/admin/clients/{client}/lock", form_at=ASK, reason="its key was seen")
    world.service.letters.round()
    assert [address for address, _ in posted] == ["library@city.example"] * 3
    said = " ".join(text for _, text in posted)
    assert all(words in said for words in ("“Library” was granted", "“Museum” was refused", "locked “Library”"))
    # Why it was locked is for administrators; no secret is ever in a letter.
    assert "its key was seen" not in said
    world.database.close()


def test_why_a_registration_was_decided_on_is_sealed_to_whoever_asked(world: World) -> None:
    path = asked(developer(world))
    decide(Officer(world), path)
    world.drain()
    reviewed = [each for each in world.recorder.events if each.type == "sso.client.reviewed"]
    assert {(each.subject, each.sealed.get("reason")) for each in reviewed} == {(LI, "known to us")}


def test_somebody_asks_so_often_a_day_and_then_waits(tmp_path: Path) -> None:
    world = make_world(tmp_path, settings=SSOSettings(applications_free=2))
    mine = developer(world)
    assert [ask(mine).status_code for _ in range(4)] == [303, 303, 303, 429]
    world.database.close()
