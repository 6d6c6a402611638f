# SPDX-License-Identifier: Apache-2.0
"""Writes docs/verdicts.md: what a clerk reads in each state of health, in both languages, so that words are reviewed.

``python -m tests.signatures.wording`` writes the page anew; a test compares. The words depend on the level and the
state; the kind of file changes only how "unchanged" and "altered" are said, which the last table shows.
"""

import logging
from dataclasses import replace
from pathlib import Path

from signatures.formats import inspect
from signatures.models import Answer, Level, Modification, Profile, Verdict
from signatures.pades.grounds import Grounds
from signatures.pades.hidden import KINDS
from signatures.verdict import Catalogue, answers, judge
from signatures.verdict.words import COLOURS, LANGUAGES, LEVELS, QUESTIONS, Language, short
from tests.signatures import matrix
from tests.signatures.pki import NOW

PAGE = Path(__file__).parents[2] / "docs" / "verdicts.md"
_HEAD = """# What a verdict says

Written by `python -m tests.signatures.wording` from the verdicts themselves; a test compares. Each state of health at
each level of a signature in a PDF: colour, what is said on top, the four answers, all that was found, and what to do
next, in English and in Chinese. Whoever changes words reads this page afterwards as a clerk would. The dates are those
of the tests: signed on 10 November 2026, judged on 20 November 2026.
"""


def look(makers: matrix.Makers, sample: matrix.Sample) -> Verdict:
    """The verdict on one sample."""
    grounds = Grounds(makers.trust, sample.lists)
    found = inspect(sample.document, grounds=grounds, profile=Profile.STRICT, at=NOW, content=sample.content)
    return judge(sample.document, found, profile=Profile.STRICT, at=NOW, content=sample.content)


def page(makers: matrix.Makers) -> str:
    """The whole page."""
    catalogue = Catalogue()
    parts = [_HEAD]
    for case in matrix.CASES:
        parts.append(f"## {case.capitalize()}\n")
        told: dict[str, list[Level]] = {}
        for level in matrix.KINDS["pdf"].levels:
            verdict = look(makers, makers.sample("pdf", level, case))
            told.setdefault("\n".join(_cell(verdict, language, catalogue) for language in LANGUAGES), []).append(level)
        for words, levels in told.items():
            parts.append(f"**{', '.join(catalogue.plain(LEVELS[level], 'en') for level in levels)}**\n\n{words}\n")
    parts.append("## Other kinds of files\n\n| kind | healthy | altered |\n|---|---|---|")
    for kind, found in matrix.KINDS.items():
        cells = []
        for case in ("healthy", "altered"):
            one = look(makers, makers.sample(kind, found.levels[0], case)).signatures[0]
            cells.append(" / ".join(catalogue.say(one.unchanged.words, language) for language in LANGUAGES))
        parts.append(f"| {kind} | {' | '.join(cells)} |")
    every = matrix.KINDS["pdf"].levels
    parts.append("\n## Levels of each kind\n\n| kind | " + " | ".join(every) + " |\n|---" + "|---" * len(every) + "|")
    for kind, found in matrix.KINDS.items():
        cells = ["all states" if level in found.levels else f"not: {matrix.WHY[kind, level]}" for level in every]
        parts.append(f"| {kind} | {' | '.join(cells)} |")
    parts.append(
        "\nAll states are those above; each is a test. At level B there is no time-stamp that could be missing or bad: "
        "there these two\nare the healthy file."
    )
    parts.append("\n## A seal that its own user made\n")
    verdict = look(makers, makers.self_made())
    parts.append("\n".join(_cell(verdict, language, catalogue) for language in LANGUAGES))
    parts.append(
        "\n## What a PDF may hide or do\n\nTo know; none of it changes a colour.\n\n"
        "| kind | English | 中文 |\n|---|---|---|"
    )
    for kind in KINDS:
        answer = answers.hidden(kind)
        assert answer is not None
        said = (catalogue.say(answer.words, language) for language in LANGUAGES)
        parts.append(f"| {kind} | {' | '.join(said)} |")
    parts.append(
        "\n## What may be said of a further signature and of countersignatures\n\n"
        "| code | English | 中文 |\n|---|---|---|"
    )
    for answer in _further(verdict):
        said = (catalogue.say(answer.words, language) for language in LANGUAGES)
        parts.append(f"| {answer.code} | {' | '.join(said)} |")
    return "\n".join(parts) + "\n"


def _further(verdict: Verdict) -> list[Answer]:
    """Of a signature after which others came, and which others countersigned."""
    facts = verdict.signatures[0].facts
    assert facts is not None
    found: dict[str, Answer] = {}
    for obscured in (False, True):
        one = replace(
            facts,
            modification=Modification.SIGNED,
            pictured=True,
            obscured=obscured,
            countersigners=("Chen Wei",),
            countersigned_in_vain=1,
        )
        found |= {each.code: each for each in answers.notices(one, NOW, Profile.TOLERANT)}
    return [found[code] for code in sorted(found) if code.startswith(("countersigned", "picture", "signed_further"))]


def _cell(verdict: Verdict, language: Language, catalogue: Catalogue) -> str:
    one = verdict.signatures[0]
    lines = [
        f"- {catalogue.plain(COLOURS[verdict.colour], language)}: {catalogue.say(verdict.headline, language)}",
    ]
    for name, question in QUESTIONS.items():
        answer = getattr(one, name)
        word = catalogue.plain(short(name, answer.value), language)
        lines.append(f"  - {catalogue.plain(question, language)} {word}: {catalogue.say(answer.words, language)}")
    said = [answer.words for answer in (one.unchanged, one.signer, one.issuer, one.valid)]
    more = [each for each in verdict.problems if each.words not in said]
    lines += [f"  - + {catalogue.say(each.words, language)}" for each in more]
    lines.append(f"  - → {catalogue.say(verdict.advice, language)}")
    return "\n".join(lines)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    PAGE.write_text(page(matrix.Makers()), "utf-8")
