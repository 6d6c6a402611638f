# SPDX-License-Identifier: Apache-2.0
"""Converted rules over rows, in a database in memory that holds nothing else and outlives no question.

What a rule can do there is bounded: no file, no setting, no other database, so many steps and no more. Regular
expressions run in RE2, whose time grows with the text and not with the expression.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]
from sigma.backends.sqlite.runtime import execute_plan

from .errors import RuleStopped
from .fields import COLUMNS, ENTRY, TABLE, TIME, schema
from .flatten import Flat, Value
from .models import Kind, Predicate, Rule

_STEP = 10_000
MOST_STEPS = 20_000
"""Of ``_STEP`` instructions each, for one rule and one question: about a second."""
_MOST_TEXT = 1 << 20
_WORD = re.compile(r"\w+")
_FORBIDDEN = frozenset({sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA})
_FUNCTIONS_FORBIDDEN = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"})


@dataclass(frozen=True, kw_only=True)
class Met:
    """A correlation was met."""

    group: tuple[str, ...]
    since: int
    until: int
    count: int
    # Oldest first.
    entries: Sequence[int]


class Evaluator:
    """Rows in, answers out; one at a time."""

    def __init__(self, *, most_steps: int = MOST_STEPS, columns: Sequence[str] = COLUMNS) -> None:
        """``columns`` are those that are filled: whoever asks by a few conditions alone needs no others."""
        self._most = most_steps
        self._steps = 0
        self._database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_TEXT)
        self._database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        self._database.execute(schema())
        # Most conditions are about a type that few rows have.
        self._database.execute(f"CREATE INDEX by_type ON {TABLE} (type)")
        self._database.create_function("REGEXP", 2, _found, deterministic=True)
        self._database.set_authorizer(_allowed)
        self._database.set_progress_handler(self._step, _STEP)
        self._names = (ENTRY, TIME, *columns)
        marks = ",".join("?" * len(self._names))
        self._insert = f"INSERT INTO {TABLE} ({','.join(f'`{name}`' for name in self._names)}) VALUES ({marks})"  # noqa: S608 - our own names

    def load(self, rows: Iterable[Flat]) -> None:
        """Replace every row."""
        self._steps = 0
        self._database.execute(f"DELETE FROM {TABLE}")  # noqa: S608 - our own name
        self._database.execute("BEGIN")
        self._database.executemany(self._insert, [[row.get(name) for name in self._names] for row in rows])
        self._database.execute("COMMIT")

    def matches(self, rule: Rule, predicate: Predicate) -> list[int]:
        """The entries of which a predicate is true, in order.

        Raises:
            RuleStopped: it took too long.
        """
        statement = f"SELECT {ENTRY} FROM {TABLE} WHERE {predicate.condition} ORDER BY {ENTRY}"  # noqa: S608 - converted
        self._steps = 0
        try:
            return [int(entry) for (entry,) in self._database.execute(statement)]
        except sqlite3.Error as error:
            raise RuleStopped(rule=rule.id) from error

    def met(self, rule: Rule) -> list[Met]:
        """Where a correlation is met among the rows that are loaded, the earliest first.

        Raises:
            RuleStopped: it took too long.
        """
        self._steps = 0
        try:
            found, _ = execute_plan(self._database, rule.plan, include_events=False)  # type: ignore[no-untyped-call]
        except sqlite3.Error as error:
            self._steps = 0
            self._clear()
            raise RuleStopped(rule=rule.id) from error
        return [_met(rule, each) for each in found]

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

    def _clear(self) -> None:
        """What a plan that was stopped left behind."""
        left = self._database.execute("SELECT name FROM sqlite_temp_master WHERE type = 'table'").fetchall()
        for (name,) in left:
            self._database.execute(f'DROP TABLE IF EXISTS temp."{name}"')

    def _step(self) -> int:
        self._steps += 1
        return int(self._steps > self._most)


def named(rules: Iterable[Rule]) -> list[str]:
    """The columns that conditions of rules may name; what only looks like a name is counted as one."""
    words = {word for rule in rules for each in rule.predicates for word in _WORD.findall(each.condition)}
    return [name for name in COLUMNS if name in words]


def key_of(row: Flat, fields: Sequence[str]) -> str | None:
    """How a row's group is called; None if it lacks a field of the group and so belongs to none."""
    values = [row.get(field) for field in fields]
    if any(value is None for value in values):
        return None
    return json.dumps([_folded(value) for value in values], ensure_ascii=False, separators=(",", ":"))


def group_of(key: str, rule: Rule) -> Mapping[str, str]:
    """The group a key stands for; without what the group's rows all lack."""
    return {field: value for field, value in zip(rule.group, json.loads(key), strict=True) if value != ""}


def own_key(row: Flat, rule: Rule) -> str:
    """The group of a row that meets a single rule; fields it lacks are empty."""
    values = [row.get(field) for field in rule.group]
    return json.dumps(
        ["" if value is None else _folded(value) for value in values], ensure_ascii=False, separators=(",", ":")
    )


def _folded(value: Value) -> str:
    # The same letters that the converter's own lower() folds.
    text = str(value)
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def _met(rule: Rule, found: Mapping[str, Any]) -> Met:
    keys = found["group_keys"]
    return Met(
        group=tuple(str(keys[field]) for field in rule.group),
        since=round(found["window_start"] * 1_000_000),
        until=round(found["window_end"] * 1_000_000),
        count=int(found["metric_value"] or 0) if rule.kind is not Kind.EVENT_COUNT else int(found["event_count"]),
        entries=sorted({int(each.partition(":")[2]) for each in found["event_ids"]}),
    )


def _found(pattern: str, value: object) -> int | None:
    if value is None:
        return None
    return int(_compiled(pattern).search(str(value)) is not None)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern)


def _allowed(action: int, first: str | None, second: str | None, *_: object) -> int:
    if action in _FORBIDDEN or (action == sqlite3.SQLITE_FUNCTION and (second or first) in _FUNCTIONS_FORBIDDEN):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
