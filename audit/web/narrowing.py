# SPDX-License-Identifier: Apache-2.0
"""What stands beside hits: facets whose values narrow the search by a link, and bars that narrow the time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from core.errors import N_
from core.web import _

from ..models import Outcome
from ..search import Survey
from ..search.survey import FACETS
from ..search.words import ENTERED, OUTCOMES, SOURCES, ZONES, reason_words, says

_TITLES = {
    "type": N_("What happened"),
    "outcome": N_("Outcome"),
    "zone": N_("Network"),
    "to_zone": N_("Into network"),
    "object": N_("Portal or object"),
    "source": N_("Reported by"),
    "reason": N_("Reason"),
}
_HEIGHT = 100.0
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One value of a facet."""

    words: str
    # A code is shown as it is.
    code: bool
    count: int
    # Where the narrowed search is; empty if it is narrowed by this value already.
    address: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One stretch of time."""

    since: datetime
    until: datetime
    count: int
    # From 0 to 100.
    height: float
    address: str


def address(given: Mapping[str, Sequence[str]], **more: str | int) -> str:
    """The search with these filters, on its first page."""
    kept = {name: found[0] for name, found in given.items() if found[0].strip() and name not in ("after", "lang")}
    query = urlencode({**kept, **more})
    return f"/search?{query}" if query else "/search"


def facets(given: Mapping[str, Sequence[str]], fields: Mapping[str, str], survey: Survey) -> dict[str, list[Choice]]:
    """Title of each facet to its values; ``fields`` are the filters in force, wherever they were typed."""
    found = {}
    for name in FACETS:
        values = survey.facets.get(name, ())
        if values:
            found[_(_TITLES[name])] = [
                Choice(
                    words=_words(name, value) or value,
                    code=not _words(name, value),
                    count=count,
                    address="" if name in fields else address(given, **{name: value}),
                )
                for value, count in values
            ]
    return found


def bars(given: Mapping[str, Sequence[str]], timed: str, survey: Survey) -> list[Bar]:
    """The bars of the hits; ``timed`` is what was typed freely: a time in it cannot be narrowed by a link."""
    most = max((count for _start, count in survey.bars), default=0)
    fixed = "from:" in timed or "to:" in timed
    made = []
    for start, count in survey.bars:
        until = start + survey.step
        span = {"from": _text(start), "to": _text(until - _SECOND)}
        made.append(
            Bar(
                since=start,
                until=until,
                count=count,
                height=round(_HEIGHT * count / most, 1),
                address="" if fixed or not count else address(given, **span),
            )
        )
    return made


def _text(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def _words(name: str, value: str) -> str:
    if name == "type":
        return _(says(value)) if says(value) != value else ""
    if name == "outcome":
        return _(OUTCOMES[Outcome(value)])
    words = {"zone": ZONES, "to_zone": ENTERED, "source": SOURCES}.get(name, {}).get(value, "")
    if name == "reason":
        words = reason_words(value)
    return _(words) if words else ""
