# SPDX-License-Identifier: Apache-2.0
"""The rules of judgement, in the order a careful clerk would apply them.

Any "no" makes a document not trusted; all four "yes" make it trusted; everything else is "cannot tell". The main
status and sub-indication follow ETSI EN 319 102-1 clause 5.1.3; where the standard has no word for what our own gate
found (bytes outside the signature), SIG_CONSTRAINTS_FAILURE says that a constraint of our policy was broken.
"""

import hashlib
from datetime import datetime

from core.errors import N_

from ..models import (
    Answer,
    Indication,
    Inspection,
    Overall,
    Profile,
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
_ORDER = (Overall.NOT_TRUSTED, Overall.CANNOT_TELL, Overall.TRUSTED)


def judge(document: bytes, inspection: Inspection, *, profile: Profile, at: datetime) -> Verdict:
    """The verdict on a file that was read."""
    if inspection.failure:
        return unreadable(document, inspection.failure, profile=profile, at=at)
    if not inspection.signatures:
        single = _unconfirmed() if inspection.marks else _unsigned()
        return _verdict(document, (single,), profile=profile, at=at)
    found = [_signature(facts, profile, at) for facts in inspection.signatures]
    if inspection.marks > len(inspection.signatures):
        found.append(_unconfirmed())
    return _verdict(document, tuple(found), profile=profile, at=at)


def unreadable(document: bytes, failure: str, *, profile: Profile, at: datetime) -> Verdict:
    """The verdict on a file that could not be read: never "unsigned"."""
    return _verdict(document, (_blank(answers.unreadable(failure)),), profile=profile, at=at)


def _verdict(document: bytes, found: tuple[SignatureVerdict, ...], *, profile: Profile, at: datetime) -> Verdict:
    worst = min(found, key=lambda one: _ORDER.index(one.overall))
    headline = _HEADLINES[worst.overall]
    advice = _ADVICE[worst.overall]
    if worst.indication is Indication.NO_SIGNATURE:
        headline = N_("This document carries no signature.")
        advice = N_(
            "Nobody vouches for it: it may be a draft, a scan or a print of the signed file. Ask for the signed file."
        )
    return Verdict(
        overall=worst.overall,
        indication=worst.indication,
        subindication=worst.subindication,
        headline=Words(headline),
        advice=Words(advice),
        signatures=found,
        checked_at=at,
        profile=profile,
        sha256=hashlib.sha256(document).hexdigest(),
        size=len(document),
    )


def _signature(facts: SignatureFacts, profile: Profile, at: datetime) -> SignatureVerdict:
    unchanged = answers.unchanged(facts, profile)
    signer = answers.signer(facts)
    issuer = answers.issuer(facts)
    valid = answers.valid(facts, at)
    given = (unchanged, signer, issuer, valid)
    values = {answer.value for answer in given}
    if Value.NO in values:
        overall = Overall.NOT_TRUSTED
    elif values == {Value.YES} and facts.library_trusts:
        overall = Overall.TRUSTED
    else:
        overall = Overall.CANNOT_TELL
        if values == {Value.YES}:
            # Our own look found nothing, the library's did: believe the more careful one.
            issuer = answers.path_refused(facts)
            given = (unchanged, signer, issuer, valid)
    indication, subindication = _status(given)
    return SignatureVerdict(
        field=facts.field,
        overall=overall,
        indication=indication,
        subindication=subindication,
        unchanged=unchanged,
        signer=signer,
        issuer=issuer,
        valid=valid,
        facts=facts,
    )


# By answer code, gravest first: what the document is, then who vouches, then when.
_STATUS: tuple[tuple[str, Indication, str], ...] = (
    ("content_altered", Indication.TOTAL_FAILED, "HASH_FAILURE"),
    ("signature_forged", Indication.TOTAL_FAILED, "SIG_CRYPTO_FAILURE"),
    ("changed_after", Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"),
    ("bytes_added", Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"),
    ("issuer_unknown", Indication.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND"),
    ("issuer_broken", Indication.INDETERMINATE, "CERTIFICATE_CHAIN_GENERAL_FAILURE"),
    ("path_refused", Indication.INDETERMINATE, "CERTIFICATE_CHAIN_GENERAL_FAILURE"),
    ("wrong_purpose", Indication.INDETERMINATE, "CHAIN_CONSTRAINTS_FAILURE"),
    ("revoked", Indication.INDETERMINATE, "REVOKED_NO_POE"),
    ("suspended", Indication.INDETERMINATE, "TRY_LATER"),
    ("signed_before_validity", Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE"),
    ("signed_after_validity", Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE"),
    ("expired", Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE"),
    ("not_yet_valid", Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE"),
    ("signed_in_future", Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"),
    ("status_unavailable", Indication.INDETERMINATE, "TRY_LATER"),
)


def _status(given: tuple[Answer, ...]) -> tuple[Indication, str]:
    codes = {answer.code for answer in given}
    for code, indication, subindication in _STATUS:
        if code in codes:
            return indication, subindication
    if all(answer.value is Value.YES for answer in given):
        return Indication.TOTAL_PASSED, ""
    return Indication.INDETERMINATE, "GENERIC"


def _blank(words: Answer) -> SignatureVerdict:
    rest = answers.nothing_known()
    return SignatureVerdict(
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


def _unconfirmed() -> SignatureVerdict:
    return _blank(answers.unconfirmed())


def _unsigned() -> SignatureVerdict:
    unchanged, signer, rest = answers.unsigned()
    return SignatureVerdict(
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
