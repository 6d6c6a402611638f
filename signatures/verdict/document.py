# SPDX-License-Identifier: Apache-2.0
"""The verdict as JSON: codes for programs, sentences in both languages for people."""

from typing import Any

from ..models import Answer, SignatureVerdict, Verdict, Words
from .words import LANGUAGES, QUESTIONS, Catalogue


def as_json(verdict: Verdict, catalogue: Catalogue) -> dict[str, Any]:
    """Everything the page says."""
    return {
        "overall": verdict.overall.value,
        "indication": verdict.indication.value,
        "subindication": verdict.subindication,
        "headline": _both(verdict.headline, catalogue),
        "advice": _both(verdict.advice, catalogue),
        "checked_at": verdict.checked_at.isoformat(),
        "profile": verdict.profile.value,
        "document": {"sha256": verdict.sha256, "size": verdict.size},
        "signatures": [_signature(one, catalogue) for one in verdict.signatures],
    }


def _signature(one: SignatureVerdict, catalogue: Catalogue) -> dict[str, Any]:
    questions: dict[str, Answer] = {name: getattr(one, name) for name in QUESTIONS}
    certificate = one.facts.certificate if one.facts else None
    return {
        "field": one.field,
        "overall": one.overall.value,
        "indication": one.indication.value,
        "subindication": one.subindication,
        "claimed_at": one.facts.claimed_at.isoformat() if one.facts and one.facts.claimed_at else None,
        "changed_fields": list(one.facts.changed_fields) if one.facts else [],
        "answers": {
            name: {"value": answer.value.value, "code": answer.code, **_both(answer.words, catalogue)}
            for name, answer in questions.items()
        },
        "certificate": None
        if certificate is None
        else {
            "serial": certificate.serial,
            "name": certificate.name,
            "organisation": certificate.organisation,
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "not_before": certificate.not_before.isoformat(),
            "not_after": certificate.not_after.isoformat(),
        },
    }


def _both(words: Words, catalogue: Catalogue) -> dict[str, str]:
    return {language: catalogue.say(words, language) for language in LANGUAGES}
