# SPDX-License-Identifier: Apache-2.0
"""Columns over time in two sizes, with the table that says the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .columns import Columns, columns
from .scale import Size

NARROW = Size(340, 220, "narrow")
_LOW = Size(960, 190)
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Timed:
    """The finished picture and its numbers."""

    drawn: Sequence[Columns]
    # Class of the pattern and words of each series, from the floor up.
    legend: Sequence[tuple[str, str]]
    # Label and the numbers of each series.
    table: Sequence[tuple[str, Sequence[int]]]
    totals: Sequence[int]


def stacked(
    starts: Sequence[datetime],
    step: timedelta,
    series: Sequence[Sequence[int]],
    legend: Sequence[tuple[str, str]],
    sizes: Sequence[Size] = (_LOW, NARROW),
) -> Timed:
    """Columns for numbers that begin at ``starts`` and are ``step`` apart."""
    short, long = "%m-%d", "%Y-%m-%d"
    if step < _DAY:
        several = starts[-1] - starts[0] >= _DAY
        short, long = ("%m-%d %Hh" if several else "%H:%M"), "%Y-%m-%d %H:%M"
    labels = [start.strftime(short) for start in starts]
    return Timed(
        drawn=[columns(labels, series, size) for size in sizes],
        legend=legend,
        table=[(start.strftime(long), [each[place] for each in series]) for place, start in enumerate(starts)],
        totals=[sum(each) for each in series],
    )
