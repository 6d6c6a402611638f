# SPDX-License-Identifier: Apache-2.0
"""The operator's commands, over the peer API of an application in process."""

import hashlib
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.cli import Hall, group
from ca.errors import AlreadyRevoked, KeyRefused, NotYourBusiness
from ca.models import Standing
from core.errors import TallygateError
from tests.fakes.people import CITIZEN

from .sites import Site
from .world import World, ask, new_key, request_for


def _no_hall() -> Hall:
    raise AssertionError("no ceremony is held here")


def _run(site: Site, *arguments: str) -> str:
    done = CliRunner().invoke(group(site.peer, _no_hall), list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output.strip()


def test_an_operator_issues_shows_suspends_releases_and_revokes(site: Site, world: World, tmp_path: Path) -> None:
    (tmp_path / "w.csr").write_bytes(request_for())
    given = (str(tmp_path / "w.csr"), "--out", str(tmp_path / "w.pem"))
    serial = _run(site, "issue", "citizen", CITIZEN.subject, *given, "--break-glass", "drill")
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


@pytest.mark.parametrize("named", ["certificate", "request", "key", "hash"])
def test_a_key_is_blocked_and_what_was_made_for_it_is_revoked_and_shown(
    site: Site, world: World, tmp_path: Path, named: str
) -> None:
    key = new_key()
    csr = request_for(key)
    serials = [site.authority.issue(ask(csr=csr)).serial for _ in range(2)]
    other = site.authority.issue(ask()).serial
    public = key.public_key()
    spelt = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    contents = {
        "certificate": site.authority.chained(site.authority.certificate(serials[0])),
        "request": csr,
        "key": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    }
    path = tmp_path / "named.pem"
    path.write_bytes(contents.get(named, b""))
    given = hashlib.sha256(spelt).hexdigest().upper() if named == "hash" else str(path)
    first, *lines = _run(site, "block-key", given).splitlines()
    assert first == "2 revoked"
    assert {each.split()[0] for each in lines} == set(serials)
    assert all("revoked" in each for each in lines)
    assert site.authority.status(other).good
    with pytest.raises(KeyRefused):
        site.authority.issue(ask(csr=csr))
    assert "ca.key.blocked" in world.reported()
    # Once more is no error and revokes nothing more.
    assert _run(site, "block-key", given).startswith("0 revoked")


def test_what_is_no_key_is_not_blocked(site: Site, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no key")
    for named in (str(tmp_path / "x"), str(tmp_path / "absent"), "ab" * 31):
        done = CliRunner().invoke(group(site.peer, _no_hall), ["block-key", named])
        assert done.exit_code == 2, done.output


def test_other_roles_block_no_keys(site: Site) -> None:
    for role in ("sso", "gateway", "signatures"):
        with pytest.raises(TallygateError) as refused:
            site.peer(role).block("ab" * 32, actor="")
        assert refused.value.code == NotYourBusiness.code
