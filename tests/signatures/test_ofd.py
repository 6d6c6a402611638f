# SPDX-License-Identifier: Apache-2.0
"""OFD with GB/T 38540 seals: every part by SM3, signer and maker by SM2, and a seal only for whom it was made."""

import pytest

from signatures.formats import inspect
from signatures.models import Overall, Profile, Verdict
from signatures.pades.grounds import Grounds
from signatures.verdict import judge
from tests.signatures import made, ofds
from tests.signatures.pki import DAY, NOW


class _City:
    def __init__(self) -> None:
        self.root = ofds.Issuer()
        self.maker = ofds.holder("江城印章中心", self.root)
        self.signer = ofds.holder("江城市税务局", self.root)
        self.other = ofds.holder("江城丝绸公司", self.root)
        self.sealed = ofds.sealed(self.maker, self.signer)


@pytest.fixture(scope="module")
def sm2_city() -> _City:
    return _City()


def look(document: bytes, city: _City, *revoked: ofds.Holder) -> Verdict:
    grounds = Grounds(city.root.trust(), [city.root.list(*revoked)])
    found = inspect(document, grounds=grounds, profile=Profile.STRICT, at=NOW)
    return judge(document, found, profile=Profile.STRICT, at=NOW)


def changed(city: _City, **files: bytes) -> bytes:
    names = {"page": "Doc_0/Pages/Page_0/Content.xml", "list": "Doc_0/Signs/Signatures.xml", "signature": ofds.PLACE}
    return made.zipped({**made.unzipped(city.sealed), **{names.get(name, name): new for name, new in files.items()}})


def test_a_sealed_document_is_trusted(sm2_city: _City) -> None:
    verdict = look(sm2_city.sealed, sm2_city)
    assert verdict.overall is Overall.TRUSTED, verdict.problems
    assert verdict.signatures[0].facts is not None
    assert verdict.signatures[0].facts.certificate.name == "江城市税务局"


def test_a_changed_page_and_an_added_page_are_not_unchanged(sm2_city: _City) -> None:
    altered = look(changed(sm2_city, page=b"<Page>Fee: 9000 yuan</Page>"), sm2_city)
    assert (altered.overall, altered.subindication) == (Overall.NOT_TRUSTED, "HASH_FAILURE")
    added = look(changed(sm2_city, **{"Doc_0/Pages/Page_1/Content.xml": b"<Page/>"}), sm2_city)
    assert added.overall is Overall.CANNOT_TELL
    assert added.signatures[0].unchanged.code == "partly_signed"
    relisted = made.unzipped(sm2_city.sealed)[ofds.PLACE].replace(b"Fee", b"fee") + b" "
    assert look(changed(sm2_city, signature=relisted), sm2_city).overall is Overall.NOT_TRUSTED


def test_a_list_of_signatures_that_is_gone_is_not_called_unsigned(sm2_city: _City) -> None:
    hidden = ofds.DOCUMENT["OFD.xml"].replace(b"<ofd:Signatures>/Doc_0/Signs/Signatures.xml</ofd:Signatures>", b"")
    verdict = look(changed(sm2_city, **{"OFD.xml": hidden}), sm2_city)
    assert verdict.overall is Overall.CANNOT_TELL
    assert verdict.subindication == "FORMAT_FAILURE"


def test_the_seal_must_be_its_makers_its_users_and_in_time(sm2_city: _City) -> None:
    stranger = ofds.holder("江城印章中心", ofds.Issuer("江城 SM2 根"))
    forged = look(ofds.sealed(stranger, sm2_city.signer), sm2_city)
    assert forged.signatures[0].unchanged.code == "seal_forged"
    over = look(ofds.sealed(sm2_city.maker, sm2_city.signer, end=NOW - DAY), sm2_city)
    assert over.signatures[0].unchanged.code == "seal_forged"
    another = ofds.seal(sm2_city.maker, sm2_city.other)
    swapped = look(ofds.sealed(sm2_city.maker, sm2_city.signer, shown=another), sm2_city)
    assert swapped.signatures[0].unchanged.code == "seal_forged"
    borrowed = look(ofds.sealed(sm2_city.maker, sm2_city.signer, own=another), sm2_city)
    assert borrowed.signatures[0].unchanged.code == "certificate_swapped"
    for verdict in (forged, over, swapped, borrowed):
        assert verdict.overall is Overall.NOT_TRUSTED


def test_revoked_and_unknown_signers_are_named_so(sm2_city: _City) -> None:
    revoked = look(sm2_city.sealed, sm2_city, sm2_city.signer)
    assert (revoked.overall, revoked.signatures[0].valid.code) == (Overall.NOT_TRUSTED, "revoked")
    maker = look(sm2_city.sealed, sm2_city, sm2_city.maker)
    assert maker.signatures[0].unchanged.code == "seal_forged"
    elsewhere = _City()
    assert look(elsewhere.sealed, sm2_city).signatures[0].issuer.code == "issuer_unknown"


def test_the_old_form_of_seals_is_seen_and_not_called_unsigned(sm2_city: _City) -> None:
    old = changed(sm2_city, **{"Doc_0/Signs/Sign_0/SignedValue.dat": b"\x30\x06\x02\x01\x01\x02\x01\x01"})
    verdict = look(old, sm2_city)
    assert verdict.overall is Overall.CANNOT_TELL
    assert verdict.signatures[0].unchanged.code == "old_seal"
