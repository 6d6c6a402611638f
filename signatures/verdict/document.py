# SPDX-License-Identifier: Apache-2.0
"""The verdict as JSON: codes for programs, sentences in both languages for people.

One verdict has one text (``canonical``: sorted names, no spaces, UTF-8, one line), whoever writes it; the page, the
REST answer and the terminal show the same bytes.
"""

import json
from typing import Any

from ..models import Answer, Problem, SignatureVerdict, StampFacts, Verdict, Words
from .words import LANGUAGES, QUESTIONS, Catalogue

VERSION = "tallygate-verdict/1"


def canonical(verdict: Verdict, catalogue: Catalogue) -> bytes:
    """The one text of a verdict."""
    text = json.dumps(as_json(verdict, catalogue), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode() + b"\n"


def as_json(verdict: Verdict, catalogue: Catalogue) -> dict[str, Any]:
    """Everything the page says."""
    return {
        "version": VERSION,
        "format": verdict.format.value,
        "overall": verdict.overall.value,
        "colour": verdict.colour.value,
        "indication": verdict.indication.value,
        "subindication": verdict.subindication,
        "headline": _both(verdict.headline, catalogue),
        "advice": _both(verdict.advice, catalogue),
        "checked_at": verdict.checked_at.isoformat(),
        "profile": verdict.profile.value,
        "document": {"sha256": verdict.sha256, "size": verdict.size},
        "content": {"sha256": verdict.content_sha256} if verdict.content_sha256 else None,
        "problems": [_problem(each, catalogue) for each in verdict.problems],
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
        **_facts(one),
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
            "sha256": certificate.sha256,
            # What its issuer says of it: as of when, until when that stands, and whether it was at hand or asked for.
            "status": certificate.revocation.value,
            "status_of": certificate.said_at.isoformat() if certificate.said_at else "",
            "status_until": certificate.said_until.isoformat() if certificate.said_until else "",
            "status_by": ("asked" if certificate.asked else "held") if certificate.said_at else "",
        },
    }


def _facts(one: SignatureVerdict) -> dict[str, Any]:
    facts = one.facts
    if facts is None:
        return {
            "level": None,
            "algorithm": "",
            "claimed_at": None,
            "proven_at": None,
            "stamps": [],
            "changed_fields": [],
            "covered": [],
            "uncovered": [],
            "certified": "",
            "revision": 0,
            "value": "",
        }
    return {
        "level": facts.level.value,
        "algorithm": facts.algorithm,
        "claimed_at": facts.claimed_at.isoformat() if facts.claimed_at else None,
        "proven_at": facts.proven_at.isoformat() if facts.proven_at else None,
        "stamps": [_stamp(stamp) for stamp in facts.stamps],
        "changed_fields": list(facts.changed_fields),
        "covered": list(facts.covered),
        "uncovered": list(facts.uncovered),
        "certified": facts.certified,
        "revision": facts.revision,
        "value": facts.value,
    }


def _stamp(stamp: StampFacts) -> dict[str, Any]:
    at = stamp.at.isoformat() if stamp.at else None
    return {
        "at": at,
        "name": stamp.name,
        "state": stamp.state.value,
        "archive": stamp.archive,
        "beside": stamp.beside,
        "sha256": stamp.sha256,
        "algorithm": stamp.algorithm,
    }


def _problem(problem: Problem, catalogue: Catalogue) -> dict[str, Any]:
    return {
        "signature": problem.signature,
        "question": problem.question,
        "severity": problem.severity.value,
        "code": problem.code,
        **_both(problem.words, catalogue),
    }


def _both(words: Words, catalogue: Catalogue) -> dict[str, str]:
    return {language: catalogue.say(words, language) for language in LANGUAGES}
