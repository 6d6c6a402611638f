# SPDX-License-Identifier: Apache-2.0
"""A typeface for English and Chinese of which only the glyphs that are used go into the document.

Debian's Noto CJK has PostScript outlines, which ReportLab cannot embed, and 25 MB; so the glyphs in use are turned into
a small TrueType font. The font's licence (SIL OFL 1.1) allows embedding; a font whose own flags forbid it is refused.
"""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped]  # ships no types
from fontTools.pens.cu2quPen import Cu2QuPen  # type: ignore[import-untyped]  # ships no types
from fontTools.pens.ttGlyphPen import TTGlyphPen  # type: ignore[import-untyped]  # ships no types
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]  # ships no types

_COLLECTIONS = {".ttc", ".otc"}
_MAY_NOT_EMBED = 0x0002
# How far a curve may be off, in units of which an em has a thousand: nobody sees half of one.
_TOLERANCE = 0.5


class Face:
    """A font opened for measuring; nothing of it is loaded before it is needed."""

    def __init__(self, path: Path, *, face: int = 0) -> None:
        self._font = TTFont(path, fontNumber=face if path.suffix.lower() in _COLLECTIONS else -1, lazy=True)
        if self._font["OS/2"].fsType & _MAY_NOT_EMBED:
            raise ValueError(f"the font {path.name} may not be embedded")
        self._names: dict[int, str] = self._font.getBestCmap()
        self._units: int = self._font["head"].unitsPerEm
        self._metrics = self._font["hmtx"].metrics
        self._widths: dict[str, float] = {}

    def width(self, text: str, size: float) -> float:
        """How wide a text stands."""
        return sum(self._advance(letter) for letter in text) * size

    def embedded(self, letters: Iterable[str]) -> bytes:
        """A TrueType font of these letters."""
        glyphs: Any = self._font.getGlyphSet()
        codes = {ord(letter): self._names[ord(letter)] for letter in sorted(set(letters)) if ord(letter) in self._names}
        order = [".notdef", *sorted(set(codes.values()) - {".notdef"})]
        drawn, metrics = {}, {}
        for name in order:
            pen = TTGlyphPen(None)
            glyphs[name].draw(Cu2QuPen(pen, _TOLERANCE, reverse_direction=True))
            drawn[name] = pen.glyph()
            metrics[name] = (self._metrics[name][0], 0)
        builder = FontBuilder(self._units, isTTF=True)
        builder.setupHead(unitsPerEm=self._units, created=0, modified=0)
        builder.setupGlyphOrder(order)
        builder.setupCharacterMap(codes)
        builder.setupGlyf(drawn)
        builder.setupHorizontalMetrics(
            {name: (advance, drawn[name].xMin if drawn[name].numberOfContours else 0)
             for name, (advance, _) in metrics.items()}
        )  # fmt: skip
        head = self._font["hhea"]
        builder.setupHorizontalHeader(ascent=head.ascent, descent=head.descent)
        builder.setupNameTable({"familyName": "Report", "styleName": "Regular", "psName": "Report-Regular"})
        builder.setupOS2(sTypoAscender=head.ascent, sTypoDescender=head.descent, usWinAscent=head.ascent)
        builder.setupPost()
        written = io.BytesIO()
        builder.save(written)
        return written.getvalue()

    def close(self) -> None:
        """Let go of the file."""
        self._font.close()

    def _advance(self, letter: str) -> float:
        if letter not in self._widths:
            name = self._names.get(ord(letter), ".notdef")
            self._widths[letter] = self._metrics[name][0] / self._units
        return self._widths[letter]
