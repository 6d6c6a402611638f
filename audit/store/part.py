# SPDX-License-Identifier: Apache-2.0
"""One part of the index: one SQLite file with the entries of one stretch of the log, read by many and written by one.

Everything that reads has a deadline: SQLite asks every few thousand steps whether it has passed.
"""

import json
import os
import secrets
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, Self

from core.db import DatabaseUnavailable

from ..models import Outcome
from ..search import Indexed, Row
from ..search.errors import IndexDamaged, SearchTooLong
from ..search.rows import stamp, unstamp
from . import schema
from .facts import Fact, Facts

_BUSY_SECONDS = 10
_CACHE_KIB = 2_000
_WRITER_CACHE_KIB = 32_000
_MOST_IDLE = 2
_STEPS = 5_000
"""Steps of SQLite's machine between two looks at the clock: well under a millisecond."""
HOUR = 3_600_000
_DAY = 24 * HOUR
_ENTRY = ("place", "at", "type", "outcome", *schema.TEXTS, "attributes")
_INSERT_ENTRY = f"INSERT INTO entry ({', '.join((*_ENTRY, 'sealed'))}) VALUES ({', '.join('?' * (len(_ENTRY) + 1))})"  # noqa: S608
_KEYS = ", ".join(schema.COUNTED)
_COUNT = {
    table: f"INSERT INTO {table} VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET times = times + excluded.times"  # noqa: S608
    for table in ("hour", "day")
}
_REACH = (
    "INSERT INTO reach VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
    "first = min(first, excluded.first), last = max(last, excluded.last)"
)
_INSERT_KIND = f"INSERT OR IGNORE INTO kind ({_KEYS}) VALUES ({', '.join('?' * len(schema.COUNTED))})"  # noqa: S608
_FIND_KIND = f"SELECT id FROM kind WHERE {' AND '.join(f'{name} = ?' for name in schema.COUNTED)}"  # noqa: S608
_CHUNK = 500


_texts = attrgetter(*schema.TEXTS)
_counted = attrgetter(*schema.COUNTED)
_encoded = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


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

    facts: Sequence[Fact]
    # What the codes stand for: the values of ``COUNTED`` in their order, and objects.
    kinds: Mapping[int, tuple[str, ...]]
    objects: Mapping[int, str]


class Part:
    """One file with its tables, and one with facts; several threads may read at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._facts = Facts(path.with_suffix(".facts"), self.first)
        self._idle: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
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

    @property
    def first(self) -> int:
        """Place of its first entry, by its name."""
        return int(self.path.stem.partition("-")[0])

    def move(self, path: Path) -> None:
        """Give both files another name; nobody has them open.

        Raises:
            DatabaseUnavailable: its journal could not be emptied.
        """
        self.close()
        with self._translating(float("inf")), closing(self._open()) as connection:
            busy, _frames, _done = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise DatabaseUnavailable
        self._facts.path.replace(path.with_suffix(".facts"))
        self.path.replace(path)

    def remove(self) -> None:
        """Take its files away; whoever has them open reads to the end."""
        self.path.unlink()
        for left in (Path(f"{self.path}-wal"), Path(f"{self.path}-shm"), self._facts.path):
            left.unlink(missing_ok=True)

    def size(self) -> int:
        """What its files take on the disk."""
        files = (self.path, Path(f"{self.path}-wal"), self._facts.path)
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
                self._insert(connection, entries)
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
        columns = ", ".join(f"entry.{name}" for name in _ENTRY)
        statement = f"SELECT {columns} FROM {source} {_where(conditions)} ORDER BY {_order(sought)} LIMIT ?"  # noqa: S608
        with self.reading(sought.deadline) as connection:
            return [_row(found) for found in connection.execute(statement, [*values, limit])]

    def facts(self, sought: Sought, limit: int) -> Found:
        """Time and codes of the newest hits.

        Raises:
            IndexDamaged: the facts are not those of these entries.
        """
        found: list[Fact] = []
        with self.reading(sought.deadline) as connection:
            for places in self._hits(connection, sought, limit):
                facts = self._facts.read(places)
                if sought.since is not None:
                    facts = [fact for fact in facts if fact[0] >= sought.since]
                if sought.until is not None:
                    facts = [fact for fact in facts if fact[0] < sought.until]
                found += facts
                if len(found) >= limit:
                    break
            del found[limit:]
            kinds = _named(connection, f"SELECT id, {_KEYS} FROM kind", {kind for _at, kind, _code in found})  # noqa: S608
            objects = _named(connection, "SELECT id, text FROM code", {code for _at, _kind, code in found})
        return Found(facts=found, kinds=kinds, objects={code: text for code, (text,) in objects.items()})

    def following(self, sought: Sought, place: int, limit: int) -> list[Row]:
        """The first rows after a place that match, oldest first."""
        columns = ", ".join(f"entry.{name}" for name in _ENTRY)
        statement = (
            f"SELECT {columns} FROM word CROSS JOIN entry ON entry.place = word.rowid "  # noqa: S608
            "WHERE word MATCH ? AND word.rowid > ? ORDER BY word.rowid LIMIT ?"
        )
        with self.reading(sought.deadline) as connection:
            return [_row(found) for found in connection.execute(statement, (sought.match, place, limit))]

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
        with suppress(sqlite3.OperationalError), closing(self._open()) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def everything(self) -> Iterator[tuple[Row, str]]:
        """All rows with their sealed words, for comparing."""
        with self.reading() as connection:
            columns = ", ".join((*_ENTRY, "sealed"))
            for *found, sealed in connection.execute(f"SELECT {columns} FROM entry ORDER BY place"):  # noqa: S608
                yield _row(found), sealed

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

    def differs(self, entries: Sequence[Indexed]) -> int | None:
        """The first of consecutive entries that it holds otherwise than it was given; None if all are the same.

        Looked at are the header, the words, the facts and the names; the counters by ``miscounted``.
        """
        first, last = entries[0].row.index, entries[-1].row.index
        bad = {*self._other_headers(entries), *self._other_words(entries, first, last)}
        with self.reading() as connection:
            for entry in entries:
                if any(
                    not connection.execute(
                        "SELECT count(*) FROM namesake WHERE token = ? AND subject = ?", (token, entry.row.subject)
                    ).fetchone()[0]
                    for token in entry.names
                ):
                    bad.add(entry.row.index)
        return min(bad, default=None)

    def miscounted(self) -> bool:
        """Whether the counters are not those of the facts; only of a closed part, which stays as it is."""
        extent = self.extent()
        found = self._facts.read(range(extent.next - 1, extent.first - 1, -1))
        with self.reading() as connection:
            return any(
                Counter((at - at % grain, kind) for at, kind, _code in found)
                != Counter({(at, kind): times for at, kind, times in connection.execute(f"SELECT * FROM {table}")})  # noqa: S608
                for table, grain in (("hour", HOUR), ("day", _DAY))
            )

    def _other_headers(self, entries: Sequence[Indexed]) -> set[int]:
        columns = ", ".join((*_ENTRY, "sealed"))
        first, last = entries[0].row.index, entries[-1].row.index
        facts = self._facts.read(range(last, first - 1, -1))[::-1]
        with self.reading() as connection:
            statement = f"SELECT {columns} FROM entry WHERE place BETWEEN ? AND ?"  # noqa: S608
            held = {row[0]: row for row in connection.execute(statement, (first, last))}
            kinds = _named(connection, f"SELECT id, {_KEYS} FROM kind", {kind for _at, kind, _code in facts})  # noqa: S608
            objects = _named(connection, "SELECT id, text FROM code", {code for _at, _kind, code in facts})
        return {
            entry.row.index
            for entry, (at, kind, code) in zip(entries, facts, strict=True)
            if held.get(entry.row.index) != (*_values(entry.row), entry.sealed)
            or (at, kinds[kind], objects[code]) != (stamp(entry.row.at), _counted(entry.row), (entry.row.object,))
        }

    def _other_words(self, entries: Sequence[Indexed], first: int, last: int) -> set[int]:
        wanted: dict[str, set[int]] = {}
        for entry in entries:
            for word in f"{entry.marks} {entry.sealed}".split():
                wanted.setdefault(word, set()).add(entry.row.index)
        bad: set[int] = set()
        with self.reading() as connection:
            for word, places in wanted.items():
                found = connection.execute(
                    "SELECT rowid FROM word WHERE word MATCH ? AND rowid >= ? AND rowid <= ?",
                    (f'"{word}"', first, last),
                )
                bad |= places ^ {place for (place,) in found}
        return bad

    def close(self) -> None:
        """Give idle connections back."""
        with self._guard:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def reading(self, deadline: float = float("inf")) -> Iterator[sqlite3.Connection]:
        """A connection that writes nothing.

        Raises:
            SearchTooLong: the deadline has passed.
            IndexDamaged: the file is not what SQLite wrote.
            DatabaseUnavailable: the file did not answer.
        """
        with self._translating(deadline):
            with self._guard:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                connection = self._open()
                connection.execute("PRAGMA query_only=ON")
            try:
                if deadline != float("inf"):
                    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
                yield connection
            except BaseException:
                connection.close()
                raise
            connection.set_progress_handler(None, 0)
            with self._guard:
                if len(self._idle) < _MOST_IDLE:
                    self._idle.append(connection)
                    return
            connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; raises as ``reading``."""
        with self._translating(float("inf")), closing(self._open()) as connection:
            connection.execute(f"PRAGMA cache_size=-{_WRITER_CACHE_KIB}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def _translating(self, deadline: float) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if time.monotonic() > deadline:
                raise SearchTooLong from error
            raise DatabaseUnavailable from error
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise IndexDamaged(first=self.first) from error

    def _open(self) -> sqlite3.Connection:
        # Without "rwc" a file that retention has dropped would come back empty.
        address = f"{self.path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(
            address, uri=True, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        return connection

    def _insert(self, connection: sqlite3.Connection, entries: Sequence[Indexed]) -> None:
        rows = [entry.row for entry in entries]
        words = [(e.row.index, f"{e.marks} {e.sealed}") for e in entries]
        connection.executemany(_INSERT_ENTRY, [(*_values(e.row), e.sealed) for e in entries])
        connection.executemany("INSERT INTO word(rowid, marks) VALUES (?, ?)", words)
        kinds = _kinds(connection, {_counted(row) for row in rows})
        codes = _codes(connection, {row.object for row in rows})
        facts = [(stamp(row.at), kinds[_counted(row)], codes[row.object]) for row in rows]
        self._facts.write(rows[0].index, facts)
        names = {(token, entry.row.subject) for entry in entries for token in entry.names}
        connection.executemany("INSERT OR IGNORE INTO namesake VALUES (?, ?)", sorted(names))
        _count(connection, rows, kinds)

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


def _where(conditions: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _order(sought: Sought) -> str:
    return "word.rowid DESC" if sought.match else "place DESC"


def _codes(connection: sqlite3.Connection, texts: Iterable[str]) -> dict[str, int]:
    wanted = sorted(texts)
    connection.executemany("INSERT OR IGNORE INTO code (text) VALUES (?)", [(text,) for text in wanted])
    codes: dict[str, int] = {}
    for begin in range(0, len(wanted), _CHUNK):
        some = wanted[begin : begin + _CHUNK]
        marks = ",".join("?" * len(some))
        codes.update(connection.execute(f"SELECT text, id FROM code WHERE text IN ({marks})", some).fetchall())  # noqa: S608
    return codes


def _kinds(connection: sqlite3.Connection, kinds: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    wanted = sorted(kinds)
    connection.executemany(_INSERT_KIND, wanted)
    return {kind: connection.execute(_FIND_KIND, kind).fetchone()[0] for kind in wanted}


def _named(connection: sqlite3.Connection, select: str, codes: AbstractSet[int]) -> dict[int, tuple[str, ...]]:
    """What codes stand for.

    Raises:
        DatabaseError: one of them stands for nothing.
    """
    wanted, found = sorted(codes), {}
    for begin in range(0, len(wanted), _CHUNK):
        some = wanted[begin : begin + _CHUNK]
        for code, *texts in connection.execute(f"{select} WHERE id IN ({','.join('?' * len(some))})", some):
            found[code] = tuple(texts)
    if len(found) < len(wanted):
        raise sqlite3.DatabaseError("facts have a code that stands for nothing")
    return found


def _count(connection: sqlite3.Connection, rows: Sequence[Row], kinds: Mapping[tuple[str, ...], int]) -> None:
    hours: Counter[tuple[int, int]] = Counter()
    days: Counter[tuple[int, int]] = Counter()
    reach: dict[int, tuple[int, int]] = {}
    for row in rows:
        at, kind = stamp(row.at), kinds[_counted(row)]
        days[at - at % _DAY, kind] += 1
        hours[at - at % HOUR, kind] += 1
        first, _last = reach.get(at - at % HOUR, (row.index, row.index))
        reach[at - at % HOUR] = (first, row.index)
    connection.executemany(_COUNT["hour"], [(*key, times) for key, times in hours.items()])
    connection.executemany(_COUNT["day"], [(*key, times) for key, times in days.items()])
    connection.executemany(_REACH, [(at, *places) for at, places in reach.items()])


def _values(row: Row) -> tuple[Any, ...]:
    return row.index, stamp(row.at), row.type, row.outcome.value, *_texts(row), _encoded(dict(row.attributes))


def _row(found: Sequence[Any]) -> Row:
    given = dict(zip(_ENTRY, found, strict=True))
    given.pop("reason")
    place, at, attributes = given.pop("place"), given.pop("at"), given.pop("attributes")
    outcome = Outcome(given.pop("outcome"))
    return Row(index=place, at=unstamp(at), outcome=outcome, attributes=json.loads(attributes), **given)
