# SPDX-License-Identifier: Apache-2.0
"""Nothing that was prepared before signing makes a later change look like proofs for long-term keeping."""

import pytest

from signatures.models import Indication, Overall, Profile, Verdict
from signatures.verdict import judge
from tests.signatures import documents, forgeries
from tests.signatures.pki import NOW, City, Leaf


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


def look(document: bytes, city: City, profile: Profile = Profile.STRICT) -> Verdict:
    return judge(document, documents.inspected(document, city, profile), profile=profile, at=NOW)


@pytest.mark.parametrize("name", forgeries.slipped_in())
def test_what_no_rule_looks_at_is_a_change_all_the_same(name: str, city: City, leaf: Leaf) -> None:
    draft, forge = forgeries.slipped_in()[name]
    order = documents.signed_with(leaf, draft)
    # It is read to the end and good before.
    assert look(order, city).overall is Overall.TRUSTED
    forged = forge(order)
    assert forged != order
    verdict = look(forged, city)
    assert (verdict.overall is Overall.TRUSTED, verdict.indication is Indication.NO_SIGNATURE) == (False, False)
    tolerated = look(forged, city, Profile.TOLERANT).signatures[0].unchanged
    # Where forms may be filled in, the fields that are drawn anew are named.
    assert tolerated.code in {"changed_after", "malformed"} or tolerated.words.parameters == {"fields": "remark"}


def test_a_field_that_nobody_sees_is_no_change(city: City, leaf: Leaf) -> None:
    order = documents.signed_with(leaf, forgeries.draft())
    verdict = look(forgeries.unseen_field(order), city)
    assert (verdict.overall, verdict.signatures[0].unchanged.code) == (Overall.TRUSTED, "archived")
