# SPDX-License-Identifier: Apache-2.0
"""No attack on signed XML or on containers makes changed content pass for unchanged, or a signed file for unsigned."""

from collections.abc import Mapping

import pytest
from lxml import etree

from signatures.formats import inspect
from signatures.models import Format, Indication, Overall, Profile, Verdict
from signatures.pades.grounds import Grounds
from signatures.sandbox import ReaderPool
from signatures.verdict import judge
from tests.signatures import made, wrappings
from tests.signatures.pki import NOW, City, Leaf

FILES = {"letter.txt": made.LETTER, "plan.xml": b"<plan>x</plan>"}
OTHER = b"The city owes you 9000 yuan.\n"


def look(document: bytes, city: City, content: bytes | None = None) -> Verdict:
    grounds = Grounds(city.trust(), city.lists())
    found = inspect(document, grounds=grounds, profile=Profile.STRICT, at=NOW, content=content)
    return judge(document, found, profile=Profile.STRICT, at=NOW, content=content)


def refused(document: bytes, city: City, *, content: bytes | None = None) -> Verdict:
    verdict = look(document, city, content)
    assert verdict.overall is not Overall.TRUSTED, verdict.signatures
    assert verdict.indication is not Indication.NO_SIGNATURE
    return verdict


def uncovered(verdict: Verdict) -> set[str]:
    return {name for one in verdict.signatures if one.facts for name in one.facts.uncovered}


@pytest.fixture(scope="module")
def second(city: City) -> Leaf:
    return city.people.leaf("Chen Wei")


@pytest.mark.parametrize("named", ["Id", "{urn:wss}Id", ""])
def test_a_signed_letter_is_never_found_in_another_place(named: str, city: City, leaf: Leaf) -> None:
    signed = made.xades(made.LETTER, leaf, named=named)
    assert named.startswith("{") or look(signed, city).overall is Overall.TRUSTED
    for name, forge in {**wrappings.WRAPPED, **wrappings.ADDED}.items():
        forged = forge(signed)
        if forged == signed:
            assert named == "", name
            continue
        verdict = look(forged, city)
        assert verdict.overall is not Overall.TRUSTED, name
        assert verdict.indication is not Indication.NO_SIGNATURE, name


def test_an_object_that_the_signature_does_not_reach_is_named_beside_one_that_it_does(city: City, leaf: Leaf) -> None:
    signed = made.xades(made.LETTER, leaf, enveloping=True)
    assert look(signed, city).overall is Overall.TRUSTED
    swapped = signed.replace(b'Id="object"', b'Id="other"')
    refused(swapped, city)
    for name in ("an object of no reference", "content beside the properties",
                 "content in properties that nobody signs", "a comment within a text"):  # fmt: skip
        assert uncovered(refused(wrappings.ADDED[name](signed), city)) == {"XML"}, name
    # What interrupts no text changes none.
    told = signed.replace(b"<letter", b"<!-- a letter --><letter").replace(
        b"<ds:SignedInfo", b"<!-- x --><ds:SignedInfo"
    )
    assert told != signed
    assert look(told, city).overall is Overall.TRUSTED


def test_what_a_transform_drops_is_not_signed(city: City, leaf: Leaf) -> None:
    for document in wrappings.transformed(leaf).values():
        refused(document, city)
    # Yet text in base64, which is all that an object holds, is.
    assert look(wrappings.in_base64(leaf), city).overall is Overall.TRUSTED


def test_a_reference_to_elsewhere_is_fetched_from_nowhere(city: City, leaf: Leaf) -> None:
    for uri in ("https://evil.example/letter.txt", "file:///etc/passwd", "//evil.example/x", "ftp://evil.example/"):
        document = etree.tostring(made.xades_over([made.Part(uri, made.LETTER)], leaf))
        assert refused(document, city).signatures[0].unchanged.code == "content_missing"
        assert look(document, city, made.LETTER).overall is Overall.TRUSTED
        refused(document, city, content=OTHER)
        # A page around the signature is not what came beside it.
        page = etree.fromstring(b"<letter>9000 yuan</letter>")
        page.append(etree.fromstring(document))
        assert uncovered(refused(etree.tostring(page), city, content=made.LETTER)) == {"XML"}
        whole = made.zipped({**FILES, made.SIGNATURES: document})
        refused(whole, city)


def test_more_signatures_than_anybody_needs_are_not_passed_over(city: City, leaf: Leaf) -> None:
    root = etree.Element("letters")
    for _ in range(22):
        root.append(etree.fromstring(made.xades(made.LETTER, leaf)))
    assert "limits" in {problem.code for problem in refused(etree.tostring(root), city).problems}


def test_a_container_with_xades_is_trusted_with_or_without_its_type(city: City, leaf: Leaf, second: Leaf) -> None:
    whole = made.asic_xades(FILES, leaf)
    verdict = look(whole, city)
    assert (verdict.overall, verdict.format) == (Overall.TRUSTED, Format.ASIC)
    assert verdict.signatures[0].facts is not None
    assert set(verdict.signatures[0].facts.covered) == set(FILES)
    assert look(wrappings.with_more(whole, {"mimetype": None}), city).overall is Overall.TRUSTED
    # Another signer in a file of their own, by XAdES or by CAdES over the only list.
    other = {"META-INF/signatures2.xml": made.signed_files(FILES, second)}
    both = look(wrappings.with_more(whole, other), city)
    assert [one.overall for one in both.signatures] == [Overall.TRUSTED] * 2
    listed = made.manifest(FILES, "META-INF/signature.p7s")
    cades = {"META-INF/ASiCManifest.xml": listed, "META-INF/signature.p7s": made.cades(listed, [second], detached=True)}
    both = look(wrappings.with_more(whole, cades), city)
    assert [one.overall for one in both.signatures] == [Overall.TRUSTED] * 2
    stranger = {"META-INF/signatures2.xml": made.signed_files(FILES, City().seal())}
    mixed = refused(wrappings.with_more(whole, stranger), city)
    assert [one.overall for one in mixed.signatures] == [Overall.TRUSTED, Overall.NOT_TRUSTED]


def test_members_altered_added_and_hidden_are_told(city: City, leaf: Leaf) -> None:
    whole = made.asic_xades(FILES, leaf)
    altered = refused(wrappings.with_more(whole, {"letter.txt": OTHER}), city)
    assert (altered.overall, altered.subindication) == (Overall.NOT_TRUSTED, "HASH_FAILURE")
    assert refused(wrappings.with_more(whole, {"letter.txt": None}), city).overall is Overall.CANNOT_TELL
    hidden: Mapping[str, bytes] = {
        "other.txt": OTHER,
        "META-INF/letter.txt": OTHER,
        "META-INF/more/letter.pdf": OTHER,
        "mimetype": b"<html>9000 yuan</html>",
    }
    for name, content in hidden.items():
        assert uncovered(refused(wrappings.with_more(whole, {name: content}), city)) == {name}
    # A list within the signature that says more than the signature itself.
    manifest = etree.Element("{http://www.w3.org/2000/09/xmldsig#}Manifest", Id="list")
    listed = etree.SubElement(manifest, "{http://www.w3.org/2000/09/xmldsig#}Reference", URI="other.txt")
    listed.text = "x"
    part = made.Part("#list", etree.tostring(manifest, method="c14n", exclusive=True), (wrappings.C14N,))
    signature = made.xades_over([part], leaf)
    etree.SubElement(signature, "{http://www.w3.org/2000/09/xmldsig#}Object").append(manifest)
    refused(
        made.zipped({"mimetype": made.ASIC_E, "other.txt": OTHER, made.SIGNATURES: etree.tostring(signature)}), city
    )


def test_a_wrapped_list_of_files_counts_for_nothing(city: City, leaf: Leaf) -> None:
    def sign(listed: bytes) -> bytes:
        return made.cades(listed, [leaf], detached=True)

    whole = made.asic(FILES, sign)
    assert look(whole, city).overall is Overall.TRUSTED
    files = made.unzipped(whole)
    real, other = files["META-INF/ASiCManifest.xml"], {**FILES, "letter.txt": OTHER}
    forged = made.manifest(other, "META-INF/signature.p7s")
    for lists in (
        {"META-INF/ASiCManifest.xml": forged},
        {"META-INF/ASiCManifest.xml": forged[:-16] + real + forged[-16:]},
        {"META-INF/ASiCManifest.xml": b"<x>" + real + forged + b"</x>"},
        {"META-INF/ASiCManifest0.xml": forged},
        {"META-INF/ASiCManifest.xml": None, "META-INF/asicmanifest1.xml": forged},
        {"META-INF/ASiCManifest.xml": real.replace(b"ASiCManifest", b"ASiCMenifest")},
    ):
        refused(wrappings.with_more(whole, {"letter.txt": OTHER, **lists}), city)


def test_a_container_whose_signatures_are_gone_is_not_called_unsigned(city: City, leaf: Leaf) -> None:
    whole = made.asic_xades(FILES, leaf)
    for emptied in (b"", b"<x/>", b"<!DOCTYPE x><x/>", b"not XML", None):
        refused(wrappings.with_more(whole, {made.SIGNATURES: emptied}), city)
    cades = made.asic(FILES, lambda listed: made.cades(listed, [leaf], detached=True))
    for emptied in (b"", b"\x30\x00", None):
        refused(wrappings.with_more(cades, {"META-INF/signature.p7s": emptied}), city)
    # Looks like another kind of container, whose reader would find nothing.
    for disguise in ({"OFD.xml": b"<x/>"}, {"META-INF/manifest.json": b'{"files": {}}'}):
        refused(wrappings.with_more(whole, disguise), city)
    # An office document has the same folder, and nobody has signed it.
    office = {
        "mimetype": b"application/vnd.oasis.opendocument.text",
        "META-INF/manifest.xml": b"<x/>",
        "a.xml": b"<a/>",
    }
    assert look(made.zipped(office), city).indication is Indication.NO_SIGNATURE


def test_what_two_programs_would_unpack_differently_is_not_trusted(city: City, leaf: Leaf, readers: ReaderPool) -> None:
    whole = made.asic_xades(FILES, leaf)
    two = wrappings.with_more(whole, {"lettex.txt": OTHER, "mimetypf": made.ASIC_E})
    evil = {
        "two of a name": wrappings.renamed(two, "lettex.txt", "letter.txt"),
        "two types": wrappings.renamed(two, "mimetypf", "mimetype"),
        "two that differ in case": wrappings.with_more(whole, {"LETTER.txt": OTHER}),
        "another name where it stands": wrappings.renamed(two, "mimetypf", "plan.xml", times=1),
        "a name cut short": wrappings.renamed(two, "lettex.txt", "letter.\0xt"),
        "a folder above": wrappings.with_more(whole, {"../letter.txt": OTHER}),
        "a folder above, within": wrappings.with_more(whole, {"a/../../letter.txt": OTHER}),
        "a place of the machine": wrappings.with_more(whole, {"/etc/cron.d/x": OTHER}),
        "a place of another machine": wrappings.with_more(whole, {"C:\\letter.txt": OTHER}),
        "more than fits": wrappings.claimed(whole, 1 << 31),
        "more than the directory says": wrappings.bomb(made.unzipped(whole), 16 << 20),
        "very many": made.zipped({**made.unzipped(whole), **{f"{n}.txt": b"" for n in range(2001)}}),
        "bytes before": b"MZ" + whole,
        "bytes behind": whole + b"\n",
    }
    for name, document in evil.items():
        verdict = look(document, city)
        assert verdict.overall is not Overall.TRUSTED, name
        assert verdict.indication is not Indication.NO_SIGNATURE, name
    for name in ("more than fits", "more than the directory says"):
        there = readers.inspect(
            evil[name], trust=city.trust(), lists=city.lists(), profile=Profile.STRICT, at=NOW, content=None
        )
        assert there.failure or any(one.uncovered for one in there.signatures), name
    assert look(wrappings.folded(made.unzipped(whole)), city).overall is Overall.TRUSTED


def test_a_container_in_which_two_programs_find_two_files_is_not_trusted(city: City, leaf: Leaf) -> None:
    whole = made.asic_xades(FILES, leaf)
    held = {"META-INF/a.tst": OTHER}
    assert look(wrappings.with_more(whole, held), city).overall is Overall.TRUSTED
    forged = (
        wrappings.called_otherwise(whole, "META-INF/a.tst", other="letter.txt", content=OTHER),
        wrappings.two_directories(whole, "letter.txt", OTHER),
        wrappings.two_streams(whole, "letter.txt", OTHER),
        wrappings.with_more(whole, {"META-INF/letter.txt/": OTHER}),
    )
    for document in forged:
        assert uncovered(refused(document, city)) == {"ZIP"}
    refused(whole[:-22] + b"PK" + whole[-22:], city)
    # Names that some systems take for one, and one that is none.
    for more in ({"caf\u00e9": b"x", "cafe\u0301": b"y"}, {"": b"x"}):
        document = wrappings.with_more(whole, more)
        assert refused(document, city).signatures[0].unchanged.code == "malformed"
    # What is packed, and what is said behind each file, changes nothing.
    assert look(wrappings.folded(made.unzipped(whole)), city).overall is Overall.TRUSTED
    assert look(wrappings.unseekable(made.unzipped(whole)), city).overall is Overall.TRUSTED
