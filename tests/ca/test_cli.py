# SPDX-License-Identifier: Apache-2.0
"""The operator's commands, over the peer API of an application in process."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from ca.cli import Hall, group
from ca.errors import AlreadyRevoked
from ca.models import Standing
from core.errors import TallygateError
from tests.fakes.people import CITIZEN

from .sites import Site
from .world import World, request_for


def _no_hall() -> Hall:
    raise AssertionError("no ceremony is held here")


def _run(site: Site, *arguments: str) -> str:
    done = CliRunner().invoke(group(site.peer, _no_hall), list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output.strip()


def test_an_operator_issues_shows_suspends_releases_and_revokes(site: Site, world: World, tmp_path: Path) -> None:
    (tmp_path / "w.csr").write_bytes(request_for())
    serial = _run(site, "issue", "citizen", CITIZEN.subject, str(tmp_path / "w.csr"), "--out", str(tmp_path / "w.pem"))
    assert (tmp_path / "w.pem").read_bytes().count(b"BEGIN CERTIFICATE") == 2
    assert "good" in _run(site, "show", serial)
    _run(site, "suspend", serial)
    assert "suspended" in _run(site, "show", CITIZEN.subject)
    _run(site, "release", serial)
    _run(site, "revoke", serial, "--reason", "key-compromise")
    assert site.authority.status(serial).standing is Standing.REVOKED
    assert world.outbox()[-1].actor == "role:app"
    with pytest.raises(TallygateError) as refused:
        _run(site, "release", serial)
    assert refused.value.code == AlreadyRevoked.code
