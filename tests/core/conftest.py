# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL of our own, and a small application on the web base."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server on a Unix socket only; PostgreSQL refuses to run as root, so root lends it Debian's own user."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tg-pg-"))
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    if os.geteuid() == 0:
        shutil.chown(folder, user.pw_name, user.pw_gid)
    run = {"user": user.pw_uid, "group": user.pw_gid} if os.geteuid() == 0 else {}
    data = folder / "data"
    try:
        subprocess.run(
            [_BINARIES / "initdb", "-D", data, "-U", "city", "-A", "trust", "--no-sync"],
            check=True,
            capture_output=True,
            cwd="/",
            **run,  # type: ignore[call-overload]  # subprocess has no typed form for optional users
        )
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        subprocess.run(
            [_BINARIES / "pg_ctl", "-D", data, "-w", "-o", options, "-l", folder / "log", "start"],
            check=True,
            capture_output=True,
            cwd="/",
            **run,  # type: ignore[call-overload]  # as above
        )
        yield f"postgresql+psycopg://city@/postgres?host={folder}"
        subprocess.run(
            [_BINARIES / "pg_ctl", "-D", data, "-m", "immediate", "stop"],
            check=True,
            capture_output=True,
            cwd="/",
            **run,  # type: ignore[call-overload]  # as above
        )
    finally:
        shutil.rmtree(folder)
