# SPDX-License-Identifier: Apache-2.0
"""What was signed beside what the file shows now: pages drawn from both and compared picture by picture.

Runs only inside a reading process. It says what looks different, not what is different: a script or a hidden layer is
for the verdict to tell. Bounded in pages and picture elements; what was not compared is said to be so.
"""

from collections.abc import Iterator
from typing import Any

import pypdfium2  # type: ignore[import-untyped]  # ships no types

from ..looks import Compared, PageState, Revisions
from .pictures import png
from .placing import NotSealable

_MOST_PAGES = 60
_MOST_SHOWN = 6
_ACROSS, _HIGHEST = 420, 1200
_LARGEST_SIDE = 14_400.0
# Squares of the picture that are compared and marked, in picture elements.
_TILE = 12
_RED = b"\xd0\x10\x20"


def compare(document: bytes, *, end: int) -> Revisions:
    """The first ``end`` bytes of a document against the whole.

    Raises:
        NotSealable: one of both cannot be drawn.
    """
    try:
        with pypdfium2.PdfDocument(document[:end]) as then, pypdfium2.PdfDocument(document) as now:
            then.init_forms()
            now.init_forms()
            return _compare(then, now)
    except (pypdfium2.PdfiumError, ValueError) as error:
        raise NotSealable("malformed") from error


def _compare(then: Any, now: Any) -> Revisions:
    before, after = len(then), len(now)
    found: list[Compared] = []
    shown = 0
    for number in range(min(max(before, after), _MOST_PAGES)):
        one = _Drawn(then[number]) if number < before else None
        other = _Drawn(now[number]) if number < after else None
        state, marked = _state(one, other)
        pictures = (b"", b"")
        if state is not PageState.SAME and shown < _MOST_SHOWN:
            shown += 1
            pictures = (one.png() if one else b"", other.png(marked) if other else b"")
        found.append(Compared(page=number + 1, state=state, then=pictures[0], now=pictures[1]))
    return Revisions(pages_then=before, pages_now=after, pages=tuple(found))


def _state(one: "_Drawn | None", other: "_Drawn | None") -> tuple[PageState, list[tuple[int, int]]]:
    if one is None or other is None:
        return (PageState.ADDED if one is None else PageState.REMOVED), []
    if one.size != other.size:
        return PageState.CHANGED, []
    marked = list(other.differing(one))
    return (PageState.CHANGED if marked else PageState.SAME), marked


class _Drawn:
    """One page as picture elements of three bytes."""

    def __init__(self, sheet: Any) -> None:
        wide, high = sheet.get_size()
        if not (0 < wide <= _LARGEST_SIDE and 0 < high <= _LARGEST_SIDE):
            raise NotSealable("malformed")
        drawn = sheet.render(scale=min(_ACROSS / wide, _HIGHEST / high), rev_byteorder=True, prefer_bgrx=False)
        try:
            self._row = drawn.width * drawn.n_channels
            rows, stride = bytes(drawn.buffer), drawn.stride
            self.rows = [rows[at : at + self._row] for at in range(0, stride * drawn.height, stride)]
            self._channels = drawn.n_channels
            self.size = (drawn.width, drawn.height)
        finally:
            drawn.close()
            sheet.close()

    def differing(self, other: "_Drawn") -> Iterator[tuple[int, int]]:
        """The squares that are not alike, by their place."""
        step = _TILE * self._channels
        for top in range(0, self.size[1], _TILE):
            mine, theirs = self.rows[top : top + _TILE], other.rows[top : top + _TILE]
            if mine == theirs:
                continue
            for left in range(0, self._row, step):
                if any(a[left : left + step] != b[left : left + step] for a, b in zip(mine, theirs, strict=True)):
                    yield left // step, top // _TILE

    def png(self, marked: list[tuple[int, int]] | None = None) -> bytes:
        """The picture, with the marked squares framed in red."""
        rows = [bytearray(row) for row in self.rows]
        squares = set(marked or ())
        for across, down in squares:
            self._frame(rows, across, down, squares)
        return png(b"".join(rows), stride=self._row, width=self.size[0], height=self.size[1], channels=self._channels)

    def _frame(self, rows: list[bytearray], across: int, down: int, squares: set[tuple[int, int]]) -> None:
        left, top = across * _TILE, down * _TILE
        right, bottom = min(left + _TILE, self.size[0]), min(top + _TILE, self.size[1])
        colour = _RED.ljust(self._channels, b"\xff")[: self._channels]
        for beside, line in (((across, down - 1), top), ((across, down + 1), bottom - 1)):
            if beside not in squares:
                rows[line][left * self._channels : right * self._channels] = colour * (right - left)
        for beside, column in (((across - 1, down), left), ((across + 1, down), right - 1)):
            if beside not in squares:
                for line in range(top, bottom):
                    rows[line][column * self._channels : (column + 1) * self._channels] = colour
