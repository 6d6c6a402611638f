# SPDX-License-Identifier: Apache-2.0
"""Files that are there whole or not at all, and one release at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def publish(path: Path, content: bytes) -> None:
    """Put a file where every role reads it, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Every role reads the bundle as its own user.
    path.parent.chmod(0o755)
    write(path, content, mode=0o644)


def write(path: Path, content: bytes, *, mode: int) -> None:
    """Replace a file in one step, durably."""
    draft = path.with_name(f".{path.name}.new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(mode)
    draft.replace(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def alone(journal: Path) -> Iterator[None]:
    """One release at a time; the death of its process lets go of the lock."""
    with journal.with_name(f"{journal.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
