# SPDX-License-Identifier: Apache-2.0
"""Outlines of characters from an OpenType font, as PDF path operators.

Drawing outlines instead of text puts any Chinese name into a seal without embedding a 25 MB font, and every viewer
shows the same picture. HarfBuzz reads the file where it lies; taking its tables apart in Python would hold 70 MB.
"""

from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Self

import uharfbuzz

Matrix = tuple[float, float, float, float, float, float]
Point = tuple[float, float]
_EMPTY_BOX = 0


class Glyph(NamedTuple):
    """One character: its number in the font and its advance as a share of the type size."""

    number: int
    width: float


class Outlines:
    """A font opened for drawing; safe to share between threads."""

    def __init__(self, font: Any, *, units: int) -> None:
        self._font = font
        self._units = units
        self._lock = Lock()

    @classmethod
    def open(cls, path: Path, *, face: int) -> Self:
        """Open one face of a font or font collection.

        Raises:
            OSError: the file cannot be read.
        """
        try:
            opened = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(path)), face)
        except uharfbuzz.HarfBuzzError as error:
            raise OSError(f"no font: {path}") from error
        # HarfBuzz takes whatever it cannot read for an empty font.
        if not opened.glyph_count:
            raise OSError(f"no font: {path}")
        return cls(uharfbuzz.Font(opened), units=opened.upem)

    def measure(self, text: str) -> list[Glyph]:
        """The glyphs of a text; a character the font lacks becomes its empty box, so that nothing vanishes unseen."""
        with self._lock:
            numbers = [self._font.get_nominal_glyph(ord(character)) or _EMPTY_BOX for character in text]
            return [Glyph(number, self._font.get_glyph_h_advance(number) / self._units) for number in numbers]

    def draw(self, glyph: Glyph, matrix: Matrix, *, size: float) -> bytes:
        """Path operators that fill one glyph at ``size``, moved by ``matrix`` (PDF order: a b c d e f)."""
        scale = size / self._units
        a, b, c, d, e, f = matrix
        pen = _PathPen((a * scale, b * scale, c * scale, d * scale, e, f))
        with self._lock:
            self._font.draw_glyph_with_pen(glyph.number, pen)
        return b" ".join([*pen.operators, b"f"]) if pen.operators else b""


class _PathPen:
    """What HarfBuzz draws with; the names are those of fontTools' pens."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self._at: Point = (0.0, 0.0)
        self.operators: list[bytes] = []

    def moveTo(self, point: Point) -> None:  # noqa: N802 - HarfBuzz calls it so
        self._add(b"m", point)

    def lineTo(self, point: Point) -> None:  # noqa: N802 - HarfBuzz calls it so
        self._add(b"l", point)

    def curveTo(self, first: Point, second: Point, end: Point) -> None:  # noqa: N802 - HarfBuzz calls it so
        self._add(b"c", first, second, end)

    def qCurveTo(self, control: Point, end: Point) -> None:  # noqa: N802 - HarfBuzz calls it so
        # PDF knows cubic curves alone: both controls stand two thirds of the way to the one.
        self._add(b"c", _towards(self._at, control), _towards(end, control), end)

    def closePath(self) -> None:  # noqa: N802 - HarfBuzz calls it so
        self.operators.append(b"h")

    def _add(self, operator: bytes, *points: Point) -> None:
        a, b, c, d, e, f = self._matrix
        self._at = points[-1]
        placed = [b"%.2f %.2f" % (a * x + c * y + e, b * x + d * y + f) for x, y in points]
        self.operators.append(b" ".join([*placed, operator]))


def _towards(point: Point, control: Point) -> Point:
    return point[0] + (control[0] - point[0]) * 2 / 3, point[1] + (control[1] - point[1]) * 2 / 3
