# SPDX-License-Identifier: Apache-2.0
"""Events of every type, generated from what the types declare."""

from datetime import UTC, datetime, timedelta
from functools import cache
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


# A strategy is looked through when it is first drawn from; one that is made anew for each event is each time.
_PERHAPS = {part: st.just("") | values for part, values in _PARTS.items()}
_FREE = _TEXT.filter(bool)
_KEY = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
_TYPE, _OUTCOME, _MOMENT = st.sampled_from(sorted(KINDS)), st.sampled_from(Outcome), st.integers(0, 10**12)


@cache
def _some(names: tuple[str, ...]) -> st.SearchStrategy[set[str]]:
    return st.sets(st.sampled_from(names)) if names else st.just(set[str]())


@cache
def _one(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.sampled_from(names)


@st.composite
def events(draw: st.DrawFn, type_: str = "") -> Event:
    """One event that keeps every rule; of any type, or of this one."""
    name = type_ or draw(_TYPE)
    kind = KINDS[name]
    fields: dict[str, Any] = {
        part: draw(values if part in kind.needs else _PERHAPS[part]) for part, values in _PARTS.items()
    }
    chosen = draw(_some(tuple(each.replace("*", "x") for each in sorted(kind.attributes))))
    attributes = {each: draw(_METHOD if each == "method" else _VALUE) for each in sorted(chosen)}
    if kind.privilege:
        attributes[kind.privilege] = draw(_FREE)
    sealed: dict[str, str] = {}
    if fields["subject"]:
        hidden = draw(_some(tuple(each.replace("*", "field") for each in sorted(kind.sealed))))
        sealed = {each: draw(_TEXT) for each in sorted(hidden)}
    return Event(
        key=draw(_KEY),
        type=name,
        outcome=draw(_OUTCOME),
        at=datetime(2020, 1, 1, tzinfo=UTC) + timedelta(milliseconds=draw(_MOMENT)),
        source=draw(_one(tuple(sorted(kind.sources)) or ("sso", "portal:tax"))),
        attributes=attributes,
        sealed=sealed,
        **fields,
    )
