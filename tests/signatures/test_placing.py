# SPDX-License-Identifier: Apache-2.0
"""A seal stands where it was put, on any page, and what falls off it is refused; pages are drawn behind the lock."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from pyhanko.pdf_utils import generic as _generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, append_signature_field

from signatures.errors import SandboxFailed
from signatures.looks import Certification, Locking, Permits, Placement
from signatures.models import Overall, Profile
from signatures.pades import pictures
from signatures.pades.drawing import DIAMETER
from signatures.pades.placing import NotSealable
from signatures.pades.signing import waiting_fields
from signatures.sandbox import ReaderPool
from signatures.verdict import judge
from tests.signatures import documents
from tests.signatures.pki import NOW, City, Leaf

generic: Any = _generic
# Picture elements by which edges may be off: boxes are whole points, lines are soft.
_SOFT = 3


def page(*, rotate: int = 0, crop: tuple[int, int, int, int] | None = None) -> bytes:
    """A4, turned and cut."""
    writer: Any = IncrementalPdfFileWriter(io.BytesIO(documents.permit()))
    node = writer.find_page_for_modification(0)[0].get_object()
    node[generic.pdf_name("/Rotate")] = generic.NumberObject(rotate)
    if crop:
        node[generic.pdf_name("/CropBox")] = generic.ArrayObject(map(generic.NumberObject, crop))
    writer.update_container(node)
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def with_field(document: bytes, name: str = "approval", box: tuple[int, int, int, int] = (100, 300, 300, 400)) -> bytes:
    """With an empty signature field."""
    writer: Any = IncrementalPdfFileWriter(io.BytesIO(document))
    append_signature_field(writer, SigFieldSpec(name, on_page=0, box=box))
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def red(document: bytes, number: int = 0) -> tuple[float, float, float, float]:
    """Where the red of a seal stands on the drawn page: left, bottom, width, height in points."""
    drawn = pictures.picture(document, page=number, across=600)
    image = Image.open(io.BytesIO(drawn.png)).convert("RGB")
    assert image.size == (drawn.width, drawn.height)
    mask = image.point(lambda value: 255 if value < 140 else 0).split()[1]
    red_only = Image.composite(mask, Image.new("L", image.size), image.split()[0].point(lambda v: 255 * (v > 160)))
    found = red_only.getbbox()
    assert found
    left, top, right, bottom = (value * drawn.wide / drawn.width for value in found)
    return left, drawn.high - bottom, right - left, bottom - top


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, (50, 100, 500, 700), (-50, 100, 500, 2000)])
def test_a_seal_stands_where_a_reader_sees_the_place(
    leaf: Leaf, rotate: int, crop: tuple[int, int, int, int] | None
) -> None:
    document = page(rotate=rotate, crop=crop)
    sealed = documents.sealed(document, leaf, placement=Placement(page=1, x=120, y=210))
    assert red(sealed) == pytest.approx((120, 210, DIAMETER, DIAMETER), abs=_SOFT)


def test_by_default_it_stands_in_the_corner_of_the_last_page(leaf: Leaf) -> None:
    sealed = documents.sealed(documents.permit(pages=3), leaf)
    left, bottom, _, _ = red(sealed, 3)
    assert left > 400
    assert bottom < 60
    first = documents.sealed(documents.permit(pages=3), leaf, placement=Placement(page=2))
    assert red(first, 2)[0] > 400


@pytest.mark.parametrize("rotate", [0, 90])
def test_a_seal_fills_the_field_that_is_named(leaf: Leaf, city: City, rotate: int) -> None:
    document = with_field(page(rotate=rotate))
    (waiting,) = waiting_fields(document)
    assert (waiting.name, waiting.page) == ("approval", 1)
    sealed = documents.sealed(document, leaf, placement=Placement(field="approval"))
    left, bottom, width, height = red(sealed)
    side = min(waiting.width, waiting.height)
    assert (width, height) == pytest.approx((side, side), abs=_SOFT)
    assert left + width / 2 == pytest.approx(waiting.x + waiting.width / 2, abs=_SOFT)
    assert bottom + height / 2 == pytest.approx(waiting.y + waiting.height / 2, abs=_SOFT)
    verdict = judge(sealed, documents.inspected(sealed, city), profile=Profile.STRICT, at=NOW)
    assert (verdict.overall, verdict.signatures[0].field) == (Overall.TRUSTED, "approval")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (Placement(x=-1, y=10), "off_page"),
        (Placement(x=500, y=10), "off_page"),
        (Placement(x=10, y=730), "off_page"),
        (Placement(x=float("nan"), y=10), "off_page"),
        (Placement(x=float("inf"), y=10), "off_page"),
        (Placement(page=3), "no_page"),
        (Placement(field="nowhere"), "no_field"),
        (Placement(field="remark"), "field_kind"),
        (Placement(field="tiny"), "field_small"),
    ],
)
def test_what_cannot_stand_there_is_refused_by_name(leaf: Leaf, place: Placement, reason: str) -> None:
    document = with_field(documents.permit(pages=2, form=True), "tiny", (10, 10, 20, 20))
    with pytest.raises(NotSealable) as refused:
        documents.sealed(document, leaf, placement=place)
    assert refused.value.reason == reason


def test_a_filled_field_takes_no_second_signature(leaf: Leaf) -> None:
    sealed = documents.sealed(with_field(documents.permit()), leaf, placement=Placement(field="approval"))
    with pytest.raises(NotSealable) as refused:
        documents.sealed(sealed, leaf, placement=Placement(field="approval"), further=True)
    assert refused.value.reason == "field_filled"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Placement(x=1),
        lambda: Placement(field="a", page=1),
        lambda: Placement(page=-1),
        lambda: Permits(locking=Locking.INCLUDE),
        lambda: Permits(fields=("a",)),
    ],
)
def test_half_a_wish_is_none(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        make()


def test_a_page_is_drawn_behind_the_lock(readers: ReaderPool) -> None:
    document = documents.permit(pages=2, form=True)
    drawn = readers.picture(document, page=1, across=300)
    assert (drawn.page, drawn.pages, drawn.width) == (1, 2, 300)
    assert min(Image.open(io.BytesIO(drawn.png)).convert("L").tobytes()) < 100
    assert readers.picture(page(rotate=90), page=1, across=300).wide == pytest.approx(841.9, abs=0.1)
    assert readers.empty_fields(with_field(document))[0].name == "approval"


@pytest.mark.parametrize(
    ("make", "number"),
    [
        (documents.permit, 2),
        (documents.permit, -1),
        (lambda: documents.encrypted(documents.permit()), 1),
        (lambda: b"%PDF-1.7\n" + b"\0" * 1000, 1),
        (lambda: page(crop=(100, 100, 100, 100)) + b"%", 99),
    ],
)
def test_what_cannot_be_drawn_is_told_and_the_next_page_is_drawn(
    readers: ReaderPool, make: Callable[[], bytes], number: int
) -> None:
    with pytest.raises(SandboxFailed):
        readers.picture(make(), page=number, across=300)
    assert readers.picture(documents.permit(), page=1, across=100).width == 100


def test_no_picture_is_larger_than_it_may_be() -> None:
    drawn = pictures.picture(page(crop=(0, 0, 3, 800)), page=1, across=100_000)
    assert drawn.width * drawn.height <= 6_100_000


def test_a_certified_document_says_so_and_takes_no_further_signature_where_nothing_is_allowed(
    leaf: Leaf, city: City
) -> None:
    for certification in (Certification.NOTHING, Certification.FORM, Certification.NOTES):
        permits = Permits(certification=certification)
        certified = documents.sealed(documents.permit(), leaf, permits=permits)
        (facts,) = documents.inspected(certified, city).signatures
        assert facts.certified == certification.value
        with pytest.raises(NotSealable) as refused:
            documents.sealed(certified, leaf, permits=permits, further=True)
        assert refused.value.reason == "not_first"
        if certification is Certification.NOTHING:
            with pytest.raises(NotSealable) as refused:
                documents.sealed(certified, leaf, further=True)
            assert refused.value.reason == "locked"
