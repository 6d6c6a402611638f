# SPDX-License-Identifier: Apache-2.0
"""One spelling per event; what the log does not take is refused before it travels."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import BadEvent, Event, Outcome, decode_event, encode_event, new_key
from audit.events import KINDS
from audit.models_codec import MAX_ENTRY, decode_entry, encode_entry
from tests.fakes.log_site import event

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_ID = _TEXT.filter(str.isprintable)


@given(
    st.builds(
        event,
        type=st.sampled_from(sorted(KINDS)),
        outcome=st.sampled_from(Outcome),
        at=st.integers(0, 10**12).map(lambda ms: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)),
        subject=_ID.filter(bool),
        object=_ID,
        zone=_ID,
        attributes=st.dictionaries(
            st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True),
            st.integers(-(2**53) + 1, 2**53 - 1) | st.booleans() | _TEXT,
        ),
        sealed=st.dictionaries(st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,9}", fullmatch=True), _TEXT),
    )
)
def test_an_event_survives_its_encoding(one: Event) -> None:
    encoded = encode_event(one)
    assert decode_event(encoded) == one
    assert encode_event(decode_event(encoded)) == encoded


def test_an_event_has_the_shape_of_ocsf() -> None:
    one = event(type="gateway.decision", outcome=Outcome.DENIED, key="ab" * 16, attributes={"acr": 2}, zone="external")
    assert json.loads(encode_event(one)) == {
        "activity_id": 99,
        "category_uid": 6,
        "class_uid": 6003,
        "metadata": {
            "product": {"name": "Tallygate", "vendor_name": "Tallygate"},
            "uid": "ab" * 16,
            "version": "1.6.0",
        },
        "severity_id": 2,
        "status": "denied",
        "status_id": 2,
        "time": 1795161600000,
        "type_uid": 600399,
        "unmapped": {
            "attributes": {"acr": 2},
            "sealed": {"name": "李雷"},
            "source": "sso",
            "subject": "3b0e",
            "type": "gateway.decision",
            "zone": "external",
        },
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
    largest = event(sealed={"a": "字" * 14_000})
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
        _GOOD.replace(b'"subject":"3b0e"', b'"subject":["3b0e"]'), _GOOD.replace(b'"sealed":{', b'"sealed":[{'),
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
        decode_entry(0, raw.replace(b'"source"', b'"sealed":{"name":"x"},"source"'))


def test_keys_do_not_repeat() -> None:
    assert len({new_key() for _ in range(100)}) == 100
