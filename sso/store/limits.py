# SPDX-License-Identifier: Apache-2.0
"""Counting knocks at a door: before the password is looked at, so that parallel guesses cannot slip by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from sqlalchemy import Connection, Row, case, delete, select, update

from core.db import Database

from ..config import SSOSettings
from . import upsert
from .tables import ATTEMPTS


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Seconds: the first wait, the longest one, and after how long failures are forgotten."""

    first: int
    longest: int
    memory: int

    @classmethod
    def of(cls, settings: SSOSettings) -> Self:
        """As the site wants it."""
        return cls(
            first=int(settings.wait_first.total_seconds()),
            longest=int(settings.wait_longest.total_seconds()),
            memory=int(settings.attempts_memory.total_seconds()),
        )


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where attempts are counted."""

    key: str
    # How many cost no waiting.
    free: int
    # Whether a right password forgives everything counted here, or itself alone.
    forgets: bool
    # How long one waits here, if otherwise than at all other doors.
    patience: Patience | None = None


class AttemptRows:
    """The table ``attempts``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def knock(self, doors: Sequence[Door], patience: Patience, *, at: int) -> bool:
        """Count one attempt at every door; False, uncounted, if one is closed.

        A closed door is seen without writing: who hammers at one makes no row and keeps nobody else waiting.
        """
        with self._database.reading() as connection:
            known = connection.execute(select(ATTEMPTS).where(ATTEMPTS.c.key.in_([door.key for door in doors])))
            own = {door.key: door.patience or patience for door in doors}
            if any(_closed(row, own[row.key], at) for row in known):
                return False
        try:
            with self._database.transaction() as connection:
                _count(connection, {door.key: door for door in doors}, patience, at)
        except _Closed:
            return False
        return True

    def failures(self, door: Door) -> int:
        """How many attempts are counted at a door now."""
        with self._database.reading() as connection:
            found = connection.execute(select(ATTEMPTS.c.failures).where(ATTEMPTS.c.key == door.key))
            return found.scalar_one_or_none() or 0

    def give_back(self, doors: Sequence[Door], patience: Patience) -> None:
        """One attempt at every door was none, because nothing was checked; all others stay counted."""
        with self._database.transaction() as connection:
            for door in _ordered(doors):
                query = select(ATTEMPTS).where(ATTEMPTS.c.key == door.key).with_for_update()
                row = connection.execute(query).one_or_none()
                if row is not None and row.failures > 0:
                    _set(connection, door, patience, row.failures - 1, at=row.last_at)

    def forgive(self, doors: Sequence[Door]) -> None:
        """The password was right."""
        with self._database.transaction() as connection:
            forgive(connection, doors)


def forgive(connection: Connection, doors: Sequence[Door]) -> None:
    """The password was right: it was no failure, whatever else that means at each door."""
    fewer = case((ATTEMPTS.c.failures > 0, ATTEMPTS.c.failures - 1), else_=0)
    for door in _ordered(doors):
        here = ATTEMPTS.c.key == door.key
        if door.forgets:
            connection.execute(delete(ATTEMPTS).where(here))
        else:
            connection.execute(update(ATTEMPTS).where(here).values(failures=fewer, closed_until=0))


def _ordered(doors: Iterable[Door]) -> list[Door]:
    """Everybody locks the rows in the same order."""
    return sorted(doors, key=lambda door: door.key)


class _Closed(Exception):
    """Undoes what was counted at other doors."""


def _count(connection: Connection, doors: Mapping[str, Door], patience: Patience, at: int) -> None:
    fresh = [{"key": door.key, "failures": 0, "last_at": at, "closed_until": 0} for door in _ordered(doors.values())]
    # Held until the commit, so that parallel knocks are counted one after another.
    for row in upsert.held(connection, ATTEMPTS, fresh):
        door = doors[row.key]
        here = door.patience or patience
        if _closed(row, here, at):
            raise _Closed
        failures = 0 if _forgotten(row, here, at) else row.failures
        _set(connection, door, here, failures + 1, at=at)


def _set(connection: Connection, door: Door, patience: Patience, failures: int, *, at: int) -> None:
    over = failures - door.free
    # Each failure doubles the wait.
    wait = min(patience.longest, patience.first << min(over - 1, 20)) if over > 0 else 0
    # No wait is no time at all: a neighbour in the queue may still have the second before in mind.
    values = {"failures": failures, "last_at": at, "closed_until": at + wait if wait else 0}
    connection.execute(update(ATTEMPTS).where(ATTEMPTS.c.key == door.key).values(**values))


def _closed(row: "Row[tuple[str, int, int, int]]", patience: Patience, at: int) -> bool:
    return bool(row.closed_until > at) and not _forgotten(row, patience, at)


def _forgotten(row: "Row[tuple[str, int, int, int]]", patience: Patience, at: int) -> bool:
    return bool(row.last_at + patience.memory <= at)
