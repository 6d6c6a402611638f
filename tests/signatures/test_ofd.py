# SPDX-License-Identifier: Apache-2.0
"""OFD with GB/T 38540 seals: every part by SM3, signer and maker by SM2, and a seal only for whom it was made."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from asn1crypto import x509

from signatures.formats import inspect
from signatures.models import Indication, Overall, Profile, Trust, Verdict
from signatures.pades.grounds import Grounds
from signatures.sandbox import ReaderPool
from signatures.verdict import judge
from tests.signatures import made, ofds, wrappings
from tests.signatures.pki import DAY, NOW


class _City:
    def __init__(self) -> None:
        self.root = ofds.Issuer()
        self.maker = ofds.holder("江城印章中心", self.root)
        self.signer = ofds.holder("江城市税务局", self.root)
        self.other = ofds.holder("江城丝绸公司", self.root)
        self.unit = ofds.holder("江城时间戳", self.root, stamping=True)
        self.sealed = ofds.sealed(self.maker, self.signer)
        own = ofds.old_seal(self.maker, self.signer)
        self.old = ofds.sealed(self.maker, self.signer, own=own, signing=ofds.old_form(own, self.signer))


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
    # The last byte of a seal's value is the last of the token's own signature.
    whole = made.unzipped(stamped(sm2_city, then))
    flipped = whole[ofds.VALUE][:-1] + bytes([whole[ofds.VALUE][-1] ^ 1])
    assert "stamp_broken" in codes(look(made.zipped({**whole, ofds.VALUE: flipped}), sm2_city))


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


_EVIL = b"<ofd:Page xmlns:ofd='http://www.ofdspec.org/2016'>Fee: 9000 yuan</ofd:Page>"
_TYPED = b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>"
_PAGE_1 = "Doc_0/Pages/Page_1/Content.xml"


def _edited(name: str, old: str, new: str) -> Callable[[bytes], bytes]:
    def forge(document: bytes) -> bytes:
        content = made.unzipped(document)[name]
        assert old.encode() in content
        return wrappings.with_more(document, {name: content.replace(old.encode(), new.encode())})

    return forge


def _without_a_reference(document: bytes) -> bytes:
    listed = made.unzipped(document)[ofds.PLACE]
    shorter = re.sub(rb"<ofd:Reference FileRef=./Doc_0/Pages.*?</ofd:Reference>", b"", listed)
    assert shorter != listed
    files: dict[str, bytes | None] = {ofds.PLACE: shorter, "Doc_0/Pages/Page_0/Content.xml": _EVIL}
    return wrappings.with_more(document, files)


def _sealed_again_elsewhere(document: bytes) -> bytes:
    """The whole seal copied, its copy standing on another page."""
    files = made.unzipped(document)
    copied = {name.replace("Sign_0", "Sign_1"): content for name, content in files.items() if "Sign_0" in name}
    copied["Doc_0/Signs/Sign_1/Signature.xml"] = files[ofds.PLACE].replace(b'PageRef="1"', b'PageRef="9"')
    two = files[ofds.LIST].replace(
        b"</ofd:Signatures>", b'<ofd:Signature ID="9" Type="Seal" BaseLoc="Sign_1/Signature.xml"/></ofd:Signatures>'
    )
    return wrappings.with_more(document, {**copied, ofds.LIST: two})


def _second_document(document: bytes) -> bytes:
    """Another document in the same file, with a list of signatures of its own, so that the file's root may change."""
    root = made.unzipped(document)["OFD.xml"].replace(
        b"</ofd:OFD>",
        b"<ofd:DocBody><ofd:DocRoot>Doc_1/Document.xml</ofd:DocRoot><ofd:Signatures>/Doc_1/Signs/Signatures.xml"
        b"</ofd:Signatures></ofd:DocBody></ofd:OFD>",
    )
    empty = b"<ofd:Signatures xmlns:ofd='http://www.ofdspec.org/2016'/>"
    files = {"OFD.xml": root, "Doc_1/Document.xml": _EVIL, "Doc_1/Signs/Signatures.xml": empty}
    return wrappings.with_more(document, files)


def _page_as_a_signature(document: bytes) -> bytes:
    """An evil page entered as what stands beside a signature, which no list of files names."""
    listed = made.unzipped(document)[ofds.LIST].replace(
        b"</ofd:Signatures>", b'<ofd:Signature ID="9" Type="Seal" BaseLoc="../Signs/S.xml"/></ofd:Signatures>'
    )
    fake = (
        "<ofd:Signature xmlns:ofd='http://www.ofdspec.org/2016'><ofd:SignedInfo><ofd:References CheckMethod='sm3'/>"
        f"</ofd:SignedInfo><ofd:SignedValue>/{_PAGE_1}</ofd:SignedValue></ofd:Signature>"
    ).encode()
    return wrappings.with_more(document, {ofds.LIST: listed, "Doc_0/Signs/S.xml": fake, _PAGE_1: _EVIL})


_PAGE_0 = "Doc_0/Pages/Page_0/Content.xml"
FORGERIES: dict[str, Callable[[bytes], bytes]] = {
    "the seal on another page": _edited(ofds.PLACE, 'PageRef="1"', 'PageRef="2"'),
    "the seal in another place": _edited(ofds.PLACE, 'Boundary="120 200 40 40"', 'Boundary="0 0 40 40"'),
    "the seal copied to another page": _sealed_again_elsewhere,
    "a second page": lambda document: wrappings.with_more(document, {_PAGE_1: _EVIL}),
    "a page taken out": lambda document: wrappings.with_more(document, {_PAGE_0: None}),
    "a page in its own name in other letters": lambda document: wrappings.with_more(document, {_PAGE_0.upper(): _EVIL}),
    "a shortened list": _without_a_reference,
    "no list": _edited(ofds.PLACE, "References", "Refer"),
    "a weaker digest": _edited(ofds.PLACE, "1.2.156.10197.1.401", "1.2.840.113549.2.5"),
    "another root": _edited("OFD.xml", "Doc_0/Document.xml", "Doc_0/Pages/Page_0/Content.xml"),
    "a second document": _second_document,
    "a page as a signature": _page_as_a_signature,
    "an empty list of signatures": _edited(ofds.LIST, "ofd:Signature ", "ofd:Nothing "),
    "a list that leads out": _edited(ofds.LIST, "Sign_0/Signature.xml", "../../../../etc/passwd"),
    "no signature": lambda document: wrappings.with_more(document, {ofds.VALUE: b""}),
    "no value": lambda document: wrappings.with_more(document, {ofds.VALUE: None}),
    "an entity": lambda document: wrappings.with_more(
        document,
        {ofds.LIST: b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>" + made.unzipped(document)[ofds.LIST]},
    ),
    "two pages of a name": lambda document: wrappings.renamed(
        wrappings.with_more(document, {"Doc_0/Pages/Page_0/Content.xmm": _EVIL}), "Content.xmm", "Content.xml"
    ),
    "a place outside": lambda document: wrappings.with_more(document, {"../Content.xml": _EVIL}),
    "a bomb": lambda document: wrappings.bomb(made.unzipped(document), 8 << 20),
    "too much": lambda document: wrappings.claimed(document, 1 << 31),
    "bytes behind": lambda document: document + b"PK",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_no_forgery_of_a_sealed_document_passes_for_it(name: str, sm2_city: _City) -> None:
    for document in (sm2_city.sealed, sm2_city.old):
        verdict = look(FORGERIES[name](document), sm2_city)
        assert verdict.overall is not Overall.TRUSTED
        assert verdict.indication is not Indication.NO_SIGNATURE
        assert verdict.signatures[0].unchanged.code != "unchanged" or len(verdict.signatures) > 1


def test_a_list_that_its_signer_kept_short_is_told(sm2_city: _City) -> None:
    files = {name: content for name, content in ofds.DOCUMENT.items() if name != _PAGE_0}
    short = ofds.sealed(sm2_city.maker, sm2_city.signer, files=files)
    verdict = look(wrappings.with_more(short, {_PAGE_0: _EVIL}), sm2_city)
    assert (verdict.overall, verdict.signatures[0].unchanged.code) == (Overall.CANNOT_TELL, "partly_signed")
    assert verdict.signatures[0].facts is not None
    assert verdict.signatures[0].facts.uncovered == (_PAGE_0,)


def test_a_page_that_another_signature_calls_its_own_is_named_all_the_same(sm2_city: _City) -> None:
    """What belongs to a signature need not be covered; so only what no reader can show belongs to one."""
    note, place = "Doc_0/Annots/Annotation.xml", "Doc_0/Signs/Sign_1/Signature.xml"
    files = made.unzipped(sm2_city.sealed)
    another = files[ofds.PLACE].replace(b"Seal.esl", f"/{note}".encode())
    listed = files[ofds.LIST].replace(
        b"</ofd:Signatures>", b'<ofd:Signature ID="2" BaseLoc="Sign_1/Signature.xml"/></ofd:Signatures>'
    )
    files |= {note: b"<Annot>Fee: 9000 yuan</Annot>", place: another, ofds.LIST: listed}
    files["Doc_0/Signs/Sign_1/SignedValue.dat"] = files[ofds.VALUE]
    first = look(made.zipped(files), sm2_city).signatures[0]
    assert first.unchanged.code == "partly_signed"
    assert first.facts is not None
    assert first.facts.uncovered == (note,)


def test_whoever_may_sign_nothing_makes_no_seals(sm2_city: _City) -> None:
    card = ofds.holder("马某的登录卡", sm2_city.root, purpose="client_auth")
    found = look(ofds.sealed(card, sm2_city.signer), sm2_city)
    assert (found.overall, found.signatures[0].unchanged.code) == (Overall.NOT_TRUSTED, "seal_forged")
    held = look(sm2_city.sealed, sm2_city, sm2_city.maker, held=True)
    assert (held.overall, held.signatures[0].unchanged.code) == (Overall.NOT_TRUSTED, "seal_forged")


def test_a_seal_that_its_user_made_shows_whatever_its_user_likes(sm2_city: _City) -> None:
    """Anybody with a certificate draws the seal of the tax bureau; the signature alone says who they are."""
    own = ofds.sealed(sm2_city.other, sm2_city.other)
    again = ofds.holder("江城丝绸公司", sm2_city.root)
    for document in (own, ofds.sealed(again, sm2_city.other)):
        verdict = look(document, sm2_city)
        (one,) = verdict.signatures
        assert (verdict.overall, one.unchanged.code) == (Overall.CANNOT_TELL, "seal_self_made")
        assert (one.signer.code, one.unchanged.words.parameters) == ("signer_known", {"name": "江城丝绸公司"})
        assert "whose name the seal shows" in verdict.advice.message
        assert "seal_maker" not in codes(verdict)


def test_a_maker_of_whom_nothing_is_known_is_told(sm2_city: _City) -> None:
    far = ofds.Issuer("远方 SM2 根")
    document = ofds.sealed(ofds.holder("远方印章中心", far), sm2_city.signer)
    trust = Trust(roots=(sm2_city.root.pem, far.pem), issuers={})
    for lists, expected in (
        ([sm2_city.root.list()], (Overall.CANNOT_TELL, "seal_maker_unsaid")),
        ([sm2_city.root.list(), far.list()], (Overall.TRUSTED, "valid")),
    ):
        found = inspect(document, grounds=Grounds(trust, lists), profile=Profile.STRICT, at=NOW)
        verdict = judge(document, found, profile=Profile.STRICT, at=NOW)
        assert (verdict.overall, verdict.signatures[0].valid.code) == expected
