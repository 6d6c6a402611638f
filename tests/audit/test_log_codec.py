# SPDX-License-Identifier: Apache-2.0
"""One spelling per event; what the log does not take is refused before it travels. For classes see test_ocsf."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from audit import BadEvent, Event, Outcome, decode_event, encode_event, new_key
from audit.models_codec import MAX_ENTRY, decode_entry, encode_entry
from tests.audit.entries import events
from tests.fakes.log_site import event


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events())
def test_an_event_survives_its_encoding(one: Event) -> None:
    encoded = encode_event(one)
    assert decode_event(encoded) == one
    assert encode_event(decode_event(encoded)) == encoded


def test_a_decision_is_an_http_activity_of_ocsf() -> None:
    one = event(
        type="gateway.decision", source="gateway", outcome=Outcome.DENIED, key="ab" * 16, object="tax", zone="external",
        session="s1", decision="ab" * 16, policy="7", attributes={"assurance": 2, "method": "GET"},
    )  # fmt: skip
    assert json.loads(encode_event(one)) == {
        "action_id": 2,
        "activity_id": 3,
        "actor": {"session": {"uid": "s1"}, "user": {"uid": "3b0e"}},
        "category_uid": 4,
        "class_uid": 4002,
        "dst_endpoint": {"svc_name": "tax"},
        "http_request": {"http_method": "GET", "uid": "ab" * 16},
        "metadata": {
            "event_code": "gateway.decision",
            "log_provider": "gateway",
            "product": {"name": "Tallygate", "vendor_name": "Tallygate"},
            "profiles": ["host", "security_control"],
            "uid": "ab" * 16,
            "version": "1.6.0",
        },
        "policy": {"name": "site", "version": "7"},
        "severity_id": 2,
        "src_endpoint": {"name": "external", "zone": "external"},
        "status_code": "denied",
        "status_id": 2,
        "time": 1795161600000,
        "type_uid": 400203,
        "unmapped": {"attributes": {"assurance": 2}, "sealed": {"name": "李雷"}},
    }


def test_an_entry_holds_ciphertext_in_place_of_the_sealed_part() -> None:
    raw = encode_entry(replace(event(), sealed={}), sequence=7, ciphertext="c2VhbGVk")
    assert "李雷".encode() not in raw
    entry = decode_entry(3, raw)
    assert (entry.index, entry.sequence, entry.ciphertext) == (3, 7, "c2VhbGVk")
    assert entry.event.sealed == {}


def test_time_is_kept_in_milliseconds_of_utc() -> None:
    at = datetime(2026, 11, 20, 16, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=8)))
    assert decode_event(encode_event(event(at=at))).at == datetime(2026, 11, 20, 8, 0, 0, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "fields",
    [
        {"key": "AB" * 16}, {"key": "ab"}, {"key": ""}, {"type": "sso.logn"}, {"type": ""}, {"source": ""},
        {"source": "SSO"}, {"source": "sso\n"}, {"at": datetime(2026, 1, 1)}, {"at": datetime(1, 1, 1, tzinfo=UTC)},  # noqa: DTZ001 - a time without zone is what must be refused
        {"subject": ""}, {"subject": "a\nb"}, {"subject": "x" * 257}, {"object": "\ud800"}, {"zone": "\x00"},
        {"attributes": {"Bad": 1}}, {"attributes": {"a": 1.5}}, {"attributes": {"a": None}},
        {"attributes": {"a": 2**53}},
        {"attributes": {f"a{i}": 1 for i in range(65)}}, {"attributes": {"a": "\udfff"}}, {"attributes": {"a": ["x"]}},
        {"sealed": {"a b": "x"}}, {"sealed": {"a": 1}}, {"sealed": {"": "x"}}, {"sealed": {"a": "\ud800"}},
        {"sealed": {"a": "x" * 50_000}}, {"attributes": {"a": "x" * 66_000}}, {"outcome": "success"},
    ],
)  # fmt: skip
def test_an_event_that_breaks_a_rule_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadEvent):
        encode_event(event(**fields))


def test_what_the_source_may_send_always_fits_into_an_entry() -> None:
    largest = event(sealed={"name": "字" * 14_000})
    encode_event(largest)
    with pytest.raises(BadEvent):
        encode_entry(largest, sequence=0, ciphertext="x" * MAX_ENTRY)


_GOOD = encode_event(event(key="ab" * 16))


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{}", b"[]", b"null", b"1", b"\xff", b"{", b'{"unmapped":1}', b"[" * 50_000, b"x" * 70_000,
        b" " + _GOOD, _GOOD + b"\n", _GOOD.replace(b'"status_id":1', b'"status_id":1.0'),
        _GOOD.replace(b'"status_id":1', b'"status_id":2'),
        _GOOD.replace(b'"status_id":1', b'"status_id":1,"status_id":1'),
        _GOOD.replace(b'"time":', b'"time":1e3,"x":'), _GOOD.replace(b'"time":', b'"time":NaN,"x":'),
        _GOOD.replace(b'"time":1', b'"time":99999999999999999991'), _GOOD.replace(b"1.6.0", b"1.7.0"),
        _GOOD.replace(b'"sso"', b"null"), _GOOD.replace(b'"success"', b'"great"'),
        _GOOD.replace("李".encode(), b"\\u674e"),
        _GOOD.replace(b'"uid":"3b0e"', b'"uid":["3b0e"]'), _GOOD.replace(b'"user":{"uid":"3b0e"}', b'"user":"3b0e"'),
        _GOOD.replace(b'"sealed":{', b'"sealed":[{'),
        _GOOD.replace(b'"sso.login"', b'{"a":1}'), _GOOD.replace(b'"unmapped":{', b'"unmapped":{"extra":1,'),
    ],
)  # fmt: skip
def test_bytes_in_another_spelling_are_refused(raw: bytes) -> None:
    with pytest.raises(BadEvent):
        decode_event(raw)
    with pytest.raises(BadEvent):
        decode_entry(0, raw)


@pytest.mark.parametrize("sequence", [b"-1", b"1.0", b"true", b'"1"', b"null"])
def test_an_entry_needs_a_whole_sequence_number(sequence: bytes) -> None:
    raw = encode_entry(replace(event(), sealed={}), sequence=7, ciphertext="")
    with pytest.raises(BadEvent):
        decode_entry(0, raw.replace(b'"sequence":7', b'"sequence":' + sequence))


def test_an_entry_with_its_sealed_part_in_clear_is_refused() -> None:
    raw = encode_entry(replace(event(), sealed={}), sequence=7, ciphertext="")
    with pytest.raises(BadEvent):
        decode_entry(0, raw.replace(b"}}", b',"unmapped":{"sealed":{"name":"x"}}}}'))


def test_keys_do_not_repeat() -> None:
    assert len({new_key() for _ in range(100)}) == 100
