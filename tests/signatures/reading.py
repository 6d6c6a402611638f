# SPDX-License-Identifier: Apache-2.0
"""Reads a seal as an eye would: from the page that poppler draws, by the shapes of the characters around the ring.

A seal is drawn as outlines, so no program finds text in it. Each outline on the page is held against those of the font;
the character is the one that only has to be moved, turned and made larger or smaller to lie upon it.
"""

import cmath
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from pathlib import Path

import uharfbuzz

from signatures.config import SignatureSettings

_PATH = re.compile(r'<path style="[^"]*fill:rgb\(7[0-9.]*%,[0-9.]+%,1[0-9.]*%\)[^"]*" d="([^"]+)"')
_PART = re.compile(r"([MLCZ])([^MLCZ]*)")
# A character that is turned less than this, in radians, stands upright.
_UPRIGHT = 0.01
_LINE = 3.0
# What poppler rounds, and what our own two digits do, as a share of a character's size.
_NEAR = 0.002
_UNITS = 1000
# How far the shares of two outlines of one character may be apart.
_ALIKE = 0.05


@dataclass(frozen=True)
class Character:
    """One that was read: where its middle is, and how far it is turned from upright, anticlockwise."""

    text: str
    at: complex
    turned: float


class _Pen:
    """Takes down an outline as HarfBuzz draws it."""

    def __init__(self) -> None:
        self.contours: list[list[complex]] = []

    def moveTo(self, point: tuple[float, float]) -> None:  # noqa: N802 - HarfBuzz calls it so
        self.contours.append([complex(*point)])

    def lineTo(self, point: tuple[float, float]) -> None:  # noqa: N802 - HarfBuzz calls it so
        self.contours[-1].append(complex(*point))

    def curveTo(self, *points: tuple[float, float]) -> None:  # noqa: N802 - HarfBuzz calls it so
        self.contours[-1] += [complex(*each) for each in points]

    def qCurveTo(self, *points: tuple[float, float]) -> None:  # noqa: N802 - HarfBuzz calls it so
        raise AssertionError(f"the font of the seals has cubic outlines: {points}")

    def closePath(self) -> None:  # noqa: N802 - HarfBuzz calls it so
        """A contour is closed anyway."""


@dataclass(frozen=True)
class _Shape:
    """What of an outline does not change where a tool leaves out what has no length."""

    # Share of each contour in all that they enclose, holes below zero; and its length, against the root of that.
    shares: tuple[float, ...]
    # Three places of each contour that go wherever it goes: its start, the middle of its area and of its edge.
    places: tuple[complex, ...]

    @classmethod
    def of(cls, contours: Sequence[Sequence[complex]]) -> "_Shape | None":
        areas, lengths, places = list[float](), list[float](), list[complex]()
        for contour in contours:
            edges = [(one, two) for one, two in zip(contour, [*contour[1:], contour[0]], strict=True) if one != two]
            crossed = [(one.conjugate() * two).imag for one, two in edges]
            area, length = sum(crossed) / 2, sum(abs(two - one) for one, two in edges)
            if not area:
                return None
            centre = sum(((one + two) * each for (one, two), each in zip(edges, crossed, strict=True)), 0j) / (6 * area)
            rim = sum(((one + two) / 2 * abs(two - one) for one, two in edges), 0j) / length
            areas.append(area)
            lengths.append(length)
            places += [contour[0], centre, rim]
        whole = sum(map(abs, areas))
        return cls((*(each / whole for each in areas), *(each / sqrt(whole) for each in lengths)), tuple(places))


def read(document: Path) -> list[Character]:
    """Every Chinese character of the seal on the first page that is drawn as an outline."""
    drawn = subprocess.run(["pdftocairo", "-svg", "-f", "1", "-l", "1", document, "-"], check=True, capture_output=True)
    return [found for each in _PATH.findall(drawn.stdout.decode()) if (found := _matched(_outline(each))) is not None]


def around(characters: Sequence[Character]) -> str:
    """The name: what stands on the upper arc with its feet towards the middle, from left to right."""
    line = _middle(characters)
    return "".join(each.text for each in sorted(characters, key=lambda each: -each.turned) if each not in line)


def middle(characters: Sequence[Character]) -> str:
    """The line below the star."""
    return "".join(each.text for each in sorted(_middle(characters), key=lambda each: each.at.real))


def _middle(characters: Sequence[Character]) -> list[Character]:
    upright = [each for each in characters if abs(each.turned) < _UPRIGHT]
    lowest = min(each.at.imag for each in upright)
    # On one line, whatever the shape of each.
    return [each for each in upright if each.at.imag - lowest < _LINE]


def _outline(path: str) -> list[list[complex]]:
    contours = list[list[complex]]()
    for kind, numbers in _PART.findall(path):
        at = [float(each) for each in numbers.split()]
        # A page is measured from below, a picture from above.
        points = [complex(x, -y) for x, y in zip(at[::2], at[1::2], strict=True)]
        if kind == "M":
            contours.append(points)
        elif points:
            contours[-1] += points
    # Cairo moves once more where a contour ends.
    return [each for each in contours if len(each) > 1]


def _matched(contours: Sequence[Sequence[complex]]) -> Character | None:
    shape = _Shape.of(contours)
    if shape is None:
        return None
    best: tuple[float, str, complex] | None = None
    for text, known in _characters().get(len(contours), ()):
        if any(abs(one - two) > _ALIKE for one, two in zip(shape.shares, known.shares, strict=True)):
            continue
        off, turn = _laid_upon(known.places, shape.places)
        if best is None or off < best[0]:
            best = off, text, turn
    if best is None or best[0] > _NEAR:
        return None
    return Character(best[1], sum(shape.places) / len(shape.places), cmath.phase(best[2]))


def _laid_upon(outline: Sequence[complex], points: Sequence[complex]) -> tuple[float, complex]:
    """How far one is from the other once moved, turned and scaled as well as can be, by its size; and the turn."""
    here, there = sum(outline) / len(outline), sum(points) / len(points)
    norm = sum(abs(each - here) ** 2 for each in outline)
    turn = sum((to - there) * (each - here).conjugate() for each, to in zip(outline, points, strict=True)) / norm
    off = max(abs(there + turn * (each - here) - to) for each, to in zip(outline, points, strict=True))
    return off / (abs(turn) * _UNITS), turn


@cache
def _characters() -> dict[int, list[tuple[str, _Shape]]]:
    """The 3755 usual characters (GB/T 2312, first level), by how many contours they have."""
    settings = SignatureSettings()
    font = uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(settings.font)), settings.font_face))
    found: dict[int, list[tuple[str, _Shape]]] = defaultdict(list)
    for text in _usual():
        pen = _Pen()
        font.draw_glyph_with_pen(font.get_nominal_glyph(ord(text)), pen)
        shape = _Shape.of(pen.contours)
        assert shape is not None
        found[len(pen.contours)].append((text, shape))
    return found


def _usual() -> Iterator[str]:
    for row in range(0xB0, 0xD8):
        for cell in range(0xA1, 0xFF):
            try:
                yield bytes([row, cell]).decode("gb2312")
            except UnicodeDecodeError:
                # The last row ends early.
                continue
