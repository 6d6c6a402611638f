# SPDX-License-Identifier: Apache-2.0
"""The directory's part in a site's birth, from the configuration file on."""

import stat
from datetime import UTC, datetime
from pathlib import Path

from app.context import Context
from app.wiring import directory as wiring
from audit import Outcome
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
