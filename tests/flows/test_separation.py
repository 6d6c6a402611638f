# SPDX-License-Identifier: Apache-2.0
"""Each role is a process of its own user, starts with everybody else's state unreadable, and reaches only its peers.

Where one user runs everything (nobody may make users, or the code lies in a private folder), the doctor must say so,
and what needs no second user must hold all the same: secrets 0600, folders 0700, sockets closed to others.
"""

import os
import pwd
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.wiring.watching import YIELDS
from tests.flows.city import City, started
from tests.flows.machine import children, processes

USERS = {
    "slapd": "slapd", "log": "audit", "watch": "audit", "audit": "audit", "directory": "directory", "ca": "ca",
    "sso": "sso", "signatures": "signatures", "gateway": "gateway", "portal:tax": "tax", "portal:social": "social",
    "portal:documents": "documents", "nginx": "nginx",
}  # fmt: skip
"""System user by process."""
FOLDERS = {
    "app": "app", "audit": "audit", "directory": "directory", "ca": "ca", "sso": "sso", "signatures": "signatures",
    "gateway": "gateway", "nginx": "nginx", "slapd": "slapd", "portal-tax": "tax", "portal-social": "social",
    "portal-documents": "documents",
}  # fmt: skip
"""System user by private folder."""


@pytest.fixture(scope="module")
def city() -> Iterator[City]:
    """A city started from a shell that shares nothing by default, so that nothing is open by its umask alone."""
    before = os.umask(0o077)
    try:
        with started() as running:
            yield running
    finally:
        os.umask(before)


@pytest.fixture(scope="module")
def separate(city: City) -> bool:
    """What the doctor says, and it must be the truth."""
    said = city.tallygate("doctor", "--site", str(city.configuration))
    apart = "every role runs as its own system user" in said.stdout
    assert apart or "all roles share one system user" in said.stdout
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in processes(city).values()}
    assert apart == (len(owners) > 1)
    return apart


def _as(user: str, *command: str) -> subprocess.CompletedProcess[bytes]:
    name = f"tallygate-{user}"
    return subprocess.run(
        ["setpriv", "--reuid", name, "--regid", name, "--init-groups", "--", *command], capture_output=True
    )


def test_the_duties_of_the_record_stand_behind_intake(city: City) -> None:
    running = processes(city)
    assert os.getpriority(os.PRIO_PROCESS, running["watch"]) == os.getpriority(os.PRIO_PROCESS, running["log"]) + YIELDS


def test_every_process_and_its_workers_have_their_own_user(city: City, separate: bool) -> None:  # noqa: FBT001 - a fixture
    running = processes(city)
    assert set(running) == set(USERS)
    for role, pid in running.items():
        expected = pwd.getpwnam(f"tallygate-{USERS[role]}").pw_uid if separate else os.geteuid()
        for each in (pid, *children(pid)):
            status = dict(line.split(":\t", 1) for line in Path(f"/proc/{each}/status").read_text("utf-8").splitlines())
            # Real, effective, saved and file-system user: none of them leads back.
            assert {int(uid) for uid in status["Uid"].split()} == {expected}, role
            if separate:
                assert int(status["CapEff"], 16) == 0, role
                assert int(status["CapPrm"], 16) == 0, role


def test_no_role_reads_the_folder_of_another(city: City, separate: bool) -> None:  # noqa: FBT001 - a fixture
    for folder, owner in FOLDERS.items():
        path = city.folder / folder
        status = path.stat()
        assert stat.S_IMODE(status.st_mode) == 0o700, folder
        if not separate:
            assert status.st_uid == os.geteuid()
            continue
        assert status.st_uid == pwd.getpwnam(f"tallygate-{owner}").pw_uid, folder
        for other in sorted(set(FOLDERS.values())):
            listed = _as(other, "ls", str(path))
            assert (listed.returncode == 0) == (other == owner), (other, folder)


def test_every_secret_is_its_owners_alone(city: City, separate: bool) -> None:  # noqa: FBT001 - a fixture
    secrets = [*city.folder.glob("*/pairs/*"), *city.folder.glob("*/*.key"), *city.folder.glob("*/*.secret")]
    secrets += city.folder.glob("*/keys/*")
    assert len(secrets) > 40
    for path in secrets:
        assert stat.S_IMODE(path.stat().st_mode) & 0o177 == 0, path
        folder = path.relative_to(city.folder).parts[0]
        # What belongs to no running role (the key that signs policies) stays the operator's.
        role = FOLDERS.get(folder)
        owner = pwd.getpwnam(f"tallygate-{role}").pw_uid if separate and role else os.geteuid()
        assert path.stat().st_uid == owner, path
        if separate:
            stranger = "social" if role != "social" else "tax"
            assert _as(stranger, "cat", str(path)).returncode != 0, path


def test_the_roots_key_belongs_to_no_running_role(city: City, separate: bool) -> None:  # noqa: FBT001 - a fixture
    for path in (city.folder / "offline").rglob("*"):
        assert path.stat().st_uid == os.geteuid()
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        for user in sorted(set(FOLDERS.values())) if separate and path.is_file() else ():
            assert _as(user, "cat", str(path)).returncode != 0, (user, path)
    assert (city.folder / "offline" / "root.key").exists()


def test_sockets_are_closed_to_everybody_else(city: City, separate: bool) -> None:  # noqa: FBT001 - a fixture
    run = city.folder / "run"
    assert stat.S_IMODE(run.stat().st_mode) & 0o007 == 0
    sockets = [path for path in run.glob("*/*") if path.is_socket()]
    assert len(sockets) >= 12
    probe = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    if os.geteuid() == 0:
        for path in sockets:
            tried = subprocess.run(
                ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups",
                 "/usr/bin/python3", "-c", probe, str(path)],
                capture_output=True,
            )  # fmt: skip
            assert tried.returncode != 0, path
            assert b"PermissionError" in tried.stderr, path
    if separate:
        # nginx must reach those it forwards to.
        assert _as("nginx", "/usr/bin/python3", "-c", probe, str(run / "gateway" / "sock")).returncode == 0


def test_no_role_can_bind_a_socket_by_anothers_name(city: City, separate: bool) -> None:  # noqa: FBT001
    run = city.folder / "run"
    before = {path for path in run.glob("*/*") if path.is_socket()}
    bind = "import os, socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1]); os.unlink(sys.argv[1])"
    for folder, owner in FOLDERS.items():
        for other in sorted(set(FOLDERS.values())) if separate else ():
            bound = _as(other, "/usr/bin/python3", "-c", bind, str(run / folder / "other"))
            assert (bound.returncode == 0) == (other == owner), (other, folder)
            # Nor beside the folders, nor by moving one of them away.
            assert _as(other, "/usr/bin/python3", "-c", bind, str(run / "other")).returncode != 0
            assert _as(other, "mv", str(run / folder), str(run / "away")).returncode != 0
            if other != owner:
                _as(other, "rm", "-f", str(run / folder / "sock"), str(run / folder / "log"))
    assert {path for path in run.glob("*/*") if path.is_socket()} == before
    assert {path.name for path in run.iterdir()} == set(FOLDERS)


def test_what_is_public_can_be_read_by_anybody(city: City) -> None:
    for path in (city.folder / "public").rglob("*"):
        assert path.stat().st_mode & 0o004, path
    if os.geteuid() == 0:
        read = subprocess.run(
            ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "cat", str(city.root)],
            capture_output=True,
        )
        assert read.returncode == 0
        assert b"BEGIN CERTIFICATE" in read.stdout


def test_what_lies_beside_the_roles_folders_is_not_for_others(city: City) -> None:
    for name in ("logs", "demo", "offline"):
        assert stat.S_IMODE((city.folder / name).stat().st_mode) & 0o077 == 0, name
