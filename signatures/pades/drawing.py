# SPDX-License-Identifier: Apache-2.0
"""The visible part of a signature: a round red seal for an organisation, a framed text stamp for a person.

A round seal follows Chinese official practice: 42 mm across, a double ring, the Chinese name on the upper arc, a
five-pointed star in the middle; the Latin name stands on the lower arc.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, radians, sin

from ..looks import Block
from .codes import code
from .glyphs import Glyph, Outlines

MM = 72 / 25.4
DIAMETER = 42 * MM
_RED = b"0.78 0.07 0.11"
_INK = b"0.10 0.23 0.42"
_CENTRE = DIAMETER / 2
_RING = _CENTRE - 1.6
# How far a Chinese character rises above its baseline, as a share of the type size.
_HEAD = 0.86
# Share of a circle's radius at which a cubic curve's handles stand to follow a quarter of it.
_KAPPA = 0.5523
# Side of a code with its quiet zone, and the longest line of a block, in points.
_CODE = 68.0
_WIDEST = 260.0
_APART = 6.0


@dataclass(frozen=True)
class Drawing:
    """Content-stream operators and the size of the box they fill, in points."""

    operators: bytes
    width: float
    height: float


def seal(outlines: Outlines, *, name_zh: str, name: str, number: str = "") -> Drawing:
    """The round seal of an organisation, with the number of the seal where it has one."""
    parts = [b"%b RG %b rg" % (_RED, _RED), b"2.6 w", _circle(_RING), b"0.6 w", _circle(_RING - 3.4)]
    parts.append(_star(_CENTRE, _CENTRE + 1, DIAMETER * 0.155))
    upper = outlines.measure(name_zh)
    step = min(radians(36), radians(205) / max(len(upper), 1))
    # Where the feet of neighbours just do not touch: size = step * (radius of the feet).
    size = min(15.5, step * (_RING - 6.2) / (1 + _HEAD * step))
    parts += _upper_arc(outlines, upper, radius=_RING - 6.2 - size * _HEAD, size=size, step=step)
    lower = outlines.measure(name)
    length = sum(glyph.width for glyph in lower) or 1.0
    lower_size = min(8.0, radians(118) * (_RING - 6) / length)
    parts += _lower_arc(outlines, lower, radius=_RING - 6.0, size=lower_size)
    parts += _centred(outlines, "电子印章", y=_CENTRE - DIAMETER * 0.245, size=7.5)
    if number:
        parts += _centred(outlines, number, y=_CENTRE - DIAMETER * 0.325, size=5.5)
    return Drawing(b"\n".join(filter(None, parts)), DIAMETER, DIAMETER)


def stamp(outlines: Outlines, lines: Sequence[str]) -> Drawing:
    """A framed stamp with up to four lines; the first is larger. The frame fits the text."""
    sizes = [13.0] + [8.0] * (len(lines) - 1)
    measured = [outlines.measure(line) for line in lines]
    widths = [sum(glyph.width for glyph in line) * size for line, size in zip(measured, sizes, strict=True)]
    width = max(130.0, *widths) + 20
    height = sum(sizes) * 1.45 + 14
    parts = [b"%b RG %b rg" % (_INK, _INK), b"1 w 0.5 0.5 %.2f %.2f re S" % (width - 1, height - 1)]
    parts.append(b"0 0 4 %.2f re f" % height)
    top = height - 7
    for line, size in zip(measured, sizes, strict=True):
        top -= size * 1.45
        parts += _straight(outlines, line, x=12, y=top + size * 0.4, size=size)
    return Drawing(b"\n".join(filter(None, parts)), width, height)


def block(outlines: Outlines, shown: Block) -> Drawing:
    """The signature block of a person: names, agency, time, end of the certificate's number, and perhaps a code."""
    names = " ".join(dict.fromkeys(filter(None, (shown.name_zh, shown.name))))
    agencies = " ".join(dict.fromkeys(filter(None, (shown.agency_zh, shown.agency))))
    lines = [names, *([agencies] if agencies else []), shown.at, f"电子签名 Signed · …{shown.serial}"]
    sizes = [13.0] + [8.0] * (len(lines) - 1)
    measured = [_fitting(outlines, line, size) for line, size in zip(lines, sizes, strict=True)]
    widths = [sum(glyph.width for glyph in line) * size for line, size in measured]
    side = _CODE if shown.address else 0.0
    height = max(sum(sizes) * 1.45 + 14, side + 4)
    width = max(130.0, *widths) + 20 + (side and side + 4)
    parts = [b"%b RG %b rg" % (_INK, _INK), b"1 w 0.5 0.5 %.2f %.2f re S" % (width - 1, height - 1)]
    parts.append(b"0 0 4 %.2f re f" % height)
    top = height - (height - sum(sizes) * 1.45) / 2
    for line, size in measured:
        top -= size * 1.45
        parts += _straight(outlines, line, x=12, y=top + size * 0.4, size=size)
    if shown.address:
        parts.append(code(shown.address, x=width - side - 2, y=(height - side) / 2, side=side))
    return Drawing(b"\n".join(filter(None, parts)), width, height)


def size_of_seal(*, with_code: bool) -> tuple[float, float]:
    """Width and height of a seal, in points."""
    return (DIAMETER + _APART + _CODE, max(DIAMETER, _CODE)) if with_code else (DIAMETER, DIAMETER)


def beside(picture: Drawing, address: str) -> Drawing:
    """A picture with a code to its right."""
    side = _CODE
    width, height = picture.width + _APART + side, max(picture.height, side)
    lifted = b"q 1 0 0 1 0 %.2f cm\n%b\nQ" % ((height - picture.height) / 2, picture.operators)
    return Drawing(lifted + b"\n" + code(address, x=width - side, y=(height - side) / 2, side=side), width, height)


def captioned(outlines: Outlines, picture: Drawing, text: str) -> Drawing:
    """A picture with a line above it, in black."""
    glyphs, size = _fitting(outlines, text, 9.0)
    width = sum(glyph.width for glyph in glyphs) * size
    whole = max(picture.width, width)
    moved = b"q 1 0 0 1 %.2f 0 cm\n%b\nQ" % ((whole - picture.width) / 2, picture.operators)
    line = _straight(outlines, glyphs, x=(whole - width) / 2, y=picture.height + 3, size=size)
    return Drawing(b"\n".join([moved, b"0 g", *filter(None, line)]), whole, picture.height + 14)


def _fitting(outlines: Outlines, text: str, size: float) -> tuple[list[Glyph], float]:
    """The glyphs, and the size at which they stay within the widest line."""
    glyphs = outlines.measure(text)
    length = sum(glyph.width for glyph in glyphs) * size
    return glyphs, size * min(1.0, _WIDEST / length if length else 1.0)


def _upper_arc(outlines: Outlines, text: list[Glyph], *, radius: float, size: float, step: float) -> list[bytes]:
    # Characters stand on the arc with their feet towards the middle, ``step`` apart, centred at the top.
    start = pi / 2 + step * (len(text) - 1) / 2
    parts = []
    for position, glyph in enumerate(text):
        angle = start - step * position
        turn = angle - pi / 2
        half = glyph.width * size / 2
        x = _CENTRE + radius * cos(angle) - half * cos(turn)
        y = _CENTRE + radius * sin(angle) - half * sin(turn)
        parts.append(outlines.draw(glyph, (cos(turn), sin(turn), -sin(turn), cos(turn), x, y), size=size))
    return parts


def _lower_arc(outlines: Outlines, text: list[Glyph], *, radius: float, size: float) -> list[bytes]:
    # Latin letters stand with their feet towards the ring, so that they read from left to right.
    baseline = radius
    total = sum(glyph.width for glyph in text) * size / baseline
    angle = -pi / 2 - total / 2
    parts = []
    for glyph in text:
        half = glyph.width * size / baseline / 2
        middle = angle + half
        turn = middle + pi / 2
        offset = glyph.width * size / 2
        x = _CENTRE + baseline * cos(middle) - offset * cos(turn)
        y = _CENTRE + baseline * sin(middle) - offset * sin(turn)
        parts.append(outlines.draw(glyph, (cos(turn), sin(turn), -sin(turn), cos(turn), x, y), size=size))
        angle += 2 * half
    return parts


def _centred(outlines: Outlines, text: str, *, y: float, size: float) -> list[bytes]:
    glyphs = outlines.measure(text)
    width = sum(glyph.width for glyph in glyphs) * size
    return _straight(outlines, glyphs, x=_CENTRE - width / 2, y=y, size=size)


def _straight(outlines: Outlines, text: list[Glyph], *, x: float, y: float, size: float) -> list[bytes]:
    parts = []
    for glyph in text:
        parts.append(outlines.draw(glyph, (1, 0, 0, 1, x, y), size=size))
        x += glyph.width * size
    return parts


def _circle(radius: float) -> bytes:
    c, r, k = _CENTRE, radius, radius * _KAPPA
    quarters = (
        (c + r, c + k, c + k, c + r, c, c + r),
        (c - k, c + r, c - r, c + k, c - r, c),
        (c - r, c - k, c - k, c - r, c, c - r),
        (c + k, c - r, c + r, c - k, c + r, c),
    )
    curves = [b"%.2f %.2f %.2f %.2f %.2f %.2f c" % quarter for quarter in quarters]
    return b" ".join([b"%.2f %.2f m" % (c + r, c), *curves, b"s"])


def _star(x: float, y: float, radius: float) -> bytes:
    points = [
        (x + radius * cos(pi / 2 + turn * 4 * pi / 5), y + radius * sin(pi / 2 + turn * 4 * pi / 5))
        for turn in range(5)
    ]
    path = b" ".join(b"%.2f %.2f %b" % (*point, b"l" if at else b"m") for at, point in enumerate(points))
    return path + b" h f"
