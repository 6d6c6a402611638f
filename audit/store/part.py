# SPDX-License-Identifier: Apache-2.0
"""One part of the index: one SQLite file with the entries of one stretch of the log, and one with their facts."""

import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any, Self

from core.db import DatabaseUnavailable

from ..models import Outcome
from ..search import Indexed, Row
from ..search.errors import IndexDamaged
from ..search.rows import stamp
from . import schema
from .facts import Columns, Facts
from .file import File
from .rows import ENTRY, HOUR, KINDS, insert, named, row

_MOST_KEPT = 2_000
"""Codes of one sort that a part keeps in memory, and what one answer adds."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """Which stretch of the log a part holds."""

    first: int
    next: int
    # Milliseconds; None while it is empty.
    since: int | None
    until: int | None
    # Nothing is added any more.
    closed: bool


@dataclass(frozen=True, kw_only=True)
class Sought:
    """One question as a part is asked it."""

    # For the full-text index; empty for every entry.
    match: str = ""
    # Milliseconds, half-open.
    since: int | None = None
    until: int | None = None
    # Only places before this one.
    before: int | None = None
    # When the answer is no use any more, by the monotonic clock.
    deadline: float = float("inf")


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the newest hits of a part are made of."""

    places: Sequence[int]
    facts: Columns
    # What the codes stand for: the values of ``COUNTED`` in their order, and objects.
    kinds: Mapping[int, tuple[str, ...]]
    objects: Mapping[int, str]


class Part(File):
    """One file with its tables, and one with facts; several threads may read at once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        # What codes stand for, as far as it was asked; a code never stands for anything else.
        self._kinds: dict[int, tuple[str, ...]] = {}
        self._objects: dict[int, tuple[str, ...]] = {}
        self.facts_file = Facts(path.with_suffix(".facts"), self.first)
        self._closed: Extent | None = None
        # Whether its damage stands in the journal; once is enough.
        self.told_damaged = False

    @classmethod
    def create(cls, folder: Path, first: int) -> Self | None:
        """A new file, whole from the moment it has its name; None if somebody else was there before."""
        path = folder / f"{first:016d}.db"
        draft = folder / f".{first:016d}-{secrets.token_hex(8)}"
        try:
            with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.executescript(f"BEGIN; {schema.TABLES} PRAGMA user_version={schema.VERSION}; COMMIT")
                connection.execute("INSERT INTO extent (one, first, next) VALUES (1, ?, ?)", (first, first))
            os.link(draft, path)
        except FileExistsError:
            return None
        except sqlite3.OperationalError as error:
            raise DatabaseUnavailable from error
        finally:
            for left in (draft, Path(f"{draft}-wal"), Path(f"{draft}-shm")):
                left.unlink(missing_ok=True)
        return cls(path)

    def move(self, path: Path) -> None:
        """Give both files another name; nobody has them open.

        Raises:
            DatabaseUnavailable: its journal could not be emptied.
        """
        self.close()
        with self.translating(float("inf")), closing(self.opened()) as connection:
            busy, _frames, _done = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise DatabaseUnavailable
        self.facts_file.path.replace(path.with_suffix(".facts"))
        self.path.replace(path)

    def remove(self) -> None:
        """Take its files away; whoever has them open reads to the end."""
        self.path.unlink()
        for left in (Path(f"{self.path}-wal"), Path(f"{self.path}-shm"), self.facts_file.path):
            left.unlink(missing_ok=True)

    def size(self) -> int:
        """What its files take on the disk."""
        files = (self.path, Path(f"{self.path}-wal"), self.facts_file.path)
        return sum(file.stat().st_size for file in files if file.exists())

    def fits(self) -> bool:
        """Whether it has the shape of this version."""
        with self.reading() as connection:
            return bool(connection.execute("PRAGMA user_version").fetchone()[0] == schema.VERSION)

    def extent(self) -> Extent:
        """What it holds now."""
        if self._closed:
            return self._closed
        with self.reading() as connection:
            first, after, since, until, closed = connection.execute(
                "SELECT first, next, since, until, closed FROM extent"
            ).fetchone()
        found = Extent(first=first, next=after, since=since, until=until, closed=bool(closed))
        if found.closed:
            self._closed = found
        return found

    def add(self, entries: Sequence[Indexed], *, close: bool) -> bool:
        """Put consecutive entries in and move the position with them; False if somebody else was there before."""
        start = entries[0].row.index if entries else None
        times = [stamp(entry.row.at) for entry in entries]
        with self.writing() as connection:
            if start is not None:
                moved = connection.execute(
                    "UPDATE extent SET next = ?, since = min(ifnull(since, ?), ?), until = max(ifnull(until, ?), ?) "
                    "WHERE next = ? AND NOT closed",
                    (start + len(entries), min(times), min(times), max(times), max(times), start),
                ).rowcount
                if not moved:
                    return False
                insert(connection, self.facts_file, entries)
            if close:
                connection.execute("UPDATE extent SET closed = 1")
        return True

    def settle(self) -> None:
        """Make the full-text index of a part that is closed one piece: it is never written again."""
        with self.writing() as connection:
            connection.execute("INSERT INTO word(word) VALUES ('optimize')")
            connection.execute("ANALYZE")

    def search(self, sought: Sought, limit: int, *, subject: str = "") -> list[Row]:
        """The newest rows that match; with ``subject`` only what happened about that one."""
        source, conditions, values = self._conditions(sought)
        if subject:
            conditions += ["subject = ?", "outcome != ?"]
            values += [subject, Outcome.INTENDED.value]
        columns = ", ".join(f"entry.{name}" for name in ENTRY)
        statement = f"SELECT {columns} FROM {source} {_where(conditions)} ORDER BY {_order(sought)} LIMIT ?"  # noqa: S608
        with self.reading(sought.deadline) as connection:
            return [row(found) for found in connection.execute(statement, [*values, limit])]

    def facts(self, sought: Sought, limit: int) -> Found:
        """Time and codes of the newest hits.

        Raises:
            IndexDamaged: the facts are not those of these entries.
        """
        at: list[int] = []
        times: list[int] = []
        kinds: list[int] = []
        codes: list[int] = []
        whole = sought.since is None and sought.until is None
        since, until = sought.since or 0, float("inf") if sought.until is None else sought.until
        with self.reading(sought.deadline) as connection:
            for hits in self._hits(connection, sought, limit):
                places, facts = hits, self.facts_file.columns(hits)
                if not (whole or (since <= min(facts.times) and max(facts.times) < until)):
                    inside = [since <= time < until for time in facts.times]
                    places = list(compress(places, inside))
                    facts = Columns(*(list(compress(column, inside)) for column in facts))
                at += places
                times += facts.times
                kinds += facts.kinds
                codes += facts.codes
                if len(at) >= limit:
                    break
            del at[limit:], times[limit:], kinds[limit:], codes[limit:]
            select = f"SELECT id, {KINDS} FROM kind"  # noqa: S608
            names = _told(connection, self._kinds, select, set(kinds))
            select = "SELECT id, text FROM code"
            objects = _told(connection, self._objects, select, set(codes))
        return Found(
            places=at,
            facts=Columns(times, kinds, codes),
            kinds=names,
            objects={code: text for code, (text,) in objects.items()},
        )

    def at(self, places: Sequence[int], *, deadline: float = float("inf")) -> list[Row]:
        """The rows at some places, newest first."""
        columns, marks = ", ".join(ENTRY), ", ".join("?" * len(places))
        statement = f"SELECT {columns} FROM entry WHERE place IN ({marks}) ORDER BY place DESC"  # noqa: S608
        with self.reading(deadline) as connection:
            return [row(found) for found in connection.execute(statement, places)]

    def following(self, sought: Sought, place: int, limit: int) -> list[Row]:
        """The first rows after a place that match, oldest first."""
        columns = ", ".join(f"entry.{name}" for name in ENTRY)
        statement = (
            f"SELECT {columns} FROM word CROSS JOIN entry ON entry.place = word.rowid "  # noqa: S608
            "WHERE word MATCH ? AND word.rowid > ? ORDER BY word.rowid LIMIT ?"
        )
        with self.reading(sought.deadline) as connection:
            return [row(found) for found in connection.execute(statement, (sought.match, place, limit))]

    def refusals(self, sought: Sought, limit: int) -> list[tuple[str, str, str, str]]:
        """Object, network, reason and subject of the newest hits."""
        source, conditions, values = self._conditions(sought)
        statement = (
            f"SELECT object, zone, reason, subject FROM {source} {_where(conditions)} "  # noqa: S608
            f"ORDER BY {_order(sought)} LIMIT ?"
        )
        with self.reading(sought.deadline) as connection:
            return connection.execute(statement, [*values, limit]).fetchall()

    def counters(
        self, table: str, since: int, until: int, by: Sequence[str], where: Mapping[str, str]
    ) -> list[tuple[Any, ...]]:
        """Sums of the counters ``hour`` or ``day`` in a half-open span, by time and the fields named."""
        given = "".join(f" AND {name} = ?" for name in where)
        columns = ", ".join(("at", *by))
        statement = (
            f"SELECT {columns}, sum(times) FROM {table} CROSS JOIN kind ON kind.id = {table}.kind "  # noqa: S608
            f"WHERE at >= ? AND at < ?{given} GROUP BY {columns}"
        )
        with self.reading() as connection:
            return connection.execute(statement, [since, until, *where.values()]).fetchall()

    def namesakes(self, token: bytes, limit: int) -> list[str]:
        """Who is found under a name token."""
        with self.reading() as connection:
            found = connection.execute("SELECT subject FROM namesake WHERE token = ? LIMIT ?", (token, limit))
            return [subject for (subject,) in found]

    def forget(self, subject: str, mark: str) -> None:
        """Take every name and every sealed word of one person out, of the file too; ``mark`` finds their entries."""
        with self.writing() as connection:
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute("DELETE FROM namesake WHERE subject = ?", (subject,))
            found = connection.execute(
                "SELECT place, sealed FROM word CROSS JOIN entry ON place = word.rowid "
                "WHERE word MATCH ? AND subject = ? AND sealed != ''",
                (mark, subject),
            ).fetchall()
            if not found:
                return
            gone = [(place, sealed) for place, sealed in found]
            connection.executemany("INSERT INTO word(word, rowid, marks) VALUES ('delete', ?, ?)", gone)
            # The index counts its rows, and one of them was counted out.
            connection.executemany("INSERT INTO word(rowid, marks) VALUES (?, '')", [(place,) for place, _ in gone])
            connection.executemany("UPDATE entry SET sealed = '' WHERE place = ?", [(place,) for place, _ in gone])
            # Until its pieces are joined, the words lie in the old ones.
            connection.execute("INSERT INTO word(word) VALUES ('optimize')")
        with suppress(sqlite3.OperationalError), closing(self.opened()) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def everything(self) -> Iterator[tuple[Row, str]]:
        """All rows with their sealed words, for comparing."""
        with self.reading() as connection:
            columns = ", ".join((*ENTRY, "sealed"))
            for *found, sealed in connection.execute(f"SELECT {columns} FROM entry ORDER BY place"):  # noqa: S608
                yield row(found), sealed

    def names(self) -> list[tuple[bytes, str]]:
        """All name tokens, for comparing."""
        with self.reading() as connection:
            return connection.execute("SELECT token, subject FROM namesake").fetchall()

    def check(self) -> None:
        """Read every page.

        Raises:
            IndexDamaged: something is not as SQLite wrote it.
        """
        with self.reading() as connection:
            [answer] = connection.execute("PRAGMA quick_check(1)").fetchone()
            connection.execute("SELECT count(*) FROM word WHERE word MATCH 'none'").fetchone()
        if answer != "ok":
            raise IndexDamaged(first=self.first)

    def _hits(self, connection: sqlite3.Connection, sought: Sought, limit: int) -> Iterator[Sequence[int]]:
        """Places that match, newest first, as many at a time as are wanted; some may lie just beside the span."""
        low, high = self._span(sought)
        if not sought.match:
            for upper in range(high, low - 1, -limit):
                yield range(upper, max(low - 1, upper - limit), -1)
            return
        statement = "SELECT rowid FROM word WHERE word MATCH ?{} ORDER BY rowid DESC"
        bounds, values = self._bounds("rowid", low, high)
        where = "".join(f" AND {bound}" for bound in bounds)
        with closing(connection.execute(statement.format(where), [sought.match, *values])) as cursor:
            while found := cursor.fetchmany(limit):
                yield [place for (place,) in found]

    def _conditions(self, sought: Sought) -> tuple[str, list[str], list[Any]]:
        key = "word.rowid" if sought.match else "entry.place"
        conditions, values = self._bounds(key, *self._span(sought))
        source = "entry"
        if sought.match:
            source = "word CROSS JOIN entry ON entry.place = word.rowid"
            conditions.insert(0, "word MATCH ?")
            values.insert(0, sought.match)
        for sign, bound in ((">=", sought.since), ("<", sought.until)):
            if bound is not None:
                conditions.append(f"entry.at {sign} ?")
                values.append(bound)
        return source, conditions, values

    def _bounds(self, key: str, low: int, high: int) -> tuple[list[str], list[Any]]:
        """Conditions for a span of places; none for one that holds all."""
        extent = self.extent()
        wanted = ((low > extent.first, f"{key} >= ?", low), (high < extent.next - 1, f"{key} <= ?", high))
        given = [(condition, value) for narrows, condition, value in wanted if narrows]
        return [condition for condition, _value in given], [value for _condition, value in given]

    def _span(self, sought: Sought) -> tuple[int, int]:
        """First and last place of a span of time, wide enough for entries that came out of their order."""
        extent = self.extent()
        low, high = extent.first, extent.next - 1
        if sought.before is not None:
            high = min(high, sought.before - 1)
        inside = (sought.since is not None and (extent.since or 0) < sought.since) or (
            sought.until is not None and (extent.until or 0) >= sought.until
        )
        if inside:
            since = 0 if sought.since is None else sought.since - sought.since % HOUR
            until = (extent.until or 0) + 1 if sought.until is None else sought.until
            with self.reading(sought.deadline) as connection:
                first, last = connection.execute(
                    "SELECT ifnull(min(first), 0), ifnull(max(last), -1) FROM reach WHERE at >= ? AND at < ?",
                    (since, until),
                ).fetchone()
            low, high = max(low, first), min(high, last)
        return low, high


def _told(
    connection: sqlite3.Connection, known: dict[int, tuple[str, ...]], select: str, codes: AbstractSet[int]
) -> dict[int, tuple[str, ...]]:
    """What codes stand for, read at most once of each as long as there is room to keep it; raises as ``named``."""
    told = {code: texts for code in codes if (texts := known.get(code)) is not None}
    told |= named(connection, select, codes - told.keys())
    if len(known) < _MOST_KEPT:
        known.update(told)
    return told


def _where(conditions: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _order(sought: Sought) -> str:
    return "word.rowid DESC" if sought.match else "place DESC"
