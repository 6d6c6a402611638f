# SPDX-License-Identifier: Apache-2.0
"""What the hits of a search have in common: facets that narrow it, and how they lie in time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

FACETS = ("type", "outcome", "zone", "to_zone", "object", "source", "reason")
"""Fields whose values are counted beside the hits."""
MOST_VALUES = 8
_STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (60, 300, 900, 3600, 4 * 3600, 86_400, 7 * 86_400, 30 * 86_400, 91 * 86_400, 365 * 86_400)
)
_BARS = 36


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Counts over the newest hits, or over all of them."""

    # How many hits were counted.
    counted: int
    # Not all: there are older hits that nobody counted.
    more: bool
    # Field to its most frequent values with their counts, most first.
    facets: Mapping[str, Sequence[tuple[str, int]]]
    # Width of one bar, and the bars from the oldest on, without gaps: start and count.
    step: timedelta
    bars: Sequence[tuple[datetime, int]]


@dataclass(frozen=True, kw_only=True)
class Count:
    """How often something happened in one hour or day."""

    # Start of the hour or day, UTC.
    at: datetime
    # Values of the fields that were asked for, in their order.
    values: tuple[str, ...]
    times: int


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """One part of the index that can be dropped whole: entries ``first`` to ``end``, without ``end``."""

    name: str
    first: int
    end: int
    # Times of its oldest and newest entry; None while it is empty.
    since: datetime | None
    until: datetime | None
    # What its files take, in bytes.
    size: int


def step_for(span: timedelta) -> timedelta:
    """The narrowest bar of which a span needs no more than a screen takes."""
    return next((step for step in _STEPS if span / step <= _BARS), _STEPS[-1])
