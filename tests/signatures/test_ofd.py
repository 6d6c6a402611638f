# SPDX-License-Identifier: Apache-2.0
"""OFD with GB/T 38540 seals: every part by SM3, signer and maker by SM2, and a seal only for whom it was made."""

from datetime import datetime
from typing import Any

import pytest
from asn1crypto import x509

from signatures.formats import inspect
from signatures.models import Overall, Profile, Verdict
from signatures.pades.grounds import Grounds
from signatures.sandbox import ReaderPool
from signatures.verdict import judge
from tests.signatures import made, ofds
from tests.signatures.pki import DAY, NOW


class _City:
    def __init__(self) -> None:
        self.root = ofds.Issuer()
        self.maker = ofds.holder("江城印章中心", self.root)
        self.signer = ofds.holder("江城市税务局", self.root)
        self.other = ofds.holder("江城丝绸公司", self.root)
        self.unit = ofds.holder("江城时间戳", self.root, stamping=True)
        self.sealed = ofds.sealed(self.maker, self.signer)


@pytest.fixture(scope="module")
def sm2_city() -> _City:
    return _City()


def look(document: bytes, city: _City, *revoked: ofds.Holder, **told: Any) -> Verdict:
    grounds = Grounds(city.root.trust(), [city.root.list(*revoked, **told)])
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
    assert over.signatures[0].valid.code == "seal_out_of_time"
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


def codes(verdict: Verdict) -> set[str]:
    one = verdict.signatures[0]
    return {problem.code for problem in verdict.problems} | {one.unchanged.code, one.valid.code, one.issuer.code}


def stamped(city: _City, at: datetime, *, unit: ofds.Holder | None = None, over: bytes = b"", **more: Any) -> bytes:
    """Sealed and time-stamped; claimed for the moment of the stamp."""
    by, signer = unit or city.unit, more.pop("signer", city.signer)
    own = ofds.seal(city.maker, signer, **more)
    signing = ofds.new_form(own, signer, at=at, stamp=lambda value: ofds.token(over or value, by, at))
    return ofds.sealed(city.maker, signer, own=own, signing=signing)


def test_a_time_stamp_within_a_seal_proves_when_if_it_is_over_that_seal_by_a_known_unit(sm2_city: _City) -> None:
    then = NOW - 10 * DAY
    good = look(stamped(sm2_city, then), sm2_city)
    assert (good.overall, good.signatures[0].valid.code) == (Overall.TRUSTED, "valid_then")
    assert good.signatures[0].facts is not None
    (stamp,) = good.signatures[0].facts.stamps
    assert (stamp.at, stamp.name, stamp.algorithm) == (then, "江城时间戳", "SM2")
    altered = look(stamped(sm2_city, then, over=b"another seal"), sm2_city)
    assert (altered.overall, altered.signatures[0].valid.code) == (Overall.CANNOT_TELL, "stamp_broken")
    stranger = ofds.holder("江城时间戳", ofds.Issuer(), stamping=True)
    unknown = look(stamped(sm2_city, then, unit=stranger), sm2_city)
    assert {"stamp_unconfirmed", "stamp_missing"} <= codes(unknown)
    meant = look(stamped(sm2_city, then, unit=sm2_city.other), sm2_city)
    assert {"stamp_refused", "stamp_missing"} <= codes(meant)
    # A token with a byte changed, which is no token over anything any more.
    token = ofds.token(b"x", sm2_city.unit, then)
    whole = made.unzipped(stamped(sm2_city, then))
    flipped = bytearray(whole[ofds.VALUE])
    flipped[-len(token) // 2] ^= 1
    assert look(made.zipped({**whole, ofds.VALUE: bytes(flipped)}), sm2_city).overall is not Overall.TRUSTED


def test_a_time_stamp_saves_a_seal_from_what_happened_later_and_from_nothing_earlier(sm2_city: _City) -> None:
    then = NOW - 10 * DAY
    before, after = {"since": then - DAY}, {"since": then + DAY}
    document = stamped(sm2_city, then)
    for told, code in ((after, "revoked_later"), (before, "revoked_before")):
        verdict = look(document, sm2_city, sm2_city.signer, **told)
        assert verdict.signatures[0].valid.code == code
        # The maker's seal stands if it was made and used before the maker's certificate was revoked.
        maker = look(document, sm2_city, sm2_city.maker, **told)
        assert (maker.overall is Overall.TRUSTED) == (code == "revoked_later")
    ended = ofds.holder("江城市税务局", sm2_city.root, after=NOW - 5 * DAY)
    verdict = look(stamped(sm2_city, then, signer=ended), sm2_city)
    assert (verdict.overall, verdict.signatures[0].valid.code) == (Overall.CANNOT_TELL, "status_then_unknown")
    # With what its issuer said in those days it can be told.
    grounds = Grounds(sm2_city.root.trust(), [sm2_city.root.list(at=then - DAY / 24), sm2_city.root.list()])
    document = stamped(sm2_city, then, signer=ended)
    found = inspect(document, grounds=grounds, profile=Profile.STRICT, at=NOW)
    assert judge(document, found, profile=Profile.STRICT, at=NOW).signatures[0].valid.code == "valid_then"
    late = look(stamped(sm2_city, NOW - DAY, signer=ended), sm2_city)
    assert "signed_after_validity" in codes(late)


def test_a_seal_that_ran_out_is_good_for_what_a_time_stamp_proves_to_be_older(sm2_city: _City) -> None:
    then, end = NOW - 10 * DAY, NOW - 5 * DAY
    assert look(stamped(sm2_city, then, end=end), sm2_city).overall is Overall.TRUSTED
    own = ofds.seal(sm2_city.maker, sm2_city.signer, end=end)
    alone = ofds.sealed(sm2_city.maker, sm2_city.signer, own=own, signing=ofds.new_form(own, sm2_city.signer, at=then))
    verdict = look(alone, sm2_city)
    assert (verdict.overall, verdict.signatures[0].valid.code) == (Overall.CANNOT_TELL, "seal_expired")
    # Dated back: the signer's word lies within, the stamp behind.
    back = ofds.new_form(own, sm2_city.signer, at=then, stamp=lambda value: ofds.token(value, sm2_city.unit, NOW - DAY))
    assert "seal_expired" in codes(look(ofds.sealed(sm2_city.maker, sm2_city.signer, own=own, signing=back), sm2_city))
    assert "seal_out_of_time" in codes(look(stamped(sm2_city, then, start=NOW - DAY), sm2_city))


def old(city: _City, signer: ofds.Holder | None = None, **more: Any) -> bytes:
    own = more.pop("own", None) or ofds.old_seal(more.pop("maker", city.maker), signer or city.signer, **more)
    return ofds.sealed(city.maker, city.signer, own=own, signing=ofds.old_form(own, signer or city.signer))


def test_seals_in_the_old_form_are_judged_like_the_others_and_named(sm2_city: _City) -> None:
    good = look(old(sm2_city), sm2_city)
    assert (good.overall, good.signatures[0].valid.code) == (Overall.TRUSTED, "valid")
    assert good.signatures[0].facts is not None
    assert good.signatures[0].facts.claimed_at == NOW
    assert {"seal_old", "seal_maker"} <= codes(good)
    altered = made.zipped({**made.unzipped(old(sm2_city)), "Doc_0/Pages/Page_0/Content.xml": b"<Page>9000</Page>"})
    assert look(altered, sm2_city).subindication == "HASH_FAILURE"
    relisted = made.unzipped(old(sm2_city))
    relisted[ofds.PLACE] += b" "
    assert look(made.zipped(relisted), sm2_city).signatures[0].unchanged.code == "content_altered"
    stranger = ofds.holder("江城印章中心", ofds.Issuer())
    assert look(old(sm2_city, maker=stranger), sm2_city).signatures[0].unchanged.code == "seal_forged"
    borrowed = old(sm2_city, sm2_city.other, own=ofds.old_seal(sm2_city.maker, sm2_city.signer))
    assert look(borrowed, sm2_city).signatures[0].unchanged.code == "certificate_swapped"
    assert "seal_out_of_time" in codes(look(old(sm2_city, end=NOW - DAY), sm2_city))
    assert "revoked" in codes(look(old(sm2_city), sm2_city, sm2_city.signer))
    value = bytearray(made.unzipped(old(sm2_city))[ofds.VALUE])
    value[-1] ^= 1
    forged = made.zipped({**made.unzipped(old(sm2_city)), ofds.VALUE: bytes(value)})
    assert look(forged, sm2_city).signatures[0].unchanged.code == "signature_forged"


def test_the_moment_in_an_old_seal_is_read_however_its_maker_wrote_it(sm2_city: _City) -> None:
    own = ofds.old_seal(sm2_city.maker, sm2_city.signer)
    for written, expected in (
        (x509.Time({"utc_time": NOW}).dump(), NOW),
        (NOW.strftime("%y%m%d%H%M%SZ").encode(), NOW),
        (b"yesterday", None),
        (b"20269999999999Z", None),
    ):
        signing = ofds.old_form(own, sm2_city.signer, at=written)
        verdict = look(ofds.sealed(sm2_city.maker, sm2_city.signer, own=own, signing=signing), sm2_city)
        assert verdict.signatures[0].facts is not None
        assert (verdict.signatures[0].facts.claimed_at, verdict.overall) == (expected, Overall.TRUSTED)


def test_a_seal_of_neither_form_is_seen_and_not_called_unsigned(sm2_city: _City) -> None:
    neither = changed(sm2_city, **{ofds.VALUE: b"\x30\x06\x02\x01\x01\x02\x01\x01"})
    verdict = look(neither, sm2_city)
    assert verdict.overall is Overall.CANNOT_TELL
    assert verdict.signatures[0].unchanged.code == "old_seal"


def test_a_seal_that_another_site_made_is_read_alike_when_locked_in(sm2_city: _City, readers: ReaderPool) -> None:
    for document in (stamped(sm2_city, NOW - DAY), old(sm2_city)):
        lists = [sm2_city.root.list()]
        there = readers.inspect(document, trust=sm2_city.root.trust(), lists=lists, profile=Profile.STRICT, at=NOW)
        grounds = Grounds(sm2_city.root.trust(), lists)
        assert there == inspect(document, grounds=grounds, profile=Profile.STRICT, at=NOW)
        assert there.signatures[0].seal is not None
