# SPDX-License-Identifier: Apache-2.0
"""The XML report says what the JSON says, field by field, over the matrix; its structure is the standard's."""

import re
import shutil
import subprocess
from base64 import b64decode, b64encode
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from pyhanko.generated.etsi import ts_11910202
from xsdata.formats.dataclass.context import XmlContext
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.config import ParserConfig
from xsdata.formats.dataclass.serializers import XmlSerializer

from signatures.config import SignatureSettings
from signatures.formats import inspect
from signatures.models import Level, Profile, Verdict
from signatures.pades.grounds import Grounds
from signatures.reports import xml
from signatures.service import Reports
from signatures.verdict import Catalogue, as_json, judge
from signatures.verdict.words import Language
from tests.signatures import made, matrix
from tests.signatures.pki import NOW, City

_STRICT = ParserConfig(
    fail_on_unknown_properties=True, fail_on_unknown_attributes=True, fail_on_converter_warnings=True
)
# What is known of the schema's classes, which are many.
_SHAPES = XmlContext()
_OURS, _ETSI = "urn:tallygate:", "urn:etsi:019102:"


@pytest.fixture(scope="module")
def makers() -> matrix.Makers:
    return matrix.Makers()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


def look(sample: matrix.Sample, makers: matrix.Makers) -> Verdict:
    grounds = Grounds(makers.trust, sample.lists)
    found = inspect(sample.document, grounds=grounds, profile=Profile.STRICT, at=NOW, content=sample.content)
    return judge(sample.document, found, profile=Profile.STRICT, at=NOW, content=sample.content)


def parsed(document: bytes) -> ts_11910202.ValidationReport:
    """Read by the classes that pyHanko made from the standard's schema: nothing unknown, missing or out of order."""
    report = XmlParser(config=_STRICT, context=_SHAPES).from_bytes(document, ts_11910202.ValidationReport)
    _whole(report)
    again = XmlSerializer(context=_SHAPES).render(report)
    assert _names(document) == _names(again.encode())
    return report


def _names(document: bytes) -> list[str]:
    return [node.tag for node in etree.fromstring(document).iter()]


def _whole(node: Any) -> None:
    for each in fields(node):
        value = getattr(node, each.name)
        assert value is not None or not each.metadata.get("required"), (type(node).__name__, each.name)
        if each.name == "signers_document_representation":
            # One of two in the schema's choice, of which the classes make both.
            continue
        assert len(value) >= each.metadata.get("min_occurs", 0) if isinstance(value, tuple) else True
        for one in value if isinstance(value, tuple) else (value,):
            if is_dataclass(one):
                _whole(one)


def data(status: ts_11910202.ValidationStatusType | None) -> list[tuple[str, str]]:
    assert status is not None
    more = status.associated_validation_report_data[0].additional_validation_report_data
    assert more is not None
    return [(str(each.type_value).removeprefix(_OURS), _value(each)) for each in more.report_data]


def _value(each: ts_11910202.TypedDataType) -> str:
    value: Any = each.value
    return str(getattr(value, "value", value) or "")


def back(document: bytes) -> dict[str, Any]:
    """The verdict's JSON, from nothing but the XML."""
    report = parsed(document)
    objects = {each.id: each for each in report.signature_validation_objects.validation_object}  # type: ignore[union-attr]  # it is there
    signatures, problems = [], []
    said: dict[str, str] = {}
    for number, one in enumerate(report.signature_validation_report, start=1):
        told = data(one.signature_validation_status)
        said = {**said, **dict(told)}
        signatures.append(_signature(number, one, told, objects))
        for kind, value in told:
            if kind.startswith("problem:"):
                _, signature, severity, question, code, language = kind.split(":")
                if language == "en":
                    problems.append(
                        {"signature": int(signature), "severity": severity, "question": question, "code": code}
                    )
                problems[-1][language] = value
    document_digest = _hash(objects["D-1"].validation_object_representation.digest_alg_and_value)  # type: ignore[union-attr]  # as above
    return {
        **{name: said[f"file:{name}"] for name in ("version", "format", "overall", "colour", "indication")},
        **{name: said[f"file:{name}"] for name in ("subindication", "profile")},
        **{name: {lang: said[f"file:{name}:{lang}"] for lang in ("en", "zh")} for name in ("headline", "advice")},
        "checked_at": str(report.signature_validation_report[0].validation_time_info.validation_time),  # type: ignore[union-attr]  # as above
        "document": {"sha256": document_digest, "size": int(said["file:size"])},
        "content": {"sha256": said["file:content"]} if said["file:content"] else None,
        "problems": problems,
        "signatures": signatures,
    }


def _signature(number: int, one: Any, told: list[tuple[str, str]], objects: dict[Any, Any]) -> dict[str, Any]:
    own = dict(told)
    main = one.signature_validation_status.main_indication
    sub = one.signature_validation_status.sub_indication
    lists = {
        name: [value for kind, value in told if kind == f"signature:{name}"]
        for name in ("changed_fields", "covered", "uncovered")
    }
    attributes = one.signature_attributes
    best = one.validation_time_info.best_signature_time
    stamps = []
    names = [value for kind, value in told if kind == "stamp:name"]
    states = [value for kind, value in told if kind == "stamp:state"]
    for place, (name, state) in enumerate(zip(names, states, strict=True), start=1):
        token = objects[f"T-{number}-{place}"]
        digest = _hash(token.validation_object_representation.digest_alg_and_value)
        status = token.validation_report.signature_validation_status.main_indication
        assert status.endswith({"good": "passed", "broken": "failed"}.get(state, "indeterminate"))
        stamps.append({"name": name, "state": state, "sha256": digest})
    certificate = None
    if one.signer_information is not None:
        shown = objects[one.signer_information.signer_certificate.voreference[0]]
        certificate = {kind.removeprefix("certificate:"): v for kind, v in told if kind.startswith("certificate:")}
        certificate["sha256"] = _hash(shown.validation_object_representation.digest_alg_and_value)
    answers = {}
    for each in one.validation_constraints_evaluation_report.validation_constraint:
        status = each.validation_status.main_indication.removeprefix(f"{_ETSI}mainindication:")
        words = {kind.removeprefix("answer:"): value for kind, value in data(each.validation_status)}
        value = {"passed": "yes", "failed": "no", "indeterminate": "unknown"}[status]
        answers[each.validation_constraint_identifier.removeprefix(f"{_OURS}question:")] = {"value": value, **words}
    identifier = one.signature_identifier
    return {
        "field": own["signature:field"],
        "overall": own["signature:overall"],
        "indication": main.rpartition(":")[2],
        "subindication": sub[0].rpartition(":")[2] if sub else "",
        "level": own["signature:level"] or None,
        "algorithm": own["signature:algorithm"],
        "certified": own["signature:certified"],
        "revision": int(own["signature:revision"]),
        "value": b64encode(identifier.signature_value.value).decode() if identifier else "",
        "claimed_at": str(attributes.signing_time[0].time) if attributes and attributes.signing_time else None,
        "proven_at": str(best.poetime) if best.poeobject else None,
        "stamps": stamps,
        **lists,
        "answers": answers,
        "certificate": certificate,
    }


def _hash(both: Any) -> str:
    assert both.digest_method.algorithm.endswith("#sha256")
    return bytes(both.digest_value.value).hex()


def same(said: dict[str, Any]) -> None:
    found = back(xml(said))
    wanted = {**said, "signatures": [], "problems": []}
    assert {**found, "signatures": [], "problems": []} == {**wanted, "checked_at": _moment(said["checked_at"])}
    assert sorted(map(repr_of, found["problems"])) == sorted(map(repr_of, said["problems"]))
    main = {"TOTAL-PASSED": "total-passed", "TOTAL-FAILED": "total-failed", "INDETERMINATE": "indeterminate"}
    for one, other in zip(found["signatures"], said["signatures"], strict=True):
        expected = {**other, "indication": main.get(other["indication"], "no-signature-found")}
        for name in ("claimed_at", "proven_at"):
            expected[name] = _moment(other[name]) if other[name] else None
        expected["stamps"] = [{name: each[name] for name in ("name", "state", "sha256")} for each in other["stamps"]]
        assert one == expected


def repr_of(problem: dict[str, Any]) -> str:
    return repr(sorted(problem.items()))


def _moment(text: str) -> str:
    return text.replace("+00:00", "Z") if text.endswith("+00:00") else text


@pytest.mark.parametrize("kind", list(matrix.KINDS))
def test_the_xml_says_what_the_json_says(kind: str, makers: matrix.Makers) -> None:
    catalogue = Catalogue()
    level = matrix.KINDS[kind].levels[-1]
    # The report knows no kinds: all states of one, and of each what differs most.
    for case in matrix.CASES if kind == "pdf" else ("healthy", "stamp bad"):
        same(as_json(look(makers.sample(kind, level, case), makers), catalogue))


def test_a_file_without_a_signature_and_one_that_cannot_be_read_have_reports(city: City) -> None:
    catalogue = Catalogue()
    grounds = Grounds(city.trust(), city.lists())
    for document in (b"hello", b"%PDF-1.7\n", made.asic({"a": b"a"}, lambda _: b"\x30\x00")):
        found = inspect(document, grounds=grounds, profile=Profile.STRICT, at=NOW)
        same(as_json(judge(document, found, profile=Profile.STRICT, at=NOW), catalogue))


def test_the_paper_says_everything_in_both_languages_and_is_the_same_each_time(
    makers: matrix.Makers, tmp_path: Path
) -> None:
    settings, catalogue = SignatureSettings(), Catalogue()
    by: dict[Language, str] = {"en": "Jiangcheng", "zh": "江城市"}
    reports = Reports(key=b"k", by=by, font=settings.report_font, font_face=settings.report_font_face)
    verdict = look(makers.sample("asic", Level.T, "revoked before"), makers)
    text = reports.text(verdict)
    paper = reports.write(text, "pdf")
    assert paper == reports.write(text, "pdf")
    file = tmp_path / "verdict.pdf"
    file.write_bytes(paper)
    # Another maker's reader: what the glyphs say, not what we wrote.
    pdftotext = shutil.which("pdftotext")
    assert pdftotext, "poppler-utils belongs to scripts/bootstrap --dev"
    read = subprocess.run([pdftotext, "-raw", str(file), "-"], check=True, capture_output=True, text=True).stdout
    plain = re.sub(r"\s", "", read)
    said = as_json(verdict, catalogue)
    told = [said["headline"], said["advice"], *said["problems"], *said["signatures"][0]["answers"].values(), by]
    for words in told:
        for language in ("en", "zh"):
            assert re.sub(r"\s", "", words[language]) in plain
    for value in (verdict.sha256, said["signatures"][0]["certificate"]["sha256"], verdict.subindication):
        assert value in plain


def test_names_that_xml_cannot_hold_are_told_apart_and_break_nothing(makers: matrix.Makers) -> None:
    said = as_json(look(makers.sample("cms", Level.T, "healthy"), makers), Catalogue())
    said["signatures"][0]["field"] = '<a>&"\x00\x1f\ufffe\ud800]]>'
    found = back(xml(said))
    assert found["signatures"][0]["field"] == '<a>&"\ufffd\ufffd\ufffd\ufffd]]>'
    assert b64decode(found["signatures"][0]["value"])
