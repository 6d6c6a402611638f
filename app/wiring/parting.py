# SPDX-License-Identifier: Apache-2.0
"""Tables that the role ``signatures`` keeps apart: files of their own, or schemas of its database.

An earlier release kept them in files beside PostgreSQL too. What it left is moved in at the next start.
"""

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from core.db import Database, move_in

from ..context import Context

ROLE = "signatures"
S = TypeVar("S")


def part(context: Context, name: str, migrations: Path, over: Callable[[Database], S]) -> S:
    """The store over one of these parts, with everything that an earlier release kept in a file."""
    database, file = context.part(ROLE, name), context.site.folder(ROLE) / f"{name}.db"
    made = over(database)
    if database.schema:
        with (context.site.folder(ROLE) / "moving.lock").open("w") as lock:
            # Of two processes that start together one moves.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if file.exists():
                move_in(file, database, migrations)
    else:
        file.chmod(0o600)
    return made
