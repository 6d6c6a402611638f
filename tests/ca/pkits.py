# SPDX-License-Identifier: Apache-2.0
"""NIST's Public Key Interoperability Test Suite against the path validation that gateway and sign-on use.

Certificates come from the package ``cryptography-vectors``. What each case expects stands in its file's name; where it
depends on what the relying party wants, in ``WISHES``, after NIST's description of the tests (version 1.0.1).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import cryptography_vectors
from cryptography import x509

from ca.x509.constraints import Canonical, canonical
from ca.x509.paths import PathRefused, Wishes, validate

AT = datetime(2026, 11, 20, tzinfo=UTC)
_HOME = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data" / "certs"
_LONGEST = 7
_ANCHOR = "TrustAnchorRootCertificate"


def _nist(*numbers: int) -> frozenset[str]:
    return frozenset(f"2.16.840.1.101.3.2.1.48.{number}" for number in numbers)


WISHES: dict[str, list[tuple[Wishes, bool]]] = {
    "ValidCertificatePathTest1": [
        (Wishes(explicit=True), True),
        (Wishes(policies=_nist(1), explicit=True), True),
        (Wishes(policies=_nist(2), explicit=True), False),
        (Wishes(policies=_nist(1, 2), explicit=True), True),
    ],
    "AllCertificatesNoPoliciesTest2": [(Wishes(), True), (Wishes(explicit=True), False)],
    "DifferentPoliciesTest3": [
        (Wishes(), True),
        (Wishes(explicit=True), False),
        (Wishes(policies=_nist(1, 2), explicit=True), False),
    ],
    "DifferentPoliciesTest4": [(Wishes(), False)],
    "DifferentPoliciesTest5": [(Wishes(), False)],
    "OverlappingPoliciesTest6": [
        (Wishes(), True),
        (Wishes(policies=_nist(1)), True),
        (Wishes(policies=_nist(2)), False),
    ],
    "DifferentPoliciesTest7": [(Wishes(), False)],
    "DifferentPoliciesTest8": [(Wishes(), False)],
    "DifferentPoliciesTest9": [(Wishes(), False)],
    "AllCertificatesSamePoliciesTest10": [
        (Wishes(), True),
        (Wishes(policies=_nist(1)), True),
        (Wishes(policies=_nist(2)), True),
    ],
    "AllCertificatesanyPolicyTest11": [(Wishes(), True), (Wishes(policies=_nist(1)), True)],
    "DifferentPoliciesTest12": [(Wishes(), False)],
    "AllCertificatesSamePoliciesTest13": [(Wishes(policies=_nist(number)), True) for number in (1, 2, 3)],
    "AnyPolicyTest14": [(Wishes(policies=_nist(1)), True), (Wishes(policies=_nist(2)), False)],
    "UserNoticeQualifierTest15": [(Wishes(), True)],
    "UserNoticeQualifierTest16": [(Wishes(), True)],
    "UserNoticeQualifierTest17": [(Wishes(), True)],
    "UserNoticeQualifierTest18": [(Wishes(policies=_nist(number)), True) for number in (1, 2)],
    "UserNoticeQualifierTest19": [(Wishes(), True)],
    "CPSPointerQualifierTest20": [(Wishes(explicit=True), True)],
    "ValidPolicyMappingTest1": [
        (Wishes(policies=_nist(1)), True),
        (Wishes(policies=_nist(2)), False),
        (Wishes(no_mapping=True), False),
    ],
    "InvalidPolicyMappingTest2": [(Wishes(), False), (Wishes(no_mapping=True), False)],
    "ValidPolicyMappingTest3": [(Wishes(policies=_nist(1)), False), (Wishes(policies=_nist(2)), True)],
    "ValidPolicyMappingTest5": [(Wishes(policies=_nist(1)), True), (Wishes(policies=_nist(6)), False)],
    "ValidPolicyMappingTest6": [(Wishes(policies=_nist(1)), True), (Wishes(policies=_nist(6)), False)],
    "ValidPolicyMappingTest12": [(Wishes(policies=_nist(number)), True) for number in (1, 2)],
    "ValidinhibitAnyPolicyTest3": [(Wishes(), True), (Wishes(no_any=True), False)],
}


@dataclass(frozen=True)
class Case:
    """One question of the suite."""

    name: str
    wishes: Wishes
    expected: bool


def cases() -> Iterator[Case]:
    """Every test of the suite, several times where it asks for several settings."""
    for name in sorted(_certificates()):
        if not name.endswith("EE"):
            continue
        short = name.removesuffix("EE")
        if short == "ValidCertificatePathTest1":
            yield Case(short, Wishes(), expected=True)
        for wishes, expected in WISHES.get(short, [(Wishes(), not short.startswith("Invalid"))]):
            yield Case(short, wishes, expected)


def accepted(case: Case) -> bool:
    """Whether some path from the anchor to the case's certificate is believed."""
    leaf = _certificates()[f"{case.name}EE"]
    return leaf is not None and any(_holds(path, case.wishes) for path in _paths((leaf,)))


def _holds(path: Sequence[x509.Certificate], wishes: Wishes) -> bool:
    anchor = _certificates()[_ANCHOR]
    assert anchor is not None
    try:
        validate(path, anchor=anchor, at=AT, wishes=wishes)
    except PathRefused:
        return False
    return True


def _paths(path: tuple[x509.Certificate, ...]) -> Iterator[tuple[x509.Certificate, ...]]:
    """Every way up by names; which of them holds is for the validation to say."""
    anchor = _certificates()[_ANCHOR]
    assert anchor is not None
    if canonical(path[0].issuer) == canonical(anchor.subject):
        yield path
    if len(path) < _LONGEST:
        for issuer in _by_subject().get(canonical(path[0].issuer), ()):
            if issuer not in path:
                yield from _paths((issuer, *path))


@cache
def _certificates() -> dict[str, x509.Certificate | None]:
    """By file; None for what cannot be read."""
    return {path.stem: _read(path) for path in sorted(_HOME.glob("*.crt"))}


@cache
def _by_subject() -> dict[Canonical, list[x509.Certificate]]:
    found: dict[Canonical, list[x509.Certificate]] = {}
    for name, each in _certificates().items():
        if each is not None and not name.endswith("EE") and name != _ANCHOR:
            found.setdefault(canonical(each.subject), []).append(each)
    return found


def _read(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(path.read_bytes())
    except ValueError:
        return None


PAGE = Path(__file__).parents[2] / "docs" / "pkits.md"
_STATUS = "status: the suite says it by a revocation list, gateway and sign-on ask the authority"
_NOT_PASSED = {
    "ValidDSAParameterInheritanceTest5": "a DSA key without its parameters, which the library does not read; refused",
}
_LISTS = re.compile(
    r"Invalid(BadCRL|BasicSelfIssued|IDPwithindirectCRL|LongSerialNumber|MissingCRL|NegativeSerialNumber|OldCRL|Revoked"
    r"|SeparateCertificateandCRLKeys|UnknownCRL|WrongCRL|cRLIssuer|deltaCRL|distributionPoint|keyUsage\w*cRLSign"
    r"|onlyContains|onlySomeReasons|pre2000CRL)",
    re.ASCII,
)


def reason(case: Case) -> str:
    """Why a case is not passed; empty for what would be a defect."""
    if case.name in _NOT_PASSED:
        return _NOT_PASSED[case.name]
    return _STATUS if _LISTS.match(case.name) else ""


def page() -> str:
    """What the documentation says of it."""
    every = list(cases())
    failed = [case for case in every if accepted(case) is not case.expected]
    rows = "\n".join(f"| `{case.name}` | {reason(case)} |" for case in failed)
    return f"""<!-- Made by python -m tests.ca.pkits. -->
# NIST PKITS against our path validation

`ca.x509.paths.validate` is what `CertificateVerifier` uses, and so gateway, sign-on and the side door. It is run over
NIST's Public Key Interoperability Test Suite (the files of the package `cryptography-vectors`); where a test has
several settings, each counts. The suite tells status by revocation lists. Ours asks the authority for it, apart from
the path, so a case that is wrong only by a list is believed here; what is then said of it is tested in `tests/ca`.

**Passed: {len(every) - len(failed)} of {len(every)}.** Wrongly believed: none but for status. Not passed:

| case | why |
|---|---|
{rows}
"""


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
