# SPDX-License-Identifier: Apache-2.0
"""What was granted with an assessment comes into the site's file, and nothing that would not start."""

import tomllib
from pathlib import Path

import pytest

from app.assessed import difference, entered, write
from app.ports import free_ports
from app.up import write_configuration
from core.config import ConfigurationError


def section(label: str = "tax", *, grade: int = 2, on: str = "2026-11-01", assurance: int = 1) -> str:
    zone, kind = ("internal", "office") if grade == 4 else ("external", "portal")
    return (
        f'[gateway.routes.{label}]\nrole = "portal:{label}"\nzone = "{zone}"\nresource_class = "{kind}"\n'
        f"assurance = {assurance}\n[gateway.routes.{label}.assessment]\n"
        f'grade = {grade}\nby = "Centre"\nreport = "7"\non = "{on}"\n# Its records of access are kept.'
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "site.toml"
    write_configuration(made, free_ports(wishes=()))
    made.chmod(0o640)
    return made


def test_a_new_host_is_shown_as_a_difference_then_written_and_stands_there(file: Path) -> None:
    before = file.read_text("utf-8")
    after = entered(before, [section()])
    shown = difference(before, after).splitlines()
    assert "+[gateway.routes.tax]" in shown
    assert not [line for line in shown if line.startswith("-") and not line.startswith("---")]
    write(file, before, after)
    assert file.read_text("utf-8") == after
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in file.parent.glob("*site.toml*")) == ["site.toml"]
    assert entered(after, [section()]) == after


def test_the_latest_assessment_replaces_an_earlier_one_and_nothing_else(file: Path) -> None:
    own = section(on="2024-11-01").replace("assurance = 1", "assurance = 3\n# Mine.")
    text = f"{file.read_text('utf-8')}\n{own}\n\n[audit.retention]\naccess = 400\n"
    made = entered(text, [section(on="2026-11-01"), section(on="2025-11-01")])
    parsed = tomllib.loads(made)
    assert parsed["gateway"]["routes"]["tax"]["assessment"]["on"] == "2026-11-01"
    assert parsed["gateway"]["routes"]["tax"]["assurance"] == 3
    assert "# Mine." in made
    assert parsed["audit"]["retention"] == {"access": 400}
    assert entered(made, [section(on="2025-11-01")]) == made
    bare = made.replace(made[made.index("[gateway.routes.tax.assessment]") : made.index("[audit.retention]")], "")
    assert tomllib.loads(entered(bare, [section()]))["gateway"]["routes"]["tax"]["assessment"]["grade"] == 2
    inline = bare.replace(
        "assurance = 3", 'assurance = 3\nassessment = {grade = 1, by = "x", report = "1", on = "2020-01-01"}'
    )
    with pytest.raises(ConfigurationError, match="table of its own"):
        entered(inline, [section()])


@pytest.mark.parametrize(
    ("route", "why"),
    [
        # The record is kept for a shorter time than the grade demands.
        (section(grade=4, assurance=3), "demands 1098 days"),
        # The route itself asks less than the grade demands.
        (section(grade=3, assurance=1), "assurance"),
    ],
)
def test_what_is_weaker_than_its_grade_is_not_written(file: Path, route: str, why: str) -> None:
    before = file.read_text("utf-8")
    with pytest.raises(ConfigurationError, match=why):
        write(file, before, entered(before, [route]))
    assert file.read_text("utf-8") == before
    assert sorted(path.name for path in file.parent.glob("*site.toml*")) == ["site.toml"]


def test_a_route_that_the_operator_made_weaker_is_refused_with_a_graver_assessment(file: Path) -> None:
    text = f"{file.read_text('utf-8')}\n{section(on='2025-11-01')}\n"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError):
        write(file, text, entered(text, [section(grade=3, assurance=2)]))
    assert file.read_text("utf-8") == text


def test_a_file_that_somebody_changed_meanwhile_is_left(file: Path) -> None:
    before = file.read_text("utf-8")
    file.write_text(f"{before}# Theirs.\n", "utf-8")
    with pytest.raises(ConfigurationError, match="changed since"):
        write(file, before, entered(before, [section()]))
    assert file.read_text("utf-8").endswith("# Theirs.\n")
