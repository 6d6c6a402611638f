# SPDX-License-Identifier: Apache-2.0
"""Secrets that belong to root reach the roles: init hands each role the URL of its own database, and nothing else."""

import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import birth
from app.acting import ActingFailed
from app.context import Context
from app.users import Users
from core.config import ConfigurationError

ROOT = os.geteuid() == 0
SAMPLE = Path(__file__).parents[2] / "app" / "sample" / "compose.toml"


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """A site whose roles have their folders; a user of this very machine stands in for theirs."""
    monkeypatch.setattr("app.users.name_of", lambda _holder: "nobody" if ROOT else pwd.getpwuid(os.getuid()).pw_name)
    monkeypatch.setattr("app.users.GROUP", "users")
    monkeypatch.setattr("app.users.Users.detect", lambda: Users(separate=ROOT))
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tg-handing-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        secrets = folder / "secrets"
        secrets.mkdir(mode=0o700)
        for role in ("directory", "ca", "sso", "signatures", "gateway"):
            _write(secrets / f"{role}-database", f"postgresql+psycopg://{role}:first@postgres/{role}\n")
        (folder / "site").mkdir()
        text = SAMPLE.read_text("utf-8").replace("/run/secrets", str(secrets))
        (folder / "site" / "site.toml").write_text(text, "utf-8")
        made = Context.read(folder / "site" / "site.toml")
        Users.detect().own(made.site)
        yield made


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")


def _secret(context: Context, role: str) -> Path:
    return context.site.state.parent / "secrets" / f"{role}-database"


def _copy(context: Context, role: str) -> Path:
    return context.site.folder(role) / f"{role}-database"


def test_each_role_gets_a_copy_of_its_own_that_nobody_else_reads(context: Context) -> None:
    birth.refresh(context)
    for role in ("directory", "ca", "sso", "signatures", "gateway"):
        found = _copy(context, role).stat()
        assert stat.S_IMODE(found.st_mode) == 0o600
        assert found.st_uid == context.site.folder(role).stat().st_uid
        if ROOT:
            assert found.st_uid == pwd.getpwnam("nobody").pw_uid
        held = [path.name for path in context.site.folder(role).iterdir() if "database" in path.name]
        assert held == [f"{role}-database"]
        url = context.database(role).engine.url.render_as_string(hide_password=False)
        assert url == f"postgresql+psycopg://{role}:first@postgres/{role}"


def test_a_changed_password_arrives_and_an_unchanged_one_is_left_alone(context: Context) -> None:
    birth.refresh(context)
    before = _copy(context, "sso").stat().st_ino
    _write(_secret(context, "ca"), "postgresql+psycopg://ca:second@postgres/ca\n")
    birth.refresh(context)
    assert _copy(context, "ca").read_text("utf-8") == "postgresql+psycopg://ca:second@postgres/ca"
    assert _copy(context, "sso").stat().st_ino == before


def test_a_link_in_the_copys_place_gives_root_away_to_nobody(context: Context) -> None:
    precious = context.site.state / "shadow"
    _write(precious, "root's own")
    # A role's own user may put it there at any time.
    _copy(context, "ca").symlink_to(precious)
    with pytest.MonkeyPatch.context() as patch:
        # What was found in order a moment ago need not be looked through again.
        patch.setattr(Users, "own_already", lambda *_: True)
        if ROOT:
            with pytest.raises(ActingFailed):
                birth.refresh(context)
        else:
            birth.refresh(context)
    assert precious.read_text("utf-8") == "root's own"


def test_a_secret_that_others_may_read_is_not_handed_out(context: Context) -> None:
    _secret(context, "ca").chmod(0o640)
    with pytest.raises(ConfigurationError, match="must not be readable"):
        birth.refresh(context)
    assert not _copy(context, "ca").exists()


def test_a_url_is_handed_out_into_the_roles_own_folder_only(context: Context) -> None:
    text = context.path.read_text("utf-8").replace("ca/ca-database", "sso/ca-database")
    context.path.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match="to be handed out"):
        birth.refresh(Context.read(context.path))
    assert not (context.site.folder("sso") / "ca-database").exists()


def test_a_site_that_hands_out_nothing_is_left_as_it_is(context: Context) -> None:
    head = context.path.read_text("utf-8").partition("[databases]")[0]
    context.path.write_text(head, "utf-8")
    birth.refresh(Context.read(context.path))
    assert not _copy(context, "ca").exists()


def test_folders_follow_their_owners_and_otherwise_nothing_is_touched(context: Context) -> None:
    left = context.site.socket("ca")
    left.touch()
    birth.refresh(context)
    assert left.exists()
    if ROOT:
        # As after an image was made anew and its users have other numbers.
        os.chown(context.site.folder("ca"), 12345, 12345)
        birth.refresh(context)
        assert context.site.folder("ca").stat().st_uid == pwd.getpwnam("nobody").pw_uid
        # It was another user's, who alone could remove it.
        assert not left.exists()
