# SPDX-License-Identifier: Apache-2.0
"""The record's interface and its description are one: every rule is described, every answer is as described."""

import base64
import hashlib
import os
import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from audit import encode_event
from audit.merkle import EMPTY_ROOT, Checkpoint
from audit.witness.submission import submission
from core.calls import CALLER_HEADER, SECRET_HEADER
from core.identity import HEADER
from core.openapi import document
from core.web.guard import mark_of
from tests.fakes.audit_console import LI, OFFICER, SECRETS, WITNESSED, ConsoleFake
from tests.fakes.clock import ManualClock
from tests.fakes.log_site import event

# A run with a seed of its own (scripts/soak) tries more, and something else.
SEEDED = "TALLYGATE_SEED" in os.environ
EXAMPLES, FEW = (40, 10) if SEEDED else (12, 4)
# The same views again, for mirrors, of closed logs and of one entry of the directory.
AGAIN = ("mirror", "readClosed", "readChange")
# Valid by its shape and wrong all the same: a day that no month has, an end before its beginning, a page that no
# search has offered, an entry that is not there yet.
UNCHECKED = [ignored_auth, positive_data_acceptance]
EMPTY = Checkpoint(WITNESSED.origin, 0, EMPTY_ROOT).sign(WITNESSED, ManualClock().now())
SUBMISSION = submission(0, [], EMPTY).decode()
DIGEST = hashlib.sha256(WITNESSED.origin.encode()).hexdigest()
GOOD: dict[str, dict[str, Any]] = {
    "readCheckpoint": {},
    "readTile": {"path_parameters": {"level": "0", "rest": "000.p/3"}},
    "readBundle": {"path_parameters": {"rest": "000.p/3"}},
    "readPruned": {},
    "readLogs": {},
    "readClosedCheckpoint": {"path_parameters": {"log": "old"}},
    "readClosedPruned": {"path_parameters": {"log": "old"}},
    "readClosedTile": {"path_parameters": {"log": "old", "level": "0", "rest": "000.p/3"}},
    "readClosedBundle": {"path_parameters": {"log": "old", "rest": "000.p/3"}},
    "mirrorLogs": {},
    "mirrorCheckpoint": {},
    "mirrorPruned": {},
    "mirrorTile": {"path_parameters": {"level": "0", "rest": "000.p/3"}},
    "mirrorBundle": {"path_parameters": {"rest": "000.p/3"}},
    "mirrorClosedCheckpoint": {"path_parameters": {"log": "old"}},
    "mirrorClosedPruned": {"path_parameters": {"log": "old"}},
    "mirrorClosedTile": {"path_parameters": {"log": "old", "level": "0", "rest": "000.p/3"}},
    "mirrorClosedBundle": {"path_parameters": {"log": "old", "rest": "000.p/3"}},
    "readBundleAsRole": {"path_parameters": {"rest": "000.p/3"}},
    "search": {"query": {"person": "Wang Fang", "outcome": "denied", "limit": 1, "from": "2000-01-01"}},
    "searchAsRole": {"query": {"zone": "external", "limit": 2}},
    "readEntry": {"path_parameters": {"index": "3"}},
    "proveEntry": {"path_parameters": {"index": "3"}},
    "addCheckpoint": {"body": SUBMISSION, "media_type": "text/plain"},
    "readWitnessed": {},
    "recordEvents": {"body": encode_event(event()).decode(), "media_type": "text/plain"},
    "readCosigned": {"path_parameters": {"digest": DIGEST}},
    "readOwnRecord": {"path_parameters": {"subject": LI}, "query": {"limit": 3}},
    "readOwnEntry": {"path_parameters": {"subject": LI, "index": "3"}},
    "readChanges": {
        "path_parameters": {"kind": "subject", "identifier": LI},
        "query": {"officer": OFFICER, "limit": 3, "open": "1"},
    },
    "readChange": {
        "path_parameters": {"kind": "subject", "identifier": LI, "index": "74"},
        "query": {"officer": OFFICER},
    },
}
CALLERS = {
    "searchAsRole": "app",
    "readBundleAsRole": "app",
    "readOwnRecord": "sso",
    "readOwnEntry": "sso",
    "recordEvents": "sso",
    "readChanges": "directory",
    "readChange": "directory",
}


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> ConsoleFake:
    made = ConsoleFake(tmp_path_factory.mktemp("audit"))
    made.fill()
    assert made.add(type="directory.person.disabled", source="directory", subject=LI, actor=OFFICER, zone="") == 74
    made.grant("range:0-255", kind="export")
    made.log.cosigned = made.log.checkpoint()
    made.log.closed = {"old"}
    made.log.pruning = made.log.checkpoint()
    made.witness.add_checkpoint(SUBMISSION.encode())
    return made


def _gateway(fake: ConsoleFake) -> Callable[..., Iterable[bytes]]:
    """The role behind a gateway that knows every visitor with a header for an officer."""
    name = "HTTP_" + HEADER.upper().replace("-", "_")

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if name in environ:
            environ[name] = fake.header(environ["REQUEST_URI"])
        return fake.app.wsgi_app(environ, start_response)

    return wrapped


@pytest.fixture(scope="module")
def operations(fake: ConsoleFake) -> dict[str, Any]:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", _gateway(fake))
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(found) == len(list(schema.get_all_operations()))
    return {operation.definition.raw["operationId"]: operation for operation in found}


def _credentials(name: str) -> dict[str, str]:
    if name.startswith("mirror"):
        shown = base64.b64encode(b"m" * 32)
        return {"Authorization": "Basic " + base64.b64encode(b"backup:" + shown).decode()}
    if (caller := CALLERS.get(name)) is None:
        return {HEADER: "an officer"}
    return {CALLER_HEADER: caller, SECRET_HEADER: base64.b64encode(SECRETS[caller]).decode()}


def test_every_rule_for_programs_is_described_and_nothing_else(fake: ConsoleFake) -> None:
    served, pages = set(), set()
    for rule in fake.app.url_map.iter_rules():
        if not rule.endpoint.startswith("audit."):
            continue
        mark = mark_of(fake.app, rule.endpoint)
        assert mark
        path = re.sub(r"<(?:[^<>]+:)?(\w+)>", r"{\1}", rule.rule)
        found = {(path, method.lower()) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
        served |= found
        # What people look at in a browser is not described.
        pages |= found if (mark.kind, mark.face) == ("person", "page") else set()
    paths = fake.public("/api/v1/openapi.json").get_json()["paths"]
    described = {(path, method) for path, item in paths.items() for method in item}
    assert served - described <= pages
    assert described <= served


def test_who_may_call_is_described_as_it_is(fake: ConsoleFake, operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        case = operation.Case(**GOOD[name])
        answer = fake.app.test_client().open(case.formatted_path, method=operation.method, data=GOOD[name].get("body"))
        assert (answer.status_code == 200) is ("security" not in operation.definition.raw), name
        if answer.status_code != 200:
            assert answer.status_code == 401, name


def test_the_headers_of_the_description_are_those_that_count() -> None:
    schemes = document(title="", description="", paths={}, schemas={})["components"]["securitySchemes"]
    assert [scheme["name"] for scheme in schemes.values()] == [CALLER_HEADER, SECRET_HEADER, HEADER]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_request_is_answered_as_described(operations: dict[str, Any], name: str) -> None:
    case = operations[name].Case(**GOOD[name])
    answer = case.call(headers=_credentials(name))
    assert answer.status_code == 200, answer.text
    assert answer.content
    case.validate_response(answer, excluded_checks=[ignored_auth])


def test_every_operation_is_tried(operations: dict[str, Any]) -> None:
    assert set(operations) == set(GOOD)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_whatever_is_asked_is_answered_as_described(
    operations: dict[str, Any], name: str, mode: GenerationMode
) -> None:
    operation = operations[name]
    if mode is GenerationMode.NEGATIVE and not list(operation.iter_parameters()):
        # Nothing to be got wrong.
        return

    @settings(
        max_examples=FEW if name.startswith(AGAIN) else EXAMPLES,
        deadline=None,
        derandomize=not SEEDED,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def hold(case: Any) -> None:
        # No address of ours has a line break in it, and an address that is none is told of on a page.
        assume("\n" not in "".join(map(str, case.path_parameters.values())))
        # What the description asks for and this request leaves out stays out.
        good = {header: value for header, value in _credentials(name).items() if header in case.headers}
        for headers in ({}, good):
            answer = case.call(headers=headers)
            assert answer.status_code < 500
            case.validate_response(answer, excluded_checks=UNCHECKED)

    hold()
