# SPDX-License-Identifier: Apache-2.0
"""The page that says which standard is shown by which test names code and tests that are there, and leaves none out."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (?P<standard>[^|]+) \| [^|]+ \| `(?P<code>[^`|]+)` \| `(?P<test>[^`|]+)` \|$", re.MULTILINE)
_ROWS = [found.groupdict() for found in _ROW.finditer((ROOT / "docs" / "sso-conformance.md").read_text("utf-8"))]


def _tests(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: f"{row['standard']}, {row['test'].partition('::')[2]}")
def test_a_row_names_code_and_a_test_that_are_there(row: dict[str, str]) -> None:
    assert (ROOT / row["code"]).exists()
    path, _, name = row["test"].partition("::")
    assert name in _tests(ROOT / path)


def test_every_protocol_has_a_row_and_every_line_of_a_table_is_one() -> None:
    folders = {f"sso/oauth/{path.parent.name}" for path in (ROOT / "sso" / "oauth").glob("*/__init__.py")}
    assert folders <= {row["code"] for row in _ROWS}
    text = (ROOT / "docs" / "sso-conformance.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith(("|---", "| standard"))]
    assert len(lines) == len(_ROWS)


def test_what_is_left_out_on_purpose_is_said() -> None:
    said = (ROOT / "docs" / "divergences.md").read_text("utf-8")
    assert "OpenID Connect Session Management, Front-Channel Logout, CIBA" in said
