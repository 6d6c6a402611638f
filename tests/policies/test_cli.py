# SPDX-License-Identifier: Apache-2.0
"""What a security administrator types."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from policies.cli import policies
from policies.config import SHIPPED
from policies.errors import PoliciesUnusable

CITIZEN = ("explain", "--resource", "tax", "--class", "portal", "--to", "external", "--role", "citizen")


def test_the_shipped_policies_check_and_pass() -> None:
    checked = CliRunner().invoke(policies, ["check"])
    assert checked.exit_code == 0
    assert "sound" in checked.output
    tested = CliRunner().invoke(policies, ["test"])
    assert tested.exit_code == 0
    assert " 0 wrong" in tested.output


def test_a_wrong_case_is_named_and_exits_1(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "p")
    with (tmp_path / "p" / "cases.csv").open("a", encoding="utf-8") as file:
        file.write("nobody,access,audit,management,0,,allowed,,\n")
    tested = CliRunner().invoke(policies, ["test", "--source", str(tmp_path / "p")])
    assert tested.exit_code == 1
    assert "WRONG line" in tested.output


def test_broken_policies_do_not_check(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "p")
    (tmp_path / "p" / "access.cedar").write_text("permit (", "utf-8")
    checked = CliRunner().invoke(policies, ["check", "--source", str(tmp_path / "p")])
    assert isinstance(checked.exception, PoliciesUnusable)


def test_a_question_is_explained() -> None:
    allowed = CliRunner().invoke(policies, [*CITIZEN, "--from", "external"])
    assert "ALLOW allowed" in allowed.output
    assert "portal-for-everybody-known" in allowed.output
    denied = CliRunner().invoke(policies, [*CITIZEN, "--from", "external", "--required-assurance", "2"])
    assert "DENY assurance" in denied.output
    assert "would be allowed at assurance 2" in denied.output
    disabled = CliRunner().invoke(policies, [*CITIZEN, "--from", "external", "--disabled"])
    assert "DENY disabled" in disabled.output


@pytest.mark.parametrize("actor", ["Qian Jun", "钱军", "", "a\nb", "x" * 257])
def test_a_name_instead_of_an_identifier_is_refused_with_a_word_of_what_to_give(actor: str, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text("")
    for command in (["release"], ["rollback", "1"]):
        said = CliRunner().invoke(policies, [*command, "--site", str(tmp_path / "site.toml"), "--actor", actor])
        assert said.exit_code == 2
        assert "give an identifier" in said.output
