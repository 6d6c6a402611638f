# SPDX-License-Identifier: Apache-2.0
"""Format by level by state of health: the right answer in each, in both languages, with every problem shown."""

import pytest

from signatures.formats import inspect
from signatures.models import Level, Overall, Profile, Verdict
from signatures.pades.grounds import Grounds
from signatures.verdict import Catalogue, as_json, judge
from tests.signatures import matrix
from tests.signatures.pki import NOW


@pytest.fixture(scope="module")
def makers() -> matrix.Makers:
    return matrix.Makers()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


def look(makers: matrix.Makers, sample: matrix.Sample) -> Verdict:
    grounds = Grounds(makers.trust, sample.lists)
    found = inspect(sample.document, grounds=grounds, profile=Profile.STRICT, at=NOW, content=sample.content)
    return judge(sample.document, found, profile=Profile.STRICT, at=NOW, content=sample.content)


@pytest.mark.parametrize(("kind", "level"), [(k, level) for k, found in matrix.KINDS.items() for level in found.levels])
def test_the_right_answer_in_each(kind: str, level: Level, makers: matrix.Makers) -> None:
    catalogue = Catalogue()
    wrong = []
    for case in matrix.CASES:
        verdict = look(makers, makers.sample(kind, level, case))
        overall, code = matrix.RIGHT[case][matrix.column(level, case)]
        one = verdict.signatures[0]
        codes = {one.unchanged.code, one.signer.code, one.issuer.code, one.valid.code}
        codes |= {problem.code for problem in verdict.problems}
        if verdict.overall is not overall or (code and code not in codes):
            wrong.append((case, verdict.overall.value, sorted(codes), verdict.subindication))
        if case == "healthy":
            assert one.facts is not None
            assert one.facts.level is level
        spoken = as_json(verdict, catalogue)
        assert all(problem["en"] and problem["zh"] for problem in spoken["problems"])
        # What is not green says why, and what to do.
        assert verdict.overall is Overall.TRUSTED or spoken["problems"]
    assert not wrong
