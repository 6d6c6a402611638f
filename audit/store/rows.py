# SPDX-License-Identifier: Apache-2.0
"""Rows of one part's tables: how entries are put into them, and how they come out again."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from operator import attrgetter
from typing import Any

import orjson

from ..models import Outcome
from ..search import Indexed, Row
from ..search.rows import stamp, unstamp
from . import schema
from .facts import Fact, Facts

HOUR = 3_600_000
DAY = 24 * HOUR
ENTRY = ("place", "at", "type", "outcome", *schema.TEXTS, "attributes")
_INSERT_ENTRY = f"INSERT INTO entry ({', '.join((*ENTRY, 'sealed'))}) VALUES ({', '.join('?' * (len(ENTRY) + 1))})"  # noqa: S608
KINDS = ", ".join(schema.COUNTED)
_COUNT = {
    table: f"INSERT INTO {table} VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET times = times + excluded.times"  # noqa: S608
    for table in ("hour", "day")
}
_REACH = (
    "INSERT INTO reach VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
    "first = min(first, excluded.first), last = max(last, excluded.last)"
)
_INSERT_KIND = f"INSERT OR IGNORE INTO kind ({KINDS}) VALUES ({', '.join('?' * len(schema.COUNTED))})"  # noqa: S608
_FIND_KIND = f"SELECT id FROM kind WHERE {' AND '.join(f'{name} = ?' for name in schema.COUNTED)}"  # noqa: S608
_CHUNK = 500


_texts = attrgetter(*schema.TEXTS)
counted = attrgetter(*schema.COUNTED)


def insert(connection: sqlite3.Connection, file: Facts, entries: Sequence[Indexed]) -> None:
    """Put consecutive entries into every table, and their facts into the file."""
    rows = [entry.row for entry in entries]
    times, counts = [stamp(row.at) for row in rows], [counted(row) for row in rows]
    words = [(e.row.index, f"{e.marks} {e.sealed}") for e in entries]
    connection.executemany(_INSERT_ENTRY, [(*values_of(e.row), e.sealed) for e in entries])
    connection.executemany("INSERT INTO word(rowid, marks) VALUES (?, ?)", words)
    kinds = _kinds(connection, set(counts))
    codes = _codes(connection, {row.object for row in rows})
    facts = [(at, kinds[kind], codes[row.object]) for at, kind, row in zip(times, counts, rows, strict=True)]
    file.write(rows[0].index, facts)
    names = {(token, entry.row.subject) for entry in entries for token in entry.names}
    connection.executemany("INSERT OR IGNORE INTO namesake VALUES (?, ?)", sorted(names))
    _count(connection, rows[0].index, facts)


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


def named(connection: sqlite3.Connection, select: str, codes: AbstractSet[int]) -> dict[int, tuple[str, ...]]:
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


def _count(connection: sqlite3.Connection, first: int, facts: Sequence[Fact]) -> None:
    hours = Counter((at - at % HOUR, kind) for at, kind, _code in facts)
    days: Counter[tuple[int, int]] = Counter()
    for (hour, kind), times in hours.items():
        days[hour - hour % DAY, kind] += times
    reach: dict[int, tuple[int, int]] = {}
    for place, (at, _kind, _code) in enumerate(facts, first):
        hour = at - at % HOUR
        reach[hour] = (reach[hour][0] if hour in reach else place, place)
    connection.executemany(_COUNT["hour"], [(*key, times) for key, times in hours.items()])
    connection.executemany(_COUNT["day"], [(*key, times) for key, times in days.items()])
    connection.executemany(_REACH, [(at, *places) for at, places in reach.items()])


def values_of(row: Row) -> tuple[Any, ...]:
    """A row as the table ``entry`` holds it, without the sealed words."""
    return (
        row.index,
        stamp(row.at),
        row.type,
        row.outcome.value,
        *_texts(row),
        orjson.dumps(dict(row.attributes), option=orjson.OPT_SORT_KEYS).decode(),
    )


def row(found: Sequence[Any]) -> Row:
    """A row of the columns ``ENTRY``."""
    given = dict(zip(ENTRY, found, strict=True))
    given.pop("reason")
    place, at, attributes = given.pop("place"), given.pop("at"), given.pop("attributes")
    outcome = Outcome(given.pop("outcome"))
    return Row(index=place, at=unstamp(at), outcome=outcome, attributes=json.loads(attributes), **given)
