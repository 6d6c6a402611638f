# SPDX-License-Identifier: Apache-2.0
"""The tables, as in the migrations."""

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

_METADATA = MetaData()
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


def _column(name: str, kind: Any, *, primary_key: bool = False) -> Column[Any]:
    return Column(name, kind, nullable=False, primary_key=primary_key, autoincrement=False)


PROGRESS = Table(
    "progress",
    _METADATA,
    _column("one", _NUMBER, primary_key=True),
    _column("next", _NUMBER),
    # Time of the row before ``next``.
    _column("after", _NUMBER),
    # Digest of the rules in force.
    _column("rules", Text),
)
REMEMBERED = Table(
    "remembered",
    _METADATA,
    _column("name", Text, primary_key=True),
    _column("entry", _NUMBER),
    _column("at", _NUMBER),
    _column("word", Text),
)
HIT = Table(
    "hit",
    _METADATA,
    _column("rule", Text, primary_key=True),
    _column("key", Text, primary_key=True),
    _column("slot", _NUMBER, primary_key=True),
    _column("entry", _NUMBER, primary_key=True),
    _column("at", _NUMBER),
    _column("row", Text),
    Index("hit_at", "at"),
)
_TEXTS = ("rule", "version", "digest", "level", "kind", "told", "query", "key", "group", "state", "officer")
_NUMBERS = ("since", "until", "count", "raised", "quiet_until", "again", "again_until", "recorded", "moved")
ALERT = Table(
    "alert",
    _METADATA,
    _column("id", Text, primary_key=True),
    *(_column(name, Text) for name in _TEXTS),
    *(_column(name, _NUMBER) for name in _NUMBERS),
    Index("alert_raised", "raised", "id"),
    Index("alert_state", "state", "raised", "id"),
    Index("alert_rule", "rule", "raised"),
    Index("alert_quiet", "quiet_until"),
    Index("alert_recorded", "recorded"),
)
PROVEN = Table(
    "proven",
    _METADATA,
    _column("alert", Text, primary_key=True),
    _column("entry", _NUMBER, primary_key=True),
    _column("number", _NUMBER),
    _column("type", Text),
    _column("at", _NUMBER),
    _column("path", LargeBinary),
    _column("note", LargeBinary),
)
NOTE = Table("note", _METADATA, _column("id", LargeBinary, primary_key=True), _column("text", Text))
RULE = Table(
    "rule",
    _METADATA,
    _column("place", _NUMBER, primary_key=True),
    *(
        _column(name, Text)
        for name in ("id", "file", "told", "level", "kind", "version", "digest", "query", "text", "error")
    ),
    *(_column(name, _NUMBER) for name in ("shipped", "on", "evaluated")),
)
