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


def test_a_way_out_is_explained_by_what_is_spoken_there() -> None:
    asked = (
        *("explain", "--resource", "standards", "--class", "egress", "--from", "external", "--to", "internet"),
        *("--role", "civil-servant", "--assurance", "2"),
    )
    denied = CliRunner().invoke(policies, asked).output
    assert "DENY" in denied
    assert "because of: zone:way-out" in denied
    tunnel = CliRunner().invoke(policies, [*asked, "--method", "CONNECT", "--protocol", "connect", "--port", "443"])
    assert "ALLOW allowed" in tunnel.output


def test_a_policy_that_ends_is_explained_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(SHIPPED, tmp_path / "p")
    with (tmp_path / "p" / "forbids.cedar").open("a", encoding="utf-8") as file:
        # 2031-01-01.
        file.write(
            '@id("over") @code("zone") @owner("x") @reason("x")\n'
            'forbid (principal, action, resource == Target::"tax") when { context.at >= 1924992000 };\n'
        )
    monkeypatch.setattr("policies.cli.site.SHIPPED", tmp_path / "p")
    asked = [*CITIZEN, "--from", "external", "--at"]
    assert "ALLOW allowed" in CliRunner().invoke(policies, [*asked, "2030-12-31T23:59:59"]).output
    over = CliRunner().invoke(policies, [*asked, "2031-01-01T00:00:00"]).output
    assert "DENY" in over
    assert "because of: over" in over
    assert CliRunner().invoke(policies, [*asked, "tomorrow"]).exit_code == 2


@pytest.mark.parametrize("actor", ["Qian Jun", "钱军", "", "a\nb", "x" * 257])
def test_a_name_instead_of_an_identifier_is_refused_with_a_word_of_what_to_give(actor: str, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text("")
    for command in (["release"], ["rollback", "1"]):
        said = CliRunner().invoke(policies, [*command, "--site", str(tmp_path / "site.toml"), "--actor", actor])
        assert said.exit_code == 2
        assert "give an identifier" in said.output
