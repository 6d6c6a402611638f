# SPDX-License-Identifier: Apache-2.0
"""Signature blocks say who and when, and their codes can be read from the page as it is drawn."""

from dataclasses import replace

import pytest

from signatures.looks import Block, Placement
from signatures.pades import drawing, pictures
from signatures.pades.codes import code
from tests.signatures import documents
from tests.signatures.pki import Leaf

ADDRESS = "https://verify.city.localhost:8443/?document=" + "0123456789abcdef" * 4
LI_NA = Block(
    name="Li Na",
    name_zh="李娜",
    agency="Jiangcheng Tax Bureau",
    agency_zh="江城市税务局",
    at="2026-11-20 10:00:00 +08:00",
    serial="9c3f2a",
    address=ADDRESS,
)


def codes(document: bytes, *, across: int = 1100) -> list[str]:
    """What a telephone reads from the last page."""
    drawn = pictures.picture(document, page=0, across=across)
    return [each.text for each in documents.squares(drawn.png)]


@pytest.mark.parametrize("rotate", [0, 90])
def test_the_code_of_a_block_is_read_from_the_drawn_page(leaf: Leaf, rotate: int) -> None:
    picture = drawing.block(documents.outlines(), LI_NA)
    signed = documents.sealed(
        documents.permit(rotate=rotate), leaf, drawing=picture, placement=Placement(page=1, x=60, y=80)
    )
    assert codes(signed) == [ADDRESS]


def test_a_seal_can_bear_a_code_and_its_number(leaf: Leaf) -> None:
    outlines = documents.outlines()
    plain = drawing.seal(outlines, name_zh="江城市税务局", name="Jiangcheng Tax Bureau")
    numbered = drawing.seal(outlines, name_zh="江城市税务局", name="Jiangcheng Tax Bureau", number="3701000012345")
    assert len(numbered.operators) > len(plain.operators)
    assert codes(documents.sealed(documents.permit(), leaf, drawing=drawing.beside(numbered, ADDRESS))) == [ADDRESS]


def test_a_block_without_a_code_or_an_agency_is_smaller_and_a_long_name_stays_inside() -> None:
    outlines = documents.outlines()
    whole, bare = (
        drawing.block(outlines, LI_NA),
        drawing.block(outlines, replace(LI_NA, address="", agency="", agency_zh="")),
    )
    assert (bare.width, bare.height) < (whole.width, whole.height)
    assert b"/" not in whole.operators
    long = drawing.block(outlines, replace(LI_NA, agency_zh="江城市高新技术产业开发区综合行政执法局" * 4))
    assert long.width < 370


@pytest.mark.parametrize("address", ["", "x" * 301, "https://验证.example/"])
def test_what_is_no_address_gets_no_code(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        code(address, x=0, y=0, side=60)
