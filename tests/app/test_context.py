# SPDX-License-Identifier: Apache-2.0
"""Which database a role opens, and whom its password may be seen by."""

from pathlib import Path

import pytest

from app.context import Context, DatabaseSettings
from core.config import ConfigurationError

ROOT = Path(__file__).parents[2]


def _context(folder: Path, databases: str = "") -> Context:
    sample = (ROOT / "app" / "sample" / "compose.toml").read_text("utf-8").partition("[databases")[0]
    file = folder / "site.toml"
    file.write_text(sample + databases, "utf-8")
    return Context.read(file)


def _named(folder: Path, content: str, mode: int) -> Context:
    (folder / "url").write_text(content, "utf-8")
    (folder / "url").chmod(mode)
    return _context(folder, '[databases.url_files]\nca = "url"\n')


def test_a_role_that_is_not_named_keeps_sqlite_in_its_own_folder(tmp_path: Path) -> None:
    context = _named(tmp_path, "postgresql+psycopg://ca:secret@/ca\n", 0o600)
    assert context.database("sso").engine.url.render_as_string() == f"sqlite:///{tmp_path}/sso/sso.db"
    assert (
        context.database("ca").engine.url.render_as_string(hide_password=False) == "postgresql+psycopg://ca:secret@/ca"
    )


@pytest.mark.parametrize(("content", "mode"), [("postgresql+psycopg://x", 0o640), ("", 0o600), (" \n", 0o600)])
def test_a_file_that_others_may_read_or_that_says_nothing_is_refused(tmp_path: Path, content: str, mode: int) -> None:
    with pytest.raises(ConfigurationError):
        _named(tmp_path, content, mode).database("ca")


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    context = _context(tmp_path, '[databases.url_files]\nca = "nowhere"\n')
    with pytest.raises(ConfigurationError, match="nowhere"):
        context.database("ca")


@pytest.mark.parametrize("role", ["audit", "log", "portal:tax", "cA"])
def test_who_keeps_no_tables_in_a_server_cannot_be_named(tmp_path: Path, role: str) -> None:
    context = _context(tmp_path, f'[databases.url_files]\n"{role}" = "url"\n')
    with pytest.raises(ConfigurationError, match="keeps no tables"):
        context.settings("databases", DatabaseSettings)
