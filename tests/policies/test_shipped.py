# SPDX-License-Identifier: Apache-2.0
"""The shipped table holds line by line, and every policy and every code is reached by some line."""

import pytest

from policies.cases import Case, read_cases
from policies.config import SHIPPED
from policies.models import Code
from policies.release import Release

CASES = read_cases((SHIPPED / "cases.toml").read_bytes(), (SHIPPED / "cases.csv").read_bytes())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"line-{case.line}")
def test_a_case_is_answered_as_written(shipped: Release, case: Case) -> None:
    assert case.differs(shipped.decide(case.request)) == ""


def test_every_policy_is_proved(shipped: Release) -> None:
    assert shipped.failures() == []


def test_every_code_is_explained_by_some_case() -> None:
    assert {case.expect for case in CASES} == {str(code) for code in Code}


def test_nothing_but_the_table_decides_how_many_are_denied() -> None:
    denied = [case for case in CASES if case.expect != "allowed"]
    assert len(denied) > len(CASES) / 2
