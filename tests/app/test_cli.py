# SPDX-License-Identifier: Apache-2.0
"""Every command of `tallygate`: its help, and what it says to a file that is missing, broken or of no site.

A mistake ends with 1 or 2 and a sentence on standard error; nobody sees where in the code it was noticed.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.ports import free_ports
from app.up import write_configuration

ROOT = Path(__file__).parents[2]
COMMANDS: dict[str, str] = {
    "agencies end": "--site SITE --client c",
    "agencies let": "--site SITE --client c --organisation o --do verify --until 2027-01-01 --reason r",
    "agencies list": "--site SITE",
    "trust-list add": "FILE FILE --key FILE",
    "trust-list create": "--name x --key FILE --out OUT",
    "trust-list follow": "abroad FILE --site SITE",
    "trust-list history": "abroad --site SITE",
    "trust-list show": "FILE --list-key FILE",
    "trust-list sign": "FILE --key FILE",
    "trust-list verify": "FILE --list-key FILE",
    "trust-list withdraw": "FILE 00 --key FILE",
    "archive report": "--site SITE",
    "audit check": "--site SITE",
    "audit evidence": "3 --site SITE --purpose proceedings -o OUT",
    "audit exports": "--site SITE",
    "audit replay": "tax --from 7 --site SITE",
    "audit mirror": "https://127.0.0.1:1/ --key KEY --into OUT",
    "audit reindex": "DIR",
    "audit retention": "--site SITE",
    "audit rotate": "--site SITE",
    "audit rules check": "FILE",
    "audit rules run": "DIR --record DIR",
    "audit verify": "DIR --key KEY",
    "audit verify-export": "FILE --key KEY",
    "ca block-key": "FILE",
    "ca ceremony": "FILE",
    "ca check": "",
    "ca enrol": "--job ab12",
    "ca incident list": "",
    "ca incident pause": "ab12",
    "ca incident renew": "--profile device-client --explain why --explain-zh why",
    "ca incident resume": "ab12",
    "ca incident revoke": "--profile device-client --reason superseded",
    "ca incident show": "ab12",
    "ca incident stop": "ab12",
    "ca incident withdraw": "ab12",
    "ca issue": "server label FILE --out OUT",
    "ca release": "ab12",
    "ca revoke": "ab12 --reason key-compromise",
    "ca show": "ab12",
    "ca suspend": "ab12",
    "compliance": "--site SITE --json",
    "demo": "--site SITE",
    "demo-people": "--site SITE",
    "directory backup": "DIR --site SITE --key FILE",
    "directory backup-keys": "DIR/nothing",
    "directory breaches": "FILE --site SITE",
    "directory check": "--site SITE",
    "directory compare": "--site SITE",
    "directory import": "FILE --site SITE",
    "directory migrate": "--site SITE",
    "directory programs end": "--site SITE --client c --reason why",
    "directory programs let": "--site SITE --client c --do read --organisation o --until 2030-01-01 --reason why",
    "directory programs list": "--site SITE",
    "directory restore": "DIR --site SITE --key FILE",
    "directory second-again": "--site SITE",
    "directory software close": "--site SITE --device d --reason why",
    "directory software let": "--site SITE --device d --right people --until 2030-01-01 --reason why",
    "directory software list": "--site SITE",
    "directory software rotate": "--site SITE --device d --to e --last 2030-01-01 --reason why",
    "directory unrecorded": "--site SITE",
    "doctor": "--site SITE",
    "gateway rotate-key": "--site SITE",
    "edge": "caddy --listener external --site SITE",
    "init": "--site SITE",
    "policies administrator-key": "DIR/nothing/key",
    "policies check": "--source DIR",
    "policies disagreements": "--site SITE",
    "policies explain": "--site SITE --resource r --class pki --from external --to external",
    "policies diff": "--site SITE",
    "policies history": "--site SITE",
    "policies orders": "--site SITE",
    "keepers": "--site SITE --organisation o --name li.na --name wang.wei",
    "policies release": "--site SITE --actor somebody",
    "policies replay": "--site SITE --days 2",
    "policies rollback": "1-abcdef --site SITE --actor somebody",
    "policies shadow": "--site SITE --actor somebody",
    "policies sign-statement": "FILE --key FILE",
    "policies sign": "--site SITE --actor somebody --key FILE",
    "policies test": "--source DIR",
    "policies usage": "--site SITE",
    "policies zones": "--source DIR",
    "seal": "FILE --site SITE --organisation o --actor a --out OUT",
    "serve": "sso --site SITE",
    "sign": "FILE --key FILE --passphrase FILE --out OUT",
    "sso invite": "--site SITE --agency tax",
    "sso portals": "--site SITE",
    "sso program enter": "--site SITE --name personnel --title t --keys FILE",
    "sso program remove": "--site SITE --name personnel",
    "sso rotate-keys": "--site SITE",
    "switches": "--site SITE",
    "up": "--site SITE",
    "upgrade": "--site SITE",
    "verify": "FILE --site SITE",
}
"""Every command with arguments as an operator would give them; capitals stand for files and folders."""
HIDDEN = {"demo-people"}
# A ceremony works before any site does: its file says all.
OF_A_SITE = [
    name for name in COMMANDS if "SITE" in COMMANDS[name] or (name.startswith("ca ") and name != "ca ceremony")
]


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1] if path else "tallygate")
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _commands(below, (*path, name))
    else:
        yield " ".join(path), command


FOUND = dict(_commands(main))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with one file that means nothing and one folder that is empty."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_bytes(os.urandom(3000))
    (tmp_path / "DIR").mkdir()
    return tmp_path


def _site(folder: Path, change: tuple[str, str] = ("", "")) -> Path:
    """The configuration of a site that nobody brought to life, with one thing changed."""
    file = folder / "site" / "site.toml"
    write_configuration(file, free_ports(wishes=()))
    file.write_text(file.read_text("utf-8").replace(*change), "utf-8")
    return file


def _run(name: str, site: Path | str = "SITE") -> Result:
    words = [str(site) if word == "SITE" else word for word in COMMANDS[name].split()]
    path = name.split()
    before = ["--site", str(site)] if path[0] == "ca" else []
    return CliRunner().invoke(main, [path[0], *before, *path[1:], *words], input="")


def _said(result: Result) -> str:
    """The sentence with which a command ended that could do nothing."""
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code in {1, 2}, result.output
    assert "Traceback" not in result.output
    assert 'File "' not in result.output
    last = result.output.strip().splitlines()[-1]
    assert len(last) > 10
    return last


def test_every_command_is_in_this_table() -> None:
    assert set(FOUND) == set(COMMANDS)
    assert {name for name, command in FOUND.items() if command.hidden} == HIDDEN


def test_the_first_help_names_every_command_with_a_sentence() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    for name in {name.split()[0] for name in COMMANDS} - HIDDEN:
        [line] = [line for line in text.splitlines() if line.startswith(f"  {name} ")]
        assert len(line.split()) > 3, line
    assert CliRunner().invoke(main, ["--version"]).output.startswith("tallygate, version ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_help(name: str) -> None:
    result = CliRunner().invoke(main, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")
    help_ = FOUND[name].help
    assert help_ is not None
    assert help_.split("\n")[0].split()[0] in result.output
    for parameter in FOUND[name].params:
        assert not isinstance(parameter, click.Option) or parameter.opts[0] in result.output


def test_without_the_manual_the_operators_page_names_the_commands() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text("utf-8")
    for name in ("init", "up", "serve", "doctor", "init --renew-processes", "sso rotate-keys", "audit verify"):
        assert f"tallygate {name} " in operations, name


@pytest.mark.parametrize("name", COMMANDS)
def test_a_missing_file_is_named(name: str, here: Path) -> None:
    (here / "FILE").unlink()
    (here / "DIR").rmdir()
    if "SITE" in COMMANDS[name] or name.startswith("ca "):
        assert "SITE" in _said(_run(name)) or "FILE" in _said(_run(name))
        assert not (here / "SITE").exists()
    else:
        said = _said(_run(name))
        assert "FILE" in said or "DIR" in said or name in {"audit mirror", "audit verify"}


@pytest.mark.parametrize("name", OF_A_SITE)
@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00site", b"[site", b"", b"site = 1\n"], ids=["bytes", "cut", "empty", "no table"]
)
def test_a_configuration_that_is_none_is_told(name: str, content: bytes, here: Path) -> None:
    (here / "SITE").write_bytes(content)
    said = _said(_run(name))
    assert said.startswith("tallygate: Configuration: ")
    assert said.endswith("[configuration]")


@pytest.mark.parametrize("name", OF_A_SITE)
def test_a_mistake_in_the_configuration_is_told_by_its_key(name: str, here: Path) -> None:
    for change, key in (
        (("title =", "titel ="), "site.titel"),
        (("[site.ports]", '[site.ports]\naddress = "nowhere"'), "site.ports"),
        (('domain = "city.localhost"', "domain = 5"), "site.domain"),
    ):
        assert key in _said(_run(name, _site(here, change)))


@pytest.mark.parametrize("name", ["init", "up", "doctor"])
def test_a_section_that_nobody_reads_and_a_key_of_one_that_is_read_later_are_told_at_once(
    name: str, here: Path
) -> None:
    for change, key in (
        (("[directory]", "[nonsense]\n[directory]"), "nonsense"),
        (("[directory]", "[gateway]\nratte = 3\n[directory]"), "gateway.ratte"),
        (("[directory]", "[logs]\nkept = 0\n[directory]"), "logs"),
    ):
        site = _site(here, change)
        result = _run(name, site)
        assert result.exit_code == 1
        assert "Traceback" not in result.output
        assert f"Configuration: {key}: " in result.output
        # Nothing was begun.
        assert {path.name for path in site.parent.iterdir()} <= {"site.toml", ".running"}


@pytest.mark.parametrize("name", [name for name in OF_A_SITE if name not in {"init", "up"}])
def test_a_site_that_was_not_born_is_told(name: str, here: Path) -> None:
    site = _site(here)
    _said(_run(name, site))
    # And it can still be born.
    assert {path.name for path in site.parent.iterdir()} <= {"site.toml", ".running"}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in OF_A_SITE])
def test_what_is_not_what_it_should_be_is_told(name: str, here: Path) -> None:
    _said(_run(name))
    assert not (here / "OUT").exists()


@pytest.mark.parametrize("option", ["--key FILE", "--key KEY --older FILE", "--key KEY"])
@pytest.mark.parametrize("where", ["DIR", "FILE", "nowhere", "https://127.0.0.1:1/"])
@pytest.mark.usefixtures("here")
def test_an_auditor_who_errs_is_told(where: str, option: str) -> None:
    _said(CliRunner().invoke(main, ["audit", "verify", where, *option.split()]))


@pytest.mark.parametrize("role", ["stranger", "portal:stranger", "portal", "Audit", "", "../sso", "sso "])
def test_an_unknown_role_is_told_and_which_there_are(role: str, here: Path) -> None:
    said = _said(CliRunner().invoke(main, ["serve", role, "--site", str(_site(here))]))
    assert "[unknown_role]" in said
    assert "portal:tax" in said


@pytest.mark.parametrize("line", ["stranger", "sso stranger", "--stranger", "serve", "ca show x", "up --site", "init"])
def test_what_the_command_line_does_not_know_is_told(line: str) -> None:
    result = CliRunner().invoke(main, line.split())
    _said(result)
    assert result.exit_code == 2


def test_a_file_that_is_closed_to_us_is_named(here: Path) -> None:
    site = _site(here)
    (here / "site" / "app").write_text("not a folder")
    assert "app/pairs" in _said(_run("ca show", site))
    # A folder in the place of a file that is read without a word of our own.
    (here / "state").write_text("not a folder either")
    assert "state" in _said(CliRunner().invoke(main, ["up", "--state", "state"]))


@pytest.mark.parametrize("name", ["doctor", "serve"])
def test_the_real_program_says_the_same(name: str, here: Path) -> None:
    site = _site(here, ("title =", "titel ="))
    words = [str(site) if word == "SITE" else word for word in COMMANDS[name].split()]
    done = subprocess.run(
        [sys.executable, "-m", "app", name, *words], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "tallygate: Configuration: site.titel: unknown key [configuration]\n"
