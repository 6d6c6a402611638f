# SPDX-License-Identifier: Apache-2.0
"""Time-stamps by ML-DSA beside classical ones: told by kind, worth what each is worth, in every form of the verdict."""

import re
import subprocess
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from lxml import etree

from signatures.config import SignatureSettings
from signatures.formats import inspect
from signatures.models import Overall, Profile, StampState, Verdict
from signatures.pades.grounds import Grounds
from signatures.reports import xml
from signatures.service import Reports
from signatures.verdict import Catalogue, as_json, judge
from tests.signatures import documents, made, stamper
from tests.signatures.pki import NOW, Authority, City, Leaf


@pytest.fixture(scope="module")
def units(city: City) -> tuple[Leaf, Leaf]:
    key = MLDSA65PrivateKey.generate()
    return stamper.unit(city.organisations), stamper.unit(city.organisations, key=key)


def look(document: bytes, city: City) -> Verdict:
    found = inspect(document, grounds=Grounds(city.trust(), city.lists()), profile=Profile.STRICT, at=NOW)
    return judge(document, found, profile=Profile.STRICT, at=NOW)


def told(verdict: Verdict) -> list[tuple[str, str]]:
    return sorted(
        (each["algorithm"], each["state"]) for each in as_json(verdict, Catalogue())["signatures"][0]["stamps"]
    )


def problems(verdict: Verdict) -> dict[str, Any]:
    return {each["code"]: each for each in as_json(verdict, Catalogue())["problems"]}


def test_both_are_told_in_json_xml_and_on_paper(
    city: City, leaf: Leaf, units: tuple[Leaf, Leaf], tmp_path: Any
) -> None:
    classical, lattice = units
    verdict = look(made.cades(made.LETTER, [leaf], by=classical, beside=lattice), city)
    assert verdict.overall is Overall.TRUSTED
    assert told(verdict) == [("ML-DSA-65", "good"), ("P-256", "good")]
    notice = problems(verdict)["stamp_lasting"]
    assert notice["severity"] == "notice"
    for language, words in (("en", "withstand quantum computers"), ("zh", "抵御量子计算机")):
        assert words in notice[language]
        assert "ML-DSA-65" in notice[language]
    report = xml(as_json(verdict, Catalogue()))
    assert report.count(b"urn:tallygate:stamp:algorithm") == 2
    assert b"ML-DSA-65" in report
    settings = SignatureSettings()
    by: Any = {"en": "Jiangcheng", "zh": "江城市"}
    reports = Reports(key=b"k", by=by, font=settings.report_font, font_face=settings.report_font_face)
    paper = documents.write(tmp_path, "verdict.pdf", reports.write(reports.text(verdict), "pdf"))
    # Another maker's reader.
    read = subprocess.run(["pdftotext", "-raw", paper, "-"], check=True, capture_output=True, text=True).stdout
    plain = re.sub(r"\s", "", read)
    for words in ("ML-DSA-65(heldtowithstandquantumcomputers)", "ML-DSA-65(被认为能抵御量子计算机)", "P-256"):
        assert words in plain


def test_each_is_worth_what_it_is_worth(city: City, leaf: Leaf, units: tuple[Leaf, Leaf]) -> None:
    classical, lattice = units
    stranger = stamper.unit(Authority("Far Away CA", Authority("Far Away Root CA")), key=lattice.key)
    unknown = look(made.cades(made.LETTER, [leaf], by=classical, beside=stranger), city)
    assert told(unknown) == [("ML-DSA-65", "unknown"), ("P-256", "good")]
    assert "stamp_unconfirmed" in problems(unknown)
    assert "stamp_lasting" not in problems(unknown)
    wrong = look(made.cades(made.LETTER, [leaf], by=classical, beside=lattice, over_beside=b"something else"), city)
    assert (wrong.overall, wrong.signatures[0].valid.code) == (Overall.CANNOT_TELL, "stamp_broken")
    assert "stamp_lasting" not in problems(wrong)
    # Once the classical one is good for nothing, the other alone proves when.
    refused = city.organisations.leaf("Jiangcheng Time Stamps")
    alone = look(made.cades(made.LETTER, [leaf], by=refused, beside=lattice), city)
    assert told(alone) == [("ML-DSA-65", "good"), ("P-256", "refused")]
    assert (alone.overall, alone.signatures[0].valid.code) == (Overall.TRUSTED, "valid_then")


def test_two_of_one_xml_signature_may_be_over_two_forms_of_it(city: City, leaf: Leaf) -> None:
    """Each says how the value is written that it is over; beside other namespaces that makes a difference."""
    root, unit = etree.fromstring(made.signed_files({"letter.txt": made.LETTER}, leaf)), stamper.unit(city.people)
    for exclusive in (True, False):
        made.stamp(root, unit, NOW, None, (), exclusive=exclusive)
    first, second = root.iter("{http://uri.etsi.org/01903/v1.3.2#}UnsignedProperties")
    first[0].append(second[0][0])
    second.getparent().remove(second)
    files = {"mimetype": made.ASIC_E, "letter.txt": made.LETTER, made.SIGNATURES: etree.tostring(root)}
    found = inspect(made.zipped(files), grounds=Grounds(city.trust(), city.lists()), profile=Profile.STRICT, at=NOW)
    assert [each.state for each in found.signatures[0].stamps] == [StampState.GOOD, StampState.GOOD]
