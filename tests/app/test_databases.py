# SPDX-License-Identifier: Apache-2.0
"""The sample's script on a real PostgreSQL: one database and one credential per role, as often as it is run."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app import birth, up
from app.context import Context
from core.db import Database, DatabaseUnavailable
from core.site import Ports
from tests.fakes import postgres

SCRIPT = Path(__file__).parents[2] / "app" / "sample" / "databases.sh"
ROLES = ("directory", "ca", "sso", "signatures", "gateway")
AWKWARD = r"su:per\user"
"""A password that must be escaped where PostgreSQL reads passwords."""


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    with postgres.server() as folder:
        yield folder


@pytest.fixture
def secrets(server: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tg-secrets-") as name:
        for role in ROLES:
            _write(Path(name) / f"{role}-database", _url(server, role, "first"))
        yield Path(name)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(f"{text}\n", "utf-8")


def _url(server: Path, role: str, password: str, database: str = "") -> str:
    return f"postgresql+psycopg://{role}:{password}@/{database or role}?host={server}"


def _run(server: Path, secrets: Path, *, temporary: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(SCRIPT)],
        env={"PATH": os.environ["PATH"], "SECRETS": str(secrets), "PGHOST": str(server), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
    )


def _opens(url: str) -> bool:
    with closing(Database.open(url)) as database:
        try:
            database.check()
        except DatabaseUnavailable:
            return False
    return True


def test_run_again_it_gives_the_roles_their_new_passwords(server: Path, secrets: Path, tmp_path: Path) -> None:
    assert _run(server, secrets, temporary=tmp_path).returncode == 0
    assert all(_opens(_url(server, role, "first")) for role in ROLES)
    assert not _opens(_url(server, "ca", "first", "sso"))
    _write(secrets / "ca-database", _url(server, "ca", "second"))
    done = _run(server, secrets, temporary=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert _opens(_url(server, "ca", "second"))
    assert not _opens(_url(server, "ca", "first"))
    assert _opens(_url(server, "sso", "first"))


def test_a_superuser_with_a_password_is_one_by_the_file_beside_and_it_is_left_nowhere(
    server: Path, secrets: Path, tmp_path: Path, guarded: Callable[[str], None]
) -> None:
    guarded(AWKWARD)
    (secrets / "postgres").touch(mode=0o600)
    (secrets / "postgres").write_text("not this one\n", "utf-8")
    assert _run(server, secrets, temporary=tmp_path).returncode != 0
    (secrets / "postgres").write_text(f"{AWKWARD}\n", "utf-8")
    done = _run(server, secrets, temporary=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def guarded(server: Path) -> Iterator[Callable[[str], None]]:
    """Make the superuser need a password, as in a container."""
    access = server / "data" / "pg_hba.conf"
    before = access.read_text("utf-8")

    def guard(password: str) -> None:
        _sql(server, f"ALTER ROLE postgres PASSWORD '{password}'")
        access.write_text("local all all scram-sha-256\n", "utf-8")
        _sql(server, "SELECT pg_reload_conf()")

    yield guard
    access.write_text(before, "utf-8")
    _sql(server, "SELECT pg_reload_conf()", PGPASSWORD=AWKWARD)


def _sql(server: Path, statement: str, **environment: str) -> None:
    subprocess.run(
        [
            "psql",
            "--quiet",
            "--no-psqlrc",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            str(server),
            "-U",
            "postgres",
            "-c",
            statement,
        ],
        env={"PATH": os.environ["PATH"], **environment},
        check=True,
        capture_output=True,
    )


def test_no_site_is_born_into_the_tables_of_another(server: Path, secrets: Path, tmp_path: Path) -> None:
    assert _run(server, secrets, temporary=tmp_path).returncode == 0
    context = _site(server, tmp_path / "city")
    _sql_as_ca(server)
    said: list[str] = []
    with pytest.raises(birth.DatabaseNotEmpty) as refused:
        birth.init(context, said.append)
    assert refused.value.parameters == {"role": "ca"}
    # Before there is a log there is nothing on record, and no authority.
    assert said == ["1. Folders and secrets"]
    assert not (context.site.folder("audit") / "log").exists()


def _site(server: Path, folder: Path) -> Context:
    up.write_configuration(folder / "site.toml", Ports(external=1, internal=2, management=3, plain=4, ldaps=5))
    _write(
        folder / "site.toml", (folder / "site.toml").read_text("utf-8") + '[databases.url_files]\nca = "../ca-url"\n'
    )
    _write(folder.parent / "ca-url", _url(server, "ca", "first"))
    return Context.read(folder / "site.toml")


def _sql_as_ca(server: Path) -> None:
    subprocess.run(
        ["psql", "--quiet", "--no-psqlrc", "-h", str(server), "-U", "ca", "-c", "CREATE TABLE certificates ()", "ca"],
        env={"PATH": os.environ["PATH"], "PGPASSWORD": "first"},
        check=True,
        capture_output=True,
    )
