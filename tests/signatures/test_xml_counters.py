# SPDX-License-Identifier: Apache-2.0
"""Countersignatures in XML (XAdES, 5.2.7): named like those of CAdES, or said to prove nothing; they take nothing."""

from collections.abc import Sequence
from typing import Any

import pytest
from lxml import etree

from signatures.formats import inspect
from signatures.models import Overall, Profile, Verdict
from signatures.pades.grounds import Grounds
from signatures.verdict import judge
from tests.signatures import made, stamper
from tests.signatures.pki import NOW, City, Leaf
from tests.signatures.wrappings import C14N

_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_XADES = "{http://uri.etsi.org/01903/v1.3.2#}"
NAMED, IN_VAIN = ["stamp_missing", "countersigned"], ["stamp_missing", "countersigned_in_vain"]


def look(document: bytes, city: City, *, revoked: Leaf | None = None) -> Verdict:
    if revoked:
        city.people.revoke(revoked)
    try:
        grounds = Grounds(city.trust(), city.lists())
    finally:
        city.people.revoked.clear()
    return judge(
        document,
        inspect(document, grounds=grounds, profile=Profile.STRICT, at=NOW),
        profile=Profile.STRICT,
        at=NOW,
    )


def _codes(verdict: Verdict) -> list[str]:
    return [each.code for each in verdict.problems]


def _over(value: bytes, signer: Leaf, *more: made.Part, uri: str = "#value", **how: Any) -> Any:
    return made.xades_over([made.Part(uri, value, (C14N,)), *more], signer, **how)


@pytest.fixture(scope="module")
def second(city: City) -> Leaf:
    return city.people.leaf("Chen Wei")


@pytest.fixture(scope="module")
def letters(leaf: Leaf) -> Sequence[tuple[bytes, bytes]]:
    """Each with the value to be countersigned."""
    files = made.signed_files({"letter.txt": made.LETTER}, leaf)
    return [made.named_value(each) for each in (made.xades(made.LETTER, leaf), files)]


def test_a_good_one_is_named_wherever_it_stands(
    city: City, leaf: Leaf, second: Leaf, letters: Sequence[tuple[bytes, bytes]]
) -> None:
    unit = stamper.unit(city.people)
    (letter, value), (files, listed) = letters
    within = made.countersigned(files, [_over(listed, second)])
    stamped = etree.fromstring(letter)
    made.stamp(stamped, unit, NOW, None, ())
    by_stamped = _over(value, second, by=unit)
    container = made.zipped({"mimetype": made.ASIC_E, "letter.txt": made.LETTER, made.SIGNATURES: within})
    for document, codes in (
        (made.countersigned(letter, [_over(value, second)]), NAMED),
        (made.countersigned(etree.tostring(stamped), [by_stamped]), ["countersigned"]),
        (container, NAMED),
    ):
        verdict = look(document, city)
        assert (verdict.overall, len(verdict.signatures), _codes(verdict)) == (Overall.TRUSTED, 1, codes)
        assert verdict.problems[-1].words.parameters == {"name": "Chen Wei"}


def test_any_other_proves_nothing_and_takes_nothing(
    city: City, second: Leaf, letters: Sequence[tuple[bytes, bytes]]
) -> None:
    letter, value = letters[0]
    good = made.countersigned(letter, [_over(value, second)])
    forged = _over(value, second)
    text = forged.find(f"{_DS}SignatureValue")
    text.text = text.text[4:8] + text.text[:4] + text.text[8:]
    nameless = _over(value, second)
    nameless.remove(nameless.find(f"{_DS}KeyInfo"))
    for verdict in (
        look(made.countersigned(letter, [_over(b"another signature", second)]), city),
        look(made.countersigned(letter, [forged]), city),
        look(made.countersigned(letter, [nameless]), city),
        look(made.countersigned(letter, [_over(value, City().people.leaf("Chen Wei"))]), city),
        look(made.countersigned(letter, [_over(value, city.devices.leaf("Printer 7"))]), city),
        look(good, city, revoked=second),
    ):
        assert (verdict.overall, _codes(verdict)) == (Overall.TRUSTED, IN_VAIN)


def test_one_that_signs_something_else_is_no_countersignature(
    city: City, leaf: Leaf, second: Leaf, letters: Sequence[tuple[bytes, bytes]]
) -> None:
    letter, value = letters[0]
    # A signature that they made of their own letter, or of more than this value, was not made of this signature.
    other, elsewhere = made.named_value(made.xades(b"Another letter", second), "other")
    more = made.Part("https://evil.example/letter.xml", b"")
    for each in (
        _over(b"whole", second, uri=""),
        _over(value, second, more),
        etree.fromstring(other).find(f"{_DS}Signature"),
        _over(elsewhere, second, uri="#other"),
    ):
        verdict = look(made.countersigned(letter, [each]), city)
        assert (verdict.overall, _codes(verdict)) == (Overall.TRUSTED, IN_VAIN)


def test_one_of_a_countersignature_says_nothing_of_the_signature(
    city: City, leaf: Leaf, second: Leaf, letters: Sequence[tuple[bytes, bytes]]
) -> None:
    letter, value = letters[0]
    inner, over = made.named_value(etree.tostring(_over(value, second)), "inner")
    third = _over(over, city.people.leaf("Li Na"), uri="#inner")
    nested = etree.fromstring(made.countersigned(inner, [third]))
    verdict = look(made.countersigned(letter, [nested]), city)
    assert (verdict.overall, _codes(verdict)) == (Overall.TRUSTED, [*NAMED, "countersigned_in_vain"])


def test_it_is_no_place_for_content_and_no_place_to_hide_a_signature(
    city: City, leaf: Leaf, second: Leaf, letters: Sequence[tuple[bytes, bytes]]
) -> None:
    letter, value = letters[0]
    loose = _over(value, second)
    etree.SubElement(loose, f"{_DS}Object").text = "The city owes you 9000 yuan."
    verdict = look(made.countersigned(letter, [loose]), city)
    assert (verdict.overall, verdict.signatures[0].unchanged.code) == (Overall.CANNOT_TELL, "partly_signed")
    # Anywhere else it is a signature of its own, over nothing that a reader sees.
    root = etree.fromstring(letter)
    etree.SubElement(root, f"{_XADES}CounterSignature").append(_over(value, second))
    verdict = look(etree.tostring(root), city)
    assert (verdict.overall, len(verdict.signatures)) == (Overall.NOT_TRUSTED, 2)
