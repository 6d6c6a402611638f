# SPDX-License-Identifier: Apache-2.0
"""Where a birth begins: it clears away what an earlier one left, and never anything else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import birth, holding, up
from app.birth import NotEmpty
from app.context import Context
from app.pairs import holders
from core.site import Ports


class _Died(Exception):
    pass


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    file = tmp_path / "city" / "site.toml"
    up.write_configuration(file, Ports(external=1, internal=2, management=3, plain=4, ldaps=5))

    def die(_context: Context) -> None:
        raise _Died

    # What comes after the folders and the pair secrets has tests of its own.
    monkeypatch.setattr("app.birth.recording.found", die)
    return Context.read(file)


def test_an_interrupted_birth_is_begun_again(context: Context) -> None:
    with pytest.raises(_Died):
        birth.init(context, lambda _line: None)
    before = context.site.pair_secret(holder="sso", caller="sso", callee="audit")
    said: list[str] = []
    with pytest.raises(_Died):
        birth.init(context, said.append)
    assert said[0].startswith("An earlier birth was interrupted")
    assert context.site.pair_secret(holder="sso", caller="sso", callee="audit") != before


def test_while_a_site_is_being_born_its_folders_are_nobody_elses(context: Context) -> None:
    with pytest.raises(_Died):
        birth.init(context, lambda _line: None)
    for holder in holders():
        assert context.site.folder(holder).stat().st_uid == os.geteuid()


def test_a_site_that_lost_its_mark_is_not_taken_for_an_unfinished_one(context: Context) -> None:
    key = context.site.folder("ca") / "keys" / "people.pem"
    key.parent.mkdir(parents=True)
    key.write_text("the only copy")
    with pytest.raises(NotEmpty):
        birth.init(context, lambda _line: None)
    assert key.read_text() == "the only copy"


def test_what_an_operator_keeps_beside_the_configuration_survives(context: Context) -> None:
    password = context.site.state / "sso-database"
    password.write_text("postgresql+psycopg://...")
    with pytest.raises(NotEmpty):
        birth.init(context, lambda _line: None)
    assert password.exists()


def test_empty_folders_may_be_mounted_volumes_and_stay(context: Context) -> None:
    volume = context.site.state / "nginx"
    volume.mkdir()
    number = volume.stat().st_ino
    with pytest.raises(_Died):
        birth.init(context, lambda _line: None)
    assert volume.stat().st_ino == number


_BEGIN_AGAIN = """
import pathlib, subprocess, sys
from app import birth
state = pathlib.Path(sys.argv[1])
subprocess.run(["mount", "--bind", sys.argv[2], state / "nginx"], check=True)
birth._remove(state / "nginx")
assert list((state / "nginx").iterdir()) == []
birth._remove(state / "sso")
assert not (state / "sso").exists()
"""


def test_a_volume_of_the_same_disk_stays_and_is_emptied(tmp_path: Path) -> None:
    volume, state = tmp_path / "volume", tmp_path / "state"
    for folder in (volume, state / "nginx", state / "sso"):
        (folder / "logs").mkdir(parents=True)
        (folder / "logs" / "error.log").touch()
        (folder / "link").symlink_to(tmp_path)
    # A mount of one's own, as a container has, and of one disk, where the device's number tells nothing.
    own = ["unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")), "--"]
    done = subprocess.run(
        [*own, sys.executable, "-c", _BEGIN_AGAIN, str(state), str(volume)],
        capture_output=True,
        text=True,
        cwd=Path(birth.__file__).parents[1],
    )
    assert done.returncode == 0, done.stderr
    assert volume.exists()


def test_a_link_is_removed_and_not_followed(context: Context, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    with pytest.raises(_Died):
        birth.init(context, lambda _line: None)
    (context.site.state / "link").symlink_to(elsewhere)
    with pytest.raises(_Died):
        birth.init(context, lambda _line: None)
    assert (elsewhere / "kept").exists()
    assert not (context.site.state / "link").exists()


def test_nothing_is_born_beneath_a_running_site(context: Context) -> None:
    with holding.alone(context.path), pytest.raises(holding.AlreadyUp), holding.alone(context.path):
        pass
