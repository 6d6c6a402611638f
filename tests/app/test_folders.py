# SPDX-License-Identifier: Apache-2.0
"""Root hands folders to their owners; an owner who prepared its folder gains nothing by that."""

import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.pairs import holders
from app.users import LeadsElsewhere, Users, name_of
from core.site import Ports, SiteSettings

ROOT = os.geteuid() == 0


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[SiteSettings]:
    # Users of this very machine stand in for the roles', so that the test needs no bootstrap.
    monkeypatch.setattr("app.users.name_of", lambda _holder: "nobody" if ROOT else pwd.getpwuid(os.getuid()).pw_name)
    if ROOT:
        monkeypatch.setattr("app.users.GROUP", "root")
    else:
        monkeypatch.setattr("app.users.shutil.chown", lambda *_: None)
    with tempfile.TemporaryDirectory() as folder:
        ports = Ports(external=1, internal=2, management=3, plain=4, ldaps=5)
        yield SiteSettings(
            name="city", domain="city.example", title="City", title_zh="市", state=Path(folder), ports=ports
        )


def _precious(site: SiteSettings) -> Path:
    path = site.state / "shadow"
    path.write_bytes(b"root's own")
    return path


def test_folders_become_their_owners(site: SiteSettings) -> None:
    inside = site.folder("nginx") / "logs" / "error.log"
    inside.parent.mkdir(parents=True)
    inside.touch()
    Users(separate=True).own(site)
    if ROOT:
        assert inside.stat().st_uid == pwd.getpwnam("nobody").pw_uid
        assert site.folder("nginx").stat().st_uid == pwd.getpwnam("nobody").pw_uid
    assert all(stat.S_IMODE(site.folder(holder).stat().st_mode) == 0o700 for holder in holders())


@pytest.mark.parametrize("plant", [os.symlink, os.link])
def test_a_link_in_a_folder_does_not_give_its_target_away(site: SiteSettings, plant: object) -> None:
    assert callable(plant)
    precious = _precious(site)
    before = precious.stat()
    folder = site.folder("gateway")
    (folder / "sessions").mkdir(parents=True)
    plant(precious, folder / "sessions" / "gateway.db")
    with pytest.raises(LeadsElsewhere) as refused:
        Users(separate=True).own(site)
    assert str(refused.value.parameters["path"]).endswith("sessions/gateway.db")
    after = precious.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)


def test_a_link_to_a_folder_is_not_entered(site: SiteSettings) -> None:
    elsewhere = site.state / "etc"
    elsewhere.mkdir()
    (elsewhere / "passwd").touch()
    site.folder("nginx").mkdir()
    (site.folder("nginx") / "static").symlink_to(elsewhere)
    with pytest.raises(LeadsElsewhere):
        Users(separate=True).check(site.folder("nginx"))
    with pytest.raises(LeadsElsewhere):
        Users(separate=True).own(site)
    assert (elsewhere / "passwd").stat().st_uid == os.getuid()


def test_nobody_can_put_a_socket_in_the_place_of_anothers(site: SiteSettings) -> None:
    Users(separate=True).own(site)
    mode = (site.state / "run").stat().st_mode
    assert mode & stat.S_ISVTX
    assert mode & stat.S_ISGID
    assert not mode & stat.S_IRWXO


def test_where_all_share_a_user_only_that_user_reaches_the_sockets(site: SiteSettings) -> None:
    Users(separate=False).own(site)
    assert stat.S_IMODE((site.state / "run").stat().st_mode) == 0o700


def test_portals_have_users_of_their_own() -> None:
    assert len({name_of(holder) for holder in holders()}) == len(holders())
