# SPDX-License-Identifier: Apache-2.0
"""Files that matter: whole or absent, and never written through somebody else's link."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app import up
from app.context import Context
from app.files import replace, write_secret
from core.site import Ports


def test_a_secret_is_its_owners_alone_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "role" / "secret"
    write_secret(path, b"first")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(FileExistsError):
        write_secret(path, b"second")
    assert path.read_bytes() == b"first"


def test_a_crash_while_a_secret_is_written_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_descriptor: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "secret"
    with monkeypatch.context() as crash:
        crash.setattr("app.files.os.fsync", die)
        with pytest.raises(KeyboardInterrupt):
            write_secret(path, b"half")
    assert not path.exists()
    write_secret(path, b"whole")
    assert path.read_bytes() == b"whole"


@pytest.mark.parametrize("write", [write_secret, replace])
def test_a_planted_link_is_not_written_through(tmp_path: Path, write: object) -> None:
    assert callable(write)
    precious = tmp_path / "precious"
    precious.write_bytes(b"kept")
    path = tmp_path / "role" / "file"
    path.parent.mkdir()
    (path.parent / ".file.new").symlink_to(precious)
    write(path, b"new")
    assert precious.read_bytes() == b"kept"
    assert path.read_bytes() == b"new"
    assert not path.is_symlink()


def test_workers_that_start_together_sign_with_the_same_key(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    up.write_configuration(file, Ports(external=1, internal=2, management=3, plain=4, ldaps=5))
    for role in ("sso", "gateway", "ca"):
        with ThreadPoolExecutor(8) as workers:
            keys = set(workers.map(lambda _, role=role: Context.read(file).session_key(role), range(8)))
        assert len(keys) == 1
        assert [path.name for path in (tmp_path / role).iterdir()] == ["session.key"]
