# SPDX-License-Identifier: Apache-2.0
"""Many events at once, by HTTP: each answered for itself, each in its caller's own name, none twice, none half."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from audit import Event, Wait, encode_event
from audit.intake import LARGEST_BODY, MOST_EVENTS
from audit.merkle import Checkpoint, VerifierKey
from audit.wire import LONGEST_EVENT
from tests.fakes.audit_role import AuditRole
from tests.fakes.log_site import event


@pytest.fixture(scope="module")
def role() -> Iterator[AuditRole]:
    made = AuditRole()
    try:
        made.start_log()
        yield made
    finally:
        made.remove()


def _send(role: AuditRole, body: bytes, caller: str = "sso", query: str = "", **more: Any) -> TestResponse:
    secret = role.context.site.pair_secret(holder=caller, caller=caller, callee="audit")
    headers = {"Tallygate-Caller": caller, "Tallygate-Secret": base64.b64encode(secret).decode()}
    path = f"/api/v1/events{query}"
    return role.client.post(path, data=body, headers=headers, environ_overrides={"REQUEST_URI": path}, **more)


def _lines(*events: Event) -> bytes:
    return b"".join(encode_event(one) + b"\n" for one in events)


def _answers(response: TestResponse) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def test_every_event_gets_its_receipt_in_order(role: AuditRole) -> None:
    sent = [event(subject=f"p{i}") for i in range(600)]
    answers = _answers(_send(role, _lines(*sent)))
    indices = [answer["index"] for answer in answers]
    assert indices == sorted(set(indices))
    assert len(indices) == 600
    assert {answer["level"] for answer in answers} == {"sequenced"}
    # The same again: the same places, no new entries.
    assert [answer["index"] for answer in _answers(_send(role, _lines(*sent)))] == indices


def test_one_bad_event_does_not_harm_its_neighbours(role: AuditRole) -> None:
    good, other = event(), event()
    bad = encode_event(event()).replace(b'"sso.login"', b'"sso.nothing"')
    reused = replace(good, subject="somebody-else")
    foreign = event(source="ca", type="ca.call.refused", sealed={})
    body = _lines(good) + bad + b"\n" + _lines(reused, foreign) + b'{"no": "event"}\n' + _lines(other)
    answers = _answers(_send(role, body))
    assert "index" in answers[0]
    assert "index" in answers[5]
    assert [answer.get("code") for answer in answers[1:5]] == [
        "bad_event",
        "event_key_reused",
        "bad_event",
        "bad_event",
    ]
    # Nobody records in another's name.
    assert "source" in answers[3]["detail"]


@pytest.mark.parametrize("length", [LONGEST_EVENT, LONGEST_EVENT + 1, LARGEST_BODY // 2])
def test_an_event_that_is_too_long_does_not_cut_the_line_for_others(role: AuditRole, length: int) -> None:
    long = b"{" + b" " * (length - 2) + b"}"
    answers = _answers(_send(role, _lines(event()) + long + b"\n" + _lines(event())))
    assert [answer.get("code") for answer in answers] == [None, "bad_event", None]


def test_whoever_waits_for_publication_gets_the_signed_checkpoint(role: AuditRole) -> None:
    answers = _answers(_send(role, _lines(event(), event()), query="?wait=published"))
    key = VerifierKey.parse(role.context.log_key)
    for answer in answers:
        assert answer["level"] == Wait.PUBLISHED.value
        assert Checkpoint.verified(answer["checkpoint"].encode(), [key]).size > answer["index"]


@pytest.mark.parametrize("body", [b"", b"\n", b"{}\n\n{}", b"x\n" * (MOST_EVENTS + 1)])
def test_what_is_no_batch_is_refused_whole(role: AuditRole, body: bytes) -> None:
    assert _send(role, body).status_code == 400


@pytest.mark.parametrize("query", ["?wait=witnessed", "?wait=", "?wait=published&wait=published", "?weight=1"])
def test_what_is_no_level_is_refused(role: AuditRole, query: str) -> None:
    assert _send(role, _lines(event()), query=query).status_code == 400


def test_an_answer_before_flask_carries_what_every_answer_carries(role: AuditRole) -> None:
    short = _send(role, _lines(event()))
    # A second "wait" is for Flask to refuse; one it does not know, too.
    whole = _send(role, _lines(event()), query="?wait=published&wait=published")
    names = {name for name, _ in whole.headers} - {"Retry-After"}
    assert {name for name, _ in short.headers} == names - {"Vary", "Content-Language"}
    assert short.headers["Cache-Control"] == "no-store"


def test_a_body_that_ends_early_is_no_batch(role: AuditRole) -> None:
    secret = role.context.site.pair_secret(holder="sso", caller="sso", callee="audit")
    headers = {"Tallygate-Caller": "sso", "Tallygate-Secret": base64.b64encode(secret).decode()}
    path = "/api/v1/events"
    environ = EnvironBuilder(path=path, method="POST", data=_lines(event()), headers=Headers(headers)).get_environ()
    environ["CONTENT_LENGTH"] = str(int(environ["CONTENT_LENGTH"]) + 1)
    answer, status, _headers = run_wsgi_app(role.app.wsgi_app, environ)
    assert status.startswith("400")
    assert json.loads(b"".join(answer))["code"] == "bad_batch"


def test_a_body_that_is_too_large_is_refused(role: AuditRole) -> None:
    assert _send(role, b"x" * (LARGEST_BODY + 1)).status_code == 413


def test_only_roles_that_record_may_send(role: AuditRole) -> None:
    assert role.client.post("/api/v1/events", data=_lines(event())).status_code == 401
    assert _send(role, _lines(event()), caller="nginx").status_code in {401, 403}


def test_without_the_log_nothing_is_taken() -> None:
    dark = AuditRole()
    try:
        assert _send(dark, _lines(event())).status_code == 503
    finally:
        dark.remove()
