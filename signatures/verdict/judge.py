# SPDX-License-Identifier: Apache-2.0
"""The rules of judgement, in the order a careful clerk would apply them.

Any "no" makes a document not trusted; all four "yes" make it trusted; everything else is "cannot tell". The main
status and sub-indication follow ETSI EN 319 102-1 clause 5.1.3; where the standard has no word for what our own gate
found (bytes outside the signature), SIG_CONSTRAINTS_FAILURE says that a constraint of our policy was broken.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from core.errors import N_

from ..models import (
    Answer,
    Format,
    Indication,
    Inspection,
    Overall,
    Problem,
    Profile,
    Severity,
    SignatureFacts,
    SignatureVerdict,
    Value,
    Verdict,
    Words,
)
from . import answers

_HEADLINES = {
    Overall.TRUSTED: N_("This document can be trusted."),
    Overall.NOT_TRUSTED: N_("Do not trust this document."),
    Overall.CANNOT_TELL: N_("We cannot tell whether this document can be trusted."),
}
_ADVICE = {
    Overall.TRUSTED: N_("All four questions below are answered with yes. You may rely on the document as it is."),
    Overall.NOT_TRUSTED: N_(
        "Do not act on it. Ask the organisation it claims to come from for a fresh copy, by a way you already know."
    ),
    Overall.CANNOT_TELL: N_(
        "Do not act on it yet. The answers below say what is missing; check again later or ask the signer."
    ),
}
_NEXT = {
    "content_missing": N_("Send the signed document together with this signature file, and check again."),
    "picture_hides": N_("Look at what was signed first beside what the file shows now, before you rely on it."),
    "issuer_unknown": N_(
        "The document may be unchanged, but nobody here knows who stands behind it. Ask the organisation it claims to "
        "come from, by a way you already know, or the operator of this site about the issuer."
    ),
    "wrong_purpose": N_("Ask the signer to sign with a certificate that is meant for signing documents."),
    "revoked": N_(
        "Do not act on it. Ask the signer, by a way you already know, whether they signed this, and for a signature "
        "with a valid certificate."
    ),
    "revoked_before": N_(
        "Do not act on it. Ask the signer, by a way you already know, whether they signed this, and for a signature "
        "with a valid certificate."
    ),
    "expired": N_("Ask the signer to sign again, or for a copy with a time-stamp from the days of the certificate."),
    "seal_self_made": N_(
        "Ask the organisation whose name the seal shows, by a way you already know, whether the seal is its own."
    ),
    "suspended": N_("Wait until the issuer has decided about the certificate, then check again."),
    "status_unavailable": N_("Check again in a few minutes. If that does not help, tell the operator of this site."),
    "seal_maker_unsaid": N_("Check again in a few minutes. If that does not help, tell the operator of this site."),
    "stamp_broken": N_("Ask for a copy whose time-stamp is sound; the one in this file proves nothing."),
    "stamp_beside_broken": N_("Fetch the document with its proof from its archive again, and check that."),
    "stamp_beside_missing": N_("Fetch the document with its proof from its archive again, and check that."),
    "status_then_unknown": N_("Ask for a copy that holds the proofs for long-term keeping, or for a new signature."),
}
"""Gravest first, as far as a finding needs an advice of its own."""
_SEVERITY = {Value.NO: Severity.GRAVE, Value.UNKNOWN: Severity.DOUBT}
_ORDER = (Overall.NOT_TRUSTED, Overall.CANNOT_TELL, Overall.TRUSTED)


def judge(
    document: bytes, inspection: Inspection, *, profile: Profile, at: datetime, content: bytes | None = None
) -> Verdict:
    """The verdict on a file that was read; ``content`` is the document that came beside a detached signature."""
    if inspection.failure:
        circumstances = _Circumstances(profile, at, inspection.format, content)
        return _verdict(document, [_blank(0, answers.unreadable(inspection.failure))], [], circumstances)
    found = [_signature(number, facts, profile, at) for number, facts in enumerate(inspection.signatures, start=1)]
    found += [_unreadable_part(len(found) + number, why) for number, why in enumerate(inspection.unread, start=1)]
    if inspection.marks > len(found):
        found.append(_unconfirmed(len(found) + 1))
    if not found:
        found.append(_unsigned())
    said = [answer for answer in map(answers.hidden, inspection.hidden) if answer is not None]
    about = [Problem(0, "", Severity.NOTICE, each.code, each.words) for each in said]
    return _verdict(document, found, about, _Circumstances(profile, at, inspection.format, content))


def unreadable(
    document: bytes, failure: str, *, profile: Profile, at: datetime, content: bytes | None = None
) -> Verdict:
    """The verdict on a file that could not be read: never "unsigned"."""
    circumstances = _Circumstances(profile, at, Format.UNKNOWN, content)
    return _verdict(document, [_blank(0, answers.unreadable(failure))], [], circumstances)


@dataclass(frozen=True)
class _Circumstances:
    profile: Profile
    at: datetime
    format: Format
    content: bytes | None


@dataclass(frozen=True)
class _Found:
    verdict: SignatureVerdict
    problems: tuple[Problem, ...]


def _verdict(document: bytes, found: list[_Found], about: list[Problem], circumstances: _Circumstances) -> Verdict:
    worst = min((one.verdict for one in found), key=lambda one: _ORDER.index(one.overall))
    headline, advice = _HEADLINES[worst.overall], _advice(worst)
    if worst.indication is Indication.NO_SIGNATURE:
        headline = N_("This document carries no signature.")
        advice = N_(
            "Nobody vouches for it: it may be a draft, a scan or a print of the signed file. Ask for the signed file."
        )
    problems = sorted([*(each for one in found for each in one.problems), *about], key=_weight)
    return Verdict(
        overall=worst.overall,
        indication=worst.indication,
        subindication=worst.subindication,
        headline=Words(headline),
        advice=Words(advice),
        signatures=tuple(one.verdict for one in found),
        problems=tuple(problems),
        format=circumstances.format,
        checked_at=circumstances.at,
        profile=circumstances.profile,
        sha256=hashlib.sha256(document).hexdigest(),
        size=len(document),
        content_sha256="" if circumstances.content is None else hashlib.sha256(circumstances.content).hexdigest(),
    )


def _weight(problem: Problem) -> int:
    return list(Severity).index(problem.severity)


def _advice(worst: SignatureVerdict) -> str:
    """What to do next, by the gravest finding; the general advice where it needs no word of its own."""
    if worst.unchanged.value is Value.NO:
        # Nothing that is said about the signer makes an altered document fit for use.
        return _ADVICE[worst.overall]
    given = (worst.unchanged, worst.issuer, worst.valid)
    for code, advice in _NEXT.items():
        if worst.overall is not Overall.TRUSTED and any(answer.code == code for answer in given):
            return advice
    return _ADVICE[worst.overall]


def _signature(number: int, facts: SignatureFacts, profile: Profile, at: datetime) -> _Found:
    said = {
        "unchanged": answers.unchanged(facts, profile),
        "signer": answers.signer(facts),
        "issuer": answers.issuer(facts),
        "valid": answers.valid(facts, at),
    }
    if all(each.value is Value.YES for found in said.values() for each in found) and not facts.library_trusts:
        # Our own look found nothing, the library's did: believe the more careful one.
        said["issuer"] = [answers.path_refused(facts)]
    values = {each.value for found in said.values() for each in found}
    overall = Overall.CANNOT_TELL
    if Value.NO in values:
        overall = Overall.NOT_TRUSTED
    elif values == {Value.YES}:
        overall = Overall.TRUSTED
    first = {name: found[0] for name, found in said.items()}
    indication, subindication = _status({each.code for found in said.values() for each in found}, values)
    verdict = SignatureVerdict(
        field=facts.field, overall=overall, indication=indication, subindication=subindication, facts=facts, **first
    )
    problems = [
        Problem(number, name, _SEVERITY[each.value], each.code, each.words)
        for name, found in said.items()
        for each in found
        if each.value is not Value.YES
    ]
    problems += [
        Problem(number, "", Severity.NOTICE, each.code, each.words) for each in answers.notices(facts, at, profile)
    ]
    return _Found(verdict, tuple(problems))


# By answer code, gravest first: what the document is, then who vouches, then when.
_STATUS: tuple[tuple[str, Indication, str], ...] = (
    ("content_altered", Indication.TOTAL_FAILED, "HASH_FAILURE"),
    ("signature_forged", Indication.TOTAL_FAILED, "SIG_CRYPTO_FAILURE"),
    ("seal_forged", Indication.TOTAL_FAILED, "SIG_CRYPTO_FAILURE"),
    ("seal_self_made", Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"),
    ("certificate_swapped", Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"),
    ("content_missing", Indication.INDETERMINATE, "SIGNED_DATA_NOT_FOUND"),
    ("picture_hides", Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"),
    ("partly_signed", Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"),
    ("changed_after", Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"),
    ("bytes_added", Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"),
    ("issuer_unknown", Indication.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND"),
    ("issuer_broken", Indication.INDETERMINATE, "CERTIFICATE_CHAIN_GENERAL_FAILURE"),
    ("path_refused", Indication.INDETERMINATE, "CERTIFICATE_CHAIN_GENERAL_FAILURE"),
    ("wrong_purpose", Indication.INDETERMINATE, "CHAIN_CONSTRAINTS_FAILURE"),
    ("algorithm_weak", Indication.INDETERMINATE, "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"),
    ("revoked", Indication.INDETERMINATE, "REVOKED_NO_POE"),
    ("revoked_before", Indication.INDETERMINATE, "REVOKED_NO_POE"),
    ("suspended", Indication.INDETERMINATE, "TRY_LATER"),
    ("signed_before_validity", Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE"),
    ("signed_after_validity", Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE"),
    ("expired", Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE"),
    ("not_yet_valid", Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE"),
    ("seal_out_of_time", Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"),
    ("seal_expired", Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"),
    ("signed_in_future", Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"),
    ("seal_maker_unsaid", Indication.INDETERMINATE, "TRY_LATER"),
    ("status_unavailable", Indication.INDETERMINATE, "TRY_LATER"),
    ("status_then_unknown", Indication.INDETERMINATE, "TRY_LATER"),
    ("signed_after_stamp", Indication.INDETERMINATE, "TIMESTAMP_ORDER_FAILURE"),
    ("stamp_broken", Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"),
    ("stamp_beside_broken", Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"),
    ("stamp_beside_missing", Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"),
)


def _status(codes: set[str], values: set[Value]) -> tuple[Indication, str]:
    for code, indication, subindication in _STATUS:
        if code in codes:
            return indication, subindication
    if values == {Value.YES}:
        return Indication.TOTAL_PASSED, ""
    return Indication.INDETERMINATE, "GENERIC"


def _blank(number: int, words: Answer) -> _Found:
    rest = answers.nothing_known()
    verdict = SignatureVerdict(
        field="",
        overall=Overall.CANNOT_TELL,
        indication=Indication.INDETERMINATE,
        subindication="FORMAT_FAILURE",
        unchanged=words,
        signer=rest,
        issuer=rest,
        valid=rest,
        facts=None,
    )
    return _Found(verdict, (Problem(number, "unchanged", Severity.DOUBT, words.code, words.words),))


def _unreadable_part(number: int, why: str) -> _Found:
    return _blank(number, answers.unreadable(why))


def _unconfirmed(number: int) -> _Found:
    return _blank(number, answers.unconfirmed())


def _unsigned() -> _Found:
    unchanged, signer, rest = answers.unsigned()
    verdict = SignatureVerdict(
        field="",
        overall=Overall.NOT_TRUSTED,
        indication=Indication.NO_SIGNATURE,
        subindication="",
        unchanged=unchanged,
        signer=signer,
        issuer=rest,
        valid=rest,
        facts=None,
    )
    return _Found(verdict, (Problem(0, "signer", Severity.GRAVE, signer.code, signer.words),))
