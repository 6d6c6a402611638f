# SPDX-License-Identifier: Apache-2.0
"""Draws one page as a reader sees it, by PDFium; runs only inside a reading process."""

import struct
import zlib
from typing import Any

import pypdfium2  # type: ignore[import-untyped]  # ships no types

from ..looks import Picture
from .placing import NotSealable

_NARROWEST, _WIDEST = 60, 2000
# Picture elements; a page may be a hundred times as high as it is wide.
_MOST = 6_000_000
_LARGEST_SIDE = 14_400.0
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TRUE_COLOUR = 2
_FRAME = b"\x12\x3a\x9e"
Outline = tuple[float, float, float, float]


def picture(document: bytes, *, page: int, across: int, outline: Outline | None = None) -> Picture:
    """Page ``page``, counted from 1 (0 is the last), about ``across`` picture elements wide.

    ``outline`` is drawn around a place as a reader sees it: lower left corner, width and height in points.

    Scripts are not run (the library is built without an interpreter), and nothing is fetched.

    Raises:
        NotSealable: there is no such page, the file is encrypted or cannot be drawn.
    """
    try:
        with pypdfium2.PdfDocument(document) as opened:
            return _draw(opened, page, across, outline)
    except pypdfium2.PdfiumError as error:
        raise NotSealable("malformed") from error


def _draw(opened: Any, page: int, across: int, outline: Outline | None) -> Picture:
    pages = len(opened)
    if not 0 <= page <= pages or not pages:
        raise NotSealable("no_page")
    # Before a page is loaded, or its fields are not drawn.
    opened.init_forms()
    sheet = opened[(page or pages) - 1]
    wide, high = sheet.get_size()
    if not (0 < wide <= _LARGEST_SIDE and 0 < high <= _LARGEST_SIDE):
        raise NotSealable("malformed")
    scale = min(max(_NARROWEST, min(across, _WIDEST)) / wide, (_MOST / (wide * high)) ** 0.5)
    drawn = sheet.render(scale=scale, rev_byteorder=True, prefer_bgrx=False)
    try:
        rows = bytearray(drawn.buffer)
        if outline is not None:
            x, y, w, h = (value * drawn.width / wide for value in outline)
            _frame(rows, drawn, (round(x), round(drawn.height - y - h), round(x + w), round(drawn.height - y)))
        return Picture(
            png=png(rows, stride=drawn.stride, width=drawn.width, height=drawn.height, channels=drawn.n_channels),
            width=drawn.width,
            height=drawn.height,
            wide=float(wide),
            high=float(high),
            page=page or pages,
            pages=pages,
        )
    finally:
        drawn.close()


def _frame(rows: bytearray, drawn: Any, box: tuple[int, int, int, int]) -> None:
    """Draw a frame, dark between two light lines, so that it stands out on any page."""
    for inset, colour in ((0, b"\xff\xff\xff"), (1, _FRAME), (2, _FRAME), (3, _FRAME), (4, b"\xff\xff\xff")):
        left, top = max(0, box[0] + inset), max(0, box[1] + inset)
        right, bottom = min(drawn.width, box[2] - inset), min(drawn.height, box[3] - inset)
        if right <= left or bottom <= top:
            return
        for row in range(top, bottom):
            at = row * drawn.stride
            if row in {top, bottom - 1}:
                rows[at + 3 * left : at + 3 * right] = colour * (right - left)
            rows[at + 3 * left : at + 3 * left + 3] = colour
            rows[at + 3 * right - 3 : at + 3 * right] = colour


def png(rows: bytes | bytearray, *, stride: int, width: int, height: int, channels: int) -> bytes:
    """As PNG (ISO/IEC 15948), rows unfiltered."""
    used = width * channels
    raw = b"".join(b"\0" + rows[at : at + used] for at in range(0, stride * height, stride))
    header = struct.pack("!IIBBBBB", width, height, 8, _TRUE_COLOUR, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 6)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack("!I", len(content)) + name + content + struct.pack("!I", zlib.crc32(name + content))
        for name, content in parts
    )
