# SPDX-License-Identifier: Apache-2.0
"""The decision point for other programs (OpenID AuthZEN Authorization API 1.0), with the shipped policies behind it."""

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from werkzeug.test import Client, TestResponse

from audit import Entry, Event, Outcome
from audit.models_rules import check
from core.errors import Unavailable
from directory import Device, Proofing
from gateway import GatewaySettings
from gateway.authzen import page_of, token_of
from gateway.config import EnforcementPoint
from policies import Decision, DecisionRequest
from policies.bundle import read_source
from policies.config import SHIPPED
from policies.release import Release
from tests.gateway.conftest import DEVICE, SECRET, SUBJECT, FakeEngine, Gateway, certificate, make_site

KEY = "k" * 40
FOREIGN = quote(certificate("stranger")[0].decode())
NGINX = base64.b64encode(SECRET).decode()
CLERK = "11111111-7a3e-4f0e-9c43-2f1f6d1d7a01"
NOBODY = "00000000-0000-4000-8000-000000000000"
POINTS = {
    "mesh": EnforcementPoint(key=hashlib.sha256(KEY.encode()).hexdigest(), zones=("external", "internal")),
    "gauge": EnforcementPoint(device=DEVICE, zones=("external",)),
    "registry": EnforcementPoint(
        key=hashlib.sha256(b"r" * 40).hexdigest(), zones=("internal", "external"), vouches=True
    ),
}
ONE: dict[str, Any] = {
    "subject": {"type": "person", "id": SUBJECT},
    "action": {"name": "access"},
    "resource": {"type": "portal", "id": "tax"},
    "context": {"zone": "external", "assurance": 1},
}
RELEASE = Release(read_source(SHIPPED), version="1-shipped")


class Shipped(FakeEngine):
    """The shipped policies, unless a test puts something else."""

    def decide(self, request: DecisionRequest) -> Decision:
        return RELEASE.decide(request) if self.answer is None else super().decide(request)


CLIENTS: dict[int, Client] = {}
PLACES = itertools.count(1)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = GatewaySettings(enforcement_points=POINTS)
    made = Gateway(make_site(tmp_path_factory.mktemp("point")), settings=settings, engine=Shipped())
    CLIENTS[id(made)] = Client(made.application())
    yield made
    made.database.close()


@pytest.fixture
def point(house: Gateway) -> Gateway:
    """The same for every test, as it was before the first."""
    house.recorder.events.clear()
    house.recorder.down = house.freshness.stale = house.verifier.foreign = False
    house.engine.answer = None
    clerk = {"roles": frozenset({"civil-servant"}), "organisation": "agency-1", "clearance": 2}
    house.directory.people = {SUBJECT: house.person(), CLERK: house.person(subject=CLERK, **clerk)}
    house.directory.devices = {DEVICE: Device(id=DEVICE, name="Gauge", organisation="water", enabled=True)}
    for known in (SUBJECT, CLERK, DEVICE):
        house.people.drop(known)
    return house


def post(made: Gateway, path: str, document: object, **headers: str) -> TestResponse:
    sent = {"Authorization": f"Bearer {KEY}", **headers}
    return CLIENTS[id(made)].post(
        f"/access/v1/{path}",
        data=document if isinstance(document, bytes) else json.dumps(document),
        base_url="https://pdp.city.localhost:8443",
        headers={
            "Content-Type": "application/json",
            "Tallygate-Caller": "nginx",
            "Tallygate-Secret": NGINX,
            "X-Forwarded-For": "127.0.0.1",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "pdp.city.localhost:8443",
            **{name.replace("_", "-"): value for name, value in sent.items() if value},
        },
    )


def said(made: Gateway, path: str, document: object, **headers: str) -> dict[str, Any]:
    response = post(made, path, document, **headers)
    assert response.status_code == 200, response.text
    for event in made.recorder.events:
        check(event)
    found: dict[str, Any] = json.loads(response.text)
    return found


def changed(**parts: Any) -> dict[str, Any]:
    return {**ONE, **parts}


def test_a_permit_is_recorded_and_says_by_what(point: Gateway) -> None:
    found = said(point, "evaluation", ONE, X_Request_ID="r-1")
    (event,) = point.recorder.events
    assert found["decision"] is True
    assert found["context"] == {
        "code": "allowed",
        "id": event.decision,
        "policies": ["portal-for-everybody-known"],
        "version": "1-shipped",
    }
    assert (event.type, event.outcome, event.subject, event.object) == (
        "gateway.evaluation", Outcome.SUCCESS, SUBJECT, "tax"
    )  # fmt: skip
    assert event.attributes["point"] == "mesh"
    assert post(point, "evaluation", ONE, X_Request_ID="r-1").headers["X-Request-ID"] == "r-1"


@pytest.mark.parametrize(
    ("parts", "code", "could"),
    [
        ({"context": {"zone": "external"}}, "assurance", [("step_up", "1")]),
        ({"context": {"zone": "internal", "assurance": 1}}, "zone", [("network", "external"), ("network", "internet")]),
        ({"subject": {"type": "person", "id": NOBODY}}, "disabled", []),
        ({"subject": {"type": "anonymous", "id": "x"}}, "login", [("login", "")]),
        ({"subject": {"type": "device", "id": DEVICE}}, "role", []),
        ({"subject": {"type": "service", "id": "x"}}, "disabled", []),
        ({"context": {"zone": "external", "assurance": 1, "acting_for": "mill"}}, "mandate", [("own_business", "")]),
        ({"action": {"name": "conquer"}}, "default", []),
        ({"resource": {"type": "record", "id": "h1", "properties": {"zone": "external"}}}, "clearance", []),
        ({"resource": {"type": "spaceport-api", "id": "h1"}}, "", []),
    ],
)
def test_a_denial_is_an_answer_and_says_what_would_help(
    point: Gateway, parts: dict[str, Any], code: str, could: list[tuple[str, str]]
) -> None:
    if not code:
        assert post(point, "evaluation", changed(**parts)).status_code == 400
        return
    found = said(point, "evaluation", changed(**parts))
    assert found["decision"] is False
    assert found["context"]["code"] == code
    assert [(each["kind"], each["value"]) for each in found["context"]["could"]] == could
    said_to_user = found["context"]["reason_user"]
    # A sentence in either language, and no code that nobody knows.
    assert said_to_user["en"].endswith(".")
    assert said_to_user["zh-Hans"].endswith("\u3002")
    if code == "assurance":
        assert (found["context"]["acr_values"], found["context"]["amr_values"]) == ("1", ["pwd"])
    assert point.recorder.events[-1].outcome is Outcome.DENIED


@pytest.mark.parametrize("path", ["evaluation", "search/resource"])
def test_no_free_text_stands_in_the_clear_part_of_the_record(point: Gateway, path: str) -> None:
    said(point, path, changed(action={"name": "call Zhang San, 110101199003074514"}))
    assert point.recorder.events[-1].attributes["action"] == "other"


def test_nobody_is_surer_of_a_person_than_the_directory(point: Gateway) -> None:
    point.directory.people[SUBJECT] = point.person(proofing=Proofing(level=0))
    assert said(point, "evaluation", ONE)["decision"] is False


def test_what_a_route_of_ours_is_nobody_else_says(point: Gateway) -> None:
    lie = {"type": "portal", "id": "tax", "properties": {"classification": 0, "required_assurance": 0, "zone": "x"}}
    weak = {"zone": "external", "assurance": 0}
    assert said(point, "evaluation", changed(resource=lie, context=weak))["decision"] is False
    assert post(point, "evaluation", changed(resource={**lie, "type": "public"})).status_code == 400
    # A public path is public because the route says so.
    landing = {"type": "portal", "id": "tax", "properties": {"path": "/"}}
    assert said(point, "evaluation", changed(resource=landing, context=weak))["decision"] is True
    inside = {"type": "portal", "id": "tax", "properties": {"path": "/me"}}
    assert said(point, "evaluation", changed(resource=inside, context=weak))["decision"] is False
    # What could be read as another path is asked about as none.
    for path in ("/callback/../me", "/./callback", "//callback", "callback", "/callback;x"):
        astray = {**landing, "properties": {"path": path}}
        assert post(point, "evaluation", changed(resource=astray, context=weak)).status_code == 400, path


def test_records_of_others_are_what_the_enforcement_point_says_and_strictest_where_it_says_nothing(
    point: Gateway,
) -> None:
    told = {"zone": "internal", "owner": "agency-1", "classification": 1, "record_class": "household"}
    told["required_assurance"] = 2
    asked = changed(
        subject={"type": "person", "id": CLERK},
        resource={"type": "record", "id": "h1", "properties": told},
        context={"zone": "internal", "assurance": 2, "purpose": "tax-audit"},
    )
    assert said(point, "evaluation", asked)["decision"] is True
    assert point.recorder.events[-1].attributes["purpose"] == "tax-audit"
    silent = {**asked, "resource": {"type": "record", "id": "h1", "properties": {**told, "classification": 3}}}
    assert said(point, "evaluation", silent)["context"]["code"] == "clearance"
    del told["classification"]
    assert said(point, "evaluation", asked)["context"]["code"] == "clearance"
    told["classification"] = 1
    # Nor is a login of any kind sure enough for what does not say how sure it has to be.
    del told["required_assurance"]
    answer = said(point, "evaluation", asked)
    assert (answer["context"]["code"], answer["context"]["acr_values"]) == ("assurance", "3")
    assert point.recorder.events[-1].attributes["required"] == 3
    told["required_assurance"] = 2
    del asked["context"]["purpose"]
    answer = said(point, "evaluation", asked)
    assert (answer["context"]["code"], answer["context"]["could"]) == ("purpose", [{"kind": "purpose", "value": ""}])


def test_only_who_vouches_is_believed_about_organisations(point: Gateway) -> None:
    asked = changed(
        subject={"type": "organisation", "id": "mill"},
        resource={
            "type": "record",
            "id": "f1",
            "properties": {
                "zone": "external",
                "owner": "mill",
                "record_class": "company-file",
                "classification": 0,
                "required_assurance": 0,
            },
        },
        context={"zone": "external", "purpose": "own"},
    )
    assert said(point, "evaluation", asked)["context"]["code"] == "disabled"
    assert said(point, "evaluation", asked, Authorization=f"Bearer {'r' * 40}")["decision"] is True


# Who asks


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer " + "x" * 40},
        {"Authorization": "Bearer short"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": f"Bearer {POINTS['mesh'].key}"},
        {"Authorization": "", "Tallygate_Client_Certificate": FOREIGN},
        # Both at once.
        {"Tallygate_Client_Certificate": FOREIGN},
    ],
)
@pytest.mark.parametrize("path", ["evaluation", "evaluations", "search/subject", "search/resource", "search/action"])
def test_a_stranger_is_told_nothing(point: Gateway, path: str, headers: dict[str, str]) -> None:
    point.verifier.foreign = True
    response = post(point, path, ONE, **headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert (response.mimetype, response.text.endswith(".\n")) == ("text/plain", True)
    assert not point.recorder.events


def test_a_devices_certificate_is_as_good_as_a_key_until_it_is_taken_away(point: Gateway) -> None:
    shown = {"Authorization": "", "Tallygate_Client_Certificate": quote(certificate("device")[0].decode())}
    assert said(point, "evaluation", ONE, **shown)["decision"] is True
    assert point.recorder.events[-1].attributes["point"] == "gauge"
    point.directory.devices[DEVICE] = replace(point.directory.devices[DEVICE], enabled=False)
    point.people.drop(DEVICE)
    assert post(point, "evaluation", ONE, **shown).status_code == 401


def test_nobody_asks_past_nginx_or_in_the_clear(point: Gateway) -> None:
    assert post(point, "evaluation", ONE, Tallygate_Secret=base64.b64encode(b"x" * 32).decode()).status_code == 401
    assert post(point, "evaluation", ONE, Tallygate_Caller="audit").status_code == 401
    assert post(point, "evaluation", ONE, X_Forwarded_Proto="http").status_code == 403


def test_an_enforcement_point_speaks_for_its_own_zones(point: Gateway) -> None:
    for zone in ("management", "internet", ""):
        assert post(point, "evaluation", changed(context={"zone": zone, "assurance": 3})).status_code == 403
    # Who stands in two says in which.
    assert post(point, "evaluation", changed(context={})).status_code == 403
    assert not point.recorder.events


@pytest.mark.parametrize("wrong", [{"key": "x"}, {"key": "00" * 32, "device": "d"}, {}])
def test_an_enforcement_point_has_one_credential(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="key"):
        EnforcementPoint(**wrong)  # type: ignore[arg-type]  # a test's shorthand


# What is no question


@pytest.mark.parametrize("path", ["evaluation", "evaluations", "search/subject", "search/resource", "search/action"])
@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{",
        b'{"subject": 1, "subject": 2}',
        b"\xff",
        {},
        {"subject": "x", "action": {"name": "access"}, "resource": {"type": "portal", "id": "tax"}},
        {**ONE, "subject": {"id": SUBJECT}, "resource": {"id": "tax"}},
        {**ONE, "subject": {"type": 7, "id": SUBJECT}, "resource": {"type": None, "id": "tax"}},
        {**ONE, "context": []},
        {**ONE, "context": None},
        {**ONE, "context": {"zone": "external", "assurance": True}},
        {**ONE, "context": {"zone": "external", "assurance": 4}},
        {**ONE, "context": {"zone": 1}},
        {**ONE, "context": {"zone": "external", "purpose": "Mrs Wang, born 1980"}},
        {**ONE, "context": {"zone": "external", "methods": "pwd"}},
    ],
)
def test_what_cannot_be_a_question_is_400_with_a_sentence(point: Gateway, path: str, document: object) -> None:
    response = post(point, path, document)
    assert response.status_code == 400
    assert (response.mimetype, response.text.endswith(".\n")) == ("text/plain", True)
    assert not point.recorder.events


def test_other_content_and_other_methods_are_refused(point: Gateway) -> None:
    assert post(point, "evaluation", ONE, Content_Type="text/plain").status_code == 400
    assert CLIENTS[id(point)].get("/access/v1/evaluation", base_url="https://x").status_code == 405
    assert post(point, "evaluation", {**ONE, "x-unknown": {"a": 1}}).status_code == 200


# Several


ALLOWED: dict[str, Any] = {}
DENIED = {"context": {"zone": "external", "assurance": 0}}
BROKEN = {"subject": {"type": "person"}}


@pytest.mark.parametrize(
    ("semantic", "items", "expected"),
    [
        ("execute_all", [ALLOWED, DENIED, BROKEN, ALLOWED], [True, False, False, True]),
        (None, [DENIED, ALLOWED], [False, True]),
        ("deny_on_first_deny", [ALLOWED, DENIED, ALLOWED], [True, False]),
        ("deny_on_first_deny", [ALLOWED, BROKEN, ALLOWED], [True, False]),
        ("deny_on_first_deny", [ALLOWED, ALLOWED], [True, True]),
        ("permit_on_first_permit", [DENIED, ALLOWED, DENIED], [False, True]),
        ("permit_on_first_permit", [DENIED, BROKEN], [False, False]),
        ("execute_all", ["no object", 7, ALLOWED], [False, False, True]),
    ],
)
def test_a_batch_is_followed_as_its_semantic_says(
    point: Gateway, semantic: str | None, items: list[Any], expected: list[bool]
) -> None:
    options = {"options": {"evaluations_semantic": semantic}} if semantic else {}
    found = said(point, "evaluations", {**ONE, "evaluations": items, **options})
    assert [each["decision"] for each in found["evaluations"]] == expected
    # What was not asked is not on the record, and what could not be asked neither.
    answered = sum(item is not BROKEN and isinstance(item, dict) for item in items[: len(expected)])
    assert len(point.recorder.events) == answered


def test_a_key_of_an_item_replaces_the_one_above_whole(point: Gateway) -> None:
    above = changed(context={"zone": "external", "assurance": 2})
    found = said(point, "evaluations", {**above, "evaluations": [{}, {"context": {"zone": "external"}}]})
    assert [each["decision"] for each in found["evaluations"]] == [True, False]
    without = {key: value for key, value in ONE.items() if key != "resource"}
    items = [{"resource": {"type": "portal", "id": "social"}}, {}]
    found = said(point, "evaluations", {**without, "evaluations": items})
    assert [each["decision"] for each in found["evaluations"]] == [True, False]


@pytest.mark.parametrize("more", [{}, {"evaluations": []}])
def test_a_batch_of_none_is_one_question(point: Gateway, more: dict[str, Any]) -> None:
    assert said(point, "evaluations", {**ONE, **more})["decision"] is True


@pytest.mark.parametrize(
    "more",
    [
        {"evaluations": {}},
        {"evaluations": [{}] * 101},
        {"evaluations": [{}], "options": []},
        {"evaluations": [{}], "options": {"evaluations_semantic": "sometimes"}},
        {"evaluations": [{}], "options": {"evaluations_semantic": ["execute_all"]}},
    ],
)
def test_a_batch_with_a_wrong_frame_is_400(point: Gateway, more: dict[str, Any]) -> None:
    assert post(point, "evaluations", {**ONE, **more}).status_code == 400


# Searching


def test_resources_are_found_page_by_page_and_each_of_them_may_be_reached(point: Gateway) -> None:
    asked = {**ONE, "resource": {"type": "portal"}, "page": {"limit": 2}}
    names, token, pages = [], "", 0
    while True:
        found = said(point, "search/resource", asked | {"page": {"limit": 2, **({"token": token} if token else {})}})
        assert (found["page"]["count"], found["page"]["total"]) == (len(found["results"]), 3)
        names += [each["id"] for each in found["results"]]
        pages, token = pages + 1, found["page"]["next_token"]
        if not token:
            break
    assert (names, pages) == (["certificates", "social", "tax"], 2)
    for name in names:
        assert said(point, "evaluation", changed(resource={"type": "portal", "id": name}))["decision"] is True
    # A name that was given is ignored, as the standard says.
    assert said(point, "search/resource", changed(resource={"type": "office", "id": "tax"}))["results"] == []
    (search, *_others) = [each for each in point.recorder.events if each.attributes["reason"] == "search"]
    assert search.attributes["results"] == 2


def test_actions_are_found(point: Gateway) -> None:
    asked = {key: value for key, value in ONE.items() if key != "action"}
    found = said(point, "search/action", asked)
    assert found["results"] == [{"name": "access"}]
    nobody = {**asked, "subject": {"type": "person", "id": NOBODY}}
    assert said(point, "search/action", nobody)["results"] == []


def test_subjects_are_found_among_those_who_are_here(point: Gateway) -> None:
    people = [f"{number:08d}-7a3e-4f0e-9c43-2f1f6d1d7a01" for number in range(5)]
    for place, subject in enumerate(people):
        point.directory.people[subject] = point.person(subject=subject, enabled=place != 1)
        point.open_session(chr(ord("A") + place) * 43, subject=subject)
    asked = {**ONE, "subject": {"type": "person", "id": "ignored"}, "page": {"limit": 2}}
    names, token = [], ""
    for _page in range(4):
        found = said(point, "search/subject", asked | {"page": {"limit": 2, **({"token": token} if token else {})}})
        names += [each["id"] for each in found["results"]]
        token = found["page"]["next_token"]
        if not token:
            break
    assert names == [people[0], *people[2:]]
    assert said(point, "search/subject", changed(subject={"type": "device"}))["results"] == []


@pytest.mark.parametrize(
    "page",
    [
        [],
        {"limit": 0},
        {"limit": True},
        {"limit": "2"},
        {"token": 7},
        {"token": "x"},
        {"token": "e30="},
        {"token": "é"},
    ],
)
def test_a_page_that_is_none_is_400(point: Gateway, page: Any) -> None:
    assert post(point, "search/resource", {**ONE, "page": page}).status_code == 400


def test_a_token_belongs_to_its_question(point: Gateway) -> None:
    found = said(point, "search/resource", {**ONE, "page": {"limit": 1}})
    token = found["page"]["next_token"]
    other = {**changed(subject={"type": "person", "id": CLERK}), "page": {"token": token}}
    assert post(point, "search/resource", other).status_code == 400
    assert post(point, "search/resource", {**ONE, "page": {"token": token, "limit": 7}}).status_code == 200
    # Nor is it another caller's, or another search's: what differs is who asks, or what for.
    mine = {**ONE, "page": {"token": token}}
    for elsewhere, headers in (
        ("search/resource", {"Authorization": f"Bearer {'r' * 40}"}),
        ("search/resource", {"Authorization": "", "Tallygate_Client_Certificate": FOREIGN}),
        ("search/action", {}),
        ("search/subject", {}),
    ):
        assert post(point, elsewhere, mine, **headers).status_code == 400, elsewhere
    for parts in ({"action": {"name": "sign"}}, {"context": {"zone": "internal"}}, {"more": 1}):
        assert post(point, "search/resource", {**changed(**parts), "page": {"token": token}}).status_code == 400


@pytest.mark.parametrize("after", ["\0", "\ud800", "a\n"])
def test_a_token_that_somebody_made_up_is_400(point: Gateway, after: str) -> None:
    asked = {**ONE, "page": {"limit": 1}}
    for path in ("search/subject", "search/resource"):
        place = page_of(asked, wanted=path.partition("/")[2], caller="mesh")
        page = {"page": {"limit": 1, "token": token_of(place, after)}}
        assert post(point, path, {**asked, **page}).status_code == 400


def test_an_enforcement_point_has_its_share_and_takes_nobody_elses(tmp_path: Path) -> None:
    settings = GatewaySettings(enforcement_points=POINTS, point_rate=2, point_burst=3)
    made = Gateway(make_site(tmp_path), settings=settings, engine=Shipped())
    CLIENTS[id(made)] = Client(made.application())
    assert [post(made, "evaluation", ONE).status_code for _ in range(5)] == [200] * 3 + [429] * 2
    refused = post(made, "evaluation", ONE)
    assert (refused.mimetype, refused.text.endswith(".\n")) == ("text/plain", True)
    other = {"Authorization": f"Bearer {'r' * 40}"}
    assert post(made, "evaluation", ONE, **other).status_code == 200
    made.clock.advance(timedelta(seconds=1))
    assert [post(made, "evaluation", ONE).status_code for _ in range(3)] == [200, 200, 429]
    # Each question of a batch counts: what exceeds the share is denied, whatever the semantic.
    made.clock.advance(timedelta(seconds=9))
    batch = said(made, "evaluations", {**ONE, "evaluations": [{}] * 5})["evaluations"]
    assert [(each["decision"], each["context"]["code"]) for each in batch] == [
        *[(True, "allowed")] * 3, *[(False, "too_many")] * 2,
    ]  # fmt: skip
    # And each one whom a search looks at: the page ends with the share, and the next goes on where it left off.
    people = [f"{number:08d}-7a3e-4f0e-9c43-2f1f6d1d7a01" for number in range(4)]
    for place, subject in enumerate(people):
        made.directory.people[subject] = made.person(subject=subject)
        made.open_session(chr(ord("A") + place) * 43, subject=subject)
    names: list[str] = []
    token = ""
    while len(names) < len(people):
        made.clock.advance(timedelta(seconds=9))
        asked = {**ONE, "subject": {"type": "person"}, "page": {"token": token} if token else {}}
        found = said(made, "search/subject", asked)
        assert len(found["results"]) in (1, 2, 3)
        names += [each["id"] for each in found["results"]]
        token = found["page"]["next_token"]
        assert token or names == people
    assert names == people
    made.database.close()


# Where it is, and how it fails


def test_it_says_where_everything_is(point: Gateway) -> None:
    response = CLIENTS[id(point)].get(
        "/.well-known/authzen-configuration",
        base_url="https://pdp.city.localhost:8443",
        headers={"Tallygate-Caller": "nginx", "Tallygate-Secret": NGINX, "X-Forwarded-Proto": "https"},
    )
    here, told = "https://pdp.city.localhost:8443", json.loads(response.text)
    assert told["policy_decision_point"] == here
    # The same, signed by the gateway; it is no identity.
    key = jwt.PyJWK(point.identities.keys()["keys"][0])
    signed = jwt.decode(told["signed_metadata"], key, algorithms=["ES256"], issuer=here)
    assert {**signed, "signed_metadata": told["signed_metadata"]} == {**told, "iss": here, "iat": signed["iat"]}
    assert jwt.get_unverified_header(told["signed_metadata"])["typ"] == "tallygate-authzen+jwt"
    named = {value.removeprefix(f"{here}/access/v1/") for name, value in told.items() if "endpoint" in name}
    assert named == {"evaluation", "evaluations", "search/subject", "search/resource", "search/action"}
    for path in named:
        assert post(point, path, ONE).status_code == 200


def test_without_a_record_nothing_is_allowed_and_nothing_found(point: Gateway) -> None:
    point.recorder.down = True
    found = json.loads(post(point, "evaluation", ONE).text)
    assert (found["decision"], found["context"]) == (False, {"code": "record-unavailable"})
    assert post(point, "search/resource", ONE).status_code == 503


@pytest.mark.parametrize("failure", [RuntimeError("x"), Unavailable(), KeyError("x")])
def test_whatever_goes_wrong_is_a_denial_with_a_code(point: Gateway, failure: Exception) -> None:
    point.engine.answer = failure
    assert said(point, "evaluation", ONE)["context"]["code"] == "unavailable"
    # That nothing could be found out is not that nothing was found.
    searched = post(point, "search/action", ONE)
    assert searched.status_code == 503
    event = point.recorder.events[-1]
    assert (event.outcome, event.attributes["reason"]) == (Outcome.DENIED, "unavailable")
    point.engine.answer = Decision(allowed="yes", code="allowed", reasons=(), step_up=None, version="")  # type: ignore[arg-type]  # what a broken engine could say
    assert said(point, "evaluation", ONE)["decision"] is False


def test_an_emergency_switch_closes_it_here_too(point: Gateway) -> None:
    reading = changed(context={"zone": "external", "assurance": 1, "method": "GET"})
    for name, closed in (("portal=tax", [ONE, reading]), ("zones=external:external", [reading]), ("writing", [ONE])):
        for kind in ("gateway.switch.shut", "gateway.switch.reopened"):
            event = Event(
                key="0" * 32,
                type=kind,
                at=point.clock.now(),
                source="audit",
                outcome=Outcome.SUCCESS,
                object=name,
            )
            point.news.hear([Entry(index=0, event=event)])
            shut = kind.endswith("shut")
            for asked in closed:
                code = said(point, "evaluation", asked)["context"]["code"]
                assert code == ("shut" if shut else "allowed"), (name, kind)
            if shut and name == "writing":
                assert said(point, "evaluation", reading)["decision"] is True


def _heard(point: Gateway, kind: str, subject: str, outcome: Outcome = Outcome.SUCCESS) -> None:
    event = Event(key="0" * 32, type=kind, at=point.clock.now(), source="directory", outcome=outcome, subject=subject)
    point.news.hear([Entry(index=next(PLACES), event=event)])


def test_what_the_record_took_away_is_gone_whatever_a_copy_of_the_directory_still_says(point: Gateway) -> None:
    anybody = {**ONE, "subject": {"type": "person"}}
    machine = {"subject": {"type": "device", "id": DEVICE}, "resource": {"type": "device-api", "id": "devices"}}
    for kind, subject, asked in (("person", SUBJECT, ONE), ("device", DEVICE, changed(**machine))):
        # Whoever is shut out is logged out too.
        point.open_session(kind * 8, session=f"sid-{kind}")
        assert said(point, "evaluation", asked)["decision"] is True
        _heard(point, f"directory.{kind}.disabled", subject, Outcome.INTENDED)
        found = said(point, "evaluation", asked)
        assert (found["decision"], found["context"]["code"]) == (False, "disabled")
        results = said(point, "search/subject", anybody)["results"]
        assert ({"id": SUBJECT, "type": "person"} in results) == (kind == "device")
        _heard(point, f"directory.{kind}.enabled", subject)
        assert said(point, "evaluation", asked)["decision"] is True


def test_a_device_of_ours_stands_beside_a_person_as_the_directory_and_the_record_say(point: Gateway) -> None:
    allowed = Decision(allowed=True, code="allowed", reasons=("p",), step_up=None, version="1")

    def beside(name: str) -> tuple[str | None, str]:
        point.engine.answer = allowed
        said(point, "evaluation", changed(context={"zone": "external", "assurance": 1, "device": name}))
        asked = point.engine.asked[-1]
        return asked.device, asked.device_state

    assert beside(DEVICE) == (DEVICE, "enrolled")
    # What none of ours is the enforcement point answers for.
    assert beside("another") == ("another", "")
    _heard(point, "directory.device.disabled", DEVICE, Outcome.INTENDED)
    assert beside(DEVICE) == (None, "")
    _heard(point, "directory.device.enabled", DEVICE)
    assert beside(DEVICE) == (DEVICE, "enrolled")
    point.directory.devices[DEVICE] = replace(point.directory.devices[DEVICE], enabled=False)
    point.people.drop(DEVICE)
    assert beside(DEVICE) == (None, "")


def test_while_news_or_policies_are_late_nothing_is_allowed(point: Gateway) -> None:
    point.freshness.stale = True
    assert said(point, "evaluation", ONE)["context"]["code"] == "unavailable"
    point.freshness.stale = False
    assert said(point, "evaluation", ONE)["decision"] is True
