# SPDX-License-Identifier: Apache-2.0
"""No attack known from the literature makes a changed document pass for an unchanged one."""

import pytest
from pyhanko.sign.fields import MDPPerm

from signatures.models import Indication, Overall, Profile, Verdict
from signatures.verdict import judge
from tests.signatures import documents, forgeries
from tests.signatures.pki import NOW, City, Leaf

MDP = (MDPPerm.NO_CHANGES, MDPPerm.FILL_FORMS, MDPPerm.ANNOTATE)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


@pytest.fixture(scope="module")
def order(leaf: Leaf) -> bytes:
    """The draft, sealed by somebody who did not look into it."""
    return documents.sealed(forgeries.draft(), leaf)


@pytest.fixture(scope="module")
def certified_orders(leaf: Leaf) -> dict[MDPPerm, bytes]:
    """The draft, certified at each level."""
    return {level: documents.signed_with(leaf, forgeries.draft(), certify=level) for level in MDP}


@pytest.mark.parametrize("certified", MDP, ids=lambda level: level.name)
def test_the_certified_order_itself_is_trusted(
    certified: MDPPerm, certified_orders: dict[MDPPerm, bytes], city: City
) -> None:
    assert look(certified_orders[certified], city, Profile.TOLERANT).overall is Overall.TRUSTED


def look(document: bytes, city: City, profile: Profile) -> Verdict:
    return judge(document, documents.inspected(document, city, profile), profile=profile, at=NOW)


def test_the_order_itself_is_trusted(order: bytes, city: City) -> None:
    for profile in Profile:
        verdict = look(order, city, profile)
        assert (verdict.overall, verdict.signatures[0].unchanged.code) == (Overall.TRUSTED, "unchanged")


@pytest.mark.parametrize("name", forgeries.EVERY)
def test_no_forgery_passes_for_the_signed_document(name: str, order: bytes, city: City) -> None:
    forged = forgeries.EVERY[name](order)
    assert forged != order
    for profile in Profile:
        verdict = look(forged, city, profile)
        assert verdict.overall is not Overall.TRUSTED
        assert verdict.indication is not Indication.NO_SIGNATURE
        assert not {one.unchanged.code for one in verdict.signatures} & {"unchanged", "archived"}


@pytest.mark.parametrize("certified", MDP, ids=lambda level: level.name)
@pytest.mark.parametrize("name", [*forgeries.INCREMENTAL, *forgeries.SHADOW, *forgeries.COVERING])
def test_no_forgery_passes_for_a_certified_document(
    name: str, certified: MDPPerm, certified_orders: dict[MDPPerm, bytes], city: City
) -> None:
    forged = forgeries.EVERY[name](certified_orders[certified])
    for profile in Profile:
        verdict = look(forged, city, profile)
        assert verdict.overall is not Overall.TRUSTED
        assert verdict.indication is not Indication.NO_SIGNATURE


def test_a_field_filled_in_is_tolerated_where_its_signer_allowed_it(leaf: Leaf, city: City) -> None:
    found = {}
    for level in MDP:
        filled = forgeries.filled(documents.signed_with(leaf, forgeries.draft(), certify=level))
        assert look(filled, city, Profile.STRICT).overall is Overall.NOT_TRUSTED
        verdict = look(filled, city, Profile.TOLERANT)
        found[level] = (verdict.overall, verdict.signatures[0].unchanged.code)
    assert found[MDPPerm.NO_CHANGES] == (Overall.NOT_TRUSTED, "changed_after")
    assert found[MDPPerm.FILL_FORMS] == found[MDPPerm.ANNOTATE] == (Overall.TRUSTED, "fields_changed")


def test_a_new_look_for_an_untouched_field_is_listed_like_a_value(order: bytes, city: City) -> None:
    """What stands in a field is never the signer's word, and the answer names the field."""
    forged = forgeries.look_replaced(order)
    assert look(forged, city, Profile.STRICT).overall is Overall.NOT_TRUSTED
    (found,) = look(forged, city, Profile.TOLERANT).signatures
    assert found.unchanged.code == "fields_changed"
    assert found.unchanged.words.parameters == {"fields": "remark"}


@pytest.mark.parametrize("forge", [forgeries.rights_widened, forgeries.certification_dropped])
def test_what_a_certified_document_allows_cannot_be_widened_later(
    forge: forgeries.Forgery, leaf: Leaf, city: City
) -> None:
    order = documents.signed_with(leaf, forgeries.draft(), certify=MDPPerm.NO_CHANGES)
    for profile in Profile:
        assert look(forge(order), city, profile).overall is not Overall.TRUSTED


def test_an_honest_field_and_an_honest_second_signature_are_tolerated_and_listed(order: bytes, city: City) -> None:
    filled = forgeries.filled(order)
    verdict = look(filled, city, Profile.TOLERANT)
    assert verdict.overall is Overall.TRUSTED
    assert verdict.signatures[0].facts is not None
    assert verdict.signatures[0].facts.changed_fields == ("remark",)
    second = documents.signed_with(city.people.leaf("Chen Wei"), filled)
    verdict = look(second, city, Profile.TOLERANT)
    assert [one.unchanged.code for one in verdict.signatures] == ["fields_changed", "unchanged"]
    assert verdict.overall is Overall.TRUSTED
    # Whoever is not trusted makes the whole untrusted, however nice the first signature is.
    stranger = documents.signed_with(City().people.leaf("Mallory"), filled)
    assert look(stranger, city, Profile.TOLERANT).overall is Overall.NOT_TRUSTED


def test_an_obsolete_kind_is_named_with_its_algorithm(sealed: bytes, city: City) -> None:
    for kind, code in ((b"/adbe.x509.rsa_sha1 ", "subfilter_sha1"), (b"/adbe.pkcs7.sha1    ", "subfilter_sha1"),
                       (b"/ETSI.CAdES.detacheX", "subfilter")):  # fmt: skip
        document = sealed.replace(b"/ETSI.CAdES.detached", kind)
        verdict = judge(document, documents.inspected(document, city), profile=Profile.STRICT, at=NOW)
        assert (verdict.overall, verdict.signatures[0].unchanged.code) == (Overall.CANNOT_TELL, code)
