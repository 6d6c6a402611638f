# SPDX-License-Identifier: Apache-2.0
"""From a place as a reader names it to a box on the page's own axes, and the fields that wait for a signature.

A reader sees a page turned upright and cut to its crop box (ISO 32000-2, 7.7.3.3 and 14.11.2); annotations stand on
the axes the page was written with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyhanko.sign.fields import enumerate_sig_fields

from ..looks import EmptyField, Placement
from .drawing import MM, Drawing

_MARGIN = 15 * MM
# Boxes are rounded to whole points.
_ROUNDING = 0.5
_SMALLEST = 20.0
_US_LETTER = (0.0, 0.0, 612.0, 792.0)
_QUARTERS = frozenset({90, 180, 270})
_DEEPEST = 64
_MOST_FIELDS = 50
_MOST_PAGES = 2000

Box = tuple[int, int, int, int]


class NotSealable(Exception):
    """This document cannot take a signature, or not there.

    ``reason`` is "signed", "encrypted", "malformed", "off_page", "no_page", "no_field", "field_filled", "field_kind",
    "field_small", "not_first" or "locked".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Sheet:
    """One page: where its visible part begins on its own axes, how large a reader sees it, how far it is turned."""

    left: float
    bottom: float
    # As a reader sees it.
    wide: float
    high: float
    turn: int

    @classmethod
    def of(cls, node: Any) -> "Sheet":
        """Read one page object.

        Raises:
            NotSealable: it has no extent.
        """
        left, bottom, right, top = _upright(_inherited(node, "/MediaBox"), _US_LETTER)
        l2, b2, r2, t2 = _upright(_inherited(node, "/CropBox"), (left, bottom, right, top))
        # A crop box counts as far as there is a page under it.
        left, bottom, right, top = max(left, l2), max(bottom, b2), min(right, r2), min(top, t2)
        if right <= left or top <= bottom:
            raise NotSealable("malformed")
        turn = int(_inherited(node, "/Rotate") or 0) % 360
        wide, high = right - left, top - bottom
        if turn in {90, 270}:
            wide, high = high, wide
        return cls(left, bottom, wide, high, turn if turn in _QUARTERS else 0)

    def box(self, x: float, y: float, w: float, h: float) -> Box:
        """A rectangle as a reader sees it, on the page's own axes."""
        wide, high = self.wide, self.high
        # Back from what the reader sees (turned clockwise).
        x1, y1, x2, y2 = {
            0: (x, y, x + w, y + h),
            90: (high - y - h, x, high - y, x + w),
            180: (wide - x - w, high - y - h, wide - x, high - y),
            270: (y, wide - x - w, y + h, wide - x),
        }[self.turn]
        left, bottom = self.left, self.bottom
        return round(left + x1), round(bottom + y1), round(left + x2), round(bottom + y2)

    def seen(self, x1: float, y1: float, x2: float, y2: float) -> tuple[float, float, float, float]:
        """A box on the page's own axes as a reader sees it: lower left corner, width, height."""
        x1, y1, x2, y2 = x1 - self.left, y1 - self.bottom, x2 - self.left, y2 - self.bottom
        w, h = x2 - x1, y2 - y1
        if self.turn in {90, 270}:
            w, h = h, w
        x, y = {
            0: (x1, y1),
            90: (y1, self.high - x2),
            180: (self.wide - x2, self.high - y2),
            270: (self.wide - y2, x1),
        }[self.turn]
        return x, y, w, h


def free_place(reader: Any, placement: Placement, drawing: Drawing) -> tuple[int, Box, int]:
    """Page index, box and turn of a picture that gets a field of its own.

    Raises:
        NotSealable: there is no such page, or the picture would not stand on it as a whole.
    """
    pages = int(reader.root["/Pages"]["/Count"])
    if pages < 1:
        raise NotSealable("malformed")
    if placement.page > pages:
        raise NotSealable("no_page")
    page = (placement.page or pages) - 1
    sheet = Sheet.of(reader.find_page_for_modification(page)[0].get_object())
    w, h = drawing.width, drawing.height
    if placement.x is None or placement.y is None:
        x, y = max(0.0, sheet.wide - w - _MARGIN), min(_MARGIN, max(0.0, sheet.high - h))
        return page, sheet.box(x, y, w, h), sheet.turn
    x, y = placement.x, placement.y
    if (
        min(x, y) < -_ROUNDING
        or x + w > sheet.wide + _ROUNDING
        or y + h > sheet.high + _ROUNDING
        # No number passes for a place that is none.
        or not (x == x and y == y)  # noqa: PLR0124 - what is not equal to itself is not a number
    ):
        raise NotSealable("off_page")
    return page, sheet.box(x, y, w, h), sheet.turn


def field_place(reader: Any, name: str) -> int:
    """The turn of the page on which the empty signature field of this name stands.

    Raises:
        NotSealable: there is none, it is filled, of another kind, or too small.
    """
    for found, value, reference in enumerate_sig_fields(reader):
        if str(found) == name:
            if value is not None:
                raise NotSealable("field_filled")
            return _turn(reader, reference.get_object())
    raise NotSealable("field_kind" if name in set(field_names(reader)) else "no_field")


def empty_fields(reader: Any) -> tuple[EmptyField, ...]:
    """The visible signature fields that nobody signed in yet, at most fifty."""
    pages = {_key(reader.find_page_for_modification(each)[0]): each for each in range(_pages(reader))}
    found = []
    for name, _, reference in enumerate_sig_fields(reader, filled_status=False):
        widget = _widget(reference.get_object())
        page = _page_of(widget, reference, reader, pages)
        if widget is None or page is None:
            continue
        sheet = Sheet.of(reader.find_page_for_modification(page)[0].get_object())
        x, y, w, h = sheet.seen(*_upright(widget["/Rect"], (0.0, 0.0, 0.0, 0.0)))
        if min(w, h) >= _SMALLEST:
            found.append(EmptyField(name=str(name), page=page + 1, x=x, y=y, width=w, height=h))
        if len(found) >= _MOST_FIELDS:
            break
    return tuple(found)


def _pages(reader: Any) -> int:
    return min(int(reader.root["/Pages"]["/Count"]), _MOST_PAGES)


def _turn(reader: Any, field: Any) -> int:
    widget = _widget(field)
    if widget is None:
        raise NotSealable("field_kind")
    left, bottom, right, top = _upright(widget.get("/Rect"), (0.0, 0.0, 0.0, 0.0))
    if min(right - left, top - bottom) < _SMALLEST:
        raise NotSealable("field_small")
    pages = {_key(reader.find_page_for_modification(each)[0]): each for each in range(_pages(reader))}
    page = _page_of(widget, None, reader, pages)
    if page is None:
        raise NotSealable("field_small")
    return Sheet.of(reader.find_page_for_modification(page)[0].get_object()).turn


def _widget(field: Any) -> Any:
    """The one picture of a field; None where there are several or none."""
    kids = field.get("/Kids")
    if kids is None:
        return field if "/Rect" in field else None
    return kids[0] if len(kids) == 1 else None


def _page_of(widget: Any, reference: Any, reader: Any, pages: dict[tuple[int, int], int]) -> int | None:
    if widget is None:
        return None
    try:
        return pages.get(_key(widget.get_value_as_reference("/P")))
    except KeyError:
        pass
    # The entry is optional: then the page is the one that shows it.
    own = reference or getattr(widget, "container_ref", None)
    for page in pages.values():
        annotations = reader.find_page_for_modification(page)[0].get_object().get("/Annots", ())
        if own is not None and any(_key(each) == _key(own) for each in annotations if hasattr(each, "idnum")):
            return page
    return None


def _key(reference: Any) -> tuple[int, int]:
    return int(reference.idnum), int(reference.generation)


def field_names(reader: Any) -> Iterator[str]:
    """The full names of all fields of the form."""
    try:
        waiting = [(field, "", 0) for field in reader.root["/AcroForm"]["/Fields"]]
    except KeyError:
        return
    for _ in range(10_000):
        if not waiting:
            return
        field, above, depth = waiting.pop()
        field = field.get_object() if hasattr(field, "get_object") else field
        name = ".".join(filter(None, (above, str(field.get("/T", "")))))
        if name:
            yield name
        if depth < _DEEPEST:
            waiting += [(kid, name, depth + 1) for kid in field.get("/Kids", ())]


def _upright(box: Any, otherwise: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Any two opposite corners may be given."""
    if box is None:
        return otherwise
    x1, y1, x2, y2 = (float(value) for value in box)
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _inherited(node: Any, name: str) -> Any:
    at: Any = node
    for _ in range(_DEEPEST):
        if name in at:
            return at[name]
        if "/Parent" not in at:
            return None
        at = at["/Parent"]
    return None
