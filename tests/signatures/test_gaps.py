# SPDX-License-Identifier: Apache-2.0
"""What a signature in a PDF leaves unsigned is its own content and nothing else, whatever came behind it."""

from typing import Any

import pytest

from signatures.looks import Placement
from signatures.models import Overall, Profile, StampState, Verdict
from signatures.pades.drawing import Drawing
from signatures.pades.gate import leaves_out_itself_alone
from signatures.verdict import judge
from tests.signatures import documents, forgeries, gaps, stamper
from tests.signatures.pki import DAY, NOW, City, Leaf


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


def look(document: bytes, city: City, profile: Profile = Profile.STRICT) -> Verdict:
    return judge(document, documents.inspected(document, city, profile), profile=profile, at=NOW)


def test_another_document_woven_into_the_gap_is_never_taken_for_the_signed_one(city: City, leaf: Leaf) -> None:
    order = documents.sealed(forgeries.draft(), leaf)
    for forge in (gaps.rewoven, gaps.rewoven_with_proofs):
        for profile in Profile:
            verdict = look(forge(order), city, profile)
            # That it was read to the end, digest and all, is what makes it dangerous.
            one = verdict.signatures[0]
            assert one.facts is not None
            assert one.facts.digest_matches
            assert (verdict.overall, one.unchanged.code) == (Overall.NOT_TRUSTED, "changed_after")


def test_a_time_stamp_proves_nothing_of_what_lies_in_its_gap(city: City) -> None:
    """Who fetched one in time would else back-date what a stolen key signs after it was revoked."""
    unit, stolen = stamper.unit(city.organisations), city.seal()
    signed = documents.sealed(gaps.with_a_bracket(documents.permit()), stolen, at=NOW - 10 * DAY)
    honest = gaps.stamped(signed, unit, at=NOW - 9 * DAY, wide=False)
    forged = gaps.stamped(signed, unit, at=NOW - 9 * DAY, wide=True)
    city.organisations.revoke(stolen)
    try:
        good, bad = look(honest, city), look(forged, city)
    finally:
        city.organisations.revoked.clear()
    assert (good.overall, good.signatures[0].valid.code) == (Overall.TRUSTED, "revoked_later")
    assert (bad.overall, bad.signatures[0].valid.code) == (Overall.NOT_TRUSTED, "revoked")
    facts = bad.signatures[0].facts
    assert facts is not None
    assert [stamp.state for stamp in facts.stamps] == [StampState.BROKEN]
    assert facts.proven_at is None


@pytest.mark.parametrize(
    ("document", "byte_range", "contents"),
    [
        (b"ab<0aFF00>cd", [0, 2, 10, 2], b"\x0a\xff"),
        (b"ab<0aFF00>cd", [0, 1, 10, 2], b"\x0a\xff\0"),
        (b"ab<0aFF00>cd", [0, 2, 11, 1], b"\x0a\xff\0"),
        (b"ab<0aFF00>cd", [1, 2, 10, 2], b"\x0a\xff\0"),
        (b"ab<0aFF00>cd", [0, 2, 10, 3], b"\x0a\xff\0"),
        (b"ab<0aFF00>cd", [0, 2, 10], b"\x0a\xff\0"),
        (b"ab<0axx00>cd", [0, 2, 10, 2], b"\x0a\xff\0"),
        (b"ab<>x<>cd", [0, 2, 7, 2], b""),
        (b"ab<>cd", [0, 2, 4, 0], b""),
    ],
)
def test_a_gap_is_compared_with_the_content_itself(document: bytes, byte_range: list[int], contents: bytes) -> None:
    assert not leaves_out_itself_alone(document, byte_range, contents)
    for honest in (b"ab<0aFF00>cd", b"ab<0a F\nF 0>cd"):
        end = honest.index(b">") + 1
        assert leaves_out_itself_alone(honest, [0, 2, end, 2], b"\x0a\xff\0")
        assert leaves_out_itself_alone(honest, [0, 2, end, 1], b"\x0a\xff\0")


def test_a_picture_that_came_with_a_further_signature_is_told(city: City, leaf: Leaf) -> None:
    """Whoever has a certificate may sign after the seal, and puts a picture wherever it pleases."""
    first = documents.sealed(documents.permit(), leaf)
    drawn = documents.sealed(
        first, city.people.leaf("Chen Wei"), further=True, placement=Placement(page=1, x=60, y=700)
    )
    for document, told in ((documents.signed_again(first, city.people.leaf("Sun Li")), False), (drawn, True)):
        verdict = look(document, city)
        assert verdict.signatures[0].unchanged.code == "signed_further"
        named = [each.signature for each in verdict.problems if each.code == "signed_further_pictures"]
        assert named == ([1] if told else [])


def test_a_picture_that_hides_what_was_signed_is_no_matter_of_taste(city: City, leaf: Leaf) -> None:
    """A seal through which the text is seen lies over names and dates by custom; a white picture is another matter."""
    first = documents.sealed(documents.permit(), leaf)
    person, over = city.people.leaf("Chen Wei"), Placement(page=1, x=60, y=700)
    white = Drawing(b"1 1 1 rg 0 0 200 60 re f", 200, 60)
    for drawing, strict, tolerant in (
        (None, "signed_further", "signed_further_pictures"),
        (white, "picture_hides", "picture_hides"),
    ):
        looks: dict[str, Any] = {"drawing": drawing} if drawing else {}
        document = documents.sealed(first, person, further=True, placement=over, **looks)
        verdict = look(document, city)
        assert verdict.signatures[0].unchanged.code == strict
        assert verdict.overall is (Overall.CANNOT_TELL if drawing else Overall.TRUSTED)
        tolerated = look(document, city, Profile.TOLERANT)
        assert tolerated.overall is Overall.TRUSTED
        assert tolerant in {each.code for each in tolerated.problems}
