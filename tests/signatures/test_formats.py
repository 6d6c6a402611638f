# SPDX-License-Identifier: Apache-2.0
"""Every kind of file gets a verdict; what is wrapped, smuggled in or stands apart is never called unchanged."""

import base64
import hashlib
import json
from typing import Any

import pytest

from signatures.formats import inspect, kind_of
from signatures.models import Format, Inspection, Overall, Profile, Verdict
from signatures.pades.grounds import Grounds
from signatures.proofs import sm2
from signatures.sandbox import ReaderPool
from signatures.verdict import judge
from tests.signatures import documents, made, stamper
from tests.signatures.pki import NOW, City, Leaf


def read(document: bytes, city: City, content: bytes | None = None) -> Inspection:
    return inspect(
        document, grounds=Grounds(city.trust(), city.lists()), profile=Profile.STRICT, at=NOW, content=content
    )


def look(document: bytes, city: City, content: bytes | None = None) -> Verdict:
    found = read(document, city, content)
    return judge(document, found, profile=Profile.STRICT, at=NOW, content=content)


@pytest.fixture(scope="module")
def second(city: City) -> Leaf:
    return city.people.leaf("Chen Wei")


def test_several_signers_are_each_judged(city: City, leaf: Leaf, second: Leaf) -> None:
    both = look(made.cades(made.LETTER, [leaf, second]), city)
    assert [one.overall for one in both.signatures] == [Overall.TRUSTED, Overall.TRUSTED]
    mixed = look(made.cades(made.LETTER, [leaf, City().seal()]), city)
    # Signers are a set, which DER sorts by their bytes.
    assert {one.overall for one in mixed.signatures} == {Overall.TRUSTED, Overall.NOT_TRUSTED}
    assert mixed.overall is Overall.NOT_TRUSTED


def test_a_detached_signature_alone_asks_for_its_document(city: City, leaf: Leaf) -> None:
    for signed in (made.cades(made.LETTER, [leaf], detached=True), made.jws(made.LETTER, leaf, detached=True)):
        alone = look(signed, city)
        assert (alone.overall, alone.subindication) == (Overall.CANNOT_TELL, "SIGNED_DATA_NOT_FOUND")
        assert alone.signatures[0].unchanged.code == "content_missing"
        assert look(signed, city, made.LETTER).overall is Overall.TRUSTED
        assert look(signed, city, made.LETTER + b" ").overall is Overall.NOT_TRUSTED


def test_the_text_forms_of_cms_are_read(city: City, leaf: Leaf) -> None:

    signed = made.cades(made.LETTER, [leaf])
    encoded = base64.encodebytes(signed)
    for text in (encoded, b"-----BEGIN PKCS7-----\n" + encoded + b"-----END PKCS7-----\n"):
        assert kind_of(text) is Format.CMS
        assert look(text, city).overall is Overall.TRUSTED


def test_another_certificate_than_the_signed_one_is_noticed(city: City, leaf: Leaf, second: Leaf) -> None:
    swapped = look(made.cades(made.LETTER, [leaf], named=second), city)
    assert swapped.signatures[0].unchanged.code == "certificate_swapped"
    assert swapped.overall is Overall.NOT_TRUSTED


def test_a_weak_digest_is_not_trusted(city: City, leaf: Leaf) -> None:
    weak = look(made.cades(made.LETTER, [leaf], digest="sha1"), city)
    assert weak.overall is not Overall.TRUSTED
    assert "algorithm_weak" in {problem.code for problem in weak.problems}


def test_signed_xml_wrapped_into_other_xml_is_not_unchanged(city: City, leaf: Leaf) -> None:
    signed = made.xades(made.LETTER, leaf)
    assert look(signed, city).overall is Overall.TRUSTED
    around = b"<letters><letter>The city owes you 9000 yuan.</letter>" + signed + b"</letters>"
    assert look(around, city).overall is not Overall.TRUSTED
    enveloping = made.xades(made.LETTER, leaf, enveloping=True)
    end = enveloping.rindex(b"</")
    stranger = b"<ds:Object xmlns:ds='http://www.w3.org/2000/09/xmldsig#'>9000</ds:Object>"
    smuggled = enveloping[:end] + stranger + enveloping[end:]
    assert look(smuggled, city).overall is not Overall.TRUSTED
    typed = b'<!DOCTYPE letter [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + signed
    assert look(typed, city).overall is Overall.CANNOT_TELL


def test_a_file_smuggled_into_a_container_is_named(city: City, leaf: Leaf) -> None:
    def sign(listed: bytes) -> bytes:
        return made.cades(listed, [leaf], detached=True)

    whole = made.asic({"letter.txt": made.LETTER}, sign)
    assert look(whole, city).overall is Overall.TRUSTED
    more = look(made.asic({"letter.txt": made.LETTER}, sign, more={"other.txt": b"9000"}), city)
    assert more.signatures[0].unchanged.code == "partly_signed"
    assert "other.txt" in more.signatures[0].unchanged.words.parameters["files"]  # type: ignore[operator]  # a text
    for polyglot in (b"MZ" + whole, whole + b"\n"):
        assert look(polyglot, city).overall is not Overall.TRUSTED


def test_a_list_of_files_that_no_signature_is_over_proves_nothing(city: City, leaf: Leaf) -> None:
    honest = made.asic({"letter.txt": made.LETTER}, lambda listed: made.cades(listed, [leaf], detached=True))
    whole = made.unzipped(honest)
    other = {"letter.txt": b"The city owes you 9000 yuan.\n"}
    forged = {**whole, **other, "META-INF/ASiCManifest.xml": made.manifest(other, "META-INF/signature.p7s")}
    assert look(made.zipped(forged), city).overall is Overall.NOT_TRUSTED


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"crit": ["sigT", "exp"]},
        {"crit": []},
        {"crit": {"sigT": 1}},
        {"x5c": []},
        *({"b64": said, "crit": ["b64"]} for said in (0, None, "", "false")),
    ],
    ids=lambda header: "-".join(f"{name}-{said}" for name, said in header.items()),
)
def test_what_a_header_may_not_say_is_unread_and_never_unsigned(header: dict[str, Any], city: City, leaf: Leaf) -> None:
    verdict = look(made.jws(made.LETTER, leaf, **header), city)
    assert verdict.overall is Overall.CANNOT_TELL
    assert verdict.subindication == "FORMAT_FAILURE"


@pytest.mark.parametrize("said", ["crit", "b64", "alg", "x5c"])
def test_what_stands_unsigned_beside_a_signature_cannot_be_read_for_what_is_signed(
    said: str, city: City, leaf: Leaf
) -> None:
    whole = json.loads(made.jades(made.LETTER, leaf))
    assert look(json.dumps({**whole, "header": {"kid": "1"}}).encode(), city).overall is Overall.TRUSTED
    told = {"crit": ["b64"], "b64": False, "alg": "ES512", "x5c": []}
    verdict = look(json.dumps({**whole, "header": {said: told[said]}}).encode(), city)
    assert (verdict.overall, verdict.subindication) == (Overall.CANNOT_TELL, "FORMAT_FAILURE")


def test_one_payload_is_not_two_contents(city: City, leaf: Leaf, second: Leaf) -> None:
    """One signed the letter, and another one its letters in base64 as they stand."""
    protected, payload, signature = made.jws(made.LETTER, leaf).split(b".")
    other, _, another = made.jws(made.LETTER, second, b64=False, crit=["sigT", "b64"]).split(b".")
    parts = [(protected, signature), (other, another)]
    found = [{"protected": each.decode(), "signature": value.decode()} for each, value in parts]
    for several, overall in ((found[:1], Overall.TRUSTED), (found[1:], Overall.TRUSTED), (found, Overall.CANNOT_TELL)):
        document = json.dumps({"payload": payload.decode(), "signatures": several}).encode()
        assert look(document, city).overall is overall


def test_a_name_twice_in_a_header_is_not_read(city: City) -> None:
    whole = json.dumps({"payload": "eA", "protected": "e30", "signature": "eA"}).encode()
    assert look(whole[:-1] + b', "payload": "eQ"}', city).overall is Overall.CANNOT_TELL


def test_an_evidence_file_whose_files_are_others_is_not_unchanged(city: City, leaf: Leaf) -> None:
    own = {"README.txt": b"read me", "logs/1/entries/1.json": b"{}"}
    report = documents.sealed(documents.permit(keywords=made.naming(own)), leaf)
    whole = made.evidence(report, own)
    good = look(whole, city)
    assert (good.overall, good.format) == (Overall.TRUSTED, Format.EVIDENCE)
    files = made.unzipped(whole)
    assert look(made.zipped({**files, "README.txt": b"read it"}), city).overall is Overall.NOT_TRUSTED
    assert look(made.zipped({**files, "more.txt": b"more"}), city).overall is Overall.NOT_TRUSTED
    # The manifest is signed by nobody: whoever swaps a file writes another one.
    for swapped in ({**own, "logs/1/entries/1.json": b"[]"}, {**own, "verify_evidence.py": b"exit(0)"}, {}):
        forged = look(made.evidence(report, swapped), city)
        assert (forged.overall, forged.subindication) == (Overall.NOT_TRUSTED, "HASH_FAILURE")


def test_two_files_of_an_evidence_file_are_not_hidden_in_one_name(city: City, leaf: Leaf) -> None:
    own = {"a": b"1", "b": b"2"}
    report = documents.sealed(documents.permit(keywords=made.naming(own)), leaf)
    merged = f"a\n{hashlib.sha256(b'2').hexdigest()}  b"
    assert made.naming({merged: b"1"}) == made.naming(own)
    assert look(made.evidence(report, {merged: b"1"}), city).overall is not Overall.TRUSTED


def test_a_report_that_names_no_files_vouches_for_none(city: City, leaf: Leaf, sealed: bytes) -> None:
    """Anything that anybody signed would else do as the report on made-up entries."""
    odd = documents.sealed(documents.permit(keywords="tallygate-files:sha256:"), leaf)
    for report in (sealed, odd):
        verdict = look(made.evidence(report, {"logs/1/entries/1.json": b"{}"}), city)
        (one,) = verdict.signatures
        assert (verdict.overall, one.unchanged.code) == (Overall.CANNOT_TELL, "partly_signed")
        assert one.facts is not None
        assert one.facts.uncovered == ("logs/1/entries/1.json",)


def test_every_truncation_of_every_kind_is_survived_and_never_trusted(city: City, leaf: Leaf) -> None:
    whole = [
        made.cades(made.LETTER, [leaf]),
        made.jws(made.LETTER, leaf),
        made.xades(made.LETTER, leaf),
        made.asic({"letter.txt": made.LETTER}, lambda listed: made.cades(listed, [leaf], detached=True)),
    ]
    for signed in whole:
        for length in range(0, len(signed) - 2, max(1, len(signed) // 12)):
            assert look(signed[:length], city).overall is not Overall.TRUSTED


def test_locked_in_every_kind_is_read_alike(city: City, leaf: Leaf, readers: ReaderPool) -> None:
    detached = made.cades(made.LETTER, [leaf], detached=True)
    for signed, content in (
        (detached, made.LETTER),
        (made.xades(made.LETTER, leaf), None),
        (made.jws(made.LETTER, leaf), None),
        (made.asic({"letter.txt": made.LETTER}, lambda listed: made.cades(listed, [leaf], detached=True)), None),
        (b"PK\x03\x04 no", None),
        (b"hello", None),
    ):
        there = readers.inspect(
            signed, trust=city.trust(), lists=city.lists(), profile=Profile.STRICT, at=NOW, content=content
        )
        assert there == read(signed, city, content)


def test_sm2_verifies_the_published_vector_and_nothing_else() -> None:
    """GB/T 32918.5, annex A.2."""
    point = bytes.fromhex(
        "0409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
        "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
    )
    r = bytes.fromhex("F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3")
    s = bytes.fromhex("B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA")
    good = b"\x30\x46\x02\x21\0" + r + b"\x02\x21\0" + s
    assert sm2.verifies(good, b"message digest", point)
    assert not sm2.verifies(good, b"message digesT", point)
    assert not sm2.verifies(good, b"message digest", point, signer=b"somebody else")
    assert not sm2.verifies(good + b"\0", b"message digest", point)
    assert not sm2.verifies(b"\x30\x06\x02\x01\0\x02\x01\0", b"message digest", point)
    assert not sm2.verifies(good, b"message digest", point[:-1] + b"\0")
    # GB/T 32905, example 1.
    assert sm2.sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


def test_a_stamp_beside_a_json_signature_counts_if_it_is_over_that_signature(city: City, leaf: Leaf) -> None:
    unit = stamper.unit(city.organisations)
    for clear in (False, True):
        stamped = look(made.jades(made.LETTER, leaf, by=unit, clear=clear), city)
        assert (stamped.overall, stamped.signatures[0].valid.code) == (Overall.TRUSTED, "valid_then")
    raw = made.jades(made.LETTER, leaf, by=unit)
    borrowed = json.loads(raw)
    borrowed["header"] = json.loads(made.jades(b"another letter", leaf, by=unit))["header"]
    assert look(json.dumps(borrowed).encode(), city).signatures[0].valid.code == "stamp_broken"
    malformed: list[Any] = [[7], ["%"], [{"sigTst": []}], 1, [{"rVals": 1}]]
    for wrong in malformed:
        damaged = look(json.dumps({**json.loads(raw), "header": {"etsiU": wrong}}).encode(), city)
        assert (damaged.overall, damaged.signatures[0].unchanged.code) == (Overall.CANNOT_TELL, "part_malformed")


def test_a_list_of_one_file_elsewhere_is_compared_and_of_several_named(city: City, leaf: Leaf) -> None:
    def unchanged(verdict: Verdict) -> str:
        return verdict.signatures[0].unchanged.code

    def listing(*files: bytes, **more: object) -> bytes:
        values = [_url(hashlib.sha256(_url(each)).digest()).decode() for each in files]
        told = {"mId": "http://uri.etsi.org/19182/ObjectIdByURIHash", "hashM": "S256", "hashV": values}
        told |= {"pars": [f"{number}.txt" for number in range(len(files))]}
        return made.jws(b"", leaf, crit=["sigT", "sigD"], sigD={**told, **more})

    one = listing(made.LETTER)
    assert look(one, city, content=made.LETTER).overall is Overall.TRUSTED
    assert unchanged(look(one, city)) == "content_missing"
    for content in (b"The city owes you 9000 yuan.\n", _url(made.LETTER), b""):
        altered = look(one, city, content=content)
        assert (altered.overall, unchanged(altered)) == (Overall.NOT_TRUSTED, "content_altered")
    for many in (listing(made.LETTER, b"plan"), listing(made.LETTER, mId="http://uri.etsi.org/19182/HttpHeaders")):
        verdict = look(many, city, content=made.LETTER)
        assert (verdict.overall, unchanged(verdict)) == (Overall.CANNOT_TELL, "detached_list")
    # A list beside a payload, or one that a reader may pass over.
    for odd in (
        made.jws(made.LETTER, leaf, crit=["sigT", "sigD"], sigD={}),
        made.jws(b"", leaf, sigD={"mId": "http://uri.etsi.org/19182/ObjectIdByURIHash"}),
    ):
        assert unchanged(look(odd, city, content=made.LETTER)) == "part_malformed"


def _url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
