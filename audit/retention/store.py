# SPDX-License-Identifier: Apache-2.0
"""Terms, runs and measures: rows in, models out. A run that was begun is finished by whoever comes next."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, String, Table, Text, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from core.db import Database, migrate

from ..events import Retention
from ..seals import Partition
from .forecast import Usage
from .plan import Piece

_METADATA = MetaData()
_TERMS = Table(
    "terms",
    _METADATA,
    Column("retention", String(16), primary_key=True),
    Column("days", Integer, nullable=False),
    Column("warrant", String(64), nullable=False),
    # Epoch seconds, here and below.
    Column("at", BigInteger, nullable=False),
)
_RUNS = Table(
    "runs",
    _METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    # begun, done or refused.
    Column("state", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("pieces", Text, nullable=False),
    # Keys of its two records, and the place of the first.
    Column("intent", String(32), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("entry", BigInteger, nullable=False),
    # How many keys a hold kept.
    Column("kept", BigInteger, nullable=False),
    Column("code", String(64), nullable=False),
)
_USAGE = Table(
    "usage", _METADATA, Column("day", String(10), primary_key=True), Column("used", BigInteger, nullable=False)
)
_SEEN = Table(
    "seen",
    _METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    # The last time that was believed, and whether an officer let the next run believe another one.
    Column("at", BigInteger, nullable=False),
    Column("confirmed", Boolean, nullable=False),
)
_SURVEY = Table(
    "survey",
    _METADATA,
    # There is at most one row, number 1.
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    # When the last run looked, whatever became of it; 0 before the first.
    Column("run", BigInteger, nullable=False),
    # A term was changed since.
    Column("stale", Boolean, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("free", BigInteger, nullable=False),
    Column("pieces", Text, nullable=False),
    # Partitions of keys, each as ``name:bytes``.
    Column("kept", Text, nullable=False),
)
_MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run that dropped, is dropping, or refused to."""

    id: int
    state: str
    at: int
    pieces: tuple[Piece, ...]
    intent: str
    outcome: str
    entry: int = -1
    kept: int = 0
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What there was at a time, and what the run after it drops."""

    at: int
    run: int
    used: int
    free: int
    pieces: tuple[Piece, ...]
    # Partitions of keys and what each takes on the disk.
    kept: tuple[tuple[Partition, int], ...]
    stale: bool = False


class RetentionStore:
    """The tables and their verbs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """The tables in one SQLite file, brought up to date."""
        database = Database.open(f"sqlite:///{path}", connections=4)
        migrate(database, _MIGRATIONS)
        path.chmod(0o600)
        return cls(database)

    def terms(self) -> dict[Retention, int]:
        """What officers set, by class; a class that is missing is kept as the settings say."""
        with self._database.reading() as connection:
            return {Retention(row.retention): row.days for row in connection.execute(select(_TERMS))}

    def set_term(self, retention: Retention, days: int, *, warrant: str, at: int) -> None:
        """Keep a term; what was surveyed before no longer fits it."""
        values = {"days": days, "warrant": warrant, "at": at}
        change = insert(_TERMS).values(retention=retention.value, **values)
        with self._database.transaction() as connection:
            connection.execute(change.on_conflict_do_update(index_elements=["retention"], set_=values))
            connection.execute(update(_SURVEY).values(stale=True))

    def begin(self, pieces: tuple[Piece, ...], *, at: int, intent: str, outcome: str) -> Run:
        """Keep what is about to be dropped."""
        self._add("begun", pieces, at=at, intent=intent, outcome=outcome, code="")
        [run] = self._runs(_RUNS.c.state == "begun", 1)
        return run

    def refused(self, pieces: tuple[Piece, ...], *, at: int, code: str) -> None:
        """Keep that a run refused, once for each reason in a row."""
        last = self.last()
        if last is None or (last.state, last.code) != ("refused", code):
            self._add("refused", pieces, at=at, intent="", outcome="", code=code)

    def begun(self) -> Run | None:
        """The run that is under way, or was when its process died."""
        return next(iter(self._runs(_RUNS.c.state == "begun", 1)), None)

    def intended(self, run: Run, entry: int) -> None:
        """Its intent has its place in the record."""
        self._set(run, entry=entry)

    def done(self, run: Run, kept: int) -> None:
        """It is over."""
        self._set(run, state="done", kept=kept)

    def last(self) -> Run | None:
        """The newest run."""
        return next(iter(self.runs(1)), None)

    def runs(self, limit: int) -> list[Run]:
        """The newest runs."""
        return self._runs(_RUNS.c.id > 0, limit)

    def measured(self, day: date, used: int) -> None:
        """Keep what everything takes; the last measure of a day counts."""
        change = insert(_USAGE).values(day=day.isoformat(), used=used)
        with self._database.transaction() as connection:
            connection.execute(change.on_conflict_do_update(index_elements=["day"], set_={"used": used}))

    def usage(self, days: int) -> list[Usage]:
        """The newest measures, oldest first."""
        query = select(_USAGE).order_by(_USAGE.c.day.desc()).limit(days)
        with self._database.reading() as connection:
            found = [Usage(date.fromisoformat(row.day), row.used) for row in connection.execute(query)]
        return found[::-1]

    def seen(self) -> tuple[int | None, bool]:
        """The last time that was believed, and whether an officer let the next run believe another."""
        with self._database.reading() as connection:
            row = connection.execute(select(_SEEN)).one_or_none()
        return (None, False) if row is None else (row.at, row.confirmed)

    def see(self, at: int, *, confirmed: bool = False) -> None:
        """Believe a time."""
        with self._database.transaction() as connection:
            connection.execute(delete(_SEEN))
            connection.execute(insert(_SEEN).values(one=1, at=at, confirmed=confirmed))

    def survey(self) -> Survey | None:
        """What was found last; None before anybody looked."""
        with self._database.reading() as connection:
            row = connection.execute(select(_SURVEY)).one_or_none()
        if row is None:
            return None
        kept = (each.rpartition(":") for each in row.kept.split())
        named = [(Partition.named(name), int(size)) for name, _, size in kept]
        return Survey(
            at=row.at,
            run=row.run,
            stale=row.stale,
            used=row.used,
            free=row.free,
            pieces=tuple(Piece.parse(each) for each in row.pieces.split()),
            kept=tuple((each, size) for each, size in named if each is not None),
        )

    def surveyed(self, found: Survey) -> None:
        """Keep what was found in place of what was found before."""
        values = {
            "at": found.at,
            "run": found.run,
            "stale": found.stale,
            "used": found.used,
            "free": found.free,
            "pieces": " ".join(map(str, found.pieces)),
            "kept": " ".join(f"{each.name}:{size}" for each, size in found.kept),
        }
        change = insert(_SURVEY).values(one=1, **values)
        with self._database.transaction() as connection:
            connection.execute(change.on_conflict_do_update(index_elements=["one"], set_=values))

    def close(self) -> None:
        """Return the connections."""
        self._database.close()

    def _add(self, state: str, pieces: tuple[Piece, ...], **values: Any) -> None:
        spelled = " ".join(map(str, pieces))
        with self._database.transaction() as connection:
            connection.execute(insert(_RUNS).values(state=state, pieces=spelled, entry=-1, kept=0, **values))

    def _set(self, run: Run, **values: Any) -> None:
        with self._database.transaction() as connection:
            connection.execute(update(_RUNS).where(_RUNS.c.id == run.id).values(**values))

    def _runs(self, condition: Any, limit: int) -> list[Run]:
        query = select(_RUNS).where(condition).order_by(_RUNS.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            rows = list(connection.execute(query).mappings())
        return [Run(**{**row, "pieces": tuple(Piece.parse(each) for each in row["pieces"].split())}) for row in rows]
