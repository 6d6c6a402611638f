# SPDX-License-Identifier: Apache-2.0
"""When the disk is full: the growth of the last 30 days, day by day, with the rhythm of the week. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from statistics import fmean

_WINDOW = 30
_RHYTHM = 14
"""Days from which on a weekday's own mean says more than the mean of all."""
_HORIZON = 3650
_WEEK = 7


@dataclass(frozen=True)
class Usage:
    """What everything took at the end of one day, in bytes."""

    day: date
    used: int


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What to expect."""

    # Mean of bytes a day.
    growth: float
    # When nothing is left; None if not within ten years, or if nobody can tell yet.
    full: date | None
    # What will be used at the end of each of the next 90 days.
    ahead: tuple[Usage, ...] = ()


def forecast(past: Sequence[Usage], *, free: int) -> Forecast | None:
    """From what was used, oldest first, and what is free now; None with less than two days to compare."""
    steps = _steps(past)
    if not steps:
        return None
    mean = max(0.0, fmean(grown for _day, grown in steps))
    by_weekday = _rhythm(steps, mean)
    used, last, ahead, full = float(past[-1].used), past[-1].day, [], None
    limit = used + free
    for number in range(1, _HORIZON + 1):
        day = last + timedelta(days=number)
        used += by_weekday[day.weekday()]
        if number <= _WINDOW * 3:
            ahead.append(Usage(day, int(used)))
        if used >= limit:
            full = day
            break
    return Forecast(growth=mean, full=full, ahead=tuple(ahead))


def _steps(past: Sequence[Usage]) -> list[tuple[date, float]]:
    """The growth of each day; days without a measure share what was found after them, and shrinking is no growth."""
    found = []
    for before, after in pairwise(past):
        days = (after.day - before.day).days
        if days > 0:
            grown = max(0.0, (after.used - before.used) / days)
            found += [(before.day + timedelta(days=i + 1), grown) for i in range(days)]
    return [each for each in found if past and each[0] > past[-1].day - timedelta(days=_WINDOW)]


def _rhythm(steps: Sequence[tuple[date, float]], mean: float) -> list[float]:
    if len(steps) < _RHYTHM:
        return [mean] * _WEEK
    own: list[list[float]] = [[] for _ in range(_WEEK)]
    for day, grown in steps:
        own[day.weekday()].append(grown)
    return [fmean(found) if found else mean for found in own]
