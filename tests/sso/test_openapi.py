# SPDX-License-Identifier: Apache-2.0
"""The interface for programs and its description are one: every rule is described, every answer is as described."""

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from core.web.guard import mark_of
from tests.fakes.sso_directory import LI
from tests.sso.conftest import World, make_world, request
from tests.sso.desk import let_in
from tests.sso.test_registration import SECRETLY, invited

# A run with a seed of its own (scripts/soak) tries more, and something else.
SEEDED = "TALLYGATE_SEED" in os.environ
EXAMPLES = 40 if SEEDED else 12
# Valid by its shape and wrong all the same: a code that was never issued, a scope nobody registered.
UNCHECKED = [ignored_auth, positive_data_acceptance]
# The description itself is read by schemathesis.
FACTS = ("readConfiguration", "readMetadata", "readKeys", "readResource")
CLIENTS = {
    "issueTokens": "machine",
    "introspect": "tax",
    "declareAccess": "tax",
    "revoke": "tax",
    "pushRequest": "tax",
    "authorizeDevice": "kiosk",
}
REGISTRY = ("registerClient", "readClient", "changeClient", "removeClient")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("sso"))
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def token(world: World) -> str:
    said: str = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()["access_token"]
    return said


@pytest.fixture(scope="module")
def operations(world: World) -> dict[str, Any]:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", world.app)
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(found) == len(list(schema.get_all_operations()))
    return {operation.definition.raw["operationId"]: operation for operation in found}


def _credentials(world: World, token: str, name: str) -> dict[str, str]:
    if name in CLIENTS:
        return world.basic(CLIENTS[name])
    return {"Authorization": f"Bearer {token}"} if name.startswith("readClaims") else {}


def _good(world: World, token: str) -> dict[str, dict[str, str]]:
    return {
        **{name: {} for name in (*FACTS, "readClaims", "readClaimsByPost")},
        "issueTokens": {"grant_type": "client_credentials"},
        "introspect": {"token": token},
        "declareAccess": {
            "decision": "0" * 32,
            "subject": LI,
            "purpose": "assessment",
            "identity": let_in(world, decision="0" * 32),
        },
        "revoke": {"token": "of nobody"},
        "pushRequest": request(world),
        "authorizeDevice": {"scope": "openid"},
    }


# What the one other provider speaks to us: Back-Channel Logout 1.0 describes it, and it is no interface of ours.
PROTOCOLS = {("/login/upstream/ended", "post")}


def test_every_rule_for_programs_is_described_and_nothing_else(world: World) -> None:
    served = {
        (rule.rule.replace("<client>", "{client}"), method.lower())
        for rule in world.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint.startswith("sso.") and getattr(mark_of(world.app, rule.endpoint), "face", "") != "page"
    }
    document = world.app.test_client().get("/api/v1/openapi.json", base_url=world.issuer).get_json()
    described = {(path, method) for path, item in document["paths"].items() for method in item}
    # The simulator is another issuer with the same interface: each of its rules is described for the provider.
    simulated = {(path, method) for path, method in served if "/simulator" in path}
    assert described == served - PROTOCOLS - simulated
    assert simulated
    assert {(path.replace("/simulator", ""), method) for path, method in simulated} <= described


def test_who_may_call_is_described_as_it_is(world: World, token: str, operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        form = urlencode(_good(world, token).get(name, {}))
        case = operation.Case(path_parameters={"client": "app-0"} if name in REGISTRY[1:] else {})
        answer = world.app.test_client().open(
            case.formatted_path, method=operation.method.upper(), base_url=world.issuer, data=form, headers=FORM
        )
        assert (answer.status_code == 200) is ("security" not in operation.definition.raw), name
        if answer.status_code != 200:
            assert answer.status_code == 401, name
            assert answer.headers["WWW-Authenticate"].split()[0] in ("Basic", "Bearer")


def test_every_operation_is_tried(world: World, token: str, operations: dict[str, Any]) -> None:
    assert set(operations) == set(_good(world, token)) | set(REGISTRY)


def test_a_good_request_is_answered_as_described(world: World, token: str, operations: dict[str, Any]) -> None:
    for name, form in _good(world, token).items():
        case = operations[name].Case(body=form, media_type=FORM["Content-Type"]) if form else operations[name].Case()
        answer = case.call(headers=_credentials(world, token, name), base_url=world.issuer)
        assert answer.status_code in (200, 201), (name, answer.text)
        case.validate_response(answer, excluded_checks=[ignored_auth])


def test_a_registration_is_answered_as_described(world: World, operations: dict[str, Any]) -> None:
    wanted = {"client_name": "App", "redirect_uris": ["https://app.example/callback"], **SECRETLY}
    first = operations["registerClient"].Case(body=wanted, media_type="application/json")
    told = first.call(headers={"Authorization": f"Bearer {invited(world)}"}, base_url=world.issuer)
    first.validate_response(told, excluded_checks=[ignored_auth])
    known = told.json()
    for name, status in (("readClient", 200), ("changeClient", 200), ("removeClient", 204), ("readClient", 401)):
        body = {"body": wanted, "media_type": "application/json"} if name == "changeClient" else {}
        case = operations[name].Case(path_parameters={"client": known["client_id"]}, **body)
        held = {"Authorization": f"Bearer {known['registration_access_token']}"}
        answer = case.call(headers=held, base_url=world.issuer)
        assert answer.status_code == status, (name, answer.text)
        case.validate_response(answer, excluded_checks=[ignored_auth])


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("name", [*FACTS, "readClaims", "readClaimsByPost", *CLIENTS])
def test_whatever_is_asked_is_answered_as_described(
    world: World, token: str, operations: dict[str, Any], name: str, mode: GenerationMode
) -> None:
    operation = operations[name]
    if mode is GenerationMode.NEGATIVE and (not operation.body or name == "authorizeDevice"):
        # Nothing to be got wrong: no body, or one in which every field is text and may be left out.
        return

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=not SEEDED,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def hold(case: Any) -> None:
        for headers in ({}, _credentials(world, token, name)):
            answer = case.call(headers=headers, base_url=world.issuer)
            assert answer.status_code < 500
            case.validate_response(answer, excluded_checks=UNCHECKED)

    hold()
