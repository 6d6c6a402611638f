# SPDX-License-Identifier: Apache-2.0
"""Small pictures: bars of a list, the warmth of a table's cells, a line without axes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .scale import places

LEVELS = 6
_INSET = 2.0


@dataclass(frozen=True)
class Bar:
    """Lengths in hundredths of the longest bar: the whole, and the part of it that is marked."""

    whole: float
    part: float


def bars(numbers: Sequence[tuple[int, int]]) -> list[Bar]:
    """Bars for pairs of whole and part; what is not nothing stays visible."""
    most = max((whole for whole, _part in numbers), default=0) or 1
    return [Bar(whole=_seen(whole, most), part=_seen(part, most)) for whole, part in numbers]


def heat(number: int, most: int) -> int:
    """How warm a cell is, 0 for nothing to LEVELS for the most; by the square root, so that little differs too."""
    if number <= 0 or most <= 0:
        return 0
    return max(1, min(LEVELS, round(LEVELS * math.sqrt(number / most))))


def spark(numbers: Sequence[int], *, width: int = 120, height: int = 32) -> tuple[str, str]:
    """A line over time and the area below it, as two SVG paths; empty if there is nothing to draw."""
    if len(numbers) <= 1:
        return "", ""
    most = max(numbers) or 1
    pitch = width / (len(numbers) - 1)
    points = [
        (places(pitch * place), places(height - _INSET - (height - 2 * _INSET) * number / most))
        for place, number in enumerate(numbers)
    ]
    line = "M" + "L".join(f"{x} {y}" for x, y in points)
    return line, f"{line}L{width} {height}L0 {height}Z"


def _seen(number: int, most: int) -> float:
    return round(max(0.8, 100 * number / most), 2) if number else 0.0
