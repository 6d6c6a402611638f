# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL of our own, on a Unix socket only; its superuser needs no password, everybody else does.

Making one costs seconds, so a process of tests has one for all that ask for no more than a database of their own
(`tests/conftest.py`), and what a component's migrations make there is made once and copied.
"""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

from core.db import Database, migrate

_BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"))
_ACCESS = "local all postgres trust\nlocal all all scram-sha-256\n"


@contextmanager
def server(*, durable: bool = False) -> Iterator[Path]:
    """The folder of the socket; PostgreSQL refuses to run as root, so root lends it Debian's own user."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tg-pg-"))
    folder.chmod(0o755)
    data = folder / "data"
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    try:
        _run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
        (data / "pg_hba.conf").write_text(_ACCESS, "utf-8")
        # Every role may keep its sixteen connections, and two of them run two workers.
        synced = "on" if durable else "off"
        options = f"-k {folder} -c listen_addresses= -c fsync={synced} -c max_connections=200"
        _run("pg_ctl", "-D", data, "-w", "-o", options, "-l", folder / "log", "start")
        try:
            yield folder
        finally:
            _run("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


_numbers = count(1)
_moulds: dict[tuple[Path, Path], str] = {}


def database(server: Path) -> str:
    """The address of a new, empty database on a server."""
    return _address(server, _make(server, like="template0"))


def migrated(server: Path, migrations: Path) -> str:
    """The address of a new database with a component's tables; they are made once, and copied."""
    if (server, migrations) not in _moulds:
        mould = _make(server, like="template0")
        opened = Database.open(_address(server, mould))
        migrate(opened, migrations)
        # What is copied must not be open.
        opened.close()
        _moulds[server, migrations] = mould
    return _address(server, _make(server, like=_moulds[server, migrations]))


def _make(server: Path, *, like: str) -> str:
    name = f"t{next(_numbers)}"
    with psycopg.connect(host=str(server), user="postgres", dbname="postgres", autocommit=True) as connection:
        # Names of our own.
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}".encode())
    return name


def _address(server: Path, name: str) -> str:
    return f"postgresql+psycopg://postgres@/{name}?host={server}"


def databases(server: Path, credentials: Path, roles: Iterable[str], *, script: Path) -> None:
    """One file per role that only its user can read, and databases made from them by the sample's own script."""
    for role in roles:
        private = credentials / f"{role}-database"
        private.touch(mode=0o600)
        private.write_text(f"postgresql+psycopg://{role}:{secrets.token_urlsafe(24)}@/{role}?host={server}\n")
        if os.geteuid() == 0:
            shutil.chown(private, f"tallygate-{role}")
    surroundings = {"PATH": os.environ["PATH"], "SECRETS": str(credentials), "PGHOST": str(server)}
    subprocess.run(["sh", str(script)], env=surroundings, check=True, capture_output=True)


def _run(program: str, *arguments: str | Path) -> None:
    command = [str(_BINARIES / program), *map(str, arguments)]
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        subprocess.run(
            command, check=True, capture_output=True, cwd="/", user=user.pw_uid, group=user.pw_gid, extra_groups=[]
        )
    else:
        subprocess.run(command, check=True, capture_output=True, cwd="/")
