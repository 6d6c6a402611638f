# SPDX-License-Identifier: Apache-2.0
"""The SCIM service and its description (OpenAPI) are one: schemathesis asks what the description allows, and more."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

from directory import scim
from tests.directory.desk import HOST, Desk, application
from tests.directory.world import World

EXAMPLES = 5
BASE = f"https://{HOST}/scim/v2"
# Valid by its shape and wrong all the same, or by its shape wrong and ignored as RFC 7644 wants it; the guard before
# the service is tested elsewhere.
UNCHECKED = [
    ignored_auth, positive_data_acceptance, negative_data_rejection, missing_required_header, unsupported_method
]  # fmt: skip
Gateway = Callable[[dict[str, Any], Any], Iterable[bytes]]


@pytest.fixture(scope="module")
def gateway(filled: World) -> Gateway:
    """The application behind a gateway that lets an administrator in."""
    subject = filled.directory("directory").person_by_username("zhao.lei").subject
    desk = Desk(filled, subject=subject, roles=frozenset({"directory-administrator"}))
    app = application(filled)

    def through(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        query = environ.get("QUERY_STRING", "")
        path = environ["PATH_INFO"] + (f"?{query}" if query else "")
        for name, value in desk.headers(environ["REQUEST_METHOD"], path).items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        environ |= {"HTTP_HOST": HOST, "REQUEST_URI": path}
        return app(environ, start)

    return through


@pytest.fixture(scope="module")
def operations(gateway: Gateway) -> dict[str, Any]:
    schema = schemathesis.openapi.from_wsgi("/scim/v2/openapi.json", gateway)
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(found) == len(list(schema.get_all_operations()))
    return {operation.definition.raw["operationId"]: operation for operation in found}


NAMES = [each["operationId"] for path in scim.description(BASE)["paths"].values() for each in path.values()]


def test_every_rule_is_described_and_nothing_else(filled: World) -> None:
    served = {
        (rule.rule.removeprefix("/scim/v2").replace("<", "{").replace(">", "}"), method.lower())
        for rule in application(filled).url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/scim/v2/") and "path:" not in rule.rule
    }
    paths = scim.description(BASE)["paths"]
    assert {(path, method) for path, each in paths.items() for method in each} == served
    assert len(set(NAMES)) == len(NAMES)


def test_the_shapes_are_those_of_the_schema_documents() -> None:
    shapes = scim.description(BASE)["components"]["schemas"]
    for kind, schema in (("User", scim.USER), ("Group", scim.GROUP)):
        for each in scim.SCHEMAS[schema]["attributes"]:
            told = shapes[kind]["properties"][each["name"]]
            assert told.get("readOnly", False) is (each["mutability"] == "readOnly"), each["name"]


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("name", [each for each in NAMES if each != "describe"])
def test_whatever_is_asked_is_answered_as_described(
    operations: dict[str, Any], name: str, mode: GenerationMode
) -> None:
    operation = operations[name]
    if mode is GenerationMode.NEGATIVE and not operation.body:
        # Nothing to be got wrong: every parameter is text.
        return

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def hold(case: Any) -> None:
        answer = case.call(base_url=BASE)
        assert answer.status_code < 500 or answer.status_code == 501
        case.validate_response(answer, excluded_checks=UNCHECKED)

    hold()
