# SPDX-License-Identifier: Apache-2.0
"""The directory's part in a site's birth, from the configuration file on."""

import stat
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.context import Context
from app.serve import server_command
from app.users import Users
from app.wiring import directory as wiring
from audit import Outcome
from directory import slapd
from directory.slapd import SERVICES
from tests.fakes.recorder import ListRecorder

_SITE = """
[site]
name = "test"
domain = "test.localhost"
title = "Test"
title_zh = "测试"
state = "state"
[site.ports]
external = 1
internal = 2
management = 3
plain = 4
ldaps = 5
"""


def test_a_birth_makes_secrets_tree_and_tables_and_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(_SITE, "utf-8")
    context = Context.read(tmp_path / "site.toml")
    recorder = ListRecorder()
    wiring.found(context, recorder)
    assert [event.outcome for event in recorder.events] == [Outcome.INTENDED, Outcome.SUCCESS]
    assert abs(recorder.events[0].at - datetime.now(UTC)).total_seconds() < 600
    secrets = {role: (context.site.folder(role) / "ldap.secret").read_bytes() for role in SERVICES}
    assert len(set(secrets.values())) == len(SERVICES)
    for role in SERVICES:
        assert stat.S_IMODE((context.site.folder(role) / "ldap.secret").stat().st_mode) == 0o600
    assert (context.site.folder("directory") / "directory.db").exists()
    assert wiring.command(context)[0].endswith("slapd")

    wiring.found(context, recorder)
    again = {role: (context.site.folder(role) / "ldap.secret").read_bytes() for role in SERVICES}
    assert again == secrets
    assert recorder.events[-1].attributes["already_there"] is True


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder that slapd's user can reach, who writes the configuration where there is one."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tg-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_every_start_brings_slapd_up_to_the_settings(passable: Path) -> None:
    file = passable / "site.toml"
    file.write_text(_SITE, "utf-8")
    context = Context.read(file)
    wiring.found(context, ListRecorder())
    Users.detect().own(context.site)
    where = slapd.places(context.site)
    assert "olcSizeLimit: size=77" not in where.in_force.read_text("utf-8")
    file.write_text(_SITE + "[directory]\nsize_limit = 77\n", "utf-8")
    assert server_command("slapd", file)[0].endswith("slapd")
    assert "olcSizeLimit: size=77" in where.in_force.read_text("utf-8")
    told = subprocess.run(
        ["slapcat", "-n", "0", "-F", str(where.configuration)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "olcSizeLimit: size=77" in told.stdout
