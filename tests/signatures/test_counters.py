# SPDX-License-Identifier: Apache-2.0
"""Who countersigned is named if somebody vouches for them; anybody may add a countersignature, and it takes nothing."""

import hashlib
import json

import pytest
from asn1crypto import cms, tsp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from signatures.formats import inspect
from signatures.models import Overall, Profile, Verdict
from signatures.pades.cms import put_into
from signatures.pades.grounds import Grounds
from signatures.verdict import judge
from tests.signatures import documents, made
from tests.signatures.pki import NOW, City, Leaf


def look(document: bytes, city: City, *, revoked: Leaf | None = None) -> Verdict:
    if revoked:
        city.people.revoke(revoked)
    try:
        grounds = Grounds(city.trust(), city.lists())
    finally:
        city.people.revoked.clear()
    found = inspect(document, grounds=grounds, profile=Profile.STRICT, at=NOW)
    return judge(document, found, profile=Profile.STRICT, at=NOW)


def _countersigned(document: bytes, by: Leaf, *, over: bytes = b"") -> bytes:
    """The same object, its signature signed once more, or something else in its place."""
    whole = cms.ContentInfo.load(document)
    signer = whole["content"]["signer_infos"][0]
    signed = over or signer["signature"].native
    # Everything but the attributes is as where somebody signs a content.
    info = cms.ContentInfo.load(made.cades(signed, [by], detached=True))["content"]["signer_infos"][0]
    names = tsp.SigningCertificateV2({"certs": [tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(made.der(by)).digest()})]})
    attributes = cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "message_digest", "values": [hashlib.sha256(signed).digest()]}),
            cms.CMSAttribute({"type": "signing_certificate_v2", "values": [names]}),
        ]
    )
    info["signed_attrs"] = attributes
    info["signature"] = by.key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256()))
    unsigned = cms.CMSAttributes([cms.CMSAttribute({"type": "counter_signature", "values": [_encoded(info)]})])
    signer["unsigned_attrs"] = unsigned
    # In the order in which a set is encoded.
    shown = sorted([*(each.chosen.dump() for each in whole["content"]["certificates"]), made.der(by)])
    data = {
        **{name: whole["content"][name] for name in ("version", "digest_algorithms", "encap_content_info")},
        "certificates": [cms.Certificate.load(each) for each in shown],
        "signer_infos": [_encoded(signer)],
    }
    whole = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(data)})
    found: bytes = whole.dump()
    return found


def _encoded(info: cms.SignerInfo) -> cms.SignerInfo:
    """As it is read: asn1crypto encodes what was changed again, twice for each level that it lies in."""
    return cms.SignerInfo.load(info.dump(force=True))


@pytest.fixture(scope="module")
def second(city: City) -> Leaf:
    return city.people.leaf("Chen Wei")


def _codes(verdict: Verdict) -> list[str]:
    return [each.code for each in verdict.problems]


def test_a_good_one_is_named_and_any_other_proves_nothing(city: City, leaf: Leaf, second: Leaf) -> None:
    letter = made.cades(made.LETTER, [leaf])
    good = _countersigned(letter, second)
    named = look(good, city)
    assert (named.overall, _codes(named)) == (Overall.TRUSTED, ["stamp_missing", "countersigned"])
    assert named.problems[1].words.parameters == {"name": "Chen Wei"}
    for verdict in (
        look(_countersigned(letter, second, over=b"another signature"), city),
        look(_countersigned(letter, City().people.leaf("Chen Wei")), city),
        look(_countersigned(letter, city.devices.leaf("Printer 7")), city),
        look(good, city, revoked=second),
    ):
        assert (verdict.overall, _codes(verdict)) == (Overall.TRUSTED, ["stamp_missing", "countersigned_in_vain"])


def test_one_of_a_json_signature_is_told_and_not_verified(city: City, leaf: Leaf, second: Leaf) -> None:
    whole = json.loads(made.jades(made.LETTER, leaf, clear=True))
    over = whole["signature"].encode()
    whole["header"]["etsiU"].append({"cSig": made.jws(over, second, detached=True).decode()})
    verdict = look(json.dumps(whole).encode(), city)
    assert (verdict.overall, _codes(verdict)) == (Overall.TRUSTED, ["stamp_missing", "countersigned_in_vain"])


def test_it_is_told_of_a_pdf_too(city: City, leaf: Leaf, second: Leaf) -> None:
    place = documents.room_for(documents.permit(), leaf)
    content = _countersigned(made.cades(documents.covered(place), [leaf], detached=True), second)
    verdict = look(put_into(place.document, start=place.start, end=place.end, content=content), city)
    assert (verdict.overall, _codes(verdict)) == (Overall.TRUSTED, ["stamp_missing", "countersigned"])
