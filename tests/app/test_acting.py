# SPDX-License-Identifier: Apache-2.0
"""What root does in a role's folder is done by the role's user, who gains nothing by what it left there."""

import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.acting import ActingFailed, acting
from app.context import Context
from app.ports import free_ports
from app.up import write_configuration
from app.users import Users
from app.wiring import gateway
from core.errors import Conflict, TallygateError, Unavailable

ROOT = os.geteuid() == 0
CODE = Path(__file__).parents[2]
USER = "nobody" if ROOT else pwd.getpwuid(os.getuid()).pw_name
GROUP = "users" if ROOT else ""
"""Who is no root may become nobody else; what fails for it is then the change itself."""


def _told() -> bytes:
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text("utf-8").splitlines())
    return json.dumps(
        [status["Uid"].split(), status["Gid"].split(), status["Groups"].split(), status["CapPrm"]]
    ).encode()


def _as(user: str, group: str, act: object) -> bytes:
    assert callable(act)
    if ROOT:
        return acting(user, group, act)
    # The same answers, by the user that runs the tests.
    return Users(separate=False).acting("sso", act)


def test_the_part_is_done_by_its_user_who_can_never_be_root_again() -> None:
    users, groups, others, capabilities = json.loads(_as(USER, GROUP, _told))
    owner = pwd.getpwnam(USER)
    assert users == [str(owner.pw_uid)] * 4
    assert groups == [str(owner.pw_gid)] * 4
    if ROOT:
        assert others == ["100"]
        assert int(capabilities, 16) == 0


def test_an_error_of_ours_comes_back_as_it_was() -> None:
    def refuse() -> bytes:
        error = Unavailable(what="the log")
        error.code, error.message = "record_unavailable", "%(what)s does not answer"
        raise error

    with pytest.raises(Unavailable) as refused:
        _as(USER, GROUP, refuse)
    assert (refused.value.code, refused.value.detail) == ("record_unavailable", "the log does not answer")


@pytest.mark.parametrize("end", ["kill", "bug"])
def test_a_part_that_dies_is_no_success(end: str, capfd: pytest.CaptureFixture[str]) -> None:
    def die() -> bytes:
        if end == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise RuntimeError("a mistake of ours")

    if ROOT:
        with pytest.raises(ActingFailed, match="nobody"):
            acting(USER, GROUP, die)
        assert ("a mistake of ours" in capfd.readouterr().err) is (end == "bug")
    else:
        with pytest.raises(Conflict):
            acting(USER, "no-such-group", die)


def test_nothing_of_the_parent_is_run_twice() -> None:
    ran = []
    try:
        with pytest.raises(TallygateError):
            acting("no-such-user", "no-such-group", lambda: b"")
    finally:
        ran.append(os.getpid())
    assert ran == [os.getpid()]


def test_a_part_ends_with_the_command_it_belongs_to() -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from app.acting import acting\n"
        "def wait():\n  print(os.getpid(), flush=True); time.sleep(1000)\n"
        f"acting({USER!r}, {GROUP or 'users'!r}, wait) if os.geteuid() == 0 else wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(CODE)}
    ) as parent:
        assert parent.stdout is not None
        part = int(parent.stdout.readline())
        parent.kill()
    limit = time.monotonic() + 10
    while Path(f"/proc/{part}").exists() and _state(part) != "Z":
        assert time.monotonic() < limit
        time.sleep(0.02)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """A site whose folders belong to a user of this very machine, so that the test needs no bootstrap."""
    monkeypatch.setattr("app.users.name_of", lambda _holder: USER)
    monkeypatch.setattr("app.users.GROUP", GROUP)
    monkeypatch.setattr(Users, "detect", classmethod(lambda cls: cls(separate=ROOT)))
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tg-") as folder:
        Path(folder).chmod(0o755)
        write_configuration(Path(folder) / "site.toml", free_ports(wishes=()))
        context = Context.read(Path(folder) / "site.toml")
        nginx = context.site.folder("nginx")
        for callee in ("gateway", "sso", "ca"):
            path = context.site.secret_path(holder="nginx", caller="nginx", callee=callee)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"s" * 32)
            path.chmod(0o600)
        Users.detect().give(nginx, "nginx")
        yield context


def test_nginx_s_files_are_its_own(site: Context) -> None:
    gateway.prepare(site)
    found = {path.stat().st_uid for path in site.site.folder("nginx").rglob("*")}
    assert found == {pwd.getpwnam(USER).pw_uid}


@pytest.mark.parametrize("planted", ["static", "secrets", ".tallygate"])
def test_a_link_planted_by_nginx_leads_root_nowhere(site: Context, planted: str) -> None:
    precious = site.site.state / "precious"
    (precious / "pages").mkdir(parents=True)
    precious.chmod(0o700 if ROOT else 0o500)
    (site.site.folder("nginx") / planted).symlink_to(precious)
    with pytest.raises((TallygateError, OSError)):
        gateway.prepare(site)
    precious.chmod(0o700)
    assert [path.name for path in precious.rglob("*")] == ["pages"]
