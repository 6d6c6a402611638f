# SPDX-License-Identifier: Apache-2.0
"""The decision point and its description are one: every rule is described, and nothing asked for ends in an error."""

import base64
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from audit.models_rules import check
from gateway import GatewaySettings
from tests.gateway.conftest import DEVICE, SECRET, SUBJECT, Gateway, make_site
from tests.gateway.test_authzen import KEY, POINTS, Shipped

EXAMPLES = 4
# Right by its shape and none of ours all the same: a zone of others, a name nobody bears.
UNCHECKED = [ignored_auth, positive_data_acceptance]
OPERATIONS = ("evaluate", "evaluateAll", "searchSubjects", "searchResources", "searchActions")
SHOWN = {"Authorization": f"Bearer {KEY}"}
WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def _behind_nginx(application: WSGI) -> WSGI:
    told = {
        "HTTP_TALLYGATE_CALLER": "nginx",
        "HTTP_TALLYGATE_SECRET": base64.b64encode(SECRET).decode(),
        "HTTP_X_FORWARDED_FOR": "127.0.0.1",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_HOST": "pdp.city.localhost:8443",
    }
    return lambda environ, start: application({**environ, **told}, start)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    # A share that no test uses up; limits are tested elsewhere.
    settings = GatewaySettings(enforcement_points=POINTS, point_rate=1_000_000, point_burst=1_000_000)
    made = Gateway(make_site(tmp_path_factory.mktemp("described")), settings=settings, engine=Shipped())
    made.open_session()
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def operations(house: Gateway) -> dict[str, Any]:
    schema = schemathesis.openapi.from_wsgi("/access/v1/openapi.json", _behind_nginx(house.application()))
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(found) == len(list(schema.get_all_operations()))
    return {operation.definition.raw["operationId"]: operation for operation in found}


def test_every_operation_is_described_and_tried(operations: dict[str, Any]) -> None:
    paths = {operation.path: name for name, operation in operations.items() if name in OPERATIONS}
    assert set(paths) == {
        "/access/v1/evaluation",
        "/access/v1/evaluations",
        "/access/v1/search/subject",
        "/access/v1/search/resource",
        "/access/v1/search/action",
    }
    # The description of the description is left out by whoever reads it.
    assert set(operations) - set(OPERATIONS) == {"configuration"}


def test_what_anybody_may_read_is_as_described(operations: dict[str, Any]) -> None:
    case = operations["configuration"].Case()
    answer = case.call()
    assert answer.status_code == 200
    case.validate_response(answer, excluded_checks=UNCHECKED)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_good_question_is_answered_as_described_and_only_to_an_enforcement_point(
    house: Gateway, operations: dict[str, Any], name: str
) -> None:
    asked: dict[str, Any] = {
        "subject": {"type": "person", "id": SUBJECT},
        "action": {"name": "access"},
        "resource": {"type": "portal", "id": "tax"},
        "context": {"zone": "external", "assurance": 1},
    }
    if name == "evaluateAll":
        asked["evaluations"] = [{}, {"subject": {"type": "device", "id": DEVICE}}]
    case = operations[name].Case(body=asked, media_type="application/json")
    assert case.call().status_code == 401
    answer = case.call(headers=SHOWN)
    assert answer.status_code == 200, answer.text
    case.validate_response(answer, excluded_checks=UNCHECKED)
    found = answer.json()
    assert found.get("decision") or found.get("evaluations") or found["results"], found


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_whatever_is_asked_is_answered_as_described_and_recorded_as_agreed(
    house: Gateway, operations: dict[str, Any], name: str, mode: GenerationMode
) -> None:
    house.recorder.events.clear()
    # What is wrong with one question of a batch is its own answer, and no refusal of the whole (AuthZEN section 7.1).
    also = [negative_data_rejection] if name == "evaluateAll" else []

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operations[name].as_strategy(generation_mode=mode))
    def hold(case: Any) -> None:
        for context in (None, {"zone": "external", "assurance": 2}):
            if context is not None and isinstance(case.body, dict):
                # Of a zone that this caller speaks for: else nothing behind that question is reached.
                case.body["context"] = context
                also.append(negative_data_rejection)
            answer = case.call(headers=SHOWN)
            assert answer.status_code < 500, answer.text
            case.validate_response(answer, excluded_checks=[*UNCHECKED, *also])

    hold()
    # Whatever was asked, the record's clear part holds nothing that could be free text.
    for event in house.recorder.events:
        check(event)
