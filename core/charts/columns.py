# SPDX-License-Identifier: Apache-2.0
"""Stacked columns over time. What happened at all is seen: no part that counts is thinner than two pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

from .scale import Size, places, ticks

_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 6, 10, 26
_LABEL = 62
"""Room that one label below the axis needs."""
_THINNEST = 2.0
_FILLED = 0.76
_BROADEST = 46.0


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One part of a column: which series, how many, and where."""

    series: int
    times: int
    y: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Column:
    """One bucket of time."""

    label: str
    total: int
    x: float
    width: float
    segments: Sequence[Segment]


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The finished picture."""

    size: Size
    columns: Sequence[Column]
    # Height of each line across, with the number beside it.
    lines: Sequence[tuple[float, int]]
    # Where each label below the axis stands.
    labels: Sequence[tuple[float, str]]
    left: float
    right: float
    floor: float


def columns(labels: Sequence[str], series: Sequence[Sequence[int]], size: Size) -> Columns:
    """Stack ``series`` (one number for each label) upwards, the first one at the floor."""
    totals = [sum(each[place] for each in series) for place in range(len(labels))]
    steps = ticks(max(totals, default=0), 4 if size.height > 200 else 3)  # noqa: PLR2004 - a low picture
    floor, ceiling = size.height - _BOTTOM, _TOP
    unit = (floor - ceiling) / steps[-1]
    pitch = (size.width - _LEFT - _RIGHT) / max(1, len(labels))
    width = min(pitch * _FILLED, _BROADEST)
    every = max(1, -int(-_LABEL // pitch))
    drawn = []
    for place, label in enumerate(labels):
        drawn.append(
            Column(
                label=label,
                total=totals[place],
                x=places(_LEFT + pitch * place + (pitch - width) / 2),
                width=places(width),
                segments=_stack([each[place] for each in series], unit, floor),
            )
        )
    return Columns(
        size=size,
        columns=drawn,
        lines=[(places(floor - unit * step), step) for step in steps],
        labels=[
            (places(_LEFT + pitch * (place + 0.5)), label) for place, label in enumerate(labels) if place % every == 0
        ],
        left=_LEFT,
        right=size.width - _RIGHT,
        floor=places(floor),
    )


def _stack(values: Sequence[int], unit: float, floor: float) -> list[Segment]:
    found, y = [], floor
    for series, times in enumerate(values):
        if times:
            height = max(_THINNEST, times * unit)
            y -= height
            found.append(Segment(series=series, times=times, y=places(y), height=places(height)))
    return found
