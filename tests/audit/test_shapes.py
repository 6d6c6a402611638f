# SPDX-License-Identifier: Apache-2.0
"""What reads by learned shapes says of every event and entry what the codec says, and of every other byte too."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import BadEvent, Event, Outcome, encode_event
from audit.events import KINDS
from audit.models_codec import Draft, decode_entry, encode_entry, plain, read_draft
from audit.press import NOTHING, SHAPES, Job, work
from audit.press.shapes import Shapes
from tests.audit.entries import events
from tests.fakes.log_site import event

_T = TypeVar("_T")
_QUICK = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_NASTY = st.sampled_from(
    ["", "x", "role:ca", "a:b", "x" * 256, "x" * 257, '"', "\\", "\n", "\x7f", "李雷", "é", "\ufffe", "0", "true",
     "null", '","uid":"', "a\u2028b", "%b", "%", "\\1"]
)  # fmt: skip
_NUMBERS = st.sampled_from([0, 1, -1, 2**53 - 1, -(2**53) + 1, 10**15 - 1, 10**15, True, False])
_PIECES = st.sampled_from(
    [b"", b'"', b"\\", b"0", b"-", b"1", b" ", b"\n", b"\xff", b"\xc3", b"{", b"}", b",", b"\x00", b"\\u0041", b"role:",
     b'"sequence":1,', b'"sealed":{}', b"\xed\xa0\x80", b"1e5", b"007"]
)  # fmt: skip


def _read(shapes: Shapes, encoded: bytes) -> Draft:
    """What the codec could say as well: by what it was read is for whoever makes the entry."""
    return shapes.read(encoded)._replace(shaped=None)


def _said(act: Callable[[], _T]) -> _T | str:
    try:
        return act()
    except BadEvent as error:
        return str(error.parameters["why"])


@st.composite
def _alike(draw: st.DrawFn) -> tuple[Event, dict[str, Any]]:
    """An event, and what to change of it: free values, each by whatever stands in somebody's way."""
    one = draw(events())
    change: dict[str, Any] = {"key": draw(st.sampled_from(["ab" * 16, "AB" * 16, "ab" * 16 + "0"]))}
    for name in ("subject", "actor", "object", "organisation", "session", "zone", "decision", "policy"):
        if getattr(one, name) and draw(st.booleans()):
            change[name] = draw(_NASTY)
    change["attributes"] = {
        name: draw(_NUMBERS) if isinstance(value, int) else draw(_NASTY) for name, value in one.attributes.items()
    }
    change["sealed"] = {name: draw(_NASTY) for name in one.sealed}
    return one, change


@_QUICK
@given(_alike())
def test_an_event_of_a_known_shape_is_read_as_by_the_codec(both: tuple[Event, dict[str, Any]]) -> None:
    one, change = both
    shapes = Shapes()
    shapes.read(encode_event(one))
    try:
        encoded = encode_event(replace(one, **change))
    except BadEvent:
        # What the codec would not write is written by hand.
        encoded = _unchecked(replace(one, **change))
    assert _said(lambda: _read(shapes, encoded)) == _said(lambda: read_draft(encoded))


@pytest.mark.parametrize("actor", ["role:ca", "role:", "a:b", "ab"])
def test_a_role_does_not_pass_for_a_person(actor: str) -> None:
    shapes = Shapes()
    one = event(actor="somebody")
    shapes.read(encode_event(one))
    good = encode_event(replace(one, actor=actor))
    assert _read(shapes, good) == read_draft(good)
    bad = encode_event(one).replace(b"somebody", actor.encode())
    assert _said(lambda: _read(shapes, bad)) == _said(lambda: read_draft(bad))


_FULL = event(
    type="gateway.decision", source="gateway", key="ab" * 16, object="tax", zone="external", actor="p7", session="s1",
    decision="d9", policy="7", organisation="o5", attributes={"assurance": 214, "method": "GET", "reason": "because"},
    sealed={"name": "李雷"},
)  # fmt: skip
_BYTES = encode_event(_FULL)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"tax", b"x" * 256), (b"tax", b"x" * 257), (b"tax", b""), (b"tax", b"\\u0041"), (b"tax", b"\x7f"),
        (b"tax", b"a b"),
        (b"3b0e", b"x" * 257), (b"3b0e", b"a b"), (b"3b0e", b""), (b'"s1"', b'"' + b"s" * 257 + b'"'),
        (b'"s1"', b'"s,"'),
        (b"external", b"internal"), (b"214", b"-214"), (b"214", b"-0"), (b"214", b"0"), (b"214", b"007"),
        (b"214", b"+1"),
        (b"214", b"9007199254740991"), (b"214", b"9007199254740992"), (b"214", b"true"), (b"214", b"2.0"),
        (b"214", b'"x"'), (b"because", b""), (b"because", b"\xff"), (b"because", b"\\n"), (b"because", b"\n"),
        (b"because", b"\\u674e"), (b"because", b"\\/"), (b"because", b"\xed\xa0\x80"), (b"because", b"\xc0\x80"),
        (b"\xe6\x9d\x8e", b"\xe6\x9d"), (b"\xe6\x9d\x8e", b"\\u674e"), (b"\xe6\x9d\x8e", b"\t"), (b"\xe6", b""),
        (b'"GET"', b'"POST"'), (b'"GET"', b'"PROPFIND"'), (b'"p7"', b'"role:x"'), (b"ab" * 16, b"AB" * 16),
        (b'"time":1', b'"time":01'), (b'"time":1', b'"time":9'), (b'"time":1', b'"time":'), (b'"time":1', b'"time":-1'),
        (b"gateway.decision", b"gateway.nothing"), (b'"success"', b'"denied"'), (b'"d9"', b'"' + b"d" * 257 + b'"'),
        (b'"7"', b'""'), (b'"o5"', b'""'), (b'"uid":"tax"', b'"uid":"tax" '),
    ],
)  # fmt: skip
def test_every_value_is_held_to_its_rule(old: bytes, new: bytes) -> None:
    shapes = Shapes()
    shapes.read(_BYTES)
    entry = encode_entry(replace(_FULL, sealed={}), sequence=5, ciphertext="QUFB")
    shapes.entry(3, entry)
    assert shapes.taken(_BYTES) is not None
    bad = _BYTES.replace(old, new)
    assert _said(lambda: _read(shapes, bad)) == _said(lambda: read_draft(bad))
    worse = entry.replace(old, new)
    assert _said(lambda: shapes.entry(3, worse)) == _said(lambda: decode_entry(3, worse))


@pytest.mark.parametrize("number", ["-1", "01", "1.0", "true", str(10**14), str(10**15), str(2**63), str(2**70)])
def test_a_sequence_number_is_read_as_by_the_codec(number: str) -> None:
    shapes = Shapes()
    entry = encode_entry(replace(_FULL, sealed={}), sequence=5, ciphertext="QUFB")
    shapes.entry(3, entry)
    for old, new in ((b'"sequence":5', f'"sequence":{number}'.encode()), (b"QUFB", number.encode()), (b"QUFB", b"=")):
        bad = entry.replace(old, new)
        assert _said(lambda bad=bad: shapes.entry(3, bad)) == _said(lambda bad=bad: decode_entry(3, bad))  # type: ignore[misc]


def _unchecked(one: Event) -> bytes:
    document = orjson.loads(encode_event(event(key="ab" * 16)))
    document["metadata"].update(event_code=one.type, uid=one.key)
    document["unmapped"] = {"sealed": dict(one.sealed), "attributes": dict(one.attributes), "object": one.object}
    return plain(document)


@_QUICK
@given(events(), st.data())
def test_bytes_that_are_nearly_an_event_are_refused_as_by_the_codec(one: Event, data: st.DataObject) -> None:
    shapes = Shapes()
    encoded = encode_event(one)
    entry = encode_entry(replace(one, sealed={}), sequence=5, ciphertext="QUFB" if one.sealed else "")
    shapes.read(encoded)
    shapes.entry(3, entry)
    for _ in range(20):
        for good in (encoded, entry):
            begin = data.draw(st.integers(0, len(good)))
            end = data.draw(st.integers(begin, min(len(good), begin + 4)))
            bad = good[:begin] + data.draw(_PIECES) + good[end:]
            assert _said(lambda bad=bad: _read(shapes, bad)) == _said(lambda bad=bad: read_draft(bad))  # type: ignore[misc]
            assert _said(lambda bad=bad: shapes.entry(3, bad)) == _said(lambda bad=bad: decode_entry(3, bad))  # type: ignore[misc]


@_QUICK
@given(events(), st.integers(0, 2**40))
def test_an_entry_made_by_its_shape_is_the_entry_of_the_event(one: Event, sequence: int) -> None:
    shapes = Shapes()
    encoded = encode_event(one)
    shapes.read(encoded)
    if (taken := shapes.taken(encoded)) is None:
        return
    shape, values = taken
    ciphertext = "QUFB" if one.sealed else ""
    entry = encode_entry(replace(one, sealed={}), sequence=sequence, ciphertext=ciphertext)
    assert shape.entry(values, sequence, b"QUFB") == entry
    assert shape.facts(values) == (plain(dict(one.sealed)) if one.sealed else b"")
    assert shapes.entry(9, entry) == decode_entry(9, entry)
    assert shapes.entry(9, entry) == decode_entry(9, entry)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_type_has_shapes(name: str) -> None:
    kind = KINDS[name]
    free = dict.fromkeys(("subject", "actor", "object", "organisation", "session", "zone", "decision", "policy"), "a1")
    one = Event(
        key="ab" * 16, type=name, outcome=Outcome.SUCCESS, at=datetime(2026, 5, 1, tzinfo=UTC),
        source=min(kind.sources) if kind.sources else "sso",
        attributes={each.replace("*", "x"): "GET" if each == "method" else "b2" for each in kind.attributes},
        sealed={each.replace("*", "x"): "李雷" for each in kind.sealed}, **free,
    )  # fmt: skip
    shapes = Shapes()
    shapes.read(encode_event(one))
    assert shapes.taken(encode_event(replace(one, key="cd" * 16, subject="b7"))) is not None


def test_what_is_learned_is_bounded_and_names_nobody() -> None:
    shapes = Shapes()
    for number in range(3000):
        one = event(key=f"{number:032x}", actor=f"role:r{number}", subject="somebody", sealed={"name": "李雷"})
        shapes.read(encode_event(one))
    [(_, learned)] = shapes._events.items()
    assert 1 < len(learned) <= 16
    for shape in learned:
        assert "李雷".encode() not in shape._pattern.pattern
        assert b"somebody" not in shape._pattern.pattern


def test_what_matches_no_shape_is_made_by_the_codec() -> None:
    long = event(sealed={"name": 'said "' + "x" * 50})
    encoded = encode_event(long)
    assert SHAPES.taken(encoded) is None
    [made] = work.make([Job(encoded, 4, bytes(8), bytes(range(32)))])
    assert made is not None
    assert decode_entry(1, made.raw).sequence == 4
    [plain_one] = work.make([Job(encode_event(event(sealed={})), 4, *NOTHING)])
    assert plain_one is not None
    assert decode_entry(1, plain_one.raw).ciphertext == ""
