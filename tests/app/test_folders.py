# SPDX-License-Identifier: Apache-2.0
"""Root hands folders to their owners; an owner who prepared its folder gains nothing by that."""

import grp
import os
import pwd
import socket
import stat
import subprocess
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


def test_what_is_swapped_for_a_link_while_root_looks_is_not_given_away(
    site: SiteSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    precious = _precious(site)
    swapped = site.folder("gateway") / "gateway.db"
    swapped.parent.mkdir()
    swapped.touch()
    fstat = os.fstat

    def slow(handle: int) -> os.stat_result:
        found = fstat(handle)
        if swapped.exists() and not swapped.is_symlink() and found.st_ino == swapped.stat().st_ino:
            swapped.unlink()
            os.link(precious, swapped)
        return found

    # The owner is quick: right after the look another file has the name.
    monkeypatch.setattr("app.users.os.fstat", slow)
    before = precious.stat()
    Users(separate=True).give(site.folder("gateway"), "gateway")
    assert swapped.samefile(precious)
    after = precious.stat()
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


def test_what_is_in_the_right_hands_is_known_and_what_is_not_too(
    site: SiteSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = Users(separate=True)
    monkeypatch.setattr("app.users.GROUP", grp.getgrgid(os.getgid()).gr_name)
    users.own(site)
    assert users.own_already(site)
    assert users.sockets_shared(site)
    # As the kernel does it where root lacks the capability FSETID.
    site.socket("ca").parent.chmod(0o750)
    assert not users.sockets_shared(site)
    assert not users.own_already(site)
    site.socket("ca").parent.chmod(0o2750)
    assert users.own_already(site)
    site.socket("ca").parent.rmdir()
    assert not users.own_already(site)
    assert Users(separate=False).own_already(site)


def test_until_a_birth_is_over_no_role_gets_into_its_folder(site: SiteSettings) -> None:
    Users(separate=True).own(site)
    Users(separate=True).keep(site)
    for holder in holders():
        found = site.folder(holder).stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (os.geteuid(), 0o700)


def test_a_link_to_a_folder_is_not_entered(site: SiteSettings) -> None:
    elsewhere = site.state / "etc"
    elsewhere.mkdir()
    (elsewhere / "passwd").touch()
    site.folder("nginx").mkdir()
    (site.folder("nginx") / "static").symlink_to(elsewhere)
    with pytest.raises(LeadsElsewhere):
        Users(separate=True).own(site)
    assert (elsewhere / "passwd").stat().st_uid == os.getuid()


_BIND = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])"
_CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


def _may(user: str, code: str, path: Path) -> bool:
    """Whether a user of the site's group can do that."""
    if not ROOT:
        return True
    line = ["setpriv", "--reuid", user, "--regid", user, "--groups", "users", "--", "/usr/bin/python3", "-c", code]
    done = subprocess.run([*line, str(path)], capture_output=True, text=True)
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode == 0


def test_nobody_can_bind_a_socket_by_anothers_name(site: SiteSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    # Again users of this very machine: daemon has the role ca, games every other.
    if ROOT:
        monkeypatch.setattr("app.users.name_of", lambda holder: "daemon" if holder == "ca" else "games")
        monkeypatch.setattr("app.users.GROUP", "users")
    site.state.chmod(0o755)
    Users(separate=True).open_run(site)
    assert stat.S_IMODE(site.run.stat().st_mode) == 0o750
    for holder in holders():
        assert stat.S_IMODE(site.socket(holder).parent.stat().st_mode) == 0o2750
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(site.socket("ca", "left")))
    assert _may("daemon", _BIND, site.socket("ca"))
    assert not ROOT or site.socket("ca").stat().st_gid == grp.getgrnam("users").gr_gid
    if ROOT:
        for path in (site.socket("ca", "other"), site.run / "other", site.run / "other.sock"):
            assert not _may("games", _BIND, path)
    # But a socket that its owner opened to the group is reached.
    with socket.socket(socket.AF_UNIX) as listening:
        path = site.socket("ca", "listening")
        listening.bind(str(path))
        path.chmod(0o660)
        listening.listen()
        assert _may("games", _CONNECT, path)


def test_what_an_earlier_release_left_among_the_sockets_is_cleared_away(site: SiteSettings) -> None:
    # There every role could make things beside the others' sockets, folders and links too.
    elsewhere = site.state / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    site.run.mkdir()
    (site.run / "sso").symlink_to(elsewhere)
    (site.run / "ca").mkdir()
    with socket.socket(socket.AF_UNIX) as planted:
        planted.bind(str(site.run / "ca" / "sock"))
    Users(separate=True).open_run(site)
    assert {path.name for path in site.run.iterdir()} == {holder.replace(":", "-") for holder in holders()}
    assert not any(path.is_symlink() or list(path.iterdir()) for path in site.run.iterdir())
    assert (elsewhere / "kept").exists()
    assert elsewhere.stat().st_uid == os.getuid()


def test_where_all_share_a_user_only_that_user_reaches_the_sockets(site: SiteSettings) -> None:
    Users(separate=False).own(site)
    assert stat.S_IMODE(site.run.stat().st_mode) == 0o700


def test_portals_have_users_of_their_own() -> None:
    assert len({name_of(holder) for holder in holders()}) == len(holders())
