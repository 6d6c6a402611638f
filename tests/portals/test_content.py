# SPDX-License-Identifier: Apache-2.0
"""Made-up content is the same for the same person and plausible for every person."""

import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyhanko.pdf_utils.reader import PdfFileReader

from portals.documents.content import NoSuchDocument, document, documents
from portals.documents.pdf import pdf
from portals.social.content import contributions
from portals.tax.content import declaration, tax_on

AT = datetime(2026, 11, 20, tzinfo=UTC)
# Hypothesis draws naive moments and adds the zone itself.
FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC).replace(tzinfo=None), AT.replace(year=2040, tzinfo=None)
moments = st.datetimes(FIRST, LAST, timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("taxable", "due"),
    [(0, 0), (36_000, 1_080), (36_001, 1_080), (144_000, 11_880), (300_000, 43_080), (420_000, 73_080),
     (660_000, 145_080), (960_000, 250_080), (1_000_000, 268_080)],
)  # fmt: skip
def test_tax_follows_the_annex_of_the_law(taxable: int, due: int) -> None:
    assert tax_on(taxable) == due


@given(st.text(max_size=40), moments)
def test_a_declaration_adds_up(subject: str, at: datetime) -> None:
    found = declaration(subject, at)
    assert found == declaration(subject, at)
    assert found["year"] == at.year - 1
    assert found["taxable"] <= found["income"]
    assert found["due"] == tax_on(found["taxable"])
    assert found["withheld"] - found["due"] == found["refund"]


@given(st.text(max_size=40), moments)
def test_contributions_add_up(subject: str, at: datetime) -> None:
    found = contributions(subject, at)
    assert found["since"] <= at.year
    assert all(0 <= year["months"] <= 12 for year in found["years"])
    assert found["years"][0]["months"] <= at.month - 1


def test_a_document_is_found_by_name() -> None:
    assert [document("u", item["name"], AT) for item in documents("u", AT)["documents"]]
    with pytest.raises(NoSuchDocument):
        document("u", "../etc", AT)


@given(st.lists(st.text(max_size=60), max_size=10))
def test_every_text_makes_a_readable_pdf(lines: list[str]) -> None:
    reader = PdfFileReader(io.BytesIO(pdf(lines)))
    assert reader.root["/Type"] == "/Catalog"
    assert pdf(lines) == pdf(lines)
