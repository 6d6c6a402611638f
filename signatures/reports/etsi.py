# SPDX-License-Identifier: Apache-2.0
"""The verdict as a validation report of ETSI TS 119 102-2 (namespace of version 1.2.1), whatever format was signed.

What the standard has no element for (our four questions, every problem, the words in both languages) stands as report
data and constraints with names of our own (``urn:tallygate:``), which the standard foresees.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any

from lxml import etree

_VR = "http://uri.etsi.org/19102/v1.2.1#"
_DS = "http://www.w3.org/2000/09/xmldsig#"
_XADES = "http://uri.etsi.org/01903/v1.3.2#"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XS = "http://www.w3.org/2001/XMLSchema"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_ETSI, _OURS = "urn:etsi:019102", "urn:tallygate"
_PROVEN = f"{_ETSI}:poetype:validation"
_MAIN = {"TOTAL-PASSED": "total-passed", "TOTAL-FAILED": "total-failed", "INDETERMINATE": "indeterminate"}
_ANSWERS = {"yes": "passed", "no": "failed", "unknown": "indeterminate"}
_STAMPS = {"good": "passed", "broken": "failed", "unknown": "indeterminate", "refused": "indeterminate"}
_PROCESS = {"B": "Basic", "T": "LTVM", "LT": "LTVM", "LTA": "LTA"}
QUESTIONS = ("unchanged", "signer", "issuer", "valid")
FILE_DATA = ("version", "format", "overall", "colour", "indication", "subindication", "profile")
SIGNATURE_DATA = ("field", "overall", "algorithm", "certified", "level")
SIGNATURE_LISTS = ("changed_fields", "covered", "uncovered")
CERTIFICATE_DATA = (
    *("serial", "name", "organisation", "subject", "issuer", "not_before", "not_after"),
    *("status", "status_of", "status_until", "status_by"),
)


def xml(said: Mapping[str, Any]) -> bytes:
    """The report of one verdict, given as its JSON."""
    root = etree.Element(
        f"{{{_VR}}}ValidationReport", nsmap={"vr": _VR, "ds": _DS, "XAdES": _XADES, "xsi": _XSI, "xs": _XS}
    )
    for number, one in enumerate(said["signatures"], start=1):
        _signature(root, number, one, said)
    objects = _put(root, "SignatureValidationObjects")
    _signed_data(objects, said)
    for number, one in enumerate(said["signatures"], start=1):
        _objects(objects, number, one, said["checked_at"])
    found: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return found


def _signature(root: Any, number: int, one: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    report = _put(root, "SignatureValidationReport")
    if one["value"]:
        identifier = _put(report, "SignatureIdentifier", id=f"S-{number}")
        _text(etree.SubElement(identifier, f"{{{_DS}}}SignatureValue"), one["value"])
        _put(identifier, "HashOnly", "false")
        _put(identifier, "DocHashOnly", "false")
    _constraints(report, one, said)
    _times(report, number, one, said["checked_at"])
    document = _put(report, "SignersDocument")
    _digest(document, (said["content"] or said["document"])["sha256"])
    _put(document, "SignersDocumentRef", VOReference="D-1")
    _attributes(report, one)
    certificate = one["certificate"]
    if certificate is not None:
        who = _put(report, "SignerInformation")
        _put(who, "SignerCertificate", VOReference=f"C-{number}")
        _put(who, "Signer", certificate["name"] or certificate["organisation"] or certificate["serial"])
    process = _put(report, "SignatureValidationProcess")
    _put(process, "SignatureValidationProcessID", f"{_ETSI}:validationprocess:{_PROCESS[one['level'] or 'B']}")
    _status(report, "SignatureValidationStatus", _indication(one), one["subindication"], _data(number, one, said))


def _indication(one: Mapping[str, Any]) -> str:
    main = _MAIN.get(one["indication"])
    # The standard has no word for a file that nobody signed.
    return f"{_ETSI}:mainindication:{main}" if main else f"{_OURS}:mainindication:no-signature-found"


def _constraints(report: Any, one: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    evaluation = _put(report, "ValidationConstraintsEvaluationReport")
    policy = _put(evaluation, "SignatureValidationPolicy")
    identifier = _put(policy, "SignaturePolicyIdentifier")
    etree.SubElement(identifier, f"{{{_XADES}}}SignaturePolicyImplied")
    _put(policy, "PolicyName", f"{said['version']} {said['profile']}")
    for question in QUESTIONS:
        answer = one["answers"][question]
        constraint = _put(evaluation, "ValidationConstraint")
        _put(constraint, "ValidationConstraintIdentifier", f"{_OURS}:question:{question}")
        _put(_put(constraint, "ConstraintStatus"), "Status", f"{_ETSI}:constraintStatus:applied")
        words = [(f"answer:{name}", answer[name]) for name in ("code", "en", "zh")]
        _status(constraint, "ValidationStatus", f"{_ETSI}:mainindication:{_ANSWERS[answer['value']]}", "", words)


def _times(report: Any, number: int, one: Mapping[str, Any], checked: str) -> None:
    times = _put(report, "ValidationTimeInfo")
    _put(times, "ValidationTime", checked)
    best = _put(times, "BestSignatureTime")
    # Without proof of an earlier moment the signature is known to exist since it was looked at.
    _put(best, "POETime", one["proven_at"] or checked)
    _put(best, "TypeOfProof", _PROVEN)
    stamp = next((i for i, each in enumerate(one["stamps"], 1) if _proves(each, one)), None)
    if stamp is not None:
        _put(best, "POEObject", VOReference=f"T-{number}-{stamp}")


def _proves(stamp: Mapping[str, Any], one: Mapping[str, Any]) -> bool:
    return bool(stamp["state"] == "good" and stamp["at"] == one["proven_at"] and one["proven_at"])


def _attributes(report: Any, one: Mapping[str, Any]) -> None:
    if not one["claimed_at"] and not any(stamp["at"] for stamp in one["stamps"]):
        return
    attributes = _put(report, "SignatureAttributes")
    if one["claimed_at"]:
        _put(_put(attributes, "SigningTime", Signed="true"), "Time", one["claimed_at"])
    for stamp in one["stamps"]:
        if stamp["at"]:
            name = "ArchiveTimeStamp" if stamp["archive"] else "SignatureTimeStamp"
            _put(_put(attributes, name, Signed="false"), "TimeStampValue", stamp["at"])


def _data(number: int, one: Mapping[str, Any], said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in FILE_DATA:
        yield f"file:{name}", said[name]
    yield "file:size", str(said["document"]["size"])
    yield "file:content", (said["content"] or {"sha256": ""})["sha256"]
    for name in ("headline", "advice"):
        for language in ("en", "zh"):
            yield f"file:{name}:{language}", said[name][language]
    for name in SIGNATURE_DATA:
        yield f"signature:{name}", one[name] or ""
    yield "signature:revision", str(one["revision"])
    for name in SIGNATURE_LISTS:
        for each in one[name]:
            yield f"signature:{name}", each
    for name in CERTIFICATE_DATA:
        if one["certificate"] is not None:
            yield f"certificate:{name}", one["certificate"][name]
    for stamp in one["stamps"]:
        yield "stamp:name", stamp["name"]
        yield "stamp:state", stamp["state"]
        yield "stamp:algorithm", stamp.get("algorithm", "")
        yield "stamp:place", "beside" if stamp.get("beside") else "within"
    for problem in said["problems"]:
        # What concerns the file itself is said with its first signature.
        if problem["signature"] == number or (problem["signature"] == 0 and number == 1):
            about = f"problem:{problem['signature']}:{problem['severity']}:{problem['question']}:{problem['code']}"
            for language in ("en", "zh"):
                yield f"{about}:{language}", problem[language]


def _status(above: Any, name: str, main: str, sub: str, data: Any) -> None:
    status = _put(above, name)
    _put(status, "MainIndication", main)
    if sub:
        _put(status, "SubIndication", f"{_ETSI}:subindication:{sub}")
    if data:
        more = _put(_put(status, "AssociatedValidationReportData"), "AdditionalValidationReportData")
        for kind, value in data:
            each = _put(more, "ReportData")
            _put(each, "Type", f"{_OURS}:{kind}")
            _put(each, "Value", value).set(f"{{{_XSI}}}type", "xs:string")


def _signed_data(objects: Any, said: Mapping[str, Any]) -> None:
    document = _put(objects, "ValidationObject", id="D-1")
    _put(document, "ObjectType", f"{_ETSI}:validationObject:signedData")
    _digest(_put(document, "ValidationObjectRepresentation"), said["document"]["sha256"])
    _poe(document, said["checked_at"])


def _objects(objects: Any, number: int, one: Mapping[str, Any], checked: str) -> None:
    if one["certificate"] is not None:
        found = _put(objects, "ValidationObject", id=f"C-{number}")
        _put(found, "ObjectType", f"{_ETSI}:validationObject:certificate")
        _digest(_put(found, "ValidationObjectRepresentation"), one["certificate"]["sha256"])
        # The certificate stands under the signature whose age is proved.
        _poe(found, one["proven_at"] or checked)
    for place, stamp in enumerate(one["stamps"], start=1):
        found = _put(objects, "ValidationObject", id=f"T-{number}-{place}")
        _put(found, "ObjectType", f"{_ETSI}:validationObject:timestamp")
        _digest(_put(found, "ValidationObjectRepresentation"), stamp["sha256"])
        _poe(found, stamp["at"] if stamp["state"] == "good" else checked)
        report = _put(found, "ValidationReport")
        _status(report, "SignatureValidationStatus", f"{_ETSI}:mainindication:{_STAMPS[stamp['state']]}", "", ())


def _poe(above: Any, at: str) -> None:
    proof = _put(above, "POE")
    _put(proof, "POETime", at)
    _put(proof, "TypeOfProof", _PROVEN)


def _digest(above: Any, value: str) -> None:
    both = _put(above, "DigestAlgAndValue")
    etree.SubElement(both, f"{{{_DS}}}DigestMethod", Algorithm=_SHA256)
    _text(etree.SubElement(both, f"{{{_DS}}}DigestValue"), b64encode(bytes.fromhex(value)).decode())


def _put(above: Any, name: str, text: str = "", **attributes: str) -> Any:
    found = etree.SubElement(above, f"{{{_VR}}}{name}", attributes)
    if text:
        _text(found, text)
    return found


def _text(node: Any, text: str) -> None:
    # XML has no place for some characters that a name may hold, not even escaped.
    node.text = "".join(
        each if each >= " " and each not in "￾￿" and not "\ud800" <= each <= "\udfff" else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )
