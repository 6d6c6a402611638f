# SPDX-License-Identifier: Apache-2.0
"""Nothing that was prepared before signing makes a later change look like proofs for long-term keeping."""

import pytest
from asn1crypto import cms, core

from signatures.models import Indication, Overall, Profile, Verdict
from signatures.pades.cms import put_into
from signatures.verdict import judge
from tests.signatures import documents, forgeries, gaps, made, stamper
from tests.signatures.pki import DAY, NOW, City, Leaf


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


def test_a_signature_that_is_called_a_time_stamp_later_is_not_called_none(city: City, leaf: Leaf) -> None:
    order = documents.sealed(forgeries.draft(), leaf)
    verdict = look(forgeries.called_a_stamp(order), city)
    (one,) = verdict.signatures
    assert (verdict.overall, one.unchanged.code) == (Overall.CANNOT_TELL, "signature_unconfirmed")


def test_what_only_the_library_reads_is_not_believed(city: City, leaf: Leaf) -> None:
    """A property that we cannot read hides what else is wrong, a broken time-stamp or another certificate."""
    place = documents.room_for(documents.permit(), leaf)
    whole = cms.ContentInfo.load(made.cades(documents.covered(place), [leaf], detached=True))
    value = cms.CMSAttribute({"type": "1.2.840.113549.1.9.16.2.24", "values": [core.Integer(5)]})
    whole["content"]["signer_infos"][0]["unsigned_attrs"] = cms.CMSAttributes([value])
    document = put_into(place.document, start=place.start, end=place.end, content=whole.dump(force=True))
    verdict = look(document, city)
    assert (verdict.overall, verdict.signatures[0].unchanged.code) == (Overall.CANNOT_TELL, "part_malformed")


def test_time_stamps_that_contradict_each_other_prove_nothing(city: City, leaf: Leaf) -> None:
    """One that is over another is younger; whoever stole a unit's key would else date things back."""
    then = NOW - 10 * DAY
    signed, unit = documents.sealed(documents.permit(), leaf, at=then), stamper.unit(city.organisations)
    first = gaps.stamped(signed, unit, at=then + 2 * DAY, wide=False)
    good = look(gaps.stamped(first, unit, at=then + 3 * DAY, wide=False), city)
    assert (good.overall, good.signatures[0].valid.code) == (Overall.TRUSTED, "valid_then")
    bad = look(gaps.stamped(first, unit, at=then + DAY, wide=False), city)
    assert (bad.overall, bad.signatures[0].valid.code) == (Overall.CANNOT_TELL, "stamp_broken")


def test_a_signature_hidden_behind_a_time_stamp_is_not_called_none(city: City, leaf: Leaf) -> None:
    """Each is one mark in the raw bytes, but what is packed leaves none."""
    order = documents.sealed(forgeries.draft(), leaf)
    token = stamper.token(b"nothing", stamper.unit(city.organisations), NOW)
    verdict = look(forgeries.hidden_behind_a_stamp(order, token), city)
    (one,) = verdict.signatures
    assert (verdict.overall, one.unchanged.code) == (Overall.CANNOT_TELL, "signature_unconfirmed")
