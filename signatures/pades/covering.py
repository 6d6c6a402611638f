# SPDX-License-Identifier: Apache-2.0
"""Whether a picture that came with a further signature hides something that was there before.

Seals lie over dates and names by custom, and what they lie on shines through; a white picture over an amount hides it.
What a picture adds beside the text is not judged here: it is shown, and told.
"""

from collections.abc import Sequence
from typing import Any

_MOST_PAGES, _FEW = 60, 10
# Picture elements across a page, where there are few and where there are many.
_FINE, _COARSE = 900, 450
_LARGEST_SIDE = 14_400.0
# Of 255: what was darker is ink, and what is lighter is ink no more. The red of a seal over black lies between.
_INK, _PAPER = 96, 128
_WAS_INK = bytes(each < _INK for each in range(256))
_IS_PAPER = bytes(each > _PAPER for each in range(256))
# Picture elements: a stroke of a digit has more.
_ENOUGH = 12


def hides(document: bytes, end: int, pages: Sequence[int]) -> bool:
    """Whether ink of the first ``end`` bytes is gone from these pages, counted from 0, of the whole.

    Where that cannot be seen it is taken for gone.
    """
    import pypdfium2  # type: ignore[import-untyped]  # noqa: PLC0415 - ships no types; few documents need it

    try:
        with pypdfium2.PdfDocument(document[:end]) as then, pypdfium2.PdfDocument(document) as now:
            then.init_forms()
            now.init_forms()
            if len(then) != len(now) or len(pages) > _MOST_PAGES:
                return True
            across = _FINE if len(pages) <= _FEW else _COARSE
            return any(_hidden(then[number], now[number], across) for number in pages)
    except (pypdfium2.PdfiumError, ValueError, IndexError):
        return True


def _hidden(then: Any, now: Any, across: int) -> bool:
    wide, high = then.get_size()
    if not (0 < wide <= _LARGEST_SIDE and 0 < high <= _LARGEST_SIDE) or now.get_size() != (wide, high):
        return True
    before, after = (_drawn(each, across / max(wide, high)) for each in (then, now))
    gone = int.from_bytes(before.translate(_WAS_INK)) & int.from_bytes(after.translate(_IS_PAPER))
    return gone.bit_count() > _ENOUGH


def _drawn(sheet: Any, scale: float) -> bytes:
    picture = sheet.render(scale=scale, grayscale=True)
    try:
        return bytes(picture.buffer)
    finally:
        picture.close()
        sheet.close()
