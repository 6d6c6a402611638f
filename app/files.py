# SPDX-License-Identifier: Apache-2.0
"""Writing files that matter: secrets nobody else can read, and replacements that are whole or absent."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.config import ConfigurationError

ACCOUNTS_FILE = "accounts.token"
"""In the folder of a portal of the site: what the directory shows when it tells the portal of accounts."""


def write_secret(path: Path, content: bytes) -> None:
    """Put a file in place that only its owner can read, whole or not at all; never replaces one that exists.

    Raises:
        FileExistsError: another process was first.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(path.parent):
        if path.exists():
            raise FileExistsError(path)
        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)
        with open(draft, "xb", opener=_private) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)


def private_text(path: Path) -> str:
    """Read a line with a password in it.

    Raises:
        ConfigurationError: missing, empty, or readable by others.
    """
    try:
        mode, content = path.stat().st_mode, path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(where=str(path), why=getattr(error, "strerror", None) or "unreadable") from error
    if mode & (stat.S_IRWXO | stat.S_IRWXG):
        raise ConfigurationError(where=str(path), why="a secret must not be readable by group or others")
    if not content:
        raise ConfigurationError(where=str(path), why="is empty")
    return content


def replace(path: Path, content: bytes) -> None:
    """Put a public file in place in one step; a crash leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with draft.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One at a time in this folder; its death lets go. What it wrote is on disk on leaving."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        os.fsync(handle)
    finally:
        os.close(handle)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
