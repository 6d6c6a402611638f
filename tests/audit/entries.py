# SPDX-License-Identifier: Apache-2.0
"""Events of every type, generated from what the types declare."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from audit import Event, Outcome
from audit.events import KINDS

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_SOMEBODY = st.from_regex(r"(role:[a-z]{1,8}|[A-Za-z0-9._:/~+=-]{1,40})", fullmatch=True)
_WORD = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40)
_VALUE = st.integers(-(2**53) + 1, 2**53 - 1) | st.booleans() | _TEXT
_METHOD = st.sampled_from(["GET", "POST", "PROPFIND", "get", ""])
_PARTS = {
    "subject": _SOMEBODY, "actor": _SOMEBODY, "session": _SOMEBODY, "object": _WORD, "organisation": _WORD,
    "zone": _WORD, "decision": _WORD, "policy": _WORD,
}  # fmt: skip


@st.composite
def events(draw: st.DrawFn, type_: str = "") -> Event:
    """One event that keeps every rule; of any type, or of this one."""
    name = type_ or draw(st.sampled_from(sorted(KINDS)))
    kind = KINDS[name]
    fields: dict[str, Any] = {
        part: draw(values if part in kind.needs else st.just("") | values) for part, values in _PARTS.items()
    }
    declared = [each.replace("*", "x") for each in sorted(kind.attributes)]
    chosen = draw(st.sets(st.sampled_from(declared))) if declared else set()
    attributes = {each: draw(_METHOD if each == "method" else _VALUE) for each in sorted(chosen)}
    if kind.privilege:
        attributes[kind.privilege] = draw(_TEXT.filter(bool))
    sealed: dict[str, str] = {}
    if fields["subject"] and kind.sealed:
        hidden = draw(st.sets(st.sampled_from([each.replace("*", "field") for each in sorted(kind.sealed)])))
        sealed = {each: draw(_TEXT) for each in sorted(hidden)}
    return Event(
        key=draw(st.from_regex(r"[0-9a-f]{32}", fullmatch=True)),
        type=name,
        outcome=draw(st.sampled_from(Outcome)),
        at=datetime(2020, 1, 1, tzinfo=UTC) + timedelta(milliseconds=draw(st.integers(0, 10**12))),
        source=draw(st.sampled_from(sorted(kind.sources) or ["sso", "portal:tax"])),
        attributes=attributes,
        sealed=sealed,
        **fields,
    )
