# SPDX-License-Identifier: Apache-2.0
"""Sizes of pictures, and the round numbers beside an axis."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """The picture's own coordinates; one unit is about one pixel."""

    width: int
    height: int
    # Class of the picture: the style sheet shows one of the two.
    name: str = "wide"


def ticks(most: int, wanted: int = 4) -> list[int]:
    """Round numbers from 0 to at least ``most``, about ``wanted`` steps; whole numbers, for events are counted."""
    if most <= 0:
        return [0, 1]
    rough = max(1, -(-most // wanted))
    power = 1
    while power * 10 <= rough:
        power *= 10
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [step * count for count in range(-(-most // step) + 1)]


def places(length: float) -> float:
    """A coordinate as it is written: a tenth of a pixel is enough."""
    return round(length, 1)
