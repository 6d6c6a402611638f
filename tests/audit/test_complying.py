# SPDX-License-Identifier: Apache-2.0
"""The compliance page says yes only with evidence that was read while the page was made."""

from pathlib import Path

from audit.web import Clause, Finding, examined
from core.errors import Unavailable
from tests.fakes.audit_console import ConsoleFake


def _clause(number: str, *answers: Finding | Exception) -> Clause:
    left = list(answers)

    def look() -> Finding:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Clause(number=number, asks="asked", asks_zh="要求", kind="test", look=look)


def test_there_is_no_yes_without_evidence_of_this_moment() -> None:
    yes, no, empty = (
        Finding(met=True, shown=("x = 1",)),
        Finding(met=False, shown=("x = 0",)),
        Finding(met=True, shown=()),
    )
    clauses = [
        _clause("1", yes, no, Unavailable()),
        _clause("2", empty, OSError(), ValueError()),
        Clause(number="3", asks="the site's", asks_zh="", kind="site"),
    ]
    assert [[row.met for row in examined(clauses)] for _ in range(3)] == [
        [True, None, None],
        [False, None, None],
        [None, None, None],
    ]


def test_the_page_shows_the_clauses_in_both_languages_and_is_recorded(tmp_path: Path) -> None:
    fake = ConsoleFake(tmp_path)
    finding = Finding(met=True, shown=("policies 7: <default>",))
    fake.standards.append(("GB/T 22239-2019", [_clause("8.1.3.2 a", finding, finding)]))
    page = fake.get("/compliance")
    assert page.status_code == 200
    assert "policies 7: &lt;default&gt;" in page.text
    assert "要求" in fake.get("/compliance?lang=zh").text
