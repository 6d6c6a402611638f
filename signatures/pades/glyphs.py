# SPDX-License-Identifier: Apache-2.0
"""Outlines of characters from an OpenType font, as PDF path operators.

Drawing outlines instead of text puts any Chinese name into a seal without embedding a 25 MB font, and every viewer
shows the same picture.
"""

from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Self

from fontTools.pens.basePen import BasePen  # type: ignore[import-untyped]  # ships no types
from fontTools.pens.transformPen import TransformPen  # type: ignore[import-untyped]  # ships no types
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]  # ships no types

Matrix = tuple[float, float, float, float, float, float]


class Glyph(NamedTuple):
    """One character: its name in the font and its advance as a share of the type size."""

    name: str
    width: float


class Outlines:
    """A font opened for drawing; safe to share between threads."""

    def __init__(self, font: TTFont) -> None:
        self._font = font
        self._cmap = font.getBestCmap()
        self._glyphs: Any = font.getGlyphSet()
        self._units = font["head"].unitsPerEm
        self._lock = Lock()

    @classmethod
    def open(cls, path: Path, *, face: int) -> Self:
        """Open one face of a font or font collection.

        Raises:
            OSError: the file cannot be read.
        """
        collection = path.suffix.lower() in {".ttc", ".otc"}
        return cls(TTFont(path, fontNumber=face if collection else -1, lazy=True))

    def close(self) -> None:
        """Let go of the file."""
        self._font.close()

    def measure(self, text: str) -> list[Glyph]:
        """The glyphs of a text; a character the font lacks becomes its empty box, so that nothing vanishes unseen."""
        with self._lock:
            names = [self._cmap.get(ord(character), ".notdef") for character in text]
            return [Glyph(name, self._glyphs[name].width / self._units) for name in names]

    def draw(self, glyph: Glyph, matrix: Matrix, *, size: float) -> bytes:
        """Path operators that fill one glyph at ``size``, moved by ``matrix`` (PDF order: a b c d e f)."""
        scale = size / self._units
        a, b, c, d, e, f = matrix
        pen = _PathPen(self._glyphs)
        with self._lock:
            self._glyphs[glyph.name].draw(TransformPen(pen, (a * scale, b * scale, c * scale, d * scale, e, f)))
        return b" ".join([*pen.operators, b"f"]) if pen.operators else b""


class _PathPen(BasePen):  # type: ignore[misc]  # an untyped base
    def __init__(self, glyphs: Any) -> None:
        super().__init__(glyphs)
        self.operators: list[bytes] = []

    def _moveTo(self, pt: tuple[float, float]) -> None:  # noqa: N802 - fontTools' name
        self.operators.append(b"%.2f %.2f m" % pt)

    def _lineTo(self, pt: tuple[float, float]) -> None:  # noqa: N802 - fontTools' name
        self.operators.append(b"%.2f %.2f l" % pt)

    def _curveToOne(  # noqa: N802 - fontTools' name
        self, pt1: tuple[float, float], pt2: tuple[float, float], pt3: tuple[float, float]
    ) -> None:
        self.operators.append(b"%.2f %.2f %.2f %.2f %.2f %.2f c" % (*pt1, *pt2, *pt3))

    def _closePath(self) -> None:  # noqa: N802 - fontTools' name
        self.operators.append(b"h")
