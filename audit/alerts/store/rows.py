# SPDX-License-Identifier: Apache-2.0
"""Rows and models, one as the other."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from ..flatten import micros, moment
from ..models import Alert, Kind, Level, Proven, RuleStanding, State, Told
from .tables import ALERT, NOTE, PROVEN

T = TypeVar("T")
MOST_MARKS = 200
"""Values in one statement."""
_HASH = 32
_NEVER = 0


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A row that met one predicate of a correlation."""

    rule: str
    key: str
    slot: int
    entry: int
    at: int
    row: str


@dataclass(frozen=True, kw_only=True)
class Raised:
    """A new alert with what only the engine asks for."""

    alert: Alert
    key: str
    # Microseconds until which the same group of the same rule is not raised again.
    quiet_until: int
    proven: Sequence[Proven]


def slices(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """A few at a time: a statement takes so many values and no more."""
    for start in range(0, len(values), MOST_MARKS):
        yield values[start : start + MOST_MARKS]


def insert_alert(connection: Any, raised: Raised) -> None:
    """Keep an alert with its entries and proofs; one that is there already stays as it is."""
    alert = raised.alert
    connection.execute(
        insert(ALERT)
        .on_conflict_do_nothing()
        .values(
            id=alert.id,
            rule=alert.rule,
            version=alert.version,
            digest=alert.digest,
            level=alert.level.value,
            kind=alert.kind.value,
            told=dumped(asdict(alert.told)),
            query=alert.query,
            key=raised.key,
            group=dumped(dict(alert.group)),
            state=alert.state.value,
            officer="",
            since=micros(alert.since),
            until=micros(alert.until),
            count=alert.count,
            raised=micros(alert.raised),
            quiet_until=raised.quiet_until,
            again=0,
            again_until=-1,
            recorded=-1,
            moved=_NEVER,
        )
    )
    notes = {proven.checkpoint: hashlib.sha256(proven.checkpoint.encode()).digest() for proven in raised.proven}
    if notes:
        kept = [{"id": digest, "text": text} for text, digest in notes.items()]
        connection.execute(insert(NOTE).on_conflict_do_nothing(), kept)
        rows = [
            {
                "alert": alert.id,
                "entry": proven.index,
                "number": proven.number,
                "type": proven.type,
                "at": micros(proven.at),
                "path": b"".join(proven.path),
                "note": notes[proven.checkpoint],
            }
            for proven in raised.proven
        ]
        connection.execute(insert(PROVEN).on_conflict_do_nothing(), rows)


def entries_of(connection: Any, alerts: Sequence[str]) -> Mapping[str, Sequence[int]]:
    """The entries of each alert, oldest first."""
    found: dict[str, list[int]] = {}
    for some in slices(alerts):
        query = select(PROVEN.c.alert, PROVEN.c.entry).where(PROVEN.c.alert.in_(some)).order_by(PROVEN.c.entry)
        for row in connection.execute(query):
            found.setdefault(row.alert, []).append(row.entry)
    return found


def alert_of(row: Any, entries: Mapping[str, Sequence[int]]) -> Alert:
    """An alert from its row."""
    return Alert(
        id=row.id,
        rule=row.rule,
        version=row.version,
        digest=row.digest,
        level=Level(row.level),
        kind=Kind(row.kind),
        told=told_of(row.told),
        query=row.query,
        group=json.loads(row.group),
        since=moment(row.since),
        until=moment(row.until),
        count=row.count,
        raised=moment(row.raised),
        state=State(row.state),
        entries=tuple(entries.get(row.id, ())),
        again=row.again,
        again_until=row.again_until,
        recorded=row.recorded,
        officer=row.officer,
        moved=moment(row.moved) if row.moved else None,
    )


def rule_values(place: int, rule: RuleStanding) -> dict[str, Any]:
    """A rule's row."""
    return {
        "place": place,
        "id": rule.id,
        "file": rule.file,
        "told": dumped(asdict(rule.told)),
        "level": rule.level.value if rule.level else "",
        "kind": rule.kind.value if rule.kind else "",
        "version": rule.version,
        "digest": rule.digest,
        "query": rule.query,
        "text": rule.text,
        "error": rule.error,
        "shipped": int(rule.shipped),
        "on": int(rule.on),
        "evaluated": micros(rule.evaluated) if rule.evaluated else _NEVER,
    }


def standing_of(row: Any, hits: int) -> RuleStanding:
    """A rule from its row."""
    return RuleStanding(
        id=row.id,
        file=row.file,
        shipped=bool(row.shipped),
        on=bool(row.on),
        told=told_of(row.told),
        level=Level(row.level) if row.level else None,
        kind=Kind(row.kind) if row.kind else None,
        version=row.version,
        digest=row.digest,
        query=row.query,
        text=row.text,
        error=row.error,
        evaluated=moment(row.evaluated) if row.evaluated else None,
        hits=hits,
    )


def told_of(text: str) -> Told:
    """What a rule says of itself, as it was kept."""
    return Told(**json.loads(text))


def dumped(document: Mapping[str, Any]) -> str:
    """JSON as it is kept."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def path_of(stored: bytes) -> list[bytes]:
    """The hashes of a path."""
    return [stored[i : i + _HASH] for i in range(0, len(stored), _HASH)]
