# SPDX-License-Identifier: Apache-2.0
"""Counting knocks at a door: before the password is looked at, so that parallel guesses cannot slip by."""

from collections.abc import Sequence

from sqlalchemy import Connection, case, delete, select, update

from core.db import Database

from .tables import ATTEMPTS
from .upsert import ensure


class AttemptRows:
    """The table ``attempts``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def knock(self, doors: Sequence[tuple[str, int]], *, first: int, longest: int, memory: int, at: int) -> bool:
        """Count one attempt at every door, given with its free attempts; False, uncounted, if one is closed."""
        with self._database.transaction() as connection:
            failures = {key: _failures(connection, key, memory, at) for key in sorted(key for key, _ in doors)}
            if None in failures.values():
                return False
            for key, free in doors:
                count = (failures[key] or 0) + 1
                wait = min(longest, first << min(count - free - 1, 20)) if count > free else 0
                values = {"failures": count, "last_at": at, "closed_until": at + wait}
                connection.execute(update(ATTEMPTS).where(ATTEMPTS.c.key == key).values(**values))
        return True

    def forgive(self, *, pair: str, network: str) -> None:
        """The password was right: the pair begins anew, and its network gets this one attempt back."""
        fewer = case((ATTEMPTS.c.failures > 0, ATTEMPTS.c.failures - 1), else_=0)
        with self._database.transaction() as connection:
            connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.key == pair))
            connection.execute(update(ATTEMPTS).where(ATTEMPTS.c.key == network).values(failures=fewer, closed_until=0))


def _failures(connection: Connection, key: str, memory: int, at: int) -> int | None:
    """Failures that still count; None if the door is closed."""
    ensure(connection, ATTEMPTS, {"key": key, "failures": 0, "last_at": at, "closed_until": 0})
    # Locked until the commit, so that parallel knocks are counted one after another.
    row = connection.execute(select(ATTEMPTS).where(ATTEMPTS.c.key == key).with_for_update()).one()
    if row.last_at + memory <= at:
        return 0
    return None if row.closed_until > at else int(row.failures)
