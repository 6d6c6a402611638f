# SPDX-License-Identifier: Apache-2.0
"""Format by level by state of health: the right answer in each, in both languages, with every problem shown."""

from dataclasses import replace

import pytest

from signatures.models import Format, Level, Overall
from signatures.verdict import Catalogue, as_json
from tests.signatures import matrix, wording


@pytest.fixture(scope="module")
def makers() -> matrix.Makers:
    return matrix.Makers()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


@pytest.mark.parametrize(("kind", "level"), [(k, level) for k, found in matrix.KINDS.items() for level in found.levels])
def test_the_right_answer_in_each(kind: str, level: Level, makers: matrix.Makers) -> None:
    catalogue = Catalogue()
    wrong = []
    for case in matrix.CASES:
        verdict = wording.look(makers, makers.sample(kind, level, case))
        overall, code = matrix.RIGHT[case][matrix.column(level, case)]
        codes = {problem.code for problem in verdict.problems}
        for one in verdict.signatures:
            codes |= {one.unchanged.code, one.signer.code, one.issuer.code, one.valid.code}
        if verdict.overall is not overall or (code and code not in codes):
            wrong.append((case, verdict.overall.value, sorted(codes), verdict.subindication))
        if case == "healthy":
            assert {one.facts.level for one in verdict.signatures if one.facts} == {level}
            assert all(one.facts for one in verdict.signatures)
            assert len(verdict.signatures) == (2 if "two" in kind else 1)
        spoken = as_json(verdict, catalogue)
        assert all(problem["en"] and problem["zh"] for problem in spoken["problems"])
        # What is not green says why, and what to do.
        assert verdict.overall is Overall.TRUSTED or spoken["problems"]
    assert not wrong


def test_every_level_of_every_kind_is_in_the_matrix_or_it_is_said_why_not() -> None:
    for kind, found in matrix.KINDS.items():
        for level in Level:
            assert (level in found.levels) != ((kind, level) in matrix.WHY), (kind, level)
    kinds = {Format.EVIDENCE: "evidence", **{each: each.value for each in Format}}
    for kind in set(Format) - {Format.UNKNOWN}:
        assert any(name.startswith(kinds[kind]) for name in matrix.KINDS), kind


def test_nobody_is_told_to_wait_for_an_altered_document(makers: matrix.Makers) -> None:
    suspended = makers.sample("cms", Level.B, "suspended")
    altered = replace(suspended, document=suspended.document.replace(b"1000 yuan", b"9000 yuan"))
    advice = wording.look(makers, altered).advice.message
    assert advice.startswith("Do not act on it. Ask the organisation")
    assert wording.look(makers, suspended).advice.message.startswith("Wait until")


def test_the_words_are_those_that_were_reviewed(makers: matrix.Makers) -> None:
    assert wording.page(makers) == wording.PAGE.read_text("utf-8"), "python -m tests.signatures.wording, and read it"
