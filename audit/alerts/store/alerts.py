# SPDX-License-Identifier: Apache-2.0
"""The verbs. One transaction moves the position with all that was found until there.

Only the engine writes the position, what is remembered and hits; officers change an alert's state and nothing else.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import and_, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.sqlite import insert

from core.db import Database, migrate

from ..flatten import Memory, micros, moment
from ..models import Alert, Proven, RuleStanding, State
from .rows import MOST_MARKS, Hit, Raised, alert_of, entries_of, insert_alert, path_of, rule_values, slices, standing_of
from .tables import ALERT, HIT, NOTE, PROGRESS, PROVEN, REMEMBERED, RULE

_MIGRATIONS = Path(__file__).parent.parent / "migrations"


@dataclass(kw_only=True)
class Batch:
    """Everything that one stretch of the log led to; kept whole or not at all."""

    start: int
    next: int
    after: int
    remembered: Mapping[str, Memory] = field(default_factory=dict)
    hits: list[Hit] = field(default_factory=list)
    # Hits that are over, and groups whose hits all are.
    dropped: list[Hit] = field(default_factory=list)
    settled: list[tuple[str, str]] = field(default_factory=list)
    raised: list[Raised] = field(default_factory=list)
    # Alert to how often it was met again, and the newest entry of that.
    again: dict[str, tuple[int, int]] = field(default_factory=dict)
    # Hits before this time concern nobody any more.
    over: int = 0


class AlertStore:
    """The tables and their verbs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """The tables in one SQLite file, brought up to date."""
        database = Database.open(f"sqlite:///{path}", connections=8)
        migrate(database, _MIGRATIONS)
        path.chmod(0o600)
        return cls(database)

    def close(self) -> None:
        """Return the connections."""
        self._database.close()

    # What the engine asks and writes.

    def position(self) -> tuple[int, int]:
        """Index of the first entry that was not looked at, and the time of the row before."""
        with self._database.reading() as connection:
            found = connection.execute(select(PROGRESS.c.next, PROGRESS.c.after)).one()
        return found.next, found.after

    def begin_at(self, index: int) -> None:
        """Pass over everything before an entry; for a dry run."""
        with self._database.transaction() as connection:
            connection.execute(update(PROGRESS).values(next=index))

    def memory(self, names: Iterable[str]) -> dict[str, Memory]:
        """What is remembered under these names."""
        found: dict[str, Memory] = {}
        with self._database.reading() as connection:
            for some in slices(sorted(set(names))):
                query = select(REMEMBERED).where(REMEMBERED.c.name.in_(some))
                found |= {
                    row.name: Memory(entry=row.entry, at=row.at, word=row.word) for row in connection.execute(query)
                }
        return found

    def hits(self, rule: str, keys: Iterable[str], *, since: int) -> list[Hit]:
        """The hits of these groups of one rule, oldest first."""
        found: list[Hit] = []
        with self._database.reading() as connection:
            for some in slices(sorted(set(keys))):
                query = select(HIT).where(HIT.c.rule == rule, HIT.c.key.in_(some), HIT.c.at >= since)
                found += [Hit(**row) for row in connection.execute(query.order_by(HIT.c.entry)).mappings()]
        return found

    def quiet(self, at: int) -> dict[tuple[str, str], tuple[str, int]]:
        """Rule and group of alerts that are not raised again at that time yet: the alert, and until when."""
        query = select(ALERT.c.rule, ALERT.c.key, ALERT.c.id, ALERT.c.quiet_until).where(ALERT.c.quiet_until > at)
        with self._database.reading() as connection:
            return {(row.rule, row.key): (row.id, row.quiet_until) for row in connection.execute(query)}

    def commit(self, batch: Batch) -> bool:
        """Keep all of it; False if somebody else was there before, and nothing is kept."""
        with self._database.transaction() as connection:
            moved = connection.execute(
                update(PROGRESS).where(PROGRESS.c.next == batch.start).values(next=batch.next, after=batch.after)
            ).rowcount
            if not moved:
                return False
            for name, memory in batch.remembered.items():
                values = asdict(memory)
                connection.execute(
                    insert(REMEMBERED).values(name=name, **values).on_conflict_do_update(["name"], set_=values)
                )
            for gone in slices(batch.settled):
                connection.execute(delete(HIT).where(tuple_(HIT.c.rule, HIT.c.key).in_(gone)))
            names = ("rule", "key", "slot", "entry")
            for some in slices([tuple(getattr(hit, name) for name in names) for hit in batch.dropped]):
                connection.execute(delete(HIT).where(tuple_(*(HIT.c[name] for name in names)).in_(some)))
            connection.execute(delete(HIT).where(HIT.c.at < batch.over))
            if batch.hits:
                connection.execute(insert(HIT).on_conflict_do_nothing(), [vars(hit) for hit in batch.hits])
            for raised in batch.raised:
                insert_alert(connection, raised)
            for alert, (times, newest) in batch.again.items():
                connection.execute(
                    update(ALERT).where(ALERT.c.id == alert).values(again=ALERT.c.again + times, again_until=newest)
                )
        return True

    def count_hits(self) -> int:
        """How many hits wait for others."""
        with self._database.reading() as connection:
            return connection.execute(select(func.count()).select_from(HIT)).scalar_one()

    def cut(self, *, most: int) -> int:
        """Drop the oldest hits beyond ``most``; how many."""
        with self._database.transaction() as connection:
            count = connection.execute(select(func.count()).select_from(HIT)).scalar_one()
            if count <= most:
                return 0
            oldest = select(HIT.c.rule, HIT.c.key, HIT.c.slot, HIT.c.entry)
            oldest = oldest.order_by(HIT.c.at).limit(count - most)
            names = tuple_(HIT.c.rule, HIT.c.key, HIT.c.slot, HIT.c.entry)
            return connection.execute(delete(HIT).where(names.in_(oldest))).rowcount

    def unrecorded(self) -> list[Alert]:
        """Alerts that the record does not hold yet, oldest first."""
        query = select(ALERT).where(ALERT.c.recorded < 0).order_by(ALERT.c.raised, ALERT.c.id)
        with self._database.reading() as connection:
            rows = list(connection.execute(query.limit(MOST_MARKS)))
            found = entries_of(connection, [row.id for row in rows])
        return [alert_of(row, found) for row in rows]

    def recorded(self, alert: str, index: int) -> None:
        """The record holds it."""
        with self._database.transaction() as connection:
            connection.execute(update(ALERT).where(ALERT.c.id == alert).values(recorded=index))

    def rules_in_force(self) -> str:
        """Digest of the rules that were last said to be in force; empty at first."""
        with self._database.reading() as connection:
            return str(connection.execute(select(PROGRESS.c.rules)).scalar_one())

    def install(self, rules: Sequence[RuleStanding], digest: str) -> None:
        """These are the rules now."""
        with self._database.transaction() as connection:
            connection.execute(update(PROGRESS).values(rules=digest))
            connection.execute(delete(RULE))
            if rules:
                connection.execute(insert(RULE), [rule_values(place, rule) for place, rule in enumerate(rules)])

    def evaluated(self, at: datetime, errors: Mapping[str, str]) -> None:
        """Every rule that is on was evaluated, those in ``errors`` in vain."""
        with self._database.transaction() as connection:
            on = RULE.c.on == 1
            connection.execute(update(RULE).where(on, RULE.c.id.not_in(errors)).values(evaluated=micros(at), error=""))
            for rule, why in errors.items():
                connection.execute(update(RULE).where(on, RULE.c.id == rule).values(error=why))

    # What officers ask and write.

    def open_alerts(self) -> int:
        """How many nobody has dealt with."""
        query = select(func.count()).select_from(ALERT).where(ALERT.c.state == State.OPEN.value)
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one()

    def find(self, alert: str) -> Alert | None:
        """One alert."""
        with self._database.reading() as connection:
            row = connection.execute(select(ALERT).where(ALERT.c.id == alert)).one_or_none()
            return None if row is None else alert_of(row, entries_of(connection, [alert]))

    def entries(self, alert: str) -> tuple[int, ...]:
        """The places of its entries in the record, ascending; none if there is no such alert."""
        with self._database.reading() as connection:
            return tuple(entries_of(connection, [alert]).get(alert, ()))

    def proven(self, alert: str) -> list[Proven]:
        """Its entries with their proofs, in the order of the log."""
        query = (
            select(PROVEN, NOTE.c.text)
            .join(NOTE, NOTE.c.id == PROVEN.c.note)
            .where(PROVEN.c.alert == alert)
            .order_by(PROVEN.c.entry)
        )
        with self._database.reading() as connection:
            return [
                Proven(
                    index=row.entry,
                    number=row.number,
                    type=row.type,
                    at=moment(row.at),
                    path=path_of(row.path),
                    checkpoint=row.text,
                )
                for row in connection.execute(query)
            ]

    def page(self, state: State | None, *, rule: str = "", after: str = "", limit: int = 50) -> list[Alert]:
        """The newest alerts, at most ``limit`` and one; ``after`` is the last alert of the page before."""
        query = select(ALERT).order_by(ALERT.c.raised.desc(), ALERT.c.id.desc()).limit(limit + 1)
        if state is not None:
            query = query.where(ALERT.c.state == state.value)
        if rule:
            query = query.where(ALERT.c.rule == rule)
        with self._database.reading() as connection:
            if after:
                last = connection.execute(select(ALERT.c.raised).where(ALERT.c.id == after)).scalar_one_or_none()
                if last is not None:
                    older = and_(ALERT.c.raised == last, ALERT.c.id < after)
                    query = query.where(or_(ALERT.c.raised < last, older))
            rows = list(connection.execute(query))
            found = entries_of(connection, [row.id for row in rows])
            return [alert_of(row, found) for row in rows]

    def move(self, alert: str, *, before: State, after: State, officer: str, at: datetime) -> bool:
        """Change an alert's state; False if it was not ``before`` any more."""
        values = {"state": after.value, "officer": officer, "moved": micros(at)}
        with self._database.transaction() as connection:
            change = update(ALERT).where(ALERT.c.id == alert, ALERT.c.state == before.value).values(**values)
            return connection.execute(change).rowcount == 1

    def rules(self, *, since: datetime) -> list[RuleStanding]:
        """Every rule, with its alerts since then."""
        hits = select(ALERT.c.rule, func.count()).where(ALERT.c.raised >= micros(since)).group_by(ALERT.c.rule)
        with self._database.reading() as connection:
            counted: dict[str, int] = {row[0]: row[1] for row in connection.execute(hits)}
            return [
                standing_of(row, counted.get(row.id, 0))
                for row in connection.execute(select(RULE).order_by(RULE.c.place))
            ]

    def forget(self, subject: str) -> None:
        """Nothing is remembered of this person's logins any more, and no group waits; part of erasing them."""
        with self._database.transaction() as connection:
            connection.execute(
                delete(REMEMBERED).where(REMEMBERED.c.name.in_([f"login:{subject}", f"place:{subject}"]))
            )
            rows = connection.execute(select(HIT.c.rule, HIT.c.key, HIT.c.slot, HIT.c.entry, HIT.c.row))
            named = [
                (row.rule, row.key, row.slot, row.entry) for row in rows if subject in json.loads(row.row).values()
            ]
            names = tuple_(HIT.c.rule, HIT.c.key, HIT.c.slot, HIT.c.entry)
            for some in slices(named):
                connection.execute(delete(HIT).where(names.in_(some)))
