# SPDX-License-Identifier: Apache-2.0
"""Outlines of characters: read from the font where it lies, and drawn as any viewer draws them."""

import re
from pathlib import Path

import pytest

from signatures.pades.glyphs import Outlines

from . import documents

_UPRIGHT = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@pytest.mark.parametrize("content", [None, b"", b"no font at all"])
def test_a_file_that_is_no_font_is_refused_at_the_start(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "font.ttc"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OSError, match="no font"):
        Outlines.open(path, face=0)


def test_what_the_font_lacks_is_an_empty_box_and_a_space_draws_nothing() -> None:
    outlines = documents.outlines()
    box, space, tax = outlines.measure("\U0010ffff 税")
    assert (box.number, tax.width) == (0, 1.0)
    assert outlines.draw(box, _UPRIGHT, size=10)
    assert outlines.draw(space, _UPRIGHT, size=10) == b""


def test_a_character_fills_its_square_and_moves_with_the_matrix() -> None:
    outlines = documents.outlines()
    (tax,) = outlines.measure("税")
    there = _points(outlines.draw(tax, _UPRIGHT, size=100))
    moved = _points(outlines.draw(tax, (0.0, 1.0, -1.0, 0.0, 500.0, 0.0), size=100))
    assert all(-20 <= x <= 110 and -30 <= y <= 110 for x, y in there)
    assert max(x for x, _ in there) - min(x for x, _ in there) > 80
    # A quarter turn to the left, then to the right by 500.
    assert [x for x, _ in moved] == pytest.approx([500 - y for _, y in there], abs=0.02)
    assert [y for _, y in moved] == pytest.approx([x for x, _ in there], abs=0.02)


def _points(drawn: bytes) -> list[tuple[float, float]]:
    numbers = [float(each) for each in re.findall(rb"-?\d+\.\d+", drawn)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))
